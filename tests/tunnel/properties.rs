//! The laws, over random packets and random changes to good ones; bursts; allocation-free conveniences.

use encap::{
    Packet,
    tunnel::{DecapMeta, DropReason, EncapError, EncapMeta, Payload, gre, vxlan},
    wire::{Ecn, Vni, gre::Key},
};
use proptest::prelude::*;

use crate::{
    common::{Random, any_frame, encap, ends, frame, ipv4_packet, ipv6_packet, vxlan_pair},
    laws,
};

/// Packets that get deep into the readers, changed a little.
fn almost_good() -> impl Strategy<Value = Vec<u8>> {
    let inners = vec![
        frame(&[], &ipv4_packet(Ecn::Ect0, true, 64, b"x")),
        frame(&[0x81, 0, 0, 5], &ipv6_packet(Ecn::Ce, 64, b"y")),
    ];
    let nested =
        (any::<bool>(), any::<bool>(), proptest::sample::select(inners)).prop_map(|(v6, twice, inner)| {
            let (tunnel, remote, _) = vxlan_pair(v6, |b| b, |b| b);
            let packet = encap(&tunnel, &remote, &EncapMeta::new(), &inner).unwrap();
            if twice {
                encap(&tunnel, &remote, &EncapMeta::new(), &frame(&[], &packet)).unwrap()
            } else {
                packet
            }
        });
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (nested, changes, any::<u8>(), any::<bool>()).prop_map(|(mut packet, changes, choice, fix)| {
        for (at, byte) in changes {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        if fix && packet[0] == 0x45 {
            crate::common::fix_ipv4(&mut packet);
        }
        // Framing with IP, of the packet's own family.
        let v6 = u8::from(packet[0] >> 4 == 6);
        [&[choice & !7 | 2 | v6], &packet[..]].concat()
    })
}

/// The same in GRE: every choice of optional fields, frames and packets, keepalives.
fn almost_good_gre() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (any::<u8>(), any::<[bool; 6]>(), changes).prop_map(|(choice, on, changes)| {
        let [v6, csum, seq, frames, keepalive, fix] = on;
        let (a, b) = ends(v6);
        let payload = if frames { Payload::Ethernet } else { Payload::Ip };
        let tunnel = gre::Tunnel::new(a, b).payload(payload).csum(csum).seq(seq);
        let mut tunnel = if choice & 128 == 0 { tunnel } else { tunnel.key(Key(7)) }.build().unwrap();
        let inner = if frames { any_frame() } else { ipv6_packet(Ecn::Ect0, 64, b"y") };
        let mut made = crate::common::edit(&inner, |packet| match keepalive && !frames {
            true => tunnel.keepalive(packet),
            false => tunnel.encap(packet),
        })
        .unwrap()
        .1;
        for (at, byte) in changes {
            let at = at.index(made.len());
            made[at] = byte;
        }
        if fix && made[0] == 0x45 {
            crate::common::fix_ipv4(&mut made);
        }
        let choice = choice & 0b1011_1000 | u8::from(frames) << 6 | 2 | u8::from(v6);
        [&[choice], &made[..]].concat()
    })
}

proptest! {
    #[test]
    fn almost_good_gre_is_decapsulated_or_refused_by_name(data in almost_good_gre()) {
        laws::decap(&data);
    }

    #[test]
    fn any_bytes_are_decapsulated_or_refused_by_name(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        laws::decap(&data);
    }

    #[test]
    fn almost_good_packets_are_decapsulated_or_refused_by_name(data in almost_good()) {
        laws::decap(&data);
    }

    #[test]
    fn geneve_options_end_and_add_up(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        laws::geneve_option(&data);
    }

    #[test]
    fn what_goes_in_comes_out(
        choices in any::<[u8; 12]>(),
        inner in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            (0u8..4, any::<bool>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..100)).prop_map(
                |(ecn, df, ttl, payload)| ipv4_packet(Ecn::from_ds_field(ecn), df, ttl, &payload)
            ),
            (0u8..4, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..100)).prop_map(
                |(ecn, ttl, payload)| ipv6_packet(Ecn::from_ds_field(ecn), ttl, &payload)
            ),
        ],
        framed in any::<bool>(),
    ) {
        let inner = if framed && !inner.is_empty() { frame(&[], &inner) } else { inner };
        laws::encap_decap(&[&choices[..], &inner].concat());
    }
}

/// Inner packets of every length, up to the longest and beyond.
#[test]
fn every_length_goes_through() {
    let (a, b) = ends(false);
    let tunnel = vxlan::Endpoint::new(a).build().unwrap();
    let remote = tunnel.remote(b, Vni::truncate(7)).unwrap();
    let receiver = vxlan::Endpoint::new(b).build().unwrap();
    let mut buffer = vec![2; 36 + 66_000];
    for len in 0..66_000 {
        let mut packet = Packet::new(&mut buffer, 36, len).unwrap();
        let result = tunnel.encap(&mut packet, &remote);
        match len {
            0..14 => assert_eq!(result, Err(EncapError::InnerTruncated { need: 14, have: len })),
            14..=65_499 => {
                assert_eq!((result, packet.len()), (Ok(()), len + 36));
                receiver.decap(&mut packet).unwrap();
                assert_eq!(packet.into_range(), (36, len));
            }
            _ => assert_eq!(result, Err(EncapError::TooLong { len, max: 65_499 })),
        }
    }
}

