//! Multicast in the underlay: groups that are joined on a device, and packets that leave by it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    os::fd::AsRawFd,
};

use nix::net::if_::if_nametoindex;
use socket2::{InterfaceIndexOrAddress, Socket};

/// The number of a device.
///
/// # Errors
///
/// The kernel's: there is none of this name.
pub fn device(name: &str) -> io::Result<u32> {
    if_nametoindex(name).map_err(io::Error::from)
}

/// Has a socket hear what is sent to `group` on this device.
///
/// # Errors
///
/// The kernel's: without multicast on the device, or past `igmp_max_memberships`.
pub fn join(socket: &Socket, group: IpAddr, device: u32) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(device)),
        IpAddr::V6(group) => socket.join_multicast_v6(&group, device),
    }
}

/// Has what a socket sends to groups leave by this device, and not come back to this host.
///
/// # Errors
///
/// The kernel's.
pub fn send_by(socket: &Socket, is_ipv6: bool, device: u32) -> io::Result<()> {
    if is_ipv6 {
        socket.set_multicast_loop_v6(false)?;
        return socket.set_multicast_if_v6(device);
    }
    socket.set_multicast_loop_v4(false)?;
    // By its number: an address can be that of several devices, or of none.
    let nobody = uapi::c::in_addr { s_addr: u32::from(Ipv4Addr::UNSPECIFIED) };
    let index = i32::try_from(device).map_err(|_| io::ErrorKind::InvalidInput)?;
    let choice = uapi::c::ip_mreqn { imr_multiaddr: nobody, imr_address: nobody, imr_ifindex: index };
    uapi::setsockopt(socket.as_raw_fd(), uapi::c::IPPROTO_IP, uapi::c::IP_MULTICAST_IF, &choice)
        .map_err(|error| io::Error::from_raw_os_error(error.0))
}
