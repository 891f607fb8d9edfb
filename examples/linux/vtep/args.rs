//! The command line. What is said of a segment belongs to the device before it.

use std::{ffi::OsString, net::IpAddr, path::PathBuf};

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, ValueEnum};
use encap::{
    table::{Ageing, Prefix},
    tunnel::{DontFragment, OuterDscp, OuterFlowLabel, Ttl},
    wire::{MacAddr, Vni},
};

use crate::values::{self, Entry};

/// A VXLAN tunnel endpoint in user space: frames of TAP devices go through tunnels to other endpoints.
///
/// Options have the names and the meaning that `ip link add ... type vxlan` gives them; those of a segment (--vni,
/// --remote, --fdb, --neigh, --route) belong to the --tap before them, so that several can follow each other. SIGHUP
/// reads --fdb-file and --neigh-file again, SIGUSR1 prints tables and counters, SIGINT and SIGTERM end.
#[derive(Debug, Parser)]
#[command(name = "vtep")]
pub(crate) struct Args {
    /// A device to make; a TUN device with --l3. Can be repeated.
    #[arg(long, value_name = "NAME", required = true, alias = "tun")]
    tap: Vec<String>,
    /// The segment of the device.
    #[arg(long, value_name = "N", required = true, value_parser = values::vni)]
    vni: Vec<Vni>,
    /// Where frames go whose destination nobody knows, or that are for everybody. Can be repeated.
    #[arg(long, value_name = "IP")]
    remote: Vec<IpAddr>,
    /// An entry of the forwarding database. Can be repeated; the all-zero address appends to the default destination.
    #[arg(long, value_name = "MAC=IP[,port=N][,vni=N]")]
    fdb: Vec<Entry>,
    /// A neighbour, for --proxy, --suppress and --l3. Can be repeated.
    #[arg(long, value_name = "IP=MAC", value_parser = values::neighbor)]
    neigh: Vec<(IpAddr, MacAddr)>,
    /// Where packets with this prefix go, with --l3: to a gateway, which --neigh knows. Can be repeated.
    #[arg(long, value_name = "PREFIX=IP", value_parser = values::route, requires = "l3")]
    route: Vec<(Prefix, IpAddr)>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What holds for all segments.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Our address in the underlay; one of IPv4, one of IPv6, or both.
    #[arg(long, value_name = "IP", required = true)]
    pub(crate) local: Vec<IpAddr>,
    /// UDP port, here and there [default: 4789, with --linux 8472].
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// Start from what Linux does where it does something else.
    #[arg(long)]
    pub(crate) linux: bool,
    /// Learn where hosts are from what comes from them.
    #[arg(long, conflicts_with = "nolearning")]
    pub(crate) learning: bool,
    /// Learn nothing.
    #[arg(long)]
    pub(crate) nolearning: bool,
    /// Whom to learn from [default: configured, with --linux any].
    #[arg(long, value_name = "WHOM")]
    pub(crate) learn_from: Option<Whom>,
    /// Answer ARP and Neighbor Discovery for known neighbours, and drop it for others.
    #[arg(long, conflicts_with = "suppress")]
    pub(crate) proxy: bool,
    /// Answer ARP and Neighbor Discovery for known neighbours, and flood it for others.
    #[arg(long)]
    pub(crate) suppress: bool,
    /// How long learned entries stay, in seconds, or never [default: 300].
    #[arg(long, value_name = "SECS|never", value_parser = values::ageing)]
    pub(crate) ageing: Option<Ageing>,
    /// The most entries of a segment.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) maxaddress: Option<u32>,
    /// TTL of outer packets: a number, inherit or auto [default: auto].
    #[arg(long, value_name = "N|inherit", value_parser = values::ttl)]
    pub(crate) ttl: Option<Ttl>,
    /// DS field of outer packets: a number without ECN bits, or inherit [default: 0].
    #[arg(long, value_name = "N|inherit", value_parser = values::tos)]
    pub(crate) tos: Option<OuterDscp>,
    /// DF of outer IPv4 packets: set, unset or inherit [default: set, with --linux unset].
    #[arg(long, value_name = "WHEN", value_parser = values::df)]
    pub(crate) df: Option<DontFragment>,
    /// Flow label of outer IPv6 packets: a number, hash for one by the flow, or inherit [default: 0].
    #[arg(long, value_name = "N|hash|inherit", value_parser = values::flow_label)]
    pub(crate) flowlabel: Option<OuterFlowLabel>,
    /// UDP source ports of outer packets [default: 49152-65535].
    #[arg(long, value_name = "MIN-MAX", value_parser = values::source_ports)]
    pub(crate) srcport: Option<(u16, u16)>,
    /// Compute UDP checksums over IPv4, too.
    #[arg(long)]
    pub(crate) udpcsum: bool,
    /// Compute no UDP checksums over IPv6.
    #[arg(long)]
    pub(crate) udp6zerocsumtx: bool,
    /// Take IPv6 packets without UDP checksum.
    #[arg(long)]
    pub(crate) udp6zerocsumrx: bool,
    /// Speak Group Based Policy. A TAP device has no marks: what is received is counted, and --policy is sent.
    #[arg(long)]
    pub(crate) gbp: bool,
    /// The policy to send with every frame; with --gbp.
    #[arg(long, value_name = "ID", requires = "gbp")]
    pub(crate) policy: Option<u16>,
    /// Write inner checksums that the sender has left to us (remote checksum offload).
    #[arg(long)]
    pub(crate) remcsumrx: bool,
    /// Send packets for a router to where they go at once, where that is known.
    #[arg(long)]
    pub(crate) rsc: bool,
    /// Say on standard error which MAC addresses nobody knows.
    #[arg(long)]
    pub(crate) l2miss: bool,
    /// Say on standard error which IP addresses nobody knows.
    #[arg(long)]
    pub(crate) l3miss: bool,
    /// Whose packets to take.
    #[arg(long, value_name = "WHOSE", value_enum, default_value_t = Whom::Any)]
    pub(crate) accept: Whom,
    /// Carry frames with VLAN tags.
    #[arg(long)]
    pub(crate) inner_vlan: bool,
    /// Route: IP packets from and to a TUN device, as flannel's VXLAN does.
    #[arg(long)]
    pub(crate) l3: bool,
    /// The MAC address of the device, or with --l3 of our router.
    #[arg(long, value_name = "MAC")]
    pub(crate) mac: Option<MacAddr>,
    /// MTU of the underlay in bytes; devices have so much less as the outer headers need.
    #[arg(long, value_name = "N", default_value_t = 1_500, value_parser = clap::value_parser!(u16).range(576..))]
    pub(crate) mtu: u16,
    /// A file as `bridge fdb show` prints it, for more entries.
    #[arg(long, value_name = "FILE")]
    pub(crate) fdb_file: Option<PathBuf>,
    /// A file as `ip neigh show` prints it, for more neighbours.
    #[arg(long, value_name = "FILE")]
    pub(crate) neigh_file: Option<PathBuf>,
    /// A vxlan device of the kernel whose forwarding database is kept in ours, except for what the kernel has learned
    /// from packets: what a control plane tells the kernel holds here too. SIGHUP then does nothing.
    #[arg(long, value_name = "DEV", conflicts_with_all = ["fdb_file", "neigh_file"])]
    pub(crate) mirror: Option<String>,
    /// A device of the kernel whose neighbours are kept in ours, with --mirror.
    #[arg(long, value_name = "DEV", requires = "mirror")]
    pub(crate) mirror_neigh: Option<String>,
    /// What to send by: a raw socket, or the UDP socket, by which settings of the outer headers have no effect.
    #[arg(long, value_name = "SOCKET", value_enum, default_value_t = Tx::Raw)]
    pub(crate) tx: Tx,
    /// Exchange packets with the kernel one by one. Without this, long TCP segments come from devices and go to them
    /// whole, and packets of one flow leave together: such ones have UDP checksums, also over IPv4.
    #[arg(long)]
    pub(crate) no_offload: bool,
    /// A Unix socket that says to whoever connects what SIGUSR1 prints.
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
    /// Say on standard error what expires, and what routers say.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Whom {
    /// Remotes that somebody configured.
    Configured,
    /// Anybody.
    Any,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Tx {
    Raw,
    Udp,
}

/// A device and its segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) vni: Vni,
    pub(crate) remotes: Vec<IpAddr>,
    pub(crate) fdb: Vec<Entry>,
    pub(crate) neighbors: Vec<(IpAddr, MacAddr)>,
    pub(crate) routes: Vec<(Prefix, IpAddr)>,
}

