//! Tunnels.

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use encap::{
    Packet,
    time::Instant,
    tunnel::{
        self, EncapMeta, Endpoint, InnerChecksum, Payload, Profile, Protocol, Remote, UdpChecksum,
        gre::{Pushed, Reorder, SequenceFilter, SequenceRule, Slot},
    },
    wire::{
        Dscp, Ecn, FlowLabel, IpProtocol, Vni,
        geneve_option::{OptionClass, OptionType, Writer},
        gre, icmpv4, icmpv6, ipv6,
        vxlan_gbp::GroupPolicy,
    },
};

use super::{FRAME, allocations, codecs::Cookie, told};

/// Two ends of a tunnel, over either version of IP.
fn ends() -> [(IpAddr, IpAddr); 2] {
    [
        (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))),
        // What comes from the loopback address, ::1, is no packet of a network.
        (
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).into(),
        ),
    ]
}

#[test]
fn tunnels_allocate_nothing() {
    for (local, remote) in ends() {
        for udp_checksum in [UdpChecksum::Full, UdpChecksum::Offload] {
            let here = tunnel::vxlan::Endpoint::new(local).udp_checksum(udp_checksum).build().unwrap();
            let there = tunnel::vxlan::Endpoint::new(remote).build().unwrap();
            let to = here.remote(remote, Vni::truncate(42)).unwrap();
            assert_eq!(allocations(|| tunnels(&here, &there, &to, &FRAME)), 0);
        }

        let gre = |address| {
            let plain = tunnel::gre::Endpoint::new(address).payload(Payload::Ethernet);
            plain.key(gre::Key(7)).checksum(true).sequence(true).build().unwrap()
        };
        let (here, there) = (gre(local), gre(remote));
        let to = here.remote(remote).unwrap();
        assert_eq!(allocations(|| tunnels(&here, &there, &to, &FRAME)), 0);

        let here = tunnel::ip_udp::Endpoint::new(local).build().unwrap();
        let there = tunnel::ip_udp::Endpoint::new(remote).build().unwrap();
        let to = here.remote(remote).unwrap();
        let (_, inner) = FRAME.split_at(14);
        assert_eq!(allocations(|| tunnels(&here, &there, &to, inner)), 0);
    }
}

#[test]
fn extended_tunnels_allocate_nothing() {
    let (_, ip) = FRAME.split_at(14);
    for (local, remote) in ends() {
        let policy = |address| tunnel::vxlan::Endpoint::new(address).group_policy(true).build().unwrap();
        let (here, there) = (policy(local), policy(remote));
        let to = here.remote(remote, Vni::truncate(42)).unwrap();
        assert_eq!(allocations(|| tunnels(&here, &there, &to, &FRAME)), 0);

        let nvgre = |address| tunnel::nvgre::Endpoint::new(address).build().unwrap();
        let (here, there) = (nvgre(local), nvgre(remote));
        let to = here.remote(remote, Vni::truncate(5001)).unwrap();
        assert_eq!(allocations(|| tunnels(&here, &there, &to, &FRAME)), 0);

        let mut options = [0; 16];
        let mut writer = Writer::new(&mut options);
        writer.push_typed(&Cookie([1, 2, 3, 4])).unwrap();
        writer.push(OptionClass(0x0102), OptionType(4), &[]).unwrap();
        for (payload, inner) in [(Payload::Ethernet, &FRAME[..]), (Payload::Ip, ip)] {
            let gpe = |address| tunnel::vxlan::Endpoint::new(address).gpe(payload).build().unwrap();
            let (here, there) = (gpe(local), gpe(remote));
            let to = here.remote(remote, Vni::truncate(42)).unwrap();
            assert_eq!(allocations(|| tunnels(&here, &there, &to, inner)), 0);

            let geneve = |address| {
                let plain = tunnel::geneve::Endpoint::new(address).payload(payload);
                plain.knows(OptionClass(0x0108), OptionType(0x83)).build().unwrap()
            };
            let (here, there) = (geneve(local), geneve(remote));
            let to = here.remote_with_options(remote, Vni::truncate(42), writer.as_bytes()).unwrap();
            assert_eq!(allocations(|| tunnels(&here, &there, &to, inner)), 0);
            // A critical option that the other end does not know.
            let to = here.remote_with_options(remote, Vni::truncate(42), &[1, 2, 0x84, 0]).unwrap();
            assert_eq!(allocations(|| refused(&here, &there, &to, inner)), 0);

            let gre = |address| {
                let plain = tunnel::gre::UdpEndpoint::new(address).payload(payload);
                plain.key(gre::Key(7)).checksum(true).sequence(true).build().unwrap()
            };
            let (here, there) = (gre(local), gre(remote));
            let to = here.remote(remote).unwrap();
            assert_eq!(allocations(|| tunnels(&here, &there, &to, inner)), 0);
        }
    }
}

