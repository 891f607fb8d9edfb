//! Signals: tables and counters, files that are read again, an end.

use std::{fs, io::Read, os::unix::net::UnixStream, path::Path, thread::sleep, time::Duration};

use interop::{Folder, Tap, Wire, bytes, eventually, ping};
use nix::sys::signal::Signal;

use crate::lab::{Lab, Ours, SOON, require_lab};

#[test]
fn usr1_prints_tables_and_counters_in_the_words_of_bridge_and_ip() {
    require_lab!();
    let lab = Lab::new();
    lab.a.without_ipv6();
    lab.b.without_ipv6();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let folder = Folder::new("vtep");
    let control = folder.0.join("control");
    let options = format!(
        "--tap print0 --vni 100 --local 10.99.0.2 --nolearning --suppress --mac 02:00:00:00:00:0b \
         --fdb 00:00:00:00:00:00=10.99.0.1 --fdb 00:00:00:00:00:00=10.99.0.3,port=8472,vni=9 \
         --fdb 02:00:00:00:00:0a=10.99.0.1 --neigh 192.168.77.9=02:00:00:00:00:09 --control {}",
        control.display()
    );
    let ours = lab.ours(&options, &[("print0", "192.168.77.2/24")]);
    ping(&lab.b, "192.168.77.1", 2).all();
    let report = ours.report();
    let tables = "# forwarding database\n\
        00:00:00:00:00:00 dst 10.99.0.1 self permanent\n\
        00:00:00:00:00:00 dst 10.99.0.3 port 8472 vni 9 self permanent\n\
        02:00:00:00:00:0a dst 10.99.0.1 self permanent\n\
        # neighbours\n\
        192.168.77.9 lladdr 02:00:00:00:00:09 PERMANENT\n\
        # counters\n\
        print0 vni 100 sent ";
    assert!(report.starts_with(tables), "{report}");
    assert!(ours.number("print0 vni 100 delivered ") >= 3, "an answer to ARP, two to pings");
    assert!(ours.number("failed send: No route to host (os error 113) ") <= ours.number("sent "));
    assert_eq!(ours.number("answered "), 0);
    ping(&lab.b, "192.168.77.9", 1).none();
    assert!(ours.number("answered ") > 0, "for a neighbour that is known");

    // The socket says the same.
    let mut said = String::new();
    UnixStream::connect(&control).unwrap().read_to_string(&mut said).unwrap();
    assert!(said.starts_with(tables) && said.ends_with("# end\n"), "{said}");
}

#[test]
fn usr1_says_why_nothing_is_learned() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let ours = lab.ours("--tap why0 --vni 100 --local 10.99.0.2", &[]);
    ping(&lab.a, "192.168.77.2", 1).none();
    assert!(ours.number("refused remote that is not configured ") > 0, "{}", ours.report());
    assert!(ours.section("# forwarding database").is_empty());
}

