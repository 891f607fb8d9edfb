//! Tables that a real control plane has filled: BGP daemons with EVPN tell the kernel, the program `vtep` mirrors the
//! kernel's tables, live, and traffic flows.
//!
//! ```text
//!  host -- tap0 -- vtep -- u0 10.99.0.1 | u1 10.99.0.2 -- kernel's vx100 -- br100 192.168.60.2, and hosts behind it
//!                   ^ mirror
//!           kernel's vx100, br100 <- zebra <- bgpd <- BGP -> bgpd or gobgpd
//! ```

use std::{fs, io::Read, os::unix::net::UnixStream, time::Duration};

use interop::{Folder, Namespace, Need, Offload, Running, eventually, examples, ping, require, tcp, veth};

const FRR: &str = "/usr/lib/frr/bgpd";

const HOST: &str = "02:00:00:00:60:01";

/// Time for daemons to start and to talk with each other.
const SOON: Duration = Duration::from_secs(40);

/// One end of the underlay: 10.99.0.`last`, a bridge and a vxlan device of the kernel's for EVPN.
struct Node {
    namespace: Namespace,
    last: u8,
    folder: Folder,
    daemons: Vec<Running>,
}

impl Node {
    fn new(last: u8) -> Self {
        let folder = Folder::new("frr");
        let namespace = Namespace::new(&format!("node {last}"));
        Self { namespace, last, folder, daemons: vec![] }
    }

    /// The devices that EVPN wants. Another `port` than 4789 leaves that to somebody else.
    fn devices(&self, port: u16) {
        let Self { namespace, last, .. } = self;
        namespace.ip("link add br100 type bridge");
        namespace.ip("link set dev br100 addrgenmode none");
        namespace.ip(&format!("link set dev br100 address 02:00:00:00:01:0{last} up"));
        namespace
            .ip(&format!("link add vx100 type vxlan id 100 local 10.99.0.{last} dstport {port} nolearning"));
        namespace.ip("link set dev vx100 master br100 up");
        namespace.bridge("link set dev vx100 neigh_suppress on learning off");
    }

    /// FRR's zebra and bgpd with EVPN, and 10.99.0.`peer` as neighbour.
    fn frr(&mut self, peer: u8) {
        let path = self.folder.0.to_str().unwrap().to_owned();
        let zebra = format!("{path}/zebra.conf");
        let bgp = format!("{path}/bgpd.conf");
        fs::write(&zebra, "hostname zebra\n").unwrap();
        let last = self.last;
        fs::write(
            &bgp,
            format!(
                "router bgp 65000
 bgp router-id 10.99.0.{last}
 no bgp default ipv4-unicast
 neighbor 10.99.0.{peer} remote-as 65000
 neighbor 10.99.0.{peer} timers 1 3
 neighbor 10.99.0.{peer} timers connect 1
 address-family l2vpn evpn
  neighbor 10.99.0.{peer} activate
  advertise-all-vni
 exit-address-family
"
            ),
        )
        .unwrap();
        self.namespace.command(&format!("chown -R frr:frr {path}"));
        let socket = format!("{path}/zserv.api");
        for (daemon, config) in [("zebra", &zebra), ("bgpd", &bgp)] {
            let more = format!(
                "-f {config} -i {path}/{daemon}.pid -z {socket} --vty_socket {path} -A 127.0.0.1 --log file:{path}/{daemon}.log"
            );
            let program = format!("/usr/lib/frr/{daemon}");
            let words: Vec<&str> = [&*program].into_iter().chain(more.split(' ')).collect();
            self.daemons.push(self.namespace.spawn(words));
            eventually(SOON, daemon, || fs::exists(&socket).unwrap_or(false).then_some(()));
        }
    }

    /// A host behind the bridge.
    fn host(&self, name: &str, mac: &str, address: &str) -> Namespace {
        let host = Namespace::new(name);
        veth((&self.namespace, name), (&host, "eth0"), Offload::NoChecksum);
        self.namespace.ip(&format!("link set dev {name} master br100"));
        host.ip(&format!("link set dev eth0 address {mac} mtu 1450"));
        host.ip(&format!("addr add {address}/24 dev eth0"));
        host
    }
}

/// The program, and a host behind its device.
struct Vtep {
    host: Namespace,
    control: String,
    running: Running,
    _folder: Folder,
}

