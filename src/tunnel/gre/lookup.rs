//! Which of many tunnels a packet is for: Linux's order, over a sorted slice of the caller's.

use core::{
    cmp::Ordering,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{Arrived, InputKey, Selector, selector::payload_of};
use crate::{
    tunnel::Payload,
    wire::{
        gre::{self, Key},
        nvgre,
    },
};

/// The tunnels of a host, so that each packet finds its own.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use encap::tunnel::{Payload, gre::{Arrived, InputKey, Selector, Tunnels}};
/// use encap::wire::{EtherType, gre::{Header, Key}};
///
/// let (here, there) = ("192.0.2.1".parse()?, "192.0.2.2".parse()?);
/// let any = "0.0.0.0".parse()?;
/// let mut selectors = [
///     Selector::new(0, Payload::Ip, here, there).key(InputKey::Key(Key(7))),
///     Selector::new(1, Payload::Ip, here, any),
/// ];
/// selectors.sort_unstable();
/// let tunnels = Tunnels::new(&selectors)?;
/// // `Arrived::read` makes this of a packet.
/// let header = Header { key: Some(Key(7)), ..Header::new(EtherType::IPV4) };
/// assert_eq!(tunnels.find(&Arrived::new(there, here, header)), Some(0));
/// assert_eq!(tunnels.find(&Arrived::new(there, here, Header::new(EtherType::IPV4))), Some(1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tunnels<'a> {
    selectors: &'a [Selector],
}

impl<'a> Tunnels<'a> {
    /// Tunnels by these selectors, which are in order: `sort_unstable` sees to that.
    ///
    /// # Errors
    ///
    /// [`TunnelsError`] where they are out of order, two are the same, or one is of two families.
    pub fn new(selectors: &'a [Selector]) -> Result<Self, TunnelsError> {
        if let Some(mixed) = selectors.iter().find(|it| it.local.is_ipv4() != it.remote.is_ipv4()) {
            return Err(TunnelsError::FamilyMismatch { id: mixed.id });
        }
        for (a, b) in selectors.iter().zip(selectors.iter().skip(1)) {
            if a.is_same(b) {
                return Err(TunnelsError::Same { ids: (a.id, b.id) });
            }
            if a > b {
                return Err(TunnelsError::Order { ids: (a.id, b.id) });
            }
        }
        Ok(Self { selectors })
    }

    /// The tunnel that the packet is for, by its `id`.
    ///
    /// Asked are, in this order, the tunnels with both addresses of the packet; those with its source, and any local
    /// address; those with its destination, and any remote, or with its multicast group as remote; those with any
    /// addresses. In each step a tunnel on the packet's link is taken at once, while another one is taken only if no
    /// later step has one on the link: of several such tunnels the first step's, in the first step the oldest, in
    /// later ones the newest.
    ///
    /// Over IPv4 a packet's key and a tunnel's must both be absent or equal, except for tunnels with any addresses:
    /// for these, as for all over IPv6, no key is the same as key zero. A frame ends up in a tunnel that carries IP, if
    /// there is none for frames. What NVGRE sends finds a tunnel with its segment where none has the
    /// very key.
    ///
    /// `None` is for whoever takes what nobody else does, Linux's devices in external mode and then its fallback
    /// devices; or the sender is told that the port is unreachable, with
    /// [`icmp::report_ipv4`](crate::tunnel::icmp::report_ipv4).
    pub fn find(&self, packet: &Arrived) -> Option<u32> {
        let (local, remote) = (packet.destination, packet.source);
        let any = match local {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let steps = [
            (Step::Both, remote, Some(local)),
            (Step::Remote, remote, Some(any)),
            (Step::Local, any, Some(local)),
            (Step::Group, local, None),
            (Step::Any, any, Some(any)),
        ];
        let mut candidate: Option<(Rank, u32)> = None;
        for (step, remote, local) in steps {
            if step == Step::Group && !remote.is_multicast() {
                continue;
            }
            let Some((rank, id)) = self.best(packet, step, remote, local) else { continue };
            if rank.is_at_once() {
                return Some(id);
            }
            if candidate.is_none_or(|(first, _)| rank < first) {
                candidate = Some((rank, id));
            }
        }
        candidate.map(|(_, id)| id)
    }

    /// The best of the tunnels with these addresses; `None` are all local ones.
    fn best(
        &self,
        packet: &Arrived,
        step: Step,
        remote: IpAddr,
        local: Option<IpAddr>,
    ) -> Option<(Rank, u32)> {
        let mut same = equal(self.selectors, |it| it.remote.cmp(&remote));
        if let Some(local) = local {
            same = equal(same, |it| it.local.cmp(&local));
        }
        let is_v6 = packet.source.is_ipv6();
        let mut best: Option<(Rank, u32)> = None;
        for key in keys(&packet.header, is_v6 || step == Step::Any).into_iter().flatten() {
            // Those with several local addresses are not in the order of their keys.
            let with_key = if local.is_some() { equal(same, |it| it.key.cmp(&key)) } else { same };
            for it in with_key.iter().filter(|it| it.is_up && it.key == key) {
                let Some(rank) = Rank::of(it, packet) else { continue };
                // Linux's list begins with the newest tunnel. Over IPv4, in the first step, of those that do not suit
                // at once the last one of the list counts, which is the oldest.
                let is_oldest_first = step == Step::Both && !is_v6 && !rank.is_at_once();
                let is_better = best.is_none_or(|(of_best, id)| {
                    rank < of_best || rank == of_best && (it.id < id) == is_oldest_first
                });
                if is_better {
                    best = Some((rank, it.id));
                }
            }
        }
        best
    }
}

/// Which addresses of a tunnel are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Both,
    Remote,
    Local,
    Group,
    Any,
}

