//! What happens, in order.

use std::{error::Error, io::Write};

use encap::wire::{Vni, vxlan};

use super::{
    Args, bulk,
    explain::{VXLAN, explain},
    network::{Detail, Network, address},
    report,
};

pub(crate) fn tell(args: &Args, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut network = Network::new(args)?;
    let (vteps, hosts) = (args.vteps, args.hosts);
    let [first, others @ ..] = args.vni.as_slice() else { return Err("no segment".into()) };
    let last = u16::from(vteps) * hosts;
    let loss = args.loss.0 as f64 / 10_000.0;
    let behind = if hosts == 1 { "one host".into() } else { format!("{hosts} hosts") };
    writeln!(
        out,
        "{vteps} VTEPs, 192.0.2.1 to 192.0.2.{vteps}, and {behind} behind each; an underlay that takes {} ms \
         and loses {loss}% of packets.",
        args.latency
    )?;
    for (segment, vni) in (1..).zip(&args.vni) {
        let (from, to) = (address(segment, 1), address(segment, last));
        writeln!(out, "Segment {vni}: hosts {} ({}) to {} ({}).", from.ip, from.mac, to.ip, to.mac)?;
    }
    let mut stage = Stage { out, quiet: args.quiet };

    stage.title("Two hosts that know nothing of each other")?;
    network.ping(0, address(1, last).ip, 2);
    stage.play(&mut network, Detail::Everything)?;
    if let Some(page) = network.sample.as_deref().and_then(explain).filter(|_| !args.quiet) {
        stage.title("The first echo request on its way through the underlay")?;
        stage.out.write_all(page.as_bytes())?;
    }
    if hosts > 1 {
        stage.title("A neighbour asks for the same host: its VTEP answers (ARP proxy)")?;
        network.ping(1, address(1, last).ip, 1);
        stage.play(&mut network, Detail::Everything)?;
    }
    if let (Some(packet), Some(vni)) = (foreign(&network, &args.vni), unserved(&args.vni)) {
        stage.title(&format!("The same echo request again, but of segment {vni}, which nobody serves"))?;
        network.carry(packet);
        stage.play(&mut network, Detail::Everything)?;
    }
    if let Some(other) = others.first() {
        stage.title(&format!("A host of segment {other} asks for one of segment {first}"))?;
        network.ping(usize::from(last), address(1, 1).ip, 1);
        stage.play(&mut network, Detail::Everything)?;
    }

    stage.title("Everybody pings a host behind the next VTEP, three times")?;
    for (segment, place) in (1..).zip(0..args.vni.len()) {
        for number in 0..last {
            let target = address(segment, (number + hosts) % last + 1).ip;
            network.ping(place * usize::from(last) + usize::from(number), target, 3);
        }
    }
    stage.play(&mut network, Detail::Losses)?;
    let strangers: u64 = network.hosts.iter().map(|host| host.strangers).sum();
    let (carried, lost) = (network.wire.carried, network.wire.lost);
    writeln!(stage.out, "underlay: {carried} packets carried, {lost} lost")?;
    writeln!(stage.out, "frames of another segment that a host heard: {strangers}")?;

    let rate = bulk::run(&mut network, args.packets)?;
    stage.title("Tables")?;
    for node in &network.nodes {
        stage.out.write_all(report::tables(&network, node, &args.vni).as_bytes())?;
    }
    stage.title("Counters, bulk traffic included")?;
    for node in &network.nodes {
        stage.out.write_all(report::counters(node).as_bytes())?;
    }
    stage.title("Bulk traffic between the first two VTEPs, both ways")?;
    let frames = report::thousands(rate.frames);
    writeln!(stage.out, "{frames} frames, {} of them lost or damaged", rate.bad)?;
    stage.out.write_all(report::rate(&rate).as_bytes())?;
    match (strangers, rate.bad) {
        (0, 0) => Ok(()),
        _ => Err("frames went astray".into()),
    }
}

struct Stage<'a, W> {
    out: &'a mut W,
    quiet: bool,
}

impl<W: Write> Stage<'_, W> {
    fn title(&mut self, title: &str) -> Result<(), Box<dyn Error>> {
        Ok(write!(self.out, "\n{title}\n{}\n", "-".repeat(title.len()))?)
    }

    /// Has everything happen that is about to, and tells it.
    fn play(&mut self, network: &mut Network, detail: Detail) -> Result<(), Box<dyn Error>> {
        network.detail = if self.quiet { Detail::Nothing } else { detail };
        network.run();
        self.out.write_all(network.log.as_bytes())?;
        network.log.clear();
        Ok(self.out.write_all(report::pings(network).as_bytes())?)
    }
}

/// The packet that was shown, with another segment.
fn foreign(network: &Network, vnis: &[Vni]) -> Option<Vec<u8>> {
    let mut packet = network.sample.clone()?;
    let header = vxlan::Header::new(unserved(vnis)?).to_bytes();
    packet.get_mut(VXLAN..VXLAN + header.len())?.copy_from_slice(&header);
    Some(packet)
}

fn unserved(vnis: &[Vni]) -> Option<Vni> {
    (1..).map(Vni::truncate).find(|vni| !vnis.contains(vni))
}
