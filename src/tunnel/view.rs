//! A part of a received packet, which may have been cut.

/// A part of a received packet. Its end is where headers say that it is: in a capture that was cut, behind
/// the last byte that there is.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "in a signature of the sealed `Protocol`")]
pub struct View<'a> {
    packet: &'a [u8],
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl<'a> View<'a> {
    /// A packet that is all there.
    pub(crate) const fn whole(packet: &'a [u8]) -> Self {
        Self { packet, start: 0, end: packet.len() }
    }

    /// The first bytes of a packet that had `wire_len`, or all of it.
    pub(crate) const fn captured(packet: &'a [u8], wire_len: usize) -> Self {
        Self { end: if wire_len > packet.len() { wire_len } else { packet.len() }, ..Self::whole(packet) }
    }

    /// Of the part what is there.
    pub(crate) fn there(self) -> Self {
        let len = self.packet.len();
        Self { start: self.start.min(len), end: self.end.min(len), ..self }
    }

    /// What is there of a part that was cut before it was sent, nobody knows where: no header says too much.
    pub(crate) fn cut(self) -> Self {
        let packet = self.packet.get(..self.there().end).unwrap_or_default();
        Self { packet, end: UNKNOWN, ..self }
    }

    /// Length that the part had before a capture cut it; where nobody knows, that of what is there.
    pub(crate) fn wire_len(&self) -> usize {
        if self.end == UNKNOWN { self.bytes().len() } else { self.len() }
    }

    /// The bytes that are there.
    #[inline]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.packet.get(self.start..self.end.min(self.packet.len())).unwrap_or_default()
    }

    /// Length that the part has, or had before the packet was cut.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether all of it is there.
    #[inline]
    pub(crate) const fn is_complete(&self) -> bool {
        self.end <= self.packet.len()
    }

    /// The part behind its first `n` bytes.
    #[inline]
    pub(crate) const fn skip(self, n: usize) -> Self {
        Self { start: self.start.saturating_add(n), ..self }
    }

    /// The first `n` bytes of the part, which has as many.
    #[inline]
    pub(crate) const fn take(self, n: usize) -> Self {
        Self { end: self.start.saturating_add(n), ..self }
    }

    /// The part that `rest`, a tail of its bytes, begins.
    #[inline]
    pub(crate) fn skip_to(self, rest: &[u8]) -> Self {
        self.skip(self.bytes().len().saturating_sub(rest.len()))
    }
}

/// Where a part ends that was cut before it was sent.
const UNKNOWN: usize = usize::MAX;
