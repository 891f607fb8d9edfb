//! What flags mean.

use std::{ops::RangeInclusive, str::FromStr};

use encap::{
    tunnel::{OuterDscp, OuterFlowLabel, Ttl},
    wire::{
        Dscp, FlowLabel, Pcp, VlanId,
        geneve_option::{OptionClass, OptionType, Writer},
    },
};

/// An option of Geneve.
#[derive(Clone)]
pub(crate) struct GeneveOption {
    pub(crate) class: OptionClass,
    pub(crate) kind: OptionType,
    pub(crate) data: Vec<u8>,
}

impl FromStr for GeneveOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(class, rest)| Some((class, rest.split_once(':')?)));
        let (class, (kind, data)) = parts.ok_or("class, type and data with colons between them")?;
        if text.contains('+') {
            return Err("digits have no sign".into());
        }
        let hex = |digits: &str| u16::from_str_radix(digits, 16).map_err(|error| error.to_string());
        let byte = |digits: &str| u8::from_str_radix(digits, 16).map_err(|error| error.to_string());
        if !data.is_ascii() || data.len() % 8 != 0 {
            return Err("data has eight digits for every four bytes".into());
        }
        let pairs = (0..data.len()).step_by(2).filter_map(|at| data.get(at..at + 2));
        let option = Self {
            class: OptionClass(hex(class)?),
            kind: OptionType(byte(kind)?),
            data: pairs.map(byte).collect::<Result<_, _>>()?,
        };
        // There is room for the longest one.
        let pushed = Writer::new(&mut [0; 252]).push(option.class, option.kind, &option.data);
        pushed.map_err(|error| error.to_string())?;
        Ok(option)
    }
}

pub(crate) fn ttl(text: &str) -> Result<Ttl, String> {
    match text {
        "auto" => Ok(Ttl::Auto),
        "inherit" => Ok(Ttl::Inherit),
        _ => number(text).map(Ttl::Fixed),
    }
}

pub(crate) fn dscp(text: &str) -> Result<OuterDscp, String> {
    if text == "inherit" { Ok(OuterDscp::Inherit) } else { bounded(text).map(|dscp: Dscp| dscp.into()) }
}

pub(crate) fn flow_label(text: &str) -> Result<OuterFlowLabel, String> {
    match text {
        "hash" => Ok(OuterFlowLabel::FromHash),
        "inherit" => Ok(OuterFlowLabel::Inherit),
        _ => bounded(text).map(|label: FlowLabel| OuterFlowLabel::Fixed(label)),
    }
}

pub(crate) fn vlan(text: &str) -> Result<(VlanId, Pcp), String> {
    let (id, priority) = text.split_once(':').unwrap_or((text, "0"));
    Ok((bounded(id)?, bounded(priority)?))
}

pub(crate) fn source_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (min, max) = text.split_once('-').ok_or("two ports with a dash between them")?;
    Ok(number(min)?..=number(max)?)
}

pub(crate) fn bounded<T: TryFrom<u32, Error: ToString>>(text: &str) -> Result<T, String> {
    number::<u32>(text)?.try_into().map_err(|error: T::Error| error.to_string())
}

fn number<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}
