//! The endpoint: GRE with key, checksum and sequence number as wanted, without state.

use core::net::IpAddr;

use super::encap_limit;
use crate::{
    tunnel::{
        self, Anomalies, Builder, ConfigError, DropReason, EncapError, EncapMeta, Encapsulation, Payload,
        Policy, Remote,
        inner::{self, IpVersion, Peek},
        offload,
        patch::Flow,
        protocol::{Opened, OverUdp, Rules},
        view::View,
    },
    wire::{
        Error, EtherType, IpProtocol,
        checksum::{State, Sum},
        erspan,
        gre::{self, Key, Reserved0},
        ipv4, ipv6, wccp,
    },
};

/// One end of GRE tunnels, on the packet level: no state. Sequence numbers come from the caller
/// ([`EncapMeta::sequence`]), those received are reported and not judged: for that there is
/// [`Tunnel`](super::Tunnel). Nor are keepalives answered: they are packets for the end that encapsulated them, which
/// are refused unless [`Policy::allow_gre_loops`] has the caller forward them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use encap::{Packet, tunnel::gre, wire::gre::Key};
///
/// // The MTU is that of the link; without one, 65,535.
/// let tunnel = gre::Endpoint::new("192.0.2.1".parse()?).key(Key(7)).checksum(true).mtu(1_500).build()?;
/// let remote = tunnel.remote("192.0.2.2".parse()?)?;
/// let mut buffer = [0x45; 128];
/// let mut packet = Packet::new(&mut buffer, 64, 20)?;
/// tunnel.encap(&mut packet, &remote)?;
/// assert_eq!(packet.len(), 20 + 12 + 20); // IPv4, GRE with checksum and key, the packet
/// # Ok(())
/// # }
/// ```
pub type Endpoint = tunnel::Endpoint<Gre>;

/// The same in UDP (RFC 8086), port 4754: the outer UDP checksum is on over IPv6, and the source port spreads flows.
///
/// Over IPv6 the RFC says that the flow label SHOULD tell flows apart, too. It is zero by default:
/// [`OuterFlowLabel::FromHash`](tunnel::OuterFlowLabel::FromHash) makes it from the flow's hash.
///
/// Section 2.1 wants a tunnel over the Internet to carry only traffic that is congestion controlled: that is for the
/// caller to see to. So is, where packets without a checksum are taken over IPv6, that both addresses of each are those
/// of a tunnel (section 6.2): [`Inner::outer`](tunnel::Inner::outer) says what they are, and that there was no
/// checksum.
pub type UdpEndpoint = tunnel::Endpoint<Gre<true>>;

/// Bytes of IPv4 and GRE headers; checksum, key and sequence number take four more each.
pub const OVERHEAD_IPV4: usize = ipv4::Header::MIN_LEN + gre::Header::MIN_LEN;

/// Bytes of IPv6 and GRE headers; checksum, key and sequence number take four more each.
pub const OVERHEAD_IPV6: usize = ipv6::Header::LEN + gre::Header::MIN_LEN;

/// The protocol of [`Endpoint`] and, with `UDP`, of [`UdpEndpoint`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Gre<const UDP: bool = false> {
    payload: Payload,
    input_key: Option<Key>,
    output_key: Option<Key>,
    checksum: bool,
    sequence: bool,
    /// Sent in an options header before GRE: by tunnels over IPv6 that write the IP header.
    pub(super) encap_limit: Option<u8>,
}

impl Endpoint {
    /// The settings of a tunnel that carries IP packets from this address, without key, checksum and
    /// sequence numbers.
    #[expect(
        clippy::new_ret_no_self,
        reason = "an endpoint is made by `build`, once its settings are proven"
    )]
    pub fn new(local: IpAddr) -> Builder<Gre> {
        Builder::over_ip(local, Gre::PLAIN)
    }
}

impl UdpEndpoint {
    /// The settings of a tunnel that carries IP packets in UDP from this address, without key, checksum and
    /// sequence numbers.
    #[expect(
        clippy::new_ret_no_self,
        reason = "an endpoint is made by `build`, once its settings are proven"
    )]
    pub fn new(local: IpAddr) -> Builder<Gre<true>> {
        Builder::over_udp(local, gre::UDP_PORT, Gre::PLAIN)
    }

    /// Another end of the tunnel, which listens on another port.
    ///
    /// # Errors
    ///
    /// As for [`remote`](Self::remote), and for port zero.
    pub fn remote_at(&self, address: IpAddr, port: u16) -> Result<Remote, ConfigError> {
        self.remote_with(address, port)
    }
}

