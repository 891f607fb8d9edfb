//! Lines of `bridge fdb show`, as iproute2 prints them since version 4.

use std::net::IpAddr;

use encap::wire::{MacAddr, Vni};

use super::words::{Words, once};

/// A line of `bridge fdb show`.
#[derive(Debug, Default)]
pub(crate) struct FdbLine {
    pub(crate) mac: MacAddr,
    pub(crate) dev: Option<String>,
    pub(crate) dst: Option<IpAddr>,
    /// Not a word of `bridge`, but of ours.
    pub(crate) blackhole: bool,
    pub(crate) vlan: Option<u16>,
    pub(crate) port: Option<u16>,
    pub(crate) vni: Option<Vni>,
    pub(crate) src_vni: Option<Vni>,
    pub(crate) via: Option<String>,
    pub(crate) nhid: Option<u32>,
    pub(crate) is_self: bool,
    pub(crate) router: bool,
    pub(crate) extern_learn: bool,
    pub(crate) sticky: bool,
    /// The bridge, where its name is known.
    pub(crate) master: Option<String>,
    pub(crate) state: Option<State>,
    /// Words without meaning for a table.
    pub(crate) unkept: Vec<&'static str>,
}

/// The words that there are for states; none for entries that age.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Permanent,
    Static,
}

impl FdbLine {
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut words = Words(words.iter());
        let mut line = Self { mac: words.value("a line begins with")?, ..Self::default() };
        while let Some(word) = words.next() {
            match word {
                "dev" => once(&mut line.dev, word, words.value(word)?)?,
                "dst" => once(&mut line.dst, word, words.value(word)?)?,
                "blackhole" => line.blackhole = true,
                "vlan" => once(&mut line.vlan, word, words.value(word)?)?,
                "port" => once(&mut line.port, word, words.value(word)?)?,
                "vni" => once(&mut line.vni, word, words.bounded(word)?)?,
                "src_vni" => once(&mut line.src_vni, word, words.bounded(word)?)?,
                "via" => {
                    let name: String = words.value(word)?;
                    if let ("ifindex", Some(_)) = (name.as_str(), words.next_if(is_number)) {
                        return Err("via an interface of another network namespace".into());
                    }
                    once(&mut line.via, word, name)?;
                }
                "nhid" => once(&mut line.nhid, word, words.value(word)?)?,
                "link-netnsid" => return Err("via an interface of another network namespace".into()),
                "used" => drop(words.value::<String>(word)?),
                "self" => line.is_self = true,
                "router" => line.router = true,
                "extern_learn" => line.extern_learn = true,
                "sticky" => line.sticky = true,
                "offload" => line.unkept.push("offload"),
                "locked" => line.unkept.push("locked"),
                "activity_notify" => line.unkept.push("activity_notify"),
                "inactive" => line.unkept.push("inactive"),
                // A flag, or the name of a bridge follows; in that order where it is both.
                "master" => {
                    if let Some(name) = words.next_if(|next| !MAY_FOLLOW_MASTER.contains(&next)) {
                        once(&mut line.master, word, name.to_owned())?;
                    }
                }
                "permanent" => once(&mut line.state, "a state", State::Permanent)?,
                "static" => once(&mut line.state, "a state", State::Static)?,
                _ => return Err(format!("{word} is not a word of a tunnel's entry")),
            }
        }
        Ok(line)
    }
}

fn is_number(word: &str) -> bool {
    word.parse::<u32>().is_ok()
}

const MAY_FOLLOW_MASTER: [&str; 6] = ["master", "sticky", "locked", "permanent", "static", "stale"];
