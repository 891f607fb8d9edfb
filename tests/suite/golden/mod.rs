//! Packets as the Linux kernel (6.18) sent and took them, and GRE packets with checksums that were
//! computed by hand: read layer by layer, written back to the same bytes.

mod packets;

use std::net::{Ipv4Addr, Ipv6Addr};

use encap::wire::{
    Ecn, Error, EtherType, IpProtocol, MacAddr, Vni, arp,
    checksum::{State, Sum},
    ethernet, gre, ipv4, ipv6, udp, vlan, vxlan,
};

pub(crate) use self::packets::packets;
use self::packets::{ADVERTISEMENT, GRE_PAYLOAD, INNER, REMOTE_CHECKSUM, SOLICITATION, VXLAN, bytes};

/// A packet, and what is known of it.
pub(crate) struct Golden {
    pub(crate) name: &'static str,
    pub(crate) start: Kind,
    pub(crate) bytes: Vec<u8>,
    /// The names of the layers, and the state of the checksum of those that have one.
    layers: &'static str,
}

/// What bytes are to be read as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Ethernet,
    Vxlan,
    Ether(EtherType),
    /// With the pseudo header for a payload of this many bytes.
    Ip(IpProtocol, Sum),
}

/// One header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Header {
    Ethernet(ethernet::Header),
    Vlan(vlan::Header),
    Arp(arp::Header),
    Ipv4(ipv4::Header, State),
    Ipv6(ipv6::Header),
    Udp(udp::Header, State),
    Vxlan(vxlan::Header),
    Gre(gre::Header, State),
}

/// What a walk through a packet found.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) headers: Vec<Header>,
    /// The headers as they are emitted, payload and padding between and behind them.
    pub(crate) emitted: Vec<u8>,
}

impl Walk {
    /// Reads header after header and emits what was read.
    pub(crate) fn read(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), Error> {
        let udp_ports = [vxlan::PORT, vxlan::LINUX_PORT];
        match kind {
            Kind::Ethernet | Kind::Ether(EtherType::TEB) => {
                let (header, rest) = ethernet::Header::parse(bytes)?;
                self.push(Header::Ethernet(header), &header.to_bytes());
                self.read(Kind::Ether(header.ethertype), rest)
            }
            Kind::Ether(ethertype) if ethertype.is_vlan() => {
                let (header, rest) = vlan::Header::parse(bytes)?;
                self.push(Header::Vlan(header), &header.to_bytes());
                self.read(Kind::Ether(header.ethertype), rest)
            }
            Kind::Ether(EtherType::ARP) => {
                let (header, rest) = arp::Header::parse(bytes)?;
                self.push(Header::Arp(header), &header.to_bytes());
                self.payload(rest);
                Ok(())
            }
            Kind::Ether(EtherType::IPV4) => {
                let (header, rest) = ipv4::Header::parse(bytes)?;
                let payload = header.payload(rest)?;
                let len = header.header_len();
                self.push(Header::Ipv4(header, ipv4::verify(&bytes[..len])), &header.to_bytes()[..len]);
                let (source, destination) = (header.source, header.destination);
                let pseudo = Sum::pseudo_ipv4(source, destination, header.protocol, payload.len() as u16);
                self.read(Kind::Ip(header.protocol, pseudo), payload)?;
                self.payload(&rest[payload.len()..]);
                Ok(())
            }
            Kind::Ether(EtherType::IPV6) => {
                let (header, rest) = ipv6::Header::parse(bytes)?;
                let payload = header.payload(rest)?;
                self.push(Header::Ipv6(header), &header.to_bytes());
                let (source, destination) = (header.source, header.destination);
                let pseudo = Sum::pseudo_ipv6(source, destination, header.next_header, payload.len() as u32);
                self.read(Kind::Ip(header.next_header, pseudo), payload)?;
                self.payload(&rest[payload.len()..]);
                Ok(())
            }
            Kind::Ip(IpProtocol::UDP, pseudo) => {
                let (header, rest) = udp::Header::parse(bytes)?;
                let payload = header.payload(rest)?;
                let state = udp::verify(pseudo, &bytes[..header.length.into()]);
                self.push(Header::Udp(header, state), &header.to_bytes());
                if udp_ports.contains(&header.destination_port) {
                    self.read(Kind::Vxlan, payload)?;
                } else {
                    self.payload(payload);
                }
                self.payload(&rest[payload.len()..]);
                Ok(())
            }
            Kind::Ip(IpProtocol::GRE, _) => {
                let (header, rest) = gre::Header::parse(bytes)?;
                let state = gre::verify(bytes);
                self.push(Header::Gre(header, state), &header.to_bytes()[..header.header_len()]);
                self.read(Kind::Ether(header.protocol), rest)
            }
            Kind::Vxlan => {
                let (header, rest) = vxlan::Header::parse(bytes)?;
                self.push(Header::Vxlan(header), &header.to_bytes());
                self.read(Kind::Ethernet, rest)
            }
            Kind::Ether(_) | Kind::Ip(..) => {
                self.payload(bytes);
                Ok(())
            }
        }
    }

