//! The outer headers of one packet: what differs from the remote's is patched into a copy of them.

use super::{
    EncapMeta, InnerChecksum, OuterDscp, OuterFlowLabel, Payload, Ttl, UdpChecksum,
    inner::{IpVersion, Peek, plain_ip},
    offload,
    outer::{DEFAULT_TTL, DF, Outer, USUAL_TUNNEL, first_word},
    remote::Facts,
};
use crate::wire::{
    FlowLabel,
    checksum::{self, Few, Sum},
    ipv4, ipv6, udp,
};

/// What the patches need, besides the settings.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "in a signature of the sealed `Protocol`")]
pub struct Flow<'a> {
    /// The packet to encapsulate.
    pub(crate) packet: &'a [u8],
    pub(crate) peek: Peek,
    pub(crate) meta: &'a EncapMeta,
    /// Flow hash, where one is needed.
    pub(crate) hash: u32,
}

impl Outer {
    /// Completes the outer headers from IP on, in a copy of the remote's, where nothing varies and for a packet of
    /// `packet` bytes; the UDP checksum is zero. `None` where the copy is too short for them.
    #[inline(always)]
    pub(crate) fn patch_plain(
        &self,
        is_udp: bool,
        facts: &Facts,
        headers: &mut [u8],
        packet: usize,
        ecn: u8,
        hash: u32,
    ) -> Option<()> {
        let total = (headers.len() as u16).wrapping_add(packet as u16);
        // Each case to its end, so that every field has a fixed place.
        match facts.ip? {
            IpVersion::V4 if is_udp => {
                let (ip, udp) = headers.first_chunk_mut::<IPV4_UDP>()?.split_first_chunk_mut()?;
                self.patch_plain_ipv4(facts.ipv4_sum, ip, udp.first_chunk_mut()?, total.into(), ecn, hash);
            }
            IpVersion::V6 if is_udp => {
                let (ip, udp) = headers.first_chunk_mut::<IPV6_UDP>()?.split_first_chunk_mut()?;
                self.patch_plain_ipv6(ip, udp.first_chunk_mut()?, total.into(), ecn, hash);
            }
            IpVersion::V4 => write_ipv4(headers.first_chunk_mut()?, facts.ipv4_sum, total, ecn),
            IpVersion::V6 => {
                write_ipv6(headers.first_chunk_mut()?, total.wrapping_sub(ipv6::Header::LEN as u16), ecn);
            }
        }
        Some(())
    }

    /// The same for IPv4 and UDP in their places; `total`: bytes of the packet from IPv4 on.
    #[inline(always)]
    pub(crate) fn patch_plain_ipv4(
        &self,
        ipv4_sum: u16,
        ip: &mut [u8; ipv4::Header::MIN_LEN],
        udp: &mut [u8; udp::Header::LEN],
        total: usize,
        ecn: u8,
        hash: u32,
    ) {
        // It fits: the packet is no longer than the remote takes.
        let total = total as u16;
        let length = total.wrapping_sub(ipv4::Header::MIN_LEN as u16);
        write_udp(udp, self.source_ports.of(hash), length, 0);
        write_ipv4(ip, ipv4_sum, total, ecn);
    }

    /// The same for IPv6 and UDP.
    #[inline(always)]
    pub(crate) fn patch_plain_ipv6(
        &self,
        ip: &mut [u8; ipv6::Header::LEN],
        udp: &mut [u8; udp::Header::LEN],
        total: usize,
        ecn: u8,
        hash: u32,
    ) {
        let length = (total as u16).wrapping_sub(ipv6::Header::LEN as u16);
        write_udp(udp, self.source_ports.of(hash), length, 0);
        write_ipv6(ip, length, ecn);
    }

    /// Whether a frame's checksums are taken as they are.
    #[inline(always)]
    pub(crate) fn trusts(&self, payload: Payload, inner: InnerChecksum) -> bool {
        (inner, self.udp_checksum, payload) == (InnerChecksum::Good, UdpChecksum::Offload, Payload::Ethernet)
    }

    /// Completes the UDP checksum in headers that are complete but for that.
    // Without the facts, so that nobody has to keep them in memory for the sake of this call.
    #[inline(never)]
    pub(crate) fn sum_plain(
        &self,
        version: IpVersion,
        udp_sum: u16,
        headers: &mut [u8],
        payload: Payload,
        packet: &[u8],
        inner: InnerChecksum,
    ) -> Option<()> {
        let ip = match version {
            IpVersion::V4 => ipv4::Header::MIN_LEN,
            IpVersion::V6 => ipv6::Header::LEN,
        };
        let (udp, tunnel) = headers.get_mut(ip..)?.split_first_chunk_mut()?;
        let front = with_tunnel(front_sum(udp_sum, udp), tunnel);
        let sum = offload::with_inner(front, self.udp_checksum, packet, plain_ip(payload, packet), inner);
        set_checksum(udp, sum.udp_checksum());
        Some(())
    }

