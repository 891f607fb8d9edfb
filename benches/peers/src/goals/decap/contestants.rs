//! Who takes part in decapsulation, and what each does with a burst.

use std::hint::black_box;

use encap::{
    Packet,
    tunnel::{DecapMeta, DropReason, Inner, vxlan},
    wire::Vni,
};

use super::{Decap, Opened, restore};
use crate::{
    ffi::{self, KNOWN},
    goals::encap::twin_endpoint,
    measure::Contestant,
    traffic::{BURST, Buffer, Frames, HEADROOM, LOCAL, OVERHEAD, REMOTES, VNI, address, endpoint},
};

/// A burst of packets that arrived, of as many VNIs as there are packets of all that are known.
pub struct Received<'a> {
    pub tunnel: &'a vxlan::Endpoint,
    /// The packets, as frames that start before the headroom's end.
    pub packets: Frames,
    pub known: Box<[u64; KNOWN]>,
}

/// A rival in Rust.
pub struct Rust<'a, D>(pub &'a D);

/// Where a packet starts.
pub const START: usize = HEADROOM - OVERHEAD;

/// The VNI of the packet at a place in the burst: any of those that are known.
fn vni_of(at: usize) -> Vni {
    Vni::truncate(VNI + (at * 37 % REMOTES) as u32)
}

impl<'a> Received<'a> {
    pub fn new(frames: &Frames, tunnel: &'a vxlan::Endpoint) -> Self {
        let mut packets = frames.clone();
        for (at, (buffer, len)) in packets.buffers.iter_mut().zip(&mut packets.lens).enumerate() {
            let sender = endpoint(address(at));
            let remote = sender.remote(LOCAL.into(), vni_of(at)).unwrap();
            let mut packet = Packet::new(&mut buffer.0, HEADROOM, *len).unwrap();
            sender.encap(&mut packet, &remote).unwrap();
            *len += OVERHEAD;
        }
        let mut known = vec![0; KNOWN].into_boxed_slice();
        for vni in VNI..VNI + REMOTES as u32 {
            known[vni as usize / 64] |= 1 << (vni % 64);
        }
        let known = black_box(known.try_into().unwrap());
        Self { tunnel, packets, known }
    }

    /// The packets, to be decapsulated again and again.
    fn arrivals(&self) -> Vec<Packet<'static>> {
        let buffers = self.packets.buffers.clone().leak().iter_mut().zip(&self.packets.lens);
        buffers.map(|(buffer, &len)| Packet::new(&mut buffer.0, START, len).unwrap()).collect()
    }

    #[inline(always)]
    fn knows(&self, vni: u32) -> bool {
        self.known[vni as usize % (64 * KNOWN) / 64] >> (vni % 64) & 1 == 1
    }

    /// The crate, by batches.
    pub fn ours(&self) -> Contestant<'_> {
        let mut packets = self.arrivals();
        let metas = black_box([DecapMeta::new(); BURST]);
        let mut results = [Err(DropReason::TooDeep); BURST];
        Contestant::new("encap", move |_| {
            for _ in 0..BURST {
                self.tunnel.decap_batch(&mut packets, &metas, &mut results);
                assert_eq!(self.taken(&results), BURST);
                packets.iter_mut().for_each(|packet| restore(packet, OVERHEAD));
            }
            BURST * BURST
        })
    }

    #[inline(always)]
    fn taken(&self, results: &[Result<Inner, DropReason>]) -> usize {
        let vni = |inner: &Inner| inner.encapsulation.vni().map(Vni::value);
        let taken = |result: &&Result<Inner, DropReason>| {
            result.as_ref().ok().and_then(vni).is_some_and(|vni| self.knows(vni))
        };
        results.iter().filter(taken).count()
    }

    /// The crate, one packet at a time; what came out is kept as well.
    pub fn one_by_one(&self) -> Contestant<'_> {
        let mut packets = self.arrivals();
        Contestant::new("encap; one at a time", move |_| {
            for _ in 0..BURST {
                let mut taken = 0;
                for packet in &mut packets {
                    let inner = self.tunnel.decap(packet);
                    taken += self.taken(std::slice::from_ref(&inner));
                    restore(packet, OVERHEAD);
                }
                assert_eq!(taken, BURST);
            }
            BURST * BURST
        })
    }

    /// The same algorithm in C.
    pub fn twin(&self) -> Contestant<'_> {
        let endpoint = twin_endpoint();
        let mut packets = ffi::packets(&self.packets, START);
        let metas = black_box([ffi::Known::default(); BURST]);
        let mut results = [ffi::Inner::default(); BURST];
        Contestant::new("C twin", move |_| {
            for _ in 0..BURST {
                let taken = ffi::twin_decap(&endpoint, &mut packets, &metas, &mut results, &self.known);
                assert_eq!(taken, BURST);
                packets.iter_mut().for_each(|packet| packet.head -= OVERHEAD);
            }
            BURST * BURST
        })
    }

    pub fn rival<'b, D: Decap>(&'b self, rival: &Rust<'b, D>) -> Contestant<'b> {
        let rival = rival.0;
        let mut buffers = self.packets.buffers.clone();
        Contestant::new(rival.name(), move |_| {
            let mut results = [None; BURST];
            for _ in 0..BURST {
                let packets = buffers.iter_mut().zip(&self.packets.lens).zip(&mut results);
                for ((buffer, &len), result) in packets {
                    *result = strip(rival, &mut buffer.0[START..START + len]);
                }
                let known = |opened: &Option<Opened>| opened.is_some_and(|opened| self.knows(opened.vni));
                assert_eq!(results.iter().filter(|opened| known(opened)).count(), BURST);
                black_box(&mut results);
            }
            BURST * BURST
        })
    }

    #[cfg(dpdk)]
    pub fn tep(&self) -> Contestant<'_> {
        let mut packets = ffi::packets(&self.packets, START);
        Contestant::new("tep_termination style", move |_| {
            let mut vnis = [0; BURST];
            for _ in 0..BURST {
                assert_eq!(ffi::dpdk::tep_decap(&mut packets, &mut vnis), BURST);
                black_box(&mut vnis);
                packets.iter_mut().for_each(|packet| packet.head -= OVERHEAD);
            }
            BURST * BURST
        })
    }

    #[cfg(not(dpdk))]
    pub fn tep(&self) -> Contestant<'_> {
        Contestant::new("tep_termination style", |_| 1)
    }
}