    fn push(&mut self, header: Header, emitted: &[u8]) {
        self.headers.push(header);
        self.emitted.extend(emitted);
    }

    fn payload(&mut self, bytes: &[u8]) {
        self.emitted.extend(bytes);
    }

    fn names(&self) -> String {
        let names = self.headers.iter().map(|header| match header {
            Header::Ethernet(_) => "ethernet".into(),
            Header::Vlan(_) => "vlan".into(),
            Header::Arp(_) => "arp".into(),
            Header::Ipv4(_, state) => format!("ipv4/{state:?}"),
            Header::Ipv6(_) => "ipv6".into(),
            Header::Udp(_, state) => format!("udp/{state:?}"),
            Header::Vxlan(_) => "vxlan".into(),
            Header::Gre(_, state) => format!("gre/{state:?}"),
        });
        names.collect::<Vec<String>>().join(" ")
    }
}

fn walk(name: &str) -> Vec<Header> {
    let packet = packets().into_iter().find(|packet| packet.name == name).unwrap();
    let mut walk = Walk::default();
    walk.read(packet.start, &packet.bytes).unwrap();
    walk.headers
}

#[test]
fn every_packet_is_read_and_written_back() {
    for packet in packets() {
        let mut walk = Walk::default();
        assert_eq!(walk.read(packet.start, &packet.bytes), Ok(()), "{}", packet.name);
        assert_eq!(walk.names(), packet.layers, "{}", packet.name);
        assert_eq!(walk.emitted, packet.bytes, "{}", packet.name);
    }
}

/// Whatever is cut off, the layers before the cut are read as before, and the error is that there is too
/// little.
#[test]
fn every_truncation_of_every_packet() {
    for packet in packets() {
        let mut whole = Walk::default();
        whole.read(packet.start, &packet.bytes).unwrap();
        for len in 0..packet.bytes.len() {
            let mut walk = Walk::default();
            let cut = walk.read(packet.start, &packet.bytes[..len]);
            let Err(Error::Truncated { need, have, .. }) = cut else {
                panic!("{} cut to {len} bytes: {cut:?}", packet.name);
            };
            assert!(need > have && have <= len);
            assert!(walk.headers.len() < whole.headers.len());
            for (cut, whole) in walk.headers.iter().zip(&whole.headers) {
                match (cut, whole) {
                    // The checksum of GRE covers what was cut off.
                    (Header::Gre(cut, _), Header::Gre(whole, _)) => assert_eq!(cut, whole),
                    _ => assert_eq!(cut, whole),
                }
            }
        }
    }
}

#[test]
fn vxlan_fields() {
    let headers = walk("VXLAN without UDP checksum");
    let [_, Header::Ipv4(outer, _), Header::Udp(udp, _), Header::Vxlan(vxlan), inner, ip, _] = headers[..]
    else {
        panic!("{headers:?}");
    };
    assert_eq!((outer.source, outer.destination), (ip4(10, 9, 0, 1), ip4(10, 9, 0, 2)));
    assert_eq!((outer.ecn, outer.ttl, outer.total_len), (Ecn::Ect0, 64, 83));
    assert!(!outer.dont_fragment && !outer.is_fragment());
    assert_eq!((udp.source_port, udp.destination_port, udp.length), (0xe3e6, vxlan::PORT, 63));
    assert_eq!(vxlan, vxlan::Header::new(Vni::new(42).unwrap()));
    let Header::Ethernet(inner) = inner else { panic!("{inner:?}") };
    assert_eq!(inner.source, MacAddr([2, 0, 0, 0, 0, 1]));
    assert_eq!(inner.destination, MacAddr([2, 0, 0, 0, 1, 2]));
    assert!(matches!(ip, Header::Ipv4(ip, _) if ip.ecn == Ecn::Ce));
}

/// The checksums that the kernel put are those that we compute.
#[test]
fn checksums_are_those_of_the_kernel() {
    let headers = walk("VXLAN with UDP checksum");
    let [_, Header::Ipv4(ip, _), Header::Udp(udp, _), ..] = headers[..] else { panic!("{headers:?}") };
    assert_eq!(ipv4::Header { checksum: 0, ..ip }.with_checksum(), ip);
    let pseudo = Sum::pseudo_ipv4(ip.source, ip.destination, IpProtocol::UDP, udp.length);
    let payload = bytes(&[VXLAN, INNER].concat());
    assert_eq!(udp::Header { checksum: 0, ..udp }.with_checksum(pseudo, &payload), udp);

    for packet in [SOLICITATION, ADVERTISEMENT] {
        let frame = bytes(packet);
        let (header, icmp) = ipv6::Header::parse(&frame[14..]).unwrap();
        let pseudo = Sum::pseudo_ipv6(header.source, header.destination, IpProtocol::ICMPV6, 32);
        assert_eq!(header.hop_limit, 255);
        assert_eq!(State::verified(pseudo.add_bytes(icmp)), State::Good);
    }
}

