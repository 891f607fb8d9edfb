//! Any operations, on the tables and on a model of plain maps: both answer the same, or the model's rules allow
//! what the tables answer. Asserted by tests and by the fuzz target alike.

mod calls;
mod flush;
mod learn;
mod op;
mod put;
mod reference;

use std::time::Duration;

pub(crate) use self::op::{CHOICES, Choices, LEN, Op};
use self::{
    op::To,
    reference::{Limits, Model},
};
use encap::{
    table::{
        Ageing, Capacity, Destination, Event, GroupId, LearnFrom, Line, ListId, Lookup, RemoteId, Settings,
        Tables, WorkerId,
    },
    time::Instant,
    wire::MacAddr,
};

/// The bytes as settings and operations.
pub(crate) fn tables(data: &[u8]) {
    let Some((&choices, ops)) = data.split_first_chunk::<CHOICES>() else { return };
    let ops = ops.chunks_exact(LEN).filter_map(|op| op.try_into().ok());
    run(Choices(choices), ops.map(Op::from_bytes));
}

/// Does all that, and compares everything that can be asked after each step.
pub(crate) fn run(choices: Choices, ops: impl IntoIterator<Item = Op>) {
    let mut run = Run::new(choices);
    for op in ops {
        run.call(op);
        run.compare();
    }
    run.sweep();
    run.compare();
}

/// The tables, what they should be, and all handles that there ever were.
struct Run {
    tables: Tables<Box<[Line]>>,
    model: Model,
    /// What the clock of the model steps by. Ages are whole tens of it, ageing times are not: nothing is ever
    /// asked about in the moment when it expires.
    unit: Duration,
    lists: Vec<ListId>,
    groups: Vec<GroupId>,
    worker: Option<WorkerId>,
}

impl Run {
    fn new(Choices([sizes, limits, times, seed]): Choices) -> Self {
        let pick = |byte: u8, shift: u8, of: [u32; 4]| of[usize::from(byte >> shift & 3)];
        let capacity = Capacity {
            entries: pick(sizes, 0, [4, 10, 24, 200]),
            vnis: pick(sizes, 2, [1, 2, 3, 5]),
            remotes: pick(sizes, 4, [2, 4, 8, 40]),
            quotas: 2,
            lists: 32,
            members: 3_000,
            workers: 1,
            ..Capacity::NONE
        };
        let unit = Duration::from_millis(pick(times, 0, [1, 1_000, 1_000, 60_000]).into());
        let ageing = (times >> 2 & 7 != 0).then_some(unit * 35);
        let mut settings = Settings::default();
        settings.ageing = ageing.map_or(Ageing::Never, Ageing::After);
        settings.learn_from = if limits & 1 == 0 { LearnFrom::Any } else { LearnFrom::Configured };
        settings.learned_limit = pick(limits, 1, [u32::MAX, u32::MAX, 3, 8]);
        settings.quota_limit = pick(limits, 3, [u32::MAX, u32::MAX, 2, 5]);
        settings.vni_limit = pick(limits, 5, [u32::MAX, u32::MAX, 3, 8]);
        settings.unconfigured_remotes = if limits & 128 == 0 { 2 } else { 20 };
        let limits = Limits {
            entries: capacity.entries,
            learned: settings.learned_limit,
            quota: settings.quota_limit,
            vni: settings.vni_limit,
            vnis: capacity.vnis,
            remotes: capacity.remotes,
            unconfigured: settings.unconfigured_remotes,
            quotas: capacity.quotas,
            learn_from: settings.learn_from,
        };
        // Also where ticks of 16 and of 32 bits come around.
        let starts: [u64; 4] = [1 << 20, (1 << 51) - 70_000_000, (1 << 40) - 1, (1 << 48) + 99];
        let now = Instant::from_micros(starts[usize::from(times >> 5 & 3)]);
        let model = Model::new(limits, now, ageing);
        let tables = Tables::with_capacity(capacity, settings, [seed.into(), 7]).unwrap();
        let mut run = Self { tables, model, unit, lists: Vec::new(), groups: Vec::new(), worker: None };
        run.sweep();
        run
    }

