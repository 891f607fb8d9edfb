//! The goals, by their ids.

pub mod checksum;
mod decap;
mod encap;
pub mod fdb;
mod hash;
pub mod kernel;
mod neighbor;
mod vtep;

use crate::report::Report;

/// Measures all rows that were asked for.
pub fn run(report: &mut Report) {
    encap::run(report);
    decap::run(report);
    checksum::run(report);
    hash::run(report);
    fdb::run(report);
    neighbor::run(report);
    vtep::run(report);
}
