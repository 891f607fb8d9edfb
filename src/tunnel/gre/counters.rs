//! What a tunnel counts: the counters of a network device that Linux's GRE keeps.

use crate::tunnel::{Counts, DropReason, EncapError};

/// Counters of a tunnel, named as Linux's, which count what Linux's do. What Linux drops without counting, such as a
/// broken GRE header or a wrong checksum, is in [`drops`](Self::drops) alone, as everything that was dropped is; a
/// packet of another tunnel is nowhere.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Counters {
    /// Packets delivered.
    pub rx_packets: u64,
    /// Their bytes, without outer headers.
    pub rx_bytes: u64,
    /// Those of them that were sent to a multicast group.
    pub multicast: u64,
    /// Packets of this tunnel that were dropped and that Linux counts: for all reasons below and for
    /// [`DropReason::InnerLoop`].
    pub rx_errors: u64,
    /// With or without a checksum against what the tunnel wants: [`DropReason::GreChecksumFlag`].
    pub rx_crc_errors: u64,
    /// Out of sequence: [`DropReason::GreSequence`] and [`DropReason::GreSequenceMissing`].
    pub rx_fifo_errors: u64,
    /// Without a whole inner header: [`DropReason::InnerTruncated`].
    pub rx_length_errors: u64,
    /// Marked by a router for a transport that does not understand it: [`DropReason::InnerEcn`].
    pub rx_frame_errors: u64,
    /// Keepalives received, the remote's and our own.
    pub rx_keepalives: u64,
    drops: Counts<DropReason, { DropReason::ALL.len() }>,
    /// Packets encapsulated.
    pub tx_packets: u64,
    /// Their bytes, without outer headers.
    pub tx_bytes: u64,
    /// Packets and keepalives that were refused, for whatever reason.
    pub tx_errors: u64,
    /// Those without a way to go: [`EncapError::NoDestination`].
    pub tx_carrier_errors: u64,
    /// Those that would run in circles: [`EncapError::Loop`].
    pub collisions: u64,
}

impl Counters {
    /// How often a packet was dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.of(reason)
    }

    /// Every reason that occurred, in the order of the checks, with its count.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        self.drops.iter()
    }

    #[inline]
    pub(super) const fn delivered(&mut self, bytes: usize, is_multicast: bool) {
        count(&mut self.rx_packets, 1);
        count(&mut self.rx_bytes, bytes as u64);
        count(&mut self.multicast, is_multicast as u64);
    }

    /// A packet of this tunnel was dropped.
    pub(super) fn drop(&mut self, reason: DropReason) {
        self.drops.add(reason, 1);
        let counter = match reason {
            DropReason::GreChecksumFlag => &mut self.rx_crc_errors,
            DropReason::GreSequence | DropReason::GreSequenceMissing => &mut self.rx_fifo_errors,
            DropReason::InnerTruncated => &mut self.rx_length_errors,
            DropReason::InnerEcn => &mut self.rx_frame_errors,
            DropReason::InnerLoop => return count(&mut self.rx_errors, 1),
            _ => return,
        };
        count(counter, 1);
        count(&mut self.rx_errors, 1);
    }

    pub(super) const fn keepalive(&mut self) {
        count(&mut self.rx_keepalives, 1);
    }

    #[inline]
    pub(super) const fn sent(&mut self, bytes: usize) {
        count(&mut self.tx_packets, 1);
        count(&mut self.tx_bytes, bytes as u64);
    }

    pub(super) const fn refused(&mut self, error: &EncapError) {
        count(&mut self.tx_errors, 1);
        match error {
            EncapError::NoDestination => count(&mut self.tx_carrier_errors, 1),
            EncapError::Loop => count(&mut self.collisions, 1),
            _ => {}
        }
    }
}

/// Counters wrap.
#[inline]
const fn count(counter: &mut u64, n: u64) {
    *counter = counter.wrapping_add(n);
}
