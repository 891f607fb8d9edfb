//! H1: the keyed hash of an IPv4 5-tuple.

use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;

use encap::{
    Packet,
    tunnel::{EncapMeta, vxlan},
};

use crate::{
    cases::Random,
    ffi::Key,
    flow::{Keys, halves, port},
    measure::{Contestant, interleave},
    report::{Goal, Report},
    traffic::{Frames, HEADROOM, LOCAL, OVERHEAD, PORTS, SEED, endpoint, remotes},
};

/// Keys of a slice of work.
const KEYS: usize = 1024;

pub fn run(report: &mut Report) {
    if !report.wants(&["H1"]) {
        return;
    }
    check();
    let mut random = Random(0x41);
    let keys: Vec<Key> = (0..KEYS)
        .map(|_| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&random.next().to_ne_bytes());
            key[8..].copy_from_slice(&random.next().to_ne_bytes());
            key[12..].copy_from_slice(&[[6, 17][random.below(2)], 0, 0, 0]);
            Key(key)
        })
        .collect();
    let fast = rival("foldhash", &keys, foldhash::fast::RandomState::default());
    let quality = rival("foldhash::quality", &keys, foldhash::quality::RandomState::default());
    let mut everybody = vec![ours(&keys), fast, quality];
    #[cfg(dpdk)]
    everybody.push(jhash(&keys));
    let series = interleave(report.effort, &mut everybody);
    match series.get(3) {
        Some(jhash) => report.row("H1", "flow hash; IPv4 5-tuple", &series[0], jhash, Goal::Faster(2.0, 4.0)),
        None => report.skip("H1", "flow hash; IPv4 5-tuple", "DPDK is not installed"),
    }
    report.row("H1", "flow hash; IPv4 5-tuple", &series[0], &series[1], Goal::Time(1.1, 0.8));
    // One product, as the fast one has it, leaves flows that are counted up on a lattice; this one does not, nor do we.
    report.row("H1", "flow hash; beside one that spreads as well", &series[0], &series[2], Goal::Info);
}

/// The crate keeps the hash to itself: what is timed is the same written out, if it gives the ports that the crate
/// sends.
fn check() {
    let (tunnel, keys) = (endpoint(LOCAL), Keys::new(SEED));
    let remotes = remotes(&tunnel);
    let frames = Frames::imix(1024);
    for at in 0..frames.lens.len() {
        let hash = super::encap::flow_of(frames.frame(at), &keys);
        assert_eq!(sent_port(&tunnel, &remotes[0], &frames, at), port(hash, PORTS), "frame {at}");
    }
}

fn sent_port(tunnel: &vxlan::Endpoint, remote: &encap::tunnel::Remote, frames: &Frames, at: usize) -> u16 {
    let mut buffer = frames.buffers[at];
    let mut packet = Packet::new(&mut buffer.0, HEADROOM, frames.lens[at]).unwrap();
    tunnel.encap_with(&mut packet, remote, &EncapMeta::new()).unwrap();
    let header: &[u8; OVERHEAD] = packet.as_slice().first_chunk().unwrap();
    u16::from_be_bytes([header[34], header[35]])
}

fn hashing<'a>(name: &str, keys: &'a [Key], hash: impl Fn(&Key) -> u32 + 'a) -> Contestant<'a> {
    let mut hashes = vec![0; KEYS];
    Contestant::new(name, move |_| {
        for (to, from) in hashes.iter_mut().zip(black_box(keys)) {
            *to = hash(from);
            // One after the other, as packets come, and not in one vector.
            black_box(to);
        }
        black_box(&mut hashes);
        KEYS
    })
}

fn ours(keys: &[Key]) -> Contestant<'_> {
    let secret = black_box(Keys::new(SEED));
    for &Key(key) in keys {
        let [addresses @ .., p0, p1, p2, p3, protocol, _, _, _] = key;
        assert_eq!(secret.key(key), secret.ipv4(addresses, protocol, [p0, p1, p2, p3]), "one hash");
    }
    hashing("encap", keys, move |Key(key)| secret.key(*key))
}

fn rival<'a>(name: &str, keys: &'a [Key], state: impl BuildHasher + 'a) -> Contestant<'a> {
    let state = black_box(state);
    hashing(name, keys, move |Key(key)| {
        let mut hasher = state.build_hasher();
        let [addresses, rest] = halves(*key);
        hasher.write_u64(addresses);
        hasher.write_u64(rest);
        hasher.finish() as u32
    })
}

#[cfg(dpdk)]
fn jhash(keys: &[Key]) -> Contestant<'_> {
    let mut hashes = vec![0; KEYS];
    let seed = black_box(SEED as u32);
    Contestant::new("rte_jhash", move |_| {
        crate::ffi::dpdk::jhash(black_box(keys), seed, &mut hashes);
        black_box(&mut hashes);
        KEYS
    })
}
