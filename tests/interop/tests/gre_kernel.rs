//! `examples/linux/gre` and the GRE of a Linux kernel at the other end of the tunnel: user-mode Linux, whose wire is
//! bridged to the namespace of the program.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use interop::{
    Namespace, Need, Offload, Ping, Tap, Wire, bytes, node::Node, ping, require, uml, uml::Uml, veth,
};

const PROGRAM: &str = "gre";

/// A file that both see, large enough to fill a window many times over.
const FILE: &str = "/usr/bin/linux.uml";

/// The program's host, 10.99.0.1, and a namespace for the other end of its link.
struct Host {
    host: Namespace,
    tap: Tap,
    _wire: Namespace,
}

impl Host {
    fn new() -> Self {
        let (host, wire) = (Namespace::new("host"), Namespace::new("wire"));
        veth((&host, "va"), (&wire, "vb"), Offload::None);
        wire.without_ipv6();
        host.ip("addr add 10.99.0.1/24 dev va");
        host.ip("addr add fd99::1/64 dev va");
        let tap = Tap::open(&wire, "vb");
        Self { host, tap, _wire: wire }
    }

    /// Starts the program on a device `gre1` with 192.168.N.1.
    #[track_caller]
    fn start(&self, arguments: &str, net: u8) -> Node<'_> {
        let node = Node::start(&self.host, PROGRAM, arguments);
        self.host.ip(&format!("addr add 192.168.{net}.1/24 dev gre1"));
        node
    }
}

/// Carries frames between the kernel and the host's link while `work` runs.
fn bridged<T: Send>(uml: &Uml, tap: &Tap, work: impl FnOnce() -> T + Send) -> T {
    let done = AtomicBool::new(false);
    let carry = |from: &(dyn Fn() -> Option<Vec<u8>> + Sync), to: &(dyn Fn(&[u8]) + Sync)| {
        while !done.load(Ordering::Relaxed) {
            if let Some(frame) = from() {
                // Where it cannot be sent it is lost, as on any wire.
                let _ = catch_unwind(AssertUnwindSafe(|| to(&frame)));
            }
        }
    };
    let soon = Duration::from_millis(20);
    thread::scope(|scope| {
        scope.spawn(|| carry(&|| uml.receive(soon), &|frame| tap.send(frame)));
        scope.spawn(|| carry(&|| tap.receive(soon), &|frame| uml.send(frame)));
        // Also where it fails: the scope waits for both.
        let result = catch_unwind(AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|failed| resume_unwind(failed))
    })
}

/// The kernel runs a line of shell while it is connected, which it stays until `meanwhile` is through as well.
#[track_caller]
fn kernel_runs<T: Send>(
    uml: &mut Uml,
    tap: &Tap,
    line: &str,
    limit: Duration,
    meanwhile: impl FnOnce() -> T + Send,
) -> T {
    uml.start(line);
    let (result, finished) = bridged(uml, tap, || (meanwhile(), uml.finish(limit)));
    let (status, text) = finished.unwrap_or_else(|| panic!("{line}: not done in {limit:?}"));
    assert_eq!(status, 0, "{line}\n{text}");
    result
}

/// A connection, which waits for nothing longer than this.
fn accept(listener: &TcpListener, limit: Duration) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let end = Instant::now() + limit;
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

/// The host pings while the kernel is connected.
#[track_caller]
fn host_pings(uml: &Uml, host: &Host, target: &str) -> Ping {
    bridged(uml, &host.tap, || ping(&host.host, target, 3))
}

/// The kernel, with this at 10.99.0.2 and fd99::2.
#[track_caller]
fn kernel(modules: &[&str], lines: &[&str]) -> Uml {
    let mut uml = Uml::boot(modules);
    uml.sh("ip addr add 10.99.0.2/24 dev vec0; ip addr add fd99::2/64 dev vec0 nodad");
    for line in lines {
        uml.sh(line);
    }
    uml
}

