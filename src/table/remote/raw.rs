//! A remote as packets need it: its record copied out in one go, or read where it lies.

use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::Ordering::{Acquire, Relaxed},
};

use super::{
    super::{
        RemoteId,
        address::{of_words, v6_of_words, v6_to_words},
        line::{AtomicU32, Line, fence},
    },
    HAS_MAC, HAS_VNI, QUOTA, Quota, RECORD_WORDS, Remotes, quota_of,
    slot::{CONFIGURED, LOCK, is_alive, is_whole},
    table::{RETRIES, pause},
};
use crate::wire::{MacAddr, Vni};

/// The words of a record, in this machine's byte order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw {
    bytes: [u8; LEN],
}

/// Bytes of the longest record that is read this way.
const LEN: usize = LINES * LINE;
const LINES: usize = 3;
const LINE: usize = 4 * Line::WORDS;

impl Remotes<'_> {
    /// Copies the record of a remote; `None` where it was removed.
    // Whole lines, so that the compiler sees how much that is: each word is one load and one store.
    #[inline(always)]
    pub(crate) fn read_raw(&self, id: RemoteId, raw: &mut Raw) -> Option<()> {
        let state = self.states.get(id.0.index())?;
        for tried in 0..RETRIES {
            let before = state.load(Acquire);
            if !is_alive(before, id.0) {
                return None;
            }
            let first = self.record_start(id.0.index(), before) / Line::WORDS;
            let lines = self.records.0.get(first..first.wrapping_add(self.stride / Line::WORDS))?;
            for (line, to) in lines.iter().zip(raw.bytes.chunks_exact_mut(LINE)) {
                for (index, to) in to.chunks_exact_mut(4).enumerate() {
                    to.copy_from_slice(&line.word(index).load(Relaxed).to_ne_bytes());
                }
            }
            fence(Acquire);
            if is_whole(before, state.load(Relaxed)) {
                return Some(());
            }
            pause(tried);
        }
        None
    }
}

impl Remotes<'_> {
    /// Whether a remote is at this address; the egress counts where that is link-local. Not where it is changing just
    /// now.
    #[inline(always)]
    pub(crate) fn is_at(&self, id: RemoteId, address: IpAddr, egress: u32) -> bool {
        let Some(state) = self.states.get(id.0.index()) else { return false };
        let before = state.load(Acquire);
        let first = self.record_start(id.0.index(), before) / Line::WORDS;
        let Some(line) = self.records.0.get(first) else { return false };
        let word = |index: usize| line.word(index).load(Relaxed);
        let same = match address {
            IpAddr::V4(address) => word(0) & 0xff != 6 && word(1) == address.to_bits(),
            IpAddr::V6(address) => {
                let [a, b, c, d] = v6_to_words(address);
                let same = [word(1), word(2), word(3), word(4)] == [a, b, c, d] && word(0) & 0xff == 6;
                same && (!address.is_unicast_link_local() || word(7) == egress)
            }
        };
        fence(Acquire);
        same && is_alive(before, id.0) && is_whole(before, state.load(Relaxed))
    }
}

impl Remotes<'_> {
    /// Who shares the room for what is learned with a remote; `None` where nobody configured it, it was removed, or is
    /// changing just now.
    #[inline(always)]
    pub(crate) fn quota(&self, id: RemoteId) -> Option<Quota> {
        let state = self.states.get(id.0.index())?;
        let before = state.load(Acquire);
        if !is_alive(before, id.0) || before & CONFIGURED == 0 {
            return None;
        }
        if self.quotas == 0 {
            // There is nobody to share with, and no record to be read.
            return Some(Quota::Own);
        }
        let first = self.record_start(id.0.index(), before) / Line::WORDS;
        let quota = self.records.0.get(first)?.word(QUOTA).load(Relaxed);
        fence(Acquire);
        is_whole(before, state.load(Relaxed)).then(|| quota_of(quota))
    }
}

/// What the words of a record say, wherever they are.
pub(crate) trait Fields {
    fn word<const AT: usize>(&self) -> u32;

    #[inline(always)]
    fn address(&self) -> IpAddr {
        let [a, b, c, d] = [self.word::<1>(), self.word::<2>(), self.word::<3>(), self.word::<4>()];
        of_words([a, b, c, d], self.word::<0>() & 0xff == 6)
    }

    #[inline(always)]
    fn port(&self) -> u16 {
        self.word::<5>() as u16
    }

    #[inline(always)]
    fn vni(&self) -> Option<Vni> {
        let vni = self.word::<6>();
        (vni & HAS_VNI != 0).then_some(Vni::truncate(vni))
    }

    #[inline(always)]
    fn egress(&self) -> u32 {
        self.word::<7>()
    }

    #[inline(always)]
    fn next_hop(&self) -> Option<MacAddr> {
        let (high, low) = (self.word::<8>(), self.word::<9>());
        let ([a, b, c, d], [_, _, e, f]) = (high.to_be_bytes(), low.to_be_bytes());
        (low & HAS_MAC != 0).then_some(MacAddr([a, b, c, d, e, f]))
    }

