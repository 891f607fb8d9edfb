//! ARP requests answered in place of the hosts behind tunnels (RFC 826; RFC 1027 for proxies).

use core::{hint::black_box, net::Ipv4Addr};

use super::{
    DropReason, Engine, Miss, OverlayMeta, Proxy, Worker, overlay::Front, overlay_burst::BURST, pace,
};
use crate::{
    packet::Packet,
    table::{Destination, Hint, Lookup, Question},
    time::Instant,
    wire::{MacAddr, Vni, arp, ethernet},
};

/// Answers the ARP packet in a frame, if that is for the VTEP to do; tells whether it did, or the frame goes on its
/// way.
pub(super) fn handle(
    engine: &Engine<'_>,
    worker: &mut Worker,
    now: Instant,
    vni: Vni,
    front: &Front,
    packet: &mut Packet<'_>,
) -> Result<bool, DropReason> {
    let kernel = engine.config.proxy == Proxy::KernelProxy;
    let bytes = packet.as_slice().get(front.l3..).and_then(|rest| rest.first_chunk());
    let Some(bytes) = bytes else { return Err(DropReason::ArpTruncated) };
    let found = match (kernel, parse(bytes, kernel)) {
        (true, arp) => kernel_proxy(engine, worker, now, vni, arp.as_ref())?,
        (false, Some(arp)) => neigh_suppress(engine, worker, now, vni, front, &arp)?,
        (false, None) => None,
    };
    let Some(mac) = found else { return Ok(false) };
    reply(front, packet, mac).ok_or(DropReason::ArpTruncated)?;
    Ok(true)
}

/// Whether the proxy has to look at an untagged ARP frame of so many bytes to one host. `NeighSuppress` answers no such
/// question: it looks only where it learns from it, and at frames that are cut off, which it drops.
// Hosts ask each other so now and then, whether they are still there (RFC 1122, section 2.3.2.1).
pub(super) fn heeds(engine: &Engine<'_>, len: usize) -> bool {
    match engine.config.proxy {
        Proxy::Off => false,
        Proxy::KernelProxy => true,
        Proxy::NeighSuppress => engine.snoops() || len < ethernet::Header::LEN + arp::Header::LEN,
    }
}

/// Has the processor fetch what the questions of a burst will be answered from, for all of them together: an answer
/// takes three looks at memory, each at a place that the one before says, and would wait for them one after the other.
// Three loops of little work each, so that many of their loads are under way at once.
#[inline(never)]
pub(super) fn look_ahead(engine: &Engine<'_>, metas: &[OverlayMeta], packets: &[Packet<'_>]) {
    let (neighbors, mut count) = (engine.neighbors, 0usize);
    let mut questions = [(Vni::default(), Question::nowhere(), Hint::default()); BURST];
    for (meta, packet) in metas.iter().zip(packets) {
        let Some(address) = asked_for(packet.as_slice()) else { continue };
        if let (Some(question), Some(to)) = (neighbors.question(meta.vni, address), questions.get_mut(count))
        {
            (*to, count) = ((meta.vni, question, Hint::default()), count.wrapping_add(1));
        }
    }
    let questions = questions.get_mut(..count).unwrap_or_default();
    let touched = questions.iter().fold(0, |touched, (_, question, _)| touched | question.touch());
    black_box(touched);
    let touched = questions.iter_mut().fold(0, |touched, (_, question, hint)| {
        *hint = question.hint();
        touched | neighbors.touch(*hint)
    });
    black_box(touched);
    let touched = questions.iter().fold(0, |touched, &(vni, _, hint)| {
        touched | neighbors.hinted(hint).map_or(0, |mac| engine.fdb.touch(vni, mac))
    });
    black_box(touched);
}

/// Whose MAC address an untagged frame asks for, most likely.
#[inline(always)]
fn asked_for(frame: &[u8]) -> Option<Ipv4Addr> {
    #[rustfmt::skip]
    let &[
        _, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x06,
        _, _, _, _, _, _, 0, 1, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d,
    ] = frame.first_chunk()? else { return None };
    Some(Ipv4Addr::new(a, b, c, d))
}

/// Learns what an ARP packet says of its sender.
pub(super) fn snoop(
    engine: &Engine<'_>,
    worker: &mut Worker,
    now: Instant,
    vni: Vni,
    message: &[u8],
    from: u64,
) {
    let arp = message.first_chunk().and_then(|bytes| arp::Header::from_bytes(bytes).ok());
    if let Some(arp) = arp {
        hear(engine, worker, now, vni, &arp, from);
    }
}

