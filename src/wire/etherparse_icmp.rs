//! Conversions between ICMP messages of this crate and those of etherparse 0.21 (feature `etherparse`), by way of
//! their bytes: theirs have a type for each kind of message, and ours leave those to be asked for.

use etherparse::{
    Icmpv4Header, Icmpv4Slice, Icmpv4Type, Icmpv6Header, Icmpv6Slice, Icmpv6Type,
    icmpv6::{NeighborAdvertisementHeader, NeighborAdvertisementPayload, NeighborSolicitationPayload},
};

use super::{Error, Layer, icmpv4, icmpv6, ndp};

impl From<icmpv4::Header> for Icmpv4Header {
    fn from(header: icmpv4::Header) -> Self {
        let bytes = header.to_bytes();
        match Icmpv4Slice::from_slice(&bytes).map(|slice| slice.header()) {
            Ok(typed) if typed.to_bytes().as_slice() == bytes => typed,
            // More than the type holds, or less than it needs.
            _ => Self {
                icmp_type: Icmpv4Type::Unknown {
                    type_u8: header.kind.0,
                    code_u8: header.code,
                    bytes5to8: header.rest,
                },
                checksum: header.checksum,
            },
        }
    }
}

impl TryFrom<Icmpv4Header> for icmpv4::Header {
    /// [`Error::Unsupported`] for a timestamp, whose header there is longer than ours.
    type Error = Error;

    fn try_from(header: Icmpv4Header) -> Result<Self, Error> {
        let bytes = header.to_bytes();
        let unsupported =
            |kind: &u8| Error::Unsupported { layer: Layer::Icmpv4, field: "type", value: u16::from(*kind) };
        match bytes.as_slice().try_into() {
            Ok(bytes) => Ok(Self::from_bytes(bytes)),
            Err(_) => Err(bytes.first().map_or(Error::truncated(Layer::Icmpv4, Self::LEN, 0), unsupported)),
        }
    }
}

impl From<icmpv6::Header> for Icmpv6Header {
    fn from(header: icmpv6::Header) -> Self {
        let bytes = header.to_bytes();
        match Icmpv6Slice::from_slice(&bytes).map(|slice| slice.header()) {
            Ok(typed) if typed.to_bytes().as_slice() == bytes => typed,
            // More than the type holds.
            _ => Self {
                icmp_type: Icmpv6Type::Unknown {
                    type_u8: header.kind.0,
                    code_u8: header.code,
                    bytes5to8: header.rest,
                },
                checksum: header.checksum,
            },
        }
    }
}

impl From<Icmpv6Header> for icmpv6::Header {
    fn from(header: Icmpv6Header) -> Self {
        // Every type there has as many.
        let mut bytes = [0; Self::LEN];
        for (to, from) in bytes.iter_mut().zip(header.to_bytes()) {
            *to = from;
        }
        Self::from_bytes(&bytes)
    }
}

impl From<ndp::Solicitation> for (Icmpv6Header, NeighborSolicitationPayload) {
    fn from(message: ndp::Solicitation) -> Self {
        (
            Icmpv6Header { icmp_type: Icmpv6Type::NeighborSolicitation, checksum: message.checksum },
            NeighborSolicitationPayload { target_address: message.target },
        )
    }
}

impl TryFrom<(Icmpv6Header, NeighborSolicitationPayload)> for ndp::Solicitation {
    /// That of [`from_bytes`](Self::from_bytes): for the header of another message.
    type Error = Error;

    fn try_from((header, payload): (Icmpv6Header, NeighborSolicitationPayload)) -> Result<Self, Error> {
        Self::from_bytes(&neighbor_message(header, payload.to_bytes()))
    }
}

impl From<ndp::Advertisement> for (Icmpv6Header, NeighborAdvertisementPayload) {
    fn from(message: ndp::Advertisement) -> Self {
        let flags = NeighborAdvertisementHeader {
            router: message.router,
            solicited: message.solicited,
            r#override: message.overrides,
        };
        (
            Icmpv6Header { icmp_type: Icmpv6Type::NeighborAdvertisement(flags), checksum: message.checksum },
            NeighborAdvertisementPayload { target_address: message.target },
        )
    }
}

impl TryFrom<(Icmpv6Header, NeighborAdvertisementPayload)> for ndp::Advertisement {
    /// That of [`from_bytes`](Self::from_bytes): for the header of another message.
    type Error = Error;

    fn try_from((header, payload): (Icmpv6Header, NeighborAdvertisementPayload)) -> Result<Self, Error> {
        Self::from_bytes(&neighbor_message(header, payload.to_bytes()))
    }
}

/// A solicitation or an advertisement with this header and this target.
fn neighbor_message(header: Icmpv6Header, target: [u8; 16]) -> [u8; ndp::MESSAGE_LEN] {
    let mut bytes = [0; ndp::MESSAGE_LEN];
    let parts = icmpv6::Header::from(header).to_bytes().into_iter().chain(target);
    for (to, from) in bytes.iter_mut().zip(parts) {
        *to = from;
    }
    bytes
}
