//! Congestion notification across a tunnel (RFC 6040).

use crate::wire::Ecn;

/// What the outer header says of congestion when a packet goes in (RFC 6040, section 4.1).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Mode {
    /// What the inner header says: for remotes that follow RFC 6040 on the way out.
    #[default]
    Normal,
    /// Nothing: for remotes that would lose a mark. Routers then drop instead of marking.
    Compatibility,
    /// What the inner header says, except that a mark starts anew as ECT(0): RFC 3168's full
    /// functionality mode, which is what Linux does.
    Linux,
}

impl Mode {
    /// The outer code point for an inner one.
    #[inline]
    pub const fn outer(self, inner: Ecn) -> Ecn {
        match (self, inner) {
            (Self::Compatibility, _) => Ecn::NotEct,
            (Self::Linux, Ecn::Ce) => Ecn::Ect0,
            (Self::Normal | Self::Linux, _) => inner,
        }
    }

    /// In a mode that copies code points: the highest one that is copied. All below it are, too.
    pub(crate) const fn max_copied(self) -> u8 {
        match self {
            Self::Linux => Ecn::Ect0.value(),
            Self::Normal | Self::Compatibility => Ecn::Ce.value(),
        }
    }
}

/// A mode's four outer code points side by side, for packets: one shift, and nothing to decide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks(u8);

impl Marks {
    pub(crate) fn new(mode: Mode) -> Self {
        let inner = [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce];
        Self(inner.into_iter().fold(0, |all, inner| all | mode.outer(inner).value() << (2 * inner.value())))
    }

    /// The outer code point for an inner one.
    #[inline(always)]
    pub(crate) const fn outer(self, inner: Ecn) -> Ecn {
        Ecn::from_ds_field(self.0 >> (2 * inner.value()))
    }
}

/// The code point that a packet leaves the tunnel with (RFC 6040, figure 4), or `None` where it must be
/// dropped: marked on the way, but its transport would not understand the mark.
#[inline]
pub const fn decapsulate(inner: Ecn, outer: Ecn) -> Option<Ecn> {
    // Outer Not-ECT and ECT(0), by far the most frequent, change nothing.
    match (outer, inner) {
        (Ecn::NotEct | Ecn::Ect0, _) => Some(inner),
        (Ecn::Ect1, Ecn::Ect0) => Some(Ecn::Ect1),
        (Ecn::Ect1, _) => Some(inner),
        (Ecn::Ce, Ecn::NotEct) => None,
        (Ecn::Ce, _) => Some(Ecn::Ce),
    }
}

/// Whether a packet with these ECN bits keeps them ([`decapsulate`]), whose outer header has this DS field, and nobody
/// wonders about the two ([`is_suspicious`]).
#[inline(always)]
pub(crate) const fn is_kept(inner: u8, outer: u8) -> bool {
    // A shift counts by its last five bits; the fifth is one of DSCP, which is why every pair is there twice.
    KEPT.wrapping_shr((inner & 3) as u32 | (outer as u32) << 2) & 1 != 0
}

/// A bit for each pair of an outer and an inner code point, twice. It is looked up and not decided by branches, since
/// nobody can predict marks.
const KEPT: u32 = {
    let (mut kept, mut cell) = (0, 0);
    while cell < 32 {
        let (inner, outer) = (Ecn::from_ds_field(cell), Ecn::from_ds_field(cell >> 2));
        if let Some(ecn) = decapsulate(inner, outer) {
            kept |= ((ecn.value() == inner.value() && !is_suspicious(inner, outer)) as u32) << cell;
        }
        cell += 1;
    }
    kept
};

/// Whether the combination cannot come about in a tunnel that works, and is worth a line in a log: the
/// cells marked in RFC 6040, figure 4.
#[inline]
pub const fn is_suspicious(inner: Ecn, outer: Ecn) -> bool {
    matches!(
        (inner, outer),
        (Ecn::NotEct, Ecn::Ect0 | Ecn::Ect1 | Ecn::Ce) | (Ecn::Ect1, Ecn::Ect0) | (Ecn::Ce, Ecn::Ect1)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ecn::{Ce, Ect0, Ect1, NotEct};

    #[test]
    fn rfc6040_s4_1_ingress_every_cell() {
        let columns = [
            (Mode::Normal, [NotEct, Ect1, Ect0, Ce]),
            (Mode::Compatibility, [NotEct; 4]),
            (Mode::Linux, [NotEct, Ect1, Ect0, Ect0]),
        ];
        for (mode, outer) in columns {
            assert_eq!([NotEct, Ect1, Ect0, Ce].map(|inner| mode.outer(inner)), outer, "{mode:?}");
            assert_eq!(
                [NotEct, Ect1, Ect0, Ce].map(|inner| Marks::new(mode).outer(inner)),
                outer,
                "{mode:?}"
            );
        }
    }

    #[test]
    fn rfc6040_s4_2_egress_all_sixteen_cells() {
        // Columns: outer Not-ECT, ECT(0), ECT(1), CE.
        let rows = [
            (NotEct, [Some(NotEct), Some(NotEct), Some(NotEct), None]),
            (Ect0, [Some(Ect0), Some(Ect0), Some(Ect1), Some(Ce)]),
            (Ect1, [Some(Ect1), Some(Ect1), Some(Ect1), Some(Ce)]),
            (Ce, [Some(Ce), Some(Ce), Some(Ce), Some(Ce)]),
        ];
        for (inner, row) in rows {
            assert_eq!([NotEct, Ect0, Ect1, Ce].map(|outer| decapsulate(inner, outer)), row, "{inner}");
            for (outer, ecn) in [NotEct, Ect0, Ect1, Ce].into_iter().zip(row) {
                let (inner, outer_ds) = (inner.value(), 0xfc | outer.value());
                let kept = ecn.is_some_and(|ecn| ecn.value() == inner);
                let suspicious = is_suspicious(Ecn::from_ds_field(inner), outer);
                assert_eq!(is_kept(inner, outer_ds), kept && !suspicious, "{outer}");
            }
        }
    }

    #[test]
    fn rfc6040_s4_2_cells_to_log() {
        let all = [NotEct, Ect0, Ect1, Ce];
        let marked = [(NotEct, Ect0), (NotEct, Ect1), (NotEct, Ce), (Ect1, Ect0), (Ce, Ect1)];
        for inner in all {
            for outer in all {
                assert_eq!(
                    is_suspicious(inner, outer),
                    marked.contains(&(inner, outer)),
                    "{inner} in {outer}"
                );
            }
        }
    }
}
