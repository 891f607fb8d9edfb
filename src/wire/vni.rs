//! The 24 bits that name an overlay segment.

use super::bounded::bounded;

bounded! {
    /// Virtual Network Identifier: 24 bits that name one overlay segment.
    ///
    /// Zero is legal on the wire: RFC 7348, section 5, excludes no value.
    ///
    /// ```
    /// use encap::wire::Vni;
    ///
    /// const TENANT: Vni = Vni::new(42).unwrap();
    /// assert_eq!(TENANT.value(), 42);
    /// assert_eq!(Vni::new(0x0100_0000), None);
    /// ```
    Vni(u32), max 0x00ff_ffff
}
