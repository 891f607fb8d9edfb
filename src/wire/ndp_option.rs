//! Options of neighbor discovery (RFC 4861, section 4.6): type, length in units of eight bytes, value.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |     Type      |    Length     |              …                |
//! +---------------+---------------+-------------------------------+
//! |                               …                               |
//! +---------------------------------------------------------------+
//! ```

use core::iter::FusedIterator;

use super::{Error, Layer, LengthSource, MacAddr};

/// What an option is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct OptionType(pub u8);

impl OptionType {
    /// Link-layer address of the sender.
    pub const SOURCE_ADDRESS: Self = Self(1);
    /// Link-layer address of the target.
    pub const TARGET_ADDRESS: Self = Self(2);
}

/// One option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NeighborOption<'a> {
    /// What it is.
    pub kind: OptionType,
    /// All of it, type and length included: a multiple of eight bytes, at least eight.
    pub bytes: &'a [u8],
}

impl NeighborOption<'_> {
    /// The option that says who sends a solicitation.
    pub const fn source_address(mac: MacAddr) -> [u8; 8] {
        address(OptionType::SOURCE_ADDRESS, mac)
    }

    /// The option that says where the target of an advertisement is.
    pub const fn target_address(mac: MacAddr) -> [u8; 8] {
        address(OptionType::TARGET_ADDRESS, mac)
    }

    /// The MAC address in an option with the address of the source or the target, or `None` for other
    /// options and for addresses of another length (RFC 2464, section 6).
    pub const fn mac(&self) -> Option<MacAddr> {
        match (self.kind, self.bytes) {
            (OptionType::SOURCE_ADDRESS | OptionType::TARGET_ADDRESS, &[_, _, a, b, c, d, e, f]) => {
                Some(MacAddr([a, b, c, d, e, f]))
            }
            _ => None,
        }
    }
}

/// The options of a message, one after the other. Ends at the first error.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Options<'a> {
    /// The options in these bytes, all of which are options.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The MAC address in the first option of kind `kind` that has one.
    pub fn mac(self, kind: OptionType) -> Option<MacAddr> {
        self.map_while(Result::ok).filter(|option| option.kind == kind).find_map(|option| option.mac())
    }

    fn split(&self) -> Result<(NeighborOption<'a>, &'a [u8]), Error> {
        let layer = Layer::NeighborOption;
        let have = self.rest.len();
        let &[kind, units] = self.rest.first_chunk().ok_or(Error::truncated(layer, 2, have))?;
        if units == 0 {
            return Err(Error::Length { layer, field: LengthSource::OptionLength, stated: 0, min: 8 });
        }
        let need = usize::from(units) * 8;
        let (bytes, rest) = self.rest.split_at_checked(need).ok_or(Error::Truncated {
            layer,
            needed_by: LengthSource::OptionLength,
            need,
            have,
        })?;
        Ok((NeighborOption { kind: OptionType(kind), bytes }, rest))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<NeighborOption<'a>, Error>;

    /// # Errors
    ///
    /// [`Error::Length`] for an option of length zero, [`Error::Truncated`] for one that is longer than what
    /// is left. It is the last item.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = self.split();
        self.rest = split.map_or(&[], |(_, rest)| rest);
        Some(split.map(|(option, _)| option))
    }
}

impl FusedIterator for Options<'_> {}

const fn address(kind: OptionType, mac: MacAddr) -> [u8; 8] {
    let [a, b, c, d, e, f] = mac.0;
    [kind.0, 1, a, b, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    #[test]
    fn golden() {
        let bytes = [
            [14, 1, 1, 2, 3, 4, 5, 6], // a nonce (RFC 3971)
            [1, 1, 2, 0, 0, 0, 0, 1],  // source address
            [2, 1, 2, 0, 0, 0, 0, 1],  // target address
        ];
        assert_eq!(bytes[1], NeighborOption::source_address(MAC));
        assert_eq!(bytes[2], NeighborOption::target_address(MAC));
        let options = Options::new(bytes.as_flattened());
        let mut found = options.zip(&bytes).map(|(option, bytes)| {
            let option = option.unwrap();
            assert_eq!((option.kind, option.bytes), (OptionType(bytes[0]), &bytes[..]));
            option.mac()
        });
        assert_eq!(
            [found.next(), found.next(), found.next()],
            [Some(None), Some(Some(MAC)), Some(Some(MAC))]
        );
        assert_eq!(options.mac(OptionType::TARGET_ADDRESS), Some(MAC));
        assert_eq!(options.mac(OptionType(14)), None);
    }

    #[test]
    fn s4_6_every_length_is_an_option_or_an_error_and_the_end() {
        for length in 0..=u8::MAX {
            let mut bytes = [0x01; 80];
            bytes[1] = length;
            let mut options = Options::new(&bytes);
            let stated = usize::from(length) * 8;
            match options.next().unwrap() {
                Ok(option) => assert_eq!(option.bytes, &bytes[..stated]),
                Err(error) => {
                    let (layer, field) = (Layer::NeighborOption, LengthSource::OptionLength);
                    assert_eq!(
                        error,
                        match length {
                            0 => Error::Length { layer, field, stated: 0, min: 8 },
                            _ => Error::Truncated { layer, needed_by: field, need: stated, have: 80 },
                        }
                    );
                    assert!(options.next().is_none());
                }
            }
        }
        let mut options = Options::new(&[1]);
        assert_eq!(options.next(), Some(Err(Error::truncated(Layer::NeighborOption, 2, 1))));
        assert_eq!(options.next(), None);
    }

    #[test]
    fn rfc2464_s6_an_address_of_another_length_is_no_mac_address() {
        let mut bytes = [0; 16];
        (bytes[0], bytes[1]) = (1, 2);
        let option = Options::new(&bytes).next().unwrap().unwrap();
        assert_eq!((option.bytes.len(), option.mac()), (16, None));
    }
}
