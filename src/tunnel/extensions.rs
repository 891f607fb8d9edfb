//! Extension headers of outer IPv6 headers, as far as they concern whoever receives the packet.

use super::{Anomalies, DropReason};
use crate::wire::{
    IpProtocol,
    ipv6::{Extension, Extensions},
    ipv6_option::Options,
};

/// What is behind the extension headers of a packet.
pub(super) struct Behind {
    pub(super) protocol: IpProtocol,
    /// Where in the payload it starts.
    pub(super) at: usize,
    pub(super) is_later_fragment: bool,
    /// Whether the packet is to go on.
    pub(super) leads_on: bool,
}

// Out of line, and without the packet: for the others that one stays in registers.
#[cold]
#[inline(never)]
pub(super) fn behind_extensions(
    next: IpProtocol,
    payload: &[u8],
    seen: &mut Anomalies,
) -> Result<Behind, DropReason> {
    let mut chain = Extensions::new(next, payload);
    let mut leads_on = false;
    for extension in chain.by_ref() {
        let extension = extension.map_err(|_| DropReason::Ipv6Extensions)?;
        if let Some(fragment) = extension.fragment() {
            seen.insert_if(!fragment.is_atomic(), DropReason::Fragment);
        }
        leads_on |= examine(&extension, seen);
    }
    let at = payload.len().saturating_sub(chain.rest().len());
    let is_later_fragment = chain.is_later_fragment();
    Ok(Behind { protocol: chain.protocol(), at, is_later_fragment, leads_on })
}

/// Takes in what an extension header of IPv6 says of the packet's fate; answers whether the packet is to go on (RFC
/// 8200, section 4.4).
fn examine(extension: &Extension<'_>, seen: &mut Anomalies) -> bool {
    match extension.protocol {
        IpProtocol::HOP_BY_HOP | IpProtocol::DESTINATION_OPTIONS => {
            for option in Options::new(extension.bytes) {
                seen.insert_if(option.is_ok_and(|option| !option.is_skipped()), DropReason::Ipv6Option);
                seen.insert_if(option.is_err(), DropReason::Ipv6Extensions);
            }
            false
        }
        IpProtocol::ROUTING => matches!(*extension.bytes, [_, _, _, left, ..] if left > 0),
        IpProtocol::FRAGMENT => false,
        _ => {
            // What somebody else is to act on: nobody here verifies an Authentication Header, without which the packet
            // must be discarded (RFC 4302, section 3.4.2), or has an association of Mobility, HIP or Shim6.
            seen.insert_if(true, DropReason::OtherProtocol);
            false
        }
    }
}
