//! What a worker tells, in words on standard error.

use encap::{
    table::{Destination, RemoteId},
    vtep::{Event, Miss, Worker},
};
use encap_linux::tell;

use crate::tables::Engine;

/// Events that wait until the end of a turn.
pub(crate) const EVENTS: usize = 1_024;

/// Says what nobody knows, and what is known now. Before the worker is quiescent: remotes are named.
pub(crate) fn tell_all(vtep: &Engine, worker: &mut Worker<'_>) {
    while let Some(miss) = worker.poll_miss() {
        match miss {
            Miss::L2 { vni, mac } => tell!("miss {mac} vni {vni}"),
            Miss::L3 { vni, address } => tell!("miss {address} vni {vni}"),
            other => tell!("miss {other:?}"),
        }
    }
    while let Some(event) = worker.poll_event() {
        match event {
            Event::Learned { vni, mac, remote } => tell!("learned {mac} vni {vni} dst {}", dst(vtep, remote)),
            Event::Moved { vni, mac, from: Destination::Remote(from), to } => {
                tell!("moved {mac} vni {vni} dst {} from {}", dst(vtep, to), dst(vtep, from));
            }
            Event::Moved { vni, mac, to, .. } => tell!("moved {mac} vni {vni} dst {}", dst(vtep, to)),
            Event::Evicted(gone) => {
                tell!("evicted {} vni {} dst {}", gone.mac, gone.vni, dst(vtep, gone.remote))
            }
            Event::NeighborLearned { vni, address, mac } => tell!("learned {address} vni {vni} lladdr {mac}"),
            Event::NeighborMoved { vni, address, from, to } => {
                tell!("moved {address} vni {vni} lladdr {to} from {from}");
            }
            other => tell!("{other:?}"),
        }
    }
}

fn dst(vtep: &Engine, remote: RemoteId) -> String {
    vtep.remotes().get(remote).map_or_else(|| "a removed one".into(), |remote| remote.address.to_string())
}
