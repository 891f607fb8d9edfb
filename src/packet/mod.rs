//! A packet in the caller's memory, with room before it for the headers to come.
//!
//! ```text
//!  0          start                    start + len        buffer's end
//!  +------------+---------------------------+----------------+
//!  |  headroom  |          packet           |    tailroom    |
//!  +------------+---------------------------+----------------+
//! ```
//!
//! Encapsulation moves `start` back into the headroom, decapsulation moves it forward; the payload stays where it
//! is. `start` and `len` can be read back ([`Packet::into_range`]), as a descriptor ring wants them.

mod header;

use core::fmt;

pub use self::header::{Header, MAX_OVERHEAD};
pub(crate) use self::header::{copy, tail};

/// A packet somewhere inside a caller's buffer.
pub struct Packet<'a> {
    buffer: &'a mut [u8],
    head: usize,
    tail: usize,
}

impl<'a> Packet<'a> {
    /// The packet of `len` bytes that starts `start` bytes into `buffer`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] where the buffer ends before the packet does.
    #[inline]
    pub fn new(buffer: &'a mut [u8], start: usize, len: usize) -> Result<Self, Error> {
        let size = buffer.len();
        match start.checked_add(len) {
            Some(tail) if tail <= size => Ok(Self { buffer, head: start, tail }),
            _ => Err(Error::OutOfBounds { start, len, size }),
        }
    }

    /// The packet made of `header` and `frame`, written `start` bytes into `buffer`: a copy of a frame that goes to
    /// several remotes, for who has a buffer for each.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use encap::{Packet, tunnel::{EncapMeta, vxlan}, wire::Vni};
    ///
    /// let here = vxlan::Endpoint::new("192.0.2.1".parse()?).build()?;
    /// let remote = here.remote("192.0.2.2".parse()?, Vni::truncate(42))?;
    /// let frame = [0xff; 64];
    /// let header = here.header(&frame, &remote, &EncapMeta::new())?;
    ///
    /// let mut ring = [0; 2_048];
    /// let packet = Packet::copy_of(&mut ring, 256, &header, &frame)?;
    /// assert_eq!((packet.headroom(), packet.len()), (256, 36 + 64));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] where the buffer ends before the packet does.
    pub fn copy_of(buffer: &'a mut [u8], start: usize, header: &Header, frame: &[u8]) -> Result<Self, Error> {
        let mut packet = Self::new(buffer, start, header.len().saturating_add(frame.len()))?;
        let (front, rest) = packet.as_mut_slice().split_at_mut_checked(header.len()).unwrap_or_default();
        copy(front, header);
        if rest.len() == frame.len() {
            rest.copy_from_slice(frame);
        }
        Ok(packet)
    }

    /// Bytes free before the packet.
    #[inline]
    pub fn headroom(&self) -> usize {
        self.head
    }

    /// Bytes free behind the packet.
    #[inline]
    pub fn tailroom(&self) -> usize {
        self.buffer.len().saturating_sub(self.tail)
    }

