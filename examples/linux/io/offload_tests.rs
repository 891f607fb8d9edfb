//! Frames cut and joined, against each other.

use std::io::IoSlice;

use encap::wire::{IpProtocol, checksum::Sum, vlan};

use crate::{
    BATCH, Coalescer, Layer, Segments,
    tcp::{self, ACK, CWR, FIN, FLAGS, PSH},
    virtio,
};

/// A frame, or an IP packet, with TCP or UDP in it.
#[derive(Clone, Copy)]
struct Frame<'a> {
    layer: Layer,
    v6: bool,
    id: u16,
    sequence: u32,
    ack: u32,
    flags: u8,
    options: usize,
    payload: &'a [u8],
}

impl Frame<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut frame = Vec::new();
        if self.layer == Layer::Ethernet {
            frame.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
            frame.extend(if self.v6 { [0x86, 0xdd] } else { [8, 0] });
        }
        let l3 = frame.len();
        if self.v6 {
            frame.extend([0x60, 0, 0, 7, 0, 0, 6, 64]);
            frame.extend((0..32).map(|byte| byte * 3));
        } else {
            let [i0, i1] = self.id.to_be_bytes();
            frame.extend([0x45, 0, 0, 0, i0, i1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        }
        let l4 = frame.len();
        frame.extend([0x80, 1, 0x14, 0x51]);
        frame.extend(self.sequence.to_be_bytes());
        frame.extend(self.ack.to_be_bytes());
        frame.extend([(((20 + self.options) / 4) << 4) as u8, self.flags, 1, 2, 0, 0, 0, 0]);
        frame.extend(vec![1; self.options]);
        frame.extend(self.payload);
        let len = frame.len();
        tcp::set_ip_len(&mut frame, l3, l4, self.v6, len - l3).unwrap();
        let sum = tcp::pseudo(&frame[l3..], self.v6, IpProtocol::TCP, len - l4).unwrap();
        let value = sum.add_bytes(&frame[l4..]).udp_checksum();
        tcp::put(&mut frame[l4..], tcp::CHECKSUM, value).unwrap();
        frame
    }
}

fn plain(layer: Layer, v6: bool, payload: &[u8]) -> Frame<'_> {
    Frame { layer, v6, id: 7, sequence: 0xffff_ff00, ack: 9, flags: ACK, options: 12, payload }
}

/// What is written for frames: packets with their virtio headers.
fn join(layer: Layer, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut written = Vec::new();
    let mut write = |parts: &[IoSlice<'_>]| {
        written.push(parts.iter().flat_map(|part| part.to_vec()).collect::<Vec<u8>>());
    };
    let mut coalescer = Coalescer::new(layer);
    for frame in frames {
        coalescer.push(frame, &mut write);
    }
    coalescer.flush(&mut write);
    coalescer.flush(&mut write);
    written
}

/// The frames that somebody reads who reads this.
fn cut(layer: Layer, read: &[u8]) -> Vec<Vec<u8>> {
    let mut read = read.to_vec();
    let mut segments = Segments::new(layer, &mut read).unwrap();
    let mut frames = Vec::new();
    let mut buffer = [0; 2_000];
    while let Some(len) = segments.next(&mut buffer) {
        frames.push(buffer[..len].to_vec());
    }
    frames
}

const KINDS: [(Layer, bool); 4] =
    [(Layer::Ethernet, false), (Layer::Ethernet, true), (Layer::Ip, false), (Layer::Ip, true)];

#[test]
fn a_stream_is_one_packet_and_the_same_frames_again() {
    for (layer, v6) in KINDS {
        let data: Vec<u8> = (0..60_000_u32).map(|at| (at * at) as u8).collect();
        let chunks: Vec<_> = data.chunks(1_400).collect();
        let last = chunks.len() - 1;
        let frames: Vec<Vec<u8>> = chunks
            .iter()
            .enumerate()
            .map(|(at, payload)| {
                let flags = if at == last { ACK | PSH } else { ACK };
                let first = plain(layer, v6, payload);
                let sequence = first.sequence.wrapping_add(1_400 * at as u32);
                Frame { id: 7 + at as u16, sequence, flags, ..first }.bytes()
            })
            .collect();
        let written = join(layer, &frames);
        assert_eq!(written.len(), 1);
        assert_eq!(cut(layer, &written[0]), frames);
        // The headers are those of one packet with all of the data.
        let whole = Frame { flags: ACK | PSH, ..plain(layer, v6, &data) }.bytes();
        let l4 = whole.len() - data.len() - 32;
        let joined = &written[0][virtio::Header::LEN..];
        assert_eq!((&joined[..l4 + 16], &joined[l4 + 18..]), (&whole[..l4 + 16], &whole[l4 + 18..]));
        let header = virtio::Header::from_bytes(written[0].first_chunk().unwrap());
        assert_eq!((header.gso_size, header.flags), (1_400, virtio::NEEDS_CSUM));
    }
}

