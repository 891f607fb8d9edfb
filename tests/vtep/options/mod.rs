//! The options of `ip link add … type vxlan`: what each does here, with the kernel's defaults and with ours.
//!
//! Those that have files of their own are there: proxies in `arp` and `nd`, the short circuit in `short_circuit`,
//! reserved bits in `receive`.

mod outer;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use encap::{
    table::{Ageing, Destination, Error, Lookup, Remote, Resource},
    tunnel::{self, Framing, Link},
    vtep::{Config, DropReason, Miss, Output, OverlayMeta, Proxy},
    wire::{MacAddr, Vni, vxlan},
};

use crate::{
    common::*,
    frames::*,
    receive::{FRAME, both, node, outer, over_ipv6, where_is},
};

/// A frame to somebody unknown.
fn unknown() -> Vec<u8> {
    datagram(mac(9), mac(1), 10)
}

/// The packet that an unknown host's frame becomes on its way to VTEP 2.
fn sent(config: Config, frame: &[u8]) -> Vec<u8> {
    Node::new(1, config).peers(&[2]).sends(frame, 2)
}

#[test]
fn a2_1_id_can_be_any_of_24_bits() {
    assert_eq!(Vni::new(1 << 24), None);
    for config in both() {
        for id in [0, 1, (1 << 24) - 1] {
            let (mut node, vni) = (node(config), Vni::new(id).unwrap());
            let remote = node.vtep.remote(address(1)).unwrap();
            node.vtep.fdb().append(vni, MacAddr::ZERO, remote).unwrap();
            let (_, packet) = node.send_with(NOW, &OverlayMeta::new(vni), &unknown());
            assert_eq!(vxlan::Header::parse(&packet[28..]).unwrap().0.vni(), Some(vni));
            let received = outer(&node, &FRAME).vni(vni).bytes();
            assert!(
                matches!(node.receive(NOW, &received).0, Output::Deliver { vni: found, .. } if found == vni)
            );
        }
    }
}

#[test]
fn a2_2_remote_is_the_default_destination() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2]);
        node.sends(&unknown(), 2);
        node.sends(&datagram(MacAddr::BROADCAST, mac(1), 10), 2);
        // Another one on a live device: the first is replaced, others stay.
        let [old, new] = [2, 3].map(|last| node.vtep.remote(address(last)).unwrap());
        node.vtep.fdb().append(VNI, MacAddr::ZERO, new).unwrap();
        node.vtep.fdb().delete_destination(NOW, VNI, MacAddr::ZERO, old).unwrap();
        node.sends(&unknown(), 3);
    }
}

/// RFC 7348, section 4.2: one packet to all who joined the group, with a TTL of 1 unless told otherwise.
#[test]
fn a2_2_a2_16_group_is_a_remote_too() {
    let link = |next_hop| Framing::Ethernet(Link { source: mac(0xaa), next_hop, vlan: None });
    let groups: [(IpAddr, [u8; 6]); 2] = [
        (Ipv4Addr::new(239, 129, 2, 3).into(), [0x01, 0x00, 0x5e, 0x01, 2, 3]),
        (Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0x0102, 0x0304).into(), [0x33, 0x33, 1, 2, 3, 4]),
    ];
    for config in both() {
        for (group, mac_of_group) in groups {
            let gateway = |c: &mut Config| (c.gateway, c.prefix) = (Some([192, 0, 2, 254].into()), 24);
            for framing in [Framing::Ip, link(MacAddr::ZERO), link(mac(0xbb))] {
                let config = with(config, |c| {
                    c.framing = framing;
                    // Beside one next hop for all there is none.
                    if framing != link(mac(0xbb)) {
                        gateway(c);
                    }
                });
                let mut node = Node::new(1, config.local(v6(1).into()));
                let remote = node.vtep.add_remote(&Remote::new(group, config.dstport).egress(3)).unwrap();
                node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
                let (output, packet) = node.send(NOW, &unknown());
                let port = config.dstport;
                let Output::Send { remote: to, address, port: at, egress, outer, gso: None, .. } = output
                else {
                    panic!("{output:?}");
                };
                assert_eq!((to, address, at, egress), (remote, group, port, 3));
                assert_eq!(usize::from(outer) + unknown().len(), packet.len());
                let ip = match framing {
                    Framing::Ip => &packet[..],
                    _ => {
                        assert_eq!(packet[..6], mac_of_group);
                        &packet[14..]
                    }
                };
                let ttl = if group.is_ipv4() { read_ipv4(ip).0.ttl } else { ip[7] };
                assert_eq!(ttl, 1);
            }
        }
    }
    // What goes to a group is taken from it, and our own packets that come back are not.
    let mut node = node(Config::new());
    let packet = Outer { destination: [239, 129, 2, 3].into(), ..outer(&node, &FRAME) };
    assert_eq!(node.delivers(&packet.bytes()), FRAME);
    let own = Outer { source: address(2), ..packet }.bytes();
    node.refuses(&own, tunnel::DropReason::MartianSource);
}

