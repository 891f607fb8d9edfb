//! NVGRE endpoints (RFC 7637): Ethernet frames in GRE, segments told apart by 24 bits of the key, flows by the other
//! eight.

use core::net::IpAddr;

use super::{
    Anomalies, Builder, ConfigError, DropReason, EncapMeta, Encapsulation, Payload, Policy, Remote, gre,
    protocol::{Opened, Rules},
    view::View,
};
use crate::wire::{IpProtocol, Vni, ipv4, ipv6, nvgre};

/// One end of NVGRE tunnels, on the packet level: no tables, no state.
///
/// The FlowID is part of the flow's hash; on receipt it does not matter, and segments are told apart by the VSID
/// alone. Frames with VLAN tags are neither sent nor taken (section 3.3).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use encap::{Packet, tunnel::nvgre, wire::Vni};
///
/// let tunnel = nvgre::Endpoint::new("192.0.2.1".parse()?).mtu(1_500).build()?; // that of the link; 65,535 without
/// let remote = tunnel.remote("192.0.2.2".parse()?, Vni::truncate(5001))?;
/// let mut buffer = [0; 128];
/// let mut packet = Packet::new(&mut buffer, 64, 60)?;
/// tunnel.encap(&mut packet, &remote)?;
/// assert_eq!(packet.len(), 20 + 8 + 60); // IPv4, GRE with key, the frame
/// # Ok(())
/// # }
/// ```
pub type Endpoint = super::Endpoint<Nvgre>;

/// Bytes of IPv4 and NVGRE headers. Inner packets lose 14 more to the inner Ethernet header.
pub const OVERHEAD_IPV4: usize = ipv4::Header::MIN_LEN + nvgre::Header::LEN;

/// Bytes of IPv6 and NVGRE headers. Inner packets lose 14 more to the inner Ethernet header.
pub const OVERHEAD_IPV6: usize = ipv6::Header::LEN + nvgre::Header::LEN;

/// The protocol of [`Endpoint`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Nvgre;

impl Endpoint {
    /// The settings of an endpoint with this address.
    #[expect(
        clippy::new_ret_no_self,
        reason = "an endpoint is made by `build`, once its settings are proven"
    )]
    pub fn new(local: IpAddr) -> Builder<Nvgre> {
        Builder::over_ip(local, Nvgre)
    }

    /// Another endpoint that has segment `vsid`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the addresses are of different families or the remote's is unspecified or broadcast, and
    /// for the segments below 4096, which section 3.4 reserves. The last one, 0xffffff, is for the vendors' own use
    /// between endpoints, and not refused.
    pub fn remote(&self, address: IpAddr, vsid: Vni) -> Result<Remote, ConfigError> {
        if vsid < FIRST_VSID {
            return Err(ConfigError::ReservedVsid(vsid));
        }
        self.outer.remote(address, 0, &nvgre::Header { vsid, flow_id: 0 }.to_bytes())
    }
}

impl Rules for Nvgre {
    const PROTOCOL: IpProtocol = IpProtocol::GRE;

    const NEEDS_HASH: bool = true;

    #[inline]
    fn header_len(&self) -> usize {
        nvgre::Header::LEN
    }

    #[inline]
    fn payload(&self) -> Payload {
        Payload::Ethernet
    }

    #[inline]
    fn sends_tags(&self) -> bool {
        false
    }

    #[inline]
    fn sends_plain(&self) -> bool {
        true
    }

    #[inline(always)]
    fn patch_plain(&self, header: &mut [u8], _packet: &[u8], _meta: &EncapMeta, hash: u32) {
        if let Some([.., flow_id]) = header.first_chunk_mut::<{ nvgre::Header::LEN }>() {
            *flow_id = (hash >> 24) as u8;
        }
    }

    #[inline]
    fn open<'a>(
        &self,
        packet: View<'a>,
        policy: &Policy,
        seen: &mut Anomalies,
    ) -> Result<Opened<'a>, DropReason> {
        let opened = gre::open(packet, policy, seen)?;
        let Encapsulation::Gre { header, .. } = opened.encapsulation else { return Ok(opened) };
        match nvgre::Header::from_gre(&header) {
            Some(header) => Ok(Opened { encapsulation: Encapsulation::Nvgre(header), ..opened }),
            None => Err(DropReason::NvgreFlags),
        }
    }
}

/// Section 3.4: 0 to 0xfff are reserved.
const FIRST_VSID: Vni = Vni::truncate(0x1000);
