//! A VTEP with hosts behind remotes, and what they send each other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::{
    Packet,
    table::{Capacity, Learned, Line, Remote, RemoteId},
    tunnel::{Framing, Policy, UdpChecksum, vxlan},
    vtep::{Config, OverlayMeta, Proxy, Vtep},
    wire::{MacAddr, Vni},
};

use super::{
    Random,
    fdb::{Key, NOW, VNIS, key, vni},
    traffic::{Buffer, Frames, HEADROOM, LINK, LOCAL, OVERHEAD, SEED, address},
};

/// Packets that are under way at the same time.
pub const PACKETS: usize = 512;

/// What packets go over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    Ipv4,
    /// IPv6 without UDP checksums,
    Ipv6,
    /// or with them.
    Ipv6Summed,
}

impl Over {
    /// Bytes of outer headers.
    pub const fn overhead(self) -> usize {
        match self {
            Self::Ipv4 => OVERHEAD,
            Self::Ipv6 | Self::Ipv6Summed => OVERHEAD + 20,
        }
    }

    /// Puts the outer headers, which are still there, before a packet again.
    pub fn give_back(self, packet: &mut Packet<'_>) {
        packet.prepend::<OVERHEAD>().unwrap();
        if self != Self::Ipv4 {
            packet.prepend::<20>().unwrap();
        }
    }

    /// An address: of IPv6, the one that ends in it.
    fn address(self, address: Ipv4Addr) -> IpAddr {
        const PREFIX: u128 = 0x2001_0db8 << 96;
        match self {
            Self::Ipv4 => address.into(),
            Self::Ipv6 | Self::Ipv6Summed => {
                Ipv6Addr::from_bits(PREFIX | u128::from(address.to_bits())).into()
            }
        }
    }

    /// Another VTEP, at this address.
    fn endpoint(self, address: Ipv4Addr) -> vxlan::Endpoint {
        let checksum = if self == Self::Ipv6Summed { UdpChecksum::Full } else { UdpChecksum::Zero };
        let mut policy = Policy::RFC;
        policy.allow_zero_checksum_ipv6 = self == Self::Ipv6;
        let endpoint = vxlan::Endpoint::new(self.address(address)).framing(Framing::Ethernet(LINK));
        endpoint.seed(SEED).policy(policy).udp_checksum(checksum).build().unwrap()
    }
}

/// A VTEP that knows `hosts` behind `remotes`.
pub struct Overlay {
    pub vtep: Vtep<Box<[Line]>>,
    pub over: Over,
    hosts: usize,
    remotes: Vec<RemoteId>,
}

/// A host: its segment and MAC address.
fn host(number: usize) -> Key {
    key(number as u64)
}

/// The IP address of a host in its segment.
fn ip(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a80_0000 + number as u32)
}

impl Overlay {
    pub fn new(hosts: usize, remotes: usize) -> Self {
        Self::over(Over::Ipv4, hosts, remotes)
    }

    pub fn over(over: Over, hosts: usize, remotes: usize) -> Self {
        let mut config = Config::new().local(over.address(LOCAL));
        config.udp6zerocsumtx = over == Over::Ipv6;
        config.udp6zerocsumrx = over == Over::Ipv6;
        config.framing = Framing::Ethernet(LINK);
        config.mtu = 9_000;
        config.proxy = Proxy::NeighSuppress;
        let capacity = Capacity {
            vnis: VNIS,
            remotes: remotes as u32,
            neighbors: hosts as u32,
            ..Capacity::fdb(hosts as u32)
        };
        let vtep = Vtep::with_capacity(config, capacity, [0x0123_4567_89ab_cdef, 0xfedc]).unwrap();
        for number in 0..VNIS {
            vtep.fdb().add_vni(vni(number)).unwrap();
        }
        let remote = |n| Remote::new(over.address(address(n)), 4789);
        let ids: Vec<_> = (0..remotes).map(|n| vtep.add_remote(&remote(n)).unwrap()).collect();
        for number in 0..hosts {
            let (vni, mac) = host(number);
            let learned = vtep.fdb().learn(NOW, vni, mac, ids[number % remotes]);
            assert_eq!(learned, Learned::New { evicted: None });
            vtep.neighbors().add(vni, IpAddr::V4(ip(number)), mac).unwrap();
        }
        Self { vtep, over, hosts, remotes: ids }
    }

