//! The outer headers of a received packet, read once from front to back.
//!
//! What is odd goes into a set and the reading goes on, as long as it makes sense: what of it is fatal is
//! for the caller to say. What cannot be read past is an error.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Anomalies, DropReason, Policy, extensions, view::View};
use crate::wire::{
    Ecn, Error, EtherType, IpProtocol, LengthSource, VlanId,
    checksum::{State, Sum},
    ethernet, ipv4, ipv6, is_unicast, udp, vlan,
};

/// What the outer headers of a packet said, once they are gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct OuterFacts {
    /// Who sent the packet.
    pub source: IpAddr,
    /// Who it was sent to.
    pub destination: IpAddr,
    /// UDP source port, zero where there is no UDP.
    pub source_port: u16,
    /// UDP destination port, zero where there is no UDP.
    pub destination_port: u16,
    /// TTL or hop limit.
    pub ttl: u8,
    /// DSCP and ECN as one byte.
    pub ds_field: u8,
    /// VLAN of the outermost tag.
    pub vlan: Option<VlanId>,
    /// The outer UDP checksum.
    pub udp_checksum: State,
}

impl OuterFacts {
    /// Facts of a packet that a socket has taken, between two addresses, of which nothing else is known. An address
    /// `::ffff:a.b.c.d`, as a socket of both families tells it, is the IPv4 address that it stands for (RFC 4291,
    /// section 2.5.5.2).
    pub const fn new(source: IpAddr, destination: IpAddr) -> Self {
        Self::between(source.to_canonical(), destination.to_canonical())
    }

    /// Facts of a packet between the two addresses of its own header.
    pub(crate) const fn between(source: IpAddr, destination: IpAddr) -> Self {
        Self {
            source,
            destination,
            source_port: 0,
            destination_port: 0,
            ttl: 0,
            ds_field: 0,
            vlan: None,
            udp_checksum: State::Absent,
        }
    }

    /// The ECN bits of the DS field.
    #[inline]
    pub const fn ecn(&self) -> Ecn {
        Ecn::from_ds_field(self.ds_field)
    }
}

/// Where the first header of a packet is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Start {
    /// Ethernet.
    Ethernet,
    /// IPv4 or IPv6, by the version field.
    Ip,
    /// What this EtherType says, as in Linux cooked captures: [`EtherType::TEB`] is Ethernet.
    EtherType(EtherType),
}

/// An outer packet down to its IP header, or to what is behind the extensions of that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ip<'a> {
    pub(crate) header: IpHeader<'a>,
    /// VLAN of the outermost tag.
    vlan: Option<VlanId>,
    /// What follows the headers that were read.
    pub(crate) protocol: IpProtocol,
    pub(crate) payload: View<'a>,
    /// Whether this is a fragment other than the first: the payload does not start with a header.
    pub(crate) is_later_fragment: bool,
    /// Whether the packet is to go on to another host, by a source route or a routing header.
    pub(crate) leads_on: bool,
}

/// The fixed part of an IP header, where it was found: what it says is read when it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IpHeader<'a> {
    V4(&'a [u8; ipv4::Header::MIN_LEN]),
    V6(&'a [u8; ipv6::Header::LEN]),
}

impl IpHeader<'_> {
    #[inline(always)]
    pub(crate) const fn ds_field(&self) -> u8 {
        match self {
            Self::V4([_, ds_field, ..]) => *ds_field,
            Self::V6([high, low, ..]) => *high << 4 | *low >> 4,
        }
    }

    #[inline(always)]
    const fn ttl(&self) -> u8 {
        match self {
            Self::V4([_, _, _, _, _, _, _, _, ttl, ..]) | Self::V6([_, _, _, _, _, _, _, ttl, ..]) => *ttl,
        }
    }

    #[inline(always)]
    pub(crate) const fn source(&self) -> IpAddr {
        match self {
            Self::V4([_, _, _, _, _, _, _, _, _, _, _, _, s0, s1, s2, s3, ..]) => {
                IpAddr::V4(Ipv4Addr::new(*s0, *s1, *s2, *s3))
            }
            Self::V6(
                [_, _, _, _, _, _, _, _, source @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _],
            ) => IpAddr::V6(Ipv6Addr::from_bits(u128::from_be_bytes(*source))),
        }
    }

    #[inline(always)]
    pub(crate) const fn destination(&self) -> IpAddr {
        match self {
            Self::V4([.., d0, d1, d2, d3]) => IpAddr::V4(Ipv4Addr::new(*d0, *d1, *d2, *d3)),
            Self::V6(bytes) => match bytes.last_chunk() {
                Some(destination) => IpAddr::V6(Ipv6Addr::from_bits(u128::from_be_bytes(*destination))),
                None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            },
        }
    }

    #[inline(always)]
    pub(crate) const fn is_v4(&self) -> bool {
        matches!(self, Self::V4(_))
    }
}

