//! tshark reads what the library sends with random settings, and the library reads what scapy builds at random.
//!
//! The cases are the same every time; the environment variable `INTEROP_SEED` gives others.

mod sample;
mod scapy;
mod settings;
mod tshark;

/// Packets that tshark gets, and that scapy makes.
const COUNT: usize = 600;
