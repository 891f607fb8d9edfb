//! F1 to F7: the forwarding database.

mod flood;
mod learn;
mod lookups;
mod maps;
mod shared;

use crate::{
    cases::fdb::{self, Contestant as Lookups, Key},
    measure::Contestant,
    report::Report,
};

/// Lookups before the same ones come again.
pub const LOOKUPS: usize = 1 << 20;

pub fn run(report: &mut Report) {
    lookups::run(report);
    shared::run(report);
    learn::run(report);
    flood::run(report);
}

/// The contestant at work on slices of keys, one at a time.
pub fn single<'a>(contestant: &'a dyn Lookups, keys: &'a [Key]) -> Contestant<'a> {
    Contestant::new(contestant.name(), move |slice| {
        let keys = fdb::slice(keys, slice);
        contestant.single(keys);
        keys.len()
    })
}

/// The same by batches.
pub fn batch<'a>(contestant: &'a dyn Lookups, keys: &'a [Key]) -> Contestant<'a> {
    Contestant::new(format!("{} batch", contestant.name()), move |slice| {
        let keys = fdb::slice(keys, slice);
        contestant.batch(keys);
        keys.len()
    })
}

/// ", huge pages" where it is so.
pub fn pages(report: &Report) -> &'static str {
    if report.huge { "; huge pages" } else { "" }
}
