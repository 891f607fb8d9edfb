//! A remote as packets need it: its record copied out in one go, read where it lies.

use core::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::Ordering::{Acquire, Relaxed},
};

use super::{
    super::{
        RemoteId,
        line::{Line, fence},
    },
    HAS_MAC, HAS_VNI, RECORD_WORDS, Remotes,
    slot::{LOCK, is_alive},
};
use crate::wire::{MacAddr, Vni};

/// The words of a record, in this machine's byte order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw {
    bytes: [u8; LEN],
}

/// Bytes of the longest record that is read this way.
const LEN: usize = LINES * size_of::<Line>();
const LINES: usize = 3;

impl Remotes<'_> {
    /// Copies the record of a remote; `None` where it was removed.
    // Whole lines, so that the compiler sees how much that is: each word is one load and one store.
    #[inline(always)]
    pub(crate) fn read_raw(&self, id: RemoteId, raw: &mut Raw) -> Option<()> {
        let state = self.states.get(id.0.index())?;
        for _ in 0..RETRIES {
            let before = state.load(Acquire);
            if !is_alive(before, id.0) {
                return None;
            }
            let first = self.record_start(id.0.index(), before) / Line::WORDS;
            let lines = self.records.0.get(first..first.wrapping_add(self.stride / Line::WORDS))?;
            for (line, to) in lines.iter().zip(raw.bytes.chunks_exact_mut(size_of::<Line>())) {
                for (index, to) in to.chunks_exact_mut(4).enumerate() {
                    to.copy_from_slice(&line.word(index).load(Relaxed).to_ne_bytes());
                }
            }
            fence(Acquire);
            if (state.load(Relaxed) ^ before) & !LOCK == 0 {
                return Some(());
            }
        }
        None
    }
}

impl Raw {
    pub(crate) const EMPTY: Self = Self { bytes: [0; LEN] };

    #[inline(always)]
    fn word<const AT: usize>(&self) -> u32 {
        const { assert!(AT < RECORD_WORDS) };
        self.bytes.get(4 * AT..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_ne_bytes(*word))
    }

    #[inline(always)]
    pub(crate) fn address(&self) -> IpAddr {
        let [a, b, c, d] = [self.word::<1>(), self.word::<2>(), self.word::<3>(), self.word::<4>()];
        match self.word::<0>() & 0xff {
            6 => IpAddr::V6(super::address(a, b, c, d)),
            _ => IpAddr::V4(Ipv4Addr::from_bits(a)),
        }
    }

    #[inline(always)]
    pub(crate) fn port(&self) -> u16 {
        self.word::<5>() as u16
    }

    #[inline(always)]
    pub(crate) fn vni(&self) -> Option<Vni> {
        let vni = self.word::<6>();
        (vni & HAS_VNI != 0).then_some(Vni::truncate(vni))
    }

    #[inline(always)]
    pub(crate) fn egress(&self) -> u32 {
        self.word::<7>()
    }

    #[inline(always)]
    pub(crate) fn next_hop(&self) -> Option<MacAddr> {
        let (high, low) = (self.word::<8>(), self.word::<9>());
        let ([a, b, c, d], [_, _, e, f]) = (high.to_be_bytes(), low.to_be_bytes());
        (low & HAS_MAC != 0).then_some(MacAddr([a, b, c, d, e, f]))
    }

    #[inline(always)]
    pub(crate) fn mtu(&self) -> u16 {
        (self.word::<0>() >> 16) as u16
    }

    /// The prebuilt outer headers.
    #[inline(always)]
    pub(crate) fn header(&self) -> &[u8] {
        let len = (self.word::<0>() >> 8 & 0xff) as usize;
        self.bytes.get(HEADER..HEADER.wrapping_add(len)).unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn header_mut(&mut self) -> &mut [u8] {
        let len = (self.word::<0>() >> 8 & 0xff) as usize;
        self.bytes.get_mut(HEADER..HEADER.wrapping_add(len)).unwrap_or_default()
    }
}

/// Where the outer headers start.
const HEADER: usize = RECORD_WORDS * 4;

/// How often a reader reads a record that changes.
const RETRIES: usize = 8;
