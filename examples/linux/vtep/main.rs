//! A VXLAN tunnel endpoint on Linux: frames of TAP devices go through tunnels to other endpoints, those of the kernel
//! among them.
//!
//! It receives by a UDP socket, which claims the port, and sends by a raw socket, so that the whole outer header is
//! ours. One thread has the way out, one the way in; the engine is shared by both, each has a worker of its own. The
//! main thread has signals, and the tables' age.

#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used))]

mod args;
mod config;
mod control;
mod events;
mod inbound;
mod known;
mod loader;
mod mirror;
mod outbound;
mod ports;
mod problem;
mod report;
mod segments;
mod setup;
mod shared;
mod tables;
mod values;

use std::{
    error::Error,
    hash::{BuildHasher, RandomState},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
    thread,
    time::Duration,
};

use encap::{
    table::{Entry, Event},
    wire::MacAddr,
};
use encap_linux::{
    Signal, Signals, Waiter,
    print::{self, STDOUT},
    tell,
};

use self::{
    args::Common,
    control::Control,
    inbound::Inbound,
    mirror::Mirror,
    outbound::{Ends, Outbound, QUIET},
    ports::Port,
    segments::Segment,
    shared::{Clock, Shared},
    tables::{Engine, Files},
};

fn main() -> ExitCode {
    let (mut segments, args) = segments::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let code = match run(&mut segments, &args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("vtep: {error}");
            ExitCode::FAILURE
        }
    };
    print::flush();
    code
}

