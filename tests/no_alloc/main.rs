//! Nothing on a packet's path allocates: every codec, every tunnel, every table, every VTEP, whether it takes the
//! packet or not, one by one and in bursts.
//!
//! What is new on that path belongs into [`codecs`], [`tunnels`], [`tables`], [`vteps`] or [`bursts`].
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that goes wrong should panic")]

mod bursts;
mod codecs;
mod tables;
mod tunnels;
mod vteps;

use std::{
    fmt::{self, Write},
    hint::black_box,
};

/// 10.1.0.1 to 10.1.0.2, UDP, "hello", in an Ethernet frame.
const FRAME: [u8; 47] = [
    0x02, 0, 0, 0, 1, 2, 0x02, 0, 0, 0, 0, 1, 8, 0, // Ethernet
    0x45, 0, 0, 33, 0, 1, 0, 0, 64, 17, 0x66, 0xc7, 10, 1, 0, 1, 10, 1, 0, 2, // IPv4
    3, 0xe8, 7, 0xd0, 0, 13, 0x9c, 0x45, b'h', b'e', b'l', b'l', b'o', // UDP
];

/// How often `work` allocated, in this thread.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// The result, once the text of its error has been written where there is no memory.
fn told<T, E: fmt::Display>(result: Result<T, E>) -> Result<T, E> {
    struct Nowhere;

    impl Write for Nowhere {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            black_box(text);
            Ok(())
        }
    }

    if let Err(error) = &result {
        write!(Nowhere, "{error}").unwrap();
    }
    result
}

/// The counter counts.
#[test]
fn allocations_are_seen() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
    assert_eq!(allocations(|| drop(black_box(vec![1; 3]))), 1);
    assert_eq!(allocations(|| assert_ne!(black_box([1; 3]), [0; 3])), 0);
}
