//! The short way of a frame into a tunnel beside the long one: `rsc` without any router forbids the short one and
//! changes nothing else, so decision, bytes and counters must be the same; and those of a burst, too.

use std::net::{IpAddr, Ipv6Addr};

use encap::{
    Packet,
    table::{Capacity, Destination, NewEntry, NewNeighbor, Remote, RemoteId},
    tunnel::{DontFragment, Framing, InnerChecksum, Link, OuterDscp, Ttl, ecn},
    vtep::{Config, Gso, Output, OverlayMeta, Proxy, ShortCircuit, TooBig, Vtep, Worker},
    wire::{Dscp, MacAddr, Pcp, VlanId, Vni, vxlan_gbp::GroupPolicy},
};
use proptest::{collection::vec, prelude::*};

use crate::{common::*, frames::with};

/// Choices of settings, by number.
type Choices = [u8; 16];

fn pick<T: Copy, const N: usize>(choice: u8, from: [T; N]) -> T {
    from[usize::from(choice) % N]
}

fn config(choices: &Choices, rsc: ShortCircuit) -> Config {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, _, n, o] = *choices;
    let vlan = pick(a / 16, [None, None, Some((VlanId::truncate(7), Pcp::truncate(1)))]);
    let link = |next_hop| Framing::Ethernet(Link { source: MacAddr([2; 6]), next_hop, vlan });
    let too_big = pick(b, [TooBig::Tell, TooBig::Tell, TooBig::Drop, TooBig::Fragment]);
    let df = pick(c, [DontFragment::Set, DontFragment::Set, DontFragment::Unset, DontFragment::Inherit]);
    let mut config = Config::new();
    config.framing =
        pick(a, [Framing::Ip, link(MacAddr::ZERO), link(MacAddr([4; 6])), Framing::Ip, Framing::Payload]);
    config.too_big = too_big;
    config.df = if too_big == TooBig::Fragment { DontFragment::Unset } else { df };
    config.ttl = pick(d, [Ttl::Auto, Ttl::Auto, Ttl::Fixed(9), Ttl::Inherit]);
    config.tos = pick(e, [OuterDscp::default(), OuterDscp::Fixed(Dscp::truncate(46)), OuterDscp::Inherit]);
    config.ecn = pick(f, [ecn::Mode::Normal, ecn::Mode::Linux, ecn::Mode::Compatibility]);
    config.udpcsum = g % 4 == 0;
    config.udp6zerocsumtx = n % 2 == 0;
    config.gbp = g % 5 == 0;
    config.inner_vlan = h % 2 == 0;
    config.proxy = pick(i, [Proxy::Off, Proxy::NeighSuppress, Proxy::KernelProxy]);
    config.localbypass = j % 2 == 0;
    config.mtu = pick(k, [1_500, 1_500, 140, 700]);
    config.l2miss = l % 2 == 0;
    config.l3miss = m % 2 == 0;
    config.rsc = rsc;
    match o % 5 {
        0 => config.local(v6(1).into()),
        1 => config.local(address(1)),
        _ => config.local(v6(1).into()).local(address(1)),
    }
}

fn v6(last: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into())
}

fn changed(mut remote: Remote, change: impl FnOnce(&mut Remote)) -> Remote {
    change(&mut remote);
    remote
}

