//! Looks ahead: what a lookup will read is asked for before it is needed, for many lookups together. Nothing that is
//! told here is an answer.

use core::net::Ipv4Addr;

use super::{Key, Neighbors, entry::Record};
use crate::{
    table::{
        bucket::{Home, Look},
        handle::Handle,
    },
    wire::{MacAddr, Vni},
};

/// Where a neighbour most likely is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'t> {
    home: Home<'t>,
    key: Key,
}

impl Place<'static> {
    /// Where nobody is.
    pub(crate) fn nowhere() -> Self {
        Self { home: Home::empty(), key: Key(0) }
    }
}

impl Place<'_> {
    /// Asks for it.
    #[inline(always)]
    pub(crate) fn touch(self) -> u32 {
        self.home.touch()
    }

    /// Where the neighbour's record most likely is, once this is there.
    #[inline(always)]
    pub(crate) fn hint(self) -> Hint {
        match self.home.look(self.key) {
            Look::Here(content) => Hint(content.value),
            _ => Hint::default(),
        }
    }
}

/// Where the record of a neighbour most likely is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hint(u32);

impl<'t> Neighbors<'t> {
    /// Where `address` most likely is.
    #[inline(always)]
    pub(crate) fn place(&self, vni: Vni, address: Ipv4Addr) -> Option<Place<'t>> {
        let (number, _) = self.vnis.glance(vni)?;
        let key = self.key(number, address.into());
        Some(Place { home: self.store.map.home(key)?, key })
    }

    /// Asks for a record.
    #[inline(always)]
    pub(crate) fn touch(&self, hint: Hint) -> u32 {
        self.store.records.touch(Handle(hint.0))
    }

    /// The MAC address that a record most likely says, once it is there.
    #[inline(always)]
    pub(crate) fn hinted(&self, hint: Hint) -> Option<MacAddr> {
        self.store.records.get(Handle(hint.0)).map(|words| Record::from_words(words).mac)
    }
}
