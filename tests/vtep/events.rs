//! What a worker tells of what it has learned, and a copy of the tables that is kept by it.

use std::{collections::BTreeMap, time::Duration};

use encap::{
    Packet,
    table::{self, Capacity, Destination, Evicted, LearnFrom, NewEntry, Snooping},
    time::Instant,
    tunnel::DecapMeta,
    vtep::{Config, Event, Output, Vtep, Worker},
    wire::{MacAddr, Vni},
};
use proptest::{collection::vec, prelude::*};

use crate::{
    common::*,
    frames::*,
    receive::{FRAME, both, node, outer},
};

/// A VTEP that tells what it learns from VTEPs 1 and 3.
fn telling(config: Config) -> Node {
    let mut node = node(config).peers(&[3]);
    node.worker = Worker::new(1).with_event_capacity(16);
    node
}

fn events(node: &mut Node) -> Vec<Event> {
    std::iter::from_fn(|| node.worker.poll_event()).collect()
}

/// A frame from a host behind this VTEP.
fn from(node: &Node, vtep: u8, host: u8) -> Vec<u8> {
    Outer { source: address(vtep), ..outer(node, &frame(mac(2), mac(host), 0x88b5, &[])) }.bytes()
}

/// As `bridge monitor fdb` tells it: what is new and what has moved, and nothing of what is confirmed.
#[test]
fn what_is_learned_and_what_moves_is_told_once() {
    for config in both() {
        let mut node = telling(config);
        let [first, third] = [1, 3].map(|last| node.vtep.remote(address(last)).unwrap());
        for later in 0..3 {
            let packet = from(&node, 1, 1);
            let _ = node.receive(NOW.saturating_add(Duration::from_secs(later)), &packet);
        }
        let learned = Event::Learned { vni: VNI, mac: mac(1), remote: first };
        assert_eq!(events(&mut node), [learned]);
        node.delivers(&from(&node, 3, 1));
        let from_first = Destination::Remote(first);
        let moved = Event::Moved { vni: VNI, mac: mac(1), from: from_first, to: third };
        assert_eq!(events(&mut node), [moved]);
        // What is refused changes nothing.
        node.vtep.fdb().add(VNI, mac(7), NewEntry::to(first).as_static()).unwrap();
        let packet = from(&node, 3, 7);
        assert!(matches!(node.receive(NOW, &packet).0, Output::Drop(_)));
        assert_eq!(events(&mut node), []);
        assert_eq!(node.worker.counters().refused(table::Refusal::Static), 1);
    }
}

/// A stranger's first frame, where everybody is learned from.
#[test]
fn a_remote_that_was_not_configured_is_told_with_what_it_teaches() {
    let mut node = telling(Config::linux());
    node.delivers(&from(&node, 77, 1));
    let stranger = table::Remote::new(address(77), node.vtep.config().dstport);
    let remote = node.vtep.remotes().find(&stranger).unwrap();
    assert_eq!(events(&mut node), [Event::Learned { vni: VNI, mac: mac(1), remote }]);
}

#[test]
fn what_makes_room_is_told_before_what_comes() {
    let mut node = telling(Config::new());
    let config = Config::new().local(address(2));
    node.vtep = Vtep::with_capacity(config, Capacity::fdb(4), [5, 6]).unwrap();
    node.vtep.fdb().add_vni(VNI).unwrap();
    let [first, third] = [1, 3].map(|last| node.vtep.remote(address(last)).unwrap());
    for host in 1..=4 {
        node.delivers(&from(&node, 1, host));
    }
    assert_eq!(events(&mut node).len(), 4);
    // Another VTEP has a right to its share.
    node.delivers(&from(&node, 3, 9));
    let told = events(&mut node);
    let [Event::Evicted(Evicted { vni: VNI, mac: gone, remote, .. }), new] = told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((remote, new), (first, Event::Learned { vni: VNI, mac: mac(9), remote: third }));
    assert!((1..=4).any(|host| mac(host) == gone));
    assert_eq!(node.vtep.fdb().get(NOW, VNI, gone), Err(table::Error::NotFound));
    assert_eq!(node.vtep.tables().untold(), 0);
}

