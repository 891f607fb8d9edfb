//! The codecs.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use encap::wire::{
    self, Dscp, Ecn, Error, EtherType, FlowLabel, FragmentOffset, IpProtocol, MacAddr, OutOfRange,
    ParseMacAddrError, Pcp, VlanId, Vni, arp,
    checksum::{State, Sum},
    ethernet, gre, ipv4, ipv6, udp, vlan, vxlan,
};

type Parsed<'a, H> = Result<(H, &'a [u8]), Error>;

macro_rules! bounded_cannot_panic {
    ($($name:ident($int:ty))*) => { $(
        wrappers! {
            concat!("wire::", stringify!($name), "::new"), $name::new
                => fn(value: $int) -> Option<$name>;
            concat!("wire::", stringify!($name), "::truncate"), $name::truncate
                => fn(value: $int) -> $name;
            concat!("wire::", stringify!($name), "::value"), $name::value
                => fn(this: $name) -> $int;
            concat!("wire::", stringify!($name), "::try_from::u32"), <$name as TryFrom<u32>>::try_from
                => fn(value: u32) -> Result<$name, OutOfRange>;
            concat!("u32::from::wire::", stringify!($name)), <u32 as From<$name>>::from
                => fn(value: $name) -> u32;
        }
    )* };
}

bounded_cannot_panic! { Dscp(u8) FlowLabel(u32) FragmentOffset(u16) Pcp(u8) VlanId(u16) Vni(u32) }

cannot_panic! {
    wire::Dscp::from_ds_field => fn(ds_field: u8) -> Dscp;
    wire::Ecn::from_ds_field => fn(ds_field: u8) -> Ecn;
    wire::Ecn::value => fn(this: Ecn) -> u8;
    wire::ds_field => fn(dscp: Dscp, ecn: Ecn) -> u8;

    wire::EtherType::is_vlan => fn(this: EtherType) -> bool;

    wire::MacAddr::from_str = MacAddr::from_str => fn(text: &str) -> Result<MacAddr, ParseMacAddrError>;
    wire::MacAddr::is_multicast => fn(this: MacAddr) -> bool;
    wire::MacAddr::is_unicast => fn(this: MacAddr) -> bool;
}

cannot_panic! {
    wire::arp::Header::from_bytes => fn(bytes: &[u8; 28]) -> Result<arp::Header, Error>;
    wire::arp::Header::parse => fn(bytes: &[u8]) -> Parsed<'_, arp::Header>;
    wire::arp::Header::to_bytes => fn(this: &arp::Header) -> [u8; 28];

    wire::ethernet::Header::from_bytes => fn(bytes: &[u8; 14]) -> ethernet::Header;
    wire::ethernet::Header::parse => fn(bytes: &[u8]) -> Parsed<'_, ethernet::Header>;
    wire::ethernet::Header::to_bytes => fn(this: &ethernet::Header) -> [u8; 14];

    wire::vlan::Header::from_bytes => fn(bytes: &[u8; 4]) -> vlan::Header;
    wire::vlan::Header::parse => fn(bytes: &[u8]) -> Parsed<'_, vlan::Header>;
    wire::vlan::Header::to_bytes => fn(this: &vlan::Header) -> [u8; 4];
    wire::vlan::skip_tags => fn(ethertype: EtherType, bytes: &[u8]) -> Result<vlan::Untagged<'_>, Error>;

    wire::vxlan::Header::from_bytes => fn(bytes: &[u8; 8]) -> vxlan::Header;
    wire::vxlan::Header::new => fn(vni: Vni) -> vxlan::Header;
    wire::vxlan::Header::parse => fn(bytes: &[u8]) -> Parsed<'_, vxlan::Header>;
    wire::vxlan::Header::reserved => fn(this: vxlan::Header) -> u64;
    wire::vxlan::Header::to_bytes => fn(this: vxlan::Header) -> [u8; 8];
    wire::vxlan::Header::vni => fn(this: vxlan::Header) -> Option<Vni>;
    wire::vxlan::Header::vni_field => fn(this: vxlan::Header) -> Vni;
}

cannot_panic! {
    wire::gre::Header::emit => fn(this: &gre::Header, out: &mut [u8]) -> Result<usize, Error>;
    wire::gre::Header::from_bytes => fn(bytes: &[u8; 4]) -> Result<gre::Header, Error>;
    wire::gre::Header::header_len => fn(this: &gre::Header) -> usize;
    wire::gre::Header::new => fn(protocol: EtherType) -> gre::Header;
    wire::gre::Header::parse => fn(bytes: &[u8]) -> Parsed<'_, gre::Header>;
    wire::gre::Header::to_bytes => fn(this: &gre::Header) -> [u8; 16];
    wire::gre::Header::with_checksum => fn(this: gre::Header, payload: &[u8]) -> gre::Header;
    wire::gre::Reserved0::from_flags => fn(flags: u16) -> gre::Reserved0;
    wire::gre::Reserved0::intersects => fn(this: gre::Reserved0, other: gre::Reserved0) -> bool;
    wire::gre::Reserved0::value => fn(this: gre::Reserved0) -> u16;
    wire::gre::checksum => fn(header: &[u8], payload: &[u8]) -> u16;
    wire::gre::verify => fn(packet: &[u8]) -> State;
}

