//! The laws of `encap::wire`, written once and applied to every codec.
//!
//! [`wire`] is the body of tests and of the fuzz target of the same name: this file needs `encap` and
//! nothing else.

use core::fmt::Debug;
use core::net::{Ipv4Addr, Ipv6Addr};

use encap::wire::{
    Error, EtherType, IpProtocol, Layer, LengthSource, arp,
    checksum::{State, Sum},
    erspan, ethernet, geneve, gre, gre1, icmpv4, icmpv6, ipv4, ipv6, ndp, ndp_option, nvgre, udp, vlan,
    vxlan, vxlan_gpe, wccp,
};

/// Asserts all laws of one codec about one input: the first byte picks the codec.
pub(crate) fn wire(data: &[u8]) {
    let Some((&codec, input)) = data.split_first() else { return };
    match codec % CODECS {
        0 => laws::<ethernet::Header>(input),
        1 => laws::<vlan::Header>(input),
        2 => laws::<arp::Header>(input),
        3 => laws::<ipv4::Header>(input),
        4 => laws::<ipv6::Header>(input),
        5 => laws::<udp::Header>(input),
        6 => laws::<vxlan::Header>(input),
        7 => {
            laws::<gre::Header>(input);
            gre_checksum(input);
        }
        8 => extensions(input),
        9 => tags(input),
        10 => laws::<icmpv4::Header>(input),
        11 => laws::<icmpv6::Header>(input),
        12 => laws::<ndp::Solicitation>(input),
        13 => laws::<ndp::Advertisement>(input),
        14 => neighbor_options(input),
        15 => laws::<vxlan_gpe::Header>(input),
        16 => laws::<geneve::Header>(input),
        17 => laws::<nvgre::Header>(input),
        18 => laws::<gre1::Header>(input),
        19 => laws::<erspan::Header>(input),
        _ => redirected(input),
    }
}

/// How many codecs [`wire`] knows.
const CODECS: u8 = 21;

/// What the laws have to know of a codec.
pub(crate) trait Codec: Copy + Debug + PartialEq {
    /// Why these bytes must be refused, or `None` where they must be taken: the checks in wire order,
    /// each straight from the text of the RFC. So an error names a fact about the input, and nothing is
    /// refused without one.
    fn refusal(bytes: &[u8]) -> Option<Error>;

    /// Clears the bits of a good header that a receiver ignores and a sender leaves zero.
    fn clear_ignored(_header: &mut [u8]) {}

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error>;

    /// What the fixed-array core makes of the front of `bytes`, and how long that array is; `None` where
    /// the core checks less than `parse` does, and the difference matters here.
    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)>;

    /// The header as it is emitted.
    fn emitted(&self) -> Vec<u8>;

    /// Asserts what the header says of the bytes behind it: their length, their checksum.
    fn behind(&self, _tail: &[u8]) {}
}

fn laws<C: Codec>(input: &[u8]) {
    // An error names a fact about the input.
    let parsed = C::parse(input);
    assert_eq!(parsed.err(), C::refusal(input), "{input:02x?}");

    // The fixed-array core is the slice API on its first bytes.
    if let Some((core, len)) = C::from_array(input) {
        assert_eq!(core, C::parse(&input[..len]).map(|(header, _)| header));
    }

    let Ok((header, rest)) = parsed else { return };
    let (head, tail) = input.split_at(input.len() - rest.len());
    assert!(core::ptr::eq(rest, tail), "what is left is the end of the input");

    // Emitting what was parsed gives the bytes back, ignored bits cleared.
    let mut expected = head.to_vec();
    C::clear_ignored(&mut expected);
    assert_eq!(header.emitted(), expected);

    // Every shorter prefix is truncated, and says how much is there.
    for len in 0..head.len() {
        match C::parse(&head[..len]) {
            Err(Error::Truncated { need, have, .. }) => {
                assert!(have == len && need > len && need <= head.len());
            }
            other => panic!("the first {len} bytes of {head:02x?}: {other:?}"),
        }
    }

    round_trip(header, tail);
}

