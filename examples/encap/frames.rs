//! Frames to encapsulate where no capture is given: ARP, and UDP and TCP over IPv4 and IPv6.

use std::net::{Ipv4Addr, Ipv6Addr};

use encap::wire::{
    Dscp, Ecn, EtherType, FlowLabel, FragmentOffset, IpProtocol, MacAddr, arp, checksum::Sum, ethernet, ipv4,
    ipv6, udp,
};

const A: (MacAddr, Ipv4Addr, Ipv6Addr) = host(1);
const B: (MacAddr, Ipv4Addr, Ipv6Addr) = host(2);

pub(crate) fn built_in() -> Vec<Vec<u8>> {
    vec![
        arp_request(),
        ipv4(IpProtocol::UDP, Dscp::truncate(0), Ecn::NotEct, true, udp(b"over IPv4")),
        ipv4(IpProtocol::TCP, Dscp::truncate(18), Ecn::Ect0, false, tcp(b"segment")),
        ipv6(IpProtocol::UDP, Dscp::truncate(46), Ecn::Ect1, udp(b"over IPv6, odd")),
        ipv6(IpProtocol::TCP, Dscp::truncate(0), Ecn::Ce, tcp(b"")),
    ]
}

const fn host(number: u8) -> (MacAddr, Ipv4Addr, Ipv6Addr) {
    let last = number as u16;
    (
        MacAddr([2, 0, 0, 0, 0, number]),
        Ipv4Addr::new(198, 51, 100, number),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last),
    )
}

fn ethernet(destination: MacAddr, ethertype: EtherType, payload: &[&[u8]]) -> Vec<u8> {
    let header = ethernet::Header { destination, source: A.0, ethertype };
    [&header.to_bytes(), payload.concat().as_slice()].concat()
}

fn arp_request() -> Vec<u8> {
    let request = arp::Header {
        operation: arp::Operation::REQUEST,
        sender_mac: A.0,
        sender_ip: A.1,
        target_mac: MacAddr([0; 6]),
        target_ip: B.1,
    };
    ethernet(MacAddr([0xff; 6]), EtherType::ARP, &[&request.to_bytes()])
}

fn ipv4(
    protocol: IpProtocol,
    dscp: Dscp,
    ecn: Ecn,
    dont_fragment: bool,
    segment: impl Fn(Sum) -> Vec<u8>,
) -> Vec<u8> {
    let len = segment(Sum::ZERO).len() as u16;
    let segment = segment(Sum::pseudo_ipv4(A.1, B.1, protocol, len));
    let header = ipv4::Header {
        dscp,
        ecn,
        total_len: ipv4::Header::MIN_LEN as u16 + len,
        identification: if dont_fragment { 0 } else { 0x1234 },
        dont_fragment,
        more_fragments: false,
        fragment_offset: FragmentOffset::default(),
        ttl: 17,
        protocol,
        checksum: 0,
        source: A.1,
        destination: B.1,
        options: ipv4::Options::default(),
    };
    ethernet(B.0, EtherType::IPV4, &[&header.with_checksum().fixed_bytes(), &segment])
}

fn ipv6(protocol: IpProtocol, dscp: Dscp, ecn: Ecn, segment: impl Fn(Sum) -> Vec<u8>) -> Vec<u8> {
    let len = segment(Sum::ZERO).len() as u16;
    let segment = segment(Sum::pseudo_ipv6(A.2, B.2, protocol, len.into()));
    let header = ipv6::Header {
        dscp,
        ecn,
        flow_label: FlowLabel::truncate(0xabcde),
        payload_len: len,
        next_header: protocol,
        hop_limit: 23,
        source: A.2,
        destination: B.2,
    };
    ethernet(B.0, EtherType::IPV6, &[&header.to_bytes(), &segment])
}

/// To the port of the discard service.
fn udp(payload: &[u8]) -> impl Fn(Sum) -> Vec<u8> {
    move |pseudo| {
        let length = (udp::Header::LEN + payload.len()) as u16;
        let header = udp::Header { source_port: 40_000, destination_port: 9, length, checksum: 0 };
        [&header.with_checksum(pseudo, payload).to_bytes(), payload].concat()
    }
}

/// ACK, with a checksum as for any other protocol (RFC 9293, section 3.1).
fn tcp(payload: &[u8]) -> impl Fn(Sum) -> Vec<u8> {
    move |pseudo| {
        let header = |checksum: u16| {
            let [c0, c1] = checksum.to_be_bytes();
            // Ports 40,000 and 9, sequence and acknowledgement 1, five words, ACK, a window of 1024.
            [0x9c, 0x40, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 4, 0, c0, c1, 0, 0]
        };
        let sum = pseudo.add_bytes(&header(0)).add_bytes(payload);
        [&header(sum.checksum()), payload].concat()
    }
}
