//! Whoever floods the tables: with source MACs from one remote, and with outer sources that do not exist.
//!
//! Memory cannot grow, for there is no allocation; what is tested is that nobody else pays, and that a learned source
//! costs at most one other entry, in tables of any size. How many places a call looks at is bounded by design, and not
//! counted here: the buckets on the ways to a free slot are an array (`src/table/bucket/relocate.rs`), and all that is
//! tried again is tried a constant number of times.

use std::collections::BTreeMap;

use encap::{
    table::{
        Capacity, Destination, LearnFrom, Learned, Line, Lookup, NewEntry, Quota, Refusal, Remote, RemoteId,
        Settings, Tables,
    },
    wire::{MacAddr, Vni},
};

use crate::common::{NOW, VNI, mac, tables};

const ENTRIES: u32 = 4_096;
const STATIC: u32 = 256;
const QUIET: u8 = 8;
const OF_EACH: u32 = 32;
const MACS: u32 = if cfg!(debug_assertions) { 100_000 } else { 10_000_000 };
const SOURCES: u32 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };

/// A table in which others have entries: added ones, and learned ones of remotes alone and in a group.
struct Town {
    tables: Tables<Box<[Line]>>,
    known: Vec<(MacAddr, RemoteId)>,
}

impl Town {
    fn new() -> Self {
        let capacity = Capacity { remotes: 256, quotas: 4, ..Capacity::fdb(ENTRIES) };
        let mut settings = Settings::default();
        settings.learn_from = LearnFrom::Any;
        let tables = tables(capacity, settings);
        let mut town = Self { tables, known: Vec::new() };
        for number in 0..STATIC {
            let to = town.remote(1, Quota::Own);
            town.tables.fdb().add(VNI, mac(number), NewEntry::to(to).as_static()).unwrap();
            town.known.push((mac(number), to));
        }
        for quiet in 0..QUIET {
            let quota = if quiet % 2 == 0 { Quota::Own } else { Quota::Shared(1) };
            town.learn_quiet(10 + quiet, quota, |_| ());
        }
        town
    }

    fn remote(&self, last: u8, quota: Quota) -> RemoteId {
        let remote = Remote::new([192, 0, 2, last].into(), 4789).quota(quota);
        self.tables.remotes().find_or_add(&remote).unwrap()
    }

    /// A remote from which few sources come. Where nobody in a newcomer's places has more than a fair share, it
    /// has to come again, after packets of whoever `meanwhile` is.
    fn learn_quiet(&mut self, last: u8, quota: Quota, mut meanwhile: impl FnMut(&Tables<Box<[Line]>>)) {
        let from = self.remote(last, quota);
        for number in 0..OF_EACH {
            let mac = mac(u32::from(last) << 16 | number);
            let learned = (0..1_000).any(|_| {
                meanwhile(&self.tables);
                matches!(self.tables.fdb().learn(NOW, VNI, mac, from), Learned::New { .. })
            });
            assert!(learned, "{mac}");
            self.known.push((mac, from));
        }
    }

    fn check(&self, after: &str) {
        for &(mac, remote) in &self.known {
            let found = self.tables.fdb().lookup(NOW, VNI, mac);
            assert_eq!(found, Lookup::Found(Destination::Remote(remote)), "{mac} after {after}");
        }
        assert!(self.tables.fdb().count() <= ENTRIES as usize);
    }
}

/// A random unicast address, of a range that nobody else uses.
fn forged(state: &mut u64) -> MacAddr {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let [a, b, c, d, e, ..] = state.to_be_bytes();
    MacAddr([0x06, a, b, c, d, e])
}

#[test]
fn flood_of_sources_from_one_remote() {
    let mut town = Town::new();
    let attacker = town.remote(2, Quota::Own);
    let others = town.known.len();
    let (mut state, mut learned, mut evicted) = (1, 0u32, 0u32);
    for packet in 0..MACS {
        match town.tables.fdb().learn(NOW, VNI, forged(&mut state), attacker) {
            Learned::New { evicted: gone } => {
                learned += 1;
                evicted += u32::from(gone.is_some());
                // It pays itself.
                assert!(gone.is_none_or(|gone| gone.remote == attacker), "{gone:?}");
            }
            Learned::Evicted(gone) => {
                evicted += 1;
                assert_eq!(gone.remote, attacker);
            }
            Learned::Refused(Refusal::TableFull) => {}
            other => panic!("{other:?}"),
        }
        assert!(town.tables.fdb().count() <= ENTRIES as usize);
        if packet % (MACS / 8) == 0 {
            town.check("some of the flood");
        }
    }
    town.check("the flood");
    assert_eq!(learned - evicted, ENTRIES - others as u32, "all room that was left, and no more");
    // Somebody who comes late gets room too.
    for late in 0..4 {
        town.learn_quiet(100 + late, Quota::Own, |tables| {
            let _ = tables.fdb().learn(NOW, VNI, forged(&mut state), attacker);
        });
    }
    town.check("others came");
}

