//! What the tests of the tables share.

use encap::{
    table::{Capacity, Line, Remote, RemoteId, Settings, Tables},
    time::Instant,
    wire::{MacAddr, Vni},
};

pub(crate) const VNI: Vni = Vni::truncate(42);
pub(crate) const NOW: Instant = Instant::from_secs(1_000);

pub(crate) fn small() -> Capacity {
    Capacity { quotas: 4, neighbors: 64, routes: 64, ..Capacity::fdb(256) }
}

pub(crate) fn tables(capacity: Capacity, settings: Settings) -> Tables<Box<[Line]>> {
    Tables::with_capacity(capacity, settings, [0x1234_5678, 0x9abc_def0]).unwrap()
}

/// A host's MAC address.
pub(crate) fn mac(number: u32) -> MacAddr {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddr([0x02, 0, a, b, c, d])
}

/// A remote at 192.0.2.`last`.
pub(crate) fn remote(tables: &Tables<Box<[Line]>>, last: u8) -> RemoteId {
    tables.remotes().find_or_add(&Remote::new([192, 0, 2, last].into(), 4789)).unwrap()
}

/// Tells threads to stop when dropped, also by a failed assertion: a scope waits for them.
pub(crate) struct Stop<'a>(pub(crate) &'a std::sync::atomic::AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}
