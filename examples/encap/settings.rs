//! The flags: every setting of an endpoint.

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf, str::FromStr};

use clap::{Parser, ValueEnum};
use encap::{
    tunnel::{
        Builder, ConfigError, DontFragment, Framing, InnerChecksum, Link, OuterDscp, OuterFlowLabel, OverUdp,
        Payload, Protocol, Ttl, UdpChecksum, ecn, geneve, gre, ip_udp, nvgre, vxlan,
    },
    wire::{MacAddr, Pcp, VlanId, Vni, geneve_option::Writer, gre::Key, vxlan_gbp::GroupPolicy},
};

use crate::{
    tunnel::Tunnel,
    values::{GeneveOption, bounded, dscp, flow_label, source_ports, ttl, vlan},
};

/// Encapsulates the frames of a capture, and writes a new one.
#[derive(Parser)]
#[command(name = "encap")]
pub(crate) struct Args {
    /// A pcap or pcapng file of Ethernet frames or IP packets. Without it: a few frames of our own.
    pub(crate) file: Option<PathBuf>,
    /// The capture to write: pcapng where the name ends in .pcapng, else pcap.
    #[arg(long, value_name = "OUT")]
    pub(crate) write: PathBuf,
    /// The tunnel. VXLAN and NVGRE carry Ethernet frames, IP in UDP carries IP packets, the others one or the other.
    #[arg(long = "type", value_enum)]
    kind: Kind,

    /// Address of this end.
    #[arg(long, default_value = "192.0.2.1")]
    local: IpAddr,
    /// Address of the other end.
    #[arg(long, default_value = "192.0.2.2")]
    remote: IpAddr,
    /// TTL or hop limit: a number, inherit, or auto (64, and 1 to a multicast group).
    #[arg(long, value_parser = ttl)]
    ttl: Option<Ttl>,
    /// DSCP: a number up to 63, or inherit.
    #[arg(long, value_parser = dscp)]
    dscp: Option<OuterDscp>,
    /// ECN mode of RFC 6040, or what Linux does.
    #[arg(long, value_enum)]
    ecn: Option<EcnMode>,
    /// Don't fragment, over IPv4: inherit is set for inner IPv6, too, inherit-ipv4 is not.
    #[arg(long, value_enum)]
    df: Option<Df>,
    /// Flow label, over IPv6: a number up to 1048575, hash, or inherit.
    #[arg(long, value_parser = flow_label)]
    flow_label: Option<OuterFlowLabel>,
    /// MTU of the underlay in bytes.
    #[arg(long)]
    mtu: Option<usize>,
    /// Bytes before a frame, where there are to be more than the headers need.
    #[arg(long)]
    headroom: Option<usize>,
    /// Seed of the flow hash.
    #[arg(long)]
    seed: Option<u64>,

    /// The outer headers that are written: from IP on, or from Ethernet on.
    #[arg(long, value_enum, default_value = "ip")]
    framing: FramingName,
    /// MAC address of this end.
    #[arg(long, value_name = "MAC", default_value = "02:00:5e:00:00:01")]
    source_mac: MacAddr,
    /// MAC address of the next hop.
    #[arg(long, value_name = "MAC", default_value = "02:00:5e:00:00:02")]
    next_hop_mac: MacAddr,
    /// VLAN of the underlay, with a priority after a colon if it is not 0.
    #[arg(long, value_name = "ID[:PRIORITY]", value_parser = vlan)]
    vlan: Option<(VlanId, Pcp)>,

    /// What the tunnel carries, where it is not the tunnel that says so [default: ip in GRE, else ethernet]
    #[arg(long, value_enum, help_heading = TUNNEL)]
    payload: Option<PayloadName>,
    /// The segment of VXLAN, Geneve or NVGRE, up to 16777215 [default: 1, in NVGRE 4096, the first there is]
    #[arg(long, value_parser = bounded::<Vni>, help_heading = TUNNEL)]
    vni: Option<Vni>,
    /// The policy of VXLAN-GBP.
    #[arg(long, value_name = "ID", help_heading = TUNNEL)]
    group: Option<u16>,
    /// VXLAN-GBP: nobody is to learn from the frames.
    #[arg(long, help_heading = TUNNEL)]
    dont_learn: bool,
    /// VXLAN-GBP: the policy was applied.
    #[arg(long, help_heading = TUNNEL)]
    applied: bool,
    /// VXLAN: frames with VLAN tags are sent as they are, for receivers that are configured to take them. Without it
    /// they are left out.
    #[arg(long, help_heading = TUNNEL)]
    inner_vlan: bool,
    /// An option of Geneve, in hexadecimal. Can be repeated.
    #[arg(long, value_name = "CLASS:TYPE:DATA", value_parser = GeneveOption::from_str, help_heading = TUNNEL)]
    option: Vec<GeneveOption>,
    /// The key of GRE in both directions.
    #[arg(long, help_heading = TUNNEL)]
    key: Option<u32>,
    /// The key of GRE packets that are received, which changes nothing here.
    #[arg(long, help_heading = TUNNEL)]
    ikey: Option<u32>,
    /// The key of GRE packets that are sent.
    #[arg(long, help_heading = TUNNEL)]
    okey: Option<u32>,
    /// GRE with a checksum.
    #[arg(long, help_heading = TUNNEL)]
    checksum: bool,
    /// GRE with sequence numbers, from 0 on.
    #[arg(long, help_heading = TUNNEL)]
    sequence: bool,

