//! Open vSwitch, its data plane in user space, at the other end: neither Linux nor anybody of this project made the
//! packets.

use std::{net::Ipv4Addr, time::Duration};

use encap::{
    Packet,
    tunnel::{EncapMeta, Encapsulation, Inner, Payload, Profile, geneve, gre::Tunnel, inspect, nvgre, vxlan},
    wire::{
        Vni, erspan,
        geneve_option::{OptionClass, OptionType, Writer},
        gre::Key,
    },
};
use interop::{
    Need, Tap, Wire,
    bytes::{arp_answer, mac},
    line::{Host, Line, of_endpoint, of_tunnel},
    ovs::{self, Ovs},
    ping, require, tcp,
};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

/// Ping and TCP between a host on our side and bridge `net` of the switch.
#[track_caller]
fn talk(ovs: &Ovs, net: u8, mtu: usize, line: Line) {
    let ethernet = line.ethernet;
    let (ours, theirs) = (format!("192.168.{net}.1"), format!("192.168.{net}.2"));
    let host = Host::start(&[&format!("{ours}/24")], mtu, Tap::open(&ovs.far, "w"), line);
    if !ethernet {
        host.gateway(&theirs);
    }
    // The first is lost where the switch has yet to ask where we are.
    ping(&host.namespace, &theirs, 1);
    ping(&host.namespace, &theirs, 3).all();
    ping(&host.namespace, &format!("-M do -s {} {theirs}", mtu - 28), 2).all();
    ping(&ovs.namespace, &ours, 3).all();
    ping(&ovs.namespace, &format!("-M do -s {} {ours}", mtu - 28), 2).all();
    let limit = Duration::from_secs(20);
    for (from, to, address) in
        [(&host.namespace, &ovs.namespace, &theirs), (&ovs.namespace, &host.namespace, &ours)]
    {
        tcp::transfer(from, to, address.parse().unwrap(), 500_000, limit).unwrap();
    }
}

