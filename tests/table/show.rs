//! Entries in the words of `bridge fdb show`, and as rows.

use encap::{
    table::{Destination, NewEntry, Remote, RemoteId, Row, Settings, State, Tables, Target},
    wire::{MacAddr, Vni},
};

use crate::common::{NOW, VNI, mac, remote, small, tables};

fn special(tables: &Tables<Box<[encap::table::Line]>>) -> RemoteId {
    let remote = Remote::new([10, 168, 0, 3].into(), 5000).vni(Vni::truncate(77)).egress(3);
    tables.remotes().find_or_add(&remote).unwrap()
}

#[track_caller]
fn shows(new: impl Fn(&Tables<Box<[encap::table::Line]>>) -> NewEntry, text: &str) {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    fdb.add(VNI, mac(1), new(&tables)).unwrap();
    let entry = fdb.get(NOW, VNI, mac(1)).unwrap();
    assert_eq!(fdb.show(&entry).default_port(4789).to_string(), format!("02:00:00:00:00:01 {text}"));
    let line = fdb.rows(&entry).next().unwrap();
    assert_eq!(line.to_string(), fdb.show(&entry).to_string());
    assert_eq!(format!("{line:#}"), format!("{:#}", fdb.show(&entry)));
}

/// The words and their order are those of iproute2, `print_fdb` in bridge/fdb.c.
#[test]
fn words_of_bridge() {
    shows(|tables| remote(tables, 3).into(), "dst 192.0.2.3 self permanent");
    shows(|tables| special(tables).into(), "dst 10.168.0.3 port 5000 vni 77 via 3 self permanent");
    shows(|tables| NewEntry::to(remote(tables, 3)).as_static().sticky(), "dst 192.0.2.3 self sticky static");
    shows(|tables| NewEntry::to(remote(tables, 3)).dynamic(NOW), "dst 192.0.2.3 self");
    shows(
        |tables| NewEntry::to(remote(tables, 3)).extern_learn().router().sticky(),
        "dst 192.0.2.3 self router extern_learn sticky",
    );
    shows(|_| Destination::Local.into(), "dst 0.0.0.0 self permanent");
    shows(|_| NewEntry::to(Destination::Blackhole).router(), "blackhole self router permanent");
}

#[test]
fn what_is_learned_has_no_word_of_state() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    fdb.add_vni(VNI).unwrap();
    let _ = fdb.learn(NOW, VNI, mac(1), remote(&tables, 9));
    let entry = fdb.get(NOW, VNI, mac(1)).unwrap();
    assert_eq!(fdb.show(&entry).default_port(4789).to_string(), "02:00:00:00:00:01 dst 192.0.2.9 self");
    assert_eq!(fdb.show(&entry).to_string(), "02:00:00:00:00:01 dst 192.0.2.9 port 4789 self");
    let row = fdb.rows(&entry).next().unwrap();
    assert_eq!((row.state, row.age), (State::Learned, Some(core::time::Duration::ZERO)));
}

#[test]
fn a_line_for_each_remote() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    for last in [7, 8, 9] {
        let _ = fdb.append(VNI, MacAddr::ZERO, remote(&tables, last)).unwrap();
    }
    let _ = fdb.append(VNI, MacAddr::ZERO, special(&tables)).unwrap();
    let entry = fdb.get(NOW, VNI, MacAddr::ZERO).unwrap();
    assert_eq!(
        format!("{:#}", fdb.show(&entry).default_port(4789)),
        "00:00:00:00:00:00 dst 192.0.2.7 src_vni 42 self permanent\n\
         00:00:00:00:00:00 dst 192.0.2.8 src_vni 42 self permanent\n\
         00:00:00:00:00:00 dst 192.0.2.9 src_vni 42 self permanent\n\
         00:00:00:00:00:00 dst 10.168.0.3 port 5000 vni 77 src_vni 42 via 3 self permanent"
    );
    let rows: Vec<Row> = fdb.rows(&entry).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0].target, Target::Remote(Remote::new([192, 0, 2, 7].into(), 4789)));
}

/// Removed remotes leave the list; an entry without any is still one.
#[test]
fn a_list_without_remotes() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    let list = tables.lists().add_list(&[remote(&tables, 7), remote(&tables, 8)]).unwrap();
    fdb.add(VNI, MacAddr::BROADCAST, list).unwrap();
    let entry = fdb.get(NOW, VNI, MacAddr::BROADCAST).unwrap();
    tables.remotes().remove(remote(&tables, 7)).unwrap();
    let text = || fdb.show(&entry).default_port(4789).to_string();
    assert_eq!(text(), "ff:ff:ff:ff:ff:ff dst 192.0.2.8 self permanent");
    tables.remotes().remove(remote(&tables, 8)).unwrap();
    assert_eq!(text(), "ff:ff:ff:ff:ff:ff self permanent");
    assert_eq!(fdb.rows(&entry).map(|row| row.target).collect::<Vec<_>>(), [Target::Nobody]);
}

/// A group is one line: its members are no destinations of the entry's own.
#[test]
fn groups_have_numbers() {
    let tables = tables(small(), Settings::default());
    let (fdb, lists) = (tables.fdb(), tables.lists());
    let groups = [7, 8].map(|last| lists.add_group(&[remote(&tables, last), remote(&tables, 9)]).unwrap());
    for (number, group) in (1..).zip([groups[0], groups[0], groups[1]]) {
        fdb.add(VNI, mac(number), NewEntry::to(group).router()).unwrap();
    }
    let target = |number| {
        let entry = fdb.get(NOW, VNI, mac(number)).unwrap();
        let rows: Vec<Row> = fdb.rows(&entry).collect();
        let [Row { target: Target::Group(group), .. }] = rows[..] else { panic!("{rows:?}") };
        let text = format!("{} src_vni 42 nhid {group} self router permanent", mac(number));
        assert_eq!(format!("{:#}", fdb.show(&entry)), text);
        group
    };
    assert_eq!(target(1), target(2));
    assert_ne!(target(1), target(3));
    assert_eq!(target(1), 1, "to Linux, 0 is no group");
}
