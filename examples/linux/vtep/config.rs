//! What the command line means for the engine.

use std::{io, net::IpAddr};

use encap::{
    table::{Capacity, LearnFrom},
    tunnel::{DontFragment, Framing},
    vtep::{Accept, Config, Proxy, ShortCircuit, TooBig},
    wire::MacAddr,
};

use crate::{
    args::{Common, Tx, Whom},
    loader,
    ports::Port,
    segments::Segment,
    tables::Files,
};

/// The settings of the engine.
pub(crate) fn config(segments: &[Segment], args: &Common) -> Config {
    let mut config = if args.linux { Config::linux() } else { Config::new() };
    if segments.iter().any(Segment::floods_to_group) {
        // Who is in a group nobody has configured.
        config.tables.learn_from = LearnFrom::Any;
    }
    for &local in &args.local {
        config = config.local(local);
    }
    fn set<T: Copy>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    let when = |on: bool, value: bool| on.then_some(value);
    set(&mut config.dstport, args.port);
    set(&mut config.ttl, args.ttl);
    set(&mut config.tos, args.tos);
    set(&mut config.df, args.df);
    if config.df == DontFragment::Set {
        // Nobody fragments these; Linux loses them, too.
        config.too_big = TooBig::Tell;
    }
    set(&mut config.label, args.flowlabel);
    set(&mut config.srcport, args.srcport);
    set(&mut config.udpcsum, when(args.udpcsum, true));
    set(&mut config.learning, when(args.nolearning, false).or(when(args.learning, true)));
    set(&mut config.inner_vlan, when(args.inner_vlan, true));
    set(&mut config.address, args.mac);
    for &router in &args.router {
        match router {
            IpAddr::V4(router) => config.router = Some(router),
            IpAddr::V6(router) => config.router6 = Some(router),
        }
    }
    set(&mut config.tables.ageing, args.ageing);
    set(&mut config.tables.mtu_expires, args.mtu_expires);
    set(&mut config.tables.vni_limit, args.maxaddress);
    set(&mut config.tables.learn_from, args.learn_from.map(learn_from));
    config.udp6zerocsumtx = args.udp6zerocsumtx;
    config.udp6zerocsumrx = args.udp6zerocsumrx;
    config.gbp = args.gbp;
    config.l3 = args.l3;
    config.remcsumrx = args.remcsumrx;
    config.l2miss = args.l2miss;
    config.l3miss = args.l3miss;
    if args.rsc {
        config.rsc = if args.linux { ShortCircuit::Linux } else { ShortCircuit::Route };
    }
    if args.accept == Whom::Configured {
        config.accept = Accept::Configured;
    }
    config.mtu = args.mtu;
    if args.proxy {
        config.proxy = Proxy::KernelProxy;
    } else if args.suppress {
        config.proxy = Proxy::NeighSuppress;
    }
    if args.tx == Tx::Udp {
        config.framing = Framing::Payload;
    }
    config
}

const fn learn_from(whom: Whom) -> LearnFrom {
    match whom {
        Whom::Configured => LearnFrom::Configured,
        Whom::Any => LearnFrom::Any,
    }
}

/// Settings that have no effect by a UDP socket, of those that were given.
pub(crate) fn without_effect(args: &Common) -> Vec<&'static str> {
    let given = [
        ("--ttl", args.ttl.is_some()),
        ("--tos", args.tos.is_some()),
        ("--df", args.df.is_some()),
        ("--flowlabel", args.flowlabel.is_some()),
        ("--srcport", args.srcport.is_some()),
        ("--udpcsum", args.udpcsum),
        ("--udp6zerocsumtx", args.udp6zerocsumtx),
    ];
    let given = given.into_iter().filter(|&(_, given)| given && args.tx == Tx::Udp);
    given.map(|(name, _)| name).collect()
}

/// Room for all segments and what is said of them, and twice what files say besides, so that they can grow until they
/// are read again.
pub(crate) fn capacity(segments: &[Segment], files: &Files, args: &Common) -> Capacity {
    let trunk = segments.iter().any(|segment| segment.vlan.is_some());
    let sum = |count: fn(&Segment) -> usize| segments.iter().map(count).sum::<usize>();
    // The device's own address is one, too.
    let entries = sum(|segment| segment.remotes.len() + segment.fdb.len() + 1);
    let neighbors = sum(|segment| segment.neighbors.len());
    let routes = u32::try_from(sum(|segment| segment.routes.len())).unwrap_or(u32::MAX);
    let segments = u32::try_from(segments.len()).unwrap_or(u32::MAX);
    let learned = args.maxaddress.unwrap_or(8_192).saturating_mul(segments);
    let said = loader::capacity(entries + files.entries.len() * 2, neighbors + files.neighbors.len() * 2);
    Capacity {
        entries: said.entries.saturating_add(learned).min(1 << 24),
        vnis: segments,
        vlans: if trunk { 4_095 } else { 0 },
        remotes: said.remotes + 1_024,
        lists: said.lists + 1_024,
        members: said.members + 8_192,
        neighbors: said.neighbors + 4_096,
        routes: routes.saturating_add(4_096),
        workers: 2,
        vni_counters: true,
        ..Capacity::NONE
    }
}

/// The engine has one address. Where several devices have one each, they are entries of their segments, which nothing
/// learned can change; limits do not count them.
pub(crate) fn own_addresses(segments: &mut [Segment], ports: &[Port], config: &mut Config) -> io::Result<()> {
    for segment in segments {
        if let Some(port) = ports.iter().find(|port| port.has(segment.vni)) {
            segment.mac = port.device.mac()?;
        }
    }
    config.tables.vni_limit = config.tables.vni_limit.saturating_add(1);
    Ok(())
}

/// Bytes of an inner IP packet that fit into the underlay's.
pub(crate) fn inner_mtu(config: &Config) -> u16 {
    let ip = if config.local6.is_some() { 40 } else { 20 };
    // UDP, VXLAN, and the Ethernet header of the frame.
    config.mtu.saturating_sub(ip + 8 + 8 + 14)
}

/// A MAC address that nobody else has: one of those that administrators may give.
pub(crate) fn local_mac([first, second]: [u64; 2]) -> MacAddr {
    let [a, b, c, d, e, ..] = (first ^ second).to_be_bytes();
    MacAddr([0x02, a, b, c, d, e])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments;

    #[test]
    fn anybody_teaches_where_frames_are_flooded_to_a_group() {
        use LearnFrom::{Any, Configured};
        for (options, whom) in [
            ("--remote 10.0.0.2", Configured),
            ("--remote 239.1.1.1", Any),
            ("--remote 239.1.1.1 --learn-from configured", Configured),
            ("--tap b --vni 2 --remote 239.1.1.1", Any),
            ("--fdb 00:00:00:00:00:00=239.1.1.1", Any),
            ("--fdb 02:00:00:00:00:01=239.1.1.1", Configured),
            ("--fdb 01:00:5e:00:00:05=239.1.1.1", Configured),
            ("--fdb 02:00:00:00:00:01=239.1.1.1 --linux", Any),
        ] {
            let line = format!("vtep --local 10.0.0.1 --dev lo --tap a --vni 1 {options}");
            let (segments, args) = segments::parse(line.split_whitespace()).unwrap();
            assert_eq!(config(&segments, &args).tables.learn_from, whom, "{options}");
        }
    }
}