impl Ip<'_> {
    /// The same packet with its upper layer, or the part of it that a later fragment holds.
    #[inline(always)]
    pub(crate) fn upper(mut self, seen: &mut Anomalies) -> Result<Self, DropReason> {
        if !self.header.is_v4() && ipv6::is_extension(self.protocol) {
            let behind = extensions::behind_extensions(self.protocol, self.payload.bytes(), seen)?;
            (self.protocol, self.is_later_fragment, self.leads_on) =
                (behind.protocol, behind.is_later_fragment, behind.leads_on);
            self.payload = self.payload.skip(behind.at);
        }
        Ok(self)
    }

    /// What the headers said, those of UDP not included.
    #[inline(always)]
    pub(crate) fn facts(&self) -> OuterFacts {
        OuterFacts {
            ttl: self.header.ttl(),
            ds_field: self.header.ds_field(),
            vlan: self.vlan,
            ..OuterFacts::between(self.header.source(), self.header.destination())
        }
    }
}

/// Reads down to the IP payload.
#[inline(always)]
pub(crate) fn ip<'a>(view: View<'a>, start: Start, seen: &mut Anomalies) -> Result<Ip<'a>, DropReason> {
    header(view, start, seen)?.upper(seen)
}

/// Reads down to the IP header, and not its extensions: whose the packet is stands before them.
#[inline(always)]
pub(crate) fn header<'a>(view: View<'a>, start: Start, seen: &mut Anomalies) -> Result<Ip<'a>, DropReason> {
    let (ethertype, l3, vlan) = match start {
        Start::Ethernet | Start::EtherType(EtherType::TEB) => {
            let (header, _) = ethernet::Header::parse(view.bytes()).map_err(|_| DropReason::Ethernet)?;
            let l3 = view.skip(ethernet::Header::LEN);
            if header.ethertype.is_vlan() {
                tagged(l3, header.ethertype)?
            } else {
                (header.ethertype, l3, None)
            }
        }
        Start::EtherType(ethertype) => tagged(view, ethertype)?,
        Start::Ip => match view.bytes().first().ok_or(DropReason::Ipv4Truncated)? >> 4 {
            6 => (EtherType::IPV6, view, None),
            _ => (EtherType::IPV4, view, None),
        },
    };
    let ip = match ethertype {
        EtherType::IPV4 => ipv4(l3, seen)?,
        EtherType::IPV6 => ipv6(l3, seen)?,
        _ => return Err(DropReason::NotIp),
    };
    Ok(Ip { vlan, ..ip })
}

fn tagged(view: View<'_>, ethertype: EtherType) -> Result<(EtherType, View<'_>, Option<VlanId>), DropReason> {
    let untagged = vlan::skip_tags(ethertype, view.bytes()).map_err(|_| DropReason::Ethernet)?;
    Ok((untagged.ethertype, view.skip_to(untagged.payload), untagged.outer.map(|tag| tag.id)))
}

/// Whether nobody can have sent a packet from `source` to `destination`.
#[inline(always)]
pub(crate) const fn is_martian(source: IpAddr, destination: IpAddr) -> bool {
    !is_unicast(source) || source.is_loopback() && !destination.is_loopback()
}

