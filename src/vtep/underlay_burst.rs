//! Packets from the underlay: what most of them are goes straight, those of a burst in two steps, so that the processor
//! waits for memory once and not for each packet by itself.
//!
//! First all packets are opened that are nothing but VXLAN over IPv4, or over IPv6 where the VTEP has no IPv4, and the
//! lines of the forwarding database that have their sources are fetched. Then, in their order, each whose source is
//! where it was a moment ago is delivered; everything else, and whatever is to be learned, goes the long way when its
//! turn comes. So of two packets of one host the second finds what the first has changed.

use core::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{Accept, Engine, Output, Worker, overlay_burst::BURST};
use crate::{
    packet::Packet,
    table::{Moment, RemoteId, Sought},
    time::Instant,
    tunnel::{DecapMeta, Inner, vxlan},
    wire::{EtherType, MacAddr, Vni, ethernet, vxlan_gbp::GroupPolicy},
};

impl<'t> Engine<'t> {
    /// A burst of packets from the underlay, as [`handle_overlay_batch`](Self::handle_overlay_batch).
    pub fn handle_underlay_batch(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[DecapMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        if self.ipv4.is_none() {
            return self.arrive::<Ipv6Addr>(worker, now, metas, packets, outputs);
        }
        self.arrive::<Ipv4Addr>(worker, now, metas, packets, outputs)
    }

    /// A burst of which most packets are from senders of one family.
    #[inline(always)]
    fn arrive<F: Family>(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[DecapMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        let mut arrivals: [Option<Arrival<'t, F>>; BURST] = [None; BURST];
        let bursts = metas.chunks(BURST).zip(packets.chunks_mut(BURST)).zip(outputs.chunks_mut(BURST));
        bursts.fold(0, |done, ((metas, packets), outputs)| {
            let moment = self.fdb.moment(now);
            if let Some(endpoint) = F::endpoint(self).filter(|_| self.may_deliver_straight()) {
                self.open_all(endpoint, metas, packets, &mut arrivals);
            }
            let arrived = arrivals.iter().zip(metas).zip(packets).zip(outputs);
            arrived.fold(done, |done, (((arrival, meta), packet), output)| {
                self.deliver(worker, (now, moment), arrival.as_ref(), meta, packet, output);
                done.saturating_add(1)
            })
        })
    }

    #[inline(always)]
    pub(super) fn arrive_alone<F: Family>(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) {
        let moment = self.fdb.moment(now);
        let endpoint = F::endpoint(self).filter(|_| self.may_deliver_straight());
        let arrival = endpoint.and_then(|endpoint| self.open::<F>(endpoint, meta, packet.bytes()?));
        self.deliver(worker, (now, moment), arrival.as_ref(), meta, packet, output);
    }

    /// Whether packets may go straight, and each frame need not be looked at more closely.
    fn may_deliver_straight(&self) -> bool {
        !(self.config.remcsumrx || self.config.l3 || self.tables.has_vlans())
    }

    /// Opens those packets of a burst that are plain VXLAN over this family, and has the processor fetch the lines of
    /// the forwarding database that have their sources.
    #[inline(never)]
    fn open_all<F: Family>(
        &self,
        endpoint: &vxlan::Endpoint,
        metas: &[DecapMeta],
        packets: &[Packet<'_>],
        arrivals: &mut [Option<Arrival<'t, F>>; BURST],
    ) {
        let mut touched = 0;
        for ((meta, packet), arrival) in metas.iter().zip(packets).zip(arrivals) {
            *arrival = packet.bytes().and_then(|packet| self.open(endpoint, meta, packet));
            touched |= arrival.as_ref().map_or(0, |arrival| arrival.sought.touch());
        }
        black_box(touched);
    }

    #[inline(always)]
    fn open<F: Family>(
        &self,
        endpoint: &vxlan::Endpoint,
        meta: &DecapMeta,
        packet: &[u8],
    ) -> Option<Arrival<'t, F>> {
        let (inner, end, sender) = F::open(endpoint, meta, packet)?;
        self.arrival(packet, &inner, end, sender)
    }

    #[inline(always)]
    fn arrival<From>(
        &self,
        packet: &[u8],
        inner: &Inner,
        end: usize,
        from: From,
    ) -> Option<Arrival<'t, From>> {
        let link = ethernet::Header::from_bytes(packet.get(inner.stripped..)?.first_chunk()?);
        let is_ours = link.source == self.config.address && link.source != MacAddr::ZERO;
        // Questions and answers of hosts may be something to be learned from.
        let says_nothing = !self.snoops() || link.ethertype == EtherType::IPV4;
        if is_ours || !link.source.is_unicast() || !says_nothing {
            return None;
        }
        let vni = inner.encapsulation.vni()?;
        let sought = self.fdb.seek(vni, &link.source)?;
        Some(Arrival { vni, sought, from, start: inner.stripped, end })
    }

    /// Delivers what goes straight, and does all that is to be done with another packet.
    #[inline(always)]
    fn deliver<F: Family>(
        &self,
        worker: &mut Worker,
        at: (Instant, Moment),
        arrival: Option<&Arrival<'_, F>>,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) {
        if let Some(arrival) = arrival {
            if let Some(source) = self.settled_at(at.1, meta, arrival, arrival.from.into()) {
                self.strip(worker, arrival, source, None, packet, output);
                return;
            }
        }
        self.deliver_other(worker, at, arrival.is_none(), meta, packet, output);
    }

    /// Delivers any packet that did not go straight. One that is `unopened` is no plain VXLAN, or comes over the other
    /// family, and gets a second try here.
    #[inline(never)]
    fn deliver_other(
        &self,
        worker: &mut Worker,
        (now, moment): (Instant, Moment),
        unopened: bool,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) {
        // Only where the second try can find something else than the first.
        let has_both = self.ipv4.is_some() && self.ipv6.is_some();
        let is_other = has_both || self.config.gbp || meta.outer.is_some();
        if unopened && is_other && self.may_deliver_straight() {
            if let Some(arrival) = self.open_other(meta, packet.as_slice()) {
                let (sender, policy) = arrival.from;
                if let Some(source) = self.settled_at(moment, meta, &arrival, sender) {
                    self.strip(worker, &arrival, source, policy, packet, output);
                    return;
                }
            }
        }
        *output = self.underlay(worker, now, meta, packet);
    }

    /// Opens a packet over IPv6, or with Group Based Policy.
    #[inline(always)]
    fn open_other(
        &self,
        meta: &DecapMeta,
        packet: &[u8],
    ) -> Option<Arrival<'t, (IpAddr, Option<GroupPolicy>)>> {
        let (inner, end) = self.receiver(meta, packet)?.checked_at_a_glance(packet, *meta)?;
        let policy = inner.encapsulation.group_policy();
        self.arrival(packet, &inner, end, (inner.outer?.source, policy))
    }

    /// The remote of a packet whose source is behind its sender, if there is nothing to learn from it and it is one
    /// whose packets are taken.
    #[inline(always)]
    fn settled_at<From>(
        &self,
        moment: Moment,
        meta: &DecapMeta,
        arrival: &Arrival<'_, From>,
        sender: IpAddr,
    ) -> Option<RemoteId> {
        let remote = self.fdb.settled_at(moment, &arrival.sought)?;
        let remotes = self.fdb.remotes;
        let is_there = remotes.is_at(remote, sender, meta.ingress);
        let is_taken = self.config.accept != Accept::Configured || remotes.is_configured(remote);
        (is_there && is_taken).then_some(remote)
    }

    /// Strips a packet down to its frame.
    #[inline(always)]
    fn strip<From>(
        &self,
        worker: &mut Worker,
        &Arrival { vni, start, end, .. }: &Arrival<'_, From>,
        source: RemoteId,
        policy: Option<GroupPolicy>,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) {
        packet.narrow(start, end);
        *output = Output::Deliver { vni, source: Some(source), port: None, policy, vlan: None };
        self.count_delivered(worker, vni, packet.len() as u64);
    }
}

/// A family of IP, as its type of addresses: that of a packet's sender. (With one that holds both, everything took a
/// third longer.)
pub(super) trait Family: Copy + Into<IpAddr> {
    /// What opens packets of this family.
    fn endpoint<'t>(engine: &Engine<'t>) -> Option<&'t vxlan::Endpoint>;

    /// Opens a packet if it is plain VXLAN of this family; answers where in the packet the frame ends, too.
    fn open(endpoint: &vxlan::Endpoint, meta: &DecapMeta, packet: &[u8]) -> Option<(Inner, usize, Self)>;
}

impl Family for Ipv4Addr {
    #[inline(always)]
    fn endpoint<'t>(engine: &Engine<'t>) -> Option<&'t vxlan::Endpoint> {
        engine.ipv4
    }

    #[inline(always)]
    fn open(endpoint: &vxlan::Endpoint, meta: &DecapMeta, packet: &[u8]) -> Option<(Inner, usize, Self)> {
        let (inner, end) = endpoint.checked_plain(packet, meta)?;
        let IpAddr::V4(sender) = inner.outer?.source else { return None };
        Some((inner, end, sender))
    }
}

impl Family for Ipv6Addr {
    #[inline(always)]
    fn endpoint<'t>(engine: &Engine<'t>) -> Option<&'t vxlan::Endpoint> {
        engine.ipv6
    }

    #[inline(always)]
    fn open(endpoint: &vxlan::Endpoint, meta: &DecapMeta, packet: &[u8]) -> Option<(Inner, usize, Self)> {
        let (inner, end) = endpoint.checked_plain_ipv6(packet, meta)?;
        let IpAddr::V6(sender) = inner.outer?.source else { return None };
        Some((inner, end, sender))
    }
}

/// A packet that was opened, whom it is from, and where its source is in the forwarding database.
#[derive(Clone, Copy, Debug)]
struct Arrival<'t, From> {
    vni: Vni,
    sought: Sought<'t>,
    from: From,
    /// Where in the packet the frame is.
    start: usize,
    end: usize,
}
