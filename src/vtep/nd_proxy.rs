//! Neighbour solicitations answered in place of the hosts behind tunnels (RFC 4861; RFC 4389 for proxies).

use core::net::{IpAddr, Ipv6Addr};

use super::{
    DropReason, Engine, Miss, Proxy, Worker,
    arp_proxy::is_here,
    overlay::{Front, MAX_FRONT},
    pace,
};
use crate::{
    packet::Packet,
    table::Neighbor,
    time::Instant,
    wire::{
        IpProtocol, MacAddr, Vni,
        icmpv6::{self, Type},
        ipv6,
        ndp::{self, Answer, Solicitation},
        ndp_check,
        ndp_option::{OptionType, Options},
    },
};

/// Answers the solicitation in a frame, if there is one and that is for the VTEP to do; tells whether it did, or the
/// frame goes on its way.
pub(super) fn handle(
    engine: &Engine<'_>,
    worker: &mut Worker,
    now: Instant,
    vni: Vni,
    front: &Front,
    packet: &mut Packet<'_>,
) -> Result<bool, DropReason> {
    let ip = packet.as_slice().get(front.l3..).unwrap_or_default();
    if !is_neighbor_discovery(ip) {
        return Ok(false);
    }
    let found = match engine.config.proxy {
        Proxy::KernelProxy => kernel_proxy(engine, worker, now, vni, front, ip)?,
        _ => neigh_suppress(engine, worker, now, vni, front, ip)?,
    };
    let Some((answer, destination)) = found else { return Ok(false) };
    reply(front, packet, &answer, destination)?;
    Ok(true)
}

/// Learns what a valid solicitation or advertisement says of its sender or target.
pub(super) fn snoop(
    engine: &Engine<'_>,
    worker: &mut Worker,
    now: Instant,
    vni: Vni,
    packet: &[u8],
    from: u64,
) {
    if !is_neighbor_discovery(packet) {
        return;
    }
    if let Ok(received) = ndp_check::check_solicitation(packet) {
        let said = (received.ip.source.into(), received.options.mac(OptionType::SOURCE_ADDRESS));
        if engine.may_snoop(worker, now, vni, said, from) {
            worker.note_heard(vni, said, engine.neighbors.snoop_ns(now, vni, &received));
        }
    } else if let Ok(received) = ndp_check::check_advertisement(packet) {
        let said = (received.message.target.into(), received.options.mac(OptionType::TARGET_ADDRESS));
        if engine.may_snoop(worker, now, vni, said, from) {
            worker.note_heard(vni, said, engine.neighbors.snoop_na(now, vni, &received));
        }
    }
}

fn is_neighbor_discovery(ip: &[u8]) -> bool {
    let message = ipv6::Header::parse(ip).ok().filter(|(ip, _)| ip.next_header == IpProtocol::ICMPV6);
    let kind =
        message.and_then(|(_, rest)| icmpv6::Header::parse(rest).ok()).map(|(message, _)| message.kind);
    matches!(kind, Some(Type::NEIGHBOR_SOLICITATION | Type::NEIGHBOR_ADVERTISEMENT))
}

/// All solicitations end here, answered or not; as in Linux, nobody asks whether they are valid. The answer's traffic
/// class is zero; Linux leaves half of the question's in it. And an option of another length than Ethernet's (RFC 2464,
/// section 6) says no MAC address; Linux takes the first six bytes of a longer one.
fn kernel_proxy(
    engine: &Engine<'_>,
    worker: &mut Worker,
    now: Instant,
    vni: Vni,
    front: &Front,
    packet: &[u8],
) -> Result<Option<(Answer, MacAddr)>, DropReason> {
    let Ok((ip, message)) = ipv6::Header::parse(packet) else { return Ok(None) };
    let Some((head, options)) = message.split_first_chunk() else { return Ok(None) };
    let Ok(solicitation) = Solicitation::from_bytes(head) else { return Ok(None) };
    if ip.destination.is_loopback() || solicitation.target.is_multicast() {
        return Err(DropReason::ProxyConsumed);
    }
    let Some(neighbor) = neighbor(engine, now, vni, solicitation.target) else {
        worker.miss_l3(engine.config, Miss::L3 { vni, address: solicitation.target.into() });
        return Err(DropReason::ProxyConsumed);
    };
    if !neighbor.answers() || is_here(engine, now, vni, neighbor.mac) {
        return Err(DropReason::ProxyConsumed);
    }
    let mut asker = front.link.source;
    for option in Options::new(options) {
        let option = option.map_err(|_| DropReason::ProxyConsumed)?;
        // Nobody looks behind it.
        if option.kind == OptionType::SOURCE_ADDRESS {
            asker = option.mac().unwrap_or(asker);
            break;
        }
    }
    Ok(Some(answer(engine, now, &neighbor, ip.source, solicitation.target, asker)))
}

