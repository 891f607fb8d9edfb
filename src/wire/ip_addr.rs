//! IP addresses, which are those of `core::net`: what they say of whose they are.

use core::net::IpAddr;

/// Whether the address is one that a host can have and send from, as far as the address tells: 0.0.0.0 is also an old
/// form of broadcast (RFC 1122, section 3.3.6).
#[inline]
pub(crate) const fn is_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

/// Whether the address is one that another host than this can have.
#[inline]
pub(crate) const fn is_host(address: IpAddr) -> bool {
    is_unicast(address) && !address.is_loopback()
}

/// Whether the address is somebody's on one link only (RFC 4291, section 2.5.6); IPv4's count as everybody's.
#[inline]
pub(crate) const fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Whether the address is an IPv4 address as sockets of both families write it, `::ffff:a.b.c.d` (RFC 4291, section
/// 2.5.5.2).
pub(crate) const fn is_ipv4_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

/// Whether no router forwards packets from or to the address, since it is nobody's, or everybody's on one link: network
/// 0 and loopback (RFC 1812, section 5.3.7; RFC 4291, sections 2.5.2 and 2.5.3), broadcast, link-local (RFC 3927,
/// section 2.7; RFC 4291, section 2.5.6), and groups of a link (RFC 5771, section 4; RFC 4291, section 2.7).
pub(crate) const fn stays_on_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let octets = address.octets();
            matches!(octets, [0 | 127, ..] | [169, 254, ..] | [224, 0, 0, _] | [255, 255, 255, 255])
        }
        IpAddr::V6(address) => {
            // Scopes of groups: 1 is the interface's, 2 the link's, 0 reserved.
            let is_links_group = matches!(address.octets(), [0xff, flags_scope, ..] if flags_scope & 15 <= 2);
            address.is_unspecified()
                || address.is_loopback()
                || address.is_unicast_link_local()
                || is_links_group
        }
    }
}
