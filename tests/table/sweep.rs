//! Sweeps: of the dead, and of what a control plane does not want any more.

use encap::{
    table::{Capacity, Cursor, Event, Learned, NewEntry, Settings},
    wire::Vni,
};

use crate::common::*;

/// Also while newcomers take the room that the sweep makes, and move others for it.
#[test]
fn whatever_was_dead_when_a_sweep_began_is_gone_when_it_ends() {
    const STAY: usize = 24_000;
    const COME_AND_GO: usize = 6_000;
    const OTHER: Vni = Vni::truncate(43);
    let tables = tables(Capacity::fdb((STAY + COME_AND_GO) as u32), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add_vni(VNI).unwrap();
    fdb.add_vni(OTHER).unwrap();
    let mut hosts = 0..;
    let mut learn = |vni| {
        assert_eq!(fdb.learn(NOW, vni, mac(hosts.next().unwrap()), a), Learned::New { evicted: None });
    };
    (0..STAY).for_each(|_| learn(VNI));
    (0..COME_AND_GO).for_each(|_| learn(OTHER));
    for round in 0..3 {
        assert_eq!(fdb.flush_learned(OTHER), Ok(COME_AND_GO));
        // The sweep and newcomers take turns: as many come as go.
        while !tables.age(NOW, 1, |event| panic!("nothing expires: {event:?}")).complete {
            while fdb.count() < STAY + COME_AND_GO {
                learn(OTHER);
            }
        }
        while fdb.count() < STAY + COME_AND_GO {
            learn(OTHER);
        }
        assert_eq!(fdb.dump(NOW).count(), fdb.count(), "round {round}");
    }
}

#[test]
fn a_sweep_by_origin_takes_what_a_resync_did_not_touch() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    // Sync 4,294,967,295 of control plane 7 brought these; sync 0 came next, and brought only the even ones again.
    for host in 0..20 {
        fdb.add(VNI, mac(host), NewEntry::to(a).origin(7, u32::MAX)).unwrap();
    }
    fdb.add(VNI, mac(100), NewEntry::to(a).origin(8, u32::MAX)).unwrap();
    fdb.add(VNI, mac(101), a).unwrap();
    for host in (0..20).step_by(2) {
        fdb.replace(VNI, mac(host), NewEntry::to(a).origin(7, 0)).unwrap();
    }
    let (mut cursor, mut gone) = (Some(Cursor::default()), vec![]);
    while let Some(from) = cursor {
        let step = fdb.sweep(NOW, 7, 0, from, 10, |event| match event {
            Event::Removed(entry) => gone.push(entry.mac),
            other => panic!("{other:?}"),
        });
        cursor = step.next;
    }
    gone.sort();
    assert_eq!(gone, (1..20).step_by(2).map(mac).collect::<Vec<_>>());
    assert_eq!(fdb.count(), 12);
}
