//! What the command line and the files say goes into the tables, now and whenever the files are read again.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    error::Error,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use encap::{
    table::{Cursor, Destination, Line, NewEntry, NextHop, Remote, RemoteId, Route},
    time::Instant,
    vtep::Vtep,
    wire::{MacAddr, Vni},
};
use encap_linux::tell;

use crate::{
    args::Common,
    loader::{self, Form, Names, Record, Remark},
    segments::{self, Segment},
    setup,
};

/// The engine, on storage of its own.
pub(crate) type Engine = Vtep<Box<[Line]>>;

/// Whose entries these are, for the tables.
const ORIGIN: u8 = 1;

/// What the files say.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) entries: Vec<Record>,
    pub(crate) neighbors: Vec<Record>,
}

impl Files {
    /// Reads the files that the command line names.
    pub(crate) fn read(args: &Common) -> Result<Self, String> {
        Ok(Self {
            entries: read(args.fdb_file.as_ref(), Form::Fdb)?,
            neighbors: read(args.neigh_file.as_ref(), Form::Neigh)?,
        })
    }
}

/// A remote as the engine has it: link-local addresses are of the link of this device.
fn with_egress(remote: Remote, device: u32) -> Remote {
    if segments::is_of_link(remote.address) { remote.egress(device) } else { remote }
}

fn read(path: Option<&PathBuf>, form: Form) -> Result<Vec<Record>, String> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let named = |error: &dyn Error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    loader::records(&text, form).map_err(|error| named(&error))
}

/// What somebody said, this time.
#[derive(Debug, Default)]
struct Said {
    entries: HashSet<(Vni, MacAddr, Destination)>,
    neighbors: HashSet<(Vni, IpAddr)>,
}

/// Fills the tables, and removes what was said before and is said no more. The generation counts the times, from 1.
/// What of the files cannot be used is told; but what only has to wait until no thread holds what was removed is
/// counted, so that the tables can be filled again then.
pub(crate) fn fill(
    vtep: &Engine,
    segments: &[Segment],
    args: &Common,
    files: &Files,
    generation: u32,
    now: Instant,
) -> Result<usize, Box<dyn Error>> {
    let mut said = Said::default();
    let device = setup::device(args)?.unwrap_or(0);
    for segment in segments {
        segment_says(vtep, segment, device, generation, &mut said)?;
    }
    let names = Names {
        mark: (ORIGIN, generation),
        port: vtep.config().dstport,
        // Where packets leave is the routing table's business; of link-local addresses, `with_egress` says it.
        via: None,
        ..names(segments)
    };
    let find_or_add = |remote: &Remote| vtep.add_remote(&with_egress(*remote, device));
    let entries = loader::fdb(vtep.tables(), &names, now, &files.entries, find_or_add);
    let mut waiting = tell(args.fdb_file.as_deref(), &entries.remarks);
    for group in not_joined(vtep, segments, &entries.used) {
        tell_not_joined(group, "--fdb-file");
    }
    said.entries.extend(entries.used);
    let neighbors = loader::neighbors(vtep.tables(), &names, now, &files.neighbors, said.neighbors);
    waiting += tell(args.neigh_file.as_deref(), &neighbors.remarks);
    said.neighbors = neighbors.used;
    forget_others(vtep, &said, generation, now);
    Ok(waiting)
}

/// Groups that entries lead to, and that no socket has joined: those are made once, as the command line says.
fn not_joined(
    vtep: &Engine,
    segments: &[Segment],
    entries: &HashSet<(Vni, MacAddr, Destination)>,
) -> BTreeSet<IpAddr> {
    let remotes = entries.iter().filter_map(|(_, _, destination)| match destination {
        Destination::Remote(remote) => vtep.remotes().get(*remote),
        _ => None,
    });
    let joined = segments::groups(segments);
    let groups = remotes.map(|remote| remote.address).filter(IpAddr::is_multicast);
    groups.filter(|group| !joined.contains(group)).collect()
}

/// Tells that nothing will come from a group that this option has brought.
pub(crate) fn tell_not_joined(group: IpAddr, option: &str) {
    tell!("vtep: the group {group} of {option} is not joined: those of --remote and --fdb are");
}

/// Whose lines are whose: one segment takes them all, of several each those of its device. Of a trunk's segments these
/// are those of the VLAN devices on it, by their usual names.
fn names(segments: &[Segment]) -> Names {
    let known = segments.iter().map(|segment| segment.vni).collect();
    if let [only] = segments {
        return Names { vni: Some(only.vni), known, ..Names::default() };
    }
    let mut devices = BTreeMap::new();
    for Segment { name, vlan, vni, .. } in segments {
        match vlan {
            None => devices.insert(name.clone(), Some(*vni)),
            Some(vlan) => {
                // Its own lines say their VNI.
                devices.insert(name.clone(), None);
                devices.insert(format!("{name}.{vlan}"), Some(*vni))
            }
        };
    }
    Names { devices, known, ..Names::default() }
}

