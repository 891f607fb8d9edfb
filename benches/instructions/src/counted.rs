//! What is counted: each function does its work for a burst, and nothing else.

use std::hint::black_box;

use encap::{
    Packet,
    table::{Fdb, Line, Lookup},
    tunnel::{DecapMeta, DropReason, EncapError, EncapMeta, Inner, Remote, vxlan},
    vtep::{Output, OverlayMeta, Vtep, Worker},
    wire::{MacAddr, Vni, checksum},
};

use crate::cases::fdb::NOW;

#[inline(never)]
pub fn encap_hash_given(
    tunnel: &vxlan::Endpoint,
    packets: &mut [Packet<'_>],
    plan: &[(&Remote, EncapMeta)],
    results: &mut [Result<(), EncapError>],
) {
    tunnel.encap_batch(packets, plan, results);
}

#[inline(never)]
pub fn encap(
    tunnel: &vxlan::Endpoint,
    packets: &mut [Packet<'_>],
    plan: &[(&Remote, EncapMeta)],
    results: &mut [Result<(), EncapError>],
) {
    // Another argument than the other function has, so that the two are not merged.
    tunnel.encap_batch(black_box(packets), plan, results);
}

#[inline(never)]
pub fn decap(
    tunnel: &vxlan::Endpoint,
    packets: &mut [Packet<'_>],
    metas: &[DecapMeta],
    results: &mut [Result<Inner, DropReason>],
) {
    tunnel.decap_batch(packets, metas, results);
}

#[inline(never)]
pub fn checksum_1500(bytes: &[u8]) -> u16 {
    checksum::of(bytes)
}

#[inline(never)]
pub fn fdb_hit(fdb: &Fdb<'_>, keys: &[(Vni, MacAddr)], answers: &mut [Lookup]) {
    for (&(vni, mac), answer) in keys.iter().zip(answers) {
        *answer = fdb.lookup(NOW, vni, mac);
    }
}

#[inline(never)]
pub fn fdb_hit_batch(fdb: &Fdb<'_>, keys: &[(Vni, MacAddr)], answers: &mut [Lookup]) {
    fdb.lookup_batch(NOW, keys, answers);
}

#[inline(never)]
pub fn vtep_transmit(
    vtep: &Vtep<Box<[Line]>>,
    worker: &mut Worker,
    metas: &[OverlayMeta],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
) {
    vtep.handle_overlay_batch(worker, NOW, metas, packets, outputs);
}

/// The same over IPv6.
#[inline(never)]
pub fn vtep_transmit_ipv6(
    vtep: &Vtep<Box<[Line]>>,
    worker: &mut Worker,
    metas: &[OverlayMeta],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
) {
    // Another argument than the other function has, so that the two are not merged.
    vtep.handle_overlay_batch(worker, NOW, metas, black_box(packets), outputs);
}

/// The same, one call for each.
#[inline(never)]
pub fn vtep_transmit_alone(
    vtep: &Vtep<Box<[Line]>>,
    worker: &mut Worker,
    metas: &[OverlayMeta],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
) {
    for ((meta, packet), output) in metas.iter().zip(packets).zip(outputs) {
        *output = vtep.handle_overlay(worker, NOW, meta, packet);
    }
}

/// One call for each, of an engine that is kept.
#[inline(never)]
pub fn vtep_transmit_kept(
    vtep: &Vtep<Box<[Line]>>,
    worker: &mut Worker,
    metas: &[OverlayMeta],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
) {
    let engine = vtep.engine();
    for ((meta, packet), output) in metas.iter().zip(packets).zip(outputs) {
        *output = engine.handle_overlay(worker, NOW, meta, packet);
    }
}

#[inline(never)]
pub fn vtep_receive(
    vtep: &Vtep<Box<[Line]>>,
    worker: &mut Worker,
    metas: &[DecapMeta],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
) {
    vtep.handle_underlay_batch(worker, NOW, metas, packets, outputs);
}

/// The same over IPv6.
#[inline(never)]
pub fn vtep_receive_ipv6(
    vtep: &Vtep<Box<[Line]>>,
    worker: &mut Worker,
    metas: &[DecapMeta],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
) {
    // Another argument than the other function has, so that the two are not merged.
    vtep.handle_underlay_batch(worker, NOW, metas, black_box(packets), outputs);
}

/// The same, one call for each.
#[inline(never)]
pub fn vtep_receive_alone(
    vtep: &Vtep<Box<[Line]>>,
    worker: &mut Worker,
    metas: &[DecapMeta],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
) {
    for ((meta, packet), output) in metas.iter().zip(packets).zip(outputs) {
        *output = vtep.handle_underlay(worker, NOW, meta, packet);
    }
}

/// One call for each, of an engine that is kept.
#[inline(never)]
pub fn vtep_receive_kept(
    vtep: &Vtep<Box<[Line]>>,
    worker: &mut Worker,
    metas: &[DecapMeta],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
) {
    let engine = vtep.engine();
    for ((meta, packet), output) in metas.iter().zip(packets).zip(outputs) {
        *output = engine.handle_underlay(worker, NOW, meta, packet);
    }
}

#[inline(never)]
pub fn arp_reply(
    vtep: &Vtep<Box<[Line]>>,
    worker: &mut Worker,
    metas: &[OverlayMeta],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
) {
    // As above.
    vtep.handle_overlay_batch(black_box(worker), NOW, metas, packets, outputs);
}
