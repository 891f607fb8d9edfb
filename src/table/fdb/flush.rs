//! Many entries at once: those that a filter names, in bounded steps, or all that was learned, in one.

use core::{net::IpAddr, sync::atomic::Ordering::Acquire};

use super::{
    super::{
        Destination, Error, Event, GroupId, RemoteId,
        bucket::{Busy, SLOTS, Slot},
        clock::Now,
        cursor::Cursor,
        handle::Handle,
    },
    Fdb, State,
    entry::Entry,
};
use crate::{time::Instant, wire::Vni};

/// Which entries to flush: those for which everything holds that is said. The default names all, the all-zero
/// ones included.
///
/// Where something is said about remotes, only such remotes go, and an entry only with its last one. A list that is
/// somebody's own stays as it is: an entry with one goes where all its members are such remotes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Filter {
    /// The overlay segment of the entry (`src_vni`).
    pub vni: Option<Vni>,
    /// The entry's state.
    pub state: Option<State>,
    /// Whether the entry is a router's.
    pub router: Option<bool>,
    /// Whether the entry is sticky.
    pub sticky: Option<bool>,
    /// The control plane that made it.
    pub origin: Option<u8>,
    /// The entry's cookie is before this one, counted around (RFC 1982): what a resync did not touch. Only of
    /// entries that were not learned.
    pub older_than: Option<u32>,
    /// The next-hop group that it goes to (`nhid`). A filter that says one is not serialized: what names a group means
    /// nothing elsewhere.
    #[cfg_attr(feature = "serde", serde(skip_deserializing, skip_serializing_if = "Option::is_none"))]
    #[cfg_attr(feature = "serde", serde(serialize_with = "refuse_group"))]
    pub group: Option<GroupId>,
    /// The remote's address (`dst`).
    pub address: Option<IpAddr>,
    /// The remote's UDP port (`port`).
    pub port: Option<u16>,
    /// The VNI that the remote is sent (`vni`), be it the entry's.
    pub remote_vni: Option<Vni>,
    /// What packets to the remote leave by (`via`).
    pub egress: Option<u32>,
}

#[cfg(feature = "serde")]
fn refuse_group<S: serde::Serializer>(_: &Option<GroupId>, _: S) -> Result<S::Ok, S::Error> {
    Err(serde::ser::Error::custom("a filter that names a next-hop group means nothing elsewhere"))
}

impl Filter {
    /// All entries.
    pub const ALL: Self = Self {
        vni: None,
        state: None,
        router: None,
        sticky: None,
        origin: None,
        older_than: None,
        group: None,
        address: None,
        port: None,
        remote_vni: None,
        egress: None,
    };

    /// The entries of one control plane that its last resync did not touch.
    pub const fn untouched(origin: u8, older_than: u32) -> Self {
        Self { origin: Some(origin), older_than: Some(older_than), ..Self::ALL }
    }

    const fn names_remotes(&self) -> bool {
        self.address.is_some() || self.port.is_some() || self.remote_vni.is_some() || self.egress.is_some()
    }

    fn matches(&self, entry: &Entry) -> bool {
        fn agrees<T: PartialEq>(wanted: Option<T>, is: T) -> bool {
            wanted.is_none_or(|wanted| wanted == is)
        }
        let older = |than: u32| entry.state != State::Learned && (entry.cookie.wrapping_sub(than) as i32) < 0;
        agrees(self.vni, entry.vni)
            && agrees(self.state, entry.state)
            && agrees(self.router, entry.router)
            && agrees(self.sticky, entry.sticky)
            && agrees(self.origin, entry.origin)
            && self.older_than.is_none_or(older)
            && self.group.is_none_or(|group| entry.destination == Destination::Group(group))
    }
}

/// How far a flush came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct Flushed {
    /// Entries that went, without those that had expired.
    pub entries: usize,
    /// Remotes that went from entries that stayed.
    pub remotes: usize,
    /// Where to go on; `None` when all buckets have been seen.
    pub next: Option<Cursor>,
    /// Whether an entry that was there all the time may have been missed, since entries were moved between buckets
    /// after the flush began: then all that the filter names are gone only after another one.
    pub may_have_skipped: bool,
}

