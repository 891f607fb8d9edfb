//! What kind of device one is, as the kernel says (RTM_GETLINK).

use std::io;

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage},
};

use crate::next_hop::Asker;

/// Whether the device of this number is one of the kernel's vxlan devices.
///
/// # Errors
///
/// The kernel's.
pub fn is_vxlan(device: u32) -> io::Result<bool> {
    let mut question = LinkMessage::default();
    question.header.index = device;
    let answer = Asker::open()?.ask(RouteNetlinkMessage::GetLink(question))?;
    let Some(RouteNetlinkMessage::NewLink(link)) = answer else { return Ok(false) };
    let is_it = |info: &LinkInfo| *info == LinkInfo::Kind(InfoKind::Vxlan);
    let mut infos = link.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    Ok(infos.any(|infos| infos.iter().any(is_it)))
}
