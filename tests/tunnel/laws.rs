//! What holds for every packet and all settings: written once, asserted by tests and fuzz targets alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::{
    Packet,
    tunnel::{
        Builder, DontFragment, DropReason, EncapMeta, Endpoint, Framing, InnerChecksum, Link, MAX_DEPTH,
        OuterDscp, OuterFlowLabel, OverUdp, Payload, Policy, Profile, Protocol, Remote, Start, Ttl,
        UdpChecksum, ecn, gre, inspect, inspect_capture, ip_udp, strip, vxlan,
    },
    wire::{Dscp, FlowLabel, MacAddr, Pcp, VlanId, Vni, gre::Key},
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
    decap_one(&gre.build().unwrap(), packet);
    decap_one(&ip_udp::Endpoint::new(B[v6]).framing(framing).policy(policy).build().unwrap(), packet);

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

fn inspect_one(bytes: &[u8], profile: &Profile) {
    let found = inspect(bytes, profile);
    assert!(found.layers().count() <= MAX_DEPTH);
    let mut outer = 0..bytes.len();
    for layer in found.layers() {
        let inner = layer.payload.clone();
        assert!(outer.start <= inner.start && inner.start <= inner.end && inner.end <= outer.end);
        outer = inner;
    }
    // A capture that is cut has no more to show.
    let cut = inspect_capture(&bytes[..bytes.len() / 2], bytes.len(), profile);
    assert!(cut.layers().count() <= found.layers().count());

    let mut buffer = bytes.to_vec();
    let mut packet = Packet::new(&mut buffer, 0, bytes.len()).unwrap();
    match strip(&mut packet, profile) {
        Ok(depth) => {
            assert_eq!((depth, found.drop_reason()), (found.layers().count(), None));
            assert_eq!(packet.into_range(), (outer.start, outer.len()));
        }
        Err(reason) => {
            assert_eq!(Some(reason), found.drop_reason());
            assert_eq!(buffer, bytes, "a refused packet is left as it was");
        }
    }
}

/// Decapsulation is inspection with a mask of what is fatal: of a packet in which inspection finds VXLAN, both
/// say the same.
fn agree(tunnel: &vxlan::Endpoint, bytes: &[u8], profile: &Profile) {
    let mut profile = *profile;
    profile.gre = false;
    profile.ip_udp_ports = encap::tunnel::Ports::NONE;
    profile.vxlan_ports = encap::tunnel::Ports::one(tunnel.port());
    profile.max_depth = 1;
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
        Err(DropReason::OtherDestination) => assert_ne!(layer.outer.destination, tunnel.local()),
        Err(reason) => assert_eq!(Some(reason), expected),
    }
}

/// The first bytes choose settings, the rest is a packet: what goes in comes out.
pub(crate) fn encap_decap(data: &[u8]) {
    let Some((choices, packet)) = data.split_first_chunk::<12>() else { return };
    let mut choose = Choices(choices.iter());
    let v6 = choose.up_to(2);
    match choose.up_to(3) {
        0 => {
            let tunnels =
                [A[v6], B[v6]].map(|ip| over_udp(vxlan::Endpoint::new(ip), &mut choose.clone(), v6));
            let vni = Vni::truncate(u32::from_be_bytes([0, choices[9], choices[10], choices[11]]));
            let remote = tunnels[0].remote(B[v6], vni).unwrap();
            let vni_back =
                round_trip(&tunnels, &remote, packet, choices).map(|inner| inner.encapsulation.vni());
            assert!(vni_back.is_none_or(|back| back == Some(vni)));
        }
        1 => {
            let key = Key(u32::from_be_bytes([choices[8], choices[9], choices[10], choices[11]]));
            let bits = choices[7];
            let tunnels = [A[v6], B[v6]].map(|ip| {
                let payload = if bits & 1 == 0 { Payload::Ip } else { Payload::Ethernet };
                let gre =
                    gre::Endpoint::new(ip).payload(payload).checksum(bits & 2 != 0).sequence(bits & 4 != 0);
                let gre = if bits & 8 != 0 { gre.key(key) } else { gre };
                common(gre, &mut choose.clone(), v6)
            });
            let remote = tunnels[0].remote(B[v6]).unwrap();
            if let Some(inner) = round_trip(&tunnels, &remote, packet, choices) {
                assert_eq!(inner.encapsulation.key(), (bits & 8 != 0).then_some(key));
                assert_eq!(inner.encapsulation.sequence(), (bits & 4 != 0).then_some(77));
            }
        }
        _ => {
            let tunnels =
                [A[v6], B[v6]].map(|ip| over_udp(ip_udp::Endpoint::new(ip), &mut choose.clone(), v6));
            let remote = tunnels[0].remote(B[v6]).unwrap();
            round_trip(&tunnels, &remote, packet, choices);
        }
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
) -> Option<encap::tunnel::Inner> {
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
            assert!(header.is_err() || matches!(error, encap::tunnel::EncapError::Packet(_)), "{error}");
            assert_eq!(packet.as_slice(), bytes, "a refused packet is left as it was");
            return None;
        }
    }
    let header = header.unwrap();
    assert_eq!(header.len(), from.overhead());
    assert_eq!(packet.as_slice(), [&header[..], bytes].concat(), "in place or apart, the same bytes");
    let inner = to.decap(&mut packet).unwrap_or_else(|reason| panic!("{reason}: {:02x?}", packet.as_slice()));
    assert_eq!(inner.stripped, from.overhead());
    assert_eq!(packet.as_slice(), bytes, "what goes in comes out");
    assert!(
        buffer[..headroom - header.len()].iter().all(|&byte| byte == 0xa5),
        "only the headers are written"
    );
    Some(inner)
}
