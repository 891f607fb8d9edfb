//! Captures, packet by packet: pcap and pcapng, either byte order, cut packets with the length they had.

use std::io::{self, Read};

use encap::{tunnel::Start, wire::EtherType};
use pcap_parser::{
    Block, LegacyPcapBlock, PcapError, nom, parse_block_be, parse_block_le, parse_pcap_frame,
    parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header, traits::PcapNGPacketBlock,
};

/// A capture that is read from front to back.
pub(crate) struct Capture<'a> {
    input: Box<dyn Read + 'a>,
    /// What was read and not yet parsed: from `at` on.
    buffer: Vec<u8>,
    at: usize,
    format: Format,
    frames: u64,
    /// The packet that was read last.
    data: Vec<u8>,
}

/// A packet of a capture.
pub(crate) struct Frame<'a> {
    /// Counted from 1, as Wireshark does.
    pub(crate) number: u64,
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    /// Number of a link type: what `data` starts with.
    pub(crate) link_type: u16,
    pub(crate) data: &'a [u8],
    /// Length before the capture cut the packet, in bytes.
    pub(crate) wire_len: usize,
}

/// Why a capture cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("not a pcap or pcapng file")]
    Foreign,
    #[error("a compressed file: decompress it first")]
    Compressed,
    #[error("truncated after {0} packets")]
    Truncated(u64),
    #[error("damaged after {0} packets: {1}")]
    Damaged(u64, &'static str),
    #[error("after {0} packets: {1}")]
    Io(u64, io::Error),
}

enum Format {
    Pcap { parse: ParsePcap, nanoseconds: bool, link_type: u16 },
    PcapNg { big_endian: bool, interfaces: Vec<Interface> },
}

type ParsePcap = fn(&[u8]) -> nom::IResult<&[u8], LegacyPcapBlock<'_>, PcapError<&[u8]>>;

#[derive(Clone, Copy)]
struct Interface {
    link_type: u16,
    snap_len: usize,
    ticks_per_second: u128,
    offset_seconds: i64,
}

/// What a block says of a packet, besides its bytes.
struct About {
    time: u64,
    link_type: u16,
    wire_len: usize,
}

/// Longer ones are taken for damage.
const MAX_BLOCK: usize = 16 << 20;

impl<'a> Capture<'a> {
    pub(crate) fn new(input: impl Read + 'a) -> Result<Self, ReadError> {
        let format = Format::PcapNg { big_endian: false, interfaces: Vec::new() };
        let mut capture =
            Self { input: Box::new(input), buffer: Vec::new(), at: 0, format, frames: 0, data: Vec::new() };
        while capture.buffer.len() < PCAP_HEADER && capture.fill()? {}
        match capture.buffer.as_slice() {
            [0x0a, 0x0d, 0x0d, 0x0a, ..] => return Ok(capture),
            [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(ReadError::Compressed),
            _ => {}
        }
        let header = match parse_pcap_header(&capture.buffer) {
            Ok((_, header)) => header,
            Err(nom::Err::Incomplete(_)) if capture.buffer.len() >= 4 => return Err(ReadError::Truncated(0)),
            Err(_) => return Err(ReadError::Foreign),
        };
        capture.format = Format::Pcap {
            parse: match header.magic_number.swap_bytes() {
                _ if header.is_modified_format() => parse_pcap_frame_modified,
                0xa1b2_c3d4 | 0xa1b2_3c4d => parse_pcap_frame_be,
                _ => parse_pcap_frame,
            },
            nanoseconds: header.is_nanosecond_precision(),
            // Above: the length of the frame check sequence.
            link_type: header.network.0 as u16,
        };
        capture.consume(PCAP_HEADER);
        Ok(capture)
    }

    /// The next packet, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        let about = loop {
            let bytes = self.buffer.get(self.at..).unwrap_or_default();
            if bytes.is_empty() && !self.fill()? {
                return Ok(None);
            }
            let bytes = self.buffer.get(self.at..).unwrap_or_default();
            match self.format.parse(bytes, &mut self.data) {
                Ok((len, about)) => {
                    self.consume(len);
                    if let Some(about) = about {
                        break about;
                    }
                }
                Err(Fault::Incomplete) if bytes.len() > MAX_BLOCK => {
                    return Err(ReadError::Damaged(self.frames, "a length of more than 16 MiB"));
                }
                Err(Fault::Incomplete) => {
                    if !self.fill()? {
                        return Err(ReadError::Truncated(self.frames));
                    }
                }
                Err(Fault::Damaged(what)) => return Err(ReadError::Damaged(self.frames, what)),
            }
        };
        self.frames += 1;
        let About { time, link_type, wire_len } = about;
        Ok(Some(Frame {
            number: self.frames,
            time,
            link_type,
            data: &self.data,
            wire_len: wire_len.max(self.data.len()),
        }))
    }

    /// Reads more; false at the end of the file.
    fn fill(&mut self) -> Result<bool, ReadError> {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.reserve(CHUNK);
        let chunk = (&mut self.input).take(CHUNK as u64).read_to_end(&mut self.buffer);
        chunk.map(|len| len > 0).map_err(|error| ReadError::Io(self.frames, error))
    }

    fn consume(&mut self, len: usize) {
        self.at += len;
    }
}

