//! Cases: settings, a packet, and what is known of it, and endpoints of every kind for each.

extern crate std;

use core::net::IpAddr;
use std::{vec, vec::Vec};

use proptest::{collection, prelude::*, sample::Index};

use super::super::{
    Builder, DontFragment, EncapMeta, Endpoint, Framing, InnerChecksum, Link, OuterDscp, OuterFlowLabel,
    Payload, Policy, Protocol, Remote, Ttl, UdpChecksum, ecn, geneve, gre, ip_udp, nvgre, protocol::OverUdp,
    vxlan,
};
use crate::wire::{
    Dscp, FlowLabel, MacAddr, Pcp, VlanId, Vni,
    geneve_option::{OptionClass, OptionType},
    gre::Key,
    vxlan_gbp::GroupPolicy,
};

pub(super) const HEADROOM: usize = 160;

/// Choices of settings, of a packet, and of what is known of it; each test uses those that it has a use for.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) choice: [u8; 16],
    pub(super) v6: bool,
    pub(super) packet: Vec<u8>,
    pub(super) changes: Vec<(Index, u8)>,
    pub(super) number: u32,
}

pub(super) fn cases() -> impl Strategy<Value = Case> {
    let packet = (any::<[u8; 4]>(), collection::vec(any::<u8>(), 0..90))
        .prop_map(|(choice, noise)| frame(choice, noise));
    let changes = collection::vec((any::<Index>(), any::<u8>()), 0..3);
    (any::<[u8; 16]>(), any::<bool>(), packet, changes, any::<u32>()).prop_map(
        |(choice, v6, packet, changes, number)| {
            let mut case = Case { choice, v6, packet, changes, number };
            if choice[4] % 4 == 0 {
                case.send_back();
            }
            case
        },
    )
}

/// Mostly frames, or packets, of IP; of every length.
pub(super) fn frame([kind, tags, ds_field, link]: [u8; 4], noise: Vec<u8>) -> Vec<u8> {
    let mut frame = if link % 4 == 0 { vec![] } else { vec![2; 12] };
    if !frame.is_empty() {
        match tags {
            0..=20 => frame.extend([0x81, 0, 0, 5]),
            21..=30 => frame.extend([0x88, 0xa8, 0, 5, 0x81, 0, 0, 6]),
            _ => {}
        }
        frame.extend(match kind % 8 {
            0 => [0x86, 0xdd],
            1 => [0x08, 0x06],
            _ => [0x08, 0x00],
        });
    }
    let mut ip = noise;
    if let ([first, second, ..], false) = (&mut ip[..], kind > 240) {
        (*first, *second) =
            if kind % 8 == 0 { (0x60 | ds_field >> 4, ds_field << 4) } else { (0x45, ds_field) };
    }
    if let (Some(protocol), true) = (ip.get_mut(9), kind % 2 == 0) {
        *protocol = 17;
    }
    [frame, ip].concat()
}

impl Case {
    pub(super) fn pick<T: Copy, const N: usize>(&self, at: usize, from: [T; N]) -> T {
        from[usize::from(self.choice[at]) % N]
    }

    pub(super) fn ends(&self) -> (IpAddr, IpAddr) {
        let [a, b] = if self.v6 { ["2001:db8::1", "2001:db8::2"] } else { ["192.0.2.1", "192.0.2.2"] };
        (a.parse().unwrap(), b.parse().unwrap())
    }

    /// Makes the packet, where it is one of IP, one for the end that encapsulates it.
    fn send_back(&mut self) {
        match (self.ends().0, &mut self.packet[..]) {
            (IpAddr::V4(a), [0x45, packet @ ..]) if packet.len() >= 19 => {
                packet[15..19].copy_from_slice(&a.octets());
            }
            (IpAddr::V6(a), [0x60..=0x6f, packet @ ..]) if packet.len() >= 39 => {
                packet[23..39].copy_from_slice(&a.octets());
            }
            _ => {}
        }
    }

    fn build<P: Protocol>(&self, mut builder: Builder<P>) -> Endpoint<P> {
        let vlan = self.pick(0, [None, None, Some((VlanId::truncate(7), Pcp::truncate(1)))]);
        let link = Link { source: MacAddr([2; 6]), next_hop: MacAddr([4; 6]), vlan };
        builder =
            builder
                .framing(self.pick(
                    1,
                    [Framing::Ip, Framing::Ethernet(link), Framing::Ethernet(link), Framing::Payload],
                ))
                .ttl(self.pick(2, [Ttl::Auto, Ttl::Fixed(9), Ttl::Auto, Ttl::Inherit]))
                .dscp(self.pick(
                    3,
                    [
                        OuterDscp::Fixed(Dscp::truncate(46)),
                        OuterDscp::default(),
                        OuterDscp::default(),
                        OuterDscp::Inherit,
                    ],
                ))
                .ecn(self.pick(
                    4,
                    [ecn::Mode::Normal, ecn::Mode::Normal, ecn::Mode::Linux, ecn::Mode::Compatibility],
                ))
                .policy(self.pick(5, [Policy::RFC, Policy::STRICT, Policy::LINUX, LAX]))
                .mtu(self.pick(6, [65_535, 1_500, 120]))
                .seed(self.number.into());
        if !self.v6 {
            const SET: DontFragment = DontFragment::Set;
            let modes = [SET, SET, SET, SET, DontFragment::Unset, DontFragment::Inherit];
            builder = builder.dont_fragment(self.pick(7, modes));
        } else if self.choice[7] % 2 != 0 {
            let fixed = OuterFlowLabel::Fixed(FlowLabel::truncate(self.number));
            let modes = [fixed, OuterFlowLabel::FromHash, OuterFlowLabel::Inherit];
            builder = builder.flow_label(self.pick(6, modes));
        }
        builder.build().unwrap()
    }

