//! Frames that local hosts send, and IP packets that are to be routed.

use std::{collections::BTreeSet, net::IpAddr};

use encap::{
    Packet,
    time::Instant,
    tunnel::{InnerChecksum, Policy, vxlan},
    vtep::{DropReason, Gso, Output, OverlayMeta, ShortCircuit},
    wire::{MacAddr, VlanId, Vni, vxlan_gbp::GroupPolicy},
};

use super::{
    Input, Network, Offer,
    laws::{assert_counted, assert_reports},
    network::{OTHER, UNKNOWN, VLAN},
    offer::{Outcome, take_all},
};
use crate::common::*;

/// Length of a tag.
const TAG: usize = 4;
/// Length of an Ethernet header.
const LINK: usize = 14;

/// One to send, of which somebody knows something.
struct Sent {
    meta: OverlayMeta,
    offer: Offer,
    is_ip: bool,
}

pub(super) fn handle(input: &mut Input<'_>, now: Instant, networks: &mut [Network], count: u8, is_ip: bool) {
    let network = &networks[0];
    let sent: Vec<_> = (0..count)
        .map(|_| {
            let meta = meta(input, network);
            let bytes = if is_ip { input.ip() } else { input.frame() };
            Sent { meta, offer: input.offer(bytes), is_ip }
        })
        .collect();
    let (first, others) = networks.split_first_mut().unwrap();
    let before = *first.node.worker.counters();
    let outcomes: Vec<_> = sent.iter().map(|sent| sent.alone(&mut first.node, now)).collect();
    let outputs: Vec<_> = outcomes.iter().map(|outcome| outcome.output).collect();
    assert_counted(&outputs, &before, first.node.worker.counters());
    for (sent, outcome) in sent.iter().zip(&outcomes) {
        sent.assert_laws(first, outcome);
    }
    // Those of a burst are decided as one by one.
    for other in others {
        let together = burst(&mut other.node, now, &sent);
        assert_eq!(together, outcomes);
        for (sent, outcome) in sent.iter().zip(&together) {
            sent.assert_replicas(other, outcome);
        }
        assert_eq!(other.node.worker.counters(), first.node.worker.counters());
    }
    for network in networks {
        while network.node.worker.poll_miss().is_some() {}
    }
}

/// What somebody knows of a frame: as a rule, the segment.
fn meta(input: &mut Input<'_>, network: &Network) -> OverlayMeta {
    let [vni, other, trunk, from_tunnel, remote, checksum, card, gso] = input.bits();
    let mut meta = OverlayMeta::new(match (vni, other) {
        (false, _) => VNI,
        (true, false) => OTHER,
        (true, true) => UNKNOWN,
    });
    meta.trunk = trunk && network.is_trunk;
    meta.from_tunnel = from_tunnel && other;
    meta.remote = (remote && other).then_some(network.some());
    if checksum {
        let outside = input.byte().into();
        meta.inner_checksum = input.pick([
            InnerChecksum::Good,
            InnerChecksum::Partial { start: LINK as u16 + 20, offset: 6 },
            InnerChecksum::Partial { start: outside, offset: 16 },
            InnerChecksum::Partial { start: u16::MAX, offset: u16::MAX },
        ]);
    }
    if card {
        meta.vlan = (input.byte() & 1 == 1).then_some(VlanId::truncate(VLAN));
        meta.hash = Some(input.word().into());
        meta.policy = Some(GroupPolicy { id: input.word(), ..GroupPolicy::default() });
        meta.port = 3;
    }
    if gso {
        meta.gso = Some(Gso::new(input.byte().into(), input.word()));
    }
    meta
}

fn burst(node: &mut Node, now: Instant, sent: &[Sent]) -> Vec<Outcome<Output>> {
    let metas: Vec<_> = sent.iter().map(|sent| sent.meta).collect();
    let is_ip = sent.first().is_some_and(|sent| sent.is_ip);
    take_all(sent.iter().map(|sent| &sent.offer), |packets| {
        let mut outputs = vec![Output::Pass; packets.len()];
        let (vtep, worker) = (&node.vtep, &mut node.worker);
        let done = if is_ip {
            vtep.handle_ip_batch(worker, now, &metas, packets, &mut outputs)
        } else {
            vtep.handle_overlay_batch(worker, now, &metas, packets, &mut outputs)
        };
        assert_eq!(done, packets.len());
        outputs
    })
}

