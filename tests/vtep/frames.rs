//! Bytes to test with: packets from the underlay, tags, questions of hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::{
    Packet,
    vtep::{Config, DropReason, Output},
    wire::{
        FlowLabel, IpProtocol, MacAddr, Vni, arp, checksum::Sum, ethernet, icmpv6, ipv4, ipv6,
        ndp::Solicitation, ndp_option::NeighborOption, udp, vxlan,
    },
};

use crate::common::*;

/// A packet of the underlay, as its sender makes it.
#[derive(Clone, Debug)]
pub(crate) struct Outer {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ds_field: u8,
    pub(crate) source_port: u16,
    pub(crate) port: u16,
    pub(crate) checksum: bool,
    /// The VXLAN header.
    pub(crate) vxlan: Vec<u8>,
    pub(crate) frame: Vec<u8>,
}

impl Outer {
    /// From 192.0.2.1 to 192.0.2.2, for our segment, without a UDP checksum.
    pub(crate) fn new(port: u16, frame: &[u8]) -> Self {
        Self {
            source: address(1),
            destination: address(2),
            ds_field: 0,
            source_port: 50_000,
            port,
            checksum: false,
            vxlan: vxlan::Header::new(VNI).to_bytes().to_vec(),
            frame: frame.to_vec(),
        }
    }

    pub(crate) fn vni(mut self, vni: Vni) -> Self {
        self.vxlan = vxlan::Header::new(vni).to_bytes().to_vec();
        self
    }

    /// Sets these bits of the VXLAN header.
    pub(crate) fn bits(mut self, bits: u64) -> Self {
        self.vxlan.iter_mut().zip(bits.to_be_bytes()).for_each(|(byte, bits)| *byte |= bits);
        self
    }

    /// The packet, from its IP header on.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let payload = [&self.vxlan[..], &self.frame].concat();
        let udp = udp::Header {
            source_port: self.source_port,
            destination_port: self.port,
            length: 8 + payload.len() as u16,
            checksum: 0,
        };
        let pseudo = Sum::pseudo(self.source, self.destination, IpProtocol::UDP, udp.length.into()).unwrap();
        let udp = if self.checksum { udp.with_checksum(pseudo, &payload) } else { udp };
        ip(self.source, self.destination, 17, self.ds_field, &[&udp.to_bytes()[..], &payload].concat())
    }
}

/// An IP packet.
pub(crate) fn ip(source: IpAddr, destination: IpAddr, protocol: u8, ds_field: u8, payload: &[u8]) -> Vec<u8> {
    let header = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let [l0, l1] = (20 + payload.len() as u16).to_be_bytes();
            let head = [0x45, ds_field, l0, l1, 0, 0, 0x40, 0, 64, protocol, 0, 0];
            let bytes = [&head[..], &source.octets(), &destination.octets()].concat();
            fix_ipv4(bytes)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => ipv6::Header {
            dscp: encap::wire::Dscp::truncate(ds_field >> 2),
            ecn: encap::wire::Ecn::from_ds_field(ds_field),
            flow_label: FlowLabel::default(),
            payload_len: payload.len() as u16,
            next_header: IpProtocol(protocol),
            hop_limit: 255,
            source,
            destination,
        }
        .to_bytes()
        .to_vec(),
        _ => panic!("one family"),
    };
    [&header[..], payload].concat()
}

