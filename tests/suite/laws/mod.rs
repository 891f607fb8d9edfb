//! The laws of `encap::wire`, written once and applied to every codec.
//!
//! [`wire`] is the body of tests and of the fuzz target of the same name: this folder needs `encap`
//! and nothing else.

mod gre_family;
mod icmp;
mod internet;
mod link;
mod vxlan_family;

use core::fmt::Debug;

use encap::wire::{
    Error, Layer, LengthSource, arp, erspan, ethernet, geneve, gre, gre1, icmpv4, icmpv6, ipv4, ipv6, ndp,
    nvgre, udp, vlan, vxlan, vxlan_gpe,
};

pub(crate) use self::gre_family::redirected;
use self::{gre_family::gre_checksum, icmp::neighbor_options, internet::extensions, link::tags};

/// Asserts all laws of one codec about one input: the first byte picks the codec.
pub(crate) fn wire(data: &[u8]) {
    let Some((&codec, input)) = data.split_first() else { return };
    match codec % CODECS {
        0 => laws::<ethernet::Header>(input),
        1 => laws::<vlan::Header>(input),
        2 => laws::<arp::Header>(input),
        3 => laws::<ipv4::Header>(input),
        4 => laws::<ipv6::Header>(input),
        5 => laws::<udp::Header>(input),
        6 => laws::<vxlan::Header>(input),
        7 => {
            laws::<gre::Header>(input);
            gre_checksum(input);
        }
        8 => extensions(input),
        9 => tags(input),
        10 => laws::<icmpv4::Header>(input),
        11 => laws::<icmpv6::Header>(input),
        12 => laws::<ndp::Solicitation>(input),
        13 => laws::<ndp::Advertisement>(input),
        14 => neighbor_options(input),
        15 => laws::<vxlan_gpe::Header>(input),
        16 => laws::<geneve::Header>(input),
        17 => laws::<nvgre::Header>(input),
        18 => laws::<gre1::Header>(input),
        19 => laws::<erspan::Header>(input),
        _ => redirected(input),
    }
}

/// How many codecs [`wire`] knows.
const CODECS: u8 = 21;

/// What the laws have to know of a codec.
pub(crate) trait Codec: Copy + Debug + PartialEq {
    /// Why these bytes must be refused, or `None` where they must be taken: the checks in wire order,
    /// each straight from the text of the RFC. So an error names a fact about the input, and nothing is
    /// refused without one.
    fn refusal(bytes: &[u8]) -> Option<Error>;

    /// Clears the bits of a good header that a receiver ignores and a sender leaves zero.
    fn clear_ignored(_header: &mut [u8]) {}

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error>;

    /// What the fixed-array core makes of the front of `bytes`, and how long that array is; `None` where
    /// the core checks less than `parse` does, and the difference matters here.
    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)>;

    /// The header as it is emitted.
    fn emitted(&self) -> Vec<u8>;

    /// Asserts what the header says of the bytes behind it: their length, their checksum.
    fn behind(&self, _tail: &[u8]) {}
}

/// What a codec reads that takes any bytes, of the fixed length that is said.
macro_rules! any_bytes {
    ($len:literal) => {
        fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
            Self::parse(bytes)
        }

        fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
            bytes.first_chunk().map(|array| (Ok(Self::from_bytes(array)), $len))
        }
    };
}

/// The same where some bytes are refused.
macro_rules! good_bytes {
    ($len:literal) => {
        fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
            Self::parse(bytes)
        }

        fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
            bytes.first_chunk().map(|array| (Self::from_bytes(array), $len))
        }
    };
}

use {any_bytes, good_bytes};

fn laws<C: Codec>(input: &[u8]) {
    // An error names a fact about the input.
    let parsed = C::parse(input);
    assert_eq!(parsed.err(), C::refusal(input), "{input:02x?}");

    // The fixed-array core is the slice API on its first bytes.
    if let Some((core, len)) = C::from_array(input) {
        assert_eq!(core, C::parse(&input[..len]).map(|(header, _)| header));
    }

    let Ok((header, rest)) = parsed else { return };
    let (head, tail) = input.split_at(input.len() - rest.len());
    assert!(core::ptr::eq(rest, tail), "what is left is the end of the input");

    // Emitting what was parsed gives the bytes back, ignored bits cleared.
    let mut expected = head.to_vec();
    C::clear_ignored(&mut expected);
    assert_eq!(header.emitted(), expected);

    // Every shorter prefix is truncated, and says how much is there.
    for len in 0..head.len() {
        match C::parse(&head[..len]) {
            Err(Error::Truncated { need, have, .. }) => {
                assert!(have == len && need > len && need <= head.len());
            }
            other => panic!("the first {len} bytes of {head:02x?}: {other:?}"),
        }
    }

    round_trip(header, tail);
}

/// Parsing what was emitted gives the value back, and leaves the bytes behind it untouched.
pub(crate) fn round_trip<C: Codec>(header: C, tail: &[u8]) {
    let packet = [&header.emitted(), tail].concat();
    assert_eq!(C::parse(&packet), Ok((header, tail)));
    header.behind(tail);
}

/// The error of bytes that are fewer than `need`.
fn too_short(layer: Layer, needed_by: LengthSource, need: usize, bytes: &[u8]) -> Option<Error> {
    let have = bytes.len();
    (have < need).then_some(Error::Truncated { layer, needed_by, need, have })
}

fn other_version(layer: Layer, version: u8, expected: u8) -> Option<Error> {
    (version != expected).then_some(Error::Version { layer, version })
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The header of `len` bytes that `emit` writes: the front of `to_bytes`, into any buffer that is long
/// enough, and not a byte more; into a shorter one, nothing.
fn emitted(
    layer: Layer,
    len: usize,
    to_bytes: &[u8],
    emit: impl Fn(&mut [u8]) -> Result<usize, Error>,
) -> Vec<u8> {
    let (header, behind) = to_bytes.split_at(len);
    assert!(behind.iter().all(|&byte| byte == 0));
    for spare in [0, 1, 5] {
        let mut out = vec![0xa5; len + spare];
        assert_eq!(emit(&mut out), Ok(len));
        assert_eq!(out[..len], *header);
        assert!(out[len..].iter().all(|&byte| byte == 0xa5));
    }
    for have in 0..len {
        let mut out = vec![0xa5; have];
        assert_eq!(emit(&mut out).err(), too_short(layer, LengthSource::Header, len, &out));
        assert!(out.iter().all(|&byte| byte == 0xa5));
    }
    header.to_vec()
}