    /// Completes the outer headers in `header`, a copy of the remote's, for one packet: the tunnel's own
    /// header must be finished already. `is_udp` is known to the compiler where this is called.
    #[inline(always)]
    pub(crate) fn patch(&self, is_udp: bool, facts: &Facts, header: &mut [u8], flow: &Flow<'_>) {
        let Some(l3) = header.get_mut(facts.l3.into()..) else { return };
        let rest = match facts.ip {
            Some(IpVersion::V4) => {
                let Some((ip, rest)) = l3.split_first_chunk_mut() else { return };
                self.patch_ipv4(facts, ip, len(rest, flow), flow);
                rest
            }
            Some(IpVersion::V6) => {
                let Some((ip, rest)) = l3.split_first_chunk_mut() else { return };
                self.patch_ipv6(facts, ip, len(rest, flow), flow);
                rest
            }
            None => return,
        };
        if is_udp {
            self.patch_udp(facts, rest, flow);
        }
    }

    /// `len`: bytes behind this header.
    #[inline(always)]
    fn patch_ipv4(&self, facts: &Facts, ip: &mut [u8; ipv4::Header::MIN_LEN], len: u16, flow: &Flow<'_>) {
        let total_len = len.wrapping_add(ipv4::Header::MIN_LEN as u16);
        let Flow { packet, peek, meta, hash: _ } = *flow;
        let ecn = self.marks.outer(peek.ecn()).value();
        if self.varies {
            return self.patch_varying_ipv4(facts, ip, total_len, ecn, packet, peek, meta.identification);
        }
        write_ipv4(ip, facts.ipv4_sum, total_len, ecn);
    }

    // Out of line and without the flow: for the others that one stays in registers.
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "what is together in a struct is in memory")]
    fn patch_varying_ipv4(
        &self,
        facts: &Facts,
        ip: &mut [u8; ipv4::Header::MIN_LEN],
        total_len: u16,
        ecn: u8,
        packet: &[u8],
        peek: Peek,
        identification: Option<u16>,
    ) {
        let (identification, flags) = if self.dont_fragment.of(&peek, packet) {
            (0, DF)
        } else {
            let hashed = || self.keys.bytes(packet.get(..64).unwrap_or(packet)) as u16;
            (identification.unwrap_or_else(hashed), 0)
        };
        let ds_field = self.dscp(&peek) | ecn;
        let ttl = self.ttl(facts, packet, &peek);
        let changing = [ds_field.into(), total_len, identification, flags, u16::from(ttl) << 8];
        let [w0, w1, w2, w3] = ipv4_word(ds_field, total_len);
        let [i0, i1] = identification.to_be_bytes();
        let [f0, f1] = flags.to_be_bytes();
        let [c0, c1] = checksum::of_words(facts.ipv4_sum, changing).to_be_bytes();
        let [fixed @ .., _, _, _, _, _, _, _, _] = ip;
        *fixed = [w0, w1, w2, w3, i0, i1, f0, f1, ttl, self.protocol.0, c0, c1];
    }

    #[inline(always)]
    fn patch_ipv6(&self, facts: &Facts, ip: &mut [u8; ipv6::Header::LEN], len: u16, flow: &Flow<'_>) {
        let Flow { packet, peek, meta: _, hash } = *flow;
        let ecn = self.marks.outer(peek.ecn()).value();
        write_ipv6(ip, len, ecn);
        if self.varies {
            self.patch_varying_ipv6(facts, ip, ecn, packet, peek, hash);
        }
    }

    #[inline(never)]
    fn patch_varying_ipv6(
        &self,
        facts: &Facts,
        ip: &mut [u8; ipv6::Header::LEN],
        ecn: u8,
        packet: &[u8],
        peek: Peek,
        hash: u32,
    ) {
        let label = match self.flow_label {
            OuterFlowLabel::Fixed(label) => label.value(),
            OuterFlowLabel::FromHash => (hash >> 12).max(1),
            OuterFlowLabel::Inherit if peek.version == Some(IpVersion::V6) => {
                let inner = packet.get(peek.l3()..).and_then(<[u8]>::first_chunk);
                inner.map_or(0, |&word| u32::from_be_bytes(word) & FlowLabel::MAX.value())
            }
            OuterFlowLabel::Inherit => 0,
        };
        let [w0, w1, w2, w3, _, _, _, hop_limit, ..] = ip;
        [*w0, *w1, *w2, *w3] = first_word(self.dscp(&peek) | ecn, label);
        *hop_limit = self.ttl(facts, packet, &peek);
    }

    /// `datagram`: what stands in the header behind IP.
    #[inline(always)]
    fn patch_udp(&self, facts: &Facts, datagram: &mut [u8], flow: &Flow<'_>) {
        let length = len(datagram, flow);
        let Some((udp, tunnel)) = datagram.split_first_chunk_mut() else { return };
        let Flow { packet, peek, meta, hash } = *flow;
        write_udp(udp, self.source_ports.of(hash), length, 0);
        if self.udp_checksum != UdpChecksum::Zero {
            let at = peek.version.map(|version| (version, peek.l3()));
            let front = with_tunnel(front_sum(facts.udp_sum, udp), tunnel);
            let sum = offload::with_inner(front, self.udp_checksum, packet, at, meta.inner_checksum);
            set_checksum(udp, sum.udp_checksum());
        }
    }

    /// The DS field without ECN.
    fn dscp(&self, peek: &Peek) -> u8 {
        match self.dscp {
            OuterDscp::Fixed(dscp) => dscp.value() << 2,
            OuterDscp::Inherit => peek.ds_field & !3,
        }
    }

    fn ttl(&self, facts: &Facts, packet: &[u8], peek: &Peek) -> u8 {
        match self.ttl {
            Ttl::Auto => facts.auto_ttl,
            Ttl::Fixed(ttl) => ttl,
            Ttl::Inherit => match peek.ttl(packet) {
                0 => DEFAULT_TTL,
                ttl => ttl,
            },
        }
    }
}

