//! What a receiver refuses, where the RFCs leave a choice or the kernel makes another one.

use super::{Anomalies, DropReason};
use crate::wire::{geneve, gre::Reserved0, vxlan, vxlan_gpe};

/// What a receiver refuses. Start from one of the constants and change the fields that matter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Policy {
    /// The bits of the VXLAN header that cause a drop when set, the header's first byte at the top; those of an
    /// extension that is in use do not count. RFC 7348, section 5: none, reserved bits are ignored. Linux: all.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::serde_mask"))]
    pub vxlan_reserved_bits: u64,
    /// The bits of the VXLAN-GPE header that cause a drop when set. The draft, section 3: none.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::serde_mask"))]
    pub gpe_reserved_bits: u64,
    /// The bits of the Geneve header that cause a drop when set. RFC 8926, section 3.4: none.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::serde_mask"))]
    pub geneve_reserved_bits: u64,
    /// The bits of GRE's flag word that cause a drop when set. RFC 2784, section 2.3: bits 4 and 5. Linux over
    /// IPv4: bits 9 to 12, over IPv6 none.
    pub gre_reserved_bits: Reserved0,
    /// The fewest bytes of GRE, header and payload, that are taken. Linux over IPv4: 12, which drops the answers to
    /// keepalives.
    pub gre_min_len: u8,
    /// Whether GRE tunnels that carry IP deliver packets of any other protocol as well, except ERSPAN and protocol 0.
    /// RFC 2784, section 2.4: packets of an unknown protocol should be discarded. Linux delivers them, Ethernet among
    /// them where there is no tunnel for frames.
    pub allow_other_gre_protocols: bool,
    /// Whether GRE delivers packets for the end that encapsulated them, as keepalives are, for the caller to forward.
    /// RFC 2784, section 3.1: they must be discarded. Linux delivers them. A [`gre::Tunnel`](super::gre::Tunnel) has
    /// [a setting of its own](super::gre::Config::discard_loops) for this.
    pub allow_gre_loops: bool,
    /// Whether VXLAN-GPE tunnels that carry IP deliver Ethernet, NSH and MPLS as well, under the EtherTypes of these.
    /// Linux does.
    pub allow_other_gpe_protocols: bool,
    /// Whether a UDP length of zero over IPv6 means the whole IP payload, as in jumbograms (RFC 2675, section 4).
    /// Linux takes it in all packets.
    pub allow_zero_udp_length_ipv6: bool,
    /// Whether a UDP checksum over IPv6 may be missing (RFC 6935, section 5: only if configured).
    pub allow_zero_checksum_ipv6: bool,
    /// Whether a UDP checksum that is there must be right. RFC 7348, section 5, leaves the choice.
    pub verify_udp_checksum: bool,
    /// Whether a UDP checksum may be the sum of the pseudo header only, as in captures on a host that leaves
    /// the rest to its network card.
    pub allow_unfinished_checksums: bool,
    /// Whether frames in VXLAN may have VLAN tags (RFC 7348, section 6.1: only if configured). In NVGRE they never
    /// may.
    pub allow_inner_vlan: bool,
    /// Whether control messages of Geneve are taken, by a receiver that handles them (RFC 8926, section 3.4).
    pub allow_control_messages: bool,
    /// Whether VXLAN-GPE messages with the O flag are taken, by a receiver that handles them.
    pub allow_gpe_oam: bool,
    /// Whether packets to any address are taken, as by a socket that is bound to the wildcard address, and
    /// not just those to the endpoint's own address or a multicast group. Those that a source route or a routing header
    /// leads on from there are nobody's, and refused in any case. Where an endpoint has no unicast address of its own,
    /// but its socket's wildcard, all are its own.
    pub allow_any_destination: bool,
    /// Inspection only: whether extensions are guessed by their form, Group Based Policy by its G flag, NVGRE by a
    /// key before Ethernet without checksum and sequence number.
    pub guess_extensions: bool,
}

impl Policy {
    /// What the RFCs say: the default.
    pub const RFC: Self = Self {
        vxlan_reserved_bits: 0,
        gpe_reserved_bits: 0,
        geneve_reserved_bits: 0,
        gre_reserved_bits: Reserved0::MUST_DISCARD,
        gre_min_len: 0,
        allow_other_gre_protocols: false,
        allow_gre_loops: false,
        allow_other_gpe_protocols: false,
        allow_zero_udp_length_ipv6: false,
        allow_zero_checksum_ipv6: false,
        verify_udp_checksum: true,
        allow_unfinished_checksums: false,
        allow_inner_vlan: false,
        allow_control_messages: false,
        allow_gpe_oam: false,
        allow_any_destination: false,
        guess_extensions: false,
    };

    /// Nothing that a sender had no business to send: every reserved bit is refused.
    pub const STRICT: Self = Self {
        vxlan_reserved_bits: vxlan::RESERVED,
        gpe_reserved_bits: vxlan_gpe::RESERVED,
        geneve_reserved_bits: geneve::RESERVED,
        gre_reserved_bits: Reserved0::ALL,
        ..Self::RFC
    };

    /// What the drivers of Linux 6.18 do over an IPv4 underlay. Over IPv6 GRE's reserved bits are ignored and there is
    /// no shortest packet: [`Reserved0::NONE`] and 0. No policy holds what depends on a device's own settings: that a
    /// GRE device refuses packets whose checksum flag differs from its own, and those out of sequence
    /// ([`gre::Config::linux`](super::gre::Config::linux)). Geneve's options are judged one by one, as always; Linux
    /// looks at the C flag alone, and refuses what has it. Congestion marks reach frames with VLAN tags as well; Linux
    /// leaves those as they are.
    pub const LINUX: Self = Self {
        vxlan_reserved_bits: vxlan::RESERVED,
        gpe_reserved_bits: vxlan_gpe::RESERVED | vxlan_gpe::BUM,
        gre_reserved_bits: Reserved0::from_flags(0x0078),
        gre_min_len: 12,
        allow_other_gre_protocols: true,
        allow_gre_loops: true,
        allow_other_gpe_protocols: true,
        allow_zero_udp_length_ipv6: true,
        allow_inner_vlan: true,
        allow_control_messages: true,
        allow_any_destination: true,
        ..Self::RFC
    };

    /// For captures: as the RFCs, but sent to anybody, checksums unfinished or not, packets that GRE brings back, as in
    /// keepalives, extensions guessed.
    pub const ANALYSIS: Self = Self {
        allow_gre_loops: true,
        allow_unfinished_checksums: true,
        allow_any_destination: true,
        guess_extensions: true,
        ..Self::RFC
    };

    /// What of a packet's anomalies is fatal.
    pub(crate) const fn fatal(&self) -> Anomalies {
        let mut fatal = Anomalies::ALL;
        if self.allow_zero_checksum_ipv6 {
            fatal = fatal.without(DropReason::UdpChecksumMissing);
        }
        if self.allow_gre_loops {
            fatal = fatal.without(DropReason::InnerLoop);
        }
        if self.allow_control_messages {
            fatal = fatal.without(DropReason::ControlMessage);
        }
        if self.allow_gpe_oam {
            fatal = fatal.without(DropReason::GpeOam);
        }
        if self.allow_any_destination {
            fatal = fatal.without(DropReason::OtherDestination);
        }
        fatal
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::RFC
    }
}
