//! What an engine must survive, as far as other files do not have it: `receive` (lengths,
//! checksums, martians, ECN), `learning` (floods, storms, spoofed senders), `transmit` (misses), `arp`, `nd` and
//! `pmtu`.

use encap::{
    Packet,
    table::{Capacity, Destination, Lookup, NewEntry, Remote},
    tunnel,
    vtep::{Config, DropReason, Output, OverlayMeta, Proxy, ShortCircuit, TooBig, Vtep, Worker},
    wire::{MacAddr, Vni},
};

use crate::{
    common::*,
    frames::*,
    receive::{FRAME, both, node, outer, over_ipv6, where_is},
};

/// Frames that have all parts of the engine look things up: about host 9.
fn questions() -> Vec<Vec<u8>> {
    vec![
        arp(MacAddr::BROADCAST, 1, (mac(1), [10, 1, 0, 1]), [10, 1, 0, 9]),
        Ns::new(1, v6(9)).bytes(),
        datagram(mac(9), mac(1), 10),
        frame(mac(9), mac(1), 0x86dd, &ip(v6(1).into(), v6(9).into(), 17, 0, &[0x5a; 20])),
    ]
}

/// CVE-2025-39851: an entry that names a group, or no remote at all, where somebody wants one.
#[test]
fn e_entries_without_a_remote() {
    for config in both() {
        for proxy in [Proxy::Off, Proxy::NeighSuppress, Proxy::KernelProxy] {
            for rsc in [ShortCircuit::Off, ShortCircuit::Route, ShortCircuit::Linux] {
                for kind in 0..3 {
                    let mut node = node(with(config, |c| (c.proxy, c.rsc) = (proxy, rsc)));
                    node.vtep.neighbors().add(VNI, [10, 1, 0, 9].into(), mac(9)).unwrap();
                    node.vtep.neighbors().add(VNI, v6(9).into(), mac(9)).unwrap();
                    let remote = node.vtep.remote(address(1)).unwrap();
                    let group = Destination::Group(node.vtep.lists().add_group(&[remote]).unwrap());
                    let destination = [group, Destination::Blackhole, Destination::Local][kind];
                    node.vtep.fdb().add(VNI, mac(9), NewEntry::to(destination).router()).unwrap();
                    for (question, at) in questions().into_iter().zip(0..) {
                        let output = node.send(NOW, &question).0;
                        let asks = at < 2 && proxy != Proxy::Off;
                        match destination {
                            Destination::Local if asks => {
                                assert_eq!(output, Output::Drop(DropReason::ProxyConsumed));
                            }
                            _ if asks => assert_eq!(output, Output::Reply),
                            // To everybody.
                            _ if at < 2 => assert!(matches!(output, Output::Send { .. })),
                            Destination::Group(_) => assert!(matches!(output, Output::Send { .. })),
                            Destination::Local => {
                                assert_eq!(output, Output::Drop(DropReason::LocalDestination));
                            }
                            _ => assert_eq!(output, Output::Drop(DropReason::Blackhole)),
                        }
                    }
                    let from = frame(mac(2), mac(9), 0x88b5, &[]);
                    node.refuses(&outer(&node, &from).bytes(), DropReason::SourceElsewhere);
                }
            }
        }
    }
}

/// CVE-2026-23293: a table that is not there knows nothing, and one that has to be there is asked for.
#[test]
fn e_tables_that_are_absent() {
    for config in both() {
        for (proxy, neighbors) in [(Proxy::Off, 0), (Proxy::NeighSuppress, 1), (Proxy::KernelProxy, 1)] {
            let capacity = Capacity { neighbors, routes: 0, groups: 0, vlans: 0, ..Capacity::fdb(16) };
            let config = with(config.local(address(2)), |c| {
                (c.proxy, c.l3, c.address) = (proxy, true, mac(2));
                if proxy != Proxy::Off {
                    (c.rsc, c.tables.snooping) = (ShortCircuit::Route, encap::table::Snooping::All);
                }
            });
            let vtep = Vtep::with_capacity(config, capacity, [1, 2]).unwrap();
            let mut node = Node { vtep, worker: Worker::new(1) }.peers(&[1]);
            let remote = node.vtep.remote(address(1)).unwrap();
            node.vtep.fdb().add(VNI, mac(9), NewEntry::to(remote).router()).unwrap();
            for (question, at) in questions().into_iter().zip(0..) {
                if at < 2 && proxy == Proxy::KernelProxy {
                    node.refuses_frame(&question, DropReason::ProxyConsumed);
                } else {
                    node.sends(&question, 1);
                }
                let mut ip = question[14..].to_vec();
                let len = ip.len();
                let mut packet = Packet::new(&mut ip, 0, len).unwrap();
                let output = node.vtep.handle_ip(&mut node.worker, NOW, &OverlayMeta::default(), &mut packet);
                let reason = match at {
                    0 => DropReason::FrameTruncated,
                    // To a group of the link.
                    1 => DropReason::Unroutable,
                    _ => DropReason::NoRoute,
                };
                assert_eq!(output, Output::Drop(reason));
                node.delivers(&outer(&node, &frame(mac(7), mac(1), 0x0806, &question[14..])).bytes());
            }
            assert_eq!(
                node.send_with(NOW, &OverlayMeta::trunk(), &FRAME).0,
                Output::Drop(DropReason::UnknownVlan)
            );
        }
    }
}

