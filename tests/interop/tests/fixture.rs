//! What the tests share does what it says.

use std::{panic::catch_unwind, time::Duration};

use interop::{
    Namespace, Need, Offload, Running, Tap, Wire, bytes, eventually, ping, require, tcp, uml, uml::Uml, veth,
};

fn lan() -> (Namespace, Namespace) {
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    veth((&a, "va"), (&b, "vb"), Offload::NoChecksum);
    a.ip("addr add 10.99.0.1/24 dev va");
    b.ip("addr add 10.99.0.2/24 dev vb");
    (a, b)
}

#[test]
fn hosts_reach_each_other() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"));
    let (a, b) = lan();
    ping(&a, "10.99.0.2", 3).all();
    ping(&a, "-i 0.2 10.99.0.3", 1).none();
    let transfer = tcp::transfer(&a, &b, [10, 99, 0, 2].into(), 1_000_000, Duration::from_secs(10)).unwrap();
    assert_eq!(transfer.bytes, 1_000_000);
    assert!(tcp::transfer(&a, &a, [10, 99, 0, 2].into(), 1, Duration::from_secs(1)).is_err());
}

#[test]
fn frames_are_received_and_sent() {
    require!(Need::Root, Need::Program("ethtool"));
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    veth((&a, "va"), (&b, "vb"), Offload::NoChecksum);
    a.ip("addr add 10.99.0.1/24 dev va");
    b.without_ipv6();
    let tap = Tap::open(&b, "vb");
    tap.send(&bytes::arp_request(bytes::mac(9), [10, 99, 0, 9].into(), [10, 99, 0, 1].into()));
    let answer = tap.until(Duration::from_secs(5), |frame| {
        (frame[12..14] == [8, 6] && frame[20..22] == [0, 2]).then(|| frame[28..32].to_vec())
    });
    assert_eq!(answer, Some(vec![10, 99, 0, 1]));
}

#[test]
fn programs_are_killed_with_their_value_and_when_their_time_is_up() {
    require!(Need::Root);
    let a = Namespace::new("a");
    let running = |marker: &str| a.run(["pgrep", "-f", marker]).is_ok();
    let background = a.spawn(["sh", "-c", "sleep 98.7 & sleep 98.7"]);
    eventually(Duration::from_secs(5), "sleep starts", || running("^sleep 98.7").then_some(()));
    drop(background);
    assert!(!running("^sleep 98.7"));

    let unwound = catch_unwind(|| {
        let _program = a.spawn(["sleep", "98.6"]);
        panic!("on purpose");
    });
    assert!(unwound.is_err() && !running("^sleep 98.6"));

    let slow = a.run_within(Duration::from_millis(100), ["sh", "-c", "echo started; sleep 98.5"]);
    assert_eq!((slow.status, slow.stdout.as_str()), (None, "started\n"));
    assert!(!running("^sleep 98.5"));
}

#[test]
fn another_kernel_answers_on_its_wire() {
    require!(Need::Program(uml::PROGRAM), Need::Program("ethtool"));
    let mut uml = Uml::boot(&["ip_gre"]);
    uml.sh("ip addr add 10.99.0.2/24 dev vec0");
    assert_eq!(uml.try_sh("false").0, 1);
    assert!(uml.sh("uname -a").contains("Linux"));
    uml.send(&bytes::arp_request(bytes::mac(1), [10, 99, 0, 1].into(), [10, 99, 0, 2].into()));
    let answer = uml.until(Duration::from_secs(5), |frame| {
        (frame[12..14] == [8, 6] && frame[20..22] == [0, 2]).then(|| frame[22..28].to_vec())
    });
    assert_eq!(answer, Some(bytes::mac(2).to_vec()));
    uml.start("sleep 0.3; echo late");
    assert_eq!(uml.finish(Duration::from_secs(5)), Some((0, "late".to_owned())));
    assert_eq!(uml.sh("echo next"), "next");

    // And is gone with its value, all of it.
    let wanted = format!("^{}.*init={}", uml::PROGRAM, uml.folder().display());
    let running = || Running::start(["pgrep", "-f", &wanted]).finish(Duration::from_secs(5)).is_ok();
    assert!(running());
    drop(uml);
    assert!(!running());
}
