//! The kernel's tables, kept in ours: what a control plane tells the kernel holds here too, at once.

#[cfg(test)]
mod tests;

use std::{
    io,
    net::IpAddr,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

use encap::{
    table::{Destination, Error, NeighborState, NewEntry, NewNeighbor, Remote},
    wire::{MacAddr, Vni},
};
use encap_linux::{
    Waiter, kind,
    neighbors::{Kind, Neighbor, Neighbors, State, Told},
    tell,
};

use nix::net::if_::if_nametoindex;

use crate::{
    known::Known,
    outbound::Ends,
    ports::{Carries, Port},
    segments, tables,
};

/// The thread that mirrors.
pub(crate) struct Mirror<'a> {
    ends: Ends<'a>,
    /// Number of the vxlan device whose entries are mirrored.
    entries: u32,
    /// Number of the device whose neighbours are: that of the segment's router, as a rule.
    neighbors: Option<u32>,
    /// The one segment of devices that have no more.
    segment: Option<Vni>,
    kernel: Neighbors,
    /// What was told, and in which round last.
    known: Known,
    round: u32,
    /// The question that is not answered yet, and whether it is about entries.
    pending: Option<(u32, bool)>,
    /// Whether changes were lost since this round began: another one follows it.
    lost: bool,
}

impl<'a> Mirror<'a> {
    /// Listens, and asks for all that there is.
    ///
    /// # Errors
    ///
    /// The kernel's; a device is not there, or has no entries of tunnels.
    pub(crate) fn new(ends: Ends<'a>, entries: &str, neighbors: Option<&str>) -> io::Result<Self> {
        let number =
            |name: &str| if_nametoindex(name).map_err(|error| io::Error::other(format!("{name}: {error}")));
        let vxlan = number(entries)?;
        // Where the answer cannot be read, the kernel is a newer one than who reads it.
        if matches!(kind::is_vxlan(vxlan), Ok(false)) {
            return Err(io::Error::other(format!(
                "--mirror {entries}: it is no vxlan device of the kernel's"
            )));
        }
        let segment = match ends.ports {
            [Port { carries: Carries::Segment(only), .. }] => Some(*only),
            _ => None,
        };
        let mut known = Known::default();
        // What the command line says stays.
        for (remote, _) in ends.vtep.remotes().iter() {
            known.lead(remote.into());
        }
        let mut mirror = Self {
            ends,
            entries: vxlan,
            neighbors: neighbors.map(number).transpose()?,
            segment,
            kernel: Neighbors::open()?,
            known,
            round: 0,
            pending: None,
            lost: false,
        };
        mirror.start_round()?;
        Ok(mirror)
    }

