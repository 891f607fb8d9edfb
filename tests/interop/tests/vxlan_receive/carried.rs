//! What is in the VXLAN header and behind it.

use interop::{
    Case,
    bytes::{self, Ip, ethernet, icmp_echo, mac},
    case,
    kernel::{OVERLAY_MAC, UNDERLAY_MAC, packet, remote_mac, underlay_ip},
};

use crate::{PORT, VALID};

/// A ping of an inner host.
pub(crate) fn inner() -> Vec<u8> {
    inner_from(mac(9), 0)
}

pub(crate) fn inner_from(source: bytes::Mac, tos: u8) -> Vec<u8> {
    let mut ip = Ip::new([10, 1, 0, 9], [10, 1, 0, 1], 1);
    ip.tos = tos;
    ethernet(OVERLAY_MAC, source, 0x0800, &ip.packet(&icmp_echo(true, 1, b"inner packet")))
}

pub(crate) fn inner_v6(tos: u8) -> Vec<u8> {
    let mut ip = Ip::new([0xfd01, 0, 0, 0, 0, 0, 0, 9], [0xfd01, 0, 0, 0, 0, 0, 0, 1], 17);
    ip.tos = tos;
    ethernet(OVERLAY_MAC, mac(9), 0x86dd, &ip.packet(&ip.udp(7, 7, b"inner packet")))
}

pub(crate) fn tagged(tags: &[u8], tos: u8) -> Vec<u8> {
    let frame = inner_from(mac(9), tos);
    [&frame[..12], tags, &frame[12..]].concat()
}

/// A good packet around this.
pub(crate) fn vxlan(v6: bool, header: u64, frame: &[u8]) -> Vec<u8> {
    packet(v6, 2, PORT, &bytes::vxlan(header, frame))
}

/// The cases that do not depend on the device's settings.
pub(crate) fn headers(v6: bool) -> Vec<Case> {
    let family = if v6 { "v6" } else { "v4" };
    let mut cases = vec![case(format!("{family}: good"), vxlan(v6, VALID, &inner()))];
    let mut add = |name: &str, header: u64| {
        cases.push(case(format!("{family}: {name}"), vxlan(v6, header, &inner())));
    };
    for bit in 0..64 {
        add(&format!("header bit {bit} turned"), VALID ^ 1 << bit);
    }
    add("all reserved bits", 0xffff_ffff_0000_2aff);
    add("VNI 0", 0x0800_0000_0000_0000);
    add("VNI 2^24 - 1", 0x0800_0000_ffff_ff00);
    add("G and a group", 0x8800_1234_0000_2a00);
    add("G, D, A and a group", 0x8848_1234_0000_2a00);
    add("group without G", 0x0800_1234_0000_2a00);
    add("P of GPE", 0x0c00_0003_0000_2a00);
    add("remote checksum offload", 0x0820_0000_0000_2a91);
    cases
}

pub(crate) fn frames() -> Vec<Case> {
    let wrap = |frame: &[u8]| vxlan(false, VALID, frame);
    let mut cases = Vec::new();
    for len in 0..inner().len() {
        cases.push(case(format!("frame cut to {len} bytes"), wrap(&inner()[..len])));
    }
    for len in 12..60 {
        cases.push(case(format!("IPv6 frame cut to {len} bytes"), wrap(&inner_v6(0)[..len])));
    }
    let with = |destination: [u8; 6], source: [u8; 6]| [destination, source].concat();
    for (name, macs) in [
        ("own MAC as source", with(mac(1), OVERLAY_MAC)),
        ("zero source", with(mac(1), [0; 6])),
        ("multicast source", with(mac(1), [3, 0, 0, 0, 0, 9])),
        ("broadcast source", with(mac(1), [0xff; 6])),
        ("broadcast destination", with([0xff; 6], mac(9))),
        ("multicast destination", with([1, 0, 0x5e, 0, 0, 1], mac(9))),
        ("zero destination", with([0; 6], mac(9))),
        ("another host's destination", with(mac(77), mac(9))),
        ("same MAC twice", with(mac(9), mac(9))),
    ] {
        cases.push(case(name, wrap(&[&macs, &inner()[12..]].concat())));
    }
    for (name, tags) in [
        ("VLAN 0", &[0x81, 0, 0, 0][..]),
        ("VLAN 5", &[0x81, 0, 0, 5]),
        ("VLAN 5 in 9", &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5]),
    ] {
        cases.push(case(name, wrap(&tagged(tags, 0))));
    }
    for (name, ethertype, payload) in [
        ("IEEE 802.3 length", 3, &[0xaa, 0xaa, 3][..]),
        ("unknown EtherType", 0x1234, b"whatever"),
        ("nothing behind Ethernet", 0x88b6, b""),
        ("ARP cut off", 0x0806, &[0, 1, 8]),
        ("IPv4 that says it is IPv7", 0x0800, &[0x75; 20]),
        ("IPv4 with a header of 16 bytes", 0x0800, &[0x44; 20]),
        ("IPv6 that says it is IPv4", 0x86dd, &[0x45; 40]),
    ] {
        cases.push(case(name, wrap(&ethernet(OVERLAY_MAC, mac(9), ethertype, payload))));
    }
    let padded = [&inner()[..], &[0; 18]].concat();
    cases.push(case("frame with padding", wrap(&padded)));
    cases.push(case("long frame", wrap(&[&inner()[..], &[7; 1_300]].concat())));
    cases
}

pub(crate) fn ecn(v6: bool, inner_v6_: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for inner in 0..4 {
        for outer in 0..4 {
            let frame = if inner_v6_ { inner_v6(inner) } else { inner_from(mac(9), 0x28 | inner) };
            let mut ip = underlay_ip(v6, 2);
            ip.tos = 0x48 | outer;
            let datagram = ip.udp(0xc000, PORT, &bytes::vxlan(VALID, &frame));
            let packet = ethernet(UNDERLAY_MAC, remote_mac(2), ip.ethertype(), &ip.packet(&datagram));
            let families = (if v6 { 6 } else { 4 }, if inner_v6_ { 6 } else { 4 });
            cases.push(case(
                format!("ECN {inner:02b} in {outer:02b}, IPv{} in IPv{}", families.1, families.0),
                packet,
            ));
        }
    }
    cases
}

/// Marks on tagged frames, which Linux does not look into: it delivers them as they are.
pub(crate) fn ecn_behind_tags() -> Vec<Case> {
    let mut cases = Vec::new();
    for inner in 0..4 {
        for outer in 0..4 {
            let mut ip = underlay_ip(false, 2);
            ip.tos = outer;
            let frame = tagged(&[0x81, 0, 0, 5], inner);
            let datagram = ip.udp(0xc000, PORT, &bytes::vxlan(VALID, &frame));
            let packet = ethernet(UNDERLAY_MAC, remote_mac(2), ip.ethertype(), &ip.packet(&datagram));
            let case = case(format!("ECN {inner:02b} behind a tag in {outer:02b}"), packet);
            let brought = outer == 3 && inner != 3 || outer == 1 && inner == 2;
            cases.push(if brought { case.but("marks are brought through tags") } else { case });
        }
    }
    cases
}
