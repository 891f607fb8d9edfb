//! Linux's vxlan device with the Generic Protocol Extension, and with a VNI filter, against the library.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use encap::{
    Packet,
    tunnel::{EncapMeta, Framing, Link, Payload, Policy, vxlan},
    vtep::Config,
    wire::{EtherType, MacAddr, Vni},
};
use interop::{
    Namespace, Need, Offload, Tap, Wire,
    bytes::{self, Ip, ethernet, mac},
    engine::{Engine, Verdict},
    kernel::{Kernel, OVERLAY_MAC, UNDERLAY_MAC, packet, remote_mac, text},
    require, veth,
};

/// A kernel with a GPE device, which carries IP without Ethernet, and has no addresses in the tunnel but what routes
/// say.
struct Gpe {
    namespace: Namespace,
    underlay: Tap,
    overlay: Tap,
    tunnel: vxlan::Endpoint,
    _far: Namespace,
}

const INNER: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 168, 77, 1), Ipv4Addr::new(192, 168, 77, 2)];

impl Gpe {
    fn new() -> Self {
        let (namespace, far) = (Namespace::new("kernel"), Namespace::new("wire"));
        far.without_ipv6();
        veth((&namespace, "u"), (&far, "t"), Offload::None);
        namespace.sysctl("net/ipv6/conf/default/disable_ipv6", "1");
        let (ours, theirs) = (text(remote_mac(2)), text(UNDERLAY_MAC));
        namespace.ip(&format!("link set dev u address {theirs}"));
        namespace.ip("addr add 10.99.0.1/24 dev u");
        namespace.ip(&format!("neigh replace 10.99.0.2 lladdr {ours} dev u nud permanent"));
        namespace.ip("link add vx0 type vxlan gpe external dstport 4790 local 10.99.0.1");
        namespace.ip("link set dev vx0 up");
        namespace.ip(&format!("addr add {}/32 dev vx0", INNER[0]));
        namespace.ip(&format!("route add {}/32 encap ip id 100 dst 10.99.0.2 dev vx0", INNER[1]));
        let link = Link { source: MacAddr(remote_mac(2)), next_hop: MacAddr(UNDERLAY_MAC), vlan: None };
        let policy = Policy::LINUX;
        let builder = vxlan::Endpoint::new([10, 99, 0, 2].into()).gpe(Payload::Ip).policy(policy);
        let tunnel = builder.framing(Framing::Ethernet(link)).build().unwrap();
        let (underlay, overlay) = (Tap::open(&far, "t"), Tap::open(&namespace, "vx0"));
        Self { namespace, underlay, overlay, tunnel, _far: far }
    }

    /// What the kernel delivers of this packet: what comes before a marker that is sent behind it.
    fn receive(&self, packet: &[u8]) -> Vec<Vec<u8>> {
        let mark = Ip::new([192, 168, 77, 9], [192, 168, 77, 10], 253).packet(b"the end");
        self.underlay.send(packet);
        self.underlay.send(&gpe(0x0c00_0001_0000_6400, &mark));
        let mut packets = Vec::new();
        let end = self.overlay.until(Duration::from_secs(5), |packet| {
            if packet == mark {
                return Some(());
            }
            packets.push(packet.to_vec());
            None
        });
        assert!(end.is_some(), "the device does not take the marker");
        packets
    }
}

/// A packet from 10.99.0.2 to the kernel.
fn gpe(header: u64, payload: &[u8]) -> Vec<u8> {
    packet(false, 2, 4790, &bytes::vxlan(header, payload))
}

