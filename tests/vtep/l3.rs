//! Routing: flannel's wiring of VXLAN, by route, neighbour and entry, and what breaks it.

use encap::{
    Packet,
    table::{Capacity, Line, NeighborState, NewNeighbor, NextHop},
    vtep::{Config, ConfigError, DropReason, Miss, Output, OverlayMeta, Vtep, Worker},
    wire::{MacAddr, Vni},
};

use crate::{common::*, frames::*};

pub(super) const SEGMENT: Vni = Vni::truncate(1);

/// Node `n` at 192.0.2.`n` has the hosts of 10.244.`n`.0/24, and knows of node `other` what flannel tells it: one
/// permanent neighbour, one entry, one route.
fn node(n: u8, other: u8) -> (Vtep<Box<[Line]>>, Worker<'static>) {
    let mut config = Config::new().local(address(n));
    (config.l3, config.learning, config.dstport, config.address) = (true, false, 8_472, mac(n));
    let capacity = Capacity { neighbors: 8, routes: 8, ..Capacity::fdb(8) };
    let vtep = Vtep::with_capacity(config, capacity, [3, n.into()]).unwrap();
    let gateway = [10, 244, other, 0].into();
    vtep.neighbors().add(SEGMENT, gateway, mac(other)).unwrap();
    vtep.fdb().add(SEGMENT, mac(other), vtep.remote(address(other)).unwrap()).unwrap();
    let subnet = format!("10.244.{other}.0/24").parse().unwrap();
    vtep.routes().add(subnet, NextHop::Gateway { vni: SEGMENT, address: gateway }).unwrap();
    (vtep, Worker::new(0).with_miss_capacity(16))
}

/// A packet from 10.244.1.5 to 10.244.`n`.7.
pub(super) fn ip(n: u8, len: usize) -> Vec<u8> {
    use encap::wire::ipv4;
    let [l0, l1] = (20 + len as u16).to_be_bytes();
    let header = [0x45, 0, l0, l1, 0, 1, 0x40, 0, 63, 17, 0, 0, 10, 244, 1, 5, 10, 244, n, 7];
    let header = ipv4::Header::from_bytes(&header).unwrap().with_checksum().fixed_bytes();
    [&header[..], &vec![0x5a; len]].concat()
}