#[test]
fn gre_tunnels_allocate_nothing() {
    let (_, ip) = FRAME.split_at(14);
    for (local, remote) in ends() {
        for (payload, inner) in [(Payload::Ethernet, &FRAME[..]), (Payload::Ip, ip)] {
            let tunnel = |from, to| {
                let plain = tunnel::gre::Tunnel::new(from, to).payload(payload).key(gre::Key(7));
                plain.csum(true).seq(true).mtu(200).build().unwrap()
            };
            let (mut here, mut there) = (tunnel(local, remote), tunnel(remote, local));
            assert_eq!(allocations(|| gre_tunnel(&mut here, &mut there, inner)), 0);
        }
    }
}

/// Takes `inner` from one end to the other, then what is refused, and a keepalive both ways.
fn gre_tunnel(here: &mut tunnel::gre::Tunnel, there: &mut tunnel::gre::Tunnel, inner: &[u8]) {
    const HEADROOM: usize = 128;
    let now = Instant::ZERO;
    let mut buffer = [0; 512];
    for (byte, from) in buffer.iter_mut().skip(HEADROOM).zip(inner) {
        *byte = *from;
    }
    let mut packet = Packet::new(&mut buffer, HEADROOM, inner.len()).unwrap();
    here.encap(&mut packet).unwrap();
    let arrived = tunnel::gre::Arrived::read(packet.as_slice(), tunnel::Start::Ip).unwrap();
    let selectors = [there.selector(1)];
    let tunnels = tunnel::gre::Tunnels::new(&selectors).unwrap();
    assert_eq!(tunnels.find(&arrived), Some(1));
    assert!(matches!(there.decap(now, &mut packet), Ok(tunnel::gre::Received::Packet(_))));
    black_box(&*here.header(inner, &EncapMeta::new()).unwrap());

    // The number is used up, the packet too long, nothing there.
    let mut packet = Packet::new(&mut buffer, 0, HEADROOM + inner.len()).unwrap();
    assert!(told(there.decap(now, &mut packet)).is_err());
    let mut packet = Packet::new(&mut buffer, HEADROOM, 300).unwrap();
    assert!(told(here.encap(&mut packet)).is_err());
    let mut packet = Packet::new(&mut buffer, HEADROOM, 0).unwrap();
    assert!(told(here.encap(&mut packet)).is_err());
    let mut packet = Packet::new(&mut buffer, HEADROOM, 0).unwrap();
    if told(here.keepalive(&mut packet)).is_ok() {
        let received = there.decap(now, &mut packet);
        assert!(matches!(received, Ok(tunnel::gre::Received::KeepaliveRequest { .. })), "{received:?}");
        assert_eq!(here.decap(now, &mut packet), Ok(tunnel::gre::Received::KeepaliveAnswer));
    }
    assert!(told(tunnel::gre::Tunnels::new(&[there.selector(1), there.selector(2)])).is_err());
    assert!(told(tunnel::gre::Tunnel::new(here.local(), here.local()).build()).is_err());
}

