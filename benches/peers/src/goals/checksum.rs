//! C1, C2 and C5: the Internet checksum.

use std::hint::black_box;

use encap::{
    Packet,
    tunnel::{EncapMeta, InnerChecksum, UdpChecksum, vxlan},
    wire::{IpProtocol, Vni, checksum, udp},
};

use crate::{
    cases::Random,
    measure::{Contestant, fastest, interleave},
    report::{Goal, Report},
    traffic::{HEADROOM, LOCAL, SEED, address},
};

/// Somebody's checksum of some bytes, in host order.
type Checksum = fn(&[u8]) -> u16;

/// Buffers that are summed in turn.
const BUFFERS: usize = PLACES.len();

/// Where they begin on a cache line: where packets have what is summed, and not where an allocator happens to leave
/// room. (A copy takes 10.9 or 13.4 ns for 1500 bytes, depending on that alone.)
///
/// Behind Ethernet, with the two bytes before it that some leave free, or behind a VLAN tag; behind IPv4, without
/// them and with them; behind UDP; behind IPv6; behind VXLAN's headers and another Ethernet.
const PLACES: [usize; 8] = [14, 16, 18, 34, 36, 42, 54, 20];

/// Passes over all buffers in a slice of work.
const fn passes(len: usize) -> usize {
    512 * 64 / len + 8
}

pub fn run(report: &mut Report) {
    if report.wants(&["C1", "C2"]) {
        for len in [64, 1500, 9000] {
            sums(report, len);
        }
        header(report);
    }
    if report.wants(&["C5"]) {
        for (len, goal) in [(1500, Goal::Faster(4.0, 8.0)), (9000, Goal::Faster(20.0, 40.0))] {
            offload(report, len, goal);
        }
    }
}

/// Memory for ever, at each of the places behind so many bytes of a page. What is copied to the same place of another
/// page is waited for: loads and stores are told apart by the lower bits of their addresses.
fn placed(behind: usize, len: usize) -> [&'static mut [u8]; BUFFERS] {
    const PAGE: usize = 4096;
    PLACES.map(|place| {
        let bytes = vec![0; PAGE + behind + place + len].leak();
        let start = bytes.as_ptr().align_offset(PAGE) + behind + place;
        &mut bytes[start..start + len]
    })
}

/// The same of noise.
fn noise(len: usize) -> Vec<&'static [u8]> {
    let mut random = Random(len as u64);
    placed(0, len)
        .into_iter()
        .map(|buffer| {
            buffer.fill_with(|| random.next() as u8);
            &*buffer
        })
        .collect()
}

/// Somebody who sums one slice after the other; the length comes from memory.
fn summing<'a>(name: &str, buffers: &'a [&'static [u8]], sum: impl Fn(&[u8]) -> u16 + 'a) -> Contestant<'a> {
    let passes = passes(buffers[0].len());
    Contestant::new(name, move |_| {
        let mut sums = [0; BUFFERS];
        for _ in 0..passes {
            for (to, from) in sums.iter_mut().zip(black_box(buffers)) {
                *to = sum(from);
            }
            black_box(&mut sums);
        }
        passes * BUFFERS
    })
}

fn etherparse(bytes: &[u8]) -> u16 {
    etherparse::checksum::Sum16BitWords::new().add_slice(bytes).ones_complement().to_be()
}

fn internet_checksum(bytes: &[u8]) -> u16 {
    u16::from_be_bytes(internet_checksum::checksum(bytes))
}

fn smoltcp(bytes: &[u8]) -> u16 {
    !smoltcp::wire::checksum::data(bytes)
}

fn pnet(bytes: &[u8]) -> u16 {
    pnet_packet::util::checksum(bytes, usize::MAX)
}

