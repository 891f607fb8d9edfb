//! Words without a lock: clocks, gateways, counters, VLANs.

use std::sync::atomic::Ordering::{Acquire, Relaxed};

use crate::{
    model::{self, World, check},
    planted::assert_fails,
    table::{Ageing, Ages, Clock, Domain, Error, VniCounters},
    tables::{Image, Part, Shape, Tables, spawn},
    time::Instant,
    wire::{MacAddr, VlanId, Vni},
};

/// A gateway gets another MAC address, none, and a third one: who asks is told one of them, or that it is not known. At
/// most 3 preemptions.
pub fn a_gateway_has_one_address_or_none() {
    gateways(HOPS);
}

fn gateways(hops: [MacAddr; 3]) {
    let [first, second, third] = hops;
    let (image, ()) =
        Image::new(SHAPE, gateway_words, |tables| tables.remotes().set_gateway(false, Some(first)));
    check(3, move || {
        let tables = image.tables();
        let writer = spawn(&tables, move |tables| {
            for mac in [Some(second), None, Some(third)] {
                tables.remotes().set_gateway(false, mac);
            }
        });
        for _ in 0..2 {
            let seen = tables.remotes().gateway(false);
            assert!(seen.is_none_or(|seen| hops.contains(&seen)), "torn: {seen:?}");
        }
        writer.join().expect("the writer");
        assert_eq!(tables.remotes().gateway(false), Some(third));
    });
}

/// A table is told a time for the first time: who looks at its clock then sees nothing that is overdue. At most 3
/// preemptions.
pub fn the_first_time_makes_nothing_overdue() {
    fn ages(world: &World) -> Ages<'_> {
        Ages { swept: world.line(0).word(0), limit: world.line(0).word(1) }
    }
    let (clock, now) = (Clock::new(Ageing::default()), Instant::from_secs(1_000_000));
    let limit = clock.ticks(Ageing::default()).expect("a limit");
    let image = model::Image::new(2, |world| world.line(0).word(1).store(limit.into(), Relaxed));
    check(3, move || {
        let world = image.world();
        let first = model::spawn(&world, move |world| clock.start(now, ages(world)));
        assert!(!clock.at(now, ages(&world)).is_overdue(), "as if it had not been swept in time");
        first.join().expect("the first");
        assert!(!clock.at(now, ages(&world)).is_overdue());
    });
}

/// Two say what the address is: it is what one of them said, or not known. At most 3 preemptions.
pub fn a_gateway_that_two_set_has_one_address_or_none() {
    let [first, second, third] = HOPS;
    let (image, ()) =
        Image::new(SHAPE, gateway_words, |tables| tables.remotes().set_gateway(false, Some(first)));
    check(3, move || {
        let tables = image.tables();
        let writer = spawn(&tables, move |tables| tables.remotes().set_gateway(false, Some(second)));
        tables.remotes().set_gateway(false, Some(third));
        writer.join().expect("the writer");
        let seen = tables.remotes().gateway(false);
        assert!(seen.is_none_or(|seen| [second, third].contains(&seen)), "torn: {seen:?}");
    });
}

/// Of two addresses whose check is the same, as is that of one pair in 65,536, one half each is taken for an address.
pub fn planted_gateways_with_the_same_check() {
    let [first, _, third] = HOPS;
    let (_, high) = Image::new(SHAPE, gateway_words, |tables| {
        tables.remotes().set_gateway(false, Some(first));
        let same = |high: &u32| {
            tables.meta().gateway_high().store(*high, Relaxed);
            tables.remotes().gateway(false).is_some_and(|mac| mac != first)
        };
        (0x0200_0000..).find(same).expect("one in 65,536")
    });
    let [a, b, c, d] = high.to_be_bytes();
    assert_fails("torn", || gateways([first, MacAddr([a, b, c, d, 9, 9]), third]));
}

fn gateway_words(part: Part, line: usize) -> u16 {
    if (part, line) == (Part::Meta, 0) { 0b11 << 6 } else { 0 }
}

const HOPS: [MacAddr; 3] =
    [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 1, 0, 0, 0, 2]), MacAddr([2, 2, 0, 0, 0, 3])];

/// A counter goes over the bit that its words share, and over it again: who reads it reads what it was at some time. At
/// most 3 preemptions.
pub fn a_counter_is_what_it_was_at_some_time() {
    let bytes = |sent_bytes| VniCounters { sent_bytes, ..VniCounters::default() };
    let (image, ()) = Image::new(
        SHAPE,
        |part, _| if part == Part::Tally { 0b11 | 0b11 << 4 } else { 0 },
        |tables| {
            tables.vnis().find_or_add(FIRST).expect("room");
            tables.tally().count(0, &domain(tables), &bytes(STEPS[0]));
        },
    );
    check(3, move || {
        let tables = image.tables();
        let writer = spawn(&tables, move |tables| {
            for step in STEPS.windows(2) {
                tables.tally().count(0, &domain(tables), &bytes(step[1] - step[0]));
            }
        });
        let seen = tables.tally().sum(FIRST, &domain(&tables)).sent_bytes;
        assert!(STEPS.contains(&seen), "torn: {seen:#x}");
        writer.join().expect("the writer");
    });
}

