//! What a complete sweep promises: whatever was dead when it began is gone when it ends.

use encap::{
    table::{Capacity, Learned, Settings},
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
