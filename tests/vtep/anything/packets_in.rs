//! Packets from the underlay, and ICMP errors about ours.

use encap::{
    time::Instant,
    tunnel::{DecapMeta, Framing, OuterFacts},
    vtep::{Output, PathReport},
    wire::icmp_quote,
};

use super::{
    Input, Network, Offer,
    laws::assert_counted,
    network::remote_at,
    offer::{Outcome, take_all},
};

pub(super) fn handle(input: &mut Input<'_>, now: Instant, networks: &mut [Network], count: u8) {
    let arrived: Vec<_> = (0..count)
        .map(|_| {
            let meta = meta(input, &networks[0]);
            let bytes = input.arrival(&networks[0]);
            (meta, input.offer(bytes))
        })
        .collect();
    let (first, others) = networks.split_first_mut().unwrap();
    let (vtep, worker) = (&first.node.vtep, &mut first.node.worker);
    let before = *worker.counters();
    let outcomes: Vec<_> = arrived
        .iter()
        .map(|(meta, offer)| offer.take(|packet| vtep.handle_underlay(worker, now, meta, packet)))
        .collect();
    let outputs: Vec<_> = outcomes.iter().map(|outcome| outcome.output).collect();
    assert_counted(&outputs, &before, worker.counters());
    for ((_, offer), outcome) in arrived.iter().zip(&outcomes) {
        assert_laws(offer, outcome);
    }
    // Those of a burst are decided as one by one.
    for other in others {
        let (vtep, other) = (&other.node.vtep, &mut other.node.worker);
        let metas: Vec<_> = arrived.iter().map(|(meta, _)| *meta).collect();
        let together = take_all(arrived.iter().map(|(_, offer)| offer), |packets| {
            let mut outputs = vec![Output::Drop(encap::vtep::DropReason::Loop); packets.len()];
            let done = vtep.handle_underlay_batch(other, now, &metas, packets, &mut outputs);
            assert_eq!(done, packets.len());
            outputs
        });
        assert_eq!(together, outcomes);
        assert_eq!(other.counters(), worker.counters());
    }
    for network in networks {
        while network.node.worker.poll_event().is_some() {}
    }
}

/// What a socket or a network card says of a packet.
fn meta(input: &mut Input<'_>, network: &Network) -> DecapMeta {
    let [unknown, verified, ..] = input.bits();
    let mut meta = DecapMeta::new();
    meta.udp_checksum_verified = verified;
    if (network.config().framing == Framing::Payload) ^ unknown {
        let from = input.byte();
        meta.outer = Some(OuterFacts::new(remote_at(from), network.here(from)));
    }
    meta
}

fn assert_laws(offer: &Offer, outcome: &Outcome<Output>) {
    match outcome.output {
        Output::Deliver { .. } => {
            outcome.assert_within(offer);
            assert!(outcome.made.len() >= 14 && outcome.made.len() < offer.bytes.len());
        }
        Output::DeliverIp { .. } => {
            outcome.assert_within(offer);
            assert!(outcome.made.len() + 14 < offer.bytes.len());
        }
        Output::Drop(_) | Output::Pass => outcome.assert_left_as_it_was(offer),
        other => panic!("{other:?}"),
    }
    outcome.assert_nothing_before();
}

/// What an ICMP error says counts where it is one, and MTUs are believed within bounds.
pub(super) fn report(input: &mut Input<'_>, now: Instant, networks: &mut [Network]) {
    let packet = input.report(&networks[0]);
    for network in networks {
        let vtep = &network.node.vtep;
        let mtu = |id| vtep.remotes().get(id).map(|remote| remote.mtu);
        let before: Vec<_> = vtep.remotes().iter().map(|(id, remote)| (id, remote.mtu)).collect();
        let report = vtep.handle_underlay_icmp(now, 0, &packet);
        if icmp_quote::parse(&packet).is_err() {
            assert_eq!(report, PathReport::NotOurs);
        }
        match report {
            PathReport::Mtu { remote, mtu: told } => {
                let least = if vtep.remotes().get(remote).unwrap().address.is_ipv4() { 576 } else { 1_280 };
                assert!((least..network.config().mtu).contains(&told));
                assert_eq!(mtu(remote), Some(told));
                for (id, was) in before {
                    assert!(mtu(id) == Some(was) || was == 0 || mtu(id) <= Some(was));
                }
            }
            PathReport::Unreachable { remote, .. } => assert!(vtep.remotes().get(remote).is_some()),
            PathReport::Ignored | PathReport::NotOurs => {
                assert!(before.iter().all(|&(id, was)| mtu(id) == Some(was)));
            }
            other => panic!("{other:?}"),
        }
    }
}
