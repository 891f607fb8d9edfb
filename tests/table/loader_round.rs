//! What tables print, the reader of examples/fdb reads back; and every line that it is given, it uses or reports.

use std::net::IpAddr;

use encap::{
    table::{Destination, NeighborState, NewEntry, NewNeighbor, Remote, Settings},
    wire::{MacAddr, Vni},
};
use proptest::prelude::*;

use crate::{
    common::{NOW, mac, small, tables},
    loader::{Boxed, Names, Remark, load, names, print, rows},
};

/// An operation on a table.
#[derive(Clone, Copy, Debug)]
struct Step {
    vni: u32,
    mac: MacAddr,
    /// A remote: address, port, VNI, egress.
    remote: Option<(IpAddr, u16, Option<u32>, u32)>,
    blackhole: bool,
    state: u8,
    router: bool,
    sticky: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mac = prop_oneof![
        4 => (0u32..20).prop_map(mac),
        1 => Just(MacAddr::ZERO),
        1 => Just(MacAddr::BROADCAST),
        1 => Just(MacAddr([1, 0, 0x5e, 0, 0, 5])),
    ];
    let address = prop_oneof![
        (1u8..9).prop_map(|last| [192, 0, 2, last].into()),
        (1u16..5).prop_map(|last| [0x2001, 0xdb8, 0, 0, 1, 0, 0, last].into()),
        any::<IpAddr>(),
    ];
    let port = prop_oneof![Just(0), Just(4789), Just(8472), any::<u16>()];
    let vni = prop::option::of(prop_oneof![Just(42), 0u32..1 << 24]);
    let remote = prop::option::weighted(0.8, (address, port, vni, prop_oneof![Just(0), any::<u32>()]));
    let rest = (any::<bool>(), 0u8..5, any::<bool>(), any::<bool>());
    let step = (41u32..44, mac, remote, rest).prop_map(|(vni, mac, remote, rest)| {
        let (blackhole, state, router, sticky) = rest;
        Step { vni, mac, remote, blackhole, state, router, sticky }
    });
    prop::collection::vec(step, 0..40)
}

fn apply(tables: &Boxed, step: Step) {
    let (fdb, vni) = (tables.fdb(), Vni::truncate(step.vni));
    let destination = match step.remote {
        Some((address, port, vni, egress)) => {
            let mut remote = Remote::new(address, port).egress(egress);
            remote.vni = vni.map(Vni::truncate);
            // Addresses of groups and of nobody are refused.
            let Ok(remote) = tables.remotes().find_or_add(&remote) else { return };
            if step.state == 4 {
                let _ = fdb.add_vni(vni_of(step));
                let _ = fdb.learn(NOW, vni_of(step), step.mac, remote);
                return;
            }
            Destination::Remote(remote)
        }
        None if step.blackhole => Destination::Blackhole,
        None => Destination::Local,
    };
    let new = NewEntry::to(destination).origin(step.state, 9);
    let new = match step.state {
        0 => new,
        1 => new.as_static(),
        2 => new.dynamic(NOW),
        _ => new.extern_learn(),
    };
    let new = if step.router { new.router() } else { new };
    let _ = fdb.append(vni, step.mac, if step.sticky { new.sticky() } else { new });
}

fn vni_of(step: Step) -> Vni {
    Vni::truncate(step.vni)
}

proptest! {
    /// What `show` prints, the loader reads back: the same tables, which print the same.
    #[test]
    fn what_is_printed_is_read_back(steps in steps(), port in prop::sample::select(vec![0u16, 4789, 8472])) {
        let first = tables(small(), Settings::default());
        for step in steps {
            apply(&first, step);
        }
        let text = print(&first, port, true);
        let (second, report, _) = load(&Names { vni: None, port, ..names() }, &text.join("\n"), "");
        prop_assert_eq!(&report.remarks, &[]);
        prop_assert_eq!(report.used.len(), text.len());
        prop_assert_eq!(rows(&second), rows(&first));
        prop_assert_eq!(print(&second, port, true), text);
    }

    /// The same of a device of one VNI, which does not say it.
    #[test]
    fn a_device_of_one_vni_is_read_back(steps in steps()) {
        let first = tables(small(), Settings::default());
        for step in steps {
            apply(&first, Step { vni: 42, ..step });
        }
        let text = print(&first, 4789, false);
        let (second, report, _) = load(&names(), &text.join("\n"), "");
        prop_assert_eq!(&report.remarks, &[]);
        prop_assert_eq!(rows(&second), rows(&first));
        prop_assert_eq!(print(&second, 4789, false), text);
    }

    #[test]
    fn neighbours_are_read_back(
        neighbors in prop::collection::vec((any::<IpAddr>(), 0usize..8, any::<bool>(), 41u32..44), 0..40),
    ) {
        let first = tables(small(), Settings::default());
        for (number, (address, state, router, vni)) in (1..).zip(neighbors) {
            let new = NewNeighbor::new(mac(number)).state(STATES[state], NOW);
            let new = if router { new.router() } else { new };
            // Addresses of groups and of nobody are refused.
            let _ = first.neighbors().add(Vni::truncate(vni), address, new);
        }
        let print = |tables: &Boxed| {
            let mut lines: Vec<_> = tables.neighbors().dump(NOW).map(|entry| format!("{entry:#}")).collect();
            lines.sort();
            lines
        };
        let (second, _, report) = load(&Names::default(), "", &print(&first).join("\n"));
        prop_assert_eq!(&report.remarks, &[]);
        prop_assert_eq!(print(&second), print(&first));
    }

    /// Every line is used or reported, whatever it is made of.
    #[test]
    fn nothing_is_lost_in_silence(
        lines in prop::collection::vec(prop::collection::vec(prop::sample::select(&WORDS[..]), 1..9), 0..20),
    ) {
        let text: Vec<String> = lines.iter().map(|words| words.join(" ")).collect();
        let (tables, fdb, neigh) = load(&names(), &text.join("\n"), &text.join("\n"));
        for (used, remarks) in [(fdb.used.len(), fdb.remarks), (neigh.used.len(), neigh.remarks)] {
            let unused = remarks.iter().filter(|(_, remark)| !matches!(remark, Remark::Partly(_))).count();
            prop_assert_eq!(used + unused, lines.len());
        }
        let printed = print(&tables, 4789, true);
        prop_assert!(printed.len() <= lines.len());
    }
}

const STATES: [NeighborState; 8] = [
    NeighborState::Permanent,
    NeighborState::NoArp,
    NeighborState::Reachable,
    NeighborState::Stale,
    NeighborState::Delay,
    NeighborState::Probe,
    NeighborState::Incomplete,
    NeighborState::Failed,
];

const WORDS: [&str; 30] = [
    "00:00:00:00:00:00",
    "02:00:00:00:00:01",
    "192.0.2.1",
    "2001:db8::1",
    "0.0.0.0",
    "dev",
    "vx0",
    "dst",
    "port",
    "4789",
    "vni",
    "77",
    "src_vni",
    "via",
    "eth0",
    "ifindex",
    "nhid",
    "used",
    "3/4",
    "self",
    "router",
    "extern_learn",
    "offload",
    "sticky",
    "master",
    "permanent",
    "static",
    "lladdr",
    "PERMANENT",
    "blackhole",
];
