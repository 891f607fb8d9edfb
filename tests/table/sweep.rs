//! What a complete sweep promises: whatever was dead when it began is gone when it ends.

use encap::table::{Capacity, Learned, Settings};

use crate::common::*;

/// Entries move between buckets all the time while the sweep walks through them, but the dead do not.
#[test]
fn nothing_dead_moves_out_of_a_sweeps_way() {
    for round in 0..20u32 {
        let tables = tables(Capacity::fdb(300), Settings::default());
        let (fdb, a) = (tables.fdb(), remote(&tables, 1));
        fdb.add_vni(VNI).unwrap();
        let learn = |host| assert_eq!(fdb.learn(NOW, VNI, mac(host), a), Learned::New { evicted: None });
        let base = round * 10_000;
        (0..280).map(|host| base + host).for_each(learn);
        assert_eq!(fdb.flush_learned(VNI), Ok(280));
        // The sweep and newcomers take turns.
        let mut newcomers = base + 1_000..;
        let mut swept = false;
        while !swept {
            swept = tables.age(NOW, 1, |event| panic!("nothing expires: {event:?}")).complete;
            if fdb.count_vni(VNI).1 < 290 {
                newcomers.by_ref().take(3).for_each(learn);
            }
        }
        let live = fdb.dump(NOW).count();
        assert!(live > 200, "{live} newcomers, so that many of them had to move others");
        assert_eq!(fdb.count(), live, "round {round}");
    }
}