impl Vtep {
    /// In the node's namespace, with the node's tables.
    fn start(node: &Node) -> Self {
        let folder = Folder::new("vtep");
        let control = format!("{}/control", folder.0.display());
        let program = examples::program("vtep").to_string_lossy().into_owned();
        let arguments = format!(
            "--tap tap0 --vni 100 --mac {HOST} --local 10.99.0.{} --nolearning --suppress --mirror vx100 --mirror-neigh br100 --control {control} --verbose",
            node.last
        );
        let words: Vec<&str> = [&*program].into_iter().chain(arguments.split(' ')).collect();
        let mut running = node.namespace.spawn(words);
        running.wait_for("vtep: ", SOON);
        let host = Namespace::new("host");
        node.namespace.ip(&format!("link set dev tap0 netns {}", host.path()));
        host.ip("link set dev tap0 addrgenmode none up");
        host.ip("addr add 192.168.60.1/24 dev tap0");
        Self { host, control, running, _folder: folder }
    }

    /// The same, when it knows of the other end what the daemons have told the kernel.
    #[track_caller]
    fn told_of_the_other_end(node: &Node) -> Self {
        let vtep = Self::start(node);
        eventually(SOON, "the kernel is told of the other end", || {
            node.namespace
                .bridge("fdb show dev vx100")
                .contains("00:00:00:00:00:00 dst 10.99.0.2")
                .then_some(())
        });
        vtep.wait("00:00:00:00:00:00 dst 10.99.0.2 self permanent", true);
        vtep
    }

    fn report(&self) -> String {
        let mut text = String::new();
        UnixStream::connect(&self.control).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Waits until a line of the report is there, or is not.
    #[track_caller]
    fn wait(&self, line: &str, there: bool) {
        let mut report = String::new();
        let what = format!("{line:?} is {}there", if there { "" } else { "not " });
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(SOON, &what, || {
                report = self.report();
                (report.lines().any(|it| it.trim_end() == line) == there).then_some(())
            });
        }));
        assert!(found.is_ok(), "{what}\n{report}\n{}", self.running.stderr());
    }

    /// The number behind this word in the counters.
    fn number(&self, word: &str) -> u64 {
        let report = self.report();
        let line = report.lines().find_map(|line| line.strip_prefix(word));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}

/// Skips a test, or fails it, where something is missing for FRR on our side.
macro_rules! need_frr {
    ($($more:expr)?) => {
        require!(
            Need::Root,
            Need::Program(FRR),
            $($more,)?
            Need::Program("ping"),
            Need::Program("ethtool"),
            Need::Device("vxlan"),
            Need::Device("bridge")
        );
    };
}

/// Our end of the underlay and theirs.
fn nodes() -> (Node, Node) {
    // It may have to be built, and daemons would not wait so long.
    examples::program("vtep");
    let (ours, theirs) = (Node::new(1), Node::new(2));
    veth((&ours.namespace, "u0"), (&theirs.namespace, "u1"), Offload::NoChecksum);
    ours.namespace.ip("addr add 10.99.0.1/24 dev u0");
    theirs.namespace.ip("addr add 10.99.0.2/24 dev u1");
    (ours, theirs)
}

