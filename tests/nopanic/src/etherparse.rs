//! Conversions from and to etherparse's types, which go by their bare names here.

use encap::wire::{
    Dscp, Ecn, EtherType, FlowLabel, FragmentOffset, IpProtocol, Pcp, VlanId, arp, ethernet, ipv4, ipv6, udp,
    vlan,
};
use etherparse::err::arp::ArpEthIpv4FromError;

macro_rules! conversions_cannot_panic {
    ($($ours:path, $theirs:ident;)*) => { $(
        wrappers! {
            concat!("wire::", stringify!($ours), "::from::", stringify!($theirs)),
                <$ours as From<etherparse::$theirs>>::from => fn(value: etherparse::$theirs) -> $ours;
            concat!(stringify!($theirs), "::from::wire::", stringify!($ours)),
                <etherparse::$theirs as From<$ours>>::from => fn(value: $ours) -> etherparse::$theirs;
        }
    )* };
}

conversions_cannot_panic! {
    Dscp, IpDscp;
    Ecn, IpEcn;
    EtherType, EtherType;
    FlowLabel, Ipv6FlowLabel;
    FragmentOffset, IpFragOffset;
    IpProtocol, IpNumber;
    Pcp, VlanPcp;
    VlanId, VlanId;
    arp::Header, ArpEthIpv4Packet;
    arp::Operation, ArpOperation;
    ethernet::Header, Ethernet2Header;
    ipv4::Header, Ipv4Header;
    ipv4::Options, Ipv4Options;
    ipv6::Header, Ipv6Header;
    udp::Header, UdpHeader;
    vlan::Header, SingleVlanHeader;
}

cannot_panic! {
    ArpPacket::from::wire::arp::Header = <etherparse::ArpPacket as From<arp::Header>>::from
        => fn(value: arp::Header) -> etherparse::ArpPacket;
    wire::arp::Header::try_from::ArpPacket = <arp::Header as TryFrom<&etherparse::ArpPacket>>::try_from
        => fn(value: &etherparse::ArpPacket) -> Result<arp::Header, ArpEthIpv4FromError>;
}
