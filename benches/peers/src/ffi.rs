//! The contestants in C; the only file with `unsafe` in it, since a call into another language is that.
//!
//! Each function checks what its counterpart in C takes for granted: lengths that agree, and pointers into memory
//! that lives as long as they do.
#![allow(unsafe_code, reason = "this is the file for it")]

use encap::tunnel;

use crate::traffic::Frames;

/// A packet in a buffer, as `encap::Packet`; the buffer is leaked, so that it lives as long as the program.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Packet {
    buffer: *mut u8,
    size: usize,
    pub head: usize,
    pub tail: usize,
}

impl Packet {
    pub fn new(buffer: &'static mut [u8], head: usize, len: usize) -> Self {
        assert!(head + len <= buffer.len());
        Self { size: buffer.len(), buffer: buffer.as_mut_ptr(), head, tail: head + len }
    }

    /// The packet's bytes.
    pub fn bytes(&self) -> &[u8] {
        assert!(self.head <= self.tail && self.tail <= self.size);
        // SAFETY: `new` took the buffer for good, and nothing else has it.
        unsafe { std::slice::from_raw_parts(self.buffer.add(self.head), self.tail - self.head) }
    }

    /// As many bytes as the packet has, written over.
    pub fn write(&mut self, bytes: &[u8]) {
        assert!(self.head <= self.tail && self.tail <= self.size && bytes.len() == self.tail - self.head);
        // SAFETY: as above, and `bytes` is not part of the buffer, which nobody else has.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.buffer.add(self.head), bytes.len()) }
    }
}

/// The packets of some frames, `start` bytes into buffers of their own.
pub fn packets(frames: &Frames, start: usize) -> Vec<Packet> {
    let buffers = frames.buffers.clone().leak().iter_mut().zip(&frames.lens);
    buffers.map(|(buffer, &len)| Packet::new(&mut buffer.0, start, len)).collect()
}

/// A remote of the twin's: what `encap::tunnel::Remote` has.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Remote {
    ipv4_sum: u16,
    udp_sum: u16,
    max_inner: u16,
    ip: u8,
    l3: u8,
    tunnel: u8,
    auto_ttl: u8,
    ds_field: u8,
    header_len: u8,
    header: [u8; 128],
}

impl Remote {
    pub fn new(remote: &tunnel::Remote) -> Self {
        let mut bytes = [0; tunnel::Remote::FACTS + 128];
        let len = remote.to_bytes(&mut bytes).unwrap();
        let (facts, rest) = bytes.split_first_chunk::<{ tunnel::Remote::FACTS }>().unwrap();
        let [i0, i1, u0, u1, ip, l3, tunnel, auto_ttl, _, _, m0, m1] = *facts;
        Self {
            ipv4_sum: u16::from_be_bytes([i0, i1]),
            udp_sum: u16::from_be_bytes([u0, u1]),
            max_inner: u16::from_be_bytes([m0, m1]),
            ip,
            l3,
            tunnel,
            auto_ttl,
            // The twin sends over IPv4 only.
            ds_field: rest[usize::from(l3) + 1],
            header_len: (len - tunnel::Remote::FACTS) as u8,
            header: *rest.first_chunk().unwrap(),
        }
    }
}

/// An endpoint of the twin's.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Endpoint {
    pub keys: [u64; 4],
    /// The four bytes as they stand in the packet.
    pub local: u32,
    pub port_min: u16,
    pub port_max: u16,
    pub port: u16,
    pub ecn_mode: u8,
    pub varies: u8,
    pub udp_checksum: u8,
    pub group_policy: u8,
    pub fatal: u64,
    pub reserved_bits: u64,
}

/// What is known of a packet.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Meta {
    pub hash: u32,
    pub has_hash: u32,
    pub vni: u32,
    pub has_vni: u32,
    pub inner_checksum: u32,
    pub start: u32,
    pub offset: u32,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Plan<'a> {
    pub remote: &'a Remote,
    pub meta: Meta,
}

/// What is known of a packet that arrived.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Known {
    pub has_outer: u8,
    pub udp_checksum_verified: u8,
}

/// What came out of a packet.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Inner {
    pub vxlan: u64,
    pub source: u32,
    pub destination: u32,
    pub source_port: u16,
    pub destination_port: u16,
    pub protocol: u16,
    pub vlan: u16,
    pub ttl: u8,
    pub ds_field: u8,
    pub udp_checksum: u8,
    /// Zero where it was taken.
    pub reason: u8,
    pub stripped: u32,
}

/// A flow's key: eight bytes of addresses, four of ports, the protocol and zeroes.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Key(pub [u8; 16]);

