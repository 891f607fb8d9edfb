//! One device for several segments, told apart by VLANs.

use std::{net::Ipv4Addr, os::fd::AsRawFd, thread, time::Duration};

use interop::{Namespace, Tap, Wire, bytes, eventually, ping};

use crate::lab::{Lab, SOON, require_lab};

/// Segments of the kernel's side, each with the VLAN that it has on ours.
const SEGMENTS: [(u16, u32); 2] = [(10, 110), (20, 120)];

/// The lab with a device of the kernel for each segment, `vx10` and `vx20`.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.a.without_ipv6();
    lab.b.without_ipv6();
    for (vlan, vni) in SEGMENTS {
        let options = format!("id {vni} local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va");
        lab.kernel(&format!("vx{vlan}"), &options, &format!("192.168.{vlan}.1/24"));
    }
    lab
}

fn options(device: &str) -> String {
    let segments = SEGMENTS.map(|(vlan, vni)| format!("--vlan {vlan}={vni} --remote 10.99.0.1"));
    format!("--local 10.99.0.2 --tap {device} {}", segments.join(" "))
}

/// A host at the trunk's end, in whatever VLANs it likes: this kernel has no devices for them.
struct Host {
    tap: Tap,
}

/// A frame, with the VLAN of its tag.
type Tagged = (Option<u16>, Vec<u8>);

const MAC: bytes::Mac = [2, 0, 0, 0, 0, 0x77];

impl Host {
    fn new(namespace: &Namespace, device: &str) -> Self {
        let tap = Tap::open(namespace, device);
        // The kernel takes tags off frames, and says them beside.
        uapi::setsockopt(tap.socket().as_raw_fd(), SOL_PACKET, PACKET_AUXDATA, &1).unwrap();
        Self { tap }
    }

    fn send(&self, vlan: Option<u16>, frame: &[u8]) {
        let (addresses, rest) = frame.split_at(12);
        let tag = vlan.map(|vlan| [0x81, 0, (vlan >> 8) as u8, vlan as u8]);
        let tag = tag.as_ref().map_or(&[][..], |tag| tag);
        self.tap.send(&[addresses, tag, rest].concat());
    }

    /// The next frame, and its VLAN.
    fn receive(&self) -> Option<Tagged> {
        let (mut frame, mut control) = (vec![0_u8; 2_048], [0_u8; 64]);
        let (len, said) = {
            let mut message = uapi::MsghdrMut {
                iov: &mut [&mut frame[..]][..],
                control: Some(&mut control[..]),
                name: uapi::sockaddr_none_mut(),
                flags: 0,
            };
            let socket = self.tap.socket().as_raw_fd();
            let (bytes, _, mut said) = uapi::recvmsg(socket, &mut message, uapi::c::MSG_DONTWAIT).ok()?;
            let (_, _, said) = uapi::cmsg_read(&mut said).unwrap();
            (bytes.len(), said.to_vec())
        };
        frame.truncate(len);
        let number = |at: usize| u16::from_ne_bytes([said[at], said[at + 1]]);
        let status = u32::from_ne_bytes(said[..4].try_into().unwrap());
        Some(((status & VLAN_VALID != 0).then(|| number(16) & 0xfff), frame))
    }

    /// Answers who looks for the host's `.2` of each segment or pings it, as long as `what` is done; answers what came.
    fn during<T: Send>(&self, what: impl FnOnce() -> T + Send) -> (T, Vec<Tagged>) {
        let mut seen = Vec::new();
        let done = thread::scope(|scope| {
            let done = scope.spawn(what);
            while !done.is_finished() {
                while let Some((vlan, frame)) = self.receive() {
                    self.answer(vlan, &frame);
                    seen.push((vlan, frame));
                }
                thread::sleep(Duration::from_millis(1));
            }
            done.join().unwrap()
        });
        (done, seen)
    }

    fn answer(&self, vlan: Option<u16>, frame: &[u8]) {
        let answers = [10, 20, 30]
            .map(|segment| Ipv4Addr::new(192, 168, segment, 2))
            .map(|address| bytes::arp_answer(frame, address, MAC).or_else(|| echo_answer(frame, address)));
        for answer in answers.into_iter().flatten() {
            self.send(vlan, &answer);
        }
    }

