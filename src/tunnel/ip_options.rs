//! Extension headers of outer IPv6 headers, as far as they concern whoever receives the packet.

use super::{Anomalies, DropReason};
use crate::wire::{
    IpProtocol,
    ipv6::{Extension, Extensions},
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
            for option in Ipv6Options::new(extension.bytes) {
                // RFC 8200, section 4.2: whoever does not know an option skips it where these bits are clear.
                let is_fatal = option.as_ref().is_some_and(|option| option.kind & ACTION != 0);
                seen.insert_if(is_fatal, DropReason::Ipv6Option);
                seen.insert_if(option.is_none(), DropReason::Ipv6Extensions);
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

/// An option in an extension header of IPv6.
pub(super) struct Ipv6Option<'a> {
    pub(super) kind: u8,
    pub(super) data: &'a [u8],
    /// Where in the header the data starts.
    pub(super) at: usize,
}

/// The options of an extension header (RFC 8200, section 4.2), without padding of one byte; ends with `None` where one
/// runs past the end.
pub(super) struct Ipv6Options<'a> {
    header: &'a [u8],
    at: usize,
}

impl<'a> Ipv6Options<'a> {
    /// Those of this header, which begins with its two bytes of next header and length.
    pub(super) const fn new(header: &'a [u8]) -> Self {
        Self { header, at: 2 }
    }
}

impl<'a> Iterator for Ipv6Options<'a> {
    type Item = Option<Ipv6Option<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = loop {
            match self.header.get(self.at..).unwrap_or_default() {
                [] => return None,
                [PAD1, ..] => self.at = self.at.saturating_add(1),
                rest => break rest,
            }
        };
        let option = match *rest {
            [kind, len, ref data @ ..] => {
                data.get(..len.into()).map(|data| Ipv6Option { kind, data, at: self.at.saturating_add(2) })
            }
            _ => None,
        };
        self.at = option.as_ref().map_or(self.header.len(), |it| it.at.saturating_add(it.data.len()));
        Some(option)
    }
}

// RFC 8200, section 4.2.
const PAD1: u8 = 0;
const ACTION: u8 = 0xc0;
