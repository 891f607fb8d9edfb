//! Next hops in the underlay: asked for, learned, and changed (RFC 826; RFC 4861, section 7.2).

use std::net::IpAddr;

use encap::{
    Packet,
    table::{Capacity, Remote},
    tunnel::{DecapMeta, Framing, Link},
    vtep::{Config, ConfigError, Miss, Output, Vtep, Worker},
    wire::{MacAddr, Pcp, VlanId, arp, icmpv6, ndp::Answer, ndp_check, ndp_option::NeighborOption},
};

use crate::{common::*, frames::*};

const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0xaa, 1]);

fn link() -> Framing {
    Framing::Ethernet(Link::resolving(OURS))
}

/// VTEP 1 with remotes 2 and 3 on the link and one behind the gateway, 254.
fn node() -> Node {
    let config = with(Config::new(), |c| {
        c.framing = link();
        c.prefix = 24;
        c.gateway = Some([192, 0, 2, 254].into());
    });
    let node = Node::new(1, config);
    for (host, to) in [(2, address(2)), (3, address(3)), (4, FAR.into()), (5, [198, 51, 100, 5].into())] {
        let remote = node.vtep.remote(to).unwrap();
        node.vtep.fdb().add(VNI, mac(host), remote).unwrap();
    }
    node
}

const FAR: [u8; 4] = [198, 51, 100, 4];

/// The next hop that has to be asked for, or the MAC address that the frame goes to.
fn hop(node: &mut Node, host: u8) -> Result<MacAddr, IpAddr> {
    match node.send(NOW, &datagram(mac(host), mac(1), 10)) {
        (Output::Send { .. }, packet) => Ok(MacAddr(packet[..6].try_into().unwrap())),
        (Output::Resolve { address, .. }, _) => Err(address),
        other => panic!("{other:?}"),
    }
}

fn says(node: &mut Node, frame: &[u8]) {
    node.passes(frame);
}

fn reply(to: MacAddr, from: (MacAddr, [u8; 4]), target: [u8; 4]) -> Vec<u8> {
    arp(to, 2, from, target)
}

#[test]
fn rfc826_who_is_asked_for_is_learned_and_the_frame_goes() {
    let mut node = node();
    assert_eq!(hop(&mut node, 2), Err(address(2)));
    let solicitation = node.vtep.solicitation(address(2)).unwrap();
    assert_eq!(
        (&solicitation[..6], &solicitation[6..14]),
        (&[0xff; 6][..], &[2, 0, 0, 0, 0xaa, 1, 8, 6][..])
    );
    let (asked, rest) = arp::Header::parse(&solicitation[14..]).unwrap();
    assert!(rest.is_empty());
    assert_eq!((asked.operation, asked.sender_mac), (arp::Operation::REQUEST, OURS));
    assert_eq!((asked.sender_ip.octets(), asked.target_ip.octets()), ([192, 0, 2, 1], [192, 0, 2, 2]));

    says(&mut node, &reply(OURS, (mac(0x22), [192, 0, 2, 2]), [192, 0, 2, 1]));
    assert_eq!((hop(&mut node, 2), hop(&mut node, 3)), (Ok(mac(0x22)), Err(address(3))));
    // Who asks us is known as well.
    says(&mut node, &arp(MacAddr::BROADCAST, 1, (mac(0x33), [192, 0, 2, 3]), [192, 0, 2, 1]));
    assert_eq!(hop(&mut node, 3), Ok(mac(0x33)));
}

/// RFC 1112, section 6.4: a group's MAC address is in its IP address, and nobody is asked.
#[test]
fn rfc1112_s6_4_a_group_has_its_own_mac() {
    let mut node = node();
    let group = node.vtep.remote([239, 0x81, 2, 3].into()).unwrap();
    node.vtep.fdb().append(VNI, MacAddr::ZERO, group).unwrap();
    assert_eq!(hop(&mut node, 9), Ok(MacAddr([0x01, 0x00, 0x5e, 0x01, 2, 3])));
}

