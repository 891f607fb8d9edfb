//! Segments of one TCP connection that follow each other go to the kernel as one, which it takes like one: a device
//! with offload cuts it again, where anybody needs it cut. As the kernel's GRO does it, and with its rules.

use std::io::IoSlice;

use encap::wire::{IpProtocol, checksum::State};

use crate::{
    Device, Layer,
    tcp::{self, ACK, CHECKSUM, FLAGS, PSH, SEQUENCE},
    transmit::BATCH,
    virtio,
};

/// Joins frames for a device with offload.
#[derive(Debug)]
pub struct Coalescer<'f> {
    layer: Layer,
    /// The first frame of those that wait.
    first: &'f [u8],
    /// What it is, if others can be joined with it.
    run: Option<Run>,
    /// The payloads of the frames that wait, but the first.
    parts: [&'f [u8]; BATCH],
    count: usize,
}

/// Segments that were joined.
#[derive(Clone, Copy, Debug)]
struct Run {
    segment: Segment,
    /// Bytes of payload, so far.
    len: usize,
    last: Segment,
}

/// A TCP segment that carries data and nothing special.
#[derive(Clone, Copy, Debug)]
struct Segment {
    is_ipv6: bool,
    l3: usize,
    l4: usize,
    /// Where the payload starts.
    data: usize,
    len: usize,
    sequence: u32,
    id: u16,
    pushed: bool,
}

impl<'f> Coalescer<'f> {
    /// Nothing waits.
    pub const fn new(layer: Layer) -> Self {
        Self { layer, first: &[], run: None, parts: [&[]; BATCH], count: 0 }
    }

    /// Adds a frame; `write` gets what cannot wait for it: parts of one packet, a virtio header first.
    pub fn push(&mut self, frame: &'f [u8], write: impl FnMut(&[IoSlice<'_>])) {
        let segment = Segment::of(self.layer, frame);
        if let (Some(run), Some(segment)) = (&mut self.run, &segment) {
            let place = self.parts.get_mut(self.count).filter(|_| run.takes(self.first, segment, frame));
            if let (Some(place), Some(payload)) = (place, frame.get(segment.data..)) {
                *place = payload;
                self.count += 1;
                run.len += segment.len;
                run.last = *segment;
                return;
            }
        }
        self.flush(write);
        self.first = frame;
        self.run = segment.map(|segment| Run { segment, len: segment.len, last: segment });
    }

    /// Nothing waits any longer.
    pub fn flush(&mut self, mut write: impl FnMut(&[IoSlice<'_>])) {
        let joined = self.run.filter(|_| self.count > 0).and_then(|run| run.head(self.first));
        if let Some((head, payload)) = joined {
            let mut slices = [IoSlice::new(&[]); BATCH + 2];
            let parts = [&*head, payload].into_iter().chain(self.parts.iter().copied().take(self.count));
            for (slice, part) in slices.iter_mut().zip(parts) {
                *slice = IoSlice::new(part);
            }
            write(slices.get(..self.count + 2).unwrap_or_default());
        } else if !self.first.is_empty() {
            write(&[IoSlice::new(&PLAIN), IoSlice::new(self.first)]);
        }
        (self.first, self.run, self.count) = (&[], None, 0);
    }
}

impl Run {
    /// Whether a segment goes on where this ends, and says nothing else.
    fn takes(&self, first: &[u8], next: &Segment, frame: &[u8]) -> bool {
        let Self { segment, len, last } = self;
        let ended = last.pushed || last.len < segment.len;
        let follows = next.sequence == segment.sequence.wrapping_add(*len as u32);
        let fits = next.data - next.l3 + len + next.len <= MAX_LEN && next.len <= segment.len;
        let same_place = (next.l3, next.l4, next.data) == (segment.l3, segment.l4, segment.data);
        !ended && follows && fits && same_place && self.same_headers(first, next, frame).unwrap_or(false)
    }

    fn same_headers(&self, first: &[u8], next: &Segment, frame: &[u8]) -> Option<bool> {
        let Segment { is_ipv6, l3, l4, data, .. } = self.segment;
        let same = |from, to| Some(first.get(from..to)? == frame.get(from..to)?);
        let ip = if is_ipv6 {
            // All but the length.
            same(0, l3 + 4)? && same(l3 + 6, l4)?
        } else {
            // All but length, identification, checksum. Without DF the identification must count.
            let dont_fragment = frame.get(l3 + 6)? & 0x40 != 0;
            let counts = dont_fragment || next.id == self.last.id.wrapping_add(1);
            same(0, l3 + 2)? && same(l3 + 6, l3 + 10)? && same(l3 + 12, l4)? && counts
        };
        // All but sequence number, flags (which are as they must be), checksum.
        let tcp = same(l4, l4 + 4)? && same(l4 + 8, l4 + 13)? && same(l4 + 14, l4 + 16)?;
        Some(ip && tcp && same(l4 + 18, data)?)
    }

    /// The headers of the whole, with the virtio header that says how to cut it again; and the payload of the first
    /// frame.
    fn head<'f>(&self, first: &'f [u8]) -> Option<(Head, &'f [u8])> {
        let Segment { is_ipv6, l3, l4, data, len: size, .. } = self.segment;
        let (from, payload) = first.split_at_checked(data)?;
        let mut head = Head { bytes: [0; MAX_HEAD], len: Device::VNET_HEADER + data };
        let virtio = virtio::Header {
            flags: virtio::NEEDS_CSUM,
            gso_type: if is_ipv6 { virtio::TCPV6 } else { virtio::TCPV4 },
            hdr_len: u16::try_from(data).ok()?,
            gso_size: u16::try_from(size).ok()?,
            csum_start: u16::try_from(l4).ok()?,
            csum_offset: CHECKSUM as u16,
        };
        let (before, rest) = head.bytes.split_first_chunk_mut()?;
        *before = virtio.to_bytes();
        let to = rest.get_mut(..data)?;
        to.copy_from_slice(from);
        tcp::set_ip_len(to, l3, l4, is_ipv6, data - l3 + self.len)?;
        if self.last.pushed {
            *to.get_mut(l4 + FLAGS)? |= PSH;
        }
        // The kernel adds the rest up, if anybody wants to know.
        let pseudo = tcp::pseudo(to.get(l3..)?, is_ipv6, IpProtocol::TCP, data - l4 + self.len)?;
        tcp::put(to, l4 + CHECKSUM, pseudo.value())?;
        Some((head, payload))
    }
}