fn run(segments: &mut [Segment], args: &Common) -> Result<(), Box<dyn Error>> {
    // Before anything that has to be undone.
    let signals = Signals::new(&[Signal::Stop, Signal::Reload, Signal::Print])?;
    let clock = Clock::start();
    let seed = [RandomState::new().hash_one(1), RandomState::new().hash_one(2)];
    let files = Files::read(args)?;
    let mut config = config::config(segments, args);
    if config.l3 && config.address == MacAddr::ZERO {
        config.address = config::local_mac(seed);
    }
    let ports = setup::ports(segments, args, &config)?;
    if config.address == MacAddr::ZERO {
        // As the kernel has it: what comes from us does not come back.
        match &*ports {
            [Port { device, .. }] => config.address = device.mac()?,
            several => config::own_addresses(segments, several, &mut config)?,
        }
    }
    let segments = &*segments;
    let capacity = config::capacity(segments, &files, args);
    let vtep = Engine::with_capacity(config, capacity, seed)?;
    tables::fill(&vtep, segments, args, &files, 1, clock.now())?;
    let unused = config::without_effect(args);
    if !unused.is_empty() {
        tell!("vtep: by --tx udp these have no effect: {}", unused.join(", "));
    }

    let shared = Shared::default();
    let ends = Ends { vtep: &vtep, shared: &shared, clock, ports: &ports, verbose: args.verbose };
    let (receivers, sockets) = setup::sockets(segments, args, &config)?;
    let reports = setup::reports(args)?;
    let control = args.control.as_deref().map(Control::new).transpose()?;
    let mirror = match &args.mirror {
        Some(entries) => Some(Mirror::new(ends, entries, args.mirror_neigh.as_deref())?),
        None => None,
    };
    STDOUT.print(format!("vtep: {}\n", setup::summary(segments, args, &config)));

    // Closed when this thread is done, whatever the reason; then the others are.
    let (stop, stopped) = UnixStream::pair()?;
    // Closed by the first of the others that is done.
    let (alive, ended) = UnixStream::pair()?;
    let mirror = match mirror {
        Some(mirror) => Some((mirror, Alive(alive.try_clone()?))),
        None => None,
    };
    let [out_alive, back_alive] = [Alive(alive.try_clone()?), Alive(alive)];
    thread::scope(|scope| {
        let stopped = &stopped;
        let out = scope.spawn(move || {
            let _alive = out_alive;
            Outbound::new(ends, args.policy, sockets, args.tx)?.run(stopped.as_fd())
        });
        let back = scope.spawn(move || {
            let _alive = back_alive;
            Inbound::new(ends, receivers, reports)?.run(stopped.as_fd())
        });
        let mirror = scope.spawn(move || match mirror {
            Some((mirror, _alive)) => mirror.run(stopped),
            None => Ok(()),
        });
        let served = Main { ends, segments, args, control, signals }.run(&ended);
        drop(stop);
        for thread in [out, back, mirror] {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        served
    })
}

/// Says to the main thread that a thread has ended, however it ended.
struct Alive(UnixStream);

impl Drop for Alive {
    fn drop(&mut self) {
        // Of all copies of this end. It fails where the other end is closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// The main thread.
struct Main<'a> {
    ends: Ends<'a>,
    segments: &'a [Segment],
    args: &'a Common,
    control: Option<Control>,
    signals: Signals,
}

impl Main<'_> {
    /// Serves until a signal says that it is enough, or a thread has ended.
    fn run(mut self, ended: &UnixStream) -> Result<(), Box<dyn Error>> {
        let mut generation = 1;
        // When the files are to be read again.
        let mut reload = None;
        loop {
            let signals = self.signals.as_fd();
            let control = self.control.as_ref().map(|control| control.as_fd());
            let mut waiter = Waiter::new([ended.as_fd(), signals].into_iter().chain(control));
            let now = self.ends.clock.now();
            let sweep = self.ends.vtep.poll_timeout(now).saturating_since(now);
            waiter.wait(Some(sweep.clamp(LEAST_WAIT, MOST_WAIT)))?;
            if waiter.is_ready(0) {
                // What went wrong is told by who waits for the thread.
                return Ok(());
            }
            let connected = waiter.is_ready(2);
            let now = self.ends.clock.now();
            let pending: Vec<Signal> = self.signals.pending()?.collect();
            for signal in pending {
                match signal {
                    Signal::Stop => return Ok(()),
                    Signal::Reload => reload = Some(now),
                    Signal::Print => STDOUT.print(self.report()),
                }
            }
            if reload.is_some_and(|at| at <= now) {
                generation += 1;
                // Until then each thread has said that it holds nothing.
                reload = (self.reload(generation) > 0).then(|| now.saturating_add(QUIET));
            }
            if let Some(control) = self.control.as_ref().filter(|_| connected) {
                control.answer(&self.report());
            }
            self.age();
        }
    }

    fn report(&self) -> String {
        let Ends { vtep, shared, clock, .. } = self.ends;
        report::report(vtep, self.segments, shared, clock.now())
    }

    /// Reads the files again. Where they cannot be read, what they said before holds. Answers how many of their lines
    /// have to wait.
    fn reload(&self, generation: u32) -> usize {
        if self.args.mirror.is_some() {
            return 0;
        }
        let Ends { vtep, clock, .. } = self.ends;
        let filled = Files::read(self.args)
            .map_err(Into::into)
            .and_then(|files| tables::fill(vtep, self.segments, self.args, &files, generation, clock.now()));
        filled.unwrap_or_else(|error| {
            tell!("vtep: not reloaded: {error}");
            0
        })
    }

    /// What has expired goes.
    fn age(&self) {
        let Ends { vtep, clock, verbose, .. } = self.ends;
        let now = clock.now();
        if vtep.poll_timeout(now) <= now {
            let _ = vtep.handle_timeout(now, SWEEP_STEP, |event| match event {
                Event::Expired(Entry { mac, vni, .. }) if verbose => tell!("expired {mac} vni {vni}"),
                Event::NeighborExpired(neighbor) if verbose => tell!("expired {neighbor:#}"),
                Event::MtuExpired { remote, .. } if verbose => {
                    if let Some(remote) = vtep.remotes().get(remote) {
                        tell!("mtu expired to {}", remote.address);
                    }
                }
                _ => {}
            });
        }
    }
}

/// How long the main thread waits at least and at most before it looks after the tables again.
const LEAST_WAIT: Duration = Duration::from_millis(10);
const MOST_WAIT: Duration = Duration::from_secs(1);

/// Lines of tables that it looks at then.
const SWEEP_STEP: usize = 1_024;
