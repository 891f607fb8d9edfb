//! What is promised of buckets.

extern crate std;

use std::vec::Vec;

use super::{super::line::AtomicU32, *};

fn lines(count: usize) -> Vec<Line> {
    (0..count).map(|_| Line::new()).collect()
}

fn add(map: &Map<'_>, key: Key) -> bool {
    let slot = Slot { key, content: Content { value: 1, tag: 0, stamp: 0 }, cold: Cold::default() };
    map.add(&slot, &AtomicU32::new(0)) == Ok(Added::New)
}

/// As many entries as promised fit, whatever the seed, in tables of all sizes.
#[test]
fn what_is_promised_fits() {
    for entries in (1..200).chain([1_000, 65_536]) {
        for seed in 0..if entries < 200 { 50 } else { 2 } {
            let lines = lines(Map::buckets(entries));
            let map = Map::new(&lines, &[], Seed::derive([seed, 1], 0));
            for key in 0..entries as u64 {
                assert!(add(&map, Key(key << 16 | 7)), "entry {key} of {entries}, seed {seed}");
            }
            for key in 0..entries as u64 {
                assert!(map.find(Key(key << 16 | 7), |_, _| true).unwrap().is_some());
            }
        }
    }
}

/// Hosts of one vendor, counted up, as people's are: what is compared first must tell them apart, or every lookup
/// would go the long way.
#[test]
fn one_look_at_a_bucket_tells_hosts_of_one_vendor_apart() {
    for byte in 0..8 {
        assert_ne!(Key(0x0102_0304_0506_0708).mixed(), Key(0x0102_0304_0506_0708 ^ 1 << (8 * byte)).mixed());
    }
    const HOSTS: u64 = 4_096;
    for shift in [0, 8, 16, 24, 32, 40] {
        let lines = lines(Map::buckets(HOSTS as usize));
        let map = Map::new(&lines, &[], Seed::derive([8, 9], 0));
        let key = |host: u64| Key(0x0001_0000_0000_0242 ^ host << shift);
        (0..HOSTS).for_each(|host| assert!(add(&map, key(host))));
        let unsure = |host: &u64| matches!(map.home(key(*host)).unwrap().look(key(*host)), Look::Unsure);
        let unsure = (0..HOSTS).filter(unsure).count();
        assert!(unsure < 4, "shift {shift}: {unsure} of {HOSTS}");
    }
}

/// Else it could move out of a sweep's way.
#[test]
fn the_dead_are_removed_and_not_moved() {
    let lines = lines(2);
    let map = Map::new(&lines, &[], Seed::derive([5, 6], 0));
    let (key, settled, moved) = (Key(7), core::cell::Cell::new(0), AtomicU32::new(0));
    assert!(add(&map, key));
    let (first, second) = map.places(key);
    let dead = Dead { is: &|slot| slot.key == key, settle: &|_| settled.set(settled.get() + 1) };
    assert!(map.lock(key).unwrap().shift(key, first, second, &moved, &dead));
    assert_eq!(map.find(key, |_, _| true), Ok(None));
    assert_eq!((settled.get(), moved.load(Relaxed)), (1, 0));
    // The living are.
    assert!(add(&map, key));
    assert!(map.lock(key).unwrap().shift(key, first, second, &moved, &Dead::NONE));
    assert!(map.find(key, |_, _| true).unwrap().is_some());
    assert_eq!((settled.get(), moved.load(Relaxed)), (1, 1));
}

/// The count of overflows falls back to nothing: no miss reads two lines for ever.
#[test]
fn overflow_is_counted_back() {
    let lines = lines(Map::buckets(100));
    let map = Map::new(&lines, &[], Seed::derive([3, 4], 0));
    for key in 0..100 {
        assert!(add(&map, Key(key)));
    }
    assert!(lines.iter().any(|line| line.word(CONTROL).load(Relaxed) & OVERFLOW != 0));
    for bucket in 0..map.len() {
        let mut single = map.lock_bucket(bucket).unwrap();
        for slot in 0..SLOTS {
            if single.slots()[slot].is_some() {
                single.remove(slot);
            }
        }
    }
    assert!(lines.iter().all(|line| line.word(CONTROL).load(Relaxed) & (OVERFLOW | LOCK) == 0));
}

/// Whoever says nothing in the cold words does not store them: those of a slot are cleared when it is freed, however.
#[test]
fn a_free_slot_has_no_cold_words() {
    let (lines, cold) = (lines(2), lines(Map::cold_lines(2)));
    let map = Map::new(&lines, &cold, Seed::derive([7, 8], 0));
    let said = Cold { cookie: 0x0102_0304, origin: 9 };
    let slot = |key, cold| Slot { key, content: Content { value: 1, tag: 0, stamp: 0 }, cold };
    let cold_of = |key| map.slot_of(key, 1).unwrap().cold;
    let (key, moved) = (Key(7), AtomicU32::new(0));
    let (first, second) = map.places(key);
    let clear = || cold.iter().all(|line| (0..Line::WORDS).all(|word| line.word(word).load(Relaxed) == 0));
    for removed in [0, 1, 2] {
        assert_eq!(map.add(&slot(key, said), &moved), Ok(Added::New));
        assert_eq!(cold_of(key), said);
        if removed == 2 {
            // A relocated entry takes them along.
            assert!(map.lock(key).unwrap().shift(key, first, second, &moved, &Dead::NONE));
            assert_eq!(cold_of(key), said);
        }
        if removed == 0 {
            let mut single = map.lock_bucket(first).unwrap();
            single.remove(single.slots().iter().position(Option::is_some).unwrap());
        } else {
            let mut locked = map.lock(key).unwrap();
            let (place, _) = locked.find(key).unwrap();
            locked.remove(place);
        }
        assert!(clear());
        assert_eq!(map.add(&slot(key, Cold::default()), &moved), Ok(Added::New));
        assert_eq!(cold_of(key), Cold::default());
        let mut locked = map.lock(key).unwrap();
        let (place, _) = locked.find(key).unwrap();
        locked.remove(place);
    }
}
