//! Models of the bucket protocol.

mod reading;
mod relocating;
mod stalling;
mod street;
mod writing;

pub use self::{reading::*, relocating::*, stalling::*, writing::*};
pub(crate) use street::{HOME, OTHER, Street};