/// How well a tunnel suits a packet whose addresses and key it has: the less, the better.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Rank {
    /// Whether it carries something else.
    other_kind: bool,
    /// Whether it has the packet's segment, and not its very key.
    by_segment: bool,
    /// Whether it is not on the packet's link.
    other_link: bool,
}

impl Rank {
    /// `None` where the tunnel does not take such packets at all.
    fn of(tunnel: &Selector, packet: &Arrived) -> Option<Self> {
        let payload = payload_of(packet.header.protocol)?;
        let other_kind = tunnel.payload != payload;
        if other_kind && tunnel.payload == Payload::Ethernet {
            return None;
        }
        let other_link = tunnel.link.is_none() || tunnel.link != packet.link;
        Some(Self { other_kind, by_segment: matches!(tunnel.key, InputKey::Vsid(_)), other_link })
    }

    /// Whether no later step can have a better one.
    const fn is_at_once(self) -> bool {
        !self.other_kind && !self.by_segment && !self.other_link
    }
}

/// The keys that suit a header.
fn keys(header: &gre::Header, by_value: bool) -> [Option<InputKey>; 3] {
    let (absent, zero) = (Some(InputKey::Absent), Some(InputKey::Key(Key(0))));
    let segment = nvgre::Header::from_gre(header).map(|header| InputKey::Vsid(header.vsid));
    match header.key {
        None | Some(Key(0)) if by_value => [absent, zero, segment],
        None => [absent, None, None],
        Some(key) => [Some(InputKey::Key(key)), segment, None],
    }
}

/// Those for which `compare` says that they are equal: one part of a slice that is in this order.
fn equal(selectors: &[Selector], compare: impl Fn(&Selector) -> Ordering) -> &[Selector] {
    let (_, rest) =
        selectors.split_at_checked(selectors.partition_point(|it| compare(it).is_lt())).unwrap_or_default();
    let (equal, _) =
        rest.split_at_checked(rest.partition_point(|it| compare(it).is_eq())).unwrap_or_default();
    equal
}

/// Why selectors are refused; the numbers are their `id`s.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TunnelsError {
    /// Two selectors are out of order.
    #[error("tunnels {} and {} are out of order: sort them", ids.0, ids.1)]
    Order {
        /// The two, as they stand behind each other.
        ids: (u32, u32),
    },
    /// Two selectors differ in nothing that a packet has.
    #[error("tunnels {} and {} are for the same packets", ids.0, ids.1)]
    Same {
        /// The two.
        ids: (u32, u32),
    },
    /// The addresses of a selector are of different families.
    #[error("local address and remote of tunnel {id} are of different families")]
    FamilyMismatch {
        /// Which one.
        id: u32,
    },
}
