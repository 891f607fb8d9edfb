//! What holds for every packet and all settings: written once, asserted by tests and fuzz targets alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::{
    Packet,
    time::Instant,
    tunnel::{
        Builder, DontFragment, DropReason, EncapError, EncapMeta, Endpoint, Framing, Inner, InnerChecksum,
        Link, MAX_DEPTH, OuterDscp, OuterFlowLabel, OverUdp, Payload, Policy, Ports, Profile, Protocol,
        Remote, Start, Ttl, UdpChecksum, ecn, geneve, gre, inspect, inspect_capture, ip_udp, nvgre, strip,
        vxlan,
    },
    wire::{
        Dscp, Error, FlowLabel, Layer, MacAddr, Pcp, VlanId, Vni,
        geneve_option::{OptionClass, OptionType, Options, Writer},
        gre::Key,
    },
};

const A: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];
const B: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2))];

/// Any bytes into every kind of endpoint, and past the analyser: an inner packet or a named reason.
pub(crate) fn decap(data: &[u8]) {
    let Some((&choice, packet)) = data.split_first() else { return };
    let v6 = usize::from(choice & 1);
    let framing = match choice >> 1 & 3 {
        0 => Framing::Payload,
        1 => Framing::Ip,
        _ => Framing::Ethernet(Link { source: MacAddr::ZERO, next_hop: MacAddr::ZERO, vlan: None }),
    };
    let mut policy = Policy::RFC;
    policy.allow_any_destination = choice & 8 != 0;
    policy.allow_inner_vlan = choice & 16 != 0;
    policy.allow_zero_checksum_ipv6 = choice & 32 != 0;
    let set = |builder: Builder<_>| builder.framing(framing).policy(policy).build().unwrap();
    decap_one(&set(vxlan::Endpoint::new(B[v6])), packet);
    let payload = if choice & 64 == 0 { Payload::Ip } else { Payload::Ethernet };
    let gre = gre::Endpoint::new(B[v6]).framing(framing).policy(policy).payload(payload);
    let gre = if choice & 128 == 0 { gre } else { gre.key(Key(7)) };
    decap_one(&gre.clone().build().unwrap(), packet);
    let mut forwarding = policy;
    forwarding.allow_gre_loops = true;
    let gre = gre.policy(forwarding).build().unwrap();
    decap_one(&gre, packet);
    let tunnel = gre::Tunnel::new(B[v6], A[v6]).framing(framing).policy(policy).payload(payload);
    let tunnel = if choice & 128 == 0 { tunnel } else { tunnel.key(Key(7)) };
    tunnel_one(tunnel, &gre, packet, &policy);
    decap_one(&ip_udp::Endpoint::new(B[v6]).framing(framing).policy(policy).build().unwrap(), packet);
    decap_one(
        &vxlan::Endpoint::new(B[v6]).gpe(payload).framing(framing).policy(policy).build().unwrap(),
        packet,
    );
    decap_one(&set(vxlan::Endpoint::new(B[v6]).group_policy(true)), packet);
    decap_one(&nvgre::Endpoint::new(B[v6]).framing(framing).policy(policy).build().unwrap(), packet);
    decap_one(
        &gre::UdpEndpoint::new(B[v6]).payload(payload).framing(framing).policy(policy).build().unwrap(),
        packet,
    );
    let geneve = geneve::Endpoint::new(B[v6]).payload(payload).knows(OptionClass(1), OptionType(0x81));
    decap_one(&geneve.framing(framing).policy(policy).build().unwrap(), packet);

    let mut profile = Profile::ANALYSIS;
    profile.policy = policy;
    profile.policy.allow_any_destination = true;
    profile.start = if framing == Framing::Ip { Start::Ip } else { Start::Ethernet };
    inspect_one(packet, &profile);
    if framing != Framing::Payload {
        agree(&set(vxlan::Endpoint::new(B[v6])), packet, &profile);
    }
}

