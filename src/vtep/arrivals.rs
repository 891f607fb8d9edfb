//! Packets from the underlay: what most of them are goes straight, those of a burst in two steps, so that the processor
//! waits for memory once and not for each packet by itself.
//!
//! First all packets are opened of which a glance tells all, and where their sources are in the forwarding database is
//! touched. Then, in their order, each whose source is where it was a moment ago is delivered; everything
//! else, and whatever is to be learned, goes the long way when its turn comes. So of two packets of one host the second
//! finds what the first has changed.

use core::{hint::black_box, net::IpAddr};

use super::{Accept, Engine, Output, Worker};
use crate::{
    packet::Packet,
    table::{Moment, RemoteId, Sought},
    time::Instant,
    tunnel::{DecapMeta, Inner},
    wire::{EtherType, MacAddr, Vni, ethernet, vxlan_gbp::GroupPolicy},
};

impl<'t> Engine<'t> {
    pub(super) fn underlay_burst(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[DecapMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        let mut arrivals = [None; BURST];
        let bursts = metas.chunks(BURST).zip(packets.chunks_mut(BURST)).zip(outputs.chunks_mut(BURST));
        bursts.fold(0, |done, ((metas, packets), outputs)| {
            let moment = self.fdb.moment(now);
            if self.may_deliver_straight() {
                self.open_all(metas, packets, &mut arrivals);
            }
            let arrived = arrivals.iter().zip(metas).zip(packets).zip(outputs);
            arrived.fold(done, |done, (((arrival, meta), packet), output)| {
                self.deliver(worker, (now, moment), arrival.as_ref(), meta, packet, output);
                done.saturating_add(1)
            })
        })
    }

    /// A packet by itself.
    pub(super) fn underlay_alone(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
    ) -> Output {
        let moment = self.fdb.moment(now);
        let mut arrival = None;
        if self.may_deliver_straight() {
            self.open(meta, packet.as_slice(), &mut arrival);
        }
        let mut output = Output::Pass;
        self.deliver(worker, (now, moment), arrival.as_ref(), meta, packet, &mut output);
        output
    }

    /// Whether packets may go straight, and each frame need not be looked at more closely.
    fn may_deliver_straight(&self) -> bool {
        !(self.config.remcsumrx || self.config.l3 || self.tables.has_vlans())
    }

    /// Opens those packets of a burst that can go straight, and touches where their sources are known.
    #[inline(never)]
    fn open_all(
        &self,
        metas: &[DecapMeta],
        packets: &[Packet<'_>],
        arrivals: &mut [Option<Arrival<'t>>; BURST],
    ) {
        let mut touched = 0;
        for ((meta, packet), arrival) in metas.iter().zip(packets).zip(arrivals) {
            self.open(meta, packet.as_slice(), arrival);
            touched |= arrival.as_ref().map_or(0, |arrival| arrival.sought.touch());
        }
        black_box(touched);
    }

    // Written where it is to be, each way by itself: what both would hand on would go through memory.
    #[inline(always)]
    fn open(&self, meta: &DecapMeta, packet: &[u8], arrival: &mut Option<Arrival<'t>>) {
        if let Some(endpoint) = self.ipv4 {
            if let Some((inner, end)) = endpoint.checked_plain(packet, meta) {
                *arrival = self.arrival(packet, &inner, end);
                return;
            }
        }
        self.open_other(meta, packet, arrival);
    }

    /// Opens what is not plain VXLAN over IPv4.
    #[inline(never)]
    fn open_other(&self, meta: &DecapMeta, packet: &[u8], arrival: &mut Option<Arrival<'t>>) {
        let opened =
            self.receiver(meta, packet).and_then(|endpoint| endpoint.checked_at_a_glance(packet, *meta));
        *arrival = opened.and_then(|(inner, end)| self.arrival(packet, &inner, end));
    }

    #[inline(always)]
    fn arrival(&self, packet: &[u8], inner: &Inner, end: usize) -> Option<Arrival<'t>> {
        let link = ethernet::Header::from_bytes(packet.get(inner.stripped..)?.first_chunk()?);
        let is_ours = link.source == self.config.address && link.source != MacAddr::ZERO;
        // Questions and answers of hosts may be something to be learned from.
        let says_nothing = !self.snoops() || link.ethertype == EtherType::IPV4;
        if is_ours || !link.source.is_unicast() || !says_nothing {
            return None;
        }
        let vni = inner.encapsulation.vni()?;
        let sought = self.fdb.seek(vni, &link.source)?;
        let (sender, policy) = (inner.outer?.source, inner.encapsulation.group_policy());
        Some(Arrival { vni, sought, sender, policy, start: inner.stripped, end })
    }

    /// Delivers what goes straight, and does all that is to be done with another packet.
    #[inline(always)]
    fn deliver(
        &self,
        worker: &mut Worker,
        (now, moment): (Instant, Moment),
        arrival: Option<&Arrival<'_>>,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) {
        if let Some(arrival) = arrival {
            if let Some(source) = self.settled_at(moment, meta, arrival) {
                let &Arrival { vni, policy, start, end, .. } = arrival;
                packet.narrow(start, end);
                *output = Output::Deliver { vni, source: Some(source), port: None, policy, vlan: None };
                self.count_delivered(worker, vni, packet.len() as u64);
                return;
            }
        }
        *output = self.underlay(worker, now, meta, packet);
    }

    /// The remote of a packet whose source is behind its sender, if there is nothing to learn from it and it is one
    /// whose packets are taken.
    #[inline(always)]
    fn settled_at(&self, moment: Moment, meta: &DecapMeta, arrival: &Arrival<'_>) -> Option<RemoteId> {
        let remote = self.fdb.settled_at(moment, &arrival.sought)?;
        let remotes = self.fdb.remotes;
        let is_there = remotes.is_at(remote, arrival.sender, meta.ingress);
        let is_taken = self.config.accept != Accept::Configured || remotes.is_configured(remote);
        (is_there && is_taken).then_some(remote)
    }
}

/// A packet that was opened, and where its source is in the forwarding database.
#[derive(Clone, Copy, Debug)]
struct Arrival<'t> {
    vni: Vni,
    sought: Sought<'t>,
    sender: IpAddr,
    policy: Option<GroupPolicy>,
    /// Where in the packet the frame is.
    start: usize,
    end: usize,
}

/// Packets that wait for memory together.
const BURST: usize = 32;