/// Parsing what was emitted gives the value back, and leaves the bytes behind it untouched.
pub(crate) fn round_trip<C: Codec>(header: C, tail: &[u8]) {
    let packet = [&header.emitted(), tail].concat();
    assert_eq!(C::parse(&packet), Ok((header, tail)));
    header.behind(tail);
}

impl Codec for ethernet::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Ethernet, LengthSource::Header, 14, bytes)
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Ok(Self::from_bytes(array)), 14))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

impl Codec for vlan::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Vlan, LengthSource::Header, 4, bytes)
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Ok(Self::from_bytes(array)), 4))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

impl Codec for arp::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        let other = |field, value, expected| {
            (value != expected).then_some(Error::Unsupported { layer: Layer::Arp, field, value })
        };
        // RFC 826, "Packet Generation": hardware, protocol, and the lengths of their addresses.
        too_short(Layer::Arp, LengthSource::Header, 28, bytes)
            .or_else(|| other("hardware type", be16(bytes, 0), 1))
            .or_else(|| other("protocol type", be16(bytes, 2), 0x0800))
            .or_else(|| other("hardware address length", bytes[4].into(), 6))
            .or_else(|| other("protocol address length", bytes[5].into(), 4))
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Self::from_bytes(array), 28))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

impl Codec for ipv4::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        let length = |field, stated, min| {
            (stated < min).then_some(Error::Length { layer: Layer::Ipv4, field, stated, min })
        };
        // RFC 791, section 3.1: version 4; "the minimum value for a correct header is 5"; total length
        // includes the header.
        let ihl = || usize::from(bytes[0] & 0x0f) * 4;
        too_short(Layer::Ipv4, LengthSource::Header, 20, bytes)
            .or_else(|| other_version(Layer::Ipv4, bytes[0] >> 4, 4))
            .or_else(|| length(LengthSource::Ihl, ihl(), 20))
            .or_else(|| length(LengthSource::TotalLength, be16(bytes, 2).into(), ihl()))
            .or_else(|| too_short(Layer::Ipv4, LengthSource::Ihl, ihl(), bytes))
    }

    /// The reserved flag: "must be zero".
    fn clear_ignored(header: &mut [u8]) {
        header[6] &= 0x7f;
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Self::from_bytes(array), 20))
    }

    fn emitted(&self) -> Vec<u8> {
        assert_eq!(self.to_bytes()[..20], self.fixed_bytes());
        emitted(Layer::Ipv4, self.header_len(), &self.to_bytes(), |out| self.emit(out))
    }

    fn behind(&self, tail: &[u8]) {
        payload(
            self.payload(tail),
            (Layer::Ipv4, LengthSource::TotalLength),
            self.header_len(),
            usize::from(self.total_len) - self.header_len(),
            tail,
        );
        let header = self.with_checksum();
        assert_eq!(Self { checksum: self.checksum, ..header }, *self);
        assert_eq!(ipv4::verify(&header.emitted()), State::Good);
    }
}

impl Codec for ipv6::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Ipv6, LengthSource::Header, 40, bytes)
            .or_else(|| other_version(Layer::Ipv6, bytes[0] >> 4, 6))
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Self::from_bytes(array), 40))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        let stated = self.payload_len.into();
        payload(self.payload(tail), (Layer::Ipv6, LengthSource::PayloadLength), 40, stated, tail);
    }
}

