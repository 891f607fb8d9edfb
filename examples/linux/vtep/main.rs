//! A VTEP on Linux.
fn main() {}
