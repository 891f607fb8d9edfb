//! Tables.

use std::{hint::black_box, net::IpAddr};

use encap::{
    table::{self, Capacity, Cursor, Filter, LearnFrom, Learned, Line, Lookup, NewEntry, Settings, Tables},
    time::Instant,
    wire::{MacAddr, Vni},
};

use super::{allocations, told};

/// Neither what packets do with the tables nor what people do, once there is storage.
#[test]
fn tables_allocate_nothing() {
    const CAPACITY: Capacity = Capacity { quotas: 1, ..Capacity::fdb(256) };
    static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
    assert_eq!(allocations(tables), 0);

    fn tables() {
        let mut settings = Settings::default();
        settings.learn_from = LearnFrom::Any;
        let tables = Tables::with_settings(&LINES, CAPACITY, settings, [1, 2]).unwrap();
        let (fdb, remotes, lists) = (tables.fdb(), tables.remotes(), tables.lists());
        let worker = tables.register().unwrap();
        let (vni, now, later) = (Vni::truncate(42), Instant::from_secs(1), Instant::from_secs(1_000));
        let mac = |number: u32| {
            let [a, b, c, d] = number.to_be_bytes();
            MacAddr([2, 0, a, b, c, d])
        };
        let remote = |last| table::Remote::new(IpAddr::from([192, 0, 2, last]), 4789);
        let [a, b] = [1, 2].map(|last| remotes.add(&remote(last)).unwrap());
        let by_itself = remotes.find_or_learn(&remote(3)).unwrap();
        remotes.set_header(a, &[7; 50]).unwrap();
        remotes.set_mtu(a, 1_450).unwrap();
        assert_eq!(remotes.learn_mtu(now, a, 1_400), Ok(true));
        black_box(remotes.read(a, &mut [0; 50]));
        fdb.add_vni(vni).unwrap();

        // Past all that there is room for, so that entries move, give way and are refused.
        for number in 0..2_000 {
            let from = if number % 3 == 0 { b } else { by_itself };
            let _ = black_box(fdb.learn(now, vni, mac(number), from));
            let _ = black_box(fdb.learn(now, vni, mac(number), a));
            let _ = black_box(fdb.lookup(later, vni, mac(number)));
        }
        assert_eq!(fdb.count(), 256);
        let mut learned = [Learned::Busy; 40];
        fdb.learn_batch(now, &[(vni, mac(7), a); 40], &mut learned);
        let mut added = [Ok(()); 40];
        fdb.add_batch(&[(vni, mac(9_999), NewEntry::to(a)); 40], &mut added);
        black_box(fdb.delete(now, vni, mac(9_999)).unwrap());
        let mut answers = [Lookup::Unknown; 40];
        fdb.lookup_batch(now, &[(vni, mac(7)); 40], &mut answers);
        let mut sweeps = 0;
        while sweeps < 2 {
            sweeps += u32::from(
                tables
                    .age(later, 7, |event| {
                        black_box(event);
                    })
                    .complete,
            );
        }
        tables.quiesce(&worker);
        assert_eq!(fdb.count(), 0);

        fdb.append(vni, MacAddr::ZERO, a).unwrap();
        fdb.append(vni, MacAddr::ZERO, b).unwrap();
        let flood = fdb.lookup(now, vni, MacAddr::ZERO).destination().unwrap();
        assert_eq!(fdb.remotes_of(flood).count(), 2);
        let group = lists.add_group(&[a, b]).unwrap();
        black_box(lists.pick(group, 7));
        fdb.add(vni, mac(1), group).unwrap();
        fdb.replace(vni, mac(2), NewEntry::to(a).dynamic(now)).unwrap();
        assert!(told(fdb.add(vni, mac(2), b)).is_err());
        assert!(told(fdb.delete_destination(now, vni, mac(2), b)).is_err());
        assert_eq!(fdb.dump(now).count(), 3);
        fdb.flush_learned(vni).unwrap();
        fdb.flush_learned_from(a).unwrap();
        black_box(fdb.delete(now, vni, mac(2)).unwrap());
        let flushed = fdb.flush(now, &Filter::ALL, Cursor::default(), usize::MAX, |event| {
            black_box(event);
        });
        assert_eq!((flushed.entries, fdb.count()), (2, 0));
        lists.remove(group).unwrap();
        remotes.remove(b).unwrap();
        fdb.remove_vni(vni).unwrap();
        tables.unregister(worker);
    }
}