const STEPS: [u64; 3] = [(1 << 31) - 1, 1 << 31, 1 << 32];

/// A VNI goes and another one gets its number and its counters: who asks for the first is not told of the second. At
/// most 2 preemptions.
pub fn counters_are_not_those_of_the_next_vni() {
    let sent = |sent| VniCounters { sent, ..VniCounters::default() };
    let modelled = |part, _| match part {
        Part::Tally => 0b1111,
        Part::Vnis => NAME,
        _ => 0,
    };
    let (image, ()) = Image::new(SHAPE, modelled, |tables| {
        tables.vnis().find_or_add(FIRST).expect("room");
        tables.tally().count(0, &domain(tables), &sent(5));
    });
    check(2, move || {
        let tables = image.tables();
        let writer = spawn(&tables, move |tables| {
            replace(tables);
            tables.tally().count(0, &domain(tables), &sent(7));
        });
        let seen = tables.tally().sum(FIRST, &domain(&tables)).sent;
        assert!([0, 5].contains(&seen), "another one's: {seen}");
        writer.join().expect("the writer");
    });
}

/// The first VNI goes, and two sweeps later the second has its number.
fn replace(tables: &Tables) {
    tables.vnis().remove(FIRST).expect("nobody is at work");
    tables.meta().passes().fetch_add(2, Acquire);
    // Somebody else may just have brought the first one back.
    let added = tables.vnis().find_or_add(SECOND);
    assert!(matches!(added, Ok(_) | Err(Error::Full { .. })), "{added:?}");
}

fn domain(tables: &Tables) -> Domain<'_> {
    tables.vnis().domain(1).expect("the only one")
}

/// Two VLANs are mapped to one VNI at once: one of them is. At most 2 preemptions.
pub fn a_vni_has_one_vlan() {
    mapping(2, |_| (), |tables| map(tables, VLANS[0], FIRST), |tables| map(tables, VLANS[1], FIRST), 1);
}

/// One VLAN is mapped to two VNIs at once: it is to one of them, and the other has none. At most 2 preemptions.
pub fn a_vlan_has_one_vni() {
    mapping(2, |_| (), |tables| map(tables, VLANS[0], FIRST), |tables| map(tables, VLANS[0], SECOND), 1);
}

/// A VLAN is mapped to another VNI while somebody says again what it was mapped to. At most 2 preemptions.
pub fn a_vlan_that_is_mapped_anew_has_one_vni() {
    let anew = |tables: &Tables| {
        let unmapped = tables.vlans().unmap(VLANS[0]);
        assert!(matches!(unmapped, Ok(()) | Err(Error::Busy)), "{unmapped:?}");
        map(tables, VLANS[0], SECOND)
    };
    mapping(
        2,
        |tables| assert!(map(tables, VLANS[0], FIRST)),
        anew,
        |tables| map(tables, VLANS[0], FIRST),
        1,
    );
}

/// Maps a VLAN unless somebody else is at work on the same; answers whether it did.
fn map(tables: &Tables, vlan: VlanId, vni: Vni) -> bool {
    let mapped = tables.vlans().map(vlan, vni);
    assert!(matches!(mapped, Ok(()) | Err(Error::Busy | Error::Exists)), "{mapped:?}");
    mapped.is_ok()
}

/// Two threads map; afterwards there is at least one mapping, so many of the two may say so at the least, and each way
/// has a way back.
fn mapping(
    preemptions: usize,
    fill: fn(&Tables),
    one: fn(&Tables) -> bool,
    other: fn(&Tables) -> bool,
    least: usize,
) {
    let (image, ()) = Image::new(Shape { vnis: 2, ..SHAPE }, vlan_words, |tables| {
        [FIRST, SECOND].into_iter().for_each(|vni| {
            tables.vnis().find_or_add(vni).expect("room");
        });
        fill(tables);
    });
    check(preemptions, move || {
        let tables = image.tables();
        let thread = spawn(&tables, other);
        let mapped = usize::from(one(&tables)) + usize::from(thread.join().expect("the other"));
        assert!(mapped >= least, "half mapped: nobody did");
        let vlans = tables.vlans();
        assert_eq!(vlans.iter().count(), 1, "half mapped: VLANs");
        for (vlan, vni) in vlans.iter() {
            assert_eq!(vlans.vlan(vni), Some(vlan), "half mapped: no way back");
        }
        for vni in [FIRST, SECOND] {
            if let Some(vlan) = vlans.vlan(vni) {
                assert_eq!(vlans.vni(vlan), Some(vni), "half mapped: a way back alone");
            }
        }
    });
}

