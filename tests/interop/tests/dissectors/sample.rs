//! A packet of random settings, and what is to be said of it.

use std::collections::BTreeMap;

use encap::{
    tunnel::{EncapMeta, Payload, UdpChecksum, geneve, gre, nvgre, vxlan},
    wire::{
        Vni,
        geneve_option::{OptionClass, OptionType, Writer},
        gre::Key,
        vxlan_gbp::GroupPolicy,
    },
};

use crate::settings::{Inner, Outer, Tunnel};

/// A packet, and what tshark must say of it: numbers by field. Of fields that occur again in the inner packet the first
/// counts.
pub(crate) struct Sample {
    pub(crate) packet: Vec<u8>,
    pub(crate) expected: BTreeMap<&'static str, Vec<u64>>,
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) about: String,
}

pub(crate) fn sample(outer: &Outer, tunnel: &Tunnel, inner: &Inner) -> Sample {
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
