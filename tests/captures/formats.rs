//! The same packets in every kind of file that captures come in.

use crate::read::{Capture, Frame, ReadError};

/// A packet as it goes into a file: nanoseconds, link type, bytes, and length before it was cut.
type Packet = (u64, u16, &'static [u8], u32);

const PACKETS: [Packet; 3] = [
    (1_600_000_000_123_456_000, 1, b"first packet", 12),
    (1_600_000_001_000_001_000, 1, b"cut", 1500),
    (1_600_000_002_999_999_000, 1, b"", 0),
];

/// The same, as it comes out.
type PacketRead = (u64, u16, Vec<u8>, u32);

fn read(file: &[u8]) -> Result<Vec<PacketRead>, ReadError> {
    let mut capture = Capture::new(file)?;
    let mut packets = Vec::new();
    while let Some(Frame { number, time, link_type, data, wire_len }) = capture.next()? {
        packets.push((time, link_type, data.to_vec(), wire_len as u32));
        assert_eq!(number, packets.len() as u64);
    }
    Ok(packets)
}

fn expect(packets: &[Packet]) -> Vec<PacketRead> {
    packets.iter().map(|&(time, link, data, len)| (time, link, data.to_vec(), len)).collect()
}

/// Writes numbers in one byte order.
struct Writer {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Writer {
    fn new(big_endian: bool) -> Self {
        Self { bytes: Vec::new(), big_endian }
    }

    fn u32s(mut self, words: &[u32]) -> Self {
        for word in words {
            self.bytes.extend(if self.big_endian { word.to_be_bytes() } else { word.to_le_bytes() });
        }
        self
    }

    fn u16s(mut self, words: &[u16]) -> Self {
        for word in words {
            self.bytes.extend(if self.big_endian { word.to_be_bytes() } else { word.to_le_bytes() });
        }
        self
    }

    fn data(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A pcapng block, padded.
    fn block(self, kind: u32, body: impl Fn(Self) -> Self) -> Self {
        let mut body = body(Self::new(self.big_endian)).bytes;
        body.resize(body.len().next_multiple_of(4), 0);
        let total = body.len() as u32 + 12;
        self.u32s(&[kind, total]).data(&body).u32s(&[total])
    }

    fn section(self) -> Self {
        self.block(0x0a0d_0d0a, |body| body.u32s(&[0x1a2b_3c4d]).u16s(&[1, 0]).u32s(&[u32::MAX; 2]))
    }

    fn interface(self, link_type: u16, snap_len: u32, options: impl Fn(Self) -> Self) -> Self {
        self.block(1, |body| options(body.u16s(&[link_type, 0]).u32s(&[snap_len])))
    }

    fn enhanced(self, interface: u32, ticks: u64, data: &[u8], wire_len: u32) -> Self {
        self.block(6, |body| {
            let len = data.len() as u32;
            body.u32s(&[interface, (ticks >> 32) as u32, ticks as u32, len, wire_len]).data(data)
        })
    }
}

#[test]
fn pcap_in_both_byte_orders_and_units() {
    for big_endian in [false, true] {
        for (magic, unit) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
            // The link type's upper bits say that there are frame check sequences.
            let file = Writer::new(big_endian).u32s(&[magic]).u16s(&[2, 4]).u32s(&[0, 0, 4, 0x2400_0001]);
            let file = PACKETS.iter().fold(file, |file, &(time, _, data, wire_len)| {
                let (seconds, rest) = (time / 1_000_000_000, time % 1_000_000_000 / unit);
                file.u32s(&[seconds as u32, rest as u32, data.len() as u32, wire_len]).data(data)
            });
            assert_eq!(read(&file.bytes).unwrap(), expect(&PACKETS), "{magic:x} {big_endian}");
        }
    }
}

#[test]
fn pcapng_with_every_kind_of_packet_block() {
    for big_endian in [false, true] {
        let file = Writer::new(big_endian)
            .section()
            .interface(1, 5, |options| options)
            // Ticks of 2^-10 seconds, which start a hundred seconds late.
            .interface(101, 0, |options| {
                let options = options.u16s(&[9, 1]).data(&[0x8a, 0, 0, 0]).u16s(&[14, 8]);
                options.u32s(if big_endian { &[0, 100] } else { &[100, 0] }).u16s(&[0, 0])
            })
            .enhanced(0, 7_000_001, b"enhanced", 80)
            .enhanced(1, 512, b"raw", 3)
            // A name resolution block, and one that nobody knows.
            .block(4, |body| body.u16s(&[0, 0]))
            .block(0x0bad_cafe, |body| body.data(b"?"))
            .block(3, |body| body.u32s(&[11]).data(b"simpl"))
            .block(3, |body| body.u32s(&[3]).data(b"few"))
            .block(2, |body| body.u16s(&[1, 0]).u32s(&[0, 1024, 3, 9]).data(b"old"));
        let expected: [Packet; 5] = [
            (7_000_001_000, 1, b"enhanced", 80),
            (100_500_000_000, 101, b"raw", 3),
            (0, 1, b"simpl", 11),
            (0, 1, b"few", 3),
            (101_000_000_000, 101, b"old", 9),
        ];
        assert_eq!(read(&file.bytes).unwrap(), expect(&expected), "{big_endian}");

        // A new section has its own byte order and interfaces.
        let second = Writer::new(!big_endian).section().interface(113, 0, |options| options);
        let both = [file.bytes.as_slice(), &second.enhanced(0, 0, b"sll", 3).bytes].concat();
        assert_eq!(read(&both).unwrap()[5], (0, 113, b"sll".to_vec(), 3));
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let error = |file: &[u8]| read(file).unwrap_err().to_string();
    assert_eq!(error(b""), "not a pcap or pcapng file");
    assert_eq!(error(b"frame,layers\n1,vxlan\n"), "not a pcap or pcapng file");
    assert_eq!(error(&[0x1f, 0x8b, 8, 0]), "a compressed file: decompress it first");
    let header = Writer::new(false).u32s(&[0xa1b2_c3d4]).u16s(&[2, 4]).u32s(&[0, 0, 4, 1]).bytes;
    assert_eq!(error(&header[..23]), "truncated after 0 packets");
    let frame = |len: u32| [header.clone(), Writer::new(false).u32s(&[0, 0, len, len]).bytes].concat();
    assert_eq!(error(&frame(1)), "truncated after 0 packets");
    let huge = [frame(u32::MAX), vec![0; 20 << 20]].concat();
    assert_eq!(error(&huge), "damaged after 0 packets: a length of more than 16 MiB");

    let section = || Writer::new(true).section();
    let message = "damaged after 0 packets: a packet of an interface that was not described";
    assert_eq!(error(&section().enhanced(0, 0, b"", 0).bytes), message);
    let message = "damaged after 1 packets: a block that makes no sense";
    let interface = section().interface(1, 0, |options| options);
    let one = interface.enhanced(0, 0, b"", 0);
    assert_eq!(error(&[one.bytes.as_slice(), &Writer::new(true).u32s(&[6; 20]).bytes].concat()), message);
    // A whole block whose packet is longer than it, and one whose two lengths differ, are not cut off.
    let packet = |len: u32| Writer::new(true).block(6, |body| body.u32s(&[0, 0, 0, len, len]).data(b"four"));
    let mut lengths = packet(4).bytes;
    *lengths.last_mut().unwrap() += 4;
    for damaged in [&packet(5).bytes, &lengths] {
        assert_eq!(error(&[one.bytes.as_slice(), damaged].concat()), message);
    }
    let cut = "truncated after 1 packets";
    for len in 1..packet(4).bytes.len() {
        assert_eq!(error(&[one.bytes.as_slice(), &packet(4).bytes[..len]].concat()), cut, "{len}");
    }
}

#[test]
fn blocks_without_packets_are_passed_over() {
    for big_endian in [false, true] {
        let file = Writer::new(big_endian).section().interface(1, 0, |options| options);
        // Names without their end record, statistics and secrets that are cut off, and a block of nothing.
        let file = file.block(4, |body| body.u16s(&[1, 6]).data(&[192, 0, 2, 1, b'a', 0]));
        let file = file.block(5, |body| body.u32s(&[0])).block(10, |body| body.u32s(&[1, 1000]));
        let file = file.block(0x0bad_cafe, |body| body).enhanced(0, 0, b"behind", 6);
        assert_eq!(read(&file.bytes).unwrap(), expect(&[(0, 1, b"behind", 6)]), "{big_endian}");
    }
}
