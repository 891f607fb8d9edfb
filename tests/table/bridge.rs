//! Tables print what `bridge` and `ip` print of the same tunnel: Linux is told, asked, and what it says is loaded
//! and printed again. In a network namespace of its own.

use std::process::{Command, Output};

use crate::{
    common::NOW,
    loader::{Names, Report, load, names, print},
};

/// A network namespace with two tunnels: `vx0` of VNI 42, and `vx1` of many VNIs. Removed when dropped.
struct Namespace(String);

impl Namespace {
    /// `None`, which is said, where there can be none.
    fn new(purpose: &str) -> Option<Self> {
        let namespace = Self(format!("encap-{purpose}-{}", std::process::id()));
        let made = Command::new("ip").args(["netns", "add", &namespace.0]).output();
        let made = made.map_err(|error| error.to_string()).and_then(succeeded);
        let made = made.and_then(|_| {
            namespace.run(
                "ip link add eth0 type veth peer name eth1 &&
                 ip link add vx0 type vxlan id 42 dstport 4789 local 192.0.2.100 nolearning &&
                 ip link add vx1 type vxlan external vnifilter dstport 4790 local 192.0.2.100 &&
                 ip link set vx0 up && ip link set vx1 up &&
                 bridge vni add vni 100-101 dev vx1 &&
                 ip nexthop add id 1 via 10.168.0.9 fdb && ip nexthop add id 10 group 1 fdb",
            )
        });
        match made {
            Ok(_) => Some(namespace),
            Err(why) => {
                println!("SKIPPED: bridge in a network namespace of its own: {}", why.trim());
                None
            }
        }
    }

    /// What a script prints, or how it fails.
    fn run(&self, script: &str) -> Result<String, String> {
        let output = Command::new("ip").args(["netns", "exec", &self.0, "sh", "-c", script]).output();
        succeeded(output.map_err(|error| error.to_string())?)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).output();
    }
}

fn succeeded(output: Output) -> Result<String, String> {
    let text = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
    if output.status.success() { Ok(text.into_owned()) } else { Err(text.into_owned()) }
}

/// Lines without the spaces that `bridge` and `ip` put at ends and twice.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// A device of one VNI.
const VX0: &str = "\
00:00:00:00:00:00 dst 10.168.0.9 self permanent
00:00:00:00:00:00 dst 10.168.0.3 port 8472 self permanent
00:00:00:00:00:00 dst 10.168.0.5 self permanent
01:00:5e:00:00:05 dst 10.168.0.5 vni 77 self permanent
5e:f8:4f:00:e3:37 dst 10.168.0.3 self permanent
5e:f8:4f:00:e3:38 dst 10.168.0.3 port 5000 self static
5e:f8:4f:00:e3:39 dst 10.168.0.3 vni 77 self router permanent
5e:f8:4f:00:e3:3a dst 10.168.0.3 via eth0 self sticky static
5e:f8:4f:00:e3:3b dst 10.168.0.3 port 5000 vni 77 via eth0 self router sticky permanent
5e:f8:4f:00:e3:3c dst 10.168.0.3 self
5e:f8:4f:00:e3:3d dst 10.168.0.3 self router extern_learn sticky
5e:f8:4f:00:e3:3e dst 0.0.0.0 self permanent
5e:f8:4f:00:e3:3f nhid 10 self permanent";

/// A device of many VNIs.
const VX1: &str = "\
00:00:00:00:00:00 dst 10.168.0.9 src_vni 100 self permanent
00:00:00:00:00:00 dst 10.168.0.8 src_vni 101 self permanent
5e:f8:4f:00:e3:37 dst 10.168.0.3 src_vni 100 self permanent
5e:f8:4f:00:e3:37 dst 10.168.0.3 src_vni 101 self extern_learn
5e:f8:4f:00:e3:3b dst 10.168.0.3 port 5000 vni 100 src_vni 100 via eth0 self router sticky static
5e:f8:4f:00:e3:3f src_vni 100 nhid 10 self permanent";

