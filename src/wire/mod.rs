//! One header per file, pure functions over bytes.
//!
//! Every header is an owned `Copy` value named by its module, [`vxlan::Header`] or [`gre::Header`].
//! `parse` splits it off the front of a slice and returns it with what follows; a fixed-array core,
//! `from_bytes` and `to_bytes`, does the work, so that it can be used where slices of unknown length
//! cannot (an eBPF program after its own bounds check). It is always inlined: the kernel's verifier refuses calls
//! that answer with an error or a header by memory. All values are in host byte order, all lengths in bytes.
//!
//! Every codec obeys the same laws, which one test module checks for all of them:
//!
//! - parsing what was emitted gives the value back, and leaves the bytes behind it untouched;
//! - emitting what was parsed gives the bytes back, bits that the documentation names cleared;
//! - every shorter prefix is [`Error::Truncated`];
//! - an error names a fact about the input;
//! - iterators end, and what they yield adds up to the length.

pub mod arp;
mod bounded;
pub mod checksum;
mod debug;
mod ds_field;
mod error;
pub mod erspan;
pub mod ethernet;
#[cfg(feature = "etherparse")]
mod etherparse;
#[cfg(feature = "etherparse")]
mod etherparse_icmp;
mod ethertype;
mod flow_label;
pub mod geneve;
pub mod geneve_option;
pub mod gre;
pub mod gre1;
pub mod icmp_error;
pub mod icmp_quote;
pub mod icmpv4;
pub mod icmpv6;
mod ip_addr;
mod ip_protocol;
pub mod ipv4;
mod ipv4_options;
pub mod ipv6;
mod ipv6_extension;
pub(crate) mod ipv6_option;
mod mac_addr;
pub mod ndp;
pub mod ndp_check;
pub mod ndp_option;
pub mod nvgre;
mod parts;
pub mod rewrite;
#[cfg(feature = "serde")]
mod serde_bytes;
#[cfg(feature = "serde")]
pub(crate) mod serde_mask;
#[cfg(feature = "serde")]
pub(crate) mod serde_text;
pub mod udp;
pub mod vlan;
mod vni;
pub mod vxlan;
pub mod vxlan_gbp;
pub mod vxlan_gpe;
pub mod wccp;

pub use bounded::OutOfRange;
pub use ds_field::{Dscp, Ecn, ds_field};
pub use error::{Error, Layer, LengthSource};
pub use ethertype::EtherType;
pub use flow_label::FlowLabel;
pub(crate) use ip_addr::{is_host, is_ipv4_mapped, is_link_local, is_unicast, stays_on_link};
pub use ip_protocol::IpProtocol;
pub use ipv4::FragmentOffset;
pub use mac_addr::{MacAddr, ParseMacAddrError};
pub use vlan::{Pcp, VlanId};
pub use vni::{ParseVniError, Vni};

/// Writes the first `len` bytes of `bytes`, a header of kind `layer`, to the front of `out`.
fn emit(layer: Layer, bytes: &[u8], len: usize, out: &mut [u8]) -> Result<usize, Error> {
    let have = out.len();
    match (out.get_mut(..len), bytes.get(..len)) {
        (Some(out), Some(bytes)) => {
            out.copy_from_slice(bytes);
            Ok(len)
        }
        _ => Err(Error::truncated(layer, len, have)),
    }
}