    fn over_udp<P: OverUdp>(&self, builder: Builder<P>) -> Endpoint<P> {
        let modes = [UdpChecksum::Zero, UdpChecksum::Full, UdpChecksum::Zero, UdpChecksum::Offload];
        self.build(
            builder
                .udp_checksum(self.pick(8, modes))
                .source_ports(self.pick(9, [(1, 65_535), (9, 9)]).into_range()),
        )
    }

    fn gre<const UDP: bool>(&self, builder: Builder<gre::Gre<UDP>>) -> Builder<gre::Gre<UDP>> {
        let builder = if self.choice[9] % 2 == 0 { builder } else { builder.key(Key(self.number)) };
        builder.checksum(self.choice[12] % 3 == 0).sequence(self.choice[8] % 3 == 0)
    }

    pub(super) fn meta(&self) -> EncapMeta {
        let partial = InnerChecksum::Partial { start: 14, offset: self.choice[11].into() };
        EncapMeta {
            hash: self.pick(10, [None, Some(self.number)]),
            identification: self.pick(11, [None, Some(7)]),
            vni: self.pick(12, [None, Some(Vni::truncate(self.number))]),
            sequence: self.pick(13, [Some(self.number), Some(0), None]),
            group_policy: self.pick(13, [None, Some(GroupPolicy { id: 9, ..GroupPolicy::default() })]),
            inner_checksum: self.pick(14, [InnerChecksum::Unknown, InnerChecksum::Good, partial]),
        }
    }

    /// Hands endpoints of every kind to `check`: the one that sends, what it sends to, the one that receives.
    pub(super) fn with_endpoints(&self, check: &mut impl Check) {
        let (a, b) = self.ends();
        let vni = Vni::truncate(self.number | 0x1000);
        let payload = self.pick(15, [Payload::Ethernet, Payload::Ip]);
        let vxlan = |local| vxlan::Endpoint::new(local).inner_vlan(self.pick(14, [true, true, true, false]));
        match self.choice[15] % 13 {
            0..=3 => {
                let make = |local| self.over_udp(vxlan(local));
                check.check(self, &make(a), &make(a).remote(b, vni), &make(b));
            }
            4 => {
                let make = |local| self.over_udp(vxlan(local).group_policy(true));
                check.check(self, &make(a), &make(a).remote(b, vni), &make(b));
            }
            5 => {
                let make =
                    |local| self.over_udp(vxlan(local).gpe(self.pick(14, [Payload::Ip, Payload::Ethernet])));
                check.check(self, &make(a), &make(a).remote(b, vni), &make(b));
            }
            6 | 7 => {
                let known =
                    |builder: Builder<geneve::Geneve>| builder.knows(OptionClass(1), OptionType(0x82));
                let make = |local| self.over_udp(known(geneve::Endpoint::new(local).payload(payload)));
                let options =
                    self.pick(14, [&[][..], &[0, 1, 2, 0], &[0, 1, 0x82, 1, 9, 9, 9, 9, 0, 1, 3, 0]]);
                check.check(self, &make(a), &make(a).remote_with_options(b, vni, options), &make(b));
            }
            8 | 9 => {
                let make = |local| self.build(self.gre(gre::Endpoint::new(local).payload(payload)));
                check.check(self, &make(a), &make(a).remote(b), &make(b));
            }
            10 => {
                let make = |local| self.build(nvgre::Endpoint::new(local));
                check.check(self, &make(a), &make(a).remote(b, vni), &make(b));
            }
            11 => {
                let make = |local| self.over_udp(ip_udp::Endpoint::new(local));
                check.check(self, &make(a), &make(a).remote(b), &make(b));
            }
            _ => {
                let payload = self.pick(14, [Payload::Ethernet, Payload::Ip]);
                let make = |local| self.over_udp(self.gre(gre::UdpEndpoint::new(local).payload(payload)));
                check.check(self, &make(a), &make(a).remote(b), &make(b));
            }
        }
    }
}

trait Range {
    fn into_range(self) -> core::ops::RangeInclusive<u16>;
}

impl Range for (u16, u16) {
    fn into_range(self) -> core::ops::RangeInclusive<u16> {
        self.0..=self.1
    }
}

const LAX: Policy = Policy {
    verify_udp_checksum: false,
    allow_zero_checksum_ipv6: true,
    allow_inner_vlan: true,
    allow_any_destination: true,
    ..Policy::RFC
};

pub(super) trait Check {
    fn check<P: Protocol, E>(
        &mut self,
        case: &Case,
        tunnel: &Endpoint<P>,
        remote: &Result<Remote, E>,
        receiver: &Endpoint<P>,
    );
}

pub(super) fn buffer(packet: &[u8]) -> Vec<u8> {
    [&[0xa5; HEADROOM], packet, &[0x5a; 8]].concat()
}