/// Words of the set of known VNIs.
pub const KNOWN: usize = 1 << 18;

mod c {
    use super::{Endpoint, Inner, Known, Packet, Plan};

    unsafe extern "C" {
        pub(super) fn twin_flow_hash(keys: *const u64, frame: *const u8, len: usize) -> u32;
        pub(super) fn twin_encap(
            endpoint: *const Endpoint,
            packets: *mut Packet,
            plan: *const Plan<'_>,
            results: *mut u8,
            n: usize,
        ) -> usize;
        pub(super) fn twin_decap(
            endpoint: *const Endpoint,
            packets: *mut Packet,
            metas: *const Known,
            results: *mut Inner,
            vnis: *const u64,
            n: usize,
        ) -> usize;
    }
}

pub fn twin_flow_hash(keys: &[u64; 4], frame: &[u8]) -> u32 {
    // SAFETY: four keys, and as many bytes as are said.
    unsafe { c::twin_flow_hash(keys.as_ptr(), frame.as_ptr(), frame.len()) }
}

/// Encapsulates a burst; answers how many were.
pub fn twin_encap(
    endpoint: &Endpoint,
    packets: &mut [Packet],
    plan: &[Plan<'_>],
    results: &mut [u8],
) -> usize {
    let n = packets.len();
    assert!(plan.len() == n && results.len() == n);
    // SAFETY: three slices of `n` each, and packets that lie in their buffers.
    unsafe { c::twin_encap(endpoint, packets.as_mut_ptr(), plan.as_ptr(), results.as_mut_ptr(), n) }
}

/// Decapsulates a burst; answers how many were, and are of a known VNI.
pub fn twin_decap(
    endpoint: &Endpoint,
    packets: &mut [Packet],
    metas: &[Known],
    results: &mut [Inner],
    vnis: &[u64; KNOWN],
) -> usize {
    let n = packets.len();
    assert!(metas.len() == n && results.len() == n);
    let (packets, results) = (packets.as_mut_ptr(), results.as_mut_ptr());
    // SAFETY: three slices of `n` each, packets that lie in their buffers, and a bit for every VNI.
    unsafe { c::twin_decap(endpoint, packets, metas.as_ptr(), results, vnis.as_ptr(), n) }
}

#[cfg(dpdk)]
pub mod dpdk {
    //! DPDK, where it is installed.

    use std::{
        ffi::{CString, c_char, c_int},
        sync::OnceLock,
    };

    use super::{Key, Packet};

    mod c {
        use super::{Key, Packet, Tunnel, c_char, c_int};

        #[repr(C)]
        pub(super) struct Table {
            _private: [u8; 0],
        }

        unsafe extern "C" {
            pub(super) fn dpdk_init(prefix: *const c_char, huge: c_int) -> c_int;
            pub(super) fn dpdk_raw_cksum(packets: *const *const u8, len: usize, sums: *mut u16, n: usize);
            pub(super) fn dpdk_ipv4_cksum(packets: *const *const u8, sums: *mut u16, n: usize);
            pub(super) fn dpdk_jhash(keys: *const Key, seed: u32, hashes: *mut u32, n: usize);
            pub(super) fn dpdk_table(name: *const c_char, entries: u32) -> *mut Table;
            pub(super) fn dpdk_add(table: *const Table, key: u64, value: u32) -> c_int;
            pub(super) fn dpdk_get(table: *const Table, key: u64) -> i64;
            pub(super) fn dpdk_lookup_bulk(table: *const Table, keys: *const u64, n: usize) -> usize;
            pub(super) fn dpdk_lookup_single(table: *const Table, keys: *const u64, n: usize) -> usize;
            pub(super) fn dpdk_free(table: *mut Table);
            pub(super) fn dpdk_tep_encap(packets: *mut Packet, tunnels: *const &Tunnel, n: usize) -> usize;
            pub(super) fn dpdk_tep_decap(packets: *mut Packet, vnis: *mut u32, n: usize) -> usize;
        }
    }

    /// Starts DPDK, once; whether that worked. It binds this thread to a processor of its own choice.
    pub fn start(huge: bool) -> bool {
        static STARTED: OnceLock<bool> = OnceLock::new();
        *STARTED.get_or_init(|| {
            let name = format!("encap-peers-{}", std::process::id());
            let prefix = CString::new(name.as_str()).unwrap();
            // SAFETY: a string that ends, and nothing that other threads use.
            let started = unsafe { c::dpdk_init(prefix.as_ptr(), huge.into()) >= 0 };
            // Its folder, which it leaves behind, is empty: no other process shares anything.
            let _ = std::fs::remove_dir_all(format!("/var/run/dpdk/{name}"));
            started
        })
    }

    /// Packets of one length, to be summed.
    pub struct Summed {
        packets: Vec<*const u8>,
        len: usize,
    }

    impl Summed {
        pub fn new(packets: impl Iterator<Item = &'static [u8]>, len: usize) -> Self {
            let pointer = |packet: &'static [u8]| {
                assert!(packet.len() >= len);
                packet.as_ptr()
            };
            Self { packets: packets.map(pointer).collect(), len }
        }

        pub fn raw(&self, sums: &mut [u16]) {
            assert_eq!(sums.len(), self.packets.len());
            // SAFETY: every packet has `len` bytes and lives for ever.
            unsafe { c::dpdk_raw_cksum(self.packets.as_ptr(), self.len, sums.as_mut_ptr(), sums.len()) }
        }

        pub fn ipv4(&self, sums: &mut [u16]) {
            assert!(sums.len() == self.packets.len() && self.len >= 20);
            // SAFETY: every packet has an IPv4 header's bytes and lives for ever.
            unsafe { c::dpdk_ipv4_cksum(self.packets.as_ptr(), sums.as_mut_ptr(), sums.len()) }
        }
    }

    pub fn jhash(keys: &[Key], seed: u32, hashes: &mut [u32]) {
        assert_eq!(keys.len(), hashes.len());
        // SAFETY: two slices of one length.
        unsafe { c::dpdk_jhash(keys.as_ptr(), seed, hashes.as_mut_ptr(), keys.len()) }
    }

    /// An `rte_hash` whose readers take no lock.
    pub struct Table(*mut c::Table);

    impl Table {
        pub fn new(name: &str, entries: u32) -> Option<Self> {
            let name = CString::new(name).unwrap();
            // SAFETY: a string that ends.
            let table = unsafe { c::dpdk_table(name.as_ptr(), entries) };
            (!table.is_null()).then_some(Self(table))
        }

        /// Whether there was room. One writer at a time, which `&mut` sees to.
        pub fn add(&mut self, key: u64, value: u32) -> bool {
            // SAFETY: the table lives until it is dropped.
            unsafe { c::dpdk_add(self.0, key, value) == 0 }
        }

        pub fn get(&self, key: u64) -> Option<u32> {
            // SAFETY: the table lives until it is dropped.
            u32::try_from(unsafe { c::dpdk_get(self.0, key) }).ok()
        }

        /// How many of the keys are known, looked up 32 at a time.
        pub fn bulk(&self, keys: &[u64]) -> usize {
            // SAFETY: the table lives until it is dropped, and so many keys are there.
            unsafe { c::dpdk_lookup_bulk(self.0, keys.as_ptr(), keys.len()) }
        }

        /// The same one at a time.
        pub fn single(&self, keys: &[u64]) -> usize {
            // SAFETY: the table lives until it is dropped, and so many keys are there.
            unsafe { c::dpdk_lookup_single(self.0, keys.as_ptr(), keys.len()) }
        }
    }

    impl Drop for Table {
        fn drop(&mut self) {
            // SAFETY: nobody has it any more.
            unsafe { c::dpdk_free(self.0) }
        }
    }

    /// A tunnel of the example: headers that every packet gets.
    #[derive(Clone, Copy, Debug)]
    #[repr(C, packed)]
    pub struct Tunnel {
        pub ethernet_and_ip: [u8; 34],
        pub vni: [u8; 4],
    }

    pub fn tep_encap(packets: &mut [Packet], tunnels: &[&Tunnel]) -> usize {
        assert_eq!(packets.len(), tunnels.len());
        assert!(packets.iter().all(|packet| packet.head >= 50 && packet.tail - packet.head >= 14));
        // SAFETY: two slices of one length, and 50 bytes before every frame.
        unsafe { c::dpdk_tep_encap(packets.as_mut_ptr(), tunnels.as_ptr(), packets.len()) }
    }

    pub fn tep_decap(packets: &mut [Packet], vnis: &mut [u32]) -> usize {
        assert_eq!(packets.len(), vnis.len());
        assert!(packets.iter().all(|packet| packet.tail - packet.head >= 50));
        // SAFETY: two slices of one length, and 50 bytes in every packet.
        unsafe { c::dpdk_tep_decap(packets.as_mut_ptr(), vnis.as_mut_ptr(), packets.len()) }
    }
}

/// Starts what of the contestants has to be started, where it is there.
pub fn start(huge: bool) {
    #[cfg(dpdk)]
    if !dpdk::start(huge) {
        panic!("DPDK is installed, but does not start");
    }
    let _ = huge;
}
