//! A tunnel's packets on their way out: what is not wrapped, and the numbers of what is.

use core::net::IpAddr;

use super::{Tunnel, encap_limit, keepalive, nesting};
use crate::{
    packet::{self, Header, Packet},
    tunnel::{
        ConfigError, EncapError, EncapMeta, Payload, Remote,
        inner::{self, IpVersion, Peek},
    },
    wire::{EtherType, gre, ipv6, is_unicast},
};

impl Tunnel {
    /// Puts the outer headers before `packet`, into its headroom, with the next sequence number.
    ///
    /// # Errors
    ///
    /// [`EncapError`]; the packet is left as it was, and no number is used up.
    #[inline]
    pub fn encap(&mut self, packet: &mut Packet<'_>) -> Result<(), EncapError> {
        self.encap_with(packet, &EncapMeta::new())
    }

    /// As [`encap`](Self::encap), with what the caller knows of the packet; a sequence number of its own does not
    /// count.
    ///
    /// # Errors
    ///
    /// [`EncapError`]; the packet is left as it was, and no number is used up.
    #[inline]
    pub fn encap_with(&mut self, packet: &mut Packet<'_>, meta: &EncapMeta) -> Result<(), EncapError> {
        let (len, meta) = (packet.len(), self.numbered(meta));
        let made = match (self.check(packet.as_slice(), self.address), &self.remote) {
            (Ok(limit), Some(remote)) => self.wrap(packet, remote, &meta, limit),
            (Ok(_), None) => Err(EncapError::NoDestination),
            (Err(error), _) => Err(error),
        };
        self.count_sent(len, made)
    }

    /// As [`encap_with`](Self::encap_with), towards this [`next_hop`](Self::next_hop): for tunnels to any remote, whose
    /// packets each go where a route says (NBMA).
    ///
    /// # Errors
    ///
    /// [`EncapError`]; the packet is left as it was, and no number is used up.
    #[inline]
    pub fn encap_to(
        &mut self,
        packet: &mut Packet<'_>,
        next_hop: &Remote,
        meta: &EncapMeta,
    ) -> Result<(), EncapError> {
        let (len, meta) = (packet.len(), self.numbered(meta));
        let made = match self.check(packet.as_slice(), next_hop.address()) {
            Ok(limit) => self.wrap(packet, next_hop, &meta, limit),
            Err(error) => Err(error),
        };
        self.count_sent(len, made)
    }

    /// The outer headers towards one of many remotes, made ahead.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the addresses are of different families or the remote's is unspecified, broadcast or
    /// our own.
    pub fn next_hop(&self, address: IpAddr) -> Result<Remote, ConfigError> {
        let remote = self.endpoint.remote(address)?;
        if address == self.local() { Err(ConfigError::RemoteIsLocal(address)) } else { Ok(remote) }
    }

    /// The outer headers of `packet` as a value, to be sent as `[header, packet]`, with the next sequence number.
    ///
    /// # Errors
    ///
    /// [`EncapError`]; no number is used up.
    #[inline]
    pub fn header(&mut self, packet: &[u8], meta: &EncapMeta) -> Result<Header, EncapError> {
        let checked = self.check(packet, self.address);
        self.checked_header(packet, meta, checked)
    }

    /// As [`header`](Self::header), towards this [`next_hop`](Self::next_hop).
    ///
    /// # Errors
    ///
    /// [`EncapError`]; no number is used up.
    #[inline]
    pub fn header_to(
        &mut self,
        packet: &[u8],
        next_hop: &Remote,
        meta: &EncapMeta,
    ) -> Result<Header, EncapError> {
        let meta = self.numbered(meta);
        let made = match self.check(packet, next_hop.address()) {
            Ok(limit) => self.headers(packet, next_hop, &meta, limit),
            Err(error) => Err(error),
        };
        self.count_sent(packet.len(), made)
    }

    #[inline]
    fn checked_header(
        &mut self,
        packet: &[u8],
        meta: &EncapMeta,
        checked: Result<Option<u8>, EncapError>,
    ) -> Result<Header, EncapError> {
        let meta = self.numbered(meta);
        let made = match (checked, &self.remote) {
            (Ok(limit), Some(remote)) => self.headers(packet, remote, &meta, limit),
            (Ok(_), None) => Err(EncapError::NoDestination),
            (Err(error), _) => Err(error),
        };
        self.count_sent(packet.len(), made)
    }

