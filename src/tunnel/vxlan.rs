//! VXLAN endpoints (RFC 7348): Ethernet frames over UDP, segments told apart by VNI; with Group Based Policy, or
//! with the Generic Protocol Extension also IP packets.

use core::net::IpAddr;

use super::{
    Anomalies, Builder, ConfigError, DropReason, EncapMeta, Encapsulation, Payload, Policy, Remote,
    UdpChecksum,
    inner::Plain,
    patch::Flow,
    protocol::{Opened, OverUdp, Rules},
    view::View,
};
use crate::wire::{
    EtherType, IpProtocol, Vni, ipv4, ipv6, udp, vxlan,
    vxlan_gbp::{self, GroupPolicy},
    vxlan_gpe::{self, NextProtocol},
};

/// A VXLAN tunnel endpoint (VTEP) on the packet level: no tables, no state.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use encap::{Packet, tunnel::vxlan, wire::Vni};
///
/// // Without an MTU all that fits into an IP packet is sent, and lost where the link takes less.
/// let tunnel = vxlan::Endpoint::new("192.0.2.1".parse()?).ttl(64).mtu(1_500).build()?;
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

/// The protocol of [`Endpoint`]: VXLAN, plain or with one of its extensions.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Vxlan {
    group_policy: bool,
    inner_vlan: bool,
    /// What is carried, with the Generic Protocol Extension.
    gpe: Option<Payload>,
}

impl Vxlan {
    /// Whether packets differ in more than their segment.
    #[inline(always)]
    const fn has_extension(self) -> bool {
        self.group_policy | matches!(self.gpe, Some(Payload::Ip))
    }

    /// Completes what an extension adds to the header.
    #[inline(never)]
    fn patch_extension(self, header: &mut [u8], policy: Option<GroupPolicy>, ethertype: EtherType) {
        let Some(header) = header.first_chunk_mut() else { return };
        if let (true, Some(policy)) = (self.group_policy, policy) {
            *header = vxlan::Header::from_bytes(header).with_group_policy(policy).to_bytes();
        }
        if let (Some(Payload::Ip), Some(next)) = (self.gpe, NextProtocol::from_ethertype(ethertype)) {
            let [_, _, _, byte, _, _, _, _] = header;
            *byte = next.0;
        }
    }
}

impl Endpoint {
    /// The settings of an endpoint with this address, port 4789.
    #[expect(
        clippy::new_ret_no_self,
        reason = "an endpoint is made by `build`, once its settings are proven"
    )]
    pub fn new(local: IpAddr) -> Builder<Vxlan> {
        Builder::over_udp(local, vxlan::PORT, Vxlan::default())
    }

    /// Another endpoint that has segment `vni`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the addresses are of different families or the remote's is unspecified or
    /// broadcast.
    pub fn remote(&self, address: IpAddr, vni: Vni) -> Result<Remote, ConfigError> {
        self.remote_at(address, self.port(), vni)
    }

    /// Another endpoint that listens on another port.
    ///
    /// # Errors
    ///
    /// As for [`remote`](Self::remote), and for port zero.
    pub fn remote_at(&self, address: IpAddr, port: u16, vni: Vni) -> Result<Remote, ConfigError> {
        let header = match self.protocol.gpe {
            None => vxlan::Header::new(vni).to_bytes(),
            Some(Payload::Ethernet) => vxlan_gpe::Header::new(vni, NextProtocol::ETHERNET).to_bytes(),
            // Or IPv6, packet by packet.
            Some(Payload::Ip) => vxlan_gpe::Header::new(vni, NextProtocol::IPV4).to_bytes(),
        };
        self.outer.remote(address, port, &header)
    }
}

