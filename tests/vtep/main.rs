//! The VTEP engine.

mod common;
mod story;
