//! What is found in a packet, as a line of JSON.

use encap::{
    tunnel::{self, DropReason, Encapsulation},
    wire::{
        checksum::State,
        erspan::{self, Kind},
        gre,
    },
};
use serde::Serialize;

use crate::look::Found;

/// A packet in JSON.
#[derive(Serialize)]
pub(crate) struct Json {
    frame: u64,
    layers: Vec<Tunnel>,
    /// Captured bytes of the innermost packet.
    inner_len: Option<usize>,
    drop: Option<&'static str>,
}

/// A tunnel in JSON.
#[derive(Serialize)]
struct Tunnel {
    #[serde(flatten)]
    header: Layer,
    /// What is odd about it, of several tunnels about this one: left out where nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    anomalies: Vec<&'static str>,
}

/// A tunnel header in JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Layer {
    // Where the I flag is clear, the field names no segment; the drop reason says so.
    Vxlan {
        vni: u32,
    },
    VxlanGbp {
        vni: u32,
        group: u16,
        dont_learn: bool,
        applied: bool,
    },
    VxlanGpe {
        vni: u32,
        next: Option<u8>,
    },
    Geneve {
        vni: u32,
        proto: u16,
        options: Vec<GeneveOption>,
    },
    Gre(Gre),
    GreUdp(Gre),
    Nvgre {
        vsid: u32,
        flow_id: u8,
    },
    Gre1 {
        proto: u16,
        call_id: u16,
        seq: Option<u32>,
        ack: Option<u32>,
    },
    Erspan2 {
        #[serde(flatten)]
        mirrored: Mirrored,
        index: u32,
    },
    Erspan3 {
        #[serde(flatten)]
        mirrored: Mirrored,
        timestamp: u32,
        sgt: u16,
    },
    IpUdp,
}

#[derive(Serialize)]
struct Gre {
    proto: u16,
    key: Option<u32>,
    seq: Option<u32>,
    checksum: Option<&'static str>,
}

/// `len` counts the bytes of data, without the option's own header.
#[derive(Serialize)]
struct GeneveOption {
    class: u16,
    #[serde(rename = "type")]
    kind: u8,
    len: usize,
}

/// What ERSPAN says of the frame that was mirrored.
#[derive(Serialize)]
struct Mirrored {
    session: u16,
    vlan: u16,
    cos: u8,
    truncated: bool,
}

impl Json {
    /// What was found in packet number `frame`: `None` where it could not be looked into.
    pub(crate) fn new(frame: u64, found: Option<&Found<'_>>) -> Self {
        let inspection = found.map(|found| &found.inspection);
        let layers = found
            .into_iter()
            .flat_map(|found| found.inspection.layers().filter_map(|layer| Tunnel::new(layer, found.packet)));
        let last = inspection.and_then(|inspection| inspection.layers().last());
        Self {
            frame,
            layers: layers.collect(),
            inner_len: last.map(|layer| layer.payload.len()),
            drop: inspection.and_then(|inspection| inspection.drop_reason()).map(DropReason::name),
        }
    }
}

impl Tunnel {
    fn new(layer: &tunnel::Layer, packet: &[u8]) -> Option<Self> {
        let anomalies = layer.anomalies.into_iter().map(DropReason::name).collect();
        Some(Self { header: Layer::new(layer, packet)?, anomalies })
    }
}

impl Layer {
    fn new(layer: &tunnel::Layer, packet: &[u8]) -> Option<Self> {
        Some(match &layer.encapsulation {
            Encapsulation::Vxlan(header) => Self::Vxlan { vni: header.vni_field().value() },
            Encapsulation::VxlanGbp(header) => {
                let policy = header.group_policy().unwrap_or_default();
                Self::VxlanGbp {
                    vni: header.vni_field().value(),
                    group: policy.id,
                    dont_learn: policy.dont_learn,
                    applied: policy.applied,
                }
            }
            Encapsulation::VxlanGpe(header) => Self::VxlanGpe {
                vni: header.vni_field().value(),
                next: header.next_protocol().map(|next| next.0),
            },
            Encapsulation::Geneve(header) => Self::Geneve {
                vni: header.vni().value(),
                proto: header.protocol().0,
                // Where their lengths do not add up, the drop reason says so.
                options: layer.geneve_options(packet).flatten().map(GeneveOption::from).collect(),
            },
            Encapsulation::Gre { header, checksum } if layer.outer.destination_port != 0 => {
                Self::GreUdp(Gre::new(header, *checksum))
            }
            Encapsulation::Gre { header, checksum } => Self::Gre(Gre::new(header, *checksum)),
            Encapsulation::Nvgre(header) => {
                Self::Nvgre { vsid: header.vsid.value(), flow_id: header.flow_id }
            }
            Encapsulation::Gre1(header) => Self::Gre1 {
                proto: header.protocol.0,
                call_id: header.call_id,
                seq: header.sequence,
                ack: header.acknowledgment,
            },
            Encapsulation::Erspan(header) => Self::erspan(header)?,
            Encapsulation::IpUdp => Self::IpUdp,
            _ => return None,
        })
    }

    fn erspan(header: &erspan::Header) -> Option<Self> {
        let mirrored = Mirrored {
            session: header.session.value(),
            vlan: header.vlan.value(),
            cos: header.cos.value(),
            truncated: header.truncated,
        };
        Some(match header.kind {
            Kind::II { index } => Self::Erspan2 { mirrored, index: index.value() },
            Kind::III { timestamp, security_group, .. } => {
                Self::Erspan3 { mirrored, timestamp, sgt: security_group }
            }
            _ => return None,
        })
    }
}

impl Gre {
    fn new(header: &gre::Header, checksum: State) -> Self {
        Self {
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
        }
    }
}

impl From<encap::wire::geneve_option::GeneveOption<'_>> for GeneveOption {
    fn from(option: encap::wire::geneve_option::GeneveOption<'_>) -> Self {
        Self { class: option.class.0, kind: option.kind.0, len: option.data.len() }
    }
}
