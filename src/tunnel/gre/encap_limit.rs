//! The tunnel encapsulation limit (RFC 2473, section 4.1.1): how often a packet may be wrapped once more. It stands
//! in destination options between an IPv6 header and GRE; Linux's `ip6gre` sends four.
//!
//! ```text
//! +-----------------+------------+------------+------------+
//! | Next Header: 47 | Length: 0  | Option: 4  | Length: 1  |
//! +-----------------+------------+------------+------------+
//! |      Limit      |  PadN: 1   | Length: 1  |     0      |
//! +-----------------+------------+------------+------------+
//! ```

use crate::wire::{IpProtocol, ipv6, ipv6_option::Options};

/// Bytes of the options header.
pub(super) const LEN: usize = 8;

/// The options header with this limit.
pub(super) const fn header(limit: u8) -> [u8; LEN] {
    [IpProtocol::GRE.0, 0, OPTION, 1, limit, 1, 1, 0]
}

/// Writes the limit of a packet that is wrapped: one less than it brings itself, if it brings one.
#[inline]
pub(super) fn patch(header: &mut [u8; LEN], packet: &[u8]) {
    if let Some(found) = find(packet) {
        let [_, _, _, _, limit, ..] = header;
        *limit = found.limit.saturating_sub(1);
    }
}

/// A limit that a packet brings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// Where in the packet it stands.
    pub(super) at: usize,
    pub(super) limit: u8,
}

/// The limit of an IPv6 packet.
pub(super) fn find(packet: &[u8]) -> Option<Found> {
    let (header, rest) = ipv6::Header::parse(packet).ok()?;
    let payload = rest.get(..header.payload_len.into()).unwrap_or(rest);
    let mut at = ipv6::Header::LEN;
    for extension in ipv6::Extensions::new(header.next_header, payload) {
        let extension = extension.ok()?;
        if extension.protocol == IpProtocol::DESTINATION_OPTIONS {
            if let Some((offset, limit)) = option(extension.bytes) {
                return Some(Found { at: at.saturating_add(offset), limit });
            }
        }
        at = at.saturating_add(extension.bytes.len());
    }
    None
}

/// Where in an options header the limit stands, and what it is.
fn option(header: &[u8]) -> Option<(usize, u8)> {
    Options::new(header).flatten().find_map(|option| match (option.kind, option.data) {
        (OPTION, &[limit]) => Some((option.at, limit)),
        _ => None,
    })
}

/// RFC 2473, section 4.1.1.
const OPTION: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv6 packet whose first extension header is of this kind.
    fn packet(kind: u8, extensions: &[u8]) -> Vec<u8> {
        let [l0, l1] = (extensions.len() as u16).to_be_bytes();
        [&[0x60, 0, 0, 0, l0, l1, kind, 64][..], &[0; 32], extensions].concat()
    }

    extern crate alloc;
    use alloc::vec::Vec;

    #[test]
    fn rfc2473_s4_1_1_the_limit_is_found_wherever_it_stands() {
        let found = |kind, extensions: &[u8]| find(&packet(kind, extensions));
        assert_eq!(found(60, &header(7)), Some(Found { at: 44, limit: 7 }));
        let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
        assert_eq!(found(0, &[hop_by_hop, header(3)].concat()), Some(Found { at: 52, limit: 3 }));
        assert_eq!(found(60, &[59, 0, 0, 0, 0, 4, 1, 9]), Some(Found { at: 47, limit: 9 }), "behind Pad1");
        assert_eq!(found(60, &[59, 0, 1, 1, 0, 4, 1, 9]), Some(Found { at: 47, limit: 9 }), "behind PadN");
    }

    #[test]
    fn what_is_no_limit() {
        let found = |kind, extensions: &[u8]| find(&packet(kind, extensions));
        assert_eq!(found(59, &[]), None);
        assert_eq!(found(0, &header(7)), None, "hop-by-hop options are none of a tunnel's");
        assert_eq!(found(60, &[59, 0, 4, 2, 7, 7, 0, 0]), None, "two bytes long");
        assert_eq!(found(60, &[59, 0, 1, 255, 0, 0, 0, 0]), None, "past the end");
        assert_eq!(found(60, &[59, 0, 0, 0, 0, 0, 0, 4]), None, "cut off");
        assert_eq!(found(60, &[59, 1, 4, 1, 7, 0, 0, 0]), None, "the header is");
        let later_fragment = [60, 0, 0, 8, 0, 0, 0, 1];
        assert_eq!(found(44, &[later_fragment, header(7)].concat()), None);
        let mut behind_the_end = packet(60, &header(7));
        behind_the_end[5] = 0;
        assert_eq!(find(&behind_the_end), None);
        assert_eq!(find(&[0x45; 60]), None, "not IPv6");
    }
}