impl Sent {
    fn alone(&self, node: &mut Node, now: Instant) -> Outcome<Output> {
        self.offer.take(|packet: &mut Packet<'_>| {
            let (vtep, worker) = (&node.vtep, &mut node.worker);
            if self.is_ip {
                vtep.handle_ip(worker, now, &self.meta, packet)
            } else {
                vtep.handle_overlay(worker, now, &self.meta, packet)
            }
        })
    }

    /// Whether there is a tag that is a trunk's.
    fn has_tag(&self) -> bool {
        let is_tag = |bytes: &[u8]| matches!(bytes, [0x81, 0] | [0x88, 0xa8] | [0x91, 0]);
        self.meta.trunk && self.meta.vlan.is_none() && self.offer.bytes.get(12..14).is_some_and(is_tag)
    }

    /// What goes into a tunnel, but for an Ethernet header that is yet to be made: the frame without the tag of a
    /// trunk.
    fn carried(&self) -> Vec<u8> {
        let bytes = &self.offer.bytes;
        if self.has_tag() { [&bytes[..12], &bytes[12 + TAG..]].concat() } else { bytes.clone() }
    }

    fn assert_laws(&self, network: &mut Network, outcome: &Outcome<Output>) {
        let made = &outcome.made;
        match outcome.output {
            Output::Drop(reason) => {
                outcome.assert_left_as_it_was(&self.offer);
                if !self.is_ip && !matches!(reason, DropReason::NoHeadroom | DropReason::TooBig) {
                    outcome.assert_nothing_before();
                }
            }
            Output::Resolve { .. } => {
                assert!(network.has_link());
                outcome.assert_left_as_it_was(&self.offer);
            }
            Output::Send { .. } => self.assert_sent(network, outcome),
            Output::Replicate(_) => {
                assert!(made.ends_with(&self.behind_link(network)));
                assert_eq!(made.len(), self.frame_len());
                self.assert_replicas(network, outcome);
            }
            Output::Reply => self.assert_answer(network, outcome),
            Output::Deliver { .. } => {
                assert!(made.ends_with(&self.behind_link(network)));
                assert!(made.len() <= self.frame_len() + TAG);
            }
            Output::DeliverIp { .. } => {
                assert!(made.ends_with(&self.behind_link(network)));
                outcome.assert_within(&self.offer);
            }
            other => panic!("{other:?}"),
        }
    }

    /// Length of the frame that goes on.
    fn frame_len(&self) -> usize {
        self.carried().len() + if self.is_ip { LINK } else { 0 }
    }

    /// What stays the same of what goes on: all but addresses, and with a short circuit the IP header.
    fn behind_link(&self, network: &Network) -> Vec<u8> {
        let carried = self.carried();
        let link = if self.is_ip { 0 } else { LINK };
        let ip = if network.config().rsc == ShortCircuit::Off { 0 } else { 20 };
        carried.get(link + ip..).unwrap_or_default().to_vec()
    }

    /// The headers that were put before the frame, and nothing else; the other end takes it out again.
    fn assert_sent(&self, network: &Network, outcome: &Outcome<Output>) {
        let Output::Send { outer, address, checksum, gso, .. } = outcome.output else { panic!() };
        let (made, outer) = (&outcome.made, usize::from(outer));
        assert!(!self.meta.from_tunnel);
        assert!(outer <= network.node.vtep.headroom());
        assert_eq!(made.len(), outer + self.frame_len());
        assert_eq!(outcome.start + made.len(), self.offer.headroom + self.offer.bytes.len());
        if let InnerChecksum::Partial { start, offset } = checksum {
            assert!(
                usize::from(start) >= outer && usize::from(start) + usize::from(offset) + 2 <= made.len()
            );
        }
        assert!(
            gso.is_none_or(|gso| usize::from(gso.headers) > outer && usize::from(gso.headers) < made.len())
        );
        let frame = &made[outer..];
        assert!(frame.ends_with(&self.behind_link(network)));
        if self.is_ip {
            assert_eq!(frame[6..12], network.config().address.0);
        } else if network.config().rsc == ShortCircuit::Off {
            assert_eq!(frame, self.carried());
        }
        let config = network.config();
        // Nobody takes what comes from himself; nor what is yet to be cut or summed up.
        let is_own = [config.local.map(IpAddr::V4), config.local6.map(IpAddr::V6)].contains(&Some(address));
        if is_own || self.meta.inner_checksum != InnerChecksum::Unknown || self.meta.gso.is_some() {
            return;
        }
        let mut policy = Policy::RFC;
        (policy.allow_inner_vlan, policy.allow_zero_checksum_ipv6) = (true, true);
        let there = vxlan::Endpoint::new(address).port(config.dstport).framing(config.framing).policy(policy);
        let there = there.inner_vlan(true).group_policy(config.gbp).build().unwrap();
        let came_out = Offer { headroom: 0, bytes: made.clone() }.take(|packet| there.decap(packet));
        let inner = came_out.output.unwrap_or_else(|reason| panic!("{reason}: {made:02x?}"));
        assert_eq!((inner.stripped, &came_out.made[..]), (outer, frame));
        assert_ne!(inner.encapsulation.vni(), None::<Vni>);
    }

    /// From somebody; no longer than a packet and what headers it may get.
    fn assert_answer(&self, network: &Network, outcome: &Outcome<Output>) {
        let made = &outcome.made;
        assert!(!self.meta.from_tunnel);
        assert!(made.len() <= self.offer.bytes.len() + network.node.vtep.headroom());
        if self.is_ip {
            assert_reports(made, &self.offer.bytes);
        } else {
            let source = MacAddr(*made[6..].first_chunk().unwrap());
            assert!(source.is_unicast(), "an answer from {source}");
        }
    }

    /// A frame gets to each remote once, with headers that are no longer than there are.
    fn assert_replicas(&self, network: &mut Network, outcome: &Outcome<Output>) {
        let Output::Replicate(flood) = outcome.output else { return };
        let (vtep, worker) = (&network.node.vtep, &mut network.node.worker);
        let mut copies = BTreeSet::new();
        for copy in vtep.replicas(worker, &flood, &outcome.made) {
            assert!(copies.insert(copy.remote));
            assert!(copy.header.len() <= vtep.headroom());
            assert_eq!(copy.header.is_empty(), copy.local.is_some());
        }
    }
}