#[test]
fn evpn_of_frr_on_both_sides() {
    need_frr!();
    let (mut ours, mut theirs) = nodes();
    // The kernel's device takes part in nothing but the control plane.
    ours.devices(4799);
    theirs.devices(4789);
    theirs.namespace.ip("addr add 192.168.60.2/24 dev br100");
    // Our host is announced as one behind the bridge.
    let port = Namespace::new("port");
    veth((&ours.namespace, "p0"), (&port, "p1"), Offload::NoChecksum);
    ours.namespace.ip("link set dev p0 master br100");
    ours.namespace.bridge(&format!("fdb add {HOST} dev p0 master static sticky"));
    ours.frr(2);
    theirs.frr(1);

    let vtep = Vtep::told_of_the_other_end(&ours);
    let announced = format!("{HOST} dst 10.99.0.1 self");
    eventually(SOON, "our host is announced", || {
        theirs.namespace.bridge("fdb show dev vx100").contains(&announced).then_some(())
    });
    ping(&vtep.host, "192.168.60.2", 3).all();

    // A host that comes up is known at once: where it is, and its address, so that nobody need ask it.
    let late = theirs.host("late", "02:00:00:00:60:03", "192.168.60.3");
    ping(&late, "192.168.60.1", 3).all();
    // The bridge's own address makes it a neighbour, which is announced as well.
    ping(&late, "192.168.60.2", 1).all();
    vtep.wait("02:00:00:00:60:03 dst 10.99.0.2 self extern_learn", true);
    eventually(SOON, "the address of the late host", || {
        vtep.report()
            .lines()
            .any(|line| line.starts_with("192.168.60.3 lladdr 02:00:00:00:60:03"))
            .then_some(())
    });
    // Whoever forgets the address and asks for it is answered on the spot.
    assert_eq!(vtep.number("answered "), 0);
    vtep.host.ip("neigh flush dev tap0");
    ping(&vtep.host, "192.168.60.3", 3).all();
    eventually(SOON, "the question is answered", || (vtep.number("answered ") == 1).then_some(()));
    for (from, to, address) in
        [(&vtep.host, &late, [192, 168, 60, 3]), (&late, &vtep.host, [192, 168, 60, 1])]
    {
        tcp::transfer(from, to, address.into(), 1_000_000, Duration::from_secs(20)).unwrap();
    }

    // One that goes is forgotten.
    theirs.namespace.ip("link del late");
    vtep.wait("02:00:00:00:60:03 dst 10.99.0.2 self extern_learn", false);
    ping(&vtep.host, "192.168.60.2", 2).all();

    // And when the daemon is gone, so is all that it said.
    theirs.daemons.clear();
    vtep.wait("00:00:00:00:00:00 dst 10.99.0.2 self permanent", false);
    ping(&vtep.host, "192.168.60.2", 1).none();
}

/// The other end speaks by another daemon; the routes are made by hand.
#[test]
fn evpn_of_gobgp_and_frr() {
    need_frr!(Need::Program("gobgpd"));
    let (mut ours, mut theirs) = nodes();
    ours.devices(4799);
    ours.frr(2);
    // A plain device, which is told where our host is.
    let mac = "02:00:00:00:60:02";
    theirs.namespace.ip(&format!(
        "link add vx100 address {mac} type vxlan id 100 local 10.99.0.2 dstport 4789 nolearning"
    ));
    theirs.namespace.ip("link set dev vx100 up");
    theirs.namespace.ip("addr add 192.168.60.2/24 dev vx100");
    theirs.namespace.bridge("fdb append 00:00:00:00:00:00 dev vx100 dst 10.99.0.1");
    theirs.namespace.bridge(&format!("fdb append {HOST} dev vx100 dst 10.99.0.1"));
    let config = theirs.folder.0.join("gobgp.toml");
    fs::write(
        &config,
        r#"[global.config]
as = 65000
router-id = "10.99.0.2"
[[neighbors]]
[neighbors.config]
neighbor-address = "10.99.0.1"
peer-as = 65000
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "l2vpn-evpn"
"#,
    )
    .unwrap();
    theirs.daemons.push(theirs.namespace.spawn(["gobgpd", "-f", config.to_str().unwrap()]));
    let rib = |words: &str| {
        let words = format!("gobgp global rib {words} -a evpn");
        theirs.namespace.run(words.split(' '))
    };
    let common = "etag 0 rd 10.99.0.2:2 rt 65000:100 encap vxlan";
    let multicast = format!("multicast 10.99.0.2 {common} pmsi ingress-repl 100 10.99.0.2");
    eventually(SOON, "gobgpd answers", || rib(&format!("add {multicast}")).is_ok().then_some(()));

    let vtep = Vtep::told_of_the_other_end(&ours);
    let host = format!("macadv {mac} 192.168.60.2 etag 0 label 100 rd 10.99.0.2:2 rt 65000:100 encap vxlan");
    rib(&format!("add {host}")).ok();
    let line = format!("{mac} dst 10.99.0.2 self extern_learn");
    vtep.wait(&line, true);
    ping(&vtep.host, "192.168.60.2", 3).all();
    tcp::transfer(
        &vtep.host,
        &theirs.namespace,
        [192, 168, 60, 2].into(),
        1_000_000,
        Duration::from_secs(20),
    )
    .unwrap();
    rib(&format!("del {host}")).ok();
    vtep.wait(&line, false);
}