#[test]
fn hup_reads_files_again_and_what_vanished_goes() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let theirs = "02:00:00:00:00:0a";
    lab.a.ip(&format!("link set vx0 address {theirs}"));
    let folder = Folder::new("vtep");
    let (fdb, neigh) = (folder.0.join("fdb"), folder.0.join("neigh"));
    let write = |path: &Path, lines: &[&str]| fs::write(path, lines.join("\n")).unwrap();
    // As bridge and ip print them, and as they come with other devices.
    write(
        &fdb,
        &[
            "00:00:00:00:00:00 dst 10.99.0.3 self permanent",
            "00:00:00:00:00:00 dst 10.99.0.4 via eth0 self permanent",
            &format!("{theirs} dst 10.99.0.1 self permanent"),
            "02:00:00:00:00:33 dst 10.99.0.3 self permanent",
            "33:33:00:00:00:01 dev eth0 self permanent",
        ],
    );
    write(
        &neigh,
        &[
            &format!("192.168.77.1 lladdr {theirs} PERMANENT"),
            "192.168.77.33 lladdr 02:00:00:00:00:33 PERMANENT",
        ],
    );
    let options = format!(
        "--tap hup0 --vni 100 --local 10.99.0.2 --nolearning --suppress --remote 10.99.0.5 --fdb-file {} --neigh-file {}",
        fdb.display(),
        neigh.display()
    );
    let ours = lab.ours(&options, &[("hup0", "192.168.77.2/24")]);
    let before = [
        "00:00:00:00:00:00 dst 10.99.0.5 self permanent",
        "00:00:00:00:00:00 dst 10.99.0.3 self permanent",
        "00:00:00:00:00:00 dst 10.99.0.4 self permanent",
        "02:00:00:00:00:0a dst 10.99.0.1 self permanent",
        "02:00:00:00:00:33 dst 10.99.0.3 self permanent",
    ];
    assert_eq!(ours.section("# forwarding database"), before);
    let said = ours.running.stderr();
    assert!(said.contains(&format!("{}:5: not used: ", fdb.display())), "{said}");
    ping(&lab.b, "192.168.77.1", 2).all();

    write(
        &fdb,
        &[
            "00:00:00:00:00:00 dst 10.99.0.4 self permanent",
            &format!("{theirs} dst 10.99.0.9 self permanent"),
            "02:00:00:00:00:44 dst 10.99.0.4 self static",
        ],
    );
    write(&neigh, &[&format!("192.168.77.1 lladdr {theirs} PERMANENT")]);
    ours.signal(Signal::SIGHUP);
    let after = [
        "00:00:00:00:00:00 dst 10.99.0.5 self permanent",
        "00:00:00:00:00:00 dst 10.99.0.4 self permanent",
        "02:00:00:00:00:0a dst 10.99.0.9 self permanent",
        "02:00:00:00:00:44 dst 10.99.0.4 self static",
    ];
    eventually(SOON, "tables say what the files say", || {
        (ours.section("# forwarding database") == after).then_some(())
    });
    assert_eq!(ours.section("# neighbours"), ["192.168.77.1 lladdr 02:00:00:00:00:0a PERMANENT"]);
    ping(&lab.b, "192.168.77.1", 1).none();

    // A file that is not there says nothing: everything stays.
    fs::remove_file(&fdb).unwrap();
    ours.signal(Signal::SIGHUP);
    eventually(SOON, "an error", || ours.running.stderr().contains("not reloaded").then_some(()));
    assert_eq!(ours.section("# forwarding database"), after);

    write(&fdb, &[&format!("{theirs} dst 10.99.0.1 self permanent")]);
    ours.signal(Signal::SIGHUP);
    eventually(SOON, "pings again", || (ping(&lab.b, "192.168.77.1", 1).received == 1).then_some(()));
}

/// Threads may still hold what was removed, so that its room is not free at once.
#[test]
fn what_files_said_last_holds_after_a_moment() {
    require_lab!();
    let lab = Lab::new();
    let folder = Folder::new("vtep");
    let fdb = folder.0.join("fdb");
    let write = |time: usize| {
        let lines = (0..600).map(|n| {
            format!("02:00:00:{time:02x}:{:02x}:{:02x} dst 10.{time}.{0}.{1} self", n / 250, n % 250)
        });
        fs::write(&fdb, lines.collect::<Vec<_>>().join("\n")).unwrap();
    };
    write(1);
    let options = format!("--tap fast0 --vni 100 --local 10.99.0.2 --fdb-file {}", fdb.display());
    let ours = lab.ours(&options, &[]);
    for time in 2..7 {
        write(time);
        ours.signal(Signal::SIGHUP);
        sleep(Duration::from_millis(100));
    }
    eventually(SOON, "all of the last file", || {
        let entries = ours.section("# forwarding database");
        (entries.iter().filter(|line| line.starts_with("02:00:00:06:")).count() == 600).then_some(())
    });
}

#[test]
fn an_end_is_clean() {
    require_lab!();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let lab = Lab::new();
        lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
        let folder = Folder::new("vtep");
        let control = folder.0.join("control");
        let options = format!(
            "--tap end0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1 --control {}",
            control.display()
        );
        let ours = lab.ours(&options, &[("end0", "192.168.77.2/24")]);
        ping(&lab.a, "192.168.77.2", 1).all();
        assert!(control.exists());
        ours.signal(signal);
        let finished = ours.running.finish(SOON);
        assert!(finished.is_ok(), "{finished}");
        assert_eq!(finished.stderr, "");
        assert!(!control.exists() && lab.b.try_ip("link show dev end0").is_err());
        // The port is free again.
        let again = lab.ours(&options, &[("end0", "192.168.77.2/24")]);
        drop(again);
    }
}

/// More than a pipe holds waits to be read.
#[test]
fn it_ends_though_nobody_reads_its_output() {
    require_lab!();
    let lab = Lab::new();
    let entries = (0..250).map(|n| format!(" --fdb 02:00:00:00:00:{n:02x}=10.99.0.1")).collect::<String>();
    let options = format!("--tap unread0 --vni 100 --local 10.99.0.2{entries}");
    let (ours, _pipe) = Ours::start_unread(&lab, &options, "unread0", 1);
    for _ in 0..8 {
        ours.signal(Signal::SIGUSR1);
        sleep(Duration::from_millis(50));
    }
    ours.signal(Signal::SIGTERM);
    let finished = ours.running.finish(SOON);
    assert!(finished.is_ok(), "{finished}");
}