    /// All that can be asked, asked.
    fn compare(&mut self) {
        let (fdb, model) = (self.tables.fdb(), &self.model);
        let mut keys = Vec::new();
        for vni in (0..3).map(op::vni) {
            keys.extend((0..20).map(|byte| (vni, op::mac(byte))));
            assert_eq!(fdb.knows(vni), model.vnis.contains_key(&vni));
            let (configured, learned) = fdb.count_vni(vni);
            match model.vnis.get(&vni) {
                Some(&segment) => {
                    let counts = (model.count_configured_of(segment), model.count_learned_of(segment));
                    assert!(counts.0.admits(configured), "{vni}: {configured} added, {counts:?}");
                    assert!(counts.1.admits(learned), "{vni}: {learned} learned, {counts:?}");
                }
                None => assert_eq!((configured, learned), (0, 0)),
            }
        }
        let mut answers = vec![Lookup::Busy; keys.len()];
        fdb.lookup_batch(model.now, &keys, &mut answers);
        for (&(vni, mac), answer) in keys.iter().zip(answers) {
            assert_eq!(answer, model.lookup(vni, mac), "{vni} {mac} in a batch");
            assert_eq!(answer, fdb.lookup(model.now, vni, mac), "{vni} {mac}");
            match (fdb.get(model.now, vni, mac), model.live(vni, mac)) {
                (Ok(entry), Some(known)) => assert!(model.agrees(&entry, &known), "{entry:?} {known:?}"),
                (got, known) => assert!(got.is_err() && known.is_none(), "{got:?} {known:?}"),
            }
        }
        assert!(model.count_all().admits(fdb.count()), "{} {:?}", fdb.count(), model.count_all());
        let mut dump = fdb.dump(model.now);
        let mut dumped: Vec<_> = dump.by_ref().map(|entry| (entry.vni, entry.mac)).collect();
        assert!(!dump.cursor().may_have_skipped());
        dumped.sort();
        assert_eq!(dumped, model.all_live());

        let remotes = self.tables.remotes();
        for (id, far) in &model.remotes {
            let mut header = [0; 88];
            let read = remotes.read(*id, &mut header);
            assert_eq!(read.is_some(), far.alive);
            assert_eq!(remotes.is_configured(*id), far.alive && far.configured);
            if let Some((remote, len)) = read {
                assert_eq!((remote, &header[..len]), (far.remote, far.header.as_slice()));
                let learned = remotes.learned(*id).unwrap();
                assert!(model.count_learned_from(*id).admits(learned as usize));
                assert_eq!(remotes.find(&remote), Some(*id));
            }
        }
        let alive = model.remotes.iter().filter(|(_, far)| far.alive).count();
        assert_eq!((remotes.count(), remotes.iter().count()), (alive, alive));
        let lists = self.tables.lists();
        for id in self.lists.iter().filter(|id| !model.is_orphan(**id)) {
            let members = model.lists.get(id).map_or(Vec::new(), |list| model.members(&list.members));
            assert_eq!(lists.members(*id).collect::<Vec<_>>(), members);
        }
        for id in &self.groups {
            let members = model.groups.get(id).map_or(Vec::new(), |group| model.members(group));
            assert_eq!(lists.members(*id).collect::<Vec<_>>(), members);
            assert_eq!(lists.pick(*id, 7).is_some(), !members.is_empty());
        }
    }

    /// A whole sweep, from wherever the one before has stopped: then nothing dead takes room.
    fn sweep(&mut self) {
        if self.model.sweeping.is_some() {
            while !self.sweep_some(usize::MAX) {}
            self.remove_unused(false);
        }
        // A remote that was used lately is spared once.
        for all in [false, true] {
            assert!(self.sweep_some(usize::MAX));
            self.model.sweep();
            self.remove_unused(all);
        }
        let model = &self.model;
        for &segment in model.vnis.values() {
            assert_eq!(model.count_learned_of(segment).live, model.count_learned_of(segment).all);
        }
    }

    /// A part of a sweep; answers whether it came to the end.
    /// [`remove_unused`](Self::remove_unused) has to follow.
    fn sweep_some(&mut self, budget: usize) -> bool {
        let model = &mut self.model;
        let began = *model.sweeping.get_or_insert(model.now);
        let mut expired = 0;
        let aged = self.tables.age(model.now, budget, |event| {
            let Event::Expired(entry) = event else { panic!("{event:?}") };
            let key = model.key(entry.vni, entry.mac).unwrap();
            let known = model.entries.get(&key).copied().unwrap();
            assert!(model.is_present(&key, &known) && model.is_expired(&known), "{entry:?} {known:?}");
            model.remove(key);
            expired += 1;
        });
        assert!(!aged.busy && aged.removed >= expired);
        if aged.complete {
            // What was confirmed while nothing was trusted may have been met by the sweep, or not.
            let distrusted: Vec<_> = model
                .entries
                .iter()
                .filter(|(_, known)| known.state.ages())
                .map(|(key, known)| (*key, known.vni))
                .collect();
            let distrusted = if model.is_overdue() { distrusted } else { Vec::new() };
            (model.swept, model.sweeping) = (began, None);
            model.sweeps = model.sweeps.wrapping_add(1);
            let trusts = !model.is_overdue();
            for (key, vni) in distrusted.into_iter().filter(|_| trusts) {
                if self.tables.fdb().get(model.now, vni, key.1).is_err() {
                    model.remove(key);
                }
            }
        }
        aged.complete
    }

    /// Remotes that came by themselves go when nothing names them any more.
    fn remove_unused(&mut self, all: bool) {
        let unused: Vec<_> = self
            .model
            .remotes
            .iter()
            .filter(|(_, far)| far.alive && !far.configured)
            .map(|(id, _)| *id)
            .collect();
        for id in unused {
            let gone = self.tables.remotes().get(id).is_none();
            let named = self.model.count_learned_from(id).live > 0 || self.model.is_named(id);
            assert!(!gone || !named, "something names it");
            assert!(!all || gone || named, "nothing names it");
            if gone {
                self.model.remove_remote(id);
            }
        }
    }

    /// A remote that is there, or was.
    fn remote(&self, number: u8) -> Option<RemoteId> {
        pick(&self.model.remotes, number).map(|(id, _)| *id)
    }

    fn group(&self, number: u8) -> Option<GroupId> {
        pick(&self.groups, number).copied()
    }

    fn list(&self, number: u8) -> Option<ListId> {
        pick(&self.lists, number).copied().filter(|&id| !self.model.is_orphan(id))
    }

    fn destination(&self, to: To) -> Option<Destination> {
        Some(match to {
            To::Remote(number) => self.remote(number)?.into(),
            To::List(number) => self.list(number)?.into(),
            To::Group(number) => self.group(number)?.into(),
            To::Local => Destination::Local,
            To::Blackhole => Destination::Blackhole,
        })
    }
}

/// One of the last 16.
fn pick<T>(from: &[T], number: u8) -> Option<&T> {
    let last = from.get(from.len().saturating_sub(16)..)?;
    last.get(usize::from(number) % last.len().max(1))
}

/// Whether entries of this address have lists.
const fn is_listed(mac: MacAddr) -> bool {
    !mac.is_unicast()
}
