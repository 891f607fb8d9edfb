//! Flushes: by filters, and of all that was learned.

use encap::{
    table::{Destination, Entry, Error, Event, Filter, Remote, RemoteId, State},
    wire::{MacAddr, Vni},
};

use super::{
    Run,
    calls::{STALE, remote},
    op, pick,
    reference::Known,
};

impl Run {
    pub(super) fn flush(&mut self, what: u8, value: u8, also_vni: bool, budget: u8) {
        let filter = self.filter(what, value, also_vni);
        let (mut cursor, mut entries, mut remotes) = (Default::default(), 0, 0);
        let mut events = Vec::new();
        loop {
            let budget = usize::from(budget % 8) + 1;
            let done =
                self.tables.fdb().flush(self.model.now, &filter, cursor, budget, |event| events.push(event));
            (entries, remotes) = (entries + done.entries, remotes + done.remotes);
            match done.next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        for event in events {
            match event {
                Event::Removed(entry) => {
                    entries -= 1;
                    let key = self.flushed(&filter, entry);
                    let known = self.model.entries[&key];
                    let (gone, left) = self.take_named(&filter, known);
                    assert!(left == 0 && (gone > 0 || !names_remotes(&filter)), "{entry:?}");
                    self.model.remove(key);
                }
                Event::RemotesRemoved { entry, remotes: count } => {
                    remotes -= count;
                    let key = self.flushed(&filter, entry);
                    let (gone, left) = self.take_named(&filter, self.model.entries[&key]);
                    assert!(gone == count && left > 0, "{entry:?}");
                }
                Event::Expired(entry) => {
                    let key = self.model.key(entry.vni, entry.mac).unwrap();
                    let known = self.model.entries[&key];
                    assert!(self.names(&filter, &known) && self.model.is_expired(&known), "{entry:?}");
                    self.model.remove(key);
                }
                event => panic!("{event:?}"),
            }
        }
        assert_eq!((entries, remotes), (0, 0));
        for (vni, mac) in self.model.all_live() {
            let known = self.model.live(vni, mac).unwrap();
            if self.names(&filter, &known) {
                let is_remote = matches!(known.to, Destination::Remote(_) | Destination::List(_));
                let left = names_remotes(&filter) && (!is_remote || self.take_named(&filter, known).0 == 0);
                assert!(left, "{known:?} should have gone by {filter:?}");
            }
        }
    }

    fn filter(&self, what: u8, value: u8, also_vni: bool) -> Filter {
        let mut filter = Filter::ALL;
        filter.vni = also_vni.then(|| op::vni(value >> 4));
        match what % 16 {
            0 => {}
            1 => filter.vni = Some(op::vni(value)),
            2 => {
                let states =
                    [State::Permanent, State::Static, State::Dynamic, State::Learned, State::ExternLearn];
                filter.state = Some(states[usize::from(value) % 5]);
            }
            3 => filter.router = Some(value & 1 != 0),
            4 => filter.sticky = Some(value & 1 != 0),
            5 => filter.origin = Some(value & 3),
            6 => filter.older_than = Some(u32::from(value >> 2)),
            7 => filter = Filter::untouched(value & 3, u32::from(value >> 2)),
            8 => filter.group = pick(&self.groups, value).copied(),
            9 => filter.port = Some(remote(value).port),
            10 => filter.remote_vni = Some(op::vni(value)),
            11 => filter.egress = Some(remote(value).egress),
            _ => filter.address = Some(remote(value).address),
        }
        filter
    }

    /// Whether the filter says so of the entry.
    fn names(&self, filter: &Filter, known: &Known) -> bool {
        let older = |than: u32| known.learned.is_none() && known.cookie.wrapping_sub(than) >= 1 << 31;
        filter.vni.is_none_or(|vni| vni == known.vni)
            && filter.state.is_none_or(|state| state == known.state)
            && filter.router.is_none_or(|router| router == known.router)
            && filter.sticky.is_none_or(|sticky| sticky == known.sticky)
            && filter.origin.is_none_or(|origin| origin == known.origin)
            && filter.older_than.is_none_or(older)
            && filter.group.is_none_or(|group| known.to == Destination::Group(group))
    }

    fn names_remote(&self, filter: &Filter, vni: Vni, id: RemoteId) -> bool {
        self.model.far(id).is_some_and(|far| {
            let Remote { address, port, egress, vni: own, .. } = far.remote;
            filter.address.is_none_or(|wanted| wanted == address)
                && filter.port.is_none_or(|wanted| wanted == port)
                && filter.egress.is_none_or(|wanted| wanted == egress)
                && filter.remote_vni.is_none_or(|wanted| wanted == own.unwrap_or(vni))
        })
    }

    /// An event is of an entry that is there, and that the filter names.
    fn flushed(&self, filter: &Filter, entry: Entry) -> (u32, MacAddr) {
        let known = self.model.live(entry.vni, entry.mac).unwrap();
        assert!(self.names(filter, &known) && self.model.agrees(&entry, &known), "{entry:?}");
        self.model.key(entry.vni, entry.mac).unwrap()
    }

    /// Takes the remotes that a filter names out of an entry; answers how many went, and how many stay.
    fn take_named(&mut self, filter: &Filter, known: Known) -> (usize, usize) {
        if !names_remotes(filter) {
            return (0, 0);
        }
        match known.to {
            Destination::Remote(id) => {
                let named = self.names_remote(filter, known.vni, id);
                (named.into(), (!named).into())
            }
            Destination::List(list) => {
                let before = self.model.lists[&list].members.clone();
                let (gone, left): (Vec<_>, Vec<_>) =
                    before.into_iter().partition(|&id| self.names_remote(filter, known.vni, id));
                let there = self.model.members(&left).len();
                match self.model.lists.get_mut(&list).unwrap() {
                    list if list.owned => list.members = left,
                    // Somebody's own: it stays as it is, and so does an entry of others.
                    _ if there > 0 => return (0, there),
                    _ => {}
                }
                (gone.len(), there)
            }
            _ => (0, 1),
        }
    }

    pub(super) fn flush_learned(&mut self, vni: Vni) {
        let answer = self.tables.fdb().flush_learned(vni);
        let Some(&segment) = self.model.vnis.get(&vni) else {
            return assert_eq!(answer, Err(Error::NotFound));
        };
        match answer {
            Ok(count) => {
                assert!(self.model.count_learned_of(segment).admits(count));
                self.model.vnis.get_mut(&vni).unwrap().flushes += 1;
            }
            Err(error) => assert!(error == Error::SweepPending && segment.flushes >= 200),
        }
    }

    pub(super) fn flush_learned_from(&mut self, id: RemoteId) {
        let answer = self.tables.fdb().flush_learned_from(id);
        let count = self.model.count_learned_from(id);
        let Some(far) = self.model.far_mut(id) else { return assert_eq!(answer, Err(STALE)) };
        match answer {
            Ok(answer) => {
                assert!(count.admits(answer));
                far.flushes += 1;
            }
            Err(error) => assert!(error == Error::SweepPending && far.flushes >= 100),
        }
    }
}

const fn names_remotes(filter: &Filter) -> bool {
    filter.address.is_some()
        || filter.port.is_some()
        || filter.remote_vni.is_some()
        || filter.egress.is_some()
}
