//! The command line.

use std::{net::IpAddr, path::PathBuf};

use clap::{Parser, ValueEnum};
use encap::{
    table::{Ageing, Prefix},
    tunnel::{DontFragment, OuterDscp, OuterFlowLabel, Ttl},
    wire::{MacAddr, VlanId, Vni},
};

use crate::values::{self, Entry};

/// A VXLAN tunnel endpoint in user space: frames of TAP devices go through tunnels to other endpoints.
///
/// Options have the names and the meaning that `ip link add ... type vxlan` gives them; those of a segment (--vni,
/// --remote, --fdb, --neigh, --route) belong to the --tap or --vlan before them, so that several can follow each other.
/// SIGHUP reads --fdb-file and --neigh-file again, SIGUSR1 prints tables and counters, SIGINT and SIGTERM end.
#[derive(Debug, Parser)]
#[command(name = "vtep")]
pub(crate) struct Args {
    /// A device to make; a TUN device with --l3. Can be repeated.
    #[arg(long, value_name = "NAME", required = true, alias = "tun")]
    pub(crate) tap: Vec<String>,
    /// The segment of the device.
    #[arg(long, value_name = "N", required_unless_present = "vlan", value_parser = values::vni)]
    pub(crate) vni: Vec<Vni>,
    /// Instead of --vni: the device is a trunk, and frames of this VLAN are of this segment; those without a tag are of
    /// VLAN 0. Can be repeated.
    #[arg(long, value_name = "VID=VNI", value_parser = values::vlan)]
    pub(crate) vlan: Vec<(VlanId, Vni)>,
    /// Where frames go whose destination nobody knows, or that are for everybody: an endpoint, or a multicast group,
    /// which is joined on --dev. Can be repeated.
    #[arg(long, value_name = "IP")]
    pub(crate) remote: Vec<IpAddr>,
    /// An entry of the forwarding database. Can be repeated; the all-zero address appends to the default destination. A
    /// multicast group is joined, as that of --remote.
    #[arg(long, value_name = "MAC=IP[,port=N][,vni=N]")]
    pub(crate) fdb: Vec<Entry>,
    /// A neighbour, for --proxy, --suppress and --l3. Can be repeated.
    #[arg(long, value_name = "IP=MAC", value_parser = values::neighbor)]
    pub(crate) neigh: Vec<(IpAddr, MacAddr)>,
    /// Where packets with this prefix go, with --l3: to a gateway, which --neigh knows, or without one to hosts that
    /// --neigh knows. Can be repeated.
    #[arg(long, value_name = "PREFIX[=IP]", value_parser = values::route, requires = "l3")]
    pub(crate) route: Vec<(Prefix, Option<IpAddr>)>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What holds for all segments.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Our address in the underlay; one of IPv4, one of IPv6, or both.
    #[arg(long, value_name = "IP", required = true)]
    pub(crate) local: Vec<IpAddr>,
    /// The device of the underlay: that multicast leaves by, on which groups of --remote and --fdb are joined, and
    /// whose link link-local addresses are of.
    #[arg(long, value_name = "NAME")]
    pub(crate) dev: Option<String>,
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
    /// Whom to learn from [default: configured; with --linux, or where --remote or --fdb of the all-zero address names a
    /// group, any].
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
    /// How long the MTU of a path holds that a router told, in seconds, or never [default: 600].
    #[arg(long, value_name = "SECS|never", value_parser = values::ageing)]
    pub(crate) mtu_expires: Option<Ageing>,
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
    /// Our router's address, with --l3, from which senders are told that packets are too long; one of each family.
    #[arg(long, value_name = "IP", requires = "l3")]
    pub(crate) router: Vec<IpAddr>,
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
    /// What to send by. By a raw socket packets are routed by the kernel, and pass netfilter. By link they go to their
    /// device at once, in a fifth less time, where the kernel knows the next hop, and pass neither netfilter nor IPsec.
    /// By the UDP socket, for where raw sockets are not allowed out, settings of the outer headers have no effect.
    #[arg(long, value_name = "SOCKET", value_enum, default_value_t = Tx::Raw)]
    pub(crate) tx: Tx,
    /// Exchange packets with the kernel one by one. Without this, long TCP segments come from devices and go to them
    /// whole, and packets of one flow leave and come together: those that leave so have UDP checksums, also over IPv4.
    #[arg(long)]
    pub(crate) no_offload: bool,
    /// A Unix socket that says to whoever connects what SIGUSR1 prints.
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
    /// Say on standard error what is learned, moves and expires, and what routers say.
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
    Link,
    Udp,
}