/// Headers between IPv6 and UDP are walked, but not for ever; a jumbogram is nothing that a tunnel sends.
#[test]
fn e_extension_headers_of_the_outer_packet() {
    for config in both() {
        let (mut node, packet) = over_ipv6(with(config, |c| c.udp6zerocsumrx = true));
        let whole = Outer { checksum: false, ..packet }.bytes();
        let with_headers = |kinds: &[u8], options: [u8; 6]| {
            let mut bytes = whole[..40].to_vec();
            let mut next: Vec<u8> = kinds[1..].to_vec();
            next.push(17);
            bytes[6] = kinds[0];
            for next in next {
                bytes.extend([next, 0]);
                bytes.extend(options);
            }
            bytes.extend(&whole[40..]);
            let len = (bytes.len() - 40) as u16;
            bytes[4..6].copy_from_slice(&len.to_be_bytes());
            bytes
        };
        let padding = [1, 4, 0, 0, 0, 0];
        for kinds in [&[0][..], &[60], &[0, 60], &[0, 43, 60]] {
            // A routing header without segments left is one more to be read over.
            let options = if kinds.contains(&43) { [0; 6] } else { padding };
            assert_eq!(node.delivers(&with_headers(kinds, options)), FRAME, "{kinds:?}");
        }
        node.refuses(&with_headers(&[60; 40], padding), tunnel::DropReason::Ipv6Extensions);
        // RFC 2675: the payload length is zero, and an option has it.
        let mut jumbo = with_headers(&[0], [0xc2, 4, 0, 0, 0, 100]);
        jumbo[4..6].fill(0);
        let (output, left) = node.receive(NOW, &jumbo);
        assert!(matches!(output, Output::Drop(_) | Output::Pass), "{output:?}");
        assert_eq!(left, jumbo);
    }
}

/// Over IPv6, too, the first fragment says whose it is.
#[test]
fn e_a7_e_nor_do_fragments_of_them() {
    for config in both() {
        let mut node = Node::new(1, config.local(v6(1).into()));
        node.vtep.fdb().append(VNI, MacAddr::ZERO, node.vtep.remote(v6(2).into()).unwrap()).unwrap();
        let (_, packet) = node.send(NOW, &datagram(mac(9), mac(1), 1_000));
        for (offset, is_loop) in [(0, true), (8, false)] {
            let fragment = [&[17, 0, 0, offset | 1, 0, 0, 0, 7][..], &packet[40..840]].concat();
            let outer = frame(mac(9), mac(1), 0x86dd, &ip(v6(1).into(), v6(2).into(), 44, 0, &fragment));
            let output = node.send(NOW, &outer).0;
            assert_eq!(output == Output::Drop(DropReason::Loop), is_loop, "{output:?}");
        }
    }
}

