//! Frames that go into Linux's vxlan device and into the library's VTEP with the same settings: the packets that come
//! out are compared byte by byte. Source ports and identifications are each sender's own; checksums are verified.

use std::ops::RangeInclusive;

use encap::{
    tunnel::{DontFragment, OuterDscp, OuterFlowLabel, Ttl},
    vtep::{Config, DropReason, OverlayMeta, TooBig},
    wire::{Dscp, FlowLabel, MacAddr, Vni, vxlan_gbp::GroupPolicy},
};
use interop::{
    Need,
    bytes::{Ip, arp_request, checksum, ethernet, icmp_echo, mac},
    engine::{Engine, Verdict},
    kernel::{Kernel, OVERLAY_MAC, UNDERLAY_MAC, remote_mac},
    require,
};
use nix::sys::socket::{setsockopt, sockopt};

const PORT: u16 = 4789;
const VNI: Vni = Vni::truncate(42);

/// A kernel's device and a VTEP that send everything to remote 2.
struct Pair {
    kernel: Kernel,
    engine: Engine,
    ports: RangeInclusive<u16>,
}

impl Pair {
    fn new(v6: bool, options: &str, set: impl FnOnce(&mut Config)) -> Self {
        let (local, remote, marker) =
            if v6 { ("fd99::1", "fd99::2", "fd99::c8") } else { ("10.99.0.1", "10.99.0.2", "10.99.0.200") };
        let options = format!("remote {remote} {options}");
        let pair = Self::without_remote(v6, local, marker, &options, set);
        let to = pair.engine.remote(remote.parse().unwrap(), remote_mac(2));
        pair.engine.vtep.fdb().append(VNI, MacAddr::ZERO, to).unwrap();
        pair
    }

    /// The VTEP's is yet to be added.
    fn without_remote(
        v6: bool,
        local: &str,
        marker: &str,
        options: &str,
        set: impl FnOnce(&mut Config),
    ) -> Self {
        let options = format!("id 42 local {local} dstport {PORT} {options}");
        let kernel = Kernel::new(&options, v6, PORT, 0x0800_0000_0000_2a00);
        kernel.know_marker(marker, "");
        let mut config = Config::linux().local(local.parse().unwrap());
        config.dstport = PORT;
        config.address = MacAddr(OVERLAY_MAC);
        set(&mut config);
        let engine = Engine::new(config, UNDERLAY_MAC);
        let (first, last) = config.srcport;
        Self { kernel, engine, ports: first..=last }
    }

    #[track_caller]
    fn same(&mut self, frames: &[(String, Vec<u8>)]) {
        self.same_but(frames, &[]);
    }

    /// Every frame becomes the same packet, except those of these names.
    #[track_caller]
    fn same_but(&mut self, frames: &[(String, Vec<u8>)], other: &[&str]) {
        let meta = OverlayMeta::new(VNI);
        let mut wrong = Vec::new();
        for (name, frame) in frames {
            if let Some(problem) = self.differ(&meta, frame).err().xor(self.is_other(name, other)) {
                wrong.push(format!("{name}: {problem}"));
            }
        }
        assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), frames.len(), wrong.join("\n"));
        println!("{} frames, the same packets, but for {} as documented", frames.len(), other.len());
    }

    fn is_other(&self, name: &str, other: &[&str]) -> Option<String> {
        other.contains(&name).then(|| "is the same, although it is documented not to be".to_owned())
    }

    #[track_caller]
    fn differ(&mut self, meta: &OverlayMeta, frame: &[u8]) -> Result<(), String> {
        let theirs = self.kernel.send(frame).packets;
        let verdict = self.engine.send_with(meta, frame);
        let ours = match &verdict {
            Verdict::Sent(packets) => packets.iter().map(|(_, _, packet)| packet.clone()).collect(),
            _ => vec![],
        };
        let read = |packets: &[Vec<u8>]| -> Vec<_> {
            packets.iter().map(|packet| read(packet, &self.ports)).collect()
        };
        let (ours, theirs) = (read(&ours), read(&theirs));
        if ours == theirs {
            Ok(())
        } else {
            Err(format!("\n  kernel {theirs:02x?}\n  engine {ours:02x?} {verdict:?}"))
        }
    }
}

