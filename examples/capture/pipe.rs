//! How programs end; and readers that have seen enough, or never listened.

use std::{
    error::Error,
    fmt,
    io::{self, Write},
    process::ExitCode,
};

/// What a program ends with; what went wrong is told.
pub(crate) fn exit_code(program: &str, ended: Result<(), Box<dyn Error>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(error) if is_broken(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("{program}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Says a line on standard error. Whoever does not listen there does not want to know: that is nobody's end.
pub(crate) fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether whoever read our output has gone.
pub(crate) fn is_broken(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
