//! The command line.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use clap::Parser;
use encap::{
    table::{Capacity, Prefix},
    tunnel::ip_udp,
    vtep::ip_udp::Config,
};

/// A node of flannel's udp backend in user space, between a TUN device and a UDP socket.
///
/// Packets of the device go to the host that has the longest prefix of their destination, as they are, in UDP. What
/// cannot be sent is answered by ICMP from the device's address. SIGUSR1 prints routes, counters and why packets were
/// dropped, SIGINT and SIGTERM end.
#[derive(Debug, Parser)]
#[command(name = "flannel_udp")]
pub(crate) struct Args {
    /// The device to make.
    #[arg(long, value_name = "NAME")]
    pub(crate) tun: String,
    /// Our address and port in the underlay [default port: 8285]. Can be repeated, for IPv4 and for IPv6.
    #[arg(long, value_name = "IP[:PORT]", required = true)]
    pub(crate) listen: Vec<Host>,
    /// Which host has which addresses [default port: ours of its family]. Can be repeated.
    #[arg(long, value_name = "SUBNET=HOST[:PORT]")]
    pub(crate) route: Vec<Route>,
    /// MTU of the device in bytes [default: what is left of the underlay's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(68..))]
    pub(crate) mtu: Option<u16>,
    /// MTU of the underlay in bytes.
    #[arg(long, value_name = "N", default_value_t = 1_500, value_parser = clap::value_parser!(u16).range(68..))]
    underlay_mtu: u16,
    /// Take packets from anybody, as flannel does, and not just those from the host that has their source address. The
    /// kernel then drops the device's ICMP errors, unless its sysctl `accept_local` is set.
    #[arg(long)]
    pub(crate) any_source: bool,
}

impl Args {
    /// What the engine is to be.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let mut config = Config::new();
        let of_family = |v6| self.listen.iter().filter(|host| host.address.is_ipv6() == v6).count();
        if of_family(false) > 1 || of_family(true) > 1 {
            return Err("--listen: one address of each family".to_owned());
        }
        for host in &self.listen {
            config = config.local(host.address);
        }
        for Route { prefix, host } in &self.route {
            if of_family(host.address.is_ipv6()) == 0 {
                return Err(format!("--route {prefix}={}: it needs a --listen of its family", host.address));
            }
            if self.listen.iter().any(|ours| ours.address == host.address) {
                return Err(format!("--route {prefix}={}: that is our own address", host.address));
            }
        }
        // The sockets have one each, and write the headers that it is in.
        config.port = self.listen.first().map_or(ip_udp::PORT, |host| self.port_of(host));
        config.mtu = self.underlay_mtu;
        config.check_source = !self.any_source;
        Ok(config)
    }

    /// Room for the routes.
    pub(crate) fn capacity(&self) -> Capacity {
        let mut capacity = Capacity::NONE;
        capacity.routes = u32::try_from(self.route.len()).unwrap_or(u32::MAX).max(1);
        capacity
    }

    /// The port of a host, of ours or of another: where it does not say one, the one that we have of its family.
    pub(crate) fn port_of(&self, host: &Host) -> u16 {
        let ours = self.listen.iter().find(|ours| ours.address.is_ipv6() == host.address.is_ipv6());
        host.port.or_else(|| ours?.port).unwrap_or(ip_udp::PORT)
    }
}

/// An address, perhaps with a port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Host {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<u16>,
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Ok(Self { address: socket.ip(), port: Some(socket.port()) });
        }
        let address = text.trim_start_matches('[').trim_end_matches(']').parse();
        let address = address.map_err(|error| format!("{text}: {error}, also with a port behind a colon"))?;
        Ok(Self { address, port: None })
    }
}

/// A subnet, and the host that has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Route {
    pub(crate) prefix: Prefix,
    pub(crate) host: Host,
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (prefix, host) = text.split_once('=').ok_or("a subnet and a host with = between them")?;
        let prefix = prefix.parse().map_err(|error| format!("{prefix}: {error}"))?;
        Ok(Self { prefix, host: host.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_routes() {
        let host = |text: &str| text.parse::<Host>().map(|host| (host.address.to_string(), host.port));
        let is = |address: &str, port| Ok((address.to_owned(), port));
        assert_eq!(host("192.0.2.1"), is("192.0.2.1", None));
        assert_eq!(host("192.0.2.1:9000"), is("192.0.2.1", Some(9_000)));
        assert_eq!(host("2001:db8::1"), is("2001:db8::1", None));
        assert_eq!(host("[2001:db8::1]"), is("2001:db8::1", None));
        assert_eq!(host("[2001:db8::1]:9000"), is("2001:db8::1", Some(9_000)));
        assert!(host("192.0.2.1:").is_err());
        let route: Route = "10.5.2.0/24=192.0.2.2".parse().unwrap();
        assert_eq!((route.prefix.to_string(), route.host.port), ("10.5.2.0/24".to_owned(), None));
        assert!("10.5.2.1/24=192.0.2.2".parse::<Route>().is_err(), "host bits");
        assert!("10.5.2.0/24".parse::<Route>().is_err());
    }

    #[test]
    fn one_address_of_each_family() {
        let config = |flags: &str| {
            let flags = ["flannel_udp", "--tun", "flannel0"].into_iter().chain(flags.split_whitespace());
            Args::try_parse_from(flags).unwrap().config()
        };
        assert_eq!(config("--listen 192.0.2.1").unwrap().port, 8_285);
        let both = config("--listen 192.0.2.1:9 --listen [2001:db8::1]:9").unwrap();
        assert!(both.local.is_some() && both.local6.is_some() && both.port == 9);
        assert!(config("--listen 192.0.2.1 --listen 192.0.2.2").is_err());
    }

    #[test]
    fn routes_lead_to_others_that_can_be_reached() {
        let config = |route: &str| {
            let flags = ["flannel_udp", "--tun", "flannel0", "--listen", "192.0.2.1", "--route", route];
            Args::try_parse_from(flags).unwrap().config()
        };
        assert!(config("10.5.2.0/24=192.0.2.2").is_ok() && config("fd00:2::/64=192.0.2.2").is_ok());
        for route in ["10.5.2.0/24=2001:db8::2", "10.5.2.0/24=192.0.2.1", "10.5.2.0/24=192.0.2.1:9"] {
            assert!(config(route).is_err(), "{route}");
        }
    }

    #[test]
    fn hosts_without_a_port_have_ours_of_their_family() {
        let ports = |listen: &str| {
            let flags = ["flannel_udp", "--tun", "flannel0"].into_iter().chain(listen.split_whitespace());
            let args = Args::try_parse_from(flags).unwrap();
            ["192.0.2.9", "2001:db8::9", "192.0.2.9:1"].map(|host| args.port_of(&host.parse().unwrap()))
        };
        assert_eq!(ports("--listen 192.0.2.1:9000 --listen [2001:db8::1]:9001"), [9_000, 9_001, 1]);
        assert_eq!(ports("--listen [2001:db8::1]:9001 --listen 192.0.2.1:9000"), [9_000, 9_001, 1]);
        assert_eq!(ports("--listen 192.0.2.1:9000 --listen 2001:db8::1"), [9_000, 8_285, 1]);
    }
}
