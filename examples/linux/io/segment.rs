//! What a device with offload hands over: a frame that is still to be cut into several, or whose checksum is still to
//! be written.

use encap::wire::{EtherType, IpProtocol, checksum::Sum, ethernet, vlan};

use crate::{
    Layer,
    tcp::{self, CWR, FIN, FLAGS, PSH, SEQUENCE},
    virtio,
};

/// The frames that a device meant when it handed over one.
#[derive(Debug)]
pub struct Segments<'a> {
    /// All headers, as the first frame has them.
    head: &'a [u8],
    rest: &'a [u8],
    cut: Option<Cut>,
    index: u32,
    checksum_written: bool,
}

/// How to cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    protocol: IpProtocol,
    is_ipv6: bool,
    l3: usize,
    l4: usize,
    /// Where the checksum is in the segment's header.
    checksum: usize,
    /// Bytes of payload of all but the last.
    size: usize,
}

/// What a device hands over that makes no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

impl<'a> Segments<'a> {
    /// Frames of what was read from a device, virtio header and all.
    ///
    /// # Errors
    ///
    /// [`Malformed`], which the kernel's are not.
    pub fn new(layer: Layer, read: &'a mut [u8]) -> Result<Self, Malformed> {
        let (header, frame) = read.split_first_chunk_mut().ok_or(Malformed)?;
        let header = virtio::Header::from_bytes(header);
        let start = usize::from(header.csum_start);
        let protocol = match header.gso_type & !virtio::ECN {
            virtio::NONE => {
                let checksum_written = header.flags & virtio::NEEDS_CSUM != 0;
                if checksum_written {
                    finish_checksum(frame, start, header.csum_offset.into()).ok_or(Malformed)?;
                }
                return Ok(Self { head: &[], rest: frame, cut: None, index: 0, checksum_written });
            }
            virtio::TCPV4 | virtio::TCPV6 => IpProtocol::TCP,
            virtio::UDP_L4 => IpProtocol::UDP,
            _ => return Err(Malformed),
        };
        Self::cut(layer, frame, protocol, start, header.gso_size.into()).ok_or(Malformed)
    }

    fn cut(layer: Layer, frame: &'a [u8], protocol: IpProtocol, l4: usize, size: usize) -> Option<Self> {
        let (l3, is_ipv6) = network(layer, frame)?;
        let (header, checksum) = match protocol {
            IpProtocol::TCP => (usize::from(frame.get(l4 + 12)? >> 4) * 4, tcp::CHECKSUM),
            _ => (8, 6),
        };
        let (head, rest) = frame.split_at_checked(l4 + header)?;
        let least = if is_ipv6 { 40 } else { 20 };
        // So that what is patched later lies inside the headers.
        let sound = l4 >= l3 + least && header >= checksum + 2 && size > 0 && !rest.is_empty();
        let cut = Cut { protocol, is_ipv6, l3, l4, checksum, size };
        sound.then_some(Self { head, rest, cut: Some(cut), index: 0, checksum_written: true })
    }

    /// Whether the transport checksums of the frames are ours, and right for that.
    pub const fn are_checksums_good(&self) -> bool {
        self.checksum_written
    }

    /// Writes the next frame to the front of `to`, and answers its length; `None` where there is none any more, or none
    /// that fits.
    pub fn next(&mut self, to: &mut [u8]) -> Option<usize> {
        if self.rest.is_empty() {
            return None;
        }
        let (payload, rest) = match self.cut {
            Some(cut) => self.rest.split_at(cut.size.min(self.rest.len())),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        let len = self.head.len() + payload.len();
        let frame = to.get_mut(..len)?;
        let (head, body) = frame.split_at_mut(self.head.len());
        head.copy_from_slice(self.head);
        body.copy_from_slice(payload);
        if let Some(cut) = self.cut {
            cut.finish(frame, self.index, rest.is_empty())?;
        }
        self.index += 1;
        Some(len)
    }
}

impl Cut {
    /// Says in the headers which of the frames this is.
    fn finish(&self, frame: &mut [u8], index: u32, is_last: bool) -> Option<()> {
        let Self { protocol, is_ipv6, l3, l4, checksum, size } = *self;
        let len = frame.len();
        if !is_ipv6 {
            let id = tcp::get(frame, l3 + 4)?;
            tcp::put(frame, l3 + 4, id.wrapping_add(index as u16))?;
        }
        tcp::set_ip_len(frame, l3, l4, is_ipv6, len - l3)?;
        let segment = frame.get_mut(l4..)?;
        if protocol == IpProtocol::TCP {
            let sequence = tcp::get_u32(segment, SEQUENCE)?;
            tcp::put_u32(segment, SEQUENCE, sequence.wrapping_add(index.wrapping_mul(size as u32)))?;
            let flags = segment.get_mut(FLAGS)?;
            if !is_last {
                *flags &= !(FIN | PSH);
            }
            if index > 0 {
                // One reduction of the window is told once (RFC 3168, section 6.1.2).
                *flags &= !CWR;
            }
        } else {
            tcp::put(segment, 4, u16::try_from(len - l4).ok()?)?;
        }
        tcp::put(segment, checksum, 0)?;
        let pseudo = tcp::pseudo(frame.get(l3..)?, is_ipv6, protocol, len - l4)?;
        let segment = frame.get_mut(l4..)?;
        // UDP's way to write a zero means the same to TCP.
        let value = pseudo.add_bytes(segment).udp_checksum();
        tcp::put(segment, checksum, value)
    }
}

/// Where the IP header starts, tags skipped, and whether it is one of IPv6.
fn network(layer: Layer, frame: &[u8]) -> Option<(usize, bool)> {
    if layer == Layer::Ip {
        return tcp::ip(layer, frame);
    }
    let (header, rest) = ethernet::Header::parse(frame).ok()?;
    let untagged = vlan::skip_tags(header.ethertype, rest).ok()?;
    let l3 = frame.len() - untagged.payload.len();
    match untagged.ethertype {
        EtherType::IPV4 => Some((l3, false)),
        EtherType::IPV6 => Some((l3, true)),
        _ => None,
    }
}

/// Writes a checksum whose place holds the sum of the pseudo header.
fn finish_checksum(frame: &mut [u8], start: usize, offset: usize) -> Option<()> {
    let segment = frame.get_mut(start..)?;
    let value = Sum::ZERO.add_bytes(segment).udp_checksum();
    tcp::put(segment, offset, value)
}
