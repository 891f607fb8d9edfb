//! Geneve endpoints (RFC 8926): Ethernet frames or IP packets over UDP, with options.

use core::net::IpAddr;

use super::{
    Anomalies, Builder, ConfigError, DropReason, EncapMeta, Encapsulation, Inner, Layer, Payload, Policy,
    Remote, inner,
    protocol::{Opened, OverUdp, Rules},
    view::View,
};
use crate::{
    packet::Packet,
    wire::{
        Error, EtherType, IpProtocol, Vni, geneve,
        geneve_option::{self, OptionClass, OptionType, Options},
        ipv4, ipv6, udp,
    },
};

/// A Geneve tunnel endpoint on the packet level: no tables, no state.
///
/// Outer UDP headers over IPv4 have no checksum by default, as with Linux and Open vSwitch. RFC 8926, section 3.3, says
/// that they SHOULD have one: that is [`Builder::udp_checksum`] with [`UdpChecksum::Full`](super::UdpChecksum::Full).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use encap::{
///     Packet,
///     tunnel::geneve,
///     wire::{Vni, geneve_option::{OptionClass, OptionType, Writer}},
/// };
///
/// let mut options = [0; 16];
/// let mut writer = Writer::new(&mut options);
/// writer.push(OptionClass(0x0108), OptionType(3), &[0xca, 0xfe, 0xba, 0xbe])?;
///
/// let tunnel = geneve::Endpoint::new("192.0.2.1".parse()?).mtu(1_500).build()?; // that of the link; 65,535 without
/// let remote = tunnel.remote_with_options("192.0.2.2".parse()?, Vni::truncate(42), writer.as_bytes())?;
/// let mut buffer = [0; 256];
/// let mut packet = Packet::new(&mut buffer, remote.overhead(), 100)?;
/// tunnel.encap(&mut packet, &remote)?;
///
/// let other = geneve::Endpoint::new("192.0.2.2".parse()?).build()?;
/// let inner = other.decap(&mut packet)?;
/// let option = inner.geneve_options(&packet).next().transpose()?;
/// assert_eq!(option.map(|option| option.data), Some(&[0xca, 0xfe, 0xba, 0xbe][..]));
/// # Ok(())
/// # }
/// ```
pub type Endpoint = super::Endpoint<Geneve>;

/// Bytes of IPv4, UDP and Geneve headers without options.
pub const OVERHEAD_IPV4: usize = ipv4::Header::MIN_LEN + udp::Header::LEN + geneve::Header::LEN;

/// Bytes of IPv6, UDP and Geneve headers without options.
pub const OVERHEAD_IPV6: usize = ipv6::Header::LEN + udp::Header::LEN + geneve::Header::LEN;

/// How many kinds of critical options an endpoint can be told to know.
pub const MAX_KNOWN_OPTIONS: usize = 8;

/// The protocol of [`Endpoint`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Geneve {
    payload: Payload,
    known: [Option<(OptionClass, OptionType)>; MAX_KNOWN_OPTIONS],
    too_many_known: bool,
}

impl Geneve {
    /// Whether nothing can be said against these options.
    // By hand: an iterator makes a value of each option, and only two of its bytes matter. `at` has 32 bits, so that
    // the compiler knows that four more do not overflow.
    #[inline(never)]
    fn takes(&self, options: &[u8]) -> bool {
        let (mut at, mut kinds) = (0u32, 0);
        while let Some(&[_, _, kind, length]) = options.get(at as usize..at as usize + 4) {
            kinds |= kind;
            at = at.wrapping_add(geneve_option::option_len(length) as u32);
        }
        // The last one ends where the options do.
        at as usize == options.len() && (!OptionType(kinds).is_critical() || self.knows_critical(options))
    }

    /// Whether all of these that are critical are known.
    #[inline(never)]
    fn knows_critical(&self, options: &[u8]) -> bool {
        let mut options = Options::new(options).flatten();
        options.all(|option| {
            !option.kind.is_critical() || self.known.contains(&Some((option.class, option.kind)))
        })
    }
}

