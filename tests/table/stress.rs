//! Threads at work in the same tables. What stays put is found by every call, whatever moves beside it.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant as Clock},
};

use encap::{
    table::{Capacity, Destination, Lookup, Remote, RemoteId, Settings},
    time::Instant,
    wire::{MacAddr, Vni},
};

use crate::{
    common::{NOW, VNI, mac, remote, tables},
    stop::Stop,
};

const TIME: Duration = Duration::from_millis(700);

/// Calls `work` until time is up or another thread is done.
fn repeat(done: &AtomicBool, mut work: impl FnMut(u32)) -> u32 {
    let (_done, start, mut round) = (Stop(done), Clock::now(), 0);
    while !done.load(Relaxed) && start.elapsed() < TIME {
        work(round);
        round += 1;
    }
    round
}

/// Keys that stay are found with their own remote while others fill the table to the brim, so that entries are
/// moved between buckets all the time.
#[test]
fn keys_that_stay_are_always_found_with_their_own_remote() {
    let capacity = Capacity { entries: 96, remotes: 64, ..Capacity::fdb(96) };
    let tables = tables(capacity, Settings::default());
    let fdb = tables.fdb();
    let remotes: Vec<_> = (0..32).map(|last| remote(&tables, last + 1)).collect();
    fdb.add_vni(VNI).unwrap();
    for (number, &id) in (0..).zip(&remotes) {
        fdb.add(VNI, mac(number), id).unwrap();
    }
    let (done, moved) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            repeat(&done, |round| {
                let number = 1_000 + round * 7 % 900;
                let to = remotes[round as usize % 32];
                match round % 5 {
                    0 | 1 => drop(fdb.add(VNI, mac(number), to)),
                    2 => drop(fdb.learn(NOW, VNI, mac(number), to)),
                    3 => drop(fdb.replace(VNI, mac(1_000 + round % 64), to)),
                    _ => drop(fdb.delete(NOW, VNI, mac(1_000 + round * 3 % 900))),
                }
                if round % 97 == 0 {
                    let before = fdb.dump(NOW);
                    // Room for more, by those that do not stay.
                    for entry in before {
                        if entry.mac >= mac(1_000) && round % 2 == 0 {
                            let _ = fdb.delete(NOW, VNI, entry.mac);
                        }
                    }
                }
            });
        });
        let mut dump = fdb.dump(NOW);
        let rounds = repeat(&done, |round| {
            let number = round % 32;
            let (to, mac) = (Destination::Remote(remotes[number as usize]), mac(number));
            match fdb.lookup(NOW, VNI, mac) {
                Lookup::Found(found) => assert_eq!(found, to),
                Lookup::Unknown => panic!("{mac} was there all the time"),
                _ => {}
            }
            let mut answers = [Lookup::Busy; 2];
            fdb.lookup_batch(NOW, &[(VNI, mac), (VNI, MacAddr::ZERO)], &mut answers);
            assert!(answers[0] == Lookup::Found(to) || answers[0] == Lookup::Busy);
            assert_eq!(answers[1], Lookup::Unknown);
            if dump.next().is_none() {
                moved.fetch_add(dump.cursor().may_have_skipped().into(), Relaxed);
                dump = fdb.dump(NOW);
            }
        });
        assert!(rounds > 100);
    });
    assert!(moved.load(Relaxed) > 0, "no entry was moved: this proves nothing");
    assert!((0..32).all(|number| fdb.get(NOW, VNI, mac(number)).is_ok()));
}

/// Whoever is a member throughout is met exactly once.
#[test]
fn members_that_stay_are_met_exactly_once() {
    let capacity = Capacity { remotes: 64, lists: 4, members: 120, ..Capacity::fdb(16) };
    let tables = tables(capacity, Settings::default());
    let lists = tables.lists();
    let all: Vec<_> = (1..=40).map(|last| remote(&tables, last)).collect();
    let (stay, others) = all.split_at(4);
    let list = lists.add_list(&[]).unwrap();
    for (at, &member) in others.iter().enumerate() {
        lists.append(list, member).unwrap();
        if let (true, Some(&stays)) = (at % 7 == 6, stay.get(at / 7)) {
            lists.append(list, stays).unwrap();
        }
    }
    let worker = tables.register().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            repeat(&done, |round| {
                let member = others[(round / 3 * 11 + round % 3) as usize % others.len()];
                if round / 36 % 2 == 0 {
                    let _ = lists.delete(list, member);
                } else {
                    let _ = lists.append(list, member);
                }
            });
        });
        let rounds = repeat(&done, |_| {
            tables.quiesce(&worker);
            let met: Vec<_> = lists.members(list).collect();
            for member in stay {
                let times = met.iter().filter(|&other| other == member).count();
                assert_eq!(times, 1, "{met:?}");
            }
            assert!(met.iter().all(|member| all.contains(member)));
        });
        assert!(rounds > 100);
    });
}

/// A handle of what was removed never finds what took its place: neither by itself nor through an entry.
#[test]
fn handles_of_removed_remotes_never_resolve() {
    let tables = tables(Capacity { remotes: 2, ..Capacity::fdb(64) }, Settings::default());
    let (fdb, remotes) = (tables.fdb(), tables.remotes());
    let host = |round: u32| {
        let [_, _, c, d] = round.to_be_bytes();
        Remote::new([10, 0, c, d].into(), 4789).egress(round).mtu(d.into())
    };
    // Each key belongs to the remote of its round.
    let newest = AtomicU32::new(0);
    let handles: Vec<_> = (0..512).map(|_| std::sync::Mutex::new(None::<(RemoteId, u32)>)).collect();
    let done = AtomicBool::new(false);
    let vni = Vni::truncate(7);
    thread::scope(|scope| {
        scope.spawn(|| {
            repeat(&done, |round| {
                let Ok(id) = remotes.add(&host(round)) else {
                    assert!(tables.age(Instant::from_secs(1_000), usize::MAX, |_| {}).complete);
                    return;
                };
                *handles[round as usize % 512].lock().unwrap() = Some((id, round));
                let _ = fdb.replace(vni, mac(round % 32), id);
                newest.store(round, Relaxed);
                thread::yield_now();
                while remotes.remove(id).is_err() {
                    let _ = tables.age(Instant::from_secs(1_000), usize::MAX, |_| {});
                    let _ = fdb.flush_learned_from(id);
                }
            });
        });
        let (mut alive, mut dead) = (0, 0);
        repeat(&done, |round| {
            let taken = *handles[round as usize % 512].lock().unwrap();
            let Some((id, owner)) = taken else { return };
            match remotes.get(id) {
                Some(found) => {
                    assert_eq!(found, host(owner));
                    alive += 1;
                }
                None => dead += 1,
            }
            // What an entry names, read at once, is whole: its parts are of one remote.
            if let Some(Destination::Remote(id)) = fdb.lookup(NOW, vni, mac(round % 32)).destination() {
                if let Some(found) = remotes.get(id) {
                    assert_eq!(found, host(found.egress));
                }
            }
        });
        assert!(dead > 100, "{alive} alive, {dead} dead");
    });
}
