//! Tables and counters, in the words of `bridge` and `ip`.

use std::fmt::{self, Write as _};

use encap::{
    table::{Entry, Neighbor, Remote, Route, VniCounters},
    time::Instant,
};
use encap_linux::print;

use crate::{segments::Segment, shared::Shared, tables::Engine};

/// All that is known, as text. Lines of tables can be read again as files.
pub(crate) fn report(vtep: &Engine, segments: &[Segment], shared: &Shared, now: Instant) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = tables(&mut text, vtep, segments, now);
    let _ = counters(&mut text, vtep, segments, shared);
    text
}

fn tables(text: &mut String, vtep: &Engine, segments: &[Segment], now: Instant) -> fmt::Result {
    let (fdb, port) = (vtep.fdb(), vtep.config().dstport);
    // A device of one VNI does not say it, one of many does.
    let says_vni = segments.len() > 1;
    writeln!(text, "# forwarding database")?;
    let mut entries: Vec<Entry> = fdb.dump(now).collect();
    entries.sort_by_key(|entry| (entry.vni, entry.mac));
    for entry in &entries {
        let show = fdb.show(entry).default_port(port);
        if says_vni { writeln!(text, "{show:#}")? } else { writeln!(text, "{show}")? }
    }
    writeln!(text, "# neighbours")?;
    let mut neighbors: Vec<Neighbor> = vtep.neighbors().dump(now).collect();
    neighbors.sort_by_key(|neighbor| (neighbor.vni, neighbor.address));
    for neighbor in &neighbors {
        if says_vni { writeln!(text, "{neighbor:#}")? } else { writeln!(text, "{neighbor}")? }
    }
    let mut routes: Vec<Route> = vtep.routes().dump().collect();
    routes.sort_by_key(|route| (route.prefix.address(), route.prefix.prefix_len()));
    if !routes.is_empty() {
        writeln!(text, "# routes")?;
    }
    for route in &routes {
        writeln!(text, "{route}")?;
    }
    let mut remotes: Vec<Remote> = vtep.remotes().iter().map(|(_, remote)| remote).collect();
    remotes.retain(|remote| remote.mtu != 0);
    remotes.sort_by_key(|remote| (remote.address, remote.port));
    for remote in &remotes {
        writeln!(text, "# path to {} port {}: mtu {}", remote.address, remote.port, remote.mtu)?;
    }
    Ok(())
}

fn counters(text: &mut String, vtep: &Engine, segments: &[Segment], shared: &Shared) -> fmt::Result {
    let counters = shared.counters();
    writeln!(text, "# counters")?;
    for Segment { name, vlan, vni, .. } in segments {
        let name = vlan.map_or_else(|| name.clone(), |vlan| format!("{name} vlan {vlan}"));
        let VniCounters { sent, sent_bytes, send_drops, delivered, delivered_bytes, receive_drops, .. } =
            vtep.vni_counters(*vni);
        writeln!(text, "{name} vni {vni} sent {sent} bytes {sent_bytes} dropped {send_drops}")?;
        writeln!(
            text,
            "{name} vni {vni} delivered {delivered} bytes {delivered_bytes} dropped {receive_drops}"
        )?;
    }
    writeln!(text, "sent {} bytes {}", counters.sent, counters.sent_bytes)?;
    writeln!(text, "delivered {} bytes {}", counters.delivered, counters.delivered_bytes)?;
    writeln!(text, "answered {}", counters.replies)?;
    for (policy, count) in shared.policies() {
        writeln!(text, "policy {policy} {count}")?;
    }
    for (reason, count) in counters.drops() {
        writeln!(text, "dropped {reason} {count}")?;
    }
    for (reason, count) in counters.refusals() {
        writeln!(text, "refused {reason} {count}")?;
    }
    for (what, error, count) in shared.errors() {
        writeln!(text, "failed {what}: {error} {count}")?;
    }
    let others = [
        ("suspicious ecn", counters.ecn_suspicious),
        ("unlearned", counters.unlearned),
        ("busy", counters.busy),
        ("misses lost", counters.misses_lost),
        ("events lost", counters.events_lost),
        ("neighbors lost", counters.neighbors_lost),
        ("unprinted", print::lost()),
    ];
    for (what, count) in others.into_iter().filter(|&(_, count)| count > 0) {
        writeln!(text, "{what} {count}")?;
    }
    writeln!(text, "# end")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use encap::{table::Capacity, vtep::Config};

    use super::*;
    use crate::shared::Way;

    #[test]
    fn what_occurred_is_said() {
        let config = Config::new().local(Ipv4Addr::LOCALHOST.into());
        let vtep = Engine::with_capacity(config, Capacity::NONE, [1, 2]).unwrap();
        let shared = Shared::default();
        let said = || report(&vtep, &[], &shared, Instant::ZERO);
        let nothing = "sent 0 bytes 0\ndelivered 0 bytes 0\nanswered 0\n# end\n";
        assert!(said().ends_with(nothing), "{}", said());
        let mut counters = shared.counters();
        (counters.unlearned, counters.busy) = (1, 2);
        (counters.misses_lost, counters.neighbors_lost, counters.events_lost) = (3, 4, 5);
        shared.publish(Way::In, &counters);
        let all = "answered 0\nunlearned 1\nbusy 2\nmisses lost 3\nevents lost 5\nneighbors lost 4\n# end\n";
        assert!(said().ends_with(all), "{}", said());
    }
}
