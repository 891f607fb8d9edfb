//! Packets made by hand: nothing here asks the library, whose packets are to be compared with these.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An Ethernet address.
pub type Mac = [u8; 6];

/// 02:00:00:00:00:`last`.
pub const fn mac(last: u8) -> Mac {
    [2, 0, 0, 0, 0, last]
}

/// The Internet checksum of these bytes, one slice behind the other; all but the last are of even length.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let words = bytes.chunks(2).map(|word| u64::from(word[0]) << 8 | u64::from(*word.get(1).unwrap_or(&0)));
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An Ethernet frame.
pub fn ethernet(destination: Mac, source: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&destination[..], &source, &ethertype.to_be_bytes(), payload].concat()
}

/// Fields of an IP header that tests choose; the rest follows from the payload.
#[derive(Clone, Copy, Debug)]
pub struct Ip {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// DSCP and ECN.
    pub tos: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Don't fragment, of IPv4.
    pub df: bool,
    /// What the payload is.
    pub protocol: u8,
}

impl Ip {
    /// Between these addresses; both of one family.
    pub fn new(source: impl Into<IpAddr>, destination: impl Into<IpAddr>, protocol: u8) -> Self {
        Self { source: source.into(), destination: destination.into(), tos: 0, ttl: 64, df: false, protocol }
    }

    /// The EtherType of its family.
    pub fn ethertype(&self) -> u16 {
        if self.source.is_ipv4() { 0x0800 } else { 0x86dd }
    }

    /// A packet, the IPv4 checksum right.
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let Self { tos, ttl, df, protocol, .. } = *self;
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let [l0, l1] = (20 + payload.len() as u16).to_be_bytes();
                let flags = if df { 0x40 } else { 0 };
                let fixed = [0x45, tos, l0, l1, 0x12, 0x34, flags, 0, ttl, protocol, 0, 0];
                let mut header = [&fixed[..], &source.octets(), &destination.octets()].concat();
                let sum = checksum(&[&header]).to_be_bytes();
                header[10..12].copy_from_slice(&sum);
                [&header, payload].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let [l0, l1] = (payload.len() as u16).to_be_bytes();
                let fixed = [0x60 | tos >> 4, tos << 4, 0, 0, l0, l1, protocol, ttl];
                [&fixed[..], &source.octets(), &destination.octets(), payload].concat()
            }
            _ => panic!("addresses of two families"),
        }
    }

    /// The UDP checksum of these bytes, as if the datagram were so long.
    pub fn checksum(&self, len: usize, datagram: &[u8]) -> u16 {
        match checksum(&[&self.pseudo(len), datagram]) {
            0 => 0xffff,
            sum => sum,
        }
    }

    fn pseudo(&self, len: usize) -> Vec<u8> {
        let tail = [&(len as u32).to_be_bytes()[..], &[0, 0, 0, self.protocol]].concat();
        match (self.source, self.destination) {
            (IpAddr::V4(a), IpAddr::V4(b)) => [&a.octets()[..], &b.octets(), &tail].concat(),
            (IpAddr::V6(a), IpAddr::V6(b)) => [&a.octets()[..], &b.octets(), &tail].concat(),
            _ => panic!("addresses of two families"),
        }
    }

    /// A UDP datagram with a right checksum, without IP header.
    pub fn udp(&self, source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
        let mut datagram = udp(source, destination, payload);
        let sum = self.checksum(datagram.len(), &datagram).to_be_bytes();
        datagram[6..8].copy_from_slice(&sum);
        datagram
    }
}

/// A UDP datagram without checksum.
pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len() as u16).to_be_bytes();
    [&source.to_be_bytes()[..], &destination.to_be_bytes(), &len, &[0, 0], payload].concat()
}

/// An IPv4 echo request, or its answer, with this number and payload.
pub fn echo(source: Ipv4Addr, destination: Ipv4Addr, request: bool, number: u16, payload: &[u8]) -> Vec<u8> {
    Ip::new(source, destination, 1).packet(&icmp_echo(request, number, payload))
}

/// The ICMP part of an echo request, or of its answer.
pub fn icmp_echo(request: bool, number: u16, payload: &[u8]) -> Vec<u8> {
    let [n0, n1] = number.to_be_bytes();
    let mut icmp = [&[if request { 8 } else { 0 }, 0, 0, 0, 0x0e, 0xca, n0, n1], payload].concat();
    let sum = checksum(&[&icmp]).to_be_bytes();
    icmp[2..4].copy_from_slice(&sum);
    icmp
}

/// What an echo answer's number is, if this IPv4 packet is one.
pub fn echo_answer(packet: &[u8]) -> Option<u16> {
    let header = usize::from(*packet.first()? & 15) * 4;
    let (version, protocol) = (packet[0] >> 4, *packet.get(9)?);
    match packet.get(header..header + 8)? {
        [0, 0, _, _, 0x0e, 0xca, n0, n1] if version == 4 && protocol == 1 => {
            Some(u16::from_be_bytes([*n0, *n1]))
        }
        _ => None,
    }
}

/// ARP over Ethernet and IPv4: `operation` 1 asks, 2 answers.
pub fn arp(operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    let fixed = [0, 1, 8, 0, 6, 4];
    let operation = operation.to_be_bytes();
    let (from, to) = (sender.1.octets(), target.1.octets());
    [&fixed[..], &operation, &sender.0, &from, &target.0, &to].concat()
}

/// An ARP request in a broadcast frame.
pub fn arp_request(mac: Mac, address: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    ethernet([0xff; 6], mac, 0x0806, &arp(1, (mac, address), ([0; 6], wanted)))
}

/// The answer to an ARP request for `wanted`, if this frame is one; `mac` is what it says.
pub fn arp_answer(frame: &[u8], wanted: Ipv4Addr, mac: Mac) -> Option<Vec<u8>> {
    let (link, arp) = frame.split_at_checked(14)?;
    let request = link.ends_with(&[8, 6]) && arp.get(6..8)? == [0, 1] && arp.get(24..28)? == wanted.octets();
    let sender = (*arp.get(8..14)?.first_chunk()?, Ipv4Addr::from(*arp.get(14..18)?.first_chunk::<4>()?));
    request.then(|| ethernet(sender.0, mac, 0x0806, &self::arp(2, (mac, wanted), sender)))
}

/// The answer to a neighbour solicitation for `wanted`, if this frame is one; `mac` is what it says.
pub fn nd_answer(frame: &[u8], wanted: Ipv6Addr, mac: Mac) -> Option<Vec<u8>> {
    let asks = frame.get(12..14)? == [0x86, 0xdd]
        && *frame.get(20)? == 58
        && *frame.get(54)? == 135
        && frame.get(62..78)? == wanted.octets();
    if !asks {
        return None;
    }
    let asker = Ipv6Addr::from(*frame.get(22..38)?.first_chunk::<16>()?);
    let mut ip = Ip::new(wanted, asker, 58);
    ip.ttl = 255;
    let mut icmp = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &wanted.octets(), &[2, 1], &mac].concat();
    let sum = checksum(&[&ip.pseudo(icmp.len()), &icmp]).to_be_bytes();
    icmp[2..4].copy_from_slice(&sum);
    Some(ethernet(*frame.get(6..12)?.first_chunk()?, mac, 0x86dd, &ip.packet(&icmp)))
}

/// A VXLAN header of these eight bytes before a frame.
pub fn vxlan(header: u64, frame: &[u8]) -> Vec<u8> {
    [&header.to_be_bytes()[..], frame].concat()
}
