//! The neighbour table against a model of it: a map, and the rules written out one by one.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use encap::{
    table::{
        Capacity, Change, Error, Event, Line, NeighborCursor, NeighborLearned, NeighborRefusal,
        NeighborState, NewNeighbor, Resource, Settings, Snooping, Tables,
    },
    time::Instant,
    wire::{
        MacAddr, Vni,
        ndp::{Advertisement, Answer},
        ndp_check::{self, Received},
        ndp_option::{NeighborOption, Options},
    },
};
use proptest::prelude::*;

use crate::common::{NOW, mac, small, tables};

/// So few that the table is often full.
const CAPACITY: u32 = 6;

type Key = (Vni, IpAddr);

#[derive(Clone, Copy, Debug)]
enum Operation {
    Add(Key, MacAddr, NeighborState, bool),
    Replace(Key, MacAddr, NeighborState, bool),
    Delete(Key),
    Learn(Key, MacAddr, Option<bool>),
    Advertise(Key, Option<MacAddr>, bool, bool, bool),
    Flush(Vni),
    /// The VNI is removed, and comes back.
    Renew(Vni),
    Wait(u64),
    Sweep,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    mac: MacAddr,
    state: NeighborState,
    router: bool,
    /// Seconds.
    confirmed: u64,
}

#[derive(Debug)]
struct Model {
    known: BTreeMap<Key, Known>,
    snooping: Snooping,
    /// Seconds.
    now: u64,
}

impl Model {
    /// What is expired is not there.
    fn get(&self, key: Key) -> Option<Known> {
        let known = *self.known.get(&key)?;
        let age = self.now - known.confirmed;
        let state = match known.state {
            state if !state.ages() => state,
            _ if age > 300 => return None,
            NeighborState::Reachable if age > 30 => NeighborState::Stale,
            state => state,
        };
        Some(Known { state, ..known })
    }

    fn live(&self) -> usize {
        self.known.keys().filter(|key| self.get(**key).is_some()).count()
    }

    fn put(&mut self, key: Key, mac: MacAddr, state: NeighborState, router: bool) {
        self.known.insert(key, Known { mac, state, router, confirmed: self.now });
    }

    /// RFC 4861, section 7.2.5, and what snooping adds to it. `None` where a full table decides.
    fn hear(
        &mut self,
        key: Key,
        mac: Option<MacAddr>,
        (solicited, overrides, router): (bool, bool, Option<bool>),
    ) -> Result<NeighborLearned, NeighborRefusal> {
        let heard_of = if solicited { NeighborState::Reachable } else { NeighborState::Stale };
        let Some(known) = self.get(key) else {
            if self.snooping == Snooping::Known {
                return Err(NeighborRefusal::UnknownNeighbor);
            }
            self.put(key, mac.ok_or(NeighborRefusal::NoMac)?, heard_of, router == Some(true));
            return Ok(NeighborLearned::New);
        };
        let is_router = router.unwrap_or(known.router);
        if matches!(known.state, NeighborState::Permanent | NeighborState::NoArp) {
            let same = mac.is_none_or(|mac| mac == known.mac);
            return if same { Ok(NeighborLearned::Unchanged) } else { Err(NeighborRefusal::Static) };
        }
        if matches!(known.state, NeighborState::Incomplete | NeighborState::Failed) {
            self.put(key, mac.ok_or(NeighborRefusal::NoMac)?, heard_of, is_router);
            return Ok(NeighborLearned::New);
        }
        let entry = self.known.get_mut(&key).unwrap();
        match mac {
            Some(mac) if mac != known.mac && overrides => {
                self.put(key, mac, heard_of, is_router);
                Ok(NeighborLearned::Moved { from: known.mac })
            }
            Some(mac) if mac != known.mac => {
                if known.state == NeighborState::Reachable {
                    entry.state = NeighborState::Stale;
                }
                Err(NeighborRefusal::NoOverride)
            }
            _ if solicited => {
                self.put(key, known.mac, NeighborState::Reachable, is_router);
                Ok(NeighborLearned::Refreshed)
            }
            _ if is_router != known.router => {
                entry.router = is_router;
                Ok(NeighborLearned::Refreshed)
            }
            _ => Ok(NeighborLearned::Unchanged),
        }
    }
}

fn now(seconds: u64) -> Instant {
    NOW.saturating_add(Duration::from_secs(seconds))
}