/// Of ARP and Neighbor Discovery.
#[test]
fn neighbors_that_are_heard_of_are_told() {
    let mut node = telling(with(Config::new(), |c| c.tables.snooping = Snooping::All));
    let asks = |host: u8, ip: u8| arp(MacAddr::BROADCAST, 1, (mac(host), [10, 1, 0, ip]), [10, 1, 0, 99]);
    let heard = |node: &mut Node| {
        let neighbors = |event: &Event| !matches!(event, Event::Learned { .. } | Event::Moved { .. });
        events(node).into_iter().filter(neighbors).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        node.delivers(&outer(&node, &asks(1, 50)).bytes());
    }
    let address = [10, 1, 0, 50].into();
    assert_eq!(heard(&mut node), [Event::NeighborLearned { vni: VNI, address, mac: mac(1) }]);
    node.delivers(&outer(&node, &asks(2, 50)).bytes());
    let moved = Event::NeighborMoved { vni: VNI, address, from: mac(1), to: mac(2) };
    assert_eq!(heard(&mut node), [moved]);
    node.delivers(&outer(&node, &Ns::new(9, v6(8)).bytes()).bytes());
    let solicited = Event::NeighborLearned { vni: VNI, address: v6(9).into(), mac: mac(9) };
    assert_eq!(heard(&mut node), [solicited]);
}

#[test]
fn events_wait_in_order_on_the_callers_memory_and_what_is_lost_is_counted() {
    for room in [0, 1, 5, 64] {
        let mut node = telling(Config::new());
        let remote = node.vtep.remote(address(1)).unwrap();
        let mut memory = vec![Some(Event::Learned { vni: VNI, mac: mac(99), remote }); room];
        let mut worker = Worker::new(1).with_events(&mut memory);
        for host in 1..=100 {
            let mut bytes = from(&node, 1, host);
            let len = bytes.len();
            let mut packet = Packet::new(&mut bytes, 0, len).unwrap();
            let output = node.vtep.handle_underlay(&mut worker, NOW, &DecapMeta::new(), &mut packet);
            assert!(matches!(output, Output::Deliver { .. }));
        }
        let told: Vec<_> = std::iter::from_fn(|| worker.poll_event()).collect();
        let expected =
            (1..=room.min(100) as u8).map(|host| Event::Learned { vni: VNI, mac: mac(host), remote });
        assert_eq!(told, expected.collect::<Vec<_>>());
        // Who wants no events loses none.
        let lost = if room == 0 { 0 } else { 100 - room as u64 };
        assert_eq!(worker.counters().events_lost, lost);
        assert_eq!(events(&mut node), [], "another worker's");
    }
}

/// What somebody elsewhere knows of the forwarding database.
type Known = BTreeMap<(Vni, MacAddr), Destination>;

fn all(node: &Node, now: Instant) -> Known {
    let entries = node.vtep.fdb().dump(now);
    entries.map(|entry| ((entry.vni, entry.mac), entry.destination)).collect()
}

fn follow(copy: &mut Known, event: Event) {
    match event {
        Event::Learned { vni, mac, remote } => _ = copy.insert((vni, mac), remote.into()),
        Event::Moved { vni, mac, from, to } => {
            assert_eq!(copy.insert((vni, mac), to.into()), Some(from));
        }
        Event::Evicted(gone) => {
            assert_eq!(copy.remove(&(gone.vni, gone.mac)), Some(gone.remote.into()));
        }
        other => panic!("{other:?}"),
    }
}

fn follow_sweep(copy: &mut Known, event: table::Event) {
    match event {
        table::Event::Expired(gone) | table::Event::Removed(gone) => {
            // A copy that was made after it had expired does not have it.
            let known = copy.remove(&(gone.vni, gone.mac));
            assert!(known.is_none_or(|known| known == gone.destination));
        }
        other => panic!("{other:?}"),
    }
}

/// Something happens.
#[derive(Clone, Debug)]
enum Step {
    /// A frame comes from a host behind a VTEP.
    Frame {
        vtep: u8,
        host: u8,
    },
    /// An entry is configured, or not any more.
    Add(u8),
    Delete(u8),
    /// Somebody has what was learned in the segment flushed, one by one.
    Flush,
    /// So many seconds go by.
    Wait(u8),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => (0..4u8, 1..60u8).prop_map(|(vtep, host)| Step::Frame { vtep: [1, 3, 3, 77][vtep as usize], host }),
        6 => (60..90u8).prop_map(Step::Add),
        3 => (60..90u8).prop_map(Step::Delete),
        1 => Just(Step::Flush),
        4 => (0..120u8).prop_map(Step::Wait),
        2 => Just(Step::Sweep),
    ]
}

