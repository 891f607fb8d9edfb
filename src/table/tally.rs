//! What happened in each VNI: counters that one worker writes and anybody reads.
//!
//! ```text
//! word 0     1           2         3           4         …         14
//!      +-----+-----------+---------+-----------+---------+---------+
//!      | VNI | claims of | low 32  | from bit  | low 32  |    …    |
//!      |     | its number| bits    | 31 on     | bits    |         |
//!      +-----+-----------+---------+-----------+---------+---------+
//! ```
//!
//! There is a line for each worker and VNI. A VNI that comes back is another one, by the claims of its number. A
//! counter has 63 bits in two words which share bit 31: where they disagree on it, they were read while the worker was
//! writing.

use core::{
    ops::{Add, AddAssign},
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
};

use super::{
    line::{Line, spin_loop},
    vni::Domain,
};
use crate::wire::Vni;

/// What happened in one VNI. Bytes are those of frames as they are in the segment: without outer headers and a trunk's
/// tag, and with an Ethernet header where packets are routed to it or from it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct VniCounters {
    /// Packets sent into the underlay, one for each copy of a flooded frame.
    pub sent: u64,
    /// Bytes of frames that those carried.
    pub sent_bytes: u64,
    /// Frames of local hosts that were dropped, packets that were routed into the segment, and copies of flooded
    /// frames.
    pub send_drops: u64,
    /// Frames and packets for this side: out of tunnels, and those that need none because their remote is us.
    pub delivered: u64,
    /// Bytes of those.
    pub delivered_bytes: u64,
    /// Packets from the underlay that were dropped after their VNI was known, for whatever reason.
    pub receive_drops: u64,
}

impl VniCounters {
    const COUNTERS: usize = 6;

    const fn to_array(self) -> [u64; Self::COUNTERS] {
        [
            self.sent,
            self.sent_bytes,
            self.send_drops,
            self.delivered,
            self.delivered_bytes,
            self.receive_drops,
        ]
    }

    const fn from_array(counters: [u64; Self::COUNTERS]) -> Self {
        let [sent, sent_bytes, send_drops, delivered, delivered_bytes, receive_drops] = counters;
        Self { sent, sent_bytes, send_drops, delivered, delivered_bytes, receive_drops }
    }
}

impl Add for VniCounters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (mut sum, other) = (self.to_array(), other.to_array());
        sum.iter_mut().zip(other).for_each(|(to, from)| *to = to.wrapping_add(from) & MOST);
        Self::from_array(sum)
    }
}

impl AddAssign for VniCounters {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The lines of all workers: those of one after those of the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally<'t> {
    pub(crate) lines: &'t [Line],
    pub(crate) vnis: u32,
}

impl Tally<'_> {
    /// Adds to what a worker has counted in a VNI; only by that worker.
    #[inline]
    pub(crate) fn count(&self, worker: u32, domain: &Domain<'_>, more: &VniCounters) {
        let (Some(line), Some(vni)) = (self.line(worker, domain), domain.vni()) else { return };
        let (name, claims) = (vni.value() | NAMED, domain.claims().load(Relaxed));
        if line.word(NAME).load(Relaxed) != name || line.word(CLAIMS).load(Relaxed) != claims {
            begin(line, name, claims);
        }
        for (index, more) in more.to_array().into_iter().enumerate() {
            if more > 0 {
                write(line, index, read(line, index).unwrap_or(0).wrapping_add(more));
            }
        }
    }

    /// What all workers have counted in a VNI.
    pub(crate) fn sum(&self, vni: Vni, domain: &Domain<'_>) -> VniCounters {
        let workers = (self.lines.len() as u32).checked_div(self.vnis).unwrap_or(0);
        let (name, claims) = (vni.value() | NAMED, domain.claims().load(Relaxed));
        (0..workers)
            .filter_map(|worker| self.line(worker, domain))
            .filter_map(|line| counted(line, name, claims))
            .fold(VniCounters::default(), Add::add)
    }

    fn line(&self, worker: u32, domain: &Domain<'_>) -> Option<&Line> {
        let first = (worker as usize).wrapping_mul(self.vnis as usize);
        self.lines.get(first.wrapping_add(usize::from(domain.number).wrapping_sub(1)))
    }
}

/// Gives a line that was another VNI's before to this one.
#[cold]
#[inline(never)]
fn begin(line: &Line, name: u32, claims: u32) {
    line.word(NAME).store(0, Release);
    (0..VniCounters::COUNTERS).for_each(|index| write(line, index, 0));
    line.word(CLAIMS).store(claims, Release);
    line.word(NAME).store(name, Release);
}

/// What a worker has counted in the VNI of this name; `None` where its line is another one's, before or after.
fn counted(line: &Line, name: u32, claims: u32) -> Option<VniCounters> {
    // The claims first: with those of this VNI the counters of the one before are gone.
    if line.word(CLAIMS).load(Acquire) != claims || line.word(NAME).load(Acquire) != name {
        return None;
    }
    let counters = core::array::from_fn(|index| {
        let high = line.word(low(index) + 1);
        for _ in 0..TRIES {
            // Its upper half once more: so much may have been counted meanwhile that bit 31 is the same again.
            let before = u64::from(high.load(Acquire));
            if let Some(value) = read(line, index).filter(|value| value >> 31 == before) {
                return value;
            }
            spin_loop();
        }
        // The worker was stopped between two stores, just when bit 31 changed: this is near enough.
        u64::from(high.load(Acquire)) << 31
    });
    (line.word(NAME).load(Relaxed) == name).then_some(VniCounters::from_array(counters))
}

const fn low(index: usize) -> usize {
    2 + 2 * index
}

fn write(line: &Line, index: usize, value: u64) {
    line.word(low(index)).store(value as u32, Release);
    line.word(low(index) + 1).store((value >> 31) as u32, Release);
}

/// `None` in the middle of a write.
fn read(line: &Line, index: usize) -> Option<u64> {
    let low_bits = line.word(low(index)).load(Acquire);
    let high = line.word(low(index) + 1).load(Acquire);
    (low_bits >> 31 == high & 1).then_some(u64::from(high) << 31 | u64::from(low_bits))
}

const NAME: usize = 0;
const CLAIMS: usize = 1;

/// Marks a name.
const NAMED: u32 = 1 << 24;

/// Counters wrap at 63 bits.
const MOST: u64 = u64::MAX >> 1;

/// How often a counter is read that is just being written.
const TRIES: usize = 64;
