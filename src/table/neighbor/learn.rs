//! Learning neighbours from what they say: (RFC 826; RFC 4861, section 7.2.5, and what it leaves to policy).

use core::{fmt, net::IpAddr};

use super::{
    super::{
        Error, Snooping,
        bucket::Busy,
        clock::Now,
        store::{Step, Stored},
        vni::Domain,
    },
    NeighborState, Neighbors, RECORD_WORDS, Record, has_expired,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni, is_host},
};

/// What came of a neighbour that was heard of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum NeighborLearned {
    /// It was not known, or not its MAC address.
    New,
    /// It was known and is confirmed.
    Refreshed,
    /// It was known, and nothing about it has changed.
    Unchanged,
    /// It had another MAC address before.
    Moved {
        /// Which.
        from: MacAddr,
    },
    /// Somebody else is at work in the same place: the next packet teaches.
    Busy,
    /// Nothing was learned.
    Refused(NeighborRefusal),
}

/// Why nothing was learned of a neighbour.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NeighborRefusal {
    /// [`Settings::snooping`](super::super::Settings::snooping) is off.
    Off,
    /// Only neighbours that are known are kept up to date, and this one is not.
    UnknownNeighbor,
    /// The tables do not know the VNI.
    UnknownVni,
    /// The ARP operation is neither request nor reply.
    Operation,
    /// The IP address is no host's: unspecified (a probe), loopback, multicast or broadcast.
    InvalidAddress,
    /// The MAC address is no host's: all-zero, multicast or broadcast.
    InvalidMac,
    /// The message says no MAC address, and none is known.
    NoMac,
    /// The message says another MAC address than the one that is known, and not that it overrides that one. What
    /// was reachable is stale from now on.
    NoOverride,
    /// A permanent or no-ARP neighbour has another MAC address.
    Static,
    /// The table is full.
    TableFull,
    /// The table was not swept in time, and knows no age: call [`Tables::age`](super::super::Tables::age).
    SweepPending,
}

impl fmt::Display for NeighborRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "snooping is off",
            Self::UnknownNeighbor => "unknown neighbour",
            Self::UnknownVni => "unknown VNI",
            Self::Operation => "neither request nor reply",
            Self::InvalidAddress => "IP address of no host",
            Self::InvalidMac => "MAC address of no host",
            Self::NoMac => "no MAC address",
            Self::NoOverride => "another MAC address that does not override",
            Self::Static => "permanent neighbour elsewhere",
            Self::TableFull => "table full",
            Self::SweepPending => "a sweep is overdue",
        })
    }
}

/// What a message says about a neighbour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saying {
    pub(super) mac: Option<MacAddr>,
    /// It is there: in answer to a question, or because it said so itself.
    pub(super) confirmed: bool,
    /// A MAC address that differs replaces the one that is known.
    pub(super) overrides: bool,
    pub(super) router: Option<bool>,
}