/// Hosts behind remotes of all kinds, and in all other places.
fn node(choices: &Choices, rsc: ShortCircuit) -> (Node, RemoteId) {
    let capacity = Capacity { neighbors: 64, ..Capacity::fdb(256) };
    let vtep = Vtep::with_capacity(config(choices, rsc), capacity, [7, 1]).unwrap();
    vtep.fdb().add_vni(VNI).unwrap();
    let node = Node { vtep, worker: Worker::new(1).with_miss_capacity(16) };
    let (vtep, fdb) = (&node.vtep, node.vtep.fdb());
    let _ = fdb.add_vni(Vni::truncate(43));
    let port = vtep.config().dstport;
    let to = |address: IpAddr| Remote::new(address, port);
    let hop = MacAddr([6; 6]);
    let known = |remote: Remote| changed(remote, |remote| remote.next_hop = Some(hop));
    let remotes = [
        to(address(2)),
        known(to(address(3))),
        changed(known(to(address(4))), |remote| remote.mtu = 130),
        changed(to(address(5)), |remote| remote.mtu = 9_000),
        changed(known(to(address(6))), |remote| remote.vni = Some(Vni::truncate(77))),
        known(Remote::new(address(7), 99).egress(5)),
        to(address(1)),
        changed(to(address(1)), |remote| remote.vni = Some(Vni::truncate(43))),
        known(Remote::new(address(1), 99)),
        to(v6(2).into()),
        known(to(v6(3).into())),
        changed(known(to(v6(4).into())), |remote| remote.mtu = 160),
        changed(known(to(v6(5).into())), |remote| remote.vni = Some(Vni::truncate(77))),
        to(v6(1).into()),
        known(Remote::new(v6(1).into(), 99).egress(5)),
        to([239, 1, 1, 1].into()),
        to(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 1).into()),
    ];
    let mut ids = vec![];
    let is_ours = |address: IpAddr| {
        if address.is_ipv4() { vtep.config().local.is_some() } else { vtep.config().local6.is_some() }
    };
    for (host, remote) in (2..).zip(&remotes).filter(|(_, remote)| is_ours(remote.address)) {
        let id = vtep.add_remote(remote).unwrap();
        fdb.add(VNI, mac(host), NewEntry::to(id)).unwrap();
        ids.push(id);
    }
    // Those whose headers are made by the first frame.
    for (host, late) in [(20, address(30)), (23, v6(30).into())] {
        if is_ours(late) {
            let late = vtep.remotes().add(&known(to(late))).unwrap();
            fdb.add(VNI, mac(host), NewEntry::to(late)).unwrap();
        }
    }
    fdb.add(VNI, mac(21), NewEntry::to(Destination::Local)).unwrap();
    fdb.add(VNI, mac(22), NewEntry::to(Destination::Blackhole)).unwrap();
    if choices[13] % 2 == 0 {
        fdb.append(VNI, MacAddr::ZERO, ids[0]).unwrap();
        fdb.append(VNI, MacAddr::ZERO, ids[1]).unwrap();
    }
    for host in [2, 21] {
        let neighbors = vtep.neighbors();
        neighbors.add(VNI, [10, 1, 0, host].into(), NewNeighbor::new(mac(host))).unwrap();
        neighbors.add(VNI, v6(host).into(), NewNeighbor::new(mac(host))).unwrap();
    }
    (node, ids[1])
}

/// A frame, and what is known of it.
#[derive(Clone, Debug)]
struct Sent {
    choices: [u8; 12],
    noise: Vec<u8>,
}

