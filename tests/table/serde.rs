//! The feature `serde`: what describes tables survives the way to JSON and back; what is past its bounds is refused.

use core::{fmt::Debug, net::IpAddr, time::Duration};

use encap::{
    table::{
        Ageing, Capacity, Destination, Filter, LearnFrom, NewEntry, Quota, Remote, Row, Settings, Snooping,
        State, Target, Underlay,
    },
    time::Instant,
    wire::{MacAddr, Vni},
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::common::{NOW, VNI, mac, remote, small, tables};

#[track_caller]
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
}

/// Why `json` is not a `T`.
#[track_caller]
fn refusal<T: DeserializeOwned + Debug>(json: Value) -> String {
    serde_json::from_value::<T>(json).unwrap_err().to_string()
}

fn any_remote() -> impl Strategy<Value = Remote> {
    let quota = prop_oneof![Just(Quota::Own), any::<u16>().prop_map(Quota::Shared)];
    let mac = prop::option::of(any::<[u8; 6]>().prop_map(MacAddr));
    let vni = prop::option::of(any::<u32>().prop_map(Vni::truncate));
    (any::<IpAddr>(), any::<u16>(), vni, any::<u32>(), mac, any::<u16>(), quota).prop_map(
        |(address, port, vni, egress, next_hop, mtu, quota)| {
            let mut remote = Remote::new(address, port).egress(egress).mtu(mtu).quota(quota);
            (remote.vni, remote.next_hop) = (vni, next_hop);
            remote
        },
    )
}

fn any_state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![
        State::Permanent,
        State::Static,
        State::Dynamic,
        State::Learned,
        State::ExternLearn,
    ])
}

proptest! {
    #[test]
    fn every_remote_survives(remote in any_remote()) {
        survives(remote);
        survives(Target::Remote(remote));
    }

    #[test]
    fn every_filter_survives(remote in any_remote(), state in any_state(), bits in any::<u32>()) {
        survives(Filter::ALL);
        survives(Filter::untouched(bits as u8, bits));
        let mut filter = Filter::ALL;
        (filter.vni, filter.remote_vni) = (Some(Vni::truncate(bits)), remote.vni);
        (filter.state, filter.router, filter.sticky) = (Some(state), Some(bits & 1 != 0), Some(bits & 2 != 0));
        (filter.address, filter.port, filter.egress) = (Some(remote.address), Some(remote.port), Some(bits));
        survives(filter);
    }

    #[test]
    fn every_choice_survives(a in any::<u32>(), b in any::<u32>(), ageing in any::<Duration>()) {
        survives(Instant::from_micros(u64::from(a) << 32 | u64::from(b)));
        for ageing in [Ageing::After(ageing), Ageing::Never] {
            let mut settings = Settings::default();
            (settings.ageing, settings.learned_limit, settings.quota_limit) = (ageing, a, b);
            (settings.learn_from, settings.underlay) = (LearnFrom::Any, Underlay::Ipv6);
            settings.snooping = Snooping::Known;
            survives(settings);
        }
        survives(Capacity { entries: a, vnis: b, workers: a, ..Capacity::default() });
    }
}

/// Every kind of row, out of tables.
#[test]
fn rows_survive() {
    let tables = tables(small(), Settings::default());
    let (fdb, here) = (tables.fdb(), remote(&tables, 7));
    let group = tables.lists().add_group(&[here]).unwrap();
    fdb.add(VNI, mac(1), NewEntry::to(here).extern_learn().origin(7, 0xffff_ffff).sticky()).unwrap();
    fdb.add(VNI, mac(2), NewEntry::to(group).as_static().router()).unwrap();
    fdb.add(VNI, mac(3), Destination::Blackhole).unwrap();
    fdb.add(VNI, mac(4), Destination::Local).unwrap();
    fdb.add(VNI, mac(5), NewEntry::to(here).dynamic(NOW)).unwrap();
    let _ = fdb.learn(NOW, VNI, mac(6), here);
    let nobody = tables.lists().add_list(&[]).unwrap();
    fdb.add(VNI, MacAddr::ZERO, nobody).unwrap();
    let later = NOW.saturating_add(Duration::from_millis(1_500));
    let rows: Vec<Row> = fdb.dump(later).flat_map(|entry| fdb.rows(&entry)).collect();
    assert_eq!(rows.len(), 7);
    for row in rows {
        survives(row);
    }
}

/// The same without one of its fields.
fn without(json: &Value, field: &str) -> Value {
    let mut json = json.clone();
    json.as_object_mut().unwrap().remove(field);
    json
}