impl Codec for udp::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        // RFC 768, "Length": "the minimum value of the length is eight".
        let length = || {
            let stated = be16(bytes, 4).into();
            let field = LengthSource::UdpLength;
            (stated < 8).then_some(Error::Length { layer: Layer::Udp, field, stated, min: 8 })
        };
        too_short(Layer::Udp, LengthSource::Header, 8, bytes).or_else(length)
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        let header = bytes.first_chunk().map(Self::from_bytes)?;
        (header.length >= 8).then_some((Ok(header), 8))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        let stated = usize::from(self.length) - 8;
        payload(self.payload(tail), (Layer::Udp, LengthSource::UdpLength), 8, stated, tail);
        assert_eq!(self.payload_len(), Some(stated));

        let (a, b) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2));
        let (a6, b6) = (Ipv6Addr::LOCALHOST, b.to_ipv6_mapped());
        for pseudo in [
            Sum::pseudo_ipv4(a, b, IpProtocol::UDP, self.length),
            Sum::pseudo_ipv6(a6, b6, IpProtocol::UDP, self.length.into()),
        ] {
            let header = self.with_checksum(pseudo, tail);
            assert_eq!(Self { checksum: self.checksum, ..header }, *self);
            let datagram = [&header.emitted(), tail].concat();
            assert_eq!(udp::verify(pseudo, &datagram), State::Good);

            // RFC 768: a computed zero, which the old checksum as one more word makes, is sent as all ones.
            let mut tail = tail.to_vec();
            tail.resize(tail.len().next_multiple_of(2), 0);
            tail.extend(header.checksum.to_be_bytes());
            assert_eq!(self.with_checksum(pseudo, &tail).checksum, 0xffff);
        }
    }
}

impl Codec for vxlan::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Vxlan, LengthSource::Header, 8, bytes)
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Ok(Self::from_bytes(array)), 8))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, _tail: &[u8]) {
        // The VNI counts where the I flag says so, and it and what is reserved are all there is.
        let bytes = self.to_bytes();
        assert_eq!(self.vni(), (bytes[0] & 0x08 != 0).then_some(self.vni_field()));
        let clean = Self::new(self.vni_field()).to_bytes();
        let rest = self.reserved().to_be_bytes();
        for ((byte, clean), rest) in bytes.into_iter().zip(clean).zip(rest) {
            assert_eq!(byte | 0x08, clean | rest | 0x08);
        }
        // A policy takes the second half word; what else was there stays.
        assert_eq!(self.group_policy().is_some(), bytes[0] & 0x80 != 0);
        let policy = self.group_policy().unwrap_or_default();
        let header = self.with_group_policy(policy);
        assert_eq!((header.group_policy(), header.vni()), (Some(policy), self.vni()));
        let flags = bytes[0] | 0x80;
        let mut expected = [flags, 0, 0, 0, bytes[4], bytes[5], bytes[6], bytes[7]];
        if self.group_policy().is_some() {
            (expected[1], expected[2], expected[3]) = (bytes[1] & 0x48, bytes[2], bytes[3]);
        }
        assert_eq!(header.to_bytes(), expected);
    }
}

impl Codec for gre::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        // RFC 2784, section 2: R is the second bit, the version the last three, and it must be zero;
        // C, K and S (RFC 2890, section 2) add four bytes each.
        let routed = || (bytes[0] & 0x40 != 0).then_some(Error::SourceRouting);
        let need = || 4 + 4 * (bytes[0] & 0b1011_0000).count_ones() as usize;
        too_short(Layer::Gre, LengthSource::Header, 4, bytes)
            .or_else(routed)
            .or_else(|| other_version(Layer::Gre, bytes[1] & 7, 0))
            .or_else(|| too_short(Layer::Gre, LengthSource::Header, need(), bytes))
    }

    /// Reserved1, which stands behind the checksum (RFC 2784, section 2.6).
    fn clear_ignored(header: &mut [u8]) {
        if header[0] & 0x80 != 0 {
            header[6..8].fill(0);
        }
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Self::from_bytes(array), 4))
    }

    fn emitted(&self) -> Vec<u8> {
        emitted(Layer::Gre, self.header_len(), &self.to_bytes(), |out| self.emit(out))
    }

    fn behind(&self, tail: &[u8]) {
        let packet = [&self.emitted(), tail].concat();
        assert_eq!(gre::verify(&packet) == State::Absent, self.checksum.is_none());
        let header = self.with_checksum(tail);
        assert_eq!(Self { checksum: self.checksum, ..header }, *self);
        let packet = [&header.emitted(), tail].concat();
        assert_eq!(gre::verify(&packet), State::Good);
    }
}