#[test]
fn whatever_comes_in_comes_out_again_in_order() {
    // A generator of its own, so that a failure comes again.
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let data = [0x5a; 1_400];
    let mut joined = 0;
    for round in 0..400 {
        let (layer, v6) = KINDS[round % KINDS.len()];
        let (mut sequence, mut id) = (random(1 << 32) as u32, 0);
        let count = 1 + random(2 * BATCH as u64) as usize;
        let frames: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let len = [1_400, 1_400, 1_400, 1_400, 1_400, 1_400, 300, 0, 1_399][random(9) as usize];
                let flags = [ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN, ACK | CWR, PSH][random(8) as usize];
                let frame = plain(layer, v6, &data[..len]);
                let ack = 9 + u32::from(random(20) == 0);
                let mut bytes = Frame { id, sequence, flags, ack, ..frame }.bytes();
                sequence = sequence.wrapping_add(len as u32 + u32::from(random(20) == 0));
                id = id.wrapping_add(1);
                match random(30) {
                    0 => *bytes.last_mut().unwrap() ^= 1,
                    1 => bytes.push(0),
                    2 => bytes.truncate(random(60) as usize + 1),
                    3 if layer == Layer::Ethernet => {
                        bytes.splice(12..12, [0x81, 0, 0, 5]);
                    }
                    _ => {}
                }
                bytes
            })
            .collect();
        let written = join(layer, &frames);
        joined += frames.len() - written.len();
        let again: Vec<_> = written.iter().flat_map(|packet| cut(layer, packet)).collect();
        assert_eq!(again, frames, "round {round}");
    }
    assert!(joined > 1_000, "{joined} frames of many were joined");
}

#[test]
fn what_is_not_to_be_joined_is_not() {
    let payload = [1; 100];
    for (layer, v6) in KINDS {
        let first = plain(layer, v6, &payload);
        let next = Frame { id: 8, sequence: first.sequence.wrapping_add(100), ..first };
        let pair = |next: Frame<'_>| join(layer, &[first.bytes(), next.bytes()]).len();
        assert_eq!(pair(next), 1);
        assert_eq!(pair(Frame { payload: &payload[..99], flags: ACK | PSH, ..next }), 1);
        assert_eq!(pair(Frame { sequence: first.sequence, ..next }), 2, "again");
        assert_eq!(pair(Frame { ack: 10, ..next }), 2);
        assert_eq!(pair(Frame { options: 8, ..next }), 2);
        assert_eq!(pair(Frame { payload: &[1; 101], ..next }), 2, "larger than the first");
        for flags in [0, ACK | FIN, ACK | CWR, ACK | 2, ACK | 4, ACK | 0x20, ACK | 0x40] {
            assert_eq!(pair(Frame { flags, ..next }), 2, "flags {flags:#x}");
        }
        // Every byte of the headers counts but length, identification, sequence number and checksums: what is wrong
        // in them is refused, and anything else makes another flow of it.
        let headers = next.bytes().len() - payload.len();
        let l4 = headers - 32;
        for at in 0..headers {
            let mut other = next.bytes();
            other[at] ^= 1;
            if !v6 && at < l4 && at >= l4 - 20 {
                let l3 = l4 - 20;
                tcp::put(&mut other, l3 + 10, 0).unwrap();
                let value = Sum::ZERO.add_bytes(&other[l3..l4]).checksum();
                tcp::put(&mut other, l3 + 10, value).unwrap();
            }
            let identification = !v6 && (l4 - 16..l4 - 14).contains(&at);
            let mended = !v6 && (l4 - 10..l4 - 8).contains(&at);
            let written = join(layer, &[first.bytes(), other]).len();
            assert_eq!(written, if identification || mended { 1 } else { 2 }, "byte {at} of {headers}");
        }
    }
}

#[test]
fn without_df_the_identification_counts() {
    let payload = [1; 100];
    let frame = |id: u16, sequence| {
        let mut bytes = Frame { id, sequence, ..plain(Layer::Ip, false, &payload) }.bytes();
        bytes[6] = 0;
        tcp::set_ip_len(&mut bytes, 0, 20, false, 152).unwrap();
        bytes
    };
    assert_eq!(join(Layer::Ip, &[frame(0xffff, 0), frame(0, 100)]).len(), 1);
    assert_eq!(join(Layer::Ip, &[frame(5, 0), frame(5, 100)]).len(), 2);
    assert_eq!(join(Layer::Ip, &[frame(5, 0), frame(7, 100)]).len(), 2);
}

/// A read of a device: a virtio header and a packet.
fn read(header: virtio::Header, packet: &[u8]) -> Vec<u8> {
    [&header.to_bytes()[..], packet].concat()
}

