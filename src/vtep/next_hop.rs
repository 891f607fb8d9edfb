//! Who is next on the way to a remote, where outer Ethernet headers are ours (RFC 826; RFC 4861, section 7.2).
//!
//! A remote that is on the link is its own next hop; to others there is a gateway. Who is not known has to be asked
//! for: [`Output::Resolve`](super::Output::Resolve) says so, [`Vtep::solicitation`](super::Vtep::solicitation) asks,
//! and the answer is learned when it comes by [`Vtep::handle_underlay`](super::Vtep::handle_underlay).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Config, ConfigError, Engine, overlay::Front};
use crate::{
    packet::Header,
    table::Remote,
    tunnel::{DecapMeta, Framing, Link},
    wire::{
        EtherType, MacAddr, VlanId, arp, ethernet, is_host, is_unicast, ndp, ndp_check,
        ndp_option::OptionType, vlan,
    },
};

impl Config {
    /// The next hop on the way to a remote.
    pub(super) fn next_hop(&self, remote: IpAddr) -> IpAddr {
        match (remote, self.local, self.gateway, self.local6, self.gateway6) {
            (IpAddr::V4(to), Some(local), Some(gateway), ..) if !self.is_on_link(local, to) => gateway.into(),
            (IpAddr::V6(to), _, _, Some(local), Some(gateway)) if !self.is_on_link6(local, to) => {
                gateway.into()
            }
            _ => remote,
        }
    }

    fn is_gateway(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.gateway == Some(address),
            IpAddr::V6(address) => self.gateway6 == Some(address),
        }
    }

    fn is_on_link(&self, local: Ipv4Addr, address: Ipv4Addr) -> bool {
        let behind = 32u32.saturating_sub(self.prefix.into());
        (local.to_bits() ^ address.to_bits()).checked_shr(behind).unwrap_or(0) == 0
    }

    fn is_on_link6(&self, local: Ipv6Addr, address: Ipv6Addr) -> bool {
        let behind = 128u32.saturating_sub(self.prefix6.into());
        let same = (local.to_bits() ^ address.to_bits()).checked_shr(behind).unwrap_or(0) == 0;
        same || address.is_unicast_link_local()
    }

    /// Whether a host on the IPv4 link can have the address: not that of the network, nor its broadcast (RFC 1122,
    /// section 3.2.1.3), which links of two hosts have not (RFC 3021).
    fn is_host(&self, address: Ipv4Addr) -> bool {
        let hosts = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
        let host = address.to_bits() & hosts;
        is_unicast(address.into()) && (self.prefix >= 31 || (host != 0 && host != hosts))
    }

    /// Whether the gateways can be reached, and are of use.
    pub(super) fn check_gateways(&self) -> Result<(), ConfigError> {
        let is_fixed = matches!(self.framing, Framing::Ethernet(link) if link.next_hop != MacAddr::ZERO);
        let gateway = self.gateway.map(IpAddr::V4).or(self.gateway6.map(IpAddr::V6));
        if let Some(gateway) = gateway.filter(|_| is_fixed) {
            return Err(ConfigError::GatewayBesideNextHop(gateway));
        }
        let on_link = |gateway| self.local.is_some_and(|local| self.is_on_link(local, gateway));
        OnLink {
            local: self.local.map(IpAddr::V4),
            gateway: self.gateway.map(IpAddr::V4),
            on_link: self.gateway.is_some_and(on_link),
            is_host: self.gateway.is_some_and(|gateway| self.is_host(gateway)),
            field: "prefix",
            len: self.prefix,
            max: 32,
        }
        .check()?;
        let on_link6 = |gateway| self.local6.is_some_and(|local| self.is_on_link6(local, gateway));
        OnLink {
            local: self.local6.map(IpAddr::V6),
            gateway: self.gateway6.map(IpAddr::V6),
            on_link: self.gateway6.is_some_and(on_link6),
            is_host: self.gateway6.is_some_and(|gateway| is_host(gateway.into())),
            field: "prefix6",
            len: self.prefix6,
            max: 128,
        }
        .check()
    }
}

