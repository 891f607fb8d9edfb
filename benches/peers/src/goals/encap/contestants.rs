//! Who takes part in encapsulation, and what each does with a burst.

use std::{cell::RefCell, hint::black_box};

use encap::{
    Packet,
    tunnel::{EncapError, EncapMeta, Remote, vxlan},
};

use super::{Encap, Settings};
use crate::{
    ffi,
    flow::Keys,
    measure::Contestant,
    traffic::{BURST, Buffer, Frames, HEADROOM, LOCAL, OVERHEAD, PORTS, SEED, Step, plan_of},
};

/// What others know of the endpoint, from memory.
pub fn settings() -> Settings {
    black_box(Settings { keys: Keys::new(SEED), ports: PORTS, port: 4789, local: LOCAL, max: 65_535 - 36 })
}

/// Bursts of frames and where they go.
pub struct Burst<'a> {
    frames: &'a Frames,
    plans: &'a [Vec<Step>],
    tunnel: &'a vxlan::Endpoint,
    ours: Vec<Vec<(&'a Remote, EncapMeta)>>,
    given: bool,
}

/// A rival in Rust.
pub struct Rust<'a, E>(pub &'a E);

/// Bursts of a slice of work: so many that the clock does not matter.
fn bursts(frames: usize) -> usize {
    (64 * BURST / frames).max(1)
}

impl<'a> Burst<'a> {
    pub fn new(
        frames: &'a Frames,
        plans: &'a [Vec<Step>],
        tunnel: &'a vxlan::Endpoint,
        remotes: &'a [Remote],
        given: bool,
    ) -> Self {
        let ours = plans.iter().map(|steps| plan_of(steps, remotes, given)).collect();
        Self { frames, plans, tunnel, ours, given }
    }