    /// Length of the packet in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.tail.saturating_sub(self.head)
    }

    /// Whether there is nothing left of the packet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The packet's bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self.buffer.get(self.head..self.tail).unwrap_or_default()
    }

    /// The packet's bytes, to be changed in place.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.head..self.tail).unwrap_or_default()
    }

    /// Makes room for `N` more bytes at the front and lends them; what they hold is undefined.
    ///
    /// # Errors
    ///
    /// [`Error::Headroom`] where there are fewer bytes free; the packet is left as it was.
    #[inline]
    pub fn prepend<const N: usize>(&mut self) -> Result<&mut [u8; N], Error> {
        let missing = Error::Headroom { need: N, have: self.head };
        let head = self.head.checked_sub(N).ok_or(missing)?;
        let header = self.buffer.get_mut(head..).and_then(<[u8]>::first_chunk_mut).ok_or(missing)?;
        self.head = head;
        Ok(header)
    }

    /// Puts these bytes before the packet.
    ///
    /// # Errors
    ///
    /// [`Error::Headroom`] where they do not fit; the packet is left as it was.
    pub(crate) fn prepend_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let missing = Error::Headroom { need: bytes.len(), have: self.headroom() };
        let (room, _) = self.split_headroom(bytes.len()).ok_or(missing)?;
        copy(room, bytes);
        self.grow_front(bytes.len());
        Ok(())
    }

    /// Takes `n` bytes off the front: they become headroom.
    ///
    /// # Errors
    ///
    /// [`Error::TooShort`] where the packet has fewer; it is left as it was.
    #[inline]
    pub fn strip(&mut self, n: usize) -> Result<(), Error> {
        let short = Error::TooShort { need: n, have: self.len() };
        self.head = self.head.checked_add(n).filter(|&head| head <= self.tail).ok_or(short)?;
        Ok(())
    }

    /// Cuts the packet to `len` bytes: what was behind them becomes tailroom.
    ///
    /// # Errors
    ///
    /// [`Error::TooShort`] where the packet is shorter than that; it is left as it was.
    #[inline]
    pub fn trim(&mut self, len: usize) -> Result<(), Error> {
        let short = Error::TooShort { need: len, have: self.len() };
        self.tail = self.head.checked_add(len).filter(|&tail| tail <= self.tail).ok_or(short)?;
        Ok(())
    }

    /// Makes the packet what lies from `start` to `end` in it; both were checked against its length.
    #[inline(always)]
    pub(crate) fn narrow(&mut self, start: usize, end: usize) {
        self.tail = self.head.wrapping_add(end);
        self.head = self.head.wrapping_add(start);
    }

    /// The packet's bytes, or `None` instead of nothing, which costs no branch to tell.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.buffer.get(self.head..self.tail)
    }

    /// The last `n` bytes before the packet: headers that were stripped, as long as nothing else was put there.
    /// `None` where there are fewer.
    #[inline]
    pub fn before(&self, n: usize) -> Option<&[u8]> {
        self.buffer.get(self.head.checked_sub(n)?..self.head)
    }

    /// Where the packet is in its buffer: start and length in bytes.
    #[inline]
    pub fn into_range(self) -> (usize, usize) {
        (self.head, self.len())
    }

    /// `header` and the packet as one slice, the packet itself unchanged: for the copies of a frame that
    /// goes to several remotes, one call each.
    ///
    /// # Errors
    ///
    /// [`Error::Headroom`] where the header does not fit before the packet.
    #[inline]
    pub fn with_header(&mut self, header: &Header) -> Result<&[u8], Error> {
        let missing = Error::Headroom { need: header.len(), have: self.head };
        let (room, _) = self.split_headroom(header.len()).ok_or(missing)?;
        copy(room, header);
        let head = self.head.saturating_sub(header.len());
        self.buffer.get(head..self.tail).ok_or(missing)
    }

    /// A shorter loan of the same packet.
    #[inline(always)]
    pub(crate) fn reborrow(&mut self) -> Packet<'_> {
        Packet { buffer: self.buffer, head: self.head, tail: self.tail }
    }

    /// The last `n` bytes of headroom, and the packet behind them.
    #[inline]
    pub(crate) fn split_headroom(&mut self, n: usize) -> Option<(&mut [u8], &[u8])> {
        let start = self.head.checked_sub(n)?;
        let (front, packet) = self.buffer.get_mut(..self.tail)?.split_at_mut_checked(self.head)?;
        Some((front.get_mut(start..)?, packet))
    }

    /// Counts the last `n` bytes of headroom, of which there are as many, as part of the packet.
    #[inline]
    pub(crate) fn grow_front(&mut self, n: usize) {
        self.head = self.head.wrapping_sub(n);
    }
}

impl AsRef<[u8]> for Packet<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (headroom, tailroom) = (self.headroom(), self.tailroom());
        write!(f, "Packet({headroom} + {} + {tailroom} bytes)", self.len())
    }
}

/// What a packet cannot do in the buffer that it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The packet was said to lie, in part at least, behind the end of its buffer.
    #[error("{len} bytes from {start} on do not lie in a buffer of {size}")]
    OutOfBounds {
        /// Where it was said to start.
        start: usize,
        /// Its length in bytes.
        len: usize,
        /// The buffer's length in bytes.
        size: usize,
    },
    /// There are fewer bytes before the packet than a header needs.
    #[error("{need} bytes of headroom needed, {have} there")]
    Headroom {
        /// Bytes that are needed.
        need: usize,
        /// Bytes that there are.
        have: usize,
    },
    /// The packet has fewer bytes than are to be taken or kept.
    #[error("{need} bytes of packet needed, {have} there")]
    TooShort {
        /// Bytes that are needed.
        need: usize,
        /// Bytes that there are.
        have: usize,
    },
}

