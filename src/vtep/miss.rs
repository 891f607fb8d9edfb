//! Misses: what nobody knows, and the log in which they wait for a control plane to find it out.

use core::net::IpAddr;

use crate::{
    table::RemoteId,
    wire::{MacAddr, Vni},
};

/// Something that nobody knows, for a control plane to find out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Miss {
    /// Where is this MAC address? (Linux: `l2miss`.) Only where there is no default destination either.
    L2 {
        /// The overlay segment.
        vni: Vni,
        /// The address.
        mac: MacAddr,
    },
    /// Which MAC address has this IP address? (Linux: `l3miss`.)
    L3 {
        /// The overlay segment.
        vni: Vni,
        /// The address.
        address: IpAddr,
    },
    /// Which MAC address leads to this remote? A copy of a flooded frame was dropped for it; a frame to this remote
    /// alone is [`Output::Resolve`](super::Output::Resolve).
    NextHop {
        /// The remote.
        remote: RemoteId,
        /// Address of the next hop: the remote's, or that of the gateway.
        address: IpAddr,
        /// What packets to it leave by.
        egress: u32,
    },
}

/// Misses that wait, the oldest first, each once.
#[derive(Debug, Default)]
pub(super) struct Log<'a> {
    memory: Memory<'a>,
    /// Where the oldest is; the others follow, past the end from the front.
    first: usize,
    len: usize,
}

#[derive(Debug)]
enum Memory<'a> {
    Lent(&'a mut [Option<Miss>]),
    #[cfg(feature = "alloc")]
    Own(alloc::boxed::Box<[Option<Miss>]>),
}

impl<'a> Log<'a> {
    pub(super) fn on(memory: &'a mut [Option<Miss>]) -> Self {
        memory.fill(None);
        Self { memory: Memory::Lent(memory), ..Self::default() }
    }

    #[cfg(feature = "alloc")]
    pub(super) fn with_capacity(misses: usize) -> Self {
        Self { memory: Memory::Own(core::iter::repeat_n(None, misses).collect()), ..Self::default() }
    }

    /// Notes a miss; answers whether it waits now.
    pub(super) fn note(&mut self, miss: Miss) -> bool {
        let (first, len) = (self.first, self.len);
        let memory = self.memory.slots();
        if memory.contains(&Some(miss)) {
            return true;
        }
        let end = first.wrapping_add(len);
        let end = if end < memory.len() { end } else { end.wrapping_sub(memory.len()) };
        match memory.get_mut(end) {
            Some(free @ None) => *free = Some(miss),
            _ => return false,
        }
        self.len = len.wrapping_add(1);
        true
    }

    /// Takes the oldest.
    pub(super) fn poll(&mut self) -> Option<Miss> {
        let first = self.first;
        let memory = self.memory.slots();
        let (oldest, end) = (memory.get_mut(first)?.take()?, memory.len());
        let next = first.wrapping_add(1);
        self.first = if next < end { next } else { 0 };
        self.len = self.len.wrapping_sub(1);
        Some(oldest)
    }
}

impl Memory<'_> {
    fn slots(&mut self) -> &mut [Option<Miss>] {
        match self {
            Self::Lent(slots) => slots,
            #[cfg(feature = "alloc")]
            Self::Own(slots) => slots,
        }
    }
}

impl Default for Memory<'_> {
    fn default() -> Self {
        Self::Lent(&mut [])
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn miss(host: u8) -> Miss {
        Miss::L2 { vni: Vni::truncate(7), mac: MacAddr([2, 0, 0, 0, 0, host]) }
    }

    /// As a queue without doubles does it, in memory of every small size.
    #[test]
    fn the_oldest_comes_first_and_each_waits_once() {
        for size in 0..5 {
            let mut memory = [Some(miss(99)); 5];
            let mut log = Log::on(&mut memory[..size]);
            let mut expected = Vec::new();
            for step in 0..2_000u32 {
                // No period of any size.
                let any = (step.wrapping_mul(0x9e37_79b1) >> 24) as u8;
                if any % 3 == 0 {
                    let oldest = (!expected.is_empty()).then(|| expected.remove(0));
                    assert_eq!(log.poll(), oldest);
                } else {
                    let miss = miss(any % 7);
                    let waits = expected.contains(&miss) || expected.len() < size;
                    if waits && !expected.contains(&miss) {
                        expected.push(miss);
                    }
                    assert_eq!(log.note(miss), waits);
                }
            }
        }
    }
}
