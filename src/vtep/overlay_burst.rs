//! A burst of frames that local hosts send: the tables are asked for all of them together, so that the processor waits
//! for memory once and not for each frame by itself.

use super::{
    Engine, Output, OverlayMeta, Proxy, Worker, arp_proxy,
    straight::{Kind, Straight},
};
use crate::{
    packet::Packet,
    table::{Destination, Lookup, Record},
    time::Instant,
    tunnel::{Look, Plain, USUAL, USUAL_FRAME, USUAL_V6, USUAL_V6_FRAME},
    wire::{MacAddr, Vni},
};

impl<'t> Engine<'t> {
    /// A burst of frames that local hosts send: each with the knowledge that stands at its place in `metas`, and
    /// the decision at its place in `outputs`. Returns how many were handled: as many as the shortest has.
    pub fn handle_overlay_batch(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[OverlayMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        let bursts = metas.chunks(BURST).zip(packets.chunks_mut(BURST)).zip(outputs.chunks_mut(BURST));
        let mut burst = Burst::new();
        bursts.fold(0, |done, ((metas, packets), outputs)| {
            done.saturating_add(self.overlay_some(&mut burst, worker, now, metas, packets, outputs))
        })
    }

    /// At most [`BURST`] frames.
    fn overlay_some(
        &self,
        burst: &mut Burst<'t>,
        worker: &mut Worker,
        now: Instant,
        metas: &[OverlayMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        let count = metas.len().min(packets.len()).min(outputs.len()).min(BURST);
        // All three of one length, so that it is compared once and not for each frame.
        let (Some(metas), Some(packets), Some(outputs)) =
            (metas.get(..count), packets.get_mut(..count), outputs.get_mut(..count))
        else {
            return 0;
        };
        match &self.straight {
            Some(straight) => {
                self.look_at_all(burst, metas, packets, |meta, frame, kind, to| {
                    straight.look(meta, frame, kind, to)
                });
            }
            None => self.look_at_all(burst, metas, packets, |_, _, _, _| Some(())),
        }
        // Several frames that are not plain: questions for the proxy may be among them.
        if count.saturating_sub(burst.plain) > FEW && self.config.proxy != Proxy::Off {
            arp_proxy::look_ahead(self, metas, packets);
        }
        let keys = burst.keys.get(..burst.plain).unwrap_or_default();
        self.fdb.lookup_batch(now, keys, &mut burst.found);
        match self.straight.as_ref().map(|straight| (straight, straight.kind)) {
            Some((straight, Kind::Ipv4)) => {
                self.send_all::<USUAL, 0>(worker, straight, burst, metas, packets, outputs);
            }
            Some((straight, Kind::Ipv4Frame)) => {
                self.send_all::<USUAL_FRAME, 0>(worker, straight, burst, metas, packets, outputs);
            }
            Some((straight, Kind::Any)) => {
                self.send_all::<USUAL, USUAL_V6>(worker, straight, burst, metas, packets, outputs);
            }
            Some((straight, Kind::AnyFrame)) => {
                self.send_all::<USUAL_FRAME, USUAL_V6_FRAME>(
                    worker, straight, burst, metas, packets, outputs,
                );
            }
            None => burst.left = u32::MAX,
        }
        let mut left = burst.left;
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            let (Some(meta), Some(packet), Some(output)) =
                (metas.get(at), packets.get_mut(at), outputs.get_mut(at))
            else {
                break;
            };
            self.overlay_to(worker, now, meta, packet, output);
        }
        count
    }

    /// Finds the plain ones among the frames, and has `look` note what their outer headers take from them.
    #[inline(never)]
    fn look_at_all(
        &self,
        burst: &mut Burst<'_>,
        metas: &[OverlayMeta],
        packets: &[Packet<'_>],
        look: impl Fn(&OverlayMeta, &[u8], Plain, &mut Look) -> Option<()>,
    ) {
        let mut plain = 0usize;
        burst.left = 0;
        for (at, (meta, packet)) in (0..BURST).zip(metas.iter().zip(packets)) {
            let mut is_plain = || {
                let frame = packet.bytes()?;
                let (mac, kind) = self.plain(meta, frame)?;
                let (Some(key), Some(to), Some(place)) =
                    (burst.keys.get_mut(plain), burst.looks.get_mut(plain), burst.places.get_mut(plain))
                else {
                    return None;
                };
                (*key, *place) = ((meta.vni, mac), at as u8);
                look(meta, frame, kind, to)
            };
            match is_plain() {
                Some(()) => plain = plain.wrapping_add(1),
                None => burst.left |= bit(at),
            }
        }
        burst.plain = plain;
    }

    /// Sends the frames that go straight.
    // In two loops, so that the processor fetches what the table keeps of all the remotes at the same time.
    #[inline(always)]
    fn send_all<const V4: usize, const V6: usize>(
        &self,
        worker: &mut Worker,
        straight: &Straight<'_>,
        burst: &mut Burst<'t>,
        metas: &[OverlayMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) {
        self.find_all::<V4, V6>(straight, burst);
        let bytes = self.encap_all::<V4, V6>(straight, burst, metas, &mut *packets, &mut *outputs);
        let sent = (metas.len() as u64).wrapping_sub(burst.left.count_ones().into());
        worker.counters.sent(sent, bytes);
        if worker.slot.is_some() {
            for (at, (meta, (packet, output))) in
                (0..BURST).zip(metas.iter().zip(packets.iter().zip(outputs)))
            {
                if let (0, &Output::Send { outer, .. }) = (burst.left & bit(at), &*output) {
                    self.tally_sent(worker, meta.vni, packet.len().wrapping_sub(outer.into()) as u64);
                }
            }
        }
    }

    /// Finds the remotes of the frames that go straight.
    #[inline(never)]
    fn find_all<const V4: usize, const V6: usize>(&self, straight: &Straight<'_>, burst: &mut Burst<'t>) {
        let records = burst.records.get_mut(..burst.plain).unwrap_or_default();
        for ((record, found), look) in records.iter_mut().zip(&burst.found).zip(&burst.looks) {
            *record = match found {
                &Lookup::Found(Destination::Remote(remote)) => {
                    self.find_straight::<V4, V6>(straight, look, remote)
                }
                _ => None,
            };
        }
    }

    /// Sends those whose remotes were found; answers how many bytes they had.
    #[inline(never)]
    fn encap_all<const V4: usize, const V6: usize>(
        &self,
        straight: &Straight<'_>,
        burst: &mut Burst<'_>,
        metas: &[OverlayMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> u64 {
        let mut bytes = 0u64;
        let count = metas.len();
        let (Some(packets), Some(outputs)) = (packets.get_mut(..count), outputs.get_mut(..count)) else {
            return 0;
        };
        let Burst { plain, ref places, ref records, ref looks, .. } = *burst;
        let (Some(places), Some(records), Some(looks)) =
            (places.get(..plain), records.get(..plain), looks.get(..plain))
        else {
            return 0;
        };
        for ((&at, record), look) in places.iter().zip(records).zip(looks) {
            let at = usize::from(at);
            let (Some(meta), Some(packet), Some(output)) =
                (metas.get(at), packets.get_mut(at), outputs.get_mut(at))
            else {
                break;
            };
            let sent = record.as_ref().and_then(|to| straight.send::<V4, V6>(meta, look, to, packet, output));
            match sent {
                Some(len) => bytes = bytes.wrapping_add(len as u64),
                None => burst.left |= bit(at),
            }
        }
        bytes
    }
}

/// What is known of the frames of a burst: a list for each step, so that clearing them takes few and wide stores.
struct Burst<'t> {
    /// How many frames are plain: as many places of each list below are in use.
    plain: usize,
    keys: [(Vni, MacAddr); BURST],
    found: [Lookup; BURST],
    looks: [Look; BURST],
    /// Which frames they are.
    places: [u8; BURST],
    /// Remotes of those that go straight.
    records: [Option<Record<'t>>; BURST],
    /// Frames that do not go straight: a bit for each.
    left: u32,
}

impl Burst<'_> {
    fn new() -> Self {
        Self {
            plain: 0,
            keys: [(Vni::default(), MacAddr::ZERO); BURST],
            found: [Lookup::Unknown; BURST],
            looks: [Look::default(); BURST],
            places: [0; BURST],
            records: [None; BURST],
            left: 0,
        }
    }
}

/// The bit of a frame.
const fn bit(at: usize) -> u32 {
    1u32.wrapping_shl(at as u32)
}

/// Decides for each packet of a burst; answers how many that were.
#[inline(always)]
pub(super) fn each<M>(
    metas: &[M],
    packets: &mut [Packet<'_>],
    outputs: &mut [Output],
    mut decide: impl FnMut(&M, &mut Packet<'_>) -> Output,
) -> usize {
    let burst = metas.iter().zip(packets).zip(outputs);
    burst.fold(0, |done, ((meta, packet), output)| {
        *output = decide(meta, packet);
        done.saturating_add(1)
    })
}

/// Up to so many questions are not worth looking ahead for.
const FEW: usize = 3;

/// Frames, or packets, that wait for memory together.
pub(super) const BURST: usize = 32;
