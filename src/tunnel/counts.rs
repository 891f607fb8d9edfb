//! A counter for each reason of a kind.

use core::{fmt, marker::PhantomData, ops::AddAssign};

use super::DropReason;

/// What is counted one by one.
pub(crate) trait Reason: Copy + fmt::Debug + 'static {
    const ALL: &'static [Self];

    /// Its place in the list.
    fn index(self) -> usize;
}

impl Reason for DropReason {
    const ALL: &'static [Self] = Self::ALL;

    fn index(self) -> usize {
        self as usize
    }
}

/// A counter for each of `N` reasons.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Counts<R, const N: usize>([u64; N], PhantomData<R>);

impl<R: Reason, const N: usize> Counts<R, N> {
    pub(crate) const NONE: Self = Self([0; N], PhantomData);

    pub(crate) fn of(&self, reason: R) -> u64 {
        self.0.get(reason.index()).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, reason: R, count: u64) {
        if let Some(counter) = self.0.get_mut(reason.index()) {
            *counter = counter.wrapping_add(count);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (R, u64)> + '_ {
        R::ALL.iter().copied().zip(self.0).filter(|&(_, count)| count > 0)
    }
}

impl<R: Reason, const N: usize> Default for Counts<R, N> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<R: Reason, const N: usize> AddAssign for Counts<R, N> {
    fn add_assign(&mut self, other: Self) {
        other.iter().for_each(|(reason, count)| self.add(reason, count));
    }
}

impl<R: Reason, const N: usize> fmt::Debug for Counts<R, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Pairs of the reasons that occurred and their counts. Not a map: its keys would have to be texts in most formats, and
/// some reasons of decapsulation have the same names as those of the VTEP.
#[cfg(feature = "serde")]
impl<R: Reason + serde::Serialize, const N: usize> serde::Serialize for Counts<R, N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;

        let mut pairs = serializer.serialize_seq(Some(self.iter().count()))?;
        for pair in self.iter() {
            pairs.serialize_element(&pair)?;
        }
        pairs.end()
    }
}

#[cfg(feature = "serde")]
impl<'de, R: Reason + serde::Deserialize<'de>, const N: usize> serde::Deserialize<'de> for Counts<R, N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<R, const N: usize>(PhantomData<R>);

        impl<'de, R: Reason + serde::Deserialize<'de>, const N: usize> serde::de::Visitor<'de> for Visitor<R, N> {
            type Value = Counts<R, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pairs of reasons and counts")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
                let mut counts = Counts::NONE;
                while let Some((reason, count)) = pairs.next_element()? {
                    counts.add(reason, count);
                }
                Ok(counts)
            }
        }

        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use serde_test::{Token, assert_tokens};

    use super::*;

    /// Formats that write lengths ahead have to know them.
    #[test]
    fn counts_have_a_length() {
        let mut counts = Counts::<DropReason, { DropReason::ALL.len() }>::NONE;
        counts.add(DropReason::OtherPort, 7);
        let reason = Token::UnitVariant { name: "DropReason", variant: "OtherPort" };
        let pair = [Token::Tuple { len: 2 }, reason, Token::U64(7), Token::TupleEnd];
        assert_tokens(&counts, &[&[Token::Seq { len: Some(1) }][..], &pair, &[Token::SeqEnd]].concat());
    }
}
