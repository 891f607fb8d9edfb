//! Entries in bursts: the same answers and the same tables as one at a time.

use encap::{
    table::{
        Capacity, Destination, Error, Fdb, Learned, Line, NewEntry, Quota, Remote, RemoteId, Resource,
        Settings, Tables,
    },
    wire::{MacAddr, Vni},
};

use crate::common::{NEW, NOW, VNI, later, mac, small, tables};

type Boxed = Tables<Box<[Line]>>;

/// Numbers without a pattern, the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (((self.0 >> 32) * u64::from(limit)) >> 32) as u32
    }
}

/// Two tables that are the same: one is told one thing at a time, the other bursts.
struct Twins {
    tables: [Boxed; 2],
    remotes: Vec<RemoteId>,
}

impl Twins {
    fn new(capacity: Capacity, settings: Settings) -> Self {
        let tables = [(); 2].map(|()| tables(capacity, settings));
        let add = |tables: &Boxed| -> Vec<RemoteId> {
            let quota = |last| if last % 3 == 0 { Quota::Shared(u16::from(last % 2)) } else { Quota::Own };
            let remote = |last: u8| Remote::new([192, 0, 2, last].into(), 4789).quota(quota(last));
            let ids: Vec<_> = (1..9).map(|last| tables.remotes().add(&remote(last)).unwrap()).collect();
            tables.remotes().remove(ids[7]).unwrap();
            tables.fdb().add_vni(VNI).unwrap();
            ids
        };
        let [remotes, same] = tables.each_ref().map(add);
        assert_eq!(remotes, same);
        Self { tables, remotes }
    }

    fn fdbs(&self) -> [Fdb<'_>; 2] {
        self.tables.each_ref().map(Tables::fdb)
    }

    /// Both are the same by all that can be asked.
    fn compare(&self, seconds: u64) {
        let [one, other] = self.fdbs().map(|fdb| {
            let mut entries: Vec<_> = fdb.dump(later(seconds)).collect();
            entries.sort_by_key(|entry| (entry.vni, entry.mac));
            (entries, fdb.count(), fdb.count_vni(VNI), fdb.count_vni(OTHER))
        });
        assert_eq!(one, other);
        let learned = |tables: &Boxed| self.remotes.iter().map(|&id| tables.remotes().learned(id)).collect();
        let [one, other]: [Vec<_>; 2] = self.tables.each_ref().map(learned);
        assert_eq!(one, other);
    }
}

const OTHER: Vni = Vni::truncate(43);

/// Anything that can be said of a few addresses, so that most of it is in the way of something.
#[test]
fn bursts_are_as_one_at_a_time() {
    for (seed, entries, macs) in [(1, 256, 200), (2, 64, 200), (3, 4_096, 10_000)] {
        let mut settings = Settings::default();
        settings.vni_limit = entries / 4 * 3;
        settings.quota_limit = entries / 2;
        let twins = Twins::new(Capacity { entries, ..small() }, settings);
        let [one, bursts] = twins.fdbs();
        let mut random = Random(seed);
        let rounds = if macs > 1_000 { 200 } else { 400 };
        for round in 0..rounds {
            let now = later(round / 4);
            let len = 1 + random.below(80) as usize;
            let address = |random: &mut Random| match random.below(40) {
                0 => MacAddr::ZERO,
                1 => MacAddr::BROADCAST,
                2 => MacAddr([0x01, 0, 0x5e, 0, 0, random.below(4) as u8]),
                _ => mac(random.below(macs)),
            };
            let vni = |random: &mut Random| if random.below(8) == 0 { OTHER } else { VNI };
            if random.below(2) == 0 {
                let said: Vec<_> = (0..len)
                    .map(|_| {
                        let remote = twins.remotes[random.below(8) as usize];
                        let new = match random.below(10) {
                            0 => NewEntry::to(Destination::Local),
                            1 => NewEntry::to(remote).dynamic(now),
                            2 => NewEntry::to(remote).extern_learn().origin(7, random.below(9)),
                            3 => NewEntry::to(remote).as_static().router(),
                            _ => NewEntry::to(remote),
                        };
                        (vni(&mut random), address(&mut random), new)
                    })
                    .collect();
                let alone: Vec<_> = said.iter().map(|&(vni, mac, new)| one.add(vni, mac, new)).collect();
                let mut together = vec![Err(Error::Busy); len];
                bursts.add_batch(&said, &mut together);
                assert_eq!(together, alone, "round {round}");
            } else {
                let seen: Vec<_> = (0..len)
                    .map(|_| {
                        let remote = twins.remotes[random.below(8) as usize];
                        (vni(&mut random), address(&mut random), remote)
                    })
                    .collect();
                let alone: Vec<_> =
                    seen.iter().map(|&(vni, mac, remote)| one.learn(now, vni, mac, remote)).collect();
                let mut together = vec![Learned::Busy; len];
                bursts.learn_batch(now, &seen, &mut together);
                assert_eq!(together, alone, "round {round}");
            }
            for fdb in [one, bursts].into_iter().filter(|_| round % 7 == 0) {
                let _ = fdb.delete(now, VNI, mac(round as u32 % macs));
            }
            if round % 50 == 49 {
                let flushed = [one, bursts].map(|fdb| fdb.flush_learned(VNI));
                assert_eq!(flushed[0], flushed[1]);
                twins.compare(round / 4);
                let aged = twins.tables.each_ref().map(|tables| tables.age(now, usize::MAX, |_| {}));
                assert_eq!(aged[0], aged[1]);
            }
        }
        twins.compare(rounds / 4);
    }
}

