//! The kernel's own VTEP: a vxlan device in a namespace, with a test at both of its ends.
//!
//! ```text
//!  test's frames -- vx0 | kernel | u -- veth -- t | test's packets
//! ```

use std::time::Duration;

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use crate::{Namespace, Offload, Tap, Wire, bytes, veth};

/// The MAC address of the kernel's underlay device.
pub const UNDERLAY_MAC: bytes::Mac = [2, 0, 0, 0, 1, 1];

/// The MAC address of the vxlan device.
pub const OVERLAY_MAC: bytes::Mac = [2, 0, 0, 0, 0xa, 1];

/// Who marks the end of what came of a packet.
const MARKER_MAC: bytes::Mac = [2, 0, 0, 0, 0xee, 0xee];

/// The marker's EtherType, for experiments (IEEE 802, clause 9.2.4).
const MARKER: u16 = 0x88b5;

/// The MAC address of the remote that ends in this number.
pub const fn remote_mac(last: u8) -> bytes::Mac {
    [2, 0, 0, 0, 2, last]
}

/// A kernel with one vxlan device `vx0` on underlay addresses 10.99.0.1 and fd99::1, and remotes 10.99.0.N and
/// fd99::N, whose MAC addresses are [`remote_mac`]`(N)`.
#[derive(Debug)]
pub struct Kernel {
    /// Where it is.
    pub namespace: Namespace,
    /// Packets that it sends into the underlay, and receives from there.
    pub underlay: Tap,
    /// Frames that come out of the vxlan device, and go into it.
    pub overlay: Tap,
    /// Packets of a remote that the device takes in any case, up to the frame in them.
    marker: Vec<u8>,
    number: std::cell::Cell<u32>,
    _far: Namespace,
}

/// A VXLAN packet to the kernel, whole: from the remote that ends in `last`, over IPv4 or IPv6.
pub fn packet(v6: bool, last: u8, port: u16, vxlan: &[u8]) -> Vec<u8> {
    let ip = underlay_ip(v6, last);
    bytes::ethernet(UNDERLAY_MAC, remote_mac(last), ip.ethertype(), &ip.packet(&ip.udp(0xc000, port, vxlan)))
}

/// The underlay's IP header from this remote to the kernel.
pub fn underlay_ip(v6: bool, last: u8) -> bytes::Ip {
    if v6 {
        bytes::Ip::new([0xfd99, 0, 0, 0, 0, 0, 0, u16::from(last)], [0xfd99, 0, 0, 0, 0, 0, 0, 1], 17)
    } else {
        bytes::Ip::new([10, 99, 0, last], [10, 99, 0, 1], 17)
    }
}

impl Kernel {
    /// A device with these options of `ip link add vx0 type vxlan`. `marker` is what a remote's packets have before
    /// a frame, from the UDP header's port to the VXLAN header, so that the device takes them.
    ///
    /// # Panics
    ///
    /// Where it cannot be made.
    #[track_caller]
    pub fn new(options: &str, v6: bool, port: u16, header: u64) -> Self {
        stay();
        let (namespace, far) = (Namespace::new("kernel"), Namespace::new("wire"));
        far.without_ipv6();
        veth((&namespace, "u"), (&far, "t"), Offload::None);
        namespace.sysctl("net/ipv6/conf/default/disable_ipv6", "1");
        namespace.ip(&format!("link set dev u address {}", text(UNDERLAY_MAC)));
        namespace.ip("addr add 10.99.0.1/24 dev u");
        namespace.ip("addr add fd99::1/64 dev u nodad");
        for last in (2..10).chain([200]) {
            let mac = text(remote_mac(last));
            namespace.ip(&format!("neigh replace 10.99.0.{last} lladdr {mac} dev u nud permanent"));
            namespace.ip(&format!("neigh replace fd99::{last:x} lladdr {mac} dev u nud permanent"));
        }
        namespace.ip(&format!("link add vx0 address {} type vxlan {options}", text(OVERLAY_MAC)));
        namespace.ip("link set vx0 up");
        let underlay = Tap::open(&far, "t");
        let overlay = Tap::open(&namespace, "vx0");
        let marker = packet(v6, 200, port, &bytes::vxlan(header, &[]));
        Self { namespace, underlay, overlay, marker, number: 0.into(), _far: far }
    }

