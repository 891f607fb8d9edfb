//! Entries in words, as `bridge fdb show` prints them, and as values that name no place in the tables.

use core::{fmt, iter, net::Ipv4Addr, time::Duration};

use super::{
    super::{Destination, GroupId, Remote},
    Entry, Fdb, State,
};
use crate::wire::{MacAddr, Vni};

/// An entry with one of its destinations, without handles: what a line of `bridge fdb show` says, and more.
///
/// An entry whose destination is a replication list has a row for each of its remotes, in order. With the feature
/// `serde`, rows are what to keep of the forwarding database, or to send elsewhere. Who has next-hop groups keeps their
/// members besides: a row has the number alone. They are [`Lists::members`](super::super::Lists::members) of the group
/// that [`Entry::destination`] names, the entry being the one that [`Fdb::rows`] is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Row {
    /// The overlay segment (`src_vni`).
    pub vni: Vni,
    /// The address; all zeroes for the default destination.
    pub mac: MacAddr,
    /// Where frames to it go.
    pub target: Target,
    /// Where the entry comes from.
    pub state: State,
    /// The address is a router's.
    pub router: bool,
    /// Learning must not move it.
    pub sticky: bool,
    /// The control plane that made it; 0 for nobody in particular.
    pub origin: u8,
    /// What that control plane noted.
    pub cookie: u32,
    /// Time since it was confirmed, to the tick, for entries that age.
    pub age: Option<Duration>,
}

/// A destination in full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Target {
    /// This remote, or this one of several (`dst`, `port`, `vni`, `via`).
    Remote(Remote),
    /// The next-hop group of this number (`nhid`), from 1 on: the same for all its entries, and of no other group that
    /// there is at the same time.
    Group(u32),
    /// Not into a tunnel: the host is on this side (`dst 0.0.0.0`).
    Local,
    /// Nowhere: frames are dropped. (`blackhole`, for which `bridge fdb` has no word.)
    Blackhole,
    /// Nobody: a replication list without remotes. (Linux has none, and so no words for it.)
    Nobody,
}

/// An entry to be printed: a line for each of its destinations, the last one without an end.
///
/// The order and the words are those of `bridge fdb show dev DEV`: `5e:f8:4f:00:e3:37 dst 10.168.0.3 self permanent`.
/// The alternate form, `{:#}`, says `src_vni` too, as for a device of many VNIs. Where `bridge` has the name of an
/// interface after `via`, there is [`Remote::egress`].
#[derive(Clone, Copy, Debug)]
pub struct Show<'t> {
    fdb: Fdb<'t>,
    entry: Entry,
    port: u16,
}

impl<'t> Fdb<'t> {
    /// The entry for people to read.
    ///
    /// ```
    /// use encap::{table::{Capacity, Line, Remote, Tables}, time::Instant, wire::{MacAddr, Vni}};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # const CAPACITY: Capacity = Capacity { lists: 4, ..Capacity::fdb(256) };
    /// # static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
    /// let tables = Tables::new(&LINES, CAPACITY, [0x5eed, 0xbeef])?;
    /// let (fdb, vni) = (tables.fdb(), Vni::truncate(42));
    /// for (last, port) in [(3, 4789), (4, 8472)] {
    ///     let remote = tables.remotes().add(&Remote::new([10, 168, 0, last].into(), port))?;
    ///     let _ = fdb.append(vni, MacAddr::ZERO, remote)?;
    /// }
    /// let entry = fdb.get(Instant::ZERO, vni, MacAddr::ZERO)?;
    /// assert_eq!(
    ///     fdb.show(&entry).default_port(4789).to_string(),
    ///     "00:00:00:00:00:00 dst 10.168.0.3 self permanent\n\
    ///      00:00:00:00:00:00 dst 10.168.0.4 port 8472 self permanent",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub const fn show(&self, entry: &Entry) -> Show<'t> {
        Show { fdb: *self, entry: *entry, port: 0 }
    }

    /// The entry with each of its destinations; at least one row.
    pub fn rows(&self, entry: &Entry) -> impl Iterator<Item = Row> + use<'t> {
        let (fdb, entry) = (*self, *entry);
        let (single, remotes) = match entry.destination {
            Destination::Local => (Some(Target::Local), None),
            Destination::Blackhole => (Some(Target::Blackhole), None),
            Destination::Group(group) => (Some(Target::Group(number(group))), None),
            destination => (None, Some(self.remotes_of(destination))),
        };
        let remotes = remotes.into_iter().flatten();
        let mut remotes = remotes.filter_map(move |id| fdb.remotes.get(id)).map(Target::Remote);
        let first = single.or_else(|| remotes.next()).unwrap_or(Target::Nobody);
        iter::once(first).chain(remotes).map(move |target| entry.row(target))
    }
}

/// The number of a group; 0 is none to Linux, which gives another one to who asks for it.
const fn number(group: GroupId) -> u32 {
    (group.0.index() as u32).saturating_add(1)
}

impl Entry {
    const fn row(self, target: Target) -> Row {
        let Self { vni, mac, state, router, sticky, origin, cookie, age, .. } = self;
        Row { vni, mac, target, state, router, sticky, origin, cookie, age }
    }
}

impl Show<'_> {
    /// Leaves out this port, as `bridge` leaves out the device's own.
    #[must_use]
    pub const fn default_port(self, port: u16) -> Self {
        Self { port, ..self }
    }
}

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (row, between) in self.fdb.rows(&self.entry).zip(iter::once("").chain(iter::repeat("\n"))) {
            f.write_str(between)?;
            row.write(f, self.port)?;
        }
        Ok(())
    }
}

/// As [`Show`] prints it, with every port but 0.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Row {
    fn write(&self, f: &mut fmt::Formatter<'_>, default_port: u16) -> fmt::Result {
        write!(f, "{}", self.mac)?;
        match self.target {
            Target::Remote(Remote { address, port, vni, .. }) => {
                write!(f, " dst {address}")?;
                if port != default_port {
                    write!(f, " port {port}")?;
                }
                if let Some(vni) = vni {
                    write!(f, " vni {vni}")?;
                }
            }
            Target::Local => write!(f, " dst {}", Ipv4Addr::UNSPECIFIED)?,
            Target::Blackhole => f.write_str(" blackhole")?,
            Target::Group(_) | Target::Nobody => {}
        }
        if f.alternate() {
            write!(f, " src_vni {}", self.vni)?;
        }
        match self.target {
            Target::Remote(Remote { egress: egress @ 1.., .. }) => write!(f, " via {egress}")?,
            Target::Group(number) => write!(f, " nhid {number}")?,
            _ => {}
        }
        f.write_str(" self")?;
        for (is_set, word) in [
            (self.router, " router"),
            (self.state == State::ExternLearn, " extern_learn"),
            (self.sticky, " sticky"),
            (self.state == State::Permanent, " permanent"),
            (self.state == State::Static, " static"),
        ] {
            f.write_str(if is_set { word } else { "" })?;
        }
        Ok(())
    }
}
