//! What threads see of routes that others change.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use encap::table::{Error, Prefix};

use crate::{
    route::{peer, prefix, routes_for},
    stop::Stop,
};

/// A route that is there is found while others of its length and of longer ones come and go.
#[test]
fn a_route_that_is_there_is_found() {
    let tables = routes_for(32);
    let routes = tables.routes();
    let net = prefix("10.1.0.0/16");
    routes.add(net, peer(1)).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for first in [20u8, 40] {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    for number in 0..16 {
                        let other = Prefix::of([first, number, 0, 0].into(), 16 + number % 2).unwrap();
                        let _ = routes.add(other, peer(2));
                        let _ = routes.delete(other);
                    }
                }
            });
        }
        scope.spawn(|| {
            for last in (0..=u8::MAX).cycle().take_while(|_| !stop.load(Relaxed)) {
                let _ = routes.replace(net, peer(last));
            }
        });
        let _stop = Stop(&stop);
        let (mut found, mut busy) = (0u64, 0u64);
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            match routes.lookup([10, 1, 2, 3].into()) {
                Ok(route) => {
                    assert_eq!(route.unwrap().prefix, net);
                    found += 1;
                }
                Err(error) => {
                    assert_eq!(error, Error::Busy);
                    busy += 1;
                }
            }
        }
        assert!(found > 100 * busy, "{found} found, {busy} times busy");
    });
}
