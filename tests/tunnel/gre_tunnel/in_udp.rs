//! GRE in UDP (RFC 8086): its checksums. Ports, entropy and lengths are tested beside other extensions.

use encap::{
    tunnel::{DropReason, EncapMeta, Policy, UdpChecksum, gre::UdpEndpoint},
    wire::{Ecn, checksum::State},
};

use crate::common::{decap, encap, ends, ipv4_packet};

#[test]
fn b7_rfc8086_s3_3_over_ipv4_zero_is_taken_and_what_is_there_must_be_right() {
    let (a, b) = ends(false);
    let there = UdpEndpoint::new(b).build().unwrap();
    for (checksum, state) in [(UdpChecksum::Zero, State::Absent), (UdpChecksum::Full, State::Good)] {
        let here = UdpEndpoint::new(a).udp_checksum(checksum).build().unwrap();
        let packet = ipv4_packet(Ecn::NotEct, false, 64, b"x");
        let made = encap(&here, &here.remote(b).unwrap(), &EncapMeta::new(), &packet).unwrap();
        let (inner, back) = decap(&there, &made).unwrap();
        assert_eq!((back, inner.outer.unwrap().udp_checksum), (packet, state));
        let mut broken = made;
        *broken.last_mut().unwrap() ^= 1;
        let verdict = decap(&there, &broken).err();
        assert_eq!(verdict, (state == State::Good).then_some(DropReason::UdpChecksum));
    }
}

#[test]
fn b7_rfc8086_s6_2_without_a_checksum_over_ipv6_the_caller_can_check_both_addresses() {
    let (a, b) = ends(true);
    let here = UdpEndpoint::new(a).udp_checksum(UdpChecksum::Zero).build().unwrap();
    let mut policy = Policy::RFC;
    policy.allow_zero_checksum_ipv6 = true;
    let there = UdpEndpoint::new(b).policy(policy).build().unwrap();
    let packet = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    let mut made = encap(&here, &here.remote(b).unwrap(), &EncapMeta::new(), &packet).unwrap();
    let outer = decap(&there, &made).unwrap().0.outer.unwrap();
    assert_eq!((outer.udp_checksum, outer.source, outer.destination), (State::Absent, a, b));
    // Nothing but the addresses would tell that this one was misdelivered: the endpoint refuses its own side.
    made[39] ^= 1;
    assert_eq!(decap(&there, &made).err(), Some(DropReason::OtherDestination));
}