    /// UDP destination port, where it is not the usual one.
    #[arg(long, help_heading = UDP)]
    port: Option<u16>,
    /// The range of UDP source ports that flows are spread over.
    #[arg(long, value_name = "MIN-MAX", value_parser = source_ports, help_heading = UDP)]
    source_ports: Option<RangeInclusive<u16>>,
    /// Outer UDP checksum. Offload trusts the inner checksums to be good.
    #[arg(long, value_enum, help_heading = UDP)]
    udp_checksum: Option<UdpChecksumName>,
}

const TUNNEL: &str = "The tunnel's own header";
const UDP: &str = "Tunnels over UDP";

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Kind {
    Vxlan,
    VxlanGbp,
    VxlanGpe,
    Geneve,
    Gre,
    GreUdp,
    Nvgre,
    IpUdp,
}

#[derive(Clone, Copy, ValueEnum)]
enum EcnMode {
    Normal,
    Compatibility,
    Linux,
}

#[derive(Clone, Copy, ValueEnum)]
enum Df {
    Set,
    Unset,
    Inherit,
    InheritIpv4,
}

#[derive(Clone, Copy, ValueEnum)]
enum FramingName {
    Ip,
    Ethernet,
}

#[derive(Clone, Copy, ValueEnum)]
enum UdpChecksumName {
    Zero,
    Full,
    Offload,
}

#[derive(Clone, Copy, ValueEnum)]
enum PayloadName {
    Ip,
    Ethernet,
}

impl Args {
    /// A flag that others have no use for, and what those are.
    pub(crate) fn misplaced(&self) -> Option<(&'static str, &'static str)> {
        if self.vlan.is_some() && self.framing_is_ip() {
            return Some(("--vlan", "framing"));
        }
        let over_udp = [
            ("--port", self.port.is_some()),
            ("--source-ports", self.source_ports.is_some()),
            ("--udp-checksum", self.udp_checksum.is_some()),
        ];
        let payload = [("--payload", self.payload.is_some())];
        let vni = [("--vni", self.vni.is_some())];
        let group = [
            ("--group", self.group.is_some()),
            ("--dont-learn", self.dont_learn),
            ("--applied", self.applied),
        ];
        let tags = [("--inner-vlan", self.inner_vlan)];
        let options = [("--option", !self.option.is_empty())];
        let gre = [
            ("--key", self.key.is_some()),
            ("--ikey", self.ikey.is_some()),
            ("--okey", self.okey.is_some()),
            ("--checksum", self.checksum),
            ("--sequence", self.sequence),
        ];
        let useless: &[&[_]] = match self.kind {
            Kind::Vxlan => &[&payload, &group, &options, &gre],
            Kind::VxlanGbp => &[&payload, &options, &gre],
            Kind::VxlanGpe => &[&group, &options, &gre],
            Kind::Geneve => &[&group, &tags, &gre],
            Kind::Gre => &[&over_udp, &vni, &group, &tags, &options],
            Kind::GreUdp => &[&vni, &group, &tags, &options],
            Kind::Nvgre => &[&over_udp, &payload, &group, &tags, &options, &gre],
            Kind::IpUdp => &[&payload, &vni, &group, &tags, &options, &gre],
        };
        useless.iter().copied().flatten().find(|(_, given)| *given).map(|(flag, _)| (*flag, "type of tunnel"))
    }

    pub(crate) const fn framing_is_ip(&self) -> bool {
        matches!(self.framing, FramingName::Ip)
    }

