//! Plain IP in UDP, without any header of its own: flannel's `udp` backend.
//!
//! There is no RFC: the UDP payload is an IP packet, told apart by its first four bits.

use core::net::IpAddr;

use super::{
    Anomalies, Builder, ConfigError, DropReason, Encapsulation, Payload, Policy, Remote,
    protocol::{Opened, OverUdp, Rules},
    view::View,
};
use crate::wire::{EtherType, IpProtocol, ipv4, ipv6, udp};

/// One end of an IP-in-UDP tunnel, on the packet level: no routes, no TTL rules.
pub type Endpoint = super::Endpoint<IpUdp>;

/// The port of flannel's `udp` backend.
pub const PORT: u16 = 8285;

/// Bytes of IPv4 and UDP headers.
pub const OVERHEAD_IPV4: usize = ipv4::Header::MIN_LEN + udp::Header::LEN;

/// Bytes of IPv6 and UDP headers.
pub const OVERHEAD_IPV6: usize = ipv6::Header::LEN + udp::Header::LEN;

/// The protocol of [`Endpoint`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct IpUdp;

impl Endpoint {
    /// The settings of an endpoint with this address, port 8285.
    ///
    /// flannel itself sends from its port, and not from an entropy range: to do likewise, set
    /// [`source_ports`](Builder::source_ports) to `8285..=8285`.
    #[expect(
        clippy::new_ret_no_self,
        reason = "an endpoint is made by `build`, once its settings are proven"
    )]
    pub fn new(local: IpAddr) -> Builder<IpUdp> {
        Builder::over_udp(local, PORT, IpUdp)
    }

    /// Another end of the tunnel.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the addresses are of different families or the remote's is unspecified or
    /// broadcast.
    pub fn remote(&self, address: IpAddr) -> Result<Remote, ConfigError> {
        self.remote_at(address, self.port())
    }

    /// Another end of the tunnel, which listens on another port.
    ///
    /// # Errors
    ///
    /// As for [`remote`](Self::remote), and for port zero.
    pub fn remote_at(&self, address: IpAddr, port: u16) -> Result<Remote, ConfigError> {
        self.outer.remote(address, port, &[])
    }
}

impl OverUdp for IpUdp {}

impl Rules for IpUdp {
    const PROTOCOL: IpProtocol = IpProtocol::UDP;

    #[inline]
    fn header_len(&self) -> usize {
        0
    }

    #[inline]
    fn payload(&self) -> Payload {
        Payload::Ip
    }

    #[inline]
    fn sends_plain(&self) -> bool {
        true
    }

    #[inline]
    fn open<'a>(
        &self,
        packet: View<'a>,
        _policy: &Policy,
        _seen: &mut Anomalies,
    ) -> Result<Opened<'a>, DropReason> {
        open(packet)
    }
}

/// Reads the version of the inner packet.
#[inline]
pub(crate) fn open(packet: View<'_>) -> Result<Opened<'_>, DropReason> {
    let protocol = match packet.bytes().first().map(|first| first >> 4) {
        Some(4) => EtherType::IPV4,
        Some(6) => EtherType::IPV6,
        Some(_) => return Err(DropReason::InnerNotIp),
        None => return Err(DropReason::InnerTruncated),
    };
    Ok(Opened { encapsulation: Encapsulation::IpUdp, protocol, payload: packet })
}
