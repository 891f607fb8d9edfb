//! The traffic: frames of an IMIX in buffers of 2 KiB, many flows, and where they go.

use std::{
    hint::black_box,
    net::{Ipv4Addr, Ipv6Addr},
};

use encap::{
    Packet,
    tunnel::{EncapMeta, Framing, Link, Remote, vxlan},
    wire::{
        IpProtocol, MacAddr, Vni,
        checksum::{self, Sum},
    },
};

use super::Random;

/// Packets of a burst.
pub const BURST: usize = 64;

/// Where frames start in their buffers.
pub const HEADROOM: usize = 128;

/// Bytes of outer Ethernet, IPv4, UDP and VXLAN headers.
pub const OVERHEAD: usize = 50;

/// Remotes that packets go to.
pub const REMOTES: usize = 1024;

/// Bursts before the same remotes come again.
pub const PLANS: usize = 8;

/// The first VNI of as many as there are remotes.
pub const VNI: u32 = 0x01_2300;

/// Our own address.
pub const LOCAL: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Seed of the flow hash.
pub const SEED: u64 = 0x5eed;

/// Ports that flows are spread over.
pub const PORTS: (u16, u16) = (49152, 65535);

/// A buffer as a ring would have it.
#[repr(align(2048))]
#[derive(Clone, Copy, Debug)]
pub struct Buffer(pub [u8; 2048]);

/// What lies in a buffer, from [`HEADROOM`] on.
#[derive(Clone, Debug)]
pub struct Frames {
    pub buffers: Vec<Buffer>,
    pub lens: Vec<usize>,
}

impl Frames {
    /// Frames of 64, 594 and 1,514 bytes, 7 to 4 to 1: TCP, UDP and ICMP over IPv4, TCP and UDP over IPv6, ARP.
    pub fn imix(count: usize) -> Self {
        let mut random = Random(1);
        let (buffers, lens) = (0..count).map(|_| imix_frame(&mut random)).unzip();
        Self { buffers, lens }
    }

    /// Frames of one length: UDP over IPv4.
    pub fn of_len(count: usize, len: usize) -> Self {
        let mut random = Random(2);
        let (buffers, lens) = (0..count)
            .map(|_| {
                let mut buffer = Buffer([0; 2048]);
                ipv4_frame(&mut random, &mut buffer.0[HEADROOM..HEADROOM + len], 17);
                (buffer, len)
            })
            .unzip();
        Self { buffers, lens }
    }

    pub fn frame(&self, at: usize) -> &[u8] {
        &self.buffers[at].0[HEADROOM..HEADROOM + self.lens[at]]
    }

    /// The frames as packets that stay: each contestant has its own.
    pub fn packets(&self) -> Vec<Packet<'static>> {
        let buffers = self.buffers.clone().leak().iter_mut();
        buffers
            .zip(&self.lens)
            .map(|(buffer, &len)| Packet::new(&mut buffer.0, HEADROOM, len).unwrap())
            .collect()
    }
}

fn imix_frame(random: &mut Random) -> (Buffer, usize) {
    let mut buffer = Buffer([0; 2048]);
    let len = [64, 64, 64, 64, 64, 64, 64, 594, 594, 594, 594, 1514][random.below(12)];
    let frame = &mut buffer.0[HEADROOM..HEADROOM + len];
    match random.below(20) {
        0 | 1 => ipv6_frame(random, frame, 6),
        2 => ipv6_frame(random, frame, 17),
        3 => ipv4_frame(random, frame, 1),
        4 => arp_frame(random, frame),
        5..=8 => ipv4_frame(random, frame, 17),
        _ => ipv4_frame(random, frame, 6),
    }
    (buffer, len)
}

/// Fills a frame with noise and writes its addresses.
fn ethernet(random: &mut Random, frame: &mut [u8], ethertype: [u8; 2]) {
    frame.fill_with(|| random.next() as u8);
    (frame[0], frame[6]) = (2, 2);
    frame[12..14].copy_from_slice(&ethertype);
}

/// Not-ECT as a rule, and now and then a transport that knows about congestion.
fn ecn(random: &mut Random) -> u8 {
    [0, 0, 0, 0, 0, 0, 0, 2, 1, 3][random.below(10)]
}

