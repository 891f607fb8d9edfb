//! The feature `serde`: settings and counters survive the way to JSON and back.

use std::fmt::Debug;

use encap::{
    table::{Ageing, LearnFrom},
    tunnel::{self, DontFragment, Framing, Link, OuterDscp, OuterFlowLabel, Ttl, ecn},
    vtep::{Accept, Config, Counters, DropReason, Proxy, ShortCircuit, TooBig, ip_udp},
    wire::{Dscp, Pcp, VlanId},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{common::*, frames::*};

#[track_caller]
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
}

#[test]
fn settings_survive() {
    survives(Config::new());
    survives(Config::linux());
    survives(with(Config::linux().local(address(1)).local(v6(1).into()), |c| {
        let vlan = Some((VlanId::truncate(5), Pcp::truncate(3)));
        c.framing = Framing::Ethernet(Link { source: mac(1), next_hop: mac(2), vlan });
        (c.gateway, c.prefix, c.gateway6, c.prefix6) = (Some([192, 0, 2, 254].into()), 24, Some(v6(254)), 64);
        (c.ttl, c.tos, c.ecn) = (Ttl::Fixed(9), OuterDscp::Fixed(Dscp::truncate(46)), ecn::Mode::Linux);
        (c.df, c.label, c.address) = (DontFragment::Inherit, OuterFlowLabel::FromHash, mac(7));
        (c.accept, c.proxy, c.rsc) = (Accept::Configured, Proxy::KernelProxy, ShortCircuit::Linux);
        (c.too_big, c.reserved_bits, c.srcport) = (TooBig::Fragment, u64::MAX, (7, 8));
        (c.tables.ageing, c.tables.learn_from) = (Ageing::Never, LearnFrom::Any);
    }));
    survives(ip_udp::Config::new());
    survives(ip_udp::Config::new().local(address(1)).address([10, 5, 1, 0].into()));
}

/// What a file does not say is as it is by default.
#[test]
fn settings_that_are_not_said_are_the_defaults() {
    let config: Config = serde_json::from_value(json!({ "local": "192.0.2.1", "mtu": 9_000 })).unwrap();
    assert_eq!(config, with(Config::new().local(address(1)), |c| c.mtu = 9_000));
    for misspelt in [json!({ "learing": false }), json!({ "tables": { "aging": "Never" } })] {
        assert!(
            serde_json::from_value::<Config>(misspelt).unwrap_err().to_string().contains("unknown field")
        );
    }
    assert!(serde_json::from_value::<ip_udp::Config>(json!({ "locl": "192.0.2.1" })).is_err());
    let config: ip_udp::Config = serde_json::from_value(json!({ "local": "192.0.2.1" })).unwrap();
    assert_eq!(config, ip_udp::Config::new().local(address(1)));
}

/// A mask of 64 bits is a text for people, a number for machines, and read from either.
#[test]
fn masks_are_texts() {
    let mask = |config: &Config| serde_json::to_value(config).unwrap()["reserved_bits"].clone();
    let linux = mask(&Config::linux());
    assert_eq!(linux, json!("0xf7ffffff000000ff"));
    for (value, expected) in
        [(linux, u64::MAX ^ 0x0800_0000_ffff_ff00), (json!(u64::MAX), u64::MAX), (json!("0xff"), 255)]
    {
        let config: Config = serde_json::from_value(json!({ "reserved_bits": value })).unwrap();
        assert_eq!(config.reserved_bits, expected);
    }
    for wrong in
        [json!("f7"), json!("0x"), json!("0x+1"), json!("0x1_0000"), json!("0x10000000000000000"), json!(-1)]
    {
        let refused = serde_json::from_value::<Config>(json!({ "reserved_bits": wrong })).unwrap_err();
        assert!(refused.to_string().contains("a mask of 64 bits"), "{wrong}: {refused}");
    }
}

#[test]
fn counters_survive_with_all_reasons() {
    let mut node = Node::new(2, Config::new());
    node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoDestination);
    let mut broken = Outer::new(4789, &datagram(mac(9), mac(1), 10)).bytes();
    broken[28] = 0;
    node.refuses(&broken, tunnel::DropReason::VxlanNoVni);
    let counters = *node.worker.counters();
    survives(counters);
    let drops = &serde_json::to_value(counters).unwrap()["drops"];
    assert_eq!(*drops, json!([["NoDestination", 1], [{ "Decap": "VxlanNoVni" }, 1]]));

    // Each by itself, and no count takes another's place.
    let all: Vec<_> = DropReason::ALL.iter().zip(1..).collect();
    let counters: Counters = serde_json::from_value(json!({ "drops": all })).unwrap();
    assert!(all.iter().all(|&(&reason, count)| counters.dropped(reason) == count));
    survives(counters);
}
