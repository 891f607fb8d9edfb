//! Groups: to which remotes a multicast packet goes, by its IP addresses (Linux: the `mdb` of a vxlan device; RFC 4604
//! for what hosts mean by a source).
//!
//! (VNI, group, source) names a destination, a replication list as a rule; a source that is not said is any. An
//! unspecified group stands for all that have no entry of their own, but for those that never leave a link.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Change, Destination, Error, Fdb, HandleKind,
    address::{of_words, to_words},
    bucket::{Busy, Key},
    clock::ETERNAL,
    cursor::Cursor,
    handle::Handle,
    hash::Seed,
    store::{Step, Store, Stored},
};
use crate::wire::{Vni, is_unicast, stays_on_link};

/// A group of a VNI, and where its packets go.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// The segment.
    pub vni: Vni,
    /// The group's address; unspecified for all groups that have no entry of their own.
    pub group: IpAddr,
    /// Who sends; `None` for whoever has no entry of his own.
    pub source: Option<IpAddr>,
    /// Where packets go.
    pub destination: Destination,
}

/// The groups of [`Tables`](super::Tables). They belong to the number of a VNI, and stay when that is removed. One
/// whose destination is removed is not found any more, and a sweep gives its room back.
///
/// ```
/// use encap::{table::{Capacity, Line, Remote, Tables}, wire::Vni};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// const CAPACITY: Capacity = Capacity { groups: 64, ..Capacity::fdb(256) };
/// # static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
/// let tables = Tables::new(&LINES, CAPACITY, [0x5eed, 0xbeef])?;
/// let [a, b] = ["192.0.2.1", "192.0.2.2"]
///     .map(|address| tables.remotes().add(&Remote::new(address.parse().unwrap(), 4789)).unwrap());
/// let both = tables.lists().add_list(&[a, b])?;
/// let (vni, group) = (Vni::truncate(42), "239.1.1.1".parse()?);
/// tables.groups().add(vni, group, None, both)?;
/// tables.groups().add(vni, group, Some("10.1.0.9".parse()?), a)?;
///
/// assert_eq!(tables.groups().lookup(vni, group, "10.1.0.9".parse()?), Some(a.into()));
/// assert_eq!(tables.groups().lookup(vni, group, "10.1.0.1".parse()?), Some(both.into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Groups<'t> {
    pub(crate) store: Store<'t, RECORD_WORDS>,
    pub(crate) fdb: Fdb<'t>,
    pub(crate) seed: Seed,
}

impl<'t> Groups<'t> {
    /// Where a packet from `source` to `group` goes: by an entry of both, of the group, or of all groups.
    pub fn lookup(&self, vni: Vni, group: IpAddr, source: IpAddr) -> Option<Destination> {
        let all = (!stays_on_link(group)).then_some((unspecified(group), None));
        [(group, Some(source)), (group, None)]
            .into_iter()
            .chain(all)
            .find_map(|(group, source)| self.get(vni, group, source).ok().map(|found| found.destination))
    }

    /// Adds a group.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`], whatever its destination; [`Error::NotMulticast`] for an address that is neither a group's
    /// nor unspecified, or for all groups of one source; [`Error::Family`] for a source of another family;
    /// [`Error::NotUnicast`] for a source that is nobody; [`Error::Stale`] for a destination that was removed;
    /// [`Error::Full`]; [`Error::Busy`].
    pub fn add(
        &self,
        vni: Vni,
        group: IpAddr,
        source: Option<IpAddr>,
        destination: impl Into<Destination>,
    ) -> Result<(), Error> {
        self.put(&Group { vni, group, source, destination: destination.into() }, false).map(|_| ())
    }

    /// Adds a group, or says where it leads from now on.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add) but [`Error::Exists`].
    pub fn replace(
        &self,
        vni: Vni,
        group: IpAddr,
        source: Option<IpAddr>,
        destination: impl Into<Destination>,
    ) -> Result<Change, Error> {
        self.put(&Group { vni, group, source, destination: destination.into() }, true)
    }

    /// Removes a group.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also where its destination was removed; [`Error::Busy`].
    pub fn delete(&self, vni: Vni, group: IpAddr, source: Option<IpAddr>) -> Result<(), Error> {
        let name = name(vni, group, source);
        let was_there = self.store.change(
            self.key(&name),
            |words| name_of(words) == name,
            |_| false,
            // One that leads nowhere goes, too.
            |old| old.map(|old| (self.group(old).is_some(), Step::Remove)).ok_or(Error::NotFound),
        )?;
        if was_there { Ok(()) } else { Err(Error::NotFound) }
    }

    /// The entry of exactly this group and source.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also where its destination was removed; [`Error::Busy`].
    pub fn get(&self, vni: Vni, group: IpAddr, source: Option<IpAddr>) -> Result<Group, Error> {
        if self.count() == 0 {
            return Err(Error::NotFound);
        }
        let name = name(vni, group, source);
        let found = self.store.find(self.key(&name), |words| name_of(words) == name)?;
        found.and_then(|stored| self.group(stored)).ok_or(Error::NotFound)
    }

