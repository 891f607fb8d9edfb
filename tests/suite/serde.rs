//! The feature `serde`: every header and bounded value survives the way to JSON and back, and a value
//! past its bounds is refused with words that say so.

use core::fmt::Debug;

use encap::wire::{
    Dscp, Ecn, Error, EtherType, FlowLabel, FragmentOffset, IpProtocol, Layer, MacAddr, Pcp, VlanId, Vni,
    arp,
    checksum::State,
    erspan::{self, Index, SessionId},
    ethernet,
    geneve::{self, OptionsLen},
    geneve_option::{OptionClass, OptionType},
    gre, icmp_quote, ipv4, ipv6, ndp, ndp_option, nvgre, udp, vlan, vxlan,
    vxlan_gbp::GroupPolicy,
    vxlan_gpe::NextProtocol,
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::strategies as any_header;

#[track_caller]
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    let tree = serde_json::to_value(&value).unwrap();
    assert_eq!(serde_json::from_value::<T>(tree).unwrap(), value);
}

#[test]
fn counters_of_a_tunnel_survive_with_their_drops() {
    use encap::{Packet, time::Instant, tunnel::gre::Tunnel};
    let mut tunnel = Tunnel::new("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()).build().unwrap();
    survives(*tunnel.counters());
    let mut buffer = [0x45; 3];
    let mut packet = Packet::new(&mut buffer, 0, 3).unwrap();
    let reason = tunnel.decap(Instant::ZERO, &mut packet).unwrap_err();
    survives(*tunnel.counters());
    let tree = serde_json::to_value(tunnel.counters()).unwrap();
    assert_eq!(tree["drops"], json!([[format!("{reason:?}"), 1]]));
}

/// Why `json` is not a `T`.
#[track_caller]
fn refusal<T: DeserializeOwned + Debug>(json: serde_json::Value) -> String {
    serde_json::from_value::<T>(json).unwrap_err().to_string()
}

proptest! {
    #[test]
    fn every_header_survives(
        ethernet in any_header::ethernet(),
        vlan in any_header::vlan(),
        arp in any_header::arp(),
        ipv4 in any_header::ipv4(),
        ipv6 in any_header::ipv6(),
        udp in any_header::udp(),
        vxlan in any_header::vxlan(),
        gre in any_header::gre(),
    ) {
        survives(ethernet);
        survives(vlan);
        survives(arp);
        survives(ipv4);
        survives(ipv6);
        survives(udp);
        survives(vxlan);
        survives(gre);
    }

    #[test]
    fn every_header_of_a_tunnel_survives(
        vxlan_gpe in any_header::vxlan_gpe(),
        geneve in any_header::geneve(),
        nvgre in any_header::nvgre(),
        gre1 in any_header::gre1(),
        erspan in any_header::erspan(),
        wccp in any_header::wccp(),
        policy in any_header::group_policy(),
    ) {
        survives(vxlan_gpe);
        survives(geneve);
        survives(nvgre);
        survives(gre1);
        survives(erspan);
        survives(wccp);
        survives(policy);
    }

    #[test]
    fn every_icmp_message_survives(
        icmpv4 in any_header::icmpv4(),
        icmpv6 in any_header::icmpv6(),
        solicitation in any_header::solicitation(),
        advertisement in any_header::advertisement(),
        mac in any_header::mac(),
    ) {
        survives(icmpv4);
        survives(icmpv6);
        survives(icmpv4.problem().map(icmp_quote::Problem::V4));
        survives(icmpv6.problem().map(icmp_quote::Problem::V6));
        survives(solicitation);
        survives(advertisement);
        let (solicitor, target) = (solicitation.target, advertisement.target);
        let ndp::Advertisement { router, overrides, .. } = advertisement;
        survives(ndp::Answer { solicitor, target, mac, router, overrides });
        survives(ndp_option::OptionType::TARGET_ADDRESS);
    }

    #[test]
    fn every_value_survives(bits in any::<u32>(), mac in any_header::mac(), options in any_header::options()) {
        survives(Vni::truncate(bits));
        survives(FlowLabel::truncate(bits));
        survives(VlanId::truncate(bits as u16));
        survives(FragmentOffset::truncate(bits as u16));
        survives(Pcp::truncate(bits as u8));
        survives(Dscp::truncate(bits as u8));
        survives(Ecn::from_ds_field(bits as u8));
        survives(EtherType(bits as u16));
        survives(IpProtocol(bits as u8));
        survives(OptionsLen::truncate(bits as u8));
        survives(SessionId::truncate(bits as u16));
        survives(Index::truncate(bits));
        survives(NextProtocol(bits as u8));
        survives(OptionClass(bits as u16));
        survives(OptionType(bits as u8));
        survives(arp::Operation(bits as u16));
        survives(gre::Key(bits));
        survives(gre::Reserved0::from_flags(bits as u16));
        survives(ipv6::Fragment {
            offset: FragmentOffset::truncate(bits as u16),
            more_fragments: bits & 1 != 0,
            identification: bits,
        });
        survives(mac);
        survives(options);
    }
}

#[test]
fn states_of_a_checksum_survive() {
    for state in [State::Absent, State::Good, State::Bad, State::Unverified] {
        survives(state);
    }
}

/// What stands in a configuration file.
#[test]
fn values_read_as_people_write_them() {
    assert_eq!(serde_json::to_value(Vni::new(42)).unwrap(), json!(42));
    assert_eq!(serde_json::to_value(MacAddr([2, 0, 0, 0, 0, 1])).unwrap(), json!("02:00:00:00:00:01"));
    assert_eq!(serde_json::to_value(Ecn::Ect0).unwrap(), json!("Ect0"));
    assert_eq!(serde_json::to_value(EtherType::IPV4).unwrap(), json!(0x0800));
    let options = ipv4::Options::new(&[0x94, 4, 0, 0]).unwrap();
    assert_eq!(serde_json::to_value(options).unwrap(), json!([0x94, 4, 0, 0]));
    assert_eq!(serde_json::from_value::<MacAddr>(json!("2:0:0:0:0:1")).unwrap(), MacAddr([2, 0, 0, 0, 0, 1]));
}

#[test]
fn values_past_their_bounds_are_refused() {
    /// The largest value is taken, the next one and all above are refused by name.
    macro_rules! bounds {
        ($($name:ident $bits:literal)*) => { $(
            let max = (1u64 << $bits) - 1;
            assert_eq!(serde_json::from_value::<$name>(json!(max)).unwrap(), $name::MAX);
            for value in [max + 1, 0xffff_ffff] {
                let text = format!("{value} is too large for a {}: at most {max}", stringify!($name));
                assert_eq!(refusal::<$name>(json!(value)), text);
            }
            for value in [json!(-1), json!(1u64 << 32), json!("1"), json!(null), json!(0.5)] {
                assert!(refusal::<$name>(value).contains("expected u32"));
            }
        )* };
    }
    bounds!(Vni 24 VlanId 12 Dscp 6 FlowLabel 20 Pcp 3 FragmentOffset 13);
    bounds!(OptionsLen 6 SessionId 10 Index 20);

    assert!(refusal::<EtherType>(json!(0x1_0000)).contains("expected u16"));
    assert!(refusal::<IpProtocol>(json!(256)).contains("expected u8"));
    assert!(refusal::<NextProtocol>(json!(256)).contains("expected u8"));
    assert!(refusal::<OptionClass>(json!(0x1_0000)).contains("expected u16"));
    assert!(refusal::<OptionType>(json!(256)).contains("expected u8"));
    assert!(refusal::<Ecn>(json!("Ect2")).contains("expected one of `NotEct`, `Ect1`, `Ect0`, `Ce`"));
}

/// RFC 8926, section 3.4: there is no version but 0.
#[test]
fn a_geneve_header_of_another_version_is_refused() {
    let header = |version: u64| json!(version << 62 | 0x3fff_ffff_ffff_ffff);
    assert!(serde_json::from_value::<geneve::Header>(header(0)).is_ok());
    for version in 1..4u8 {
        let error = Error::Version { layer: Layer::Geneve, version };
        assert_eq!(refusal::<geneve::Header>(header(version.into())), error.to_string());
    }
}

#[test]
fn bits_that_are_not_reserved_are_refused() {
    for bit in 0..16 {
        let word = 1u16 << bit;
        let inside = (3..12).contains(&bit);
        assert_eq!(serde_json::from_value::<gre::Reserved0>(json!(word)).is_ok(), inside, "{word:#06x}");
        if !inside {
            let text = format!("invalid value: integer `{word}`, expected bits of Reserved0, 0x0ff8");
            assert_eq!(refusal::<gre::Reserved0>(json!(word)), text);
        }
    }
}

#[test]
fn options_that_do_not_fit_are_refused() {
    for len in 0..=48usize {
        let bytes = json!(vec![1u8; len]);
        if len <= 40 && len % 4 == 0 {
            let options = ipv4::Options::new(&vec![1; len]);
            assert_eq!(serde_json::from_value(bytes).ok(), options);
        } else {
            // One byte too many is enough to know.
            let len = len.min(41);
            let text = format!(
                "invalid length {len}, expected at most 40 bytes of IPv4 options, a multiple of four"
            );
            assert_eq!(refusal::<ipv4::Options>(bytes), text);
        }
    }
    assert!(refusal::<ipv4::Options>(json!([256, 0, 0, 0])).contains("expected u8"));
}

#[test]
fn text_that_is_no_mac_address_is_refused() {
    for text in ["", "02-00-00-00-00-01", "02:00:00:00:00", "02:00:00:00:00:01:02", "02:00:00:00:00:0g"] {
        let why = refusal::<MacAddr>(json!(text));
        assert_eq!(why, "not a MAC address: six hexadecimal bytes with colons between them are needed");
    }
    assert!(refusal::<MacAddr>(json!(1)).contains("a MAC address like 02:00:00:00:00:01"));
}

/// In formats that tell a newtype from what is in it, too.
#[test]
fn what_is_written_is_what_is_read() {
    use encap::{tunnel::Policy, wire::gre::Reserved0};
    use serde_test::{Token, assert_tokens};

    assert_tokens(&Reserved0::MUST_DISCARD, &[Token::U16(0x0c00)]);
    for policy in [Policy::RFC, Policy::STRICT, Policy::LINUX, Policy::ANALYSIS] {
        survives(policy);
        let text = serde_json::to_value(policy).unwrap();
        let masks = ["vxlan_reserved_bits", "gpe_reserved_bits", "geneve_reserved_bits"];
        assert!(masks.iter().all(|mask| text[mask].is_string()), "{text}");
    }
}

/// A setting that may be left out is not left out by a name that is not its own.
#[test]
fn misspelt_settings_are_refused() {
    use encap::tunnel::{Framing, Link, Payload, Policy, gre::Selector};

    fn misspell<T: Serialize + DeserializeOwned + Debug>(value: T, field: &str) {
        let mut tree = serde_json::to_value(value).unwrap();
        let was = tree.as_object_mut().unwrap().remove(field).unwrap();
        tree[format!("{field}x")] = was;
        assert!(refusal::<T>(tree).contains("unknown field"), "{field}");
    }
    let link = Link { source: MacAddr([2; 6]), next_hop: MacAddr::ZERO, vlan: None };
    misspell(link, "vlan");
    let framing = json!({ "Ethernet": { "source": link.source, "next_hop": link.next_hop, "vlans": null } });
    assert!(refusal::<Framing>(framing).contains("unknown field"));
    let [local, remote] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
    misspell(Selector::new(1, Payload::Ip, local, remote), "link");
    misspell(Policy::RFC, "gre_min_len");
}

/// A header is no way around the bounds of its fields.
#[test]
fn headers_do_not_take_what_their_fields_refuse() {
    let tag = json!({ "priority": 7, "drop_eligible": false, "id": 4095, "ethertype": 2048 });
    assert!(serde_json::from_value::<vlan::Header>(tag.clone()).is_ok());
    for (field, value) in [("priority", 8), ("id", 4096), ("ethertype", 65_536)] {
        let mut tag = tag.clone();
        tag[field] = json!(value);
        refusal::<vlan::Header>(tag);
    }
    let policy = json!({ "id": 65_536, "dont_learn": false, "applied": false });
    assert!(refusal::<GroupPolicy>(policy).contains("expected u16"));
    let header = json!({ "vsid": 0x100_0000, "flow_id": 0 });
    assert!(refusal::<nvgre::Header>(header).contains("too large for a Vni"));
    let second = |session, index| {
        json!({
            "vlan": 0, "cos": 0, "encapsulation": 0, "truncated": false, "session": session,
            "kind": { "II": { "index": index } },
        })
    };
    assert!(serde_json::from_value::<erspan::Header>(second(0x3ff, 0xf_ffff)).is_ok());
    assert!(refusal::<erspan::Header>(second(0x400, 0)).contains("too large for a SessionId"));
    assert!(refusal::<erspan::Header>(second(0, 0x10_0000)).contains("too large for a Index"));
    let third = json!({
        "timestamp": 0, "security_group": 0, "ethernet": true, "frame_type": 31, "hardware_id": 63,
        "egress": false, "granularity": 3, "subheader": null,
    });
    let header = |tagging, third| {
        let mut header = second(0, 0);
        (header["encapsulation"], header["kind"]) = (json!(tagging), json!({ "III": third }));
        header
    };
    assert!(serde_json::from_value::<erspan::Header>(header(3, third.clone())).is_ok());
    assert!(refusal::<erspan::Header>(header(4, third.clone())).contains("too large for a Tagging"));
    for (field, value) in [("frame_type", 32), ("hardware_id", 64), ("granularity", 4)] {
        let mut third = third.clone();
        third[field] = json!(value);
        assert!(refusal::<erspan::Header>(header(0, third)).contains("too large"), "{field}");
    }
    assert!(refusal::<udp::Header>(json!({ "source_port": 1 })).contains("missing field"));
    assert!(refusal::<vxlan::Header>(json!("0800000000002a00")).contains("expected u64"));
    assert!(
        refusal::<ethernet::Header>(json!({ "destination": "1:2:3:4:5", "source": "", "ethertype": 0 }))
            .contains("not a MAC address")
    );
}
