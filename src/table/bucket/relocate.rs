//! Room in a full bucket, by moving its entries to their other buckets.

use core::sync::atomic::Ordering::Relaxed;

use super::{super::line::AtomicU32, Busy, Key, Map, SLOTS, Slot, VALUES, key_of};

impl Map<'_> {
    /// Makes a free slot in one of the two buckets of `key` by moving others to their other buckets; answers whether
    /// that can be. The way is looked for without locks, among [`NODES`] buckets at most. Entries are then moved from
    /// its end on, each into the slot that has just become free, so that every move is right by itself. What is dead is
    /// not moved but removed: else it could move out of a sweep's way again and again.
    pub(crate) fn relocate(&self, key: Key, relocations: &AtomicU32, dead: &Dead<'_>) -> Result<bool, Busy> {
        match self.way(key) {
            Some((nodes, hole)) => self.shift_back(&nodes, hole, relocations, dead).map(|()| true),
            None => Ok(false),
        }
    }

    /// The buckets looked at, and the one of them with a free slot.
    fn way(&self, key: Key) -> Option<([Node; NODES], Node)> {
        let (first, second) = self.places(key);
        let mut nodes = [Node { bucket: first, parent: usize::MAX, key: Key(0) }; NODES];
        *nodes.get_mut(1)? = Node { bucket: second, parent: usize::MAX, key: Key(0) };
        let mut len = 2;
        let mut at = 0;
        while let Some(&node) = nodes.get(at).filter(|_| at < len) {
            let line = self.buckets.get(node.bucket)?;
            if (0..SLOTS).any(|slot| line.word(VALUES | (slot % SLOTS)).load(Relaxed) == 0) {
                return Some((nodes, node));
            }
            for slot in 0..SLOTS {
                // Racing with writers: whether the key is still there is seen when it is moved.
                let key = key_of(line, slot);
                let (first, second) = self.places(key);
                let bucket = if first == node.bucket { second } else { first };
                let seen =
                    nodes.get(..len).is_some_and(|nodes| nodes.iter().any(|node| node.bucket == bucket));
                if let Some(next) = nodes.get_mut(len).filter(|_| !seen) {
                    *next = Node { bucket, parent: at, key };
                    len = len.saturating_add(1);
                }
            }
            at = at.saturating_add(1);
        }
        None
    }

    fn shift_back(
        &self,
        nodes: &[Node; NODES],
        hole: Node,
        relocations: &AtomicU32,
        dead: &Dead<'_>,
    ) -> Result<(), Busy> {
        let mut node = hole;
        while let Some(&parent) = nodes.get(node.parent) {
            let mut both = self.lock(node.key)?;
            if !both.shift(node.key, parent.bucket, node.bucket, relocations, dead) {
                return Err(Busy);
            }
            node = parent;
        }
        Ok(())
    }
}

/// What a table knows of entries that nobody finds any more.
pub(crate) struct Dead<'a> {
    /// Whether an entry is one. One that is not is moved next, maybe from where a sweep has yet to come to where it
    /// was: what a sweep would note of it is to be noted here.
    pub(crate) is: &'a dyn Fn(&Slot) -> bool,
    /// What is to be done when it was removed.
    pub(crate) settle: &'a dyn Fn(&Slot),
}

impl Dead<'_> {
    /// Of a table whose entries are always removed.
    pub(crate) const NONE: Self = Self { is: &|_| false, settle: &|_| {} };
}

/// A step of the way to a free slot.
#[derive(Clone, Copy)]
struct Node {
    bucket: usize,
    /// The node before, and which of its entries moves here.
    parent: usize,
    key: Key,
}

/// Buckets looked at for a free slot: two, their eight neighbours, and the neighbours of those.
const NODES: usize = 42;
