//! A frame that a local host sends.

use core::net::IpAddr;

use super::{
    DropReason, Engine, Miss, Output, OverlayMeta, Proxy, ShortCircuit, Worker, arp_proxy, nd_proxy,
    send::{Origin, To},
    trunk::Membership,
};
use crate::{
    packet::Packet,
    table::{Destination, Lookup, RemoteId, VniCounters},
    time::Instant,
    tunnel::{IpVersion, Payload, Plain},
    wire::{EtherType, IpProtocol, MacAddr, Vni, ethernet, ipv4, ipv6, vlan},
};

/// What a frame says before its payload, VLAN tags skipped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    pub(super) link: ethernet::Header,
    /// What the payload is, behind tags.
    pub(super) ethertype: EtherType,
    /// Where the payload starts.
    pub(super) l3: usize,
    pub(super) tagged: bool,
}

impl Front {
    pub(super) fn of(frame: &[u8]) -> Option<Self> {
        let (link, rest) = ethernet::Header::parse(frame).ok()?;
        if !link.ethertype.is_vlan() {
            return Some(Self { link, ethertype: link.ethertype, l3: ethernet::Header::LEN, tagged: false });
        }
        // A tag that is cut off, or more tags than are followed: carried, but not looked into.
        let (ethertype, payload) = match vlan::skip_tags(link.ethertype, rest) {
            Ok(untagged) => (untagged.ethertype, untagged.payload),
            Err(_) => (link.ethertype, rest),
        };
        let l3 = frame.len().saturating_sub(payload.len());
        Some(Self { link, ethertype, l3, tagged: true })
    }
}

