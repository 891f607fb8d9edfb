//! The command line.

use std::net::IpAddr;

use clap::Parser;
use encap::{
    tunnel::{
        ConfigError, OuterDscp, OuterFlowLabel, Payload, Ttl,
        gre::{Config, Tunnel},
    },
    wire::gre::Key,
};

use crate::values::{self, EncapLimit, Expires};

/// A GRE tunnel in user space, between a TUN or TAP device and raw sockets.
///
/// Options have the names, the meaning and the defaults that `ip tunnel add ... mode gre` and `ip link add ... type
/// gretap` give them, and what these refuse is refused. SIGUSR1 prints counters and why packets were dropped, SIGINT
/// and SIGTERM end.
#[derive(Debug, Parser)]
#[command(name = "gre")]
pub(crate) struct Args {
    /// Carry IP packets, by a TUN device of this name.
    #[arg(long, value_name = "NAME", required_unless_present = "tap", conflicts_with = "tap")]
    tun: Option<String>,
    /// Carry Ethernet frames, by a TAP device of this name.
    #[arg(long, value_name = "NAME")]
    tap: Option<String>,
    /// Our address.
    #[arg(long, value_name = "IP")]
    pub(crate) local: IpAddr,
    /// Address of the other end, or over IPv4 a multicast group.
    #[arg(long, value_name = "IP")]
    pub(crate) remote: IpAddr,

    /// TTL of outer packets: a number, or inherit, which is 0 [default: inherit, over IPv6 64].
    #[arg(long, value_name = "N|inherit", value_parser = values::ttl, alias = "hoplimit")]
    ttl: Option<Ttl>,
    /// DS field of outer packets: a number in base 16, or inherit, which is 1 [default: 0].
    #[arg(long, value_name = "N|inherit", value_parser = values::tos, visible_alias = "tclass")]
    tos: Option<OuterDscp>,
    /// Flow label of outer IPv6 packets, in base 16 [default: 0].
    #[arg(long, value_name = "N", value_parser = values::flow_label)]
    flowlabel: Option<OuterFlowLabel>,
    /// How often outer IPv6 packets may be wrapped once more: a number, or none [default: 4].
    #[arg(long, value_name = "N|none", value_parser = values::encap_limit)]
    encaplimit: Option<EncapLimit>,
    /// The key in both directions: a number, or four bytes with dots between them.
    #[arg(long, value_name = "K", value_parser = values::key, conflicts_with_all = ["ikey", "okey"])]
    key: Option<Key>,
    /// The key of packets that are received.
    #[arg(long, value_name = "K", value_parser = values::key)]
    ikey: Option<Key>,
    /// The key of packets that are sent.
    #[arg(long, value_name = "K", value_parser = values::key)]
    okey: Option<Key>,
    /// Checksums in both directions.
    #[arg(long)]
    csum: bool,
    /// Checksums in what is received.
    #[arg(long)]
    icsum: bool,
    /// Checksums in what is sent.
    #[arg(long)]
    ocsum: bool,
    /// Sequence numbers in both directions.
    #[arg(long)]
    seq: bool,
    /// Sequence numbers in what is received: what is out of sequence is dropped.
    #[arg(long)]
    iseq: bool,
    /// Sequence numbers in what is sent.
    #[arg(long)]
    oseq: bool,
    /// Leave DF of outer IPv4 packets as the inner one has it: they may be fragmented.
    #[arg(long)]
    pub(crate) nopmtudisc: bool,
    /// Never set DF of outer IPv4 packets; with --nopmtudisc.
    #[arg(long)]
    ignore_df: bool,

    /// MTU of the device in bytes [default: what is left of the underlay's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(68..))]
    mtu: Option<u16>,
    /// MTU of the underlay in bytes.
    #[arg(long, value_name = "N", default_value_t = 1_500, value_parser = clap::value_parser!(u16).range(68..))]
    pub(crate) underlay_mtu: u16,
    /// How long the MTU of the path holds that a router told, in seconds, or never [default: 600].
    #[arg(long, value_name = "SECS|never", value_parser = values::expires)]
    mtu_expires: Option<Expires>,
    /// Do as the RFCs say where Linux does something else, with a TTL of 64 for a default: checksums and numbers are
    /// judged where there are some, a restarted sender is heard again, loops end, keepalives are answered.
    #[arg(long)]
    rfc: bool,
    /// Tell senders whose packets are for no tunnel that the port is unreachable, as the kernel does: for the only
    /// tunnel of a host.
    #[arg(long)]
    pub(crate) unreachable: bool,
}

impl Args {
    /// The device: its name, and what it carries.
    pub(crate) fn device(&self) -> (&str, Payload) {
        match (&self.tun, &self.tap) {
            (_, Some(name)) => (name, Payload::Ethernet),
            (Some(name), None) => (name, Payload::Ip),
            (None, None) => ("gre", Payload::Ip),
        }
    }

    /// MTU of the device.
    pub(crate) fn mtu(&self, tunnel: &Tunnel) -> u16 {
        self.mtu.unwrap_or(u16::try_from(tunnel.mtu()).unwrap_or(u16::MAX))
    }

    /// Whether as much is left of the underlay's MTU as a device has at least.
    pub(crate) fn check_mtu(&self) -> Result<(), String> {
        let longest = usize::from(u16::MAX);
        let overhead = self.tunnel_over(longest).map_or(0, |tunnel| longest.saturating_sub(tunnel.mtu()));
        let (given, least) = (self.underlay_mtu, overhead + usize::from(LEAST_MTU));
        if self.mtu.is_none() && usize::from(given) < least {
            return Err(format!(
                "--underlay-mtu {given}: {least} at least, of which {LEAST_MTU} are the device's"
            ));
        }
        Ok(())
    }

