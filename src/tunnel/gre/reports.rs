//! ICMP errors about a tunnel's packets: what the underlay says of the way to the remote.
//!
//! Anybody can send such an error, so what it quotes must be a packet of ours: between our addresses, as far as we know
//! them, GRE, and with our key as far as the quote goes, which need not be further than eight bytes (RFC 792; RFC 5927,
//! section 4).

use core::time::Duration;

use super::{Tunnel, selector::payload_of};
use crate::{
    time::Instant,
    tunnel::Ttl,
    wire::{
        Error, EtherType, IpProtocol, gre,
        icmp_quote::{self, Problem},
        icmpv4, icmpv6, is_unicast,
    },
};

/// What an ICMP error says of a tunnel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum PathReport {
    /// Outer packets to the remote may have this many bytes, and the tunnel's MTU follows from that from now on, until
    /// [`Tunnel::handle_timeout`] says otherwise: paths change (RFC 1191, section 6.3). It is less than what was set or
    /// told before, or the same once more.
    Mtu {
        /// Bytes of outer IP packet.
        mtu: u16,
    },
    /// Packets do not reach the remote: senders of the next packets are to be told, by [`Tunnel::is_failing`].
    Unreachable {
        /// Why not.
        problem: Problem,
    },
    /// It is about a packet of the tunnel, and means nothing to it.
    Ignored,
    /// It is about no packet of this tunnel.
    NotOurs,
}

/// What is remembered of an MTU that was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned {
    at: Instant,
    /// The underlay's MTU that was set.
    before: usize,
}

/// What is remembered of failures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn add(&mut self, now: Instant) {
        let is_recent = now.saturating_since(self.last) < FAILURE_LASTS;
        self.count = if is_recent { self.count.saturating_add(1) } else { 1 };
        self.last = now;
    }

    fn take(&mut self, now: Instant) -> bool {
        // Where a clock was set back, the last one came now.
        self.last = self.last.min(now);
        let is_recent = now.saturating_since(self.last) < FAILURE_LASTS;
        let told = self.count > 0 && is_recent;
        self.count = if is_recent { self.count.saturating_sub(1) } else { 0 };
        told
    }
}

impl Tunnel {
    /// Takes an ICMP or ICMPv6 error, as an IP packet, that came from the underlay, and judges it as Linux does: ports
    /// and source routes that do not work, and headers that are not understood, say nothing of a path; nor does an
    /// expired TTL that was the inner packet's. A tunnel to a group or to any remote has no path.
    pub fn handle_icmp(&mut self, now: Instant, packet: &[u8]) -> PathReport {
        self.hold_to(now);
        let Ok(report) = icmp_quote::parse(packet) else { return PathReport::NotOurs };
        let (quote, local, remote) = (report.quote, self.local(), self.remote());
        let is_any = remote.is_unspecified() && quote.destination.is_ipv4() == remote.is_ipv4();
        let is_ours = quote.protocol == IpProtocol::GRE
            && !quote.later_fragment
            && (quote.source == local || !is_unicast(local))
            && (quote.destination == remote || is_any)
            && self.is_our_header(quote.payload);
        if !is_ours {
            return PathReport::NotOurs;
        }
        if is_any || remote.is_multicast() {
            return PathReport::Ignored;
        }
        if let Some(mtu) = report.problem.path_mtu() {
            return self.learn_mtu(now, mtu);
        }
        if !self.is_failure(report.problem) {
            return PathReport::Ignored;
        }
        self.failures.add(now);
        PathReport::Unreachable { problem: report.problem }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout): when an MTU that an error told has held for its time.
    pub fn poll_timeout(&self) -> Option<Instant> {
        Some(self.learned_mtu?.at.saturating_add(self.mtu_expires?))
    }

    /// Has the MTU that was set hold again where it is time for that; answers the underlay's, and
    /// [`mtu`](Self::mtu) follows from it. Call it where a clock was set back, too: times count from there then.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<usize> {
        self.hold_to(now);
        self.poll_timeout().filter(|&due| due <= now)?;
        let before = self.learned_mtu?.before;
        self.set_mtu(before).ok().map(|()| before)
    }

    /// Whether the sender of the packet that comes next is to be told that its destination cannot be reached, besides
    /// the packet being sent: for as many packets as errors came, each less than 30 seconds after the one before, as
    /// long as the last one is not 30 seconds old. Senders of IPv4 are told [`icmpv4::Unreachable::HOST`], those of
    /// IPv6 [`icmpv6::Unreachable::ADDRESS`].
    pub fn is_failing(&mut self, now: Instant) -> bool {
        self.failures.take(now)
    }

    /// Whether a quoted GRE header, or as much of it as there is, can be ours: one with our key and of our kind, since
    /// there may be a tunnel of frames and one of IP between the same hosts. Its checksum is not verified: the payload
    /// is cut off.
    fn is_our_header(&self, quoted: &[u8]) -> bool {
        let Some(&[flags, _, p0, p1]) = quoted.first_chunk() else { return false };
        let has_our_key = match gre::Header::parse(quoted) {
            Ok((header, _)) => header.key == self.rules.okey,
            // The key stands behind the end of the quote.
            Err(Error::Truncated { .. }) => (flags & KEY_PRESENT != 0) == self.rules.okey.is_some(),
            // What no tunnel of ours sends: another version, a source route.
            Err(_) => false,
        };
        has_our_key && payload_of(EtherType(u16::from_be_bytes([p0, p1]))) == Some(self.rules.payload)
    }

    /// Where a clock was set back, what is remembered began now: nothing holds longer than its time.
    fn hold_to(&mut self, now: Instant) {
        if let Some(learned) = &mut self.learned_mtu {
            learned.at = learned.at.min(now);
        }
    }

    /// Only ever less: who forges an MTU gains little.
    fn learn_mtu(&mut self, now: Instant, mtu: u16) -> PathReport {
        let (told, holds) = (usize::from(mtu), self.underlay_mtu());
        let before = self.learned_mtu.map_or(holds, |learned| learned.before);
        let is_old = self.poll_timeout().is_some_and(|due| due <= now);
        let taken = match self.learned_mtu {
            // What is too old counts no more.
            Some(_) if is_old => told < before,
            Some(_) => told <= holds,
            None => told < holds,
        };
        if !taken || self.set_mtu(told).is_err() {
            return PathReport::Ignored;
        }
        self.learned_mtu = Some(Learned { at: now, before });
        PathReport::Mtu { mtu }
    }

    fn is_failure(&self, problem: Problem) -> bool {
        let is_inherited = self.endpoint.outer.ttl == Ttl::Inherit;
        match problem {
            Problem::V4(icmpv4::Problem::Unreachable(code)) => {
                code != icmpv4::Unreachable::PORT && code != SOURCE_ROUTE_FAILED
            }
            Problem::V4(icmpv4::Problem::TimeExceeded(code)) => {
                code == icmpv4::TimeExceeded::IN_TRANSIT && !is_inherited
            }
            Problem::V6(icmpv6::Problem::Unreachable(code)) => code != icmpv6::Unreachable::PORT,
            Problem::V6(icmpv6::Problem::TimeExceeded(code)) => {
                code == icmpv6::TimeExceeded::IN_TRANSIT && !is_inherited
            }
            _ => false,
        }
    }
}

/// How long errors count after the last of them, as in Linux.
const FAILURE_LASTS: Duration = Duration::from_secs(30);

/// RFC 792: code 5 of type 3.
const SOURCE_ROUTE_FAILED: icmpv4::Unreachable = icmpv4::Unreachable(5);

/// The K bit, in the first byte of the flag word.
const KEY_PRESENT: u8 = 0x20;
