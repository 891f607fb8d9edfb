//! Tables.
mod bucket;
mod hash;
mod line;
pub use line::Line;