/// What must be the same of a packet: all of it but the source port, the identification and the checksums, which
/// must be right; whether there is one must be the same.
#[track_caller]
fn read(packet: &[u8], ports: &RangeInclusive<u16>) -> (Vec<u8>, bool) {
    let mut packet = packet.to_vec();
    let (udp, pseudo) = if packet[12] == 0x08 {
        assert_eq!(checksum(&[&packet[14..34]]), 0, "IPv4 checksum: {packet:02x?}");
        let pseudo = [&packet[26..34], &[0, 17], &packet[38..40]].concat();
        packet[18..20].fill(0);
        packet[24..26].fill(0);
        (34, pseudo)
    } else {
        (54, [&packet[22..54], &[0, 0], &packet[58..60], &[0, 0, 0, 17]].concat())
    };
    let has_checksum = packet[udp + 6..udp + 8] != [0, 0];
    if has_checksum {
        assert_eq!(checksum(&[&pseudo, &packet[udp..]]), 0, "UDP checksum: {packet:02x?}");
    }
    let port = u16::from_be_bytes([packet[udp], packet[udp + 1]]);
    assert!(ports.contains(&port), "source port {port}");
    packet[udp..udp + 2].fill(0);
    packet[udp + 6..udp + 8].fill(0);
    (packet, has_checksum)
}

/// Frames of many kinds, by name.
fn frames() -> Vec<(String, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut add = |name: String, frame: Vec<u8>| frames.push((name, frame));
    let (to, from) = (mac(2), mac(1));
    let v4 = Ip::new([10, 1, 0, 1], [10, 1, 0, 2], 1);
    let v6 = Ip::new([0xfd01, 0, 0, 0, 0, 0, 0, 1], [0xfd01, 0, 0, 0, 0, 0, 0, 2], 17);
    let ip_frame = |ip: &Ip| {
        let payload =
            if ip.protocol == 1 { icmp_echo(true, 7, b"payload") } else { ip.udp(1, 2, b"payload") };
        ethernet(to, from, ip.ethertype(), &ip.packet(&payload))
    };
    for ip in [v4, v6] {
        let family = if ip.source.is_ipv4() { "IPv4" } else { "IPv6" };
        for tos in [0, 1, 2, 3, 0x28, 0xb8, 0xb9, 0xba, 0xbb, 0xff] {
            add(format!("{family} with DS field {tos:02x}"), ip_frame(&Ip { tos, ..ip }));
        }
        for ttl in [0, 1, 33, 255] {
            add(format!("{family} with TTL {ttl}"), ip_frame(&Ip { ttl, ..ip }));
        }
    }
    add("IPv4 with DF".to_owned(), ip_frame(&Ip { df: true, ..v4 }));
    add("ARP".to_owned(), arp_request(from, [10, 1, 0, 1].into(), [10, 1, 0, 2].into()));
    add("broadcast".to_owned(), ethernet([0xff; 6], from, 0x88b6, b"who is there"));
    add("multicast".to_owned(), ethernet([1, 0, 0x5e, 0, 0, 5], from, 0x0800, &v4.packet(b"ospf")));
    add("IEEE 802.3 length".to_owned(), ethernet(to, from, 5, &[0x42, 0x42, 3, 0, 0]));
    for len in 0..20 {
        add(format!("IPv4 cut to {len}"), ethernet(to, from, 0x0800, &v4.packet(b"payload")[..len]));
    }
    for len in [0, 1, 20, 39, 40] {
        add(format!("IPv6 cut to {len}"), ethernet(to, from, 0x86dd, &v6.packet(b"payload")[..len]));
    }
    let tagged = |tags: &[u8], frame: &[u8]| [&frame[..12], tags, &frame[12..]].concat();
    for (name, tags) in
        [("VLAN 5", &[0x81, 0, 0, 5][..]), ("VLAN 5 in 9", &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5])]
    {
        for tos in [0xb8, 0xbb] {
            add(
                format!("{name}: IPv4 with DS field {tos:02x}"),
                tagged(tags, &ip_frame(&Ip { tos, ttl: 9, ..v4 })),
            );
            add(
                format!("{name}: IPv6 with DS field {tos:02x}"),
                tagged(tags, &ip_frame(&Ip { tos, ttl: 9, ..v6 })),
            );
        }
        add(format!("{name}: IPv4 with DF"), tagged(tags, &ip_frame(&Ip { df: true, ..v4 })));
        add(
            format!("{name}: IPv4 cut to 19"),
            tagged(tags, &ethernet(to, from, 0x0800, &v4.packet(b"")[..19])),
        );
    }
    // Sums of every remainder, and one that comes to zero somewhere.
    for len in 0..70 {
        let payload: Vec<u8> = (0..len).map(|i| (i * 37 + len * 11) as u8 | 0xc0).collect();
        add(format!("{len} bytes"), ethernet(to, from, 0x88b6, &payload));
    }
    add("the longest frame".to_owned(), ethernet(to, from, 0x88b6, &vec![0xa5; 1_430]));
    frames
}

