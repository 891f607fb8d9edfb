//! IP addresses as tables keep them: four words, and beside them the family.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The words of an address, and whether it is one of IPv6. Of an IPv4 address only the first word says anything.
#[inline]
pub(crate) fn to_words(address: IpAddr) -> ([u32; 4], bool) {
    match address {
        IpAddr::V4(address) => ([address.to_bits(), 0, 0, 0], false),
        IpAddr::V6(address) => (v6_to_words(address), true),
    }
}

/// The address that these words say.
#[inline(always)]
pub(crate) fn of_words(words: [u32; 4], ipv6: bool) -> IpAddr {
    let [first, ..] = words;
    if ipv6 { IpAddr::V6(v6_of_words(words)) } else { IpAddr::V4(Ipv4Addr::from_bits(first)) }
}

/// The words of an IPv6 address, first to last.
pub(crate) fn v6_to_words(address: Ipv6Addr) -> [u32; 4] {
    let bits = address.to_bits();
    [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
}

/// The IPv6 address that these words say.
pub(crate) fn v6_of_words(words: [u32; 4]) -> Ipv6Addr {
    Ipv6Addr::from_bits(words.into_iter().fold(0, |bits, word| bits << 32 | u128::from(word)))
}
