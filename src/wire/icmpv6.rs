//! The ICMPv6 header (RFC 4443, section 2.1).
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
//! what a report quotes, in [`icmp_quote`](super::icmp_quote); neighbour discovery, in
//! [`ndp`](super::ndp).

use super::{
    Error, Layer,
    checksum::{State, Sum},
    debug::debug_as,
};

/// The kind of an ICMPv6 message.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Type(pub u8);

impl Type {
    /// The packet could not be delivered; the code is an [`Unreachable`].
    pub const UNREACHABLE: Self = Self(1);
    /// The packet is too large for the next link.
    pub const PACKET_TOO_BIG: Self = Self(2);
    /// The packet lived too long; the code is a [`TimeExceeded`].
    pub const TIME_EXCEEDED: Self = Self(3);
    /// Something in the header is wrong.
    pub const PARAMETER_PROBLEM: Self = Self(4);
    /// Ping.
    pub const ECHO_REQUEST: Self = Self(128);
    /// Answer to an echo request.
    pub const ECHO_REPLY: Self = Self(129);
    /// Who has the target address (RFC 4861, section 4.3)?
    pub const NEIGHBOR_SOLICITATION: Self = Self(135);
    /// The sender knows who has the target address (RFC 4861, section 4.4).
    pub const NEIGHBOR_ADVERTISEMENT: Self = Self(136);
    /// There is a better first router (RFC 4861, section 4.5).
    pub const REDIRECT: Self = Self(137);

    /// Whether this is an error: types below 128, unknown ones included (RFC 4443, section 2.1).
    pub const fn is_error(self) -> bool {
        self.0 < 128
    }
}

/// Why a packet could not be delivered: the code of [`Type::UNREACHABLE`] (RFC 4443, section 3.1).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Unreachable(pub u8);

impl Unreachable {
    /// There is no route.
    pub const NO_ROUTE: Self = Self(0);
    /// It was filtered.
    pub const ADMINISTRATIVELY_PROHIBITED: Self = Self(1);
    /// The last router does not reach the host.
    pub const ADDRESS: Self = Self(3);
    /// Nobody listens.
    pub const PORT: Self = Self(4);
}

/// Which time ran out: the code of [`Type::TIME_EXCEEDED`] (RFC 4443, section 3.3).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct TimeExceeded(pub u8);

impl TimeExceeded {
    /// The hop limit.
    pub const IN_TRANSIT: Self = Self(0);
    /// The time to wait for the other fragments.
    pub const IN_REASSEMBLY: Self = Self(1);
}

/// What an ICMPv6 error says about the packet that it quotes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Problem {
    /// It could not be delivered (RFC 4443, section 3.1).
    Unreachable(Unreachable),
    /// It is too large for the next link (RFC 4443, section 3.2).
    PacketTooBig {
        /// The largest packet that fits.
        mtu: u32,
    },
    /// It lived too long (RFC 4443, section 3.3).
    TimeExceeded(TimeExceeded),
    /// A node did not understand a header (RFC 4443, section 3.4).
    ParameterProblem {
        /// In what way.
        code: u8,
        /// The byte of the packet that is wrong.
        pointer: u32,
    },
}

impl Problem {
    /// The header of such an error, its checksum still zero.
    pub const fn header(self) -> Header {
        let (kind, code, rest) = match self {
            Self::Unreachable(code) => (Type::UNREACHABLE, code.0, [0; 4]),
            Self::PacketTooBig { mtu } => (Type::PACKET_TOO_BIG, 0, mtu.to_be_bytes()),
            Self::TimeExceeded(code) => (Type::TIME_EXCEEDED, code.0, [0; 4]),
            Self::ParameterProblem { code, pointer } => {
                (Type::PARAMETER_PROBLEM, code, pointer.to_be_bytes())
            }
        };
        Header { kind, code, checksum: 0, rest }
    }
}

/// An ICMPv6 header.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// What the message is.
    pub kind: Type,
    /// More about that.
    pub code: u8,
    /// Checksum over pseudo header and message, as received or as to be sent.
    pub checksum: u16,
    /// Four bytes whose meaning depends on the type.
    pub rest: [u8; 4],
}