/// RFC 826: what others say to others changes what is known, and adds nothing.
#[test]
fn rfc826_what_is_not_for_us_only_changes_what_is_known() {
    let mut node = node();
    let gratuitous = |mac| arp(MacAddr::BROADCAST, 1, (mac, [192, 0, 2, 2]), [192, 0, 2, 2]);
    says(&mut node, &gratuitous(mac(0x22)));
    assert_eq!(hop(&mut node, 2), Err(address(2)), "nobody asked");
    says(&mut node, &reply(OURS, (mac(0x22), [192, 0, 2, 2]), [192, 0, 2, 1]));
    says(&mut node, &gratuitous(mac(0x23)));
    assert_eq!(hop(&mut node, 2), Ok(mac(0x23)), "it has moved");
    // Nobody's: no host has this MAC address, no remote that IP address.
    says(&mut node, &reply(OURS, (MacAddr([1, 0, 0, 0, 0, 1]), [192, 0, 2, 2]), [192, 0, 2, 1]));
    says(&mut node, &reply(OURS, (mac(9), [192, 0, 2, 99]), [192, 0, 2, 1]));
    assert_eq!(hop(&mut node, 2), Ok(mac(0x23)));
}

#[test]
fn who_is_not_on_the_link_is_reached_by_the_gateway() {
    let mut node = node();
    let gateway = address(254);
    assert_eq!((hop(&mut node, 4), hop(&mut node, 5)), (Err(gateway), Err(gateway)));
    says(&mut node, &reply(OURS, (mac(0xfe), [192, 0, 2, 254]), [192, 0, 2, 1]));
    assert_eq!((hop(&mut node, 4), hop(&mut node, 5)), (Ok(mac(0xfe)), Ok(mac(0xfe))));
    says(&mut node, &arp(MacAddr::BROADCAST, 1, (mac(0x22), [192, 0, 2, 2]), [192, 0, 2, 2]));
    assert_eq!(hop(&mut node, 2), Err(address(2)), "that the gateway is known tells nothing of others");
    says(&mut node, &arp(MacAddr::BROADCAST, 1, (mac(0xfd), [192, 0, 2, 254]), [192, 0, 2, 254]));
    assert_eq!(
        (hop(&mut node, 4), hop(&mut node, 5)),
        (Ok(mac(0xfd)), Ok(mac(0xfd))),
        "another router took over"
    );
    // Whom somebody configured is not asked for, nor changed by the gateway.
    let far = node.vtep.remote(FAR.into()).unwrap();
    node.vtep.remotes().set_next_hop(far, Some(mac(0x44))).unwrap();
    assert_eq!((hop(&mut node, 4), hop(&mut node, 5)), (Ok(mac(0x44)), Ok(mac(0xfd))));
}

/// Nobody speaks on the link for an address that is not on it, and nobody at all where one next hop is set for all.
#[test]
fn what_is_said_on_the_link_takes_nobody_from_the_gateway() {
    let mut node = node();
    says(&mut node, &reply(OURS, (mac(0xfe), [192, 0, 2, 254]), [192, 0, 2, 1]));
    for target in [FAR, [192, 0, 2, 1]] {
        says(&mut node, &arp(MacAddr::BROADCAST, 1, (mac(0x66), FAR), target));
        assert_eq!(hop(&mut node, 4), Ok(mac(0xfe)));
    }
    assert!(!node.vtep.learn_next_hop(FAR.into(), 0, mac(0x67)));

    let fixed = Framing::Ethernet(Link { source: OURS, next_hop: mac(0xbb), vlan: None });
    let mut node = Node::new(1, with(Config::new(), |c| c.framing = fixed));
    node.vtep.fdb().add(VNI, mac(2), node.vtep.remote(address(2)).unwrap()).unwrap();
    says(&mut node, &reply(OURS, (mac(0x22), [192, 0, 2, 2]), [192, 0, 2, 1]));
    assert_eq!(hop(&mut node, 2), Ok(mac(0xbb)));
}