#[test]
fn gpe_packets_get_the_same_verdict() {
    require!(Need::Root, Need::Device("vxlan"));
    let kernel = Gpe::new();
    // The library in the kernel's place.
    let builder = vxlan::Endpoint::new([10, 99, 0, 1].into()).gpe(Payload::Ip).policy(Policy::LINUX);
    let link = Link { source: MacAddr(UNDERLAY_MAC), next_hop: MacAddr(remote_mac(2)), vlan: None };
    let ours = builder.framing(Framing::Ethernet(link)).build().unwrap();
    let v4 = Ip::new(INNER[1], [192, 168, 77, 3], 253).packet(b"inner packet");
    let v6 =
        Ip::new([0xfd01, 0, 0, 0, 0, 0, 0, 2], [0xfd01, 0, 0, 0, 0, 0, 0, 1], 253).packet(b"inner packet");
    let good = 0x0c00_0001_0000_6400;
    let mut cases = vec![("IPv6", 0x0c00_0002_0000_6400, v6.clone())];
    cases.extend((0..64).map(|bit| ("a bit turned", good ^ 1 << bit, v4.clone())));
    // Ethernet, NSH and MPLS among them.
    cases.extend((0..=255).map(|next| ("next protocol", 0x0c00_0000_0000_6400 | next << 32, v4.clone())));
    cases.extend((0..v4.len()).map(|len| ("IPv4 cut off", good, v4[..len].to_vec())));
    cases.extend((0..v6.len()).map(|len| ("IPv6 cut off", 0x0c00_0002_0000_6400, v6[..len].to_vec())));
    cases.push(("IPv6 as IPv4", good, v6));
    let mut wrong = Vec::new();
    for (name, header, payload) in &cases {
        let packet = gpe(*header, payload);
        let theirs = kernel.receive(&packet);
        let mut buffer = packet.clone();
        let len = buffer.len();
        let mut packet = Packet::new(&mut buffer, 0, len).unwrap();
        let verdict = ours.decap(&mut packet);
        let delivered: Vec<_> = verdict.iter().map(|_| packet.as_slice().to_vec()).collect();
        if delivered != theirs {
            wrong
                .push(format!("{name} {header:016x} {payload:02x?}: kernel {theirs:02x?}, ours {verdict:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn gpe_goes_there_and_back() {
    require!(Need::Root, Need::Device("vxlan"));
    let kernel = Gpe::new();
    let socket = kernel.namespace.enter(|| UdpSocket::bind((INNER[0], 7_000)).unwrap());
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(b"there", (INNER[1], 7_001)).unwrap();
    let inner = kernel.underlay.until(Duration::from_secs(5), |packet| {
        let mut buffer = packet.to_vec();
        let mut packet = Packet::new(&mut buffer, 0, packet.len()).unwrap();
        let inner = kernel.tunnel.decap(&mut packet).ok()?;
        assert_eq!((inner.encapsulation.vni(), inner.protocol), (Vni::new(100), EtherType::IPV4));
        Some(packet.as_slice().to_vec())
    });
    let inner = inner.expect("the kernel sends a packet");
    assert_eq!((&inner[12..20], &inner[28..]), (&[192, 168, 77, 1, 192, 168, 77, 2][..], &b"there"[..]));
    let ip = Ip::new(INNER[1], INNER[0], 17);
    let answer = ip.packet(&ip.udp(7_001, 7_000, b"and back"));
    let remote = kernel.tunnel.remote([10, 99, 0, 1].into(), Vni::truncate(100)).unwrap();
    let header = kernel.tunnel.header(&answer, &remote, &EncapMeta::new()).unwrap();
    kernel.underlay.send(&[&header[..], &answer].concat());
    let mut buffer = [0; 64];
    let (len, from) = socket.recv_from(&mut buffer).expect("the kernel takes the answer");
    assert_eq!((&buffer[..len], from.port()), (&b"and back"[..], 7_001));
}

#[test]
fn a_vni_filter_takes_what_the_tables_know() {
    require!(Need::Root, Need::Program("bridge"), Need::Device("vxlan"));
    let kernel =
        Kernel::new("external vnifilter dstport 4789 local 10.99.0.1", false, 4789, 0x0800_0000_0003_f200);
    kernel.namespace.bridge("vni add vni 1010-1012 dev vx0");
    kernel.namespace.bridge("vni add vni 77 dev vx0");
    let mut config = Config::linux().local([10, 99, 0, 1].into());
    config.dstport = 4789;
    config.address = MacAddr(OVERLAY_MAC);
    let mut engine = Engine::new(config, UNDERLAY_MAC);
    for vni in [77, 1010, 1011, 1012] {
        engine.vtep.fdb().add_vni(Vni::truncate(vni)).unwrap();
    }
    let mut taken = BTreeSet::new();
    let mut compare = |engine: &mut Engine, vnis: &[u32]| {
        for &vni in vnis {
            let frame = ethernet(OVERLAY_MAC, mac(9), 0x88b6, &vni.to_be_bytes());
            let packet = packet(false, 2, 4789, &bytes::vxlan(8 << 56 | u64::from(vni) << 8, &frame));
            let theirs = !kernel.receive(&packet).is_empty();
            assert_eq!(matches!(engine.receive(&packet), Verdict::Delivered(_)), theirs, "VNI {vni}");
            if theirs {
                taken.insert(vni)
            } else {
                taken.remove(&vni)
            };
        }
    };
    let vnis = [0, 1, 76, 77, 78, 1009, 1010, 1011, 1012, 1013, 0xff_ffff];
    compare(&mut engine, &vnis);
    kernel.namespace.bridge("vni delete vni 1011 dev vx0");
    engine.vtep.fdb().remove_vni(Vni::truncate(1011)).unwrap();
    compare(&mut engine, &vnis);
    assert_eq!(taken, BTreeSet::from([77, 1010, 1012]));
}
