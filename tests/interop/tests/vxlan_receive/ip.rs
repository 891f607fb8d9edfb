//! What is around a good VXLAN header and frame: UDP and IP.

use interop::{
    Case,
    bytes::{self, Ip, ethernet, udp},
    case,
    kernel::{UNDERLAY_MAC, remote_mac, underlay_ip},
};

use crate::{
    PORT, VALID,
    carried::{inner, vxlan},
};

/// A packet whose outer IP header is edited, its checksum right again.
fn with_ip(edit: impl FnOnce(&mut Ip)) -> Vec<u8> {
    let mut ip = underlay_ip(false, 2);
    edit(&mut ip);
    let vxlan = bytes::vxlan(VALID, &inner());
    ethernet(UNDERLAY_MAC, remote_mac(2), 0x0800, &ip.packet(&ip.udp(0xc000, PORT, &vxlan)))
}

/// A packet of this UDP datagram.
fn with_udp(v6: bool, datagram: &[u8]) -> Vec<u8> {
    let ip = underlay_ip(v6, 2);
    ethernet(UNDERLAY_MAC, remote_mac(2), ip.ethertype(), &ip.packet(datagram))
}

/// UDP and IP around a good frame.
pub(crate) fn outsides(v6: bool) -> Vec<Case> {
    let family = if v6 { "v6" } else { "v4" };
    let ip = underlay_ip(v6, 2);
    let vxlan = bytes::vxlan(VALID, &inner());
    let good = ip.udp(0xc000, PORT, &vxlan);
    let mut cases = Vec::new();
    let mut add = |name: &str, datagram: Vec<u8>| {
        cases.push(case(format!("{family}: {name}"), with_udp(v6, &datagram)));
    };
    add("no UDP checksum", udp(0xc000, PORT, &vxlan));
    let edited = |at: usize, value: u8| {
        let mut datagram = good.clone();
        datagram[at] ^= value;
        datagram
    };
    add("wrong UDP checksum", edited(7, 1));
    add("a byte of the frame changed", edited(60, 1));
    add("source port 0", ip.udp(0, PORT, &vxlan));
    add("source port 4789", ip.udp(PORT, PORT, &vxlan));
    let length = |len: usize, checksum: bool| {
        let mut datagram = good.clone();
        datagram[4..6].copy_from_slice(&(len as u16).to_be_bytes());
        datagram[6..8].fill(0);
        if checksum {
            // Over what a receiver takes the datagram to be.
            let covered = if len == 0 { datagram.len() } else { len.min(datagram.len()) };
            let sum = ip.checksum(covered, &datagram[..covered]).to_be_bytes();
            datagram[6..8].copy_from_slice(&sum);
        }
        datagram
    };
    for checksum in [true, false] {
        for len in [0, 1, 7, 8, 12, 15, 16, 29, 30, good.len() - 1, good.len() + 1, good.len() + 100, 65_535]
        {
            let with = if checksum { "and a checksum over that" } else { "and no checksum" };
            add(&format!("UDP length {len} of {} {with}", good.len()), length(len, checksum));
        }
    }
    for len in 0..17 {
        add(&format!("UDP cut to {len} bytes"), good[..len].to_vec());
    }
    cases
}

/// IPv4 headers around a good packet.
pub(crate) fn ipv4() -> Vec<Case> {
    let good = vxlan(false, VALID, &inner());
    let mut cases = Vec::new();
    let mut add = |name: &str, packet: Vec<u8>| cases.push(case(name, packet));
    add("TTL 1", with_ip(|ip| ip.ttl = 1));
    add("TTL 0", with_ip(|ip| ip.ttl = 0));
    add("DF", with_ip(|ip| ip.df = true));
    add("DSCP 46", with_ip(|ip| ip.tos = 0xb8));
    add("another of the kernel's addresses", with_ip(|ip| ip.destination = [10, 99, 1, 1].into()));
    add("from an unspecified address", with_ip(|ip| ip.source = [0, 0, 0, 0].into()));
    add("from a multicast address", with_ip(|ip| ip.source = [224, 0, 0, 5].into()));
    add("from the broadcast address", with_ip(|ip| ip.source = [255; 4].into()));
    add("from loopback", with_ip(|ip| ip.source = [127, 0, 0, 1].into()));
    add("from our own address", with_ip(|ip| ip.source = ip.destination));
    add("from network 0", with_ip(|ip| ip.source = [0, 1, 2, 3].into()));
    add("from class E", with_ip(|ip| ip.source = [240, 0, 0, 1].into()));
    add("to the broadcast address", with_ip(|ip| ip.destination = [255; 4].into()));
    add("to the subnet's broadcast address", with_ip(|ip| ip.destination = [10, 99, 0, 255].into()));
    add("to all hosts", with_ip(|ip| ip.destination = [224, 0, 0, 1].into()));
    add("TCP", with_ip(|ip| ip.protocol = 6));
    add("padding of Ethernet", [&good[..], &[0xaa; 9]].concat());
    let edit = |at: usize, value: u8, mend: bool| {
        let mut packet = good.clone();
        packet[at] = value;
        if mend {
            packet[24..26].fill(0);
            let sum = bytes::checksum(&[&packet[14..34]]).to_be_bytes();
            packet[24..26].copy_from_slice(&sum);
        }
        packet
    };
    add("wrong header checksum", edit(24, !good[24], false));
    add("version 5", edit(14, 0x55, true));
    add("header of 16 bytes", edit(14, 0x44, true));
    add("header longer than the packet says", edit(14, 0x4f, true));
    add("total length too long by 1", edit(17, good[17] + 1, true));
    add("total length too short by 1", edit(17, good[17] - 1, true));
    add("total length 19", {
        let mut packet = edit(16, 0, false);
        packet[17] = 19;
        packet[24..26].fill(0);
        let sum = bytes::checksum(&[&packet[14..34]]).to_be_bytes();
        packet[24..26].copy_from_slice(&sum);
        packet
    });
    let options = {
        let mut packet = [&good[..34], &[1, 1, 1, 0], &good[34..]].concat();
        packet[14] = 0x46;
        let [l0, l1] = (packet.len() as u16 - 14).to_be_bytes();
        packet[16..18].copy_from_slice(&[l0, l1]);
        packet[24..26].fill(0);
        let sum = bytes::checksum(&[&packet[14..38]]).to_be_bytes();
        packet[24..26].copy_from_slice(&sum);
        packet
    };
    add("IP options", options);
    for len in (14..50).chain([good.len() - 1]) {
        add(&format!("packet cut to {len} bytes"), good[..len].to_vec());
    }
    let to_others = with_ip(|ip| ip.destination = [10, 99, 7, 7].into());
    cases.push(case("to another host", to_others).but("any_destination: packets to any address are taken"));
    let [first, second] = fragments(&good);
    cases.push(case("first fragment", first));
    cases.push(case("last fragment", second).but("fragments are dropped (RFC 7348, section 4.3)"));
    cases
}