cannot_panic! {
    wire::ipv4::Header::emit => fn(this: &ipv4::Header, out: &mut [u8]) -> Result<usize, Error>;
    wire::ipv4::Header::fixed_bytes => fn(this: &ipv4::Header) -> [u8; 20];
    wire::ipv4::Header::from_bytes => fn(bytes: &[u8; 20]) -> Result<ipv4::Header, Error>;
    wire::ipv4::Header::header_len => fn(this: &ipv4::Header) -> usize;
    wire::ipv4::Header::is_fragment => fn(this: &ipv4::Header) -> bool;
    wire::ipv4::Header::parse => fn(bytes: &[u8]) -> Parsed<'_, ipv4::Header>;
    wire::ipv4::Header::payload => fn<'a>(this: &ipv4::Header, rest: &'a [u8]) -> Result<&'a [u8], Error>;
    wire::ipv4::Header::payload_len => fn(this: &ipv4::Header) -> usize;
    wire::ipv4::Header::to_bytes => fn(this: &ipv4::Header) -> [u8; 60];
    wire::ipv4::Header::with_checksum => fn(this: ipv4::Header) -> ipv4::Header;
    wire::ipv4::Options::as_bytes => fn(this: &ipv4::Options) -> &[u8];
    wire::ipv4::Options::default = <ipv4::Options as Default>::default => fn() -> ipv4::Options;
    wire::ipv4::Options::new => fn(options: &[u8]) -> Option<ipv4::Options>;
    wire::ipv4::set_ecn => fn(bytes: &mut [u8; 20], ecn: Ecn);
    wire::ipv4::verify => fn(bytes: &[u8]) -> State;
}

cannot_panic! {
    wire::ipv6::Extension::fragment => fn(this: &ipv6::Extension<'_>) -> Option<ipv6::Fragment>;
    wire::ipv6::Extensions::new => fn(next: IpProtocol, bytes: &[u8]) -> ipv6::Extensions<'_>;
    wire::ipv6::Extensions::next = <ipv6::Extensions<'a> as Iterator>::next
        => fn<'a>(this: &mut ipv6::Extensions<'a>) -> Option<Result<ipv6::Extension<'a>, Error>>;
    wire::ipv6::Extensions::protocol => fn(this: &ipv6::Extensions<'_>) -> IpProtocol;
    wire::ipv6::Extensions::rest => fn<'a>(this: &ipv6::Extensions<'a>) -> &'a [u8];
    wire::ipv6::Fragment::is_atomic => fn(this: &ipv6::Fragment) -> bool;
    wire::ipv6::Header::from_bytes => fn(bytes: &[u8; 40]) -> Result<ipv6::Header, Error>;
    wire::ipv6::Header::parse => fn(bytes: &[u8]) -> Parsed<'_, ipv6::Header>;
    wire::ipv6::Header::payload => fn<'a>(this: &ipv6::Header, rest: &'a [u8]) -> Result<&'a [u8], Error>;
    wire::ipv6::Header::to_bytes => fn(this: &ipv6::Header) -> [u8; 40];
    wire::ipv6::set_ecn => fn(bytes: &mut [u8; 40], ecn: Ecn);
    wire::ipv6::is_extension => fn(protocol: IpProtocol) -> bool;
}

cannot_panic! {
    wire::udp::Header::from_bytes => fn(bytes: &[u8; 8]) -> udp::Header;
    wire::udp::Header::parse => fn(bytes: &[u8]) -> Parsed<'_, udp::Header>;
    wire::udp::Header::payload => fn<'a>(this: &udp::Header, rest: &'a [u8]) -> Result<&'a [u8], Error>;
    wire::udp::Header::payload_len => fn(this: &udp::Header) -> Option<usize>;
    wire::udp::Header::to_bytes => fn(this: &udp::Header) -> [u8; 8];
    wire::udp::Header::with_checksum => fn(this: udp::Header, pseudo: Sum, payload: &[u8]) -> udp::Header;
    wire::udp::verify => fn(pseudo: Sum, datagram: &[u8]) -> State;
}

cannot_panic! {
    wire::checksum::State::verified => fn(sum: Sum) -> State;
    wire::checksum::Sum::add_bytes => fn(this: Sum, bytes: &[u8]) -> Sum;
    wire::checksum::Sum::add_word => fn(this: Sum, word: u16) -> Sum;
    wire::checksum::Sum::checksum => fn(this: Sum) -> u16;
    wire::checksum::Sum::is_good => fn(this: Sum) -> bool;
    wire::checksum::Sum::join => fn(this: Sum, other: Sum) -> Sum;
    wire::checksum::Sum::pseudo
        => fn(source: IpAddr, destination: IpAddr, protocol: IpProtocol, len: u32) -> Option<Sum>;
    wire::checksum::Sum::pseudo_ipv4
        => fn(source: Ipv4Addr, destination: Ipv4Addr, protocol: IpProtocol, len: u16) -> Sum;
    wire::checksum::Sum::pseudo_ipv6
        => fn(source: Ipv6Addr, destination: Ipv6Addr, protocol: IpProtocol, len: u32) -> Sum;
    wire::checksum::Sum::udp_checksum => fn(this: Sum) -> u16;
    wire::checksum::Sum::value => fn(this: Sum) -> u16;
    wire::checksum::Sum::without => fn(this: Sum, other: Sum) -> Sum;
    wire::checksum::of => fn(bytes: &[u8]) -> u16;
    wire::checksum::update => fn(checksum: u16, old: u16, new: u16) -> u16;
}