/// What the command line says: of each segment, and of all.
pub(crate) fn parse<I: IntoIterator<Item: Into<OsString> + Clone>>(
    args: I,
) -> Result<(Vec<Segment>, Common), clap::Error> {
    let mut command = Args::command();
    let matches = command.try_get_matches_from_mut(args)?;
    let Args { tap, vni, remote, fdb, neigh, route, common } =
        Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    let refuse = |why: &str| Args::command().error(clap::error::ErrorKind::ValueValidation, why);
    let taps: Vec<usize> = places(&matches, "tap").collect();
    // What comes before the first device belongs to it.
    let of = |place: usize| taps.iter().filter(|&&tap| tap < place).count().saturating_sub(1);
    let vnis = sorted(&matches, "vni", vni, taps.len(), of);
    let mut remotes = sorted(&matches, "remote", remote, taps.len(), of).into_iter();
    let mut fdb = sorted(&matches, "fdb", fdb, taps.len(), of).into_iter();
    let mut neighbors = sorted(&matches, "neigh", neigh, taps.len(), of).into_iter();
    let mut routes = sorted(&matches, "route", route, taps.len(), of).into_iter();
    let mut segments: Vec<Segment> = Vec::new();
    for (name, vnis) in tap.into_iter().zip(vnis) {
        let [vni] = *vnis else { return Err(refuse(&format!("--tap {name} needs one --vni"))) };
        if segments.iter().any(|other| other.vni == vni || other.name == name) {
            return Err(refuse(&format!("--tap {name} --vni {vni}: each device and each segment once")));
        }
        segments.push(Segment {
            name,
            vni,
            remotes: remotes.next().unwrap_or_default(),
            fdb: fdb.next().unwrap_or_default(),
            neighbors: neighbors.next().unwrap_or_default(),
            routes: routes.next().unwrap_or_default(),
        });
    }
    let remotes = segments.iter().flat_map(|segment| &segment.remotes);
    if let Some(group) = remotes.into_iter().find(|remote| remote.is_multicast()) {
        return Err(refuse(&format!("--remote {group}: groups are not joined; name each endpoint instead")));
    }
    if common.l3 && segments.len() > 1 {
        return Err(refuse("--l3 has one device: routes say where packets go"));
    }
    let of_family = |v6| common.local.iter().filter(|local| local.is_ipv6() == v6).count();
    if of_family(false) > 1 || of_family(true) > 1 {
        return Err(refuse("--local: one address of each family"));
    }
    Ok((segments, common))
}