#[test]
fn bursts_give_each_packet_its_own_answer() {
    let (tunnel, _, receiver) = vxlan_pair(false, |b| b, |b| b);
    let remotes: Vec<_> =
        (0..8).map(|vni| tunnel.remote(ends(false).1, Vni::truncate(vni)).unwrap()).collect();
    let mut random = Random(9);
    let frames: Vec<Vec<u8>> =
        (0..8).map(|n| if n == 3 { vec![0; 5] } else { [any_frame(), random.bytes(n)].concat() }).collect();
    let mut buffers: Vec<Vec<u8>> = frames.iter().map(|frame| [&[0; 64][..], frame].concat()).collect();
    let mut packets: Vec<Packet<'_>> = buffers
        .iter_mut()
        .zip(&frames)
        .map(|(buffer, frame)| Packet::new(buffer, 64, frame.len()).unwrap())
        .collect();
    let plan: Vec<_> = remotes.iter().map(|remote| (remote, EncapMeta::new())).collect();
    let mut results = [Err(EncapError::InnerNotIp); 8];
    assert_eq!(tunnel.encap_batch(&mut packets, &plan, &mut results), 8);
    for (n, result) in results.iter().enumerate() {
        let refused = Err(EncapError::InnerTruncated { need: 14, have: 5 });
        assert_eq!(*result, if n == 3 { refused } else { Ok(()) });
    }
    let mut inner = [Err(DropReason::TooDeep); 8];
    assert_eq!(
        receiver.decap_batch(&mut packets, &[DecapMeta::new(); 8], &mut inner[..7]),
        7,
        "the shortest slice counts"
    );
    for (n, (result, packet)) in inner.iter().zip(&packets).enumerate() {
        match n {
            3 => assert!(result.is_err()),
            7 => assert_eq!(result.err(), Some(DropReason::TooDeep), "not touched"),
            _ => {
                assert_eq!(result.unwrap().encapsulation.vni(), Some(Vni::truncate(n as u32)));
                assert_eq!(packet.as_slice(), frames[n]);
            }
        }
    }
}

#[cfg(feature = "etherparse")]
#[test]
fn inner_packets_are_parsed_with_etherparse() {
    let (tunnel, remote, receiver) = vxlan_pair(false, |b| b, |b| b);
    let outer = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    let (inner, made) = crate::common::decap(&receiver, &outer).unwrap();
    let sliced = inner.sliced(&made).unwrap();
    let Some(etherparse::TransportSlice::Udp(udp)) = sliced.transport else { panic!("UDP was in there") };
    assert_eq!((udp.destination_port(), udp.payload()), (2000, &b"hello"[..]));

    let (a, b) = ends(true);
    let tunnel = gre::Endpoint::new(a).build().unwrap();
    let outer =
        encap(&tunnel, &tunnel.remote(b).unwrap(), &EncapMeta::new(), &ipv6_packet(Ecn::NotEct, 64, b"x"))
            .unwrap();
    let (inner, made) = crate::common::decap(&gre::Endpoint::new(b).build().unwrap(), &outer).unwrap();
    assert!(matches!(inner.sliced(&made).unwrap().net, Some(etherparse::NetSlice::Ipv6(_))));
}

#[cfg(feature = "bytes")]
#[test]
fn bytes_mut_in_bytes_out_share_memory() {
    use bytes::BytesMut;
    use encap::packet;

    let (tunnel, remote, receiver) = vxlan_pair(false, |b| b, |b| b);
    let mut buffer = BytesMut::zeroed(64);
    buffer.extend_from_slice(&any_frame());
    let place = buffer.as_ptr() as usize + 64;
    let ((), outer) =
        packet::edit(buffer, 64, any_frame().len(), |packet| tunnel.encap(packet, &remote)).unwrap();
    assert_eq!(outer, encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap());
    let received = BytesMut::from(outer);
    let len = received.len();
    let edited = packet::edit(received, 0, len, |packet| {
        receiver.decap(packet).map_err(|reason| Refused(Some(reason)))
    });
    let (inner, frame) = edited.unwrap();
    assert_eq!((inner.encapsulation.vni(), &frame[..]), (Vni::new(42), &any_frame()[..]));
    assert_eq!(frame.as_ptr() as usize, place, "nothing was copied");

    // A refused packet comes back as it was.
    let garbage = BytesMut::from(&[7; 40][..]);
    let (error, back) = packet::edit(garbage.clone(), 0, 40, |packet| {
        receiver.decap(packet).map_err(|reason| Refused(Some(reason)))
    })
    .unwrap_err();
    assert_eq!((error.0, back), (Some(DropReason::Ipv4Version), garbage.clone()));
    let (error, back) = packet::edit(garbage.clone(), 30, 11, |_| Ok::<_, Refused>(())).unwrap_err();
    assert_eq!((error.0, back), (None, garbage));
}

#[cfg(feature = "bytes")]
#[derive(Debug)]
struct Refused(Option<DropReason>);

#[cfg(feature = "bytes")]
impl From<encap::packet::Error> for Refused {
    fn from(_: encap::packet::Error) -> Self {
        Self(None)
    }
}