fn hear(engine: &Engine<'_>, worker: &mut Worker, now: Instant, vni: Vni, arp: &arp::Header, from: u64) {
    let said = (arp.sender_ip.into(), Some(arp.sender_mac));
    if engine.may_snoop(worker, now, vni, said, from) {
        worker.note_heard(vni, said, engine.neighbors.snoop_arp(now, vni, arp));
    }
}

/// The packet, if it is ARP for IPv4; Linux also takes hardware type 6, IEEE 802, which has the same addresses.
fn parse(bytes: &[u8; arp::Header::LEN], kernel: bool) -> Option<arp::Header> {
    let mut bytes = *bytes;
    if let ([0, hardware @ 6, ..], true) = (&mut bytes, kernel) {
        *hardware = 1;
    }
    arp::Header::from_bytes(&bytes).ok()
}

/// All ARP ends here, answered or not.
fn kernel_proxy(
    engine: &Engine<'_>,
    worker: &mut Worker,
    now: Instant,
    vni: Vni,
    arp: Option<&arp::Header>,
) -> Result<Option<MacAddr>, DropReason> {
    let Some(arp) = arp.filter(|arp| arp.operation == arp::Operation::REQUEST) else {
        return Err(DropReason::ProxyConsumed);
    };
    if arp.target_ip.is_loopback() || arp.target_ip.is_multicast() {
        return Err(DropReason::ProxyConsumed);
    }
    let Some((mac, state)) = engine.neighbors.answer(now, vni, arp.target_ip) else {
        worker.miss_l3(engine.config, Miss::L3 { vni, address: arp.target_ip.into() });
        return Err(DropReason::ProxyConsumed);
    };
    if !state.answers() || is_here(engine, now, vni, mac) {
        return Err(DropReason::ProxyConsumed);
    }
    Ok(Some(mac))
}

/// Only what can be answered well is answered, and what is for hosts on this side does not leave it; all else goes on.
fn neigh_suppress(
    engine: &Engine<'_>,
    worker: &mut Worker,
    now: Instant,
    vni: Vni,
    front: &Front,
    arp: &arp::Header,
) -> Result<Option<MacAddr>, DropReason> {
    // What hosts say of themselves is worth knowing, where that is wanted.
    if engine.snoops() {
        hear(engine, worker, now, vni, arp, pace::of_hosts(vni));
    }
    let announces = arp.sender_ip == arp.target_ip;
    let asks = arp.operation == arp::Operation::REQUEST && arp.sender_mac.is_unicast() && !announces;
    // A request to one host asks whether that is still there: only it can tell.
    if !asks || !front.link.destination.is_multicast() {
        return Ok(None);
    }
    let Some((mac, state)) = engine.neighbors.answer(now, vni, arp.target_ip) else {
        worker.miss_l3(engine.config, Miss::L3 { vni, address: arp.target_ip.into() });
        return Ok(None);
    };
    // Who asks for an address of its own probes whether somebody else has it.
    if !state.is_valid() || mac == arp.sender_mac {
        return Ok(None);
    }
    if is_here(engine, now, vni, mac) {
        return Err(DropReason::ProxyConsumed);
    }
    Ok(Some(mac))
}

/// Whether a neighbour is on this side of the tunnel, and answers for itself.
pub(super) fn is_here(engine: &Engine<'_>, now: Instant, vni: Vni, mac: MacAddr) -> bool {
    engine.fdb.lookup(now, vni, mac) == Lookup::Found(Destination::Local)
}

/// Makes the frame the answer, tags and all, padding cut off.
// In place, field by field: whole headers as values would be put together byte by byte first.
fn reply(front: &Front, packet: &mut Packet<'_>, mac: MacAddr) -> Option<()> {
    packet.trim(front.l3.saturating_add(arp::Header::LEN)).ok()?;
    let frame = packet.as_mut_slice();
    let (link, rest) = frame.split_first_chunk_mut::<12>()?;
    let body = rest.get_mut(front.l3.saturating_sub(12)..)?;
    let asker = arp::answer(body.first_chunk_mut()?, mac);
    let (destination, source) = link.split_first_chunk_mut()?;
    (*destination, *source.first_chunk_mut()?) = (asker.0, mac.0);
    Some(())
}
