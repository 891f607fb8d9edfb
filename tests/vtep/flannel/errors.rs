//! What senders are told.

use super::*;

#[test]
fn d1_without_a_route_the_sender_is_told() {
    let (output, answer) = send(&mut node(Config::new()), &ping([10, 6, 0, 1], 64));
    assert_eq!(output, Output::Reply);
    assert_eq!(report(&answer), Problem::V4(icmpv4::Problem::Unreachable(icmpv4::Unreachable::NET)));
    assert_eq!(answer[12..20], [10, 5, 1, 0, 10, 5, 1, 9], "from the node to the sender");
    assert_eq!(answer[28..], ping([10, 6, 0, 1], 64), "the whole packet is quoted, and no byte more");
}

#[test]
fn a_peer_of_a_family_that_we_do_not_have_is_as_far_as_one_without_a_route() {
    let mut node = node(Config::new());
    let peer = NextHop::Peer { address: "2001:db8::6".parse().unwrap(), port: 8_285 };
    for prefix in ["10.6.0.0/24", "fd00:6::/64"] {
        node.0.routes().add(prefix.parse().unwrap(), peer).unwrap();
    }
    let (output, answer) = send(&mut node, &ping([10, 6, 0, 1], 64));
    assert_eq!(output, Output::Reply);
    assert_eq!(report(&answer), Problem::V4(icmpv4::Problem::Unreachable(icmpv4::Unreachable::NET)));
    let unsaid = packet([10, 6, 0, 1], 64, DF, 1, &[3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(send(&mut node, &unsaid), (Output::Drop(DropReason::NoRemote), unsaid));
}

#[test]
fn d1_errors_come_from_the_address_of_the_device() {
    let mut node = node(Config::new());
    node.0.set_address([10, 5, 1, 77].into());
    let (_, answer) = send(&mut node, &ping([10, 6, 0, 1], 64));
    assert_eq!(answer[12..16], [10, 5, 1, 77]);
}

#[test]
fn d1_a_ttl_of_one_or_zero_goes_no_further() {
    for ttl in [0, 1] {
        let (output, answer) = send(&mut node(Config::new()), &ping([10, 5, 2, 9], ttl));
        assert_eq!(output, Output::Reply, "TTL {ttl}");
        let exceeded = icmpv4::Problem::TimeExceeded(icmpv4::TimeExceeded::IN_TRANSIT);
        assert_eq!(report(&answer), Problem::V4(exceeded));
    }
    assert_eq!(send(&mut node(Config::new()), &ping([10, 5, 2, 9], 2)).0, to(2, 8_285));
}

#[test]
fn d1_never_about_icmp_errors_or_later_fragments() {
    let error = packet([10, 6, 0, 1], 64, DF, 1, &[3, 0, 0, 0, 0, 0, 0, 0]);
    let fragment = packet([10, 6, 0, 1], 64, 1, 17, &[0; 8]);
    for silent in [error, fragment] {
        let mut node = node(Config::new());
        assert_eq!(send(&mut node, &silent), (Output::Drop(DropReason::NoRoute), silent));
        assert_eq!(node.1.counters().dropped(DropReason::NoRoute), 1);
    }
    // Where flannel is silent: a ping is no error.
    let echo = packet([10, 6, 0, 1], 64, DF, 1, &[8, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(send(&mut node(Config::new()), &echo).0, Output::Reply);
}

#[test]
fn d1_never_to_a_source_that_is_no_host_or_about_what_went_to_many() {
    for source in [[0, 0, 0, 0], [224, 0, 0, 1], [255, 255, 255, 255], [127, 0, 0, 1]] {
        let mut silent = ping([10, 6, 0, 1], 64);
        silent[12..16].copy_from_slice(&source);
        fix(&mut silent);
        let dropped = (Output::Drop(DropReason::Unroutable), silent.clone());
        assert_eq!(send(&mut node(Config::new()), &silent), dropped, "{source:?}");
    }
    for (to, reason) in [
        ([239, 0, 0, 251], DropReason::NoRoute),
        ([224, 0, 0, 251], DropReason::Unroutable),
        ([255, 255, 255, 255], DropReason::Unroutable),
    ] {
        assert_eq!(send(&mut node(Config::new()), &ping(to, 64)).0, Output::Drop(reason));
    }
}

#[test]
fn d1_the_quote_ends_where_the_packet_does_or_the_answer_is_full() {
    // The longest IP header, which flannel does not answer.
    let mut options = [&ping([10, 6, 0, 1], 64)[..20], &[1; 40], &[7; 4]].concat();
    (options[0], options[3]) = (0x4f, 64);
    fix(&mut options);
    let (output, answer) = send(&mut node(Config::new()), &options);
    assert_eq!((output, &answer[28..]), (Output::Reply, &options[..]));
    let long = packet([10, 6, 0, 1], 64, DF, 17, &[7; 1_000]);
    let (_, answer) = send(&mut node(Config::new()), &long);
    assert_eq!((answer.len(), &answer[28..]), (576, &long[..548]));
}

#[test]
fn what_is_too_long_is_told_and_never_fragmented() {
    let mut node = node(Config::new());
    let fits = packet([10, 5, 2, 9], 64, DF, 17, &[0; 1_452]);
    assert_eq!(send(&mut node, &fits).0, to(2, 8_285), "1,472 bytes and 28 of headers");
    let long = packet([10, 5, 2, 9], 64, DF, 17, &[0; 1_453]);
    let (output, answer) = send(&mut node, &long);
    assert_eq!(output, Output::Reply);
    assert_eq!(report(&answer), Problem::V4(icmpv4::Problem::FragmentationNeeded { mtu: 1_472 }));
    let without_df = packet([10, 5, 2, 9], 64, 0, 17, &[0; 1_453]);
    assert_eq!(send(&mut node, &without_df), (Output::Drop(DropReason::TooBig), without_df));
}

#[test]
fn d1_errors_are_limited() {
    let mut node = node(Config::new());
    let limited = DropReason::ReportLimit;
    // What nobody may be told of costs nobody an answer.
    let error = packet([10, 6, 0, 1], 64, DF, 1, &[3, 0, 0, 0, 0, 0, 0, 0]);
    for _ in 0..100 {
        assert_eq!(send(&mut node, &error).0, Output::Drop(DropReason::NoRoute));
    }
    let answers = (0..200).filter(|_| send(&mut node, &ping([10, 6, 0, 1], 64)).0 == Output::Reply).count();
    assert_eq!(answers, 50, "a burst, and no more in the same moment");
    let counters = node.1.counters();
    assert_eq!((counters.dropped(limited), counters.dropped(DropReason::NoRoute)), (150, 100));
    assert_eq!(counters.replies, 50);
    let unsaid = ping([10, 5, 2, 9], 1);
    assert_eq!(send(&mut node, &unsaid), (Output::Drop(limited), unsaid), "whatever the trouble");
    let mut config = Config::new();
    config.icmp_rate = 0;
    assert_eq!(send(&mut self::node(config), &ping([10, 6, 0, 1], 64)).0, Output::Drop(limited));
}

#[test]
fn an_error_needs_headroom() {
    let packet = ping([10, 6, 0, 1], 64);
    for (room, output) in [(28, Output::Reply), (27, Output::Drop(DropReason::NoHeadroom))] {
        let (backend, mut worker) = node(Config::new());
        let mut buffer = [&vec![0; room][..], &packet].concat();
        let mut packet = Packet::new(&mut buffer, room, packet.len()).unwrap();
        assert_eq!(backend.handle_ip(&mut worker, NOW, &mut packet), output);
        assert!(backend.headroom() >= 48);
    }
}
