//! Frames for several remotes that are too long for some of the ways there.

use std::{collections::BTreeSet, net::IpAddr};

use encap::{
    table::Remote,
    tunnel::{Framing, Link},
    vtep::{Config, DropReason, Output, TooBig},
    wire::{MacAddr, Vni},
};

use crate::{
    common::*,
    frames::*,
    pmtu::{OVERHEAD, both, sized6, told, told_mtu},
};

/// Those who get a copy of the frame.
fn copies_to(node: &mut Node, frame: &[u8]) -> Vec<IpAddr> {
    let (output, frame) = node.send(NOW, frame);
    let Output::Replicate(flood) = output else { panic!("{output:?}") };
    node.vtep.replicas(&mut node.worker, &flood, &frame).map(|copy| copy.address).collect()
}

/// Nobody knows behind which remote the host is, so the least MTU counts; the kernel tells for each copy.
#[test]
fn a7_g_a11_a_frame_to_one_host_that_goes_to_several_remotes_is_told_the_least_mtu() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3]);
        let frame = datagram(mac(9), mac(1), 1_472);
        assert_eq!(told_mtu(&mut node, &frame), 1_450);
        told(&mut node, &sized6(mac(9), mac(1), 1_514));
        assert_eq!(node.worker.counters().drops().map(|(_, count)| count).sum::<u64>(), 0);
        // Also where the way to others is long enough, whichever is first.
        for (last, mtu) in [(3, 1_300), (2, 1_200)] {
            let remote = node.vtep.remote(address(last)).unwrap();
            node.vtep.remotes().set_mtu(remote, mtu).unwrap();
            assert_eq!(told_mtu(&mut node, &frame), mtu - 50);
        }
        // Who keeps to it gets through.
        let limit = 1_200 - OVERHEAD;
        assert_eq!(copies_to(&mut node, &sized(mac(9), mac(1), limit, true)), [2, 3].map(address));
        told(&mut node, &sized(mac(9), mac(1), limit + 1, true));
    }
}

#[test]
fn a11_frames_to_many_that_are_too_long_for_some_go_to_the_others() {
    let mut node = Node::new(1, Config::new()).peers(&[2, 3]);
    node.vtep.remotes().set_mtu(node.vtep.remote(address(2)).unwrap(), 1_000).unwrap();
    for group in [MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
        assert_eq!(copies_to(&mut node, &sized(group, mac(1), 1_400, true)), [address(3)]);
        assert_eq!(copies_to(&mut node, &sized(group, mac(1), 1_500, true)).len(), 0);
    }
    assert_eq!((node.drops(DropReason::TooBig), node.worker.counters().replies), (6, 0));
}

/// Those get it who can, as long as there are some.
#[test]
fn a11_where_nobody_can_be_told_frames_to_several_remotes_go_to_those_with_a_way() {
    for (too_big, dont_fragment) in [(TooBig::Tell, false), (TooBig::Drop, true), (TooBig::Drop, false)] {
        let mut node = Node::new(1, with(Config::new(), |c| c.too_big = too_big)).peers(&[2, 3]);
        node.vtep.remotes().set_mtu(node.vtep.remote(address(2)).unwrap(), 1_000).unwrap();
        let frame = |len| sized(mac(9), mac(1), len, dont_fragment);
        assert_eq!(copies_to(&mut node, &frame(1_500 - OVERHEAD)), [address(3)]);
        assert_eq!(node.drops(DropReason::TooBig), 1);
        node.refuses_frame(&frame(1_501 - OVERHEAD), DropReason::TooBig);
    }
    // With Linux all of them, to be fragmented.
    let mut node = Node::new(1, Config::linux()).peers(&[2, 3]);
    assert_eq!(copies_to(&mut node, &sized(mac(9), mac(1), 1_500, false)), [2, 3].map(address));
    // Where nobody can be told now, what is too long for all is not sent unless all get it.
    for config in both() {
        let mut node = Node::new(1, with(config, |c| c.icmp_rate = 0)).peers(&[2, 3]);
        let frame = sized(mac(9), mac(1), 1_500, true);
        match config.too_big {
            TooBig::Fragment => assert_eq!(copies_to(&mut node, &frame), [2, 3].map(address)),
            _ => node.refuses_frame(&frame, DropReason::ReportLimit),
        }
    }
}

