//! Transmission, step by step: where a frame goes, and the outer headers that it gets.

mod handling;
mod misses;
mod outer;
mod places;

use encap::{
    vtep::{Config, Miss},
    wire::{MacAddr, Vni, udp, vxlan},
};

use crate::{common::*, frames::*};

fn both() -> [Config; 2] {
    [Config::new(), Config::linux()]
}

const GROUP: MacAddr = MacAddr([1, 0, 0x5e, 1, 2, 3]);

/// Source port, destination port, VNI and frame of a packet over IPv4.
fn read(packet: &[u8]) -> (u16, u16, Vni, &[u8]) {
    let (_, rest) = read_ipv4(packet);
    let (udp, rest) = udp::Header::parse(rest).unwrap();
    let (vxlan, frame) = vxlan::Header::parse(rest).unwrap();
    (udp.source_port, udp.destination_port, vxlan.vni().unwrap(), frame)
}

fn misses(node: &mut Node) -> Vec<Miss> {
    std::iter::from_fn(|| node.worker.poll_miss()).collect()
}