/// Buffers that end where the packet does, whatever is free before it, or that were split off others. Where something is
/// free behind the packet, there is a count of owners then: no memory for the packet itself.
#[cfg(feature = "bytes")]
#[test]
fn freezing_allocates_no_packet() {
    use bytes::BytesMut;
    use encap::packet;

    let [(local, remote), _] = ends();
    let here = tunnel::vxlan::Endpoint::new(local).build().unwrap();
    let to = here.remote(remote, Vni::truncate(42)).unwrap();
    for (headroom, behind, is_split, expected) in
        [(36, 0, false, 0), (64, 0, false, 0), (36, 100, true, 0), (64, 100, true, 0), (36, 1, false, 1)]
    {
        let mut buffer = BytesMut::with_capacity(headroom + FRAME.len() + behind);
        buffer.resize(headroom, 0);
        buffer.extend_from_slice(&FRAME);
        let place = buffer.as_ptr() as usize + headroom - 36;
        let buffer = if is_split { buffer.split() } else { buffer };
        let mut made = None;
        let measured = allocation_counter::measure(|| {
            made = packet::edit(buffer, headroom, FRAME.len(), |packet| here.encap(packet, &to)).ok();
        });
        let ((), made) = made.unwrap();
        assert_eq!((made.as_ptr() as usize, made.len()), (place, 36 + FRAME.len()));
        assert_eq!(measured.count_total, expected, "{headroom} + {behind}, split: {is_split}");
        assert!(measured.bytes_total < 36, "less than any header");
    }
}

/// Packets of a flow come in the order 1, 3, 0, 0, keepalive 2, and so on; then one too many waits, and one too long.
#[test]
fn reordering_allocates_nothing() {
    const TIMER: Duration = Duration::from_millis(50);
    let mut slots = [const { Slot::EMPTY }; 4];
    let rule = SequenceFilter::new(SequenceRule::Rfc2890, Some(Duration::from_secs(10)));
    let mut buffer = Reorder::new(&mut slots, rule, TIMER);
    let rounds = 10_000;
    let (mut held, mut delivered, mut late) = (0, 0, 0);
    let work = || {
        let mut count = |pushed: Pushed<u32>| match pushed {
            Pushed::Held => held += 1,
            Pushed::Late(_) => late += 1,
            _ => delivered += 1,
        };
        for round in 0..rounds {
            let (now, first) = (Instant::from_millis(round.into()), 4 * round);
            for number in [first + 1, first + 3, first] {
                count(buffer.push(now, Some(number), number));
            }
            assert_eq!((buffer.poll(now), buffer.poll(now)), (Some(first + 1), None));
            count(buffer.push(now, Some(first), first));
            assert_eq!(buffer.skip(now, Some(first + 2)), Some(first + 3));
            assert!(buffer.is_empty());
        }
        let (now, next) = (Instant::from_millis(rounds.into()), 4 * rounds);
        let due = now.saturating_add(TIMER);
        for number in next + 1..=next + 5 {
            count(buffer.push(now, Some(number), number));
        }
        for number in next + 2..=next + 5 {
            assert_eq!(buffer.poll(now), Some(number));
        }
        count(buffer.push(now, Some(next + 7), next + 7));
        assert_eq!((buffer.poll(now), buffer.poll_timeout()), (None, Some(due)));
        assert_eq!(buffer.poll(due), Some(next + 7));
    };
    assert_eq!(allocations(work), 0);
    assert_eq!((held, delivered, late), (2 * rounds + 5, rounds + 1, rounds));
}

/// Sends `inner` to an end that does not take it.
fn refused<P: Protocol>(here: &Endpoint<P>, there: &Endpoint<P>, to: &Remote, inner: &[u8]) {
    const HEADROOM: usize = 128;
    let mut buffer = [0; 256];
    for (byte, from) in buffer.iter_mut().skip(HEADROOM).zip(inner) {
        *byte = *from;
    }
    let mut packet = Packet::new(&mut buffer, HEADROOM, inner.len()).unwrap();
    here.encap(&mut packet, to).unwrap();
    assert!(told(there.decap(&mut packet)).is_err());
}

#[test]
fn reports_allocate_nothing() {
    let (_, ipv4) = FRAME.split_at(14);
    let mut ipv6 = [0; 48];
    let (head, payload) = ipv6.split_at_mut(40);
    let header = ipv6::Header {
        dscp: Dscp::default(),
        ecn: Ecn::NotEct,
        flow_label: FlowLabel::default(),
        payload_len: 8,
        next_header: IpProtocol::UDP,
        hop_limit: 64,
        source: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
        destination: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2),
    };
    head.copy_from_slice(&header.to_bytes());
    payload.copy_from_slice(&[3, 0xe8, 7, 0xd0, 0, 8, 0, 1]);
    assert_eq!(allocations(|| reports(ipv4, &ipv6)), 0);
}