impl Sent {
    fn frame(&self) -> Vec<u8> {
        let [a, b, c, d, e, f, g, h, ..] = self.choices;
        let destination = match a {
            0..=220 => mac(2 + a % 22),
            221..=230 => MacAddr::BROADCAST,
            231..=240 => MacAddr([0x33, 0x33, 0, 0, 0, 22]),
            _ => MacAddr([1, 0, 0x5e, 1, 1, 1]),
        };
        let mut front = [&destination.0[..], &mac(1).0].concat();
        match b {
            0..=12 => front.extend([0x81, 0, 0, 5]),
            13..=20 => front.extend([0x88, 0xa8, 0, 5, 0x81, 0, 0, 6]),
            _ => {}
        }
        let [l0, l1] = (self.noise.len() as u16).to_be_bytes();
        let ours = c % 4 == 0;
        let port: [u8; 2] = if d % 2 == 0 { [0x12, 0xb5] } else { [0, 80] };
        let protocol = pick(e, [17, 6, 1, 58, 47, 0]);
        let (ethertype, mut headers) = match f % 4 {
            0 => {
                let source = if ours { v6(1) } else { v6(40) }.octets();
                let target = v6(pick(g, [2, 21, 50]));
                let mut ip = vec![0x60 | h >> 4, h << 4, 0, 0, l0, l1, protocol, 255];
                ip.extend(source);
                ip.extend(
                    if d % 3 == 0 { Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 2) } else { target }
                        .octets(),
                );
                match protocol {
                    58 => {
                        ip.extend([135, 0, 0, 0, 0, 0, 0, 0]);
                        ip.extend(target.octets());
                    }
                    // Behind a header of hop-by-hop options, as MLD has it.
                    0 => ip.extend([58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0]),
                    _ => ip.extend([[0x30, 0x39], port].concat()),
                }
                ([0x86, 0xdd], ip)
            }
            1 => {
                let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1 + g % 2];
                arp.extend(mac(1).0);
                arp.extend([10, 1, 0, 1, 0, 0, 0, 0, 0, 0, 10, 1, 0, pick(h, [2, 21, 50])]);
                ([8, 6], arp)
            }
            _ => {
                let flags = pick(g, [0x40, 0x40, 0, 0x20, 0x01]);
                let mut ip = vec![0x45, h, l0, l1, 0, 9, flags, 0, 64, protocol, 0, 0];
                ip.extend(if ours { [192, 0, 2, 1] } else { [10, 1, 0, 1] });
                ip.extend([10, 1, 0, 9, 0x30, 0x39]);
                ip.extend(port);
                (pick(self.choices[8], [[8, 0], [8, 0], [8, 0], [0x12, 0x34]]), ip)
            }
        };
        front.extend(ethertype);
        headers.extend(&self.noise);
        let mut frame = [front, headers].concat();
        if self.choices[9] > 240 {
            frame.truncate(usize::from(self.choices[10]) % 64);
        }
        frame
    }

    fn meta(&self, remote: RemoteId) -> OverlayMeta {
        let [.., a, b, c, d] = self.choices;
        let mut meta = OverlayMeta::new(VNI);
        meta.hash = pick(a, [None, None, Some(0x1234_5678)]);
        meta.policy = pick(b, [None, Some(GroupPolicy { id: 9, ..GroupPolicy::default() })]);
        meta.port = d.into();
        match c {
            0..=5 => meta.from_tunnel = true,
            6..=15 => meta.remote = Some(remote),
            16..=25 => meta.trunk = true,
            26..=40 => meta.gso = Some(Gso::new(42, 64)),
            41..=60 => meta.inner_checksum = InnerChecksum::Partial { start: 34, offset: d.into() },
            61..=80 => meta.inner_checksum = InnerChecksum::Good,
            81..=85 => meta.vni = Vni::truncate(44),
            _ => {}
        }
        meta
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let noise = prop_oneof![6 => vec(any::<u8>(), 0..40), 2 => vec(any::<u8>(), 40..200), 1 => vec(any::<u8>(), 600..1_500)];
    (any::<[u8; 12]>(), noise).prop_map(|(choices, noise)| Sent { choices, noise })
}

/// Everything that tells what became of a frame: copies of a flooded one as well.
fn one_by_one(node: &mut Node, frames: &[(OverlayMeta, Vec<u8>)]) -> Vec<(Output, Vec<u8>)> {
    frames.iter().map(|(meta, frame)| node.send_with(NOW, meta, frame)).collect()
}