    /// All groups, in no order that means anything. Those that come or go meanwhile may be among them; and one that
    /// others move in storage, to make room for a new one, may be missed or met twice.
    pub fn iter(&self) -> impl Iterator<Item = Group> + 't {
        let (groups, mut cursor) = (*self, Cursor::default());
        core::iter::from_fn(move || groups.store.next(&mut cursor))
            .filter_map(move |stored| groups.group(stored))
    }

    /// How many groups there are.
    pub fn count(&self) -> usize {
        self.store.count()
    }

    /// How many buckets a sweep looks at.
    pub(crate) fn buckets(&self) -> usize {
        self.store.map.len()
    }

    /// Removes from a bucket the groups whose destination was removed, before anything else has its handle, and notes
    /// that the remotes of others are in use; answers how many went.
    pub(crate) fn sweep_bucket(&self, bucket: usize) -> Result<usize, Busy> {
        let goes = |stored: &Stored<RECORD_WORDS>| self.is_dead(stored);
        // Looked at first without a lock: most buckets have none.
        if !self.store.any_in_bucket(bucket, goes)? {
            return Ok(0);
        }
        self.store.sweep_bucket(bucket, goes, |_| None)
    }

    /// Whether the destination of a group was removed; a remote that is there is in use for this sweep.
    fn is_dead(&self, stored: &Stored<RECORD_WORDS>) -> bool {
        let destination = self.group(*stored).map(|group| group.destination);
        if let Some(Destination::Remote(remote)) = destination {
            self.fdb.remotes.note_use(remote.0);
        }
        destination.is_none()
    }

    fn put(&self, new: &Group, replace: bool) -> Result<Change, Error> {
        let Group { vni, group, source, destination } = *new;
        if !group.is_multicast() && !group.is_unspecified() {
            return Err(Error::NotMulticast);
        }
        match source {
            Some(source) if source.is_ipv4() != group.is_ipv4() => return Err(Error::Family),
            Some(source) if !is_unicast(source) => return Err(Error::NotUnicast),
            Some(_) if group.is_unspecified() => return Err(Error::NotMulticast),
            _ => {}
        }
        let name = name(vni, group, source);
        let [flags, a, b, c, d, e, f, g, h] = name;
        let words = [flags, a, b, c, d, e, f, g, h, destination.handle().0];
        let new = Stored { words, stamp: ETERNAL };
        self.store.change(
            self.key(&name),
            |words| name_of(words) == name,
            |stored| self.is_dead(stored),
            |old| {
                // Asked under the lock: a sweep that finds nothing of what was removed comes later.
                self.begin_use(destination)?;
                match old.filter(|old| self.group(*old).is_some()) {
                    None => Ok((Change::Created, Step::Put(new))),
                    Some(_) if !replace => Err(Error::Exists),
                    Some(old) if old.words == new.words => Ok((Change::Unchanged, Step::Keep)),
                    Some(_) => Ok((Change::Updated, Step::Put(new))),
                }
            },
        )
    }

    /// Asks whether a destination is there; a remote that is stays for this sweep.
    fn begin_use(&self, destination: Destination) -> Result<(), Error> {
        match destination {
            _ if self.fdb.destination(destination.handle()).is_none() => {
                Err(Error::Stale(HandleKind::of(destination)))
            }
            Destination::Remote(remote) => self.fdb.remotes.begin_use(remote),
            _ => Ok(()),
        }
    }

    /// The group of a record, unless its destination was removed.
    fn group(&self, stored: Stored<RECORD_WORDS>) -> Option<Group> {
        let [flags, a, b, c, d, e, f, g, h, handle] = stored.words;
        let ip = |words| of_words(words, flags & IPV6 != 0);
        Some(Group {
            vni: Vni::truncate(flags),
            group: ip([a, b, c, d]),
            source: (flags & SOURCE != 0).then_some(ip([e, f, g, h])),
            destination: self.fdb.destination(Handle(handle))?,
        })
    }

    fn key(&self, name: &[u32; NAME_WORDS]) -> Key {
        Key(self.seed.fingerprint(name))
    }
}

fn name(vni: Vni, group: IpAddr, source: Option<IpAddr>) -> [u32; NAME_WORDS] {
    let ([a, b, c, d], is_ipv6) = to_words(group);
    let ([e, f, g, h], _) = source.map(to_words).unwrap_or_default();
    let ipv6 = if is_ipv6 { IPV6 } else { 0 };
    let has_source = match source {
        None => 0,
        Some(source) if source.is_ipv6() == group.is_ipv6() => SOURCE,
        // No record has that name.
        Some(_) => OTHER_SOURCE,
    };
    [vni.value() | ipv6 | has_source, a, b, c, d, e, f, g, h]
}

const fn name_of(words: &[u32; RECORD_WORDS]) -> [u32; NAME_WORDS] {
    let [flags, a, b, c, d, e, f, g, h, _] = *words;
    [flags, a, b, c, d, e, f, g, h]
}

const fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

const NAME_WORDS: usize = 9;
pub(crate) const RECORD_WORDS: usize = NAME_WORDS + 1;

// Marks beside a VNI.
const IPV6: u32 = 1 << 24;
const SOURCE: u32 = 1 << 25;
const OTHER_SOURCE: u32 = 1 << 26;