impl<const UDP: bool> tunnel::Endpoint<Gre<UDP>> {
    /// Another end of the tunnel.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the addresses are of different families or the remote's is unspecified or
    /// broadcast.
    pub fn remote(&self, address: IpAddr) -> Result<Remote, ConfigError> {
        self.remote_with(address, self.port())
    }

    fn remote_with(&self, address: IpAddr, port: u16) -> Result<Remote, ConfigError> {
        let header = self.protocol.header().to_bytes();
        let options = self.protocol.encap_limit.map(encap_limit::header);
        let mut bytes = [0; encap_limit::LEN + gre::Header::MAX_LEN];
        for (to, from) in bytes.iter_mut().zip(options.iter().flatten().chain(&header)) {
            *to = *from;
        }
        self.outer.remote(address, port, bytes.get(..self.protocol.header_len()).unwrap_or_default())
    }
}

impl<const UDP: bool> Gre<UDP> {
    /// IP packets, and nothing optional.
    const PLAIN: Self = Self {
        payload: Payload::Ip,
        input_key: None,
        output_key: None,
        checksum: false,
        sequence: false,
        encap_limit: None,
    };

    /// The header of every packet, before what changes from one to the next is patched in.
    pub(super) fn header(&self) -> gre::Header {
        gre::Header {
            checksum: self.checksum.then_some(0),
            key: self.output_key,
            sequence: self.sequence.then_some(0),
            ..gre::Header::new(match self.payload {
                Payload::Ethernet => EtherType::TEB,
                // Or IPv6, packet by packet.
                Payload::Ip => EtherType::IPV4,
            })
        }
    }
}

impl<const UDP: bool> Builder<Gre<UDP>> {
    /// What the tunnel carries. IP by default.
    pub fn payload(mut self, payload: Payload) -> Self {
        self.protocol.payload = payload;
        self
    }

    /// The key in both directions. None by default; packets with a key are then those of another tunnel.
    pub fn key(self, key: Key) -> Self {
        self.input_key(key).output_key(key)
    }

    /// The key of packets that are received.
    pub fn input_key(mut self, key: Key) -> Self {
        self.protocol.input_key = Some(key);
        self
    }

    /// The key of packets that are sent.
    pub fn output_key(mut self, key: Key) -> Self {
        self.protocol.output_key = Some(key);
        self
    }

    /// Whether packets are sent with a checksum. Of those received it is always verified where there is one
    /// (RFC 2784, section 2.2). Off by default.
    pub fn checksum(mut self, on: bool) -> Self {
        self.protocol.checksum = on;
        self
    }

    /// Whether packets are sent with sequence numbers. Off by default.
    pub fn sequence(mut self, on: bool) -> Self {
        self.protocol.sequence = on;
        self
    }
}

impl OverUdp for Gre<true> {}

impl<const UDP: bool> Rules for Gre<UDP> {
    const PROTOCOL: IpProtocol = if UDP { IpProtocol::UDP } else { IpProtocol::GRE };

    const FINDS_LOOPS: bool = true;

    #[inline]
    fn header_len(&self) -> usize {
        let options = if self.encap_limit.is_some() { encap_limit::LEN } else { 0 };
        self.header().header_len().saturating_add(options)
    }

    #[inline]
    fn payload(&self) -> Payload {
        self.payload
    }

    #[inline]
    fn check(&self, _peek: &Peek, meta: &EncapMeta) -> Result<(), EncapError> {
        if self.sequence && meta.sequence.is_none() { Err(EncapError::SequenceMissing) } else { Ok(()) }
    }

    #[inline]
    fn sends_plain(&self) -> bool {
        !self.checksum && !self.sequence && self.encap_limit.is_none()
    }

