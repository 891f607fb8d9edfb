//! A burst of frames that local hosts send: the tables are asked for all of them together, and a remote's headers for the
//! next one while this one is put behind its own.
//!
//! One at a time, each frame would wait for memory by itself, and for its remote's headers to come out of the
//! processor's store buffer, where a copy of them in small pieces cannot be read in large ones.

use super::{Engine, Output, OverlayMeta, Worker};
use crate::{
    packet::Packet,
    table::{Destination, Lookup, Raw, RemoteId},
    time::Instant,
    wire::{MacAddr, Vni},
};

impl Engine<'_> {
    pub(super) fn overlay_burst(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[OverlayMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        let bursts = metas.chunks(BURST).zip(packets.chunks_mut(BURST)).zip(outputs.chunks_mut(BURST));
        bursts.fold(0, |done, ((metas, packets), outputs)| {
            done.saturating_add(self.overlay_some(worker, now, metas, packets, outputs))
        })
    }

    /// At most [`BURST`] frames.
    fn overlay_some(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[OverlayMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        let count = metas.len().min(packets.len()).min(outputs.len()).min(BURST);
        // The plain ones among them, and where each is asked for.
        let mut keys = [(Vni::default(), MacAddr::ZERO); BURST];
        let mut places = [BURST; BURST];
        let mut asked = 0usize;
        for ((meta, packet), place) in metas.iter().zip(&*packets).zip(&mut places) {
            if let (Some(mac), Some(key)) = (self.plain_mac(meta, packet.as_slice()), keys.get_mut(asked)) {
                (*key, *place) = ((meta.vni, mac), asked);
                asked = asked.wrapping_add(1);
            }
        }
        let mut found = [Lookup::Unknown; BURST];
        self.fdb.lookup_batch(now, keys.get(..asked).unwrap_or_default(), &mut found);
        let remote = |at: usize| match places.get(at).and_then(|&place| found.get(place)) {
            Some(&Lookup::Found(Destination::Remote(remote))) => Some(remote),
            _ => None,
        };

        let [mut even, mut odd] = [Raw::EMPTY; 2];
        let mut read = self.read_next(remote(0), &mut even);
        for (at, ((meta, packet), output)) in (0..BURST).zip(metas.iter().zip(packets).zip(outputs)) {
            let (this, next) = if at % 2 == 0 { (&mut even, &mut odd) } else { (&mut odd, &mut even) };
            let this_read = core::mem::replace(&mut read, self.read_next(remote(at.wrapping_add(1)), next));
            *output = match this_read {
                Some(remote) => {
                    let sent = self.send_read(worker, now, meta, remote, this, packet);
                    sent.unwrap_or_else(|reason| self.refuse(worker, meta.vni, reason))
                }
                None => self.overlay(worker, now, meta, packet),
            };
        }
        count
    }

    /// Reads the record of the next frame's remote, if it has one.
    #[inline(always)]
    fn read_next(&self, remote: Option<RemoteId>, raw: &mut Raw) -> Option<RemoteId> {
        let remote = remote?;
        self.fdb.remotes.read_raw(remote, raw).map(|()| remote)
    }
}

/// Frames that wait for memory together.
const BURST: usize = 32;