    /// The crate, by its batches or one packet at a time.
    pub fn ours(&self, batch: bool) -> Contestant<'_> {
        let mut packets = self.frames.packets();
        let name = if batch { "encap" } else { "encap; one at a time" };
        Contestant::new(name, move |slice| {
            let mut results = [const { Ok(()) }; BURST];
            for at in 0..bursts(packets.len()) {
                let plan = &self.ours[(slice + at) % self.ours.len()];
                for (packets, plan) in packets.chunks_mut(BURST).zip(plan.chunks(BURST)) {
                    if batch {
                        self.tunnel.encap_batch(packets, plan, &mut results);
                    } else {
                        self.one_by_one(packets, plan, &mut results);
                    }
                    black_box(&mut results);
                    // Back to the frame, for the next time.
                    packets.iter_mut().for_each(|packet| packet.strip(OVERHEAD).unwrap());
                }
            }
            bursts(packets.len()) * packets.len()
        })
    }

    fn one_by_one(
        &self,
        packets: &mut [Packet<'_>],
        plan: &[(&Remote, EncapMeta)],
        results: &mut [Result<(), EncapError>],
    ) {
        for ((packet, (remote, meta)), result) in packets.iter_mut().zip(plan).zip(results) {
            *result = self.tunnel.encap_with(packet, remote, meta);
        }
    }

    /// What must come out for the packet at this place of a plan.
    fn expected(&self, plan: usize, at: usize) -> Vec<u8> {
        let mut buffer = self.frames.buffers[at];
        let mut packet = Packet::new(&mut buffer.0, HEADROOM, self.frames.lens[at]).unwrap();
        let (remote, meta) = &self.ours[plan][at];
        self.tunnel.encap_with(&mut packet, remote, meta).unwrap();
        packet.as_slice().to_vec()
    }

    /// A rival, one packet after the other, which is all it can.
    pub fn rival<'b, E: Encap>(&'b self, rival: &Rust<'b, E>) -> Contestant<'b> {
        let rival = rival.0;
        let mut buffers = self.frames.buffers.clone();
        Contestant::new(rival.name(), move |slice| {
            let mut starts = [0; BURST];
            for at in 0..bursts(buffers.len()) {
                let plan = &self.plans[(slice + at) % self.plans.len()];
                let packets = buffers.iter_mut().zip(&self.frames.lens).zip(plan).zip(&mut starts);
                for (((buffer, &len), &step), start) in packets {
                    *start = rival.encap(&mut buffer.0, HEADROOM, len, step).unwrap_or(0);
                }
                black_box(&mut starts);
                black_box(&mut buffers);
            }
            bursts(buffers.len()) * buffers.len()
        })
    }

    /// Whether a rival makes the same packets.
    pub fn check<E: Encap>(&self, rival: &Rust<'_, E>) {
        for (number, steps) in self.plans.iter().enumerate() {
            for (at, &step) in steps.iter().enumerate() {
                let mut buffer = self.frames.buffers[at];
                let len = self.frames.lens[at];
                let start = rival.0.encap(&mut buffer.0, HEADROOM, len, step).unwrap();
                let made = &buffer.0[start..HEADROOM + len];
                assert_eq!(made, self.expected(number, at), "{} makes other packets", rival.0.name());
            }
        }
    }

    fn plans_of_c<'b>(&self, remotes: &'b [ffi::Remote]) -> Vec<Vec<ffi::Plan<'b>>> {
        let meta =
            |step: &Step| ffi::Meta { hash: step.hash, has_hash: self.given.into(), ..Default::default() };
        let plan = |step: &Step| ffi::Plan { remote: &remotes[step.remote], meta: meta(step) };
        self.plans.iter().map(|steps| steps.iter().map(plan).collect()).collect()
    }

    /// The same algorithm in C.
    pub fn twin<'b>(&'b self, remotes: &'b [ffi::Remote]) -> Contestant<'b> {
        let endpoint = twin_endpoint();
        let plans = self.plans_of_c(remotes);
        let mut packets = ffi::packets(self.frames, HEADROOM);
        Contestant::new("C twin", move |slice| {
            let mut results = [0; BURST];
            for at in 0..bursts(packets.len()) {
                let plan = &plans[(slice + at) % plans.len()];
                for (packets, plan) in packets.chunks_mut(BURST).zip(plan.chunks(BURST)) {
                    let made = ffi::twin_encap(&endpoint, packets, plan, &mut results);
                    assert_eq!(made, BURST);
                    packets.iter_mut().for_each(|packet| packet.head += OVERHEAD);
                }
            }
            bursts(packets.len()) * packets.len()
        })
    }

    pub fn check_twin(&self, remotes: &[ffi::Remote]) {
        let endpoint = twin_endpoint();
        for (number, plan) in self.plans_of_c(remotes).iter().enumerate() {
            let mut packets = ffi::packets(self.frames, HEADROOM);
            assert_eq!(ffi::twin_encap(&endpoint, &mut packets, plan, &mut [0; BURST]), BURST);
            for (at, packet) in packets.iter().enumerate() {
                assert_eq!(packet.bytes(), self.expected(number, at), "the C twin makes other packets");
            }
        }
    }

    /// As the example of DPDK does it.
    #[cfg(dpdk)]
    pub fn tep(&self, remotes: &[Remote]) -> Contestant<'_> {
        use encap::packet::Header;
        let tunnels: Vec<_> = remotes
            .iter()
            .map(|remote| {
                let mut bytes = [0; Remote::FACTS + encap::packet::MAX_OVERHEAD];
                let len = remote.to_bytes(&mut bytes).unwrap();
                let header = Header::new(&bytes[Remote::FACTS..len]).unwrap();
                ffi::dpdk::Tunnel {
                    ethernet_and_ip: header[..34].try_into().unwrap(),
                    vni: header[46..50].try_into().unwrap(),
                }
            })
            .collect();
        let tunnels: &'static [_] = tunnels.leak();
        let plan = |steps: &Vec<Step>| steps.iter().map(|step| &tunnels[step.remote]).collect::<Vec<_>>();
        let plans: Vec<_> = self.plans.iter().map(plan).collect();
        let mut packets = ffi::packets(self.frames, HEADROOM);
        Contestant::new("tep_termination style", move |slice| {
            for at in 0..bursts(packets.len()) {
                ffi::dpdk::tep_encap(&mut packets, &plans[(slice + at) % plans.len()]);
                packets.iter_mut().for_each(|packet| packet.head += OVERHEAD);
            }
            bursts(packets.len()) * packets.len()
        })
    }

    #[cfg(not(dpdk))]
    pub fn tep(&self, _: &[Remote]) -> Contestant<'_> {
        Contestant::new("tep_termination style", |_| 1)
    }
}

