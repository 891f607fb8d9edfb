//! Routes.
use super::record::Shape;
pub(crate) const RECORDS: Shape = Shape { words: 13 };
pub(crate) const LENGTH_WORDS: usize = 33 + 129;