impl Endpoint {
    /// The settings of an endpoint that carries Ethernet frames from this address, port 6081.
    #[expect(
        clippy::new_ret_no_self,
        reason = "an endpoint is made by `build`, once its settings are proven"
    )]
    pub fn new(local: IpAddr) -> Builder<Geneve> {
        let plain =
            Geneve { payload: Payload::Ethernet, known: [None; MAX_KNOWN_OPTIONS], too_many_known: false };
        Builder::over_udp(local, geneve::PORT, plain)
    }

    /// Another endpoint that has segment `vni`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the addresses are of different families or the remote's is unspecified or
    /// broadcast.
    pub fn remote(&self, address: IpAddr, vni: Vni) -> Result<Remote, ConfigError> {
        self.remote_with_options(address, vni, &[])
    }

    /// Another endpoint to which these options are sent along; the C flag is set where one of them is critical.
    ///
    /// # Errors
    ///
    /// As for [`remote`](Self::remote), and where the bytes are no options, or too many for the headroom of
    /// [`MAX_OVERHEAD`](crate::packet::MAX_OVERHEAD) bytes that outer headers have in all: with every framing there
    /// is room for 52 bytes of options.
    pub fn remote_with_options(
        &self,
        address: IpAddr,
        vni: Vni,
        options: &[u8],
    ) -> Result<Remote, ConfigError> {
        self.remote_at(address, self.port(), vni, options)
    }

    /// Another endpoint that listens on another port.
    ///
    /// # Errors
    ///
    /// As for [`remote_with_options`](Self::remote_with_options), and for port zero.
    pub fn remote_at(
        &self,
        address: IpAddr,
        port: u16,
        vni: Vni,
        options: &[u8],
    ) -> Result<Remote, ConfigError> {
        let refused = ConfigError::GeneveOptions(options.len());
        let options_len = geneve::OptionsLen::from_bytes(options.len()).ok_or(refused)?;
        let mut critical = false;
        for option in Options::new(options) {
            critical |= option.map_err(|_| refused)?.kind.is_critical();
        }
        let protocol = match self.protocol.payload {
            Payload::Ethernet => EtherType::TEB,
            // Or IPv6, packet by packet.
            Payload::Ip => EtherType::IPV4,
        };
        let header = geneve::Header::new(protocol, vni).with_options_len(options_len).with_critical(critical);
        let mut bytes = [0; geneve::Header::MAX_LEN];
        if let Some((fixed, variable)) = bytes.split_first_chunk_mut() {
            *fixed = header.to_bytes();
            variable.iter_mut().zip(options).for_each(|(to, from)| *to = *from);
        }
        let len = geneve::Header::LEN + options_len.bytes();
        self.outer.remote(address, port, bytes.get(..len).unwrap_or_default())
    }
}

impl Builder<Geneve> {
    /// As Linux's driver sends and receives. What is set afterwards holds.
    ///
    /// | setting | default | `linux` |
    /// |---|---|---|
    /// | [`dont_fragment`](Self::dont_fragment), over IPv4 | set | unset |
    /// | [`ecn`](Self::ecn) | RFC 6040 normal mode: CE is copied | CE becomes ECT(0) |
    /// | [`source_ports`](Self::source_ports) | 49152..=65535 | 1..=65535 |
    /// | [`udp_checksum`](Self::udp_checksum) | none over IPv4, in full over IPv6 | the same |
    /// | [`policy`](Self::policy) | [`Policy::RFC`] | [`Policy::LINUX`] |
    pub fn linux(self) -> Self {
        self.linux_over_udp().source_ports(1..=u16::MAX)
    }

    /// What the tunnel carries. Ethernet by default.
    pub const fn payload(mut self, payload: Payload) -> Self {
        self.protocol.payload = payload;
        self
    }

    /// Tells the endpoint that the caller handles critical options of this type: packets with others are dropped
    /// (section 3.5). None by default, [`MAX_KNOWN_OPTIONS`] at most.
    pub fn knows(mut self, class: OptionClass, kind: OptionType) -> Self {
        let option = Some((class, kind));
        match self.protocol.known.iter_mut().find(|slot| slot.is_none() || **slot == option) {
            Some(slot) => *slot = option,
            None => self.protocol.too_many_known = true,
        }
        self
    }
}

impl OverUdp for Geneve {}

impl Rules for Geneve {
    const PROTOCOL: IpProtocol = IpProtocol::UDP;

