//! An engine that a worker keeps, while others change its VTEP.

use encap::{
    Packet,
    tunnel::DecapMeta,
    vtep::{Config, DropReason, Engine, Output, OverlayMeta, Worker},
    wire::MacAddr,
};

use crate::common::*;

fn send(engine: &Engine<'_>, worker: &mut Worker<'_>, frame: &[u8]) -> (Output, Vec<u8>) {
    let mut buffer = [&[0; ROOM], frame].concat();
    let mut packet = Packet::new(&mut buffer, ROOM, frame.len()).unwrap();
    let output = engine.handle_overlay(worker, NOW, &OverlayMeta::new(VNI), &mut packet);
    (output, packet.as_slice().to_vec())
}

fn receive(engine: &Engine<'_>, worker: &mut Worker<'_>, packet: &[u8]) -> Output {
    let mut buffer = packet.to_vec();
    let mut packet = Packet::new(&mut buffer, 0, packet.len()).unwrap();
    engine.handle_underlay(worker, NOW, &DecapMeta::new(), &mut packet)
}

#[test]
fn an_engine_that_is_kept_sees_what_changes() {
    let vtep = Node::new(1, Config::new()).vtep;
    let (engine, mut worker) = (vtep.engine(), Worker::new(1));
    let frame = datagram(mac(2), mac(1), 40);
    assert_eq!(send(&engine, &mut worker, &frame).0, Output::Drop(DropReason::NoDestination));

    // An entry, another one, and none.
    for last in [2, 3] {
        let remote = vtep.remote(address(last)).unwrap();
        vtep.fdb().replace(VNI, mac(2), remote).unwrap();
        let (output, packet) = send(&engine, &mut worker, &frame);
        assert!(matches!(output, Output::Send { remote: to, .. } if to == remote), "{output:?}");
        assert_eq!(packet.len(), 36 + frame.len());
    }
    vtep.fdb().delete(NOW, VNI, mac(2)).unwrap();
    assert_eq!(send(&engine, &mut worker, &frame).0, Output::Drop(DropReason::NoDestination));

    // Whatever is unknown goes to two.
    for last in [2, 3] {
        vtep.fdb().append(VNI, MacAddr::ZERO, vtep.remote(address(last)).unwrap()).unwrap();
    }
    let (Output::Replicate(flood), sent) = send(&engine, &mut worker, &frame) else { panic!("not flooded") };
    let copies: Vec<_> = engine.replicas(&mut worker, &flood, &sent).map(|copy| copy.address).collect();
    assert_eq!(copies, [address(2), address(3)]);

    // A segment that was not there, and a host that is learned there.
    let mut other = Node::new(2, Config::new()).peers(&[1]);
    let [(_, packet)] = &other.packets(NOW, &datagram(mac(1), mac(2), 40))[..] else { panic!("one packet") };
    vtep.fdb().remove_vni(VNI).unwrap();
    assert_eq!(receive(&engine, &mut worker, packet), Output::Drop(DropReason::UnknownVni));
    vtep.fdb().add_vni(VNI).unwrap();
    assert!(matches!(receive(&engine, &mut worker, packet), Output::Deliver { .. }));
    let (output, _) = send(&engine, &mut worker, &frame);
    assert!(matches!(output, Output::Send { address: to, .. } if to == address(2)), "{output:?}");
    assert_eq!((worker.counters().delivered, worker.counters().sent), (1, 5));
}
