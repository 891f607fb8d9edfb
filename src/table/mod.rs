//! Tables.
mod age;
mod bucket;
mod capacity;
mod census;
mod clock;
mod error;
mod event;
mod fdb;
mod generation;
mod handle;
mod hash;
mod line;
mod list;
mod meta;
mod neighbor;
mod record;
mod regions;
mod remote;
mod route;
mod settings;
mod tables;
mod vni;
mod worker;

pub use age::Aged;
pub use capacity::Capacity;
pub use clock::Ageing;
pub use error::{BuildError, Error, HandleKind, MacKind, Resource};
pub use event::Event;
pub use fdb::{
    Change, Cursor, Dump, Entry, Evicted, Fdb, Filter, Flushed, Learned, Lookup, NewEntry, Refusal, State,
};
pub use handle::{Destination, GroupId, ListId, RemoteId};
pub use line::Line;
pub use list::{Lists, Members, Walk};
pub use remote::{Quota, Remote, Remotes};
pub use settings::{LearnFrom, Settings, Snooping, Underlay};
pub use tables::Tables;
pub use worker::WorkerId;
