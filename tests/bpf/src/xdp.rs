//! Programs for a network device (XDP): the codecs as the kernel's verifier lets them run.

use crate::work::{self, OUTER, for_each_codec};

/// What a program is given (`struct xdp_md`): the packet is what lies between the first two.
#[repr(C)]
struct Context {
    data: u32,
    data_end: u32,
    _rest: [u32; 4],
}

const DROP: u32 = 1;
const PASS: u32 = 2;

/// The front of the packet, if it is that long: in the form in which the verifier knows what is compared.
#[inline(always)]
fn front<'p, const N: usize>(context: *mut Context) -> Option<&'p mut [u8; N]> {
    // SAFETY: the kernel's; the verifier has looked at what is read of it.
    let (start, end) = unsafe { ((*context).data as usize, (*context).data_end as usize) };
    if start + N > end {
        return None;
    }
    // SAFETY: these bytes are the packet's, and no other reference to them is kept.
    Some(unsafe { &mut *(start as *mut [u8; N]) })
}

/// How long the packet is.
#[inline(always)]
fn len(context: *mut Context) -> u16 {
    // SAFETY: as above.
    unsafe { ((*context).data_end - (*context).data) as u16 }
}

/// Moves the front of the packet by so many bytes.
#[inline(always)]
fn adjust(context: *mut Context, by: i32) -> bool {
    /// Number of `bpf_xdp_adjust_head` among the kernel's functions, which is how they are called.
    const ADJUST_HEAD: usize = 44;
    // SAFETY: the kernel's function of that number has these arguments.
    let adjust: extern "C" fn(*mut Context, i32) -> i64 = unsafe { core::mem::transmute(ADJUST_HEAD) };
    adjust(context, by) == 0
}

macro_rules! programs {
    ($($name:ident: $read:literal => $write:literal, |$bytes:ident| $body:expr;)*) => { $(
        #[unsafe(no_mangle)]
        #[unsafe(link_section = "xdp")]
        extern "C" fn $name(context: *mut Context) -> u32 {
            let Some(packet) = front::<{ if $read > $write { $read } else { $write } }>(context) else {
                return DROP;
            };
            let Some(read) = packet.first_chunk() else { return DROP };
            let Some(written) = work::$name(read) else { return DROP };
            let Some(to) = packet.first_chunk_mut() else { return DROP };
            *to = written;
            PASS
        }
    )* };
}
for_each_codec!(programs);

/// Puts a frame into a tunnel.
#[unsafe(no_mangle)]
#[unsafe(link_section = "xdp")]
extern "C" fn encap(context: *mut Context) -> u32 {
    let outer = work::outer(len(context));
    if !adjust(context, -(OUTER as i32)) {
        return DROP;
    }
    let Some(room) = front(context) else { return DROP };
    *room = outer;
    PASS
}

/// Takes a frame out of its tunnel.
#[unsafe(no_mangle)]
#[unsafe(link_section = "xdp")]
extern "C" fn decap(context: *mut Context) -> u32 {
    let Some(outer) = front(context) else { return DROP };
    if work::is_inner(outer).is_some() && adjust(context, OUTER as i32) { PASS } else { DROP }
}

/// Under which the kernel lends its functions.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
