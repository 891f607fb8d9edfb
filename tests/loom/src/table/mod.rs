//! The crate's own files over the words of this package.
#![allow(dead_code, unused_imports, reason = "models do not need all of the tables")]

#[path = "../../../../src/table/bucket/mod.rs"]
pub(crate) mod bucket;
#[path = "../../../../src/table/census.rs"]
mod census;
#[path = "../../../../src/table/clock.rs"]
mod clock;
#[path = "../../../../src/table/error.rs"]
mod error;
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
#[path = "../../../../src/table/worker.rs"]
pub(crate) mod worker;

pub(crate) use encap::table::Underlay;

pub(crate) use self::{
    error::{Error, HandleKind, Resource},
    handle::{GroupId, ListId, RemoteId},
    list::Lists,
    remote::{Quota, Raw, Record, Remote, Remotes, Words, record_lines},
    worker::WorkerId,
};