impl Codec for vxlan_gpe::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::VxlanGpe, LengthSource::Header, 8, bytes)
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Ok(Self::from_bytes(array)), 8))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, _tail: &[u8]) {
        // The draft, section 3.1: VNI and next protocol count where the flags I and P say so.
        let bytes = self.to_bytes();
        let flag = |bit| bytes[0] & bit != 0;
        assert_eq!(self.vni(), flag(0x08).then_some(self.vni_field()));
        assert_eq!(self.next_protocol(), flag(0x04).then_some(vxlan_gpe::NextProtocol(bytes[3])));
        assert_eq!((self.is_bum(), self.is_oam()), (flag(0x02), flag(0x01)));
        // Nothing but that, the version and what is reserved is there.
        let clean = Self::new(self.vni_field(), vxlan_gpe::NextProtocol(bytes[3])).to_bytes();
        let mut rest = self.reserved().to_be_bytes();
        rest[0] |= self.version() << 4 | bytes[0] & 0x03;
        for ((byte, clean), rest) in bytes.into_iter().zip(clean).zip(rest) {
            assert_eq!(byte | 0x0c, clean | rest | 0x0c);
        }
        if let Some(ethertype) = self.next_protocol().and_then(vxlan_gpe::NextProtocol::ethertype) {
            assert_eq!(vxlan_gpe::NextProtocol::from_ethertype(ethertype), self.next_protocol());
        }
    }
}

impl Codec for geneve::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        // RFC 8926, section 3.4: version 0; the length of the options, "in four-byte multiples", is the low
        // six bits of the first byte.
        let need = || 8 + 4 * usize::from(bytes[0] & 0x3f);
        too_short(Layer::Geneve, LengthSource::Header, 8, bytes)
            .or_else(|| other_version(Layer::Geneve, bytes[0] >> 6, 0))
            .or_else(|| too_short(Layer::Geneve, LengthSource::OptLen, need(), bytes))
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        let header = bytes.first_chunk().map(Self::from_bytes)?;
        // `parse` looks for the options as well.
        (header.is_err() || bytes[0] & 0x3f == 0).then_some((header, 8))
    }

    fn emitted(&self) -> Vec<u8> {
        assert_eq!(self.to_bytes().first_chunk().map(Self::from_bytes), Some(Ok(*self)));
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        // What the header says and what is reserved are all there is.
        let clean = Self::new(self.protocol(), self.vni())
            .with_options_len(self.options_len())
            .with_critical(self.is_critical())
            .with_control(self.is_control());
        assert_eq!(clean.reserved(), 0);
        let bits = u64::from_be_bytes(clean.to_bytes()) | self.reserved();
        assert_eq!(bits.to_be_bytes(), self.to_bytes());

        // Options and payload are what follows the header.
        let (options, payload) = self.split_options(tail);
        let (front, back) = tail.split_at(self.options_len().bytes());
        assert!(core::ptr::eq(options.as_bytes(), front) && core::ptr::eq(payload, back));
    }
}

impl Codec for nvgre::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        let other = |field, value| Error::Unsupported { layer: Layer::Nvgre, field, value };
        // RFC 7637, section 3.2: C and S zero, K one, Ethernet; R and the version are those of GRE.
        too_short(Layer::Nvgre, LengthSource::Header, 8, bytes)
            .or_else(|| (bytes[0] & 0x40 != 0).then_some(Error::SourceRouting))
            .or_else(|| other_version(Layer::Nvgre, bytes[1] & 7, 0))
            .or_else(|| (bytes[0] & 0xb0 != 0x20).then(|| other("flags", be16(bytes, 0))))
            .or_else(|| (be16(bytes, 2) != 0x6558).then(|| other("protocol type", be16(bytes, 2))))
    }

    /// Reserved0: "MUST be ignored on receipt".
    fn clear_ignored(header: &mut [u8]) {
        header[0] &= 0xf0;
        header[1] &= 0x07;
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Self::from_bytes(array), 8))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        // It is GRE of a certain form.
        let packet = [&self.emitted(), tail].concat();
        let (header, rest) = gre::Header::parse(&packet).unwrap();
        assert_eq!((Self::from_gre(&header), rest), (Some(*self), tail));
    }
}

