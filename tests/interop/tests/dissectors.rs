//! tshark reads what the library sends with random settings, and the library reads what scapy builds at random.
//!
//! The cases are the same every time; the environment variable `INTEROP_SEED` gives others.

use std::{
    collections::BTreeMap,
    env, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use encap::{
    tunnel::{
        DontFragment, EncapMeta, Encapsulation, Framing, Link, OuterDscp, OuterFlowLabel, Payload, Profile,
        Protocol, Ttl, UdpChecksum, geneve, gre, inspect, nvgre, vxlan,
    },
    wire::{
        Dscp, FlowLabel, MacAddr, Pcp, VlanId, Vni,
        checksum::State,
        erspan,
        geneve_option::{OptionClass, OptionType, Writer},
        gre::Key,
        vxlan_gbp::GroupPolicy,
    },
};
use interop::{
    Folder, Need, Running,
    bytes::{Ip, arp_request, ethernet, icmp_echo, mac},
    require,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::Value;

/// Packets that tshark gets, and that scapy makes.
const COUNT: usize = 600;

/// What all tunnels have in common.
#[derive(Clone, Debug)]
struct Outer {
    v6: bool,
    ttl: Option<u8>,
    dscp: u8,
    df: bool,
    label: u32,
    checksum: bool,
    ports: (u16, u16),
    vlan: Option<(u16, u8)>,
}

/// The tunnel, and what it is set to.
#[derive(Clone, Debug)]
enum Tunnel {
    Vxlan { vni: u32, policy: Option<(u16, bool, bool)>, port: u16 },
    Gpe { vni: u32, ethernet: bool },
    Geneve { vni: u32, ethernet: bool, options: Vec<(u16, u8, Vec<u8>)> },
    Gre { key: Option<u32>, checksum: bool, sequence: Option<u32>, ethernet: bool, udp: bool },
    Nvgre { vsid: u32 },
}

/// What is inside: its DS field and TTL, whether it is IPv6 or (in Ethernet) ARP, its length.
#[derive(Clone, Debug)]
struct Inner {
    kind: u8,
    tos: u8,
    ttl: u8,
    len: usize,
}

fn any_outer() -> impl Strategy<Value = Outer> {
    let ports = (1_024..60_000_u16, 0..5_000_u16).prop_map(|(first, more)| (first, first + more));
    let vlan = prop::option::of((1..4_095_u16, 0..8_u8));
    let ttl = prop::option::of(1..=255_u8);
    (any::<bool>(), ttl, 0..64_u8, any::<bool>(), 0..1_u32 << 20, any::<bool>(), ports, vlan).prop_map(
        |(v6, ttl, dscp, df, label, checksum, ports, vlan)| Outer {
            v6,
            ttl,
            dscp,
            df,
            label,
            checksum,
            ports,
            vlan,
        },
    )
}

fn any_tunnel() -> impl Strategy<Value = Tunnel> {
    let vni = || 0..1_u32 << 24;
    // Of types that mean something to nobody.
    let option = (0xff00..=0xffff_u16, any::<u8>(), prop::collection::vec(any::<u32>(), 0..4));
    let option = option.prop_map(|(class, kind, words)| {
        (class, kind, words.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<u8>>())
    });
    let options = prop::collection::vec(option, 0..3);
    let gre = (
        prop::option::of(any::<u32>()),
        any::<bool>(),
        prop::option::of(any::<u32>()),
        any::<bool>(),
        any::<bool>(),
    );
    prop_oneof![
        (vni(), prop::option::of(any::<(u16, bool, bool)>()), prop_oneof![Just(4_789), Just(8_472)])
            .prop_map(|(vni, policy, port)| Tunnel::Vxlan { vni, policy, port }),
        (vni(), any::<bool>()).prop_map(|(vni, ethernet)| Tunnel::Gpe { vni, ethernet }),
        (vni(), any::<bool>(), options).prop_map(|(vni, ethernet, options)| Tunnel::Geneve {
            vni,
            ethernet,
            options
        }),
        gre.prop_map(|(key, checksum, sequence, ethernet, udp)| Tunnel::Gre {
            key,
            checksum,
            sequence,
            ethernet,
            udp
        }),
        (0x1000..1_u32 << 24).prop_map(|vsid| Tunnel::Nvgre { vsid }),
    ]
}

fn any_inner() -> impl Strategy<Value = Inner> {
    (0..4_u8, any::<u8>(), any::<u8>(), 0..300_usize).prop_map(|(kind, tos, ttl, len)| Inner {
        kind,
        tos,
        ttl,
        len,
    })
}

impl Inner {
    /// The frame or packet, its DS field, and its IP version.
    fn build(&self, with_ethernet: bool) -> (Vec<u8>, u8) {
        // Nothing that looks like RTP or RTCP, for which tshark looks everywhere.
        let payload: Vec<u8> = (0..self.len).map(|i| (i * 31 + self.len) as u8 & 0x3f).collect();
        let Self { kind, tos, ttl, .. } = *self;
        let v4 = Ip { tos, ttl, ..Ip::new([10, 1, 0, 1], [10, 1, 0, 2], 17) };
        let (ethertype, packet, tos) = match kind {
            // Ports that nobody has a dissector for.
            0 => (0x0800, v4.packet(&v4.udp(50_001, 50_002, &payload)), tos),
            1 => (0x0800, Ip { protocol: 1, ..v4 }.packet(&icmp_echo(true, 7, &payload)), tos),
            2 if with_ethernet => {
                return (arp_request(mac(1), [10, 1, 0, 1].into(), [10, 1, 0, 2].into()), 0);
            }
            _ => {
                let v6 = Ip {
                    tos,
                    ttl,
                    ..Ip::new([0xfd01, 0, 0, 0, 0, 0, 0, 1], [0xfd01, 0, 0, 0, 0, 0, 0, 2], 17)
                };
                (0x86dd, v6.packet(&v6.udp(50_001, 50_002, &payload)), tos)
            }
        };
        (if with_ethernet { ethernet(mac(2), mac(1), ethertype, &packet) } else { packet }, tos)
    }
}

impl Outer {
    fn ends(&self) -> [IpAddr; 2] {
        if self.v6 {
            ["2001:db8::1", "2001:db8::2"].map(|address| address.parse::<Ipv6Addr>().unwrap().into())
        } else {
            [[192, 0, 2, 1], [192, 0, 2, 2]].map(|address| Ipv4Addr::from(address).into())
        }
    }

    /// The tunnel's packet of this inner one.
    fn send<P: Protocol>(
        &self,
        builder: encap::tunnel::Builder<P>,
        udp: impl FnOnce(encap::tunnel::Builder<P>) -> encap::tunnel::Builder<P>,
        remote: impl FnOnce(&encap::tunnel::Endpoint<P>) -> encap::tunnel::Remote,
        meta: &EncapMeta,
        inner: &[u8],
    ) -> Vec<u8> {
        let vlan = self.vlan.map(|(id, pcp)| (VlanId::truncate(id), Pcp::truncate(pcp)));
        let link = Link { source: MacAddr(mac(0x51)), next_hop: MacAddr(mac(0x52)), vlan };
        let mut builder = builder
            .framing(Framing::Ethernet(link))
            .ttl(self.ttl.map_or(Ttl::Auto, Ttl::Fixed))
            .dscp(OuterDscp::Fixed(Dscp::truncate(self.dscp)));
        builder = if self.v6 {
            builder.flow_label(OuterFlowLabel::Fixed(FlowLabel::truncate(self.label)))
        } else {
            builder.dont_fragment(if self.df { DontFragment::Set } else { DontFragment::Unset })
        };
        let endpoint = udp(builder).build().unwrap();
        let header = endpoint.header(inner, &remote(&endpoint), meta).unwrap();
        [&header[..], inner].concat()
    }
}

/// A packet, and what tshark must say of it: numbers by field. Of fields that occur again in the inner packet the first
/// counts.
struct Sample {
    packet: Vec<u8>,
    expected: BTreeMap<&'static str, Vec<u64>>,
    ports: Option<(u16, u16)>,
    about: String,
}

fn sample(outer: &Outer, tunnel: &Tunnel, inner: &Inner) -> Sample {
    let [local, remote] = outer.ends();
    let udp_checksum = if outer.checksum { UdpChecksum::Full } else { UdpChecksum::Zero };
    // Of a tunnel over UDP.
    macro_rules! over_udp {
        () => {
            |builder| builder.source_ports(outer.ports.0..=outer.ports.1).udp_checksum(udp_checksum)
        };
    }
    let mut expected: BTreeMap<&'static str, Vec<u64>> = BTreeMap::new();
    let mut expect = |name, value: u64| {
        expected.insert(name, vec![value]);
    };
    let meta = EncapMeta::new().identification(7);
    let (is_udp, with_ethernet, port) = match tunnel {
        Tunnel::Vxlan { port, .. } => (true, true, *port),
        Tunnel::Gpe { ethernet, .. } => (true, *ethernet, 4_790),
        Tunnel::Geneve { ethernet, .. } => (true, *ethernet, 6_081),
        Tunnel::Gre { ethernet, udp, .. } => (*udp, *ethernet, 4_754),
        Tunnel::Nvgre { .. } => (false, true, 0),
    };
    let (frame, tos) = inner.build(with_ethernet);
    let packet = match tunnel {
        Tunnel::Vxlan { vni, policy, port } => {
            let policy = policy.map(|(id, dont_learn, applied)| GroupPolicy { id, dont_learn, applied });
            expect("vxlan.vni", u64::from(*vni));
            expect("vxlan.flag_i", 1);
            if let Some(policy) = policy {
                expect("vxlan.gbp", policy.id.into());
                expect("vxlan.flag_d", policy.dont_learn.into());
                expect("vxlan.flag_a", policy.applied.into());
            } else {
                expect("vxlan.flags", 0x0800);
            }
            let mut meta = meta;
            meta.group_policy = policy;
            let builder = vxlan::Endpoint::new(local).group_policy(policy.is_some()).port(*port);
            let to = |it: &vxlan::Endpoint| it.remote(remote, Vni::truncate(*vni)).unwrap();
            outer.send(builder, over_udp!(), to, &meta, &frame)
        }
        Tunnel::Gpe { vni, ethernet } => {
            expect("vxlan.vni", u64::from(*vni));
            let next = if *ethernet { 3 } else { 1 + u64::from(frame[0] >> 4 == 6) };
            expect("vxlan.next_proto", next);
            let builder = vxlan::Endpoint::new(local).gpe(payload(*ethernet));
            let to = |it: &vxlan::Endpoint| it.remote(remote, Vni::truncate(*vni)).unwrap();
            outer.send(builder, over_udp!(), to, &meta, &frame)
        }
        Tunnel::Geneve { vni, ethernet, options } => {
            let mut bytes = [0; 252];
            let mut writer = Writer::new(&mut bytes);
            for (class, kind, data) in options {
                writer.push(OptionClass(*class), OptionType(*kind), data).unwrap();
            }
            expect("geneve.vni", u64::from(*vni));
            expect("geneve.version", 0);
            expect("geneve.flags.oam", 0);
            expect("geneve.flags.critical", options.iter().any(|(_, kind, _)| kind & 0x80 != 0).into());
            expect("geneve.proto_type", if *ethernet { 0x6558 } else { ethertype(&frame) });
            if !options.is_empty() {
                let of = |value: &dyn Fn(&(u16, u8, Vec<u8>)) -> u64| options.iter().map(value).collect();
                expected.insert("geneve.option.class", of(&|(class, _, _)| (*class).into()));
                expected.insert("geneve.option.type", of(&|(_, kind, _)| (*kind).into()));
                // First that of all.
                let lengths: Vec<u64> = of(&|(_, _, data)| 4 + data.len() as u64);
                expected.insert("geneve.option.length", [&[lengths.iter().sum()], &lengths[..]].concat());
            }
            let builder = geneve::Endpoint::new(local).payload(payload(*ethernet));
            let options = writer.as_bytes();
            let to =
                |it: &geneve::Endpoint| it.remote_with_options(remote, Vni::truncate(*vni), options).unwrap();
            outer.send(builder, over_udp!(), to, &meta, &frame)
        }
        Tunnel::Gre { key, checksum, sequence, ethernet, udp } => {
            expect("gre.proto", if *ethernet { 0x6558 } else { ethertype(&frame) });
            if let Some(key) = key {
                expect("gre.key", u64::from(*key));
            }
            if let Some(sequence) = sequence {
                expect("gre.sequence_number", u64::from(*sequence));
            }
            if *checksum {
                expect("gre.checksum.status", 1);
            }
            let bits = [(0x8000, *checksum), (0x2000, key.is_some()), (0x1000, sequence.is_some())];
            expect("gre.flags_and_version", bits.iter().map(|(bit, set)| bit * u64::from(*set)).sum());
            let mut meta = meta;
            meta.sequence = *sequence;
            // Two types, one way.
            macro_rules! gre {
                ($endpoint:ty, $udp:expr) => {{
                    let mut builder = <$endpoint>::new(local).payload(payload(*ethernet));
                    builder = builder.checksum(*checksum).sequence(sequence.is_some());
                    if let Some(key) = key {
                        builder = builder.key(Key(*key));
                    }
                    outer.send(builder, $udp, |it: &$endpoint| it.remote(remote).unwrap(), &meta, &frame)
                }};
            }
            if *udp { gre!(gre::UdpEndpoint, over_udp!()) } else { gre!(gre::Endpoint, |builder| builder) }
        }
        Tunnel::Nvgre { vsid } => {
            expect("gre.proto", 0x6558);
            expect("gre.flags_and_version", 0x2000);
            let meta = meta.hash(0xab00_0000);
            expect("gre.key", u64::from(*vsid) << 8 | 0xab);
            let to = |it: &nvgre::Endpoint| it.remote(remote, Vni::truncate(*vsid)).unwrap();
            outer.send(nvgre::Endpoint::new(local), |builder| builder, to, &meta, &frame)
        }
    };
    // By RFC 6040, normal mode.
    let ds_field = u64::from(outer.dscp << 2 | tos & 3);
    let ttl = outer.ttl.unwrap_or(64).into();
    let mut expect = |name, value: u64| {
        expected.insert(name, vec![value]);
    };
    if outer.v6 {
        expect("ipv6.hlim", ttl);
        expect("ipv6.tclass", ds_field);
        expect("ipv6.flow", outer.label.into());
    } else {
        expect("ip.ttl", ttl);
        expect("ip.dsfield", ds_field);
        expect("ip.flags.df", outer.df.into());
        expect("ip.id", if outer.df { 0 } else { 7 });
        expect("ip.checksum.status", 1);
    }
    if is_udp {
        expect("udp.dstport", port.into());
        // 3: there is none; 4: and there should be, over IPv6.
        let none = if outer.v6 { 4 } else { 3 };
        expect("udp.checksum.status", if outer.checksum { 1 } else { none });
    }
    if let Some((id, pcp)) = outer.vlan {
        expect("vlan.id", id.into());
        expect("vlan.priority", pcp.into());
    }
    let ports = is_udp.then_some(outer.ports);
    Sample { packet, expected, ports, about: format!("{outer:?} {tunnel:?} {inner:?}") }
}

fn payload(ethernet: bool) -> Payload {
    if ethernet { Payload::Ethernet } else { Payload::Ip }
}

fn ethertype(packet: &[u8]) -> u64 {
    if packet[0] >> 4 == 6 { 0x86dd } else { 0x0800 }
}

fn runner() -> TestRunner {
    let mut seed = [0x5e; 32];
    if let Ok(other) = env::var("INTEROP_SEED") {
        seed[..8].copy_from_slice(&other.parse::<u64>().unwrap().to_le_bytes());
    }
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// A pcap file of Ethernet frames.
fn pcap<'a>(packets: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0xffff, 1].map(u32::to_le_bytes).concat();
    for packet in packets {
        let len = packet.len() as u32;
        file.extend([0, 0, len, len].map(u32::to_le_bytes).concat());
        file.extend(packet);
    }
    file
}

#[test]
fn tshark_reads_what_we_send() {
    require!(Need::Program("tshark"));
    let mut runner = runner();
    let cases = (any_outer(), any_tunnel(), any_inner());
    let samples: Vec<Sample> = (0..COUNT)
        .map(|_| {
            let (outer, tunnel, inner) = cases.new_tree(&mut runner).unwrap().current();
            sample(&outer, &tunnel, &inner)
        })
        .collect();
    let folder = Folder::new("tshark");
    let file = folder.0.join("sent.pcap");
    fs::write(&file, pcap(samples.iter().map(|sample| &*sample.packet))).unwrap();
    let mut names: Vec<&str> = samples.iter().flat_map(|sample| sample.expected.keys().copied()).collect();
    names.sort_unstable();
    names.dedup();
    names.extend([
        "udp.srcport",
        "tcp.checksum.status",
        "icmp.checksum.status",
        "_ws.malformed",
        "_ws.expert.severity",
        "_ws.expert.message",
        "frame.protocols",
    ]);
    let options = "-n -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE -d udp.port==8472,vxlan -T fields -E occurrence=a -E aggregator=,";
    let fields = names.iter().flat_map(|name| ["-e", name]);
    let words = ["tshark", "-r", file.to_str().unwrap()].into_iter().chain(options.split(' ')).chain(fields);
    let output = Running::start(words).finish(std::time::Duration::from_secs(120)).ok();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), samples.len());
    let mut wrong = Vec::new();
    for (line, sample) in lines.iter().zip(&samples) {
        let values: BTreeMap<&str, Vec<&str>> =
            names.iter().copied().zip(line.split('\t').map(|value| value.split(',').collect())).collect();
        let numbers =
            |name: &str| -> Vec<u64> { values[name].iter().filter_map(|value| number(value)).collect() };
        let mut problems = Vec::new();
        for (name, expected) in &sample.expected {
            let found = numbers(name);
            if found.get(..expected.len()) != Some(expected) {
                problems.push(format!("{name}: {expected:?}, tshark {:?}", values[name]));
            }
        }
        // Those of the inner packet, too.
        for name in ["ip.checksum.status", "udp.checksum.status", "icmp.checksum.status"] {
            let outer = usize::from(sample.expected.contains_key(name));
            if values.contains_key(name) && numbers(name).iter().skip(outer).any(|status| *status != 1) {
                problems.push(format!("{name}: tshark {:?}", values[name]));
            }
        }
        if let (Some((first, last)), Some(&port)) = (sample.ports, numbers("udp.srcport").first()) {
            if !(u64::from(first)..=u64::from(last)).contains(&port) {
                problems.push(format!("source port {port}"));
            }
        }
        if values["_ws.malformed"] != [""] {
            problems.push(format!("malformed: {:?}", values["frame.protocols"]));
        }
        if !problems.is_empty() {
            let packet: String = sample.packet.iter().map(|byte| format!("{byte:02x}")).collect();
            wrong.push(format!("{}\n  {}\n  {packet}", sample.about, problems.join("; ")));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ\n{}",
        wrong.len(),
        samples.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
    println!("{} packets, {} fields: tshark says the same", samples.len(), names.len());
}

/// Decimal or, behind 0x, not.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Packets with random fields, one a line: hexadecimal, what is in the tunnel, and the fields.
const SCAPY: &str = r#"
import json, random, sys
from scapy.all import *
from scapy.contrib.geneve import GENEVE, GeneveOptions
load_contrib('erspan')
rng = random.Random(int(sys.argv[1]))
def outer(proto):
    v6 = rng.random() < 0.5
    f = dict(ttl=rng.randrange(1, 256), ds=rng.randrange(256))
    f['ds'] &= 0xfc
    if v6:
        return Ether(src='02:00:00:00:00:51', dst='02:00:00:00:00:52')/IPv6(src='2001:db8::1', dst='2001:db8::2', hlim=f['ttl'], tc=f['ds'], nh=proto), f
    return Ether(src='02:00:00:00:00:51', dst='02:00:00:00:00:52')/IP(src='192.0.2.1', dst='192.0.2.2', ttl=f['ttl'], tos=f['ds'], flags=rng.choice(['', 'DF']), id=rng.randrange(65536), proto=proto), f
def inner(ether):
    ip = rng.choice([IP(src='10.1.0.1', dst='10.1.0.2'), IPv6(src='fd01::1', dst='fd01::2')])
    p = ip/UDP(sport=50001, dport=50002)/Raw(bytes(rng.randrange(256) for _ in range(rng.randrange(200))))
    return Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02')/p if ether else p
for i in range(int(sys.argv[2])):
    kind = rng.choice(['vxlan', 'vxlan-gbp', 'vxlan-gpe', 'geneve', 'gre', 'gre-udp', 'erspan2', 'erspan3'])
    out, f = outer(47 if kind in ('gre', 'erspan2', 'erspan3') else 17)
    f['kind'] = kind
    sport = rng.randrange(49152, 65536)
    vni = rng.randrange(1 << 24)
    ether = True
    if kind == 'vxlan':
        p = out/UDP(sport=sport, dport=4789)/VXLAN(flags=8, vni=vni); f['vni'] = vni
    elif kind == 'vxlan-gbp':
        f['vni'] = vni; f['group'] = rng.randrange(65536)
        p = out/UDP(sport=sport, dport=4789)/VXLAN(flags=0x88, vni=vni, gpid=f['group'], gpflags=0)
    elif kind == 'vxlan-gpe':
        f['vni'] = vni
        p = out/UDP(sport=sport, dport=4790)/VXLAN(flags=0x0c, vni=vni, NextProtocol=3)
    elif kind == 'geneve':
        f['vni'] = vni
        f['options'] = [[rng.randrange(0xff00, 0x10000), rng.randrange(128), bytes(rng.randrange(256) for _ in range(4 * rng.randrange(4))).hex()] for _ in range(rng.randrange(4))]
        opts = [GeneveOptions(classid=c, type=t, length=len(d) // 8, data=bytes.fromhex(d)) for c, t, d in f['options']]
        p = out/UDP(sport=sport, dport=6081)/GENEVE(vni=vni, options=opts)
    elif kind in ('gre', 'gre-udp'):
        ether = rng.random() < 0.5
        g = GRE()
        if rng.random() < 0.5: g.key_present = 1; g.key = f['key'] = rng.randrange(1 << 32)
        if rng.random() < 0.5: g.seqnum_present = 1; g.sequence_number = f['seq'] = rng.randrange(1 << 32)
        if rng.random() < 0.5: g.chksum_present = 1; f['checksum'] = True
        p = out/UDP(sport=sport, dport=4754)/g if kind == 'gre-udp' else out/g
        if ether: g = p[GRE]; g.proto = 0x6558
    else:
        f['session'] = rng.randrange(1024); f['vlan'] = rng.randrange(4096)
        g = GRE(seqnum_present=1, sequence_number=i)
        if kind == 'erspan2':
            f['index'] = rng.randrange(1 << 20)
            p = out/g/ERSPAN_II(session_id=f['session'], vlan=f['vlan'], index=f['index'])
        else:
            f['sgt'] = rng.randrange(65536)
            p = out/g/ERSPAN_III(session_id=f['session'], vlan=f['vlan'], sgt_other=f['sgt'], o=0, p=1)
    inside = inner(ether)
    f['payload'] = bytes(inside).hex()
    f['hex'] = bytes(p/inside).hex()
    print(json.dumps(f))
"#;

#[test]
fn we_read_what_scapy_builds() {
    require!(Need::Python("scapy"));
    let folder = Folder::new("scapy");
    let script = folder.0.join("build.py");
    fs::write(&script, SCAPY).unwrap();
    let seed = env::var("INTEROP_SEED").unwrap_or("7348".to_owned());
    let words = ["python3", script.to_str().unwrap(), &seed, &COUNT.to_string()];
    let output = Running::start(words).finish(std::time::Duration::from_secs(120)).ok();
    let mut kinds = BTreeMap::<String, usize>::new();
    for line in output.lines() {
        let built: Value = serde_json::from_str(line).unwrap();
        let kind = built["kind"].as_str().unwrap();
        *kinds.entry(kind.to_owned()).or_default() += 1;
        let packet = hex(&built["hex"]);
        let seen = inspect(&packet, &Profile::ANALYSIS);
        let layers: Vec<_> = seen.layers().collect();
        let last = layers.last().unwrap_or_else(|| panic!("nothing seen: {line}"));
        assert!(seen.anomalies().is_empty(), "{:?}: {line}", seen.anomalies());
        // A guess by form: GRE's frames with nothing but a key.
        let is_nvgre = matches!(last.encapsulation, Encapsulation::Nvgre(_));
        assert_eq!(if is_nvgre { "gre" } else { last.name() }, kind, "{line}");
        assert_eq!(packet[last.payload.clone()], hex(&built["payload"]), "{line}");
        let facts = layers[0].outer;
        assert_eq!(
            (facts.ttl.into(), facts.ds_field.into()),
            (number_of(&built["ttl"]), number_of(&built["ds"])),
            "{line}"
        );
        let udp = !matches!(kind, "gre" | "erspan2" | "erspan3");
        assert_eq!(facts.udp_checksum, if udp { State::Good } else { State::Absent }, "{line}");
        let vni = last.encapsulation.vni().filter(|_| !is_nvgre).map(|vni| u64::from(vni.value()));
        assert_eq!(vni, built["vni"].as_u64(), "{line}");
        match last.encapsulation {
            Encapsulation::VxlanGbp(header) => {
                let policy = header.group_policy().unwrap();
                assert_eq!(u64::from(policy.id), number_of(&built["group"]), "{line}");
            }
            Encapsulation::Gre { header, checksum } => {
                assert_eq!(header.key.map(|key| key.0.into()), built["key"].as_u64(), "{line}");
                assert_eq!(header.sequence.map(u64::from), built["seq"].as_u64(), "{line}");
                let expected = if built["checksum"] == true { State::Good } else { State::Absent };
                assert_eq!(checksum, expected, "{line}");
            }
            Encapsulation::Nvgre(header) => {
                let key = header.vsid.value() << 8 | u32::from(header.flow_id);
                assert_eq!(u64::from(key), number_of(&built["key"]), "{line}");
            }
            Encapsulation::Geneve(_) => {
                let options: Vec<_> = last.geneve_options(&packet).map(|option| option.unwrap()).collect();
                let said = built["options"].as_array().unwrap();
                assert_eq!(options.len(), said.len(), "{line}");
                for (option, said) in options.iter().zip(said) {
                    let (class, kind) = (number_of(&said[0]), number_of(&said[1]));
                    let found = (u64::from(option.class.0), u64::from(option.kind.0), option.data.to_vec());
                    assert_eq!(found, (class, kind, hex(&said[2])), "{line}");
                }
            }
            Encapsulation::Erspan(header) => {
                let found = (header.session.value().into(), header.vlan.value().into());
                assert_eq!(found, (number_of(&built["session"]), number_of(&built["vlan"])), "{line}");
                match header.kind {
                    erspan::Kind::II { index } => {
                        assert_eq!(Some(index.value().into()), built["index"].as_u64())
                    }
                    erspan::Kind::III { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            _ => {}
        }
    }
    assert_eq!(kinds.values().sum::<usize>(), COUNT);
    assert!(kinds.len() == 8 && kinds.values().all(|count| *count > COUNT / 20), "{kinds:?}");
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[track_caller]
fn number_of(value: &Value) -> u64 {
    value.as_u64().unwrap()
}