/// The endpoint of the twin, its settings as if from memory.
pub fn twin_endpoint() -> ffi::Endpoint {
    black_box(ffi::Endpoint {
        keys: Keys::new(SEED).0,
        local: u32::from_ne_bytes(LOCAL.octets()),
        port_min: PORTS.0,
        port_max: PORTS.1,
        port: 4789,
        ecn_mode: 0,
        varies: 0,
        udp_checksum: 0,
        group_policy: 0,
        fatal: u64::MAX,
        reserved_bits: 0,
    })
}

/// The roofline: as many bytes, from as many places, into the same headrooms.
pub fn copies<'a>(frames: &'a Frames, plans: &'a [Vec<Step>], remotes: &[Remote]) -> Contestant<'a> {
    copying("memcpy of 50 B", frames, plans, remotes, |_| 0)
}

/// The same for who has to look at the frame: at one more cache line, that is.
pub fn copies_and_looks<'a>(
    frames: &'a Frames,
    plans: &'a [Vec<Step>],
    remotes: &[Remote],
) -> Contestant<'a> {
    copying("memcpy, EtherType read", frames, plans, remotes, |buffer| {
        u16::from_ne_bytes([buffer.0[HEADROOM + 12], buffer.0[HEADROOM + 13]])
    })
}

fn copying<'a>(
    name: &str,
    frames: &'a Frames,
    plans: &'a [Vec<Step>],
    remotes: &[Remote],
    look: impl Fn(&Buffer) -> u16 + 'a,
) -> Contestant<'a> {
    let headers: Vec<[u8; 128]> = remotes
        .iter()
        .map(|remote| {
            let mut bytes = [0; 128];
            let _ = remote.to_bytes(&mut bytes);
            bytes
        })
        .collect();
    let headers = black_box(headers);
    let buffers: RefCell<Vec<Buffer>> = RefCell::new(frames.buffers.clone());
    Contestant::new(name, move |slice| {
        let mut buffers = buffers.borrow_mut();
        let mut seen = 0;
        for at in 0..bursts(buffers.len()) {
            let plan = &plans[(slice + at) % plans.len()];
            for (buffer, step) in buffers.iter_mut().zip(plan) {
                let header: &[u8; OVERHEAD] = headers[step.remote].first_chunk().unwrap();
                *buffer.0[HEADROOM - OVERHEAD..].first_chunk_mut().unwrap() = *header;
                seen |= look(buffer);
            }
            black_box((&mut *buffers, seen));
        }
        bursts(buffers.len()) * buffers.len()
    })
}

/// The flow hash of a frame of our traffic, read by hand.
pub fn flow_of(frame: &[u8], keys: &Keys) -> u32 {
    let four = |at: usize| frame.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; 4]);
    let ports = |protocol: u8, at: usize| if matches!(protocol, 6 | 17) { four(at) } else { [0; 4] };
    match frame[12..14] {
        [8, 0] => keys.ipv4(frame[26..34].try_into().unwrap(), frame[23], ports(frame[23], 34)),
        [0x86, 0xdd] => keys.ipv6(
            frame[22..38].try_into().unwrap(),
            frame[38..54].try_into().unwrap(),
            frame[20],
            ports(frame[20], 54),
        ),
        _ => keys.ethernet(*frame.first_chunk().unwrap()),
    }
}
