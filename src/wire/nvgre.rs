//! The NVGRE header (RFC 7637, section 3.2): GRE with a key that is a segment and a flow.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-----------------+-----+-------------------------------+
//! |0| |1|0|   Reserved0     | Ver |   Protocol Type 0x6558        |
//! +-+-+-+-+-----------------+-----+---------------+---------------+
//! |               Virtual Subnet ID (VSID)        |    FlowID     |
//! +-----------------------------------------------+---------------+
//! ```

use super::{
    Error, EtherType, Layer, Vni,
    debug::debug_as,
    gre::{self, CHECKSUM, KEY, Key, ROUTING, SEQUENCE, VERSION},
};

/// An NVGRE header.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// The segment: the RFC's Virtual Subnet ID.
    pub vsid: Vni,
    /// Tells flows apart, zero where they are not (section 3.2).
    pub flow_id: u8,
}

debug_as! { "nvgre::Header", Header { vsid, flow_id } }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 8;

    /// The header in these bytes. Reserved bits are ignored.
    ///
    /// # Errors
    ///
    /// Those of [`gre::Header::parse`]; [`Error::Unsupported`] where it is not NVGRE's form of GRE: no key, a
    /// checksum, a sequence number, or another protocol than Ethernet.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, Error> {
        let [f0, f1, p0, p1, k0, k1, k2, flow_id] = *bytes;
        let flags = u16::from_be_bytes([f0, f1]);
        let protocol = u16::from_be_bytes([p0, p1]);
        if flags & ROUTING != 0 {
            return Err(Error::SourceRouting);
        }
        if flags & VERSION != 0 {
            return Err(Error::Version { layer: Layer::Nvgre, version: (flags & VERSION) as u8 });
        }
        if flags & (CHECKSUM | KEY | SEQUENCE) != KEY {
            return Err(Error::Unsupported { layer: Layer::Nvgre, field: "flags", value: flags });
        }
        if protocol != EtherType::TEB.0 {
            return Err(Error::Unsupported { layer: Layer::Nvgre, field: "protocol type", value: protocol });
        }
        Ok(Self { vsid: Vni::truncate(u32::from_be_bytes([0, k0, k1, k2])), flow_id })
    }

    /// The header at the front of `bytes`, and what follows it.
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
            None => Err(Error::truncated(Layer::Nvgre, Self::LEN, bytes.len())),
        }
    }

    /// The header in network byte order. Reserved bits are zero.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [f0, f1] = KEY.to_be_bytes();
        let [p0, p1] = EtherType::TEB.0.to_be_bytes();
        let [_, v0, v1, v2] = self.vsid.value().to_be_bytes();
        [f0, f1, p0, p1, v0, v1, v2, self.flow_id]
    }

    /// What a GRE header means as one of NVGRE, or `None` where it does not have the form: a key, no checksum,
    /// no sequence number, Ethernet.
    pub const fn from_gre(header: &gre::Header) -> Option<Self> {
        match header {
            gre::Header {
                key: Some(Key(key)),
                checksum: None,
                sequence: None,
                protocol: EtherType::TEB,
                ..
            } => Some(Self { vsid: Vni::truncate(*key >> 8), flow_id: *key as u8 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let bytes = [
            0x20, 0x00, 0x65, 0x58, // K; Ethernet
            0x00, 0x13, 0x89, 0x2a, // VSID 5001; FlowID 42
        ];
        let header = Header { vsid: Vni::truncate(5001), flow_id: 42 };
        assert_eq!(Header::parse(&bytes), Ok((header, &[][..])));
        assert_eq!(header.to_bytes(), bytes);
        let (gre, _) = gre::Header::parse(&bytes).unwrap();
        assert_eq!(Header::from_gre(&gre), Some(header));
    }

    /// NVGRE takes what GRE takes, if it has the form, and nothing else.
    #[test]
    fn rfc7637_s3_2_every_flag_word() {
        for flags in 0..=u16::MAX {
            let [f0, f1] = flags.to_be_bytes();
            let bytes = [f0, f1, 0x65, 0x58, 0, 0x13, 0x89, 0x2a];
            let read = Header::from_bytes(&bytes);
            assert_eq!(read.is_ok(), flags & 0xf007 == 0x2000, "{flags:#06x}");
            if let Ok((gre, [])) = gre::Header::parse(&bytes) {
                assert_eq!(read.ok(), Header::from_gre(&gre), "{flags:#06x}");
            }
        }
        let other = Header::from_bytes(&[0x20, 0, 8, 0, 0, 0, 0, 0]);
        assert_eq!(
            other,
            Err(Error::Unsupported { layer: Layer::Nvgre, field: "protocol type", value: 0x0800 })
        );
    }
}
