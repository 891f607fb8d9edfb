//! What the command line and the files say together.

use super::*;
use crate::{config, segments};

const NOW: Instant = Instant::from_secs(1);

/// The engine that the program makes, with what the command line and the files say.
fn filled(options: &str, files: &Files) -> (Engine, Vec<Segment>, Common) {
    let words = ["vtep", "--local", "10.99.0.2"].into_iter().chain(options.split_whitespace());
    let (segments, args) = segments::parse(words).unwrap();
    let capacity = config::capacity(&segments, files, &args);
    let vtep = Engine::with_capacity(config::config(&segments, &args), capacity, [1, 2]).unwrap();
    fill(&vtep, &segments, &args, files, 1, NOW).unwrap();
    (vtep, segments, args)
}

fn records(text: &str, form: Form) -> Vec<Record> {
    loader::records(text, form).unwrap()
}

#[test]
fn there_is_room_for_what_the_command_line_says() {
    let trunk = (1..=1_750).map(|n| format!(" --vlan {n}={n} --remote 10.99.0.1"));
    let (vtep, ..) =
        filled(&format!("--maxaddress 4 --tap t{}", trunk.collect::<String>()), &Files::default());
    assert_eq!(vtep.fdb().dump(NOW).count(), 1_750);
    let address = |n: u32| format!("10.{}.{}.{}", n >> 16, n >> 8 & 0xff, n & 0xff);
    let mac = |n: u32| format!("02:00:00:00:{:02x}:{:02x}", n >> 8, n & 0xff);
    let entries =
        (1..=1_500).map(|n| format!(" --fdb {}={} --fdb 00:00:00:00:00:00={1}", mac(n), address(n)));
    let entries = entries.collect::<String>();
    let neighbors = (1..=5_000).map(|n| format!(" --neigh {}={}", address(n), mac(n))).collect::<String>();
    let routes = (1..=5_000).map(|n| format!(" --route {}/32=10.0.0.1", address(n))).collect::<String>();
    let (vtep, ..) = filled(
        &format!("--tap t --l3 --mac 02:00:00:00:00:0b --vni 1{entries}{neighbors}{routes}"),
        &Files::default(),
    );
    assert_eq!((vtep.remotes().iter().count(), vtep.fdb().dump(NOW).count()), (1_500, 1_501));
    assert_eq!((vtep.neighbors().dump(NOW).count(), vtep.routes().dump().count()), (5_000, 5_000));
}

#[test]
fn what_found_no_room_is_in_the_tables_after_the_quiet_time() {
    let file = |generation: u32| {
        let line = |n| {
            format!(
                "02:00:00:{generation:02x}:{:02x}:{:02x} dst 10.{generation}.{0}.{1} self",
                n / 250,
                n % 250
            )
        };
        let text = (1..=600).map(line).collect::<Vec<_>>().join("\n");
        Files { entries: records(&text, Form::Fdb), ..Files::default() }
    };
    let (vtep, segments, args) = filled("--tap a --vni 1 --fdb-file FILE", &file(1));
    let worker = vtep.register().unwrap();
    let mut waiting = 0;
    for generation in 2..7 {
        waiting = fill(&vtep, &segments, &args, &file(generation), generation, NOW).unwrap();
    }
    assert!(waiting > 0 && waiting + vtep.fdb().dump(NOW).count() == 600, "{waiting}");
    vtep.quiesce(&worker);
    assert_eq!(fill(&vtep, &segments, &args, &file(6), 7, NOW).unwrap(), 0);
    assert_eq!(vtep.fdb().dump(NOW).count(), 600);
}

