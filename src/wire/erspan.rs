//! ERSPAN headers, types II and III (draft-foschiano-erspan-03, sections 4.2 and 4.3): between GRE and a mirrored
//! Ethernet frame.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-----------------------+-----+---+-+-------------------+
//! |Ver = 1|         VLAN          | COS | En|T|    Session ID     |   type II
//! +-------+---------------+-------+-----+---+-+-------------------+
//! |      Reserved         |                  Index                |
//! +-----------------------+---------------------------------------+
//!
//! +-------+-----------------------+-----+---+-+-------------------+
//! |Ver = 2|         VLAN          | COS |BSO|T|    Session ID     |   type III
//! +-------+-----------------------+-----+---+-+-------------------+
//! |                          Timestamp                            |
//! +-------------------------------+-+---------+-----------+-+---+-+
//! |             SGT               |P|   FT    |   Hw ID   |D|Gra|O|
//! +-------------------------------+-+---------+-----------+-+---+-+
//! |        Platform-specific subheader of 8 bytes (if O)          |
//! +---------------------------------------------------------------+
//! ```
//!
//! Type I has no header: the frame follows GRE, which then has no sequence number. For analysis: the crate
//! reads these headers and does not write them.

use super::{Error, EtherType, Layer, Pcp, VlanId, bounded::bounded, debug::debug_as};

/// GRE's protocol of types I and II.
pub const ETHERTYPE_II: EtherType = EtherType(0x88be);

/// GRE's protocol of type III.
pub const ETHERTYPE_III: EtherType = EtherType(0x22eb);

bounded! {
    /// Names a mirroring session between two switches.
    SessionId(u16), max 0x03ff
}

bounded! {
    /// Port and direction that a frame was mirrored from, in the sender's own terms.
    Index(u32), max 0x000f_ffff
}

bounded! {
    /// Of type II how the mirrored frame was tagged (En); of type III whether it is bad, short or oversized (BSO).
    Tagging(u8), max 0x03
}

bounded! {
    /// What the payload of type III is (FT): 0 Ethernet, 2 IP.
    FrameType(u8), max 0x1f
}

bounded! {
    /// Engine of the sender (Hw ID).
    HardwareId(u8), max 0x3f
}

bounded! {
    /// Unit of the timestamp (Gra): 0 is 100 microseconds, 1 is 100 nanoseconds, 2 is of IEEE 1588.
    Granularity(u8), max 0x03
}

/// What both types say of the mirrored frame.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// VLAN of the frame.
    pub vlan: VlanId,
    /// Class of service of the frame.
    pub cos: Pcp,
    /// How the frame was tagged (type II), or what is wrong with it (type III).
    pub encapsulation: Tagging,
    /// Whether the frame was cut to fit into the underlay's MTU (T).
    pub truncated: bool,
    /// The session.
    pub session: SessionId,
    /// What only one of the types says.
    pub kind: Kind,
}

debug_as! { "erspan::Header", Header { vlan, cos, encapsulation, truncated, session, kind } }

/// What only one of the types says.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Kind {
    /// Type II.
    II {
        /// Port and direction.
        index: Index,
    },
    /// Type III.
    III {
        /// When the frame was mirrored, in units that [`granularity`](Self::III::granularity) says.
        timestamp: u32,
        /// Security group tag of the frame.
        security_group: u16,
        /// Whether the payload is an Ethernet frame (P).
        ethernet: bool,
        /// What the payload is.
        frame_type: FrameType,
        /// Engine of the sender.
        hardware_id: HardwareId,
        /// Whether the frame was leaving the mirrored port (D), not entering it.
        egress: bool,
        /// Unit of the timestamp.
        granularity: Granularity,
        /// The platform-specific subheader, where there is one (O).
        subheader: Option<[u8; 8]>,
    },
}

impl Header {
    /// Length of a header of type II, in bytes.
    pub const LEN_II: usize = 8;
    /// Length of a header of type III without subheader, in bytes.
    pub const LEN_III: usize = 12;
    /// Length of a header of type III with its subheader, in bytes.
    pub const MAX_LEN: usize = 20;

