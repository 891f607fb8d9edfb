//! What is done to the tables, from any bytes.

use encap::wire::{MacAddr, Vni};

/// Settings that the first bytes choose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices(pub(crate) [u8; CHOICES]);

/// One call. Numbers pick from what there is, and from what there was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Put { how: How, vni: Vni, mac: MacAddr, new: New },
    Delete { vni: Vni, mac: MacAddr },
    DeleteDestination { vni: Vni, mac: MacAddr, to: To },
    Learn { vni: Vni, mac: MacAddr, remote: u8 },
    Flush { what: u8, value: u8, also_vni: bool, budget: u8 },
    FlushLearned { vni: Vni },
    FlushLearnedFrom { remote: u8 },
    Wait { steps: u8 },
    Back { steps: u8 },
    Sleep,
    Sweep,
    SweepSome { budget: u8 },
    SetAgeing { long: bool },
    Remote { how: How, name: u8, quota: u8 },
    RemoveRemote { remote: u8 },
    ChangeRemote { remote: u8, what: u8, value: u8 },
    AddVni { vni: Vni },
    RemoveVni { vni: Vni },
    SetLimit { vni: Vni, limit: u8 },
    AddMembers { group: bool, members: [u8; 3] },
    AppendMember { group: bool, list: u8, remote: u8 },
    DeleteMember { group: bool, list: u8, remote: u8 },
    RemoveMembers { group: bool, list: u8 },
    Worker { what: u8 },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum How {
    Add,
    Append,
    Replace,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct New {
    pub(crate) to: To,
    pub(crate) state: u8,
    pub(crate) flags: u8,
    pub(crate) cookie: u8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    Remote(u8),
    List(u8),
    Group(u8),
    Local,
    Blackhole,
}

pub(crate) const CHOICES: usize = 4;
pub(crate) const LEN: usize = 6;

impl Op {
    pub(crate) fn from_bytes(bytes: [u8; LEN]) -> Self {
        let [op, a, b, c, d, e] = bytes;
        let (vni, mac, how) = (vni(a), mac(b), [How::Add, How::Append, How::Replace][usize::from(e) % 3]);
        let group = e & 1 != 0;
        match op % 64 {
            0..12 => {
                let new = New { to: To::from_byte(c), state: d & 7, flags: d >> 3 & 7, cookie: e >> 2 };
                Self::Put { how, vni, mac, new }
            }
            12..15 => Self::Delete { vni, mac },
            15..18 => Self::DeleteDestination { vni, mac, to: To::from_byte(c) },
            18..32 => Self::Learn { vni, mac, remote: c },
            32..34 => Self::Flush { what: a, value: b, also_vni: c & 1 != 0, budget: d },
            34 => Self::FlushLearned { vni },
            35 => Self::FlushLearnedFrom { remote: a },
            36..39 => Self::Wait { steps: a },
            39 => Self::Back { steps: a },
            40 => {
                if a < 64 {
                    Self::Sleep
                } else {
                    Self::Wait { steps: a }
                }
            }
            41 => Self::Sweep,
            42 => Self::SweepSome { budget: a },
            43 => Self::SetAgeing { long: a & 1 != 0 },
            44..48 => Self::Remote { how, name: a, quota: b },
            48..50 => Self::RemoveRemote { remote: a },
            50 => Self::ChangeRemote { remote: a, what: b, value: c },
            51 => Self::AddVni { vni },
            52 => Self::RemoveVni { vni },
            53 => Self::SetLimit { vni, limit: b },
            54..56 => Self::AddMembers { group, members: [a, b, c] },
            56..58 => Self::AppendMember { group, list: a, remote: b },
            58..60 => Self::DeleteMember { group, list: a, remote: b },
            60 => Self::RemoveMembers { group, list: a },
            _ => Self::Worker { what: a },
        }
    }
}

impl To {
    const fn from_byte(byte: u8) -> Self {
        match byte & 15 {
            0 => Self::Local,
            1 => Self::Blackhole,
            2 => Self::List(byte >> 4),
            3 => Self::Group(byte >> 4),
            _ => Self::Remote(byte >> 4),
        }
    }
}

/// Three VNIs; two of them meet in the index.
pub(crate) fn vni(byte: u8) -> Vni {
    [42, 42 | 1 << 20, 7].map(Vni::truncate)[usize::from(byte) % 3]
}

/// Some hosts, a group, broadcast, and the default destination.
pub(crate) fn mac(byte: u8) -> MacAddr {
    match byte % 20 {
        0 | 1 => MacAddr::ZERO,
        2 => MacAddr::BROADCAST,
        3 => MacAddr([1, 0, 0x5e, 0, 0, 1]),
        host => MacAddr([2, 0, 0, 0, 0, host]),
    }
}
