//! ARP for IPv4 over Ethernet (RFC 826).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-------------------------------+
//! |      Hardware Type (1)        |    Protocol Type (0x0800)     |
//! +---------------+---------------+-------------------------------+
//! | HW Length (6) | P. Length (4) |           Operation           |
//! +---------------+---------------+-------------------------------+
//! |                   Sender Hardware Address                     |
//! |                               +-------------------------------+
//! |                               |   Sender Protocol Address     |
//! +-------------------------------+-------------------------------+
//! |  Sender Protocol Address ...  |                               |
//! +-------------------------------+   Target Hardware Address     |
//! |                                                               |
//! +---------------------------------------------------------------+
//! |                   Target Protocol Address                     |
//! +---------------------------------------------------------------+
//! ```
//!
//! Out of scope: other hardware and protocols, which are refused by name.

use core::net::Ipv4Addr;

use super::{Error, EtherType, Layer, MacAddr, debug::debug_as};

/// What an ARP packet wants (the field ar$op).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Operation(pub u16);

impl Operation {
    /// Who has the target protocol address?
    pub const REQUEST: Self = Self(1);
    /// The sender has it.
    pub const REPLY: Self = Self(2);
}

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// Request or reply.
    pub operation: Operation,
    /// MAC address of the sender.
    pub sender_mac: MacAddr,
    /// IPv4 address of the sender: 0.0.0.0 in a probe (RFC 5227, section 2.1.1).
    pub sender_ip: Ipv4Addr,
    /// MAC address of the target: means nothing in a request.
    pub target_mac: MacAddr,
    /// IPv4 address of the target.
    pub target_ip: Ipv4Addr,
}

debug_as! { "arp::Header", Header { operation, sender_mac, sender_ip, target_mac, target_ip } }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 28;

    /// The packet in these bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for other hardware than Ethernet, other protocols than IPv4, or lengths
    /// other than theirs.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, Error> {
        #[rustfmt::skip]
        let [
            h0, h1, p0, p1, hardware_len, protocol_len, o0, o1,
            sm0, sm1, sm2, sm3, sm4, sm5, si0, si1, si2, si3,
            tm0, tm1, tm2, tm3, tm4, tm5, ti0, ti1, ti2, ti3,
        ] = *bytes;
        let hardware = u16::from_be_bytes([h0, h1]);
        let protocol = u16::from_be_bytes([p0, p1]);
        if hardware != ETHERNET {
            return Err(unsupported("hardware type", hardware));
        }
        if protocol != EtherType::IPV4.0 {
            return Err(unsupported("protocol type", protocol));
        }
        if hardware_len != 6 {
            return Err(unsupported("hardware address length", hardware_len as u16));
        }
        if protocol_len != 4 {
            return Err(unsupported("protocol address length", protocol_len as u16));
        }
        Ok(Self {
            operation: Operation(u16::from_be_bytes([o0, o1])),
            sender_mac: MacAddr([sm0, sm1, sm2, sm3, sm4, sm5]),
            sender_ip: Ipv4Addr::new(si0, si1, si2, si3),
            target_mac: MacAddr([tm0, tm1, tm2, tm3, tm4, tm5]),
            target_ip: Ipv4Addr::new(ti0, ti1, ti2, ti3),
        })
    }

    /// The packet at the front of `bytes`, and what follows it: padding, as a rule.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes, and those of
    /// [`from_bytes`](Self::from_bytes).
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        match bytes.split_first_chunk() {
            Some((head, rest)) => match Self::from_bytes(head) {
                Ok(header) => Ok((header, rest)),
                Err(error) => Err(error),
            },
            None => Err(Error::truncated(Layer::Arp, Self::LEN, bytes.len())),
        }
    }

    /// The packet in network byte order.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [h0, h1] = ETHERNET.to_be_bytes();
        let [p0, p1] = EtherType::IPV4.0.to_be_bytes();
        let [o0, o1] = self.operation.0.to_be_bytes();
        let [sm0, sm1, sm2, sm3, sm4, sm5] = self.sender_mac.0;
        let [si0, si1, si2, si3] = self.sender_ip.octets();
        let [tm0, tm1, tm2, tm3, tm4, tm5] = self.target_mac.0;
        let [ti0, ti1, ti2, ti3] = self.target_ip.octets();
        #[rustfmt::skip]
        let bytes = [
            h0, h1, p0, p1, 6, 4, o0, o1,
            sm0, sm1, sm2, sm3, sm4, sm5, si0, si1, si2, si3,
            tm0, tm1, tm2, tm3, tm4, tm5, ti0, ti1, ti2, ti3,
        ];
        bytes
    }
}

