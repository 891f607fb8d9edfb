//! Loads the programs into the kernel, whose verifier looks at each of them, runs them there on random packets, and
//! compares with what the same code does here. No device and no network is needed.
//!
//! usage: bpf-run OBJECT (as root)

use std::{env, error::Error, process::ExitCode};

use aya::{
    Ebpf,
    programs::{TestRun as _, TestRunOptions, Xdp},
};

use encap::{
    Packet,
    tunnel::{Framing, Link, vxlan},
    wire::{MacAddr, Vni},
};

#[path = "../../src/work.rs"]
mod work;

use self::work::{OUTER, for_each_codec};

const DROP: u32 = 1;
const PASS: u32 = 2;

/// Packets of each program.
const PACKETS: u32 = 2_000;
/// Of those that put frames into tunnels and take them out.
const FRAMES: u32 = 20_000;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    let object = env::args_os().nth(1).ok_or("usage: bpf-run OBJECT")?;
    let mut programs = Programs(Ebpf::load_file(object)?);

    macro_rules! codecs {
        ($($name:ident: $read:literal => $write:literal, |$bytes:ident| $body:expr;)*) => { $(
            programs.compare::<$read, $write>(stringify!($name), work::$name)?;
        )* };
    }
    for_each_codec!(codecs);
    programs.tunnel()
}

/// The programs in the kernel.
struct Programs(Ebpf);

impl Programs {
    /// Has the kernel verify a program.
    fn load(&mut self, name: &str) -> Result<&Xdp, Box<dyn Error>> {
        let program: &mut Xdp =
            self.0.program_mut(name).ok_or_else(|| format!("no program {name}"))?.try_into()?;
        program.load().map_err(|error| format!("{name}: {error:?}"))?;
        Ok(program)
    }

    /// Runs a codec's program on packets that begin with all kinds of bytes.
    fn compare<const R: usize, const W: usize>(
        &mut self,
        name: &str,
        work: impl Fn(&[u8; R]) -> Option<[u8; W]>,
    ) -> Outcome {
        let mut random = Random(name.len() as u64);
        let program = self.load(name)?;
        let (mut passed, mut dropped) = (0, 0);
        for number in 0..PACKETS {
            let mut packet: [u8; 64] = std::array::from_fn(|_| random.next() as u8);
            likely(name, &mut packet, number);
            let mut expected = packet;
            let verdict = match work(packet.first_chunk().ok_or("short")?) {
                Some(written) => {
                    expected[..W].copy_from_slice(&written);
                    PASS
                }
                None => DROP,
            };
            check(name, &packet, execute(program, &packet)?, (verdict, &expected))?;
            if verdict == PASS { passed += 1 } else { dropped += 1 }
        }
        println!("{name}: {passed} headers the same, {dropped} refused by both");
        if passed == 0 { Err(format!("{name}: nothing was accepted").into()) } else { Ok(()) }
    }

    /// Frames go into the tunnel and out of it, some with a bit flipped between.
    fn tunnel(&mut self) -> Outcome {
        let mut random = Random(42);
        self.load("decap")?;
        self.load("encap")?;
        let [encap, decap] = ["encap", "decap"].map(|name| self.0.program(name));
        let encap: &Xdp = encap.ok_or("no encap")?.try_into()?;
        let decap: &Xdp = decap.ok_or("no decap")?.try_into()?;
        is_what_endpoints_take()?;
        let (mut out, mut refused) = (0, 0);
        for number in 0..FRAMES {
            let len = 14 + random.below(1_400);
            let frame: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
            let mut packet = [&work::outer(len as u16)[..], &frame].concat();
            check("encap", &frame, execute(encap, &frame)?, (PASS, &packet))?;
            if number.is_multiple_of(4) {
                packet[random.below(OUTER)] ^= 1 << random.below(8);
            }
            let ours = work::is_inner(packet.first_chunk().ok_or("short")?);
            let expected = if ours.is_some() { (PASS, &packet[OUTER..]) } else { (DROP, &packet[..]) };
            check("decap", &packet, execute(decap, &packet)?, expected)?;
            if ours.is_some() { out += 1 } else { refused += 1 }
        }
        println!(
            "encap: {FRAMES} packets the same; decap: {out} frames the same, {refused} packets refused by both"
        );
        if out == 0 || refused == 0 { Err("one of both never happened".into()) } else { Ok(()) }
    }
}

/// The outer headers that are compared are right: an endpoint, with all its checks, takes a frame out of them.
fn is_what_endpoints_take() -> Outcome {
    let frame = [&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5][..], &[0x5a; 50]].concat();
    let mut bytes = [&work::outer(frame.len() as u16)[..], &frame].concat();
    let link = Link::resolving(MacAddr([2, 0, 0, 0, 0, 2]));
    let there = vxlan::Endpoint::new([192, 0, 2, 2].into()).framing(Framing::Ethernet(link)).build()?;
    let len = bytes.len();
    let mut packet = Packet::new(&mut bytes, 0, len)?;
    let inner = there.decap(&mut packet)?;
    let is_right = packet.as_slice() == frame && inner.encapsulation.vni() == Vni::new(42);
    if is_right { Ok(()) } else { Err(format!("an endpoint makes {inner:?} of it").into()) }
}

/// Makes headers likely that are not refused at once, half of the time.
fn likely(name: &str, packet: &mut [u8; 64], number: u32) {
    if number.is_multiple_of(2) {
        return;
    }
    let fixed: &[(usize, u8)] = match name {
        "arp" => &[(0, 0), (1, 1), (2, 8), (3, 0), (4, 6), (5, 4)],
        "ipv4" => &[(0, 0x45), (2, 1)],
        "ipv6" => &[(0, 0x60)],
        "solicitation" => &[(0, 135), (1, 0)],
        "advertisement" => &[(0, 136), (1, 0)],
        "geneve" => &[(0, 0)],
        "gre" => &[(0, 0), (1, 0)],
        "nvgre" => &[(0, 0x20), (1, 0), (2, 0x65), (3, 0x58)],
        _ => &[],
    };
    fixed.iter().for_each(|&(at, byte)| packet[at] = byte);
}

/// Runs a program in the kernel: its verdict, and the packet then.
fn execute(program: &Xdp, packet: &[u8]) -> Result<(u32, Vec<u8>), Box<dyn Error>> {
    let mut after = vec![0; packet.len() + OUTER];
    let options =
        TestRunOptions { data_in: Some(packet), data_out: Some(&mut after), ..TestRunOptions::new() };
    let result = program.test_run(options)?;
    after.truncate(result.data_size_out as usize);
    Ok((result.return_value, after))
}

fn check(name: &str, packet: &[u8], kernel: (u32, Vec<u8>), here: (u32, &[u8])) -> Outcome {
    if (kernel.0, &kernel.1[..]) == here {
        return Ok(());
    }
    Err(format!("{name} of {packet:02x?}\nin the kernel: {kernel:02x?}\nhere: {here:02x?}").into())
}

/// Numbers without a pattern (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