/// What is said of the link in one family.
struct OnLink {
    local: Option<IpAddr>,
    gateway: Option<IpAddr>,
    /// Whether the gateway is on the link.
    on_link: bool,
    /// Whether it can be a host's address there.
    is_host: bool,
    /// Name of the prefix's field.
    field: &'static str,
    len: u8,
    max: u8,
}

impl OnLink {
    fn check(self) -> Result<(), ConfigError> {
        let Self { local, on_link, is_host, field, len, max, .. } = self;
        if len > max {
            return Err(ConfigError::PrefixLength { field, len, max });
        }
        let Some(gateway) = self.gateway else { return Ok(()) };
        match local {
            None => Err(ConfigError::GatewayFamily(gateway)),
            Some(local) if local == gateway => Err(ConfigError::GatewayIsLocal(gateway)),
            Some(_) if len == 0 => Err(ConfigError::GatewayUnused { gateway, field }),
            Some(_) if !on_link => Err(ConfigError::GatewayOffLink { gateway, field, len }),
            Some(_) if !is_host => Err(ConfigError::GatewayNotHost(gateway)),
            Some(_) => Ok(()),
        }
    }
}

impl Engine<'_> {
    /// The MAC address of the next hop to a remote, if that is known to others than the remote.
    #[cold]
    pub(super) fn known_next_hop(&self, remote: &Remote) -> Option<MacAddr> {
        if let Some(group) = MacAddr::of_group(remote.address) {
            return Some(group);
        }
        let hop = self.config.next_hop(remote.address);
        if hop != remote.address {
            return self.fdb.remotes.gateway(hop.is_ipv6());
        }
        let same = self.fdb.remotes.find_by_address(remote.address, remote.egress)?;
        self.fdb.remotes.get(same)?.next_hop
    }

    /// Learns the MAC address of a next hop; answers whether it is one.
    pub(super) fn learn_next_hop(&self, address: IpAddr, egress: u32, mac: MacAddr) -> bool {
        if !mac.is_unicast() {
            return false;
        }
        let gateway = self.config.is_gateway(address);
        if gateway {
            self.fdb.remotes.set_gateway(address.is_ipv6(), Some(mac));
        }
        let remote = self.fdb.remotes.find_by_address(address, egress);
        // Who is not on the link is behind the gateway, whatever is said on the link.
        let Some(remote) = remote.filter(|_| self.config.next_hop(address) == address) else {
            return gateway;
        };
        let known = self.fdb.remotes.get(remote).and_then(|remote| remote.next_hop);
        if known != Some(mac) {
            // Somebody else at work on this remote: the next answer is as good.
            let _ = self.fdb.remotes.set_next_hop(remote, Some(mac));
        }
        true
    }

    /// Learns from ARP and Neighbor Discovery in the underlay, which are for the rest of the network stack as well.
    #[cold]
    pub(super) fn overhear(&self, meta: &DecapMeta, frame: &[u8]) {
        let (Framing::Ethernet(link), Some(front)) = (self.config.framing, Front::of(frame)) else { return };
        // Another VLAN is another link; and where there is one next hop for all, nobody is asked for.
        let own = link.vlan.map_or(VlanId::default(), |(id, _)| id);
        if link.next_hop != MacAddr::ZERO || vlan_of(meta, &front, frame) != Some(own) {
            return;
        }
        let message = frame.get(front.l3..).unwrap_or_default();
        let heard = match front.ethertype {
            EtherType::ARP => self.heard_by_arp(message),
            EtherType::IPV6 => self.heard_by_discovery(message),
            _ => None,
        };
        let Some(heard) = heard else { return };
        let known = Remote::new(heard.address, 0).egress(meta.ingress);
        let known = self.known_next_hop(&known).or_else(|| self.gateway_mac(heard.address));
        // What nobody asked us about only changes what is known.
        if known.map_or(heard.for_us, |known| heard.overrides || known == heard.mac) {
            self.learn_next_hop(heard.address, meta.ingress, heard.mac);
        }
    }

    fn gateway_mac(&self, address: IpAddr) -> Option<MacAddr> {
        let remotes = self.fdb.remotes;
        self.config.is_gateway(address).then(|| remotes.gateway(address.is_ipv6())).flatten()
    }

    /// RFC 826: whoever speaks to us is worth knowing, others only if we know them already.
    fn heard_by_arp(&self, message: &[u8]) -> Option<Heard> {
        let (arp, _) = arp::Header::parse(message).ok()?;
        let for_us = self.config.local == Some(arp.target_ip);
        Some(Heard { address: arp.sender_ip.into(), mac: arp.sender_mac, for_us, overrides: true })
    }

    /// RFC 4861, sections 7.2.3 and 7.2.5.
    fn heard_by_discovery(&self, packet: &[u8]) -> Option<Heard> {
        if let Ok(received) = ndp_check::check_advertisement(packet) {
            let mac = received.options.mac(OptionType::TARGET_ADDRESS)?;
            let for_us = received.message.solicited && self.config.local6 == Some(received.ip.destination);
            let overrides = received.message.overrides;
            return Some(Heard { address: received.message.target.into(), mac, for_us, overrides });
        }
        let received = ndp_check::check_solicitation(packet).ok()?;
        let mac = received.options.mac(OptionType::SOURCE_ADDRESS)?;
        let for_us = self.config.local6 == Some(received.message.target);
        Some(Heard { address: received.ip.source.into(), mac, for_us, overrides: true })
    }

    /// The frame that asks who has `address`.
    pub(super) fn solicitation(&self, address: IpAddr) -> Option<Header> {
        let Framing::Ethernet(link) = self.config.framing else { return None };
        match address {
            IpAddr::V4(target) => {
                let arp = arp::Header {
                    operation: arp::Operation::REQUEST,
                    sender_mac: link.source,
                    sender_ip: self.config.local?,
                    target_mac: MacAddr::ZERO,
                    target_ip: target,
                };
                framed(&link, MacAddr::BROADCAST, EtherType::ARP, &arp.to_bytes())
            }
            IpAddr::V6(target) => {
                let packet = ndp::question(self.config.local6?, link.source, target);
                let to = ndp::group_mac(ndp::solicited_node(target));
                framed(&link, to, EtherType::IPV6, &packet)
            }
        }
    }
}