/// Another VLAN is another link, whose hosts may have the same addresses. VLAN 0 is none: it carries a priority only.
#[test]
fn next_hops_are_those_of_the_links_vlan() {
    let said = reply(OURS, (mac(0x22), [192, 0, 2, 2]), [192, 0, 2, 1]);
    for own in [None, Some(0), Some(10)] {
        for by in [None, Some(0), Some(10), Some(20)] {
            let vlan = own.map(|id| (VlanId::truncate(id), Pcp::truncate(0)));
            let framing = Framing::Ethernet(Link { source: OURS, next_hop: MacAddr::ZERO, vlan });
            let expected = own.unwrap_or(0) == by.unwrap_or(0);
            let learns = |meta: DecapMeta, mut frame: Vec<u8>| {
                let node = Node::new(1, with(Config::new(), |c| c.framing = framing));
                let remote = node.vtep.remote(address(2)).unwrap();
                let len = frame.len();
                let mut packet = Packet::new(&mut frame, 0, len).unwrap();
                let output = node.vtep.handle_underlay(&mut Worker::new(1), NOW, &meta, &mut packet);
                assert_eq!(output, Output::Pass);
                node.vtep.remotes().get(remote).unwrap().next_hop.is_some()
            };
            // In the frame, or taken off by the card.
            let frame = by.map_or(said.clone(), |id| tagged(id, &said));
            assert_eq!(learns(DecapMeta::new(), frame.clone()), expected, "{own:?} {by:?}");
            let taken = by.map_or(DecapMeta::new(), |id| DecapMeta::new().vlan(VlanId::truncate(id)));
            assert_eq!(learns(taken, said.clone()), expected, "{own:?} {by:?}");
            // A tag behind it says another one.
            assert!(by.is_none() || !learns(taken, tagged(20, &said)));
            assert!(by.is_none() || !learns(DecapMeta::new(), tagged(own.unwrap_or(0), &frame)));
        }
    }
}

/// A flood asks for the gateway by a miss.
#[test]
fn copies_ask_for_the_gateway_too() {
    let mut node = node();
    for last in [4, 5] {
        let remote = node.vtep.remote([198, 51, 100, last].into()).unwrap();
        node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
    }
    assert!(node.packets(NOW, &datagram(MacAddr::BROADCAST, mac(1), 1)).is_empty());
    let Some(Miss::NextHop { address: asked, .. }) = node.worker.poll_miss() else { panic!() };
    assert_eq!(asked, address(254));
}

/// A remote with another port at an address that is known already.
#[test]
fn remotes_of_one_address_have_one_next_hop() {
    let mut node = node();
    says(&mut node, &reply(OURS, (mac(0x22), [192, 0, 2, 2]), [192, 0, 2, 1]));
    let other = node.vtep.add_remote(&Remote::new(address(2), 9_999)).unwrap();
    node.vtep.fdb().add(VNI, mac(7), other).unwrap();
    assert_eq!(hop(&mut node, 7), Ok(mac(0x22)));
}

/// VTEP fd01::1 with fd01::2 on the link, and 2001:db8::9 behind fe80::fe.
fn node6() -> Node {
    let config = with(Config::new().local(v6(1).into()), |c| {
        c.framing = link();
        c.prefix6 = 64;
        c.gateway6 = Some("fe80::fe".parse().unwrap());
    });
    let node = Node::new(1, config);
    for (host, to) in [(2, v6(2).into()), (9, "2001:db8::9".parse().unwrap())] {
        let remote = node.vtep.remote(to).unwrap();
        node.vtep.fdb().add(VNI, mac(host), remote).unwrap();
    }
    node
}

fn advertisement(target: IpAddr, mac: MacAddr, to: IpAddr, overrides: bool) -> Vec<u8> {
    let (IpAddr::V6(target), IpAddr::V6(solicitor)) = (target, to) else { panic!() };
    let answer = Answer { solicitor, target, mac, router: false, overrides };
    frame(OURS, mac, 0x86dd, &answer.to_bytes())
}