#[test]
fn defaults_and_each_option_over_ipv4() {
    require!(Need::Root, Need::Device("vxlan"));
    let frames = frames();
    // DF is inherited through tags; Linux does not look behind them.
    let tagged = ["VLAN 5", "VLAN 5 in 9"].map(|tags| {
        ["IPv4 with DF", "IPv6 with DS field b8", "IPv6 with DS field bb"]
            .map(|name| format!("{tags}: {name}"))
    });
    let tagged: Vec<_> = tagged.iter().flatten().map(String::as_str).collect();
    Pair::new(false, "", |_| {}).same(&frames);
    Pair::new(false, "noudpcsum", |config| config.udpcsum = false).same(&frames);
    Pair::new(false, "ttl 9", |config| config.ttl = Ttl::Fixed(9)).same(&frames);
    Pair::new(false, "ttl inherit", |config| config.ttl = Ttl::Inherit).same(&frames);
    Pair::new(false, "tos 0xb8", |config| config.tos = Dscp::truncate(46).into()).same(&frames);
    Pair::new(false, "tos inherit", |config| config.tos = OuterDscp::Inherit).same(&frames);
    Pair::new(false, "df set", |config| {
        (config.df, config.too_big) = (DontFragment::Set, TooBig::Tell);
    })
    .same(&frames);
    Pair::new(false, "df inherit", |config| config.df = DontFragment::Inherit).same_but(&frames, &tagged);
    Pair::new(false, "srcport 50000 50010", |config| config.srcport = (50_000, 50_010)).same(&frames);
}

#[test]
fn defaults_and_each_option_over_ipv6() {
    require!(Need::Root, Need::Device("vxlan"));
    let frames = frames();
    Pair::new(true, "", |_| {}).same(&frames);
    Pair::new(true, "udp6zerocsumtx", |config| config.udp6zerocsumtx = true).same(&frames);
    Pair::new(true, "ttl inherit tos inherit", |config| {
        (config.ttl, config.tos) = (Ttl::Inherit, OuterDscp::Inherit);
    })
    .same(&frames);
    let label = OuterFlowLabel::Fixed(FlowLabel::truncate(0x1_2345));
    Pair::new(true, "flowlabel 0x12345", |config| config.label = label).same(&frames);
}

/// A group is a remote like others, with a TTL of 1 and a MAC address that nobody has to ask for.
#[test]
fn to_a_multicast_group() {
    require!(Need::Root, Need::Device("vxlan"));
    for (v6, local, group, marker) in
        [(false, "10.99.0.1", "239.1.1.1", "10.99.0.200"), (true, "fd99::1", "ff05::1:2", "fd99::c8")]
    {
        let options = format!("group {group} dev u");
        let mut pair = Pair::without_remote(v6, local, marker, &options, |_| {});
        let group = pair.engine.vtep.remote(group.parse().unwrap()).unwrap();
        pair.engine.vtep.fdb().append(VNI, MacAddr::ZERO, group).unwrap();
        pair.same(&frames());
    }
}

/// The mark of a packet is its policy: the group, D and A.
#[test]
fn group_based_policy() {
    require!(Need::Root, Need::Device("vxlan"));
    let mut pair = Pair::new(false, "gbp", |config| config.gbp = true);
    let frame = arp_request(mac(1), [10, 1, 0, 1].into(), [10, 1, 0, 2].into());
    for mark in [0, 1, 0x1234, 0xffff, 0x0008_0000, 0x0040_0000, 0x0048_abcd, 0xff00_0000_u32] {
        setsockopt(pair.kernel.overlay.socket(), sockopt::Mark, &mark).unwrap();
        let mut meta = OverlayMeta::new(VNI);
        meta.policy = (mark != 0).then_some(GroupPolicy {
            id: mark as u16,
            dont_learn: mark & 0x0040_0000 != 0,
            applied: mark & 0x0008_0000 != 0,
        });
        assert_eq!(pair.differ(&meta, &frame), Ok(()), "mark {mark:#x}");
    }
}

