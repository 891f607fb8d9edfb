//! How much fits into the tables.

use super::BuildError;
#[cfg(feature = "alloc")]
use super::Line;

/// What the tables are built for. A table built for N entries takes N entries of any keys, as is
/// [promised](super#what-is-promised), and then refuses.
///
/// The number of lines is known at compile time, so storage can be an array in a `static`:
///
/// ```
/// use encap::table::{Capacity, Line, Tables};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// const CAPACITY: Capacity = Capacity { entries: 256, vnis: 4, remotes: 16, ..Capacity::NONE };
/// static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
/// let tables = Tables::new(&LINES, CAPACITY, [0x5eed, 0xbeef])?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Capacity {
    /// Entries of the forwarding database, all VNIs together, at most 2^28. Of learned ones, a VNI has at most
    /// 16,777,215, and so has a remote.
    pub entries: u32,
    /// VNIs, at most 65,535.
    pub vnis: u32,
    /// Remotes, configured and learned, at most 2^20.
    pub remotes: u32,
    /// The longest prebuilt outer header of a remote in bytes, at most 152; a VTEP puts 12 bytes of its own before it.
    /// 88 hold those and Ethernet, an outer VLAN tag, IPv6, UDP and VXLAN, and fill lines that are there anyway.
    pub header: u32,
    /// Replication lists and next-hop groups. Each all-zero or multicast MAC with remotes needs a list.
    pub lists: u32,
    /// Members of those lists and groups, all together. Each list takes a line, with room for 12 members, and every 12
    /// members here take another: at most 2^20 lines.
    pub members: u32,
    /// Quota groups that remotes can share, at most 65,535.
    pub quotas: u32,
    /// Neighbours, all VNIs together, at most 2^19.
    pub neighbors: u32,
    /// Routes, at most 2^19.
    pub routes: u32,
    /// Multicast groups, all VNIs together, at most 2^19.
    pub groups: u32,
    /// Workers that keep handles while others free them; see [`Tables::register`](super::Tables::register).
    pub workers: u32,
    /// VLANs that can be mapped to VNIs, counted from 0: 4,096 for all of them.
    pub vlans: u32,
    /// Whether each of the workers counts by VNI what it does: a line for each worker and VNI.
    pub vni_counters: bool,
}

impl Capacity {
    /// Nothing of anything, to start from.
    pub const NONE: Self = Self {
        entries: 0,
        vnis: 0,
        remotes: 0,
        header: 88,
        lists: 0,
        members: 0,
        quotas: 0,
        neighbors: 0,
        routes: 0,
        groups: 0,
        workers: 0,
        vlans: 0,
        vni_counters: false,
    };

    /// A forwarding database of so many entries and what it needs besides: 16 VNIs, 64 remotes, 16 lists of 12
    /// remotes, 4 workers.
    pub const fn fdb(entries: u32) -> Self {
        Self { entries, vnis: 16, remotes: 64, lists: 16, members: 192, workers: 4, ..Self::NONE }
    }

    /// Whether no number is larger than it may be.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        // Lines are what there may be too many of; lists have one each, members share the others.
        let members = MOST_LINES.saturating_sub(self.lists).saturating_mul(super::list::MEMBERS as u32);
        let bounds = [
            ("entries", self.entries, 1 << 28),
            ("vnis", self.vnis, 0xffff),
            ("remotes", self.remotes, 1 << 20),
            ("bytes of header", self.header, 152),
            ("lists", self.lists, MOST_LINES),
            ("members", self.members, members),
            ("quotas", self.quotas, 0xffff),
            ("neighbors", self.neighbors, 1 << 19),
            ("routes", self.routes, 1 << 19),
            ("groups", self.groups, 1 << 19),
            ("workers", self.workers, 0xffff),
            ("vlans", self.vlans, 1 << 12),
        ];
        match bounds.into_iter().find(|&(_, asked, most)| asked > most) {
            Some((what, asked, most)) => Err(BuildError::Capacity { what, asked, most }),
            None => Ok(()),
        }
    }

    /// Storage for all of it.
    #[cfg(feature = "alloc")]
    pub(crate) fn storage(&self) -> Result<alloc::boxed::Box<[Line]>, BuildError> {
        self.check()?;
        let count = self.lines();
        let mut lines = alloc::vec::Vec::new();
        lines.try_reserve_exact(count).map_err(|_| BuildError::Memory { lines: count })?;
        lines.extend((0..count).map(|_| Line::new()));
        Ok(lines.into_boxed_slice())
    }
}

/// As many as a gateway of some thousand hosts needs.
impl Default for Capacity {
    fn default() -> Self {
        Self {
            entries: 8_192,
            vnis: 64,
            remotes: 256,
            lists: 128,
            members: 1_024,
            neighbors: 4_096,
            routes: 256,
            workers: 8,
            ..Self::NONE
        }
    }
}

/// Lines of lists and members.
const MOST_LINES: u32 = 1 << 20;
