//! etherparse at its best: headers as values, the link header made ahead, the rest written into the headroom.

use etherparse::{
    EtherType, Ethernet2Header, Ethernet2HeaderSlice, IpEcn, IpNumber, Ipv4Header, Ipv4HeaderSlice,
    Ipv6HeaderSlice, UdpHeader,
};

use super::{Encap, Settings};
use crate::{
    flow::port,
    traffic::{LINK, OVERHEAD, REMOTES, Step, VNI, address},
};

pub struct Etherparse {
    settings: Settings,
    remotes: Vec<Remote>,
}

struct Remote {
    link: [u8; 14],
    ip: Ipv4Header,
    vxlan: [u8; 8],
}

impl Etherparse {
    pub fn new(settings: Settings) -> Self {
        let remote = |n: usize| {
            let link = Ethernet2Header {
                source: LINK.source.0,
                destination: LINK.next_hop.0,
                ether_type: EtherType::IPV4,
            };
            let [_, v0, v1, v2] = (VNI + n as u32).to_be_bytes();
            let (source, destination) = (settings.local.octets(), address(n).octets());
            Remote {
                link: link.to_bytes(),
                ip: Ipv4Header::new(0, 64, IpNumber::UDP, source, destination).unwrap(),
                vxlan: [8, 0, 0, 0, v0, v1, v2, 0],
            }
        };
        Self { settings, remotes: (0..REMOTES).map(remote).collect() }
    }

    /// The flow hash and ECN of a frame.
    #[inline(always)]
    fn look(&self, frame: &[u8]) -> Option<(u32, u8)> {
        let keys = &self.settings.keys;
        let link = Ethernet2HeaderSlice::from_slice(frame).ok()?;
        let rest = &frame[14..];
        Some(match link.ether_type() {
            EtherType::IPV4 => {
                let ip = Ipv4HeaderSlice::from_slice(rest).ok()?;
                let ports = if ip.is_fragmenting_payload() { None } else { rest.get(ip.slice().len()..) };
                let ports = ports_of(ip.protocol(), ports);
                let ([a, b, c, d], [e, f, g, h]) = (ip.source(), ip.destination());
                (keys.ipv4([a, b, c, d, e, f, g, h], ip.protocol().0, ports), ip.ecn().value())
            }
            EtherType::IPV6 => {
                let ip = Ipv6HeaderSlice::from_slice(rest).ok()?;
                let next = ip.next_header();
                let hash = keys.ipv6(ip.source(), ip.destination(), next.0, ports_of(next, rest.get(40..)));
                (hash, ip.traffic_class() & 3)
            }
            _ => (keys.ethernet(*link.slice().first_chunk()?), 0),
        })
    }
}

#[inline(always)]
fn ports_of(protocol: IpNumber, segment: Option<&[u8]>) -> [u8; 4] {
    match protocol {
        IpNumber::TCP | IpNumber::UDP | IpNumber::SCTP => {
            segment.and_then(|segment| segment.first_chunk()).copied().unwrap_or([0; 4])
        }
        _ => [0; 4],
    }
}

impl Encap for Etherparse {
    fn name(&self) -> String {
        "etherparse".into()
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
        let remote = &self.remotes[step.remote];
        room[..14].copy_from_slice(&remote.link);
        let mut ip = Ipv4Header { ecn: IpEcn::try_new(ecn).ok()?, ..remote.ip.clone() };
        ip.set_payload_len(len + 16).ok()?;
        // With the checksum.
        ip.write(&mut &mut room[14..34]).ok()?;
        let udp = UdpHeader {
            source_port: port(hash, self.settings.ports),
            destination_port: self.settings.port,
            length: (len + 16) as u16,
            checksum: 0,
        };
        room[34..42].copy_from_slice(&udp.to_bytes());
        room[42..].copy_from_slice(&remote.vxlan);
        Some(begin)
    }
}
