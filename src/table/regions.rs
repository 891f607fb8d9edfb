//! How storage is carved up.

use super::{
    Capacity,
    bucket::Map,
    group,
    line::{Line, Words},
    list, meta, neighbor,
    record::Records,
    remote, route, vni,
};

/// The parts of the caller's storage, each found where it is asked for; empty where the storage is too short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regions<'t> {
    pub(crate) layout: &'t Layout,
    pub(crate) lines: &'t [Line],
}

impl<'t> Regions<'t> {
    #[inline(always)]
    fn part(&self, part: &Part) -> &'t [Line] {
        if let Some((_, rest)) = self.lines.split_at_checked(part.start) {
            if let Some((lines, _)) = rest.split_at_checked(part.lines) {
                return lines;
            }
        }
        nothing()
    }
}

/// Lines of one part.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: usize,
    lines: usize,
}

impl Part {
    /// So many lines behind those before.
    const fn after(end: &mut usize, lines: usize) -> Self {
        let start = *end;
        *end = start.saturating_add(lines);
        Self { start, lines }
    }
}

/// Only for storage that says another length later: one that is too short is refused. A call, so that what is found
/// needs no choice after each comparison.
#[cold]
fn nothing<'t>() -> &'t [Line] {
    &[]
}

/// Defines the regions, in the order in which they lie, with the number of lines of each.
macro_rules! regions {
    ($capacity:ident: $($(#[$doc:meta])* $name:ident = $lines:expr,)*) => {
        impl Capacity {
            /// Lines of storage for all that.
            pub const fn lines(&self) -> usize {
                let $capacity = self;
                0usize$(.saturating_add($lines))*
            }
        }

        /// Where each part lies: worked out once, not for each look at the tables.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Layout {
            $($name: Part,)*
        }

        impl Layout {
            pub(crate) fn of($capacity: &Capacity) -> Self {
                let mut end = 0;
                Self { $($name: Part::after(&mut end, $lines)),* }
            }
        }

        impl<'t> Regions<'t> {
            $($(#[$doc])*
            #[inline]
            pub(crate) fn $name(&self) -> &'t [Line] {
                self.part(&self.layout.$name)
            })*
        }
    };
}

regions! { capacity:
    /// Counters and clocks.
    meta = meta::LINES,
    /// A line for each worker's epoch.
    workers = capacity.workers as usize,
    /// VNI to domain, for those that the front does not hold.
    vni_map = Map::buckets(capacity.vnis as usize),
    /// VNI to domain, by the low bits of the VNI.
    vni_front = vni::front(capacity.vnis as usize),
    /// A line for each domain.
    vnis = capacity.vnis as usize,
    /// VLAN to VNI: a word for each.
    vlans = Words::lines(capacity.vlans as usize),
    /// A line of counters for each worker and VNI.
    tally = if capacity.vni_counters { (capacity.workers as usize).saturating_mul(capacity.vnis as usize) } else { 0 },
    fdb = Map::roomy(capacity.entries as usize),
    fdb_cold = Map::cold_lines(Map::roomy(capacity.entries as usize)),
    /// Identity to index, and address to index.
    remote_map = Map::buckets(capacity.remotes.saturating_mul(2) as usize),
    /// Two words for each remote: what every use compares.
    remote_names = Words::lines(capacity.remotes.saturating_mul(2) as usize),
    /// A word of state for each remote.
    remote_states = Words::lines(capacity.remotes as usize),
    /// Words for each remote that only writers need.
    remote_accounts = Words::lines((capacity.remotes as usize).saturating_mul(remote::ACCOUNT_WORDS)),
    /// Two records for each remote: one that holds, one to write the next into.
    remote_records =
        (capacity.remotes as usize).saturating_mul(remote::record_lines(capacity.header).saturating_mul(2)),
    /// Replication lists and next-hop groups.
    lists = list::lines(capacity.lists, capacity.members),
    /// A word for each quota group that remotes share.
    quotas = Words::lines(capacity.quotas as usize),
    neighbor_map = Map::buckets(capacity.neighbors as usize),
    neighbor_records = Records::<{ neighbor::RECORD_WORDS }>::lines(capacity.neighbors as usize),
    route_map = Map::buckets(capacity.routes as usize),
    route_records = Records::<{ route::RECORD_WORDS }>::lines(capacity.routes as usize),
    group_map = Map::buckets(capacity.groups as usize),
    group_records = Records::<{ group::RECORD_WORDS }>::lines(capacity.groups as usize),
    /// How many routes of each length there are.
    route_lengths = if capacity.routes == 0 { 0 } else { Words::lines(route::LENGTH_WORDS) },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What README promises of each entry of the forwarding database, whatever the number of entries: at most 32 bytes
    /// that lookups read, and at most 8 others, in whole lines.
    #[test]
    fn an_entry_takes_32_bytes_hot_and_8_cold_at_most() {
        let sizes = (10..=23).flat_map(|power| [1 << power, (1 << power) + 1, 3 << (power - 1)]);
        for entries in sizes.filter(|&entries| entries <= 8 << 20) {
            let layout = Layout::of(&Capacity { entries, ..Capacity::NONE });
            let bytes = |part: Part| (part.lines * size_of::<Line>()) as u64;
            let (hot, cold) = (bytes(layout.fdb), bytes(layout.fdb_cold));
            let most = |each: u64| (u64::from(entries) * each).next_multiple_of(size_of::<Line>() as u64);
            assert!(hot > 0 && hot <= most(32), "{hot} bytes for {entries} entries");
            assert!(cold > 0 && cold <= most(8), "{cold} bytes for {entries} entries");
        }
    }
}
