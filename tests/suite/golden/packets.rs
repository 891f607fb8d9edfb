//! The packets, byte by byte.

use encap::wire::{IpProtocol, checksum::Sum};

use super::{Golden, Kind};

/// All known packets.
pub(crate) fn packets() -> Vec<Golden> {
    let ethernet =
        |name, hex: &str, layers| Golden { name, start: Kind::Ethernet, bytes: bytes(hex), layers };
    let gre = |name, hex: &str, layers| Golden {
        name,
        start: Kind::Ip(IpProtocol::GRE, Sum::ZERO),
        bytes: [bytes(hex), bytes(GRE_PAYLOAD)].concat(),
        layers,
    };
    vec![
        ethernet("inner frame", INNER, "ethernet ipv4/Good udp/Good"),
        ethernet(
            "VXLAN without UDP checksum",
            &[OUTER, "e3e612b5003f0000", VXLAN, INNER].concat(),
            "ethernet ipv4/Good udp/Absent vxlan ethernet ipv4/Good udp/Good",
        ),
        ethernet(
            "VXLAN with UDP checksum",
            &[OUTER, "e3e612b5003fc9df", VXLAN, INNER].concat(),
            "ethernet ipv4/Good udp/Good vxlan ethernet ipv4/Good udp/Good",
        ),
        ethernet("ARP request", ARP_REQUEST, "ethernet arp"),
        ethernet("ARP reply", ARP_REPLY, "ethernet arp"),
        ethernet("neighbour solicitation", SOLICITATION, "ethernet ipv6"),
        ethernet("neighbour advertisement", ADVERTISEMENT, "ethernet ipv6"),
        ethernet("frame with remote checksum", REMOTE_CHECKSUM, "ethernet ipv4/Good udp/Bad"),
        gre("GRE", "00000800", "gre/Absent ipv4/Good udp/Good"),
        gre("GRE with key", "2000080001020304", "gre/Absent ipv4/Good udp/Good"),
        gre("GRE with sequence number", "1000080000000007", "gre/Absent ipv4/Good udp/Good"),
        gre("GRE with checksum", "800008008c220000", "gre/Good ipv4/Good udp/Good"),
        gre("GRE with all", "b0000800581500000102030400000007", "gre/Good ipv4/Good udp/Good"),
    ]
}

/// 10.1.0.1 to 10.1.0.2, "hello"; TOS 0x03.
pub(super) const INNER: &str = concat!(
    "0200000001020200000000010800",
    "4503002100010000401166c40a0100010a010002",
    "03e807d0000d9c4568656c6c6f",
);

/// Outer Ethernet and IPv4, 10.9.0.1 to 10.9.0.2: CE inside became ECT(0) outside.
const OUTER: &str = "02000000000b02000000000a080045020053d795000040118eee0a0900010a090002";

/// VNI 42.
pub(super) const VXLAN: &str = "0800000000002a00";

const ARP_REQUEST: &str =
    concat!("ffffffffffff0200000000010806", "00010800060400010200000000010a010001", "0000000000000a010002",);

const ARP_REPLY: &str =
    concat!("0200000000010200000001020806", "00010800060400020200000001020a010002", "0200000000010a010001",);

pub(super) const SOLICITATION: &str = concat!(
    "3333ff00000202000000000186dd6000000000203aff",
    "fd010000000000000000000000000001ff0200000000000000000001ff000002",
    "87007d9500000000fd0100000000000000000000000000020101020000000001",
);

pub(super) const ADVERTISEMENT: &str = concat!(
    "02000000000102000000010286dd6000000000203aff",
    "fd010000000000000000000000000002fd010000000000000000000000000001",
    "88001b9760000000fd0100000000000000000000000000020201020000000102",
);

/// A frame whose UDP checksum field holds the sum of the pseudo header only.
pub(super) const REMOTE_CHECKSUM: &str = concat!(
    "02000000000102000000020108004500002100010000401174c6",
    "010101010202020203e807d0000d062468656c6c6f",
);

pub(super) const GRE_PAYLOAD: &str = "4500002100010000401166c70a0100010a01000203e807d0000d9c4568656c6c6f";

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
