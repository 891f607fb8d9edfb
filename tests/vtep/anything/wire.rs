//! What is read of whole packets, and what is changed in them.

use std::net::IpAddr;

use encap::wire::{
    Dscp, Ecn, IpProtocol, Vni,
    checksum::Sum,
    icmp_quote::{self, NotAReport, Problem},
    ipv4, ipv6,
    ndp::solicited_node,
    ndp_check::{Invalid, check_advertisement, check_solicitation},
    ndp_option::{OptionType, Options},
    rewrite::{self, Refused},
};

use super::{Input, Network, network::remote_at};

pub(super) fn wire(input: &mut Input<'_>) {
    match input.byte() % 4 {
        0 => report(input),
        1 => neighbor(&input.ip()),
        _ => changes(input),
    }
}

/// A report quotes a part of its packet, all of which is needed and covered by its checksums.
fn report(input: &mut Input<'_>) {
    let [network] = Network::read(input);
    let packet = input.report(&network);
    let Ok(report) = icmp_quote::parse(&packet) else { return };
    let (quoted, all) = (report.quote.payload.as_ptr_range(), packet.as_ptr_range());
    assert!(all.start <= quoted.start && quoted.end <= all.end);
    assert!(report.quote.payload.len() >= icmp_quote::MIN_PAYLOAD);
    let is_v4 = matches!(report.problem, Problem::V4(_));
    assert_eq!([is_v4; 2], [report.reporter.is_ipv4(), report.quote.source.is_ipv4()]);
    assert_eq!(is_v4, report.quote.destination.is_ipv4());
    let least = if is_v4 { 576 } else { 1_280 };
    assert!(report.problem.path_mtu().is_none_or(|mtu| mtu >= least));

    let (message, len) = if is_v4 {
        let (header, _) = ipv4::Header::parse(&packet).unwrap();
        (header.header_len(), usize::from(header.total_len))
    } else {
        let (header, _) = ipv6::Header::parse(&packet).unwrap();
        (ipv6::Header::LEN, ipv6::Header::LEN + usize::from(header.payload_len))
    };
    let at = message + usize::from(input.word()) % (len - message);
    let mut other = packet.clone();
    other[at] ^= 1 << (input.byte() % 8);
    assert_eq!(icmp_quote::parse(&other).err(), Some(NotAReport::Checksum), "byte {at}");
    let cut = usize::from(input.word()) % len;
    assert!(icmp_quote::parse(&packet[..cut]).is_err());
}

/// What is valid has all that RFC 4861 asks for, and an error names what is not.
fn neighbor(packet: &[u8]) {
    let solicitation = check_solicitation(packet).map(|it| (it.ip, it.message.target, it.options, false));
    let advertisement =
        check_advertisement(packet).map(|it| (it.ip, it.message.target, it.options, it.message.solicited));
    for (kind, result) in [(135, solicitation), (136, advertisement)] {
        match result {
            Ok((ip, target, options, solicited)) => {
                let message = &packet[ipv6::Header::LEN..][..ip.payload_len.into()];
                assert_eq!((ip.next_header, ip.hop_limit), (IpProtocol::ICMPV6, 255));
                assert_eq!(message[..2], [kind, 0]);
                let [source, destination] = [ip.source, ip.destination].map(IpAddr::V6);
                assert!(sum_of(source, destination, IpProtocol::ICMPV6, message).is_good());
                assert!(!target.is_multicast());
                assert!(!solicited || !ip.destination.is_multicast());
                assert!(options.clone().all(|option| option.is_ok()));
                if kind == 135 && ip.source.is_unspecified() {
                    assert_eq!(ip.destination, solicited_node(ip.destination));
                    assert_eq!(options.mac(OptionType::SOURCE_ADDRESS), None);
                }
            }
            Err(Invalid::Type(found)) => assert!(found == packet[40] && found != kind),
            Err(Invalid::Protocol(found)) => assert!(found.0 == packet[6] && found != IpProtocol::ICMPV6),
            Err(Invalid::HopLimit(found)) => assert!(found == packet[7] && found != 255),
            Err(Invalid::Code(found)) => assert!(found == packet[41] && found != 0),
            Err(Invalid::MulticastTarget(_)) => assert_eq!(packet[48], 0xff),
            Err(Invalid::TooShort { have }) => assert!(have < 24),
            Err(Invalid::Option(_)) => {
                let end = ipv6::Header::LEN + usize::from(u16::from_be_bytes([packet[4], packet[5]]));
                assert!(Options::new(&packet[64..end]).any(|option| option.is_err()));
            }
            Err(_) => {}
        }
    }
}

