//! A packet from the underlay.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Accept, DropReason, Engine, Output, Worker, arp_proxy, learn::Sender, nd_proxy, overlay::Front, pace,
    remote_checksum::Offload, trunk::Tag,
};
use crate::{
    packet::Packet,
    table::VniCounters,
    time::Instant,
    tunnel::{self, DecapMeta, Encapsulation, Framing, Inner, OuterFacts, vxlan},
    wire::{EtherType, MacAddr, Vni, checksum::State},
};

impl<'t> Engine<'t> {
    /// A packet from the underlay: whose frame is in it? After [`Output::Deliver`] the packet is that frame, after
    /// [`Output::DeliverIp`] the IP packet in it; otherwise it is as it was.
    ///
    /// Its sender is learned after all checks if it is a remote that somebody [added](super::Vtep::remote), or with
    /// [`LearnFrom::Any`](crate::table::LearnFrom::Any) whoever it is. With
    /// [`Framing::Payload`](crate::tunnel::Framing::Payload) say in [`DecapMeta::outer`] who that is: otherwise nothing
    /// is learned, and congestion marks are lost. One socket of both families, bound to `[::]`, is for a VTEP with
    /// [`Config::local`](super::Config::local) and [`local6`](super::Config::local6); the addresses `::ffff:a.b.c.d`
    /// that it tells of senders over IPv4 are IPv4 ones to [`OuterFacts::new`](crate::tunnel::OuterFacts::new). (Linux
    /// sends to IPv4 addresses by it, too; other systems want
    /// [`to_ipv6_mapped`](core::net::Ipv4Addr::to_ipv6_mapped).) A VTEP on a UDP socket, which needs no privileges:
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use encap::{Packet, table::{Capacity, Line}, time::Instant, wire::{MacAddr, Vni}};
    /// # use encap::{tunnel::{DecapMeta, Framing, OuterFacts}, vtep::{Config, Output, OverlayMeta, Vtep, Worker}};
    /// # const CAPACITY: Capacity = Capacity::fdb(1_024);
    /// # static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
    /// let (local, peer) = ("192.0.2.1".parse()?, "192.0.2.2".parse()?);
    /// let mut config = Config::new().local(local);
    /// config.framing = Framing::Payload; // the socket has the outer headers, but for VXLAN's 8 bytes
    /// let vtep = Vtep::new(&LINES, config, CAPACITY, [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210])?;
    /// let (vni, now, mut worker) = (Vni::truncate(42), Instant::ZERO, Worker::new(1));
    /// vtep.fdb().append(vni, MacAddr::ZERO, vtep.remote(peer)?)?;
    ///
    /// // let (len, from) = socket.recv_from(&mut buffer)?;
    /// let (mut buffer, len, from) = ([0; 2_048], 8 + 60, std::net::SocketAddr::new(peer, 50_000));
    /// # buffer[..8].copy_from_slice(&[8, 0, 0, 0, 0, 0, 42, 0]);
    /// # buffer[8..20].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    /// let mut packet = Packet::new(&mut buffer, 0, len)?;
    /// // Its `ds_field` is what IP_RECVTOS says, where congestion is to be told.
    /// let meta = DecapMeta::new().outer(OuterFacts::new(from.ip(), local));
    /// let output = vtep.handle_underlay(&mut worker, now, &meta, &mut packet);
    /// assert!(matches!(output, Output::Deliver { vni: to, .. } if to == vni));
    /// assert_eq!(packet.len(), 60); // the frame, for the device of that segment
    ///
    /// // The peer is known by now. Here its own frame goes back to it, the two MAC addresses exchanged.
    /// packet.as_mut_slice()[..12].rotate_left(6);
    /// match vtep.handle_overlay(&mut worker, now, &OverlayMeta::new(vni), &mut packet) {
    ///     Output::Send { address, port, .. } => {
    ///         assert_eq!((address, port, packet.len()), (peer, 4_789, 8 + 60));
    ///         // socket.send_to(packet.as_slice(), (address, port))?;
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle_underlay(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
    ) -> Output {
        let mut output = Output::Pass;
        if self.ipv4.is_none() {
            self.arrive_alone::<Ipv6Addr>(worker, now, meta, packet, &mut output);
        } else {
            self.arrive_alone::<Ipv4Addr>(worker, now, meta, packet, &mut output);
        }
        output
    }