    /// The tunnel.
    pub(crate) fn tunnel(&self) -> Result<Tunnel, ConfigError> {
        self.tunnel_over(self.underlay_mtu.into())
    }

    fn tunnel_over(&self, underlay_mtu: usize) -> Result<Tunnel, ConfigError> {
        if self.remote.is_unspecified() {
            // Routes know next hops, and a TUN device is told nothing of them.
            return Err(ConfigError::RemoteUnspecified(self.remote));
        }
        let mut config = Tunnel::new(self.local, self.remote)
            .payload(self.device().1)
            .tos(self.tos.unwrap_or_default())
            .icsum(self.csum || self.icsum)
            .ocsum(self.csum || self.ocsum)
            .iseq(self.seq || self.iseq)
            .oseq(self.seq || self.oseq)
            .pmtudisc(!self.nopmtudisc)
            .ignore_df(self.ignore_df)
            .mtu(underlay_mtu);
        if !self.rfc {
            config = config.linux();
        }
        set(&mut config, self.ttl, Config::ttl);
        set(&mut config, self.flowlabel, Config::flow_label);
        set(&mut config, self.encaplimit, |config, EncapLimit(limit)| config.encap_limit(limit));
        set(&mut config, self.mtu_expires, |config, Expires(after)| config.mtu_expires(after));
        set(&mut config, self.key.or(self.ikey), Config::ikey);
        set(&mut config, self.key.or(self.okey), Config::okey);
        config.build()
    }
}

/// What Linux gives a device at least.
const LEAST_MTU: u16 = 68;

/// Makes a setting that was asked for.
fn set<T>(config: &mut Config, value: Option<T>, set: impl FnOnce(Config, T) -> Config) {
    if let Some(value) = value {
        *config = set(*config, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(flags: &str) -> Result<Tunnel, ConfigError> {
        let ends = ["gre", "--tun", "gre1", "--local", "192.0.2.1", "--remote", "192.0.2.2"];
        Args::try_parse_from(ends.into_iter().chain(flags.split_whitespace())).unwrap().tunnel()
    }

    #[test]
    fn what_ip_tunnel_refuses_is_refused() {
        let refused = |flags| tunnel(flags).err();
        assert_eq!(refused("--ttl 255 --nopmtudisc"), Some(ConfigError::TtlWithoutPathMtuDiscovery));
        assert_eq!(refused("--ignore-df"), Some(ConfigError::IgnoreDfWithPathMtuDiscovery));
        for taken in
            ["", "--nopmtudisc", "--nopmtudisc --ignore-df", "--nopmtudisc --ttl inherit", "--ttl 255"]
        {
            assert_eq!(refused(taken), None, "{taken}");
        }
    }

    #[test]
    fn what_one_side_sends_the_other_takes() {
        let mirrored = "--ikey 0.34.34.34 --okey 1118481 --icsum --ocsum --iseq --oseq --ttl 255";
        for (one, other, ttl) in [
            ("--key 7", "--key 0.0.0.7", 9),
            ("--ikey 0x111111 --okey 0x222222 --csum --seq --ttl 255", mirrored, 255),
            ("--ocsum --iseq --rfc", "--icsum --oseq", 64),
        ] {
            let mut here = tunnel(one).unwrap();
            let reversed = ["gre", "--tun", "gre1", "--local", "192.0.2.2", "--remote", "192.0.2.1"];
            let args = Args::try_parse_from(reversed.into_iter().chain(other.split_whitespace()));
            let mut there = args.unwrap().tunnel().unwrap();
            let mut buffer = [0; 200];
            (buffer[100], buffer[108]) = (0x45, 9);
            let mut packet = encap::Packet::new(&mut buffer, 100, 20).unwrap();
            here.encap(&mut packet).unwrap();
            assert_eq!(packet.as_slice()[8], ttl, "{one}");
            assert!(there.decap(encap::time::Instant::ZERO, &mut packet).is_ok(), "{one}");
        }
    }

    #[test]
    fn the_device_has_what_is_left_of_the_mtu() {
        let args =
            |flags: &str| Args::try_parse_from(["gre"].into_iter().chain(flags.split_whitespace())).unwrap();
        let mtu = |flags: &str| {
            let args = args(flags);
            args.mtu(&args.tunnel().unwrap())
        };
        assert_eq!(mtu("--tun a --local 192.0.2.1 --remote 192.0.2.2"), 1_476);
        assert_eq!(mtu("--tap a --local 192.0.2.1 --remote 192.0.2.2 --key 1"), 1_458);
        assert_eq!(mtu("--tun a --local 2001:db8::1 --remote 2001:db8::2"), 1_448);
        assert_eq!(mtu("--tun a --local 192.0.2.1 --remote 192.0.2.2 --mtu 1400"), 1_400);

        // What a device has at least, and the headers.
        let v4 = "--local 192.0.2.1 --remote 192.0.2.2";
        for (flags, least) in [
            (format!("--tun a {v4}"), 68 + 24),
            (format!("--tap a {v4} --key 1"), 68 + 14 + 28),
            ("--tun a --local 2001:db8::1 --remote 2001:db8::2".into(), 68 + 52),
        ] {
            let check = |mtu| args(&format!("{flags} --underlay-mtu {mtu}")).check_mtu();
            assert_eq!(check(least), Ok(()));
            let why = format!("--underlay-mtu {}: {least} at least, of which 68 are the device's", least - 1);
            assert_eq!(check(least - 1), Err(why));
        }
        assert_eq!(args(&format!("--tun a {v4} --underlay-mtu 90 --mtu 68")).check_mtu(), Ok(()));
    }
}
