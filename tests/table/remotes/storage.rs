//! Storage: any does, and as much as is promised fits.

use std::sync::Arc;

use encap::{
    table::{BuildError, Capacity, Error, Line, Lookup, Remote, Resource, Settings, Tables},
    wire::MacAddr,
};

use crate::common::{NOW, VNI, mac, small, tables};

use super::at;

fn fill<S: AsRef<[Line]>>(tables: &Tables<S>, entries: u32) {
    let (fdb, a) = (tables.fdb(), tables.remotes().add(&at(1)).unwrap());
    for number in 0..entries {
        fdb.add(VNI, mac(number), a).unwrap();
    }
    assert_eq!(fdb.add(VNI, mac(entries), a), Err(Error::Full { what: Resource::Entries, limit: entries }));
    assert!((0..entries).all(|number| fdb.lookup(NOW, VNI, mac(number)) == Lookup::Found(a.into())));
    assert_eq!(fdb.dump(NOW).count() as u32, entries);
}

/// Every kind of storage that there is, and exactly what was promised fits.
#[test]
fn any_storage_does() {
    const CAPACITY: Capacity = Capacity { entries: 100, vnis: 1, remotes: 1, ..Capacity::NONE };
    static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
    let lines = || (0..CAPACITY.lines()).map(|_| Line::new());
    let seed = [3, 4];
    fill(&Tables::new(&LINES, CAPACITY, seed).unwrap(), 100);
    let vec: Vec<_> = lines().collect();
    fill(&Tables::new(vec.as_slice(), CAPACITY, seed).unwrap(), 100);
    fill(&Tables::new(lines().collect::<Vec<_>>(), CAPACITY, seed).unwrap(), 100);
    fill(&Tables::new(lines().collect::<Box<[_]>>(), CAPACITY, seed).unwrap(), 100);
    fill(&Tables::new(lines().collect::<Arc<[_]>>(), CAPACITY, seed).unwrap(), 100);
    fill(&Tables::with_capacity(CAPACITY, Settings::default(), seed).unwrap(), 100);
    // More than is needed is as good, less is told.
    fill(&Tables::new(lines().chain(lines()).collect::<Vec<_>>(), CAPACITY, seed).unwrap(), 100);
    let needed = CAPACITY.lines();
    let short: Vec<_> = lines().skip(1).collect();
    assert_eq!(
        Tables::new(short, CAPACITY, seed).map(|_| ()).unwrap_err(),
        BuildError::Storage { needed, had: needed - 1 }
    );
}

/// Lines that others wrote on would be taken for entries: wherever they are, they are refused.
#[test]
fn storage_that_was_used_is_refused() {
    const CAPACITY: Capacity = Capacity { entries: 100, vnis: 1, remotes: 1, ..Capacity::NONE };
    let build = |lines: &[Line]| Tables::new(lines, CAPACITY, [3, 4]).map(|_| ());
    let lines: Box<[Line]> = (0..2 * CAPACITY.lines()).map(|_| Line::new()).collect();
    // What refused it did not write on it either.
    let huge = Capacity { vnis: 1 << 20, ..CAPACITY };
    assert!(matches!(Tables::new(&*lines, huge, [3, 4]).map(|_| ()), Err(BuildError::Capacity { .. })));
    fill(&Tables::new(&*lines, CAPACITY, [3, 4]).unwrap(), 100);
    assert_eq!(build(&lines), Err(BuildError::Used));
    // Tables write on their first lines when they are built, and on others later.
    assert_eq!(build(&lines[CAPACITY.lines() / 2..]), Err(BuildError::Used));
    assert_eq!(build(&lines[CAPACITY.lines()..]), Ok(()));
}

/// Storage that answers something else each time it is asked: nothing is found, nothing panics.
#[test]
fn storage_that_lies_is_survived() {
    struct Liar(Vec<Line>, std::cell::Cell<usize>);
    impl AsRef<[Line]> for Liar {
        fn as_ref(&self) -> &[Line] {
            let asked = self.1.replace(self.1.get() + 1);
            if asked == 0 { &self.0 } else { &self.0[..self.0.len() * (asked % 7) / 7] }
        }
    }
    let capacity = small();
    let liar = Liar((0..capacity.lines()).map(|_| Line::new()).collect(), Default::default());
    let tables = Tables::new(liar, capacity, [1, 2]).unwrap();
    for round in 0..300 {
        let id = tables.remotes().find_or_add(&at(round as u8 | 1));
        if let Ok(id) = id {
            let _ = tables.fdb().add(VNI, mac(round), id);
            let _ = tables.fdb().append(VNI, MacAddr::ZERO, id);
            let _ = tables.fdb().learn(NOW, VNI, mac(round + 1), id);
            let _ = tables.lists().add_group(&[id]);
        }
        let _ = tables.fdb().lookup(NOW, VNI, mac(round));
        let _ = tables.age(NOW, 10, |_| {});
        tables.fdb().dump(NOW).count();
    }
}

