//! Receipt, check by check in their order: what the kernel does, what we do by default.

mod layer0;
mod layer1;
mod others;

use std::net::{IpAddr, Ipv6Addr};

use encap::{
    table::{Destination, Lookup},
    vtep::Config,
    wire::MacAddr,
};

use crate::{common::*, frames::*};

/// Our defaults, and the kernel's.
pub(crate) fn both() -> [Config; 2] {
    [Config::new(), Config::linux()]
}

/// VTEP 2, which knows VTEP 1.
pub(crate) fn node(config: Config) -> Node {
    Node::new(2, config).peers(&[1])
}

/// A packet with this frame from VTEP 1.
pub(crate) fn outer(node: &Node, frame: &[u8]) -> Outer {
    Outer::new(node.vtep.config().dstport, frame)
}

pub(crate) fn where_is(node: &Node, mac: MacAddr) -> Option<IpAddr> {
    match node.vtep.fdb().lookup(NOW, VNI, mac) {
        Lookup::Found(Destination::Remote(id)) => node.vtep.remotes().get(id).map(|remote| remote.address),
        _ => None,
    }
}

pub(crate) const FRAME: [u8; 14] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];

/// VTEP 2001:db8::2 and a packet from 2001:db8::1 to it.
pub(crate) fn over_ipv6(mut config: Config) -> (Node, Outer) {
    let end = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
    config = config.local(end(2));
    let mut node = Node::new(2, config);
    node.vtep.remote(end(1)).unwrap();
    let checked = Outer { source: end(1), destination: end(2), checksum: true, ..outer(&node, &FRAME) };
    assert_eq!(node.delivers(&checked.bytes()), FRAME);
    (node, checked)
}
