//! Packets to test with.

use std::net::IpAddr;

use encap::{
    Packet,
    tunnel::{Builder, DropReason, EncapError, EncapMeta, Endpoint, Inner, Protocol, Remote, vxlan},
    wire::{Dscp, Ecn, FlowLabel, IpProtocol, Vni, checksum::Sum, ipv4, ipv6, udp},
};

/// Room before a packet in all tests: more than any tunnel needs.
pub(crate) const HEADROOM: usize = 160;

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Two ends of one family.
pub(crate) fn ends(v6: bool) -> (IpAddr, IpAddr) {
    if v6 { (ip("2001:db8::1"), ip("2001:db8::2")) } else { (ip("192.0.2.1"), ip("192.0.2.2")) }
}

/// What one packet becomes in its buffer.
pub(crate) fn edit<T, E>(
    bytes: &[u8],
    f: impl FnOnce(&mut Packet<'_>) -> Result<T, E>,
) -> Result<(T, Vec<u8>), E> {
    let mut buffer = vec![0xa5; HEADROOM];
    buffer.extend_from_slice(bytes);
    buffer.extend([0x5a; 16]);
    let before = buffer.clone();
    let mut packet = Packet::new(&mut buffer, HEADROOM, bytes.len()).unwrap();
    match f(&mut packet) {
        Ok(done) => {
            let made = packet.as_slice().to_vec();
            assert!(buffer.ends_with(&[0x5a; 16]), "written behind the packet");
            Ok((done, made))
        }
        Err(error) => {
            assert_eq!(packet.into_range(), (HEADROOM, bytes.len()), "a refused packet is left where it was");
            assert_eq!(buffer[HEADROOM..], before[HEADROOM..], "a refused packet is left as it was");
            Err(error)
        }
    }
}

pub(crate) fn encap<P: Protocol>(
    tunnel: &Endpoint<P>,
    remote: &Remote,
    meta: &EncapMeta,
    packet: &[u8],
) -> Result<Vec<u8>, EncapError> {
    edit(packet, |packet| tunnel.encap_with(packet, remote, meta)).map(|((), made)| made)
}

pub(crate) fn decap<P: Protocol>(
    tunnel: &Endpoint<P>,
    packet: &[u8],
) -> Result<(Inner, Vec<u8>), DropReason> {
    edit(packet, |packet| tunnel.decap(packet))
}

/// An IPv4 packet over UDP.
pub(crate) fn ipv4_packet(ecn: Ecn, dont_fragment: bool, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let (source, destination) = ("10.1.0.1".parse().unwrap(), "10.1.0.2".parse().unwrap());
    let length = 8 + payload.len() as u16;
    let pseudo = Sum::pseudo_ipv4(source, destination, IpProtocol::UDP, length);
    let udp = udp::Header { source_port: 1000, destination_port: 2000, length, checksum: 0 }
        .with_checksum(pseudo, payload);
    let header = ipv4::Header {
        dscp: Dscp::truncate(46),
        ecn,
        total_len: 20 + length,
        identification: 1,
        dont_fragment,
        more_fragments: false,
        fragment_offset: Default::default(),
        ttl,
        protocol: IpProtocol::UDP,
        checksum: 0,
        source,
        destination,
        options: ipv4::Options::NONE,
    };
    [&header.with_checksum().fixed_bytes()[..], &udp.to_bytes(), payload].concat()
}

/// An IPv6 packet over UDP.
pub(crate) fn ipv6_packet(ecn: Ecn, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let (source, destination) = ("fd01::1".parse().unwrap(), "fd01::2".parse().unwrap());
    let length = 8 + payload.len() as u16;
    let pseudo = Sum::pseudo_ipv6(source, destination, IpProtocol::UDP, length.into());
    let udp = udp::Header { source_port: 1000, destination_port: 2000, length, checksum: 0 }
        .with_checksum(pseudo, payload);
    let header = ipv6::Header {
        dscp: Dscp::truncate(46),
        ecn,
        flow_label: FlowLabel::truncate(0x12345),
        payload_len: length,
        next_header: IpProtocol::UDP,
        hop_limit,
        source,
        destination,
    };
    [&header.to_bytes()[..], &udp.to_bytes(), payload].concat()
}

/// An Ethernet frame around a packet, with some VLAN tags.
pub(crate) fn frame(tags: &[u8], packet: &[u8]) -> Vec<u8> {
    let ethertype: &[u8] = if packet[0] >> 4 == 6 { &[0x86, 0xdd] } else { &[0x08, 0x00] };
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], tags, ethertype, packet].concat()
}

/// A plain frame, for tests in which it does not matter.
pub(crate) fn any_frame() -> Vec<u8> {
    frame(&[], &ipv4_packet(Ecn::NotEct, false, 64, b"hello"))
}

/// A VXLAN packet from the first of [`ends`] to the second, and an endpoint that takes it.
pub(crate) fn vxlan_pair(
    v6: bool,
    sender: impl FnOnce(Builder<vxlan::Vxlan>) -> Builder<vxlan::Vxlan>,
    receiver: impl FnOnce(Builder<vxlan::Vxlan>) -> Builder<vxlan::Vxlan>,
) -> (vxlan::Endpoint, Remote, vxlan::Endpoint) {
    let (a, b) = ends(v6);
    let tunnel = sender(vxlan::Endpoint::new(a).inner_vlan(true)).build().unwrap();
    let remote = tunnel.remote(b, Vni::truncate(42)).unwrap();
    (tunnel, remote, receiver(vxlan::Endpoint::new(b)).build().unwrap())
}

/// Corrects the header checksum of an IPv4 packet after it was changed.
pub(crate) fn fix_ipv4(packet: &mut [u8]) {
    let len = usize::from(packet[0] & 15) * 4;
    [packet[10], packet[11]] = [0, 0];
    let checksum = encap::wire::checksum::of(&packet[..len]);
    [packet[10], packet[11]] = checksum.to_be_bytes();
}

/// A pseudo-random generator: the same numbers in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 8) as u8).collect()
    }
}
