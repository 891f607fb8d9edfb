//! What was read goes into tables; what does not is reported.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    hash::Hash,
    net::IpAddr,
};

use encap::{
    table::{
        self, Capacity, Change, Destination, Entry, Error, Line, NewEntry, NewNeighbor, Remote, RemoteId,
        Tables,
    },
    time::Instant,
    wire::{MacAddr, Vni},
};

use super::{
    bridge::{FdbLine, State},
    neigh::NeighLine,
    words::Record,
};

/// What a dump does not say.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The VNI of lines that do not say theirs.
    pub(crate) vni: Option<Vni>,
    /// The VNIs that there are; any can be, where there is none.
    pub(crate) known: BTreeSet<Vni>,
    /// The devices that are tunnels, with their VNIs; all are, where there is none.
    pub(crate) devices: BTreeMap<String, Option<Vni>>,
    /// The numbers of interfaces that remotes are reached by; where there is none, that is not for us to say.
    pub(crate) via: Option<BTreeMap<String, u32>>,
    /// The port of lines that do not say theirs.
    pub(crate) port: u16,
    /// Who loads, and which time this is: what was loaded at another time is loaded over.
    pub(crate) mark: (u8, u32),
}

/// What became of records.
#[derive(Debug)]
pub(crate) struct Report<K> {
    /// What is in the tables by them now.
    pub(crate) used: HashSet<K>,
    /// What is not, each with the record's number.
    pub(crate) remarks: Vec<(usize, Remark)>,
}

/// What of a record is not in the tables.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Remark {
    /// All of it, and why.
    Unused(String),
    /// All of it for now: there is room as soon as each worker has been quiet.
    Waits,
    /// A part: what was left out or overruled.
    Partly(String),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unused(why) => write!(f, "not used: {why}"),
            Self::Waits => write!(f, "not used: {}", Error::QuiescePending),
            Self::Partly(what) => write!(f, "used {what}"),
        }
    }
}

impl From<String> for Remark {
    fn from(why: String) -> Self {
        Self::Unused(why)
    }
}

impl From<&str> for Remark {
    fn from(why: &str) -> Self {
        Self::Unused(why.into())
    }
}

impl From<Error> for Remark {
    fn from(error: Error) -> Self {
        match error {
            Error::QuiescePending => Self::Waits,
            error => Self::Unused(error.to_string()),
        }
    }
}

/// Enough for so many records, within the bounds of tables.
pub(crate) fn capacity(entries: usize, neighbors: usize) -> Capacity {
    let [entries, neighbors] = [entries, neighbors].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Capacity {
        entries: entries.min(1 << 28),
        vnis: entries.saturating_add(neighbors).clamp(1, 0xffff),
        remotes: entries.min(1 << 20),
        lists: entries.min(1 << 18),
        members: entries.min(1 << 22),
        neighbors: neighbors.min(1 << 19),
        ..Capacity::NONE
    }
}

/// Address and destination.
pub(crate) type Entries = Report<(Vni, MacAddr, Destination)>;

/// Addresses.
pub(crate) type Neighbors = Report<(Vni, IpAddr)>;

/// Fills the forwarding database with records of `bridge fdb show`; `find_or_add` finds or adds a remote, or says why
/// there is no way to it.
pub(crate) fn fdb<S: AsRef<[Line]>>(
    tables: &Tables<S>,
    names: &Names,
    now: Instant,
    records: &[Record],
    find_or_add: impl Fn(&Remote) -> Result<RemoteId, Error>,
) -> Entries {
    load(records, HashSet::new(), |words, used| {
        put_entry(tables, names, now, &FdbLine::parse(words)?, &find_or_add, used)
    })
}

/// Fills the neighbour table with records of `ip neigh show`; those that somebody has `said` stay.
pub(crate) fn neighbors<S: AsRef<[Line]>>(
    tables: &Tables<S>,
    names: &Names,
    now: Instant,
    records: &[Record],
    said: HashSet<(Vni, IpAddr)>,
) -> Neighbors {
    load(records, said, |words, used| put_neighbor(tables, names, now, &NeighLine::parse(words)?, used))
}

/// Has `put` put each record, and note what is in the tables by it, besides what is `used` already; it answers what was
/// used only in part, or why nothing was.
fn load<K: Eq + Hash>(
    records: &[Record],
    used: HashSet<K>,
    put: impl Fn(&[String], &mut HashSet<K>) -> Result<Vec<String>, Remark>,
) -> Report<K> {
    let mut report = Report { used, remarks: Vec::new() };
    for Record { number, words } in records {
        let words = words.as_deref().map_err(|why| why.clone().into());
        match words.and_then(|words| put(words, &mut report.used)) {
            Ok(partly) => {
                report.remarks.extend(partly.into_iter().map(|what| (*number, Remark::Partly(what))));
            }
            Err(remark) => report.remarks.push((*number, remark)),
        }
    }
    report
}

