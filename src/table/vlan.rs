//! VLANs and VNIs: which segment a tagged frame belongs to (RFC 7348, section 6.1).

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use super::{
    Error, Resource,
    line::Words,
    vni::{Domain, Vnis},
};
use crate::wire::{VlanId, Vni};

/// The VLANs of [`Tables`](super::Tables): a word for each, and one in the VNI's line for the way back. One VLAN has
/// one VNI, and one VNI has one VLAN. VLAN 0 stands for frames without a tag, or with one that carries a priority only.
///
/// ```
/// use encap::{table::{Capacity, Line, Tables}, wire::{VlanId, Vni}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// const CAPACITY: Capacity = Capacity { vlans: 4_096, ..Capacity::fdb(256) };
/// # static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
/// let tables = Tables::new(&LINES, CAPACITY, [0x5eed, 0xbeef])?;
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
    /// [`Error::SweepPending`] and [`Error::QuiescePending`] as for [`Fdb::add_vni`](super::Fdb::add_vni).
    pub fn map(&self, vlan: VlanId, vni: Vni) -> Result<(), Error> {
        let full = Error::Full { what: Resource::Vlans, limit: self.count };
        let word = self.words.get(vlan.value().into()).filter(|_| u32::from(vlan.value()) < self.count);
        let word = word.ok_or(full)?;
        let old = word.load(Acquire);
        match self.vni(vlan) {
            Some(known) if known == vni => return Ok(()),
            Some(_) => return Err(Error::Exists),
            None => {}
        }
        // A VNI that is new has no VLAN: what is refused adds none.
        let domain = self.vnis.find_or_add(vni)?;
        let free = domain.vlan().load(Acquire);
        if !domain.is(vni) {
            return Err(Error::Busy);
        }
        if free & VLAN != 0 {
            return Err(Error::Exists);
        }
        // The way back first: by it alone nobody is sent anywhere. Its count tells it from any other, so that what is
        // taken back below is this one, and none that was made after the VNI had gone and come back.
        let back = free.wrapping_add(COUNT) | back(vlan);
        domain.vlan().compare_exchange(free, back, AcqRel, Relaxed).map_err(|_| Error::Busy)?;
        let mapped =
            domain.is(vni) && word.compare_exchange(old, vni.value() | MAPPED, AcqRel, Relaxed).is_ok();
        if !mapped {
            // Somebody else has just mapped this VLAN, or removed the VNI.
            let _ = domain.vlan().compare_exchange(back, back & !VLAN, AcqRel, Relaxed);
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
        // Gone and come back meanwhile, the VNI may have another number, and this mapping there.
        let now = if domain.is(vni) { None } else { self.vnis.find(vni).ok().flatten() };
        let domain = now.unwrap_or(domain);
        let way_back = domain.vlan().load(Acquire);
        if way_back & VLAN == back(vlan) {
            // Where that fails, the VNI was removed, or the VLAN unmapped once more.
            let _ = domain.vlan().compare_exchange(way_back, way_back & !VLAN, AcqRel, Relaxed);
        }
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
        let back = (self.vlan().load(Acquire) & VLAN).checked_sub(1)?;
        Some(VlanId::truncate(back as u16))
    }

    /// Under its claim: the number gets a new VNI, and has no VLAN from now on. Whoever is about to give it that of the
    /// VNI before, or to take it away, finds the count changed.
    pub(super) fn forget_vlan(&self) {
        let forgotten = |vlan: u32| Some(vlan.wrapping_add(COUNT) & !VLAN);
        let _ = self.vlan().fetch_update(AcqRel, Acquire, forgotten);
    }
}

/// The way back to a VLAN.
const fn back(vlan: VlanId) -> u32 {
    vlan.value() as u32 + 1
}

// The way back: one more than the VLAN, 0 for none, and a count of all that there were.
const VLAN: u32 = 0xffff;
const COUNT: u32 = 1 << 16;

/// Marks a word that holds a VNI.
const MAPPED: u32 = 1 << 24;