impl Segment {
    /// The segment in a frame, if there is one that can be joined with others: whole, right, with data, and nothing of
    /// TCP's but ACK and PSH.
    fn of(layer: Layer, frame: &[u8]) -> Option<Self> {
        let (l3, is_ipv6) = tcp::ip(layer, frame)?;
        let (l4, protocol, len, id) = if is_ipv6 {
            let len = usize::from(tcp::get(frame, l3 + 4)?) + 40;
            (l3 + 40, *frame.get(l3 + 6)?, len, 0)
        } else {
            // Without options; and no fragment, though DF may be set.
            let whole = *frame.get(l3)? == 0x45 && tcp::get(frame, l3 + 6)? & 0xbfff == 0;
            let len = usize::from(tcp::get(frame, l3 + 2)?);
            let id = tcp::get(frame, l3 + 4)?;
            if !whole || encap::wire::ipv4::verify(frame.get(l3..l3 + 20)?) != State::Good {
                return None;
            }
            (l3 + 20, *frame.get(l3 + 9)?, len, id)
        };
        let tcp = frame.get(l4..)?;
        let data = l4 + usize::from(tcp.get(12)? >> 4) * 4;
        let flags = *tcp.get(FLAGS)?;
        let plain = flags & !PSH == ACK && protocol == IpProtocol::TCP.0 && data >= l4 + 20;
        if !plain || frame.len() <= data || l3 + len != frame.len() || data > MAX_HEAD - Device::VNET_HEADER {
            return None;
        }
        // What is joined is not verified by the kernel any more.
        let pseudo = tcp::pseudo(frame.get(l3..)?, is_ipv6, IpProtocol::TCP, tcp.len())?;
        pseudo.add_bytes(tcp).is_good().then_some(Self {
            is_ipv6,
            l3,
            l4,
            data,
            len: frame.len() - data,
            sequence: tcp::get_u32(tcp, SEQUENCE)?,
            id,
            pushed: flags & PSH != 0,
        })
    }
}

/// Headers of a joined packet.
struct Head {
    bytes: [u8; MAX_HEAD],
    len: usize,
}

impl std::ops::Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// virtio, Ethernet, IPv6, and TCP with all options that there can be.
const MAX_HEAD: usize = Device::VNET_HEADER + 14 + 40 + 60;

/// The longest IP packet.
const MAX_LEN: usize = 65_535;

/// A virtio header that says nothing.
const PLAIN: [u8; Device::VNET_HEADER] = [0; Device::VNET_HEADER];