    pub(super) fn underlay(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
    ) -> Output {
        let mut vni = None;
        match self.receive(worker, now, meta, &mut vni, packet) {
            Ok(output) => output,
            Err(DropReason::Decap(_)) if self.is_for_others(meta, packet) => {
                self.overhear(meta, packet.as_slice());
                Output::Pass
            }
            Err(reason) => {
                worker.counters.drop(reason);
                // The packet is opened once more only where somebody counts.
                let of_refused = || worker.slot.and_then(|_| self.vni_of_refused(reason, meta, packet));
                if let Some(vni) = vni.or_else(of_refused) {
                    self.tally(worker, vni, &VniCounters { receive_drops: 1, ..VniCounters::default() });
                }
                Output::Drop(reason)
            }
        }
    }

    fn receive(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &DecapMeta,
        known: &mut Option<Vni>,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        let endpoint = self.receiver(meta, packet.as_slice()).ok_or(tunnel::DropReason::NotIp)?;
        let (inner, carried) = endpoint.checked(packet.as_slice(), meta)?;
        let vni = inner.encapsulation.vni().ok_or(tunnel::DropReason::VxlanNoVni)?;
        let domain = self.fdb.vnis.find(vni).ok().flatten().ok_or(DropReason::UnknownVni)?;
        *known = Some(vni);
        let frame = carried.bytes(packet.as_slice());
        let front = Front::of(frame).ok_or(DropReason::FrameTruncated)?;
        let source = front.link.source;
        if source == self.config.address && source != MacAddr::ZERO {
            return Err(DropReason::OwnMac);
        }
        let policy = inner.encapsulation.group_policy();
        // Most hosts are where they were a moment ago.
        let settled = self.settled(now, vni, source, inner.outer, meta.ingress);
        let sender = settled.or_else(|| inner.outer.and_then(|outer| self.sender(now, vni, &outer, meta)));
        let is_configured = || {
            sender.is_some_and(|sender| self.fdb.remotes.is_configured(sender))
                || inner.outer.is_some_and(|outer| self.is_configured(&outer, meta))
        };
        if self.config.accept == Accept::Configured && !is_configured() {
            return Err(DropReason::UnknownSender);
        }
        let is_routed = self.is_routed(&front.link);
        if is_routed && self.is_nested(frame.get(front.l3..).unwrap_or_default()) {
            return Err(DropReason::Nested);
        }
        let offload = match inner.encapsulation {
            Encapsulation::Vxlan(header) | Encapsulation::VxlanGbp(header) if self.config.remcsumrx => {
                Offload::of(&header, &front, frame)?
            }
            _ => None,
        };
        // Last of all checks, since everything before it may have refused the packet.
        let teaches = !policy.is_some_and(|policy| policy.dont_learn)
            && (self.config.learn_unverified || !is_unverified(meta, &inner));
        let sender = Sender { outer: inner.outer, ingress: meta.ingress, known: sender, teaches };
        let remote = if self.config.learning && settled.is_none() {
            self.learn(worker, now, vni, source, &sender)?
        } else {
            sender.known
        };
        if self.config.learning && self.snoops() {
            self.snoop(worker, now, vni, &sender, &front, frame);
        }
        carried.strip_from(packet);
        if let Some(offload) = offload {
            offload.finish(packet.as_mut_slice());
        }
        self.count_delivered(worker, vni, packet.len() as u64);
        worker.counters.count_ecn(carried.is_suspicious);
        if is_routed {
            // The Ethernet header is there, so this cannot fail.
            let _ = packet.strip(front.l3);
            return Ok(Output::DeliverIp { vni, source: remote });
        }
        let vlan = domain.vlan_id();
        // Outer headers were there before the frame, so there is room.
        let _ = vlan.and_then(Tag::of).map(|tag| tag.put(packet));
        Ok(Output::Deliver { vni, source: remote, port: None, policy, vlan })
    }

