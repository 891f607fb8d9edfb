//! Room in a full bucket, by moving its entries to their other buckets.

use core::sync::atomic::Ordering::Relaxed;

use super::{super::line::AtomicU32, Key, Map, SLOTS, VALUES, key_of};

impl Map<'_> {
    /// Makes a free slot in one of the two buckets of `key` by moving others to their other buckets.
    /// The way is looked for without locks, at most [`NODES`] buckets far, and
    /// gone from its end, so that every step is valid by itself.
    pub(crate) fn make_room(&self, key: Key, relocations: &AtomicU32) -> bool {
        self.room(key, relocations).is_some()
    }

    fn room(&self, key: Key, relocations: &AtomicU32) -> Option<()> {
        let (first, second) = self.places(key);
        let mut nodes = [Node { bucket: first, parent: usize::MAX, key: Key(0) }; NODES];
        *nodes.get_mut(1)? = Node { bucket: second, parent: usize::MAX, key: Key(0) };
        let mut len = 2;
        let mut at = 0;
        while let Some(&node) = nodes.get(at).filter(|_| at < len) {
            let line = self.buckets.get(node.bucket)?;
            if (0..SLOTS).any(|slot| line.word(VALUES | (slot % SLOTS)).load(Relaxed) == 0) {
                return self.shift_back(&nodes, node, relocations);
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

    fn shift_back(&self, nodes: &[Node; NODES], hole: Node, relocations: &AtomicU32) -> Option<()> {
        let mut node = hole;
        while let Some(&parent) = nodes.get(node.parent) {
            let moves = self
                .lock(node.key)
                .is_ok_and(|mut both| both.shift(node.key, parent.bucket, node.bucket, relocations));
            if !moves {
                return None;
            }
            node = parent;
        }
        Some(())
    }
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