#[test]
fn datagrams_are_cut_too_through_vlan_tags() {
    for (layer, v6) in KINDS {
        let payload: Vec<u8> = (0..250).collect();
        let mut bytes = Frame { options: 0, ..plain(layer, v6, &[]) }.bytes();
        let mut l4 = bytes.len() - 20;
        bytes.truncate(l4);
        bytes[l4 - if v6 { 34 } else { 11 }] = IpProtocol::UDP.0;
        bytes.extend([0x80, 1, 0x14, 0x51, 0, 0, 0, 0]);
        bytes.extend(&payload);
        if layer == Layer::Ethernet {
            bytes.splice(12..12, [0x81, 0, 0, 5]);
            l4 += vlan::Header::LEN;
        }
        let header = virtio::Header {
            flags: virtio::NEEDS_CSUM,
            gso_type: virtio::UDP_L4,
            gso_size: 100,
            csum_start: l4 as u16,
            csum_offset: 6,
            ..virtio::Header::default()
        };
        let frames = cut(layer, &read(header, &bytes));
        let l3 = l4 - if v6 { 40 } else { 20 };
        let mut all = Vec::new();
        for frame in &frames {
            let len = frame.len();
            assert_eq!(tcp::get(frame, l4 + 4), Some((len - l4) as u16), "UDP's length");
            let ip =
                if v6 { tcp::get(frame, l3 + 4).unwrap() + 40 } else { tcp::get(frame, l3 + 2).unwrap() };
            assert_eq!(usize::from(ip), len - l3, "IP's length");
            let sum = tcp::pseudo(&frame[l3..], v6, IpProtocol::UDP, len - l4).unwrap();
            assert!(sum.add_bytes(&frame[l4..]).is_good());
            all.extend(&frame[l4 + 8..]);
        }
        assert_eq!((frames.len(), all), (3, payload));
    }
}

#[test]
fn a_checksum_that_is_left_to_us_is_written() {
    for (layer, v6) in KINDS {
        let whole = plain(layer, v6, b"hello").bytes();
        let (l4, l3) = (whole.len() - 5 - 32, whole.len() - 5 - 32 - if v6 { 40 } else { 20 });
        let mut partial = whole.clone();
        let pseudo = tcp::pseudo(&whole[l3..], v6, IpProtocol::TCP, 37).unwrap();
        tcp::put(&mut partial, l4 + tcp::CHECKSUM, pseudo.value()).unwrap();
        let header = virtio::Header {
            flags: virtio::NEEDS_CSUM,
            csum_start: l4 as u16,
            csum_offset: tcp::CHECKSUM as u16,
            ..virtio::Header::default()
        };
        assert_eq!(cut(layer, &read(header, &partial)), [whole]);
    }
}

#[test]
fn congestion_is_told_once_and_the_end_at_the_end() {
    let payload = [3; 250];
    let flags = ACK | PSH | FIN | CWR;
    let bytes = Frame { flags, options: 0, ..plain(Layer::Ip, false, &payload) }.bytes();
    let header = virtio::Header {
        flags: virtio::NEEDS_CSUM,
        gso_type: virtio::TCPV4 | virtio::ECN,
        gso_size: 100,
        csum_start: 20,
        csum_offset: tcp::CHECKSUM as u16,
        ..virtio::Header::default()
    };
    let said: Vec<u8> = cut(Layer::Ip, &read(header, &bytes)).iter().map(|frame| frame[20 + FLAGS]).collect();
    assert_eq!(said, [ACK | CWR, ACK, ACK | PSH | FIN]);
}

#[test]
fn nonsense_is_refused() {
    let frame = plain(Layer::Ethernet, false, &[5; 300]).bytes();
    let good = virtio::Header {
        flags: virtio::NEEDS_CSUM,
        gso_type: virtio::TCPV4,
        gso_size: 100,
        csum_start: 34,
        csum_offset: tcp::CHECKSUM as u16,
        ..virtio::Header::default()
    };
    assert_eq!(cut(Layer::Ethernet, &read(good, &frame)).len(), 3);
    let refused = |header, frame: &[u8]| Segments::new(Layer::Ethernet, &mut read(header, frame)).is_err();
    for gso_type in [2, 3, 6, 0x40] {
        assert!(refused(virtio::Header { gso_type, ..good }, &frame));
    }
    assert!(refused(virtio::Header { gso_size: 0, ..good }, &frame));
    for csum_start in [0, 14, 33, 5_000, u16::MAX] {
        assert!(refused(virtio::Header { csum_start, ..good }, &frame));
    }
    for len in 0..=66 {
        assert!(refused(good, &frame[..len]), "{len} bytes");
    }
    let outside = virtio::Header { gso_type: virtio::NONE, csum_start: 330, csum_offset: 400, ..good };
    assert!(refused(outside, &frame));
    for len in 0..virtio::Header::LEN {
        assert!(Segments::new(Layer::Ethernet, &mut vec![0; len]).is_err());
    }
}