fn places<'m>(matches: &'m ArgMatches, name: &str) -> impl Iterator<Item = usize> + 'm {
    matches.indices_of(name).into_iter().flatten()
}

/// The values of an option, by the device that they belong to.
fn sorted<T>(
    matches: &ArgMatches,
    name: &str,
    values: Vec<T>,
    devices: usize,
    of: impl Fn(usize) -> usize,
) -> Vec<Vec<T>> {
    let mut sorted: Vec<Vec<T>> = (0..devices).map(|_| Vec::new()).collect();
    for (place, value) in places(matches, name).zip(values) {
        if let Some(values) = sorted.get_mut(of(place)) {
            values.push(value);
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&str> {
        ["vtep"].into_iter().chain(line.split_whitespace()).collect()
    }

    #[test]
    fn what_follows_a_device_is_its_own() {
        let (segments, common) = parse(words(
            "--local 10.0.0.1 --remote 10.0.0.9 --tap a --vni 1 --remote 10.0.0.2 --fdb 02:00:00:00:00:01=10.0.0.2 \
             --tap b --neigh 10.1.0.1=02:00:00:00:00:02 --vni 0x2 --port 8472 \
             --fdb 02:00:00:00:00:03=fd00::1,port=9,vni=7 --local fd00::9 --tap c --vni 3",
        ))
        .unwrap();
        let said: Vec<_> = segments
            .iter()
            .map(|s| (&*s.name, s.vni.value(), s.remotes.len(), s.fdb.len(), s.neighbors.len()))
            .collect();
        // What comes before the first device belongs to it, too.
        assert_eq!(said, [("a", 1, 2, 1, 0), ("b", 2, 0, 1, 1), ("c", 3, 0, 0, 0)]);
        let entry = segments[1].fdb[0];
        assert_eq!((entry.address, entry.port), ("fd00::1".parse().unwrap(), Some(9)));
        assert_eq!(entry.vni.map(Vni::value), Some(7));
        assert_eq!((common.port, common.local.len()), (Some(8_472), 2));
    }

    #[test]
    fn the_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let base = "--tap a --vni 1 --local 10.0.0.1";
        assert!(parse(words(base)).is_ok());
        for more in [
            "--vni 2",
            "--tap b",
            "--tap b --vni 1",
            "--tap a --vni 2",
            "--local 10.0.0.2",
            "--remote 239.1.1.1",
            "--remote ff02::1",
            "--l3 --tap b --vni 2",
            "--route 10.0.0.0/8=10.0.0.1",
            "--policy 1",
            "--proxy --suppress",
            "--learning --nolearning",
            "--fdb 02:00:00:00:00:01",
            "--fdb 02:00:00:00:00:01=10.0.0.1,vlan=1",
            "--fdb 02:00:00:00:00:01=10.0.0.1,vni=16777216",
            "--neigh 10.0.0.1=02:00:00:00:00",
            "--tos 0x11",
            "--tos 256",
            "--df maybe",
            "--srcport 5",
            "--mtu 500",
            "--maxaddress 0",
        ] {
            assert!(parse(words(&format!("{base} {more}"))).is_err(), "{more}");
        }
    }
}