#[test]
fn a2_3_dev_is_the_egress_of_a_remote_and_its_mtu_too() {
    for config in both() {
        let mut node = Node::new(1, with(config, |c| (c.too_big, c.df) = (Config::new().too_big, c.df)));
        let remote = Remote::new(address(2), config.dstport).egress(7).mtu(1_000);
        let remote = node.vtep.add_remote(&remote).unwrap();
        node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
        assert!(matches!(node.send(NOW, &unknown()).0, Output::Send { egress: 7, .. }));
        assert!(matches!(node.send(NOW, &sized(mac(9), mac(1), 1_000 - 36, true)).0, Output::Send { .. }));
        assert_eq!(node.send(NOW, &sized(mac(9), mac(1), 1_000 - 35, true)).0, Output::Reply);
    }
}

#[test]
fn a2_7_learning_is_on_and_can_be_off() {
    for config in both() {
        for learning in [true, false] {
            assert!(config.learning);
            let mut node = node(with(config, |c| c.learning = learning));
            node.delivers(&outer(&node, &FRAME).bytes());
            assert_eq!(where_is(&node, mac(1)), learning.then_some(address(1)));
        }
    }
}

/// The kernel makes 300 s of 0 and of `none`; here `Never` is for ever, and 0 is refused (see `config`).
#[test]
fn a2_8_ageing_counts_and_can_be_off() {
    let day = Duration::from_secs(86_400);
    for config in both() {
        assert_eq!(config.tables.ageing, Ageing::After(Duration::from_secs(300)));
        for (ageing, stays, goes) in [
            (config.tables.ageing, Duration::from_secs(299), Some(Duration::from_secs(302))),
            (
                Ageing::After(Duration::from_secs(1)),
                Duration::from_millis(990),
                Some(Duration::from_millis(1_010)),
            ),
            (Ageing::Never, 3_650 * day, None),
        ] {
            let mut node = node(with(config, |c| c.tables.ageing = ageing));
            node.delivers(&outer(&node, &FRAME).bytes());
            let found = |after| node.vtep.fdb().lookup(NOW.saturating_add(after), VNI, mac(1));
            assert!(matches!(found(stays), Lookup::Found(Destination::Remote(_))), "{ageing:?}");
            assert!(goes.is_none_or(|goes| found(goes) == Lookup::Unknown), "{ageing:?}");
        }
    }
}

#[test]
fn a2_9_maxaddress_counts_entries_and_not_remotes() {
    for config in both() {
        assert_eq!(config.tables.vni_limit, u32::MAX);
        let mut node = node(with(config, |c| c.tables.vni_limit = 3));
        // The default entry is one of them, its remotes are not.
        for last in [3, 4, 5] {
            node.vtep.fdb().append(VNI, MacAddr::ZERO, node.vtep.remote(address(last)).unwrap()).unwrap();
        }
        for host in 1..=4 {
            node.delivers(&outer(&node, &frame(mac(2), mac(host), 0x88b5, &[])).bytes());
        }
        assert_eq!(node.vtep.fdb().count_vni(VNI), (1, 2));
        let full = node.vtep.fdb().add(VNI, mac(7), Destination::Blackhole);
        assert_eq!(full, Err(Error::Full { what: Resource::EntriesOfVni, limit: 3 }));
        // What is there can be changed.
        node.vtep.fdb().replace(VNI, mac(1), Destination::Blackhole).unwrap();
    }
}

#[test]
fn a2_11_proxy_is_off_and_of_two_kinds() {
    let question = arp(MacAddr::BROADCAST, 1, (mac(1), [10, 1, 0, 1]), [10, 1, 0, 2]);
    for config in both() {
        assert_eq!(config.proxy, Proxy::Off);
        sent(config, &question);
        sent(with(config, |c| c.proxy = Proxy::NeighSuppress), &question);
        let mut kernel = Node::new(1, with(config, |c| c.proxy = Proxy::KernelProxy)).peers(&[2]);
        kernel.refuses_frame(&question, DropReason::ProxyConsumed);
    }
}

#[test]
fn a2_13_l2miss_tells_of_mac_addresses() {
    for config in both() {
        for l2miss in [true, false] {
            let mut node = Node::new(1, with(config, |c| c.l2miss = l2miss));
            node.refuses_frame(&unknown(), DropReason::NoDestination);
            let miss = Miss::L2 { vni: VNI, mac: mac(9) };
            assert_eq!(node.worker.poll_miss(), l2miss.then_some(miss));
        }
    }
}