    /// The marker with the next number, and the packet that it comes in.
    fn mark(&self) -> Vec<u8> {
        self.number.set(self.number.get() + 1);
        let number = self.number.get().to_be_bytes();
        bytes::ethernet([0xff; 6], MARKER_MAC, MARKER, &number)
    }

    /// The frames that come out of the device because of this packet.
    ///
    /// # Panics
    ///
    /// Where the device is deaf.
    #[track_caller]
    pub fn receive(&self, packet: &[u8]) -> Vec<Vec<u8>> {
        let mark = self.mark();
        self.underlay.send(packet);
        self.underlay.send(&with_payload(&self.marker, &mark));
        let mut frames = Vec::new();
        let end = self.overlay.until(Duration::from_secs(5), |frame| {
            if frame == mark {
                return Some(());
            }
            frames.push(frame.to_vec());
            None
        });
        assert_eq!(end, Some(()), "the device does not take the marker");
        frames
    }

    /// What comes of a frame that is sent on the device: packets in the underlay and frames that come back.
    ///
    /// # Panics
    ///
    /// Where the device is mute.
    #[track_caller]
    pub fn send(&self, frame: &[u8]) -> Came {
        let mark = self.mark();
        self.overlay.send(frame);
        // It goes where an entry for it says.
        let marked = [&remote_mac(200)[..], &mark[6..]].concat();
        self.overlay.send(&marked);
        let mut packets = Vec::new();
        let end = self.underlay.until(Duration::from_secs(5), |packet| {
            if packet.ends_with(&marked) {
                return Some(());
            }
            if is_udp(packet) {
                packets.push(packet.to_vec());
            }
            None
        });
        assert_eq!(end, Some(()), "the device does not send the marker");
        let mut frames = Vec::new();
        while let Some(frame) = self.overlay.receive(Duration::ZERO) {
            frames.push(frame);
        }
        Came { packets, frames }
    }

    /// Tells the device where the end of [`send`](Self::send) goes. `remote` is 10.99.0.200 or fd99::c8.
    pub fn know_marker(&self, remote: &str, options: &str) {
        let mac = text(remote_mac(200));
        self.namespace.bridge(&format!("fdb append {mac} dev vx0 dst {remote} {options}"));
    }
}

/// What came of a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Came {
    /// Sent into the underlay.
    pub packets: Vec<Vec<u8>>,
    /// Answered on the device.
    pub frames: Vec<Vec<u8>>,
}

/// Whether a packet is UDP, and not something that the kernel says for itself.
fn is_udp(packet: &[u8]) -> bool {
    match packet {
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, _, _, _, _, _, _, _, _, _, 17, ..] => true,
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x86, 0xdd, ..] => packet.get(20) == Some(&17),
        _ => false,
    }
}

/// A MAC address as text.
pub fn text(mac: bytes::Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// A VXLAN packet as [`packet`] makes it, with more payload.
fn with_payload(packet: &[u8], more: &[u8]) -> Vec<u8> {
    let v6 = packet[12] == 0x86;
    let at = if v6 { 62 } else { 42 };
    let vxlan = [&packet[at..], more].concat();
    self::packet(v6, 200, u16::from_be_bytes([packet[at - 6], packet[at - 5]]), &vxlan)
}

/// Keeps this thread on one processor: packets that it sends are then received in their order.
fn stay() {
    let mut cpus = CpuSet::new();
    cpus.set(nix::sched::sched_getcpu().unwrap()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
}
