//! A host behind a tunnel of the library's, whose other end is a kernel that nobody here wrote.
//!
//! ```text
//!  host -- h0 | veth | s0 -- test: encapsulation, decapsulation -- wire -- the other kernel
//! ```

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use encap::{
    Packet,
    time::Instant,
    tunnel::{
        EncapMeta, Endpoint, Inner, Protocol, Remote,
        gre::{Received, Tunnel},
    },
};

use crate::{
    Namespace, Offload, Tap, Wire,
    bytes::{self, ethernet},
    veth,
};

/// What becomes of a packet, if anything does.
pub type Way = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send>;

/// What the test does with packets: a tunnel's two directions.
pub struct Line {
    /// Whether the tunnel carries Ethernet frames, or else IP packets.
    pub ethernet: bool,
    /// Makes an outer IP packet of an inner frame or packet, if it may go.
    pub encap: Way,
    /// Takes the inner frame or packet out of an outer IP packet, if it is for this tunnel.
    pub decap: Way,
}

/// The host at one end of a line, and what moves its packets. Stopped and removed with the value.
pub struct Host {
    /// Where the host is, device `h0`.
    pub namespace: Namespace,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    _seam: Namespace,
}

/// MAC address of the host's device.
const HOST: bytes::Mac = [2, 0, 0, 0, 0x55, 1];

/// MAC address of whoever is behind a tunnel of IP packets.
const GATEWAY: bytes::Mac = [2, 0, 0, 0, 0x55, 2];

/// MAC addresses of the tunnel's ends in the underlay: ours and the other kernel's.
const UNDERLAY: [bytes::Mac; 2] = [bytes::mac(1), bytes::mac(2)];

/// Our addresses in the underlay, of which we tell the other kernel where they are.
const OURS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const OURS6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1);

/// How long threads wait before they look whether they are to stop.
const BREATH: Duration = Duration::from_millis(20);

impl Host {
    /// A host with these addresses, each with its prefix length, and the MTU of the tunnel.
    ///
    /// # Panics
    ///
    /// Without root.
    #[track_caller]
    pub fn start(
        addresses: &[&str],
        mtu: usize,
        wire: impl Wire + Send + Sync + 'static,
        line: Line,
    ) -> Self {
        let (namespace, seam) = (Namespace::new("host"), Namespace::new("seam"));
        seam.without_ipv6();
        namespace.sysctl("net/ipv6/conf/default/addr_gen_mode", "1");
        veth((&namespace, "h0"), (&seam, "s0"), Offload::None);
        namespace.ip(&format!("link set dev h0 address {} mtu {mtu}", crate::kernel::text(HOST)));
        for address in addresses {
            namespace.ip(&format!("addr add {address} dev h0 nodad"));
        }
        let tap = Arc::new(Tap::open(&seam, "s0"));
        let (wire, ethernet) = (Arc::new(wire), line.ethernet);
        let Line { mut encap, mut decap, .. } = line;
        let stop = Arc::new(AtomicBool::new(false));
        let out = {
            let (stop, tap, wire) = (stop.clone(), tap.clone(), wire.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let Some(frame) = tap.receive(BREATH) else { continue };
                    let inner = if ethernet { &frame[..] } else { frame.get(14..).unwrap_or_default() };
                    if let Some(packet) = encap(inner) {
                        wire.send(&in_frame(UNDERLAY, &packet));
                    }
                }
            })
        };
        let back = {
            let stop = stop.clone();
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let Some(frame) = wire.receive(BREATH) else { continue };
                    let mac = UNDERLAY[0];
                    let answer =
                        bytes::arp_answer(&frame, OURS, mac).or_else(|| bytes::nd_answer(&frame, OURS6, mac));
                    if let Some(answer) = answer {
                        wire.send(&answer);
                        continue;
                    }
                    match decap(frame.get(14..).unwrap_or_default()) {
                        Some(inner) if ethernet => tap.send(&inner),
                        Some(inner) => tap.send(&in_frame([GATEWAY, HOST], &inner)),
                        None => {}
                    }
                }
            })
        };
        Self { namespace, stop, threads: vec![out, back], _seam: seam }
    }

    /// Tells the host who is at the other end of a tunnel of IP packets.
    #[track_caller]
    pub fn gateway(&self, address: &str) {
        let mac = crate::kernel::text(GATEWAY);
        self.namespace.ip(&format!("neigh replace {address} lladdr {mac} dev h0 nud permanent"));
    }
}

/// An IP packet in a frame from the first to the second.
fn in_frame([from, to]: [bytes::Mac; 2], packet: &[u8]) -> Vec<u8> {
    let ethertype = if packet.first().is_some_and(|first| first >> 4 == 6) { 0x86dd } else { 0x0800 };
    ethernet(to, from, ethertype, packet)
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Two closures of one state.
pub fn line<T: Send + 'static>(
    ethernet: bool,
    state: T,
    encap: impl Fn(&mut T, &[u8]) -> Option<Vec<u8>> + Send + 'static,
    decap: impl Fn(&mut T, &[u8]) -> Option<Vec<u8>> + Send + 'static,
) -> Line {
    let state = Arc::new(Mutex::new(state));
    let other = state.clone();
    Line {
        ethernet,
        encap: Box::new(move |inner| encap(&mut state.lock().unwrap(), inner)),
        decap: Box::new(move |packet| decap(&mut other.lock().unwrap(), packet)),
    }
}

/// Room before a packet.
const ROOM: usize = 128;

/// A packet in a buffer with room before it, changed in place.
pub fn edit<T>(bytes: &[u8], edit: impl FnOnce(&mut Packet<'_>) -> Option<T>) -> Option<Vec<u8>> {
    let mut buffer = [&[0; ROOM][..], bytes].concat();
    let mut packet = Packet::new(&mut buffer, ROOM, bytes.len()).unwrap();
    edit(&mut packet).map(|_| packet.as_slice().to_vec())
}

/// The line of a GRE tunnel.
pub fn of_tunnel(ethernet: bool, tunnel: Tunnel) -> Line {
    line(
        ethernet,
        tunnel,
        |tunnel, inner| edit(inner, |packet| tunnel.encap(packet).ok()),
        |tunnel, bytes| {
            edit(bytes, |packet| match tunnel.decap(Instant::from_secs(1), packet).ok()? {
                Received::Packet(_) => Some(()),
                _ => None,
            })
        },
    )
}

/// The line of an endpoint to one of its remotes; `taken` says whether what came out is the line's own.
pub fn of_endpoint<P: Protocol + Send + 'static>(
    ethernet: bool,
    endpoint: Endpoint<P>,
    remote: Remote,
    meta: EncapMeta,
    taken: impl Fn(&Inner, &Packet<'_>) -> bool + Send + 'static,
) -> Line {
    line(
        ethernet,
        endpoint,
        move |endpoint, inner| edit(inner, |packet| endpoint.encap_with(packet, &remote, &meta).ok()),
        move |endpoint, bytes| {
            edit(bytes, |packet| {
                let inner = endpoint.decap(packet).ok()?;
                taken(&inner, packet).then_some(())
            })
        },
    )
}
