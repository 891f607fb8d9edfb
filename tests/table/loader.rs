//! The reader of examples/fdb on lines that `bridge` and `ip` print; and what tests of it share.

#[path = "../../examples/fdb/bridge.rs"]
mod bridge;
#[path = "../../examples/fdb/load.rs"]
mod load;
#[path = "../../examples/fdb/neigh.rs"]
mod neigh;
#[path = "../../examples/fdb/words.rs"]
mod words;

use std::collections::HashSet;

use encap::{
    table::{Line, Row, Settings, State, Tables, Target},
    time::Instant,
    wire::{MacAddr, Vni},
};

pub(crate) use self::load::{Entries, Names, Neighbors, Remark, Report};
use self::words::Form;
use crate::common::{NOW, VNI, tables};

pub(crate) type Boxed = Tables<Box<[Line]>>;

/// Tables with what two texts say, and what of those is not in them.
pub(crate) fn load(names: &Names, fdb: &str, neigh: &str) -> (Boxed, Entries, Neighbors) {
    let (fdb, neigh) = (words::records(fdb, Form::Fdb).unwrap(), words::records(neigh, Form::Neigh).unwrap());
    let tables = tables(load::capacity(fdb.len(), neigh.len()), Settings::default());
    let of_fdb = load::fdb(&tables, names, NOW, &fdb, |remote| tables.remotes().find_or_add(remote));
    let of_neigh = load::neighbors(&tables, names, NOW, &neigh, HashSet::new());
    (tables, of_fdb, of_neigh)
}

