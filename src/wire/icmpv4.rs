//! The ICMP header (RFC 792), with the next-hop MTU of RFC 1191, section 4.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |     Type      |     Code      |           Checksum            |
//! +---------------+---------------+-------------------------------+
//! |                  depends on type and code                     |
//! +---------------------------------------------------------------+
//! ```
//!
//! What a router may report, and what it must not report about, is in [`icmp_error`](super::icmp_error);
//! what a report quotes, in [`icmp_quote`](super::icmp_quote).

use super::{
    Error, Layer,
    checksum::{State, Sum},
    debug::debug_as,
};

/// The kind of an ICMP message.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Type(pub u8);

impl Type {
    /// Answer to an echo request.
    pub const ECHO_REPLY: Self = Self(0);
    /// The datagram could not be delivered; the code is an [`Unreachable`].
    pub const UNREACHABLE: Self = Self(3);
    /// Deprecated by RFC 6633: not to be sent, and ignored when received.
    pub const SOURCE_QUENCH: Self = Self(4);
    /// There is a better first router.
    pub const REDIRECT: Self = Self(5);
    /// Ping.
    pub const ECHO_REQUEST: Self = Self(8);
    /// The datagram lived too long; the code is a [`TimeExceeded`].
    pub const TIME_EXCEEDED: Self = Self(11);
    /// Something in the header is wrong.
    pub const PARAMETER_PROBLEM: Self = Self(12);

    /// Whether this is a request or an answer to one. All other kinds, unknown ones included, are to be
    /// treated as errors by whoever must not report about an error (RFC 1122, section 3.2.2).
    pub const fn is_query(self) -> bool {
        // Echo; router discovery (RFC 1256); timestamp, information and address mask (RFC 792, RFC 950);
        // extended echo (RFC 8335).
        matches!(self.0, 0 | 8 | 9 | 10 | 13..=18 | 42 | 43)
    }
}

/// Why a datagram could not be delivered: the code of [`Type::UNREACHABLE`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Unreachable(pub u8);

impl Unreachable {
    /// There is no route.
    pub const NET: Self = Self(0);
    /// The last router does not reach the host.
    pub const HOST: Self = Self(1);
    /// The host does not speak the protocol.
    pub const PROTOCOL: Self = Self(2);
    /// Nobody listens.
    pub const PORT: Self = Self(3);
    /// It must not be fragmented, but is too large. [`Problem::FragmentationNeeded`] has the MTU too.
    pub const FRAGMENTATION_NEEDED: Self = Self(4);
    /// It was filtered (RFC 1812, section 5.2.7.1).
    pub const ADMINISTRATIVELY_PROHIBITED: Self = Self(13);
}

/// Which time ran out: the code of [`Type::TIME_EXCEEDED`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct TimeExceeded(pub u8);

impl TimeExceeded {
    /// The time to live.
    pub const IN_TRANSIT: Self = Self(0);
    /// The time to wait for the other fragments.
    pub const IN_REASSEMBLY: Self = Self(1);
}

/// What an ICMP error says about the datagram that it quotes. Redirects are not among them, for they say
/// nothing of its delivery, nor source quenches, which RFC 6633 does away with.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Problem {
    /// It could not be delivered.
    Unreachable(Unreachable),
    /// It must not be fragmented, but is too large for the next link (RFC 1191, section 4).
    FragmentationNeeded {
        /// The largest datagram that fits; zero from routers that do not know RFC 1191.
        mtu: u16,
    },
    /// It lived too long.
    TimeExceeded(TimeExceeded),
    /// A router did not understand the header.
    ParameterProblem {
        /// Zero where the pointer says what is wrong.
        code: u8,
        /// The byte of the datagram that is wrong.
        pointer: u8,
    },
}

impl Problem {
    /// The header of such an error, its checksum still zero.
    pub const fn header(self) -> Header {
        let (kind, code, rest) = match self {
            Self::Unreachable(code) => (Type::UNREACHABLE, code.0, [0; 4]),
            Self::FragmentationNeeded { mtu } => {
                let [m0, m1] = mtu.to_be_bytes();
                (Type::UNREACHABLE, Unreachable::FRAGMENTATION_NEEDED.0, [0, 0, m0, m1])
            }
            Self::TimeExceeded(code) => (Type::TIME_EXCEEDED, code.0, [0; 4]),
            Self::ParameterProblem { code, pointer } => (Type::PARAMETER_PROBLEM, code, [pointer, 0, 0, 0]),
        };
        Header { kind, code, checksum: 0, rest }
    }
}

/// An ICMP header.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// What the message is.
    pub kind: Type,
    /// More about that.
    pub code: u8,
    /// Checksum over the whole message, as received or as to be sent.
    pub checksum: u16,
    /// Four bytes whose meaning depends on the type.
    pub rest: [u8; 4],
}

