//! Devices and sockets, as the command line asks for them.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
};

use encap::{
    vtep::{Config, TooBig},
    wire::IpProtocol,
};
use encap_linux::{Device, Layer, Settings, Transmitter, icmp, multicast, raw, udp};
use socket2::Socket;

use crate::{
    args::{Common, Tx},
    config,
    ports::{Carries, Port},
    segments::{self, Segment},
};

/// Makes the devices. Segments then have their names as the kernel has them.
pub(crate) fn ports(
    segments: &mut [Segment],
    args: &Common,
    config: &Config,
) -> Result<Vec<Port>, Box<dyn Error>> {
    let mut ports: Vec<Port> = Vec::new();
    for Segment { name, vlan, vni, .. } in segments.iter() {
        // There is one trunk.
        let mut trunks = ports.iter_mut().filter_map(|port| match &mut port.carries {
            Carries::Trunk(vnis) => Some(vnis),
            Carries::Segment(_) => None,
        });
        if let Some(vnis) = trunks.next().filter(|_| vlan.is_some()) {
            vnis.push(*vni);
            continue;
        }
        let layer = if args.l3 { Layer::Ip } else { Layer::Ethernet };
        let settings = Settings {
            mtu: config::inner_mtu(config),
            mac: args.mac.filter(|_| !args.l3),
            offload: !args.no_offload,
            ..Settings::new(name, layer)
        };
        let device = Device::create(&settings).map_err(|error| format!("{name}: {error}"))?;
        let carries = match vlan {
            Some(_) => Carries::Trunk(vec![*vni]),
            None => Carries::Segment(*vni),
        };
        ports.push(Port { device, carries });
    }
    for segment in segments {
        if let Some(port) = ports.iter().find(|port| port.has(segment.vni)) {
            port.device.name().clone_into(&mut segment.name);
        }
    }
    Ok(ports)
}

/// What to receive by; and what to send by, by IPv4 and by IPv6.
pub(crate) type Sockets = (Vec<Socket>, [Option<Out>; 2]);

/// What packets of one family are sent by.
pub(crate) struct Out {
    socket: Socket,
    /// For those that are too long, where they are to be fragmented.
    fragments: Option<Socket>,
    /// Where packets leave from, where a socket has all of our addresses.
    source: Option<SocketAddr>,
}

impl Out {
    /// For the thread that asks for it.
    pub(crate) fn transmitter(self, tx: Tx, mtu: u16, offload: bool) -> io::Result<Transmitter> {
        let mut transmitter = Transmitter::new(self.socket)?;
        if tx == Tx::Link {
            transmitter = transmitter.past_ip()?;
        }
        if let Some(source) = self.source {
            transmitter = transmitter.with_source(source);
        }
        if let Some(fragments) = self.fragments {
            transmitter = transmitter.with_fragments(fragments, mtu.into());
        }
        if offload { transmitter.with_segmentation() } else { Ok(transmitter) }
    }
}

/// Sockets for each of our addresses, and for groups.
pub(crate) fn sockets(
    segments: &[Segment],
    args: &Common,
    config: &Config,
) -> Result<Sockets, Box<dyn Error>> {
    let device = device(args)?;
    let at = |local| udp::at(local, 0, device.unwrap_or(0));
    let groups = segments::groups(segments);
    let bound = |local| {
        let settings = udp::Settings {
            local,
            device: device.unwrap_or(0),
            port: config.dstport,
            zero_checksum_ipv6: config.udp6zerocsumrx,
        };
        udp::socket(&settings).map_err(|error| format!("{local} port {}: {error}", config.dstport))
    };
    let mut receivers = Vec::new();
    let [mut v4, mut v6] = [None, None];
    for &local in &args.local {
        // Linux takes packets to any of its addresses.
        let to = match local {
            _ if !config.any_destination => local,
            IpAddr::V4(_) => IpAddr::from([0; 4]),
            IpAddr::V6(_) => IpAddr::from([0; 16]),
        };
        let socket = bound(to)?;
        let out = match args.tx {
            Tx::Raw | Tx::Link => Out {
                socket: raw::sender(local.is_ipv6())?,
                fragments: match config.too_big {
                    TooBig::Fragment => Some(raw::fragmenter(at(local), IpProtocol::UDP.0)?),
                    _ => None,
                },
                source: None,
            },
            Tx::Udp => Out {
                socket: socket.try_clone()?,
                fragments: None,
                source: config.any_destination.then(|| at(local)),
            },
        };
        if let Some(device) = device {
            for out in [Some(&out.socket), out.fragments.as_ref()].into_iter().flatten() {
                multicast::send_by(out, local.is_ipv6(), device)?;
            }
        }
        *if local.is_ipv6() { &mut v6 } else { &mut v4 } = Some(out);
        receivers.push(socket);
        for &group in groups.iter().filter(|group| group.is_ipv6() == local.is_ipv6()) {
            let join = |socket: &Socket| {
                let joined = multicast::join(socket, group, device.unwrap_or(0));
                joined.map_err(|error| format!("group {group}: {error}"))
            };
            match receivers.last() {
                // A socket for all addresses hears groups, too.
                Some(all) if config.any_destination => join(all)?,
                _ => {
                    let socket = bound(group)?;
                    join(&socket)?;
                    receivers.push(socket);
                }
            }
        }
    }
    Ok((receivers, [v4, v6]))
}

/// Sockets that hear what routers say to each of our addresses.
pub(crate) fn reports(args: &Common) -> Result<Vec<Socket>, Box<dyn Error>> {
    let device = device(args)?.unwrap_or(0);
    let sockets = args.local.iter().map(|&local| icmp::socket(udp::at(local, 0, device)));
    Ok(sockets.collect::<io::Result<_>>()?)
}

/// The number of the underlay's device, where one is named.
pub(crate) fn device(args: &Common) -> Result<Option<u32>, String> {
    let number = |name: &String| multicast::device(name).map_err(|error| format!("{name}: {error}"));
    args.dev.as_ref().map(number).transpose()
}

/// What there is now, in a line.
pub(crate) fn summary(segments: &[Segment], args: &Common, config: &Config) -> String {
    let segment = |Segment { name, vlan, vni, .. }: &Segment| match vlan {
        Some(vlan) => format!("{name} vlan {vlan} vni {vni}"),
        None => format!("{name} vni {vni}"),
    };
    let devices: Vec<_> = segments.iter().map(segment).collect();
    let local: Vec<_> = args.local.iter().map(IpAddr::to_string).collect();
    format!(
        "{}, local {} port {}, mtu {}",
        devices.join(", "),
        local.join(" "),
        config.dstport,
        config::inner_mtu(config)
    )
}
