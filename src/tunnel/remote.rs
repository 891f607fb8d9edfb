//! The other end of a tunnel: outer headers made ahead, and what is patched into them.

use core::net::IpAddr;

use super::inner::IpVersion;
use crate::{
    packet::Header,
    wire::{MacAddr, ethernet},
};

/// The other end of a tunnel: prebuilt outer headers, and what is patched into them.
///
/// Only for the endpoint that made it: nothing tells it from another endpoint's, and with one of other settings packets
/// are sent that are wrong, without an error.
// What encapsulation reads of it, facts and up to 51 bytes of headers, lies in one cache line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Remote {
    pub(crate) facts: Facts,
    pub(crate) header: Header,
    address: IpAddr,
    port: u16,
}

/// What patches need to know of a remote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Facts {
    /// Sum of what never changes of the IPv4 header.
    pub(crate) ipv4_sum: u16,
    /// Sum of what never changes for the UDP checksum: addresses, protocol, destination port.
    pub(crate) udp_sum: u16,
    /// The longest packet that fits.
    pub(crate) max_inner: u16,
    pub(crate) ip: Option<IpVersion>,
    /// How many bytes of headers there are, where those are the [most usual](super::usual) ones: of no two kinds are
    /// there as many. [`FIRST`](super::encap::FIRST) or zero where they are not.
    pub(crate) usual: u8,
    /// Where the IP header starts.
    pub(crate) l3: u8,
    /// Where the tunnel's own header starts.
    pub(crate) tunnel: u8,
    /// What [`Ttl::Auto`](super::Ttl::Auto) means for this remote.
    pub(crate) auto_ttl: u8,
}

impl Facts {
    /// As [`Remote::to_bytes`] wrote them.
    #[inline(always)]
    pub(crate) const fn from_bytes(bytes: [u8; Remote::FACTS]) -> Self {
        let [i0, i1, u0, u1, ip, l3, tunnel, auto_ttl, _, usual, m0, m1] = bytes;
        Self {
            ipv4_sum: Self::ipv4_sum([i0, i1, u0, u1]),
            udp_sum: Self::udp_sum([i0, i1, u0, u1]),
            max_inner: Self::max_inner([0, usual, m0, m1]),
            ip: version(ip),
            usual,
            l3,
            tunnel,
            auto_ttl,
        }
    }
}

/// Some of them, from the four bytes that they are among.
impl Facts {
    #[inline(always)]
    pub(crate) const fn ipv4_sum([i0, i1, _, _]: [u8; 4]) -> u16 {
        u16::from_be_bytes([i0, i1])
    }

    #[inline(always)]
    pub(crate) const fn udp_sum([_, _, u0, u1]: [u8; 4]) -> u16 {
        u16::from_be_bytes([u0, u1])
    }

    #[inline(always)]
    pub(crate) const fn max_inner([_, _, m0, m1]: [u8; 4]) -> u16 {
        u16::from_be_bytes([m0, m1])
    }
}

impl Remote {
    pub(crate) const fn new(facts: Facts, header: Header, address: IpAddr, port: u16) -> Self {
        Self { facts, header, address, port }
    }

    /// Address of the other end.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// UDP destination port; zero for tunnels that are not over UDP.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Bytes of outer headers before the tunnel's payload.
    pub fn overhead(&self) -> usize {
        self.header.len()
    }

    /// The longest packet that can be sent to this remote, in bytes: a frame with its Ethernet header where
    /// the tunnel carries frames.
    pub const fn max_inner(&self) -> usize {
        self.facts.max_inner as usize
    }

    /// The remote as bytes, as a table keeps it: [`FACTS`](Self::FACTS) of what patches need, which no two builds have
    /// to write alike, then the outer headers.
    pub fn to_bytes(&self, out: &mut [u8]) -> Option<usize> {
        let len = Self::FACTS.saturating_add(self.header.len());
        let (facts, header) = out.get_mut(..len)?.split_first_chunk_mut::<{ Self::FACTS }>()?;
        let Facts { ipv4_sum, udp_sum, max_inner, ip, usual, l3, tunnel, auto_ttl } = self.facts;
        let ip = number(ip);
        let [i0, i1] = ipv4_sum.to_be_bytes();
        let [u0, u1] = udp_sum.to_be_bytes();
        let [m0, m1] = max_inner.to_be_bytes();
        *facts = [i0, i1, u0, u1, ip, l3, tunnel, auto_ttl, 0, usual, m0, m1];
        header.iter_mut().zip(&*self.header).for_each(|(to, from)| *to = *from);
        Some(len)
    }

    /// Bytes of [`to_bytes`](Self::to_bytes) before the outer headers.
    pub const FACTS: usize = 12;

    /// The same remote behind another next hop; nothing changes where the framing has no Ethernet header.
    #[must_use]
    pub fn with_next_hop(mut self, next_hop: MacAddr) -> Self {
        if usize::from(self.facts.l3) >= ethernet::Header::LEN {
            if let Some(destination) = self.header.as_mut_slice().first_chunk_mut() {
                *destination = next_hop.0;
            }
        }
        self
    }
}

/// A remote where a table keeps it, as [`Remote::to_bytes`] made it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) facts: Facts,
    pub(crate) header: &'a [u8],
}

impl<'a> Kept<'a> {
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let (facts, header) = bytes.split_first_chunk()?;
        let facts = Facts::from_bytes(*facts);
        Some(Self { facts, header })
    }

    /// The remote as a value of its own.
    pub(crate) fn to_remote(self, address: IpAddr, port: u16) -> Remote {
        // No table keeps headers that are too long for a remote.
        Remote { facts: self.facts, header: Header::new(self.header).unwrap_or(Header::EMPTY), address, port }
    }

    /// The same remote for packets that are longer than the underlay takes, because somebody else cuts them.
    pub(crate) const fn with_max_inner(mut self, max_inner: u16) -> Self {
        self.facts.max_inner = max_inner;
        self
    }

    /// The longest packet that can be sent to the remote.
    #[inline(always)]
    pub(crate) const fn max_inner(&self) -> usize {
        self.facts.max_inner as usize
    }
}

/// A version in the byte that a table keeps it in.
const fn number(version: Option<IpVersion>) -> u8 {
    match version {
        None => 0,
        Some(IpVersion::V4) => 4,
        Some(IpVersion::V6) => 6,
    }
}

#[inline(always)]
const fn version(number: u8) -> Option<IpVersion> {
    match number {
        4 => Some(IpVersion::V4),
        6 => Some(IpVersion::V6),
        _ => None,
    }
}
