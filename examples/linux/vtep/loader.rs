//! The reader of `bridge fdb show` and `ip neigh show`, which is that of the example `fdb`.

#[path = "../../fdb/bridge.rs"]
mod bridge;
#[path = "../../fdb/load.rs"]
mod load;
#[path = "../../fdb/neigh.rs"]
mod neigh;
#[path = "../../fdb/words.rs"]
mod words;

pub(crate) use self::{
    load::{Names, Remark, capacity, fdb, neighbors},
    words::{Form, Record, records},
};
