//! A burst of frames that local hosts send: the tables are asked for all of them together, so that the processor waits
//! for memory once and not for each frame by itself.

use super::{Engine, Output, OverlayMeta, Proxy, Worker, arp_proxy};
use crate::{
    packet::Packet,
    table::{Destination, Lookup},
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
        // Where there are several others, questions may be among them.
        if count.saturating_sub(asked) > FEW && self.config.proxy != Proxy::Off {
            arp_proxy::look_ahead(self, metas, packets);
        }
        let mut found = [Lookup::Unknown; BURST];
        self.fdb.lookup_batch(now, keys.get(..asked).unwrap_or_default(), &mut found);
        let remote = |at: usize| match places.get(at).and_then(|&place| found.get(place)) {
            Some(&Lookup::Found(Destination::Remote(remote))) => Some(remote),
            _ => None,
        };

        // Counted at the end, all together; in segments, where that is wanted, one by one.
        let [mut sent, mut bytes] = [0u64; 2];
        for (at, ((meta, packet), output)) in (0..BURST).zip(metas.iter().zip(packets).zip(outputs)) {
            let len = packet.len() as u64;
            match remote(at).and_then(|remote| self.send_straight(meta, remote, packet)) {
                Some(done) => {
                    *output = done;
                    (sent, bytes) = (sent.wrapping_add(1), bytes.wrapping_add(len));
                    if worker.slot.is_some() {
                        self.tally_sent(worker, meta.vni, len);
                    }
                }
                None => self.overlay_to(worker, now, meta, packet, output),
            }
        }
        worker.counters.sent = worker.counters.sent.wrapping_add(sent);
        worker.counters.sent_bytes = worker.counters.sent_bytes.wrapping_add(bytes);
        count
    }
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

/// As many frames wait for memory by themselves.
const FEW: usize = 3;

/// Frames that wait for memory together.
pub(super) const BURST: usize = 32;
