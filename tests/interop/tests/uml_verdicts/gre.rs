//! GRE, with all that can be in its header and behind it.

use interop::{
    Case,
    bytes::{Ip, checksum},
    case,
};

use crate::{OURS, THEIRS, frame, inner};

/// Everything, in order: sequence numbers are remembered.
pub(crate) fn all() -> [Vec<Case>; 7] {
    [keys(), flags(), lengths(), checksums(), sequences(), nvgre(), ecn()]
}

/// GRE from us to them.
fn outer(gre: &[u8]) -> Vec<u8> {
    Ip::new(OURS, THEIRS, 47).packet(gre)
}

/// GRE with these fields, the checksum made right.
fn gre(flags: u16, protocol: u16, key: Option<u32>, seq: Option<u32>, payload: &[u8]) -> Vec<u8> {
    let flags = flags | u16::from(key.is_some()) << 13 | u16::from(seq.is_some()) << 12;
    let word = |value: Option<u32>| value.map_or(vec![], |value| value.to_be_bytes().to_vec());
    let sum: &[u8] = if flags & 0x8000 != 0 { &[0; 4] } else { &[] };
    let head = [&flags.to_be_bytes()[..], &protocol.to_be_bytes(), sum, &word(key), &word(seq)].concat();
    let mut gre = [&head, payload].concat();
    if flags & 0x8000 != 0 {
        let sum = checksum(&[&gre]).to_be_bytes();
        gre[4..6].copy_from_slice(&sum);
    }
    outer(&gre)
}

const CSUM: u16 = 0x8000;

/// `Policy::allow_other_gre_protocols`.
const NO_ZERO: &str = "tunnels of packets do not take protocol 0";

fn keys() -> Vec<Case> {
    let mut cases = Vec::new();
    for key in [None, Some(0), Some(9), Some(10), Some(11), Some(0x11_1111), Some(0x22_2222), Some(10 << 24)]
    {
        for flags in [0, CSUM] {
            cases.push(case(
                format!("key {key:?}, flags {flags:04x}"),
                gre(flags, 0x0800, key, None, &inner()),
            ));
        }
    }
    let other = Ip::new([10, 99, 0, 7], THEIRS, 47);
    cases.push(case("from another host", other.packet(&gre(0, 0x0800, Some(10), None, &inner())[20..])));
    cases
}

/// Every bit of the flags, every version, many protocols.
fn flags() -> Vec<Case> {
    let mut cases = Vec::new();
    for bit in 0..16 {
        cases.push(case(format!("flag {:04x}", 1 << bit), gre(1 << bit, 0x0800, None, None, &inner())));
        cases.push(case(
            format!("flag {:04x} and a key", 1 << bit),
            gre(1 << bit, 0x0800, Some(10), None, &inner()),
        ));
    }
    for protocol in [0, 1, 0x0800, 0x0806, 0x86dd, 0x8847, 0x880b, 0x9999, 0x6558, 0x88be, 0x22eb, 0xffff] {
        // What Linux's devices count and its stack drops.
        let documented = (protocol == 0).then_some(NO_ZERO);
        for key in [None, Some(10)] {
            let packet = gre(0, protocol, key, None, &inner());
            cases.push(Case { documented, ..case(format!("protocol {protocol:04x}, key {key:?}"), packet) });
        }
    }
    cases.push(case("keepalive", gre(0, 0, None, None, &[])));
    cases.push(case("WCCP", gre(0, 0x883e, None, None, &inner())));
    cases.push(case(
        "WCCP with redirect header",
        gre(0, 0x883e, None, None, &[&[0, 0, 0, 0][..], &inner()].concat()),
    ));
    cases.push(case("WCCP with key", gre(0, 0x883e, Some(10), None, &inner())));
    cases
}

fn lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, full) in [
        ("plain", gre(0, 0x0800, None, None, &inner())),
        ("key", gre(0, 0x0800, Some(10), None, &inner())),
        ("everything", gre(CSUM, 0x0800, Some(0x11_1111), Some(1), &inner())),
    ] {
        for len in 0..=36 {
            // Cut, with right IP headers.
            cases.push(case(format!("{name}: {len} bytes of GRE"), outer(&full[20..20 + len])));
        }
    }
    let v6 = Ip::new([1, 0, 0, 0, 0, 0, 0, 2], [1, 0, 0, 0, 0, 0, 0, 1], 59).packet(&[]);
    for len in [0, 8, 20, 39, 40] {
        cases.push(case(format!("{len} bytes of IPv6"), gre(0, 0x86dd, None, None, &v6[..len])));
    }
    for len in 0..=34 {
        cases.push(case(
            format!("gretap: {len} bytes of frame"),
            gre(0, 0x6558, Some(20), None, &frame()[..len]),
        ));
    }
    cases
}

