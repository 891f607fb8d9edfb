//! flannel's `udp` backend.

use encap::{
    table::{Capacity, Line, NextHop},
    time::Instant,
    tunnel::{DecapMeta, Framing, Link, OuterFacts},
    vtep::{
        Worker,
        ip_udp::{Backend, Config, Output},
    },
    wire::rewrite,
};

use super::{Input, laws::assert_reports};
use crate::{common::*, frames::*};

/// The node at 192.0.2.1, between hosts 1 to 7 and those from 8 on.
struct Node {
    backend: Backend<Box<[Line]>>,
    worker: Worker<'static>,
    framing: Framing,
}

pub(super) fn backend(input: &mut Input<'_>) {
    let mut node = Node::read(input);
    for _ in 0..super::ROUNDS {
        if input.is_empty() {
            break;
        }
        if input.bits()[0] { node.receive(input) } else { node.send(input) }
    }
}

impl Node {
    fn read(input: &mut Input<'_>) -> Self {
        let [is_dual, is_silent, any, is_narrow, is_slow, ..] = input.bits();
        let mut config = Config::new().local(address(1));
        if is_dual {
            config = config.local(v6(1).into());
        }
        if !is_silent {
            config = config.address([10, 1, 0, 254].into()).address(v6(254).into());
        }
        config.check_source = !any;
        (config.mtu, config.icmp_rate) =
            (if is_narrow { 700 } else { 1_500 }, if is_slow { 1 } else { 1_000 });
        let link = Link { source: mac(0xaa), next_hop: mac(0xbb), vlan: None };
        config.framing = input.pick([Framing::Payload, Framing::Ip, Framing::Ethernet(link)]);
        let capacity = Capacity { routes: 8, ..Capacity::NONE };
        let backend = Backend::with_capacity(config, capacity, [1, 2]).unwrap();
        for (prefix, peer) in [
            ("10.1.0.0/29", address(2)),
            ("10.1.0.8/29", address(3)),
            ("10.2.0.0/16", address(1)),
            ("fd01::/125", v6(2).into()),
            ("fd01::8/125", address(3)),
        ] {
            backend
                .routes()
                .add(prefix.parse().unwrap(), NextHop::Peer { address: peer, port: 8_285 })
                .unwrap();
        }
        Self { backend, worker: Worker::new(1), framing: config.framing }
    }

    fn send(&mut self, input: &mut Input<'_>) {
        let ip = input.ip();
        let offer = input.offer(ip);
        let now = Instant::from_secs(input.byte().into());
        let outcome = offer.take(|packet| self.backend.handle_ip(&mut self.worker, now, packet));
        let headroom = self.backend.headroom();
        match outcome.output {
            Output::Send { .. } => {
                let mut expected = offer.bytes.clone();
                rewrite::decrement_ttl(&mut expected).unwrap();
                let outer = offer.headroom - outcome.start;
                let inner = &outcome.made[outer..];
                assert!(outer <= headroom && inner.len() <= expected.len());
                assert_eq!(inner, &expected[..inner.len()]);
            }
            Output::Reply => {
                assert!(outcome.made.len() <= offer.bytes.len() + headroom);
                assert_reports(&outcome.made, &offer.bytes);
            }
            Output::Drop(_) => {
                outcome.assert_left_as_it_was(&offer);
                outcome.assert_nothing_before();
            }
            other => panic!("{other:?}"),
        }
    }

    fn receive(&mut self, input: &mut Input<'_>) {
        let [is_known, is_v6, verified, ..] = input.bits();
        let inner = input.ip();
        let (from, here) =
            if is_v6 { (v6(2).into(), v6(1).into()) } else { (address(2 + input.byte() % 2), address(1)) };
        let outer = Outer { source: from, destination: here, ..Outer::new(8_285, &inner) };
        let outer = Outer { vxlan: vec![], checksum: is_v6, ..outer }.bytes();
        let bytes = match self.framing {
            Framing::Payload => inner,
            Framing::Ip => outer,
            _ => frame(mac(0xaa), mac(0xbb), if is_v6 { 0x86dd } else { 0x0800 }, &outer),
        };
        let bytes = input.changed(bytes, matches!(self.framing, Framing::Ethernet(_)));
        let offer = input.offer(bytes);
        let mut meta = DecapMeta::new();
        meta.udp_checksum_verified = verified;
        if is_known ^ (self.framing == Framing::Payload) {
            meta.outer = Some(OuterFacts::new(from, here));
        }
        let outcome = offer.take(|packet| self.backend.handle_underlay(&mut self.worker, &meta, packet));
        match outcome.output {
            Output::Deliver => outcome.assert_within(&offer),
            Output::Drop(_) | Output::Pass => outcome.assert_left_as_it_was(&offer),
            other => panic!("{other:?}"),
        }
        outcome.assert_nothing_before();
    }
}
