//! VXLAN Group Based Policy (draft-smith-vxlan-group-policy-05, section 2.1): a group and two flags in bits that
//! RFC 7348 reserves.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-------------------------------+
//! |G|R|R|R|I|R|R|R|R|D|R|R|A|R|R|R|        Group Policy ID        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+---------------+---------------+
//! |          VXLAN Network Identifier (VNI)       |   Reserved    |
//! +-----------------------------------------------+---------------+
//! ```

use super::vxlan::Header;

/// The policy that goes with a frame.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct GroupPolicy {
    /// The group of the frame's sender.
    pub id: u16,
    /// The receiver must not learn the frame's source address (the D flag).
    pub dont_learn: bool,
    /// The policy was applied already, and must not be again (the A flag).
    pub applied: bool,
}

impl Header {
    /// The policy, or `None` where the G flag is clear, so that the fields mean nothing.
    #[inline]
    pub const fn group_policy(self) -> Option<GroupPolicy> {
        let [flags, more, p0, p1, ..] = self.to_bytes();
        if flags & G == 0 {
            return None;
        }
        Some(GroupPolicy {
            id: u16::from_be_bytes([p0, p1]),
            dont_learn: more & D != 0,
            applied: more & A != 0,
        })
    }

    /// The header with this policy, the G flag set.
    #[must_use]
    #[inline]
    pub const fn with_group_policy(self, policy: GroupPolicy) -> Self {
        let [flags, _, _, _, v0, v1, v2, reserved] = self.to_bytes();
        let [p0, p1] = policy.id.to_be_bytes();
        let more = if policy.dont_learn { D } else { 0 } | if policy.applied { A } else { 0 };
        Self::from_bytes(&[flags | G, more, p0, p1, v0, v1, v2, reserved])
    }
}

/// The bits that a receiver with this extension knows: G and all of the second half word, the reserved ones
/// among them included, as Linux has it. As a number, the first byte on the wire at the top.
pub const USED: u64 = 0x80ff_ffff_0000_0000;

const G: u8 = 0x80;
const D: u8 = 0x40;
const A: u8 = 0x08;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Vni;

    #[test]
    fn f_marks_as_a_running_kernel_sends_them() {
        let policy = |id, dont_learn, applied| GroupPolicy { id, dont_learn, applied };
        let plain = Header::new(Vni::truncate(42));
        for (policy, bytes) in [
            (policy(0x1234, false, false), 0x8800_1234_0000_2a00),
            (policy(5, true, true), 0x8848_0005_0000_2a00),
            (policy(0xffff, true, true), 0x8848_ffff_0000_2a00),
            (policy(0, true, false), 0x8840_0000_0000_2a00),
            (policy(0, false, false), 0x8800_0000_0000_2a00_u64),
        ] {
            let header = plain.with_group_policy(policy);
            assert_eq!(header.to_bytes(), bytes.to_be_bytes());
            assert_eq!((header.group_policy(), header.vni()), (Some(policy), Some(Vni::truncate(42))));
        }
        assert_eq!(plain.group_policy(), None);
    }

    #[test]
    fn gbp_s2_1_every_flag_byte() {
        for byte in 0..=u8::MAX {
            let flags = Header::from_bytes(&[byte, 0xff, 1, 2, 0, 0, 0, 0]);
            assert_eq!(flags.group_policy().is_some(), byte & 0x80 != 0);
            let more = Header::from_bytes(&[0x88, byte, 1, 2, 0, 0, 0, 0]).group_policy().unwrap();
            assert_eq!((more.dont_learn, more.applied), (byte & 0x40 != 0, byte & 0x08 != 0));
        }
    }
}
