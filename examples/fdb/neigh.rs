//! Lines of `ip neigh show`.

use std::net::IpAddr;

use encap::{
    table::NeighborState,
    wire::{MacAddr, Vni},
};

use super::words::{Words, once};

/// A line of `ip neigh show`.
#[derive(Debug)]
pub(crate) struct NeighLine {
    pub(crate) address: IpAddr,
    pub(crate) dev: Option<String>,
    /// Not a word of `ip`, but of ours.
    pub(crate) vni: Option<Vni>,
    pub(crate) lladdr: Option<MacAddr>,
    pub(crate) router: bool,
    pub(crate) proxy: bool,
    pub(crate) state: Option<NeighborState>,
    /// Words without meaning for a table.
    pub(crate) unkept: Vec<&'static str>,
}

impl NeighLine {
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut words = Words(words.iter());
        let mut line = Self {
            address: words.value("a line begins with")?,
            dev: None,
            vni: None,
            lladdr: None,
            router: false,
            proxy: false,
            state: None,
            unkept: Vec::new(),
        };
        while let Some(word) = words.next() {
            match word {
                "dev" => once(&mut line.dev, word, words.value(word)?)?,
                "vni" => once(&mut line.vni, word, words.bounded(word)?)?,
                "lladdr" => once(&mut line.lladdr, word, words.value(word)?)?,
                "router" => line.router = true,
                "proxy" => line.proxy = true,
                "extern_learn" => line.unkept.push("extern_learn"),
                "offload" => line.unkept.push("offload"),
                "managed" => line.unkept.push("managed"),
                // As text has it, and as JSON has it.
                "proto" | "protocol" => {
                    words.value::<String>(word)?;
                    line.unkept.push("protocol");
                }
                "ref" | "used" | "probes" => drop(words.value::<String>(word)?),
                _ => once(&mut line.state, "a state", state(word)?)?,
            }
        }
        Ok(line)
    }
}

fn state(word: &str) -> Result<NeighborState, String> {
    Ok(match word {
        "PERMANENT" => NeighborState::Permanent,
        "NOARP" => NeighborState::NoArp,
        "REACHABLE" => NeighborState::Reachable,
        "STALE" => NeighborState::Stale,
        "DELAY" => NeighborState::Delay,
        "PROBE" => NeighborState::Probe,
        "INCOMPLETE" => NeighborState::Incomplete,
        "FAILED" => NeighborState::Failed,
        _ => return Err(format!("{word} is not a word of a neighbour")),
    })
}