    fn validate(&self) -> Result<(), ConfigError> {
        if self.too_many_known { Err(ConfigError::KnownOptions(MAX_KNOWN_OPTIONS)) } else { Ok(()) }
    }

    #[inline]
    fn header_len(&self) -> usize {
        geneve::Header::LEN
    }

    #[inline]
    fn payload(&self) -> Payload {
        self.payload
    }

    #[inline]
    fn sends_plain(&self) -> bool {
        true
    }

    #[inline(always)]
    fn patch_plain(&self, header: &mut [u8], packet: &[u8], _meta: &EncapMeta, _hash: u32) {
        if let (Payload::Ip, Some([_, _, protocol @ ..])) = (self.payload, header.first_chunk_mut::<4>()) {
            *protocol = inner::ip_ethertype(packet).0.to_be_bytes();
        }
    }

    // A header, and an IP packet at least.
    const MIN_PLAIN: usize = geneve::Header::LEN + ipv4::Header::MIN_LEN;

    #[inline(always)]
    fn open_plain<'a>(
        &self,
        packet: &'a [u8],
        policy: &Policy,
        _fatal: Anomalies,
    ) -> Option<(Encapsulation, EtherType, &'a [u8])> {
        let (head, rest) = packet.split_first_chunk()?;
        let header = geneve::Header::from_bytes(head).ok()?;
        if header.is_control() || header.reserved() & policy.geneve_reserved_bits != 0 {
            return None;
        }
        let (options, payload) = rest.split_at_checked(header.options_len().bytes())?;
        if !options.is_empty() && !self.takes(options) {
            return None;
        }
        let protocol = header.protocol();
        self.payload.takes(protocol).then_some((Encapsulation::Geneve(header), protocol, payload))
    }

    #[inline]
    fn open<'a>(
        &self,
        packet: View<'a>,
        policy: &Policy,
        seen: &mut Anomalies,
    ) -> Result<Opened<'a>, DropReason> {
        let opened = open(packet, &self.known, policy, seen)?;
        seen.insert_if(!self.payload.takes(opened.protocol), DropReason::GeneveProtocol);
        Ok(opened)
    }
}

/// Reads a Geneve header and walks its options.
#[inline]
pub(crate) fn open<'a>(
    packet: View<'a>,
    known: &[Option<(OptionClass, OptionType)>],
    policy: &Policy,
    seen: &mut Anomalies,
) -> Result<Opened<'a>, DropReason> {
    let (header, rest) = geneve::Header::parse(packet.bytes()).map_err(|error| match error {
        Error::Version { .. } => DropReason::GeneveVersion,
        _ => DropReason::GeneveTruncated,
    })?;
    seen.insert_if(header.is_control(), DropReason::ControlMessage);
    seen.insert_if(header.reserved() & policy.geneve_reserved_bits != 0, DropReason::GeneveReservedBits);
    let (options, payload) = header.split_options(rest);
    for option in options {
        match option {
            Ok(option) => {
                let unknown =
                    option.kind.is_critical() && !known.contains(&Some((option.class, option.kind)));
                seen.insert_if(unknown, DropReason::GeneveCriticalOption);
            }
            Err(_) => seen.insert_if(true, DropReason::GeneveOptions),
        }
    }
    Ok(Opened {
        encapsulation: Encapsulation::Geneve(header),
        protocol: header.protocol(),
        payload: packet.skip_to(payload),
    })
}

impl Inner {
    /// The options of a packet that came out of a Geneve tunnel, read from the headroom of `packet`, which
    /// decapsulation left there; none for other tunnels.
    pub fn geneve_options<'a>(&self, packet: &'a Packet<'_>) -> Options<'a> {
        Options::new(packet.before(options_len(&self.encapsulation)).unwrap_or_default())
    }
}

impl Layer {
    /// The options of a Geneve header in `packet`, which was inspected; none for other tunnels.
    pub fn geneve_options<'a>(&self, packet: &'a [u8]) -> Options<'a> {
        let start = self.payload.start.saturating_sub(options_len(&self.encapsulation));
        Options::new(packet.get(start..self.payload.start).unwrap_or_default())
    }
}

const fn options_len(encapsulation: &Encapsulation) -> usize {
    match encapsulation {
        Encapsulation::Geneve(header) => header.options_len().bytes(),
        _ => 0,
    }
}
