//! VLANs and VNIs: which segment a tagged frame belongs to (RFC 7348, section 6.1).

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use super::{
    Error, Resource,
    line::Words,
    vni::{Domain, Vnis},
};
use crate::wire::{VlanId, Vni};

/// The VLANs of [`Tables`](super::Tables): a word for each, and one in the VNI's line for the way back. One VLAN has one
/// VNI, and one VNI has one VLAN. VLAN 0 stands for frames without a tag, or with one that carries a priority only.
///
/// ```
/// use encap::{table::{Capacity, Settings, Tables}, wire::{VlanId, Vni}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let capacity = Capacity { vlans: 4_096, ..Capacity::fdb(256) };
/// let tables = Tables::with_capacity(capacity, Settings::default(), [0x5eed, 0xbeef])?;
/// let (vlan, vni) = (VlanId::truncate(100), Vni::truncate(10_100));
/// tables.vlans().map(vlan, vni)?;
/// assert_eq!((tables.vlans().vni(vlan), tables.vlans().vlan(vni)), (Some(vni), Some(vlan)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Vlans<'t> {
    pub(crate) words: Words<'t>,
    pub(crate) count: u32,
    pub(crate) vnis: Vnis<'t>,
}

impl Vlans<'_> {
    /// Maps a VLAN to a VNI, which the tables know from then on.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] where one of the two is mapped to another one; [`Error::Full`] for a VLAN that is not below
    /// [`Capacity::vlans`](super::Capacity::vlans), and where there are too many VNIs; [`Error::Busy`];
    /// [`Error::SweepPending`].
    pub fn map(&self, vlan: VlanId, vni: Vni) -> Result<(), Error> {
        let full = Error::Full { what: Resource::Vlans, limit: self.count };
        let word = self.words.get(vlan.value().into()).filter(|_| u32::from(vlan.value()) < self.count);
        let word = word.ok_or(full)?;
        let domain = self.vnis.find_or_add(vni)?;
        let old = word.load(Acquire);
        match self.vni(vlan) {
            Some(known) if known == vni => return Ok(()),
            Some(_) => return Err(Error::Exists),
            None => {}
        }
        // The way back first: by it alone nobody is sent anywhere.
        let back = u32::from(vlan.value()).wrapping_add(1);
        domain.vlan().compare_exchange(0, back, AcqRel, Relaxed).map_err(|_| Error::Exists)?;
        let mapped =
            domain.is(vni) && word.compare_exchange(old, vni.value() | MAPPED, AcqRel, Relaxed).is_ok();
        if !mapped {
            // Somebody else has just mapped this VLAN, or removed the VNI, whose number may be another one's by now.
            let _ = domain.vlan().compare_exchange(back, 0, AcqRel, Relaxed);
            return Err(Error::Busy);
        }
        Ok(())
    }

    /// Ends the mapping of a VLAN.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Busy`].
    pub fn unmap(&self, vlan: VlanId) -> Result<(), Error> {
        let vni = self.vni(vlan).ok_or(Error::NotFound)?;
        let domain = self.vnis.find(vni)?.ok_or(Error::NotFound)?;
        let word = self.words.get(vlan.value().into()).ok_or(Error::NotFound)?;
        word.compare_exchange(vni.value() | MAPPED, 0, AcqRel, Relaxed).map_err(|_| Error::Busy)?;
        let back = u32::from(vlan.value()).wrapping_add(1);
        let _ = domain.vlan().compare_exchange(back, 0, AcqRel, Relaxed);
        Ok(())
    }

    /// The VNI of a VLAN.
    pub fn vni(&self, vlan: VlanId) -> Option<Vni> {
        let word = self.words.get(vlan.value().into())?.load(Acquire);
        let vni = (word & MAPPED != 0).then_some(Vni::truncate(word))?;
        // A VNI that was removed leaves its VLAN behind, and may come back without one.
        (self.vlan(vni)? == vlan).then_some(vni)
    }

    /// The VLAN of a VNI.
    pub fn vlan(&self, vni: Vni) -> Option<VlanId> {
        self.vnis.find(vni).ok()??.vlan_id()
    }

    /// All mappings, by VLAN.
    pub fn iter(&self) -> impl Iterator<Item = (VlanId, Vni)> + '_ {
        (0..=VlanId::MAX.value()).map(VlanId::truncate).filter_map(|vlan| Some((vlan, self.vni(vlan)?)))
    }
}

impl Domain<'_> {
    /// The VLAN that frames of this VNI are tagged with.
    pub(crate) fn vlan_id(&self) -> Option<VlanId> {
        let back = self.vlan().load(Acquire).checked_sub(1)?;
        Some(VlanId::truncate(back as u16))
    }
}

/// Marks a word that holds a VNI.
const MAPPED: u32 = 1 << 24;
