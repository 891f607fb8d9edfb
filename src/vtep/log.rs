//! A bounded log on the caller's memory: what a worker has to tell waits there, the oldest first.

/// What waits.
#[derive(Debug)]
pub(super) struct Log<'a, T> {
    memory: Memory<'a, T>,
    /// Where the oldest is; the others follow, past the end from the front.
    first: usize,
    len: usize,
}

#[derive(Debug)]
enum Memory<'a, T> {
    Lent(&'a mut [Option<T>]),
    #[cfg(feature = "alloc")]
    Own(alloc::boxed::Box<[Option<T>]>),
}

impl<'a, T: Copy + PartialEq> Log<'a, T> {
    pub(super) fn on(memory: &'a mut [Option<T>]) -> Self {
        memory.fill(None);
        Self { memory: Memory::Lent(memory), ..Self::default() }
    }

    #[cfg(feature = "alloc")]
    pub(super) fn with_capacity(len: usize) -> Self {
        Self { memory: Memory::Own(core::iter::repeat_n(None, len).collect()), ..Self::default() }
    }

    /// Whether anything can ever wait.
    pub(super) fn has_memory(&self) -> bool {
        !self.memory.slots().is_empty()
    }

    pub(super) fn contains(&self, item: T) -> bool {
        self.memory.slots().contains(&Some(item))
    }

    /// Notes one more; answers whether it waits now.
    pub(super) fn push(&mut self, item: T) -> bool {
        let (first, len) = (self.first, self.len);
        let memory = self.memory.slots_mut();
        let end = first.wrapping_add(len);
        let end = if end < memory.len() { end } else { end.wrapping_sub(memory.len()) };
        match memory.get_mut(end) {
            Some(free @ None) => *free = Some(item),
            _ => return false,
        }
        self.len = len.wrapping_add(1);
        true
    }

    /// Takes the oldest.
    pub(super) fn poll(&mut self) -> Option<T> {
        let first = self.first;
        let memory = self.memory.slots_mut();
        let (oldest, end) = (memory.get_mut(first)?.take()?, memory.len());
        let next = first.wrapping_add(1);
        self.first = if next < end { next } else { 0 };
        self.len = self.len.wrapping_sub(1);
        Some(oldest)
    }
}

impl<T> Default for Log<'_, T> {
    fn default() -> Self {
        Self { memory: Memory::Lent(&mut []), first: 0, len: 0 }
    }
}

impl<T> Memory<'_, T> {
    fn slots(&self) -> &[Option<T>] {
        match self {
            Self::Lent(slots) => slots,
            #[cfg(feature = "alloc")]
            Self::Own(slots) => slots,
        }
    }

    fn slots_mut(&mut self) -> &mut [Option<T>] {
        match self {
            Self::Lent(slots) => slots,
            #[cfg(feature = "alloc")]
            Self::Own(slots) => slots,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// As a queue does it, in memory of every small size.
    #[test]
    fn the_oldest_comes_first() {
        for size in 0..5 {
            let mut memory = [Some(99); 5];
            let mut log = Log::on(&mut memory[..size]);
            assert_eq!(log.has_memory(), size > 0);
            let mut expected = Vec::new();
            for step in 0..2_000u32 {
                // No period of any size.
                let any = (step.wrapping_mul(0x9e37_79b1) >> 24) as u8;
                assert_eq!(log.contains(any % 7), expected.contains(&(any % 7)));
                if any % 3 == 0 {
                    let oldest = (!expected.is_empty()).then(|| expected.remove(0));
                    assert_eq!(log.poll(), oldest);
                } else {
                    let waits = expected.len() < size;
                    if waits {
                        expected.push(any % 7);
                    }
                    assert_eq!(log.push(any % 7), waits);
                }
            }
        }
    }
}