/// Opens a packet, and gives the inner frame its ECN by RFC 6040, which no rival knows of.
#[inline(always)]
pub fn strip<D: Decap>(rival: &D, packet: &mut [u8]) -> Option<Opened> {
    let opened = rival.open(packet)?;
    let frame = packet.get_mut(opened.start..opened.end)?;
    let (link, ip) = frame.split_first_chunk_mut::<14>()?;
    let (v4, ds) = match [link[12], link[13]] {
        [8, 0] => {
            let ip: &[u8; 20] = ip.first_chunk()?;
            (true, (ip[0] >> 4 == 4).then_some(ip[1]))
        }
        [0x86, 0xdd] => {
            let ip: &[u8; 40] = ip.first_chunk()?;
            (false, (ip[0] >> 4 == 6).then_some(ip[1] >> 4))
        }
        // No tags (RFC 7348, section 6.1).
        [0x81, 0] | [0x88, 0xa8] | [0x91, 0] => return None,
        _ => (false, None),
    };
    if let Some(inner) = ds.map(|ds| ds & 3) {
        let ecn = match (inner, opened.ecn) {
            (0, 3) => return None,
            (_, 3) => 3,
            (2, 1) => 1,
            _ => inner,
        };
        if ecn != inner {
            mark(v4, ip, ecn);
        }
    }
    Some(opened)
}

#[cold]
fn mark(v4: bool, ip: &mut [u8], ecn: u8) {
    let bits = encap::wire::Ecn::from_ds_field(ecn);
    if v4 {
        encap::wire::ipv4::set_ecn(ip.first_chunk_mut().unwrap(), bits);
    } else {
        encap::wire::ipv6::set_ecn(ip.first_chunk_mut().unwrap(), bits);
    }
}

/// The roofline: as many bytes as the headers have, read into a place of their own.
pub fn copies(frames: &Frames) -> Contestant<'static> {
    let buffers: Vec<Buffer> = frames.buffers.clone();
    let mut headers = vec![[0; OVERHEAD]; BURST];
    Contestant::new("memcpy of 50 B", move |_| {
        for _ in 0..BURST {
            for (buffer, header) in buffers.iter().zip(&mut headers) {
                *header = *buffer.0[START..].first_chunk().unwrap();
            }
            black_box(&mut headers);
        }
        BURST * BURST
    })
}