fn send((vtep, worker): &mut (Vtep<Box<[Line]>>, Worker<'static>), ip: &[u8]) -> (Output, Vec<u8>) {
    let mut buffer = [&[0xee; ROOM][..], ip].concat();
    let mut packet = Packet::new(&mut buffer, ROOM, ip.len()).unwrap();
    let output = vtep.handle_ip(worker, NOW, &OverlayMeta::default(), &mut packet);
    (output, packet.as_slice().to_vec())
}

fn receive((vtep, worker): &mut (Vtep<Box<[Line]>>, Worker<'static>), bytes: &[u8]) -> (Output, Vec<u8>) {
    let mut buffer = bytes.to_vec();
    let mut packet = Packet::new(&mut buffer, 0, bytes.len()).unwrap();
    let output = vtep.handle_underlay(worker, NOW, &Default::default(), &mut packet);
    (output, packet.as_slice().to_vec())
}

#[test]
fn d2_a_packet_crosses_by_route_neighbour_and_entry() {
    let (mut here, mut there) = (node(1, 2), node(2, 1));
    let packet = ip(2, 100);
    let (output, outer) = send(&mut here, &packet);
    assert!(
        matches!(output, Output::Send { address: to, port: 8_472, .. } if to == address(2)),
        "{output:?}"
    );
    // 20 of IPv4, 8 of UDP, 8 of VXLAN with VNI 1; then the frame from VTEP to VTEP.
    assert_eq!(outer[28..36], [8, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(outer[36..50], [&mac(2).0[..], &mac(1).0, &[8, 0]].concat());
    let (output, inner) = receive(&mut there, &outer);
    let source = there.0.remote(address(1)).ok();
    assert_eq!(output, Output::DeliverIp { vni: SEGMENT, source });
    assert_eq!(inner, packet);
    assert_eq!(there.0.fdb().count(), 1, "nothing was learned");
}

#[test]
fn d2_what_is_not_there_is_dropped_by_name() {
    let mut here = node(1, 2);
    let packet = ip(3, 10);
    assert_eq!(send(&mut here, &packet), (Output::Drop(DropReason::NoRoute), packet));

    let packet = ip(2, 10);
    let gateway = [10, 244, 2, 0].into();
    let failed = NewNeighbor::new(mac(2)).state(NeighborState::Failed, NOW);
    here.0.neighbors().replace(SEGMENT, gateway, failed).unwrap();
    assert_eq!(send(&mut here, &packet), (Output::Drop(DropReason::NoNeighbor), packet.clone()));
    assert_eq!(here.1.poll_miss(), Some(Miss::L3 { vni: SEGMENT, address: gateway }));
    here.0.neighbors().replace(SEGMENT, gateway, mac(2)).unwrap();
    here.0.fdb().delete(NOW, SEGMENT, mac(2)).unwrap();
    assert_eq!(
        send(&mut here, &packet),
        (Output::Drop(DropReason::NoDestination), packet.clone()),
        "no flooding"
    );
    assert_eq!(here.1.poll_miss(), Some(Miss::L2 { vni: SEGMENT, mac: mac(2) }));
    here.0.neighbors().delete(NOW, SEGMENT, gateway).unwrap();
    assert_eq!(send(&mut here, &packet), (Output::Drop(DropReason::NoNeighbor), packet));
    assert_eq!(here.1.poll_miss(), Some(Miss::L3 { vni: SEGMENT, address: gateway }));
}

/// flannel's IPv6 has the same three: neighbour, entry, route, over an underlay of either family.
#[test]
fn d2_ipv6_crosses_too() {
    let (mut here, mut there) = (node(1, 2), node(2, 1));
    let gateway = "fd00:244:2::".parse().unwrap();
    here.0.neighbors().add(SEGMENT, gateway, mac(2)).unwrap();
    let subnet = "fd00:244:2::/64".parse().unwrap();
    here.0.routes().add(subnet, NextHop::Gateway { vni: SEGMENT, address: gateway }).unwrap();
    let packet = crate::frames::ip(
        "fd00:244:1::5".parse().unwrap(),
        "fd00:244:2::7".parse().unwrap(),
        17,
        0,
        &[0x5a; 60],
    );
    let (output, outer) = send(&mut here, &packet);
    assert!(matches!(output, Output::Send { address: to, .. } if to == address(2)), "{output:?}");
    assert_eq!(outer[36..50], [&mac(2).0[..], &mac(1).0, &[0x86, 0xdd]].concat());
    let source = there.0.remote(address(1)).ok();
    assert_eq!(receive(&mut there, &outer), (Output::DeliverIp { vni: SEGMENT, source }, packet));
}

/// A lease that goes takes all three along, and one that comes again brings them back.
#[test]
fn d2_a_lease_goes_and_comes_again() {
    let mut here = node(1, 2);
    let (vtep, packet, gateway) = (&here.0, ip(2, 10), [10, 244, 2, 0].into());
    let subnet = "10.244.2.0/24".parse().unwrap();
    vtep.routes().delete(subnet).unwrap();
    let _ = vtep.fdb().delete(NOW, SEGMENT, mac(2)).unwrap();
    let _ = vtep.neighbors().delete(NOW, SEGMENT, gateway).unwrap();
    vtep.remotes().remove(vtep.remote(address(2)).unwrap()).unwrap();
    assert_eq!(send(&mut here, &packet), (Output::Drop(DropReason::NoRoute), packet.clone()));
    // The node has another VTEP now.
    let vtep = &here.0;
    vtep.neighbors().add(SEGMENT, gateway, mac(7)).unwrap();
    vtep.fdb().add(SEGMENT, mac(7), vtep.remote(address(7)).unwrap()).unwrap();
    vtep.routes().add(subnet, NextHop::Gateway { vni: SEGMENT, address: gateway }).unwrap();
    let (output, outer) = send(&mut here, &packet);
    assert!(matches!(output, Output::Send { address: to, .. } if to == address(7)), "{output:?}");
    assert_eq!(outer[36..42], mac(7).0);
}

#[test]
fn too_long_packets_are_answered_as_ip() {
    let mut here = node(1, 2);
    let fits = ip(2, 1_430);
    assert!(matches!(send(&mut here, &fits).0, Output::Send { .. }), "1,450 bytes and 50 of headers");
    let (output, answer) = send(&mut here, &ip(2, 1_431));
    assert_eq!(output, Output::Reply);
    let report = encap::wire::icmp_quote::parse(&answer).unwrap();
    let too_big = encap::wire::icmpv4::Problem::FragmentationNeeded { mtu: 1_450 };
    assert_eq!(report.problem, encap::wire::icmp_quote::Problem::V4(too_big));
    assert_eq!(answer[16..20], [10, 244, 1, 5], "to the sender");
}

#[test]
fn frames_to_others_stay_frames() {
    let (mut here, mut there) = (node(1, 2), node(2, 1));
    let (_, mut outer) = send(&mut here, &ip(2, 100));
    outer[41] = 9; // the last byte of the inner destination
    assert!(matches!(receive(&mut there, &outer).0, Output::Deliver { vni: SEGMENT, .. }));
}

#[test]
fn routing_needs_a_mac_address() {
    let mut config = Config::new().local(address(1));
    config.l3 = true;
    let vtep = Vtep::with_capacity(config, Capacity::fdb(8), [1, 2]);
    assert_eq!(vtep.err(), Some(ConfigError::L3WithoutAddress));
}

/// A burst is decided as its packets are one by one, in both directions.
#[test]
fn bursts_are_decided_packet_by_packet() {
    let packets = [ip(2, 100), ip(9, 100), ip(2, 1_431), ip(2, 3)];
    let (mut alone, mut together) = (node(1, 2), node(1, 2));
    let expected: Vec<_> = packets.iter().map(|packet| send(&mut alone, packet)).collect();
    let mut buffers: Vec<_> = packets.iter().map(|packet| [&[0; 128][..], packet].concat()).collect();
    let mut burst: Vec<_> = buffers
        .iter_mut()
        .zip(&packets)
        .map(|(buffer, ip)| Packet::new(buffer, 128, ip.len()).unwrap())
        .collect();
    let mut outputs = [Output::Pass; 4];
    let metas = [OverlayMeta::default(); 4];
    let (vtep, worker) = &mut together;
    assert_eq!(vtep.handle_ip_batch(worker, NOW, &metas, &mut burst, &mut outputs), 4);
    for ((packet, output), (expected, bytes)) in burst.iter().zip(outputs).zip(&expected) {
        assert_eq!((output, packet.as_slice()), (*expected, &bytes[..]));
    }
    // And back.
    let sent = &expected[0].1;
    let (mut alone, (vtep, mut worker)) = (node(2, 1), node(2, 1));
    let expected = receive(&mut alone, sent);
    let mut buffer = sent.clone();
    let mut burst = [Packet::new(&mut buffer, 0, sent.len()).unwrap()];
    let mut outputs = [Output::Pass; 3];
    assert_eq!(
        vtep.handle_underlay_batch(&mut worker, NOW, &[Default::default()], &mut burst, &mut outputs),
        1
    );
    assert_eq!((outputs[0], burst[0].as_slice()), (expected.0, &expected.1[..]));
    assert_eq!(outputs[1..], [Output::Pass; 2]);
}

/// Node 1 with these settings, what it knows of node 2, and counters of the segment.
pub(super) fn configured(change: impl FnOnce(&mut Config)) -> (Vtep<Box<[Line]>>, Worker<'static>) {
    let mut config = Config::new().local(address(1));
    (config.l3, config.address) = (true, mac(1));
    change(&mut config);
    let capacity = Capacity { neighbors: 8, routes: 8, vlans: 16, vni_counters: true, ..Capacity::fdb(8) };
    let vtep = Vtep::with_capacity(config, capacity, [3, 1]).unwrap();
    let gateway = [10, 244, 2, 0].into();
    vtep.neighbors().add(SEGMENT, gateway, mac(2)).unwrap();
    vtep.fdb().add(SEGMENT, mac(2), vtep.remote(address(2)).unwrap()).unwrap();
    let route = NextHop::Gateway { vni: SEGMENT, address: gateway };
    vtep.routes().add("10.244.2.0/24".parse().unwrap(), route).unwrap();
    let worker = Worker::new(0).counting_as(&vtep.register().unwrap());
    (vtep, worker)
}

pub(super) fn send_with(
    (vtep, worker): &mut (Vtep<Box<[Line]>>, Worker<'static>),
    meta: &OverlayMeta,
    ip: &[u8],
) -> (Output, Vec<u8>) {
    let mut buffer = [&[0xee; ROOM][..], ip].concat();
    let mut packet = Packet::new(&mut buffer, ROOM, ip.len()).unwrap();
    let output = vtep.handle_ip(worker, NOW, meta, &mut packet);
    (output, packet.as_slice().to_vec())
}

/// A UDP packet from 10.244.1.5 to 10.244.2.7 whose checksum field has the sum of the pseudo header, as a device with
/// checksum offload leaves it.
fn unfinished(len: usize) -> Vec<u8> {
    use encap::wire::{IpProtocol, checksum::Sum};
    let mut packet = ip(2, 8 + len);
    let [l0, l1] = (8 + len as u16).to_be_bytes();
    let pseudo = Sum::pseudo([10, 244, 1, 5].into(), [10, 244, 2, 7].into(), IpProtocol::UDP, 8 + len as u32);
    let [c0, c1] = (!pseudo.unwrap().checksum()).to_be_bytes();
    packet[20..28].copy_from_slice(&[3, 0xe8, 7, 0xd0, l0, l1, c0, c1]);
    packet
}

/// Sums the bytes from `start` on and puts the checksum where it goes, as a network card does.
fn finish(packet: &mut [u8], start: u16, offset: u16) {
    let start = usize::from(start);
    let sum = encap::wire::checksum::of(&packet[start..]);
    packet[start + usize::from(offset)..][..2].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn an_unfinished_checksum_is_counted_from_the_packets_front() {
    use encap::{tunnel::InnerChecksum, wire::checksum::State, wire::udp};
    let mut whole = unfinished(30);
    finish(&mut whole, 20, 6);
    for udpcsum in [false, true] {
        let mut node = configured(|config| config.udpcsum = udpcsum);
        let mut meta = OverlayMeta::default();
        meta.inner_checksum = InnerChecksum::Partial { start: 20, offset: 6 };
        let (output, mut outer) = send_with(&mut node, &meta, &unfinished(30));
        let Output::Send { checksum, .. } = output else { panic!("{output:?}") };
        // 20 of IPv4, 8 of UDP, 8 of VXLAN, 14 of Ethernet; then the inner IPv4 header.
        let InnerChecksum::Partial { start, offset } = checksum else { panic!("{checksum:?}") };
        assert_eq!((start, offset), (36 + 14 + 20, 6));
        // What is sent when the card is done has both sums right.
        finish(&mut outer, start, offset);
        assert_eq!(outer[50..], whole);
        let (head, datagram) = read_ipv4(&outer);
        assert_eq!(udp::Header::parse(datagram).unwrap().0.checksum != 0, udpcsum);
        let pseudo = encap::wire::checksum::Sum::pseudo(
            head.source.into(),
            head.destination.into(),
            head.protocol,
            datagram.len() as u32,
        );
        let expected = if udpcsum { State::Good } else { State::Absent };
        assert_eq!(udp::verify(pseudo.unwrap(), datagram), expected);
    }
    // One outside the packet, or between its words, is refused, and the packet left as it was.
    let mut node = configured(|config| config.udpcsum = true);
    for (start, offset) in [(58, 6), (20, 40), (20, 7), (u16::MAX, 0)] {
        let mut meta = OverlayMeta::default();
        meta.inner_checksum = InnerChecksum::Partial { start, offset };
        let refused = (Output::Drop(DropReason::BadMeta), unfinished(30));
        assert_eq!(send_with(&mut node, &meta, &unfinished(30)), refused);
    }
}

#[test]
fn headers_of_segments_are_counted_from_the_packets_front() {
    use encap::vtep::Gso;
    let mut node = configured(|_| ());
    let packet = ip(2, 4_020);
    let mut meta = OverlayMeta::default();
    // 20 of IPv4 and 20 of TCP; each segment has Ethernet, too.
    let fits = 1_450 - 40;
    meta.gso = Some(Gso::new(40, fits));
    let (output, outer) = send_with(&mut node, &meta, &packet);
    assert!(matches!(output, Output::Send { gso: Some(gso), .. } if gso == Gso::new(36 + 14 + 40, fits)));
    assert_eq!(outer.len(), 36 + 14 + packet.len());
    meta.gso = Some(Gso::new(40, fits + 1));
    assert_eq!(send_with(&mut node, &meta, &packet).0, Output::Reply, "a byte too long");
    // Headers that end where the packet does leave nothing to cut.
    meta.gso = Some(Gso::new(packet.len() as u16, 1));
    let mut node = configured(|config| config.mtu = u16::MAX);
    assert_eq!(send_with(&mut node, &meta, &packet), (Output::Drop(DropReason::BadMeta), packet));
}

#[test]
fn what_came_out_of_a_tunnel_is_not_routed_into_one_where_that_is_said() {
    let mut node = configured(|_| ());
    let mut meta = OverlayMeta::default();
    meta.from_tunnel = true;
    assert_eq!(send_with(&mut node, &meta, &ip(2, 10)), (Output::Drop(DropReason::SplitHorizon), ip(2, 10)));
    meta.from_tunnel = false;
    assert!(matches!(send_with(&mut node, &meta, &ip(2, 10)).0, Output::Send { .. }));
}

#[test]
fn a_remote_that_is_said_takes_the_place_of_the_gateways_entry() {
    let mut node = configured(|_| ());
    let other = node.0.remote(address(7)).unwrap();
    let mut meta = OverlayMeta::default();
    meta.remote = Some(other);
    let (output, outer) = send_with(&mut node, &meta, &ip(2, 10));
    assert!(matches!(output, Output::Send { remote, .. } if remote == other), "{output:?}");
    assert_eq!(
        outer[28..42],
        [&[8, 0, 0, 0, 0, 0, 1, 0][..], &mac(2).0].concat(),
        "segment and MAC by the route"
    );
    // Without a route there is neither.
    assert_eq!(send_with(&mut node, &meta, &ip(3, 10)), (Output::Drop(DropReason::NoRoute), ip(3, 10)));
}

#[test]
fn ip_packets_come_from_no_trunk() {
    let mut node = configured(|_| ());
    let packet = ip(2, 10);
    let meta = OverlayMeta::trunk();
    assert_eq!(send_with(&mut node, &meta, &packet), (Output::Drop(DropReason::BadMeta), packet));
}

/// The way to the gateway leads to ourselves, in another segment: it is a frame by then.
#[test]
fn what_is_handed_over_here_is_a_frame() {
    let mut node = configured(|_| ());
    let other = Vni::truncate(9);
    let here = encap::table::Remote::new(address(1), 4_789).vni(other);
    let here = node.0.add_remote(&here).unwrap();
    node.0.fdb().add_vni(other).unwrap();
    let mut meta = OverlayMeta::default();
    meta.remote = Some(here);
    let packet = ip(2, 10);
    let (output, frame) = send_with(&mut node, &meta, &packet);
    assert!(matches!(output, Output::Deliver { vni, source: None, .. } if vni == other), "{output:?}");
    assert_eq!(frame, [&mac(2).0[..], &mac(1).0, &[8, 0], &packet].concat());
}

/// Our own router made the frame: whichever way leads to ourselves, no host of the segment here has it yet.
#[test]
fn what_is_routed_to_hosts_here_is_handed_over() {
    let packet = ip(2, 10);
    let routed = [&mac(2).0[..], &mac(1).0, &[8, 0], &packet].concat();
    for members in [&[][..], &[1], &[1, 3]] {
        let mut node = node(1, 2);
        let (vtep, worker) = &mut node;
        let _ = vtep.fdb().delete(NOW, SEGMENT, mac(2)).unwrap();
        for &last in members {
            vtep.fdb().append(SEGMENT, MacAddr::ZERO, vtep.remote(address(last)).unwrap()).unwrap();
        }
        if members.is_empty() {
            vtep.fdb().add(SEGMENT, mac(2), encap::table::Destination::Local).unwrap();
        }
        let mut buffer = [&[0xee; ROOM][..], &packet].concat();
        let mut bytes = Packet::new(&mut buffer, ROOM, packet.len()).unwrap();
        let output = vtep.handle_ip(worker, NOW, &OverlayMeta::default(), &mut bytes);
        assert_eq!(bytes.as_slice(), routed);
        if let Output::Replicate(flood) = output {
            let copies: Vec<_> = vtep.replicas(worker, &flood, &routed).map(|copy| copy.local).collect();
            assert_eq!(copies, [Some(SEGMENT), None]);
        } else {
            assert!(members.len() < 2);
            assert!(matches!(output, Output::Deliver { vni: SEGMENT, source: None, .. }), "{output:?}");
        }
        let counters = worker.counters();
        assert_eq!((counters.delivered, counters.dropped(DropReason::LocalDestination)), (1, 0));
    }
}

/// As out of a tunnel: what is for our router is an IP packet, what is not, or has no IP, a frame.
#[test]
fn a7_f_what_is_handed_over_to_our_router_is_routed() {
    for l3 in [true, false] {
        let mut node = Node::new(1, with(Config::new(), |c| (c.l3, c.address) = (l3, mac(0xaa))));
        let other = Vni::truncate(9);
        let us = node.vtep.add_remote(&encap::table::Remote::new(address(1), 4_789).vni(other)).unwrap();
        node.vtep.fdb().add_vni(other).unwrap();
        node.vtep.fdb().append(VNI, MacAddr::ZERO, us).unwrap();
        let (to_us, to_others) = (datagram(mac(0xaa), mac(1), 10), datagram(mac(9), mac(1), 10));
        let (output, packet) = node.send(NOW, &to_us);
        if l3 {
            assert_eq!((output, &packet[..]), (Output::DeliverIp { vni: other, source: None }, &to_us[14..]));
        } else {
            assert!(matches!(output, Output::Deliver { .. }));
        }
        for frame in [to_others.clone(), frame(mac(0xaa), mac(1), 0x0806, &[0; 28])] {
            assert!(
                matches!(node.send(NOW, &frame), (Output::Deliver { vni, .. }, same) if vni == other && same == frame)
            );
        }
        let counters = node.worker.counters();
        assert_eq!((counters.delivered, counters.delivered_bytes), (3, 2 * to_us.len() as u64 + 42));
    }
}

#[test]
fn drops_are_counted_by_the_routes_vni() {
    let mut node = configured(|_| ());
    let drops = |node: &(Vtep<Box<[Line]>>, _)| node.0.vni_counters(SEGMENT).send_drops;
    assert_eq!(send(&mut node, &ip(3, 10)).0, Output::Drop(DropReason::NoRoute));
    assert_eq!((drops(&node), node.1.counters().dropped(DropReason::NoRoute)), (0, 1), "nobody's");
    let mut meta = OverlayMeta::default();
    meta.from_tunnel = true;
    assert_eq!(send_with(&mut node, &meta, &ip(2, 10)).0, Output::Drop(DropReason::SplitHorizon));
    assert_eq!(drops(&node), 1);
    node.0.fdb().add(SEGMENT, mac(8), encap::table::Destination::Blackhole).unwrap();
    let gateway = [10, 244, 2, 0].into();
    let _ = node.0.neighbors().delete(NOW, SEGMENT, gateway).unwrap();
    assert_eq!(send(&mut node, &ip(2, 10)).0, Output::Drop(DropReason::NoNeighbor));
    node.0.neighbors().add(SEGMENT, gateway, mac(8)).unwrap();
    assert_eq!(send(&mut node, &ip(2, 10)).0, Output::Drop(DropReason::Blackhole));
    assert_eq!((drops(&node), node.0.vni_counters(SEGMENT).sent), (3, 0));
}