fn checksums() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, packet: Vec<u8>| cases.push(case(name, packet));
    let good = gre(CSUM, 0x0800, Some(11), None, &inner());
    let edit = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[20 + at] ^= value;
        packet
    };
    add("checksum", good.clone());
    add("no checksum where one must be", gre(0, 0x0800, Some(11), None, &inner()));
    add("wrong checksum", edit(5, 1));
    add("a byte of the payload changed", edit(30, 1));
    add("checksum where none must be", gre(CSUM, 0x0800, Some(10), None, &inner()));
    add("wrong checksum where none must be", {
        let mut packet = gre(CSUM, 0x0800, Some(10), None, &inner());
        packet[24] ^= 1;
        packet
    });
    add("checksum of zero", {
        let mut packet = good.clone();
        packet[24..26].fill(0);
        packet
    });
    add("Reserved1 set, in the sum", {
        let mut packet = good.clone();
        packet[24..26].fill(0);
        packet[27] = 1;
        let sum = checksum(&[&packet[20..]]).to_be_bytes();
        packet[24..26].copy_from_slice(&sum);
        packet
    });
    add("odd length", gre(CSUM, 0x0800, Some(11), None, &[&inner()[..], &[7]].concat()));
    cases
}

fn sequences() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |number: u32| {
        cases.push(case(
            format!("sequence number {number:#x}"),
            gre(0, 0x0800, Some(12), Some(number), &inner()),
        ));
    };
    for number in
        [0, 1, 1, 5, 3, 6, 6, 0x7fff_ffff, 5, 0x8000_0010, 0x7fff_ffff, u32::MAX, 0xffff_fffe, 0, 1, 0]
    {
        add(number);
    }
    cases.push(case("no sequence number where one must be", gre(0, 0x0800, Some(12), None, &inner())));
    cases.push(case("sequence number where none need be", gre(0, 0x0800, Some(10), Some(7), &inner())));
    cases.push(case("and an older one", gre(0, 0x0800, Some(10), Some(3), &inner())));
    let all = |number| gre(CSUM, 0x0800, Some(0x11_1111), Some(number), &inner());
    for number in [7, 8, 8, 7, 9] {
        cases.push(case(format!("with everything: {number}"), all(number)));
    }
    let mut broken = all(11);
    broken[24] ^= 1;
    cases.push(case("wrong checksum", broken));
    cases.push(case("the number before it", all(10)));
    // A packet that is refused after its number was judged.
    let marked = {
        let mut ip = Ip::new(OURS, THEIRS, 47);
        ip.tos = 3;
        ip.packet(&all(20)[20..])
    };
    cases.push(case("marked outside, not inside", marked));
    cases.push(case("a number before that one", all(19)));
    cases
}

fn nvgre() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, packet: Vec<u8>| cases.push(case(name, packet));
    add("NVGRE", gre(0, 0x6558, Some(20), None, &frame()));
    add("NVGRE of another key", gre(0, 0x6558, Some(21), None, &frame()));
    add("NVGRE with checksum", gre(CSUM, 0x6558, Some(20), None, &frame()));
    add("NVGRE with sequence number", gre(0, 0x6558, Some(20), Some(1), &frame()));
    add("a packet to a tunnel of frames", gre(0, 0x0800, Some(20), None, &inner()));
    let tagged = [&frame()[..12], &[0x81, 0, 0, 5], &frame()[12..]].concat();
    add("a tagged frame", gre(0, 0x6558, Some(20), None, &tagged));
    add(
        "from a multicast address",
        gre(0, 0x6558, Some(20), None, &[&frame()[..6], &[3; 6], &frame()[12..]].concat()),
    );
    for (name, key) in [("NVGRE without key", None), ("a frame to a tunnel of packets", Some(10))] {
        cases.push(case(name, gre(0, 0x6558, key, None, &frame())));
    }
    cases
}

fn ecn() -> Vec<Case> {
    let mut cases = Vec::new();
    for inner_ecn in 0..4 {
        for outer_ecn in 0..4 {
            let inner =
                Ip { tos: inner_ecn, ..Ip::new([192, 168, 77, 1], [192, 168, 77, 2], 253) }.packet(b"marked");
            let outer = Ip { tos: outer_ecn, ..Ip::new(OURS, THEIRS, 47) };
            let packet = outer.packet(&gre(0, 0x0800, Some(10), None, &inner)[20..]);
            cases.push(case(format!("ECN {inner_ecn:02b} in {outer_ecn:02b}"), packet));
        }
    }
    cases
}
