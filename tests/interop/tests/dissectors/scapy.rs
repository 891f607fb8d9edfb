//! What scapy builds, the library reads.

use std::{collections::BTreeMap, env, fs, time::Duration};

use encap::{
    tunnel::{Encapsulation, Profile, inspect},
    wire::{checksum::State, erspan},
};
use interop::{Folder, Need, Running, require};
use serde_json::Value;

use crate::COUNT;

/// Packets with random fields, one a line: hexadecimal, what is in the tunnel, and the fields.
const SCAPY: &str = include_str!("build.py");

#[test]
fn we_read_what_scapy_builds() {
    require!(Need::Python("scapy"));
    let folder = Folder::new("scapy");
    let script = folder.0.join("build.py");
    fs::write(&script, SCAPY).unwrap();
    let seed = env::var("INTEROP_SEED").unwrap_or("7348".to_owned());
    let words = ["python3", script.to_str().unwrap(), &seed, &COUNT.to_string()];
    let output = Running::start(words).finish(Duration::from_secs(120)).ok();
    let mut kinds = BTreeMap::<String, usize>::new();
    for line in output.lines() {
        let built: Value = serde_json::from_str(line).unwrap();
        let kind = built["kind"].as_str().unwrap();
        *kinds.entry(kind.to_owned()).or_default() += 1;
        let packet = hex(&built["hex"]);
        let seen = inspect(&packet, &Profile::ANALYSIS);
        let layers: Vec<_> = seen.layers().collect();
        let last = layers.last().unwrap_or_else(|| panic!("nothing seen: {line}"));
        assert!(seen.anomalies().is_empty(), "{:?}: {line}", seen.anomalies());
        // A guess by form: GRE's frames with nothing but a key.
        let is_nvgre = matches!(last.encapsulation, Encapsulation::Nvgre(_));
        assert_eq!(if is_nvgre { "gre" } else { last.name() }, kind, "{line}");
        assert_eq!(packet[last.payload.clone()], hex(&built["payload"]), "{line}");
        let facts = layers[0].outer;
        assert_eq!(
            (facts.ttl.into(), facts.ds_field.into()),
            (number_of(&built["ttl"]), number_of(&built["ds"])),
            "{line}"
        );
        let udp = !matches!(kind, "gre" | "erspan2" | "erspan3");
        assert_eq!(facts.udp_checksum, if udp { State::Good } else { State::Absent }, "{line}");
        let vni = last.encapsulation.vni().filter(|_| !is_nvgre).map(|vni| u64::from(vni.value()));
        assert_eq!(vni, built["vni"].as_u64(), "{line}");
        match last.encapsulation {
            Encapsulation::VxlanGbp(header) => {
                let policy = header.group_policy().unwrap();
                assert_eq!(u64::from(policy.id), number_of(&built["group"]), "{line}");
            }
            Encapsulation::Gre { header, checksum } => {
                assert_eq!(header.key.map(|key| key.0.into()), built["key"].as_u64(), "{line}");
                assert_eq!(header.sequence.map(u64::from), built["seq"].as_u64(), "{line}");
                let expected = if built["checksum"] == true { State::Good } else { State::Absent };
                assert_eq!(checksum, expected, "{line}");
            }
            Encapsulation::Nvgre(header) => {
                let key = header.vsid.value() << 8 | u32::from(header.flow_id);
                assert_eq!(u64::from(key), number_of(&built["key"]), "{line}");
            }
            Encapsulation::Geneve(_) => {
                let options: Vec<_> = last.geneve_options(&packet).map(|option| option.unwrap()).collect();
                let said = built["options"].as_array().unwrap();
                assert_eq!(options.len(), said.len(), "{line}");
                for (option, said) in options.iter().zip(said) {
                    let (class, kind) = (number_of(&said[0]), number_of(&said[1]));
                    let found = (u64::from(option.class.0), u64::from(option.kind.0), option.data.to_vec());
                    assert_eq!(found, (class, kind, hex(&said[2])), "{line}");
                }
            }
            Encapsulation::Erspan(header) => {
                let found = (header.session.value().into(), header.vlan.value().into());
                assert_eq!(found, (number_of(&built["session"]), number_of(&built["vlan"])), "{line}");
                match header.kind {
                    erspan::Kind::II { index } => {
                        assert_eq!(Some(index.value().into()), built["index"].as_u64())
                    }
                    erspan::Kind::III { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            _ => {}
        }
    }
    assert_eq!(kinds.values().sum::<usize>(), COUNT);
    assert!(kinds.len() == 8 && kinds.values().all(|count| *count > COUNT / 20), "{kinds:?}");
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[track_caller]
fn number_of(value: &Value) -> u64 {
    value.as_u64().unwrap()
}
