//! Anything at all, fed to all that handles packets: the body of a property test and of the fuzz target `engine`.
//!
//! The first bytes choose who handles packets, and his settings. Then come packets, each of them a good one with some
//! bytes changed, or whatever there is left. Nothing panics; what is refused is as it was; and decisions are within
//! bounds.

mod flannel;
mod frames_in;
mod gre;
mod input;
mod laws;
mod network;
mod offer;
mod packets_in;
mod samples;
mod wire;

use std::time::Duration;

use self::{input::Input, network::Network, offer::Offer};
use crate::common::NOW;

/// The bytes as settings and packets.
pub(crate) fn engine(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 8 {
        0 => flannel::backend(&mut input),
        1 => gre::tunnel(&mut input),
        2 => gre::in_order(&mut input),
        3 | 4 => {
            let mut networks = Network::read::<2>(&mut input);
            vtep(&mut input, &mut networks);
        }
        7 => wire::wire(&mut input),
        _ => {
            let mut network = Network::read::<1>(&mut input);
            vtep(&mut input, &mut network);
        }
    }
}

/// The most that happens to one VTEP.
const ROUNDS: usize = 12;

/// The first of the networks handles frames and packets one by one, and another one in bursts.
fn vtep(input: &mut Input<'_>, networks: &mut [Network]) {
    let mut now = NOW;
    for _ in 0..ROUNDS {
        if input.is_empty() {
            break;
        }
        let choice = input.byte();
        let count = if networks.len() == 1 { 1 } else { 1 + choice / 8 % 6 };
        match choice % 8 {
            0 => {
                now = now.saturating_add(Duration::from_secs(input.byte().into()));
                for network in &*networks {
                    let _ = network.node.vtep.handle_timeout(now, 1_000, |_| {});
                }
            }
            1 => packets_in::report(input, now, networks),
            2 => frames_in::handle(input, now, networks, count, true),
            3..=5 => frames_in::handle(input, now, networks, count, false),
            _ => packets_in::handle(input, now, networks, count),
        }
    }
}