/// Only where the VTEP had use for the neighbour.
#[test]
fn a2_14_l3miss_tells_of_ip_addresses_with_a_proxy() {
    let question = arp(MacAddr::BROADCAST, 1, (mac(1), [10, 1, 0, 1]), [10, 1, 0, 2]);
    for config in both() {
        for l3miss in [true, false] {
            for proxy in [Proxy::Off, Proxy::NeighSuppress, Proxy::KernelProxy] {
                let mut node =
                    Node::new(1, with(config, |c| (c.l3miss, c.proxy) = (l3miss, proxy))).peers(&[2]);
                let _ = node.send(NOW, &question);
                let miss = Miss::L3 { vni: VNI, address: [10, 1, 0, 2].into() };
                assert_eq!(node.worker.poll_miss(), (l3miss && proxy != Proxy::Off).then_some(miss));
            }
        }
    }
}

#[test]
fn a2_20_udp6zerocsumrx_takes_what_has_none() {
    for config in both() {
        for rx in [false, true] {
            let (mut node, packet) = over_ipv6(with(config, |c| c.udp6zerocsumrx = rx));
            let packet = Outer { checksum: false, ..packet }.bytes();
            if rx {
                node.delivers(&packet);
            } else {
                node.refuses(&packet, tunnel::DropReason::UdpChecksumMissing);
            }
        }
    }
}

/// State must not be corrupted by what was damaged on its way: a frame without a checksum is delivered, and neither
/// learned from nor taken for a sign of life.
#[test]
fn rfc6936_s5_nothing_is_learned_from_what_nobody_has_verified() {
    for (config, learns) in both().into_iter().zip([false, true]) {
        assert_eq!(config.learn_unverified, learns);
        for learn_unverified in [false, true] {
            let (mut node, packet) = over_ipv6(with(config, |c| {
                (c.udp6zerocsumrx, c.learn_unverified) = (true, learn_unverified)
            }));
            let other = |host| Outer { frame: frame(mac(2), mac(host), 0x88b5, &[]), ..packet.clone() };
            node.delivers(&Outer { checksum: false, ..other(7) }.bytes());
            assert_eq!(where_is(&node, mac(7)).is_some(), learn_unverified);
            node.delivers(&Outer { checksum: true, ..other(8) }.bytes());
            assert!(where_is(&node, mac(8)).is_some());
            // Over IPv4 most have none.
            let mut node = crate::receive::node(with(config, |c| c.learn_unverified = learn_unverified));
            node.delivers(&outer(&node, &frame(mac(2), mac(9), 0x88b5, &[])).bytes());
            assert!(where_is(&node, mac(9)).is_some());
        }
    }
}

/// Their bits are reserved where they are off, and the two never forget each other: the kernel does when something else
/// is changed.
#[test]
fn a2_22_a2_23_extensions_own_their_bits() {
    let (rco, gbp) = (0x0020_0000_0000_0011, 0x8000_0007_0000_0000);
    for remcsumrx in [false, true] {
        for policies in [false, true] {
            let config = with(Config::linux(), |c| (c.remcsumrx, c.gbp) = (remcsumrx, policies));
            for (bits, taken) in [(rco, remcsumrx), (gbp, policies)] {
                let mut node = node(config);
                let packet = outer(&node, &datagram(mac(2), mac(1), 10)).bits(bits).bytes();
                if taken {
                    node.delivers(&packet);
                } else {
                    node.refuses(&packet, tunnel::DropReason::VxlanReservedBits);
                }
            }
        }
    }
}

/// `external`: the caller names the remote, which needs no entry.
#[test]
fn a2_25_external_is_a_word_of_the_callers() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2]);
        let mut meta = OverlayMeta::new(VNI);
        meta.remote = Some(node.vtep.remote(address(3)).unwrap());
        assert!(
            matches!(node.send_with(NOW, &meta, &unknown()).0, Output::Send { address: to, .. } if to == address(3))
        );
    }
}

#[test]
fn a2_30_vnifilter_is_the_list_of_vnis() {
    for config in both() {
        let mut node = node(config);
        let other = Vni::truncate(7);
        let packet = outer(&node, &FRAME).vni(other).bytes();
        node.refuses(&packet, DropReason::UnknownVni);
        node.vtep.fdb().add_vni(other).unwrap();
        assert!(matches!(node.receive(NOW, &packet).0, Output::Deliver { vni, .. } if vni == other));
        let _ = node.vtep.fdb().flush_learned(other).unwrap();
        node.vtep.fdb().remove_vni(other).unwrap();
        node.refuses(&packet, DropReason::UnknownVni);
    }
}

#[test]
fn a2_31_localbypass_is_on_and_can_be_off() {
    for config in both() {
        assert!(config.localbypass);
        for localbypass in [true, false] {
            let mut node = Node::new(1, with(config, |c| c.localbypass = localbypass));
            node.vtep.fdb().add(VNI, mac(9), node.vtep.remote(address(1)).unwrap()).unwrap();
            let output = node.send(NOW, &datagram(mac(9), mac(1), 10)).0;
            assert_eq!(matches!(output, Output::Deliver { .. }), localbypass);
            assert_eq!(matches!(output, Output::Send { .. }), !localbypass);
        }
    }
}