fn decap_one<P: Protocol>(tunnel: &Endpoint<P>, bytes: &[u8]) {
    let mut buffer = bytes.to_vec();
    let mut packet = Packet::new(&mut buffer, 0, bytes.len()).unwrap();
    match tunnel.decap(&mut packet) {
        Ok(inner) => {
            let mut options = inner.geneve_options(&packet);
            assert!(options.as_bytes().len() <= inner.stripped && options.all(|option| option.is_ok()));
            let (start, len) = packet.into_range();
            assert_eq!(start, inner.stripped);
            assert!(start + len <= bytes.len());
        }
        Err(reason) => {
            assert!(DropReason::ALL.contains(&reason));
            assert_eq!(packet.into_range(), (0, bytes.len()));
            assert_eq!(buffer, bytes, "a refused packet is left as it was");
        }
    }
}

/// A tunnel takes no packet that its endpoint refuses, and does the same with it; it takes a number once; and it is
/// found by what it takes.
fn tunnel_one(config: gre::Config, endpoint: &gre::Endpoint, bytes: &[u8], policy: &Policy) {
    let mut tunnel = config.iseq(true).build().unwrap();
    let mut selector = [tunnel.selector(5)];
    selector[0].link = Some(1);
    let arrived = [Start::Ip, Start::Ethernet].map(|start| gre::Arrived::read(bytes, start));
    let mut buffer = bytes.to_vec();
    let mut packet = Packet::new(&mut buffer, 0, bytes.len()).unwrap();
    let received = tunnel.decap(Instant::ZERO, &mut packet);
    let made = packet.as_slice().to_vec();
    if let Ok(gre::Received::Packet(_) | gre::Received::KeepaliveRequest { .. }) = received {
        let mut again = bytes.to_vec();
        let mut again = Packet::new(&mut again, 0, bytes.len()).unwrap();
        let inner = endpoint.decap(&mut again).unwrap();
        if let Ok(gre::Received::Packet(same)) = received {
            assert_eq!((inner, &made[..]), (same, again.as_slice()));
        }
        let found = arrived
            .iter()
            .flatten()
            .any(|arrived| gre::Tunnels::new(&selector).unwrap().find(&arrived.link(1)) == Some(5));
        assert!(found || inner.outer.is_none() || policy.allow_any_destination);
        let mut duplicate = bytes.to_vec();
        let mut duplicate = Packet::new(&mut duplicate, 0, bytes.len()).unwrap();
        let verdict = tunnel.decap(Instant::ZERO, &mut duplicate);
        let is_numbered = inner.encapsulation.sequence().is_some();
        assert_eq!(verdict.err(), is_numbered.then_some(DropReason::GreSequence));
    } else {
        assert_eq!(made, bytes, "what is not taken is left as it was");
    }
}

fn inspect_one(bytes: &[u8], profile: &Profile) {
    let found = inspect(bytes, profile);
    assert!(found.layers().count() <= MAX_DEPTH);
    let mut outer = 0..bytes.len();
    for layer in found.layers() {
        let inner = layer.payload.clone();
        assert!(outer.start <= inner.start && inner.start <= inner.end && inner.end <= outer.end);
        outer = inner;
        geneve_option(layer.geneve_options(bytes).as_bytes());
    }
    // A capture that is cut has no more to show.
    let cut = inspect_capture(&bytes[..bytes.len() / 2], bytes.len(), profile);
    assert!(cut.layers().count() <= found.layers().count());

    let mut buffer = bytes.to_vec();
    let mut packet = Packet::new(&mut buffer, 0, bytes.len()).unwrap();
    // Nobody has cut the packet but the sender of ERSPAN.
    let refused = found.drop_reason().or(found.is_truncated().then_some(DropReason::InnerTruncated));
    match strip(&mut packet, profile) {
        Ok(depth) => {
            assert_eq!((depth, refused), (found.layers().count(), None));
            assert_eq!(packet.into_range(), (outer.start, outer.len()));
        }
        Err(reason) => {
            assert_eq!(Some(reason), refused);
            assert_eq!(buffer, bytes, "a refused packet is left as it was");
        }
    }
}

