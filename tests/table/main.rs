//! The tables.

mod common;
