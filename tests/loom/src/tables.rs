//! Remotes, lists and what they lie on, filled before a model begins.

use std::{rc::Rc, sync::atomic::Ordering::Relaxed};

use loom::thread::{self, JoinHandle};

use crate::{
    table::{
        Ageing, Clock, Fdb, LearnFrom, Limits, Lists, Remotes, Tally, Underlay, Vlans, Vnis,
        bucket::Map,
        hash::Seed,
        line::{Line, Words, enter},
        meta::Meta,
        record_lines, ticks, vni,
        worker::Workers,
    },
    wire::icmp_quote::MTU_EXPIRES,
};

/// Lines of a part of the tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Meta,
    Workers,
    /// The index of the remotes.
    Index,
    /// What handles of remotes are equal to.
    Names,
    States,
    Accounts,
    Records,
    Lists,
    /// VNI to domain.
    VniMap,
    /// The same by the low bits of the VNI.
    VniFront,
    /// A line for each domain.
    Vnis,
    Vlans,
    Tally,
    /// The buckets of the forwarding database.
    Fdb,
    FdbCold,
}

const PARTS: [Part; 15] = [
    Part::Meta,
    Part::Workers,
    Part::Index,
    Part::Names,
    Part::States,
    Part::Accounts,
    Part::Records,
    Part::Lists,
    Part::VniMap,
    Part::VniFront,
    Part::Vnis,
    Part::Vlans,
    Part::Tally,
    Part::Fdb,
    Part::FdbCold,
];

/// How large the tables are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) workers: usize,
    /// Remotes that can be added.
    pub(crate) remotes: u32,
    /// Lines of lists.
    pub(crate) lists: usize,
    /// Bytes of header that a remote's record holds.
    pub(crate) header: u32,
    /// VNIs that can be known.
    pub(crate) vnis: usize,
    /// Buckets of the forwarding database.
    pub(crate) buckets: usize,
}

impl Shape {
    pub(crate) const NONE: Self = Self { workers: 0, remotes: 0, lists: 0, header: 4, vnis: 0, buckets: 0 };
}

impl Shape {
    fn lines(self, part: Part) -> usize {
        let remotes = self.remotes as usize;
        match part {
            Part::Meta => crate::table::meta::LINES,
            Part::Workers => self.workers,
            Part::Index => Map::buckets(remotes),
            // Those that only lists name have names and states, and nothing else.
            Part::Names => 4,
            Part::States => 3,
            Part::Accounts => remotes,
            Part::Records => 2 * remotes * record_lines(self.header),
            Part::Lists => self.lists,
            Part::VniMap => Map::buckets(self.vnis),
            Part::VniFront if self.vnis > 0 => vni::front(self.vnis),
            Part::VniFront => 0,
            Part::Vnis => self.vnis,
            Part::Vlans => 1,
            Part::Tally => self.workers * self.vnis,
            Part::Fdb => self.buckets,
            Part::FdbCold => Map::cold_lines(self.buckets),
        }
    }
}

/// The tables and the memory that they are in.
pub(crate) struct Tables {
    shape: Shape,
    parts: [Vec<Line>; PARTS.len()],
}

impl Tables {
    pub(crate) fn lines(&self, part: Part) -> &[Line] {
        &self.parts[part as usize]
    }

    pub(crate) fn meta(&self) -> Meta<'_> {
        Meta::new(self.lines(Part::Meta))
    }

    pub(crate) fn workers(&self) -> Workers<'_> {
        Workers { lines: self.lines(Part::Workers), meta: self.meta() }
    }

    pub(crate) fn remotes(&self) -> Remotes<'_> {
        Remotes {
            map: Map::new(self.lines(Part::Index), &[], SEED),
            names: self.lines(Part::Names),
            states: Words(self.lines(Part::States)),
            accounts: Words(self.lines(Part::Accounts)),
            records: Words(self.lines(Part::Records)),
            stride: record_lines(self.shape.header) * Line::WORDS,
            header: self.shape.header as usize,
            count: self.shape.remotes,
            quotas: 0,
            unconfigured_limit: self.shape.remotes,
            underlay: Underlay::Both,
            seed: SEED,
            meta: self.meta(),
            workers: self.workers(),
        }
    }

    pub(crate) fn lists(&self) -> Lists<'_> {
        Lists {
            lines: self.lines(Part::Lists),
            remotes: self.remotes(),
            seed: SEED,
            meta: self.meta(),
            workers: self.workers(),
        }
    }
}