    /// Sends a frame, and waits for one that `wanted` is true of; answers its VLAN.
    #[track_caller]
    fn asks(&self, vlan: Option<u16>, frame: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Option<u16> {
        self.send(vlan, frame);
        eventually(SOON, "an answer", || {
            let (vlan, frame) = self.receive()?;
            wanted(&frame).then_some(vlan)
        })
    }
}

/// The answer to an echo request to `address`, if this frame is one.
fn echo_answer(frame: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let (ip, icmp) = frame.get(14..)?.split_at_checked(20)?;
    let asked = frame[12..14] == [8, 0] && ip[9] == 1 && ip[16..20] == address.octets() && icmp[0] == 8;
    // Addresses change places, which no checksum notices, and the type changes.
    let mut icmp = [&[0, 0, 0, 0], icmp.get(4..)?].concat();
    let sum = bytes::checksum(&[&icmp]).to_be_bytes();
    icmp[2..4].copy_from_slice(&sum);
    let ip = [&ip[..12], &ip[16..20], &ip[12..16]].concat();
    asked.then(|| [&frame[6..12], &MAC, &[8, 0], &ip, &icmp].concat())
}

/// The segment that an ARP request or an IPv4 packet is of, by where it goes.
fn segment(frame: &[u8]) -> Option<u16> {
    let at = match frame[12..14] {
        [8, 0] => 30,
        [8, 6] => 38,
        _ => return None,
    };
    Some(frame[at + 2].into())
}

#[test]
fn a_trunk_and_a_device_of_the_kernel_for_each_vni() {
    require_lab!();
    let lab = lab();
    let ours = lab.ours(&options("trunk0"), &[]);
    let host = Host::new(&lab.b, "trunk0");
    for (vlan, vni) in SEGMENTS {
        let address = format!("192.168.{vlan}.2");
        let (_, seen) = host.during(|| {
            ping(&lab.a, &address, 3).all();
            // Full frames, whose tags do not count in the tunnel.
            ping(&lab.a, &format!("-M do -s 1422 {address}"), 2).all();
        });
        // A question and five packets at least, each with the tag of its segment, and nothing of the other one.
        let of: Vec<_> = seen.iter().filter_map(|(vlan, frame)| Some((*vlan, segment(frame)?))).collect();
        assert!(of.len() >= 6 && of.iter().all(|pair| *pair == (Some(vlan), vlan)), "{of:?}");
        // What the host asks it is answered in the same VLAN.
        let [own, theirs] = [2, 1].map(|last| Ipv4Addr::new(192, 168, vlan as u8, last));
        let request = bytes::arp_request(MAC, own, theirs);
        let answer = |frame: &[u8]| frame[12..14] == [8, 6] && frame[28..32] == theirs.octets();
        assert_eq!(host.asks(Some(vlan), &request, answer), Some(vlan));
        let said = lab.a.ip(&format!("-br link show dev vx{vlan}"));
        let mac = said.split_whitespace().nth(2).unwrap().split(':');
        let mac: Vec<_> = mac.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        let echo = bytes::echo(own, theirs, true, 7, b"in a VLAN");
        let echo = bytes::ethernet(mac.try_into().unwrap(), MAC, 0x0800, &echo);
        let answer = |frame: &[u8]| bytes::echo_answer(&frame[14..]) == Some(7);
        assert_eq!(host.asks(Some(vlan), &echo, answer), Some(vlan));
        assert!(ours.number(&format!("trunk0 vlan {vlan} vni {vni} delivered ")) >= 8);
        assert!(ours.number(&format!("trunk0 vlan {vlan} vni {vni} sent ")) >= 8);
    }
    // The host is known in both segments, each by itself.
    for (vlan, _) in SEGMENTS {
        let fdb = lab.a.bridge(&format!("fdb show dev vx{vlan}"));
        assert!(fdb.contains("02:00:00:00:00:77 dst 10.99.0.2 self"), "{fdb}");
    }
}

/// Frames without a tag are of VLAN 0; those of a VLAN that has no segment go nowhere.
#[test]
fn without_a_tag_and_with_one_of_nobody() {
    require_lab!();
    let lab = lab();
    lab.kernel("vx30", "id 130 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.30.1/24");
    let untagged = "--vlan 0=130 --remote 10.99.0.1";
    let ours = lab.ours(&format!("{} {untagged}", options("tags0")), &[("tags0", "192.168.30.2/24")]);
    ping(&lab.a, "192.168.30.2", 3).all();
    ping(&lab.b, "192.168.30.1", 3).all();
    let host = Host::new(&lab.b, "tags0");
    let request =
        |third: u8| bytes::arp_request(MAC, [192, 168, third, 2].into(), [192, 168, third, 1].into());
    for (vlan, third) in [(30, 10), (30, 20), (30, 30), (4_094, 30)] {
        host.send(Some(vlan), &request(third));
    }
    let answer = |frame: &[u8]| frame[12..14] == [8, 6] && frame[20..22] == [0, 2];
    // The answer to the last question is the first that comes.
    assert_eq!(host.asks(Some(20), &request(20), answer), Some(20));
    assert_eq!(ours.number("dropped unknown-vlan "), 4);
}

/// A copy of a flooded frame that stays here has the tag of the segment that it is for.
#[test]
fn a_flooded_frame_is_for_another_vlan_here() {
    require_lab!();
    let lab = lab();
    let options =
        options("here3").replace("--vlan 20", "--fdb 00:00:00:00:00:00=10.99.0.2,vni=120 --vlan 20");
    let ours = lab.ours(&options, &[]);
    let host = Host::new(&lab.b, "here3");
    let request = bytes::arp_request(MAC, [192, 168, 10, 2].into(), [192, 168, 10, 8].into());
    assert_eq!(host.asks(Some(10), &request, |frame| frame == request), Some(20));
    assert!(!ours.report().contains("failed"), "{}", ours.report());
}

/// include/uapi/linux/if_packet.h
const SOL_PACKET: i32 = 263;
const PACKET_AUXDATA: i32 = 8;
/// TP_STATUS_VLAN_VALID, of the first word.
const VLAN_VALID: u32 = 1 << 4;