#[test]
fn vxlan_and_its_generic_protocol_extension() {
    require!(Need::Root, Need::Program(ovs::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    let ovs = Ovs::start();
    let vni = Vni::truncate(60);
    let own = |inner: &Inner, _: &Packet<'_>| inner.encapsulation.vni() == Vni::new(60);
    let builder = || vxlan::Endpoint::new(OURS.into()).mtu(1_500);
    for (net, options) in
        [(60, "options:key=60 options:csum=true"), (61, "options:key=60 options:csum=false")]
    {
        ovs.bridge(net, "vxlan", options, 1_450);
        let ours = builder().build().unwrap();
        let remote = ours.remote(THEIRS.into(), vni).unwrap();
        talk(
            &ovs,
            net,
            ours.inner_mtu(1_500).unwrap(),
            of_endpoint(true, ours, remote, EncapMeta::new(), own),
        );
        ovs.vsctl(&format!("del-br b{net}"));
    }
    ovs.bridge(63, "vxlan", "options:key=60 options:exts=gpe options:dst_port=4790", 1_450);
    let ours = builder().gpe(Payload::Ethernet).build().unwrap();
    let remote = ours.remote(THEIRS.into(), vni).unwrap();
    talk(&ovs, 63, ours.inner_mtu(1_500).unwrap(), of_endpoint(true, ours, remote, EncapMeta::new(), own));
    ovs.vsctl("del-br b63");

    ovs.bridge(64, "vxlan", "options:key=60 options:remote_ip=fd99::1 options:local_ip=fd99::2", 1_430);
    let ours = vxlan::Endpoint::new("fd99::1".parse().unwrap()).mtu(1_500).build().unwrap();
    let remote = ours.remote("fd99::2".parse().unwrap(), vni).unwrap();
    talk(&ovs, 64, ours.inner_mtu(1_500).unwrap(), of_endpoint(true, ours, remote, EncapMeta::new(), own));
}

#[test]
fn geneve_with_options_that_openflow_sets_and_matches() {
    require!(Need::Root, Need::Program(ovs::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    let ovs = Ovs::start();
    // Options of ours and of theirs: 8 and 12 bytes.
    ovs.bridge(65, "geneve", "options:key=65 options:csum=true", 1_430);
    let map = "{class=0x102,type=0x80,len=4}->tun_metadata0,{class=0x102,type=0x1,len=8}->tun_metadata1";
    ovs.ofctl("add-tlv-map", "b65", map);
    ovs.ofctl("del-flows", "b65", "");
    let set = "set_field:0xdeadbeef->tun_metadata0,set_field:0x1122334455667788->tun_metadata1";
    ovs.ofctl("add-flow", "b65", &format!("in_port=LOCAL,actions={set},output:1"));
    let matched = "tun_metadata0=0xcafebabe,tun_metadata1=0x8877665544332211";
    ovs.ofctl("add-flow", "b65", &format!("in_port=1,{matched},actions=LOCAL"));

    let (class, critical, other) = (OptionClass(0x0102), OptionType(0x80), OptionType(1));
    let ours = geneve::Endpoint::new(OURS.into()).knows(class, critical).mtu(1_500).build().unwrap();
    let mut bytes = [0; 32];
    let mut writer = Writer::new(&mut bytes);
    writer.push(class, critical, &0xcafe_babe_u32.to_be_bytes()).unwrap();
    writer.push(class, other, &0x8877_6655_4433_2211_u64.to_be_bytes()).unwrap();
    let remote = ours.remote_with_options(THEIRS.into(), Vni::truncate(65), writer.as_bytes()).unwrap();
    let taken = move |inner: &Inner, packet: &Packet<'_>| {
        let options: Vec<_> = inner.geneve_options(packet).map(|option| option.unwrap()).collect();
        let [first, second] = &options[..] else { return false };
        (first.class, first.kind, first.data) == (class, critical, &[0xde, 0xad, 0xbe, 0xef][..])
            && (second.class, second.kind, second.data)
                == (class, other, &[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88][..])
            && inner.encapsulation.vni() == Vni::new(65)
    };
    talk(&ovs, 65, 1_430, of_endpoint(true, ours, remote, EncapMeta::new(), taken));
    ovs.vsctl("del-br b65");

    ovs.bridge(
        66,
        "geneve",
        "options:key=66 options:remote_ip=fd99::1 options:local_ip=fd99::2 options:csum=true",
        1_430,
    );
    let ours = geneve::Endpoint::new("fd99::1".parse().unwrap()).mtu(1_500).build().unwrap();
    let remote = ours.remote("fd99::2".parse().unwrap(), Vni::truncate(66)).unwrap();
    let own = |inner: &Inner, _: &Packet<'_>| inner.encapsulation.vni() == Vni::new(66);
    talk(&ovs, 66, ours.inner_mtu(1_500).unwrap(), of_endpoint(true, ours, remote, EncapMeta::new(), own));
}

#[test]
fn gre_with_keys() {
    require!(Need::Root, Need::Program(ovs::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    let ovs = Ovs::start();
    let tunnel = || Tunnel::new(OURS.into(), THEIRS.into()).payload(Payload::Ethernet).mtu(1_500);
    ovs.bridge(70, "gre", "options:key=0x70", 1_458);
    let ours = tunnel().key(Key(0x70)).build().unwrap();
    talk(&ovs, 70, ours.mtu(), of_tunnel(true, ours));
    ovs.bridge(71, "gre", "options:in_key=0x71 options:out_key=0x171 options:csum=true", 1_454);
    let ours = tunnel().ikey(Key(0x171)).okey(Key(0x71)).csum(true).build().unwrap();
    talk(&ovs, 71, ours.mtu(), of_tunnel(true, ours));
    ovs.bridge(72, "gre", "options:key=0x72 options:seq=true", 1_454);
    let ours = tunnel().key(Key(0x72)).seq(true).build().unwrap();
    talk(&ovs, 72, ours.mtu(), of_tunnel(true, ours));
    // NVGRE is a key whose last byte is any; the switch takes the whole key.
    ovs.bridge(73, "gre", &format!("options:key={}", 0xab_cd00), 1_458);
    let ours = nvgre::Endpoint::new(OURS.into()).mtu(1_500).build().unwrap();
    let remote = ours.remote(THEIRS.into(), Vni::truncate(0xabcd)).unwrap();
    let own = |inner: &Inner, _: &Packet<'_>| inner.encapsulation.vni() == Vni::new(0xabcd);
    talk(
        &ovs,
        73,
        ours.inner_mtu(1_500).unwrap(),
        of_endpoint(true, ours, remote, EncapMeta::new().hash(0), own),
    );
}

/// Mirrored frames, which the library reads and does not write.
#[test]
fn erspan_is_read() {
    require!(Need::Root, Need::Program(ovs::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    let ovs = Ovs::start();
    ovs.bridge(80, "erspan", "options:key=1 options:erspan_ver=1 options:erspan_idx=7", 1_400);
    ovs.bridge(
        81,
        "erspan",
        "options:key=2 options:erspan_ver=2 options:erspan_dir=1 options:erspan_hwid=4",
        1_400,
    );
    let tap = Tap::open(&ovs.far, "w");
    for (net, session) in [(80, 1), (81, 2)] {
        let _ping = ovs.namespace.spawn(["ping", "-n", "-i", "0.2", "-c", "20", &format!("192.168.{net}.1")]);
        let header = tap.until(Duration::from_secs(10), |frame| {
            if let Some(answer) = arp_answer(frame, OURS, mac(1)) {
                tap.send(&answer);
            }
            let seen = inspect(frame, &Profile::ANALYSIS);
            seen.layers().find_map(|layer| match layer.encapsulation {
                Encapsulation::Erspan(header) if header.session.value() == session => Some(header),
                _ => None,
            })
        });
        match header.expect("the switch mirrors a frame").kind {
            erspan::Kind::II { index } => assert_eq!((net, index.value()), (80, 7)),
            erspan::Kind::III { hardware_id, egress, .. } => {
                assert_eq!((net, hardware_id.value(), egress), (81, 4, true))
            }
            other => panic!("{other:?}"),
        }
    }
}