    #[inline(always)]
    fn patch_plain(&self, header: &mut [u8], packet: &[u8], _meta: &EncapMeta, _hash: u32) {
        if let (Payload::Ip, Some([_, _, protocol @ ..])) = (self.payload, header.first_chunk_mut::<4>()) {
            *protocol = inner::ip_ethertype(packet).0.to_be_bytes();
        }
    }

    #[inline]
    fn patch(&self, mut header: &mut [u8], flow: &Flow<'_>) {
        if self.encap_limit.is_some() {
            let Some((options, gre)) = header.split_first_chunk_mut() else { return };
            if flow.peek.version == Some(IpVersion::V6) {
                encap_limit::patch(options, flow.packet.get(flow.peek.l3()..).unwrap_or_default());
            }
            header = gre;
        }
        self.patch_plain(header, flow.packet, flow.meta, flow.hash);
        if let (true, Some(sequence), Some(field)) =
            (self.sequence, flow.meta.sequence, header.last_chunk_mut())
        {
            *field = sequence.to_be_bytes();
        }
        if self.checksum {
            // The field is zero in the remote's copy.
            let checksum = Sum::ZERO.add_bytes(header).join(offload::finished_sum(flow)).checksum();
            if let Some([_, _, _, _, field @ ..]) = header.first_chunk_mut::<6>() {
                *field = checksum.to_be_bytes();
            }
        }
    }

    #[inline]
    fn open<'a>(
        &self,
        packet: View<'a>,
        policy: &Policy,
        seen: &mut Anomalies,
    ) -> Result<Opened<'a>, DropReason> {
        let opened = open(packet, policy, seen)?;
        if let Encapsulation::Gre { header, .. } = opened.encapsulation {
            seen.insert_if(header.key != self.input_key, DropReason::GreKey);
            let is_keepalive = opened.encapsulation.is_keepalive() && opened.payload.len() == 0;
            seen.insert_if(is_keepalive, DropReason::GreKeepalive);
            let takes = self.payload.takes(opened.protocol)
                || policy.allow_other_gre_protocols
                    && self.payload == Payload::Ip
                    && is_other(opened.protocol);
            seen.insert_if(!takes, DropReason::GreProtocol);
        }
        Ok(opened)
    }
}

/// Whether Linux would deliver this: what has no tunnel of its own kind. ERSPAN always has one, frames may.
const fn is_other(protocol: EtherType) -> bool {
    !matches!(protocol, erspan::ETHERTYPE_II | erspan::ETHERTYPE_III | EtherType(0))
}

/// Reads a GRE header and verifies its checksum, as far as the packet is there; steps over WCCP's redirect header.
#[inline]
pub(crate) fn open<'a>(
    packet: View<'a>,
    policy: &Policy,
    seen: &mut Anomalies,
) -> Result<Opened<'a>, DropReason> {
    let bytes = packet.bytes();
    seen.insert_if(packet.len() < usize::from(policy.gre_min_len), DropReason::GreTruncated);
    let (header, payload) = gre::Header::parse(bytes).map_err(reason)?;
    seen.insert_if(header.reserved.intersects(policy.gre_reserved_bits), DropReason::GreReservedBits);
    let checksum = match header.checksum {
        Some(_) if !packet.is_complete() => State::Unverified,
        _ => gre::verify(bytes),
    };
    seen.insert_if(checksum == State::Bad, DropReason::GreChecksum);
    let (mut protocol, mut payload) = (header.protocol, packet.skip_to(payload));
    let is_plain = header.header_len() == gre::Header::MIN_LEN && header.reserved == Reserved0::NONE;
    if protocol == wccp::ETHERTYPE && is_plain {
        let (_, redirected) = wccp::Header::parse(payload.bytes()).map_err(|_| DropReason::GreTruncated)?;
        payload = payload.skip_to(redirected);
        let is_v6 = redirected.first().is_some_and(|first| first >> 4 == 6);
        protocol = if is_v6 { EtherType::IPV6 } else { EtherType::IPV4 };
    }
    Ok(Opened { encapsulation: Encapsulation::Gre { header, checksum }, protocol, payload })
}

/// Why a GRE header cannot be read.
pub(super) fn reason(error: Error) -> DropReason {
    match error {
        Error::SourceRouting => DropReason::GreRouting,
        Error::Version { .. } => DropReason::GreVersion,
        _ => DropReason::GreTruncated,
    }
}