    /// The remote behind which a host is.
    fn remote_of(&self, number: usize) -> usize {
        number % self.remotes.len()
    }

    /// Sends each packet to some host or other, and says what the VTEP is told of it.
    pub fn aim(&self, random: &mut Random, packets: &mut [Packet<'_>], metas: &mut [OverlayMeta]) {
        for (packet, meta) in packets.iter_mut().zip(metas) {
            let (vni, mac) = host(random.below(self.hosts));
            packet.as_mut_slice()[..6].copy_from_slice(&mac.0);
            *meta = OverlayMeta::new(vni);
        }
    }

    /// Frames from hosts behind remotes, as they arrive.
    pub fn arrivals(&self) -> Vec<Packet<'static>> {
        let mut random = Random(0xa1);
        let mut packets = Frames::imix(PACKETS).packets();
        for packet in &mut packets {
            let number = random.below(self.hosts);
            let (vni, mac) = host(number);
            packet.as_mut_slice()[6..12].copy_from_slice(&mac.0);
            let sender = self.over.endpoint(address(self.remote_of(number)));
            let remote = sender.remote(self.over.address(LOCAL), vni).unwrap();
            sender.encap(packet, &remote).unwrap();
        }
        packets
    }

    /// The VTEP that a packet was sent to, which opens it.
    pub fn receiver(&self, address: IpAddr) -> vxlan::Endpoint {
        let of_remote = |&n: &usize| self.over.address(self::address(n)) == address;
        let number = (0..self.remotes.len()).find(of_remote).unwrap();
        self.over.endpoint(self::address(number))
    }

    /// Rooms for ARP requests.
    pub fn rooms() -> Vec<Packet<'static>> {
        let buffers = vec![Buffer([0; 2048]); PACKETS].leak().iter_mut();
        buffers.map(|buffer| Packet::new(&mut buffer.0, HEADROOM, REQUEST).unwrap()).collect()
    }

    /// Makes each packet the request of a host of this side for some other one.
    pub fn ask(&self, random: &mut Random, packets: &mut [Packet<'_>], metas: &mut [OverlayMeta]) {
        for (packet, meta) in packets.iter_mut().zip(metas) {
            let target = random.below(self.hosts);
            let (vni, _) = host(target);
            *meta = OverlayMeta::new(vni);
            packet.as_mut_slice().copy_from_slice(&request(ip(target)));
        }
    }

    /// Whether a reply is what the request asked for.
    pub fn is_answer(&self, vni: Vni, packet: &[u8]) -> bool {
        let mac = MacAddr(packet[22..28].try_into().unwrap());
        let asked = Ipv4Addr::from(<[u8; 4]>::try_from(&packet[28..32]).unwrap());
        let number = (asked.to_bits() - ip(0).to_bits()) as usize;
        packet[20..22] == [0, 2] && packet[..6] == ASKER && host(number) == (vni, mac)
    }
}

/// Bytes of an ARP frame.
pub const REQUEST: usize = 42;

/// Who asks.
const ASKER: [u8; 6] = [2, 0xaa, 0, 0, 0, 1];

/// Who has this address? (RFC 826)
pub fn request(target: Ipv4Addr) -> [u8; REQUEST] {
    let mut frame = [0; REQUEST];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&ASKER);
    frame[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&ASKER);
    frame[28..32].copy_from_slice(&[10, 0, 0, 1]);
    frame[38..].copy_from_slice(&target.octets());
    frame
}
