//! IP addresses, which are those of `core::net`: what they say of whose they are.

use core::net::IpAddr;

/// Whether the address is one that a host can have and send from, as far as the address tells: 0.0.0.0 is also an old
/// form of broadcast (RFC 1122, section 3.3.6).
#[inline]
pub(crate) const fn is_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}