impl Fdb<'_> {
    /// Removes the entries that `filter` names from at most `budget` buckets, and tells each. Of those,
    /// what has expired goes whole, whatever the filter says of remotes, and is told as a sweep does. A bucket that
    /// somebody else keeps locked ends the step early, and so does a replication list from which remotes are to go.
    /// `each` is called under the lock of the entry's bucket: all but lookups of entries there is [`Error::Busy`].
    /// What others add meanwhile may move an entry to where the flush was already: the last step's
    /// [`may_have_skipped`](Flushed::may_have_skipped) says so.
    pub fn flush(
        &self,
        now: Instant,
        filter: &Filter,
        from: Cursor,
        budget: usize,
        mut each: impl FnMut(Event),
    ) -> Flushed {
        let now = self.clock.at(now, self.meta.fdb_ages());
        let mut flushed = Flushed { entries: 0, remotes: 0, next: None, may_have_skipped: false };
        let mut cursor = from;
        cursor.note(self.meta.relocations().load(Acquire));
        let mut bucket = from.bucket as usize;
        let end = bucket.saturating_add(budget).min(self.map.len());
        while bucket < end && self.flush_bucket(now, filter, bucket, &mut flushed, &mut each) {
            bucket = bucket.saturating_add(1);
        }
        cursor.note(self.meta.relocations().load(Acquire));
        flushed.may_have_skipped = cursor.may_have_skipped();
        flushed.next = (bucket < self.map.len()).then_some(cursor.at(bucket));
        flushed
    }

    /// A [`flush`](Self::flush) of [`Filter::untouched`]: removes from at most `budget` buckets the entries of a
    /// control plane that its last resync did not touch, those of `origin` whose cookie is before `older_than`, counted
    /// around.
    pub fn sweep(
        &self,
        now: Instant,
        origin: u8,
        older_than: u32,
        from: Cursor,
        budget: usize,
        each: impl FnMut(Event),
    ) -> Flushed {
        self.flush(now, &Filter::untouched(origin, older_than), from, budget, each)
    }

    fn flush_bucket(
        &self,
        now: Now,
        filter: &Filter,
        bucket: usize,
        flushed: &mut Flushed,
        each: &mut impl FnMut(Event),
    ) -> bool {
        let Ok(mut locked) = self.map.lock_bucket(bucket) else { return false };
        for (place, slot) in (0..SLOTS).zip(locked.slots()) {
            let Some(slot) = slot else { continue };
            let Some(entry) = self.entry(now, &slot).filter(|entry| filter.matches(entry)) else { continue };
            if self.is_dead(now, &slot) {
                let is_expired = self.is_current(&slot);
                self.remove_from_bucket(&mut locked, place, &slot);
                if is_expired {
                    each(Event::Expired(entry));
                }
                continue;
            }
            let Ok((remotes, whole)) = self.flush_remotes(filter, &slot, &entry) else { return false };
            if whole {
                self.remove_from_bucket(&mut locked, place, &slot);
                flushed.entries = flushed.entries.saturating_add(1);
                each(Event::Removed(entry));
            } else if remotes > 0 {
                flushed.remotes = flushed.remotes.saturating_add(remotes);
                each(Event::RemotesRemoved { entry, remotes });
            }
        }
        true
    }

    /// Takes the remotes that the filter names out of an entry; answers how many, and whether the entry goes.
    fn flush_remotes(&self, filter: &Filter, slot: &Slot, entry: &Entry) -> Result<(usize, bool), Busy> {
        if !filter.names_remotes() {
            return Ok((0, true));
        }
        let named = |id: RemoteId| {
            self.remotes.get(id).is_some_and(|remote| {
                filter.address.is_none_or(|address| remote.address == address)
                    && filter.port.is_none_or(|port| remote.port == port)
                    && filter.remote_vni.is_none_or(|vni| remote.vni.unwrap_or(entry.vni) == vni)
                    && filter.egress.is_none_or(|egress| remote.egress == egress)
            })
        };
        Ok(match entry.destination {
            Destination::Remote(remote) => (0, named(remote)),
            Destination::List(list) if !self.lists().is_owned(list.0) => {
                let mut members = self.lists().members(list).peekable();
                (0, members.peek().is_some() && members.all(named))
            }
            Destination::List(_) => match self.lists().delete_where(Handle(slot.content.value), named) {
                Ok((remotes, left)) => (remotes, remotes > 0 && !left),
                Err(Error::Busy) => return Err(Busy),
                // The list was removed just now, and the entry is nobody's.
                Err(_) => (0, false),
            },
            _ => (0, false),
        })
    }

    /// Forgets at once, however much it is, what was learned in a VNI; answers how many entries that were, with those
    /// that died otherwise and were not swept yet: expired ones, and those of remotes that were flushed.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Busy`]; [`Error::SweepPending`] where it was flushed more than 250 times
    /// without sweeps in between: four are enough.
    pub fn flush_learned(&self, vni: Vni) -> Result<usize, Error> {
        let flushed = self.vnis.flush_learned(vni)?;
        self.meta.note_deaths();
        Ok(flushed as usize)
    }

    /// Forgets at once, however much it is, what was learned from a remote; answers how many entries that were, with
    /// those that died otherwise and were not swept yet: expired ones, and those of VNIs that were flushed.
    ///
    /// # Errors
    ///
    /// As for [`flush_learned`](Self::flush_learned), and [`Error::Stale`].
    pub fn flush_learned_from(&self, remote: RemoteId) -> Result<usize, Error> {
        Ok(self.remotes.flush_learned(remote)? as usize)
    }
}
