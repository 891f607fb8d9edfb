//! VXLAN and Geneve.

use interop::{
    Case,
    bytes::{self, Ip, udp},
    case,
};

use crate::{OURS, THEIRS, frame};

/// `Policy::LINUX`.
pub(crate) const NO_CRITICAL_OPTION: &str = "options are judged one by one, and not by the C flag";

pub(crate) fn over_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let ip = Ip::new(OURS, THEIRS, 17);
    ip.packet(&ip.udp(0xc000, port, payload))
}

pub(crate) fn vxlan() -> Vec<Case> {
    let mut cases = Vec::new();
    let good = 0x0800_0000_0000_1e00_u64;
    let mut add = |name: String, header: u64| {
        cases.push(case(name, over_udp(4789, &bytes::vxlan(header, &frame()))));
    };
    add("VXLAN".to_owned(), good);
    for bit in 0..64 {
        add(format!("VXLAN, bit {bit} turned"), good ^ 1 << bit);
    }
    for len in 0..8 + 36 {
        let bytes = bytes::vxlan(good, &frame());
        cases.push(case(format!("VXLAN, {len} bytes"), over_udp(4789, &bytes[..len])));
    }
    let ip = Ip::new(OURS, THEIRS, 17);
    let mut wrong = ip.udp(0xc000, 4789, &bytes::vxlan(good, &frame()));
    wrong[6] ^= 1;
    cases.push(case("VXLAN, wrong UDP checksum", ip.packet(&wrong)));
    cases.push(case("VXLAN, no UDP checksum", ip.packet(&udp(0xc000, 4789, &bytes::vxlan(good, &frame())))));
    cases
}

pub(crate) fn geneve() -> Vec<Case> {
    let mut cases = Vec::new();
    let packet = |header: [u8; 8], rest: &[u8]| over_udp(6081, &[&header[..], rest].concat());
    let good = [0, 0, 0x65, 0x58, 0, 0, 40, 0];
    cases.push(case("Geneve", packet(good, &frame())));
    for bit in 0..64 {
        let header = (u64::from_be_bytes(good) ^ 1 << bit).to_be_bytes();
        let name = format!("Geneve, bit {bit} turned");
        cases.push(match bit {
            // The frame then starts with what looks like options.
            56..=61 => continue,
            54 => case(name, packet(header, &frame())).but(NO_CRITICAL_OPTION),
            _ => case(name, packet(header, &frame())),
        });
    }
    for version in 1..4 {
        cases.push(case(
            format!("Geneve version {version}"),
            packet([version << 6, 0, 0x65, 0x58, 0, 0, 40, 0], &frame()),
        ));
    }
    for len in 0..8 + 36 {
        let bytes = [&good[..], &frame()].concat();
        cases.push(case(format!("Geneve, {len} bytes"), over_udp(6081, &bytes[..len])));
    }
    let option =
        |class: u16, kind: u8, len: u8, data: &[u8]| [&class.to_be_bytes()[..], &[kind, len], data].concat();
    let with = |flags: u8, options: &[u8]| {
        packet([(options.len() / 4) as u8, flags, 0x65, 0x58, 0, 0, 40, 0], &[options, &frame()].concat())
    };
    let plain = option(0x0102, 1, 1, &[1, 2, 3, 4]);
    let critical = option(0x0102, 0x81, 1, &[1, 2, 3, 4]);
    cases.push(case("an option", with(0, &plain)));
    cases.push(case("two options", with(0, &[&plain[..], &plain].concat())));
    cases.push(case("a critical option", with(0x40, &critical)));
    cases.push(
        case("a critical option without the C flag", with(0, &critical))
            .but("critical options count without the C flag too (RFC 8926, section 3.5)"),
    );
    cases.push(case("the C flag without a critical option", with(0x40, &plain)).but(NO_CRITICAL_OPTION));
    cases.push(
        case("an option longer than all", with(0, &option(0x0102, 1, 2, &[1, 2, 3, 4])))
            .but("options must add up (RFC 8926, section 3.5)"),
    );
    let mut past = with(0, &plain);
    past[20 + 8] = 63;
    let ip = Ip::new(OURS, THEIRS, 17);
    past[26..28].fill(0);
    let sum = ip.checksum(past.len() - 20, &past[20..]).to_be_bytes();
    past[26..28].copy_from_slice(&sum);
    cases.push(case("options past the end", past));
    cases
}
