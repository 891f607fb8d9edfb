//! Sockets on the loopback interface, which need no privileges.

use std::{net::IpAddr, time::Duration};

use encap::wire::checksum::State;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    low_level,
};

use crate::{
    BATCH, Datagram, HEADROOM, Receiver, Signal, Signals, Transmitter, Waiter,
    gso::Gso,
    kind,
    neighbors::{Neighbors, Told},
    raw, udp,
};

fn socket(local: IpAddr) -> socket2::Socket {
    udp::socket(&udp::Settings { local, device: 0, port: 0, zero_checksum_ipv6: local.is_ipv6() }).unwrap()
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

/// A packet with UDP between two ports of an address of ours.
fn packet(local: IpAddr, ports: (u16, u16), ttl: u8, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let mut packet = Vec::new();
    match local {
        IpAddr::V4(local) => {
            let [l0, l1] = (20 + len).to_be_bytes();
            packet.extend([0x45, 0xb8, l0, l1, 0, 0, 0x40, 0, ttl, 17, 0, 0]);
            packet.extend([local.octets(), local.octets()].concat());
        }
        IpAddr::V6(local) => {
            let [l0, l1] = len.to_be_bytes();
            packet.extend([0x6b, 0x80, 0, 0, l0, l1, 17, ttl]);
            packet.extend([local.octets(), local.octets()].concat());
        }
    }
    for word in [ports.0, ports.1, len, 0] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend(payload);
    packet
}

#[test]
fn a_run_arrives_as_the_packets_that_it_was() {
    for local in ["127.0.0.1", "::1"].map(|local| local.parse::<IpAddr>().unwrap()) {
        let mut receiver = Receiver::new(socket(local), 1_500).unwrap();
        let to = receiver.socket().local_addr().unwrap().as_socket().unwrap();
        // A port that nobody has, as good as certain: one that somebody had until just now.
        let source = socket(local).local_addr().unwrap().as_socket().unwrap();
        let mut gso = Gso::with_headers();
        for (ttl, count) in [(9, 3), (33, 40), (9, 2)] {
            let packets: Vec<_> = (0..count)
                .map(|at| vec![at; if at + 1 == count { 77 } else { 1_300 }])
                .map(|payload| packet(local, (source.port(), to.port()), ttl, &payload))
                .collect();
            let datagrams: Vec<_> =
                packets.iter().map(|packet| Datagram { to, parts: [packet, &[]] }).collect();
            assert_eq!(gso.run(&datagrams), packets.len());
            gso.send(&datagrams, None).unwrap();
            let mut seen = Vec::new();
            while seen.len() < packets.len() {
                let mut waiter = Waiter::new([std::os::fd::AsFd::as_fd(&receiver)]);
                waiter.wait(Some(Duration::from_secs(10))).unwrap();
                assert!(waiter.is_ready(0));
                receiver.receive().unwrap();
                for (received, packet) in receiver.packets() {
                    let facts = received.facts.unwrap();
                    assert_eq!((received.source, facts.ttl, facts.ds_field), (source, ttl, 0xb8));
                    seen.push(packet.as_slice().to_vec());
                }
            }
            let headers = if local.is_ipv4() { 28 } else { 48 };
            assert_eq!(seen, packets.iter().map(|packet| packet[headers..].to_vec()).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_run_ends_where_anything_differs() {
    for local in ["127.0.0.1", "::1"].map(|local| local.parse::<IpAddr>().unwrap()) {
        let to = std::net::SocketAddr::new(local, 4_789);
        let run = |packets: &[Vec<u8>]| {
            let datagrams: Vec<_> =
                packets.iter().map(|packet| Datagram { to, parts: [packet, &[]] }).collect();
            Gso::with_headers().run(&datagrams)
        };
        let packet = |ports, ttl, len| packet(local, ports, ttl, &vec![1; len]);
        let first = || packet((50_000, 4_789), 64, 100);
        assert_eq!(run(&[]), 0);
        assert_eq!(run(&[first()]), 1);
        assert_eq!(run(&vec![first(); 2 * BATCH]), BATCH);
        assert_eq!(run(&vec![packet((50_000, 4_789), 64, 9_000); 9]), 7, "no more than a datagram holds");
        for other in [
            packet((50_001, 4_789), 64, 100),
            packet((50_000, 4_790), 64, 100),
            packet((50_000, 4_789), 63, 100),
            packet((50_000, 4_789), 64, 101),
            packet((50_000, 4_789), 64, 0),
        ] {
            assert_eq!(run(&[first(), first(), other]), 2);
        }
        assert_eq!(run(&[first(), packet((50_000, 4_789), 64, 99), first()]), 2, "a shorter one is the last");
        let headers = if local.is_ipv4() { 28 } else { 48 };
        for at in 0..headers {
            let mut other = first();
            other[at] ^= 0x40;
            // Lengths and checksums are written anew, and the identification; so are IPv4's flags but DF.
            let anew = match local {
                IpAddr::V4(_) => [2, 3, 4, 5, 7, 10, 11, 24, 25, 26, 27].contains(&at),
                IpAddr::V6(_) => [4, 5, 44, 45, 46, 47].contains(&at),
            };
            assert_eq!(run(&[first(), other]), if anew { 2 } else { 1 }, "byte {at}");
        }
        // Not by a socket: what is no UDP, has a flow label or options, or has its headers elsewhere.
        for at in if local.is_ipv4() { [0, 9, 9] } else { [3, 6, 6] } {
            let mut other = first();
            other[at] ^= 1;
            assert_eq!(run(&[other.clone(), other]), 0, "byte {at}");
        }
        let (header, frame) = (first()[..headers].to_vec(), [1; 100]);
        assert_eq!(Gso::with_headers().run(&[Datagram { to, parts: [&header, &frame] }; 2]), 0);
    }
}

#[test]
fn payloads_leave_together_and_arrive_one_by_one() {
    for local in ["127.0.0.1", "::1"].map(|local| local.parse::<IpAddr>().unwrap()) {
        let mut receiver = Receiver::new(socket(local), 1_500).unwrap();
        let to = receiver.socket().local_addr().unwrap().as_socket().unwrap();
        let mut transmitter = Transmitter::new(socket(local)).unwrap().with_segmentation().unwrap();
        let lens = [1_000, 1_000, 1_000, 7, 7, 7, 500, 1_000, 0, 1_000];
        let bodies: Vec<Vec<u8>> = (0..).zip(lens).map(|(at, len)| vec![at; len]).collect();
        let datagrams: Vec<_> = bodies.iter().map(|body| Datagram { to, parts: [body, &[]] }).collect();
        assert_eq!(transmitter.send(&datagrams, |error| panic!("{error}")), bodies.len());
        let mut seen = Vec::new();
        while seen.len() < bodies.len() {
            let mut waiter = Waiter::new([std::os::fd::AsFd::as_fd(&receiver)]);
            waiter.wait(Some(Duration::from_secs(10))).unwrap();
            assert!(waiter.is_ready(0));
            receiver.receive().unwrap();
            seen.extend(receiver.packets().map(|(_, packet)| packet.as_slice().to_vec()));
        }
        assert_eq!(seen, bodies);
    }
}

/// Joined, single, and joined again: what the kernel says beside is longer of some, and nothing of it is lost.
#[test]
fn what_was_joined_is_parted_again() {
    for local in ["127.0.0.1", "::1"].map(|local| local.parse::<IpAddr>().unwrap()) {
        let mut receiver = Receiver::new(socket(local), 65_507).unwrap().with_joined();
        let to = receiver.socket().local_addr().unwrap().as_socket().unwrap();
        let mut transmitter = Transmitter::new(socket(local)).unwrap().with_segmentation().unwrap();
        let bodies: Vec<Vec<u8>> =
            (0..40).map(|n| vec![n; if n == 19 || n == 39 { 500 } else { 1_000 }]).collect();
        let single = vec![0xff; 10];
        let mut seen = Vec::new();
        let mut calls = 0;
        for burst in [&bodies[..20], std::slice::from_ref(&single), &bodies[20..]] {
            let datagrams: Vec<_> = burst.iter().map(|body| Datagram { to, parts: [body, &[]] }).collect();
            assert_eq!(transmitter.send(&datagrams, |error| panic!("{error}")), burst.len());
            let before = seen.len();
            while seen.len() < before + burst.len() {
                Waiter::new([std::os::fd::AsFd::as_fd(&receiver)])
                    .wait(Some(Duration::from_secs(10)))
                    .unwrap();
                calls += receiver.receive().unwrap();
                for (received, packet) in receiver.packets() {
                    assert_eq!(received.facts.unwrap().destination, local);
                    seen.push(packet.as_slice().to_vec());
                }
            }
        }
        assert_eq!(seen, [&bodies[..20], &[single], &bodies[20..]].concat());
        assert_eq!(calls, 3, "packets as the kernel hands them over");
    }
}

/// Reads until nothing comes any more: what the kernel said last, and whether something was lost.
fn told(kernel: &mut Neighbors) -> (Option<Told>, bool) {
    let mut last = None;
    let lost = kernel.read(|told| last = Some(told)).unwrap();
    (last, lost)
}

#[test]
fn what_was_lost_is_told_when_all_is_read() {
    let mut kernel = Neighbors::open().unwrap();
    // Answers that nobody reads, until there is no room for more.
    for _ in 0..20_000 {
        kernel.ask(true).unwrap();
    }
    assert!(told(&mut kernel).1);
    let number = kernel.ask(true).unwrap();
    assert_eq!(told(&mut kernel), (Some(Told::Complete(number)), false));
}

#[test]
fn an_address_that_is_not_here_is_named() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    let error = raw::bind(&socket, ([192, 0, 2, 1], 0).into()).unwrap_err();
    assert_eq!(error.to_string(), "192.0.2.1: Cannot assign requested address (os error 99)");
}

#[test]
fn signals_that_nobody_wants_are_not_taken_over() {
    let mut signals = Signals::new(&[Signal::Stop, Signal::Print]).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    let is_caught = |signal: i32| caught >> (signal - 1) & 1 == 1;
    assert_eq!([SIGHUP, SIGINT, SIGTERM, SIGUSR1].map(is_caught), [false, true, true, true]);
    low_level::raise(SIGUSR1).unwrap();
    assert_eq!(signals.pending().unwrap().collect::<Vec<_>>(), [Signal::Print]);
}

#[test]
fn what_is_no_vxlan_device_is_known_as_such() {
    let loopback = crate::multicast::device("lo").unwrap();
    assert!(!kind::is_vxlan(loopback).unwrap());
    assert!(!kind::is_vxlan(i32::MAX as u32).unwrap(), "there is none of this number");
}
