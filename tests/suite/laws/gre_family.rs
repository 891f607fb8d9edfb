//! GRE and what is made of it: version 1, NVGRE, ERSPAN, WCCP.

use encap::wire::{Error, Layer, LengthSource, checksum::State, erspan, gre, gre1, nvgre, wccp};

use super::{Codec, be16, emitted, good_bytes, other_version, too_short};

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

    good_bytes!(4);

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

    good_bytes!(8);

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
                | u16::from(self.encapsulation.value()) << 11
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
                    | u16::from(frame_type.value()) << 10
                    | u16::from(hardware_id.value()) << 4
                    | u16::from(egress) << 3
                    | u16::from(granularity.value()) << 1
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
pub(super) fn gre_checksum(packet: &[u8]) {
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
