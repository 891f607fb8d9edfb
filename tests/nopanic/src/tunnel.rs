//! Endpoints, and what goes in and out of them.

use core::net::IpAddr;
use core::ops::RangeInclusive;

use encap::{
    Packet,
    packet::Header,
    tunnel::{
        self, Anomalies, AnomaliesIter, Builder, ConfigError, DecapMeta, DontFragment, DropReason,
        EncapError, EncapMeta, Encapsulation, Endpoint, Framing, Inner, InnerChecksum, Inspection, Layer,
        OuterDscp, OuterFacts, OuterFlowLabel, Payload, Policy, Ports, Profile, Remote, Ttl, UdpChecksum,
        ecn::{self, Mode},
        gre::Gre,
        ip_udp::IpUdp,
        vxlan::Vxlan,
    },
    wire::{Dscp, Ecn, MacAddr, Vni, gre::Key},
};

macro_rules! endpoint_cannot_panic {
    ($($protocol:ident)*) => { $(
        wrappers! {
            concat!("tunnel::Endpoint::decap.", stringify!($protocol)), Endpoint::decap
                => fn(this: &Endpoint<$protocol>, packet: &mut Packet<'_>) -> Result<Inner, DropReason>;
            concat!("tunnel::Endpoint::decap_with.", stringify!($protocol)), Endpoint::decap_with
                => fn(this: &Endpoint<$protocol>, packet: &mut Packet<'_>, meta: &DecapMeta)
                    -> Result<Inner, DropReason>;
            concat!("tunnel::Endpoint::decap_batch.", stringify!($protocol)), Endpoint::decap_batch
                => fn(this: &Endpoint<$protocol>, packets: &mut [Packet<'_>],
                    results: &mut [Result<Inner, DropReason>]) -> usize;
            concat!("tunnel::Endpoint::encap.", stringify!($protocol)), Endpoint::encap
                => fn(this: &Endpoint<$protocol>, packet: &mut Packet<'_>, remote: &Remote)
                    -> Result<(), EncapError>;
            concat!("tunnel::Endpoint::encap_with.", stringify!($protocol)), Endpoint::encap_with
                => fn(this: &Endpoint<$protocol>, packet: &mut Packet<'_>, remote: &Remote, meta: &EncapMeta)
                    -> Result<(), EncapError>;
            concat!("tunnel::Endpoint::encap_batch.", stringify!($protocol)), Endpoint::encap_batch
                => fn(this: &Endpoint<$protocol>, packets: &mut [Packet<'_>], plan: &[(&Remote, EncapMeta)],
                    results: &mut [Result<(), EncapError>]) -> usize;
            concat!("tunnel::Endpoint::header.", stringify!($protocol)), Endpoint::header
                => fn(this: &Endpoint<$protocol>, packet: &[u8], remote: &Remote, meta: &EncapMeta)
                    -> Result<Header, EncapError>;
            concat!("tunnel::Endpoint::headroom.", stringify!($protocol)), Endpoint::headroom
                => fn(this: &Endpoint<$protocol>) -> usize;
            concat!("tunnel::Endpoint::inner_mtu.", stringify!($protocol)), Endpoint::inner_mtu
                => fn(this: &Endpoint<$protocol>, underlay_mtu: usize) -> Result<usize, ConfigError>;
            concat!("tunnel::Endpoint::local.", stringify!($protocol)), Endpoint::local
                => fn(this: &Endpoint<$protocol>) -> IpAddr;
            concat!("tunnel::Endpoint::overhead.", stringify!($protocol)), Endpoint::overhead
                => fn(this: &Endpoint<$protocol>) -> usize;
            concat!("tunnel::Endpoint::port.", stringify!($protocol)), Endpoint::port
                => fn(this: &Endpoint<$protocol>) -> u16;
        }

        wrappers! {
            concat!("tunnel::Endpoint::new.", stringify!($protocol)), Endpoint::<$protocol>::new
                => fn(local: IpAddr) -> Builder<$protocol>;
            concat!("tunnel::Builder::build.", stringify!($protocol)), Builder::build
                => fn(this: Builder<$protocol>) -> Result<Endpoint<$protocol>, ConfigError>;
            concat!("tunnel::Builder::dont_fragment.", stringify!($protocol)), Builder::dont_fragment
                => fn(this: Builder<$protocol>, dont_fragment: DontFragment) -> Builder<$protocol>;
            concat!("tunnel::Builder::dscp.", stringify!($protocol)), Builder::dscp
                => fn(this: Builder<$protocol>, dscp: OuterDscp) -> Builder<$protocol>;
            concat!("tunnel::Builder::ecn.", stringify!($protocol)), Builder::ecn
                => fn(this: Builder<$protocol>, mode: Mode) -> Builder<$protocol>;
            concat!("tunnel::Builder::flow_label.", stringify!($protocol)), Builder::flow_label
                => fn(this: Builder<$protocol>, flow_label: OuterFlowLabel) -> Builder<$protocol>;
            concat!("tunnel::Builder::framing.", stringify!($protocol)), Builder::framing
                => fn(this: Builder<$protocol>, framing: Framing) -> Builder<$protocol>;
            concat!("tunnel::Builder::headroom.", stringify!($protocol)), Builder::headroom
                => fn(this: Builder<$protocol>, headroom: usize) -> Builder<$protocol>;
            concat!("tunnel::Builder::mtu.", stringify!($protocol)), Builder::mtu
                => fn(this: Builder<$protocol>, mtu: usize) -> Builder<$protocol>;
            concat!("tunnel::Builder::policy.", stringify!($protocol)), Builder::policy
                => fn(this: Builder<$protocol>, policy: Policy) -> Builder<$protocol>;
            concat!("tunnel::Builder::seed.", stringify!($protocol)), Builder::seed
                => fn(this: Builder<$protocol>, seed: u64) -> Builder<$protocol>;
            concat!("tunnel::Builder::ttl.", stringify!($protocol)), Builder::ttl
                => fn(this: Builder<$protocol>, ttl: Ttl) -> Builder<$protocol>;
        }
    )* };
}

endpoint_cannot_panic! { Gre IpUdp Vxlan }

macro_rules! builder_over_udp_cannot_panic {
    ($($protocol:ident)*) => { $(
        wrappers! {
            concat!("tunnel::Builder::port.", stringify!($protocol)), Builder::port
                => fn(this: Builder<$protocol>, port: u16) -> Builder<$protocol>;
            concat!("tunnel::Builder::source_ports.", stringify!($protocol)), Builder::source_ports
                => fn(this: Builder<$protocol>, ports: RangeInclusive<u16>) -> Builder<$protocol>;
            concat!("tunnel::Builder::udp_checksum.", stringify!($protocol)), Builder::udp_checksum
                => fn(this: Builder<$protocol>, udp_checksum: UdpChecksum) -> Builder<$protocol>;
        }
    )* };
}

builder_over_udp_cannot_panic! { IpUdp Vxlan }

wrappers! {
    "tunnel::Builder::checksum.Gre", Builder::<Gre>::checksum
        => fn(this: Builder<Gre>, on: bool) -> Builder<Gre>;
    "tunnel::Builder::input_key.Gre", Builder::<Gre>::input_key
        => fn(this: Builder<Gre>, key: Key) -> Builder<Gre>;
    "tunnel::Builder::key.Gre", Builder::<Gre>::key
        => fn(this: Builder<Gre>, key: Key) -> Builder<Gre>;
    "tunnel::Builder::output_key.Gre", Builder::<Gre>::output_key
        => fn(this: Builder<Gre>, key: Key) -> Builder<Gre>;
    "tunnel::Builder::payload.Gre", Builder::<Gre>::payload
        => fn(this: Builder<Gre>, payload: Payload) -> Builder<Gre>;
    "tunnel::Builder::sequence.Gre", Builder::<Gre>::sequence
        => fn(this: Builder<Gre>, on: bool) -> Builder<Gre>;
}

wrappers! {
    "tunnel::Endpoint::remote.Gre", Endpoint::<Gre>::remote
        => fn(this: &Endpoint<Gre>, address: IpAddr) -> Result<Remote, ConfigError>;
    "tunnel::Endpoint::remote.IpUdp", Endpoint::<IpUdp>::remote
        => fn(this: &Endpoint<IpUdp>, address: IpAddr) -> Result<Remote, ConfigError>;
    "tunnel::Endpoint::remote.Vxlan", Endpoint::<Vxlan>::remote
        => fn(this: &Endpoint<Vxlan>, address: IpAddr, vni: Vni) -> Result<Remote, ConfigError>;
    "tunnel::Endpoint::remote_at.IpUdp", Endpoint::<IpUdp>::remote_at
        => fn(this: &Endpoint<IpUdp>, address: IpAddr, port: u16) -> Result<Remote, ConfigError>;
    "tunnel::Endpoint::remote_at.Vxlan", Endpoint::<Vxlan>::remote_at
        => fn(this: &Endpoint<Vxlan>, address: IpAddr, port: u16, vni: Vni) -> Result<Remote, ConfigError>;
}

cannot_panic! {
    tunnel::Remote::address => fn(this: &Remote) -> IpAddr;
    tunnel::Remote::max_inner => fn(this: &Remote) -> usize;
    tunnel::Remote::overhead => fn(this: &Remote) -> usize;
    tunnel::Remote::port => fn(this: &Remote) -> u16;
    tunnel::Remote::with_next_hop => fn(this: Remote, next_hop: MacAddr) -> Remote;

    tunnel::OuterDscp::default = <OuterDscp as Default>::default => fn() -> OuterDscp;
    tunnel::OuterDscp::from::wire::Dscp = <OuterDscp as From<Dscp>>::from => fn(dscp: Dscp) -> OuterDscp;
    tunnel::OuterFlowLabel::default = <OuterFlowLabel as Default>::default => fn() -> OuterFlowLabel;
    tunnel::Policy::default = <Policy as Default>::default => fn() -> Policy;
    tunnel::Ttl::from::u8 = <Ttl as From<u8>>::from => fn(ttl: u8) -> Ttl;

    tunnel::DecapMeta::new => fn() -> DecapMeta;
    tunnel::DecapMeta::outer => fn(this: DecapMeta, outer: OuterFacts) -> DecapMeta;
    tunnel::DecapMeta::udp_checksum_verified => fn(this: DecapMeta) -> DecapMeta;

    tunnel::EncapMeta::hash => fn(this: EncapMeta, hash: u32) -> EncapMeta;
    tunnel::EncapMeta::identification => fn(this: EncapMeta, identification: u16) -> EncapMeta;
    tunnel::EncapMeta::inner_checksum => fn(this: EncapMeta, inner_checksum: InnerChecksum) -> EncapMeta;
    tunnel::EncapMeta::new => fn() -> EncapMeta;
    tunnel::EncapMeta::sequence => fn(this: EncapMeta, sequence: u32) -> EncapMeta;

    tunnel::Encapsulation::key => fn(this: &Encapsulation) -> Option<Key>;
    tunnel::Encapsulation::sequence => fn(this: &Encapsulation) -> Option<u32>;
    tunnel::Encapsulation::vni => fn(this: &Encapsulation) -> Option<Vni>;

    tunnel::OuterFacts::ecn => fn(this: &OuterFacts) -> Ecn;
    tunnel::OuterFacts::new => fn(source: IpAddr, destination: IpAddr) -> OuterFacts;

    tunnel::ecn::Mode::outer => fn(this: Mode, inner: Ecn) -> Ecn;
    tunnel::ecn::decapsulate = ecn::decapsulate => fn(inner: Ecn, outer: Ecn) -> Option<Ecn>;
    tunnel::ecn::is_suspicious = ecn::is_suspicious => fn(inner: Ecn, outer: Ecn) -> bool;
}

cannot_panic! {
    tunnel::Anomalies::and => fn(this: Anomalies, other: Anomalies) -> Anomalies;
    tunnel::Anomalies::contains => fn(this: Anomalies, reason: DropReason) -> bool;
    tunnel::Anomalies::first => fn(this: Anomalies) -> Option<DropReason>;
    tunnel::Anomalies::into_iter = <Anomalies as IntoIterator>::into_iter
        => fn(this: Anomalies) -> AnomaliesIter;
    tunnel::Anomalies::is_empty => fn(this: Anomalies) -> bool;
    tunnel::Anomalies::or => fn(this: Anomalies, other: Anomalies) -> Anomalies;
    tunnel::Anomalies::with => fn(this: Anomalies, reason: DropReason) -> Anomalies;
    tunnel::Anomalies::without => fn(this: Anomalies, reason: DropReason) -> Anomalies;
    tunnel::AnomaliesIter::next = <AnomaliesIter as Iterator>::next
        => fn(this: &mut AnomaliesIter) -> Option<DropReason>;

    tunnel::DropReason::is_not_ours => fn(this: DropReason) -> bool;
    tunnel::DropReason::is_truncation => fn(this: DropReason) -> bool;
    tunnel::DropReason::name => fn(this: DropReason) -> &'static str;

    tunnel::Inspection::anomalies => fn(this: &Inspection) -> Anomalies;
    tunnel::Inspection::drop_reason => fn(this: &Inspection) -> Option<DropReason>;
    tunnel::Inspection::is_truncated => fn(this: &Inspection) -> bool;
    tunnel::Inspection::layers = (|this, n| Inspection::layers(this).nth(n))
        => fn<'a>(this: &'a Inspection, n: usize) -> Option<&'a Layer>;

    tunnel::Ports::contains => fn(this: &Ports, port: u16) -> bool;
    tunnel::Ports::one => fn(port: u16) -> Ports;
    tunnel::Ports::with => fn(this: Ports, port: u16) -> Option<Ports>;

    tunnel::inspect => fn(packet: &[u8], profile: &Profile) -> Inspection;
    tunnel::inspect_capture => fn(packet: &[u8], wire_len: usize, profile: &Profile) -> Inspection;
    tunnel::strip => fn(packet: &mut Packet<'_>, profile: &Profile) -> Result<usize, DropReason>;
}