/// Turns the packets into ICMP errors; not where there is no headroom, nor where there is no packet.
fn reports(ipv4: &[u8], ipv6: &[u8]) {
    let too_large = icmpv4::Problem::FragmentationNeeded { mtu: 1450 };
    let too_big = icmpv6::Problem::PacketTooBig { mtu: 1280 };
    for headroom in [64, 0] {
        let mut buffer = [0; 128];
        for (byte, from) in buffer.iter_mut().skip(headroom).zip(ipv4) {
            *byte = *from;
        }
        let mut packet = Packet::new(&mut buffer, headroom, ipv4.len()).unwrap();
        let made = told(tunnel::icmp::report_ipv4(&mut packet, too_large, Ipv4Addr::LOCALHOST, 64));
        assert_eq!(made.is_ok(), headroom > 0);
        for (byte, from) in buffer.iter_mut().skip(headroom).zip(ipv6) {
            *byte = *from;
        }
        let mut packet = Packet::new(&mut buffer, headroom, ipv6.len()).unwrap();
        let made = told(tunnel::icmp::report_ipv6(&mut packet, too_big, Ipv6Addr::LOCALHOST, 64));
        assert_eq!(made.is_ok(), headroom > 0);
        let mut packet = Packet::new(&mut buffer, headroom, 0).unwrap();
        assert!(told(tunnel::icmp::report_ipv4(&mut packet, too_large, Ipv4Addr::LOCALHOST, 64)).is_err());
        assert!(told(tunnel::icmp::report_ipv6(&mut packet, too_big, Ipv6Addr::LOCALHOST, 64)).is_err());
    }
}

/// Takes `inner` from one end to the other, in all ways that there are; and what both ends refuse.
fn tunnels<P: Protocol>(here: &Endpoint<P>, there: &Endpoint<P>, to: &Remote, inner: &[u8]) {
    const HEADROOM: usize = 128;
    let mut buffer = [0; 256];
    for (byte, from) in buffer.iter_mut().skip(HEADROOM).zip(inner) {
        *byte = *from;
    }
    for inner_checksum in [InnerChecksum::Unknown, InnerChecksum::Good] {
        let policy = GroupPolicy { id: 5, dont_learn: true, applied: false };
        let meta = EncapMeta::new().sequence(1).group_policy(policy).inner_checksum(inner_checksum);
        black_box(&*here.header(inner, to, &meta).unwrap());

        let mut packet = Packet::new(&mut buffer, HEADROOM, inner.len()).unwrap();
        here.encap_with(&mut packet, to, &meta).unwrap();
        let mut profile = Profile::ANALYSIS;
        profile.start = tunnel::Start::Ip;
        let inspection = tunnel::inspect(packet.as_slice(), &profile);
        for layer in inspection.layers() {
            black_box(layer.geneve_options(packet.as_slice()).count());
        }
        let opened = there.decap(&mut packet).unwrap();
        black_box(opened.geneve_options(&packet).count());
        assert_eq!(packet.as_slice(), inner);

        let mut burst = [packet];
        let mut sent = [Ok(())];
        here.encap_batch(&mut burst, &[(to, meta)], &mut sent);
        let [packet] = &mut burst;
        assert_eq!((sent, tunnel::strip(packet, &profile)), ([Ok(())], Ok(1)));
    }

    // No headroom, nothing inside, and what never was a tunnel's packet.
    let mut packet = Packet::new(&mut buffer, 0, inner.len()).unwrap();
    assert!(told(here.encap(&mut packet, to)).is_err());
    assert!(told(there.decap(&mut packet)).is_err());
    let mut packet = Packet::new(&mut buffer, HEADROOM, 0).unwrap();
    assert!(told(here.encap(&mut packet, to)).is_err());
    assert!(told(there.decap(&mut packet)).is_err());
}
