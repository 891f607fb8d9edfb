//! Random tunnels and what goes through them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::{
    tunnel::{DontFragment, EncapMeta, Framing, Link, OuterDscp, OuterFlowLabel, Protocol, Ttl},
    wire::{Dscp, FlowLabel, MacAddr, Pcp, VlanId},
};
use interop::bytes::{Ip, arp_request, ethernet, icmp_echo, mac};
use proptest::prelude::*;

/// What all tunnels have in common.
#[derive(Clone, Debug)]
pub(crate) struct Outer {
    pub(crate) v6: bool,
    pub(crate) ttl: Option<u8>,
    pub(crate) dscp: u8,
    pub(crate) df: bool,
    pub(crate) label: u32,
    pub(crate) checksum: bool,
    pub(crate) ports: (u16, u16),
    pub(crate) vlan: Option<(u16, u8)>,
}

/// The tunnel, and what it is set to.
#[derive(Clone, Debug)]
pub(crate) enum Tunnel {
    Vxlan { vni: u32, policy: Option<(u16, bool, bool)>, port: u16 },
    Gpe { vni: u32, ethernet: bool },
    Geneve { vni: u32, ethernet: bool, options: Vec<(u16, u8, Vec<u8>)> },
    Gre { key: Option<u32>, checksum: bool, sequence: Option<u32>, ethernet: bool, udp: bool },
    Nvgre { vsid: u32 },
}

/// What is inside: its DS field and TTL, whether it is IPv6 or (in Ethernet) ARP, its length.
#[derive(Clone, Debug)]
pub(crate) struct Inner {
    pub(crate) kind: u8,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    pub(crate) len: usize,
}

pub(crate) fn any_outer() -> impl Strategy<Value = Outer> {
    let ports = (1_024..60_000_u16, 0..5_000_u16).prop_map(|(first, more)| (first, first + more));
    let vlan = prop::option::of((1..4_095_u16, 0..8_u8));
    let ttl = prop::option::of(1..=255_u8);
    (any::<bool>(), ttl, 0..64_u8, any::<bool>(), 0..1_u32 << 20, any::<bool>(), ports, vlan).prop_map(
        |(v6, ttl, dscp, df, label, checksum, ports, vlan)| Outer {
            v6,
            ttl,
            dscp,
            df,
            label,
            checksum,
            ports,
            vlan,
        },
    )
}

pub(crate) fn any_tunnel() -> impl Strategy<Value = Tunnel> {
    let vni = || 0..1_u32 << 24;
    // Of types that mean something to nobody.
    let option = (0xff00..=0xffff_u16, any::<u8>(), prop::collection::vec(any::<u32>(), 0..4));
    let option = option.prop_map(|(class, kind, words)| {
        (class, kind, words.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<u8>>())
    });
    let options = prop::collection::vec(option, 0..3);
    let gre = (
        prop::option::of(any::<u32>()),
        any::<bool>(),
        prop::option::of(any::<u32>()),
        any::<bool>(),
        any::<bool>(),
    );
    prop_oneof![
        (vni(), prop::option::of(any::<(u16, bool, bool)>()), prop_oneof![Just(4_789), Just(8_472)])
            .prop_map(|(vni, policy, port)| Tunnel::Vxlan { vni, policy, port }),
        (vni(), any::<bool>()).prop_map(|(vni, ethernet)| Tunnel::Gpe { vni, ethernet }),
        (vni(), any::<bool>(), options).prop_map(|(vni, ethernet, options)| Tunnel::Geneve {
            vni,
            ethernet,
            options
        }),
        gre.prop_map(|(key, checksum, sequence, ethernet, udp)| Tunnel::Gre {
            key,
            checksum,
            sequence,
            ethernet,
            udp
        }),
        (0x1000..1_u32 << 24).prop_map(|vsid| Tunnel::Nvgre { vsid }),
    ]
}

pub(crate) fn any_inner() -> impl Strategy<Value = Inner> {
    (0..4_u8, any::<u8>(), any::<u8>(), 0..300_usize).prop_map(|(kind, tos, ttl, len)| Inner {
        kind,
        tos,
        ttl,
        len,
    })
}

impl Inner {
    /// The frame or packet, its DS field, and its IP version.
    pub(crate) fn build(&self, with_ethernet: bool) -> (Vec<u8>, u8) {
        // Nothing that looks like RTP or RTCP, for which tshark looks everywhere.
        let payload: Vec<u8> = (0..self.len).map(|i| (i * 31 + self.len) as u8 & 0x3f).collect();
        let Self { kind, tos, ttl, .. } = *self;
        let v4 = Ip { tos, ttl, ..Ip::new([10, 1, 0, 1], [10, 1, 0, 2], 17) };
        let (ethertype, packet, tos) = match kind {
            // Ports that nobody has a dissector for.
            0 => (0x0800, v4.packet(&v4.udp(50_001, 50_002, &payload)), tos),
            1 => (0x0800, Ip { protocol: 1, ..v4 }.packet(&icmp_echo(true, 7, &payload)), tos),
            2 if with_ethernet => {
                return (arp_request(mac(1), [10, 1, 0, 1].into(), [10, 1, 0, 2].into()), 0);
            }
            _ => {
                let v6 = Ip {
                    tos,
                    ttl,
                    ..Ip::new([0xfd01, 0, 0, 0, 0, 0, 0, 1], [0xfd01, 0, 0, 0, 0, 0, 0, 2], 17)
                };
                (0x86dd, v6.packet(&v6.udp(50_001, 50_002, &payload)), tos)
            }
        };
        (if with_ethernet { ethernet(mac(2), mac(1), ethertype, &packet) } else { packet }, tos)
    }
}

impl Outer {
    pub(crate) fn ends(&self) -> [IpAddr; 2] {
        if self.v6 {
            ["2001:db8::1", "2001:db8::2"].map(|address| address.parse::<Ipv6Addr>().unwrap().into())
        } else {
            [[192, 0, 2, 1], [192, 0, 2, 2]].map(|address| Ipv4Addr::from(address).into())
        }
    }

    /// The tunnel's packet of this inner one.
    pub(crate) fn send<P: Protocol>(
        &self,
        builder: encap::tunnel::Builder<P>,
        udp: impl FnOnce(encap::tunnel::Builder<P>) -> encap::tunnel::Builder<P>,
        remote: impl FnOnce(&encap::tunnel::Endpoint<P>) -> encap::tunnel::Remote,
        meta: &EncapMeta,
        inner: &[u8],
    ) -> Vec<u8> {
        let vlan = self.vlan.map(|(id, pcp)| (VlanId::truncate(id), Pcp::truncate(pcp)));
        let link = Link { source: MacAddr(mac(0x51)), next_hop: MacAddr(mac(0x52)), vlan };
        let mut builder = builder
            .framing(Framing::Ethernet(link))
            .ttl(self.ttl.map_or(Ttl::Auto, Ttl::Fixed))
            .dscp(OuterDscp::Fixed(Dscp::truncate(self.dscp)));
        builder = if self.v6 {
            builder.flow_label(OuterFlowLabel::Fixed(FlowLabel::truncate(self.label)))
        } else {
            builder.dont_fragment(if self.df { DontFragment::Set } else { DontFragment::Unset })
        };
        let endpoint = udp(builder).build().unwrap();
        let header = endpoint.header(inner, &remote(&endpoint), meta).unwrap();
        [&header[..], inner].concat()
    }
}
