//! Packets in the caller's memory.

use core::ops::Deref;

use encap::{
    Packet,
    packet::{self, Error},
};

cannot_panic! {
    Packet::as_mut_slice => fn<'a>(this: &'a mut Packet<'_>) -> &'a mut [u8];
    Packet::as_ref::slice = <Packet<'_> as AsRef<[u8]>>::as_ref => fn<'a>(this: &'a Packet<'_>) -> &'a [u8];
    Packet::as_slice => fn<'a>(this: &'a Packet<'_>) -> &'a [u8];
    Packet::headroom => fn(this: &Packet<'_>) -> usize;
    Packet::into_range => fn(this: Packet<'_>) -> (usize, usize);
    Packet::is_empty => fn(this: &Packet<'_>) -> bool;
    Packet::len => fn(this: &Packet<'_>) -> usize;
    Packet::new => fn(buffer: &mut [u8], start: usize, len: usize) -> Result<Packet<'_>, Error>;
    Packet::prepend = Packet::prepend::<8>
        => fn<'a>(this: &'a mut Packet<'_>) -> Result<&'a mut [u8; 8], Error>;
    Packet::strip => fn(this: &mut Packet<'_>, n: usize) -> Result<(), Error>;
    Packet::tailroom => fn(this: &Packet<'_>) -> usize;
    Packet::trim => fn(this: &mut Packet<'_>, len: usize) -> Result<(), Error>;
    Packet::with_header
        => fn<'a>(this: &'a mut Packet<'_>, header: &packet::Header) -> Result<&'a [u8], Error>;

    packet::Header::as_ref::slice = <packet::Header as AsRef<[u8]>>::as_ref
        => fn(this: &packet::Header) -> &[u8];
    packet::Header::deref = <packet::Header as Deref>::deref => fn(this: &packet::Header) -> &[u8];
    packet::Header::new => fn(header: &[u8]) -> Option<packet::Header>;
}