    /// Mirrors until `stop` is closed.
    pub(crate) fn run(mut self, stop: &UnixStream) -> io::Result<()> {
        loop {
            let fds: [BorrowedFd<'_>; 2] = [stop.as_fd(), self.kernel.as_fd()];
            let mut waiter = Waiter::new(fds);
            waiter.wait(None)?;
            if waiter.is_ready(0) {
                return Ok(());
            }
            self.turn()?;
        }
    }

    /// Takes what the kernel says, and asks again for what was lost.
    fn turn(&mut self) -> io::Result<()> {
        let mut told = Vec::new();
        self.lost |= self.kernel.read(|one| told.push(one))?;
        for one in told {
            self.hear(&one)?;
        }
        // The kernel answers one question at a time.
        if self.lost && self.pending.is_none() {
            self.start_round()?;
        }
        Ok(())
    }

    /// Asks for everything; what is not told in this round is forgotten at its end.
    fn start_round(&mut self) -> io::Result<()> {
        self.round = self.round.wrapping_add(1);
        self.lost = false;
        self.pending = Some((self.kernel.ask(true)?, true));
        Ok(())
    }

    fn hear(&mut self, told: &Told) -> io::Result<()> {
        match told {
            Told::Is(neighbor) => self.is(neighbor),
            Told::Gone(neighbor) => {
                // The kernel goes on by number: behind one that goes meanwhile, another may be left out.
                self.lost |= self.pending.is_some();
                self.gone(neighbor);
            }
            Told::Complete(number) if self.pending == Some((*number, true)) => {
                self.pending = Some((self.kernel.ask(false)?, false));
            }
            Told::Complete(number) if self.pending == Some((*number, false)) => {
                self.pending = None;
                if !self.lost {
                    self.forget_others();
                }
            }
            Told::Refused(number) if self.pending.is_some_and(|(pending, _)| pending == *number) => {
                self.pending = None;
                self.lost = true;
            }
            Told::Complete(_) | Told::Refused(_) => {}
        }
        Ok(())
    }

    fn is(&mut self, neighbor: &Neighbor) {
        let done = match neighbor.kind {
            Kind::Entry { mac, segment, .. } if neighbor.device == self.entries => {
                let segment = segment.or(self.segment);
                segment.map_or(Ok(()), |segment| self.put_entry(segment, mac, neighbor))
            }
            // What the kernel makes up for groups is nobody's.
            Kind::Address { address, .. } if address.is_multicast() => Ok(()),
            Kind::Address { address, mac } if Some(neighbor.device) == self.neighbors => {
                let Some(segment) = self.segment else { return };
                match mac.filter(|_| is_valid(neighbor.state)) {
                    Some(mac) => self.put_neighbor(segment, address, mac, neighbor),
                    None => return self.remove_neighbor(segment, address),
                }
            }
            _ => Ok(()),
        };
        if let Err(error) = done {
            tell!("vtep: {:?}: {error}", neighbor.kind);
        }
    }

    fn gone(&mut self, neighbor: &Neighbor) {
        match neighbor.kind {
            Kind::Entry { mac, segment, .. } if neighbor.device == self.entries => {
                let Some(segment) = segment.or(self.segment) else { return };
                if let Some(destination) = self.destination(&neighbor.kind) {
                    self.remove_entry(segment, mac, destination);
                }
            }
            Kind::Address { address, .. } if Some(neighbor.device) == self.neighbors => {
                if let Some(segment) = self.segment {
                    self.remove_neighbor(segment, address);
                }
            }
            _ => {}
        }
    }

    /// The remote, as its entries name it.
    fn remote(&self, kind: &Kind) -> Option<Remote> {
        let Kind::Entry { remote, port, vni, egress, .. } = *kind else { return None };
        let mut named = Remote::new(remote, port.unwrap_or(self.ends.vtep.config().dstport));
        named.vni = vni;
        if segments::is_of_link(remote) {
            named.egress = egress.unwrap_or(0);
        }
        (!remote.is_unspecified()).then_some(named)
    }

    /// Where an entry leads, if that is in our tables.
    fn destination(&self, kind: &Kind) -> Option<Destination> {
        match self.remote(kind) {
            Some(remote) => self.ends.vtep.remotes().find(&remote).map(Destination::Remote),
            None => Some(Destination::Local),
        }
    }

    /// Whether a remote is a group that no entry leads to yet: none that the command line has had joined, nor one that
    /// was told.
    fn is_new_group(&self, remote: &Remote) -> bool {
        let remotes = self.ends.vtep.remotes();
        remote.address.is_multicast() && remotes.find_by_address(remote.address, remote.egress).is_none()
    }

    fn put_entry(&mut self, segment: Vni, mac: MacAddr, neighbor: &Neighbor) -> Result<(), Error> {
        // What the kernel has learned from packets is for us to learn.
        let said =
            neighbor.extern_learned || neighbor.state.is(State::NOARP) || neighbor.state.is(State::PERMANENT);
        if !said {
            return Ok(());
        }
        let vtep = self.ends.vtep;
        let destination = match self.remote(&neighbor.kind) {
            Some(remote) => {
                if self.is_new_group(&remote) {
                    tables::tell_not_joined(remote.address, "--mirror");
                }
                Destination::Remote(vtep.add_remote(&remote)?)
            }
            None => Destination::Local,
        };
        let mut entry = NewEntry::to(destination).origin(ORIGIN, self.round);
        if neighbor.extern_learned && !neighbor.state.is(State::PERMANENT) {
            entry = entry.extern_learn();
        } else if !neighbor.state.is(State::PERMANENT) {
            entry = entry.as_static();
        }
        if neighbor.router {
            entry = entry.router();
        }
        if neighbor.sticky {
            entry = entry.sticky();
        }
        self.known.lead(destination);
        let fdb = vtep.fdb();
        let put =
            if mac.is_unicast() { fdb.replace(segment, mac, entry) } else { fdb.append(segment, mac, entry) };
        let left = match put {
            Ok(_) => self.known.insert(segment, mac, destination, self.round),
            Err(_) => Some(destination),
        };
        if let Some(left) = left {
            self.leave(left);
        }
        put?;
        self.say(format_args!("{mac} vni {segment}: {:?}", neighbor.kind));
        Ok(())
    }

    fn remove_entry(&mut self, segment: Vni, mac: MacAddr, destination: Destination) {
        if !self.known.remove(segment, mac, destination) {
            return;
        }
        let now = self.ends.clock.now();
        // It is there, unless somebody was faster.
        let _ = self.ends.vtep.fdb().delete_destination(now, segment, mac, destination);
        self.leave(destination);
        self.say(format_args!("{mac} vni {segment}: gone"));
    }

    /// A remote that no entry leads to any more is not listened to either.
    fn leave(&mut self, destination: Destination) {
        if let Some(remote) = self.known.leave(destination) {
            let _ = self.ends.vtep.remotes().remove(remote);
        }
    }

    fn put_neighbor(
        &mut self,
        segment: Vni,
        address: IpAddr,
        mac: MacAddr,
        neighbor: &Neighbor,
    ) -> Result<(), Error> {
        let now = self.ends.clock.now();
        let state = match neighbor.state {
            state if state.is(State::PERMANENT) => NeighborState::Permanent,
            // It holds until the control plane takes it back.
            state if state.is(State::NOARP) || neighbor.extern_learned => NeighborState::NoArp,
            State::STALE => NeighborState::Stale,
            State::DELAY => NeighborState::Delay,
            State::PROBE => NeighborState::Probe,
            _ => NeighborState::Reachable,
        };
        let mut new = NewNeighbor::new(mac).state(state, now);
        if neighbor.router {
            new = new.router();
        }
        self.ends.vtep.neighbors().replace(segment, address, new)?;
        self.known.neighbors.insert((segment, address), self.round);
        self.say(format_args!("{address} lladdr {mac} vni {segment}"));
        Ok(())
    }

    fn remove_neighbor(&mut self, segment: Vni, address: IpAddr) {
        if self.known.neighbors.remove(&(segment, address)).is_some() {
            let _ = self.ends.vtep.neighbors().delete(self.ends.clock.now(), segment, address);
            self.say(format_args!("{address} vni {segment}: gone"));
        }
    }

    /// What was not told in this round is not so any more.
    fn forget_others(&mut self) {
        let round = self.round;
        for (segment, mac, destination) in self.known.others(round) {
            self.remove_entry(segment, mac, destination);
        }
        let neighbors: Vec<_> =
            self.known.neighbors.iter().filter(|&(_, &last)| last != round).map(|(&key, _)| key).collect();
        for (segment, address) in neighbors {
            self.remove_neighbor(segment, address);
        }
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        if self.ends.verbose {
            tell!("mirror: {what}");
        }
    }
}

/// Whether the kernel would send to a neighbour of this state.
fn is_valid(state: State) -> bool {
    state.0 != 0 && !state.is(State::FAILED) && !state.is(State::INCOMPLETE)
}

/// Whose entries these are, for the tables.
const ORIGIN: u8 = 2;
