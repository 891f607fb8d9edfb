//! One packet after the other, into one tunnel.

use encap::{
    Packet,
    tunnel::{EncapError, EncapMeta, Endpoint, Payload, Protocol, Remote, Start},
    wire::{EtherType, IpProtocol, ethernet, ipv4, ipv6, vlan},
};

/// An endpoint of any kind, with what it sends to.
pub(crate) struct Tunnel {
    encap: Box<Encap>,
    headroom: usize,
    payload: Payload,
    /// What is said of every packet.
    pub(crate) meta: EncapMeta,
}

type Encap = dyn Fn(&mut Packet<'_>, &EncapMeta) -> Result<(), EncapError>;

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
    pub(crate) fn new<P: Protocol + 'static>(
        endpoint: Endpoint<P>,
        remote: Remote,
        payload: Payload,
    ) -> Self {
        Self {
            headroom: endpoint.headroom().max(remote.overhead()),
            encap: Box::new(move |packet, meta| endpoint.encap_with(packet, &remote, meta)),
            payload,
            meta: EncapMeta::new(),
        }
    }

    /// The packet that begins with `start`, as the tunnel sends it.
    pub(crate) fn send(&mut self, start: Start, packet: &[u8]) -> Result<Vec<u8>, Skip> {
        let payload = match self.payload {
            Payload::Ethernet if start == Start::Ethernet => packet,
            Payload::Ethernet => return Err(Skip::NotEthernet),
            _ => ip(start, packet).ok_or(Skip::NotIp)?,
        };
        let mut buffer = vec![0; self.headroom];
        buffer.extend_from_slice(payload);
        let mut packet = Packet::new(&mut buffer, self.headroom, payload.len()).map_err(EncapError::from)?;
        (self.encap)(&mut packet, &self.meta)?;
        self.meta.sequence = self.meta.sequence.map(|sequence| sequence.wrapping_add(1));
        Ok(packet.as_slice().to_vec())
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
        EtherType::IPV6 => match ipv6::Header::parse(packet).ok()?.0 {
            // A jumbogram (RFC 2675, section 3), or one that a network card was to cut: others know its length.
            header if header.payload_len == 0 && header.next_header != IpProtocol::NO_NEXT_HEADER => {
                return None;
            }
            header => ipv6::Header::LEN + usize::from(header.payload_len),
        },
        _ => return None,
    };
    packet.get(..len)
}
