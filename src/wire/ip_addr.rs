//! IP addresses, which are those of `core::net`: what they say of whose they are, and of who is to have the frame.

use core::net::IpAddr;

use super::{MacAddr, ndp};

/// Whether the address is one that a host can have and send from, as far as the address tells: 0.0.0.0 is also an old
/// form of broadcast (RFC 1122, section 3.3.6).
#[inline]
pub(crate) const fn is_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

/// The MAC address of a group (RFC 1112, section 6.4; RFC 2464, section 7); `None` where the address is no group's.
pub(crate) const fn group_mac(address: IpAddr) -> Option<MacAddr> {
    match address {
        IpAddr::V4(group) if group.is_multicast() => {
            let [_, b, c, d] = group.octets();
            Some(MacAddr([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddr::V6(group) if group.is_multicast() => Some(ndp::group_mac(group)),
        _ => None,
    }
}
