//! What ARP and Neighbor Discovery teach.
//!
//! - RFC 826, "Packet Reception": a request as well as a reply says where its sender is. So does an announcement
//!   (RFC 5227, section 3); a probe (section 2.1.1) has no sender address and teaches nothing.
//! - RFC 4861, section 7.2.3: a solicitation says where its sender is, but not that it can be reached: stale.
//! - RFC 4861, section 7.2.5: an advertisement says where its target is. Whether it replaces another MAC address
//!   is said by the override flag, whether the target is reachable by the solicited flag. A host ignores one for
//!   an address that it does not know; who snoops for others learns it, with
//!   [`Snooping::All`](super::super::Snooping::All).

use super::{NeighborLearned, NeighborRefusal, Neighbors, learn::Saying};
use crate::{
    time::Instant,
    wire::{
        Vni, arp,
        ndp::{Advertisement, Solicitation},
        ndp_check::Received,
        ndp_option::OptionType,
    },
};

impl Neighbors<'_> {
    /// Learns the sender of an ARP request or reply.
    pub fn snoop_arp(&self, now: Instant, vni: Vni, arp: &arp::Header) -> NeighborLearned {
        if !matches!(arp.operation, arp::Operation::REQUEST | arp::Operation::REPLY) {
            return NeighborLearned::Refused(NeighborRefusal::Operation);
        }
        self.learn(now, vni, arp.sender_ip.into(), arp.sender_mac, None)
    }

    /// Learns the target of an advertisement that was
    /// [found valid](crate::wire::ndp_check::check_advertisement) (RFC 4861, section 7.2.5).
    pub fn snoop_na(&self, now: Instant, vni: Vni, na: &Received<'_, Advertisement>) -> NeighborLearned {
        let message = na.message;
        let saying = Saying {
            mac: na.options.mac(OptionType::TARGET_ADDRESS),
            confirmed: message.solicited,
            overrides: message.overrides,
            router: Some(message.router),
        };
        self.hear(now, vni, message.target.into(), saying)
    }

    /// Learns the sender of a solicitation that was
    /// [found valid](crate::wire::ndp_check::check_solicitation) (RFC 4861, section 7.2.3). One without an address
    /// or without the option that says its MAC address teaches nothing.
    pub fn snoop_ns(&self, now: Instant, vni: Vni, ns: &Received<'_, Solicitation>) -> NeighborLearned {
        let Some(mac) = ns.options.mac(OptionType::SOURCE_ADDRESS) else {
            return NeighborLearned::Refused(NeighborRefusal::NoMac);
        };
        let saying = Saying { mac: Some(mac), confirmed: false, overrides: true, router: None };
        self.hear(now, vni, ns.ip.source.into(), saying)
    }
}
