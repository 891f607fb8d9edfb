//! What all models share: how they are run, and tables that were filled before they begin.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::current,
};

use loom::{
    model::Builder,
    thread::{self, JoinHandle},
};

use crate::table::{
    bucket::{Added, Busy, Cold, Content, Key, Map, Slot},
    hash::Seed,
    line::{AtomicU32, Line, THREADS, enter, looking, modelled},
};

/// Runs `model` in all executions with at most so many preemptions, and prints how many those were.
pub(crate) fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    let bound = *builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 5_000;
    builder.max_threads = THREADS;
    let executions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&executions);
    modelled(|| {
        builder.check(move || {
            count.fetch_add(1, Relaxed);
            model();
        });
    });
    let (test, executions) = (current(), executions.load(Relaxed));
    println!("{}: {executions} executions, at most {bound} preemptions", test.name().unwrap_or("model"));
}

/// The ways to look for a key.
pub(crate) const READERS: [fn(&World, Key) -> Option<Content>; 2] = [World::find, World::find_anywhere];

/// Runs `f` in the second thread of a model.
pub(crate) fn spawn<R: 'static>(world: &Rc<World>, f: impl FnOnce(&World) -> R + 'static) -> JoinHandle<R> {
    let world = Rc::clone(world);
    thread::spawn(move || {
        enter(1);
        f(&world)
    })
}

/// A map and the memory that it is in.
pub(crate) struct World {
    buckets: Vec<Line>,
    cold: Vec<Line>,
    pub(crate) relocations: AtomicU32,
}

impl World {
    fn new(buckets: Vec<Line>, cold: Vec<Line>) -> Self {
        Self { buckets, cold, relocations: AtomicU32::new(0) }
    }

    pub(crate) fn map(&self) -> Map<'_> {
        Map::new(&self.buckets, &self.cold, SEED)
    }

    pub(crate) fn line(&self, bucket: usize) -> &Line {
        &self.buckets[bucket]
    }

    /// What a reader answers; not [`Busy`], since the writers of models change less than it tries. What it does
    /// after its first look at either bucket is run in one way only: that is [`find_anywhere`](Self::find_anywhere).
    pub(crate) fn find(&self, key: Key) -> Option<Content> {
        looking(2, || self.map().find(key, |_, _| true)).expect("fewer changes than tries")
    }

    /// What a reader answers whose first looks were disturbed.
    pub(crate) fn find_anywhere(&self, key: Key) -> Option<Content> {
        self.map().find_anywhere(key, |_, _| true).expect("fewer changes than tries")
    }

    /// All that is in a bucket, as a reader answers it.
    pub(crate) fn bucket(&self, bucket: usize) -> Vec<Slot> {
        self.map().bucket(bucket).expect("fewer changes than tries").into_iter().flatten().collect()
    }

    /// All entries of `key`.
    pub(crate) fn entries(&self, key: Key) -> Vec<Slot> {
        let all = (0..self.buckets.len()).flat_map(|bucket| self.bucket(bucket));
        all.filter(|slot| slot.key == key).collect()
    }

    /// How many entries a bucket has elsewhere, by its own account.
    pub(crate) fn overflow(&self, bucket: usize) -> usize {
        (self.line(bucket).word(0).load(Relaxed) >> 1 & 0x3f) as usize
    }

    pub(crate) fn try_add(&self, slot: &Slot) -> Result<Added, Busy> {
        self.map().add(slot, &self.relocations)
    }

    /// Adds an entry where there is room for it.
    pub(crate) fn add(&self, slot: &Slot) {
        assert_eq!(self.try_add(slot), Ok(Added::New));
    }

    /// Removes the entry of `key`.
    pub(crate) fn remove(&self, key: Key) {
        let mut locked = self.map().lock(key).expect("a free lock");
        let (place, _) = locked.find(key).expect("the entry");
        locked.remove(place);
    }

    /// Removes the entry of `key` from a bucket as the sweep does.
    pub(crate) fn sweep_out(&self, bucket: usize, key: Key) {
        let mut single = self.map().lock_bucket(bucket).expect("a free lock");
        let slot = single.slots().iter().position(|slot| slot.is_some_and(|slot| slot.key == key));
        single.remove(slot.expect("the entry"));
    }

    /// Points the entry of `key` elsewhere.
    pub(crate) fn roam(&self, key: Key) {
        let (mut held, _) = self.map().hold(key).expect("a free lock").expect("the entry");
        held.set_value(roamed(key).value);
    }
}

