//! Open vSwitch with its data plane in user space, in a namespace of its own.
//!
//! ```text
//!  kernel of the namespace -- bN -- tunnel port ... br-u (10.99.0.2) -- o -- veth -- w -- test
//! ```

use std::time::Duration;

use crate::{Folder, Namespace, Offload, Running, eventually, veth};

/// The daemon; see [`Need::Program`](crate::Need::Program).
pub const PROGRAM: &str = "/usr/sbin/ovs-vswitchd";

/// A switch with address 10.99.0.2 and fd99::2, MAC address 02:00:00:00:00:02. Stopped with the value.
#[derive(Debug)]
pub struct Ovs {
    /// Where it is: an internal port of each bridge is a device here.
    pub namespace: Namespace,
    /// Where the other end of its wire is: device `w`.
    pub far: Namespace,
    folder: Folder,
    _daemons: [Running; 2],
}

/// Time for a daemon to start, on a machine that does much else.
const START: Duration = Duration::from_secs(30);

impl Ovs {
    /// Starts the daemons.
    ///
    /// # Panics
    ///
    /// Where they do not come up.
    #[track_caller]
    pub fn start() -> Self {
        let (namespace, far) = (Namespace::new("ovs"), Namespace::new("wire"));
        far.without_ipv6();
        namespace.sysctl("net/ipv6/conf/default/addr_gen_mode", "1");
        veth((&namespace, "o"), (&far, "w"), Offload::None);
        let folder = Folder::new("ovs");
        let path = folder.0.to_str().unwrap();
        let file = |name: &str| format!("{path}/{name}");
        namespace.command(&format!(
            "ovsdb-tool create {} /usr/share/openvswitch/vswitch.ovsschema",
            file("conf.db")
        ));
        let daemon = |words: Vec<String>| {
            namespace.enter(|| {
                Running::start_with(words, |command| {
                    for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
                        command.env(name, path);
                    }
                })
            })
        };
        let common = |name: &str| {
            [
                format!("--unixctl={}", file(&format!("{name}.ctl"))),
                format!("--log-file={}", file(&format!("{name}.log"))),
                "-vconsole:off".to_owned(),
            ]
        };
        let socket = file("db.sock");
        let mut words = vec!["ovsdb-server".to_owned(), file("conf.db"), format!("--remote=punix:{socket}")];
        words.extend(common("db"));
        let database = daemon(words);
        eventually(START, "the database starts", || std::fs::exists(&socket).unwrap_or(false).then_some(()));
        let mut words = vec![PROGRAM.to_owned(), format!("unix:{socket}")];
        words.extend(common("vs"));
        let daemons = [database, daemon(words)];
        let ovs = Self { namespace, far, folder, _daemons: daemons };
        ovs.vsctl("--no-wait init");
        let mac = "other_config:hwaddr=02:00:00:00:00:02";
        ovs.vsctl(&format!("add-br br-u -- set bridge br-u datapath_type=netdev {mac} -- add-port br-u o"));
        for words in
            ["addr add 10.99.0.2/24 dev br-u", "addr add fd99::2/64 dev br-u nodad", "link set dev br-u up"]
        {
            ovs.namespace.ip(words);
        }
        ovs
    }

    /// `ovs-vsctl` with these words, and what it prints.
    ///
    /// # Panics
    ///
    /// Where it fails.
    #[track_caller]
    pub fn vsctl(&self, words: &str) -> String {
        let socket = format!("--db=unix:{}/db.sock", self.folder.0.display());
        let finished = self.namespace.run(
            ["ovs-vsctl", &socket, "--timeout=20"].into_iter().chain(words.split(' ')).collect::<Vec<_>>(),
        );
        finished.ok()
    }

    /// `ovs-ofctl` on this bridge; each argument is one of its own.
    ///
    /// # Panics
    ///
    /// Where it fails.
    #[track_caller]
    pub fn ofctl(&self, command: &str, bridge: &str, argument: &str) -> String {
        let bridge = format!("unix:{}/{bridge}.mgmt", self.folder.0.display());
        self.namespace.run(["ovs-ofctl", "-O", "OpenFlow13", command, &bridge, argument]).ok()
    }

    /// A bridge with one tunnel, number 1; its internal port has 192.168.`net`.2 and fd`net`::2. `options` are those
    /// of the tunnel's interface.
    ///
    /// # Panics
    ///
    /// Where it cannot be made.
    #[track_caller]
    pub fn bridge(&self, net: u8, kind: &str, options: &str, mtu: usize) {
        let bridge = format!("b{net}");
        let remote = "options:remote_ip=10.99.0.1 options:local_ip=10.99.0.2";
        let remote = if options.contains("remote_ip") { "" } else { remote };
        let interface = format!("set interface t{net} type={kind} ofport_request=1 {remote} {options}");
        let protocols = "protocols=OpenFlow10,OpenFlow13";
        let words = format!(
            "add-br {bridge} -- set bridge {bridge} datapath_type=netdev {protocols} other_config:hwaddr=02:00:00:00:0b:{net} -- add-port {bridge} t{net} -- {interface}"
        );
        self.vsctl(&words.split_whitespace().collect::<Vec<_>>().join(" "));
        let error = self.vsctl(&format!("get interface t{net} error"));
        assert_eq!(error.trim(), "[]", "{kind} {options}");
        self.namespace.command(&format!("ethtool -K {bridge} tx off"));
        self.namespace.ip(&format!("link set dev {bridge} mtu {mtu} up"));
        self.namespace.ip(&format!("addr add 192.168.{net}.2/24 dev {bridge}"));
        self.namespace.ip(&format!("addr add fd{net:02}::2/64 dev {bridge} nodad"));
    }

    /// What the daemons complained of.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.0.join("vs.log")).unwrap_or_default()
    }
}