/// The packet with a checksum that is right again.
pub(crate) fn fix_ipv4(mut packet: Vec<u8>) -> Vec<u8> {
    let header_len = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let sum = Sum::ZERO.add_bytes(&packet[..header_len]).checksum();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// The frame with this VLAN tag in front.
pub(crate) fn tagged(vlan: u16, frame: &[u8]) -> Vec<u8> {
    let [v0, v1] = vlan.to_be_bytes();
    [&frame[..12], &[0x81, 0, v0, v1], &frame[12..]].concat()
}

/// An ARP packet in a frame.
pub(crate) fn arp(
    destination: MacAddr,
    operation: u16,
    (sender_mac, sender_ip): (MacAddr, [u8; 4]),
    target_ip: [u8; 4],
) -> Vec<u8> {
    let packet = arp::Header {
        operation: arp::Operation(operation),
        sender_mac,
        sender_ip: Ipv4Addr::from(sender_ip),
        target_mac: MacAddr::ZERO,
        target_ip: Ipv4Addr::from(target_ip),
    };
    frame(destination, sender_mac, 0x0806, &packet.to_bytes())
}

/// A neighbour solicitation in a frame.
#[derive(Clone, Debug)]
pub(crate) struct Ns {
    pub(crate) link: MacAddr,
    pub(crate) source_mac: MacAddr,
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
    pub(crate) target: Ipv6Addr,
    pub(crate) hop_limit: u8,
    pub(crate) options: Vec<u8>,
}

impl Ns {
    /// Host `host` asks all that might be `target` for its MAC address.
    pub(crate) fn new(host: u8, target: Ipv6Addr) -> Self {
        let destination = encap::wire::ndp::solicited_node(target);
        Self {
            link: encap::wire::ndp::group_mac(destination),
            source_mac: mac(host),
            source: v6(host),
            destination,
            target,
            hop_limit: 255,
            options: NeighborOption::source_address(mac(host)).to_vec(),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let message = Solicitation { checksum: 0, target: self.target }.to_bytes();
        let message = icmpv6_checksum(self.source, self.destination, [&message[..], &self.options].concat());
        let mut packet = ip(self.source.into(), self.destination.into(), 58, 0, &message);
        packet[7] = self.hop_limit;
        frame(self.link, self.source_mac, 0x86dd, &packet)
    }
}

/// The ICMPv6 message with its checksum.
pub(crate) fn icmpv6_checksum(source: Ipv6Addr, destination: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let pseudo = Sum::pseudo_ipv6(source, destination, IpProtocol::ICMPV6, message.len() as u32);
    let (header, rest) = icmpv6::Header::parse(&message).unwrap();
    let header = header.with_checksum(pseudo, rest).to_bytes();
    message[..8].copy_from_slice(&header);
    message
}

/// fd01::`host`.
pub(crate) fn v6(host: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, host.into())
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// An IPv4 packet of UDP in a frame with this many bytes, DF as told.
pub(crate) fn sized(destination: MacAddr, source: MacAddr, len: usize, dont_fragment: bool) -> Vec<u8> {
    let mut frame = datagram(destination, source, len - 14 - 28);
    frame[20] = if dont_fragment { 0x40 } else { 0 };
    let ip = fix_ipv4(frame.split_off(ethernet::Header::LEN));
    [frame, ip].concat()
}

/// The settings, changed.
pub(crate) fn with<T>(mut config: Config, change: impl FnOnce(&mut Config) -> T) -> Config {
    change(&mut config);
    config
}

impl Node {
    /// The node refuses the packet for this reason: it is counted once and nothing else is; packet and tables stay.
    pub(crate) fn refuses(&mut self, packet: &[u8], reason: impl Into<DropReason>) {
        let reason = reason.into();
        let (before, entries) = (*self.worker.counters(), self.vtep.fdb().count());
        let remotes = self.vtep.remotes().count();
        assert_eq!(self.receive(NOW, packet), (Output::Drop(reason), packet.to_vec()));
        self.counted(before, reason);
        assert_eq!((self.vtep.fdb().count(), self.vtep.remotes().count()), (entries, remotes), "learned");
    }

    /// The same for a frame to send.
    pub(crate) fn refuses_frame(&mut self, frame: &[u8], reason: DropReason) {
        let before = *self.worker.counters();
        assert_eq!(self.send(NOW, frame), (Output::Drop(reason), frame.to_vec()));
        self.counted(before, reason);
    }

    fn counted(&self, before: encap::vtep::Counters, reason: DropReason) {
        let after = *self.worker.counters();
        assert_eq!(after.dropped(reason), before.dropped(reason) + 1);
        let all = |counters: &encap::vtep::Counters| counters.drops().map(|(_, count)| count).sum::<u64>();
        assert_eq!(all(&after), all(&before) + 1);
        assert_eq!(
            (after.sent, after.delivered, after.replies),
            (before.sent, before.delivered, before.replies)
        );
    }

    /// The node delivers the frame in this packet; answers it.
    pub(crate) fn delivers(&mut self, packet: &[u8]) -> Vec<u8> {
        let before = self.worker.counters().delivered;
        let (output, frame) = self.receive(NOW, packet);
        assert!(matches!(output, Output::Deliver { vni: VNI, .. }), "{output:?}");
        assert_eq!(self.worker.counters().delivered, before + 1);
        frame
    }

    /// The packet is for somebody else: not touched, not counted.
    pub(crate) fn passes(&mut self, packet: &[u8]) {
        let before = *self.worker.counters();
        assert_eq!(self.receive(NOW, packet), (Output::Pass, packet.to_vec()));
        assert_eq!(*self.worker.counters(), before);
    }

    /// The frame is sent to this remote alone; answers the packet.
    pub(crate) fn sends(&mut self, frame: &[u8], to: u8) -> Vec<u8> {
        let (output, packet) = self.send(NOW, frame);
        let Output::Send { address: found, .. } = output else { panic!("{output:?}") };
        assert_eq!(found, address(to));
        packet
    }

    /// As [`send`](Self::send), with so many bytes before the frame.
    pub(crate) fn send_behind(&mut self, headroom: usize, frame: &[u8]) -> (Output, Vec<u8>) {
        let mut buffer = vec![0xee; headroom];
        buffer.extend_from_slice(frame);
        let mut packet = Packet::new(&mut buffer, headroom, frame.len()).unwrap();
        let meta = encap::vtep::OverlayMeta::new(VNI);
        let output = self.vtep.handle_overlay(&mut self.worker, NOW, &meta, &mut packet);
        (output, packet.as_slice().to_vec())
    }

    pub(crate) fn drops(&self, reason: DropReason) -> u64 {
        self.worker.counters().dropped(reason)
    }
}

/// What a header of IPv4 says, its checksum proven.
pub(crate) fn read_ipv4(packet: &[u8]) -> (ipv4::Header, &[u8]) {
    let (header, rest) = ipv4::Header::parse(packet).unwrap();
    assert_eq!(ipv4::verify(&packet[..header.header_len()]), encap::wire::checksum::State::Good);
    (header, rest)
}
