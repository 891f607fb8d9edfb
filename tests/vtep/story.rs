//! Two and three VTEPs, told as stories.

use encap::{
    table::{Destination, Lookup},
    vtep::{Config, DropReason, Output},
    wire::MacAddr,
};

use crate::common::*;

/// Host 1 behind VTEP 1 asks for host 2 behind VTEP 2; the answer comes back straight.
#[test]
fn two_hosts_find_each_other() {
    let (mut a, mut b) = (Node::new(1, Config::new()).peers(&[2]), Node::new(2, Config::new()).peers(&[1]));
    let question = frame(MacAddr::BROADCAST, mac(1), 0x88b5, &[1; 50]);
    let [(to, packet)] = &a.packets(NOW, &question)[..] else { panic!("one packet") };
    assert_eq!(*to, address(2));
    let (output, inner) = b.receive(NOW, packet);
    let known = b.vtep.remote(address(1)).unwrap();
    assert_eq!(
        output,
        Output::Deliver { vni: VNI, source: Some(known), port: None, policy: None, vlan: None }
    );
    assert_eq!(inner, question);
    assert_eq!(b.vtep.fdb().lookup(NOW, VNI, mac(1)), Lookup::Found(Destination::Remote(known)));

    let answer = datagram(mac(1), mac(2), 100);
    let [(to, packet)] = &b.packets(NOW, &answer)[..] else { panic!("one packet") };
    assert_eq!(*to, address(1));
    assert_eq!(a.receive(NOW, packet).1, answer);
    assert_eq!((a.worker.counters().sent, a.worker.counters().delivered), (1, 1));
}

/// What is for everybody goes to every VTEP, once.
#[test]
fn a_broadcast_reaches_all() {
    let mut a = Node::new(1, Config::new()).peers(&[2, 3, 4]);
    let question = frame(MacAddr::BROADCAST, mac(1), 0x88b5, &[1; 50]);
    let packets = a.packets(NOW, &question);
    assert_eq!(packets.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [address(2), address(3), address(4)]);
    for (last, (_, packet)) in (2..).zip(&packets) {
        let mut node = Node::new(last, Config::new());
        assert_eq!(node.receive(NOW, packet).1, question);
    }
    assert_eq!(a.worker.counters().sent, 3);
}

#[test]
fn nobody_knows() {
    let mut a = Node::new(1, Config::new());
    let frame = datagram(mac(9), mac(1), 10);
    assert_eq!(a.send(NOW, &frame), (Output::Drop(DropReason::NoDestination), frame));
    assert_eq!(a.worker.counters().dropped(DropReason::NoDestination), 1);
    assert!(a.worker.poll_miss().is_some());
    assert!(a.worker.poll_miss().is_none());
}
