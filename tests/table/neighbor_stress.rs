//! What one thread sees of neighbours that another one changes.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use encap::{
    table::{Capacity, Error, NeighborState, NewNeighbor, Settings},
    wire::MacAddr,
};

use crate::{
    common::{NOW, VNI, small, tables},
    stop::Stop,
};

/// Runs `change` all the time for a second, and `look` meanwhile; answers how often that found something, and
/// how often it was busy.
fn race(mut change: impl FnMut(u8) + Send, mut look: impl FnMut() -> Result<(), Error>) -> (u64, u64) {
    let stop = AtomicBool::new(false);
    let (mut found, mut busy) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| (0..=u8::MAX).cycle().take_while(|_| !stop.load(Relaxed)).for_each(&mut change));
        let _stop = Stop(&stop);
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            match look() {
                Ok(()) => found += 1,
                Err(error) => {
                    assert_eq!(error, Error::Busy);
                    busy += 1;
                }
            }
        }
    });
    (found, busy)
}

/// A MAC address of which every part says which one it is.
fn marked(number: u8) -> MacAddr {
    MacAddr([2, number, number, number, number, number])
}

#[test]
fn a_neighbour_that_is_replaced_is_always_found_and_never_torn() {
    let tables = tables(small(), Settings::default());
    let neighbors = tables.neighbors();
    let address = IpAddr::from([0xfd01, 2, 3, 4, 5, 6, 7, 8]);
    neighbors.add(VNI, address, marked(0)).unwrap();
    let new = |number: u8| {
        let new = NewNeighbor::new(marked(number));
        let new = if number & 1 == 0 { new } else { new.router() };
        if number & 2 == 0 { new } else { new.state(NeighborState::Reachable, NOW) }
    };
    let (found, busy) = race(
        |number| {
            let _ = neighbors.replace(VNI, address, new(number)).unwrap();
        },
        || {
            let neighbor = neighbors.lookup(NOW, VNI, address)?.expect("it is there all the time");
            let MacAddr([_, number, ..]) = neighbor.mac;
            assert_eq!((neighbor.address, neighbor.mac), (address, marked(number)));
            assert_eq!(neighbor.router, number & 1 != 0);
            assert_eq!(neighbor.state == NeighborState::Reachable, number & 2 != 0);
            Ok(())
        },
    );
    assert!(found > 10 * busy, "{found} found, {busy} times busy");
}

/// In a full table others come and go, and this one is moved about.
#[test]
fn a_neighbour_that_is_there_is_found_while_others_come_and_go() {
    let tables = tables(Capacity { neighbors: 40, ..small() }, Settings::default());
    let neighbors = tables.neighbors();
    let address = |number: u8| IpAddr::from([10, 1, 0, number]);
    neighbors.add(VNI, address(255), marked(255)).unwrap();
    let (found, busy) = race(
        |number| {
            let _ = neighbors.delete(NOW, VNI, address(number.wrapping_mul(7) % 80));
            let _ = neighbors.add(VNI, address(number.wrapping_mul(11) % 80), marked(number));
        },
        || {
            let neighbor = neighbors.lookup(NOW, VNI, address(255))?.expect("it is there all the time");
            assert_eq!(neighbor.mac, marked(255));
            for number in 0..4 {
                if let Some(neighbor) = neighbors.lookup(NOW, VNI, address(number))? {
                    let MacAddr([_, mark, ..]) = neighbor.mac;
                    assert_eq!((neighbor.address, neighbor.mac), (address(number), marked(mark)));
                }
            }
            Ok(())
        },
    );
    assert!(found > 10 * busy, "{found} found, {busy} times busy");
}

/// What has expired is not found with the time of what replaces it.
#[test]
fn the_expired_do_not_come_back() {
    let tables = tables(small(), Settings::default());
    let neighbors = tables.neighbors();
    let address = IpAddr::from([10, 1, 0, 2]);
    let later = NOW.saturating_add(Duration::from_secs(400));
    let reachable = |mac, now| NewNeighbor::new(mac).state(NeighborState::Reachable, now);
    neighbors.add(VNI, address, reachable(marked(1), NOW)).unwrap();
    let (found, busy) = race(
        |_| {
            let _ = neighbors.replace(VNI, address, reachable(marked(2), later)).unwrap();
            let _ = neighbors.delete(later, VNI, address).unwrap();
            neighbors.add(VNI, address, reachable(marked(1), NOW)).unwrap();
        },
        || {
            let found = neighbors.lookup(later, VNI, address)?;
            assert!(found.is_none_or(|found| found.mac == marked(2)), "{found:?}");
            Ok(())
        },
    );
    assert!(found > 10 * busy, "{found} found, {busy} times busy");
}
