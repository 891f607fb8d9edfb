//! pnet_packet at its best: a header per remote is made ahead and copied, its setters change what differs.

use encap::tunnel;
use pnet_packet::{
    Packet,
    ethernet::{EtherTypes, EthernetPacket},
    ip::{IpNextHeaderProtocol, IpNextHeaderProtocols},
    ipv4::{self, Ipv4Packet, MutableIpv4Packet},
    ipv6::Ipv6Packet,
    udp::MutableUdpPacket,
};

use super::{Encap, Settings};
use crate::{
    flow::port,
    traffic::{OVERHEAD, Step},
};

pub struct Pnet {
    settings: Settings,
    headers: Vec<[u8; OVERHEAD]>,
}

impl Pnet {
    pub fn new(settings: Settings, remotes: &[tunnel::Remote]) -> Self {
        let header = |remote: &tunnel::Remote| {
            let mut bytes = [0; tunnel::Remote::FACTS + encap::packet::MAX_OVERHEAD];
            remote.to_bytes(&mut bytes).unwrap();
            *bytes[tunnel::Remote::FACTS..].first_chunk().unwrap()
        };
        Self { settings, headers: remotes.iter().map(header).collect() }
    }

    /// The flow hash and ECN of a frame.
    #[inline(always)]
    fn look(&self, frame: &[u8]) -> Option<(u32, u8)> {
        let keys = &self.settings.keys;
        let link = EthernetPacket::new(frame)?;
        Some(match link.get_ethertype() {
            EtherTypes::Ipv4 => {
                let ip = Ipv4Packet::new(link.payload())?;
                let is_fragment = ip.get_flags() & 1 != 0 || ip.get_fragment_offset() != 0;
                let protocol = ip.get_next_level_protocol();
                let segment = link.payload().get(usize::from(ip.get_header_length()) * 4..);
                let ports = ports_of(protocol, segment.filter(|_| !is_fragment));
                let ([a, b, c, d], [e, f, g, h]) = (ip.get_source().octets(), ip.get_destination().octets());
                (keys.ipv4([a, b, c, d, e, f, g, h], protocol.0, ports), ip.get_ecn())
            }
            EtherTypes::Ipv6 => {
                let ip = Ipv6Packet::new(link.payload())?;
                let next = ip.get_next_header();
                let ports = ports_of(next, link.payload().get(40..));
                let (source, destination) = (ip.get_source().octets(), ip.get_destination().octets());
                (keys.ipv6(source, destination, next.0, ports), ip.get_traffic_class() & 3)
            }
            _ => (keys.ethernet(*frame.first_chunk()?), 0),
        })
    }
}

#[inline(always)]
fn ports_of(protocol: IpNextHeaderProtocol, segment: Option<&[u8]>) -> [u8; 4] {
    match protocol {
        IpNextHeaderProtocols::Tcp | IpNextHeaderProtocols::Udp | IpNextHeaderProtocols::Sctp => {
            segment.and_then(|segment| segment.first_chunk()).copied().unwrap_or([0; 4])
        }
        _ => [0; 4],
    }
}

impl Encap for Pnet {
    fn name(&self) -> String {
        "pnet_packet".into()
    }

    #[inline(always)]
    fn encap(&self, buffer: &mut [u8], start: usize, len: usize, step: Step) -> Option<usize> {
        let begin = start.checked_sub(OVERHEAD)?;
        let (before, frame) = buffer.get_mut(..start + len)?.split_at_mut(start);
        if len > self.settings.max {
            return None;
        }
        let (hash, ecn) = self.look(frame)?;
        let room: &mut [u8; OVERHEAD] = before[begin..].first_chunk_mut()?;
        *room = self.headers[step.remote];
        let mut ip = MutableIpv4Packet::new(&mut room[14..34])?;
        ip.set_ecn(ecn);
        ip.set_total_length((len + 36) as u16);
        ip.set_checksum(ipv4::checksum(&ip.to_immutable()));
        let mut udp = MutableUdpPacket::new(&mut room[34..42])?;
        udp.set_source(port(hash, self.settings.ports));
        udp.set_length((len + 16) as u16);
        Some(begin)
    }
}