impl Builder<Vxlan> {
    /// As Linux's driver sends and receives: as [`vtep::Config::linux`](crate::vtep::Config::linux) has it, where that
    /// says something of a single packet. What is set afterwards holds.
    ///
    /// | setting | default | `linux` |
    /// |---|---|---|
    /// | [`port`](Self::port) | 4789 | 8472, but with [`gpe`](Self::gpe) 4790 |
    /// | [`dont_fragment`](Self::dont_fragment), over IPv4 | set | unset |
    /// | [`ecn`](Self::ecn) | RFC 6040 normal mode: CE is copied | CE becomes ECT(0) |
    /// | [`source_ports`](Self::source_ports) | 49152..=65535 | 32768..=60999 |
    /// | [`udp_checksum`](Self::udp_checksum) | none over IPv4, in full over IPv6 | by offload over both |
    /// | [`inner_vlan`](Self::inner_vlan) | off | on |
    /// | [`policy`](Self::policy) | [`Policy::RFC`] | [`Policy::LINUX`] |
    pub fn linux(self) -> Self {
        let port = if self.protocol.gpe.is_some() { vxlan_gpe::PORT } else { vxlan::LINUX_PORT };
        let (first, last) = LINUX_SOURCE_PORTS;
        let as_all = self.linux_over_udp().udp_checksum(UdpChecksum::Offload).inner_vlan(true);
        as_all.port(port).source_ports(first..=last)
    }

    /// Whether the tunnel speaks Group Based Policy: [`EncapMeta::group_policy`](super::EncapMeta::group_policy) is
    /// sent along, and what is received is found in [`Encapsulation::group_policy`]. Off by default.
    pub const fn group_policy(mut self, on: bool) -> Self {
        self.protocol.group_policy = on;
        self
    }

    /// Whether frames with VLAN tags are sent. Off by default, so that they are refused
    /// ([`EncapError::InnerVlan`](super::EncapError::InnerVlan)), to be sent once the caller has taken the tags off:
    /// receivers discard tagged frames unless they are configured otherwise, too (section 6.1), ours by
    /// [`Policy::allow_inner_vlan`].
    pub const fn inner_vlan(mut self, on: bool) -> Self {
        self.protocol.inner_vlan = on;
        self
    }

    /// With the Generic Protocol Extension, on port 4790 unless [`port`](Self::port) says otherwise afterwards: the
    /// tunnel carries frames or IP packets, and says which. One of IP packets receives NSH and MPLS, too, where
    /// [`Policy::allow_other_gpe_protocols`] says so.
    pub fn gpe(mut self, payload: Payload) -> Self {
        self.protocol.gpe = Some(payload);
        self.port(vxlan_gpe::PORT)
    }
}

impl OverUdp for Vxlan {}

/// The source ports of Linux's `vxlan` devices: those that it has for sockets, unless somebody changed them.
pub(crate) const LINUX_SOURCE_PORTS: (u16, u16) = (32_768, 60_999);

impl Rules for Vxlan {
    const PROTOCOL: IpProtocol = IpProtocol::UDP;

    fn validate(&self) -> Result<(), ConfigError> {
        if self.group_policy && self.gpe.is_some() { Err(ConfigError::GroupPolicyWithGpe) } else { Ok(()) }
    }

    #[inline]
    fn header_len(&self) -> usize {
        vxlan::Header::LEN
    }

    #[inline]
    fn payload(&self) -> Payload {
        self.gpe.unwrap_or(Payload::Ethernet)
    }

    #[inline]
    fn sends_tags(&self) -> bool {
        self.inner_vlan
    }

    #[inline]
    fn sends_plain(&self) -> bool {
        !self.has_extension()
    }

    #[inline(always)]
    fn plain_payload(&self) -> Payload {
        Payload::Ethernet
    }

    #[inline(always)]
    fn patch_plain(&self, header: &mut [u8], _packet: &[u8], meta: &EncapMeta, _hash: u32) {
        if let (Some(vni), Some(header)) = (meta.vni, header.first_chunk_mut()) {
            patch_vni(header, vni);
        }
    }

    #[inline]
    fn patch(&self, header: &mut [u8], flow: &Flow<'_>) {
        self.patch_plain(header, flow.packet, flow.meta, flow.hash);
        if self.has_extension() {
            self.patch_extension(header, flow.meta.group_policy, flow.peek.ethertype);
        }
    }