/// Decapsulation is inspection with a mask of what is fatal: of a packet in which inspection finds VXLAN, both
/// say the same.
fn agree(tunnel: &vxlan::Endpoint, bytes: &[u8], profile: &Profile) {
    let mut profile = *profile;
    let none = Ports::NONE;
    (profile.gre, profile.gpe_ports, profile.geneve_ports, profile.gre_udp_ports) = (false, none, none, none);
    (profile.ip_udp_ports, profile.vxlan_ports, profile.max_depth) = (none, Ports::one(tunnel.port()), 1);
    let found = inspect(bytes, &profile);
    let Some(layer) = found.layers().next() else { return };
    if layer.outer.source.is_ipv4() != tunnel.local().is_ipv4() {
        return;
    }
    let mut buffer = bytes.to_vec();
    let mut packet = Packet::new(&mut buffer, 0, bytes.len()).unwrap();
    let expected = found.drop_reason().filter(|&reason| reason != DropReason::TooDeep);
    match tunnel.decap(&mut packet) {
        Ok(inner) => {
            assert_eq!((expected, inner.encapsulation), (None, layer.encapsulation));
            assert_eq!((inner.outer, inner.protocol), (Some(layer.outer), layer.protocol));
            assert_eq!(packet.into_range(), (layer.payload.start, layer.payload.len()));
        }
        // What only an endpoint can know: its own address.
        Err(DropReason::MartianSource) if layer.outer.source == tunnel.local() => {}
        Err(DropReason::OtherDestination) if layer.outer.destination != tunnel.local() => {}
        Err(reason) => assert_eq!(Some(reason), expected),
    }
}

/// The first bytes choose settings, the rest is a packet: what goes in comes out.
pub(crate) fn encap_decap(data: &[u8]) {
    let Some((choices, packet)) = data.split_first_chunk::<12>() else { return };
    let mut choose = Choices(choices.iter());
    let v6 = choose.up_to(2);
    let vni = Vni::truncate(u32::from_be_bytes([0, choices[9], choices[10], choices[11]]));
    let payload = if choices[7] & 1 == 0 { Payload::Ip } else { Payload::Ethernet };
    let ends = [A[v6], B[v6]];
    let came_back = |inner: Option<Inner>| {
        assert!(inner.is_none_or(|inner| inner.encapsulation.vni() == Some(vni)));
    };
    match choose.up_to(8) {
        0 => {
            let tunnels =
                ends.map(|ip| over_udp(vxlan::Endpoint::new(ip).inner_vlan(true), &mut choose.clone(), v6));
            let remote = tunnels[0].remote(B[v6], vni).unwrap();
            came_back(round_trip(&tunnels, &remote, packet, choices));
        }
        1 => {
            let tunnels = ends.map(|ip| {
                over_udp(
                    vxlan::Endpoint::new(ip).inner_vlan(true).group_policy(true),
                    &mut choose.clone(),
                    v6,
                )
            });
            let remote = tunnels[0].remote(B[v6], vni).unwrap();
            came_back(round_trip(&tunnels, &remote, packet, choices));
        }
        2 => {
            let tunnels =
                ends.map(|ip| common(gre_settings(gre::Endpoint::new(ip), choices), &mut choose.clone(), v6));
            let remote = tunnels[0].remote(B[v6]).unwrap();
            gre_came_back(round_trip(&tunnels, &remote, packet, choices), choices);
        }
        3 => {
            let tunnels = ends.map(|ip| over_udp(ip_udp::Endpoint::new(ip), &mut choose.clone(), v6));
            let remote = tunnels[0].remote(B[v6]).unwrap();
            round_trip(&tunnels, &remote, packet, choices);
        }
        4 => {
            let tunnels = ends.map(|ip| {
                over_udp(gre_settings(gre::UdpEndpoint::new(ip), choices), &mut choose.clone(), v6)
            });
            let remote = tunnels[0].remote(B[v6]).unwrap();
            gre_came_back(round_trip(&tunnels, &remote, packet, choices), choices);
        }
        5 => {
            let tunnels = ends.map(|ip| {
                over_udp(vxlan::Endpoint::new(ip).inner_vlan(true).gpe(payload), &mut choose.clone(), v6)
            });
            let remote = tunnels[0].remote(B[v6], vni).unwrap();
            came_back(round_trip(&tunnels, &remote, packet, choices));
        }
        6 => {
            let tunnels = ends.map(|ip| common(nvgre::Endpoint::new(ip), &mut choose.clone(), v6));
            let Ok(remote) = tunnels[0].remote(B[v6], vni) else { return assert!(vni.value() < 0x1000) };
            came_back(round_trip(&tunnels, &remote, packet, choices));
        }
        _ => {
            let tunnels = ends.map(|ip| {
                let geneve =
                    geneve::Endpoint::new(ip).payload(payload).knows(OptionClass(1), OptionType(0x81));
                over_udp(geneve, &mut choose.clone(), v6)
            });
            let mut options = [0; 52];
            let mut writer = Writer::new(&mut options);
            for n in 0..choices[8] % 4 {
                let kind = if n % 2 == 0 { 0x01 } else { 0x81 };
                let len = usize::from(choices[9 + usize::from(n) % 3] % 4) * 4;
                writer.push(OptionClass(1), OptionType(kind), &[n; 12][..len]).unwrap();
            }
            let remote = tunnels[0].remote_with_options(B[v6], vni, writer.as_bytes()).unwrap();
            came_back(round_trip(&tunnels, &remote, packet, choices));
        }
    }
}