/// Runs `edit` on the packet of `len` bytes that starts `start` bytes into `buffer`, and freezes what it
/// makes of it: the `Bytes` share the buffer's memory, no byte of the packet is copied.
///
/// Freezing allocates some words, to count who owns that memory, where something is left behind the packet: capacity of
/// the buffer, or bytes that are not the packet's. Of a buffer that was split off another one the owners are counted
/// already.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bytes::BytesMut;
/// use encap::{packet, tunnel::vxlan, wire::Vni};
///
/// let tunnel = vxlan::Endpoint::new("192.0.2.1".parse()?).build()?;
/// let remote = tunnel.remote("192.0.2.2".parse()?, Vni::truncate(42))?;
/// let mut buffer = BytesMut::zeroed(64); // headroom
/// buffer.extend_from_slice(&[0x02; 100]); // a frame
/// let ((), packet) = packet::edit(buffer, 64, 100, |packet| tunnel.encap(packet, &remote)).map_err(|(e, _)| e)?;
/// assert_eq!(packet.len(), tunnel.overhead() + 100);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of `edit` and [`Error::OutOfBounds`], each with the buffer.
#[cfg(feature = "bytes")]
pub fn edit<T, E: From<Error>>(
    mut buffer: bytes::BytesMut,
    start: usize,
    len: usize,
    edit: impl FnOnce(&mut Packet<'_>) -> Result<T, E>,
) -> Result<(T, bytes::Bytes), (E, bytes::BytesMut)> {
    let edited = Packet::new(&mut buffer, start, len).map_err(E::from).and_then(|mut packet| {
        let done = edit(&mut packet)?;
        Ok((done, packet.into_range()))
    });
    match edited {
        Ok((done, (start, len))) => {
            let mut bytes = buffer.freeze();
            // `Packet` keeps its range inside the buffer.
            let start = start.min(bytes.len());
            bytes::Buf::advance(&mut bytes, start);
            bytes.truncate(len);
            Ok((done, bytes))
        }
        Err(error) => Err((error, buffer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked_once() {
        let mut buffer = [0; 10];
        for start in 0..=11 {
            for len in 0..=11 {
                let made = Packet::new(&mut buffer, start, len).map(Packet::into_range);
                let expected = Error::OutOfBounds { start, len, size: 10 };
                assert_eq!(made, if start + len <= 10 { Ok((start, len)) } else { Err(expected) });
            }
        }
        assert!(Packet::new(&mut buffer, usize::MAX, 2).is_err());
    }

    #[test]
    fn the_packet_moves_inside_its_buffer() {
        let mut buffer = [0, 1, 2, 3, 4, 5, 6, 7];
        let mut packet = Packet::new(&mut buffer, 3, 3).unwrap();
        assert_eq!((packet.headroom(), packet.len(), packet.tailroom()), (3, 3, 2));
        *packet.prepend().unwrap() = [9, 8];
        assert_eq!(packet.as_slice(), [9, 8, 3, 4, 5]);
        assert_eq!(packet.prepend::<2>(), Err(Error::Headroom { need: 2, have: 1 }));
        packet.strip(3).unwrap();
        packet.trim(1).unwrap();
        assert_eq!(packet.as_slice(), [4]);
        assert_eq!(packet.strip(2), Err(Error::TooShort { need: 2, have: 1 }));
        assert_eq!(packet.trim(2), Err(Error::TooShort { need: 2, have: 1 }));
        assert_eq!(packet.strip(usize::MAX), Err(Error::TooShort { need: usize::MAX, have: 1 }));
        assert_eq!((packet.before(3), packet.before(5)), (Some(&[9, 8, 3][..]), None));
        assert_eq!(packet.into_range(), (4, 1));
    }

    #[test]
    fn one_frame_goes_out_behind_many_headers() {
        let mut buffer = [0, 0, 0, 0, 7, 8];
        let mut packet = Packet::new(&mut buffer, 4, 2).unwrap();
        for bytes in [&[1, 2, 3][..], &[4], &[], &[5, 6, 7, 8]] {
            let header = Header::new(bytes).unwrap();
            let sent = packet.with_header(&header).unwrap();
            assert_eq!((&sent[..bytes.len()], &sent[bytes.len()..]), (bytes, &[7, 8][..]));
        }
        let error = Error::Headroom { need: 5, have: 4 };
        assert_eq!(packet.with_header(&Header::new(&[0; 5]).unwrap()), Err(error));
        assert_eq!((packet.headroom(), packet.as_slice()), (4, &[7, 8][..]));
    }
}
