//! Segments: what the command line says of one belongs to the device or the VLAN before it.

use std::{collections::HashSet, ffi::OsString, fmt::Display, hash::Hash, net::IpAddr};

use clap::{ArgMatches, CommandFactory, FromArgMatches, error::ErrorKind};
use encap::{
    table::Prefix,
    wire::{MacAddr, VlanId, Vni},
};

use crate::{
    args::{Args, Common},
    values::Entry,
};

/// A segment, and the device that its frames come by.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The device's name; on a trunk others have it, too.
    pub(crate) name: String,
    /// On a trunk, the VLAN of the frames.
    pub(crate) vlan: Option<VlanId>,
    pub(crate) vni: Vni,
    /// That of its device, once there is one; zero where the engine knows it, or a device has none.
    pub(crate) mac: MacAddr,
    pub(crate) remotes: Vec<IpAddr>,
    pub(crate) fdb: Vec<Entry>,
    pub(crate) neighbors: Vec<(IpAddr, MacAddr)>,
    pub(crate) routes: Vec<(Prefix, Option<IpAddr>)>,
}

impl Segment {
    /// Where its frames go, and the option that says so.
    fn destinations(&self) -> impl Iterator<Item = (&'static str, IpAddr)> + '_ {
        let entries = self.fdb.iter().map(|entry| ("--fdb", entry.address));
        self.remotes.iter().map(|&remote| ("--remote", remote)).chain(entries)
    }

    /// Whether frames for everybody go to a multicast group.
    pub(crate) fn floods_to_group(&self) -> bool {
        let defaults = self.fdb.iter().filter(|entry| entry.mac == MacAddr::ZERO).map(|entry| entry.address);
        self.remotes.iter().copied().chain(defaults).any(|address| address.is_multicast())
    }
}

/// What the command line says: of each segment, and of all.
pub(crate) fn parse<I: IntoIterator<Item: Into<OsString> + Clone>>(
    args: I,
) -> Result<(Vec<Segment>, Common), clap::Error> {
    let mut command = Args::command();
    let matches = command.try_get_matches_from_mut(args)?;
    let args = Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    let refuse = |why: &str| Args::command().error(ErrorKind::ValueValidation, why);
    let starts = starts(&matches, &args).map_err(|why| refuse(&why))?;
    let Args { remote, fdb, neigh, route, common, .. } = args;
    let places: Vec<usize> = starts.iter().map(|start| start.place).collect();
    let mut remotes = sorted(&matches, "remote", remote, &places).into_iter();
    let mut fdb = sorted(&matches, "fdb", fdb, &places).into_iter();
    let mut neighbors = sorted(&matches, "neigh", neigh, &places).into_iter();
    let mut routes = sorted(&matches, "route", route, &places).into_iter();
    let mut segments: Vec<Segment> = Vec::new();
    for Start { name, vlan, vni, .. } in starts {
        let again = |other: &Segment| {
            other.vni == vni || (other.name == name && (vlan.is_none() || other.vlan == vlan))
        };
        if segments.iter().any(again) {
            let why = format!("--tap {name} vni {vni}: each device, each VLAN and each segment once");
            return Err(refuse(&why));
        }
        segments.push(Segment {
            name,
            vlan,
            vni,
            mac: MacAddr::ZERO,
            remotes: remotes.next().unwrap_or_default(),
            fdb: fdb.next().unwrap_or_default(),
            neighbors: neighbors.next().unwrap_or_default(),
            routes: routes.next().unwrap_or_default(),
        });
    }
    check(&segments, &common).map_err(|why| refuse(&why))?;
    Ok((segments, common))
}

/// What parts of the command line, each right for itself, say together.
fn check(segments: &[Segment], common: &Common) -> Result<(), String> {
    let of_family = |of: &[IpAddr], v6| of.iter().filter(|address| address.is_ipv6() == v6).count();
    for (option, addresses) in [("--local", &common.local), ("--router", &common.router)] {
        if of_family(addresses, false) > 1 || of_family(addresses, true) > 1 {
            return Err(format!("{option}: one address of each family"));
        }
    }
    if let Some(mac) = common.mac.filter(|mac| !mac.is_unicast()) {
        return Err(format!("--mac {mac}: no host has this address"));
    }
    for (option, group) in segments.iter().flat_map(Segment::destinations).filter(|(_, it)| it.is_multicast())
    {
        if common.dev.is_none() {
            return Err(format!("{option} {group}: a group needs --dev"));
        }
        if of_family(&common.local, group.is_ipv6()) == 0 {
            return Err(format!("{option} {group}: a group needs a --local of its family"));
        }
    }
    let destinations = segments.iter().flat_map(Segment::destinations);
    let mut said = common.local.iter().map(|&local| ("--local", local)).chain(destinations);
    if let Some((option, address)) =
        said.find(|(_, address)| is_of_link(*address)).filter(|_| common.dev.is_none())
    {
        return Err(format!("{option} {address}: an address of a link needs --dev"));
    }
    for Segment { fdb, neighbors, routes, .. } in segments {
        // Other MAC addresses can have several destinations.
        once("--fdb", fdb.iter().map(|entry| entry.mac).filter(|mac| mac.is_unicast()))?;
        once("--neigh", neighbors.iter().map(|(address, _)| *address))?;
        once("--route", routes.iter().map(|(prefix, _)| *prefix))?;
    }
    if common.l3 && (segments.len() > 1 || segments.iter().any(|segment| segment.vlan.is_some())) {
        return Err("--l3 has one device: routes say where packets go".into());
    }
    // By VLAN a segment is found on the way out, and there is one trunk for each VLAN.
    let mut trunks = segments.iter().filter(|segment| segment.vlan.is_some());
    if let Some(first) = trunks.next()
        && trunks.any(|other| other.name != first.name)
    {
        return Err("--vlan: there can be one trunk".into());
    }
    Ok(())
}

/// What an option says of each key.
fn once<K: Copy + Display + Eq + Hash>(option: &str, keys: impl Iterator<Item = K>) -> Result<(), String> {
    let mut said = HashSet::new();
    for key in keys {
        if !said.insert(key) {
            return Err(format!("{option} {key}: twice in one segment"));
        }
    }
    Ok(())
}

/// The multicast groups that frames of segments go to, each once.
pub(crate) fn groups(segments: &[Segment]) -> Vec<IpAddr> {
    let destinations = segments.iter().flat_map(Segment::destinations).map(|(_, address)| address);
    let mut groups: Vec<_> = destinations.filter(IpAddr::is_multicast).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Whether an address is one of a link, and says a host only together with a device.
pub(crate) const fn is_of_link(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Where the options of a segment start.
struct Start {
    place: usize,
    name: String,
    vlan: Option<VlanId>,
    vni: Vni,
}

fn starts(matches: &ArgMatches, args: &Args) -> Result<Vec<Start>, String> {
    let taps: Vec<usize> = places(matches, "tap").collect();
    let vnis = sorted(matches, "vni", args.vni.clone(), &taps);
    let vlans = places(matches, "vlan").zip(args.vlan.iter().copied()).collect();
    let vlans = sorted(matches, "vlan", vlans, &taps);
    let mut starts = Vec::new();
    for (((&tap, name), vnis), vlans) in taps.iter().zip(&args.tap).zip(vnis).zip(vlans) {
        let named = |place, vlan, vni| Start { place, name: name.clone(), vlan, vni };
        match (&*vnis, &*vlans) {
            ([vni], []) => starts.push(named(tap, None, *vni)),
            ([], [(_, (vlan, vni)), others @ ..]) => {
                // What comes between the two is said of the first VLAN.
                starts.push(named(tap, Some(*vlan), *vni));
                starts.extend(others.iter().map(|&(place, (vlan, vni))| named(place, Some(vlan), vni)));
            }
            _ => return Err(format!("--tap {name} needs one --vni, or some --vlan")),
        }
    }
    Ok(starts)
}

fn places<'m>(matches: &'m ArgMatches, name: &str) -> impl Iterator<Item = usize> + 'm {
    matches.indices_of(name).into_iter().flatten()
}

/// The values of an option, by whose they are: each belongs to the last start before it, those before the first to
/// that.
fn sorted<T>(matches: &ArgMatches, name: &str, values: Vec<T>, starts: &[usize]) -> Vec<Vec<T>> {
    let mut sorted: Vec<Vec<T>> = starts.iter().map(|_| Vec::new()).collect();
    for (place, value) in places(matches, name).zip(values) {
        let whose = starts.iter().filter(|&&start| start < place).count().saturating_sub(1);
        if let Some(values) = sorted.get_mut(whose) {
            values.push(value);
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&str> {
        ["vtep"].into_iter().chain(line.split_whitespace()).collect()
    }

    #[test]
    fn what_follows_a_device_is_its_own() {
        let (segments, common) = parse(words(
            "--local 10.0.0.1 --remote 10.0.0.9 --tap a --vni 1 --remote 10.0.0.2 --fdb 02:00:00:00:00:01=10.0.0.2 \
             --tap b --neigh 10.1.0.1=02:00:00:00:00:02 --vni 0x2 --port 8472 \
             --fdb 02:00:00:00:00:03=fd00::1,port=9,vni=7 --local fd00::9 --tap c --vni 3",
        ))
        .unwrap();
        let said: Vec<_> = segments
            .iter()
            .map(|s| (&*s.name, s.vni.value(), s.remotes.len(), s.fdb.len(), s.neighbors.len()))
            .collect();
        // What comes before the first device belongs to it, too.
        assert_eq!(said, [("a", 1, 2, 1, 0), ("b", 2, 0, 1, 1), ("c", 3, 0, 0, 0)]);
        let entry = segments[1].fdb[0];
        assert_eq!((entry.address, entry.port), ("fd00::1".parse().unwrap(), Some(9)));
        assert_eq!(entry.vni.map(Vni::value), Some(7));
        assert_eq!((common.port, common.local.len()), (Some(8_472), 2));
    }

    #[test]
    fn what_follows_a_vlan_is_its_own() {
        let (segments, common) = parse(words(
            "--local 10.0.0.1 --dev eth0 --tap t --remote 10.0.0.9 --vlan 10=100 --remote 239.1.1.1 --vlan 0=200 \
             --neigh 10.1.0.1=02:00:00:00:00:02 --remote 239.1.1.1 --tap b --vni 7 --remote 10.0.0.2 \
             --fdb 00:00:00:00:00:00=239.1.1.2",
        ))
        .unwrap();
        let said: Vec<_> = segments
            .iter()
            .map(|s| (&*s.name, s.vlan.map(VlanId::value), s.vni.value(), s.remotes.len(), s.neighbors.len()))
            .collect();
        assert_eq!(said, [("t", Some(10), 100, 2, 0), ("t", Some(0), 200, 1, 1), ("b", None, 7, 1, 0)]);
        assert_eq!(groups(&segments), ["239.1.1.1", "239.1.1.2"].map(|it| it.parse::<IpAddr>().unwrap()));
        assert_eq!(common.dev.as_deref(), Some("eth0"));
    }

    #[test]
    fn the_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn each_key_once_in_its_segment() {
        let base = "--local 10.0.0.1 --tap a --mac 02:00:00:00:00:0a --l3 --vni 1";
        for (option, first, second, others) in [
            (
                "--fdb",
                "02:00:00:00:00:01=10.0.0.2",
                "02:00:00:00:00:01=10.0.0.3",
                "02:00:00:00:00:02=10.0.0.2",
            ),
            (
                "--neigh",
                "10.1.0.1=02:00:00:00:00:01",
                "10.1.0.1=02:00:00:00:00:02",
                "10.1.0.2=02:00:00:00:00:01",
            ),
            ("--route", "10.0.0.0/8=10.1.0.1", "10.0.0.0/8=10.1.0.2", "10.0.0.0/9=10.1.0.1"),
        ] {
            let said =
                |one: &str, other: &str| parse(words(&format!("{base} {option} {one} {option} {other}")));
            assert!(said(first, others).is_ok(), "{option}");
            for again in [first, second] {
                let why = said(first, again).unwrap_err().to_string();
                assert!(
                    why.contains(&format!("{option} {}: twice", first.split_once('=').unwrap().0)),
                    "{why}"
                );
            }
        }
        for several in ["00:00:00:00:00:00", "01:00:5e:00:00:05"] {
            let more = format!("--fdb {several}=10.0.0.2 --fdb {several}=10.0.0.3");
            assert!(parse(words(&format!("{base} {more}"))).is_ok(), "{several}");
        }
        let other_segment = "--tap b --vni 2 --fdb 02:00:00:00:00:01=10.0.0.3";
        let base = "--local 10.0.0.1 --tap a --vni 1 --fdb 02:00:00:00:00:01=10.0.0.2";
        assert!(parse(words(&format!("{base} {other_segment}"))).is_ok());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let base = "--tap a --vni 1 --local 10.0.0.1";
        assert!(parse(words(base)).is_ok());
        for more in [
            "--vni 2",
            "--tap b",
            "--tap b --vni 1",
            "--tap a --vni 2",
            "--local 10.0.0.2",
            "--remote 239.1.1.1",
            "--remote ff02::1 --dev eth0",
            "--fdb 00:00:00:00:00:00=239.1.1.1",
            "--fdb 00:00:00:00:00:00=ff02::1 --dev eth0",
            "--local fe80::1",
            "--remote fe80::1",
            "--fdb 02:00:00:00:00:01=fe80::1",
            "--vlan 10=10",
            "--tap b --vlan 10=1",
            "--tap b --vlan 10=2 --vlan 10=3",
            "--tap b --vlan 10=2 --vlan 11=2",
            "--tap b --vlan 10=2 --tap c --vlan 11=3",
            "--tap b --vlan 4095=2",
            "--tap b --vlan 10",
            "--l3 --tap b --vlan 10=2",
            "--l3 --tap b --vni 2",
            "--route 10.0.0.0/8=10.0.0.1",
            "--router 10.0.0.1",
            "--l3 --router 10.0.0.1 --router 10.0.0.2",
            "--policy 1",
            "--proxy --suppress",
            "--learning --nolearning",
            "--fdb 02:00:00:00:00:01",
            "--fdb 02:00:00:00:00:01=10.0.0.1,vlan=1",
            "--fdb 02:00:00:00:00:01=10.0.0.1,vni=16777216",
            "--neigh 10.0.0.1=02:00:00:00:00",
            "--tos 0x11",
            "--tos 256",
            "--df maybe",
            "--srcport 5",
            "--mtu 500",
            "--maxaddress 0",
            "--mac 01:00:5e:00:00:05",
            "--mac 00:00:00:00:00:00",
            "--l3 --mac ff:ff:ff:ff:ff:ff",
        ] {
            assert!(parse(words(&format!("{base} {more}"))).is_err(), "{more}");
        }
    }
}
