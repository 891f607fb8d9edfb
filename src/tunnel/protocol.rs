//! What one tunnel protocol adds to what all have in common.

use super::{
    Anomalies, ConfigError, DropReason, EncapError, EncapMeta, Encapsulation, Payload, Policy, inner::Peek,
    patch::Flow, view::View,
};
use crate::wire::{EtherType, IpProtocol};

/// A tunnel protocol: [`vxlan::Vxlan`](super::vxlan::Vxlan), [`geneve::Geneve`](super::geneve::Geneve),
/// [`gre::Gre`](super::gre::Gre), [`nvgre::Nvgre`](super::nvgre::Nvgre) or
/// [`ip_udp::IpUdp`](super::ip_udp::IpUdp). Cannot be implemented outside this crate.
pub trait Protocol: Rules {}

impl<P: Rules> Protocol for P {}

/// The methods of [`Protocol`], which are nobody's business but the endpoint's.
#[expect(unnameable_types, reason = "this is what seals `Protocol`")]
pub trait Rules: Copy {
    /// What carries it: UDP, or IP directly.
    const PROTOCOL: IpProtocol;

    /// Whether that is UDP.
    const IS_UDP: bool = Self::PROTOCOL.0 == IpProtocol::UDP.0;

    /// Whether the tunnel's own header holds bits of the flow hash.
    const NEEDS_HASH: bool = false;

    /// Whether packets for the end that encapsulated them are told apart.
    const FINDS_LOOPS: bool = false;

    /// Whether the protocol's own settings can work together.
    fn validate(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Bytes of the tunnel's own header, before options that a remote may add.
    fn header_len(&self) -> usize;

    /// What it carries.
    fn payload(&self) -> Payload;

    /// Whether frames with VLAN tags are sent.
    #[inline]
    fn sends_tags(&self) -> bool {
        true
    }

    /// Whether a packet can be sent with what is known of it.
    #[inline]
    fn check(&self, _peek: &Peek, _meta: &EncapMeta) -> Result<(), EncapError> {
        Ok(())
    }

    /// Completes the tunnel's own header, a copy of the remote's: what [`patch_plain`](Self::patch_plain) writes, and
    /// what else there is where [`sends_plain`](Self::sends_plain) does not hold.
    #[inline]
    fn patch(&self, header: &mut [u8], flow: &Flow<'_>) {
        self.patch_plain(header, flow.packet, flow.meta, flow.hash);
    }

    /// Whether all packets that [`check`](Self::check) does not refuse, those with VLAN tags not counted, differ in
    /// nothing but what [`patch_plain`](Self::patch_plain) writes.
    #[inline]
    fn sends_plain(&self) -> bool {
        false
    }

    /// What it carries, where [`sends_plain`](Self::sends_plain) holds.
    #[inline(always)]
    fn plain_payload(&self) -> Payload {
        self.payload()
    }

    /// Does what [`patch`](Self::patch) does where [`sends_plain`](Self::sends_plain) holds.
    #[inline(always)]
    fn patch_plain(&self, _header: &mut [u8], _packet: &[u8], _meta: &EncapMeta, _hash: u32) {}

    /// Reads the tunnel's own header, at the front of `packet`.
    fn open<'a>(
        &self,
        packet: View<'a>,
        policy: &Policy,
        seen: &mut Anomalies,
    ) -> Result<Opened<'a>, DropReason>;

    /// The fewest bytes of tunnel header and carried packet that [`open_plain`](Self::open_plain) is for.
    const MIN_PLAIN: usize = 0;

    /// Whether most packets are for [`open_plain`](Self::open_plain).
    #[inline]
    fn opens_plain(&self) -> bool {
        true
    }

    /// Does what [`open`](Self::open) does with a packet that is all there; `None` where something is fatal, and for
    /// what is rare. Answers the payload too, which reaches to the packet's end.
    #[inline(always)]
    fn open_plain<'a>(
        &self,
        packet: &'a [u8],
        policy: &Policy,
        fatal: Anomalies,
    ) -> Option<(Encapsulation, EtherType, &'a [u8])> {
        let mut seen = Anomalies::NONE;
        let opened = self.open(View::whole(packet), policy, &mut seen).ok()?;
        let payload = opened.payload.bytes();
        seen.and(fatal).is_empty().then_some((opened.encapsulation, opened.protocol, payload))
    }
}

/// A tunnel protocol that UDP carries. Cannot be implemented outside this crate.
pub trait OverUdp: Protocol {}

/// A tunnel header that was read.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "in a signature of the sealed `Protocol`")]
pub struct Opened<'a> {
    /// What it said.
    pub(crate) encapsulation: Encapsulation,
    /// What the payload is; `TEB` for Ethernet.
    pub(crate) protocol: EtherType,
    pub(crate) payload: View<'a>,
}