#[test]
fn rfc4861_s7_2_over_ipv6_too() {
    let mut node = node6();
    assert_eq!(hop(&mut node, 2), Err(v6(2).into()));
    let solicitation = node.vtep.solicitation(v6(2).into()).unwrap();
    assert_eq!((solicitation.len(), &solicitation[..6]), (86, &[0x33, 0x33, 0xff, 0, 0, 2][..]));
    let asked = ndp_check::check_solicitation(&solicitation[14..]).unwrap();
    assert_eq!((asked.message.target, asked.ip.source), (v6(2), v6(1)));
    assert_eq!(
        icmpv6::Header::parse(&solicitation[54..]).unwrap().0.kind,
        icmpv6::Type::NEIGHBOR_SOLICITATION
    );

    says(&mut node, &advertisement(v6(2).into(), mac(0x21), v6(7).into(), true));
    assert_eq!(hop(&mut node, 2), Err(v6(2).into()), "an answer to somebody else");
    says(&mut node, &advertisement(v6(2).into(), mac(0x22), v6(1).into(), true));
    assert_eq!(hop(&mut node, 2), Ok(mac(0x22)));
    // Section 7.2.5: without the O flag another address is not taken, in answer to our question or not.
    for to in [7, 1] {
        says(&mut node, &advertisement(v6(2).into(), mac(0x23), v6(to).into(), false));
        assert_eq!(hop(&mut node, 2), Ok(mac(0x22)));
    }
    says(&mut node, &advertisement(v6(2).into(), mac(0x23), v6(7).into(), true));
    assert_eq!(hop(&mut node, 2), Ok(mac(0x23)));

    let gateway: IpAddr = "fe80::fe".parse().unwrap();
    assert_eq!(hop(&mut node, 9), Err(gateway));
    says(&mut node, &advertisement(gateway, mac(0xfe), v6(1).into(), true));
    assert_eq!(hop(&mut node, 9), Ok(mac(0xfe)));
    says(&mut node, &advertisement(gateway, mac(0xfd), v6(7).into(), true));
    assert_eq!(hop(&mut node, 9), Ok(mac(0xfd)), "another router took over");
    // An advertisement with a wrong checksum says nothing.
    let mut broken = advertisement(v6(2).into(), mac(0x99), v6(1).into(), true);
    broken[57] ^= 1;
    says(&mut node, &broken);
    assert_eq!(hop(&mut node, 2), Ok(mac(0x23)));
}

/// A neighbour that asks us is learned from its question.
#[test]
fn rfc4861_s7_2_3_who_asks_us_is_known() {
    let mut node = node6();
    says(&mut node, &Ns { source_mac: mac(0x22), ..Ns::new(2, v6(1)) }.bytes());
    assert_eq!(hop(&mut node, 2), Ok(mac(2)), "what the option says counts");
    // Whoever it asks next, it has moved.
    let options = NeighborOption::source_address(mac(0x23)).to_vec();
    says(&mut node, &Ns { options, ..Ns::new(2, v6(7)) }.bytes());
    assert_eq!(hop(&mut node, 2), Ok(mac(0x23)));
}

#[test]
fn solicitations_have_the_tag_of_the_underlay() {
    let vlan = Some((VlanId::truncate(7), Pcp::truncate(3)));
    let framing = Framing::Ethernet(Link { source: OURS, next_hop: MacAddr::ZERO, vlan });
    let node = Node::new(1, with(Config::new(), |c| c.framing = framing));
    let solicitation = node.vtep.solicitation(address(2)).unwrap();
    assert_eq!((solicitation.len(), &solicitation[12..18]), (46, &[0x81, 0, 0x60, 7, 8, 6][..]));
    assert_eq!(node.vtep.solicitation(v6(2).into()), None, "no address of ours");
    assert_eq!(Node::new(1, Config::new()).vtep.solicitation(address(2)), None, "no Ethernet of ours");
}

/// For who asks the kernel, or knows by other means.
#[test]
fn what_the_caller_finds_out_counts_as_well() {
    let mut node = node();
    assert!(node.vtep.learn_next_hop(address(2), 0, mac(0x22)));
    assert!(node.vtep.learn_next_hop(address(254), 0, mac(0xfe)));
    assert!(!node.vtep.learn_next_hop(address(99), 0, mac(0x99)), "nobody's next hop");
    assert!(!node.vtep.learn_next_hop(address(3), 0, MacAddr::BROADCAST));
    assert_eq!((hop(&mut node, 2), hop(&mut node, 4)), (Ok(mac(0x22)), Ok(mac(0xfe))));
}