/// Tells what there is to say of lines, and counts those that only have to wait.
fn tell(path: Option<&Path>, remarks: &[(usize, Remark)]) -> usize {
    let Some(path) = path else { return 0 };
    let (waiting, others): (Vec<_>, Vec<_>) =
        remarks.iter().partition(|(_, remark)| *remark == Remark::Waits);
    for (number, remark) in others {
        tell!("{}:{number}: {remark}", path.display());
    }
    waiting.len()
}

/// What the command line says of a segment; link-local addresses are of the link of this device.
fn segment_says(
    vtep: &Engine,
    segment: &Segment,
    device: u32,
    generation: u32,
    said: &mut Said,
) -> Result<(), Box<dyn Error>> {
    let (fdb, vni) = (vtep.fdb(), segment.vni);
    if !fdb.knows(vni) {
        fdb.add_vni(vni)?;
    }
    if let Some(vlan) = segment.vlan {
        vtep.vlans().map(vlan, vni)?;
    }
    if segment.mac != MacAddr::ZERO {
        let own = NewEntry::to(Destination::Local).origin(ORIGIN, generation);
        fdb.replace(vni, segment.mac, own).map_err(|error| format!("{}: {error}", segment.mac))?;
        said.entries.insert((vni, segment.mac, Destination::Local));
    }
    let port = vtep.config().dstport;
    let at = |address, port| with_egress(Remote::new(address, port), device);
    let defaults = segment.remotes.iter().map(|&address| (MacAddr::ZERO, at(address, port)));
    let entries = segment.fdb.iter().map(|entry| {
        let mut remote = at(entry.address, entry.port.unwrap_or(port));
        remote.vni = entry.vni;
        (entry.mac, remote)
    });
    for (mac, remote) in defaults.chain(entries) {
        let named = |error| format!("{mac} dst {}: {error}", remote.address);
        let id = vtep.add_remote(&remote).map_err(named)?;
        let new = NewEntry::to(id).origin(ORIGIN, generation);
        let put = if mac.is_unicast() { fdb.replace(vni, mac, new) } else { fdb.append(vni, mac, new) };
        put.map_err(named)?;
        said.entries.insert((vni, mac, id.into()));
    }
    for &(address, mac) in &segment.neighbors {
        let put = vtep.neighbors().replace(vni, address, mac);
        put.map_err(|error| format!("{address} lladdr {mac}: {error}"))?;
        said.neighbors.insert((vni, address));
    }
    for &(prefix, gateway) in &segment.routes {
        let via = match gateway {
            Some(address) => NextHop::Gateway { vni, address },
            None => NextHop::Segment { vni },
        };
        let put = vtep.routes().replace(prefix, via);
        put.map_err(|error| format!("{}: {error}", Route { prefix, via }))?;
    }
    Ok(())
}

/// Removes what nobody says any more.
fn forget_others(vtep: &Engine, said: &Said, generation: u32, now: Instant) {
    let fdb = vtep.fdb();
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        from = fdb.sweep(now, ORIGIN, generation, cursor, STEP, |_| {}).next;
    }
    // Entries with several remotes stay with the last of them; the others are removed one by one.
    let lists = fdb.dump(now).filter(|entry| matches!(entry.destination, Destination::List(_)));
    for entry in lists {
        for remote in fdb.remotes_of(entry.destination) {
            if !said.entries.contains(&(entry.vni, entry.mac, remote.into())) {
                // It is there, unless somebody was faster.
                let _ = fdb.delete_destination(now, entry.vni, entry.mac, remote);
            }
        }
    }
    let others = vtep.neighbors().dump(now).map(|neighbor| (neighbor.vni, neighbor.address));
    for (vni, address) in others.filter(|neighbor| !said.neighbors.contains(neighbor)) {
        let _ = vtep.neighbors().delete(now, vni, address);
    }
    // Whoever is no destination any more is not learned from either.
    let known: HashSet<RemoteId> = said
        .entries
        .iter()
        .filter_map(|(_, _, destination)| match destination {
            Destination::Remote(remote) => Some(*remote),
            _ => None,
        })
        .collect();
    let remotes = vtep.remotes();
    for (id, _) in remotes.iter().filter(|(id, _)| !known.contains(id) && remotes.is_configured(*id)) {
        let _ = remotes.remove(id);
    }
}

/// Buckets for one step of a sweep; between steps others get at the table.
const STEP: usize = 256;

#[cfg(test)]
mod tests;
