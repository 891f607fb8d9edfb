//! Routing: flannel's wiring of VXLAN (behaviour D2), and what breaks it.

use encap::{
    Packet,
    table::{Capacity, Line, NextHop},
    vtep::{Config, ConfigError, DropReason, Miss, Output, OverlayMeta, Vtep, Worker},
    wire::{MacAddr, Vni},
};

use crate::common::*;

const SEGMENT: Vni = Vni::truncate(1);

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
fn ip(n: u8, len: usize) -> Vec<u8> {
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
    for mac in [MacAddr::ZERO, MacAddr::BROADCAST] {
        config.address = mac;
        let vtep = Vtep::with_capacity(config, Capacity::fdb(8), [1, 2]);
        assert_eq!(vtep.err(), Some(ConfigError::L3WithoutAddress));
    }
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
