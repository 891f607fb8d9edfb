//! New captures, which Wireshark opens: pcapng where the name ends in it, else pcap.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use encap::wire::{EtherType, MacAddr, ethernet};

/// A capture that is being written.
pub(crate) struct CaptureWriter {
    out: BufWriter<File>,
    /// The link type of all packets of a pcap file; `None` for pcapng, where each has its own.
    only: Option<Link>,
}

/// What the packets of a capture start with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Link {
    Ethernet,
    Ip,
}

impl Link {
    const fn number(self) -> u32 {
        match self {
            Self::Ethernet => 1,
            Self::Ip => 101,
        }
    }
}

impl CaptureWriter {
    /// A new file, which must not be `input`. `link` is for all packets of a pcap file: one of Ethernet also
    /// takes IP packets, behind an Ethernet header whose addresses are zero.
    pub(crate) fn create(path: &Path, input: Option<&Path>, link: Link) -> Result<Self, String> {
        if identity(path).is_some_and(|file| Some(file) == input.and_then(identity)) {
            return Err(format!("{} would be overwritten while it is read", path.display()));
        }
        Self::new(path, link).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn new(path: &Path, link: Link) -> io::Result<Self> {
        let is_pcapng = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pcapng"));
        let mut writer = Self {
            out: BufWriter::new(File::create(path)?),
            only: if is_pcapng { None } else { Some(link) },
        };
        if is_pcapng {
            // Section header: version 1.0, length unknown.
            writer.block(0x0a0d_0d0a, &[&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0], &[0xff; 8]])?;
            for link in [Link::Ethernet, Link::Ip] {
                // Interface description, with the option that times are in nanoseconds.
                let options = [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
                writer.block(1, &[&link.number().to_le_bytes(), &SNAP_LEN.to_le_bytes(), &options])?;
            }
        } else {
            let version = 2 | 4 << 16;
            writer.words(&[0xa1b2_c3d4, version, 0, 0, SNAP_LEN, link.number()])?;
        }
        Ok(writer)
    }

    /// Adds what was captured of a packet of `wire_len` bytes; `protocol` is [`EtherType::TEB`] for an
    /// Ethernet frame, else what the frame's EtherType would be. False where the file cannot have such a
    /// packet.
    pub(crate) fn write(
        &mut self,
        time: u64,
        protocol: EtherType,
        packet: &[u8],
        wire_len: usize,
    ) -> io::Result<bool> {
        let is_ip = matches!(protocol, EtherType::IPV4 | EtherType::IPV6);
        let link = match self.only {
            None | Some(Link::Ip) if is_ip => Link::Ip,
            Some(Link::Ip) => return Ok(false),
            _ if protocol == EtherType::TEB || protocol.0 >= FIRST_ETHERTYPE => Link::Ethernet,
            _ => return Ok(false),
        };
        let (mut packet, mut wire_len) = (Cow::Borrowed(packet), wire_len);
        if link == Link::Ethernet && protocol != EtherType::TEB {
            let zero = MacAddr([0; 6]);
            let header = ethernet::Header { destination: zero, source: zero, ethertype: protocol };
            packet = [&header.to_bytes(), &*packet].concat().into();
            wire_len += ethernet::Header::LEN;
        }
        // Wireshark takes longer packets for damage.
        let data = packet.get(..SNAP_LEN as usize).unwrap_or(&packet);
        let (len, wire_len) = (data.len() as u32, u32::try_from(wire_len).unwrap_or(u32::MAX));
        if self.only.is_some() {
            let (seconds, microseconds) = (time / 1_000_000_000, time % 1_000_000_000 / 1000);
            self.words(&[seconds as u32, microseconds as u32, len, wire_len])?;
            self.out.write_all(data)?;
        } else {
            let interface = u32::from(link == Link::Ip);
            let words = [interface, (time >> 32) as u32, time as u32, len, wire_len].map(u32::to_le_bytes);
            self.block(6, &[words.as_flattened(), data])?;
        }
        Ok(true)
    }

    /// Writes what is still in memory. Without it the file may lack its end.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn block(&mut self, kind: u32, parts: &[&[u8]]) -> io::Result<()> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let padding = len.wrapping_neg() % 4;
        let total = (len + padding + 12) as u32;
        self.words(&[kind, total])?;
        for part in parts {
            self.out.write_all(part)?;
        }
        self.out.write_all([0; 3].get(..padding).unwrap_or_default())?;
        self.words(&[total])
    }

    fn words(&mut self, words: &[u32]) -> io::Result<()> {
        words.iter().try_for_each(|word| self.out.write_all(&word.to_le_bytes()))
    }
}

/// What all names of a file have in common, if there is one: device and number.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<std::path::PathBuf> {
    path.canonicalize().ok()
}

const SNAP_LEN: u32 = 262_144;
/// Smaller numbers in the field are lengths.
const FIRST_ETHERTYPE: u16 = 0x0600;
