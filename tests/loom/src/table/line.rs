//! What the crate's `line.rs` offers, over loom's atomics, and a way to weaken it.
//!
//! Within [`modelled`] the words are loom's. Elsewhere they are plain, so that the tables of a model can be
//! filled by the real code before it begins.
//!
//! # Which orders loom runs
//!
//! Loom switches threads where it sees that two accesses to one word depend on each other, but compares an access
//! with the last one to the word only: where a thread loads a word before it stores it, the load hides those of
//! others, and most orders are never run ([#166], [#392]). So every word carries, for each thread, something else
//! that loom keeps account of: a load touches its own thread's, whatever stores touches all. Nothing is
//! synchronised by that, and nothing runs between an access and its touches.
//!
//! [#166]: https://github.com/tokio-rs/loom/issues/166
//! [#392]: https://github.com/tokio-rs/loom/issues/392

use std::{
    cell::{Cell, OnceCell},
    sync::atomic::{
        self as plain,
        Ordering::{self, Acquire, Relaxed, SeqCst},
    },
    thread::panicking,
};

use loom::sync::{Condvar, atomic as modelled};

/// Sixteen 32-bit words.
#[derive(Debug)]
pub struct Line([AtomicU32; Self::WORDS]);

impl Line {
    pub(crate) const WORDS: usize = 16;

    /// A line of zeroes.
    pub fn new() -> Self {
        Self::of([0; Self::WORDS])
    }

    /// A line of these words.
    pub(crate) fn of(words: [u32; Self::WORDS]) -> Self {
        let mut index = 0..;
        Self(words.map(|word| AtomicU32::at(index.next().unwrap_or(0), word)))
    }

    /// A line of these words, of which only those of the mask are loom's: the others do not change in the model, or
    /// only one thread uses them.
    pub(crate) fn partly(words: [u32; Self::WORDS], mask: u16) -> Self {
        let mut index = 0..;
        Self(words.map(|word| {
            let index = index.next().unwrap_or(0);
            AtomicU32::with(index, word, MODELLED.get() && mask >> index & 1 != 0)
        }))
    }

    /// A word, counted from 0 and around.
    pub(crate) fn word(&self, index: usize) -> &AtomicU32 {
        &self.0[index % Self::WORDS]
    }

    /// Nothing: to ask for a line ahead changes what nobody sees.
    pub(crate) fn touch(&self) -> u32 {
        touch(self.word(0))
    }

    /// All words as they are, outside of models.
    pub(crate) fn words(&self) -> [u32; Self::WORDS] {
        std::array::from_fn(|index| self.word(index).load(Relaxed))
    }
}

/// The same for the line that a word is on.
pub(crate) fn touch(_: &AtomicU32) -> u32 {
    0
}

/// As where lines can be asked for without a load.
pub(crate) const FETCHES: bool = true;

/// A line that nobody looks at.
pub(crate) fn nowhere() -> &'static Line {
    Box::leak(Box::new(Line::new()))
}

/// A line that nobody changes.
pub(crate) fn empty() -> &'static Line {
    EMPTY.with(|empty| *empty)
}

/// Lines read as one run of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'t>(pub(crate) &'t [Line]);

impl<'t> Words<'t> {
    pub(crate) const fn lines(words: usize) -> usize {
        words.div_ceil(Line::WORDS)
    }

    pub(crate) fn get(self, index: usize) -> Option<&'t AtomicU32> {
        Some(self.0.get(index / Line::WORDS)?.word(index))
    }
}

/// A word that knows its place in its line.
#[derive(Debug)]
pub(crate) struct AtomicU32 {
    word: usize,
    cell: Word,
}

#[derive(Debug)]
enum Word {
    Plain(plain::AtomicU32),
    Modelled { word: modelled::AtomicU32, touched: [OnceCell<Condvar>; THREADS] },
}

/// The same call of either.
macro_rules! either {
    ($self:ident.$call:ident($($argument:expr),*)) => {
        match &$self.cell {
            Word::Plain(word) => word.$call($($argument),*),
            Word::Modelled { word, .. } => word.$call($($argument),*),
        }
    };
}

/// Read-modify-write functions of one argument.
macro_rules! fetch {
    ($($name:ident)*) => { $(
        pub(crate) fn $name(&self, value: u32, order: Ordering) -> u32 {
            self.access(Kind::Update, order, |order| either!(self.$name(value, order)))
        }
    )* };
}

impl AtomicU32 {
    /// A word that is not in a line.
    pub(crate) fn new(value: u32) -> Self {
        Self::at(usize::MAX, value)
    }

    fn at(word: usize, value: u32) -> Self {
        Self::with(word, value, MODELLED.get())
    }