impl Codec for gre1::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        // RFC 2637, section 4.1: version 1, C and R zero, K one; S and A add four bytes each.
        let flags = || {
            let value = be16(bytes, 0);
            let field = "flags";
            (value & 0xa000 != 0x2000).then_some(Error::Unsupported {
                layer: Layer::EnhancedGre,
                field,
                value,
            })
        };
        let need = || 8 + 4 * (be16(bytes, 0) & 0x1080).count_ones() as usize;
        let start = if bytes.len() < 4 { 8 } else { 0 };
        too_short(Layer::EnhancedGre, LengthSource::Header, start, bytes)
            .or_else(|| other_version(Layer::EnhancedGre, bytes[1] & 7, 1))
            .or_else(|| (bytes[0] & 0x40 != 0).then_some(Error::SourceRouting))
            .or_else(flags)
            .or_else(|| too_short(Layer::EnhancedGre, LengthSource::Header, need(), bytes))
    }

    /// The s flag, recursion and the reserved flags.
    fn clear_ignored(header: &mut [u8]) {
        header[0] &= 0xf0;
        header[1] &= 0x87;
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(_bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        None
    }

    fn emitted(&self) -> Vec<u8> {
        emitted(Layer::EnhancedGre, self.header_len(), &self.to_bytes(), |out| self.emit(out))
    }
}

impl Codec for erspan::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        // The draft, sections 4.2 and 4.3: 1 is type II, 2 type III, which is longer with O.
        let version = || {
            let version = bytes[0] >> 4;
            let layer = Layer::Erspan;
            (version != 1 && version != 2).then_some(Error::Version { layer, version })
        };
        let truncated = |need| too_short(Layer::Erspan, LengthSource::Header, need, bytes);
        let start = if bytes.len() < 4 { 8 } else { 0 };
        truncated(start)
            .or_else(version)
            .or_else(|| truncated(if bytes[0] >> 4 == 1 { 8 } else { 12 }))
            .or_else(|| truncated(if bytes[0] >> 4 == 2 && bytes[11] & 1 != 0 { 20 } else { 0 }))
    }

    /// Reserved, in type II.
    fn clear_ignored(header: &mut [u8]) {
        if header[0] >> 4 == 1 {
            header[4] = 0;
            header[5] &= 0x0f;
        }
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(_bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        None
    }

    /// This crate does not write these headers, so the drawings of the draft do.
    fn emitted(&self) -> Vec<u8> {
        let start = |version: u16| {
            let second = u16::from(self.cos.value()) << 13
                | u16::from(self.encapsulation) << 11
                | u16::from(self.truncated) << 10
                | self.session.value();
            [(version << 12 | self.vlan.value()).to_be_bytes(), second.to_be_bytes()].concat()
        };
        match self.kind {
            erspan::Kind::II { index } => [start(1), index.value().to_be_bytes().to_vec()].concat(),
            erspan::Kind::III {
                timestamp,
                security_group,
                ethernet,
                frame_type,
                hardware_id,
                egress,
                granularity,
                subheader,
            } => {
                let last = u16::from(ethernet) << 15
                    | u16::from(frame_type) << 10
                    | u16::from(hardware_id) << 4
                    | u16::from(egress) << 3
                    | u16::from(granularity) << 1
                    | u16::from(subheader.is_some());
                let mut bytes = start(2);
                bytes.extend(timestamp.to_be_bytes());
                bytes.extend(security_group.to_be_bytes());
                bytes.extend(last.to_be_bytes());
                bytes.extend(subheader.iter().flatten());
                bytes
            }
            kind => panic!("{kind:?} is in no draft"),
        }
    }
}