    /// Makes `packet`, whatever it was, a keepalive: the remote sends it back
    /// ([`Received::KeepaliveAnswer`](super::Received::KeepaliveAnswer)). Routers send one each ten seconds and give up
    /// after three. It needs headroom for its own headers and for those of the tunnel, 72 bytes over IPv4 and 120 over
    /// IPv6 at most, besides Ethernet's.
    ///
    /// # Errors
    ///
    /// [`EncapError::NoKeepalives`] on a tunnel of frames, to a multicast group, or to any remote, and from no address
    /// of our own, which the answer would be for; and those of [`encap`](Self::encap). The packet is left as it was.
    pub fn keepalive(&mut self, packet: &mut Packet<'_>) -> Result<(), EncapError> {
        let (inner, need) = match self.request(packet.headroom()) {
            Ok(request) => request,
            Err(error) => return self.count_sent(0, Err(error)),
        };
        let fits = self.check_len(&inner, 0).map(|()| None);
        let outer = self.checked_header(&inner, &EncapMeta::new(), fits)?;
        packet.prepend_bytes(&inner)?;
        packet.prepend_bytes(&outer)?;
        // It is at least as long.
        let _ = packet.trim(need);
        Ok(())
    }

    /// What is inside of a keepalive, and how many bytes that is with the headers of the tunnel; `headroom` must have
    /// as many.
    fn request(&self, headroom: usize) -> Result<(Header, usize), EncapError> {
        let (local, remote) = (self.local(), self.address);
        if self.rules.payload != Payload::Ip || !is_unicast(remote) || !is_unicast(local) {
            return Err(EncapError::NoKeepalives);
        }
        let mut answer = gre::Header { key: self.rules.ikey, ..gre::Header::new(EtherType(0)) };
        if self.rules.ocsum {
            answer = answer.with_checksum(&[]);
        }
        let inner = keepalive::request(local, remote, &answer).ok_or(EncapError::NoKeepalives)?;
        let need = self.overhead().saturating_add(inner.len());
        if headroom < need {
            return Err(packet::Error::Headroom { need, have: headroom }.into());
        }
        Ok((inner, need))
    }

    /// What can stand against encapsulation towards this address besides what the endpoint finds; and the limit for
    /// options that this packet alone gets.
    #[inline]
    fn check(&self, packet: &[u8], destination: IpAddr) -> Result<Option<u8>, EncapError> {
        self.check_len(packet, 0)?;
        let own = self.rules.discard_loops.then_some((destination, self.rules.okey));
        if nesting::is_loop(packet, self.rules.payload, self.local(), own) {
            return Err(EncapError::Loop);
        }
        if destination.is_ipv6() { self.check_ipv6(packet, destination) } else { Ok(None) }
    }

    /// What RFC 2473 and Linux's `ip6gre` want of an IPv6 packet that goes over IPv6.
    fn check_ipv6(&self, packet: &[u8], destination: IpAddr) -> Result<Option<u8>, EncapError> {
        let peek = Peek::new(self.rules.payload, packet);
        let Ok(peek @ Peek { version: Some(IpVersion::V6), .. }) = peek else { return Ok(None) };
        let ip = packet.get(peek.l3()..).unwrap_or_default();
        let source = inner::ends(ip).map(|(source, _)| source);
        if self.rules.refuses_own_source && source == Some(destination) {
            return Err(EncapError::Loop);
        }
        match (encap_limit::find(ip), self.limit_len()) {
            (Some(encap_limit::Found { at, limit: 0 }), _) => Err(EncapError::EncapLimit { at }),
            (None, _) | (_, 0) => Ok(None),
            (Some(found), len) => self.check_len(packet, len).map(|()| Some(found.limit.saturating_sub(1))),
        }
    }

    /// Whether the packet fits, with so many more bytes of headers than others have.
    #[inline]
    fn check_len(&self, packet: &[u8], more: usize) -> Result<(), EncapError> {
        let max = usize::from(self.max_inner).saturating_sub(more);
        if packet.len() > max && !self.may_fragment(packet) {
            return Err(EncapError::TooLong { len: packet.len(), max });
        }
        Ok(())
    }

    /// Whether `packet` may go into an outer packet that is fragmented on its way: Linux's rules.
    #[cold]
    fn may_fragment(&self, packet: &[u8]) -> bool {
        if self.rules.pmtudisc {
            return false;
        }
        let Ok(peek) = Peek::new(self.rules.payload, packet) else { return true };
        match peek.version {
            Some(IpVersion::V4) => self.rules.ignore_df || !peek.dont_fragment(packet),
            Some(IpVersion::V6) => self.mtu() < ipv6::MIN_MTU.into(),
            None => true,
        }
    }

    /// What the caller knows of a packet, and the numbers that it gets.
    #[inline]
    fn numbered(&self, meta: &EncapMeta) -> EncapMeta {
        EncapMeta {
            sequence: self.rules.oseq.then_some(self.sequence),
            identification: meta.identification.or(Some(self.identification)),
            ..*meta
        }
    }

    #[inline]
    fn count_sent<T>(&mut self, len: usize, made: Result<T, EncapError>) -> Result<T, EncapError> {
        match &made {
            Ok(_) => {
                self.sequence = self.sequence.wrapping_add(u32::from(self.rules.oseq));
                self.identification = self.identification.wrapping_add(1);
                self.counters.sent(len);
            }
            Err(error) => self.counters.refused(error),
        }
        made
    }
}
