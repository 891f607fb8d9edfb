//! Proof by linking that the public functions of `encap` do not panic.
//!
//! Every wrapper below is an exported symbol, and the panic handler calls a function that exists
//! nowhere. A panic that the optimiser could not rule out keeps the handler alive, and the link fails;
//! `check.sh` then names the wrappers to blame. Overflow checks are on, so arithmetic is covered too.
//!
//! The wrappers take values with any bit pattern that their type has, not only those that the crate's
//! constructors make.
//!
//! `api.py` compares the exported symbols with what rustdoc knows of the public functions.
#![no_std]

unsafe extern "C" {
    fn a_public_function_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never linked, so never called.
    unsafe { a_public_function_can_panic() }
}

/// Exports functions under their own path, or under the name before the `=` where the path is not one
/// that a linker script may hold: those of traits.
macro_rules! cannot_panic {
    ($($path:path $(= $method:expr)? => fn $(<$lt:lifetime>)? ($($args:tt)*) $(-> $return:ty)?;)*) => {
        $(cannot_panic! { @ $path; [$path $(, $method)?] => fn $(<$lt>)? ($($args)*) $(-> $return)? })*
    };
    (@ $name:path; [$path:path] => $($signature:tt)*) => {
        wrappers! { stringify!($name), $path => $($signature)*; }
    };
    (@ $name:path; [$path:path, $method:expr] => $($signature:tt)*) => {
        wrappers! { stringify!($name), $method => $($signature)*; }
    };
}

/// Exports functions under any name.
macro_rules! wrappers {
    ($(
        $name:expr, $method:expr => fn $(<$lt:lifetime>)? ($($arg:ident: $type:ty),*) $(-> $return:ty)?;
    )*) => { $(
        const _: () = {
            #[unsafe(export_name = $name)]
            #[inline(never)]
            pub fn wrapper $(<$lt>)? ($($arg: $type),*) $(-> $return)? {
                $method($($arg),*)
            }
        };
    )* };
}

mod etherparse;
mod packet;
mod tunnel;
mod wire;

#[cfg(feature = "planted")]
mod planted {
    fn index(bytes: &[u8]) -> u8 {
        bytes[3]
    }

    fn overflow(a: u64, b: u64) -> u64 {
        a + b
    }

    cannot_panic! {
        index => fn(bytes: &[u8]) -> u8;
        overflow => fn(a: u64, b: u64) -> u64;
    }
}