    /// The header at the front of `bytes`, and the mirrored frame.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] other than 1 and 2, [`Error::Truncated`] where the bytes end before the header does.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let truncated = |need| Error::truncated(Layer::Erspan, need, bytes.len());
        let Some((&[v0, v1, s0, s1], rest)) = bytes.split_first_chunk() else {
            return Err(truncated(Self::LEN_II));
        };
        let (kind, rest) = match v0 >> 4 {
            1 => {
                let (&index, rest) = rest.split_first_chunk().ok_or(truncated(Self::LEN_II))?;
                (Kind::II { index: Index::truncate(u32::from_be_bytes(index)) }, rest)
            }
            2 => {
                let (&[t0, t1, t2, t3, g0, g1, f0, f1], rest) =
                    rest.split_first_chunk().ok_or(truncated(Self::LEN_III))?;
                let (subheader, rest) = if f1 & 1 == 0 {
                    (None, rest)
                } else {
                    let (subheader, rest) = rest.split_first_chunk().ok_or(truncated(Self::MAX_LEN))?;
                    (Some(*subheader), rest)
                };
                let kind = Kind::III {
                    timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
                    security_group: u16::from_be_bytes([g0, g1]),
                    ethernet: f0 & 0x80 != 0,
                    frame_type: FrameType::truncate(f0 >> 2),
                    hardware_id: HardwareId::truncate((f0 & 3) << 4 | f1 >> 4),
                    egress: f1 & 8 != 0,
                    granularity: Granularity::truncate(f1 >> 1),
                    subheader,
                };
                (kind, rest)
            }
            version => return Err(Error::Version { layer: Layer::Erspan, version }),
        };
        let header = Self {
            vlan: VlanId::truncate(u16::from_be_bytes([v0, v1])),
            cos: Pcp::truncate(s0 >> 5),
            encapsulation: Tagging::truncate(s0 >> 3),
            truncated: s0 & 4 != 0,
            session: SessionId::truncate(u16::from_be_bytes([s0, s1])),
            kind,
        };
        Ok((header, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_type_ii() {
        let bytes = [
            0x10, 0x64, // version 1; VLAN 100
            0xbc, 0x7b, // COS 5, En 3, T; session 123
            0x00, 0x0a, 0xbc, 0xde, // reserved; index
            0xaa, // the frame
        ];
        let header = Header {
            vlan: VlanId::truncate(100),
            cos: Pcp::truncate(5),
            encapsulation: Tagging::MAX,
            truncated: true,
            session: SessionId::truncate(123),
            kind: Kind::II { index: Index::truncate(0xabcde) },
        };
        assert_eq!(Header::parse(&bytes), Ok((header, &[0xaa][..])));
    }

    #[test]
    fn golden_type_iii() {
        let bytes = [
            0x20, 0x64, 0x00, 0x7b, // version 2; VLAN 100; session 123
            0x01, 0x02, 0x03, 0x04, // timestamp
            0xbe, 0xef, // SGT
            0x89, 0x8d, // P, FT 2, Hw ID 24; D, Gra 2, O
            1, 2, 3, 4, 5, 6, 7, 8, // subheader
        ];
        let (header, rest) = Header::parse(&bytes).unwrap();
        let expected = Kind::III {
            timestamp: 0x0102_0304,
            security_group: 0xbeef,
            ethernet: true,
            frame_type: FrameType::truncate(2),
            hardware_id: HardwareId::truncate(0x18),
            egress: true,
            granularity: Granularity::truncate(2),
            subheader: Some([1, 2, 3, 4, 5, 6, 7, 8]),
        };
        assert_eq!((header.kind, rest), (expected, &[][..]));
    }

    #[test]
    fn every_version_and_truncation() {
        for version in 0..16u8 {
            let mut bytes = [0xff; 20];
            bytes[0] = version << 4;
            for have in 0..=20 {
                let need = match (version, have) {
                    (_, 0..4) | (1, _) => 8,
                    (2, ..12) => 12,
                    _ => 20,
                };
                let expected = match version {
                    _ if have < 4 => Some(Error::truncated(Layer::Erspan, need, have)),
                    1 | 2 if have < need => Some(Error::truncated(Layer::Erspan, need, have)),
                    1 | 2 => None,
                    _ => Some(Error::Version { layer: Layer::Erspan, version }),
                };
                assert_eq!(Header::parse(&bytes[..have]).err(), expected, "version {version}, {have} bytes");
            }
        }
    }

    #[test]
    fn every_value_of_the_packed_bytes() {
        for byte in 0..=u8::MAX {
            let (header, _) = Header::parse(&[0x1f, 0xff, byte, 0, 0, 0, 0, 0]).unwrap();
            assert_eq!((header.cos.value(), header.encapsulation.value()), (byte >> 5, byte >> 3 & 3));
            assert_eq!((header.truncated, header.session.value()), (byte & 4 != 0, u16::from(byte & 3) << 8));
            let (header, _) = Header::parse(&[0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte, byte & !1]).unwrap();
            let Kind::III { ethernet, frame_type, hardware_id, egress, granularity, .. } = header.kind else {
                panic!("type III")
            };
            assert_eq!((ethernet, frame_type.value()), (byte & 0x80 != 0, byte >> 2 & 0x1f));
            assert_eq!(hardware_id.value(), (byte & 3) << 4 | byte >> 4);
            assert_eq!((egress, granularity.value()), (byte & 8 != 0, byte >> 1 & 3));
        }
    }
}