    /// The tunnel with these settings.
    pub(crate) fn tunnel(&self) -> Result<Tunnel, ConfigError> {
        let (local, remote) = (self.local, self.remote);
        let payload = match (self.payload, self.kind) {
            (Some(PayloadName::Ip), _) | (None, Kind::Gre | Kind::GreUdp | Kind::IpUdp) => Payload::Ip,
            _ => Payload::Ethernet,
        };
        let first = if self.kind == Kind::Nvgre { 4096 } else { 1 };
        let vni = self.vni.unwrap_or(Vni::truncate(first));
        let mut tunnel = match self.kind {
            Kind::Vxlan | Kind::VxlanGbp | Kind::VxlanGpe => {
                let mut builder = vxlan::Endpoint::new(local)
                    .group_policy(self.kind == Kind::VxlanGbp)
                    .inner_vlan(self.inner_vlan);
                if self.kind == Kind::VxlanGpe {
                    builder = builder.gpe(payload);
                }
                let endpoint = self.over_udp(builder).build()?;
                Tunnel::new(endpoint, endpoint.remote(remote, vni)?, payload)
            }
            Kind::Geneve => {
                let endpoint = self.over_udp(geneve::Endpoint::new(local).payload(payload)).build()?;
                let remote = endpoint.remote_with_options(remote, vni, &self.options()?)?;
                Tunnel::new(endpoint, remote, payload)
            }
            Kind::Gre => {
                let endpoint = self.common(self.gre(gre::Endpoint::new(local).payload(payload))).build()?;
                Tunnel::new(endpoint, endpoint.remote(remote)?, payload)
            }
            Kind::GreUdp => {
                let builder = gre::UdpEndpoint::new(local).payload(payload);
                let endpoint = self.over_udp(self.gre(builder)).build()?;
                Tunnel::new(endpoint, endpoint.remote(remote)?, payload)
            }
            Kind::Nvgre => {
                let endpoint = self.common(nvgre::Endpoint::new(local)).build()?;
                Tunnel::new(endpoint, endpoint.remote(remote, vni)?, payload)
            }
            Kind::IpUdp => {
                let endpoint = self.over_udp(ip_udp::Endpoint::new(local)).build()?;
                Tunnel::new(endpoint, endpoint.remote(remote)?, payload)
            }
        };
        if self.kind == Kind::VxlanGbp {
            let Self { dont_learn, applied, .. } = *self;
            let id = self.group.unwrap_or(0);
            tunnel.meta = tunnel.meta.group_policy(GroupPolicy { id, dont_learn, applied });
        }
        if self.sequence {
            tunnel.meta = tunnel.meta.sequence(0);
        }
        if let Some(UdpChecksumName::Offload) = self.udp_checksum {
            tunnel.meta = tunnel.meta.inner_checksum(InnerChecksum::Good);
        }
        Ok(tunnel)
    }

    /// All options of Geneve.
    fn options(&self) -> Result<Vec<u8>, ConfigError> {
        let mut bytes = [0; 252];
        let mut writer = Writer::new(&mut bytes);
        for GeneveOption { class, kind, data } in &self.option {
            let len = writer.as_bytes().len() + 4 + data.len();
            writer.push(*class, *kind, data).map_err(|_| ConfigError::GeneveOptions(len))?;
        }
        Ok(writer.as_bytes().to_vec())
    }

    fn over_udp<P: OverUdp>(&self, mut builder: Builder<P>) -> Builder<P> {
        if let Some(port) = self.port {
            builder = builder.port(port);
        }
        if let Some(ports) = &self.source_ports {
            builder = builder.source_ports(ports.clone());
        }
        if let Some(checksum) = self.udp_checksum {
            builder = builder.udp_checksum(match checksum {
                UdpChecksumName::Zero => UdpChecksum::Zero,
                UdpChecksumName::Full => UdpChecksum::Full,
                UdpChecksumName::Offload => UdpChecksum::Offload,
            });
        }
        self.common(builder)
    }

    fn gre<const UDP: bool>(&self, mut builder: Builder<gre::Gre<UDP>>) -> Builder<gre::Gre<UDP>> {
        if let Some(key) = self.key {
            builder = builder.key(Key(key));
        }
        if let Some(key) = self.ikey {
            builder = builder.input_key(Key(key));
        }
        if let Some(key) = self.okey {
            builder = builder.output_key(Key(key));
        }
        builder.checksum(self.checksum).sequence(self.sequence)
    }

    fn common<P: Protocol>(&self, mut builder: Builder<P>) -> Builder<P> {
        if let Some(ttl) = self.ttl {
            builder = builder.ttl(ttl);
        }
        if let Some(dscp) = self.dscp {
            builder = builder.dscp(dscp);
        }
        if let Some(mode) = self.ecn {
            builder = builder.ecn(match mode {
                EcnMode::Normal => ecn::Mode::Normal,
                EcnMode::Compatibility => ecn::Mode::Compatibility,
                EcnMode::Linux => ecn::Mode::Linux,
            });
        }
        if let Some(df) = self.df {
            builder = builder.dont_fragment(match df {
                Df::Set => DontFragment::Set,
                Df::Unset => DontFragment::Unset,
                Df::Inherit => DontFragment::Inherit,
                Df::InheritIpv4 => DontFragment::InheritIpv4,
            });
        }
        if let Some(label) = self.flow_label {
            builder = builder.flow_label(label);
        }
        if let Some(mtu) = self.mtu {
            builder = builder.mtu(mtu);
        }
        if let Some(headroom) = self.headroom {
            builder = builder.headroom(headroom);
        }
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        builder.framing(match self.framing {
            FramingName::Ip => Framing::Ip,
            FramingName::Ethernet => Framing::Ethernet(Link {
                source: self.source_mac,
                next_hop: self.next_hop_mac,
                vlan: self.vlan,
            }),
        })
    }
}