impl Codec for icmpv4::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Icmpv4, LengthSource::Header, 8, bytes)
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Ok(Self::from_bytes(array)), 8))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        let header = self.with_checksum(tail);
        assert_eq!(Self { checksum: self.checksum, ..header }, *self);
        assert_eq!(icmpv4::verify(&[&header.emitted(), tail].concat()), State::Good);
        // What a problem says is all that its header says, but for bytes that it leaves unused.
        if let Some(problem) = self.problem() {
            let header = problem.header();
            assert_eq!((header.kind, header.code), (self.kind, self.code));
            assert!(header.rest.iter().zip(self.rest).all(|(&said, found)| said == found || said == 0));
            assert_eq!(header.problem(), Some(problem));
        }
    }
}

impl Codec for icmpv6::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Icmpv6, LengthSource::Header, 8, bytes)
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Ok(Self::from_bytes(array)), 8))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        let len = 8 + tail.len() as u32;
        let pseudo = Sum::pseudo_ipv6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, IpProtocol::ICMPV6, len);
        let header = self.with_checksum(pseudo, tail);
        assert_eq!(Self { checksum: self.checksum, ..header }, *self);
        assert_eq!(icmpv6::verify(pseudo, &[&header.emitted(), tail].concat()), State::Good);
        if let Some(problem) = self.problem() {
            assert!(self.kind.is_error());
            assert_eq!(problem.header().kind, self.kind);
            assert_eq!(problem.header().problem(), Some(problem));
        }
    }
}

/// The type of a message of neighbour discovery and its code, zero (RFC 4861, sections 4.3 and 4.4).
fn neighbor_refusal(bytes: &[u8], kind: u8) -> Option<Error> {
    let other = |field, at: usize, expected: u8| {
        let value = bytes[at].into();
        (bytes[at] != expected).then_some(Error::Unsupported {
            layer: Layer::NeighborDiscovery,
            field,
            value,
        })
    };
    too_short(Layer::NeighborDiscovery, LengthSource::Header, 24, bytes)
        .or_else(|| other("type", 0, kind))
        .or_else(|| other("code", 1, 0))
}

impl Codec for ndp::Solicitation {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        neighbor_refusal(bytes, 135)
    }

    /// Reserved: "MUST be ignored by the receiver".
    fn clear_ignored(header: &mut [u8]) {
        header[4..8].fill(0);
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Self::from_bytes(array), 24))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