/// Any bytes as Geneve options: the iterator ends, is fused, and what it yields adds up; what was read can be written
/// again.
pub(crate) fn geneve_option(data: &[u8]) {
    let mut options = Options::new(data);
    let mut read = 0;
    let mut buffer = [0; 252];
    let mut writer = Writer::new(&mut buffer);
    for option in options.by_ref() {
        match option {
            Ok(option) => {
                assert!(option.data.len() % 4 == 0 && option.data.len() <= 124);
                read += 4 + option.data.len();
                assert!(read <= data.len());
                if read <= 252 {
                    writer.push(option.class, option.kind, option.data).unwrap();
                }
            }
            Err(Error::Truncated { layer: Layer::GeneveOption, need, have, .. }) => {
                assert!(have == data.len() - read && need > have);
                read = data.len();
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(read, data.len(), "every byte is accounted for");
    assert!(options.next().is_none() && options.next().is_none(), "fused");
    for (written, read) in Options::new(writer.as_bytes()).zip(Options::new(data)) {
        assert_eq!(written, read);
    }
}

fn gre_settings<const UDP: bool>(
    builder: Builder<gre::Gre<UDP>>,
    choices: &[u8; 12],
) -> Builder<gre::Gre<UDP>> {
    let bits = choices[7];
    let payload = if bits & 1 == 0 { Payload::Ip } else { Payload::Ethernet };
    let builder = builder.payload(payload).checksum(bits & 2 != 0).sequence(bits & 4 != 0);
    if bits & 8 != 0 { builder.key(gre_key(choices)) } else { builder }
}

fn gre_key(choices: &[u8; 12]) -> Key {
    Key(u32::from_be_bytes([choices[8], choices[9], choices[10], choices[11]]))
}

fn gre_came_back(inner: Option<Inner>, choices: &[u8; 12]) {
    if let Some(inner) = inner {
        assert_eq!(inner.encapsulation.key(), (choices[7] & 8 != 0).then(|| gre_key(choices)));
        assert_eq!(inner.encapsulation.sequence(), (choices[7] & 4 != 0).then_some(77));
    }
}

/// Small numbers from the front of the data.
#[derive(Clone)]
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn up_to(&mut self, n: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % n
    }
}

fn over_udp<P: OverUdp>(builder: Builder<P>, choose: &mut Choices<'_>, v6: usize) -> Endpoint<P> {
    let checksum = [UdpChecksum::Full, UdpChecksum::Offload, UdpChecksum::Zero][choose.up_to(3)];
    let min = 1 + choose.up_to(256) as u16;
    common(builder.udp_checksum(checksum).source_ports(min..=min + 255), choose, v6)
}

fn common<P: Protocol>(builder: Builder<P>, choose: &mut Choices<'_>, v6: usize) -> Endpoint<P> {
    let vlan = (choose.up_to(2) == 1).then_some((VlanId::truncate(100), Pcp::truncate(3)));
    let link = Link { source: MacAddr([2; 6]), next_hop: MacAddr([4; 6]), vlan };
    let bits = choose.up_to(256);
    let builder = builder
        .framing([Framing::Payload, Framing::Ip, Framing::Ethernet(link)][choose.up_to(3)])
        .ttl([Ttl::Auto, Ttl::Fixed(1), Ttl::Inherit][bits % 3])
        .dscp([OuterDscp::Fixed(Dscp::truncate(46)), OuterDscp::Inherit][bits / 4 % 2])
        .ecn([ecn::Mode::Normal, ecn::Mode::Compatibility, ecn::Mode::Linux][bits / 8 % 3])
        .seed(bits as u64)
        .policy({
            let mut policy = Policy::RFC;
            (policy.allow_inner_vlan, policy.allow_zero_checksum_ipv6) = (true, true);
            policy.allow_gre_loops = true;
            policy
        });
    let builder = if v6 == 1 {
        let label = OuterFlowLabel::Fixed(FlowLabel::truncate(7));
        builder.flow_label([OuterFlowLabel::FromHash, label][bits / 64 % 2])
    } else {
        builder.dont_fragment([DontFragment::Unset, DontFragment::Set, DontFragment::Inherit][bits / 64 % 3])
    };
    builder.build().unwrap()
}

/// Out of the first tunnel into the second: the same packet, or a refusal that left it alone.
fn round_trip<P: Protocol>(
    [from, to]: &[Endpoint<P>; 2],
    remote: &Remote,
    bytes: &[u8],
    choices: &[u8; 12],
) -> Option<Inner> {
    // The bytes are what they are: nobody vouches for their checksums.
    let meta = EncapMeta::new().sequence(77).inner_checksum(InnerChecksum::Unknown);
    let headroom = 64 + usize::from(choices[3]);
    let mut buffer = vec![0xa5; headroom];
    buffer.extend_from_slice(bytes);
    let mut packet = Packet::new(&mut buffer, headroom, bytes.len()).unwrap();
    let header = from.header(bytes, remote, &meta);
    match from.encap_with(&mut packet, remote, &meta) {
        Ok(()) => {}
        Err(error) => {
            assert!(header.is_err() || matches!(error, EncapError::Packet(_)), "{error}");
            assert_eq!(packet.as_slice(), bytes, "a refused packet is left as it was");
            return None;
        }
    }
    let header = header.unwrap();
    assert_eq!(header.len(), remote.overhead());
    assert_eq!(packet.as_slice(), [&header[..], bytes].concat(), "in place or apart, the same bytes");
    let inner = to.decap(&mut packet).unwrap_or_else(|reason| panic!("{reason}: {:02x?}", packet.as_slice()));
    assert_eq!(inner.stripped, remote.overhead());
    assert_eq!(packet.as_slice(), bytes, "what goes in comes out");
    assert!(
        buffer[..headroom - header.len()].iter().all(|&byte| byte == 0xa5),
        "only the headers are written"
    );
    Some(inner)
}
