//! The IPv6 flow label (RFC 6437).

use super::bounded::bounded;

bounded! {
    /// IPv6 flow label: 20 bits, zero where the source does not label flows (RFC 6437, section 2).
    FlowLabel(u32), max 0x000f_ffff
}