/// The words of a map, once and for all executions.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) buckets: Vec<[u32; Line::WORDS]>,
    cold: Vec<[u32; Line::WORDS]>,
}

impl Image {
    /// So many buckets as `fill` leaves them.
    pub(crate) fn new(buckets: usize, fill: impl FnOnce(&World)) -> Self {
        Self::of(buckets, 0, fill)
    }

    /// As [`new`](Self::new), with cold words.
    pub(crate) fn with_cold(buckets: usize, fill: impl FnOnce(&World)) -> Self {
        Self::of(buckets, Map::cold_lines(buckets), fill)
    }

    fn of(buckets: usize, cold: usize, fill: impl FnOnce(&World)) -> Self {
        let lines = |count| (0..count).map(|_| Line::new()).collect();
        let world = World::new(lines(buckets), lines(cold));
        fill(&world);
        let words = |lines: &[Line]| lines.iter().map(Line::words).collect();
        Self { buckets: words(&world.buckets), cold: words(&world.cold) }
    }

    /// These words, in new memory.
    pub(crate) fn world(&self) -> Rc<World> {
        let lines = |words: &[[u32; Line::WORDS]]| words.iter().copied().map(Line::of).collect();
        Rc::new(World::new(lines(&self.buckets), lines(&self.cold)))
    }
}

/// An entry of which all parts follow from key and salt.
pub(crate) fn entry(key: Key, salt: u8) -> Slot {
    let value = (SEED.hash(key.0 ^ u64::from(salt) << 56) as u32).max(1);
    let [a, b, c, d] = value.to_le_bytes();
    let content = Content { value, tag: a ^ d, stamp: u16::from_le_bytes([b, c]) };
    Slot { key, content, cold: Cold { cookie: !value, origin: b } }
}

/// An [`entry`] as it is where there are no cold words.
pub(crate) fn bare(key: Key, salt: u8) -> Slot {
    Slot { cold: Cold::default(), ..entry(key, salt) }
}

/// What an [`entry`] says after [`World::roam`].
pub(crate) fn roamed(key: Key) -> Content {
    Content { value: entry(key, 1).content.value, ..entry(key, 0).content }
}

/// What was found belongs to the key, as it was added with one of these salts.
#[track_caller]
pub(crate) fn assert_content(found: Option<Content>, key: Key, salts: &[u8]) {
    if let Some(found) = found {
        let one_of_them = salts.iter().any(|&salt| entry(key, salt).content == found);
        assert!(one_of_them, "torn: {found:?} is not of {key:?}");
    }
}

/// It was found at all, too.
#[track_caller]
pub(crate) fn assert_present(found: Option<Content>, key: Key, salts: &[u8]) {
    assert!(found.is_some(), "vanished: {key:?} is there all the time");
    assert_content(found, key, salts);
}

/// Different keys, of which the first and second bucket, of so many, are these.
pub(crate) fn keys(buckets: usize, first: usize, second: usize) -> impl Iterator<Item = Key> {
    (1..).map(|n| Key((n << 32) | (n * 7))).filter(move |&key| places(buckets, key) == (first, second))
}

/// Two keys, and the two that have a half of each, all at home in the first bucket of two.
pub(crate) fn crossed_keys() -> [Key; 4] {
    let crossed = |n: u64| {
        let (high, low) = (1 + n / 64, 1 + n % 64);
        [(high, low), (high + 1, low + 1), (high, low + 1), (high + 1, low)].map(|(h, l)| Key(h << 32 | l))
    };
    let at_home = |keys: &[Key; 4]| keys.iter().all(|&key| places(2, key).0 == 0);
    (0..).map(crossed).find(at_home).expect("infinitely many")
}

/// Numbers of the first and second bucket of `key`.
pub(crate) fn places(buckets: usize, key: Key) -> (usize, usize) {
    let world = World::new((0..buckets).map(|_| Line::new()).collect(), Vec::new());
    let mut locked = world.map().lock(key).expect("a free lock");
    // Five at once: the first bucket overflows.
    for _ in 0..5 {
        locked.insert(&entry(key, 0)).expect("a free slot");
    }
    drop(locked);
    let with = |count| (0..buckets).find(|&bucket| world.bucket(bucket).len() == count);
    (with(4).expect("a full bucket"), with(1).expect("the bucket after"))
}

/// What places the keys of all models.
const SEED: Seed = Seed::derive([1, 2], 3);
