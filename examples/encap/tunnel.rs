//! One packet after the other, into one tunnel.

use encap::{
    Packet,
    tunnel::{EncapError, EncapMeta, InnerChecksum, Payload, Remote, Start, gre, ip_udp, vxlan},
    wire::{EtherType, ethernet, ipv4, ipv6, vlan},
};

/// An endpoint, where it sends to, and what changes from packet to packet.
pub(crate) struct Tunnel {
    pub(crate) endpoint: Endpoint,
    pub(crate) remote: Remote,
    pub(crate) payload: Payload,
    /// Whether to trust that inner checksums are good.
    pub(crate) trusts_checksums: bool,
    /// The next sequence number.
    pub(crate) sequence: Option<u32>,
}

#[derive(Clone, Copy)]
pub(crate) enum Endpoint {
    Vxlan(vxlan::Endpoint),
    Gre(gre::Endpoint),
    IpUdp(ip_udp::Endpoint),
}

/// Why a packet is left out.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Skip {
    #[error("it is not an Ethernet frame")]
    NotEthernet,
    #[error("it is not a whole IP packet")]
    NotIp,
    #[error(transparent)]
    Encap(#[from] EncapError),
}

impl Tunnel {
    /// The packet that begins with `start`, as the tunnel sends it.
    pub(crate) fn send(&mut self, start: Start, packet: &[u8]) -> Result<Vec<u8>, Skip> {
        let payload = match self.payload {
            Payload::Ethernet if start == Start::Ethernet => packet,
            Payload::Ethernet => return Err(Skip::NotEthernet),
            _ => ip(start, packet).ok_or(Skip::NotIp)?,
        };
        let mut meta = EncapMeta::new();
        if self.trusts_checksums {
            meta = meta.inner_checksum(InnerChecksum::Good);
        }
        if let Some(sequence) = self.sequence {
            meta = meta.sequence(sequence);
        }
        let headroom = match &self.endpoint {
            Endpoint::Vxlan(endpoint) => endpoint.headroom(),
            Endpoint::Gre(endpoint) => endpoint.headroom(),
            Endpoint::IpUdp(endpoint) => endpoint.headroom(),
        };
        let mut buffer = vec![0; headroom];
        buffer.extend_from_slice(payload);
        let mut packet = Packet::new(&mut buffer, headroom, payload.len()).map_err(EncapError::from)?;
        match &self.endpoint {
            Endpoint::Vxlan(endpoint) => endpoint.encap_with(&mut packet, &self.remote, &meta),
            Endpoint::Gre(endpoint) => endpoint.encap_with(&mut packet, &self.remote, &meta),
            Endpoint::IpUdp(endpoint) => endpoint.encap_with(&mut packet, &self.remote, &meta),
        }?;
        let sent = packet.as_slice().to_vec();
        self.sequence = self.sequence.map(|sequence| sequence.wrapping_add(1));
        Ok(sent)
    }
}

/// The IP packet, without what is before it and without the link's padding.
fn ip(start: Start, packet: &[u8]) -> Option<&[u8]> {
    let (ethertype, packet) = match start {
        Start::Ethernet => {
            let (header, rest) = ethernet::Header::parse(packet).ok()?;
            (header.ethertype, rest)
        }
        Start::EtherType(ethertype) => (ethertype, packet),
        _ => match packet.first()? >> 4 {
            4 => (EtherType::IPV4, packet),
            _ => (EtherType::IPV6, packet),
        },
    };
    let untagged = vlan::skip_tags(ethertype, packet).ok()?;
    let packet = untagged.payload;
    let len = match untagged.ethertype {
        EtherType::IPV4 => ipv4::Header::parse(packet).ok()?.0.total_len.into(),
        EtherType::IPV6 => ipv6::Header::LEN + usize::from(ipv6::Header::parse(packet).ok()?.0.payload_len),
        _ => return None,
    };
    packet.get(..len)
}