enum Fault {
    Incomplete,
    Damaged(&'static str),
}

impl From<nom::Err<PcapError<&[u8]>>> for Fault {
    fn from(error: nom::Err<PcapError<&[u8]>>) -> Self {
        match error {
            nom::Err::Incomplete(_) => Self::Incomplete,
            _ => NONSENSE,
        }
    }
}

impl Format {
    /// The block at the front of `bytes`: its length, and what it says where it is a packet's, whose bytes
    /// go to `data`.
    fn parse(&mut self, bytes: &[u8], data: &mut Vec<u8>) -> Result<(usize, Option<About>), Fault> {
        data.clear();
        let (len, about) = match self {
            Self::Pcap { parse, nanoseconds, link_type } => {
                let (rest, frame) = parse(bytes)?;
                data.extend_from_slice(frame.data);
                let unit = if *nanoseconds { 1 } else { 1000 };
                let time = u64::from(frame.ts_sec) * 1_000_000_000 + u64::from(frame.ts_usec) * unit;
                let wire_len = frame.origlen as usize;
                let len = bytes.len().saturating_sub(rest.len());
                (len, Some(About { time, link_type: *link_type, wire_len }))
            }
            Self::PcapNg { big_endian, interfaces } => {
                let (kind, bytes) = whole_block(bytes, *big_endian)?;
                if !PARSED.contains(&kind) {
                    return Ok((bytes.len(), None));
                }
                let parsed = if *big_endian { parse_block_be(bytes) } else { parse_block_le(bytes) };
                // It is all there: whatever is missing is missing in it.
                let (_, block) = parsed.map_err(|_| NONSENSE)?;
                let interface = |id: u32| {
                    let known = interfaces.get(id as usize).copied();
                    known.ok_or(Fault::Damaged("a packet of an interface that was not described"))
                };
                let about = match block {
                    Block::SectionHeader(section) => {
                        *big_endian = section.big_endian();
                        interfaces.clear();
                        None
                    }
                    Block::InterfaceDescription(description) => {
                        let offset = description.if_tsoffset;
                        interfaces.push(Interface {
                            link_type: description.linktype.0 as u16,
                            snap_len: description.snaplen as usize,
                            ticks_per_second: ticks_per_second(description.if_tsresol),
                            // The parser takes it for little-endian always.
                            offset_seconds: if *big_endian { offset.swap_bytes() } else { offset },
                        });
                        None
                    }
                    Block::EnhancedPacket(packet) => {
                        let interface = interface(packet.if_id)?;
                        data.extend_from_slice(packet.packet_data());
                        let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                        Some(interface.about(ticks, packet.origlen))
                    }
                    Block::SimplePacket(packet) => {
                        let interface = interface(0)?;
                        let captured = match interface.snap_len {
                            0 => packet.packet_data(),
                            most => packet.packet_data().get(..most).unwrap_or(packet.packet_data()),
                        };
                        data.extend_from_slice(captured);
                        Some(About { time: 0, ..interface.about(0, packet.origlen) })
                    }
                    Block::Unknown(block) => {
                        let packet = ObsoletePacket::parse(block.data, *big_endian);
                        let packet =
                            packet.ok_or(Fault::Damaged("an obsolete packet block that is cut off"))?;
                        data.extend_from_slice(packet.data);
                        Some(interface(packet.interface)?.about(packet.ticks, packet.wire_len))
                    }
                    _ => None,
                };
                (bytes.len(), about)
            }
        };
        Ok((len, about))
    }
}

/// The block at the front of `bytes`, which is all there, and its type.
fn whole_block(bytes: &[u8], big_endian: bool) -> Result<(u32, &[u8]), Fault> {
    let kind = word(bytes, 0, big_endian).ok_or(Fault::Incomplete)?;
    let big_endian = match kind {
        // Its byte order is its own, and stands behind its length.
        SECTION => match word(bytes, 8, true).ok_or(Fault::Incomplete)? {
            0x1a2b_3c4d => true,
            0x4d3c_2b1a => false,
            _ => return Err(NONSENSE),
        },
        _ => big_endian,
    };
    let len = word(bytes, 4, big_endian).ok_or(Fault::Incomplete)?;
    let before_end = (len as usize).checked_sub(4).filter(|&len| len >= 8).ok_or(NONSENSE)?;
    let block = bytes.get(..len as usize).ok_or(Fault::Incomplete)?;
    // The length is there twice.
    if word(block, before_end, big_endian) == Some(len) { Ok((kind, block)) } else { Err(NONSENSE) }
}

fn word(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let bytes = *bytes.get(at..)?.first_chunk()?;
    Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}

const NONSENSE: Fault = Fault::Damaged("a block that makes no sense");

const SECTION: u32 = 0x0a0d_0d0a;

/// Types of blocks that say something of packets: sections, interfaces, packets of three kinds.
const PARSED: [u32; 5] = [SECTION, 1, 6, 3, 2];

impl Interface {
    fn about(&self, ticks: u64, wire_len: u32) -> About {
        let nanoseconds = u128::from(ticks) * 1_000_000_000 / self.ticks_per_second;
        let offset = i128::from(self.offset_seconds) * 1_000_000_000;
        let time = nanoseconds.saturating_add_signed(offset);
        About {
            time: u64::try_from(time).unwrap_or(u64::MAX),
            link_type: self.link_type,
            wire_len: wire_len as usize,
        }
    }
}

/// A power of ten, or with the top bit set a power of two.
fn ticks_per_second(resolution: u8) -> u128 {
    match (resolution & 0x80, u32::from(resolution & 0x7f)) {
        (0, exponent) => 10u128.checked_pow(exponent).unwrap_or(u128::MAX),
        (_, exponent) => 1 << exponent,
    }
}

/// The packet block that enhanced ones have replaced, which the parser does not know.
struct ObsoletePacket<'a> {
    interface: u32,
    ticks: u64,
    wire_len: u32,
    data: &'a [u8],
}

