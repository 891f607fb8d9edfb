//! Faults that the models must find: otherwise they would prove nothing.

mod order;
mod steps;

use std::panic::{UnwindSafe, catch_unwind};

pub use self::{order::*, steps::*};

/// Runs a model that must fail, and say so with `message`.
#[track_caller]
pub(crate) fn assert_fails(message: &str, model: impl FnOnce() + UnwindSafe) {
    let failure = catch_unwind(model).expect_err("the planted fault was not found");
    let said = failure.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| failure.downcast_ref().copied()).unwrap_or_default();
    assert!(said.contains(message), "another failure than that of the planted fault: {said}");
}
