//! What can happen to a VTEP, eight bytes each.

use super::reference::{Model, Place};

/// Bytes of an operation.
pub(crate) const LEN: usize = 8;

/// Segments that there are.
pub(crate) const VNIS: u8 = 3;

/// Addresses from here on are no host's.
pub(crate) const GROUPS: u8 = 8;
pub(crate) const BROADCAST: u8 = GROUPS;
pub(crate) const MULTICAST: u8 = GROUPS + 1;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// `bridge fdb replace`.
    Put {
        vni: u8,
        mac: u8,
        place: Place,
        dynamic: bool,
    },
    /// `bridge fdb del`.
    Delete {
        vni: u8,
        mac: u8,
    },
    /// `bridge fdb append 00:00:00:00:00:00`.
    Flood {
        vni: u8,
        remote: u8,
    },
    /// `ip neigh replace`.
    Neighbor {
        vni: u8,
        ip: u8,
        mac: u8,
    },
    Wait(u8),
    Sweep(u8),
    Compare,
    /// A local host sends.
    Send {
        vni: u8,
        to: u8,
        from: u8,
        payload: Payload,
    },
    /// Another VTEP sends.
    Receive {
        vni: u8,
        remote: u8,
        to: u8,
        from: u8,
        payload: Payload,
    },
    /// Anything.
    Noise {
        underlay: bool,
        bytes: [u8; LEN - 1],
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload {
    /// An ARP request for this host's address.
    Question(u8),
    Bytes(u8),
}

impl Op {
    pub(crate) fn from_bytes([kind, a, b, c, d, e, f, g]: [u8; LEN]) -> Self {
        let (vni, mac, any) = (a % VNIS, b % GROUPS, c % (MULTICAST + 1));
        let payload = if f % 3 == 0 { Payload::Question(g % GROUPS) } else { Payload::Bytes(g) };
        match kind % 16 {
            0 => {
                let place = match d % 6 {
                    0 => Place::Here,
                    1 => Place::Nowhere,
                    _ => Place::Remote(e % Model::CONFIGURED),
                };
                Self::Put { vni, mac, place, dynamic: f % 2 == 0 }
            }
            1 => Self::Delete { vni, mac },
            2 => Self::Flood { vni, remote: e % Model::CONFIGURED },
            3 => Self::Neighbor { vni, ip: d % GROUPS, mac },
            4 => Self::Wait(d % 32),
            5 => Self::Sweep(d),
            6 => Self::Compare,
            7 => Self::Noise { underlay: a % 2 == 0, bytes: [a, b, c, d, e, f, g] },
            8..=11 => Self::Send { vni, to: any, from: mac, payload },
            // Sometimes from an address that no host has.
            _ => {
                let from = if d % 8 == 0 { any } else { mac };
                Self::Receive { vni, remote: e % Model::REMOTES, to: any, from, payload }
            }
        }
    }
}
