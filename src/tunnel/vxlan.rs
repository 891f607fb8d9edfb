//! VXLAN endpoints (RFC 7348): Ethernet frames over UDP, segments told apart by VNI.

use core::net::IpAddr;

use super::{
    Anomalies, Builder, ConfigError, DropReason, Encapsulation, Payload, Policy, Remote,
    protocol::{Opened, OverUdp, Rules},
    underlay::View,
};
use crate::wire::{EtherType, IpProtocol, Vni, ipv4, ipv6, udp, vxlan};

/// A VXLAN tunnel endpoint (VTEP) on the packet level: no tables, no state.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use encap::{Packet, tunnel::vxlan, wire::Vni};
///
/// let tunnel = vxlan::Endpoint::new("192.0.2.1".parse()?).ttl(64).build()?;
/// let remote = tunnel.remote("192.0.2.2".parse()?, Vni::truncate(42))?;
///
/// let mut buffer = [0; 256];
/// let mut packet = Packet::new(&mut buffer, 64, 100)?; // 100 bytes of frame behind 64 of headroom
/// tunnel.encap(&mut packet, &remote)?;
/// assert_eq!(packet.len(), vxlan::OVERHEAD_IPV4 + 100);
///
/// let other = vxlan::Endpoint::new("192.0.2.2".parse()?).build()?;
/// let inner = other.decap(&mut packet)?;
/// assert_eq!(inner.encapsulation.vni(), Some(Vni::truncate(42)));
/// assert_eq!(packet.len(), 100);
/// # Ok(())
/// # }
/// ```
pub type Endpoint = super::Endpoint<Vxlan>;

/// Bytes of IPv4, UDP and VXLAN headers. Inner packets lose 14 more to the inner Ethernet header.
pub const OVERHEAD_IPV4: usize = ipv4::Header::MIN_LEN + udp::Header::LEN + vxlan::Header::LEN;

/// Bytes of IPv6, UDP and VXLAN headers. Inner packets lose 14 more to the inner Ethernet header.
pub const OVERHEAD_IPV6: usize = ipv6::Header::LEN + udp::Header::LEN + vxlan::Header::LEN;

/// The protocol of [`Endpoint`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Vxlan;

impl Endpoint {
    /// The settings of an endpoint with this address, port 4789.
    #[expect(
        clippy::new_ret_no_self,
        reason = "an endpoint is made by `build`, once its settings are proven"
    )]
    pub fn new(local: IpAddr) -> Builder<Vxlan> {
        Builder::over_udp(local, vxlan::PORT, Vxlan)
    }

    /// Another endpoint that has segment `vni`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the addresses are of different families or the remote's is unspecified.
    pub fn remote(&self, address: IpAddr, vni: Vni) -> Result<Remote, ConfigError> {
        self.remote_at(address, self.port(), vni)
    }

    /// Another endpoint that listens on another port.
    ///
    /// # Errors
    ///
    /// As for [`remote`](Self::remote), and for port zero.
    pub fn remote_at(&self, address: IpAddr, port: u16, vni: Vni) -> Result<Remote, ConfigError> {
        self.outer.remote(address, port, &vxlan::Header::new(vni).to_bytes())
    }
}

impl OverUdp for Vxlan {}

impl Rules for Vxlan {
    const PROTOCOL: IpProtocol = IpProtocol::UDP;

    #[inline]
    fn header_len(&self) -> usize {
        vxlan::Header::LEN
    }

    #[inline]
    fn payload(&self) -> Payload {
        Payload::Ethernet
    }

    #[inline(always)]
    fn open<'a>(
        &self,
        packet: View<'a>,
        policy: &Policy,
        seen: &mut Anomalies,
    ) -> Result<Opened<'a>, DropReason> {
        open(packet, policy, seen)
    }
}

/// Reads a VXLAN header.
#[inline(always)]
pub(crate) fn open<'a>(
    packet: View<'a>,
    policy: &Policy,
    seen: &mut Anomalies,
) -> Result<Opened<'a>, DropReason> {
    let (header, _) = vxlan::Header::parse(packet.bytes()).map_err(|_| DropReason::VxlanTruncated)?;
    seen.insert_if(header.vni().is_none(), DropReason::VxlanNoVni);
    seen.insert_if(header.reserved() & policy.vxlan_reserved_bits != 0, DropReason::VxlanReservedBits);
    Ok(Opened {
        encapsulation: Encapsulation::Vxlan(header),
        protocol: EtherType::TEB,
        payload: packet.skip(vxlan::Header::LEN),
    })
}
