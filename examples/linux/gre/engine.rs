//! What is done with each packet, whichever way it goes.

use std::net::IpAddr;

use encap::{
    Packet,
    time::Instant,
    tunnel::{
        DecapMeta, DropReason, EncapError, OuterFacts, Payload,
        gre::{PathReport, Received, Tunnel},
    },
    wire::{EtherType, IpProtocol, icmpv4, icmpv6, ipv6},
};

use crate::{
    answer::{self, Trouble},
    report::Report,
};

/// The tunnel, and what belongs to it.
pub(crate) struct Engine {
    pub(crate) tunnel: Tunnel,
    pub(crate) payload: Payload,
    /// Whether senders hear that there is no tunnel for their packets.
    pub(crate) unreachable: bool,
    pub(crate) report: Report,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// Into the underlay, to this host.
    Underlay(IpAddr),
    /// To the device.
    Device,
    /// Nowhere.
    Nowhere,
}

impl Engine {
    /// A packet of the device's. `aside` is where an error goes about a packet that is sent all the same.
    pub(crate) fn outbound(
        &mut self,
        now: Instant,
        packet: &mut Packet<'_>,
        aside: impl FnOnce(&[u8]),
    ) -> Way {
        if self.tunnel.is_failing(now) {
            let mut copy = [&[0; answer::HEADROOM][..], packet.as_slice()].concat();
            let len = packet.len();
            if let Ok(mut copy) = Packet::new(&mut copy, answer::HEADROOM, len) {
                let gone = Trouble {
                    v4: Some(icmpv4::Problem::Unreachable(icmpv4::Unreachable::HOST)),
                    v6: Some(icmpv6::Problem::Unreachable(icmpv6::Unreachable::ADDRESS)),
                };
                if answer::to_sender(&mut copy, self.payload, gone) {
                    aside(copy.as_slice());
                }
            }
        }
        let Err(error) = self.tunnel.encap(packet) else { return Way::Underlay(self.tunnel.remote()) };
        self.report.refused(&error);
        let trouble = match error {
            EncapError::TooLong { .. } => Trouble {
                v4: Some(self.tunnel.fragmentation_needed()),
                v6: Some(self.tunnel.packet_too_big()),
            },
            EncapError::EncapLimit { at } => {
                let pointer = u32::try_from(at).unwrap_or(u32::MAX);
                Trouble { v4: None, v6: Some(icmpv6::Problem::ParameterProblem { code: 0, pointer }) }
            }
            _ => return Way::Nowhere,
        };
        if answer::to_sender(packet, self.payload, trouble) { Way::Device } else { Way::Nowhere }
    }

    /// A packet of the underlay's: with its IPv4 header, or without its IPv6 header, of which there are facts.
    pub(crate) fn inbound(
        &mut self,
        now: Instant,
        packet: &mut Packet<'_>,
        facts: Option<OuterFacts>,
    ) -> Way {
        let meta = facts.map_or(DecapMeta::new(), |facts| DecapMeta::new().outer(facts));
        match self.tunnel.decap_with(now, packet, &meta) {
            Ok(Received::Packet(inner)) => {
                // A TUN device takes a packet for what its first bits say, whatever the tunnel said.
                let version = packet.as_slice().first().map(|first| first >> 4);
                let is_known = match self.payload {
                    Payload::Ethernet => true,
                    _ => matches!(
                        (inner.protocol, version),
                        (EtherType::IPV4, Some(4)) | (EtherType::IPV6, Some(6))
                    ),
                };
                if is_known {
                    return Way::Device;
                }
                self.report.unknown += 1;
                Way::Nowhere
            }
            Ok(Received::KeepaliveRequest { .. }) => Way::Underlay(self.tunnel.remote()),
            Ok(_) => Way::Nowhere,
            Err(reason) => {
                self.report.dropped(reason);
                let is_nobodys = matches!(reason, DropReason::OtherSource | DropReason::GreKey);
                if is_nobodys && self.unreachable { self.refuse(now, packet, facts) } else { Way::Nowhere }
            }
        }
    }

    /// An ICMP error of the underlay's.
    pub(crate) fn icmp(&mut self, now: Instant, packet: &[u8]) {
        match self.tunnel.handle_icmp(now, packet) {
            PathReport::Mtu { .. } => self.report.mtus += 1,
            PathReport::Unreachable { .. } => self.report.failures += 1,
            // Pings of somebody's, for example.
            _ => {}
        }
    }

    /// Makes the packet the ICMP error about itself, for its sender.
    fn refuse(&mut self, now: Instant, packet: &mut Packet<'_>, facts: Option<OuterFacts>) -> Way {
        if !self.report.may_refuse(now) {
            return Way::Nowhere;
        }
        if let Some(OuterFacts { source: IpAddr::V6(source), destination: IpAddr::V6(to), ttl, .. }) = facts {
            let Ok(payload_len) = u16::try_from(packet.len()) else { return Way::Nowhere };
            let header = ipv6::Header {
                dscp: Default::default(),
                ecn: Default::default(),
                flow_label: Default::default(),
                payload_len,
                next_header: IpProtocol::GRE,
                hop_limit: ttl,
                source,
                destination: to,
            };
            let Ok(room) = packet.prepend() else { return Way::Nowhere };
            *room = header.to_bytes();
        }
        let nobody = Trouble {
            v4: Some(icmpv4::Problem::Unreachable(icmpv4::Unreachable::PORT)),
            v6: Some(icmpv6::Problem::Unreachable(icmpv6::Unreachable::PORT)),
        };
        match answer::report(packet, nobody) {
            Some(sender) => Way::Underlay(sender),
            None => Way::Nowhere,
        }
    }
}
