//! Packets of a running kernel, byte for byte (section F of the reference, Linux 6.18).

use encap::{
    tunnel::{DontFragment, EncapMeta, Framing, Link, UdpChecksum, ecn, vxlan},
    wire::{MacAddr, Vni},
};

use crate::common::{decap, encap, ip};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// IPv4 with a TOS of 3 (CE).
const INNER: &str = "020000000102020000000001080045030021000100004011 66c4 0a0100010a010002
    03e807d0000d9c4568656c6c6f";

/// `id 42 local 10.9.0.1 remote 10.9.0.2 dstport 4789 noudpcsum`: CE became ECT(0).
const OUTER: &str = "02000000000b 02000000000a 0800 45020053d795000040118eee0a0900010a090002
    e3e612b5003f0000 0800000000002a00";

fn kernel(udp_checksum: UdpChecksum) -> vxlan::Endpoint {
    let link =
        Link { source: MacAddr([2, 0, 0, 0, 0, 0x0a]), next_hop: MacAddr([2, 0, 0, 0, 0, 0x0b]), vlan: None };
    vxlan::Endpoint::new(ip("10.9.0.1"))
        .framing(Framing::Ethernet(link))
        .ecn(ecn::Mode::Linux)
        .dont_fragment(DontFragment::Unset)
        .source_ports(0xe3e6..=0xe3e6)
        .udp_checksum(udp_checksum)
        .build()
        .unwrap()
}

#[test]
fn f_vxlan_without_and_with_udp_checksum() {
    let inner = hex(INNER);
    let meta = EncapMeta::new().identification(0xd795);
    for (mode, udp) in [(UdpChecksum::Zero, "e3e612b5003f0000"), (UdpChecksum::Full, "e3e612b5003fc9df")] {
        let tunnel = kernel(mode);
        let remote = tunnel.remote(ip("10.9.0.2"), Vni::truncate(42)).unwrap();
        let expected = hex(&(OUTER.replace("e3e612b5003f0000", udp) + INNER));
        assert_eq!(encap(&tunnel, &remote, &meta, &inner), Ok(expected.clone()));
        // As a header of its own, for scatter/gather.
        let header = tunnel.header(&inner, &remote, &meta).unwrap();
        assert_eq!(header[..], expected[..50]);
    }
}

#[test]
fn f_vxlan_is_received() {
    let link = Link { source: MacAddr::ZERO, next_hop: MacAddr::ZERO, vlan: None };
    let receiver = vxlan::Endpoint::new(ip("10.9.0.2")).framing(Framing::Ethernet(link)).build().unwrap();
    let (inner, made) = decap(&receiver, &hex(&(OUTER.to_owned() + INNER))).unwrap();
    assert_eq!((inner.encapsulation.vni(), made), (Vni::new(42), hex(INNER)));
}

#[test]
fn a9_rfc6040_normal_mode_differs_from_the_kernel_in_one_cell() {
    let tunnel = vxlan::Endpoint::new(ip("10.9.0.1")).build().unwrap();
    let remote = tunnel.remote(ip("10.9.0.2"), Vni::truncate(42)).unwrap();
    let made = encap(&tunnel, &remote, &EncapMeta::new(), &hex(INNER)).unwrap();
    assert_eq!(made[1], 3, "CE is copied, not turned into ECT(0)");
}