fn put_entry<S: AsRef<[Line]>>(
    tables: &Tables<S>,
    names: &Names,
    now: Instant,
    line: &FdbLine,
    find_or_add: impl Fn(&Remote) -> Result<RemoteId, Error>,
    used: &mut HashSet<(Vni, MacAddr, Destination)>,
) -> Result<Vec<String>, Remark> {
    if !line.is_self {
        return Err(match &line.master {
            Some(bridge) => format!("it is of the bridge {bridge}").into(),
            None => "it is of a bridge".into(),
        });
    }
    if line.vlan.is_some() {
        return Err("entries of tunnels have no VLAN".into());
    }
    let vni = names.vni_of(line.src_vni, line.dev.as_deref())?;
    let fdb = tables.fdb();
    let there = fdb.get(now, vni, line.mac).ok();
    let earlier = there.filter(|there| names.loaded(there));
    if earlier.is_some() && line.mac.is_unicast() {
        return Err(Error::Exists.into());
    }
    let destination = names.destination(line, find_or_add)?;
    let (origin, cookie) = names.mark;
    let new = NewEntry::to(destination).origin(origin, cookie);
    let new = match line.state {
        Some(State::Permanent) => new,
        Some(State::Static) => new.as_static(),
        None if line.extern_learn => new.extern_learn(),
        None => new.dynamic(now),
    };
    let new = if line.router { new.router() } else { new };
    let new = if line.sticky { new.sticky() } else { new };
    let over = there.is_some() && line.mac.is_unicast();
    let change = if over { fdb.replace(vni, line.mac, new)? } else { fdb.append(vni, line.mac, new)? };
    if !used.insert((vni, line.mac, destination)) && change == Change::Unchanged {
        return Err("an earlier line says the same".into());
    }
    let mut partly: Vec<String> = line.unkept.iter().map(|word| format!("without {word}")).collect();
    if line.extern_learn && line.state.is_some() {
        // The tables have one or the other.
        partly.push("without extern_learn".into());
    }
    let attributes = |entry: Entry| (entry.state, entry.router, entry.sticky);
    let now_there = fdb.get(now, vni, line.mac).ok();
    if earlier.is_some() && earlier.map(attributes) != now_there.map(attributes) {
        partly.push("for the whole entry: earlier lines have another state or other flags".into());
    }
    Ok(partly)
}

fn put_neighbor<S: AsRef<[Line]>>(
    tables: &Tables<S>,
    names: &Names,
    now: Instant,
    line: &NeighLine,
    used: &mut HashSet<(Vni, IpAddr)>,
) -> Result<Vec<String>, Remark> {
    if line.proxy {
        return Err("it is an address to answer for, not a neighbour".into());
    }
    let state = line.state.ok_or("it has no state")?;
    let mac = match line.lladdr {
        Some(mac) => mac,
        None if state.is_valid() => return Err("it has no MAC address (lladdr)".into()),
        None => MacAddr::ZERO,
    };
    let vni = names.vni_of(line.vni, line.dev.as_deref())?;
    let new = NewNeighbor::new(mac).state(state, now);
    let new = if line.router { new.router() } else { new };
    if used.contains(&(vni, line.address)) {
        return Err(Error::Exists.into());
    }
    let _ = tables.neighbors().replace(vni, line.address, new)?;
    used.insert((vni, line.address));
    Ok(line.unkept.iter().map(|word| format!("without {word}")).collect())
}

impl Names {
    /// Whether an entry was made by this load.
    fn loaded(&self, entry: &Entry) -> bool {
        (entry.origin, entry.cookie) == self.mark && entry.state != table::State::Learned
    }

    fn vni_of(&self, said: Option<Vni>, dev: Option<&str>) -> Result<Vni, String> {
        let of_device = match dev {
            Some(dev) if !self.devices.is_empty() => {
                *self.devices.get(dev).ok_or_else(|| format!("{dev} is none of the devices asked for"))?
            }
            _ => None,
        };
        let vni = said.or(of_device).or(self.vni).ok_or("its VNI is not known")?;
        if !self.known.is_empty() && !self.known.contains(&vni) {
            return Err(format!("VNI {vni} is none of ours"));
        }
        Ok(vni)
    }

    fn destination(
        &self,
        line: &FdbLine,
        find_or_add: impl Fn(&Remote) -> Result<RemoteId, Error>,
    ) -> Result<Destination, Remark> {
        let address = match (line.dst, line.nhid) {
            _ if line.blackhole => return Ok(Destination::Blackhole),
            (_, Some(group)) => {
                return Err(format!("the members of next-hop group {group} are not known").into());
            }
            (None, None) => return Err("it has no destination (dst)".into()),
            (Some(address), None) if address.is_unspecified() => return Ok(Destination::Local),
            (Some(address), None) => address,
        };
        let mut remote = Remote::new(address, line.port.unwrap_or(self.port));
        remote.vni = line.vni;
        if let (Some(via), Some(numbers)) = (&line.via, &self.via) {
            // Tables print numbers.
            let number = numbers.get(via).copied().or_else(|| via.parse().ok());
            remote.egress =
                number.ok_or_else(|| format!("the number of its interface {via} is not known"))?;
        }
        Ok(find_or_add(&remote)?.into())
    }
}