/// At most 40 bytes an entry, in tables of all sizes, but for a little.
#[test]
fn space_is_as_promised() {
    for entries in [0, 1, 16, 256, 1_024, 4_096, 65_536, 1 << 20, 1 << 28] {
        let capacity = Capacity { entries, vnis: 1, remotes: 1, ..Capacity::NONE };
        // Wide enough for what a processor of 32 bits cannot have.
        let bytes = capacity.lines() as u64 * size_of::<Line>() as u64;
        assert!(bytes <= u64::from(entries) * 40 + 4_096, "{bytes} for {entries}");
        assert!(entries < 1_024 || bytes <= u64::from(entries) * 34 + 4_096, "{bytes} for {entries}");
    }
}

#[test]
fn as_many_as_promised_of_every_size() {
    for entries in [1, 2, 3, 5, 17, 1_000, 65_536] {
        let capacity = Capacity { entries, vnis: 1, remotes: 1, ..Capacity::NONE };
        fill(&Tables::with_capacity(capacity, Settings::default(), [entries.into(), 9]).unwrap(), entries);
    }
}

#[test]
fn what_cannot_be_told_apart_is_refused() {
    let build = |capacity| Tables::with_capacity(capacity, Settings::default(), [1, 2]).map(|_| ());
    let most = [
        ("entries", Capacity { entries: (1 << 28) + 1, ..Capacity::NONE }, (1 << 28) + 1, 1 << 28),
        ("vnis", Capacity { vnis: 65_536, ..Capacity::NONE }, 65_536, 65_535),
        ("remotes", Capacity { remotes: (1 << 20) + 1, ..Capacity::NONE }, (1 << 20) + 1, 1 << 20),
        ("bytes of header", Capacity { header: 153, ..Capacity::NONE }, 153, 152),
        ("lists", Capacity { lists: (1 << 20) + 1, ..Capacity::NONE }, (1 << 20) + 1, 1 << 20),
        // A line for the list, all others for twelve members each.
        (
            "members",
            Capacity { lists: 1, members: 12 * ((1 << 20) - 1) + 1, ..Capacity::NONE },
            12 * ((1 << 20) - 1) + 1,
            12 * ((1 << 20) - 1),
        ),
        ("members", Capacity { members: u32::MAX, ..Capacity::NONE }, u32::MAX, 12 << 20),
        ("quotas", Capacity { quotas: 65_536, ..Capacity::NONE }, 65_536, 65_535),
        ("workers", Capacity { workers: 65_536, ..Capacity::NONE }, 65_536, 65_535),
    ];
    for (what, capacity, asked, most) in most {
        assert_eq!(build(capacity), Err(BuildError::Capacity { what, asked, most }));
    }
    let error = build(Capacity { header: 153, ..Capacity::NONE }).unwrap_err();
    assert_eq!(error.to_string(), "capacity for 153 bytes of header: at most 152");
    assert_eq!(build(Capacity::NONE), Ok(()));
}

/// What a packet brings looks at a part of the places: that those are taken is no reason for a sweep.
#[test]
fn a_remote_finds_the_room_that_is_there_without_a_sweep() {
    let tables = tables(Capacity { remotes: 256, vnis: 1, ..Capacity::NONE }, Settings::default());
    let remotes = tables.remotes();
    let at = |number: u32| Remote::new((0x0a00_0000 + number).to_be_bytes().into(), 4789);
    let all: Vec<_> = (0..256).map(|number| remotes.add(&at(number)).unwrap()).collect();
    remotes.remove(all[100]).unwrap();
    assert_eq!(remotes.find_or_learn(&at(256)), Err(Error::Busy));
    assert!(remotes.find_or_learn(&at(256)).is_ok());
}
