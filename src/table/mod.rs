//! Tables that a data plane can live on: who is where, and how to get there.
//!
//! [`Tables`] lie on storage of the caller's, [`Line`]s of 64 bytes whose number [`Capacity::lines`] says at
//! compile time; nothing is allocated after that. All methods take `&self`: readers never wait, writers never for
//! long, and one value serves all cores.
//!
//! | table | key | value |
//! |---|---|---|
//! | [`Fdb`] | VNI and MAC address | a [`Destination`]: a remote, a list, a group, this side, nowhere |
//! | [`Remotes`] | address, port, VNI, egress | a [`Remote`]: outer header, next hop, MTU, quota group |
//! | [`Lists`] | | replication lists and next-hop groups: remotes in order |
//! | [`Neighbors`] | VNI and IP address | a MAC address and what is thought of it |
//! | [`Groups`] | VNI, multicast group and source | a destination |
//! | [`Vlans`] | VLAN | a VNI, and back |
//! | [`Routes`] | prefix | the gateway or peer behind which it is |
//!
//! What one table says of another is a handle of 32 bits with a generation: a handle of what was removed finds
//! nothing, whatever takes its place. [`RemoteId`] says how long others may keep one.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use encap::{
//!     table::{Capacity, Destination, Learned, Line, Lookup, Remote, Tables},
//!     time::Instant,
//!     wire::{MacAddr, Vni},
//! };
//!
//! const CAPACITY: Capacity = Capacity::fdb(256);
//! static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
//! let tables = Tables::new(&LINES, CAPACITY, [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210])?; // random ones
//! let (fdb, now, vni) = (tables.fdb(), Instant::from_secs(1), Vni::truncate(42));
//!
//! // Two remotes get what is for everybody, and for nobody known.
//! let near = tables.remotes().add(&Remote::new("192.0.2.1".parse()?, 4789))?;
//! let far = tables.remotes().add(&Remote::new("2001:db8::1".parse()?, 4789))?;
//! fdb.append(vni, MacAddr::ZERO, near)?;
//! fdb.append(vni, MacAddr::ZERO, far)?;
//!
//! // A frame came from the far one: that is where its sender is, for the next five minutes.
//! let host = "02:00:00:00:00:01".parse()?;
//! assert_eq!(fdb.learn(now, vni, host, far), Learned::New { evicted: None });
//! assert_eq!(fdb.lookup(now, vni, host), Lookup::Found(Destination::Remote(far)));
//! assert_eq!(fdb.lookup(Instant::from_secs(302), vni, host), Lookup::Unknown);
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - A table built for N entries takes N entries of any keys, and then refuses; in one for some tens, one may be
//!   refused before by a chance of 10^-9. Of keys longer than 64 bits, which those of the forwarding database are not,
//!   the second of two with the same fingerprint is refused: a chance of 2^-64 for each pair. An entry of the
//!   forwarding database takes 25.6 bytes that lookups read and 8 that they do not, in tables of thousands; 48 in all
//!   in one of twenty.
//! - An entry that is there during a whole call is found by it, also while others are moved about.
//! - Places are chosen by a keyed hash: without the seed nobody can make entries meet.
//! - An entry that ages is never given up before its time, and less than max(1 ms, T / 256) after it; it is not used
//!   after that, swept or not. T is the ageing time that the tables were built with, for neighbours
//!   [`Settings::reachable`]; [`Tables::set_ageing`] does not change it. Call [`Tables::age`] now and then.
//! - In a full table only a learned entry gives way: to another one, if its quota group has more than its fair share,
//!   so that who floods a table hurts himself; to one that somebody adds whatever it has, and of those in 64 places it
//!   is one of whoever has most. A limit of a VNI is shared by no such rule: whoever comes first has the room
//!   ([`Settings::vni_limit`]).
//! - Everything that was learned in a VNI, or from a remote, can be forgotten at once.
//! - Work per call is bounded, retries included.

mod address;
mod age;
mod bucket;
mod capacity;
mod census;
mod clock;
mod cursor;
mod error;
mod event;
mod fdb;
mod generation;
mod group;
mod handle;
mod hash;
mod line;
mod list;
mod meta;
mod neighbor;
mod record;
mod regions;
mod remote;
mod room;
mod route;
mod settings;
mod store;
mod tables;
mod tally;
mod vlan;
mod vni;
mod worker;

pub use age::Aged;
pub use capacity::Capacity;
pub use clock::Ageing;
pub use cursor::Cursor;
pub use error::{BuildError, Error, HandleKind, MacKind, Resource};
pub use event::Event;
pub use fdb::{
    Change, Dump, Entry, Evicted, Fdb, Filter, Flushed, Learned, Lookup, NewEntry, Refusal, Row, Show, State,
    Target,
};
pub(crate) use fdb::{Moment, Sought};
pub use group::{Group, Groups};
pub use handle::{Destination, GroupId, ListId, RemoteId};
pub use line::Line;
pub use list::{Lists, Members, Walk};
pub(crate) use neighbor::{Hint, Question};
pub use neighbor::{
    Neighbor, NeighborCursor, NeighborDump, NeighborLearned, NeighborRefusal, NeighborState, Neighbors,
    NeighborsFlushed, NewNeighbor,
};
pub(crate) use remote::{Fields, Raw, Record, scope};
pub use remote::{Quota, Remote, Remotes};
pub use route::{NextHop, Prefix, PrefixError, Route, RouteCursor, RouteDump, Routes};
pub use settings::{LearnFrom, Settings, Snooping, Underlay};
pub(crate) use tables::TableSet;
pub use tables::Tables;
pub(crate) use tally::Tally;
pub use tally::VniCounters;
pub use vlan::Vlans;
pub use worker::{Epoch, WorkerId};
