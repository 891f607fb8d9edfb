//! The codecs over fixed arrays, compiled for the kernel's virtual machine.
//!
//! BPF has neither a stack of more than 512 bytes, nor functions of another object, nor a way to panic.
//! The compiler refuses a larger stack; `check.sh` looks for what is left undefined: nothing may be.
//!
//! A program would check its packet's bounds first, and so get the arrays that the functions below take.
//! What they return goes through `out`, since BPF has no return values of more than one register.
#![no_std]
#![no_main]

mod work;
mod xdp;

use encap::wire::{
    Error, arp, checksum, ethernet, geneve, gre, icmpv4, icmpv6, ipv4, ipv6, nvgre, udp, vlan, vxlan,
    vxlan_gbp::GroupPolicy, vxlan_gpe, wccp,
};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn a_codec_can_panic() -> !;
    }
    // SAFETY: the check fails where this can be reached.
    unsafe { a_codec_can_panic() }
}

/// Exports functions under a name of their own.
macro_rules! programs {
    ($($name:ident: $path:expr => fn($($arg:ident: $type:ty),*) -> $return:ty;)*) => { $(
        #[unsafe(no_mangle)]
        fn $name($($arg: $type,)* out: &mut $return) {
            *out = $path($($arg),*);
        }
    )* };
}

programs! {
    ethernet_from_bytes: ethernet::Header::from_bytes => fn(bytes: &[u8; 14]) -> ethernet::Header;
    ethernet_to_bytes: ethernet::Header::to_bytes => fn(header: &ethernet::Header) -> [u8; 14];

    vlan_from_bytes: vlan::Header::from_bytes => fn(bytes: &[u8; 4]) -> vlan::Header;
    vlan_to_bytes: vlan::Header::to_bytes => fn(header: &vlan::Header) -> [u8; 4];

    arp_from_bytes: arp::Header::from_bytes => fn(bytes: &[u8; 28]) -> Result<arp::Header, Error>;
    arp_to_bytes: arp::Header::to_bytes => fn(header: &arp::Header) -> [u8; 28];

    ipv4_from_bytes: ipv4::Header::from_bytes => fn(bytes: &[u8; 20]) -> Result<ipv4::Header, Error>;
    ipv4_fixed_bytes: ipv4::Header::fixed_bytes => fn(header: &ipv4::Header) -> [u8; 20];

    ipv6_from_bytes: ipv6::Header::from_bytes => fn(bytes: &[u8; 40]) -> Result<ipv6::Header, Error>;
    ipv6_to_bytes: ipv6::Header::to_bytes => fn(header: &ipv6::Header) -> [u8; 40];

    udp_from_bytes: udp::Header::from_bytes => fn(bytes: &[u8; 8]) -> udp::Header;
    udp_to_bytes: udp::Header::to_bytes => fn(header: &udp::Header) -> [u8; 8];

    vxlan_from_bytes: vxlan::Header::from_bytes => fn(bytes: &[u8; 8]) -> vxlan::Header;
    vxlan_to_bytes: vxlan::Header::to_bytes => fn(header: vxlan::Header) -> [u8; 8];

    vxlan_group_policy: vxlan::Header::group_policy => fn(header: vxlan::Header) -> Option<GroupPolicy>;
    vxlan_with_group_policy: vxlan::Header::with_group_policy
        => fn(header: vxlan::Header, policy: GroupPolicy) -> vxlan::Header;

    vxlan_gpe_from_bytes: vxlan_gpe::Header::from_bytes => fn(bytes: &[u8; 8]) -> vxlan_gpe::Header;
    vxlan_gpe_to_bytes: vxlan_gpe::Header::to_bytes => fn(header: vxlan_gpe::Header) -> [u8; 8];

    geneve_from_bytes: geneve::Header::from_bytes => fn(bytes: &[u8; 8]) -> Result<geneve::Header, Error>;
    geneve_to_bytes: geneve::Header::to_bytes => fn(header: geneve::Header) -> [u8; 8];

    gre_from_bytes: gre::Header::from_bytes => fn(bytes: &[u8; 4]) -> Result<gre::Header, Error>;
    gre_to_bytes: gre::Header::to_bytes => fn(header: &gre::Header) -> [u8; 16];

    nvgre_from_bytes: nvgre::Header::from_bytes => fn(bytes: &[u8; 8]) -> Result<nvgre::Header, Error>;
    nvgre_to_bytes: nvgre::Header::to_bytes => fn(header: &nvgre::Header) -> [u8; 8];

    wccp_from_bytes: wccp::Header::from_bytes => fn(bytes: &[u8; 4]) -> wccp::Header;
    wccp_to_bytes: wccp::Header::to_bytes => fn(header: &wccp::Header) -> [u8; 4];

    icmpv4_from_bytes: icmpv4::Header::from_bytes => fn(bytes: &[u8; 8]) -> icmpv4::Header;
    icmpv4_to_bytes: icmpv4::Header::to_bytes => fn(header: &icmpv4::Header) -> [u8; 8];

    icmpv6_from_bytes: icmpv6::Header::from_bytes => fn(bytes: &[u8; 8]) -> icmpv6::Header;
    icmpv6_to_bytes: icmpv6::Header::to_bytes => fn(header: &icmpv6::Header) -> [u8; 8];

    checksum_update: checksum::update => fn(checksum: u16, old: u16, new: u16) -> u16;
}

#[cfg(feature = "planted")]
#[unsafe(no_mangle)]
fn planted(bytes: &[u8]) -> u8 {
    bytes[3]
}
