//! The next tunnel in a packet, of all kinds that an analyser meets: those that have an endpoint, and enhanced GRE and
//! ERSPAN besides.

use super::{
    Anomalies, DropReason, Encapsulation, OuterFacts, Policy, Profile, Start, geneve, gre, ip_udp,
    profile::UdpPayload, protocol::Opened, underlay, view::View, vxlan,
};
use crate::wire::{self, Error, EtherType, IpProtocol, erspan, gre1, nvgre};

/// What comes next in a packet.
pub(crate) enum Found<'a> {
    /// A tunnel: what is around it, and what its own header says.
    Tunnel(OuterFacts, Opened<'a>),
    /// Something else. What is wrong with it is none of our business.
    Nothing,
    /// Nobody knows: a capture has cut off the headers that would say it.
    Cut,
}

/// The next tunnel in a packet. `around` is what was found around the layer before, for a header that follows GRE's.
pub(crate) fn find<'a>(
    view: View<'a>,
    start: Start,
    around: Option<OuterFacts>,
    profile: &Profile,
    seen: &mut Anomalies,
) -> Result<Found<'a>, DropReason> {
    if let (Start::EtherType(erspan::ETHERTYPE_II | erspan::ETHERTYPE_III), Some(facts)) = (start, around) {
        return Ok(Found::Tunnel(facts, open_erspan(view)?));
    }
    let policy = &profile.policy;
    let header = match underlay::header(view, start, seen) {
        Ok(header) => header,
        Err(reason) => return Ok(Found::unread(view, reason)),
    };
    let ip = match header.upper(seen) {
        Ok(ip) => ip,
        Err(reason) => return Ok(Found::unread(header.payload, reason)),
    };
    if ip.is_later_fragment {
        return Ok(Found::Nothing);
    }
    seen.insert_if(ip.leads_on, DropReason::OtherDestination);
    let mut facts = ip.facts();
    match ip.protocol {
        IpProtocol::GRE if profile.gre => Ok(Found::Tunnel(facts, open_gre(ip.payload, policy, seen)?)),
        IpProtocol::UDP => {
            let Some(header) = ip.payload.bytes().first_chunk().map(wire::udp::Header::from_bytes) else {
                return Ok(Found::unread(ip.payload, DropReason::UdpTruncated));
            };
            let port = header.destination_port;
            let Some(kind) = profile.over_udp(port) else { return Ok(Found::Nothing) };
            let udp = underlay::udp(&ip, policy, seen)?;
            (facts.source_port, facts.destination_port) = (udp.header.source_port, port);
            facts.udp_checksum = underlay::verify_udp(&ip, &udp, policy, seen);
            let opened = match kind {
                UdpPayload::Vxlan => open_vxlan(udp.payload, policy, seen)?,
                UdpPayload::VxlanGpe => vxlan::open_gpe(udp.payload, policy, seen)?,
                UdpPayload::Geneve => geneve::open(udp.payload, &[], policy, seen)?,
                UdpPayload::Gre => with_erspan_i(gre::open(udp.payload, policy, seen)?),
                UdpPayload::Ip => ip_udp::open(udp.payload)?,
            };
            Ok(Found::Tunnel(facts, opened))
        }
        _ => Ok(Found::Nothing),
    }
}

impl Found<'_> {
    /// A packet whose headers, in `view`, could not be read for this reason.
    fn unread(view: View<'_>, reason: DropReason) -> Self {
        if reason.is_truncation() && !view.is_complete() { Self::Cut } else { Self::Nothing }
    }
}

/// VXLAN, with Group Based Policy where its flag is to say so.
fn open_vxlan<'a>(packet: View<'a>, policy: &Policy, seen: &mut Anomalies) -> Result<Opened<'a>, DropReason> {
    let header = packet.bytes().first_chunk().map(wire::vxlan::Header::from_bytes);
    let has_policy = header.is_some_and(|header| header.group_policy().is_some());
    vxlan::open(packet, policy.guess_extensions && has_policy, policy, seen)
}

/// GRE of every kind, directly over IP.
fn open_gre<'a>(packet: View<'a>, policy: &Policy, seen: &mut Anomalies) -> Result<Opened<'a>, DropReason> {
    let mut opened = match gre::open(packet, policy, seen) {
        Err(DropReason::GreVersion) => return open_gre1(packet, seen),
        opened => with_erspan_i(opened?),
    };
    if let (true, Encapsulation::Gre { header, .. }) = (policy.guess_extensions, opened.encapsulation) {
        if let Some(header) = nvgre::Header::from_gre(&header) {
            opened.encapsulation = Encapsulation::Nvgre(header);
        }
    }
    Ok(opened)
}

/// Type I of ERSPAN has neither sequence number nor header: the frame follows.
fn with_erspan_i(mut opened: Opened<'_>) -> Opened<'_> {
    if let Encapsulation::Gre { header, .. } = opened.encapsulation {
        if header.protocol == erspan::ETHERTYPE_II && header.sequence.is_none() {
            opened.protocol = EtherType::TEB;
        }
    }
    opened
}

fn open_gre1<'a>(packet: View<'a>, seen: &mut Anomalies) -> Result<Opened<'a>, DropReason> {
    let (header, payload) = gre1::Header::parse(packet.bytes()).map_err(|error| match error {
        Error::Truncated { .. } => DropReason::GreTruncated,
        Error::SourceRouting => DropReason::GreRouting,
        Error::Version { .. } => DropReason::GreVersion,
        _ => DropReason::Gre1Flags,
    })?;
    let (mut payload, stated) = (packet.skip_to(payload), usize::from(header.payload_len));
    if stated > payload.len() {
        seen.insert_if(true, DropReason::Gre1Length);
    } else {
        payload = payload.take(stated);
    }
    Ok(Opened { encapsulation: Encapsulation::Gre1(header), protocol: header.protocol, payload })
}

fn open_erspan(packet: View<'_>) -> Result<Opened<'_>, DropReason> {
    let (header, payload) = erspan::Header::parse(packet.bytes()).map_err(|error| match error {
        Error::Truncated { .. } => DropReason::ErspanTruncated,
        _ => DropReason::ErspanVersion,
    })?;
    // Type III may say that its payload is no frame but an IP packet; of which version, the packet says.
    let is_ip = matches!(header.kind, erspan::Kind::III { frame_type, .. } if frame_type.value() == 2);
    let protocol = match payload.first().map(|first| first >> 4) {
        Some(4) if is_ip => EtherType::IPV4,
        Some(6) if is_ip => EtherType::IPV6,
        _ => EtherType::TEB,
    };
    Ok(Opened { encapsulation: Encapsulation::Erspan(header), protocol, payload: packet.skip_to(payload) })
}
