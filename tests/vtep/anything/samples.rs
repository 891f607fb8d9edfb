//! Packets that get deep into the engine.

use std::net::{IpAddr, Ipv4Addr};

use encap::wire::{
    MacAddr, Vni, icmp_error,
    icmpv4::{self, Problem as V4},
    icmpv6::{self, Problem as V6},
    ndp::Advertisement,
    ndp_option::NeighborOption,
};

use super::{Input, network::*};
use crate::{common::*, frames::*};

/// Frames, the first ones plain.
pub(super) fn frames() -> Vec<Vec<u8>> {
    let ask = |target: u8| arp(MacAddr::BROADCAST, 1, (mac(9), [10, 1, 0, 9]), [10, 1, 0, target]);
    let mut frames = vec![datagram(mac(1), mac(9), 10), ask(1), vec![], frame(mac(2), mac(9), 0x88b5, &[])];
    for host in 1..=7 {
        frames.extend([
            ask(host),
            Ns::new(9, v6(host)).bytes(),
            Ns { options: vec![], ..Ns::new(9, v6(host)) }.bytes(),
            datagram(mac(host), mac(9), 10),
            sized(mac(host), mac(9), 1_500, true),
            sized(mac(host), mac(9), 900, false),
            frame(mac(host), mac(9), 0x86dd, &ip(v6(9).into(), v6(host).into(), 17, 3, &[0x5a; 1_400])),
        ]);
    }
    let to = |link: MacAddr, address: [u8; 4]| {
        frame(link, mac(9), 0x0800, &ip([10, 1, 0, 9].into(), address.into(), 17, 0, &[0x5a; 20]))
    };
    frames.extend([
        datagram(MacAddr::BROADCAST, mac(9), 10),
        sized(MacAddr::BROADCAST, mac(9), 1_000, true),
        to(MacAddr([1, 0, 0x5e, 1, 1, 1]), GROUP),
        to(MacAddr([1, 0, 0x5e, 0, 0, 1]), [224, 0, 0, 1]),
        to(ROUTER, [10, 1, 0, 2]),
        to(ROUTER, [10, 2, 0, 1]),
        to(OWN, [10, 2, 0, 1]),
        frame(ROUTER, mac(9), 0x86dd, &ip(v6(9).into(), v6(2).into(), 17, 0, &[0x5a; 20])),
        arp(mac(9), 2, (mac(2), [10, 1, 0, 2]), [10, 1, 0, 9]),
        frame(mac(9), mac(2), 0x86dd, &advertisement(2, 9)),
        frame(mac(2), mac(9), 0x0800, &ip([10, 1, 0, 9].into(), [10, 1, 0, 2].into(), 6, 0, &[0x5a; 40])),
    ]);
    let tagged: Vec<_> = (0..)
        .zip(frames.iter().filter(|frame| frame.len() > 14))
        .map(|(at, frame)| tagged([VLAN, OTHER_VLAN, 0, 77][at % 4], frame))
        .collect();
    [frames, tagged].concat()
}

/// fd01::`host` tells `to` where it is.
fn advertisement(host: u8, to: u8) -> Vec<u8> {
    let message =
        Advertisement { checksum: 0, router: false, solicited: true, overrides: true, target: v6(host) };
    let options = NeighborOption::target_address(mac(host));
    let message = icmpv6_checksum(v6(host), v6(to), [&message.to_bytes()[..], &options].concat());
    ip(v6(host).into(), v6(to).into(), 58, 0, &message)
}

impl Input<'_> {
    /// What arrives from the underlay: a frame in a packet, as a rule.
    pub(super) fn arrival(&mut self, network: &Network) -> Vec<u8> {
        let bytes = match self.byte() % 16 {
            0 => self.frame(),
            1 => self.ip(),
            // Who has the next hop's address.
            2 => arp(mac(0xaa), 2, (mac(0xbb), [192, 0, 2, 2 + self.byte() % 4]), [192, 0, 2, 1]),
            3 => frame(mac(0xaa), mac(0xbb), 0x86dd, &advertisement(2 + self.byte() % 4, 1)),
            choice => {
                let (from, frame) = (self.byte(), self.frame());
                let outer = self.outer(network, remote_at(from), network.here(from), choice, &frame);
                network.framed(&outer)
            }
        };
        self.changed(bytes, network.has_link())
    }

    /// The packet of the underlay with this frame.
    fn outer(&mut self, network: &Network, from: IpAddr, to: IpAddr, choice: u8, frame: &[u8]) -> Outer {
        let vni = [VNI, VNI, VNI, Vni::truncate(7), OTHER, UNKNOWN][usize::from(choice) % 6];
        let mut outer = Outer { source: from, destination: to, ..Outer::new(network.port(), frame) }.vni(vni);
        outer.checksum = from.is_ipv6() || choice & 4 != 0;
        // Bits of the header that are reserved, or of an extension.
        match choice {
            14 => outer = outer.bits(u64::from(self.word()) << 48),
            15 => outer = outer.bits(self.byte().into()),
            _ => {}
        }
        outer.ds_field = choice & 3;
        outer
    }

    /// An ICMP error, as a rule about a packet of ours.
    pub(super) fn report(&mut self, network: &Network) -> Vec<u8> {
        let (to, frame) = (self.byte(), self.frame());
        let choice = self.byte();
        let sent = self.outer(network, network.here(to), remote_at(to), choice, &frame).bytes();
        let sent = self.changed(sent, false);
        let report = self.error(&sent);
        self.changed(report, false)
    }

    /// What a router says about this packet; the packet itself where nobody may say anything.
    pub(super) fn error(&mut self, about: &[u8]) -> Vec<u8> {
        let (kind, mtu) = (self.byte(), self.word());
        let code = kind / 8;
        let v4 = match kind % 4 {
            0 | 1 => V4::FragmentationNeeded { mtu },
            2 => V4::Unreachable(icmpv4::Unreachable(code)),
            _ => V4::TimeExceeded(icmpv4::TimeExceeded(code)),
        };
        let v6 = match kind % 4 {
            0 | 1 => V6::PacketTooBig { mtu: mtu.into() },
            2 => V6::Unreachable(icmpv6::Unreachable(code)),
            _ => V6::TimeExceeded(icmpv6::TimeExceeded(code)),
        };
        let router = Ipv4Addr::new(192, 0, 2, 254);
        if about.first().is_some_and(|first| first >> 4 == 6) {
            let headers = icmp_error::ipv6(about, v6, crate::frames::v6(254), 64);
            headers.map_or(about.to_vec(), |it| [&it.bytes[..], &about[..it.quote_len]].concat())
        } else {
            let headers = icmp_error::ipv4(about, v4, router, 64);
            headers.map_or(about.to_vec(), |it| [&it.bytes[..], &about[..it.quote_len]].concat())
        }
    }
}
