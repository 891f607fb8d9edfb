//! A VTEP that knows all kinds of things.

use std::net::IpAddr;

use encap::{
    table::{Capacity, Destination, NewEntry, NextHop, Remote, RemoteId, Snooping},
    tunnel::{DontFragment, Framing, Link, OuterDscp, Ttl},
    vtep::{Accept, Config, Proxy, ShortCircuit, TooBig, Vtep, Worker},
    wire::{MacAddr, VlanId, Vni},
};

use super::Input;
use crate::{common::*, frames::*};

pub(super) const OTHER: Vni = Vni::truncate(43);
pub(super) const UNKNOWN: Vni = Vni::truncate(99);
pub(super) const VLAN: u16 = 5;
pub(super) const OTHER_VLAN: u16 = 6;
/// Whose frames take a short way, if there is one.
pub(super) const ROUTER: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xfe]);
pub(super) const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x99]);
pub(super) const GROUP: [u8; 4] = [239, 1, 1, 1];

/// The VTEP at 192.0.2.1 and fd01::1.
pub(super) struct Network {
    pub(super) node: Node,
    pub(super) is_trunk: bool,
    some: RemoteId,
}

/// VTEPs that are known, ourselves among them, and one that is not.
pub(super) fn remote_at(choice: u8) -> IpAddr {
    let all = [address(2), address(3), address(5), v6(2).into(), v6(3).into(), address(1), address(77)];
    all[usize::from(choice) % all.len()]
}

/// Settings that can be had together.
fn config(input: &mut Input<'_>) -> Config {
    let [linux, l3, gbp, inner_vlan, learning, snooping, remcsumrx, udpcsum] = input.bits();
    let [router, accept, localbypass, fragment, inherit, ageing, any, zero] = input.bits();
    let mut c = if linux { Config::linux() } else { Config::new() };
    c.framing = input.pick([
        Framing::Ip,
        Framing::Payload,
        Framing::Ethernet(Link::resolving(mac(0xaa))),
        Framing::Ethernet(Link { source: mac(0xaa), next_hop: mac(0xbb), vlan: None }),
        Framing::Ethernet(Link {
            vlan: Some((VlanId::truncate(9), Default::default())),
            ..Link::resolving(mac(0xaa))
        }),
    ]);
    c.proxy = input.pick([Proxy::Off, Proxy::NeighSuppress, Proxy::KernelProxy]);
    c.rsc = input.pick([ShortCircuit::Off, ShortCircuit::Route, ShortCircuit::Linux]);
    (c.l3, c.gbp, c.learning, c.remcsumrx, c.udpcsum) = (l3, gbp, learning, remcsumrx, udpcsum);
    (c.address, c.localbypass, c.udp6zerocsumrx) = (OWN, !localbypass, zero);
    c.inner_vlan |= inner_vlan;
    c.any_destination |= any;
    c.accept = if accept { Accept::Configured } else { Accept::Anybody };
    if router {
        (c.router, c.router6) = (Some([10, 1, 0, 254].into()), Some(v6(254)));
    }
    c.too_big = if fragment { TooBig::Fragment } else { input.pick([TooBig::Tell, TooBig::Drop]) };
    if inherit {
        (c.ttl, c.tos, c.df) = (Ttl::Inherit, OuterDscp::Inherit, DontFragment::Inherit);
    } else if fragment {
        c.df = DontFragment::Unset;
    }
    if snooping {
        c.tables.snooping = Snooping::All;
    }
    if ageing {
        (c.learn_rate, c.move_rate, c.icmp_rate) = (2, 1, 2);
    }
    c.local(address(1)).local(v6(1).into())
}

impl Network {
    /// As many of them as are wanted, all the same.
    pub(super) fn read<const N: usize>(input: &mut Input<'_>) -> [Self; N] {
        let config = config(input);
        let is_trunk = input.bits()[0];
        [(); N].map(|()| Self::new(config, is_trunk))
    }

