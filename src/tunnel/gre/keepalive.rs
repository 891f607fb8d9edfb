//! Keepalives, as routers have them: a packet to ourselves, sent through the tunnel, for the remote to send back.
//!
//! ```text
//!  sent:      IP, local to remote | GRE, of IP | IP, remote to local | GRE, protocol 0
//!  returned:                                     IP, remote to local | GRE, protocol 0
//! ```
//!
//! The remote need not know of keepalives, as long as it forwards what comes out of the tunnel. (Linux does, where
//! `accept_local` and `rp_filter` let it.) No RFC has them; RFC 8086, section 4, advises against them in GRE in UDP.

use core::net::IpAddr;

use crate::{
    packet::Header,
    tunnel::{Anomalies, Start, underlay, view::View},
    wire::{Ecn, EtherType, IpProtocol, gre, ipv4, ipv6},
};

/// The packet inside of a keepalive: from `remote` to `local`, which will receive it with the GRE header `gre`.
pub(super) fn request(local: IpAddr, remote: IpAddr, gre: &gre::Header) -> Option<Header> {
    let gre_bytes = gre.to_bytes();
    let gre_bytes = gre_bytes.get(..gre.header_len())?;
    let payload_len = gre_bytes.len() as u16;
    let mut header = Header::EMPTY;
    match (local, remote) {
        (IpAddr::V4(destination), IpAddr::V4(source)) => {
            let ip = ipv4::Header {
                dscp: Default::default(),
                ecn: Ecn::NotEct,
                total_len: payload_len.saturating_add(ipv4::Header::MIN_LEN as u16),
                identification: 0,
                dont_fragment: true,
                more_fragments: false,
                fragment_offset: Default::default(),
                ttl: TTL,
                protocol: IpProtocol::GRE,
                checksum: 0,
                source,
                destination,
                options: ipv4::Options::NONE,
            };
            write(&mut header, &ip.with_checksum().fixed_bytes(), gre_bytes)?;
        }
        (IpAddr::V6(destination), IpAddr::V6(source)) => {
            let ip = ipv6::Header {
                dscp: Default::default(),
                ecn: Ecn::NotEct,
                flow_label: Default::default(),
                payload_len,
                next_header: IpProtocol::GRE,
                hop_limit: TTL,
                source,
                destination,
            };
            write(&mut header, &ip.to_bytes(), gre_bytes)?;
        }
        _ => return None,
    }
    Some(header)
}

fn write(header: &mut Header, ip: &[u8], gre: &[u8]) -> Option<()> {
    let (front, rest) = header.resize(ip.len().checked_add(gre.len())?)?.split_at_mut_checked(ip.len())?;
    front.copy_from_slice(ip);
    rest.copy_from_slice(gre);
    Some(())
}

/// Where in a keepalive its parts are.
pub(super) struct Request {
    /// Where the GRE header starts.
    pub(super) gre: usize,
    /// Where the packet ends.
    pub(super) end: usize,
}

/// Whether `packet`, which came out of a tunnel from `remote` to `local`, is the remote's keepalive: for the remote,
/// and with hops left to go there.
pub(super) fn find_request(packet: &[u8], local: IpAddr, remote: IpAddr) -> Option<Request> {
    let mut seen = Anomalies::NONE;
    let ip = underlay::ip(View::whole(packet), Start::Ip, &mut seen).ok()?;
    let facts = ip.facts();
    let is_back = (facts.source, facts.destination) == (local, remote) && facts.ttl > 1;
    if !is_back || ip.protocol != IpProtocol::GRE || ip.is_later_fragment || ip.leads_on || !seen.is_empty() {
        return None;
    }
    let (header, payload) = gre::Header::parse(ip.payload.bytes()).ok()?;
    let is_empty = header.protocol == EtherType(0) && payload.is_empty();
    is_empty.then_some(Request { gre: ip.payload.start, end: ip.payload.end })
}

/// As much as there can be: the packet takes as many hops inside of the tunnel as outside.
const TTL: u8 = 255;
