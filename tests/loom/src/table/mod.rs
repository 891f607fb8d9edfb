//! The crate's own files over the words of this package.
#![allow(dead_code, unused_imports, reason = "models do not need all of the tables")]

#[path = "../../../../src/table/address.rs"]
mod address;
#[path = "../../../../src/table/bucket/mod.rs"]
pub(crate) mod bucket;
#[path = "../../../../src/table/census.rs"]
mod census;
#[path = "../../../../src/table/clock.rs"]
mod clock;
#[path = "../../../../src/table/cursor.rs"]
mod cursor;
#[path = "../../../../src/table/error.rs"]
mod error;
#[path = "../../../../src/table/event.rs"]
mod event;
#[path = "../../../../src/table/fdb/mod.rs"]
mod fdb;
#[path = "../../../../src/table/generation.rs"]
mod generation;
#[path = "../../../../src/table/handle.rs"]
pub(crate) mod handle;
#[path = "../../../../src/table/hash.rs"]
pub(crate) mod hash;
pub(crate) mod line;
#[path = "../../../../src/table/list/mod.rs"]
mod list;
#[path = "../../../../src/table/meta.rs"]
pub(crate) mod meta;
#[path = "../../../../src/table/remote/mod.rs"]
mod remote;
#[path = "../../../../src/table/room.rs"]
mod room;
#[path = "../../../../src/table/settings.rs"]
mod settings;
#[path = "../../../../src/table/tally.rs"]
mod tally;
#[path = "../../../../src/table/vlan.rs"]
mod vlan;
#[path = "../../../../src/table/vni.rs"]
pub(crate) mod vni;
#[path = "../../../../src/table/worker.rs"]
pub(crate) mod worker;

pub(crate) use self::{
    clock::{Ageing, Ages, Clock},
    error::{BuildError, Error, HandleKind, MacKind, Resource},
    event::Event,
    fdb::{Change, Fdb, Learned, Limits, Lookup, NewEntry},
    handle::{Destination, GroupId, ListId, RemoteId},
    list::Lists,
    remote::{Fields, Quota, Raw, Record, Remote, Remotes, record_lines, ticks},
    settings::{LearnFrom, Underlay},
    tally::{Tally, VniCounters},
    vlan::Vlans,
    vni::{Domain, Vnis},
    worker::WorkerId,
};

/// What some events are of; no model has one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Neighbor;
