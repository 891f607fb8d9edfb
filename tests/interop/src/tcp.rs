//! A TCP transfer between namespaces, and whether everything arrived as it was sent.

use std::{
    io::{Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::Namespace;

/// A transfer that went well.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// Bytes.
    pub bytes: usize,
    /// From the connection to the last byte.
    pub took: Duration,
}

impl Transfer {
    /// Bits per second.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.took.as_secs_f64()
    }
}

/// Sends `bytes` bytes by TCP from one namespace to `address` in the other, all within `limit`, and compares what
/// arrives with what was sent.
///
/// # Errors
///
/// What went wrong.
pub fn transfer(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    bytes: usize,
    limit: Duration,
) -> Result<Transfer, String> {
    let listener = to.enter(|| TcpListener::bind(SocketAddr::new(address, 0)));
    let listener = listener.map_err(|error| format!("{address}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let end = Instant::now() + limit;
    thread::scope(|scope| {
        let receiver = scope.spawn(move || receive(&listener, end));
        let started = Instant::now();
        let sent = from.enter(|| send(address, bytes, limit));
        let received = receiver.join().map_err(|_| "the receiver panicked")?;
        let sent = sent.map_err(|error| format!("sending: {error}"))?;
        let received = received.map_err(|error| format!("receiving: {error}"))?;
        if sent != received {
            return Err(format!("{sent:?} was sent, {received:?} received"));
        }
        Ok(Transfer { bytes, took: started.elapsed() })
    })
}

/// Length and checksum (FNV-1a over words).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Sum {
    len: usize,
    sum: u64,
}

impl Sum {
    const EMPTY: Self = Self { len: 0, sum: 0xcbf2_9ce4_8422_2325 };

    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.sum = (self.sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.len += bytes.len();
    }
}

fn send(address: SocketAddr, bytes: usize, limit: Duration) -> std::io::Result<Sum> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_write_timeout(Some(limit))?;
    stream.set_read_timeout(Some(limit))?;
    let (mut sum, mut state) = (Sum::EMPTY, 1_u64);
    let mut block = [0; 16 << 10];
    while sum.len < bytes {
        for word in block.chunks_exact_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            word.copy_from_slice(&(state >> 13).to_le_bytes());
        }
        let part = &block[..block.len().min(bytes - sum.len)];
        stream.write_all(part)?;
        sum.add(part);
    }
    stream.shutdown(Shutdown::Write)?;
    // The receiver closes when it has everything.
    stream.read_to_end(&mut Vec::new())?;
    Ok(sum)
}

fn receive(listener: &TcpListener, end: Instant) -> std::io::Result<Sum> {
    listener.set_nonblocking(true)?;
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    };
    stream.set_nonblocking(false)?;
    let mut sum = Sum::EMPTY;
    let mut buffer = [0; 64 << 10];
    loop {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => return Ok(sum),
            len => sum.add(&buffer[..len]),
        }
    }
}