    fn with(word: usize, value: u32, modelled: bool) -> Self {
        let cell = if modelled {
            Word::Modelled { word: modelled::AtomicU32::new(value), touched: Default::default() }
        } else {
            Word::Plain(plain::AtomicU32::new(value))
        };
        Self { word, cell }
    }

    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.access(Kind::Load, order, |order| either!(self.load(order)))
    }

    pub(crate) fn store(&self, value: u32, order: Ordering) {
        // The locks of an execution that has failed would be given back after its end.
        if !panicking() {
            self.access(Kind::Store(value), order, |order| either!(self.store(value, order)));
        }
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.access(Kind::Update, success, |success| {
            either!(self.compare_exchange(current, new, success, failure))
        })
    }

    pub(crate) fn compare_exchange_weak(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.compare_exchange(current, new, success, failure)
    }

    pub(crate) fn fetch_update(
        &self,
        set: Ordering,
        fetch: Ordering,
        mut change: impl FnMut(u32) -> Option<u32>,
    ) -> Result<u32, u32> {
        let mut old = self.load(fetch);
        while let Some(new) = change(old) {
            match self.compare_exchange_weak(old, new, set, fetch) {
                Ok(old) => return Ok(old),
                Err(now) => old = now,
            }
        }
        Err(old)
    }

    fetch! { swap fetch_add fetch_sub fetch_and fetch_or fetch_xor fetch_max fetch_min }

    fn access<R>(&self, kind: Kind, order: Ordering, access: impl FnOnce(Ordering) -> R) -> R {
        if let Word::Modelled { .. } = &self.cell
            && (kind, self.word, order) == (Kind::Load, 0, Acquire)
            && THREAD.with(Cell::get) == 0
        {
            let looks = LOOKS.get();
            LOOKS.set(looks.saturating_sub(1));
            if looks == 1 {
                loom::skip_branch();
            }
        }
        let order = OBSERVER.get()(Access { kind, word: self.word, order });
        let answer = access(order);
        if (kind, order, SEQUENTIAL.get(), MODELLED.get()) == (Kind::Update, SeqCst, true, true) {
            modelled::fence(SeqCst);
        }
        if let Word::Modelled { touched, .. } = &self.cell {
            let own = THREAD.with(Cell::get);
            loom::stop_exploring();
            for (thread, touched) in touched.iter().enumerate() {
                if thread == own || kind != Kind::Load {
                    // Nobody waits: all that it does is to be seen.
                    touched.get_or_init(Condvar::new).notify_one();
                }
            }
            loom::explore();
        }
        answer
    }
}

pub(crate) fn fence(order: Ordering) {
    match OBSERVER.get()(Access { kind: Kind::Fence, word: usize::MAX, order }) {
        Relaxed => {}
        order if MODELLED.get() => modelled::fence(order),
        order => plain::fence(order),
    }
}

/// Lets the other threads of a model go on.
pub(crate) fn spin_loop() {
    if MODELLED.get() {
        loom::hint::spin_loop();
    } else {
        std::hint::spin_loop();
    }
}

/// What is about to happen to a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) kind: Kind,
    /// Its place in its line, or `usize::MAX`.
    pub(crate) word: usize,
    pub(crate) order: Ordering,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Load,
    Store(u32),
    /// Read and written as one.
    Update,
    /// No word at all.
    Fence,
}

/// Sees every access and says with which ordering it is done; a Relaxed fence is none.
pub(crate) type Observer = fn(Access) -> Ordering;

/// Runs `f` with words that loom models.
pub(crate) fn modelled<R>(f: impl FnOnce() -> R) -> R {
    let _reset = Reset(&MODELLED, MODELLED.replace(true));
    f()
}

/// Runs `f` while `observer` sees all accesses.
pub(crate) fn observed<R>(observer: Observer, f: impl FnOnce() -> R) -> R {
    let _reset = Reset(&OBSERVER, OBSERVER.replace(observer));
    f()
}

/// Runs `f` with a total order of all SeqCst updates, by a fence after each, so that a SeqCst load after one comes
/// after it there too. Loom has such an order of fences only: everywhere else these are updates that acquire and
/// release.
pub(crate) fn sequential<R>(f: impl FnOnce() -> R) -> R {
    let _reset = Reset(&SEQUENTIAL, SEQUENTIAL.replace(true));
    f()
}

/// Tells the words which thread of the model is running; until then it is the first.
pub(crate) fn enter(thread: usize) {
    THREAD.with(|own| own.set(thread));
}

/// Runs `f`, in the first thread, in all ways until it has looked at so many lines, by loading their first word with
/// Acquire; what the model does from there on is run in one way only.
pub(crate) fn looking<R>(looks: usize, f: impl FnOnce() -> R) -> R {
    let _reset = Reset(&LOOKS, LOOKS.replace(looks + 1));
    f()
}

/// Puts the old value back, also where a model fails.
struct Reset<T: Copy + 'static>(&'static std::thread::LocalKey<Cell<T>>, T);

impl<T: Copy> Drop for Reset<T> {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

// Loom runs the threads of a model on the thread that checks it, and tests run on one each.
thread_local! {
    static MODELLED: Cell<bool> = const { Cell::new(false) };
    static SEQUENTIAL: Cell<bool> = const { Cell::new(false) };
    static LOOKS: Cell<usize> = const { Cell::new(0) };
    static OBSERVER: Cell<Observer> = const { Cell::new(as_written) };
    static EMPTY: &'static Line = Box::leak(Box::new(Line::partly([0; Line::WORDS], 0)));
}

loom::thread_local! {
    static THREAD: Cell<usize> = Cell::new(0);
}

const fn as_written(access: Access) -> Ordering {
    access.order
}

/// Threads of a model, the first of which runs it.
pub(crate) const THREADS: usize = 2;
