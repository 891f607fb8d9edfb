//! Routes: where the longest prefix of an IP address leads (RFC 1812, section 5.2.4.3).
//!
//! A route is found by its prefix in the same kind of map as everything else; a lookup asks for the prefixes of
//! an address from the longest length in use down. Overlay networks use few lengths: a subnet per host, a route
//! for the rest.

mod entry;
mod lengths;
mod prefix;

use core::net::IpAddr;

pub(crate) use self::{
    entry::RECORD_WORDS,
    lengths::{LENGTH_WORDS, Lengths},
};
pub use self::{
    entry::{NextHop, Route},
    prefix::{Prefix, PrefixError},
};
use super::{
    Change, Error,
    bucket::{Busy, Key},
    clock::ETERNAL,
    cursor::Cursor,
    hash::Seed,
    store::{Step, Store, Stored},
};
use crate::wire::{is_ipv4_mapped, is_unicast};

/// The routes of [`Tables`](super::Tables), of both families.
///
/// ```
/// use encap::table::{Capacity, Line, NextHop, Tables};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// const CAPACITY: Capacity = Capacity { routes: 64, ..Capacity::NONE };
/// static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
/// let tables = Tables::new(&LINES, CAPACITY, [0x5eed, 0xbeef])?;
/// let host = NextHop::Peer { address: "192.0.2.2".parse()?, port: 8285 };
/// tables.routes().add("10.1.2.0/24".parse()?, host)?;
///
/// let route = tables.routes().lookup("10.1.2.3".parse()?)?.ok_or("no route")?;
/// assert_eq!(route.to_string(), "10.1.2.0/24 via 192.0.2.2 port 8285");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Routes<'t> {
    pub(crate) store: Store<'t, RECORD_WORDS>,
    pub(crate) lengths: Lengths<'t>,
    pub(crate) seed: Seed,
}

impl<'t> Routes<'t> {
    /// The route of the longest prefix that `address` has. One that is there during the whole call is found, or
    /// one with a longer prefix.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where routes kept changing in its place; to be treated as unknown.
    #[inline]
    pub fn lookup(&self, address: IpAddr) -> Result<Option<Route>, Error> {
        for len in self.lengths.longest_first(address.is_ipv6()) {
            if let Some(route) = self.find(Prefix::truncate(address, len))? {
                return Ok(Some(route));
            }
        }
        Ok(None)
    }

    /// Adds a route.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`], whatever it leads to; [`Error::Full`]; [`Error::NotUnicast`] for a next hop that is a
    /// group or nobody, [`Error::Ipv4Mapped`] for one in a socket's form, [`Error::PortZero`] for a peer at port 0;
    /// [`Error::Busy`].
    pub fn add(&self, prefix: Prefix, via: NextHop) -> Result<(), Error> {
        self.put(Route { prefix, via }, false).map(|_| ())
    }

    /// Adds a route, or says where it leads from now on. Who looks it up meanwhile finds what was there or what is
    /// there.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add) but [`Error::Exists`].
    pub fn replace(&self, prefix: Prefix, via: NextHop) -> Result<Change, Error> {
        self.put(Route { prefix, via }, true)
    }

    /// Removes a route; answers what it was.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Busy`].
    pub fn delete(&self, prefix: Prefix) -> Result<Route, Error> {
        if self.find(prefix)?.is_none() {
            return Err(Error::NotFound);
        }
        let changing = self.lengths.lock()?;
        let route = self.change(prefix, |old| {
            let old = old.ok_or(Error::NotFound)?;
            Ok((Route::from_words(old.words), Step::Remove))
        })?;
        changing.remove(prefix);
        Ok(route)
    }

    /// The route of exactly this prefix.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Busy`].
    pub fn get(&self, prefix: Prefix) -> Result<Route, Error> {
        self.find(prefix)?.ok_or(Error::NotFound)
    }

    /// All routes, in no order that means anything. Those that come or go meanwhile may be among them.
    pub fn dump(&self) -> RouteDump<'t> {
        self.dump_from(RouteCursor::default())
    }

    /// The routes from where another dump was.
    pub fn dump_from(&self, cursor: RouteCursor) -> RouteDump<'t> {
        RouteDump { routes: *self, cursor: cursor.0 }
    }

    /// How many routes there are.
    pub fn count(&self) -> usize {
        self.store.count()
    }

    fn put(&self, route: Route, replace: bool) -> Result<Change, Error> {
        if let Some(address) = route.via.address() {
            if !is_unicast(address) {
                return Err(Error::NotUnicast);
            }
            if is_ipv4_mapped(address) {
                return Err(Error::Ipv4Mapped);
            }
        }
        if matches!(route.via, NextHop::Peer { port: 0, .. }) {
            return Err(Error::PortZero);
        }
        if self.store.limit == 0 {
            return Err(self.store.full());
        }
        let new = Stored { words: route.to_words(), stamp: ETERNAL };
        let changing = self.lengths.lock()?;
        // Marked before it is there.
        changing.add(route.prefix);
        let put = self.change(route.prefix, |old| match old {
            None => Ok((Change::Created, Step::Put(new))),
            Some(_) if !replace => Err(Error::Exists),
            Some(old) if old.words == new.words => Ok((Change::Unchanged, Step::Keep)),
            Some(_) => Ok((Change::Updated, Step::Put(new))),
        });
        if put != Ok(Change::Created) {
            changing.remove(route.prefix);
        }
        put
    }

    fn change<T>(
        &self,
        prefix: Prefix,
        decide: impl Fn(Option<Stored<RECORD_WORDS>>) -> Result<(T, Step<RECORD_WORDS>), Error>,
    ) -> Result<T, Error> {
        self.store.change(self.key(prefix), |words| Route::is(words, prefix), |_| false, decide)
    }

    #[inline]
    fn find(&self, prefix: Prefix) -> Result<Option<Route>, Busy> {
        let found = self.store.find(self.key(prefix), |words| Route::is(words, prefix))?;
        Ok(found.map(|stored| Route::from_words(stored.words)))
    }

    #[inline]
    fn key(&self, prefix: Prefix) -> Key {
        let [flags, a, b, c, d] = entry::key(prefix);
        Key(match prefix.address() {
            IpAddr::V4(_) => self.seed.fingerprint(&[flags, a]),
            IpAddr::V6(_) => self.seed.fingerprint(&[flags, a, b, c, d]),
        })
    }
}

/// Where a dump of routes goes on; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RouteCursor(Cursor);

impl RouteCursor {
    /// Whether a route that was there all the time may have been missed or met twice: some were moved in storage,
    /// or kept changing, since the dump began.
    pub const fn may_have_skipped(&self) -> bool {
        self.0.skipped
    }
}

/// Routes, in no order that means anything.
#[derive(Clone, Copy, Debug)]
pub struct RouteDump<'t> {
    routes: Routes<'t>,
    cursor: Cursor,
}

impl RouteDump<'_> {
    /// Where it is: to go on later, and to see whether it met everything.
    pub fn cursor(&self) -> RouteCursor {
        let mut cursor = self.cursor;
        self.routes.store.note(&mut cursor);
        RouteCursor(cursor)
    }
}

impl Iterator for RouteDump<'_> {
    type Item = Route;

    fn next(&mut self) -> Option<Route> {
        self.routes.store.next(&mut self.cursor).map(|stored| Route::from_words(stored.words))
    }
}