/// A change leaves the sums of all that checksums cover what they were, or the packet; made again, it changes nothing.
fn changes(input: &mut Input<'_>) {
    let mut packet = input.ip();
    for _ in 0..4 {
        let before = (packet.clone(), sums(&packet));
        let (choice, value, address) = (input.byte() % 9, input.word(), remote_at(input.byte()));
        let change = |packet: &mut [u8]| -> Result<(), Refused> {
            match choice {
                0 => rewrite::set_ttl(packet, value as u8),
                1 => rewrite::decrement_ttl(packet).map(|left| assert!(left > 0)),
                2 => rewrite::set_dscp(packet, Dscp::truncate(value as u8)),
                3 => rewrite::set_ecn(packet, Ecn::from_ds_field(value as u8)),
                4 => rewrite::set_source(packet, address),
                5 => rewrite::set_destination(packet, address),
                6 => rewrite::set_source_port(packet, value),
                7 => rewrite::set_destination_port(packet, value),
                _ => rewrite::set_vni(packet, Vni::truncate(value.into())),
            }
        };
        match change(&mut packet) {
            Ok(()) => {
                assert_eq!(sums(&packet), before.1, "{:02x?} of {:02x?}", packet, before.0);
                let mut again = packet.clone();
                if choice != 1 {
                    assert_eq!(change(&mut again), Ok(()));
                    assert_eq!(again, packet);
                }
            }
            Err(_) => assert_eq!(packet, before.0, "a refused packet is left as it was"),
        }
    }
}

/// The sums of all that a checksum covers, and the checksum: of the IPv4 header, and of the transport where its header
/// follows at once.
fn sums(packet: &[u8]) -> Option<[Option<Sum>; 2]> {
    let (header, source, destination, protocol, payload): (_, IpAddr, IpAddr, _, _) =
        if packet.first()? >> 4 == 4 {
            let (header, rest) = ipv4::Header::parse(packet).ok()?;
            let head = Sum::ZERO.add_bytes(&packet[..header.header_len()]);
            // Where there are options, the transport's checksum may cover another destination.
            let is_plain = header.header_len() == 20 && header.fragment_offset.value() == 0;
            let payload = header.payload(rest).ok().filter(|_| is_plain);
            (Some(head), header.source.into(), header.destination.into(), header.protocol, payload)
        } else {
            let (header, rest) = ipv6::Header::parse(packet).ok()?;
            let payload = header.payload(rest).ok();
            (None, header.source.into(), header.destination.into(), header.next_header, payload)
        };
    let payload = payload.filter(|payload| match protocol {
        IpProtocol::TCP => payload.len() >= 20,
        IpProtocol::UDP => payload.get(6..8).is_some_and(|checksum| checksum != [0, 0]),
        IpProtocol::ICMPV6 => source.is_ipv6() && payload.len() >= 8,
        _ => false,
    });
    Some([header, payload.map(|payload| sum_of(source, destination, protocol, payload))])
}

fn sum_of(source: IpAddr, destination: IpAddr, protocol: IpProtocol, payload: &[u8]) -> Sum {
    Sum::pseudo(source, destination, protocol, payload.len() as u32).unwrap().add_bytes(payload)
}
