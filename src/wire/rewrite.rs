//! Changes to IP packets in place, the checksums that cover what changes corrected on the way (RFC 1624).
//!
//! A checksum of IPv4, TCP, UDP or ICMPv6 that was right stays right, and one that was wrong stays wrong by as
//! much. What cannot be done is refused, and the packet left as it was.
//!
//! ```
//! use encap::wire::rewrite;
//!
//! # let mut packet = [
//! #     0x45, 0, 0, 33, 0, 1, 0, 0, 64, 17, 0x66, 0xc7, 10, 1, 0, 1, 10, 1, 0, 2, // IPv4
//! #     3, 0xe8, 7, 0xd0, 0, 13, 0x9c, 0x45, b'h', b'e', b'l', b'l', b'o', // UDP
//! # ];
//! // A router with address translation: `packet` is UDP over IPv4.
//! rewrite::decrement_ttl(&mut packet)?;
//! rewrite::set_source(&mut packet, "192.0.2.1".parse().unwrap())?;
//! rewrite::set_source_port(&mut packet, 40_000)?;
//! # Ok::<(), rewrite::Refused>(())
//! ```
//!
//! Transport checksums are those of TCP, UDP and ICMPv6. Out of scope: checksums that a sender left to its
//! network card, those of UDP-Lite and DCCP, those of OSPF, PIM and VRRP over IPv6, which cover the addresses as well
//! (RFC 5340, section A.3.1; RFC 7761, section 4.9; RFC 5798, section 5.2.8), those that cover the address of a Home
//! Address option and not the source (RFC 6275, section 6.3), and whatever authenticates the packet (AH, ESP).

use core::net::IpAddr;

use super::{
    Dscp, Ecn, Error, IpProtocol, Layer, Vni, ds_field, ipv4, ipv6,
    parts::{Ip, Transport, all_parts, fix, ip, parts},
    vxlan,
};

/// Why a packet was not changed. It is left as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The IP header, the chain of extension headers or the transport header is broken, or ends early.
    #[error(transparent)]
    Broken(#[from] Error),
    /// No router may forward the packet (RFC 1812, section 5.3.1; RFC 8200, section 3).
    #[error("time to live {0}: not to be forwarded")]
    Expired(u8),
    /// An IPv6 address for an IPv4 packet, or the other way round.
    #[error("the address is of another IP version than the packet")]
    OtherVersion,
    /// The packet is a fragment other than the first, which has no transport header.
    #[error("no transport header in a fragment other than the first")]
    Fragment,
    /// The transport protocol has no such field.
    #[error("protocol {0} has no such field")]
    Protocol(IpProtocol),
}

/// Sets time to live or hop limit.
///
/// # Errors
///
/// [`Refused::Broken`] for the IP header.
pub fn set_ttl(packet: &mut [u8], ttl: u8) -> Result<(), Refused> {
    match ip(packet)?.0 {
        Ip::V4(header) => {
            let [_, _, _, _, _, _, _, _, old, protocol, c0, c1, ..] = header;
            fix([c0, c1], &[*old, *protocol], &[ttl, *protocol]);
            *old = ttl;
        }
        Ip::V6(header) => {
            let [_, _, _, _, _, _, _, hop_limit, ..] = header;
            *hop_limit = ttl;
        }
    }
    Ok(())
}

/// Takes one from time to live or hop limit, as a router does that forwards the packet, and returns what is
/// left: at least one.
///
/// # Errors
///
/// [`Refused::Expired`] where nothing would be left: the sender is to be told (RFC 1812, section 5.3.1;
/// RFC 4443, section 3.3). [`Refused::Broken`] for the IP header.
pub fn decrement_ttl(packet: &mut [u8]) -> Result<u8, Refused> {
    let ttl = match ip(packet)?.0 {
        Ip::V4(&mut [_, _, _, _, _, _, _, _, ttl, ..]) | Ip::V6(&mut [_, _, _, _, _, _, _, ttl, ..]) => ttl,
    };
    match ttl.checked_sub(1) {
        None | Some(0) => Err(Refused::Expired(ttl)),
        Some(left) => set_ttl(packet, left).map(|()| left),
    }
}

/// Sets the DSCP and leaves ECN alone (RFC 2474, section 3).
///
/// # Errors
///
/// [`Refused::Broken`] for the IP header.
pub fn set_dscp(packet: &mut [u8], dscp: Dscp) -> Result<(), Refused> {
    match ip(packet)?.0 {
        Ip::V4(header) => {
            let [v_ihl, ds, _, _, _, _, _, _, _, _, c0, c1, ..] = header;
            let new = ds_field(dscp, Ecn::from_ds_field(*ds));
            fix([c0, c1], &[*v_ihl, *ds], &[*v_ihl, new]);
            *ds = new;
        }
        Ip::V6(header) => {
            let [first, second, ..] = header;
            let word = u16::from_be_bytes([*first, *second]);
            let word = word & !(0x3f << 6) | u16::from(dscp.value()) << 6;
            [*first, *second] = word.to_be_bytes();
        }
    }
    Ok(())
}

