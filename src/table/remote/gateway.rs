//! The MAC addresses of the gateways, one for each family: the next hop of all remotes that are not on the link.

use core::sync::atomic::Ordering::{Acquire, Release};

use super::{super::line::AtomicU32, Remotes};
use crate::wire::MacAddr;

impl Remotes<'_> {
    /// The MAC address of the gateway to remotes of this family that are not on the link, where it is known.
    pub fn gateway(&self, ipv6: bool) -> Option<MacAddr> {
        let (first, last) = self.words_of_gateway(ipv6);
        let (high, low) = (first.load(Acquire), last.load(Acquire));
        let ([a, b, c, d], [_, _, e, f]) = (high.to_be_bytes(), low.to_be_bytes());
        // A half of one address and a half of another, which is just being written: as good as not known yet.
        let whole = low >> 16 == check(high, low & 0xffff);
        let mac = MacAddr([a, b, c, d, e, f]);
        (whole && mac != MacAddr::ZERO).then_some(mac)
    }

    /// Sets the MAC address of the gateway to remotes of this family that are not on the link.
    pub fn set_gateway(&self, ipv6: bool, mac: Option<MacAddr>) {
        let [a, b, c, d, e, f] = mac.unwrap_or(MacAddr::ZERO).0;
        let (high, low) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([0, 0, e, f]));
        let (first, last) = self.words_of_gateway(ipv6);
        first.store(high, Release);
        last.store(low | check(high, low) << 16, Release);
    }

    fn words_of_gateway(&self, ipv6: bool) -> (&AtomicU32, &AtomicU32) {
        match ipv6 {
            false => (self.meta.gateway_high(), self.meta.gateway_low()),
            true => (self.meta.gateway6_high(), self.meta.gateway6_low()),
        }
    }
}

/// Sixteen bits that tell whether two halves belong together.
const fn check(high: u32, low: u32) -> u32 {
    let mixed = (high ^ low.rotate_left(16)).wrapping_mul(0x9e37_79b1);
    (mixed >> 16 ^ mixed) & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_two_addresses_are_told_apart() {
        let words = |mac: u64| (((mac >> 16) & 0xffff_ffff) as u32, (mac & 0xffff) as u32);
        let mut wrong = 0;
        for number in 0..100_000u64 {
            let [one, other] =
                [number, number + 1].map(|n| words(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xffff_ffff_ffff));
            wrong += u32::from(check(one.0, other.1) == check(other.0, other.1));
        }
        assert!(wrong < 20, "{wrong} of 100,000");
        assert_eq!(check(0, 0), 0, "what is new says that nothing is known");
    }
}