#[test]
fn the_forwarding_database_prints_as_bridge_does() {
    let Some(namespace) = Namespace::new("fdb") else { return };
    let of_vx1 = Names { vni: None, port: 4790, ..names() };
    for (dev, text, names, says_vni) in [("vx0", VX0, names(), false), ("vx1", VX1, of_vx1, true)] {
        let command = |line: &str| {
            let (mac, rest) = line.split_once(' ').unwrap();
            let ages = !rest.ends_with("permanent") && !rest.ends_with("static");
            format!("fdb append {mac} dev {dev} {rest}{}\n", if ages { " dynamic" } else { "" })
        };
        let commands: String = text.lines().map(command).collect();
        namespace.run(&format!("bridge -batch - <<END\n{commands}END")).unwrap();

        let said = namespace.run(&format!("bridge fdb show dev {dev}")).unwrap();
        assert_eq!(
            sorted(lines(&said)),
            sorted(lines(text)),
            "the words of bridge are others than we believe"
        );
        let expected: Vec<String> = text
            .lines()
            .filter(|line| !line.contains("nhid"))
            .map(|line| line.replace("via eth0", "via 2"))
            .collect();
        for options in ["", "-s", "-j", "-s -j"] {
            let said = namespace.run(&format!("bridge {options} fdb show dev {dev}")).unwrap();
            let (tables, report, _) = load(&names, &said, "");
            // The remotes of an entry keep their order.
            let printed = print(&tables, names.port, says_vni);
            let of_default = |lines: &[String]| -> Vec<String> {
                lines.iter().filter(|line| line.starts_with("00:00")).cloned().collect()
            };
            assert_eq!(of_default(&printed), of_default(&expected));
            assert_eq!(sorted(printed), sorted(expected.clone()), "bridge {options}");
            assert_eq!(remarks(&report), ["not used: the members of next-hop group 10 are not known"]);
        }
    }
    // All devices at once: the filters of Ethernet devices are not the tunnels'.
    let devices = [("vx0".to_owned(), names().vni), ("vx1".to_owned(), None)].into();
    let said = namespace.run("bridge fdb show").unwrap();
    let (tables, report, _) = load(&Names { devices, vni: None, ..names() }, &said, "");
    let used = VX0.lines().chain(VX1.lines()).filter(|line| !line.contains("nhid")).count();
    assert_eq!(
        (report.used.len(), report.remarks.len()),
        (used, lines(&said).len() - used),
        "{:?}",
        report.remarks
    );
    assert_eq!(print(&tables, 4789, true).len(), used);
}

/// As `ip neigh` prints it.
const NEIGHBORS: &str = "\
10.1.1.1 lladdr 02:00:00:00:00:01 PERMANENT
10.1.1.2 lladdr 02:00:00:00:00:02 router REACHABLE
10.1.1.3 lladdr 02:00:00:00:00:03 NOARP
fd00:1::1 lladdr 02:00:00:00:00:01 router STALE";

#[test]
fn neighbours_print_as_ip_does() {
    let Some(namespace) = Namespace::new("neigh") else { return };
    let command = |line: &str| {
        let (rest, state) = line.rsplit_once(' ').unwrap();
        format!("neigh replace {rest} dev vx0 nud {}\n", state.to_lowercase())
    };
    let commands: String = NEIGHBORS.lines().map(command).collect();
    namespace.run(&format!("ip -batch - <<END\n{commands}END")).unwrap();
    for options in ["", "-s", "-j", "-s -j"] {
        let said = namespace.run(&format!("ip {options} neigh show dev vx0 nud all")).unwrap();
        let (tables, _, report) = load(&names(), "", &said);
        let printed = tables.neighbors().dump(NOW).map(|neighbor| neighbor.to_string()).collect();
        assert_eq!(sorted(printed), sorted(lines(NEIGHBORS)), "ip {options}");
        // Multicast addresses that Linux resolves for itself.
        for remark in remarks(&report) {
            assert_eq!(remark, "not used: the address is no unicast address");
        }
    }
}

fn remarks<K>(report: &Report<K>) -> Vec<String> {
    report.remarks.iter().map(|(_, remark)| remark.to_string()).collect()
}
