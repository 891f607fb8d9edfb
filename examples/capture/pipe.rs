//! Readers that have seen enough.

use std::{error::Error, io};

/// Whether whoever read our output has gone.
pub(crate) fn is_broken(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
