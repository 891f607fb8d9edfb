//! What is found in a packet, as a line of JSON.

use encap::{
    tunnel::{DropReason, Encapsulation, Inspection},
    wire::checksum::State,
};
use serde::Serialize;

/// A packet in JSON.
#[derive(Serialize)]
pub(crate) struct Json {
    frame: u64,
    layers: Vec<Layer>,
    /// Captured bytes of the innermost packet.
    inner_len: Option<usize>,
    drop: Option<&'static str>,
}

/// A tunnel header in JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Layer {
    Vxlan { vni: u32 },
    Gre { proto: u16, key: Option<u32>, seq: Option<u32>, checksum: Option<&'static str> },
    IpUdp,
}

impl Json {
    /// What was found in packet number `frame`: `None` where it could not be looked into.
    pub(crate) fn new(frame: u64, found: Option<&Inspection>) -> Self {
        let layers = || found.into_iter().flat_map(Inspection::layers);
        Self {
            frame,
            layers: layers().filter_map(|layer| Layer::new(&layer.encapsulation)).collect(),
            inner_len: layers().last().map(|layer| layer.payload.len()),
            drop: found.and_then(Inspection::drop_reason).map(DropReason::name),
        }
    }
}

impl Layer {
    fn new(encapsulation: &Encapsulation) -> Option<Self> {
        Some(match encapsulation {
            // Without the I flag the field names no segment; the drop reason says so.
            Encapsulation::Vxlan(header) => Self::Vxlan { vni: header.vni_field().value() },
            Encapsulation::Gre { header, checksum } => Self::Gre {
                proto: header.protocol.0,
                key: header.key.map(|key| key.0),
                seq: header.sequence,
                checksum: match checksum {
                    State::Absent => Some("absent"),
                    State::Good => Some("good"),
                    State::Bad => Some("bad"),
                    // Unverified: the capture has cut the packet, so that nobody can know.
                    _ => None,
                },
            },
            Encapsulation::IpUdp => Self::IpUdp,
            _ => return None,
        })
    }
}
