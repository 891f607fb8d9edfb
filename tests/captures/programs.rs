//! The examples as programs: flags, files, exit codes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

use encap::wire::ipv4;

use crate::{built_in::BUILT_IN, decap, temporary, tshark};

/// An example, built as a user would.
fn example(name: &str, arguments: &[&str]) -> Command {
    static PROGRAMS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--examples", "--message-format", "json"]);
        let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let messages = messages.map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap());
        messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).collect()
    });
    let program = PROGRAMS.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name)).unwrap();
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

pub(crate) fn run(name: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = example(name, arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The end of a pipe whose other end is closed.
fn nobody() -> Stdio {
    let mut gone = example("decap", &["--help"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let pipe = gone.stdin.take().unwrap();
    assert!(gone.wait().unwrap().success());
    pipe.into()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn decap_prints_what_is_in_its_own_capture() {
    let (code, stdout, stderr) = run("decap", &["--json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let lines: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, decap::json(BUILT_IN).0);
    // The names in their order.
    let third = r#"{"frame":3,"layers":[{"type":"vxlan","vni":42}],"inner_len":51,"drop":null}"#;
    assert_eq!(stdout.lines().nth(2), Some(third));
    let seventh = r#"{"frame":7,"layers":[{"type":"gre","proto":25944,"key":7,"seq":0,"checksum":"good"}],"inner_len":61,"drop":null}"#;
    assert_eq!(stdout.lines().nth(6), Some(seventh));

    let (code, stdout, _) = run("decap", &[]);
    assert_eq!(code, Some(0));
    for line in [
        "     1  no tunnel",
        "     3  192.0.2.1 > 192.0.2.2 ttl 64: VXLAN vni 42, 51 bytes",
        "    19  192.0.2.1 > 192.0.2.2 ttl 64: VXLAN vni 42, 40 bytes  (cut before its headers end)",
        "    20  headers that cannot be read  (cut before its headers end)",
        "    26  a tunnel's header that cannot be read  DROP gre-version",
        "tunnel                     headers  bytes inside",
        "ip-udp                           2           209",
        "drop reason                packets",
        "gre-version                      1",
        "28 packets, 23 with tunnels, 7 to drop, 2 cut before their headers end",
    ] {
        assert!(stdout.lines().any(|printed| printed == line), "{line:?} is not in\n{stdout}");
    }
}

/// A VXLAN packet of 84 bytes, mirrored and cut to its first 40.
#[test]
fn decap_takes_what_erspan_says_is_cut_for_cut() {
    let ip = |len, protocol| {
        let header = [0x45, 0, 0, len, 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        ipv4::Header::from_bytes(&header).unwrap().with_checksum().fixed_bytes()
    };
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let vxlan = [0xc0, 0, 0x12, 0xb5, 0, 64, 0, 0, 8, 0, 0, 0, 0, 0, 42, 0, 2, 0, 0, 0];
    for (flags, ends) in [
        (4, [" cut, 54 bytes | ", "VXLAN vni 42, 4 bytes  (cut before its headers end)"]),
        (0, [", 54 bytes | ", "VXLAN vni 42, 4 bytes  DROP ipv4-total-length"]),
    ] {
        let erspan = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 100, flags, 7, 0, 0, 0, 1];
        let packet = [&ip(90, 47)[..], &erspan, &ethernet, &ip(84, 17), &vxlan].concat();
        let file = [0xa1b2_c3d4, 0x0002_0004, 0, 0, 0xffff, 101, 0, 0, 90, 90].map(u32::to_be_bytes).concat();
        let path = temporary(&format!("erspan{flags}.pcap"));
        fs::write(&path, [file, packet].concat()).unwrap();
        let printed = run("decap", &[text(&path)]).1;
        let line = printed.lines().next().unwrap();
        let [mirrored, inside] = ends;
        assert!(line.contains(&format!("ERSPAN session 7 vlan 100{mirrored}")), "{line}");
        assert!(line.ends_with(inside), "{line}");
    }
}

#[test]
fn decap_looks_at_more_ports() {
    let kinds = ["vxlan", "vxlan-gpe", "geneve", "gre-udp", "ip-udp"];
    // Also ports that are another tunnel's, as a rule.
    let others = [("geneve", "4789"), ("ip-udp", "8472"), ("vxlan", "6081")];
    for (kind, port) in kinds.map(|kind| (kind, "14789")).into_iter().chain(others) {
        let path = temporary(&format!("{kind}.pcap"));
        let sent = ["--type", kind, "--port", port, "--write", text(&path)];
        assert_eq!(run("encap", &sent).0, Some(0));
        let name = format!(r#"{{"type":"{kind}""#);
        assert!(!run("decap", &[text(&path), "--json"]).1.contains(&name));
        let flag = format!("--{}-port", kind.trim_start_matches("vxlan-"));
        assert!(run("decap", &[text(&path), "--json", &flag, port]).1.contains(&name), "{kind}");
    }
    let nine: Vec<_> = (1..10).flat_map(|port| ["--ip-udp-port".to_owned(), port.to_string()]).collect();
    let (code, _, stderr) = run("decap", &nine.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((code, stderr.as_str()), (Some(1), "decap: more than eight ports of one kind\n"));
    assert_eq!(run("decap", &["--vxlan-port", "0"]).0, Some(2));
}

#[test]
fn decap_says_what_is_wrong_after_what_could_be_read() {
    let path = temporary("broken.pcapng");
    fs::write(&path, &BUILT_IN[..1000]).unwrap();
    let (code, stdout, stderr) = run("decap", &[text(&path), "--json"]);
    let packets = stdout.lines().count();
    let name = text(&path);
    let message = format!("decap: {name}: truncated after {packets} packets\n");
    assert_eq!((code, stderr), (Some(1), message));
    assert!(packets > 0);
    assert!(run("decap", &[text(&path)]).1.contains(&format!("{packets} packets, ")));

    fs::write(&path, "no capture").unwrap();
    let foreign = (Some(1), String::new(), format!("decap: {name}: not a pcap or pcapng file\n"));
    assert_eq!(run("decap", &[text(&path)]), foreign);
    let (code, _, stderr) = run("decap", &["no such file"]);
    assert!(code == Some(1) && stderr.starts_with("decap: no such file: "), "{stderr}");

    // A link type that it does not know: 802.11.
    let mut wlan = BUILT_IN.to_vec();
    assert_eq!(wlan[36..38], [1, 0]);
    wlan[36] = 105;
    fs::write(&path, wlan).unwrap();
    let (code, stdout, stderr) = run("decap", &[text(&path)]);
    let message = format!("decap: {name}: 26 packets have a link type that is not known\n");
    assert_eq!((code, stderr), (Some(1), message));
    assert!(stdout.contains("IP in UDP"));

    let link = temporary("broken-link.pcapng");
    let _ = fs::remove_file(&link);
    fs::hard_link(&path, &link).unwrap();
    for name in [&path, if cfg!(unix) { &link } else { &path }] {
        let (code, _, stderr) = run("decap", &[text(&path), "--write", text(name)]);
        assert!(code == Some(1) && stderr.contains("would be overwritten"), "{stderr}");
    }
}

#[test]
fn decap_ends_quietly_when_nobody_reads() {
    let path = temporary("long.pcap");
    let header = [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 1].map(u32::to_le_bytes).concat();
    fs::write(&path, [header, vec![0; 16 * 20_000]].concat()).unwrap();
    let mut decap = example("decap", &[text(&path)]).stdout(Stdio::piped()).spawn().unwrap();
    drop(decap.stdout.take());
    assert!(decap.wait().unwrap().success());
}

#[test]
fn decap_writes_all_when_nobody_reads() {
    let [input, read, unread] = ["many.pcapng", "read.pcap", "unread-inner.pcap"].map(temporary);
    fs::write(&input, BUILT_IN.repeat(500)).unwrap();
    assert_eq!(run("decap", &[text(&input), "--write", text(&read)]).0, Some(0));
    let mut decap = example("decap", &[text(&input), "--write", text(&unread)]);
    assert!(decap.stdout(nobody()).status().unwrap().success());
    assert!(fs::read(&read).unwrap() == fs::read(&unread).unwrap());
}

#[test]
fn encap_ends_as_well_when_nobody_reads() {
    let path = temporary("unread.pcap");
    let mut encap = example("encap", &["--type", "gre", "--write", text(&path)]);
    assert!(encap.stdout(nobody()).status().unwrap().success());
    if let Ok(full) = fs::File::options().write(true).open("/dev/full") {
        let Output { status, stderr, .. } = encap.stdout(full).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.code() == Some(1) && stderr.starts_with("encap: No space left"), "{stderr}");
    }
}

#[test]
fn nobody_ends_because_nobody_hears_what_is_wrong() {
    let Ok(full) = fs::File::options().write(true).open("/dev/full") else { return };
    for (program, arguments, code) in [
        ("decap", &["no such file"][..], 1),
        ("encap", &["no such file", "--type", "gre", "--write", text(&temporary("unwritten.pcap"))], 1),
        ("fdb", &["no such file"], 1),
        ("fdb", &["examples/fdb/sample.fdb", "--vni", "42"], 0),
        ("overlay", &["--vni", "1", "--vni", "1"], 1),
    ] {
        let ended =
            example(program, arguments).stderr(full.try_clone().unwrap()).stdout(Stdio::null()).status();
        // As it ends where somebody reads why, and not by a panic.
        assert_eq!(ended.unwrap().code(), Some(code), "{program} {arguments:?}");
    }
}

#[test]
fn what_decap_writes_is_what_was_inside() {
    if !tshark::is_installed() {
        return;
    }
    for name in ["inner.pcap", "inner.pcapng"] {
        let path = temporary(name);
        let (code, _, stderr) = run("decap", &["--json", "--write", text(&path)]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        let names = ["frame.protocols", "frame.len", "frame.cap_len", "frame.time_epoch"];
        let packets = tshark::fields(&path, "frame", &names);
        // All: even enhanced GRE's PPP has an EtherType.
        assert_eq!(packets.len(), 23);
        assert_eq!(packets[0][..3], ["eth:ethertype:arp", "42", "42"]);
        assert!(packets[0][3].starts_with("1767225600.100000"), "{}", packets[0][3]);
        // UDP over IPv4, out of GRE.
        let is_pcapng = name.ends_with("ng");
        let ip = if is_pcapng {
            ["raw:ip:udp:data", "37", "37"]
        } else {
            ["eth:ethertype:ip:udp:data", "51", "51"]
        };
        assert_eq!(packets[3][..3], ip, "{name}");
        // Cut by the capture: the length that it had is still there.
        assert_eq!(packets[17][1..3], ["51", "40"]);
    }
}

#[test]
fn encap_refuses_what_cannot_work() {
    let path = temporary("refused.pcap");
    let long = format!("--type geneve --option 1:2:{}", "00".repeat(128));
    for (code, flags, message) in [
        (1, "--type vxlan --remote 2001:db8::2", "encap: local address 192.0.2.1 and remote 2001:db8::2"),
        (1, "--type gre --flow-label 5", "encap: a flow label needs an IPv6 underlay"),
        (1, "--type vxlan --source-ports 9-8", "encap: source ports from 9 to 8"),
        (1, "--type gre --ttl 0", "encap: TTL 0"),
        (1, "--type ip-udp --mtu 28", "encap: underlay MTU 28"),
        (1, "--type ip-udp --mtu 29", "encap: nothing to encapsulate"),
        (2, "--type gre --vni 5", "error: --vni has no meaning for this type of tunnel"),
        (2, "--type geneve --inner-vlan", "error: --inner-vlan has no meaning for this type of tunnel"),
        (2, "--type vxlan --vlan 5", "error: --vlan has no meaning for this framing"),
        (2, "--type vxlan --vni 16777216", "16777216 is too large for a Vni: at most 16777215"),
        (2, "--type vxlan --source-mac 02:00", "error: invalid value '02:00'"),
        (2, "--type l2tp", "error: invalid value 'l2tp'"),
        (1, "--type nvgre --vni 4095", "encap: NVGRE segment 4095: those below 4096 are reserved"),
        (2, "--type nvgre --key 5", "error: --key has no meaning for this type of tunnel"),
        (2, "--type geneve --option 1:2:3", "data has eight digits for every four bytes"),
        (2, "--type geneve --option 1", "class, type and data with colons between them"),
        (2, "--type geneve --option 1:2:+3000000", "digits have no sign"),
        (2, &long, "an option's value of 128 bytes: a multiple of 4 is needed, at most 124"),
    ] {
        let flags: Vec<_> = flags.split(' ').chain(["--write", text(&path)]).collect();
        let (status, _, stderr) = run("encap", &flags);
        assert_eq!(status, Some(code), "{flags:?}: {stderr}");
        assert!(stderr.contains(message), "{flags:?}: {stderr}");
    }
}

#[test]
fn fdb_says_which_flag_is_wrong() {
    for (code, flags, message) in [
        (1, ["--dev", "vx0=abc"], "fdb: --dev vx0=abc: invalid digit"),
        (1, ["--via", "eth0=abc"], "fdb: --via eth0=abc: invalid digit"),
        (2, ["--port", "0"], "error: invalid value '0' for '--port <PORT>'"),
    ] {
        let (status, _, stderr) = run("fdb", &["examples/fdb/sample.fdb", flags[0], flags[1]]);
        assert!(status == Some(code) && stderr.starts_with(message), "{flags:?}: {stderr}");
    }
}

#[test]
fn encap_takes_the_packets_of_a_capture() {
    let (input, output) = (temporary("input.pcapng"), temporary("output.pcap"));
    fs::write(&input, BUILT_IN).unwrap();
    // What is not IP, and what the capture has cut, is left out.
    let (code, stdout, _) = run("encap", &[text(&input), "--type", "gre", "--write", text(&output)]);
    let expected = "24 packets encapsulated\n1 left out, number 1 the first: it is not a whole IP packet\n3 left \
        out, number 19 the first: the capture has cut it\n";
    assert_eq!((code, stdout.as_str()), (Some(0), expected));
    // Raw IP is not Ethernet, and tags are not sent unless that is said.
    let vxlan = [text(&input), "--type", "vxlan", "--write", text(&output)];
    let others = "2 left out, number 8 the first: it is not an Ethernet frame\n3 left out, number 19 the first: the \
        capture has cut it\n";
    let expected = format!(
        "22 packets encapsulated\n1 left out, number 4 the first: inner packet: a VLAN tag in a tunnel without \
        tags\n{others}"
    );
    let (code, stdout, _) = run("encap", &vxlan);
    assert_eq!((code, stdout), (Some(0), expected));
    let (code, stdout, _) = run("encap", &[&vxlan[..], &["--inner-vlan"]].concat());
    assert_eq!((code, stdout), (Some(0), format!("23 packets encapsulated\n{others}")));
    let (lines, end) = decap::json(fs::File::open(&output).unwrap());
    end.unwrap();
    assert_eq!(lines[1]["layers"].to_string(), r#"[{"type":"vxlan","vni":1},{"type":"vxlan","vni":42}]"#);
}