#[inline(always)]
fn ipv4<'a>(view: View<'a>, seen: &mut Anomalies) -> Result<Ip<'a>, DropReason> {
    let bytes = view.bytes();
    let head = bytes.first_chunk().ok_or(DropReason::Ipv4Truncated)?;
    let mut is_unfinished = false;
    let (header, options) = match ipv4::Header::fixed(head) {
        Ok(fixed) => fixed,
        Err(Error::Version { .. }) => return Err(DropReason::Ipv4Version),
        Err(Error::Length { field: LengthSource::Ihl, .. }) => return Err(DropReason::Ipv4HeaderLength),
        Err(_) => {
            // A sender that leaves segmentation to its network card may leave the length to it as well: such
            // a packet, seen on its way there, is read to the end of the frame.
            seen.insert_if(true, DropReason::Ipv4TotalLength);
            let mut longest = *head;
            [longest[2], longest[3]] = [0xff; 2];
            is_unfinished = true;
            ipv4::Header::fixed(&longest).map_err(|_| DropReason::Ipv4TotalLength)?
        }
    };
    let header_len = ipv4::Header::MIN_LEN.saturating_add(options);
    let (checksum, leads_on) = if options == 0 {
        (ipv4::verify_fixed(head), false)
    } else {
        let header = bytes.get(..header_len).ok_or(DropReason::Ipv4Truncated)?;
        let options = header.get(ipv4::Header::MIN_LEN..).unwrap_or_default();
        (ipv4::verify(header), ipv4::leads_on(options))
    };
    seen.insert_if(checksum != State::Good, DropReason::Ipv4Checksum);
    let total_len = if is_unfinished { view.len() } else { header.total_len.into() };
    seen.insert_if(total_len > view.len(), DropReason::Ipv4TotalLength);
    let martian = is_martian(header.source.into(), header.destination.into());
    seen.insert_if(martian, DropReason::MartianSource);
    seen.insert_if(header.is_fragment(), DropReason::Fragment);
    Ok(Ip {
        header: IpHeader::V4(head),
        vlan: None,
        protocol: header.protocol,
        payload: view.take(total_len.min(view.len())).skip(header_len),
        is_later_fragment: header.fragment_offset.value() != 0,
        leads_on,
    })
}

#[inline]
fn ipv6<'a>(view: View<'a>, seen: &mut Anomalies) -> Result<Ip<'a>, DropReason> {
    let head = view.bytes().first_chunk().ok_or(DropReason::Ipv6Truncated)?;
    let header = ipv6::Header::from_bytes(head).map_err(|_| DropReason::Ipv6Version)?;
    let mut payload = view.skip(ipv6::Header::LEN);
    let payload_len = usize::from(header.payload_len);
    if payload_len > payload.len() || payload_len == 0 && payload.len() != 0 {
        seen.insert_if(true, DropReason::Ipv6PayloadLength);
    } else {
        payload = payload.take(payload_len);
    }
    let martian = is_martian(header.source.into(), header.destination.into());
    seen.insert_if(martian, DropReason::MartianSource);
    Ok(Ip {
        header: IpHeader::V6(head),
        vlan: None,
        protocol: header.next_header,
        payload,
        is_later_fragment: false,
        leads_on: false,
    })
}

/// A UDP datagram in an IP payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Udp<'a> {
    pub(crate) header: udp::Header,
    datagram: View<'a>,
    pub(crate) payload: View<'a>,
}

/// Reads a UDP header; [`verify_udp`] looks at its checksum, once the port is known to be ours.
#[inline(always)]
pub(crate) fn udp<'a>(ip: &Ip<'a>, policy: &Policy, seen: &mut Anomalies) -> Result<Udp<'a>, DropReason> {
    let head = ip.payload.bytes().first_chunk().ok_or(DropReason::UdpTruncated)?;
    let header = udp::Header::from_bytes(head);
    let length = usize::from(header.length);
    let mut datagram = ip.payload;
    if length == 0 && !ip.header.is_v4() {
        // The whole payload, as in jumbograms and where segmentation is still to come.
        seen.insert_if(!policy.allow_zero_udp_length_ipv6, DropReason::UdpLength);
    } else if length > datagram.len() {
        seen.insert_if(true, DropReason::UdpLength);
    } else if length < udp::Header::LEN {
        return Err(DropReason::UdpLength);
    } else {
        datagram = datagram.take(length);
    }
    Ok(Udp { header, datagram, payload: datagram.skip(udp::Header::LEN) })
}

/// Verifies the checksum of a datagram, where the policy wants that and as far as the datagram is there.
#[inline(always)]
pub(crate) fn verify_udp(ip: &Ip<'_>, udp: &Udp<'_>, policy: &Policy, seen: &mut Anomalies) -> State {
    let state = if udp.header.checksum == 0 {
        State::Absent
    } else if !policy.verify_udp_checksum || !udp.datagram.is_complete() {
        State::Unverified
    } else {
        // The two addresses are always of one family.
        let pseudo = Sum::pseudo(
            ip.header.source(),
            ip.header.destination(),
            IpProtocol::UDP,
            udp.datagram.len() as u32,
        );
        pseudo.map_or(State::Bad, |pseudo| match udp::verify(pseudo, udp.datagram.bytes()) {
            State::Bad if policy.allow_unfinished_checksums && udp.header.checksum == pseudo.value() => {
                State::Unverified
            }
            state => state,
        })
    };
    let missing = state == State::Absent && !ip.header.is_v4();
    seen.insert_if(missing, DropReason::UdpChecksumMissing);
    seen.insert_if(state == State::Bad, DropReason::UdpChecksum);
    state
}
