//! What stands before a packet of a device with offload: `struct virtio_net_hdr` (include/uapi/linux/virtio_net.h), in
//! the machine's byte order.

/// The header.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) flags: u8,
    /// How to cut the packet.
    pub(crate) gso_type: u8,
    /// Bytes of all headers.
    pub(crate) hdr_len: u16,
    /// Bytes of payload that each packet is to have.
    pub(crate) gso_size: u16,
    /// Where the bytes start that a checksum is still to be computed of, which ends with the packet.
    pub(crate) csum_start: u16,
    /// Where the checksum is, from there.
    pub(crate) csum_offset: u16,
}

impl Header {
    /// Length in bytes.
    pub(crate) const LEN: usize = 10;

    pub(crate) const fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1] = *bytes;
        Self {
            flags,
            gso_type,
            hdr_len: u16::from_ne_bytes([h0, h1]),
            gso_size: u16::from_ne_bytes([g0, g1]),
            csum_start: u16::from_ne_bytes([s0, s1]),
            csum_offset: u16::from_ne_bytes([o0, o1]),
        }
    }

    pub(crate) const fn to_bytes(self) -> [u8; Self::LEN] {
        let Self { flags, gso_type, hdr_len, gso_size, csum_start, csum_offset } = self;
        let ([h0, h1], [g0, g1]) = (hdr_len.to_ne_bytes(), gso_size.to_ne_bytes());
        let ([s0, s1], [o0, o1]) = (csum_start.to_ne_bytes(), csum_offset.to_ne_bytes());
        [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }
}

/// In [`Header::flags`]: a checksum is still to be computed.
pub(crate) const NEEDS_CSUM: u8 = 1;

/// In [`Header::gso_type`]: not to be cut; TCP over IPv4; TCP over IPv6; UDP; and a bit: TCP has told of congestion.
pub(crate) const NONE: u8 = 0;
pub(crate) const TCPV4: u8 = 1;
pub(crate) const TCPV6: u8 = 4;
pub(crate) const UDP_L4: u8 = 5;
pub(crate) const ECN: u8 = 0x80;

// What tun-rs asks the kernel for.
const _: () = assert!(Header::LEN == tun_rs::VIRTIO_NET_HDR_LEN);