impl Tables {
    pub(crate) fn vnis(&self) -> Vnis<'_> {
        Vnis {
            map: Map::new(self.lines(Part::VniMap), &[], SEED),
            front: self.lines(Part::VniFront),
            lines: self.lines(Part::Vnis),
            meta: self.meta(),
            workers: self.workers(),
        }
    }

    pub(crate) fn vlans(&self) -> Vlans<'_> {
        Vlans { words: Words(self.lines(Part::Vlans)), count: Line::WORDS as u32, vnis: self.vnis() }
    }

    pub(crate) fn tally(&self) -> Tally<'_> {
        Tally { lines: self.lines(Part::Tally), vnis: self.shape.vnis as u32 }
    }

    pub(crate) fn fdb(&self) -> Fdb<'_> {
        let none = u32::MAX;
        let learn_from = LearnFrom::Any;
        Fdb {
            map: Map::new(self.lines(Part::Fdb), self.lines(Part::FdbCold), SEED),
            vnis: self.vnis(),
            remotes: self.remotes(),
            members: (self.lines(Part::Lists), SEED),
            quotas: Words(&[]),
            meta: self.meta(),
            clock: Clock::new(Ageing::default()),
            limits: Limits { entries: 16, learned: none, quota: none, vni: none, learn_from },
        }
    }

    /// What new tables say.
    fn found(&self) {
        let limit = Clock::new(Ageing::default()).ticks(Ageing::default()).expect("the default");
        self.meta().found();
        self.meta().fdb_limit().store(limit.into(), Relaxed);
        self.meta().mtu_limit().store(ticks(Ageing::After(MTU_EXPIRES)), Relaxed);
        self.remotes().found();
    }
}

/// The words of tables, once and for all executions.
#[derive(Clone)]
pub(crate) struct Image {
    shape: Shape,
    parts: [Vec<[u32; Line::WORDS]>; PARTS.len()],
    /// Which words of a line are loom's.
    modelled: fn(Part, usize) -> u16,
}

impl Image {
    /// Tables as `fill` leaves them, and its answer. In the model those words are loom's that `modelled` says, by
    /// part and line: all that one thread changes while others use them.
    pub(crate) fn new<R>(
        shape: Shape,
        modelled: fn(Part, usize) -> u16,
        fill: impl FnOnce(&Tables) -> R,
    ) -> (Self, R) {
        let parts = PARTS.map(|part| (0..shape.lines(part)).map(|_| Line::new()).collect());
        let tables = Tables { shape, parts };
        tables.found();
        let answer = fill(&tables);
        let parts = tables.parts.each_ref().map(|lines| lines.iter().map(Line::words).collect());
        (Self { shape, parts, modelled }, answer)
    }

    /// These words, in new memory.
    pub(crate) fn tables(&self) -> Rc<Tables> {
        let line = |part, index, words| Line::partly(words, (self.modelled)(part, index));
        let parts = PARTS.map(|part| {
            let lines = self.parts[part as usize].iter().enumerate();
            lines.map(|(index, &words)| line(part, index, words)).collect()
        });
        Rc::new(Tables { shape: self.shape, parts })
    }
}

/// Runs `f` in the second thread of a model.
pub(crate) fn spawn<R: 'static>(
    tables: &Rc<Tables>,
    f: impl FnOnce(&Tables) -> R + 'static,
) -> JoinHandle<R> {
    let tables = Rc::clone(tables);
    thread::spawn(move || {
        enter(1);
        f(&tables)
    })
}

const SEED: Seed = Seed::derive([1, 2], 3);