/// Does the same to both and compares what they answer.
fn step(tables: &Tables<Box<[Line]>>, model: &mut Model, operation: Operation) {
    let neighbors = tables.neighbors();
    let at = now(model.now);
    let full = Error::Full { what: Resource::Neighbors, limit: CAPACITY };
    // The expired take room until somebody finds them.
    let may_be_full = neighbors.count() == CAPACITY as usize;
    match operation {
        Operation::Add(key, mac, state, router) => {
            let new = new(mac, state, router, at);
            match neighbors.add(key.0, key.1, new) {
                Ok(()) => {
                    assert!(model.get(key).is_none());
                    model.put(key, mac, state, router);
                }
                Err(Error::Exists) => assert!(model.get(key).is_some()),
                Err(error) => {
                    assert_eq!(error, full);
                    assert!(may_be_full && model.get(key).is_none());
                }
            }
        }
        Operation::Replace(key, mac, state, router) => {
            let known = model.known.get(&key).copied().filter(|_| model.get(key).is_some());
            let same = |known: Known| (known.mac, known.state, known.router) == (mac, state, router);
            match neighbors.replace(key.0, key.1, new(mac, state, router, at)) {
                Ok(Change::Created) => assert!(known.is_none()),
                Ok(Change::Unchanged) => assert!(known.is_some_and(same)),
                Ok(Change::Updated) => assert!(known.is_some_and(|known| !same(known))),
                other => {
                    assert_eq!(other, Err(full));
                    assert!(may_be_full && known.is_none());
                    return;
                }
            }
            model.put(key, mac, state, router);
        }
        Operation::Delete(key) => {
            let known = model.get(key);
            let deleted = neighbors.delete(at, key.0, key.1);
            assert_eq!(deleted.map(|was| was.mac), known.map(|known| known.mac).ok_or(Error::NotFound));
            if known.is_some() {
                model.known.remove(&key);
            }
        }
        Operation::Learn(key, mac, router) => {
            let learned = neighbors.learn(at, key.0, key.1, mac, router);
            heard(model, key, Some(mac), (true, true, router), learned, may_be_full);
        }
        Operation::Advertise((vni, address), mac, solicited, overrides, router) => {
            let IpAddr::V6(target) = address else { return };
            let answer = Answer { solicitor: target, target, mac: MacAddr::ZERO, router, overrides };
            let packet = answer.to_bytes();
            let valid = ndp_check::check_advertisement(&packet).unwrap();
            let option = mac.map(NeighborOption::target_address);
            let options = Options::new(option.as_ref().map_or(&[], |option| &option[..]));
            let message = Advertisement { solicited, ..valid.message };
            let learned = neighbors.snoop_na(at, vni, &Received { message, options, ..valid });
            heard(model, (vni, address), mac, (solicited, overrides, Some(router)), learned, may_be_full);
        }
        Operation::Flush(vni) => {
            let gone = model.known.keys().filter(|key| key.0 == vni && model.get(**key).is_some()).count();
            let (mut flushed, mut cursor) = (0, Some(NeighborCursor::default()));
            while let Some(from) = cursor {
                let step = neighbors.flush(at, from, 1, |neighbor| neighbor.vni == vni);
                (flushed, cursor) = (flushed + step.neighbors, step.next);
            }
            assert_eq!(flushed, gone);
            model.known.retain(|key, _| key.0 != vni);
        }
        Operation::Renew(vni) => {
            tables.fdb().remove_vni(vni).unwrap();
            tables.fdb().add_vni(vni).unwrap();
            model.known.retain(|key, _| key.0 != vni);
        }
        Operation::Wait(seconds) => model.now += seconds,
        Operation::Sweep => {
            let mut told = 0;
            let aged = tables.age(at, usize::MAX, |event| {
                told += usize::from(matches!(event, Event::NeighborExpired(_)));
            });
            // Those of a VNI that was removed went without a word.
            assert!(aged.complete && aged.removed >= told);
            assert_eq!(neighbors.count(), model.live());
        }
    }
}

fn heard(
    model: &mut Model,
    key: Key,
    mac: Option<MacAddr>,
    says: (bool, bool, Option<bool>),
    learned: NeighborLearned,
    may_be_full: bool,
) {
    if learned == NeighborLearned::Refused(NeighborRefusal::TableFull) {
        assert!(may_be_full && model.get(key).is_none() && model.snooping == Snooping::All && mac.is_some());
        return;
    }
    let expected = model.hear(key, mac, says).unwrap_or_else(NeighborLearned::Refused);
    assert_eq!(learned, expected);
}