debug_as! { "icmpv6::Header", Header { kind, code, checksum, rest } }

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
            None => Err(Error::truncated(Layer::Icmpv6, Self::LEN, bytes.len())),
        }
    }

    /// The header in network byte order.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [c0, c1] = self.checksum.to_be_bytes();
        let [r0, r1, r2, r3] = self.rest;
        [self.kind.0, self.code, c0, c1, r0, r1, r2, r3]
    }

    /// The same header with the checksum over `pseudo`, itself and `payload` (RFC 4443, section 2.3).
    #[must_use]
    pub fn with_checksum(self, pseudo: Sum, payload: &[u8]) -> Self {
        let header = Self { checksum: 0, ..self };
        Self { checksum: pseudo.add_bytes(&header.to_bytes()).add_bytes(payload).checksum(), ..self }
    }

    /// What the message says about the packet that it quotes, or `None` where it is no error that
    /// RFC 4443 knows.
    pub const fn problem(&self) -> Option<Problem> {
        let word = u32::from_be_bytes(self.rest);
        Some(match self.kind {
            Type::UNREACHABLE => Problem::Unreachable(Unreachable(self.code)),
            // The code is "ignored by the receiver" (section 3.2).
            Type::PACKET_TOO_BIG => Problem::PacketTooBig { mtu: word },
            Type::TIME_EXCEEDED => Problem::TimeExceeded(TimeExceeded(self.code)),
            Type::PARAMETER_PROBLEM => Problem::ParameterProblem { code: self.code, pointer: word },
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

/// Whether the checksum of `message`, header and payload and nothing behind them, is right. There is
/// always one.
pub fn verify(pseudo: Sum, message: &[u8]) -> State {
    match message.first_chunk::<{ Header::LEN }>() {
        Some(_) => State::verified(pseudo.add_bytes(message)),
        None => State::Bad,
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv6Addr;

    use super::*;
    use crate::wire::IpProtocol;

    const GOLDEN: [u8; 8] = [
        2, 0, 0xf8, 0x25, // packet too big; checksum
        0, 0, 0x05, 0x96, // MTU 1430
    ];

    fn pseudo() -> Sum {
        Sum::pseudo_ipv6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, IpProtocol::ICMPV6, 8)
    }

    #[test]
    fn golden() {
        let problem = Problem::PacketTooBig { mtu: 1430 };
        let header = problem.header().with_checksum(pseudo(), &[]);
        assert_eq!(header.to_bytes(), GOLDEN);
        assert_eq!(Header::parse(&GOLDEN), Ok((header, &[][..])));
        assert_eq!((header.problem(), header.echo()), (Some(problem), None));
        assert_eq!(verify(pseudo(), &GOLDEN), State::Good);
        assert_eq!(verify(pseudo(), &GOLDEN[..7]), State::Bad);
    }

    #[test]
    fn rfc4443_s3_every_type_and_code_is_a_problem_or_none() {
        for kind in 0..=u8::MAX {
            for code in 0..=u8::MAX {
                let header = Header::from_bytes(&[kind, code, 0, 0, 1, 2, 3, 4]);
                let expected = match kind {
                    1 => Some(Problem::Unreachable(Unreachable(code))),
                    2 => Some(Problem::PacketTooBig { mtu: 0x0102_0304 }),
                    3 => Some(Problem::TimeExceeded(TimeExceeded(code))),
                    4 => Some(Problem::ParameterProblem { code, pointer: 0x0102_0304 }),
                    _ => None,
                };
                assert_eq!(header.problem(), expected);
                assert!(expected.is_none_or(|problem| problem.header().problem() == expected));
                assert_eq!(header.echo(), [128, 129].contains(&kind).then_some((0x0102, 0x0304)));
            }
        }
    }

    #[test]
    fn rfc4443_s2_1_errors_have_a_zero_high_bit() {
        for kind in 0..=u8::MAX {
            assert_eq!(Type(kind).is_error(), kind >> 7 == 0);
        }
    }
}
