//! What hosts say: ARP, echo requests and replies, UDP datagrams.

use std::net::Ipv4Addr;

use encap::wire::{
    Dscp, Ecn, EtherType, FragmentOffset, IpProtocol, MacAddr, arp,
    checksum::{State, Sum},
    ethernet, icmpv4, ipv4, udp,
};

/// Who a host is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    pub(crate) mac: MacAddr,
    pub(crate) ip: Ipv4Addr,
}

/// A frame, as far as hosts and readers care.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) source: MacAddr,
    pub(crate) destination: MacAddr,
    pub(crate) content: Content,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    Arp(arp::Header),
    Echo { source: Ipv4Addr, destination: Ipv4Addr, is_reply: bool, number: u16 },
    Other,
}

pub(crate) fn read(frame: &[u8]) -> Option<Seen> {
    let (link, rest) = ethernet::Header::parse(frame).ok()?;
    let content = match link.ethertype {
        EtherType::ARP => Content::Arp(arp::Header::parse(rest).ok()?.0),
        EtherType::IPV4 => echo_in(rest).unwrap_or(Content::Other),
        _ => Content::Other,
    };
    Some(Seen { source: link.source, destination: link.destination, content })
}

fn echo_in(packet: &[u8]) -> Option<Content> {
    let (ip, rest) = ipv4::Header::parse(packet).ok()?;
    let message = ip.payload(rest).ok()?;
    if ip.protocol != IpProtocol::ICMP || icmpv4::verify(message) == State::Bad {
        return None;
    }
    let (icmp, _) = icmpv4::Header::parse(message).ok()?;
    let (_, number) = icmp.echo()?;
    let is_reply = icmp.kind == icmpv4::Type::ECHO_REPLY;
    Some(Content::Echo { source: ip.source, destination: ip.destination, is_reply, number })
}

/// Who has this address?
pub(crate) fn arp_request(from: Address, target: Ipv4Addr) -> Vec<u8> {
    let request = arp::Header {
        operation: arp::Operation::REQUEST,
        sender_mac: from.mac,
        sender_ip: from.ip,
        target_mac: MacAddr::ZERO,
        target_ip: target,
    };
    frame(from.mac, MacAddr::BROADCAST, EtherType::ARP, &[&request.to_bytes()])
}

/// I have it.
pub(crate) fn arp_reply(from: Address, request: &arp::Header) -> Vec<u8> {
    let reply = arp::Header {
        operation: arp::Operation::REPLY,
        sender_mac: from.mac,
        sender_ip: from.ip,
        target_mac: request.sender_mac,
        target_ip: request.sender_ip,
    };
    frame(from.mac, request.sender_mac, EtherType::ARP, &[&reply.to_bytes()])
}

/// An echo request or reply, of 56 bytes as `ping` sends them.
pub(crate) fn echo(from: Address, to: Address, is_reply: bool, number: u16) -> Vec<u8> {
    let kind = if is_reply { icmpv4::Type::ECHO_REPLY } else { icmpv4::Type::ECHO_REQUEST };
    let [n0, n1] = number.to_be_bytes();
    let header = icmpv4::Header { kind, code: 0, checksum: 0, rest: [0, 7, n0, n1] };
    let payload: Vec<u8> = (b'a'..=b'z').cycle().take(56).collect();
    ip(from, to, IpProtocol::ICMP, &[&header.with_checksum(&payload).to_bytes(), &payload])
}

/// A datagram of `len` bytes of payload to the port of the discard service.
pub(crate) fn datagram(from: Address, to: Address, source_port: u16, len: usize) -> Vec<u8> {
    let payload = vec![0x5a; len];
    let length = (udp::Header::LEN + len) as u16;
    let header = udp::Header { source_port, destination_port: 9, length, checksum: 0 };
    let pseudo = Sum::pseudo_ipv4(from.ip, to.ip, IpProtocol::UDP, length);
    ip(from, to, IpProtocol::UDP, &[&header.with_checksum(pseudo, &payload).to_bytes(), &payload])
}

fn ip(from: Address, to: Address, protocol: IpProtocol, payload: &[&[u8]]) -> Vec<u8> {
    let len: usize = payload.iter().map(|part| part.len()).sum();
    let header = ipv4::Header {
        dscp: Dscp::default(),
        ecn: Ecn::NotEct,
        total_len: (ipv4::Header::MIN_LEN + len) as u16,
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: FragmentOffset::default(),
        ttl: 64,
        protocol,
        checksum: 0,
        source: from.ip,
        destination: to.ip,
        options: ipv4::Options::default(),
    };
    let header = header.with_checksum().fixed_bytes();
    frame(from.mac, to.mac, EtherType::IPV4, &[&header, &payload.concat()])
}

fn frame(source: MacAddr, destination: MacAddr, ethertype: EtherType, payload: &[&[u8]]) -> Vec<u8> {
    let link = ethernet::Header { destination, source, ethertype };
    [&link.to_bytes(), payload.concat().as_slice()].concat()
}