impl Neighbors<'_> {
    /// Notes that `address` is at `mac`, which is certain: the neighbour is reachable now. Whether it is a router
    /// is left as it is where `router` does not say. To be called last, when everything else about the packet has
    /// been found good; obeys [`Settings::snooping`](super::super::Settings::snooping). What is known already is
    /// read, and written once per tick at most.
    pub fn learn(
        &self,
        now: Instant,
        vni: Vni,
        address: IpAddr,
        mac: MacAddr,
        router: Option<bool>,
    ) -> NeighborLearned {
        self.hear(now, vni, address, Saying { mac: Some(mac), confirmed: true, overrides: true, router })
    }

    pub(super) fn hear(&self, now: Instant, vni: Vni, address: IpAddr, saying: Saying) -> NeighborLearned {
        let refused = |why| NeighborLearned::Refused(why);
        if self.snooping == Snooping::Off {
            return refused(NeighborRefusal::Off);
        }
        if !is_host(address) {
            return refused(NeighborRefusal::InvalidAddress);
        }
        if saying.mac.is_some_and(|mac| !mac.is_unicast()) {
            return refused(NeighborRefusal::InvalidMac);
        }
        let domain = match self.vnis.find(vni) {
            Ok(Some(domain)) => domain,
            Ok(None) => return refused(NeighborRefusal::UnknownVni),
            Err(Busy) => return NeighborLearned::Busy,
        };
        let Ok(known) = self.find(domain.number, address) else { return NeighborLearned::Busy };
        let heard = Heard { domain, address, saying, now: self.now(now) };
        match self.decide(&heard, known) {
            (answer, Step::Keep) => return answer,
            (NeighborLearned::New, _) if heard.now.trusts_no_stamp() => {
                return refused(NeighborRefusal::SweepPending);
            }
            _ => {}
        }
        let heard = Heard { now: self.start(now), ..heard };
        match self.change(heard.now, &domain, vni, address, |old| Ok(self.decide(&heard, old))) {
            Ok(answer) => answer,
            Err(Error::Full { .. }) => refused(NeighborRefusal::TableFull),
            Err(_) => NeighborLearned::Busy,
        }
    }

    fn decide(
        &self,
        heard: &Heard<'_>,
        old: Option<Stored<RECORD_WORDS>>,
    ) -> (NeighborLearned, Step<RECORD_WORDS>) {
        let Heard { domain, address, saying, now } = *heard;
        let keep = |answer| (answer, Step::Keep);
        let put = |record: Record, stamp| Step::Put(Stored { words: record.to_words(), stamp });
        let heard_of = if saying.confirmed { NeighborState::Reachable } else { NeighborState::Stale };
        let old = old
            .map(|old| (Record::from_words(old.words), old.stamp))
            .filter(|(record, stamp)| !has_expired(now, record, *stamp));
        if old.is_none() && self.snooping == Snooping::Known {
            return keep(NeighborLearned::Refused(NeighborRefusal::UnknownNeighbor));
        }
        let Some((known, stamp)) = old.filter(|(known, _)| known.state.is_valid()) else {
            let Some(mac) = saying.mac else {
                return keep(NeighborLearned::Refused(NeighborRefusal::NoMac));
            };
            let router = saying.router.or(old.map(|(known, _)| known.router)).unwrap_or(false);
            let new = Record { domain: domain.number, address, mac, state: heard_of, router };
            return (NeighborLearned::New, put(new, now.stamp()));
        };
        let mac = saying.mac.unwrap_or(known.mac);
        let router = saying.router.unwrap_or(known.router);
        if !known.state.ages() {
            return keep(if mac == known.mac {
                NeighborLearned::Unchanged
            } else {
                NeighborLearned::Refused(NeighborRefusal::Static)
            });
        }
        if mac != known.mac && !saying.overrides {
            let answer = NeighborLearned::Refused(NeighborRefusal::NoOverride);
            return match self.state(now, &known, stamp) {
                NeighborState::Reachable => {
                    (answer, put(Record { state: NeighborState::Stale, ..known }, stamp))
                }
                _ => keep(answer),
            };
        }
        if mac != known.mac {
            let moved = Record { mac, state: heard_of, router, ..known };
            return (NeighborLearned::Moved { from: known.mac }, put(moved, now.stamp()));
        }
        match saying.confirmed {
            true if known.state != NeighborState::Reachable || router != known.router => {
                let confirmed = Record { state: NeighborState::Reachable, router, ..known };
                (NeighborLearned::Refreshed, put(confirmed, now.stamp()))
            }
            true if now.renews(stamp) => (NeighborLearned::Refreshed, Step::Touch(now.stamp())),
            true => keep(NeighborLearned::Refreshed),
            false if router != known.router => {
                (NeighborLearned::Refreshed, put(Record { router, ..known }, stamp))
            }
            false => keep(NeighborLearned::Unchanged),
        }
    }
}

/// A message about a neighbour, at some time.
#[derive(Clone, Copy, Debug)]
struct Heard<'t> {
    domain: Domain<'t>,
    address: IpAddr,
    saying: Saying,
    now: Now,
}