/// The VLAN that a frame of the underlay came by: 0 without a tag, or with one that carries a priority only. `None`
/// where there are several tags.
fn vlan_of(meta: &DecapMeta, front: &Front, frame: &[u8]) -> Option<VlanId> {
    match (meta.vlan, frame.get(ethernet::Header::LEN..front.l3)?) {
        (vlan, []) => Some(vlan.unwrap_or_default()),
        (None, tag) => Some(vlan::Header::from_bytes(tag.try_into().ok()?).id),
        _ => None,
    }
}

/// What somebody says about an address.
#[derive(Clone, Copy, Debug)]
struct Heard {
    address: IpAddr,
    mac: MacAddr,
    /// Said to us, so that somebody who is not known yet becomes known.
    for_us: bool,
    /// A MAC address that differs replaces the one that is known.
    overrides: bool,
}

/// A frame of ours with this payload.
fn framed(link: &Link, destination: MacAddr, ethertype: EtherType, payload: &[u8]) -> Option<Header> {
    let front = |ethertype| ethernet::Header { destination, source: link.source, ethertype }.to_bytes();
    let mut frame = [0; crate::packet::MAX_OVERHEAD];
    let at = match link.vlan {
        None => {
            *frame.first_chunk_mut()? = front(ethertype);
            ethernet::Header::LEN
        }
        Some((id, priority)) => {
            let (outer, rest) = frame.split_first_chunk_mut()?;
            *outer = front(EtherType::VLAN);
            let tag = vlan::Header { priority, drop_eligible: false, id, ethertype };
            *rest.first_chunk_mut()? = tag.to_bytes();
            ethernet::Header::LEN + vlan::Header::LEN
        }
    };
    let end = at.saturating_add(payload.len());
    crate::packet::copy(frame.get_mut(at..end)?, payload);
    Header::new(frame.get(..end)?)
}