#[test]
fn arp_fields() {
    let (host, neighbour) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 1, 2]));
    let request = arp::Header {
        operation: arp::Operation::REQUEST,
        sender_mac: host,
        sender_ip: ip4(10, 1, 0, 1),
        target_mac: MacAddr::ZERO,
        target_ip: ip4(10, 1, 0, 2),
    };
    let reply = arp::Header {
        operation: arp::Operation::REPLY,
        sender_mac: neighbour,
        sender_ip: ip4(10, 1, 0, 2),
        target_mac: host,
        target_ip: ip4(10, 1, 0, 1),
    };
    let frame = |destination, source| {
        Header::Ethernet(ethernet::Header { destination, source, ethertype: EtherType::ARP })
    };
    assert_eq!(walk("ARP request"), [frame(MacAddr::BROADCAST, host), Header::Arp(request)]);
    assert_eq!(walk("ARP reply"), [frame(host, neighbour), Header::Arp(reply)]);
}

#[test]
fn neighbour_discovery_addresses() {
    let headers = walk("neighbour solicitation");
    let [Header::Ethernet(ethernet), Header::Ipv6(ip)] = headers[..] else { panic!("{headers:?}") };
    assert_eq!(ethernet.destination, MacAddr([0x33, 0x33, 0xff, 0, 0, 2]));
    assert_eq!(ip.source, Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1));
    assert_eq!(ip.destination, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 2));
}

#[test]
fn gre_fields() {
    let headers = walk("GRE with all");
    let Header::Gre(gre, _) = headers[0] else { panic!("{headers:?}") };
    assert_eq!(gre.reserved, gre::Reserved0::NONE);
    assert_eq!((gre.checksum, gre.key, gre.sequence), (Some(0x5815), Some(gre::Key(0x0102_0304)), Some(7)));
    let cleared = gre::Header { checksum: None, ..gre };
    assert_eq!(cleared.with_checksum(&bytes(GRE_PAYLOAD)), gre);
}

/// What the kernel sends with Group Policy on: the mark becomes flags and policy in the reserved bits,
/// which the header keeps beside the VNI.
#[test]
fn group_policy_headers_survive() {
    for (header, reserved) in [
        ("0800000000002a00", 0x0000_0000),
        ("8800123400002a00", 0x8000_1234),
        ("8848000500002a00", 0x8048_0005),
        ("8848ffff00002a00", 0x8048_ffff),
        ("8840000000002a00", 0x8040_0000),
        ("8800000000002a00", 0x8000_0000u64),
    ] {
        let bytes = bytes(header);
        let (header, rest) = vxlan::Header::parse(&bytes).unwrap();
        assert_eq!((header.vni(), rest), (Vni::new(42), &[][..]));
        assert_eq!(header.reserved(), reserved << 32);
        assert_eq!(header.to_bytes()[..], bytes);
    }
}

/// The kernel's option `reserved_bits` is one AND with what the header kept: which headers were delivered
/// under which mask.
#[test]
fn reserved_bits_decide_as_in_the_kernel() {
    let headers =
        [VXLAN, "0800000100002a00", "0800000000002a01", "ffffffff00002aff", "0000000000002a00"].map(bytes);
    for (mask, delivered) in [
        (vxlan::RESERVED, [true, false, false, false, false]),
        (0xf7ff_ffff_0000_00ff, [true, false, false, false, false]),
        (0x0000_0001_0000_0000, [true, false, true, false, false]),
        (0, [true, true, true, true, false]),
    ] {
        for (bytes, delivered) in headers.iter().zip(delivered) {
            let (header, _) = vxlan::Header::parse(bytes).unwrap();
            let taken = header.vni() == Vni::new(42) && header.reserved() & mask == 0;
            assert_eq!(taken, delivered, "{bytes:02x?} under {mask:#018x}");
        }
    }
}

/// Remote checksum offload: the sum from the start that the VXLAN header names, 34 bytes into the frame,
/// over a field that holds the pseudo header's sum, gives the checksum that the kernel put there.
#[test]
fn a_remote_checksum_is_finished() {
    let frame = bytes(REMOTE_CHECKSUM);
    let (ip, _) = ipv4::Header::parse(&frame[14..]).unwrap();
    let pseudo = Sum::pseudo_ipv4(ip.source, ip.destination, IpProtocol::UDP, 13);
    assert_eq!(pseudo.value(), 0x0624);
    let (start, field) = (17 * 2, 17 * 2 + 6);
    assert_eq!(frame[field..field + 2], [0x06, 0x24]);
    let finished = Sum::ZERO.add_bytes(&frame[start..]).checksum();
    assert_eq!(finished, 0xaa44);
    let mut delivered = frame.clone();
    delivered[field..field + 2].copy_from_slice(&finished.to_be_bytes());
    assert_eq!(udp::verify(pseudo, &delivered[start..]), State::Good);
}

fn ip4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}