    /// What hosts behind tunnels say of themselves is worth knowing, if it comes from whom MAC addresses are learned
    /// from, and no more neighbours come from one sender than addresses may, nor do they move more often. Hosts with
    /// VLAN tags are not the segment's.
    fn snoop(
        &self,
        worker: &mut Worker,
        now: Instant,
        vni: Vni,
        sender: &Sender,
        front: &Front,
        frame: &[u8],
    ) {
        let Some(from) = sender.somebody().filter(|_| self.teaches(sender) && !front.tagged) else { return };
        let (message, from) = (frame.get(front.l3..).unwrap_or_default(), pace::of_ip(from));
        match front.ethertype {
            EtherType::ARP => arp_proxy::snoop(self, worker, now, vni, message, from),
            EtherType::IPV6 => nd_proxy::snoop(self, worker, now, vni, message, from),
            _ => {}
        }
    }

    /// The VNI of a packet that decapsulation refuses, where all is well until that is read.
    #[cold]
    fn vni_of_refused(&self, reason: DropReason, meta: &DecapMeta, packet: &Packet<'_>) -> Option<Vni> {
        let DropReason::Decap(reason) = reason else { return None };
        // Reasons are in the order of the checks: where one behind this is given, there is a VNI.
        if reason <= tunnel::DropReason::VxlanNoVni {
            return None;
        }
        self.receiver(meta, packet.as_slice())?.encapsulation(packet.as_slice(), meta)?.vni()
    }

    /// The endpoint for the family of this packet.
    #[inline(always)]
    pub(super) fn receiver(&self, meta: &DecapMeta, packet: &[u8]) -> Option<&'t vxlan::Endpoint> {
        let is_ipv6 = is_ipv6(meta, self.config.framing, self.ipv4.is_some(), packet)?;
        if is_ipv6 { self.ipv6 } else { self.ipv4 }
    }

    /// Whether a packet that was refused was never meant for this tunnel, whatever else is wrong with it.
    fn is_for_others(&self, meta: &DecapMeta, packet: &Packet<'_>) -> bool {
        let endpoint = self.receiver(meta, packet.as_slice());
        endpoint.is_none_or(|endpoint| endpoint.is_for_others(packet.as_slice(), meta))
    }
}

/// Whether a packet came over IPv6 without a UDP checksum: nobody knows that it is what was sent.
fn is_unverified(meta: &DecapMeta, inner: &Inner) -> bool {
    let is_bare = |outer: OuterFacts| outer.source.is_ipv6() && outer.udp_checksum == State::Absent;
    meta.outer.is_none() && inner.outer.is_some_and(is_bare)
}

/// Whether a packet came over IPv6, by what is there of its outer headers or is said of them; `None` for one that is
/// cut off before that.
#[inline(always)]
pub(super) fn is_ipv6(meta: &DecapMeta, framing: Framing, has_ipv4: bool, packet: &[u8]) -> Option<bool> {
    Some(match (meta.outer, framing) {
        (Some(outer), _) => outer.source.is_ipv6(),
        (None, Framing::Payload) => !has_ipv4,
        (None, Framing::Ip) => packet.first().is_some_and(|first| first >> 4 == 6),
        (None, Framing::Ethernet(_)) => match *packet.get(12..).and_then(<[u8]>::first_chunk)? {
            [0x08, 0x00] => false,
            [0x86, 0xdd] => true,
            // Behind the tags of the underlay.
            _ => Front::of(packet)?.ethertype == EtherType::IPV6,
        },
    })
}