/// The route leads back into the same device; in the kernel a limit of recursion ends what is longer than that.
#[test]
fn e_a7_e_our_own_packets_do_not_go_into_a_tunnel_again() {
    for config in both() {
        let config = with(config.local(v6(1).into()), |c| c.inner_vlan = true);
        let mut node = Node::new(1, config).peers(&[2]);
        let v6_remote = node.vtep.remote(v6(2).into()).unwrap();
        node.vtep.fdb().append(VNI, mac(6), v6_remote).unwrap();
        node.vtep.fdb().add(VNI, mac(9), node.vtep.remote(address(2)).unwrap()).unwrap();
        for to in [mac(6), mac(9), mac(77), MacAddr::BROADCAST] {
            let (_, packet) = node.send(NOW, &datagram(to, mac(1), 10));
            let ethertype = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
            for towards in [mac(6), mac(9), mac(77)] {
                let again = frame(towards, mac(0xaa), ethertype, &packet);
                node.refuses_frame(&again, DropReason::Loop);
                node.refuses_frame(&tagged(5, &again), DropReason::Loop);
                let mut buffer = packet.clone();
                let mut routed = Packet::new(&mut buffer, 0, packet.len()).unwrap();
                let output = node.vtep.handle_ip(&mut node.worker, NOW, &OverlayMeta::default(), &mut routed);
                assert_eq!((output, routed.as_slice()), (Output::Drop(DropReason::Loop), &packet[..]));
                // A VTEP of somebody else's, or another program of this host, may be behind a tunnel.
                // Whom nobody knows as a remote is none, and a later fragment has no port.
                let differs = if ethertype == 0x0800 {
                    &[14 + 15, 14 + 23, 14 + 19][..]
                } else {
                    &[14 + 23, 14 + 43, 14 + 39]
                };
                for &at in differs {
                    let mut other = again.clone();
                    other[at] ^= 0x40;
                    assert!(matches!(node.send(NOW, &other).0, Output::Send { .. }));
                }
            }
        }
    }
}

/// CVE-2020-10136 and its like: what a host of one segment puts into a packet to our port must not come out as what a
/// remote has sent into another one.
#[test]
fn e_a_tunnel_inside_of_the_tunnel_does_not_get_to_ourselves() {
    for config in both() {
        for l3 in [false, true] {
            let config = with(config.local(v6(2).into()), |c| (c.l3, c.address) = (l3, mac(0x22)));
            let mut node = node(config);
            let inner = |outer: Outer| {
                let packet = outer.bytes();
                frame(mac(0x22), mac(1), if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, &packet)
            };
            let hop = outer(&node, &FRAME).vni(Vni::truncate(7));
            let over_v6 =
                Outer { source: v6(1).into(), destination: v6(2).into(), checksum: true, ..hop.clone() };
            for nested in [hop.clone(), over_v6] {
                let packet = outer(&node, &inner(nested.clone())).bytes();
                if l3 {
                    node.refuses(&packet, DropReason::Nested);
                    assert_eq!(where_is(&node, mac(1)), None, "nothing is learned from it");
                } else {
                    // In a segment our address may be anybody's.
                    node.delivers(&packet);
                }
                // Another port and another address are no business of ours.
                for other in [
                    Outer { port: nested.port ^ 1, ..nested.clone() },
                    Outer {
                        destination: if nested.destination.is_ipv4() { address(9) } else { v6(9).into() },
                        ..nested
                    },
                ] {
                    let packet = outer(&node, &inner(other)).bytes();
                    let output = node.receive(NOW, &packet).0;
                    assert_eq!(matches!(output, Output::DeliverIp { .. }), l3, "{output:?}");
                }
                let _ = node.vtep.fdb().flush_learned(VNI);
            }
        }
    }
}

/// Whatever is told apart from others at its address by a port, a VNI or an egress.
#[test]
fn e_a7_e_nor_do_those_to_remotes_with_a_port_of_their_own() {
    for config in both() {
        let mut node = Node::new(1, config.local(v6(1).into()));
        for (there, ethertype) in [(address(2), 0x0800), (v6(2).into(), 0x86dd)] {
            let plain = Remote::new(there, 9_999);
            let other = Remote::new(there, 10_000);
            for remote in [plain.egress(3), plain, other, Remote::new(there, 11_000).vni(Vni::truncate(77))] {
                let id = node.vtep.add_remote(&remote).unwrap();
                node.vtep.fdb().replace(VNI, mac(9), id).unwrap();
                let (output, packet) = node.send(NOW, &datagram(mac(9), mac(1), 10));
                assert!(matches!(output, Output::Send { remote, .. } if remote == id), "{output:?}");
                let again = frame(mac(9), mac(0xaa), ethertype, &packet);
                node.refuses_frame(&again, DropReason::Loop);
                // The port of nobody there.
                let mut free = again.clone();
                free[if ethertype == 0x0800 { 14 + 22 } else { 14 + 42 }] ^= 0x40;
                assert!(matches!(node.send(NOW, &free).0, Output::Send { .. }));
            }
        }
    }
}