/// Nobody fragments what has DF: with a flag that is inherited, what cannot be told is dropped, and so is its copy.
#[test]
fn a11_what_has_df_outside_is_not_sent_to_be_fragmented() {
    use encap::tunnel::DontFragment::{Inherit, InheritIpv4, Unset};
    let long = |group, df| sized(group, mac(1), 1_500, df);
    let long6 = sized6(MacAddr::BROADCAST, mac(1), 1_514);
    for (mode, v4, v6) in [(Unset, false, false), (InheritIpv4, true, false), (Inherit, true, true)] {
        for peers in [&[2][..], &[2, 3]] {
            let mut node =
                Node::new(1, with(Config::linux(), |c| (c.df, c.icmp_rate) = (mode, 0))).peers(peers);
            let frames =
                [(long(MacAddr::BROADCAST, true), v4), (long6.clone(), v6), (long(mac(9), true), v4)];
            for (frame, is_dropped) in frames {
                let copies = if is_dropped { 0 } else { peers.len() };
                assert_eq!(node.packets(NOW, &frame).len(), copies, "{mode:?}");
            }
            assert_eq!(node.packets(NOW, &long(mac(9), false)).len(), peers.len());
            let dropped = node.worker.counters().drops().map(|(_, count)| count).sum::<u64>();
            assert_eq!(dropped, peers.len() as u64 * (2 * u64::from(v4) + u64::from(v6)));
        }
    }
    // IPv6 has no such flag.
    let mut node = Node::new(1, with(Config::linux().local(v6(1).into()), |c| c.df = Inherit));
    let remote = node.vtep.remote(v6(2).into()).unwrap();
    node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
    assert_eq!(node.packets(NOW, &long(MacAddr::BROADCAST, true)).len(), 1);
}

/// Over IPv6 less fits; into another segment here all does, and nothing goes to those who are gone.
#[test]
fn a11_every_member_of_a_list_has_its_own_limit() {
    for config in both() {
        let mut node = Node::new(1, config.local(v6(1).into())).peers(&[2]);
        let frame = sized(mac(9), mac(1), 1_500, true);
        let append = |node: &Node, remote: Remote| {
            let remote = node.vtep.add_remote(&remote).unwrap();
            node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
            remote
        };
        append(&node, Remote::new(address(1), config.dstport).vni(Vni::truncate(43)));
        assert_eq!(told_mtu(&mut node, &frame), 1_450);
        let other = append(&node, Remote::new(v6(2).into(), config.dstport));
        assert_eq!(told_mtu(&mut node, &frame), 1_430);
        let narrow = append(&node, Remote::new(address(3), config.dstport).mtu(700));
        assert_eq!(told_mtu(&mut node, &frame), 650);
        for (gone, left) in [(narrow, 1_430), (other, 1_450)] {
            node.vtep.remotes().remove(gone).unwrap();
            assert_eq!(told_mtu(&mut node, &frame), left);
        }
        // One of a group gets it, and its limit counts.
        let [wide, narrow] =
            [4, 5].map(|last| node.vtep.add_remote(&Remote::new(address(last), config.dstport)).unwrap());
        node.vtep.remotes().set_mtu(narrow, 800).unwrap();
        let group = node.vtep.lists().add_group(&[wide, narrow]).unwrap();
        node.vtep.fdb().add(VNI, mac(9), group).unwrap();
        let limits: BTreeSet<u16> = (0..32)
            .map(|flow| {
                let mut frame = frame.clone();
                frame[34] = flow;
                told_mtu(&mut node, &frame)
            })
            .collect();
        assert_eq!(limits, BTreeSet::from([750, 1_450]));
    }
}

/// The limit of who is not to be reached yet means nothing.
#[test]
fn a11_a_member_whose_next_hop_is_not_known_has_no_limit_yet() {
    let link = Link::resolving(mac(0xaa));
    let mut node = Node::new(1, with(Config::new(), |c| c.framing = Framing::Ethernet(link))).peers(&[2, 3]);
    let [second, third] = [2, 3].map(|last| node.vtep.remote(address(last)).unwrap());
    node.vtep.remotes().set_mtu(third, 1_000).unwrap();
    node.vtep.remotes().set_next_hop(second, Some(mac(0xbb))).unwrap();
    let frame = sized(mac(9), mac(1), 1_400, true);
    assert_eq!(copies_to(&mut node, &frame), [address(2)]);
    assert_eq!(node.drops(DropReason::Unresolved), 1);
    node.vtep.remotes().set_next_hop(third, Some(mac(0xcc))).unwrap();
    assert_eq!(told_mtu(&mut node, &frame), 950);
}