impl Codec for ndp::Advertisement {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        neighbor_refusal(bytes, 136)
    }

    /// Reserved: "MUST be ignored by the receiver".
    fn clear_ignored(header: &mut [u8]) {
        header[4] &= 0xe0;
        header[5..8].fill(0);
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        bytes.first_chunk().map(|array| (Self::from_bytes(array), 24))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

/// The options of a message of neighbour discovery (RFC 4861, section 4.6): lengths in units of eight bytes,
/// zero invalid.
fn neighbor_options(bytes: &[u8]) {
    let mut options = ndp_option::Options::new(bytes);
    let mut rest = bytes;
    while let Some(item) = options.next() {
        let (layer, field) = (Layer::NeighborOption, LengthSource::OptionLength);
        let zero = || (rest[1] == 0).then_some(Error::Length { layer, field, stated: 0, min: 8 });
        let refused = too_short(layer, LengthSource::Header, 2, rest)
            .or_else(zero)
            .or_else(|| too_short(layer, field, 8 * usize::from(rest[1]), rest));
        assert_eq!(item.err(), refused);
        let Ok(option) = item else {
            // Ended for good.
            assert!(options.next().is_none() && options.next().is_none());
            return;
        };
        let (head, tail) = rest.split_at(8 * usize::from(rest[1]));
        assert!(core::ptr::eq(option.bytes, head));
        assert_eq!(option.kind.0, head[0]);
        assert_eq!(option.mac().is_some(), head[0].wrapping_sub(1) < 2 && head.len() == 8);
        rest = tail;
    }
    // What was yielded adds up to the length.
    assert!(rest.is_empty());
}

/// What GRE carries as WCCP: a redirect header and a packet, or, where it starts with a version of IP, as that
/// of WCCP version 1 does, the packet alone.
pub(crate) fn redirected(bytes: &[u8]) {
    let is_ip = |bytes: &[u8]| bytes.first().is_some_and(|first| matches!(first >> 4, 4 | 6));
    if is_ip(bytes) {
        let (header, rest) = wccp::Header::parse(bytes).unwrap();
        assert!(header.is_none() && core::ptr::eq(rest, bytes));
        return;
    }
    let found = wccp::Header::parse(bytes);
    assert_eq!(found.err(), too_short(Layer::Wccp, LengthSource::Header, 4, bytes));
    let Ok((header, rest)) = found else { return };
    let header = header.unwrap();
    let (head, tail) = bytes.split_at(4);
    assert!(core::ptr::eq(rest, tail));
    assert_eq!(head.first_chunk().map(wccp::Header::from_bytes), Some(header));
    // U is ignored.
    let emitted = header.to_bytes();
    assert_eq!(emitted, [head[0] & 0xc0, head[1], head[2], head[3]]);
    assert_eq!(wccp::Header::from_bytes(&emitted), header);
    // A without T is sent as what looks like IPv4: the only header that is not read back.
    let packet = [&emitted, tail].concat();
    let ambiguous = header.alternative && !header.dynamic;
    assert_eq!(is_ip(&packet), ambiguous);
    if !ambiguous {
        assert_eq!(wccp::Header::parse(&packet), Ok((Some(header), tail)));
    }
    for len in 0..4 {
        let (layer, needed_by) = (Layer::Wccp, LengthSource::Header);
        let error = Error::Truncated { layer, needed_by, need: 4, have: len };
        assert_eq!(wccp::Header::parse(&bytes[..len]), Err(error));
    }
}

/// The checksum of a GRE packet, good or not (RFC 2784, section 2.5): absent without the C bit, wrong
/// where the header ends early, else the sum of all words decides.
fn gre_checksum(packet: &[u8]) {
    let expected = match packet.len() {
        0..4 => State::Bad,
        _ if packet[0] & 0x80 == 0 => State::Absent,
        4..8 => State::Bad,
        _ => {
            let word = |pair: &[u8]| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| low.into());
            let sum: u64 = packet.chunks(2).map(word).sum();
            if sum != 0 && sum % 0xffff == 0 { State::Good } else { State::Bad }
        }
    };
    assert_eq!(gre::verify(packet), expected);
}

/// The chain of extension headers that begins with a header of the kind of the first byte.
fn extensions(data: &[u8]) {
    let Some((&kind, bytes)) = data.split_first() else { return };
    let mut chain = ipv6::Extensions::new(IpProtocol(kind), bytes);
    let (mut kind, mut rest) = (kind, bytes);
    let mut refused = None;
    for index in 0.. {
        // RFC 8200, section 4.1, and the IANA's list of extension header types, those without ESP, whose
        // length is a secret.
        let is_extension = matches!(kind, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140);
        assert_eq!(ipv6::is_extension(IpProtocol(kind)), is_extension);
        let Some(item) = chain.next() else {
            assert!(!is_extension);
            break;
        };
        assert!(is_extension);

        let truncated = |needed_by, need| too_short(Layer::Ipv6Extension, needed_by, need, rest);
        let stated = |rest: &[u8]| match kind {
            44 => 8,
            51 => 4 * (usize::from(rest[1]) + 2),
            _ => 8 * (usize::from(rest[1]) + 1),
        };
        let too_many = Error::TooMany { layer: Layer::Ipv6Extension, max: ipv6::MAX_EXTENSIONS };
        refused = (index == ipv6::MAX_EXTENSIONS)
            .then_some(too_many)
            .or_else(|| truncated(LengthSource::Header, 8))
            .or_else(|| truncated(LengthSource::HdrExtLen, stated(rest)));
        assert_eq!(item.err(), refused);
        let Ok(extension) = item else { break };

        let (head, tail) = rest.split_at(stated(rest));
        assert_eq!(extension.protocol, IpProtocol(kind));
        assert!(core::ptr::eq(extension.bytes, head));
        assert_eq!(extension.fragment().is_some(), kind == 44);
        if let Some(fragment) = extension.fragment() {
            let word = fragment.offset.value() << 3 | u16::from(fragment.more_fragments);
            assert_eq!(word, be16(head, 2) & 0xfff9);
            assert_eq!(fragment.identification.to_be_bytes(), head[4..]);
            assert_eq!(fragment.is_atomic(), word == 0);
        }
        (kind, rest) = (head[0], tail);
    }
    // Ended for good. What was yielded and what is left is the input: each header was compared with the
    // bytes at its place.
    assert!(chain.by_ref().next().is_none() && chain.next().is_none());
    assert!(core::ptr::eq(chain.rest(), rest));
    let end = if refused.is_some() { IpProtocol::NO_NEXT_HEADER } else { IpProtocol(kind) };
    assert_eq!(chain.protocol(), end);
}

