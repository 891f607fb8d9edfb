//! The way to a remote: its outer headers, as the table keeps them.

use core::net::IpAddr;

use super::{Engine, OverlayMeta, Worker};
use crate::{
    packet::{Header, Packet},
    table::{Fields, Raw, Remote, RemoteId},
    tunnel::{self, EncapError, EncapMeta, Framing, Kept, vxlan},
    wire::{MacAddr, Vni},
};

/// How to get to a remote.
// Read as it lies in the table, and not made into a value of its own: that would cost as much as all the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'t, 'r> {
    pub(super) endpoint: &'t vxlan::Endpoint,
    pub(super) address: IpAddr,
    pub(super) raw: &'r Raw,
    pub(super) outer: Kept<'r>,
    /// The longest frame that fits.
    pub(super) max: usize,
}

/// Why there is no way to a remote.
#[derive(Clone, Copy, Debug)]
pub(super) enum NoWay {
    /// It is us, with this segment.
    Here(Option<Vni>),
    /// The next hop, of this address, is not known.
    Unresolved {
        address: IpAddr,
        egress: u32,
    },
    Gone,
}

impl<'t> Engine<'t> {
    /// The outer headers of a remote; `None` where there is no way to it.
    pub(super) fn outer(&self, remote: &Remote) -> Option<tunnel::Remote> {
        let vni = remote.vni.unwrap_or_default();
        let endpoint = self.endpoint(remote.address).filter(|_| self.is_in_scope(remote))?;
        endpoint.remote_at(remote.address, remote.port, vni).ok()
    }

    /// Whether packets of ours can get to a remote as far as addresses are those of a link (RFC 4291, section 2.5.6).
    pub(super) fn is_in_scope(&self, remote: &Remote) -> bool {
        let IpAddr::V6(address) = remote.address else { return true };
        if address.is_unicast_link_local() {
            return remote.egress != 0;
        }
        let is_links_group = matches!(address.octets(), [0xff, flags_scope, ..] if flags_scope & 15 == 2);
        is_links_group || !self.config.local6.is_some_and(|local| local.is_unicast_link_local())
    }

    /// Has the table keep the outer headers of a remote.
    pub(super) fn keep(&self, id: RemoteId, outer: &tunnel::Remote) {
        let mut bytes = [0; MAX_BYTES];
        let len = outer.to_bytes(&mut bytes);
        let kept = len.and_then(|len| bytes.get(..len));
        // Somebody at work on the same remote: then they are made again next time.
        let _ = kept.map(|bytes| self.fdb.remotes.set_header(id, bytes));
    }

    /// How to get to a remote, whose record was read.
    #[inline(always)]
    pub(super) fn way<'r>(&self, id: RemoteId, raw: &'r mut Raw) -> Result<Way<'t, 'r>, NoWay> {
        let address = raw.address();
        let endpoint = self.endpoint(address).ok_or(NoWay::Gone)?;
        // Another port is another VTEP's, at the same address.
        if endpoint.local() == address && raw.port() == self.config.dstport && self.config.localbypass {
            return Err(NoWay::Here(raw.vni()));
        }
        if raw.header().is_empty() {
            self.prepare(id, raw)?;
        }
        if let Framing::Ethernet(link) = self.config.framing {
            // One next hop for all is in the headers already.
            if raw.next_hop().is_some() || link.next_hop == MacAddr::ZERO {
                let mac = match raw.next_hop() {
                    Some(mac) => mac,
                    None => self.find_next_hop(address, raw.egress())?,
                };
                let header = raw.header_mut().get_mut(tunnel::Remote::FACTS..);
                if let Some(to) = header.and_then(<[u8]>::first_chunk_mut) {
                    *to = mac.0;
                }
            }
        }
        let raw = &*raw;
        let outer = Kept::new(raw.header()).ok_or(NoWay::Gone)?;
        let path = match raw.mtu() {
            0 => self.config.mtu,
            mtu => mtu.min(self.config.mtu),
        };
        let path = usize::from(path).saturating_sub(endpoint.network_overhead());
        Ok(Way { endpoint, address, raw, outer, max: outer.max_inner().min(path) })
    }

    /// Makes the outer headers of a remote that has none yet.
    #[cold]
    #[inline(never)]
    fn prepare(&self, id: RemoteId, raw: &mut Raw) -> Result<(), NoWay> {
        let remotes = self.fdb.remotes;
        let remote = remotes.get(id).ok_or(NoWay::Gone)?;
        let outer = self.outer(&remote).ok_or(NoWay::Gone)?;
        self.keep(id, &outer);
        // Without them where somebody else is at work on it: the next frame finds them.
        remotes.read_raw(id, raw).filter(|()| !raw.header().is_empty()).ok_or(NoWay::Gone)
    }

    /// The next hop to a remote that has none of its own.
    #[cold]
    #[inline(never)]
    fn find_next_hop(&self, address: IpAddr, egress: u32) -> Result<MacAddr, NoWay> {
        let remote = Remote::new(address, 0).egress(egress);
        let address = self.config.next_hop(address);
        self.known_next_hop(&remote).ok_or(NoWay::Unresolved { address, egress })
    }
}

impl Way<'_, '_> {
    /// What is said of a frame that goes this way.
    #[inline(always)]
    pub(super) fn meta(&self, worker: &mut Worker, meta: &OverlayMeta) -> EncapMeta {
        EncapMeta {
            hash: meta.hash,
            // IPv6 has none.
            identification: self.address.is_ipv4().then(|| worker.next_identification()),
            vni: Some(self.raw.vni().unwrap_or(meta.vni)),
            sequence: None,
            group_policy: meta.policy,
            inner_checksum: meta.inner_checksum,
        }
    }

    /// Puts the outer headers before the frame.
    #[inline(always)]
    pub(super) fn encap(&self, packet: &mut Packet<'_>, meta: &EncapMeta) -> Result<(), EncapError> {
        self.endpoint.encap_kept(packet, &self.outer, meta)
    }

    /// The outer headers of a frame as a value.
    pub(super) fn header(&self, frame: &[u8], meta: &EncapMeta) -> Result<Header, EncapError> {
        self.endpoint.header(frame, &self.outer.to_remote(self.address, self.raw.port()), meta)
    }
}

/// Bytes of a remote that a table keeps: facts and headers.
const MAX_BYTES: usize = tunnel::Remote::FACTS + crate::packet::MAX_OVERHEAD;