/// An IPv4 packet in two parts.
pub(crate) fn fragments(packet: &[u8]) -> [Vec<u8>; 2] {
    let part = |offset: usize, bytes: &[u8], more: bool| {
        let mut part = [&packet[..34], bytes].concat();
        part[16..18].copy_from_slice(&(20 + bytes.len() as u16).to_be_bytes());
        part[20..22].copy_from_slice(&((offset as u16 / 8) | (u16::from(more) << 13)).to_be_bytes());
        part[24..26].fill(0);
        let sum = bytes::checksum(&[&part[14..34]]).to_be_bytes();
        part[24..26].copy_from_slice(&sum);
        part
    };
    let (first, second) = packet[34..].split_at(48);
    [part(0, first, true), part(48, second, false)]
}

/// IPv6 headers around a good packet.
pub(crate) fn ipv6() -> Vec<Case> {
    let with_ip = |edit: &dyn Fn(&mut Ip)| {
        let mut ip = underlay_ip(true, 2);
        edit(&mut ip);
        let vxlan = bytes::vxlan(VALID, &inner());
        ethernet(UNDERLAY_MAC, remote_mac(2), 0x86dd, &ip.packet(&ip.udp(0xc000, PORT, &vxlan)))
    };
    let good = with_ip(&|_| {});
    let mut cases = Vec::new();
    let mut add = |name: &str, packet: Vec<u8>| cases.push(case(format!("v6: {name}"), packet));
    let address = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    add("hop limit 1", with_ip(&|ip| ip.ttl = 1));
    add("hop limit 0", with_ip(&|ip| ip.ttl = 0));
    add("traffic class", with_ip(&|ip| ip.tos = 0xb8));
    for source in ["::1", "ff02::1", "::ffff:10.99.0.2", "fe80::2"] {
        add(&format!("from {source}"), with_ip(&|ip| ip.source = address(source)));
    }
    add("TCP", with_ip(&|ip| ip.protocol = 6));
    add("no next header", with_ip(&|ip| ip.protocol = 59));
    let edit = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        packet
    };
    add("version 5", edit(14, 0x50));
    add("flow label", edit(16, 0xab));
    add("payload length too long by 1", edit(19, good[19] + 1));
    add("payload length too short by 1", edit(19, good[19] - 1));
    add("payload length 0", edit(19, 0));
    add("padding of Ethernet", [&good[..], &[0xaa; 9]].concat());
    for (name, header, extension) in [
        ("destination options", 60, &[17, 0, 1, 4, 0, 0, 0, 0][..]),
        ("hop-by-hop options", 0, &[17, 0, 1, 4, 0, 0, 0, 0]),
        ("hop-by-hop and destination options", 0, &[60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0]),
        ("destination and hop-by-hop options", 60, &[0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0]),
        ("authentication", 51, &[17, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef]),
        ("an atomic fragment", 44, &[17, 0, 0, 0, 1, 2, 3, 4]),
        ("options cut off", 60, &[17, 200, 1, 4, 0, 0, 0, 0]),
    ] {
        let mut packet = [&good[..54], extension, &good[54..]].concat();
        packet[20] = header;
        let len = (packet.len() as u16 - 54).to_be_bytes();
        packet[18..20].copy_from_slice(&len);
        add(name, packet);
    }
    for len in (14..80).chain([good.len() - 1]) {
        add(&format!("packet cut to {len} bytes"), good[..len].to_vec());
    }
    for source in ["::", "fd99::1"] {
        let case = case(format!("v6: from {source}"), with_ip(&|ip| ip.source = address(source)));
        cases.push(case.but("refused as over IPv4"));
    }
    cases
}
