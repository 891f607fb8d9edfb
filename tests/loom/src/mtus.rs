//! MTUs that were learned and expire, while others are told or set, and while remotes come in each other's place.

use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr},
    sync::atomic::Ordering::Relaxed,
};

use crate::{
    model::check,
    planted::assert_fails,
    table::{Error, Remote, RemoteId},
    tables::{Image, Part, Shape, Tables, spawn},
    time::Instant,
};

/// The sweep finds that an MTU is old while a smaller one is told: that one holds, and in its turn what was set. At
/// most
/// 3 preemptions.
pub fn a_told_mtu_is_not_lost_to_the_sweep() {
    told(sweep);
}

fn told(sweep: fn(&Tables) -> Option<(RemoteId, u16)>) {
    expiring(3, sweep, |tables, id, swept| match tables.remotes().learn_mtu(NOW, id, TOLD) {
        Ok(taken) => {
            let expired = swept(tables);
            assert!(taken && expired.is_none_or(|expired| expired == (id, SET)), "{taken}, {expired:?}");
            assert_eq!(mtu(tables, id), Some(TOLD), "lost");
            assert_eq!(tables.remotes().expire_mtu(LATER, 0), Some((id, SET)), "lost");
            assert_eq!(mtu(tables, id), Some(SET));
        }
        Err(error) => assert_eq!(error, Error::Busy),
    });
}

/// The same while one is set: that one holds, and does not expire. At most 3 preemptions.
pub fn a_set_mtu_is_not_lost_to_the_sweep() {
    expiring(3, sweep, |tables, id, swept| match tables.remotes().set_mtu(id, TOLD) {
        Ok(()) => {
            let _ = swept(tables);
            assert_eq!(mtu(tables, id), Some(TOLD), "lost");
            assert_eq!((tables.remotes().expire_mtu(LATER, 0), mtu(tables, id)), (None, Some(TOLD)));
        }
        Err(error) => assert_eq!(error, Error::Busy),
    });
}

/// The same while the remote is removed, and another takes its place: that one has the MTU that it came with. At most 3
/// preemptions.
pub fn an_mtu_does_not_expire_for_the_next_remote() {
    replaced(sweep);
}

fn replaced(sweep: fn(&Tables) -> Option<(RemoteId, u16)>) {
    expiring(3, sweep, |tables, id, swept| {
        if tables.remotes().remove(id).is_err() {
            return;
        }
        let next = tables.remotes().add(&B).expect("room");
        let expired = swept(tables);
        assert!(expired.is_none_or(|expired| expired == (id, SET)), "of another one: {expired:?}");
        assert_eq!(tables.remotes().get(next), Some(B), "another one's");
        assert_eq!((tables.remotes().expire_mtu(LATER, 0), mtu(tables, next)), (None, Some(B.mtu)));
    });
}

/// Looks, and does not look again under the lock.
pub fn planted_expired_without_the_lock() {
    assert_fails("lost", || {
        told(|tables| {
            let id = tables.remotes().find(&A)?;
            let is_old = tables.lines(Part::Accounts)[0].word(7).load(Relaxed) == 0;
            let () = is_old.then_some(())?;
            tables.remotes().set_mtu(id, SET).ok()?;
            Some((id, SET))
        });
    });
}

/// Does not look whose MTU it is.
pub fn planted_expired_for_whoever_is_there() {
    assert_fails("another one", || {
        replaced(|tables| {
            let before = tables.lines(Part::Accounts)[0].word(6).load(Relaxed);
            let () = (before != 0).then_some(())?;
            let (id, _) = tables.remotes().iter().next()?;
            tables.remotes().set_mtu(id, SET).ok()?;
            Some((id, SET))
        });
    });
}

fn sweep(tables: &Tables) -> Option<(RemoteId, u16)> {
    tables.remotes().expire_mtu(NOW, 0)
}

fn mtu(tables: &Tables, id: RemoteId) -> Option<u16> {
    Some(tables.remotes().get(id)?.mtu)
}

/// A remote whose MTU was learned long ago, a sweep, and what somebody else does meanwhile, who waits for the sweep.
fn expiring(
    preemptions: usize,
    sweep: fn(&Tables) -> Option<(RemoteId, u16)>,
    other: fn(&Tables, RemoteId, &dyn Fn(&Tables) -> Option<(RemoteId, u16)>),
) {
    let modelled = |part, line| match (part, line) {
        (Part::Names, 0) => NAMES,
        (Part::States, _) => 1,
        (Part::Accounts, _) => BEFORE | LEARNED,
        (Part::Records, _) => MTU | PORT,
        _ => 0,
    };
    let (image, id) = Image::new(SHAPE, modelled, |tables| {
        let id = tables.remotes().add(&A).expect("room");
        assert_eq!(tables.remotes().learn_mtu(Instant::ZERO, id, OLD), Ok(true));
        id
    });
    check(preemptions, move || {
        let tables = image.tables();
        let sweep = Cell::new(Some(spawn(&tables, move |tables| sweep(tables))));
        let swept = |_: &Tables| sweep.take().and_then(|sweep| sweep.join().expect("the sweep"));
        other(&tables, id, &swept);
        if let Some(sweep) = sweep.take() {
            sweep.join().expect("the sweep");
        }
    });
}

const SET: u16 = 1_450;
const OLD: u16 = 1_400;
const TOLD: u16 = 1_300;

const NOW: Instant = Instant::from_secs(1_000);
const LATER: Instant = Instant::from_secs(2_000);

// The names of the first remote.
const NAMES: u16 = 0b11;

// Words of an account and of a record that change.
const BEFORE: u16 = 1 << 6;
const LEARNED: u16 = 1 << 7;
const MTU: u16 = 1;
const PORT: u16 = 1 << 5;

const SHAPE: Shape = Shape { remotes: 1, ..Shape::NONE };

const A: Remote = Remote::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1).mtu(SET);
const B: Remote = Remote::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 2).mtu(1_002);
