//! Proof by linking that the public functions of `encap` do not panic.
//!
//! Every function is called from an exported symbol, and the panic handler calls a function that exists
//! nowhere. A panic that the optimiser could not rule out keeps the handler alive, and the link fails;
//! `guilty.py` then names the functions to blame. Overflow checks are on, so arithmetic is covered too.
//!
//! The arguments are any bit patterns that their types have, not only those that the crate's constructors
//! make.
//!
//! `api.py` writes the calls, from what rustdoc knows of the public functions, and compares it with the
//! symbols in the end. Those that no signature tells how to call are at the end of this file.
#![no_std]

use core::hint::black_box;
#[allow(unused_imports, reason = "for the calls of trait methods and arguments of core's types")]
use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::{Add, AddAssign, Deref},
    str::FromStr,
};

use encap::{Packet, wire::geneve_option};

unsafe extern "C" {
    fn a_public_function_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never linked, so never called.
    unsafe { a_public_function_can_panic() }
}

/// A value of which the optimiser knows the type and nothing else.
#[inline(always)]
fn any<T>() -> T {
    // SAFETY: nobody runs this.
    unsafe { black_box(core::ptr::dangling::<T>()).read() }
}

/// Functions that are called, so that their arguments have all that a type promises of its values.
macro_rules! calls {
    ($($name:ident($($arg:ident: $type:ident),*);)*) => { $(
        #[inline(never)]
        #[allow(dead_code, reason = "there may be no function with so many arguments")]
        fn $name<$($type,)* R>(f: impl FnOnce($($type),*) -> R $(, $arg: $type)*) -> R {
            f($($arg),*)
        }
    )* };
}

calls! {
    call0();
    call1(a: A);
    call2(a: A, b: B);
    call3(a: A, b: B, c: C);
    call4(a: A, b: B, c: C, d: D);
    call5(a: A, b: B, c: C, d: D, e: E);
    call6(a: A, b: B, c: C, d: D, e: E, f6: F);
    call7(a: A, b: B, c: C, d: D, e: E, f7: F, g: G);
}

macro_rules! prove {
    ($name:literal = $call:expr) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            pub fn symbol() {
                let _ = black_box($call);
            }
        };
    };
}

include!(env!("NOPANIC_WRAPPERS"));

prove! { "Packet::prepend.8" = call1(Packet::prepend::<8>, any()) }
prove! { "wire::geneve_option::Options::find.Word" = call1(geneve_option::Options::find::<Word>, any()) }
prove! {
    "wire::geneve_option::Writer::push_typed.Word"
        = call2(geneve_option::Writer::push_typed::<Word>, any(), any())
}

/// An option with a value of four bytes.
struct Word([u8; 4]);

impl geneve_option::TypedOption for Word {
    const CLASS: geneve_option::OptionClass = geneve_option::OptionClass(0x0100);
    const KIND: geneve_option::OptionType = geneve_option::OptionType(0x80);
    type Data = [u8; 4];

    fn to_data(&self) -> [u8; 4] {
        self.0
    }

    fn from_data(data: [u8; 4]) -> Option<Self> {
        Some(Self(data))
    }
}

#[cfg(feature = "planted")]
mod planted {
    use super::*;

    fn index(bytes: &[u8]) -> u8 {
        bytes[3]
    }

    fn overflow(a: u64, b: u64) -> u64 {
        a + b
    }

    prove! { "index" = call1(index, any()) }
    prove! { "overflow" = call2(overflow, any(), any()) }
}