    #[inline(always)]
    fn open<'a>(
        &self,
        packet: View<'a>,
        policy: &Policy,
        seen: &mut Anomalies,
    ) -> Result<Opened<'a>, DropReason> {
        let Some(payload) = self.gpe else { return open(packet, self.group_policy, policy, seen) };
        let opened = open_gpe(packet, policy, seen)?;
        let is_known = opened.protocol != EtherType(0);
        let takes = payload.takes(opened.protocol)
            || policy.allow_other_gpe_protocols && payload == Payload::Ip && is_known;
        seen.insert_if(!takes, DropReason::GpeProtocol);
        Ok(opened)
    }

    // A header, and a frame of the shortest IPv4 packet: all frames are longer.
    const MIN_PLAIN: usize = vxlan::Header::LEN + Plain::MIN_FRAME;

    #[inline]
    fn opens_plain(&self) -> bool {
        !self.group_policy && self.gpe.is_none()
    }

    #[inline(always)]
    fn open_plain<'a>(
        &self,
        packet: &'a [u8],
        policy: &Policy,
        _fatal: Anomalies,
    ) -> Option<(Encapsulation, EtherType, &'a [u8])> {
        let (header, frame) = packet.split_first_chunk()?;
        let header = vxlan::Header::from_bytes(header);
        if !header.has_vni_only(policy.vxlan_reserved_bits) {
            return None;
        }
        Some((Encapsulation::Vxlan(header), EtherType::TEB, frame))
    }
}

#[inline(always)]
fn patch_vni(header: &mut [u8; vxlan::Header::LEN], vni: Vni) {
    // The last byte is reserved: zero.
    let [_, _, _, _, segment @ ..] = header;
    *segment = (vni.value() << 8).to_be_bytes();
}

/// Reads a VXLAN header, with or without knowledge of Group Based Policy.
#[inline(always)]
pub(crate) fn open<'a>(
    packet: View<'a>,
    group_policy: bool,
    policy: &Policy,
    seen: &mut Anomalies,
) -> Result<Opened<'a>, DropReason> {
    let (header, _) = vxlan::Header::parse(packet.bytes()).map_err(|_| DropReason::VxlanTruncated)?;
    seen.insert_if(header.vni().is_none(), DropReason::VxlanNoVni);
    let unknown = if group_policy { !vxlan_gbp::USED } else { u64::MAX };
    let refused = header.reserved() & unknown & policy.vxlan_reserved_bits;
    seen.insert_if(refused != 0, DropReason::VxlanReservedBits);
    let has_policy = group_policy && header.group_policy().is_some();
    Ok(Opened {
        encapsulation: if has_policy {
            Encapsulation::VxlanGbp(header)
        } else {
            Encapsulation::Vxlan(header)
        },
        protocol: EtherType::TEB,
        payload: packet.skip(vxlan::Header::LEN),
    })
}

/// Reads a VXLAN-GPE header.
#[inline]
pub(crate) fn open_gpe<'a>(
    packet: View<'a>,
    policy: &Policy,
    seen: &mut Anomalies,
) -> Result<Opened<'a>, DropReason> {
    let (header, _) = vxlan_gpe::Header::parse(packet.bytes()).map_err(|_| DropReason::VxlanTruncated)?;
    seen.insert_if(header.vni().is_none(), DropReason::VxlanNoVni);
    let refusable = u64::from_be_bytes(header.to_bytes()) & (vxlan_gpe::RESERVED | vxlan_gpe::BUM);
    seen.insert_if(refusable & policy.gpe_reserved_bits != 0, DropReason::VxlanReservedBits);
    seen.insert_if(header.version() != 0, DropReason::GpeVersion);
    seen.insert_if(header.is_oam(), DropReason::GpeOam);
    let next = header.next_protocol();
    seen.insert_if(next.is_none(), DropReason::GpeNoProtocol);
    let protocol = next.and_then(NextProtocol::ethertype);
    seen.insert_if(next.is_some() && protocol.is_none(), DropReason::GpeProtocol);
    Ok(Opened {
        encapsulation: Encapsulation::VxlanGpe(header),
        // What cannot be known is carried as it is.
        protocol: protocol.unwrap_or(EtherType(0)),
        payload: packet.skip(vxlan_gpe::Header::LEN),
    })
}
