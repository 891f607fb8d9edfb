//! Packets of which many are to be refused: everybody takes the same, and makes the same of them.

use encap::{Packet, wire::checksum};

use super::{
    Decap,
    contestants::{Received, START, strip},
    rivals::Rivals,
};
use crate::{cases::Random, ffi, goals::encap::twin_endpoint};

/// How many packets.
pub const COUNT: usize = 60_000;

/// Offers everybody the same packets, and answers how many were refused.
pub fn check(received: &Received<'_>, rivals: &Rivals) -> usize {
    let mut random = Random(0xd2);
    (0..COUNT)
        .filter(|number| {
            let packet = mutant(received, &mut random, *number);
            let ours = ours(received, &packet);
            let others = [
                ("C twin", twin(received, &packet)),
                ("etherparse", rival(&rivals.etherparse, &packet)),
                ("pnet_packet", rival(&rivals.pnet, &packet)),
                ("smoltcp", rival(&rivals.smoltcp, &packet)),
                ("pdu", rival(&rivals.pdu, &packet)),
            ];
            for (name, other) in others {
                assert_eq!(
                    other,
                    ours,
                    "{name} reads packet {number} otherwise: {:02x?}",
                    &packet[..64.min(packet.len())]
                );
            }
            ours.is_none()
        })
        .count()
}

/// A packet of the burst; most of them damaged in a byte or two, or cut, or padded; the IPv4 checksum mended as a rule.
fn mutant(received: &Received<'_>, random: &mut Random, number: usize) -> Vec<u8> {
    let at = number % received.packets.lens.len();
    let len = received.packets.lens[at];
    let mut packet = received.packets.buffers[at].0[START..START + len].to_vec();
    for _ in 0..random.below(3) {
        let front = packet.len().min(70);
        let byte = random.below(front);
        packet[byte] = match random.below(3) {
            0 => random.next() as u8,
            1 => packet[byte] ^ 1 << random.below(8),
            _ => [0, 0xff, 0x7f, 1][random.below(4)],
        };
    }
    match random.below(8) {
        0 => packet.truncate(random.below(packet.len() + 1)),
        1 => packet.extend((0..random.below(20)).map(|_| random.next() as u8)),
        _ => {}
    }
    if let (true, Some(ip)) = (random.below(4) > 0, packet.get_mut(14..)) {
        let ihl = ip.first().map_or(0, |first| usize::from(first & 15) * 4);
        if let Some(header) = ip.get_mut(..ihl).filter(|header| header.len() >= 20) {
            header[10..12].fill(0);
            let sum = checksum::of(header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        }
    }
    packet
}

/// VNI and inner frame.
type Taken = Option<(u32, Vec<u8>)>;

fn ours(received: &Received<'_>, packet: &[u8]) -> Taken {
    let mut packet = packet.to_vec();
    let len = packet.len();
    let mut packet = Packet::new(&mut packet, 0, len).unwrap();
    let inner = received.tunnel.decap(&mut packet).ok()?;
    Some((inner.encapsulation.vni()?.value(), packet.as_slice().to_vec()))
}

fn twin(received: &Received<'_>, packet: &[u8]) -> Taken {
    let mut made = [ffi::Packet::new(packet.to_vec().leak(), 0, packet.len())];
    let mut results = [ffi::Inner::default()];
    ffi::twin_decap(&twin_endpoint(), &mut made, &[ffi::Known::default()], &mut results, &received.known);
    let [inner] = results;
    (inner.reason == 0).then(|| ((inner.vxlan >> 8) as u32 & 0xff_ffff, made[0].bytes().to_vec()))
}

fn rival<D: Decap>(rival: &D, packet: &[u8]) -> Taken {
    let mut packet = packet.to_vec();
    let opened = strip(rival, &mut packet)?;
    Some((opened.vni, packet[opened.start..opened.end].to_vec()))
}