impl<'a> ObsoletePacket<'a> {
    fn parse(bytes: &'a [u8], big_endian: bool) -> Option<Self> {
        let word = |at| word(bytes, at, big_endian);
        // The other half of the first word counts dropped packets.
        let interface = if big_endian { word(0)? >> 16 } else { word(0)? & 0xffff };
        let ticks = u64::from(word(4)?) << 32 | u64::from(word(8)?);
        let data = bytes.get(20..)?.get(..word(12)? as usize)?;
        Some(Self { interface, ticks, wire_len: word(16)?, data })
    }
}

impl Frame<'_> {
    /// What the packet behind the link header starts with, and where that is; `None` for a link type that is
    /// not known here.
    pub(crate) fn start(&self) -> Option<(Start, usize)> {
        let cooked = |protocol: usize, len| {
            let field = self.data.get(protocol..).and_then(<[u8]>::first_chunk);
            // Zero is no EtherType: nothing is read behind it.
            let ethertype = EtherType(field.map_or(0, |field| u16::from_be_bytes(*field)));
            // Of a frame in GRE, where a device of that was captured.
            (if ethertype == EtherType::TEB { Start::Ethernet } else { Start::EtherType(ethertype) }, len)
        };
        Some(match self.link_type {
            1 => (Start::Ethernet, 0),
            // Raw IP: as libpcap says it, and as two systems do.
            101 | 12 | 14 => (Start::Ip, 0),
            228 => (Start::EtherType(EtherType::IPV4), 0),
            229 => (Start::EtherType(EtherType::IPV6), 0),
            // Linux cooked, versions 1 and 2.
            113 => cooked(14, 16),
            276 => cooked(0, 20),
            // BSD loopback: four bytes of address family before IP.
            0 | 108 => (Start::Ip, 4),
            _ => return None,
        })
    }
}

const PCAP_HEADER: usize = 24;
const CHUNK: usize = 1 << 18;
