//! VXLAN, VXLAN-GPE and Geneve.

use encap::wire::{Error, Layer, LengthSource, geneve, vxlan, vxlan_gpe};

use super::{Codec, any_bytes, other_version, too_short};

impl Codec for vxlan::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Vxlan, LengthSource::Header, 8, bytes)
    }

    any_bytes!(8);

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

impl Codec for vxlan_gpe::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::VxlanGpe, LengthSource::Header, 8, bytes)
    }

    any_bytes!(8);

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