#[test]
fn gateways_that_cannot_be() {
    let build = |change: fn(&mut Config)| {
        let config = with(Config::new().local(address(1)), |c| {
            (c.framing, c.prefix) = (link(), 24);
            change(c);
        });
        Vtep::with_capacity(config, Capacity::fdb(16), [1, 2]).map(|_| ())
    };
    assert_eq!(build(|c| c.gateway = Some([192, 0, 2, 254].into())), Ok(()));
    let (far, own) = (IpAddr::from([192, 0, 3, 254]), address(1));
    let off = ConfigError::GatewayOffLink { gateway: far, field: "prefix", len: 24 };
    assert_eq!(build(|c| c.gateway = Some([192, 0, 3, 254].into())), Err(off));
    assert_eq!(build(|c| c.gateway = Some([192, 0, 2, 1].into())), Err(ConfigError::GatewayIsLocal(own)));
    assert_eq!(build(|c| c.gateway6 = Some(v6(1))), Err(ConfigError::GatewayFamily(v6(1).into())));
    let long = |field, len, max| Err(ConfigError::PrefixLength { field, len, max });
    let far6: IpAddr = "2001:db8::fe".parse().unwrap();
    let off = ConfigError::GatewayOffLink { gateway: far6, field: "prefix6", len: 64 };
    let with_ipv6 = with(Config::new().local(v6(1).into()), |c| {
        (c.framing, c.prefix6, c.gateway6) = (link(), 64, Some("2001:db8::fe".parse().unwrap()));
    });
    assert_eq!(Vtep::with_capacity(with_ipv6, Capacity::fdb(16), [1, 2]).err(), Some(off));
    assert_eq!(build(|c| (c.prefix, c.prefix6) = (32, 128)), Ok(()));
    assert_eq!(build(|c| c.prefix = 33), long("prefix", 33, 32));
    assert_eq!(build(|c| c.prefix6 = 129), long("prefix6", 129, 128));
}

/// Those that no host has, and those beside one next hop for all.
#[test]
fn gateways_that_would_never_answer() {
    let build = |next_hop, prefix, gateway: &str| {
        let config = with(Config::new().local(address(1)).local(v6(1).into()), |c| {
            c.framing = Framing::Ethernet(Link { source: OURS, next_hop, vlan: None });
            (c.prefix, c.prefix6) = (prefix, prefix);
            match gateway.parse().unwrap() {
                IpAddr::V4(gateway) => c.gateway = Some(gateway),
                IpAddr::V6(gateway) => c.gateway6 = Some(gateway),
            }
        });
        Vtep::with_capacity(config, Capacity::fdb(16), [1, 2]).map(|_| ())
    };
    let not_host = |text: &str| Err(ConfigError::GatewayNotHost(text.parse().unwrap()));
    for (prefix, gateway) in [(24, "192.0.2.255"), (24, "192.0.2.0"), (30, "192.0.2.3"), (2, "224.0.0.1")] {
        assert_eq!(build(MacAddr::ZERO, prefix, gateway), not_host(gateway));
    }
    assert_eq!(build(MacAddr::ZERO, 1, "ff02::1"), not_host("ff02::1"));
    for (prefix, gateway) in [(24, "192.0.2.254"), (31, "192.0.2.0"), (16, "fd01::")] {
        assert_eq!(build(MacAddr::ZERO, prefix, gateway), Ok(()));
        let beside = ConfigError::GatewayBesideNextHop(gateway.parse().unwrap());
        assert_eq!(build(mac(7), prefix, gateway), Err(beside));
    }
}

/// By a prefix of 0 bits everybody is on the link, and nothing would go to the gateway.
#[test]
fn a_gateway_needs_a_prefix() {
    let build = |change: fn(&mut Config)| {
        let local = Config::new().local(address(1)).local(v6(1).into());
        Vtep::with_capacity(with(local, change), Capacity::fdb(16), [1, 2]).map(|_| ())
    };
    let unused = |gateway, field| Err(ConfigError::GatewayUnused { gateway, field });
    assert_eq!(build(|c| c.gateway = Some([192, 0, 2, 254].into())), unused(address(254), "prefix"));
    assert_eq!(build(|c| c.gateway6 = Some(v6(254))), unused(v6(254).into(), "prefix6"));
    let text = unused(address(254), "prefix").unwrap_err().to_string();
    assert!(text.contains("gateway 192.0.2.254") && text.contains("`prefix` is 0"), "{text}");
    assert_eq!(build(|c| (c.gateway, c.prefix) = (Some([192, 0, 2, 254].into()), 1)), Ok(()));
}