/// A VLAN is mapped to a VNI whose number another one gets meanwhile: that one has no VLAN. At most 2 preemptions.
pub fn a_vlan_is_not_that_of_the_next_vni() {
    let (image, ()) = Image::new(SHAPE, vlan_words, |tables| {
        tables.vnis().find_or_add(FIRST).expect("room");
    });
    check(2, move || {
        let tables = image.tables();
        let writer = spawn(&tables, |tables| {
            replace(tables);
            assert_eq!(tables.vlans().vlan(SECOND), None, "another one's, for a moment");
        });
        let mapped = tables.vlans().map(VLANS[0], FIRST);
        assert!(
            matches!(mapped, Ok(()) | Err(Error::Busy | Error::Full { .. } | Error::SweepPending)),
            "{mapped:?}"
        );
        writer.join().expect("the writer");
        assert_eq!(tables.vlans().vlan(SECOND), None, "another one's");
    });
}

/// A VLAN is mapped to a VNI that goes and comes back meanwhile, with the same number, and is mapped to it again: that
/// mapping stays, whatever becomes of the first. At most 2 preemptions.
pub fn a_mapping_to_a_vni_that_has_come_back_stays() {
    mapped_again(
        2,
        |_| (),
        |tables| {
            tables.vnis().remove(FIRST).expect("nobody is at work");
            tables.meta().passes().fetch_add(2, Acquire);
            // Who maps it may have brought it back.
            let _ = tables.vnis().find_or_add(FIRST);
        },
    );
}

/// The same where the mapping was left behind by a VNI that has gone and come back before, and is ended. At most 3
/// preemptions.
pub fn a_mapping_that_takes_the_place_of_one_left_behind_stays() {
    mapped_again(
        3,
        |tables| {
            assert!(map(tables, VLANS[0], FIRST));
            tables.vnis().remove(FIRST).expect("nobody is at work");
            tables.meta().passes().fetch_add(2, Acquire);
            tables.vnis().find_or_add(FIRST).expect("room");
        },
        |tables| {
            let unmapped = tables.vlans().unmap(VLANS[0]);
            assert!(matches!(unmapped, Ok(()) | Err(Error::Busy | Error::NotFound)), "{unmapped:?}");
        },
    );
}

/// A mapping is ended while its VNI goes and comes back, with another number, and is mapped again: it has both ways, or
/// none. At most 1 preemption.
pub fn the_end_of_a_mapping_leaves_no_way_back_alone() {
    let (image, ()) = Image::new(Shape { vnis: 2, ..SHAPE }, vlan_words, |tables| {
        assert!(map(tables, VLANS[0], FIRST));
    });
    check(1, move || {
        let tables = image.tables();
        let first = spawn(&tables, |tables| {
            let unmapped = tables.vlans().unmap(VLANS[0]);
            assert!(matches!(unmapped, Ok(()) | Err(Error::Busy | Error::NotFound)), "{unmapped:?}");
        });
        tables.vnis().remove(FIRST).expect("nobody is at work");
        map(&tables, VLANS[0], FIRST);
        first.join().expect("the first");
        let vlans = tables.vlans();
        let vni = vlans.vlan(FIRST).and_then(|vlan| vlans.vni(vlan));
        assert_eq!(vni, vlans.vlan(FIRST).map(|_| FIRST), "half mapped: a way back alone");
    });
}

/// While one thread maps, the other does something, and maps the same.
fn mapped_again(preemptions: usize, fill: fn(&Tables), between: fn(&Tables)) {
    let (image, ()) = Image::new(SHAPE, vlan_words, |tables| {
        tables.vnis().find_or_add(FIRST).expect("room");
        fill(tables);
    });
    check(preemptions, move || {
        let tables = image.tables();
        let first = spawn(&tables, |tables| {
            let _ = tables.vlans().map(VLANS[0], FIRST);
        });
        between(&tables);
        let mapped = tables.vlans().map(VLANS[0], FIRST);
        first.join().expect("the first");
        if mapped.is_ok() {
            let vlans = tables.vlans();
            assert_eq!((vlans.vni(VLANS[0]), vlans.vlan(FIRST)), (Some(FIRST), Some(VLANS[0])), "lost");
        }
    });
}

fn vlan_words(part: Part, line: usize) -> u16 {
    match (part, line) {
        (Part::Vlans, _) => 0b110,
        (Part::Vnis, _) => NAME | VLAN,
        (Part::VniFront, 0) => 0b101,
        (Part::VniMap, _) => CONTROL | VALUES,
        _ => 0,
    }
}

const FIRST: Vni = Vni::truncate(0x0100);
const SECOND: Vni = Vni::truncate(0x0201);
const VLANS: [VlanId; 2] = [VlanId::truncate(1), VlanId::truncate(2)];
const SHAPE: Shape = Shape { workers: 1, remotes: 1, vnis: 1, ..Shape::NONE };

// Words of a domain's line.
const NAME: u16 = 1;
const VLAN: u16 = 1 << 9;

// Words of a bucket that tell of entries.
const CONTROL: u16 = 1;
const VALUES: u16 = 0b1111 << 4;