fn ipv4_frame(random: &mut Random, frame: &mut [u8], protocol: u8) {
    ethernet(random, frame, [8, 0]);
    let ip = &mut frame[14..];
    let [l0, l1] = (ip.len() as u16).to_be_bytes();
    let (i, id) = (random.next() as u8, random.next() as u8);
    ip[..12].copy_from_slice(&[0x45, ecn(random), l0, l1, i, id, 0x40, 0, 63, protocol, 0, 0]);
    (ip[12], ip[16]) = (10, 10);
    let sum = checksum::of(&ip[..20]);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let [_, _, _, _, _, _, _, _, _, _, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *ip.first_chunk().unwrap();
    let segment = &mut ip[20..];
    let len = segment.len() as u16;
    let pseudo =
        Sum::pseudo_ipv4([s0, s1, s2, s3].into(), [d0, d1, d2, d3].into(), IpProtocol(protocol), len);
    transport(segment, protocol, pseudo);
}

fn ipv6_frame(random: &mut Random, frame: &mut [u8], protocol: u8) {
    ethernet(random, frame, [0x86, 0xdd]);
    let ip = &mut frame[14..];
    let len = ip.len() as u16 - 40;
    let [l0, l1] = len.to_be_bytes();
    let ecn = ecn(random) << 4;
    ip[..8].copy_from_slice(&[0x60, ecn, 0, 0, l0, l1, protocol, 63]);
    (ip[8], ip[24]) = (0xfd, 0xfd);
    let (head, segment) = ip.split_first_chunk_mut::<40>().unwrap();
    let source = <[u8; 16]>::try_from(&head[8..24]).unwrap();
    let destination = <[u8; 16]>::try_from(&head[24..]).unwrap();
    let pseudo = Sum::pseudo_ipv6(source.into(), destination.into(), IpProtocol(protocol), len.into());
    transport(segment, protocol, pseudo);
}

/// Checksums that are good; a short segment has noise where its header would go on.
fn transport(segment: &mut [u8], protocol: u8, pseudo: Sum) {
    let (at, pseudo) = match protocol {
        17 => (6, pseudo),
        6 => (16, pseudo),
        _ => (2, Sum::ZERO),
    };
    if protocol == 17 {
        let [l0, l1] = (segment.len() as u16).to_be_bytes();
        segment[4..6].copy_from_slice(&[l0, l1]);
    }
    if segment.len() >= at + 2 {
        segment[at..at + 2].fill(0);
        let sum = pseudo.add_bytes(segment).udp_checksum();
        segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

fn arp_frame(random: &mut Random, frame: &mut [u8]) {
    ethernet(random, frame, [8, 6]);
    frame[..6].fill(0xff);
    frame[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
}

/// The outer Ethernet header.
pub const LINK: Link =
    Link { source: MacAddr([2, 0, 0, 0, 0, 1]), next_hop: MacAddr([2, 0, 0, 0, 0, 2]), vlan: None };

/// An endpoint at this address, its settings as if read from a file.
pub fn endpoint(local: Ipv4Addr) -> vxlan::Endpoint {
    black_box(vxlan::Endpoint::new(local.into()).framing(Framing::Ethernet(LINK)).seed(SEED).build().unwrap())
}

/// The address of a remote.
pub fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0001 + number as u32)
}

/// An IPv6 address instead.
pub fn in_ipv6(address: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(address.to_bits()))
}

/// As many remotes as there are to be, each with a VNI of its own.
pub fn remotes(tunnel: &vxlan::Endpoint) -> Vec<Remote> {
    (0..REMOTES).map(|n| tunnel.remote(address(n).into(), Vni::truncate(VNI + n as u32)).unwrap()).collect()
}

/// Where the packets of a burst go, and the hash that somebody has given them.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub remote: usize,
    pub hash: u32,
}

/// Several bursts of `count` packets.
pub fn plans(count: usize) -> Vec<Vec<Step>> {
    let mut random = Random(3);
    (0..PLANS)
        .map(|_| {
            (0..count).map(|_| Step { remote: random.below(REMOTES), hash: random.next() as u32 }).collect()
        })
        .collect()
}

/// The same as the crate wants it.
pub fn plan_of<'a>(steps: &[Step], remotes: &'a [Remote], given: bool) -> Vec<(&'a Remote, EncapMeta)> {
    let meta = |step: &Step| if given { EncapMeta::new().hash(step.hash) } else { EncapMeta::new() };
    steps.iter().map(|step| (&remotes[step.remote], meta(step))).collect()
}