/// What stands in a file.
#[test]
fn rows_read_as_people_write_them() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    fdb.add(VNI, mac(1), NewEntry::to(remote(&tables, 7)).router().origin(1, 2)).unwrap();
    let row = fdb.rows(&fdb.get(NOW, VNI, mac(1)).unwrap()).next().unwrap();
    let text = json!({
        "vni": 42,
        "mac": "02:00:00:00:00:01",
        "target": { "Remote": {
            "address": "192.0.2.7", "port": 4789, "vni": null, "egress": 0, "next_hop": null, "mtu": 0,
            "quota": "Own",
        } },
        "state": "Permanent",
        "router": true,
        "sticky": false,
        "origin": 1,
        "cookie": 2,
        "age": null,
    });
    assert_eq!(serde_json::to_value(row).unwrap(), text);

    // What may be left out cannot be misspelt.
    let without_age = without(&text, "age");
    assert_eq!(serde_json::from_value::<Row>(without_age.clone()).unwrap(), row);
    let mut misspelt = without_age;
    misspelt["ages"] = json!(null);
    assert!(refusal::<Row>(misspelt).contains("unknown field"));
    let mut misspelt = without(&text["target"]["Remote"], "vni");
    misspelt["vnii"] = json!(7);
    assert!(refusal::<Remote>(misspelt).contains("unknown field"));

    for (field, value, why) in [
        ("vni", json!(0x100_0000), "too large for a Vni"),
        ("mac", json!("02:00:00:00:00"), "not a MAC address"),
        ("target", json!("Somewhere"), "unknown variant"),
        ("target", json!({ "Group": -1 }), "expected u32"),
        ("state", json!("permanent"), "unknown variant"),
        ("router", json!(1), "expected a boolean"),
        ("origin", json!(256), "expected u8"),
        ("age", json!({ "secs": u64::MAX, "nanos": 1_000_000_000 }), "overflow"),
    ] {
        let mut text = text.clone();
        text[field] = value;
        let said = refusal::<Row>(text);
        assert!(said.contains(why), "{said}");
    }
    for (field, value, why) in [
        ("address", json!("192.0.2"), "invalid IP address syntax"),
        ("port", json!(65_536), "expected u16"),
        ("vni", json!(0x100_0000), "too large for a Vni"),
        ("next_hop", json!("02"), "not a MAC address"),
        ("quota", json!({ "Shared": 65_536 }), "expected u16"),
    ] {
        let mut remote = text["target"]["Remote"].clone();
        remote[field] = value;
        let said = refusal::<Remote>(remote);
        assert!(said.contains(why), "{said}");
    }
}

/// What is not said is as it is by default; a filter that says nothing names all.
#[test]
fn settings_need_not_say_everything() {
    assert_eq!(serde_json::from_value::<Settings>(json!({})).unwrap(), Settings::default());
    assert_eq!(serde_json::from_value::<Capacity>(json!({})).unwrap(), Capacity::default());
    assert_eq!(serde_json::from_value::<Filter>(json!({})).unwrap(), Filter::ALL);
    assert!(refusal::<Filter>(json!({ "orgin": 7 })).contains("unknown field `orgin`"));
    assert!(refusal::<Settings>(json!({ "aging": "Never" })).contains("unknown field"));
    assert!(refusal::<Capacity>(json!({ "vni": 1 })).contains("unknown field"));
    let settings: Settings = serde_json::from_value(json!({ "ageing": "Never", "snooping": "All" })).unwrap();
    assert_eq!((settings.ageing, settings.snooping), (Ageing::Never, Snooping::All));
    assert!(refusal::<Settings>(json!({ "quota_limit": -1 })).contains("expected u32"));
    assert!(refusal::<Capacity>(json!({ "vnis": 1u64 << 32 })).contains("expected u32"));
    assert!(refusal::<Filter>(json!({ "remote_vni": 1 << 24 })).contains("too large for a Vni"));
    assert!(refusal::<Instant>(json!(-1)).contains("expected u64"));
}

/// Read back without it, it would name entries of all groups.
#[test]
fn a_filter_that_names_a_group_is_not_written() {
    let tables = tables(small(), Settings::default());
    let group = tables.lists().add_group(&[remote(&tables, 1)]).unwrap();
    let mut filter = Filter::ALL;
    filter.group = Some(group);
    assert!(serde_json::to_string(&filter).unwrap_err().to_string().contains("next-hop group"));
}

/// A capacity that cannot be is refused where tables are built, however it was read.
#[test]
fn a_capacity_past_its_bounds_builds_nothing() {
    let capacity: Capacity = serde_json::from_value(json!({ "vnis": 0x1_0000 })).unwrap();
    let built = encap::table::Tables::with_capacity(capacity, Settings::default(), [1, 2]);
    assert_eq!(built.unwrap_err().to_string(), "capacity for 65536 vnis: at most 65535");
}