#[test]
fn the_command_of_a_manual_and_its_mirror() {
    require!(Need::Root, Need::Program(uml::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    require!(Need::Program("pkill"), Need::Program("bash"), Need::Program("cmp"));
    let mut uml = kernel(
        &["ip_gre"],
        &[
            "ip tunnel add gre01 mode gre remote 10.99.0.1 local 10.99.0.2 ttl 255 ikey 0x111111 okey 0x222222 csum seq",
            "ip link set gre01 up; ip addr add 192.168.88.2/24 dev gre01",
        ],
    );
    let host = Host::new();
    let mirrored =
        "--local 10.99.0.1 --remote 10.99.0.2 --ttl 255 --ikey 0x222222 --okey 0x111111 --csum --seq";
    let node = host.start(&format!("--tun gre1 {mirrored}"), 88);
    host_pings(&uml, &host, "192.168.88.2").all();
    kernel_runs(&mut uml, &host.tap, "ping -n -c 3 -i 0.2 -W 2 192.168.88.1", Duration::from_secs(15), || {});

    // A file in each direction, compared byte by byte.
    let file = fs::read(FILE).unwrap();
    let listen =
        |port: u16| host.host.enter(|| TcpListener::bind((Ipv4Addr::from([192, 168, 88, 1]), port)).unwrap());
    let limit = Duration::from_secs(120);
    let listener = listen(7000);
    let started = Instant::now();
    let line = format!("bash -c 'cat {FILE} >/dev/tcp/192.168.88.1/7000'");
    let received = kernel_runs(&mut uml, &host.tap, &line, limit, || {
        let mut bytes = Vec::new();
        accept(&listener, limit).and_then(|mut stream| stream.read_to_end(&mut bytes)).map(|_| bytes)
    });
    let received = received.unwrap();
    assert!(received == file, "{} bytes of {} arrived, or others", received.len(), file.len());
    eprintln!("from the kernel: {:.0} Mbit/s", file.len() as f64 * 8e-6 / started.elapsed().as_secs_f64());
    let listener = listen(7001);
    let started = Instant::now();
    let line = format!("bash -c 'cmp - {FILE} </dev/tcp/192.168.88.1/7001'");
    let sent = kernel_runs(&mut uml, &host.tap, &line, limit, || {
        accept(&listener, limit).and_then(|mut stream| stream.write_all(&file))
    });
    sent.unwrap();
    eprintln!("to the kernel: {:.0} Mbit/s", file.len() as f64 * 8e-6 / started.elapsed().as_secs_f64());

    // Neither has anything to complain of but what the wire has lost.
    let report = node.report();
    assert!(report.count("rx_packets") > 1_000 && report.count("tx_packets") > 1_000, "{}", report.0);
    assert_eq!(report.count("rx_errors"), 0, "{}", report.0);
    let statistics = uml.sh("cat /sys/class/net/gre01/statistics/rx_errors");
    assert_eq!(statistics, "0");
}

#[test]
fn frames_and_ipv6() {
    require!(Need::Root, Need::Program(uml::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    require!(Need::Program("pkill"));
    let mut uml = kernel(
        &["ip_gre", "ip6_gre"],
        &[
            "ip link add tap4 type gretap remote 10.99.0.1 local 10.99.0.2 key 0x00abcd05 csum seq",
            "ip link set tap4 up; ip addr add 192.168.89.2/24 dev tap4",
            "ip link add six type ip6gre remote fd99::1 local fd99::2 key 7 csum seq",
            "ip link set six up; ip addr add 192.168.90.2/24 dev six",
            "ip link add tap6 type ip6gretap remote fd99::1 local fd99::2 key 8",
            "ip link set tap6 up; ip addr add 192.168.91.2/24 dev tap6",
        ],
    );
    let host = Host::new();
    for (net, options) in [
        (89, "--tap gre1 --local 10.99.0.1 --remote 10.99.0.2 --key 0.171.205.5 --csum --seq"),
        (90, "--tun gre1 --local fd99::1 --remote fd99::2 --key 7 --csum --seq"),
        (91, "--tap gre1 --local fd99::1 --remote fd99::2 --key 8"),
    ] {
        let node = host.start(options, net);
        host_pings(&uml, &host, &format!("192.168.{net}.2")).all();
        let line = format!("ping -n -c 3 -i 0.2 -W 2 192.168.{net}.1");
        kernel_runs(&mut uml, &host.tap, &line, Duration::from_secs(15), || {});
        // The longest packet of each fits, as far as the other one has it.
        let longest = |mtu: &str| mtu.trim().parse::<u32>().unwrap() - 28;
        let device = ["tap4", "six", "tap6"][usize::from(net - 89)];
        let kernels = uml.sh(&format!("cat /sys/class/net/{device}/mtu"));
        let ours = host.host.ip("link show gre1");
        assert!(ours.contains(&format!("mtu {kernels} ")), "{device}: {kernels}, and {ours}");
        host_pings(&uml, &host, &format!("-M do -s {} 192.168.{net}.2", longest(&kernels))).all();
        assert_eq!(node.report().count("rx_errors"), 0);
        node.stop("TERM");
    }
}

/// What is sent to both: a GRE header before an echo request, or what is wrong with it.
struct Crafted {
    name: &'static str,
    flags: u16,
    checksum: Sum,
    key: Option<u32>,
    sequence: Option<u32>,
    protocol: u16,
}

#[derive(Clone, Copy)]
enum Sum {
    Absent,
    Good,
    Bad,
    Zero,
}

const RIGHT: Crafted = Crafted {
    name: "as it should be",
    flags: 0,
    checksum: Sum::Good,
    key: Some(KEY),
    sequence: Some(0),
    protocol: 0x0800,
};

const KEY: u32 = 0x22_2222;

impl Crafted {
    /// GRE, as bytes; `offset` is added to its sequence number.
    fn gre(&self, offset: u32, payload: &[u8]) -> Vec<u8> {
        let has_sum = !matches!(self.checksum, Sum::Absent);
        let flags = self.flags
            | if has_sum { 0x8000 } else { 0 }
            | if self.key.is_some() { 0x2000 } else { 0 }
            | if self.sequence.is_some() { 0x1000 } else { 0 };
        let mut gre = [flags.to_be_bytes(), self.protocol.to_be_bytes()].concat();
        if has_sum {
            gre.extend([0; 4]);
        }
        gre.extend(self.key.into_iter().flat_map(u32::to_be_bytes));
        gre.extend(self.sequence.into_iter().flat_map(|n| n.wrapping_add(offset).to_be_bytes()));
        gre.extend(payload);
        let sum = match self.checksum {
            Sum::Good => bytes::checksum(&[&gre]),
            Sum::Bad => bytes::checksum(&[&gre]) ^ 0x0101,
            Sum::Absent | Sum::Zero => return gre,
        };
        gre[4..6].copy_from_slice(&sum.to_be_bytes());
        gre
    }
}

/// One end under test: how to get a packet to it, and what answers.
struct Subject<'w, W: Wire> {
    wire: &'w W,
    mac: bytes::Mac,
    /// Outer addresses, from us to it, and inner ones.
    outer: [Ipv4Addr; 2],
    inner: [Ipv4Addr; 2],
    /// The next number of echo requests.
    number: u16,
}

impl<W: Wire> Subject<'_, W> {
    /// Sends a packet, and one behind it that is right and has the sequence number `next`: whether the first was
    /// answered when the second one is.
    #[track_caller]
    fn answers(&mut self, crafted: &Crafted, next: u32) -> bool {
        let mut send = |crafted: &Crafted, offset| {
            self.number += 1;
            let echo = bytes::echo(self.inner[0], self.inner[1], true, self.number, &[0xc7; 32]);
            let packet = bytes::Ip::new(self.outer[0], self.outer[1], 47).packet(&crafted.gre(offset, &echo));
            self.wire.send(&bytes::ethernet(self.mac, bytes::mac(9), 0x0800, &packet));
            self.number
        };
        let tested = send(crafted, 0);
        let sentinel = send(&RIGHT, next);
        let mut answered = false;
        let end = self.wire.until(Duration::from_secs(10), |frame| {
            let us = self.outer[0];
            if let Some(answer) = bytes::arp_answer(frame, us, bytes::mac(9)) {
                self.wire.send(&answer);
            }
            let is_gre =
                frame.get(12..14)? == [8, 0] && *frame.get(23)? == 47 && frame.get(30..34)? == us.octets();
            // Its answers have a checksum, a key and a number.
            let number = bytes::echo_answer(frame.get(34 + 16..).filter(|_| is_gre)?)?;
            answered |= number == tested;
            (number == sentinel).then_some(())
        });
        assert!(end.is_some(), "{}: no sign of life afterwards", crafted.name);
        answered
    }
}

#[test]
fn the_same_verdicts() {
    require!(Need::Root, Need::Program(uml::PROGRAM), Need::Program("ethtool"), Need::Program("pkill"));
    let uml = kernel(
        &["ip_gre"],
        &[
            "ip tunnel add gre01 mode gre remote 10.99.0.1 local 10.99.0.2 ttl 255 ikey 0x222222 okey 0x111111 csum seq",
            "ip link set gre01 up; ip addr add 192.168.88.2/24 dev gre01",
        ],
    );
    // In the other one's place there is the test, for each of them.
    let host = Host::new();
    let mirrored =
        "--local 10.99.0.1 --remote 10.99.0.2 --ttl 255 --ikey 0x222222 --okey 0x111111 --csum --seq";
    let node = host.start(&format!("--tun gre1 {mirrored}"), 88);
    let link = host.host.ip("-br link show va");
    let mac = link.split_whitespace().nth(2).unwrap().split(':');
    let mac: Vec<u8> = mac.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let ip = |text: &str| text.parse::<Ipv4Addr>().unwrap();
    let mut kernel = Subject {
        wire: &uml,
        mac: bytes::mac(2),
        outer: [ip("10.99.0.1"), ip("10.99.0.2")],
        inner: [ip("192.168.88.1"), ip("192.168.88.2")],
        number: 0,
    };
    let mut ours = Subject {
        wire: &host.tap,
        mac: *mac.first_chunk().unwrap(),
        outer: [ip("10.99.0.2"), ip("10.99.0.1")],
        inner: [ip("192.168.88.2"), ip("192.168.88.1")],
        number: 0,
    };
    let base = |name, next| Crafted { name, sequence: Some(next), ..RIGHT };
    let flagged = |name, flags, next| Crafted { name, flags, sequence: Some(next), ..RIGHT };
    // What is sent, whether both answer, and the number of the packet behind it.
    let cases = [
        (base("the first", 0), true, 1),
        (base("a duplicate", 1), false, 2),
        (base("a gap", 10), true, 11),
        (base("an old number", 5), false, 12),
        (Crafted { key: Some(0x33_3333), ..base("another key", 13) }, false, 14),
        (Crafted { key: None, ..base("no key", 15) }, false, 16),
        (Crafted { checksum: Sum::Absent, ..base("no checksum", 17) }, false, 18),
        (Crafted { checksum: Sum::Bad, ..base("a wrong checksum", 19) }, false, 20),
        (Crafted { checksum: Sum::Zero, ..base("a checksum of zero", 21) }, false, 22),
        (Crafted { sequence: None, ..base("no number", 0) }, false, 23),
        (flagged("source routing", 0x4000, 24), false, 25),
        (flagged("strict source route", 0x0800, 26), true, 27),
        (flagged("recursion", 0x0100, 28), true, 29),
        (flagged("bit 8", 0x0080, 30), true, 31),
        (flagged("bit 12", 0x0008, 32), false, 33),
        (flagged("bit 9", 0x0040, 34), false, 35),
        (flagged("version 1", 0x0001, 36), false, 37),
        (flagged("version 7", 0x0007, 38), false, 39),
        (Crafted { protocol: 0x6558, ..base("a frame", 40) }, false, 41),
        (Crafted { protocol: 0x9999, ..base("an unknown protocol", 42) }, false, 43),
        (Crafted { protocol: 0x86dd, ..base("IPv4 as IPv6", 44) }, false, 45),
        (base("half of all numbers on", 0x7fff_ff00), true, 0x7fff_ff01),
        (base("and on", 0xffff_ff00), true, 0xffff_ffff),
        (base("anything, once, behind the last number", 0xffff_fff0), true, 0xffff_fff1),
        (base("over the end", 7), true, 8),
        (base("before the end", 0xffff_fff2), false, 9),
    ];
    for (crafted, expected, next) in &cases {
        let verdicts = [kernel.answers(crafted, *next), ours.answers(crafted, *next)];
        assert_eq!(verdicts, [*expected; 2], "{}: the kernel, and ours", crafted.name);
    }
    // And they have counted the same.
    let report = node.report();
    let mut uml = uml;
    for counter in
        ["rx_packets", "rx_errors", "rx_crc_errors", "rx_fifo_errors", "rx_length_errors", "rx_frame_errors"]
    {
        let theirs = uml.sh(&format!("cat /sys/class/net/gre01/statistics/{counter}"));
        assert_eq!(report.count(counter).to_string(), theirs, "{counter}\n{}", report.0);
    }
}
