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

/// Who has an IP address: its key, and the bucket that most likely has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'t> {
    home: Home<'t>,
    key: Key,
}

impl Question<'static> {
    /// One that nobody answers.
    pub(crate) fn nowhere() -> Self {
        Self { home: Home::empty(), key: Key(0) }
    }
}

impl Question<'_> {
    /// Asks for that bucket: see [`Line::touch`](crate::table::Line::touch).
    #[inline(always)]
    pub(crate) fn touch(self) -> u32 {
        self.home.touch()
    }

    /// Where the neighbour's record most likely is; to be asked when the bucket is there.
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
    /// Who has `address`; `None` where the VNI is not in front.
    #[inline(always)]
    pub(crate) fn question(&self, vni: Vni, address: Ipv4Addr) -> Option<Question<'t>> {
        let (number, _) = self.vnis.glance(vni)?;
        let key = self.key(number, address.into());
        Some(Question { home: self.store.map.home(key)?, key })
    }

    /// Asks for the line of a record.
    #[inline(always)]
    pub(crate) fn touch(&self, hint: Hint) -> u32 {
        self.store.records.touch(Handle(hint.0))
    }

    /// The MAC address that a record most likely says; to be asked when its line is there.
    #[inline(always)]
    pub(crate) fn hinted(&self, hint: Hint) -> Option<MacAddr> {
        self.store.records.get(Handle(hint.0)).map(|words| Record::from_words(words).mac)
    }
}