fn new(mac: MacAddr, state: NeighborState, router: bool, now: Instant) -> NewNeighbor {
    let new = NewNeighbor::new(mac).state(state, now);
    if router { new.router() } else { new }
}

/// Whatever was done, a lookup and a dump find exactly what the model has.
fn compare(tables: &Tables<Box<[Line]>>, model: &Model, keys: &[Key]) {
    let (neighbors, at) = (tables.neighbors(), now(model.now));
    for &key in keys {
        let found = neighbors.lookup(at, key.0, key.1).unwrap();
        let expected = model.get(key);
        let shown = |found: encap::table::Neighbor| (found.mac, found.state, found.router);
        assert_eq!(found.map(shown), expected.map(|known| (known.mac, known.state, known.router)));
        if let Some(age) = found.and_then(|found| found.age) {
            let exact = Duration::from_secs(model.now - expected.unwrap().confirmed);
            assert!(age.abs_diff(exact) < Duration::from_millis(117), "{age:?} for {exact:?}");
        }
    }
    let dumped: BTreeMap<_, _> =
        neighbors.dump(at).map(|found| ((found.vni, found.address), found)).collect();
    assert_eq!(dumped.len(), model.live());
    assert!(dumped.iter().all(|(key, found)| neighbors.get(at, key.0, key.1) == Ok(*found)));
    // In pieces, the same.
    let (mut pieces, mut cursor) = (0, NeighborCursor::default());
    loop {
        let mut dump = neighbors.dump_from(at, cursor);
        let Some(_) = dump.next() else { break };
        (pieces, cursor) = (pieces + 1, dump.cursor());
        assert!(!cursor.may_have_skipped());
    }
    assert_eq!(pieces, dumped.len());
    assert!((model.live()..=CAPACITY as usize).contains(&neighbors.count()));
}

fn keys() -> Vec<Key> {
    let vnis = [Vni::truncate(1), Vni::truncate(0xff_0001)];
    let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd01::1", "fd01::2", "fd01::3"];
    vnis.iter().flat_map(|&vni| addresses.map(|address| (vni, address.parse().unwrap()))).collect()
}

fn operation() -> impl Strategy<Value = Operation> {
    use NeighborState::{Delay, Failed, Incomplete, NoArp, Permanent, Probe, Reachable, Stale};
    let key = || prop::sample::select(keys());
    let mac = || (1..4u32).prop_map(mac);
    let state = || {
        prop::sample::select(
            &[Permanent, NoArp, Reachable, Reachable, Stale, Delay, Probe, Incomplete, Failed][..],
        )
    };
    prop_oneof![
        3 => (key(), mac(), state(), any::<bool>()).prop_map(|(k, m, s, r)| Operation::Add(k, m, s, r)),
        3 => (key(), mac(), state(), any::<bool>()).prop_map(|(k, m, s, r)| Operation::Replace(k, m, s, r)),
        3 => key().prop_map(Operation::Delete),
        6 => (key(), mac(), any::<Option<bool>>()).prop_map(|(k, m, r)| Operation::Learn(k, m, r)),
        6 => (key(), prop::option::of(mac()), any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(k, m, s, o, r)| Operation::Advertise(k, m, s, o, r)),
        1 => key().prop_map(|key| Operation::Flush(key.0)),
        1 => key().prop_map(|key| Operation::Renew(key.0)),
        4 => prop_oneof![1..5u64, 25..35u64, 290..310u64].prop_map(Operation::Wait),
        2 => Just(Operation::Sweep),
    ]
}

proptest! {
    #[test]
    fn the_table_does_what_the_model_does(
        snooping in prop::sample::select(&[Snooping::Known, Snooping::All][..]),
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        let mut settings = Settings::default();
        settings.snooping = snooping;
        let tables = tables(Capacity { neighbors: CAPACITY, ..small() }, settings);
        let mut model = Model { known: BTreeMap::new(), snooping, now: 0 };
        for key in keys() {
            tables.fdb().add_vni(key.0).unwrap();
        }
        let mut swept = 0;
        for operation in operations {
            step(&tables, &mut model, operation);
            // A table that nobody sweeps for 20 times REACHABLE_TIME trusts nothing.
            if model.now - swept > 270 {
                step(&tables, &mut model, Operation::Sweep);
                swept = model.now;
            }
            compare(&tables, &model, &keys());
        }
    }
}
