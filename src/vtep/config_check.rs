//! Whether settings fit each other, and the tables that there will be.

use core::net::IpAddr;

use super::{Config, ConfigError, Proxy, ShortCircuit, TooBig};
use crate::{
    table::{Capacity, Snooping, Underlay},
    tunnel::{DontFragment, OuterFlowLabel},
    wire::{is_host, is_ipv4_mapped, stays_on_link, vxlan},
};

impl Config {
    /// What no endpoint finds by itself.
    pub(super) fn check(&self, capacity: &Capacity) -> Result<(), ConfigError> {
        if self.address.is_multicast() {
            return Err(ConfigError::AddressIsGroup(self.address));
        }
        if self.reserved_bits & !vxlan::RESERVED != 0 {
            return Err(ConfigError::NotReserved { bits: self.reserved_bits & !vxlan::RESERVED });
        }
        if self.l3 && !self.address.is_unicast() {
            return Err(ConfigError::L3WithoutAddress);
        }
        for router in [self.router.map(IpAddr::V4), self.router6.map(IpAddr::V6)].into_iter().flatten() {
            // Its errors are to reach whoever sent what is too long, also behind other routers.
            if !is_host(router) || stays_on_link(router) || is_ipv4_mapped(router) {
                return Err(ConfigError::AddressNotUnicast(router));
            }
            if !self.address.is_unicast() {
                return Err(ConfigError::RouterWithoutAddress);
            }
        }
        if self.local6.is_none() && self.label != OuterFlowLabel::default() {
            return Err(ConfigError::LabelWithoutIpv6);
        }
        self.check_gateways()?;
        if self.local.is_some() && self.too_big == TooBig::Fragment && self.df == DontFragment::Set {
            return Err(ConfigError::FragmentWithDf);
        }
        match (self.tables.underlay, self.local, self.local6) {
            (Underlay::Ipv4, None, Some(_)) | (Underlay::Ipv6, Some(_), None) => {
                return Err(ConfigError::UnderlayWithoutLocal(self.tables.underlay));
            }
            _ => {}
        }
        let of_neighbors = [
            ("proxy", self.proxy != Proxy::Off),
            ("rsc", self.rsc != ShortCircuit::Off),
            ("tables.snooping", self.tables.snooping != Snooping::Off),
        ];
        match of_neighbors.into_iter().find(|&(_, is_on)| is_on) {
            Some((field, _)) if capacity.neighbors == 0 => Err(ConfigError::NoNeighbors { field }),
            _ => Ok(()),
        }
    }
}
