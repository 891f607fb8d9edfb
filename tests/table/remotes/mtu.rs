//! MTUs that are learned: against the rule written out, for remotes that come and go.

use std::time::Duration;

use encap::{
    table::{Ageing, Capacity, Error, Event, HandleKind, RemoteId, Settings},
    time::Instant,
};
use proptest::prelude::*;

use crate::common::{NOW, later, remote, small, tables};

use super::at;

fn settings(mtu_expires: Ageing) -> Settings {
    let mut settings = Settings::default();
    settings.mtu_expires = mtu_expires;
    settings
}

/// What was set, and what was learned and when.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    set: u16,
    learned: Option<(u16, Instant)>,
}

impl Path {
    fn mtu(&self) -> u16 {
        self.learned.map_or(self.set, |(mtu, _)| mtu)
    }

    fn is_old(&self, now: Instant) -> bool {
        self.learned.is_some_and(|(_, since)| now.saturating_since(since) > PERIOD)
    }

    fn learn(&mut self, now: Instant, mtu: u16) -> bool {
        let renewed = self.mtu() == mtu && self.learned.is_some() && !self.is_old(now);
        let holds = if self.is_old(now) { self.set } else { self.mtu() };
        let taken = mtu != 0 && (holds == 0 || mtu < holds || renewed);
        if taken {
            self.learned = Some((mtu, now));
        }
        taken
    }
}

#[derive(Clone, Debug)]
enum Op {
    Set(usize, u16),
    Learn(usize, u16),
    Sweep,
    Wait(u64),
    /// Removed, and another one added, which may get its place.
    Replace(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let mtu = || prop::sample::select(vec![0, 1, 1_300, 1_400, 1_500, u16::MAX]);
    prop_oneof![
        1 => (0..3usize, mtu()).prop_map(|(which, mtu)| Op::Set(which, mtu)),
        4 => (0..3usize, mtu()).prop_map(|(which, mtu)| Op::Learn(which, mtu)),
        2 => Just(Op::Sweep),
        4 => (0..4u64).prop_map(Op::Wait),
        1 => (0..3usize).prop_map(Op::Replace),
    ]
}

/// No multiple of the steps of 100 s in which time goes on: a tick more or less makes no difference.
const PERIOD: Duration = Duration::from_secs(550);

proptest! {
    #[test]
    fn what_holds_is_what_was_set_or_learned(ops in prop::collection::vec(op(), 1..80)) {
        let tables = tables(Capacity { remotes: 4, ..small() }, settings(Ageing::After(PERIOD)));
        let remotes = tables.remotes();
        let (mut now, mut next) = (NOW, 0u8);
        let mut add = || {
            next += 1;
            remotes.add(&at(next).mtu(1_450))
        };
        let mut all: Vec<(RemoteId, Path)> =
            (0..3).map(|_| (add().unwrap(), Path { set: 1_450, learned: None })).collect();
        for op in ops {
            match op {
                Op::Set(which, mtu) => {
                    let (id, path) = &mut all[which];
                    remotes.set_mtu(*id, mtu).unwrap();
                    *path = Path { set: mtu, learned: None };
                }
                Op::Learn(which, mtu) => {
                    let (id, path) = &mut all[which];
                    prop_assert_eq!(remotes.learn_mtu(now, *id, mtu), Ok(path.learn(now, mtu)));
                }
                Op::Sweep => {
                    let mut told = Vec::new();
                    prop_assert!(tables.age(now, usize::MAX, |event| told.push(event)).complete);
                    let mut expected = Vec::new();
                    for (id, path) in all.iter_mut().filter(|(_, path)| path.is_old(now)) {
                        path.learned = None;
                        expected.push(Event::MtuExpired { remote: *id, mtu: path.set });
                    }
                    prop_assert_eq!(told.len(), expected.len());
                    prop_assert!(expected.iter().all(|event| told.contains(event)));
                }
                Op::Wait(steps) => now = now.saturating_add(Duration::from_secs(100 * steps)),
                Op::Replace(which) => {
                    let (id, path) = &mut all[which];
                    remotes.remove(*id).unwrap();
                    prop_assert_eq!(remotes.learn_mtu(now, *id, 1), Err(Error::Stale(HandleKind::Remote)));
                    *id = add().unwrap();
                    *path = Path { set: 1_450, learned: None };
                }
            }
            for (id, path) in &all {
                prop_assert_eq!(remotes.get(*id).unwrap().mtu, path.mtu());
            }
        }
    }
}

/// To a tick of 66 ms, whatever the clock says when the tables begin.
#[test]
fn what_is_learned_never_goes_before_its_time_and_soon_after_it() {
    for start in [0, 1, 65_535, 1_700_000_000_000_000, (1 << 48) - 300_000_000, u64::MAX / 2] {
        let start = Instant::from_micros(start);
        let after = |millis| start.saturating_add(Duration::from_millis(millis));
        let tables = tables(small(), settings(Ageing::After(Duration::from_secs(600))));
        let (remotes, id) = (tables.remotes(), remote(&tables, 1));
        assert_eq!(remotes.learn_mtu(start, id, 1_400), Ok(true));
        let sweep = |now| assert!(tables.age(now, usize::MAX, |_| {}).complete);
        sweep(after(599_999));
        assert_eq!(remotes.get(id).unwrap().mtu, 1_400, "from {start}");
        sweep(after(600_132));
        assert_eq!(remotes.get(id).unwrap().mtu, 0, "from {start}");
    }
}

/// A clock that is set back makes nothing old.
#[test]
fn what_a_clock_ahead_has_learned_is_young() {
    let tables = tables(small(), settings(Ageing::After(Duration::from_secs(600))));
    let (remotes, id) = (tables.remotes(), remote(&tables, 1));
    assert_eq!(remotes.learn_mtu(later(10_000), id, 1_400), Ok(true));
    let _ = tables.age(NOW, usize::MAX, |_| {});
    assert_eq!((remotes.get(id).unwrap().mtu, remotes.learn_mtu(NOW, id, 1_450)), (1_400, Ok(false)));
    assert_eq!(remotes.learn_mtu(NOW, id, 1_400), Ok(true), "from now on");
    let _ = tables.age(later(601), usize::MAX, |_| {});
    assert_eq!(remotes.get(id).unwrap().mtu, 0);
}