/// A burst refuses what one by one is refused.
#[test]
fn e_loops_are_found_in_bursts_too() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    node.vtep.fdb().add(VNI, mac(9), node.vtep.remote(address(2)).unwrap()).unwrap();
    let good = datagram(mac(9), mac(1), 10);
    let again = frame(mac(9), mac(0xaa), 0x0800, &node.sends(&good, 2));
    let mut buffers: Vec<_> = [&good, &again, &good].map(|frame| [&[0; ROOM][..], frame].concat()).to_vec();
    let mut burst = burst(&mut buffers);
    let mut outputs = [Output::Pass; 3];
    let metas = [OverlayMeta::new(VNI); 3];
    node.vtep.handle_overlay_batch(&mut node.worker, NOW, &metas, &mut burst, &mut outputs);
    assert!(matches!(outputs, [Output::Send { .. }, Output::Drop(DropReason::Loop), Output::Send { .. }]));
}

/// Lengths have 16 bits: what is longer is not sent with a wrong one, whatever else is allowed.
#[test]
fn e_no_packet_is_longer_than_its_length_can_say() {
    for config in both() {
        for too_big in [TooBig::Tell, TooBig::Drop, config.too_big] {
            let config = with(config, |c| (c.too_big, c.mtu) = (too_big, u16::MAX));
            for (local, remote, headers, uncounted) in
                [(address(1), address(2), 36, 0), (v6(1).into(), v6(2).into(), 56, 40)]
            {
                let vtep = Vtep::with_capacity(config.local(local), Capacity::fdb(16), [1, 2]).unwrap();
                let remote = vtep.remote(remote).unwrap();
                vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
                let longest = usize::from(u16::MAX) + uncounted - headers;
                let mut worker = Worker::new(1);
                for (len, fits) in [(longest, true), (longest + 1, false), (70_000, false)] {
                    let frame = frame(mac(9), mac(1), 0x88b5, &vec![0x5a; len - 14]);
                    let mut buffer = [&[0; ROOM][..], &frame].concat();
                    let mut packet = Packet::new(&mut buffer, ROOM, len).unwrap();
                    let output = vtep.handle_overlay(&mut worker, NOW, &OverlayMeta::new(VNI), &mut packet);
                    // Over IPv6 the MTU counts the header that its length does not.
                    let fits = fits && len + headers <= usize::from(u16::MAX);
                    assert_eq!(matches!(output, Output::Send { .. }), fits, "{len}: {output:?}");
                    if !fits {
                        assert_eq!(
                            (output, packet.as_slice()),
                            (Output::Drop(DropReason::TooBig), &frame[..])
                        );
                    }
                }
            }
        }
    }
}

/// A clock that jumps back ages nothing, and everything goes on.
#[test]
fn e_a_clock_that_runs_backwards() {
    for config in both() {
        let mut node = node(config);
        let packet = outer(&node, &FRAME).bytes();
        node.delivers(&packet);
        let past = encap::time::Instant::from_secs(1);
        for now in [past, encap::time::Instant::ZERO, NOW] {
            assert!(matches!(node.receive(now, &packet).0, Output::Deliver { .. }));
            assert!(matches!(node.send(now, &datagram(mac(1), mac(2), 10)).0, Output::Send { .. }));
            assert!(matches!(node.vtep.fdb().lookup(now, VNI, mac(1)), Lookup::Found(_)));
            let _ = node.vtep.handle_timeout(now, usize::MAX, |_| {});
            assert!(node.vtep.poll_timeout(now) >= now);
        }
        assert_eq!(where_is(&node, mac(1)), Some(address(1)));
    }
}

/// Packets from nobody, from many, and to nobody's port are not answered: whoever forges a sender gains no amplifier.
#[test]
fn e_nobody_is_answered_in_the_underlay() {
    for config in both() {
        let mut node = node(config);
        let good = outer(&node, &FRAME);
        for packet in [
            good.clone().vni(Vni::truncate(7)),
            Outer { source: [224, 0, 0, 1].into(), ..good.clone() },
            Outer { source: [0; 4].into(), ..good.clone() },
            Outer { port: good.port + 1, ..good.clone() },
            Outer { vxlan: vec![0; 8], ..good },
        ] {
            let bytes = packet.bytes();
            let (output, left) = node.receive(NOW, &bytes);
            assert!(matches!(output, Output::Drop(_) | Output::Pass), "{output:?}");
            assert_eq!(left, bytes);
        }
        assert_eq!((node.worker.counters().replies, node.worker.counters().sent), (0, 0));
    }
}
