//! Neighbours.
use super::record::Shape;
pub(crate) const RECORDS: Shape = Shape { words: 8 };