/// At most one entry goes, one of the sender's own, and at most one comes: those that the answer tells. That is so of
/// nearly every packet, however large the table is.
#[test]
fn a_forged_source_changes_one_entry_in_tables_of_all_sizes() {
    const PACKETS: u32 = 100;
    for entries in [64, 512, 4_096] {
        let mut settings = Settings::default();
        settings.learn_from = LearnFrom::Any;
        let tables = tables(Capacity { remotes: 16, ..Capacity::fdb(entries) }, settings);
        let [quiet, attacker] = [1, 2].map(|last| {
            let remote = Remote::new([192, 0, 2, last].into(), 4789).quota(Quota::Own);
            tables.remotes().find_or_add(&remote).unwrap()
        });
        let fdb = tables.fdb();
        fdb.add_vni(VNI).unwrap();
        for number in 0..entries / 4 {
            assert_eq!(fdb.learn(NOW, VNI, mac(number), quiet), Learned::New { evicted: None });
        }
        let mut state = 4;
        for _ in 0..8 * entries {
            let _ = fdb.learn(NOW, VNI, forged(&mut state), attacker);
        }
        let known = || fdb.dump(NOW).map(|entry| (entry.mac, entry.destination)).collect::<BTreeMap<_, _>>();
        let (mut before, mut evictions) = (known(), 0);
        assert_eq!(before.len(), entries as usize);
        for _ in 0..PACKETS {
            let mac = forged(&mut state);
            let (gone, come) = match fdb.learn(NOW, VNI, mac, attacker) {
                Learned::New { evicted: Some(gone) } => (Some(gone.mac), Some(mac)),
                Learned::Evicted(gone) => (Some(gone.mac), None),
                Learned::Refused(Refusal::TableFull) => (None, None),
                Learned::New { evicted: None } => (None, Some(mac)),
                other => panic!("{other:?}"),
            };
            evictions += u32::from(gone.is_some());
            if let Some(gone) = gone {
                assert_eq!(before.remove(&gone), Some(Destination::Remote(attacker)));
            }
            before.extend(come.map(|come| (come, Destination::Remote(attacker))));
            assert_eq!(known(), before, "{entries} entries");
        }
        assert!(evictions > PACKETS * 9 / 10, "{evictions} evictions in a table of {entries}");
    }
}

#[test]
fn flood_of_outer_sources() {
    let mut town = Town::new();
    let attacker = town.remote(2, Quota::Own);
    let mut state = 2;
    for _ in 0..2 * ENTRIES {
        let _ = town.tables.fdb().learn(NOW, VNI, forged(&mut state), attacker);
    }
    let configured = town.tables.remotes().count();
    let mut teaching = 0;
    for source in 0..SOURCES {
        let remote = Remote::new((0x0a00_0000 + source).to_be_bytes().into(), 4789);
        if let Ok(id) = town.tables.remotes().find_or_learn(&remote) {
            teaching += 1;
            let learned = town.tables.fdb().learn(NOW, VNI, forged(&mut state), id);
            assert!(!matches!(learned, Learned::Refused(Refusal::UnconfiguredRemote)));
        }
        assert!(town.tables.fdb().count() <= ENTRIES as usize);
        assert!(town.tables.remotes().count() <= configured + 64, "as many as the settings say");
        if source % 1_000 == 0 {
            // Forged sources of which nothing is left make room for the next.
            let _ = town.tables.age(NOW, 64, |_| ());
        }
    }
    assert!(teaching >= 64);
    town.check("the flood");
    town.learn_quiet(100, Quota::Own, |tables| {
        let _ = tables.fdb().learn(NOW, VNI, forged(&mut state), attacker);
    });
    town.check("somebody came");
}

#[test]
fn seeds_place_keys_apart() {
    let dump = |seed: [u64; 2]| {
        let tables = Tables::with_capacity(Capacity::fdb(1_024), Settings::default(), seed).unwrap();
        for number in 0..512 {
            tables.fdb().add(VNI, mac(number), Destination::Blackhole).unwrap();
        }
        tables.fdb().dump(NOW).map(|entry| entry.mac).collect::<Vec<_>>()
    };
    let (one, other) = (dump([1, 2]), dump([1, 3]));
    assert_eq!(dump([1, 2]), one);
    let same = one.iter().zip(&other).filter(|(one, other)| one == other).count();
    assert!(one.len() == 512 && other.len() == 512 && same < 16, "{same} of 512 in the same place");
}

/// A VNI that is not known takes nothing, however many there are.
#[test]
fn flood_of_vnis() {
    let town = Town::new();
    let attacker = town.remote(2, Quota::Own);
    let count = town.tables.fdb().count();
    let mut state = 3;
    for number in 0..SOURCES / 10 {
        let vni = Vni::truncate(0x10_0000 + number);
        let learned = town.tables.fdb().learn(NOW, vni, forged(&mut state), attacker);
        assert_eq!(learned, Learned::Refused(Refusal::UnknownVni));
    }
    assert_eq!(town.tables.fdb().count(), count);
    town.check("the flood");
}