/// Sets the ECN bits and leaves the DSCP alone (RFC 3168, section 5).
///
/// # Errors
///
/// [`Refused::Broken`] for the IP header.
pub fn set_ecn(packet: &mut [u8], ecn: Ecn) -> Result<(), Refused> {
    match ip(packet)?.0 {
        Ip::V4(header) => ipv4::set_ecn(header, ecn),
        Ip::V6(header) => ipv6::set_ecn(header, ecn),
    }
    Ok(())
}

/// Sets the source address.
///
/// # Errors
///
/// [`Refused::OtherVersion`]; [`Refused::Broken`] for any header up to the transport's.
pub fn set_source(packet: &mut [u8], address: IpAddr) -> Result<(), Refused> {
    let (ip, mut transport) = parts(packet)?;
    match (ip, address) {
        (Ip::V4([_, _, _, _, _, _, _, _, _, _, c0, c1, source @ .., _, _, _, _]), IpAddr::V4(address)) => {
            fix([c0, c1], source, &address.octets());
            transport.fix(source, &address.octets());
            *source = address.octets();
        }
        (Ip::V6(header), IpAddr::V6(address)) => {
            let [_, _, _, _, _, _, _, _, addresses @ ..] = header;
            let [source @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = addresses;
            transport.fix(source, &address.octets());
            *source = address.octets();
        }
        _ => return Err(Refused::OtherVersion),
    }
    Ok(())
}

/// Sets the destination address.
///
/// Before the last stop of a source route or a routing header, the transport's checksum does not cover this address but
/// the last one (RFC 1122, section 4.1.3.4; RFC 8200, section 8.1), and stays.
///
/// # Errors
///
/// [`Refused::OtherVersion`]; [`Refused::Broken`] for any header up to the transport's.
pub fn set_destination(packet: &mut [u8], address: IpAddr) -> Result<(), Refused> {
    let (ip, mut transport, routed) = all_parts(packet)?;
    match (ip, address) {
        (
            Ip::V4([_, _, _, _, _, _, _, _, _, _, c0, c1, _, _, _, _, destination @ ..]),
            IpAddr::V4(address),
        ) => {
            fix([c0, c1], destination, &address.octets());
            if !routed {
                transport.fix(destination, &address.octets());
            }
            *destination = address.octets();
        }
        (Ip::V6(header), IpAddr::V6(address)) => {
            let [_, _, _, _, _, _, _, _, addresses @ ..] = header;
            let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, destination @ ..] = addresses;
            if !routed {
                transport.fix(destination, &address.octets());
            }
            *destination = address.octets();
        }
        _ => return Err(Refused::OtherVersion),
    }
    Ok(())
}

/// Sets the source port of UDP or TCP.
///
/// # Errors
///
/// [`Refused::Fragment`]; [`Refused::Protocol`] for other protocols; [`Refused::Broken`] for any header up to
/// the transport's.
pub fn set_source_port(packet: &mut [u8], port: u16) -> Result<(), Refused> {
    let mut transport = parts(packet)?.1;
    let [p0, p1, _, _] = transport.ports()?;
    let (old, new) = ([*p0, *p1], port.to_be_bytes());
    [*p0, *p1] = new;
    transport.fix(&old, &new);
    Ok(())
}

/// Sets the destination port of UDP or TCP.
///
/// # Errors
///
/// As for [`set_source_port`].
pub fn set_destination_port(packet: &mut [u8], port: u16) -> Result<(), Refused> {
    let mut transport = parts(packet)?.1;
    let [_, _, p0, p1] = transport.ports()?;
    let (old, new) = ([*p0, *p1], port.to_be_bytes());
    [*p0, *p1] = new;
    transport.fix(&old, &new);
    Ok(())
}

/// Sets the VNI in the eight bytes behind UDP, where VXLAN and Geneve have it. Whether they are there, which
/// the ports tell, is for the caller to know.
///
/// # Errors
///
/// [`Refused::Fragment`]; [`Refused::Protocol`] for other protocols than UDP; [`Refused::Broken`] for any
/// header up to the eight bytes, which are called VXLAN's where they are not there.
pub fn set_vni(packet: &mut [u8], vni: Vni) -> Result<(), Refused> {
    let mut transport = parts(packet)?.1;
    let payload = match &mut transport {
        Transport::Udp(_, payload) => payload,
        other => return Err(other.without()),
    };
    let have = payload.len();
    let header = payload.first_chunk_mut().ok_or(Error::truncated(Layer::Vxlan, vxlan::Header::LEN, have))?;
    let old = *header;
    set_vni_in(header, vni);
    let new = *header;
    transport.fix(&old, &new);
    Ok(())
}

/// Sets the VNI in a header of VXLAN or Geneve, of which these are the first eight bytes, and leaves the
/// rest of it alone. A checksum around it is not corrected: see [`set_vni`].
pub const fn set_vni_in(header: &mut [u8; 8], vni: Vni) {
    let [_, _, _, _, v0, v1, v2, _] = header;
    [_, *v0, *v1, *v2] = vni.value().to_be_bytes();
}
