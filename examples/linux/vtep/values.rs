//! What flags mean.

use std::{net::IpAddr, str::FromStr, time::Duration};

use encap::{
    table::{Ageing, Prefix},
    tunnel::{DontFragment, OuterDscp, OuterFlowLabel, Ttl},
    wire::{Dscp, FlowLabel, MacAddr, VlanId, Vni},
};

/// An entry of the forwarding database: `MAC=IP[,port=N][,vni=N]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) mac: MacAddr,
    pub(crate) address: IpAddr,
    pub(crate) port: Option<u16>,
    pub(crate) vni: Option<Vni>,
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mac, rest) =
            text.split_once('=').ok_or("a MAC address and an IP address with = between them")?;
        let mut words = rest.split(',');
        let mut entry = Self {
            mac: parse(mac)?,
            address: parse(words.next().unwrap_or_default())?,
            port: None,
            vni: None,
        };
        for word in words {
            match word.split_once('=') {
                Some(("port", port)) => entry.port = Some(parse(port)?),
                Some(("vni", id)) => entry.vni = Some(vni(id)?),
                _ => return Err(format!("{word}: port= or vni= may follow the address")),
            }
        }
        Ok(entry)
    }
}

/// `IP=MAC`.
pub(crate) fn neighbor(text: &str) -> Result<(IpAddr, MacAddr), String> {
    let (address, mac) = text.split_once('=').ok_or("an IP address and a MAC address with = between them")?;
    Ok((parse(address)?, parse(mac)?))
}

/// `PREFIX=IP`, or `PREFIX` alone.
pub(crate) fn route(text: &str) -> Result<(Prefix, Option<IpAddr>), String> {
    match text.split_once('=') {
        Some((prefix, gateway)) => Ok((parse(prefix)?, Some(parse(gateway)?))),
        None => Ok((parse(text)?, None)),
    }
}

/// `VID=VNI`.
pub(crate) fn vlan(text: &str) -> Result<(VlanId, Vni), String> {
    let (id, segment) = text.split_once('=').ok_or("a VLAN and a segment with = between them")?;
    let id: u32 = parse(id)?;
    // 4,095 is reserved (IEEE 802.1Q, table 9-2).
    let usable = VlanId::try_from(id).ok().filter(|_| id < 4_095);
    Ok((usable.ok_or_else(|| format!("{id}: VLANs are 0 to 4094"))?, vni(segment)?))
}

pub(crate) fn vni(text: &str) -> Result<Vni, String> {
    bounded(text)
}

pub(crate) fn flow_label(text: &str) -> Result<OuterFlowLabel, String> {
    if text == "hash" {
        return Ok(OuterFlowLabel::FromHash);
    }
    if text == "inherit" {
        return Ok(OuterFlowLabel::Inherit);
    }
    bounded(text).map(|label: FlowLabel| OuterFlowLabel::Fixed(label))
}

pub(crate) fn ttl(text: &str) -> Result<Ttl, String> {
    match text {
        "auto" => Ok(Ttl::Auto),
        "inherit" => Ok(Ttl::Inherit),
        _ => parse(text).map(Ttl::Fixed),
    }
}

/// The whole byte, as `ip link` has it, where 1 means inherit; its ECN bits are no setting.
pub(crate) fn tos(text: &str) -> Result<OuterDscp, String> {
    if matches!(text, "inherit" | "1") {
        return Ok(OuterDscp::Inherit);
    }
    let byte = match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?,
        None => parse(text)?,
    };
    if byte & 3 != 0 {
        return Err("the two lowest bits are ECN, which RFC 6040 sets".into());
    }
    Ok(OuterDscp::Fixed(Dscp::truncate(byte >> 2)))
}

pub(crate) fn df(text: &str) -> Result<DontFragment, String> {
    match text {
        "set" => Ok(DontFragment::Set),
        "unset" => Ok(DontFragment::Unset),
        "inherit" => Ok(DontFragment::Inherit),
        _ => Err("set, unset or inherit".into()),
    }
}

pub(crate) fn ageing(text: &str) -> Result<Ageing, String> {
    if text == "never" {
        return Ok(Ageing::Never);
    }
    parse(text).map(|seconds| Ageing::After(Duration::from_secs(seconds)))
}

pub(crate) fn source_ports(text: &str) -> Result<(u16, u16), String> {
    let (min, max) = text.split_once('-').ok_or("two ports with a dash between them")?;
    Ok((parse(min)?, parse(max)?))
}

fn bounded<T: TryFrom<u32, Error: ToString>>(text: &str) -> Result<T, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).map_err(|error| error.to_string())?,
        None => parse(text)?,
    };
    T::try_from(number).map_err(|error| error.to_string())
}

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| format!("{text}: {}", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_ip_link_means_by_them() {
        assert_eq!(
            (ttl("auto"), ttl("inherit"), ttl("9")),
            (Ok(Ttl::Auto), Ok(Ttl::Inherit), Ok(Ttl::Fixed(9)))
        );
        assert_eq!((tos("inherit"), tos("1")), (Ok(OuterDscp::Inherit), Ok(OuterDscp::Inherit)));
        let ef = Ok(OuterDscp::Fixed(Dscp::truncate(46)));
        assert_eq!((tos("0xb8"), tos("184")), (ef.clone(), ef));
        assert_eq!(
            (ageing("never"), ageing("9")),
            (Ok(Ageing::Never), Ok(Ageing::After(Duration::from_secs(9))))
        );
        assert_eq!(source_ports("1-65535"), Ok((1, 65_535)));
        assert_eq!((vni("0xffffff").map(Vni::value), vni("0x1000000").is_err()), (Ok(0xff_ffff), true));
        assert_eq!(flow_label("hash"), Ok(OuterFlowLabel::FromHash));
        assert!(flow_label("0x100000").is_err());
        assert!(route("10.0.0.1/8=10.0.0.1").is_err(), "bits behind the prefix");
        assert!(
            route("10.0.0.0/8=").is_err() && route("10.0.0.0/8").is_ok_and(|(_, gateway)| gateway.is_none())
        );
        assert!(route("10.0.0.0/8=10.0.0.1").is_ok() && neighbor("fd00::1=02:00:00:00:00:01").is_ok());
    }
}
