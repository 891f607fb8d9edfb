//! VNIs that come and go.

use std::sync::atomic::Ordering::Relaxed;

use crate::{
    model::check,
    table::Error,
    tables::{Image, Part, Shape, Tables, spawn},
    wire::Vni,
};

/// Two add a VNI: it is there once. At most 1 preemption.
pub fn a_vni_that_two_add_is_there_once() {
    changing(1, |_| (), add, add, |tables| assert_eq!(count(tables), 1));
}

/// One adds a VNI that another one removes. At most 2 preemptions.
pub fn a_vni_that_is_removed_while_it_comes() {
    changing(2, |_| (), add, remove, |_| ());
}

/// Two remove a VNI, and only one of them does. At most 2 preemptions.
pub fn a_vni_that_two_remove_goes_once() {
    changing(2, add, remove, remove, |tables| assert_eq!(count(tables), 0));
}

/// Somebody removes a VNI while somebody else does and adds it again. At most 1 preemption.
pub fn a_vni_that_two_remove_and_one_adds() {
    let again = |tables: &Tables| {
        remove(tables);
        add(tables);
    };
    changing(1, add, again, remove, |_| ());
}

/// A VNI goes whose place in front another one wants. At most 2 preemptions.
pub fn a_vni_that_takes_the_place_of_another() {
    changing(
        2,
        add,
        remove,
        |tables| add_one(tables, SECOND),
        |tables| {
            let found = tables.vnis().find(SECOND).expect("nobody is at work");
            assert!(found.is_some(), "half there: it was added");
        },
    );
}

/// What was learned in a VNI is flushed while that goes and comes again. At most 1 preemption.
pub fn a_vni_that_is_flushed_while_it_is_added_again() {
    let again = |tables: &Tables| {
        remove(tables);
        add(tables);
    };
    let flush = |tables: &Tables| {
        let flushed = tables.vnis().flush_learned(FIRST);
        assert!(matches!(flushed, Ok(0) | Err(Error::Busy | Error::NotFound)), "{flushed:?}");
    };
    changing(1, add, again, flush, |_| ());
}

/// A VNI comes while another one takes the only number there is and goes again: no sweep has come by, so that number
/// is not given to both. At most 1 preemption.
pub fn a_number_is_not_given_twice_without_a_sweep() {
    let fill = |tables: &Tables| {
        add(tables);
        remove(tables);
        tables.meta().passes().fetch_add(2, Relaxed);
    };
    let (image, ()) = Image::new(Shape { vnis: 1, ..Shape::NONE }, modelled, fill);
    check(1, move || {
        let tables = image.tables();
        let thread = spawn(&tables, |tables| {
            let added = tables.vnis().find_or_add(SECOND).is_ok();
            if added {
                tables.vnis().remove(SECOND).expect("nobody else removes it");
            }
            added
        });
        let added = tables.vnis().find_or_add(FIRST).is_ok();
        assert!(!(thread.join().expect("the other") && added), "given twice");
    });
}

fn add(tables: &Tables) {
    add_one(tables, FIRST);
}

/// Adds a VNI unless somebody is at work on it.
fn add_one(tables: &Tables, vni: Vni) {
    let added = tables.vnis().find_or_add(vni).map(|_| ());
    assert!(
        matches!(added, Ok(()) | Err(Error::Busy | Error::SweepPending | Error::QuiescePending)),
        "{added:?}"
    );
}

/// Removes the first VNI unless somebody is at work on it.
fn remove(tables: &Tables) {
    let removed = tables.vnis().remove(FIRST);
    assert!(matches!(removed, Ok(()) | Err(Error::Busy | Error::NotFound)), "{removed:?}");
}

fn changing(preemptions: usize, fill: fn(&Tables), one: fn(&Tables), other: fn(&Tables), after: fn(&Tables)) {
    let (image, ()) = Image::new(Shape { vnis: 3, ..Shape::NONE }, modelled, fill);
    check(preemptions, move || {
        let tables = image.tables();
        let thread = spawn(&tables, other);
        one(&tables);
        thread.join().expect("the other");
        after(&tables);
        [FIRST, SECOND].into_iter().for_each(|vni| is_whole(&tables, vni));
        assert_eq!(count(&tables), tables.meta().vnis().load(Relaxed), "half there: the count");
        for vni in [FIRST, SECOND] {
            let known = tables.vnis().find(vni).expect("nobody is at work").is_some();
            let expected = if known { Ok(()) } else { Err(Error::NotFound) };
            assert_eq!(tables.vnis().remove(vni), expected, "half there: what is known goes");
        }
        assert_eq!(count(&tables), 0, "half there: nothing is left");
    });
}

/// What is known of a VNI is the same everywhere.
fn is_whole(tables: &Tables, vni: Vni) {
    let vnis = tables.vnis();
    let mapped = vnis.find_in_map(vni).expect("nobody is at work");
    let found = vnis.find(vni).expect("nobody is at work");
    assert_eq!(
        found.map(|domain| domain.number),
        mapped.map(|domain| domain.number),
        "half there: front and map"
    );
    if let Some((number, generation)) = vnis.glance(vni) {
        let domain = vnis.domain(number).expect("a number of three");
        assert!(domain.is(vni), "half there: in front alone");
        assert_eq!(generation, domain.learned().read().0 * 0x0101_0101, "half there: the generation");
    }
}

/// VNIs that have lines.
fn count(tables: &Tables) -> u32 {
    let lines = (1..=3).filter_map(|number| tables.vnis().domain(number)?.vni());
    lines.count() as u32
}

/// All that two threads share.
fn modelled(part: Part, line: usize) -> u16 {
    match (part, line) {
        (Part::VniMap, _) => CONTROL | VALUES,
        (Part::VniFront, 0) => PLACE,
        (Part::Vnis, _) => NAME | LEARNED | WINDOW | EPOCH | FRONT_LOCK,
        (Part::Meta, 0) => META_EPOCH,
        (Part::Meta, _) => META_VNIS,
        _ => 0,
    }
}

// Two that want the same place in front.
const FIRST: Vni = Vni::truncate(0x0100);
const SECOND: Vni = Vni::truncate(0x0200);
const PLACE: u16 = 0b11;

// Words of a bucket that tell of entries; how their keys come is the bucket's own model.
const CONTROL: u16 = 1;
const VALUES: u16 = 0b1111 << 4;

// Words of a domain's line.
const NAME: u16 = 1;
const LEARNED: u16 = 1 << 1;
const WINDOW: u16 = 0b11 << 5;
const EPOCH: u16 = 1 << 7;
const FRONT_LOCK: u16 = 1 << 8;

// Words that all tables share.
const META_EPOCH: u16 = 1 << 3;
const META_VNIS: u16 = 1 << 11;
