//! The Internet checksum, beside a plain copy of as many bytes and beside etherparse's.
#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench, not the packet path; its cases are for other packages too"
)]

mod harness;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use encap::{
    Packet,
    tunnel::{EncapMeta, InnerChecksum, UdpChecksum, vxlan},
    wire::{
        IpProtocol, Vni,
        checksum::{self, Sum},
        udp,
    },
};
use harness::Group;

/// C1 and C2.
fn sums(c: &mut Criterion) {
    let bytes: Vec<u8> = (0..9000u32).map(|n| ((n * n) >> 3) as u8).collect();
    let mut copy = vec![0; bytes.len()];
    for len in [20, 64, 1500, 9000] {
        let bytes = black_box(&bytes[..len]);
        let theirs = |bytes| etherparse::checksum::Sum16BitWords::new().add_slice(bytes).ones_complement();
        assert_eq!(checksum::of(bytes), theirs(bytes).to_be(), "etherparse says the same");
        let mut group = Group::new(c, &format!("checksum of {len} B"), 1, len);
        group.bench("C1: ours", || checksum::of(black_box(bytes)));
        group.bench("etherparse", || theirs(black_box(bytes)));
        group.bench("C2: memcpy", || black_box(&mut copy)[..len].copy_from_slice(black_box(bytes)));
    }
}

/// One word changes: RFC 1624.
fn updates(c: &mut Criterion) {
    let words: Vec<(u16, u16, u16)> = (0..64).map(|n| (n * 1021, n * 77, n * 911)).collect();
    for &(sum, old, new) in &words {
        let long = !Sum::ZERO.add_word(!sum).add_word(!old).add_word(new).value();
        assert_eq!(checksum::update(sum, old, new), long);
    }
    Group::new(c, "checksum: one word changes", words.len(), 2 * words.len()).bench("ours", || {
        black_box(&words).iter().fold(0, |all, &(sum, old, new)| all ^ checksum::update(sum, old, new))
    });
}

const HEADROOM: usize = 128;

/// C5: the outer UDP checksum by offload arithmetic, beside the sum over everything.
fn offload(c: &mut Criterion) {
    for len in [1500, 9000] {
        let mut buffer = frame(len);
        let mut group = Group::new(c, &format!("outer UDP checksum of {len} B"), 1, len);
        let meta = black_box(EncapMeta::new().hash(7).inner_checksum(InnerChecksum::Good));
        let mut made = Vec::new();
        let modes = [
            ("full", UdpChecksum::Full),
            ("C5: offload", UdpChecksum::Offload),
            ("no checksum", UdpChecksum::Zero),
        ];
        for (name, mode) in modes {
            let tunnel = vxlan::Endpoint::new([192, 0, 2, 1].into()).udp_checksum(mode).build().unwrap();
            let tunnel = black_box(tunnel);
            let remote = black_box(tunnel.remote([192, 0, 2, 2].into(), Vni::truncate(1)).unwrap());
            group.bench(name, || {
                let mut packet = Packet::new(&mut buffer, HEADROOM, len).unwrap();
                tunnel.encap_with(&mut packet, &remote, &meta).unwrap();
                packet.len()
            });
            made.push(buffer[HEADROOM - 36..HEADROOM].to_vec());
        }
        assert_eq!(made[0], made[1], "the same checksum either way");
    }
}

/// A frame of UDP over IPv4 whose checksum is good, behind headroom.
fn frame(len: usize) -> Vec<u8> {
    let mut buffer = vec![0x5a; HEADROOM + len];
    let frame = &mut buffer[HEADROOM..];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    let (source, destination) = ([10, 1, 0, 1], [10, 1, 0, 2]);
    let total_len = (len - 14) as u16;
    let [l0, l1] = total_len.to_be_bytes();
    frame[14..26].copy_from_slice(&[0x45, 0, l0, l1, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    frame[26..34].copy_from_slice(&[source, destination].concat());
    let length = total_len - 20;
    let pseudo = Sum::pseudo_ipv4(source.into(), destination.into(), IpProtocol::UDP, length);
    let udp = udp::Header { source_port: 1000, destination_port: 2000, length, checksum: 0 };
    let udp = udp.with_checksum(pseudo, &frame[42..]);
    frame[34..42].copy_from_slice(&udp.to_bytes());
    buffer
}

criterion_group!(name = benches; config = harness::criterion(); targets = sums, updates, offload);
criterion_main!(benches);