/// Only what is valid by RFC 4861, section 7.1.1, and can be answered well is answered, and what is for hosts on this
/// side does not leave it; all else goes on.
fn neigh_suppress(
    engine: &Engine<'_>,
    worker: &mut Worker,
    now: Instant,
    vni: Vni,
    front: &Front,
    packet: &[u8],
) -> Result<Option<(Answer, MacAddr)>, DropReason> {
    if engine.snoops() {
        snoop(engine, worker, now, vni, packet, pace::of_hosts(vni));
    }
    let Ok(received) = ndp_check::check_solicitation(packet) else { return Ok(None) };
    let (source, target) = (received.ip.source, received.message.target);
    // A solicitation to one host asks whether that is still there: only it can tell.
    if !received.ip.destination.is_multicast() || source.is_multicast() {
        return Ok(None);
    }
    let Some(neighbor) = neighbor(engine, now, vni, target) else {
        worker.miss_l3(engine.config, Miss::L3 { vni, address: target.into() });
        return Ok(None);
    };
    let asker = received.options.mac(OptionType::SOURCE_ADDRESS).unwrap_or(front.link.source);
    if !neighbor.is_valid() || neighbor.mac == asker || !asker.is_unicast() {
        return Ok(None);
    }
    if is_here(engine, now, vni, neighbor.mac) {
        return Err(DropReason::ProxyConsumed);
    }
    Ok(Some(answer(engine, now, &neighbor, source, target, asker)))
}

fn neighbor(engine: &Engine<'_>, now: Instant, vni: Vni, address: Ipv6Addr) -> Option<Neighbor> {
    engine.neighbors.lookup(now, vni, IpAddr::V6(address)).ok().flatten()
}

/// The advertisement, and whom the frame goes to. Who has no address yet is answered by way of all nodes (section
/// 7.2.4), which Linux gets wrong.
fn answer(
    engine: &Engine<'_>,
    now: Instant,
    neighbor: &Neighbor,
    solicitor: Ipv6Addr,
    target: Ipv6Addr,
    asker: MacAddr,
) -> (Answer, MacAddr) {
    let entry = engine.fdb.get(now, neighbor.vni, neighbor.mac);
    let router = neighbor.router || entry.is_ok_and(|entry| entry.router);
    let answer = Answer { solicitor, target, mac: neighbor.mac, router, overrides: true };
    let group = solicitor.is_unspecified();
    (answer, if group { ndp::group_mac(answer.destination()) } else { asker })
}

/// Makes the frame the answer, tags and all. It can be longer than the question, so it ends where that began, or in
/// the room before it.
fn reply(
    front: &Front,
    packet: &mut Packet<'_>,
    answer: &Answer,
    destination: MacAddr,
) -> Result<(), DropReason> {
    // Ethernet's type or the tags, up to the IP header.
    let mut between = [0; MAX_BETWEEN];
    let tags = packet.as_slice().get(2 * 6..front.l3).unwrap_or_default();
    let between = between.get_mut(..tags.len()).ok_or(DropReason::NoHeadroom)?;
    between.copy_from_slice(tags);
    let len = 12usize.saturating_add(between.len()).saturating_add(Answer::LEN);
    if packet.headroom().saturating_add(packet.len()) < len {
        return Err(DropReason::NoHeadroom);
    }
    let no_room = |_| DropReason::NoHeadroom;
    packet.strip(packet.len()).map_err(no_room)?;
    *packet.prepend().map_err(no_room)? = answer.to_bytes();
    packet.prepend_bytes(between).map_err(no_room)?;
    *packet.prepend().map_err(no_room)? = answer.mac.0;
    *packet.prepend().map_err(no_room)? = destination.0;
    Ok(())
}

/// Ethernet's type and as many VLAN tags as are followed.
const MAX_BETWEEN: usize = MAX_FRONT - 2 * 6;
