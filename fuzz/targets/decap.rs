//! Any bytes into every kind of endpoint, and past the analyser.
#![no_main]

#[allow(dead_code, reason = "there is a target for each law")]
#[path = "../../tests/tunnel/laws.rs"]
mod laws;

use std::net::Ipv4Addr;

use encap::wire::{EtherType, IpProtocol, checksum::Sum, ethernet, ipv4, udp, vlan};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| laws::decap(data));

// A mutation that breaks the outer lengths or checksums, as most do, leads nowhere: two out of three times
// they are set right.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if seed % 3 != 0 {
        let _ = repair(&mut data[..size], seed % 3 == 1);
    }
    size
});

/// Sets lengths and checksums of outer IPv4 and UDP headers right, UDP's own checksum if wanted.
fn repair(data: &mut [u8], udp_checksum: bool) -> Option<()> {
    let (choice, mut packet) = data.split_first_mut()?;
    // The framing, as the target's body reads it.
    match *choice >> 1 & 3 {
        0 => return None,
        1 => {}
        _ => {
            let (ethernet, _) = ethernet::Header::parse(packet).ok()?;
            let tag = if ethernet.ethertype == EtherType::VLAN { vlan::Header::LEN } else { 0 };
            packet = packet.get_mut(ethernet::Header::LEN + tag..)?;
        }
    }
    // Anything but an IPv4 header whose options are there stays as it is.
    let stated = u16::try_from(packet.len()).ok()?.to_be_bytes();
    packet.get_mut(2..4)?.copy_from_slice(&stated);
    let (ip, _) = ipv4::Header::parse(packet).ok()?;
    let header = ip.with_checksum();
    header.emit(packet).ok()?;

    let payload = &mut packet[ip.header_len()..];
    if ip.protocol == IpProtocol::UDP && payload.len() >= udp::Header::LEN {
        repair_udp(payload, ip.source, ip.destination, udp_checksum)?;
    }
    Some(())
}

fn repair_udp(datagram: &mut [u8], source: Ipv4Addr, destination: Ipv4Addr, checksum: bool) -> Option<()> {
    let length = u16::try_from(datagram.len()).ok()?;
    let (head, payload) = datagram.split_first_chunk_mut()?;
    let mut header = udp::Header { length, ..udp::Header::from_bytes(head) };
    if checksum && header.checksum != 0 {
        let pseudo = Sum::pseudo_ipv4(source, destination, IpProtocol::UDP, length);
        header = header.with_checksum(pseudo, payload);
    }
    *head = header.to_bytes();
    Some(())
}
