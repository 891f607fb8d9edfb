//! The chain of IPv6 extension headers (RFC 8200, section 4), walked to a limit.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |  Next Header  |  Hdr Ext Len  |   what this kind of header    |
//! +---------------+---------------+                               |
//! |                             holds                             |
//! +---------------------------------------------------------------+
//! ```
//!
//! Hdr Ext Len counts units of eight bytes without the first; the fragment header is eight bytes long whatever it
//! says, and the authentication header counts units of four (RFC 4302, section 2.2).

use super::{Error, FragmentOffset, IpProtocol, Layer, LengthSource};

/// The extension headers of a packet, one after the other; ends at the first header of another kind, behind the
/// fragment header of a [later fragment](Self::is_later_fragment), at the first error, and after [`MAX_EXTENSIONS`].
/// Hop-by-hop options behind another header are of another kind: there nobody recognizes them (RFC 8200, section 4).
///
/// ```
/// use encap::wire::{IpProtocol, ipv6};
///
/// // Destination options with a tunnel encapsulation limit, as Linux puts them before GRE.
/// let bytes = [47, 0, 4, 1, 4, 1, 1, 0, /* GRE */ 0, 0, 8, 0];
/// let mut chain = ipv6::Extensions::new(IpProtocol::DESTINATION_OPTIONS, &bytes);
/// assert!(chain.by_ref().all(|extension| extension.is_ok()));
/// assert_eq!((chain.protocol(), chain.rest()), (IpProtocol::GRE, &bytes[8..]));
/// ```
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    next: IpProtocol,
    rest: &'a [u8],
    left: usize,
    later_fragment: bool,
}

/// One extension header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extension<'a> {
    /// Which one.
    pub protocol: IpProtocol,
    /// All of it, its first byte being the next header's number.
    pub bytes: &'a [u8],
}

/// How many extension headers in a row are followed. Each kind may stand once, destination options
/// twice (RFC 8200, section 4.1).
pub const MAX_EXTENSIONS: usize = 8;

impl<'a> Extensions<'a> {
    /// The chain that begins with a header of kind `next`, as an IPv6 header says, at the front of `bytes`.
    pub const fn new(next: IpProtocol, bytes: &'a [u8]) -> Self {
        Self { next, rest: bytes, left: MAX_EXTENSIONS, later_fragment: false }
    }

    /// What follows the headers that were read: the upper layer once the iterator has ended.
    pub const fn protocol(&self) -> IpProtocol {
        self.next
    }

    /// The bytes behind the headers that were read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether the headers that were read end in that of a fragment which is not a datagram's first: what
    /// [follows](Self::rest) is the middle of something, no header, of whatever [kind](Self::protocol) that began.
    pub const fn is_later_fragment(&self) -> bool {
        self.later_fragment
    }

    fn split(&self) -> Result<(Extension<'a>, &'a [u8]), Error> {
        let truncated = |needed_by, need| Error::Truncated {
            layer: Layer::Ipv6Extension,
            needed_by,
            need,
            have: self.rest.len(),
        };
        let &[_, len, ..] = self.rest.first_chunk::<8>().ok_or(truncated(LengthSource::Header, 8))?;
        let len = match self.next {
            IpProtocol::FRAGMENT => 8,
            // RFC 4302, section 2.2: in words of four bytes, without the first two.
            IpProtocol::AUTHENTICATION => (usize::from(len) + 2) * 4,
            _ => (usize::from(len) + 1) * 8,
        };
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(truncated(LengthSource::HdrExtLen, len))?;
        Ok((Extension { protocol: self.next, bytes }, rest))
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_misplaced = self.next == IpProtocol::HOP_BY_HOP && self.left < MAX_EXTENSIONS;
        if self.later_fragment || is_misplaced || !is_extension(self.next) {
            return None;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.next = IpProtocol::NO_NEXT_HEADER;
            return Some(Err(Error::TooMany { layer: Layer::Ipv6Extension, max: MAX_EXTENSIONS }));
        };
        self.left = left;
        match self.split() {
            Ok((extension, rest)) => {
                self.next =
                    extension.bytes.first().map_or(IpProtocol::NO_NEXT_HEADER, |&next| IpProtocol(next));
                self.rest = rest;
                self.later_fragment =
                    extension.fragment().is_some_and(|fragment| fragment.offset.value() != 0);
                Some(Ok(extension))
            }
            Err(error) => {
                self.next = IpProtocol::NO_NEXT_HEADER;
                Some(Err(error))
            }
        }
    }
}

impl core::iter::FusedIterator for Extensions<'_> {}

impl Extension<'_> {
    /// What a fragment header says, or `None` for other headers.
    pub const fn fragment(&self) -> Option<Fragment> {
        match (self.protocol, self.bytes) {
            (IpProtocol::FRAGMENT, &[_, _, o0, o1, i0, i1, i2, i3]) => Some(Fragment {
                offset: FragmentOffset::truncate(u16::from_be_bytes([o0, o1]) >> 3),
                more_fragments: o1 & 1 != 0,
                identification: u32::from_be_bytes([i0, i1, i2, i3]),
            }),
            _ => None,
        }
    }
}

/// What a fragment header says (RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Fragment {
    /// Where this fragment starts.
    pub offset: FragmentOffset,
    /// Whether it is not the last one.
    pub more_fragments: bool,
    /// Names the datagram that it belongs to.
    pub identification: u32,
}

