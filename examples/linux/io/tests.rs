//! Sockets on the loopback interface, which need no privileges.

use std::{net::IpAddr, time::Duration};

use encap::wire::checksum::State;

use crate::{BATCH, Datagram, HEADROOM, Receiver, Transmitter, Waiter, udp};

fn socket(local: IpAddr) -> socket2::Socket {
    udp::socket(&udp::Settings { local, port: 0, zero_checksum_ipv6: local.is_ipv6() }).unwrap()
}

#[test]
fn facts_of_both_families_and_of_every_packet_of_several_batches() {
    for local in ["127.0.0.1", "::1"].map(|local| local.parse::<IpAddr>().unwrap()) {
        let mut receiver = Receiver::new(socket(local), 1_500).unwrap();
        let to = receiver.socket().local_addr().unwrap().as_socket().unwrap();
        let from = socket(local);
        let source = from.local_addr().unwrap().as_socket().unwrap();
        match local {
            IpAddr::V4(_) => {
                from.set_ttl_v4(33).unwrap();
                from.set_tos_v4(0xb9).unwrap();
            }
            IpAddr::V6(_) => {
                from.set_unicast_hops_v6(33).unwrap();
                from.set_tclass_v6(0xb9).unwrap();
            }
        }
        let mut transmitter = Transmitter::new(from).unwrap();
        let bodies: Vec<[u8; 2]> = (0..3 * BATCH as u16 / 2).map(u16::to_be_bytes).collect();
        let datagrams: Vec<_> = bodies.iter().map(|body| Datagram { to, parts: [b"head", body] }).collect();
        assert_eq!(transmitter.send(&datagrams, |error| panic!("{error}")), bodies.len());

        let mut seen = Vec::new();
        while seen.len() < bodies.len() {
            let mut waiter = Waiter::new([std::os::fd::AsFd::as_fd(&receiver)]);
            waiter.wait(Some(Duration::from_secs(10))).unwrap();
            assert!(waiter.is_ready(0));
            receiver.receive().unwrap();
            for (received, packet) in receiver.packets() {
                assert_eq!((received.source, packet.headroom()), (source, HEADROOM));
                let facts = received.facts.unwrap();
                assert_eq!((facts.source, facts.destination), (local, local));
                assert_eq!((facts.source_port, facts.destination_port), (source.port(), to.port()));
                assert_eq!((facts.ttl, facts.ds_field), (33, 0xb9));
                assert_eq!(facts.udp_checksum, State::Unverified);
                seen.push(packet.as_slice().strip_prefix(b"head").unwrap().to_vec());
            }
        }
        assert_eq!(seen, bodies);
        assert_eq!(receiver.receive().unwrap(), 0);
        assert_eq!(receiver.packets().count(), 0);
    }
}

#[test]
fn packets_that_are_too_long_or_refused_are_left_out() {
    let local = IpAddr::from([127, 0, 0, 1]);
    let mut receiver = Receiver::new(socket(local), 100).unwrap();
    let to = receiver.socket().local_addr().unwrap().as_socket().unwrap();
    let mut transmitter = Transmitter::new(socket(local)).unwrap();
    let (fits, long, huge) = ([1; 100], [2; 300], [3; 66_000]);
    let datagrams = [&fits[..], &huge, &long, &fits].map(|body| Datagram { to, parts: [body, &[]] });
    let mut errors = Vec::new();
    assert_eq!(transmitter.send(&datagrams, |error| errors.push(error.raw_os_error())), 3);
    assert_eq!(errors, [Some(nix::libc::EMSGSIZE)]);

    let (mut received, mut ready) = (0, Vec::new());
    while received < 3 {
        Waiter::new([std::os::fd::AsFd::as_fd(&receiver)]).wait(Some(Duration::from_secs(10))).unwrap();
        received += receiver.receive().unwrap();
        ready.extend(receiver.packets().map(|(_, packet)| packet.as_slice().to_vec()));
    }
    // The receiver keeps whole cache lines, so that a little more than was asked for fits.
    assert_eq!(ready, [fits.to_vec(), fits.to_vec()]);
}