#[test]
fn packets_go_on_though_nobody_reads_its_errors() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let theirs = "02:00:00:00:00:0a";
    lab.a.ip(&format!("link set vx0 address {theirs}"));
    let options =
        format!("--tap unread1 --vni 100 --local 10.99.0.2 --nolearning --l2miss --fdb {theirs}=10.99.0.1");
    let (ours, _pipe) = Ours::start_unread(&lab, &options, "unread1", 2);
    lab.b.ip("addr add 192.168.77.2/24 dev unread1");
    lab.b.ip(&format!("neigh add 192.168.77.1 lladdr {theirs} dev unread1"));
    ping(&lab.b, "192.168.77.1", 1).all();
    let host = Tap::open(&lab.b, "unread1");
    // Some 30 bytes each, of which pipes hold 64 KB, and the program 1 MB.
    for n in 0..60_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        host.send(&bytes::ethernet([2, 1, 1, a, b, c], [2; 6], 0x0800, &[0; 46]));
        if n % 100 == 0 {
            sleep(Duration::from_millis(2));
        }
    }
    ping(&lab.b, "192.168.77.1", 3).all();
    assert!(ours.number("unprinted ") > 0);
    ours.signal(Signal::SIGTERM);
    let finished = ours.running.finish(SOON);
    assert!(finished.is_ok(), "{finished}");
}

#[test]
fn without_its_device_it_ends_and_says_so() {
    require_lab!();
    let lab = Lab::new();
    let ours = lab.ours("--tap gone0 --vni 100 --local 10.99.0.2", &[]);
    lab.b.ip("link del gone0");
    let finished = ours.running.finish(SOON);
    assert!(finished.status.is_some_and(|status| !status.success()), "{finished}");
    assert!(finished.stderr.contains("device gone0: "), "{finished}");
}

#[test]
fn what_cannot_work_is_refused_with_a_reason() {
    require_lab!();
    let lab = Lab::new();
    let program = interop::examples::program("vtep").to_string_lossy().into_owned();
    let refuses = |options: &str, why: &str| {
        let words = [&*program].into_iter().chain(options.split_whitespace()).collect::<Vec<_>>();
        let finished = lab.b.run(words);
        assert!(!finished.is_ok() && finished.stderr.contains(why), "{why}: {finished}");
    };
    refuses("--tap x0 --vni 1", "--local");
    refuses("--tap x0 --vni 16777216 --local 10.99.0.2", "16777216");
    refuses("--tap x0 --vni 1 --local 10.99.0.77", "10.99.0.77 port 4789: Cannot assign requested address");
    refuses("--tap x0 --vni 1 --local 10.99.0.2 --remote fd99::1", "fd99::1");
    refuses("--tap x0 --tap x1 --vni 1 --vni 2 --local 10.99.0.2", "--tap x0 needs one --vni");
    refuses("--tap x0 --vni 1 --tap x1 --vni 1 --local 10.99.0.2", "each segment once");
    refuses("--tap x0 --vni 1 --local 10.99.0.2 --local 10.99.0.3", "one address of each family");
    refuses("--tap x0 --vni 1 --local 10.99.0.2 --tos 3", "ECN");
    refuses("--tap x0 --vni 1 --local 10.99.0.2 --srcport 9-3", "9 to 3");
    refuses("--tap x0 --vni 1 --local 10.99.0.2 --ttl 0", "TTL 0");
    refuses("--tap x0 --vni 1 --local 10.99.0.2 --ageing 0", "ageing");
    refuses("--tap a-name-that-is-too-long --vni 1 --local 10.99.0.2", "a-name-that-is-too-long");
    lab.b.ip("tuntap add dev queues0 mode tap multi_queue");
    for device in ["vb", "queues0"] {
        refuses(
            &format!("--tap {device} --vni 1 --local 10.99.0.2"),
            "a device of this name is there, and is no TAP device, or one of several queues",
        );
    }
    refuses("--tap x0 --vni 1 --local 10.99.0.2 --fdb-file /nowhere", "/nowhere: No such file");
    refuses(
        "--tap x0 --vni 1 --local fe80::2 --remote fe80::1",
        "--local fe80::2: an address of a link needs --dev",
    );
    refuses(
        "--tap x0 --vni 1 --local fd99::2 --fdb 02:00:00:00:00:01=fe80::1",
        "--fdb fe80::1: an address of a link needs --dev",
    );
    refuses("--tap x0 --vni 1 --local 10.99.0.2 --mirror vb", "--mirror vb: it is no vxlan device");
    let _ours = lab.ours("--tap first0 --vni 1 --local 10.99.0.2", &[]);
    refuses("--tap x0 --vni 2 --local 10.99.0.2", "port 4789: Address already in use");
}