/// One flow has one source port, many flows have many, in both.
#[test]
fn source_ports_follow_flows() {
    require!(Need::Root, Need::Device("vxlan"));
    let mut pair = Pair::new(false, "srcport 50000 50064", |config| config.srcport = (50_000, 50_064));
    let port = |packet: &[u8]| u16::from_be_bytes([packet[34], packet[35]]);
    let mut ports = [std::collections::BTreeSet::new(), std::collections::BTreeSet::new()];
    for flow in 0..200_u16 {
        let ip = Ip::new([10, 1, 0, 1], [10, 1, 0, 2], 17);
        let frame = |payload: &[u8]| ethernet(mac(2), mac(1), 0x0800, &ip.packet(&ip.udp(flow, 53, payload)));
        let mut both = |frame: &[u8]| {
            let theirs = pair.kernel.send(frame).packets;
            let Verdict::Sent(ours) = pair.engine.send(VNI, frame) else { panic!("{flow}") };
            [port(&theirs[0]), port(&ours[0].2)]
        };
        let (short, long) = (both(&frame(b"a")), both(&frame(b"a longer payload")));
        assert_eq!(short, long, "flow {flow}");
        for (ports, port) in ports.iter_mut().zip(short) {
            assert!((50_000..=50_064).contains(&port));
            ports.insert(port);
        }
    }
    // 200 flows on 65 ports leave 3 of them empty on average.
    let [theirs, ours] = ports.map(|ports| ports.len());
    assert!(theirs > 50 && ours > 50, "{theirs} and {ours} ports");
}

/// 1,450 bytes of IP fit into an underlay of 1,500. One more does not: where Linux is not held to its device's MTU,
/// it drops the packet, or fragments it if it may; the library tells the sender where that is possible.
#[test]
fn the_longest_frame_fits_and_one_byte_more_does_not() {
    require!(Need::Root, Need::Device("vxlan"));
    let ip = Ip { df: true, ..Ip::new([10, 1, 0, 1], [10, 1, 0, 2], 17) };
    let frame =
        |len: usize| ethernet(mac(2), mac(1), 0x0800, &ip.packet(&ip.udp(1, 2, &vec![0x5a; len - 28])));
    for (options, df) in [("df set", DontFragment::Set), ("", DontFragment::Unset)] {
        let mut pair = Pair::new(false, options, |config| {
            config.df = df;
            if df == DontFragment::Set {
                config.too_big = TooBig::Tell;
            }
        });
        assert!(pair.kernel.namespace.ip("link show vx0").contains("mtu 1500"));
        assert_eq!(pair.differ(&OverlayMeta::new(VNI), &frame(1_450)), Ok(()));
        let fragments = pair.kernel.send(&frame(1_451)).packets.len();
        assert_eq!(fragments, if df == DontFragment::Set { 0 } else { 2 });
        // Fragmentation needed, and 1,450 bytes would fit.
        let Verdict::Reply(answer) = pair.engine.send(VNI, &frame(1_451)) else { panic!() };
        assert_eq!(
            (answer[..6].to_vec(), &answer[34..36], &answer[40..42]),
            (mac(1).to_vec(), &[3, 4][..], &[5, 0xaa][..])
        );
        // Of what goes to many nobody is told: with Linux it is for who sends it on to fragment.
        let multicast = [&[3_u8; 6][..], &frame(1_451)[6..]].concat();
        let fragments = pair.kernel.send(&multicast).packets;
        match (df, pair.engine.send(VNI, &multicast)) {
            (DontFragment::Set, verdict) => {
                assert_eq!((verdict, fragments.len()), (Verdict::Dropped(DropReason::TooBig), 0));
            }
            (_, Verdict::Sent(packets)) => {
                let theirs: Vec<u8> = fragments.iter().flat_map(|packet| packet[34..].to_vec()).collect();
                let ours = &packets[0].2[34..];
                // All but source port and checksum.
                let fields = |udp: &[u8]| [&udp[2..6], &udp[8..]].concat();
                assert_eq!((fragments.len(), fields(&theirs)), (2, fields(ours)));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
    let with_device =
        Kernel::new("id 42 local 10.99.0.1 dev u dstport 4789", false, PORT, 0x0800_0000_0000_2a00);
    assert!(with_device.namespace.ip("link show vx0").contains("mtu 1450"));
    let over_v6 = Kernel::new("id 42 local fd99::1 dev u dstport 4789", true, PORT, 0x0800_0000_0000_2a00);
    assert!(over_v6.namespace.ip("link show vx0").contains("mtu 1430"));
    let mut pair = Pair::new(true, "", |_| {});
    assert_eq!(pair.differ(&OverlayMeta::new(VNI), &frame(1_430)), Ok(()));
    assert!(matches!(pair.engine.send(VNI, &frame(1_431)), Verdict::Reply(_)));
}
