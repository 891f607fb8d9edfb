//! What is known of whether a neighbour is there (RFC 4861, section 7.3.2), with the words of `ip neigh`.

use core::fmt;

/// The state of a neighbour.
///
/// | state | `ip neigh` | ages | has a MAC | a proxy answers for it |
/// |---|---|---|---|---|
/// | permanent | `PERMANENT` | no | yes | yes |
/// | no-ARP | `NOARP` | no | yes | yes |
/// | reachable | `REACHABLE` | yes | yes | yes |
/// | stale | `STALE` | yes | yes | to suppress flooding |
/// | delay | `DELAY` | yes | yes | to suppress flooding |
/// | probe | `PROBE` | yes | yes | to suppress flooding |
/// | incomplete | `INCOMPLETE` | yes | no | no |
/// | failed | `FAILED` | yes | no | no |
///
/// Nobody here asks whether a neighbour is there: the states of those who do are kept for them, and what is
/// reachable becomes stale by itself.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum NeighborState {
    /// Somebody's order, for ever.
    #[default]
    Permanent,
    /// Somebody's order: nobody need ask whether it is true.
    NoArp,
    /// It was heard of lately.
    Reachable,
    /// It was heard of, but not lately, or not in answer to a question.
    Stale,
    /// A packet was sent to it while it was stale.
    Delay,
    /// It is being asked.
    Probe,
    /// It is being asked, and was never heard of.
    Incomplete,
    /// It was asked, and did not answer.
    Failed,
}

impl NeighborState {
    /// Whether a neighbour of this state goes when it is not confirmed for the ageing time, and whether learning
    /// may change it.
    pub const fn ages(self) -> bool {
        !matches!(self, Self::Permanent | Self::NoArp)
    }

    /// Whether the kernel's proxies answer for a neighbour of this state (`vxlan`'s `proxy`).
    pub const fn answers(self) -> bool {
        matches!(self, Self::Permanent | Self::NoArp | Self::Reachable)
    }

    /// Whether its MAC address holds, as far as anybody knows: what a bridge port with `neigh_suppress` answers.
    pub const fn is_valid(self) -> bool {
        !matches!(self, Self::Incomplete | Self::Failed)
    }

    pub(super) const fn to_bits(self) -> u32 {
        match self {
            Self::Permanent => 0,
            Self::NoArp => 1,
            Self::Reachable => 2,
            Self::Stale => 3,
            Self::Delay => 4,
            Self::Probe => 5,
            Self::Incomplete => 6,
            Self::Failed => 7,
        }
    }

    /// The state of the lowest three bits.
    pub(super) const fn from_bits(bits: u32) -> Self {
        match bits & 7 {
            0 => Self::Permanent,
            1 => Self::NoArp,
            2 => Self::Reachable,
            3 => Self::Stale,
            4 => Self::Delay,
            5 => Self::Probe,
            6 => Self::Incomplete,
            _ => Self::Failed,
        }
    }
}

/// As `ip neigh` prints it.
impl fmt::Display for NeighborState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Permanent => "PERMANENT",
            Self::NoArp => "NOARP",
            Self::Reachable => "REACHABLE",
            Self::Stale => "STALE",
            Self::Delay => "DELAY",
            Self::Probe => "PROBE",
            Self::Incomplete => "INCOMPLETE",
            Self::Failed => "FAILED",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bits_are_a_state_of_their_own() {
        for bits in 0..8 {
            assert_eq!(NeighborState::from_bits(bits).to_bits(), bits);
        }
    }
}
