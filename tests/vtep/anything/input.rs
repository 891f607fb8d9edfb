//! What bytes from a fuzzer choose: small numbers, and packets.

use std::sync::OnceLock;

use encap::wire::{EtherType, IpProtocol, checksum, checksum::Sum, icmpv6, ipv4, ipv6, udp};

use super::samples;

/// The rest of the bytes. Where there are no more, they are zeros.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    pub(super) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub(super) fn bits(&mut self) -> [bool; 8] {
        let byte = self.byte();
        std::array::from_fn(|bit| byte >> bit & 1 == 1)
    }

    pub(super) fn pick<T: Copy, const N: usize>(&mut self, from: [T; N]) -> T {
        from[usize::from(self.byte()) % N]
    }

    /// One of the good frames, changed; or, rarely, whatever is left.
    pub(super) fn frame(&mut self) -> Vec<u8> {
        static FRAMES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
        let frames = FRAMES.get_or_init(samples::frames);
        match self.byte() {
            u8::MAX => self.rest(),
            choice => {
                let frame = frames[usize::from(choice) % frames.len()].clone();
                self.changed(frame, true)
            }
        }
    }

    /// The IP packet in such a frame, changed; or, rarely, whatever is left.
    pub(super) fn ip(&mut self) -> Vec<u8> {
        let mut frame = self.frame();
        let ip = frame.split_off(frame.len().min(14));
        self.changed(ip, false)
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }

    /// With up to three other bytes, cut or not, lengths and checksums then set right or not.
    pub(super) fn changed(&mut self, mut packet: Vec<u8>, is_frame: bool) -> Vec<u8> {
        let choices = self.byte();
        for _ in 0..choices & 3 {
            let (at, byte) = (usize::from(self.byte()), self.byte());
            if let Some(there) = packet.get_mut(at) {
                *there = byte;
            }
        }
        if choices & 4 != 0 {
            packet.truncate(self.word().into());
        }
        if choices & 8 != 0 {
            let _ = set_right(&mut packet, is_frame);
        }
        packet
    }
}

/// Sets lengths and checksums right, as far as there are any.
fn set_right(packet: &mut [u8], is_frame: bool) -> Option<()> {
    let mut ip = packet;
    if is_frame {
        let mut ethertype = 12;
        while ip.get(ethertype..ethertype + 2)? == EtherType::VLAN.0.to_be_bytes() {
            ethertype += 4;
        }
        ip = ip.get_mut(ethertype + 2..)?;
    }
    if ip.first()? >> 4 == 4 {
        let stated = u16::try_from(ip.len()).ok()?.to_be_bytes();
        ip.get_mut(2..4)?.copy_from_slice(&stated);
        let header = ipv4::Header::parse(ip).ok()?.0.with_checksum();
        header.emit(ip).ok()?;
        let payload = &mut ip[header.header_len()..];
        match header.protocol {
            IpProtocol::ICMP => {
                payload.get_mut(2..4)?.fill(0);
                let checksum = checksum::of(payload).to_be_bytes();
                payload[2..4].copy_from_slice(&checksum);
            }
            IpProtocol::UDP => set_udp_length(payload)?,
            _ => {}
        }
    } else {
        let stated = u16::try_from(ip.len().checked_sub(ipv6::Header::LEN)?).ok()?;
        ip.get_mut(4..6)?.copy_from_slice(&stated.to_be_bytes());
        let header = ipv6::Header::parse(ip).ok()?.0;
        let payload = &mut ip[ipv6::Header::LEN..];
        match header.next_header {
            IpProtocol::ICMPV6 => {
                let (head, rest) = payload.split_first_chunk_mut()?;
                let pseudo =
                    Sum::pseudo_ipv6(header.source, header.destination, IpProtocol::ICMPV6, stated.into());
                *head = icmpv6::Header::from_bytes(head).with_checksum(pseudo, rest).to_bytes();
            }
            IpProtocol::UDP => set_udp_length(payload)?,
            _ => {}
        }
    }
    Some(())
}

fn set_udp_length(datagram: &mut [u8]) -> Option<()> {
    let length = u16::try_from(datagram.len()).ok()?;
    let head = datagram.first_chunk_mut()?;
    *head = udp::Header { length, ..udp::Header::from_bytes(head) }.to_bytes();
    Some(())
}
