//! smoltcp at its best: representations emitted into the headroom.

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol, Ipv4Packet, Ipv4Repr,
        Ipv6Packet, UdpPacket, UdpRepr,
    },
};

use super::{Encap, Settings};
use crate::{
    flow::port,
    traffic::{LINK, OVERHEAD, REMOTES, Step, VNI, address},
};

pub struct Smoltcp {
    settings: Settings,
    link: EthernetRepr,
    remotes: Vec<(Ipv4Repr, [u8; 8])>,
}

impl Smoltcp {
    pub fn new(settings: Settings) -> Self {
        let remote = |n: usize| {
            let ip = Ipv4Repr {
                src_addr: settings.local,
                dst_addr: address(n),
                next_header: IpProtocol::Udp,
                payload_len: 0,
                hop_limit: 64,
            };
            let [_, v0, v1, v2] = (VNI + n as u32).to_be_bytes();
            (ip, [8, 0, 0, 0, v0, v1, v2, 0])
        };
        let link = EthernetRepr {
            src_addr: EthernetAddress(LINK.source.0),
            dst_addr: EthernetAddress(LINK.next_hop.0),
            ethertype: EthernetProtocol::Ipv4,
        };
        Self { settings, link, remotes: (0..REMOTES).map(remote).collect() }
    }

    /// The flow hash and ECN of a frame.
    #[inline(always)]
    fn look(&self, frame: &[u8]) -> Option<(u32, u8)> {
        let keys = &self.settings.keys;
        let link = EthernetFrame::new_checked(frame).ok()?;
        Some(match link.ethertype() {
            EthernetProtocol::Ipv4 => {
                let ip = Ipv4Packet::new_checked(link.payload()).ok()?;
                let protocol = ip.next_header();
                let is_fragment = ip.more_frags() || ip.frag_offset() != 0;
                let ports = if is_fragment { [0; 4] } else { ports_of(protocol, ip.payload()) };
                let ([a, b, c, d], [e, f, g, h]) = (ip.src_addr().octets(), ip.dst_addr().octets());
                (keys.ipv4([a, b, c, d, e, f, g, h], protocol.into(), ports), ip.ecn())
            }
            EthernetProtocol::Ipv6 => {
                let ip = Ipv6Packet::new_checked(link.payload()).ok()?;
                let next = ip.next_header();
                let ports = ports_of(next, ip.payload());
                let (source, destination) = (ip.src_addr().octets(), ip.dst_addr().octets());
                (keys.ipv6(source, destination, next.into(), ports), ip.traffic_class() & 3)
            }
            _ => (keys.ethernet(*frame.first_chunk()?), 0),
        })
    }
}

#[inline(always)]
fn ports_of(protocol: IpProtocol, segment: &[u8]) -> [u8; 4] {
    match protocol {
        IpProtocol::Tcp | IpProtocol::Udp | IpProtocol::Unknown(132) => {
            segment.first_chunk().copied().unwrap_or([0; 4])
        }
        _ => [0; 4],
    }
}

impl Encap for Smoltcp {
    fn name(&self) -> String {
        "smoltcp".into()
    }

    #[inline(always)]
    fn encap(&self, buffer: &mut [u8], start: usize, len: usize, step: Step) -> Option<usize> {
        let begin = start.checked_sub(OVERHEAD)?;
        if len > self.settings.max {
            return None;
        }
        let (hash, ecn) = self.look(buffer.get(start..start + len)?)?;
        let packet = buffer.get_mut(begin..start + len)?;
        let mut link = EthernetFrame::new_unchecked(packet);
        self.link.emit(&mut link);
        let (ip, vxlan) = &self.remotes[step.remote];
        let (source, destination) = (ip.src_addr.into(), ip.dst_addr.into());
        let repr = Ipv4Repr { payload_len: len + 16, ..*ip };
        let mut ip = Ipv4Packet::new_unchecked(link.payload_mut());
        let ignored = ChecksumCapabilities::ignored();
        repr.emit(&mut ip, &ignored);
        ip.set_ecn(ecn);
        ip.fill_checksum();
        let repr = UdpRepr { src_port: port(hash, self.settings.ports), dst_port: self.settings.port };
        let mut udp = UdpPacket::new_unchecked(ip.payload_mut());
        let write = |payload: &mut [u8]| *payload.first_chunk_mut().unwrap() = *vxlan;
        repr.emit(&mut udp, &source, &destination, len + 8, write, &ignored);
        Some(begin)
    }
}