fn sums(report: &mut Report, len: usize) {
    let buffers = noise(len);
    let of: Checksum = checksum::of;
    let rivals: [(&str, Checksum); 4] = [
        ("internet-checksum", internet_checksum),
        ("etherparse", etherparse),
        ("smoltcp", smoltcp),
        ("pnet_packet", pnet),
    ];
    for buffer in &buffers {
        for (name, rival) in rivals {
            assert_eq!(rival(buffer), of(buffer), "{name}");
        }
    }
    let mut copies = placed(2048, len);
    let memcpy = {
        let buffers = &buffers;
        Contestant::new(format!("memcpy of {len} B"), move |_| {
            for _ in 0..passes(len) {
                for (to, from) in copies.iter_mut().zip(black_box(buffers.as_slice())) {
                    black_box(&mut **to).copy_from_slice(from);
                }
                black_box(&mut copies);
            }
            passes(len) * BUFFERS
        })
    };
    let mut everybody = vec![
        summing("encap", &buffers, checksum::of),
        memcpy,
        summing("internet-checksum", &buffers, internet_checksum),
        summing("etherparse", &buffers, etherparse),
        summing("smoltcp", &buffers, smoltcp),
        summing("pnet_packet", &buffers, pnet),
    ];
    #[cfg(dpdk)]
    everybody.push(rte_raw_cksum(&buffers, len));
    let series = interleave(report.effort, &mut everybody);
    let (ours, copy, rust) = (&series[0], &series[1], &series[2..6]);
    let goal = if len == 1500 { Goal::Faster(2.0, 3.0) } else { Goal::Info };
    let best = fastest(&rust[..3]);
    report.row("C1", &format!("checksum of {len} B beside the best Rust rival"), ours, best, goal);
    for rival in rust {
        report.row("C1", &format!("checksum of {len} B beside each of them"), ours, rival, Goal::Info);
    }
    let work = format!("checksum of {len} B beside DPDK");
    match series.get(6) {
        Some(rte) => report.row("C1", &work, ours, rte, Goal::Faster(1.0, 1.2)),
        None => report.skip("C1", &work, "DPDK is not installed"),
    }
    let goal = if len == 1500 { Goal::Faster(0.5, 0.8) } else { Goal::Info };
    report.row("C2", &format!("checksum of {len} B beside a copy"), ours, copy, goal);
}