/// The sum of pseudo header and UDP, from that of addresses, protocol and destination port.
#[inline(always)]
pub(super) fn front_sum(sum: u16, udp: &[u8; udp::Header::LEN]) -> Few {
    let udp::Header { source_port, length, .. } = udp::Header::from_bytes(udp);
    Few::NONE.word(sum).word(source_port).word(length).word(length)
}

/// With the header of a tunnel.
#[inline(always)]
pub(super) fn with_tunnel(front: Few, tunnel: &[u8]) -> Few {
    match tunnel.try_into() {
        Ok(usual) => front.array::<USUAL_TUNNEL>(usual),
        // All have an even number of bytes.
        Err(_) => front.word(Sum::ZERO.add_bytes(tunnel).value()),
    }
}

#[inline(always)]
pub(super) fn set_checksum(udp: &mut [u8; udp::Header::LEN], checksum: u16) {
    let [.., c0, c1] = udp;
    [*c0, *c1] = checksum.to_be_bytes();
}

/// Completes the IPv4 header of a remote to which nothing varies.
#[inline(always)]
fn write_ipv4(ip: &mut [u8; ipv4::Header::MIN_LEN], ipv4_sum: u16, total_len: u16, ecn: u8) {
    let [_, ds_field, l0, l1, _, _, _, _, _, _, c0, c1, ..] = ip;
    *ds_field |= ecn;
    [*l0, *l1] = total_len.to_be_bytes();
    [*c0, *c1] = checksum::of_words(ipv4_sum, [total_len, ecn.into()]).to_be_bytes();
}

/// Completes the IPv6 header of a remote to which nothing varies.
#[inline(always)]
fn write_ipv6(ip: &mut [u8; ipv6::Header::LEN], len: u16, ecn: u8) {
    let [_, w1, _, _, l0, l1, ..] = ip;
    [*l0, *l1] = len.to_be_bytes();
    // The upper half of this byte is the lower half of the DS field.
    *w1 |= ecn << 4;
}

#[inline(always)]
fn write_udp(udp: &mut [u8; udp::Header::LEN], source_port: u16, length: u16, checksum: u16) {
    let [s0, s1, _, _, length_and_checksum @ ..] = udp;
    [*s0, *s1] = source_port.to_be_bytes();
    *length_and_checksum = (u32::from(length) << 16 | u32::from(checksum)).to_be_bytes();
}

/// Version, header length, DS field and total length of an IPv4 header without options, for one store.
#[inline(always)]
fn ipv4_word(ds_field: u8, total_len: u16) -> [u8; 4] {
    (0x4500_0000 | u32::from(ds_field) << 16 | u32::from(total_len)).to_be_bytes()
}

/// Bytes from `written`, the last of the headers, to the end of the packet: [`Remote::max_inner`] sees to
/// it that they are fewer than 2^16.
///
/// [`Remote::max_inner`]: super::Remote::max_inner
#[inline(always)]
fn len(written: &[u8], flow: &Flow<'_>) -> u16 {
    (written.len() as u16).wrapping_add(flow.packet.len() as u16)
}

pub(super) const IPV4_UDP: usize = ipv4::Header::MIN_LEN + udp::Header::LEN;
pub(super) const IPV6_UDP: usize = ipv6::Header::LEN + udp::Header::LEN;