fn burst(node: &mut Node, frames: &[(OverlayMeta, Vec<u8>)]) -> Vec<(Output, Vec<u8>)> {
    let mut buffers: Vec<_> = frames.iter().map(|(_, frame)| [&[0xee; ROOM][..], frame].concat()).collect();
    let mut packets: Vec<_> = buffers
        .iter_mut()
        .map(|buffer| {
            let len = buffer.len() - ROOM;
            Packet::new(buffer, ROOM, len).unwrap()
        })
        .collect();
    let metas: Vec<_> = frames.iter().map(|(meta, _)| *meta).collect();
    let mut outputs = vec![Output::Pass; frames.len()];
    let done = node.vtep.handle_overlay_batch(&mut node.worker, NOW, &metas, &mut packets, &mut outputs);
    assert_eq!(done, frames.len());
    outputs.into_iter().zip(packets.iter().map(|packet| packet.as_slice().to_vec())).collect()
}

/// One of each kind of outer headers, which chance may leave out; and what is counted by VNI as well.
#[test]
fn a_burst_behind_headers_of_every_kind_is_sent_and_counted_as_one_by_one() {
    let link = Framing::Ethernet(Link { source: mac(200), next_hop: mac(201), vlan: None });
    let locals: [&[IpAddr]; 3] = [&[address(1)], &[v6(1).into()], &[address(1), v6(1).into()]];
    for (framing, locals) in [Framing::Ip, link].into_iter().flat_map(|it| locals.map(|locals| (it, locals)))
    {
        let node = || {
            let config = with(Config::new(), |config| config.framing = framing);
            let config = locals.iter().fold(config, |config, &local| config.local(local));
            let capacity = Capacity { vni_counters: true, ..Capacity::fdb(64) };
            let vtep = Vtep::with_capacity(config, capacity, [7, 1]).unwrap();
            vtep.fdb().add_vni(VNI).unwrap();
            for (host, local) in (2..).zip(locals) {
                let peer = if local.is_ipv4() { address(2) } else { v6(2).into() };
                vtep.fdb().add(VNI, mac(host), vtep.remote(peer).unwrap()).unwrap();
            }
            let worker = Worker::new(1).counting_as(&vtep.register().unwrap());
            Node { vtep, worker }
        };
        let (mut alone, mut together) = (node(), node());
        let hosts = [2, 3, 9, 2, 3];
        let frames: Vec<_> = hosts
            .map(|host| (OverlayMeta::new(VNI), datagram(mac(host), mac(1), usize::from(host) * 10)))
            .into();
        assert_eq!(burst(&mut together, &frames), one_by_one(&mut alone, &frames));
        assert_eq!(together.worker.counters(), alone.worker.counters());
        let counted = together.vtep.vni_counters(VNI);
        assert_eq!(counted, alone.vtep.vni_counters(VNI));
        let sent = hosts.iter().filter(|&&host| usize::from(host) < 2 + locals.len());
        let bytes = sent.clone().map(|&host| 42 + u64::from(host) * 10).sum::<u64>();
        assert_eq!((counted.sent, counted.sent_bytes), (sent.count() as u64, bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_short_way_is_the_long_one(choices: Choices, sent in vec(sent(), 1..70)) {
        let (mut long, remote) = node(&choices, ShortCircuit::Route);
        let (mut short, _) = node(&choices, ShortCircuit::Off);
        let (mut together, _) = node(&choices, ShortCircuit::Off);
        let frames: Vec<_> = sent.iter().map(|sent| (sent.meta(remote), sent.frame())).collect();
        let expected = one_by_one(&mut long, &frames);
        for got in [one_by_one(&mut short, &frames), burst(&mut together, &frames)] {
            for ((got, expected), (meta, frame)) in got.iter().zip(&expected).zip(&frames) {
                prop_assert_eq!(got, expected, "{:?} {:x?}", meta, frame);
            }
        }
        for other in [&mut short, &mut together] {
            prop_assert_eq!(other.worker.counters(), long.worker.counters());
        }
        while let Some(miss) = long.worker.poll_miss() {
            prop_assert_eq!(short.worker.poll_miss(), Some(miss));
            prop_assert_eq!(together.worker.poll_miss(), Some(miss));
        }
    }
}