#[test]
fn what_the_command_line_says_stays() {
    let entries =
        "02:00:00:00:00:01 dst 10.99.0.3 self permanent\n02:00:00:00:00:02 dst 10.99.0.3 self permanent";
    let neighbors =
        "10.1.0.1 lladdr 02:00:00:00:00:09 PERMANENT\n10.1.0.2 lladdr 02:00:00:00:00:09 PERMANENT";
    let files = Files { entries: records(entries, Form::Fdb), neighbors: records(neighbors, Form::Neigh) };
    let options = "--tap a --vni 1 --fdb 02:00:00:00:00:01=10.99.0.1 --neigh 10.1.0.1=02:00:00:00:00:01";
    let (vtep, segments, args) = filled(options, &files);
    for generation in 2..4 {
        let vni = segments[0].vni;
        let to = |last| {
            let entry = vtep.fdb().get(NOW, vni, MacAddr([2, 0, 0, 0, 0, last])).unwrap();
            vtep.fdb().remotes_of(entry.destination).next().and_then(|id| vtep.remotes().get(id)).unwrap()
        };
        assert_eq!(
            [1, 2].map(|last| to(last).address),
            ["10.99.0.1", "10.99.0.3"].map(|to| to.parse::<IpAddr>().unwrap())
        );
        let mut neighbors: Vec<_> = vtep.neighbors().dump(NOW).map(|it| (it.address, it.mac.0[5])).collect();
        neighbors.sort_unstable();
        assert_eq!(neighbors, [([10, 1, 0, 1].into(), 1), ([10, 1, 0, 2].into(), 9)]);
        fill(&vtep, &segments, &args, &files, generation, NOW).unwrap();
    }
}

#[test]
fn lines_to_which_there_is_no_way_are_not_used() {
    let entries = "02:00:00:00:00:01 dst 10.99.0.3 self permanent\n\
        02:00:00:00:00:02 dst 2001:db8::3 self permanent\n\
        02:00:00:00:00:03 dst 10.99.0.3 port 0 self permanent\n\
        02:00:00:00:00:04 dst fe80::5 self permanent\n\
        02:00:00:00:00:05 dst fe80::5 via eth0 self permanent";
    let files = Files { entries: records(entries, Form::Fdb), ..Files::default() };
    for (local, used) in [("", 1), ("--local 2001:db8::1 ", 2)] {
        let (vtep, ..) = filled(&format!("{local}--tap a --vni 1"), &files);
        assert_eq!((vtep.fdb().dump(NOW).count(), vtep.remotes().iter().count()), (used, used), "{local}");
    }
}

#[test]
fn groups_of_files_are_joined_where_the_command_line_names_them_too() {
    let groups = "00:00:00:00:00:00 dst 239.1.1.1 self permanent\n\
        00:00:00:00:00:00 dst 239.1.1.2 self permanent\n\
        01:00:5e:00:00:05 dst 239.1.1.3 self permanent";
    let files = Files { entries: records(groups, Form::Fdb), ..Files::default() };
    let options = "--dev lo --tap a --vni 1 --remote 239.1.1.1 --fdb 00:00:00:00:00:00=239.1.1.3";
    let (vtep, segments, _) = filled(options, &files);
    let destinations = vtep.remotes().iter().map(|(id, _)| (segments[0].vni, MacAddr::ZERO, id.into()));
    assert_eq!(
        not_joined(&vtep, &segments, &destinations.collect()),
        BTreeSet::from([[239, 1, 1, 2].into()])
    );
}

#[test]
fn link_local_addresses_alone_are_of_the_device() {
    let entries = "02:00:00:00:00:01 dst fe80::5 via eth0 self permanent\n\
        02:00:00:00:00:02 dst 10.99.0.3 via eth0 self permanent\n\
        02:00:00:00:00:03 dst fe80::6 self permanent\n\
        02:00:00:00:00:04 dst 10.99.0.4 via 7 self permanent";
    let files = Files { entries: records(entries, Form::Fdb), ..Files::default() };
    let (vtep, _, args) = filled("--local fe80::2 --dev lo --tap a --vni 1", &files);
    let lo = setup::device(&args).unwrap().unwrap();
    let mut remotes: Vec<_> = vtep.remotes().iter().map(|(_, it)| (it.address, it.egress)).collect();
    remotes.sort_unstable();
    let at = |address: &str, egress| (address.parse::<IpAddr>().unwrap(), egress);
    assert_eq!(remotes, [at("10.99.0.3", 0), at("10.99.0.4", 0), at("fe80::5", lo), at("fe80::6", lo)]);
}