impl Fragment {
    /// Whether this is the whole datagram in one fragment (RFC 6946).
    pub const fn is_atomic(&self) -> bool {
        self.offset.value() == 0 && !self.more_fragments
    }
}

/// Whether a header of this kind is one to step over on the way to the upper layer: hop-by-hop options only as the
/// first one.
#[inline]
pub const fn is_extension(protocol: IpProtocol) -> bool {
    matches!(
        protocol,
        IpProtocol::HOP_BY_HOP
            | IpProtocol::ROUTING
            | IpProtocol::FRAGMENT
            | IpProtocol::AUTHENTICATION
            | IpProtocol::DESTINATION_OPTIONS
            | IpProtocol::MOBILITY
            | IpProtocol::HIP
            | IpProtocol::SHIM6
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8200_s4_a_chain_of_every_kind() {
        let mut bytes = [0; 64];
        bytes[..2].copy_from_slice(&[43, 1]); // hop-by-hop, 16 bytes
        bytes[16..18].copy_from_slice(&[44, 0]); // routing, 8 bytes
        bytes[24..32].copy_from_slice(&[51, 99, 0, 1, 1, 2, 3, 4]); // fragment: its length is fixed
        bytes[32..34].copy_from_slice(&[60, 1]); // authentication, 12 bytes
        bytes[44..46].copy_from_slice(&[17, 0]); // destination options, 8 bytes
        let mut chain = Extensions::new(IpProtocol::HOP_BY_HOP, &bytes);
        let mut lens = [0; 5];
        for (len, extension) in lens.iter_mut().zip(&mut chain) {
            let extension = extension.unwrap();
            *len = extension.bytes.len();
            let fragment = Fragment {
                offset: FragmentOffset::truncate(0),
                more_fragments: true,
                identification: 0x0102_0304,
            };
            let expected = (extension.protocol == IpProtocol::FRAGMENT).then_some(fragment);
            assert_eq!(extension.fragment(), expected);
        }
        assert_eq!(lens, [16, 8, 8, 12, 8]);
        assert_eq!(chain.next(), None);
        assert_eq!((chain.protocol(), chain.rest()), (IpProtocol::UDP, &bytes[52..]));
        assert!(!chain.is_later_fragment());
    }

    #[test]
    fn rfc8200_s4_5_what_follows_the_header_of_a_later_fragment_is_no_header() {
        let bytes = [60, 0, 0x12, 0x39, 1, 2, 3, 4, 17, 0, 0, 0, 0, 0, 0, 0];
        let mut chain = Extensions::new(IpProtocol::FRAGMENT, &bytes);
        let fragment = chain.next().unwrap().unwrap().fragment().unwrap();
        assert_eq!(fragment.offset, FragmentOffset::truncate(0x1239 >> 3));
        assert_eq!(chain.next(), None);
        assert!(chain.is_later_fragment());
        assert_eq!((chain.protocol(), chain.rest()), (IpProtocol::DESTINATION_OPTIONS, &bytes[8..]));
    }

    #[test]
    fn rfc8200_s4_hop_by_hop_options_follow_only_the_header_of_ipv6() {
        let bytes = [0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0];
        for first in [0, 43, 51, 60] {
            let mut chain = Extensions::new(IpProtocol(first), &bytes);
            assert_eq!(chain.by_ref().count(), 1);
            assert_eq!((chain.protocol(), chain.rest()), (IpProtocol::HOP_BY_HOP, &bytes[8..]));
            assert_eq!(chain.next(), None);
        }
    }

    #[test]
    fn rfc8200_s4_the_walk_ends_at_the_cap() {
        let endless = [[60, 0, 0, 0, 0, 0, 0, 0]; 128]; // destination options after destination options
        let endless = endless.as_flattened();
        let mut chain = Extensions::new(IpProtocol::DESTINATION_OPTIONS, endless);
        assert_eq!(chain.by_ref().filter(Result::is_ok).count(), MAX_EXTENSIONS);
        assert_eq!(chain.next(), None);
        let mut chain = Extensions::new(IpProtocol::DESTINATION_OPTIONS, endless);
        let too_many = Error::TooMany { layer: Layer::Ipv6Extension, max: MAX_EXTENSIONS };
        assert_eq!(chain.nth(MAX_EXTENSIONS), Some(Err(too_many)));
    }

    #[test]
    fn rfc8200_s4_lengths_past_the_end_are_refused() {
        for len in 0..=u8::MAX {
            let mut bytes = [0; 80];
            (bytes[0], bytes[1]) = (59, len);
            for (protocol, need) in [
                (IpProtocol::ROUTING, 8 + 8 * usize::from(len)),
                (IpProtocol::AUTHENTICATION, 8 + 4 * usize::from(len)),
            ] {
                let first = Extensions::new(protocol, &bytes).next().unwrap();
                match first {
                    Ok(extension) => assert_eq!(extension.bytes.len(), need),
                    Err(error) => {
                        let needed_by = LengthSource::HdrExtLen;
                        let layer = Layer::Ipv6Extension;
                        assert_eq!(error, Error::Truncated { layer, needed_by, need, have: 80 });
                        assert!(need > 80);
                    }
                }
            }
        }
    }
}
