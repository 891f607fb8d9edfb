//! The flags: every setting of an endpoint.

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf, str::FromStr};

use clap::{Parser, ValueEnum};
use encap::{
    tunnel::{
        Builder, ConfigError, DontFragment, Framing, Link, OuterDscp, OuterFlowLabel, OverUdp, Payload,
        Protocol, Ttl, UdpChecksum, ecn, gre, ip_udp, vxlan,
    },
    wire::{Dscp, FlowLabel, MacAddr, Pcp, VlanId, Vni, gre::Key},
};

use crate::tunnel::{Endpoint, Tunnel};

/// Encapsulates the frames of a capture, and writes a new one.
#[derive(Parser)]
#[command(name = "encap")]
pub(crate) struct Args {
    /// A pcap or pcapng file of Ethernet frames or IP packets. Without it: a few frames of our own.
    pub(crate) file: Option<PathBuf>,
    /// The capture to write: pcapng where the name ends in .pcapng, else pcap.
    #[arg(long, value_name = "OUT")]
    pub(crate) write: PathBuf,
    /// The tunnel. VXLAN carries Ethernet frames, IP in UDP carries IP packets, GRE one or the other.
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
    /// Don't fragment, over IPv4.
    #[arg(long, value_enum)]
    df: Option<Df>,
    /// Flow label, over IPv6: a number up to 1048575, or hash.
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

    /// UDP destination port: VXLAN's is 4789, that of IP in UDP 8285.
    #[arg(long, help_heading = "VXLAN and IP in UDP")]
    port: Option<u16>,
    /// The range of UDP source ports that flows are spread over.
    #[arg(long, value_name = "MIN-MAX", value_parser = source_ports, help_heading = "VXLAN and IP in UDP")]
    source_ports: Option<RangeInclusive<u16>>,
    /// Outer UDP checksum. Offload trusts the inner checksums to be good.
    #[arg(long, value_enum, help_heading = "VXLAN and IP in UDP")]
    udp_checksum: Option<UdpChecksumName>,

    /// The segment, up to 16777215 [default: 1]
    #[arg(long, value_parser = bounded::<Vni>, help_heading = "VXLAN")]
    vni: Option<Vni>,

    /// What the tunnel carries [default: ip]
    #[arg(long, value_enum, help_heading = "GRE")]
    payload: Option<PayloadName>,
    /// The key in both directions.
    #[arg(long, help_heading = "GRE")]
    key: Option<u32>,
    /// The key of packets that are received, which changes nothing here.
    #[arg(long, help_heading = "GRE")]
    ikey: Option<u32>,
    /// The key of packets that are sent.
    #[arg(long, help_heading = "GRE")]
    okey: Option<u32>,
    /// With a checksum.
    #[arg(long, help_heading = "GRE")]
    checksum: bool,
    /// With sequence numbers, from 0 on.
    #[arg(long, help_heading = "GRE")]
    sequence: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Kind {
    Vxlan,
    Gre,
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
        let vxlan = [("--vni", self.vni.is_some())];
        let gre = [
            ("--payload", self.payload.is_some()),
            ("--key", self.key.is_some()),
            ("--ikey", self.ikey.is_some()),
            ("--okey", self.okey.is_some()),
            ("--checksum", self.checksum),
            ("--sequence", self.sequence),
        ];
        let useless: &[&[_]] = match self.kind {
            Kind::Vxlan => &[&gre],
            Kind::Gre => &[&over_udp, &vxlan],
            Kind::IpUdp => &[&gre, &vxlan],
        };
        useless.iter().copied().flatten().find(|(_, given)| *given).map(|(flag, _)| (*flag, "type of tunnel"))
    }

    pub(crate) const fn framing_is_ip(&self) -> bool {
        matches!(self.framing, FramingName::Ip)
    }

    /// The tunnel with these settings.
    pub(crate) fn tunnel(&self) -> Result<Tunnel, ConfigError> {
        let (endpoint, remote) = match self.kind {
            Kind::Vxlan => {
                let endpoint = self.over_udp(vxlan::Endpoint::new(self.local)).build()?;
                let vni = self.vni.unwrap_or(Vni::truncate(1));
                (Endpoint::Vxlan(endpoint), endpoint.remote(self.remote, vni)?)
            }
            Kind::Gre => {
                let endpoint = self.gre(gre::Endpoint::new(self.local)).build()?;
                (Endpoint::Gre(endpoint), endpoint.remote(self.remote)?)
            }
            Kind::IpUdp => {
                let endpoint = self.over_udp(ip_udp::Endpoint::new(self.local)).build()?;
                (Endpoint::IpUdp(endpoint), endpoint.remote(self.remote)?)
            }
        };
        let payload = match (self.kind, self.payload) {
            (Kind::Vxlan, _) | (Kind::Gre, Some(PayloadName::Ethernet)) => Payload::Ethernet,
            _ => Payload::Ip,
        };
        let trusts_checksums = matches!(self.udp_checksum, Some(UdpChecksumName::Offload));
        Ok(Tunnel { endpoint, remote, payload, trusts_checksums, sequence: self.sequence.then_some(0) })
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

    fn gre(&self, mut builder: Builder<gre::Gre>) -> Builder<gre::Gre> {
        if let Some(PayloadName::Ethernet) = self.payload {
            builder = builder.payload(Payload::Ethernet);
        }
        if let Some(key) = self.key {
            builder = builder.key(Key(key));
        }
        if let Some(key) = self.ikey {
            builder = builder.input_key(Key(key));
        }
        if let Some(key) = self.okey {
            builder = builder.output_key(Key(key));
        }
        self.common(builder.checksum(self.checksum).sequence(self.sequence))
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

fn ttl(text: &str) -> Result<Ttl, String> {
    match text {
        "auto" => Ok(Ttl::Auto),
        "inherit" => Ok(Ttl::Inherit),
        _ => number(text).map(Ttl::Fixed),
    }
}

fn dscp(text: &str) -> Result<OuterDscp, String> {
    if text == "inherit" { Ok(OuterDscp::Inherit) } else { bounded(text).map(|dscp: Dscp| dscp.into()) }
}

fn flow_label(text: &str) -> Result<OuterFlowLabel, String> {
    if text == "hash" {
        return Ok(OuterFlowLabel::FromHash);
    }
    bounded(text).map(|label: FlowLabel| OuterFlowLabel::Fixed(label))
}

fn vlan(text: &str) -> Result<(VlanId, Pcp), String> {
    let (id, priority) = text.split_once(':').unwrap_or((text, "0"));
    Ok((bounded(id)?, bounded(priority)?))
}

fn source_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (min, max) = text.split_once('-').ok_or("two ports with a dash between them")?;
    Ok(number(min)?..=number(max)?)
}

fn bounded<T: TryFrom<u32, Error: ToString>>(text: &str) -> Result<T, String> {
    number::<u32>(text)?.try_into().map_err(|error: T::Error| error.to_string())
}

fn number<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}