/// Makes a request, as it stands in a packet, the answer that `mac` has the address (RFC 826); hardware and protocol
/// are the asker's. Answers who asked.
pub(crate) fn answer(request: &mut [u8; Header::LEN], mac: MacAddr) -> MacAddr {
    let [.., a, b, c, d] = *request;
    request.copy_within(SENDER..TARGET, TARGET);
    let asker = request.get(SENDER..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    put(request, OPERATION, Operation::REPLY.0.to_be_bytes());
    put(request, SENDER, mac.0);
    put(request, SENDER + 6, [a, b, c, d]);
    MacAddr(asker)
}

fn put<const N: usize>(bytes: &mut [u8; Header::LEN], at: usize, value: [u8; N]) {
    if let Some(to) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *to = value;
    }
}

// Where things are: the addresses of the sender, MAC and IP, and those of the target.
const OPERATION: usize = 6;
const SENDER: usize = 8;
const TARGET: usize = 18;

const fn unsupported(field: &'static str, value: u16) -> Error {
    Error::Unsupported { layer: Layer::Arp, field, value }
}

/// Hardware type of Ethernet (IANA).
const ETHERNET: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [u8; 28] = [
        0, 1, 8, 0, 6, 4, // Ethernet, IPv4, and the lengths of their addresses
        0, 1, // request
        2, 0, 0, 0, 0, 1, 10, 1, 0, 1, // sender
        0, 0, 0, 0, 0, 0, 10, 1, 0, 2, // target
    ];

    #[test]
    fn an_answer_is_made_in_place() {
        let mut bytes = GOLDEN;
        let asked = Header::from_bytes(&bytes).unwrap();
        let mac = MacAddr([2, 0, 0, 0, 0, 9]);
        assert_eq!(answer(&mut bytes, mac), asked.sender_mac);
        let answered = Header {
            operation: Operation::REPLY,
            sender_mac: mac,
            sender_ip: asked.target_ip,
            target_mac: asked.sender_mac,
            target_ip: asked.sender_ip,
        };
        assert_eq!(Header::from_bytes(&bytes), Ok(answered));
    }

    #[test]
    fn golden() {
        let header = Header {
            operation: Operation::REQUEST,
            sender_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            sender_ip: Ipv4Addr::new(10, 1, 0, 1),
            target_mac: MacAddr::ZERO,
            target_ip: Ipv4Addr::new(10, 1, 0, 2),
        };
        assert_eq!(Header::parse(&GOLDEN), Ok((header, &[][..])));
        assert_eq!(header.to_bytes(), GOLDEN);
    }

    #[test]
    fn rfc826_other_hardware_and_protocols_are_refused_by_name() {
        let fields = ["hardware type", "protocol type", "hardware address length", "protocol address length"];
        for (at, field) in [0, 2, 4, 5].into_iter().zip(fields) {
            for value in 0..=u8::MAX {
                let mut bytes = GOLDEN;
                bytes[at] = value;
                match Header::from_bytes(&bytes) {
                    Ok(_) => assert_eq!(value, GOLDEN[at]),
                    Err(error) => {
                        assert_ne!(value, GOLDEN[at]);
                        assert!(matches!(error, Error::Unsupported { field: f, .. } if f == field));
                    }
                }
            }
        }
    }
}
