//! Words on standard error.

/// Says a line on standard error, as `eprintln!` does. Whoever does not listen does not want to know: that is nobody's
/// end.
#[macro_export]
macro_rules! tell {
    ($($words:tt)*) => {{
        let _ = ::std::io::Write::write_fmt(&mut ::std::io::stderr(), format_args!("{}\n", format_args!($($words)*)));
    }};
}
