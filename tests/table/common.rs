//! What the tests of the tables share.

use std::time::Duration;

use encap::{
    table::{Capacity, Destination, Fdb, Learned, Line, Lookup, Remote, RemoteId, Settings, Tables},
    time::Instant,
    wire::{MacAddr, Vni},
};

pub(crate) const VNI: Vni = Vni::truncate(42);
pub(crate) const NOW: Instant = Instant::from_secs(1_000);

/// What learning answers where nobody had to give way.
pub(crate) const NEW: Learned = Learned::New { evicted: None };

pub(crate) fn small() -> Capacity {
    Capacity { quotas: 4, neighbors: 64, routes: 64, ..Capacity::fdb(256) }
}

pub(crate) fn tables(capacity: Capacity, settings: Settings) -> Tables<Box<[Line]>> {
    Tables::with_capacity(capacity, settings, [0x1234_5678, 0x9abc_def0]).unwrap()
}

/// Tables that know the VNI, with these settings.
pub(crate) fn with(capacity: Capacity, set: impl FnOnce(&mut Settings)) -> Tables<Box<[Line]>> {
    let mut settings = Settings::default();
    set(&mut settings);
    let tables = tables(capacity, settings);
    tables.fdb().add_vni(VNI).unwrap();
    tables
}

pub(crate) fn later(seconds: u64) -> Instant {
    NOW.saturating_add(Duration::from_secs(seconds))
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

pub(crate) fn is_at(fdb: &Fdb<'_>, now: Instant, mac: MacAddr, to: impl Into<Destination>) {
    assert_eq!(fdb.lookup(now, VNI, mac), Lookup::Found(to.into()));
}