debug_as! { "icmpv4::Header", Header { kind, code, checksum, rest } }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 8;

    /// Any eight bytes are a header.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let [kind, code, c0, c1, rest @ ..] = *bytes;
        Self { kind: Type(kind), code, checksum: u16::from_be_bytes([c0, c1]), rest }
    }

    /// The header at the front of `bytes`, and what follows it. The checksum is for [`verify`] to check.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes.
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        match bytes.split_first_chunk() {
            Some((head, rest)) => Ok((Self::from_bytes(head), rest)),
            None => Err(Error::truncated(Layer::Icmpv4, Self::LEN, bytes.len())),
        }
    }

    /// The header in network byte order.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [c0, c1] = self.checksum.to_be_bytes();
        let [r0, r1, r2, r3] = self.rest;
        [self.kind.0, self.code, c0, c1, r0, r1, r2, r3]
    }

    /// The same header with the checksum over itself and `payload`.
    #[must_use]
    pub fn with_checksum(self, payload: &[u8]) -> Self {
        let header = Self { checksum: 0, ..self };
        Self { checksum: Sum::ZERO.add_bytes(&header.to_bytes()).add_bytes(payload).checksum(), ..self }
    }

    /// What the message says about the datagram that it quotes, or `None` where it is no such error.
    pub const fn problem(&self) -> Option<Problem> {
        let [pointer, _, m0, m1] = self.rest;
        Some(match self.kind {
            Type::UNREACHABLE => match Unreachable(self.code) {
                Unreachable::FRAGMENTATION_NEEDED => {
                    Problem::FragmentationNeeded { mtu: u16::from_be_bytes([m0, m1]) }
                }
                code => Problem::Unreachable(code),
            },
            Type::TIME_EXCEEDED => Problem::TimeExceeded(TimeExceeded(self.code)),
            Type::PARAMETER_PROBLEM => Problem::ParameterProblem { code: self.code, pointer },
            _ => return None,
        })
    }

    /// Identifier and sequence number of an echo request or reply, or `None` for other messages.
    pub const fn echo(&self) -> Option<(u16, u16)> {
        let [i0, i1, s0, s1] = self.rest;
        match self.kind {
            Type::ECHO_REQUEST | Type::ECHO_REPLY => {
                Some((u16::from_be_bytes([i0, i1]), u16::from_be_bytes([s0, s1])))
            }
            _ => None,
        }
    }
}

/// Whether the checksum of `message`, header and payload and nothing behind them, is right.
pub fn verify(message: &[u8]) -> State {
    match message.first_chunk::<{ Header::LEN }>() {
        Some(_) => State::verified(Sum::ZERO.add_bytes(message)),
        None => State::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [u8; 8] = [
        3, 4, 0xf7, 0x51, // unreachable, fragmentation needed; checksum
        0, 0, 0x05, 0xaa, // next-hop MTU 1450
    ];

    #[test]
    fn golden() {
        let problem = Problem::FragmentationNeeded { mtu: 1450 };
        let header = problem.header().with_checksum(&[]);
        assert_eq!(header.to_bytes(), GOLDEN);
        assert_eq!(Header::parse(&GOLDEN), Ok((header, &[][..])));
        assert_eq!((header.problem(), header.echo()), (Some(problem), None));
        assert_eq!(verify(&GOLDEN), State::Good);
        assert_eq!(verify(&GOLDEN[..7]), State::Bad);
    }

    #[test]
    fn rfc792_every_type_and_code_is_a_problem_or_none() {
        for kind in 0..=u8::MAX {
            for code in 0..=u8::MAX {
                let header = Header::from_bytes(&[kind, code, 0, 0, 1, 2, 3, 4]);
                let expected = match (kind, code) {
                    (3, 4) => Some(Problem::FragmentationNeeded { mtu: 0x0304 }),
                    (3, code) => Some(Problem::Unreachable(Unreachable(code))),
                    (11, code) => Some(Problem::TimeExceeded(TimeExceeded(code))),
                    (12, code) => Some(Problem::ParameterProblem { code, pointer: 1 }),
                    _ => None,
                };
                assert_eq!(header.problem(), expected);
                assert!(expected.is_none_or(|problem| problem.header().problem() == expected));
                assert!(expected.is_none() || !header.kind.is_query());
                assert_eq!(header.echo(), [0, 8].contains(&kind).then_some((0x0102, 0x0304)));
            }
        }
    }

    #[test]
    fn rfc1122_s3_2_2_the_five_errors_are_no_queries_and_neither_is_the_unknown() {
        for kind in [3, 4, 5, 11, 12, 19, 41, 255] {
            assert!(!Type(kind).is_query(), "{kind}");
        }
        assert!(Type::ECHO_REPLY.is_query() && Type::ECHO_REQUEST.is_query());
    }
}
