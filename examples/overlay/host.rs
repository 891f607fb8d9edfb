//! A host: asks for MAC addresses, pings, and answers.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use encap::{
    time::Instant,
    wire::{Vni, arp},
};

use super::frames::{self, Address, Content, Seen};

/// A host behind a VTEP.
pub(crate) struct Host {
    pub(crate) address: Address,
    pub(crate) vni: Vni,
    /// The place of its VTEP.
    pub(crate) node: usize,
    /// Frames of other segments that it has heard: there must be none.
    pub(crate) strangers: u64,
    pub(crate) ping: Option<Ping>,
    /// Which call of [`wake`](Self::wake) is the one that counts.
    pub(crate) round: u64,
    neighbors: BTreeMap<Ipv4Addr, Address>,
    /// How long it waits for an answer.
    patience: Duration,
}

/// A ping under way, or done.
pub(crate) struct Ping {
    pub(crate) target: Ipv4Addr,
    pub(crate) count: u16,
    pub(crate) sent: u16,
    pub(crate) received: u16,
    /// The shortest and the longest round trip.
    pub(crate) times: Option<(Duration, Duration)>,
    sent_at: Instant,
    is_answered: bool,
    asked: u8,
}

/// What a host does: what it says of that, a frame to send, when to wake it.
#[derive(Default)]
pub(crate) struct Deed {
    pub(crate) text: String,
    pub(crate) frame: Option<Vec<u8>>,
    pub(crate) wake: Option<Instant>,
}

/// How often a host asks for a MAC address.
const ASKS: u8 = 3;

impl Host {
    pub(crate) fn new(address: Address, vni: Vni, node: usize, latency: Duration) -> Self {
        let patience = Duration::from_secs(1).max(latency * 4);
        let neighbors = BTreeMap::new();
        Self { address, vni, node, strangers: 0, ping: None, round: 0, neighbors, patience }
    }

    /// Gets ready to ping; to be woken for that.
    pub(crate) fn start(&mut self, target: Ipv4Addr, count: u16) {
        self.ping = Some(Ping {
            target,
            count,
            sent: 0,
            received: 0,
            times: None,
            sent_at: Instant::ZERO,
            is_answered: true,
            asked: 0,
        });
    }

    /// The next step of its ping.
    pub(crate) fn wake(&mut self, now: Instant) -> Deed {
        self.round += 1;
        let Some(ping) = &mut self.ping else { return Deed::default() };
        let target = ping.target;
        let wake = Some(now.saturating_add(self.patience));
        if let Some(to) = self.neighbors.get(&target) {
            let unanswered = !ping.is_answered;
            if ping.sent == ping.count {
                let text =
                    if unanswered { format!("no answer to ping {}", ping.sent) } else { String::new() };
                return Deed { text, ..Deed::default() };
            }
            let before =
                if unanswered { format!("no answer to ping {}; ", ping.sent) } else { String::new() };
            ping.sent += 1;
            (ping.sent_at, ping.is_answered) = (now, false);
            let text = format!("{before}ping {target}, number {}", ping.sent);
            let frame = frames::echo(self.address, *to, false, ping.sent);
            return Deed { text, frame: Some(frame), wake };
        }
        if ping.asked == ASKS {
            let text = format!("gives up: nobody says that he has {target}");
            return Deed { text, ..Deed::default() };
        }
        ping.asked += 1;
        let again = if ping.asked > 1 { "no answer; asks again: " } else { "" };
        let text = format!("{again}who has {target}? (ARP request, to everybody)");
        Deed { text, frame: Some(frames::arp_request(self.address, target)), wake }
    }

    /// A frame that has come to it.
    pub(crate) fn hear(&mut self, now: Instant, frame: &[u8]) -> Deed {
        let nothing = Deed::default();
        let Some(Seen { source, destination, content }) = frames::read(frame) else { return nothing };
        if segment_of(source.0) != segment_of(self.address.mac.0) {
            self.strangers += 1;
        }
        if destination != self.address.mac && !destination.is_multicast() {
            return nothing;
        }
        match content {
            Content::Arp(arp) if arp.target_ip == self.address.ip => self.hear_arp(now, &arp),
            Content::Echo { source: ip, destination, is_reply, number } if destination == self.address.ip => {
                if is_reply {
                    return self.answered(now, ip, number);
                }
                let to = Address { mac: source, ip };
                let text = format!("answers ping {number} of {ip}");
                let frame = Some(frames::echo(self.address, to, true, number));
                Deed { text, frame, wake: None }
            }
            _ => nothing,
        }
    }

    fn hear_arp(&mut self, now: Instant, arp: &arp::Header) -> Deed {
        let Address { mac, ip } = self.address;
        let sender = Address { mac: arp.sender_mac, ip: arp.sender_ip };
        let is_new = self.neighbors.insert(sender.ip, sender).is_none();
        if arp.operation == arp::Operation::REQUEST {
            let text = format!("{ip} is at {mac} (ARP reply, to {})", sender.ip);
            return Deed { text, frame: Some(frames::arp_reply(self.address, arp)), wake: None };
        }
        let waits = self.ping.as_ref().is_some_and(|ping| ping.target == sender.ip && ping.sent == 0);
        // A second answer to the same question changes nothing.
        if !waits || !is_new {
            return Deed::default();
        }
        self.wake(now)
    }

    fn answered(&mut self, now: Instant, from: Ipv4Addr, number: u16) -> Deed {
        let ping = self.ping.as_mut().filter(|ping| ping.target == from);
        let Some(ping) = ping.filter(|ping| number == ping.sent && !ping.is_answered) else {
            return Deed::default();
        };
        let took = now.saturating_since(ping.sent_at);
        let (least, most) = ping.times.unwrap_or((took, took));
        ping.times = Some((took.min(least), took.max(most)));
        ping.is_answered = true;
        ping.received += 1;
        let text = format!("has its answer to ping {number} after {} ms", took.as_millis());
        Deed { text, ..Deed::default() }
    }
}

/// The byte of a MAC address that says the segment, here.
const fn segment_of([_, _, _, segment, _, _]: [u8; 6]) -> u8 {
    segment
}

impl Ping {
    /// As `ping` sums up.
    pub(crate) fn result(&self) -> String {
        let Self { sent, received, .. } = self;
        let ms = |time: Duration| time.as_micros() as f64 / 1_000.0;
        match self.times {
            _ if *sent == 0 => "nobody said that he had the address".into(),
            None => format!("{sent} sent, {received} received"),
            Some((least, most)) => {
                let (least, most) = (ms(least), ms(most));
                format!("{sent} sent, {received} received, round trip {least:.1} to {most:.1} ms")
            }
        }
    }
}