/// The stack of VLAN tags that the EtherType in the first two bytes announces.
fn tags(data: &[u8]) {
    let Some((ethertype, bytes)) = data.split_first_chunk() else { return };
    let first = u16::from_be_bytes(*ethertype);
    let (mut ethertype, mut rest) = (first, bytes);
    let mut stack = Vec::new();
    let mut refused = None;
    while matches!(ethertype, 0x8100 | 0x88a8 | 0x9100) {
        refused = (stack.len() == vlan::MAX_TAGS)
            .then_some(Error::TooMany { layer: Layer::Vlan, max: vlan::MAX_TAGS })
            .or_else(|| too_short(Layer::Vlan, LengthSource::Header, 4, rest));
        if refused.is_some() {
            break;
        }
        let (tag, after) = vlan::Header::parse(rest).unwrap();
        stack.push(tag);
        (ethertype, rest) = (tag.ethertype.0, after);
    }
    let found = vlan::skip_tags(EtherType(first), bytes);
    assert_eq!(found.err(), refused);
    let Ok(found) = found else { return };
    assert_eq!((found.outer, found.ethertype), (stack.first().copied(), EtherType(ethertype)));
    assert!(core::ptr::eq(found.payload, rest));
    assert_eq!(stack.len() * 4 + found.payload.len(), bytes.len());
}

/// The error of bytes that are fewer than `need`.
fn too_short(layer: Layer, needed_by: LengthSource, need: usize, bytes: &[u8]) -> Option<Error> {
    let have = bytes.len();
    (have < need).then_some(Error::Truncated { layer, needed_by, need, have })
}

fn other_version(layer: Layer, version: u8, expected: u8) -> Option<Error> {
    (version != expected).then_some(Error::Version { layer, version })
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The header of `len` bytes that `emit` writes: the front of `to_bytes`, into any buffer that is long
/// enough, and not a byte more; into a shorter one, nothing.
fn emitted(
    layer: Layer,
    len: usize,
    to_bytes: &[u8],
    emit: impl Fn(&mut [u8]) -> Result<usize, Error>,
) -> Vec<u8> {
    let (header, behind) = to_bytes.split_at(len);
    assert!(behind.iter().all(|&byte| byte == 0));
    for spare in [0, 1, 5] {
        let mut out = vec![0xa5; len + spare];
        assert_eq!(emit(&mut out), Ok(len));
        assert_eq!(out[..len], *header);
        assert!(out[len..].iter().all(|&byte| byte == 0xa5));
    }
    for have in 0..len {
        let mut out = vec![0xa5; have];
        assert_eq!(emit(&mut out).err(), too_short(layer, LengthSource::Header, len, &out));
        assert!(out.iter().all(|&byte| byte == 0xa5));
    }
    header.to_vec()
}

/// A payload of `stated` bytes behind a header of `header_len` is the front of `tail`, or `tail` is too
/// short for it.
fn payload(
    found: Result<&[u8], Error>,
    (layer, needed_by): (Layer, LengthSource),
    header_len: usize,
    stated: usize,
    tail: &[u8],
) {
    let (need, have) = (header_len + stated, header_len + tail.len());
    match tail.get(..stated) {
        Some(payload) => assert!(found.is_ok_and(|found| core::ptr::eq(found, payload))),
        None => assert_eq!(found, Err(Error::Truncated { layer, needed_by, need, have })),
    }
}