/// What is in tables, in lines.
pub(crate) fn print(tables: &Boxed, port: u16, says_vni: bool) -> Vec<String> {
    let fdb = tables.fdb();
    let mut entries: Vec<_> = fdb.dump(NOW).collect();
    entries.sort_by_key(|entry| (entry.vni, entry.mac));
    let show = |entry| {
        let show = fdb.show(entry).default_port(port);
        if says_vni { format!("{show:#}") } else { show.to_string() }
    };
    entries.iter().map(show).flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

pub(crate) fn names() -> Names {
    let via = Some([("eth0".to_owned(), 2)].into());
    Names { vni: Some(VNI), via, port: 4789, ..Names::default() }
}

/// What text says of rows: who learned an entry and when it does not say.
pub(crate) fn rows(tables: &Boxed) -> Vec<(Vni, MacAddr, Target, State, bool, bool)> {
    let fdb = tables.fdb();
    let mut entries: Vec<_> = fdb.dump(NOW).collect();
    entries.sort_by_key(|entry| (entry.vni, entry.mac));
    let said = |row: Row| {
        let state = if row.state == State::Learned { State::Dynamic } else { row.state };
        (row.vni, row.mac, row.target, state, row.router, row.sticky)
    };
    entries.iter().flat_map(|entry| fdb.rows(entry)).map(said).collect()
}

/// Lines that iproute2 prints, and what becomes of them.
#[test]
fn lines_of_bridge() {
    let is = |line: &str, expected: &str, remarks: &[&str]| {
        let (tables, report, _) = load(&names(), line, "");
        assert_eq!(print(&tables, 4789, false).join("\n"), expected, "{line}");
        let said: Vec<String> = report.remarks.iter().map(|(_, remark)| remark.to_string()).collect();
        assert_eq!(said, remarks, "{line}");
    };
    let same = |line: &str| is(line, line, &[]);
    let refused = |line: &str, why: &str| is(line, "", &[&format!("not used: {why}")]);

    same("5e:f8:4f:00:e3:37 dst 10.168.0.3 self permanent");
    same("5e:f8:4f:00:e3:38 dst 10.168.0.3 port 5000 self permanent");
    same("5e:f8:4f:00:e3:3b dst 10.168.0.3 port 5000 vni 77 self router static");
    same("5e:f8:4f:00:e3:40 dst 10.168.0.3 self sticky static");
    same("5e:f8:4f:00:e3:3c dst 10.168.0.3 self extern_learn");
    same("5e:f8:4f:00:e3:3e dst 0.0.0.0 self permanent");
    // A multicast group (iproute2: `group`).
    same("00:00:00:00:00:00 dst 239.1.1.1 via 2 self permanent");
    // Entries that age end in a space.
    is("5e:f8:4f:00:e3:3d dst 10.168.0.3 self ", "5e:f8:4f:00:e3:3d dst 10.168.0.3 self", &[]);
    is(
        "00:00:00:00:00:00 dev vxlan0 dst 192.0.2.9 via eth0 used 12/34 self permanent",
        "00:00:00:00:00:00 dst 192.0.2.9 via 2 self permanent",
        &[],
    );
    is(
        "5e:f8:4f:00:e3:3c dev vx0 dst fd00::2 used 0/0 self extern_learn offload ",
        "5e:f8:4f:00:e3:3c dst fd00::2 self extern_learn",
        &["used without offload"],
    );
    is(
        "5e:f8:4f:00:e3:3c dev vx0 dst 10.168.0.3 self router extern_learn sticky static",
        "5e:f8:4f:00:e3:3c dst 10.168.0.3 self router sticky static",
        &["used without extern_learn"],
    );
    is("5e:f8:4f:00:e3:53 dst :: self permanent", "5e:f8:4f:00:e3:53 dst 0.0.0.0 self permanent", &[]);

    refused("33:33:00:00:00:01 dev vxlan0 self permanent", "it has no destination (dst)");
    refused("aa:00:00:00:00:01 dev vx0 master br0", "it is of the bridge br0");
    refused("aa:00:00:00:00:01 dev vx0 vlan 1 master br0 permanent", "it is of the bridge br0");
    refused("aa:00:00:00:00:01 dev vx0 vlan 1 offload master sticky static", "it is of a bridge");
    refused("aa:00:00:00:00:01 dev vx0 extern_learn master sticky master br0 ", "it is of the bridge br0");
    refused("aa:00:00:00:00:01 dev eth0 vlan 7 self permanent", "entries of tunnels have no VLAN");
    refused("5e:f8:4f:00:e3:42 nhid 10 self permanent", "the members of next-hop group 10 are not known");
    refused(
        "5e:f8:4f:00:e3:42 dst 192.0.2.1 via eth9 self permanent",
        "the number of its interface eth9 is not known",
    );
    refused(
        "5e:f8:4f:00:e3:42 dst 192.0.2.1 via ifindex 3 link-netnsid 0 self permanent",
        "via an interface of another network namespace",
    );
    refused("00:00:00:00:00:00 dst 255.255.255.255 self permanent", "the address is no unicast address");
    let group = |via| format!("00:00:00:00:00:00 dst 239.1.1.1 via {via} self permanent");
    is(&group("eth0"), &group("2"), &[]);
    refused("5e:f8:4f:00:e3:42 dst 192.0.2.1 self stale", "stale is not a word of a tunnel's entry");
    refused(
        "Deleted 5e:f8:4f:00:e3:42 dst 192.0.2.1 self",
        "a line begins with Deleted: not a MAC address: six hexadecimal bytes with colons between them are needed",
    );
    refused("5e:f8:4f:00:e3:42 dst 192.0.2 self", "dst 192.0.2: invalid IP address syntax");
    refused("5e:f8:4f:00:e3:42 dst 192.0.2.1 dst 192.0.2.2 self", "dst twice");
    refused(
        "5e:f8:4f:00:e3:42 dst 192.0.2.1 vni 16777216 self",
        "vni 16777216: 16777216 is too large for a Vni: at most 16777215",
    );
    refused("5e:f8:4f:00:e3:42 self dst", "nothing follows dst");
}

#[test]
fn where_packets_leave_can_be_left_to_others() {
    let names = Names { via: None, ..names() };
    let text = "02:00:00:00:00:01 dst 192.0.2.1 via eth9 self permanent\n\
        02:00:00:00:00:02 dst 192.0.2.1 via 3 self permanent";
    let (tables, report, _) = load(&names, text, "");
    assert_eq!((report.remarks, tables.remotes().count()), (vec![], 1));
    assert_eq!(
        print(&tables, 4789, false),
        [1, 2].map(|last| format!("02:00:00:00:00:0{last} dst 192.0.2.1 self permanent"))
    );
}

/// Lines of the same entry.
#[test]
fn lines_are_counted_and_entries_are_not_said_twice() {
    let text = "# a comment\n\n\
        00:00:00:00:00:00 dst 192.0.2.1 self permanent\n\
        00:00:00:00:00:00 dst 192.0.2.2 self permanent\n\
        00:00:00:00:00:00 dst 192.0.2.1 self permanent\n\
        00:00:00:00:00:00 dst 192.0.2.3 self static\n\
        02:00:00:00:00:01 dst 192.0.2.1 self permanent\n\
        02:00:00:00:00:01 dst 192.0.2.2 self permanent\n";
    let (tables, report, _) = load(&names(), text, "");
    let remarks: Vec<String> =
        report.remarks.iter().map(|(number, remark)| format!("{number}: {remark}")).collect();
    assert_eq!(
        remarks,
        [
            "5: not used: an earlier line says the same",
            "6: used for the whole entry: earlier lines have another state or other flags",
            "8: not used: there is an entry of this key already",
        ]
    );
    assert_eq!(report.used.len(), 4);
    assert_eq!(tables.fdb().count(), 2);
}

#[test]
fn devices_say_the_vni() {
    let devices = [("vx0".to_owned(), Some(Vni::truncate(7))), ("vx1".to_owned(), None)].into();
    let names = Names { devices, port: 4789, ..Names::default() };
    let text = "02:00:00:00:00:01 dev vx0 dst 192.0.2.1 self\n\
        02:00:00:00:00:01 dev vx1 dst 192.0.2.1 src_vni 8 self\n\
        02:00:00:00:00:01 dev vx1 dst 192.0.2.1 self\n\
        02:00:00:00:00:01 dev vx2 dst 192.0.2.1 src_vni 9 self\n\
        02:00:00:00:00:02 dst 192.0.2.1 self\n";
    let (tables, report, _) = load(&names, text, "");
    assert_eq!(
        print(&tables, 4789, true),
        [7, 8].map(|vni| format!("02:00:00:00:00:01 dst 192.0.2.1 src_vni {vni} self"))
    );
    let unused = |why: &str| Remark::Unused(why.into());
    let unknown = unused("its VNI is not known");
    let other = unused("vx2 is none of the devices asked for");
    assert_eq!(report.remarks, [(3, unknown.clone()), (4, other), (5, unknown)]);

    // The line knows best, then the device.
    let names = Names { vni: Some(VNI), ..names };
    let (tables, ..) = load(&names, text, "");
    let vnis: Vec<u32> = rows(&tables).iter().map(|row| row.0.value()).collect();
    assert_eq!(vnis, [7, 8, 42, 42]);
}

/// `bridge -s -j fdb show` and `ip -j neigh show`, as they print it.
#[test]
fn json_says_the_same_as_text() {
    let text = "5e:f8:4f:00:e3:51 dev vx1 dst 10.168.0.3 port 4800 vni 200 src_vni 100 via eth0 used 1/2 self permanent\n\
        5e:f8:4f:00:e3:3c dst 10.168.0.3 used 0/0 self router extern_learn sticky static\n\
        5e:f8:4f:00:e3:3d dst 10.168.0.3 self \n\
        5e:f8:4f:00:e3:42 nhid 10 self permanent\n\
        5e:f8:4f:00:e3:43 dev vx0 master br0 \n";
    let json = r#"[
        {"mac":"5e:f8:4f:00:e3:51","ifname":"vx1","dst":"10.168.0.3","port":4800,"vni":200,"src_vni":100,
         "viaIf":"eth0","used":1,"updated":2,"flags":["self"],"state":"permanent"},
        {"mac":"5e:f8:4f:00:e3:3c","dst":"10.168.0.3","used":0,"updated":0,
         "flags":["self","router","extern_learn","sticky"],"state":"static"},
        {"mac":"5e:f8:4f:00:e3:3d","dst":"10.168.0.3","flags":["self"],"state":""},
        {"mac":"5e:f8:4f:00:e3:42","nhid":10,"flags":["self"],"state":"permanent"},
        {"mac":"5e:f8:4f:00:e3:43","ifname":"vx0","flags":[],"master":"br0","state":""}
    ]"#;
    let neigh = "10.1.1.3 dev vx0 lladdr 02:00:00:00:00:03 extern_learn NOARP \n\
        10.1.1.2 lladdr 02:00:00:00:00:02 router  ref 1 used 0/0/0probes 0 REACHABLE \n\
        10.1.1.4  used 0/0/0probes 6 FAILED \n";
    let neigh_json = r#"[
        {"dst":"10.1.1.3","dev":"vx0","lladdr":"02:00:00:00:00:03","extern_learn":null,"state":["NOARP"]},
        {"dst":"10.1.1.2","lladdr":"02:00:00:00:00:02","router":null,"refcnt":1,"used":0,"confirmed":0,
         "updated":0,"probes":0,"state":["REACHABLE"]},
        {"dst":"10.1.1.4","used":0,"confirmed":0,"updated":0,"probes":6,"state":["FAILED"]}
    ]"#;
    let (of_text, fdb, neighbors) = load(&names(), text, neigh);
    let (of_json, fdb_json, neighbors_json) = load(&names(), json, neigh_json);
    assert_eq!((fdb.used.len(), fdb.remarks), (fdb_json.used.len(), fdb_json.remarks.clone()));
    assert_eq!((&neighbors.used, &neighbors.remarks), (&neighbors_json.used, &neighbors_json.remarks));
    assert_eq!((fdb_json.used.len(), fdb_json.remarks.len()), (3, 3));
    assert_eq!(neighbors_json.used.len(), 3);
    assert_eq!(rows(&of_text), rows(&of_json));
    assert_eq!(print(&of_text, 4789, true), print(&of_json, 4789, true));

    for (json, why) in [
        (r#"[1]"#, "not an object"),
        (r#"[{"dst":"192.0.2.1"}]"#, "no mac"),
        (r#"[{"mac":"02:00:00:00:00:01","rank":7}]"#, "rank is not a word of a tunnel's entry"),
        (r#"[{"mac":"02:00:00:00:00:01","dst":{}}]"#, "dst: {} is not expected"),
    ] {
        let (_, report, _) = load(&names(), json, "");
        assert_eq!(report.remarks, [(1, Remark::Unused(why.into()))]);
    }
    assert!(words::records("[", Form::Fdb).is_err());
}

#[test]
fn lines_of_a_vni_that_is_not_there_are_not_used() {
    let known = [VNI].into();
    let fdb = "02:00:00:00:00:01 dst 192.0.2.1 self\n02:00:00:00:00:02 dst 192.0.2.1 src_vni 77 self";
    let neigh = "10.1.0.1 lladdr 02:00:00:00:00:01 vni 77 PERMANENT";
    let (_, of_fdb, of_neigh) = load(&Names { known, ..names() }, fdb, neigh);
    let unused = || Remark::Unused("VNI 77 is none of ours".into());
    assert_eq!((of_fdb.used.len(), of_fdb.remarks), (1, vec![(2, unused())]));
    assert_eq!((of_neigh.used.len(), of_neigh.remarks), (0, vec![(1, unused())]));
}

#[test]
fn lines_of_ip_neigh() {
    let is = |line: &str, expected: &str, remarks: &[&str]| {
        let (tables, _, report) = load(&names(), "", line);
        let lines: Vec<String> = tables.neighbors().dump(NOW).map(|entry| entry.to_string()).collect();
        assert_eq!(lines.join("\n"), expected, "{line}");
        let said: Vec<String> = report.remarks.iter().map(|(_, remark)| remark.to_string()).collect();
        assert_eq!(said, remarks, "{line}");
    };
    let refused = |line: &str, why: &str| is(line, "", &[&format!("not used: {why}")]);
    is(
        "10.1.1.2 dev vx0 lladdr 02:00:00:00:00:02 router REACHABLE ",
        "10.1.1.2 lladdr 02:00:00:00:00:02 router REACHABLE",
        &[],
    );
    is("fd00:1::1 lladdr 02:00:00:00:00:01 STALE", "fd00:1::1 lladdr 02:00:00:00:00:01 STALE", &[]);
    is("10.1.1.9 dev vx0  FAILED", "10.1.1.9 FAILED", &[]);
    for line in ["extern_learn offload protocol zebra NOARP", "extern_learn offload NOARP proto zebra "] {
        is(
            &format!("10.1.1.3 dev vx0 lladdr 02:00:00:00:00:03 {line}"),
            "10.1.1.3 lladdr 02:00:00:00:00:03 NOARP",
            &["used without extern_learn", "used without offload", "used without protocol"],
        );
    }
    refused("10.1.1.9 dev vx0 proxy", "it is an address to answer for, not a neighbour");
    refused("10.1.1.9 dev vx0 lladdr 02:00:00:00:00:03", "it has no state");
    refused("10.1.1.9 dev vx0 lladdr 02:00:00:00:00:03 NONE", "NONE is not a word of a neighbour");
    refused("10.1.1.9 dev vx0 REACHABLE", "it has no MAC address (lladdr)");
    refused("ff02::1 dev vx0 lladdr 33:33:00:00:00:01 NOARP", "the address is no unicast address");
}

/// The files that come with the example.
#[test]
fn samples() {
    let devices = [("vx0".to_owned(), Some(VNI)), ("vx1".to_owned(), None)].into();
    let (tables, fdb, neigh) = load(
        &Names { devices, vni: None, ..names() },
        include_str!("../../examples/fdb/sample.fdb"),
        include_str!("../../examples/fdb/sample.neigh"),
    );
    let numbers = |remarks: &[(usize, Remark)]| remarks.iter().map(|(number, _)| *number).collect::<Vec<_>>();
    assert_eq!((fdb.used.len(), numbers(&fdb.remarks)), (9, vec![2, 3, 4, 10, 12]));
    assert_eq!((neigh.used.len(), numbers(&neigh.remarks)), (5, vec![2, 6, 8]));
    assert_eq!((tables.fdb().count(), tables.neighbors().count()), (8, 5));
    assert!(tables.fdb().dump(Instant::ZERO).count() > 0);
}

/// Whoever reads a file again loads with a later mark: what the file says differently is different then, and what it
/// says no more can be told from what it says.
#[test]
fn what_was_loaded_before_is_loaded_over() {
    let tables = tables(load::capacity(8, 8), Settings::default());
    let of_time = |time| Names { mark: (7, time), ..names() };
    let text = "00:00:00:00:00:00 dst 192.0.2.1 self permanent\n\
        00:00:00:00:00:00 dst 192.0.2.2 self permanent\n\
        02:00:00:00:00:01 dst 192.0.2.1 self permanent\n\
        02:00:00:00:00:02 dst 192.0.2.1 self permanent\n";
    let again = "00:00:00:00:00:00 dst 192.0.2.1 self permanent\n\
        00:00:00:00:00:00 dst 192.0.2.2 self permanent\n\
        02:00:00:00:00:01 dst 192.0.2.3 self static\n\
        02:00:00:00:00:01 dst 192.0.2.1 self static\n";
    let fdb = |text, time| {
        let records = words::records(text, Form::Fdb).unwrap();
        load::fdb(&tables, &of_time(time), NOW, &records, |remote| tables.remotes().find_or_add(remote))
    };
    let (first, second) = (fdb(text, 1), fdb(again, 2));
    assert_eq!((first.used.len(), first.remarks), (4, vec![]));
    assert_eq!(second.used.len(), 3);
    assert_eq!(second.remarks, [(4, Remark::Unused("there is an entry of this key already".into()))]);
    let _ = tables.fdb().sweep(NOW, 7, 2, encap::table::Cursor::default(), usize::MAX, |_| {});
    let left = [
        "00:00:00:00:00:00 dst 192.0.2.1 self permanent",
        "00:00:00:00:00:00 dst 192.0.2.2 self permanent",
        "02:00:00:00:00:01 dst 192.0.2.3 self static",
    ];
    assert_eq!(print(&tables, 4789, false), left);

    let neighbors = |text| {
        let records = words::records(text, Form::Neigh).unwrap();
        load::neighbors(&tables, &names(), NOW, &records, HashSet::new())
    };
    assert_eq!(neighbors("10.1.1.2 lladdr 02:00:00:00:00:02 PERMANENT\n").used.len(), 1);
    let moved = "10.1.1.2 lladdr 02:00:00:00:00:03 PERMANENT\n10.1.1.2 lladdr 02:00:00:00:00:04 PERMANENT\n";
    let report = neighbors(moved);
    assert_eq!((report.used.len(), report.remarks.len()), (1, 1));
    let printed: Vec<_> = tables.neighbors().dump(NOW).map(|neighbor| neighbor.to_string()).collect();
    assert_eq!(printed, ["10.1.1.2 lladdr 02:00:00:00:00:03 PERMANENT"]);
}