/// A table is filled by bursts to its last entry, and says which ones it refuses.
#[test]
fn bursts_fill_a_table_to_its_last_entry() {
    const ENTRIES: u32 = 3_000;
    for learned in [false, true] {
        let tables = tables(Capacity { entries: ENTRIES, ..small() }, Settings::default());
        let (fdb, remote) =
            (tables.fdb(), tables.remotes().add(&Remote::new([192, 0, 2, 1].into(), 4789)).unwrap());
        fdb.add_vni(VNI).unwrap();
        let numbers: Vec<_> = (0..ENTRIES + 50).collect();
        let mut taken = 0;
        for numbers in numbers.chunks(100) {
            if learned {
                let seen: Vec<_> = numbers.iter().map(|&number| (VNI, mac(number), remote)).collect();
                let mut answers = vec![Learned::Busy; seen.len()];
                fdb.learn_batch(NOW, &seen, &mut answers);
                taken += answers.iter().filter(|&&answer| answer == NEW).count();
            } else {
                let said: Vec<_> =
                    numbers.iter().map(|&number| (VNI, mac(number), NewEntry::to(remote))).collect();
                let mut answers = vec![Err(Error::Busy); said.len()];
                fdb.add_batch(&said, &mut answers);
                taken += answers.iter().filter(|answer| answer.is_ok()).count();
                let full = Error::Full { what: Resource::Entries, limit: ENTRIES };
                assert!(answers.iter().all(|answer| matches!(answer, Ok(())) || *answer == Err(full)));
            }
            assert_eq!(fdb.count(), taken);
        }
        assert_eq!(taken, ENTRIES as usize);
    }
}

/// Of slices of different lengths the shorter one counts, also by what is counted ahead.
#[test]
fn the_shorter_slice_counts() {
    let tables = tables(Capacity { entries: 4_096, ..small() }, Settings::default());
    let (fdb, remote) =
        (tables.fdb(), tables.remotes().add(&Remote::new([192, 0, 2, 1].into(), 4789)).unwrap());
    let said: Vec<_> = (0..70).map(|number| (VNI, mac(number), NewEntry::to(remote))).collect();
    let mut answers = [Err(Error::Busy); 40];
    fdb.add_batch(&said, &mut answers);
    assert_eq!((answers, fdb.count()), ([Ok(()); 40], 40));
    let seen: Vec<_> = (40..110).map(|number| (VNI, mac(number), remote)).collect();
    let mut answers = [Learned::Busy; 37];
    fdb.learn_batch(NOW, &seen, &mut answers);
    assert_eq!((answers, fdb.count()), ([NEW; 37], 77));
    let mut answers = [Learned::Busy; 80];
    fdb.learn_batch(NOW, &seen[..3], &mut answers);
    assert_eq!(answers[..4], [Learned::Refreshed, Learned::Refreshed, Learned::Refreshed, Learned::Busy]);
    fdb.learn_batch(NOW, &[], &mut answers);
    fdb.add_batch(&[], &mut []);
    assert_eq!(fdb.count(), 77);
}