proptest! {
    /// Events of the worker, of sweeps and of flushes, the caller's own doings, and a dump where `untold` or
    /// `events_lost` say that it is time: that is all it takes, however full the table is.
    #[test]
    fn a_copy_that_follows_the_events_is_the_table(steps in vec(step(), 1..200), room in 1..40usize) {
        let mut config = Config::new().local(address(2));
        config.tables.learn_from = LearnFrom::Any;
        let vtep = Vtep::with_capacity(config, Capacity { remotes: 8, ..Capacity::fdb(24) }, [3, 4]).unwrap();
        vtep.fdb().add_vni(VNI).unwrap();
        let mut node = Node { vtep, worker: Worker::new(1).with_event_capacity(room) }.peers(&[1, 3]);
        let mut now = NOW;
        let mut copy = all(&node, now);
        let mut known = (0, 0);
        for step in steps {
            let fdb = node.vtep.fdb();
            match step {
                Step::Frame { vtep, host } => {
                    let packet = from(&node, vtep, host);
                    let _ = node.receive(now, &packet);
                }
                Step::Add(host) => {
                    let to = node.vtep.remote(address(1)).unwrap();
                    if fdb.add(VNI, mac(host), NewEntry::to(to).at(now)).is_ok() {
                        copy.insert((VNI, mac(host)), to.into());
                    }
                }
                Step::Delete(host) => if fdb.delete(now, VNI, mac(host)).is_ok() {
                    copy.remove(&(VNI, mac(host)));
                },
                Step::Flush => {
                    let mut filter = table::Filter::ALL;
                    filter.state = Some(table::State::Learned);
                    let _ = fdb.flush(now, &filter, table::Cursor::default(), usize::MAX, |event| {
                        follow_sweep(&mut copy, event);
                    });
                }
                Step::Wait(seconds) => now = now.saturating_add(Duration::from_secs(seconds.into())),
                Step::Sweep => {
                    let _ = node.vtep.handle_timeout(now, usize::MAX, |event| follow_sweep(&mut copy, event));
                }
            }
            while let Some(event) = node.worker.poll_event() {
                follow(&mut copy, event);
            }
            let untold = (node.vtep.tables().untold(), node.worker.counters().events_lost);
            if untold != known {
                (known, copy) = (untold, all(&node, now));
            }
            let table = all(&node, now);
            prop_assert!(table.iter().all(|(key, to)| copy.get(key) == Some(to)), "{table:?} {copy:?}");
            // What has expired and was not swept yet may be in the copy.
            if matches!(step, Step::Sweep) {
                prop_assert_eq!(&copy, &table);
            }
        }
    }
}

/// What a newcomer finds expired and what an operator's entry pushes out is told by nobody, but that it was so is.
#[test]
fn what_goes_untold_is_counted() {
    let mut node = telling(Config::new());
    let full = node.vtep.tables().capacity().entries as usize - node.vtep.fdb().count();
    let host = |number: usize| MacAddr([2, 0, 0, 1, (number >> 8) as u8, number as u8]);
    for number in 0..full {
        let packet = outer(&node, &frame(mac(2), host(number), 0x88b5, &[])).bytes();
        node.delivers(&packet);
    }
    assert_eq!(node.vtep.tables().untold(), 0);
    let remote = node.vtep.remote(address(1)).unwrap();
    node.vtep.fdb().add(VNI, mac(100), remote).unwrap();
    assert_eq!(node.vtep.tables().untold(), 1, "a learned one has gone for it");
    // Flushed ones were asked for.
    node.vtep.fdb().flush_learned(VNI).unwrap();
    for number in 0..full - 1 {
        let packet = outer(&node, &frame(mac(2), host(number), 0x88b5, &[])).bytes();
        node.delivers(&packet);
    }
    assert_eq!(node.vtep.tables().untold(), 1);
    // Expired ones were not.
    let later = NOW.saturating_add(Duration::from_secs(400));
    let packet = outer(&node, &FRAME).bytes();
    assert!(matches!(node.receive(later, &packet).0, Output::Deliver { .. }));
    assert!(node.vtep.tables().untold() > 1);
    let before = node.vtep.tables().untold();
    let mut expired = 0;
    let _ = node.vtep.handle_timeout(later, usize::MAX, |_| expired += 1);
    assert_eq!((before - 1) as usize + expired, full - 1, "the sweep tells of all others");
    assert_eq!(node.vtep.tables().untold(), before);
}
