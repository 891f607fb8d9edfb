//! The crate's flow hash, which it keeps to itself, written out again: so that contestants who have no such thing put
//! the same source port into their packets. That it is the same is checked with every frame of the traffic.

/// Keys of the flow hash.
#[derive(Clone, Copy, Debug)]
pub struct Keys(pub [u64; 4]);

impl Keys {
    pub fn new(seed: u64) -> Self {
        let a = mix(seed ^ 0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344);
        let b = mix(a ^ 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89);
        let c = mix(b ^ 0x4528_21e6_38d0_1377, 0xbe54_66cf_34e9_0c6c);
        let d = mix(c ^ 0xc0ac_29b7_c97c_50dd, 0x3f84_d5b5_b547_0917);
        Self([a, b, c | 1, d])
    }

    /// The hash of addresses, one behind the other, a protocol and its ports, if it has any.
    #[inline(always)]
    pub fn ipv4(&self, addresses: [u8; 8], protocol: u8, ports: [u8; 4]) -> u32 {
        self.join(u64::from_ne_bytes(addresses), transport(protocol, ports))
    }

    /// The same of what is one key already: addresses, ports, the protocol, and zeroes.
    #[inline(always)]
    pub fn key(&self, key: [u8; 16]) -> u32 {
        let [addresses, rest] = halves(key);
        self.join(addresses, rest)
    }

    #[inline(always)]
    pub fn ipv6(&self, source: [u8; 16], destination: [u8; 16], protocol: u8, ports: [u8; 4]) -> u32 {
        let [k0, k1, k2, k3] = self.0;
        let ([a, b], [c, d]) = (halves(source), halves(destination));
        self.join(mix(a ^ k0, b ^ k1) ^ mix(c ^ k2, d ^ k3).rotate_left(32), transport(protocol, ports))
    }

    /// The hash of an Ethernet header, for frames that carry no IP.
    #[inline(always)]
    pub fn ethernet(&self, header: [u8; 14]) -> u32 {
        let [k0, k1, k2, _] = self.0;
        let mut padded = [0; 16];
        padded[..14].copy_from_slice(&header);
        let [a, b] = halves(padded);
        self.join(mix(a ^ k0 ^ k2 ^ 14, b ^ k1), 0)
    }

    #[inline(always)]
    fn join(&self, a: u64, b: u64) -> u32 {
        let [k0, k1, k2, _] = self.0;
        (mix(a ^ k0, b ^ k1).wrapping_mul(k2) >> 32) as u32
    }
}

/// The source port of a hash: one of the range from 49152 to 65535, as if from memory.
#[inline(always)]
pub fn port(hash: u32, (min, max): (u16, u16)) -> u16 {
    min + ((u64::from(hash) * (u64::from(max - min) + 1)) >> 32) as u16
}

#[inline(always)]
fn transport(protocol: u8, ports: [u8; 4]) -> u64 {
    u64::from(protocol) << 32 | u64::from(u32::from_ne_bytes(ports))
}

/// Sixteen bytes as two words.
#[inline(always)]
pub fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let [a0, a1, a2, a3, a4, a5, a6, a7, b @ ..] = bytes;
    [u64::from_ne_bytes([a0, a1, a2, a3, a4, a5, a6, a7]), u64::from_ne_bytes(b)]
}

#[inline(always)]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
