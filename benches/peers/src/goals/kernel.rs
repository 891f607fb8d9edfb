//! V3: what the kernel's vxlan spends on a packet that it receives over a veth.
//!
//! A process in one network namespace sends datagrams to another one, where a veth hands them to the kernel's receive
//! path at once, on the sender's processor: by turns to the port of a vxlan device, which decapsulates a frame that
//! nobody wants, and to a socket whose buffer is full. The difference is what vxlan, its device and learning cost, less
//! what dropping at a socket costs.

use std::{
    io::{self, Read, Write},
    net::UdpSocket,
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::{
    machine,
    measure::{Series, quantile},
};

/// The argument that makes this program the sender.
pub const SENDER: &str = "--send-for-v3";

/// The argument that makes it the owner of the socket that nobody reads.
pub const SINK: &str = "--sink-for-v3";

/// The port of that socket; vxlan has 4789.
const SINK_PORT: u16 = 4790;

const SAMPLES: usize = 120;
const PACKETS: usize = 256;
const RECEIVER: &str = "198.18.42.2";

/// Nanoseconds of processor time per packet, or why that is not known.
pub fn receive() -> Result<Series, String> {
    let network = Network::new()?;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let this = this.to_string_lossy();
    let _sink = Sink::new(&network.far, &this)?;
    let sent = ip(&["netns", "exec", &network.near, &this, SENDER])?;
    let samples: Vec<f64> = sent.lines().filter_map(|line| line.parse().ok()).collect();
    if samples.len() != SAMPLES {
        return Err(format!("the sender said {sent:?}"));
    }
    Ok(Series { name: "kernel vxlan".into(), samples })
}

/// Two namespaces and a veth between them.
struct Network {
    near: String,
    far: String,
}

impl Network {
    fn new() -> Result<Self, String> {
        let name = |end| format!("peers-{}-{end}", std::process::id());
        let network = Self { near: name("a"), far: name("b") };
        let Self { near, far } = &network;
        ip(&["netns", "add", near])?;
        ip(&["netns", "add", far])?;
        ip(&["-n", near, "link", "add", "va", "type", "veth", "peer", "name", "vb", "netns", far])?;
        ip(&["-n", near, "address", "add", "198.18.42.1/24", "dev", "va"])?;
        ip(&["-n", far, "address", "add", &format!("{RECEIVER}/24"), "dev", "vb"])?;
        let vxlan = ["link", "add", "vx", "type", "vxlan", "id", "42", "dstport", "4789", "local", RECEIVER];
        ip(&[&["-n", far][..], &vxlan].concat())?;
        for (namespace, device) in [(near, "va"), (far, "vb"), (far, "vx"), (far, "lo")] {
            ip(&["-n", namespace, "link", "set", "dev", device, "up"])?;
        }
        Ok(network)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.near, &self.far] {
            let _ = ip(&["netns", "delete", namespace]);
        }
    }
}

/// The process with the socket that nobody reads; it ends when its input does.
struct Sink(Child);

impl Sink {
    fn new(namespace: &str, this: &str) -> Result<Self, String> {
        let child = Command::new("ip")
            .args(["netns", "exec", namespace, this, SINK])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("ip: {error}"))?;
        let mut sink = Self(child);
        let mut ready = [0];
        let read = sink.0.stdout.as_mut().map(|stdout| stdout.read_exact(&mut ready));
        match read {
            Some(Ok(())) => Ok(sink),
            _ => Err("no socket in the other namespace".into()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The owner of that socket.
pub fn sink() -> io::Result<()> {
    let _socket = UdpSocket::bind(("0.0.0.0", SINK_PORT))?;
    io::stdout().write_all(b"r")?;
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new()).map(|_| ())
}

fn ip(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("no namespaces ({})", text(&output.stderr)))
    }
}

/// The sender: prints nanoseconds per packet, a sample per line.
pub fn send() -> io::Result<()> {
    machine::pin(0);
    let socket = |port: u16| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect((RECEIVER, port))?;
        Ok::<_, io::Error>(socket)
    };
    let (vxlan, other) = (socket(4789)?, socket(SINK_PORT)?);
    // VXLAN with VNI 42, and a frame of a protocol that nobody listens to.
    let mut datagram = [0; 8 + 64];
    datagram[..8].copy_from_slice(&[8, 0, 0, 0, 0, 0, 42, 0]);
    datagram[8..22].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x88, 0xb5]);
    let time = |socket: &UdpSocket| {
        let start = Instant::now();
        for _ in 0..PACKETS {
            // One that did not leave would be seen in the time, and says nothing else.
            let _ = socket.send(&datagram);
        }
        start.elapsed().as_nanos() as f64 / PACKETS as f64
    };
    let turn = |socket| quantile(&[time(socket), time(socket), time(socket)], 0.5);
    for sample in 0..SAMPLES {
        let (with, without) = if sample % 2 == 0 {
            let with = turn(&vxlan);
            (with, turn(&other))
        } else {
            let without = turn(&other);
            (turn(&vxlan), without)
        };
        println!("{:.1}", with - without);
    }
    Ok(())
}