#[cfg(dpdk)]
fn rte_raw_cksum(buffers: &[&'static [u8]], len: usize) -> Contestant<'static> {
    let summed = crate::ffi::dpdk::Summed::new(buffers.iter().copied(), black_box(len));
    let mut sums = [0; BUFFERS];
    summed.raw(&mut sums);
    for (sum, buffer) in sums.iter().zip(buffers) {
        assert_eq!(!u16::from_be(*sum), checksum::of(buffer), "rte_raw_cksum");
    }
    Contestant::new("rte_raw_cksum", move |_| {
        for _ in 0..passes(len) {
            summed.raw(&mut sums);
            black_box(&mut sums);
        }
        passes(len) * BUFFERS
    })
}

/// An IPv4 header's checksum.
#[cfg(dpdk)]
fn header(report: &mut Report) {
    let buffers: Vec<&'static [u8]> = noise(20)
        .into_iter()
        .map(|header| {
            let mut header = header.to_vec();
            (header[0], header[10], header[11]) = (0x45, 0, 0);
            &*header.leak()
        })
        .collect();
    let summed = crate::ffi::dpdk::Summed::new(buffers.iter().copied(), 20);
    let mut sums = [0; BUFFERS];
    summed.ipv4(&mut sums);
    for (sum, buffer) in sums.iter().zip(&buffers) {
        assert_eq!(u16::from_be(*sum), checksum::of(buffer), "rte_ipv4_cksum");
    }
    let rte = Contestant::new("rte_ipv4_cksum", move |_| {
        for _ in 0..passes(20) {
            summed.ipv4(&mut sums);
            black_box(&mut sums);
        }
        passes(20) * BUFFERS
    });
    // As it reads a header, of which it knows the length.
    let ours = summing("encap", &buffers, |bytes| {
        bytes.first_chunk::<20>().map_or(0, |bytes| checksum::Sum::ZERO.add_bytes(bytes).checksum())
    });
    let series = interleave(report.effort, &mut [ours, rte]);
    report.row("C1", "checksum of an IPv4 header", &series[0], &series[1], Goal::Info);
}

#[cfg(not(dpdk))]
fn header(report: &mut Report) {
    report.skip("C1", "checksum of an IPv4 header", "DPDK is not installed");
}

/// The outer UDP checksum of an encapsulated frame, by offload arithmetic and by a sum over everything.
fn offload(report: &mut Report, len: usize, goal: Goal) {
    let meta = black_box(EncapMeta::new().hash(7).inner_checksum(InnerChecksum::Good));
    let frames = good_frames(len, BUFFERS);
    let tunnel =
        |mode| black_box(vxlan::Endpoint::new(LOCAL.into()).seed(SEED).udp_checksum(mode).build().unwrap());
    let modes = [
        ("full sum", tunnel(UdpChecksum::Full)),
        ("offload arithmetic", tunnel(UdpChecksum::Offload)),
        ("no checksum", tunnel(UdpChecksum::Zero)),
    ];
    let mut made = Vec::new();
    let mut everybody: Vec<_> = modes
        .iter()
        .map(|(name, tunnel)| {
            let remote = black_box(tunnel.remote(address(1).into(), Vni::truncate(1)).unwrap());
            let buffers = frames.clone().into_iter();
            let mut packets: Vec<_> =
                buffers.map(|buffer| Packet::new(buffer.leak(), HEADROOM, len).unwrap()).collect();
            made.push(Vec::new());
            for packet in &mut packets {
                tunnel.encap_with(packet, &remote, &meta).unwrap();
                made.last_mut().unwrap().push(packet.as_slice().to_vec());
                packet.strip(36).unwrap();
            }
            let passes = if *name == "full sum" { passes(len) } else { 64 };
            Contestant::new(*name, move |_| {
                for _ in 0..passes {
                    for packet in &mut packets {
                        tunnel.encap_with(packet, &remote, &meta).unwrap();
                        packet.strip(36).unwrap();
                    }
                    black_box(&mut packets);
                }
                passes * BUFFERS
            })
        })
        .collect();
    assert!(made[0] == made[1], "the same checksums either way");
    let series = interleave(report.effort, &mut everybody);
    let [full, offload, none] = series.as_slice() else { unreachable!("one series each") };
    // What encapsulation costs without any checksum is not the checksum's.
    let alone = |series: &crate::measure::Series, name: &str| {
        let samples =
            series.samples.iter().zip(&none.samples).map(|(with, without)| (with - without).max(0.01));
        crate::measure::Series { name: name.into(), samples: samples.collect() }
    };
    let work = format!("outer UDP checksum of {len} B");
    report.row("C5", &work, &alone(offload, "encap"), &alone(full, "full sum"), goal);
    report.row("C5", &format!("{work}; the whole encap"), offload, full, Goal::Info);
}

/// Frames of UDP over IPv4 whose checksums are good, behind headroom.
pub fn good_frames(len: usize, count: usize) -> Vec<Vec<u8>> {
    let mut random = Random(5);
    (0..count)
        .map(|_| {
            let mut buffer: Vec<u8> = (0..HEADROOM + len).map(|_| random.next() as u8).collect();
            let frame = &mut buffer[HEADROOM..];
            frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
            let (source, destination) = (address(10), address(11));
            let total_len = (len - 14) as u16;
            let [l0, l1] = total_len.to_be_bytes();
            frame[14..26].copy_from_slice(&[0x45, 0, l0, l1, 0, 0, 0x40, 0, 64, 17, 0, 0]);
            frame[26..34].copy_from_slice(&[source.octets(), destination.octets()].concat());
            let sum = checksum::of(&frame[14..34]);
            frame[24..26].copy_from_slice(&sum.to_be_bytes());
            let length = total_len - 20;
            let pseudo = checksum::Sum::pseudo_ipv4(source, destination, IpProtocol::UDP, length);
            let header = udp::Header { source_port: 1000, destination_port: 2000, length, checksum: 0 };
            let header = header.with_checksum(pseudo, &frame[42..]);
            frame[34..42].copy_from_slice(&header.to_bytes());
            buffer
        })
        .collect()
}