impl Engine<'_> {
    /// A frame that a local host sends: where does it go? `packet` needs [`headroom`](super::Vtep::headroom) bytes
    /// before it. After [`Output::Send`] it has its outer headers, after [`Output::Reply`] it is the answer; after
    /// [`Output::Drop`] and [`Output::Resolve`] it is as it was, after [`Output::DeliverIp`] the IP packet in the
    /// frame; otherwise it is the frame to hand on.
    pub fn handle_overlay(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        packet: &mut Packet<'_>,
    ) -> Output {
        let mut output = Output::Pass;
        self.overlay_to(worker, now, meta, packet, &mut output);
        output
    }

    /// Writes into the caller's `Output`: by value it would be copied on every frame.
    pub(super) fn overlay_to(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) {
        if let Some(remote) = self.plain_remote(now, meta, packet.as_slice()) {
            if let Some(len) = self.try_straight(meta, remote, packet, output) {
                return self.count_sent(worker, meta.vni, len as u64);
            }
            let sent = self.send_any(worker, now, meta, To::one(remote), packet);
            *output = sent.unwrap_or_else(|reason| self.refuse(worker, Some(meta.vni), reason));
            return;
        }
        // That of a trunk's frame is told by its tag.
        let mut vni = (!meta.trunk).then_some(meta.vni);
        let sent = self.bridge(worker, now, meta, &mut vni, packet);
        *output = sent.unwrap_or_else(|reason| self.refuse(worker, vni, reason));
    }

    #[cold]
    pub(super) fn refuse(&self, worker: &mut Worker, vni: Option<Vni>, reason: DropReason) -> Output {
        worker.counters.drop(reason);
        if let Some(vni) = vni {
            self.tally(worker, vni, &VniCounters { send_drops: 1, ..VniCounters::default() });
        }
        Output::Drop(reason)
    }

    /// The remote behind which the destination of a frame is, if it is one that goes there and nowhere else: most
    /// frames are of this kind. Whatever could be otherwise is left to [`bridge`](Self::bridge).
    #[inline(always)]
    fn plain_remote(&self, now: Instant, meta: &OverlayMeta, frame: &[u8]) -> Option<RemoteId> {
        if self.config.rsc != ShortCircuit::Off {
            return None;
        }
        let (mac, _) = self.plain(meta, frame)?;
        match self.fdb.lookup(now, meta.vni, mac) {
            Lookup::Found(Destination::Remote(remote)) => Some(remote),
            _ => None,
        }
    }

    /// The destination of a frame, if nothing else decides where it goes, and what it is.
    #[inline(always)]
    pub(super) fn plain(&self, meta: &OverlayMeta, frame: &[u8]) -> Option<(MacAddr, Plain)> {
        if meta.trunk | meta.from_tunnel | meta.remote.is_some() {
            return None;
        }
        // As far as the addresses of IPv4 and four bytes more, which all that is plain has.
        #[rustfmt::skip]
        let head @ &[
            d0, d1, d2, d3, d4, d5, _, _, _, _, _, _, _, _,
            _, _, _, _, _, _, _, _, _, _, _, _, s0, s1, s2, s3, _, _, _, _, _, _, _, _,
        ] = frame.first_chunk()?;
        let mac = MacAddr([d0, d1, d2, d3, d4, d5]);
        if mac.is_multicast() {
            return None;
        }
        let plain = Plain::new(Payload::Ethernet, frame)?;
        // Perhaps a packet of our own, which takes a closer look.
        let is_special = match plain.version() {
            Some(IpVersion::V4) => self.own.may_be_ipv4([s0, s1, s2, s3]),
            version => self.is_special(head, frame.len(), version),
        };
        (!is_special).then_some((mac, plain))
    }

    /// Whether a plain frame of anything but IPv4 takes a closer look, by its front: perhaps a question to a proxy, or
    /// a packet of our own.
    // Out of line: the registers are for IPv4.
    #[inline(never)]
    fn is_special(&self, head: &[u8; Plain::MIN_FRAME], len: usize, version: Option<IpVersion>) -> bool {
        #[rustfmt::skip]
        let &[
            _, _, _, _, _, _, _, _, _, _, _, _, t0, t1,
            _, _, _, _, _, _, next, _, s0, s1, s2, s3, s4, s5, s6, s7, ..
        ] = head;
        if version.is_none() {
            return EtherType(u16::from_be_bytes([t0, t1])) == EtherType::ARP && arp_proxy::heeds(self, len);
        }
        let is_question = IpProtocol(next) == IpProtocol::ICMPV6 && self.config.proxy != Proxy::Off;
        is_question || self.own.may_be_ipv6([s0, s1, s2, s3, s4, s5, s6, s7])
    }

    /// Decides about any frame, one step after the other. Its segment is put into `known` as soon as that is told, for
    /// the count of drops.
    fn bridge(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        known: &mut Option<Vni>,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        let mut front = Front::of(packet.as_slice()).ok_or(DropReason::FrameTruncated)?;
        let member = self.membership(meta, &mut front, packet.as_slice())?;
        let vni = *known.insert(member.vni);
        if front.tagged && !self.config.inner_vlan {
            return Err(DropReason::InnerVlan);
        }
        // Before the proxy: what came out of a tunnel was its sender's to answer, and is no local host's question.
        if meta.from_tunnel {
            return Err(DropReason::SplitHorizon);
        }
        let is_ip = matches!(front.ethertype, EtherType::IPV4 | EtherType::IPV6);
        if is_ip && self.is_outer(packet.as_slice().get(front.l3..).unwrap_or_default()) {
            return Err(DropReason::Loop);
        }
        let meta = &OverlayMeta { vni, ..*meta };
        let destination = match meta.remote {
            Some(remote) => remote.into(),
            None => {
                if self.proxy(worker, now, vni, &front, packet)? {
                    worker.counters.replied();
                    return Ok(Output::Reply);
                }
                match self.group(vni, &front, packet.as_slice()) {
                    Some(group) => group,
                    None => {
                        if let Some(sent) = self.send_short(worker, now, meta, &front, member, packet) {
                            return sent;
                        }
                        self.destination(worker, now, vni, front.link.destination)?
                    }
                }
            }
        };
        self.untagged(member, packet, |packet| {
            self.forward(worker, now, meta, Origin::Bridged, destination, packet)
        })
    }

    /// Answers a frame in the place of another host, if that is for the VTEP to do; tells whether it did.
    fn proxy(
        &self,
        worker: &mut Worker,
        now: Instant,
        vni: Vni,
        front: &Front,
        packet: &mut Packet<'_>,
    ) -> Result<bool, DropReason> {
        // What is known of the neighbours of a VNI is of no VLAN in it.
        if self.config.proxy == Proxy::Off || front.tagged {
            return Ok(false);
        }
        match front.ethertype {
            EtherType::ARP => arp_proxy::handle(self, worker, now, vni, front, packet),
            EtherType::IPV6 => nd_proxy::handle(self, worker, now, vni, front, packet),
            _ => Ok(false),
        }
    }

    /// Where a multicast packet goes by its IP addresses; what has no entry goes by its MAC address, and so does what
    /// has a tag: the groups of a VNI are those of no VLAN in it.
    fn group(&self, vni: Vni, front: &Front, frame: &[u8]) -> Option<Destination> {
        let mac = front.link.destination;
        if !mac.is_multicast() || mac == MacAddr::BROADCAST || front.tagged || !self.tables.has_groups() {
            return None;
        }
        let ip = frame.get(front.l3..)?;
        let (source, destination) = match front.ethertype {
            EtherType::IPV4 => {
                let &[.., a, b, c, d, e, f, g, h] = ip.first_chunk::<{ ipv4::Header::MIN_LEN }>()?;
                (IpAddr::from([a, b, c, d]), IpAddr::from([e, f, g, h]))
            }
            EtherType::IPV6 => {
                let (ip, _) = ipv6::Header::parse(ip).ok()?;
                (ip.source.into(), ip.destination.into())
            }
            _ => return None,
        };
        destination.is_multicast().then(|| self.groups().lookup(vni, destination, source)).flatten()
    }

    /// Sends a frame without the tag of its trunk. What stays on this side stays as it was, or becomes an answer for
    /// the same trunk.
    pub(super) fn untagged(
        &self,
        member: Membership,
        packet: &mut Packet<'_>,
        send: impl FnOnce(&mut Packet<'_>) -> Result<Output, DropReason>,
    ) -> Result<Output, DropReason> {
        let Some(tag) = member.untag(packet) else { return send(packet) };
        let sent = send(packet);
        if matches!(sent, Ok(Output::Reply | Output::Resolve { .. }) | Err(_)) {
            tag.put(packet)?;
        }
        sent
    }

    /// Sends a frame where the forwarding database says. One that a router made is handed over where that is on this
    /// side (Linux does so after a short circuit); one that was bridged has been there.
    pub(super) fn forward(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        origin: Origin,
        destination: Destination,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        match destination {
            Destination::Remote(remote) => self.send(worker, now, meta, To::one(remote), packet),
            Destination::Group(group) => {
                let flow = self.flow(meta, packet);
                let member = self.fdb.lists().pick(group, flow).ok_or(DropReason::NoRemote)?;
                self.send(worker, now, meta, To::one(member), packet)
            }
            Destination::List(list) => {
                let mut members = self.fdb.lists().members(list);
                match (members.next(), members.next()) {
                    (None, _) => Err(DropReason::NoDestination),
                    (Some(only), None) => self.send(worker, now, meta, To::member(only, origin), packet),
                    _ => self.replicate(worker, now, meta, origin, list, packet),
                }
            }
            Destination::Local if origin == Origin::Routed => self.hand_over(worker, meta.vni, meta, packet),
            Destination::Local => Err(DropReason::LocalDestination),
            Destination::Blackhole => Err(DropReason::Blackhole),
        }
    }

    /// Where frames to this address go: its entry, or else the default destination of the VNI.
    pub(super) fn destination(
        &self,
        worker: &mut Worker,
        now: Instant,
        vni: Vni,
        mac: MacAddr,
    ) -> Result<Destination, DropReason> {
        let mut unknown = true;
        for mac in [mac, MacAddr::ZERO] {
            match self.fdb.lookup(now, vni, mac) {
                Lookup::Found(destination) => return Ok(destination),
                Lookup::Busy => {
                    worker.counters.busy = worker.counters.busy.wrapping_add(1);
                    unknown = false;
                }
                Lookup::Unknown => {}
            }
        }
        if mac.is_unicast() && unknown && self.config.l2miss {
            worker.miss(Miss::L2 { vni, mac });
        }
        Err(DropReason::NoDestination)
    }

    /// Counts what happened in a segment, where that is wanted.
    pub(super) fn tally(&self, worker: &Worker, vni: Vni, more: &VniCounters) {
        let Some(slot) = worker.slot else { return };
        if let Ok(Some(domain)) = self.fdb.vnis.find(vni) {
            self.tally.count(slot, &domain, more);
        }
    }

    /// A number that all packets of a flow have.
    fn flow(&self, meta: &OverlayMeta, packet: &Packet<'_>) -> u32 {
        let endpoint = self.ipv4.or(self.ipv6);
        meta.hash.or_else(|| endpoint?.flow_hash(packet.as_slice())).unwrap_or(0)
    }
}

/// The longest [`Front`]: Ethernet, and as many VLAN tags as are followed.
pub(super) const MAX_FRONT: usize = ethernet::Header::LEN + vlan::MAX_TAGS * vlan::Header::LEN;