    #[inline(always)]
    fn mtu(&self) -> u16 {
        (self.word::<0>() >> 16) as u16
    }

    /// Bytes of prebuilt outer headers.
    #[inline(always)]
    fn header_len(&self) -> usize {
        (self.word::<0>() >> 8 & 0xff) as usize
    }
}

/// Those of a record that was copied out.
impl Fields for [u32; RECORD_WORDS] {
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is in bounds: it is compared when this is compiled"
    )]
    fn word<const AT: usize>(&self) -> u32 {
        const { assert!(AT < RECORD_WORDS) };
        self[AT]
    }
}

impl Fields for Raw {
    #[inline(always)]
    fn word<const AT: usize>(&self) -> u32 {
        const { assert!(AT < RECORD_WORDS) };
        self.bytes.get(4 * AT..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_ne_bytes(*word))
    }
}

impl Raw {
    pub(crate) const EMPTY: Self = Self { bytes: [0; LEN] };

    /// The prebuilt outer headers.
    #[inline(always)]
    pub(crate) fn header(&self) -> &[u8] {
        self.bytes.get(HEADER..HEADER.wrapping_add(self.header_len())).unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn header_mut(&mut self) -> &mut [u8] {
        let len = self.header_len();
        self.bytes.get_mut(HEADER..HEADER.wrapping_add(len)).unwrap_or_default()
    }
}

/// The record of a remote where it lies, read word by word: what was read holds if it [is whole](Self::is_whole)
/// afterwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'t> {
    lines: &'t [Line; 2],
    state: &'t AtomicU32,
    before: u32,
    /// Whose it is.
    pub(crate) id: RemoteId,
}

impl<'t> Remotes<'t> {
    /// The record of a remote; `None` where it was removed. Of records of one line the second line is somebody else's,
    /// or there is none: their headers are too short to be read from it.
    #[inline(always)]
    pub(crate) fn record_of(&self, id: RemoteId) -> Option<Record<'t>> {
        let state = self.states.get(id.0.index())?;
        let before = state.load(Acquire);
        if !is_alive(before, id.0) {
            return None;
        }
        let start = self.record_start(id.0.index(), before) / Line::WORDS;
        let lines = self.records.0.get(start..start.wrapping_add(2))?.first_chunk()?;
        Some(Record { lines, state, before, id })
    }
}

impl Fields for Record<'_> {
    #[inline(always)]
    fn word<const AT: usize>(&self) -> u32 {
        const { assert!(AT < RECORD_WORDS) };
        self.at(AT)
    }
}

impl Record<'_> {
    /// The remote's address, where that is [one of IPv4](Self::is_ipv4_with).
    #[inline(always)]
    pub(crate) fn ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.word::<1>())
    }

    /// The remote's address, where that is [one of IPv6](Self::is_ipv6_with).
    #[inline(always)]
    pub(crate) fn ipv6(&self) -> Ipv6Addr {
        v6_of_words([self.word::<1>(), self.word::<2>(), self.word::<3>(), self.word::<4>()])
    }

    /// Whether it is a remote over IPv4, with a header of so many bytes, and nothing is known of the MTU on the way
    /// there.
    #[inline(always)]
    pub(crate) fn is_ipv4_with(&self, header: usize) -> bool {
        self.word::<0>() == (header as u32) << 8 | 4
    }

    /// The same over IPv6.
    #[inline(always)]
    pub(crate) fn is_ipv6_with(&self, header: usize) -> bool {
        self.word::<0>() == (header as u32) << 8 | 6
    }

    /// Four bytes of the header.
    #[inline(always)]
    pub(crate) fn header_word<const AT: usize>(&self) -> [u8; 4] {
        self.at(RECORD_WORDS + AT).to_ne_bytes()
    }

    #[inline(always)]
    fn at(&self, word: usize) -> u32 {
        let [first, second] = self.lines;
        let line = if word < Line::WORDS { first } else { second };
        line.word(word).load(Relaxed)
    }

    /// Bytes of the header, from a multiple of four on. With a length that the compiler knows each word is one load and
    /// one store.
    #[inline(always)]
    pub(crate) fn copy_header(self, from: usize, to: &mut [u8]) {
        for (to, at) in to.chunks_mut(4).zip(RECORD_WORDS.wrapping_add(from / 4)..) {
            let word = self.at(at).to_ne_bytes();
            match to.first_chunk_mut() {
                Some(to) => *to = word,
                None => to.iter_mut().zip(word).for_each(|(to, from)| *to = from),
            }
        }
    }

    /// Whether nothing has changed since it was looked up. After a single change it would be whole, too; but like this
    /// it is one comparison, and who is told no has another way.
    #[inline(always)]
    pub(crate) fn is_whole(&self) -> bool {
        fence(Acquire);
        (self.state.load(Relaxed) ^ self.before) & !LOCK == 0
    }
}

/// Where the outer headers start.
const HEADER: usize = RECORD_WORDS * 4;
