//! A TUN or TAP device, which is there as long as the program runs.

use std::{
    io::{self, ErrorKind, IoSlice},
    os::fd::{AsFd, BorrowedFd},
};

use encap::wire::MacAddr;
use nix::{libc, net::if_::if_nametoindex};
use tun_rs::{DeviceBuilder, SyncDevice};

use crate::virtio;

/// What a device carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layer {
    /// IP packets: TUN.
    Ip,
    /// Ethernet frames: TAP.
    Ethernet,
}

/// What a device is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name; with `%d` in it, or empty, the kernel finds a number, or a name.
    pub name: String,
    /// What it carries.
    pub layer: Layer,
    /// Its MTU in bytes.
    pub mtu: u16,
    /// Its MAC address; the kernel chooses one where there is none. A TUN device has no such thing.
    pub mac: Option<MacAddr>,
    /// Whether packets have a virtio header of [`Device::VNET_HEADER`] bytes before them, and may be larger than the
    /// MTU, with checksums that nobody has computed yet.
    pub offload: bool,
}

impl Settings {
    /// A device with the MTU of Ethernet, and nothing else special.
    pub fn new(name: &str, layer: Layer) -> Self {
        Self { name: name.to_owned(), layer, mtu: 1_500, mac: None, offload: false }
    }

    /// What the kernel means where it calls a device invalid that it has under this name.
    fn explain(&self, error: io::Error) -> io::Error {
        if error.raw_os_error() != Some(libc::EINVAL) || if_nametoindex(&*self.name).is_err() {
            return error;
        }
        let kind = match self.layer {
            Layer::Ip => "TUN",
            Layer::Ethernet => "TAP",
        };
        io::Error::new(
            error.kind(),
            format!(
                "{error}: a device of this name is there, and is no {kind} device, or one of several queues"
            ),
        )
    }
}

/// A TUN or TAP device that is up. It can be used by several threads.
#[expect(missing_debug_implementations, reason = "tun-rs has none for its devices")]
pub struct Device {
    inner: SyncDevice,
    settings: Settings,
}

impl Device {
    /// Bytes of the virtio header before packets, where [`Settings::offload`] asks for one.
    pub const VNET_HEADER: usize = virtio::Header::LEN;

    /// Makes the device, and sets it up.
    ///
    /// # Errors
    ///
    /// The kernel's: without privileges, for a name that is taken or too long, for an MTU out of bounds.
    pub fn create(settings: &Settings) -> io::Result<Self> {
        let layer = match settings.layer {
            Layer::Ip => tun_rs::Layer::L3,
            Layer::Ethernet => tun_rs::Layer::L2,
        };
        let mut builder = DeviceBuilder::new()
            .name(settings.name.as_str())
            .layer(layer)
            .mtu(settings.mtu)
            .offload(settings.offload)
            .enable(true);
        if let Some(MacAddr(mac)) = settings.mac {
            builder = builder.mac_addr(mac);
        }
        let inner = builder.build_sync().map_err(|error| settings.explain(error))?;
        inner.set_nonblocking(true)?;
        let settings = Settings { name: inner.name()?, ..settings.clone() };
        Ok(Self { inner, settings })
    }

    /// Its name, as the kernel has it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What it carries.
    pub const fn layer(&self) -> Layer {
        self.settings.layer
    }

    /// Whether its packets have virtio headers.
    pub const fn has_offload(&self) -> bool {
        self.settings.offload
    }

    /// Its MAC address, for a TAP device.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn mac(&self) -> io::Result<MacAddr> {
        self.inner.mac_address().map(MacAddr)
    }

    /// Reads one packet to the front of `buffer`, and answers its length; `None` where there is none now.
    ///
    /// # Errors
    ///
    /// The kernel's, with the device's name: it is gone, or was set down.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.inner.recv(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(io::Error::new(error.kind(), format!("device {}: {error}", self.name()))),
        }
    }

    /// Writes one packet, in parts, with a virtio header before it where there is offload.
    ///
    /// # Errors
    ///
    /// The kernel's: the device is down, or the packet is none.
    pub fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.inner.send_vectored(parts).map(drop)
    }

    /// Writes one whole packet, about which nothing is to be said.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub fn deliver(&self, packet: &[u8]) -> io::Result<()> {
        let header: &[u8] = if self.settings.offload { &[0; Self::VNET_HEADER] } else { &[] };
        self.write(&[IoSlice::new(header), IoSlice::new(packet)])
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