    fn new(config: Config, is_trunk: bool) -> Self {
        let capacity = Capacity {
            neighbors: 32,
            routes: 8,
            groups: 8,
            quotas: 2,
            vlans: if is_trunk { 16 } else { 0 },
            ..Capacity::fdb(64)
        };
        let vtep = Vtep::with_capacity(config, capacity, [7, 1]).unwrap();
        let (fdb, port) = (vtep.fdb(), config.dstport);
        let remote = |remote: Remote| vtep.add_remote(&remote).unwrap();
        let some = remote(Remote::new(address(2), port).next_hop(mac(0xbb)));
        let narrow = remote(Remote::new(address(3), port).mtu(800));
        let here = remote(Remote::new(address(1), port));
        let slow = remote(Remote::new(address(5), port).mtu(700));
        let other = remote(Remote::new(v6(2).into(), port).vni(Vni::truncate(7)).next_hop(mac(0xcc)));
        let six = remote(Remote::new(v6(3).into(), port));
        let group = vtep.lists().add_group(&[slow, other]).unwrap();
        for (host, destination) in [
            (1, Destination::Remote(here)),
            (2, Destination::Remote(slow)),
            (3, Destination::Remote(other)),
            (4, Destination::Group(group)),
            (5, Destination::Local),
            (6, Destination::Blackhole),
        ] {
            fdb.add(VNI, mac(host), NewEntry::to(destination).as_static()).unwrap();
            vtep.neighbors().add(VNI, [10, 1, 0, host].into(), mac(host)).unwrap();
            vtep.neighbors().add(VNI, v6(host).into(), mac(host)).unwrap();
        }
        fdb.add(VNI, ROUTER, NewEntry::to(six).router()).unwrap();
        for remote in [some, narrow] {
            fdb.append(VNI, MacAddr::ZERO, remote).unwrap();
        }
        fdb.append(OTHER, MacAddr::ZERO, some).unwrap();
        vtep.groups().add(VNI, GROUP.into(), None, vtep.lists().add_list(&[some, six]).unwrap()).unwrap();
        let gateway = NextHop::Gateway { vni: VNI, address: [10, 1, 0, 2].into() };
        for (prefix, via) in [
            ("10.1.0.0/24", NextHop::Segment { vni: VNI }),
            ("fd01::/64", NextHop::Segment { vni: VNI }),
            ("10.2.0.0/16", gateway),
        ] {
            vtep.routes().add(prefix.parse().unwrap(), via).unwrap();
        }
        if is_trunk {
            vtep.vlans().map(VlanId::truncate(VLAN), VNI).unwrap();
            vtep.vlans().map(VlanId::truncate(OTHER_VLAN), OTHER).unwrap();
        }
        let worker = Worker::new(1).with_miss_capacity(8).with_event_capacity(8);
        Self { node: Node { vtep, worker }, is_trunk, some }
    }

    pub(super) fn config(&self) -> &Config {
        self.node.vtep.config()
    }

    pub(super) fn port(&self) -> u16 {
        self.config().dstport
    }

    /// A remote that a frame can be sent to whatever the tables say.
    pub(super) fn some(&self) -> RemoteId {
        self.some
    }

    /// Our address in the family of that remote.
    pub(super) fn here(&self, remote: u8) -> IpAddr {
        if remote_at(remote).is_ipv4() { address(1) } else { v6(1).into() }
    }

    pub(super) fn has_link(&self) -> bool {
        matches!(self.config().framing, Framing::Ethernet(_))
    }

    /// The packet with the headers that are ours.
    pub(super) fn framed(&self, outer: &Outer) -> Vec<u8> {
        match self.config().framing {
            Framing::Payload => [&outer.vxlan[..], &outer.frame].concat(),
            Framing::Ip => outer.bytes(),
            _ => {
                let ethertype = if outer.source.is_ipv4() { 0x0800 } else { 0x86dd };
                frame(mac(0xaa), mac(0xbb), ethertype, &outer.bytes())
            }
        }
    }
}
