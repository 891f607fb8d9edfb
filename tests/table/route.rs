//! Routes: the rules by name, and a model.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::{
    table::{Capacity, Change, Error, Line, NextHop, Prefix, Resource, Route, RouteCursor, Settings, Tables},
    wire::Vni,
};
use proptest::prelude::*;

use crate::common::{small, tables};

pub(crate) fn routes_for(routes: u32) -> Tables<Box<[Line]>> {
    tables(Capacity { routes, ..small() }, Settings::default())
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub(crate) fn peer(last: u8) -> NextHop {
    NextHop::Peer { address: [192, 0, 2, last].into(), port: 8285 }
}

#[test]
fn the_longest_prefix_wins() {
    let tables = routes_for(8);
    let routes = tables.routes();
    for (text, last) in [("0.0.0.0/0", 1), ("10.0.0.0/8", 2), ("10.1.0.0/16", 3), ("10.1.2.3/32", 4)] {
        routes.add(prefix(text), peer(last)).unwrap();
    }
    for (text, last) in [("192.0.2.1", 1), ("10.2.0.0", 2), ("10.1.2.4", 3), ("10.1.2.3", 4)] {
        assert_eq!(routes.lookup(text.parse().unwrap()).unwrap().unwrap().via, peer(last), "{text}");
    }
    assert_eq!(routes.lookup("::1".parse().unwrap()), Ok(None), "families are apart");
    let _ = routes.delete(prefix("10.1.2.3/32")).unwrap();
    assert_eq!(routes.lookup([10, 1, 2, 3].into()).unwrap().unwrap().via, peer(3));
}

/// The wiring of flannel's VXLAN backend: the base of the subnet is the gateway, in the one VNI.
#[test]
fn a_gateway_is_a_neighbour_in_a_vni() {
    let tables = routes_for(8);
    let gateway = NextHop::Gateway { vni: Vni::truncate(1), address: [10, 1, 2, 0].into() };
    tables.routes().add(prefix("10.1.2.0/24"), gateway).unwrap();
    let route = tables.routes().lookup([10, 1, 2, 3].into()).unwrap().unwrap();
    assert_eq!(route, Route { prefix: prefix("10.1.2.0/24"), via: gateway });
    assert_eq!(route.to_string(), "10.1.2.0/24 via 10.1.2.0 vni 1");
    assert_eq!(route.via.address(), Some(IpAddr::from([10, 1, 2, 0])));
}

#[test]
fn add_never_changes_what_is_there_and_replace_says_what_it_did() {
    let tables = routes_for(8);
    let routes = tables.routes();
    let net = prefix("10.0.0.0/8");
    routes.add(net, peer(1)).unwrap();
    assert_eq!(routes.add(net, peer(2)), Err(Error::Exists));
    assert_eq!(routes.get(net).unwrap().via, peer(1));
    assert_eq!(routes.get(prefix("10.0.0.0/9")), Err(Error::NotFound));
    assert_eq!(routes.replace(net, peer(1)), Ok(Change::Unchanged));
    assert_eq!(routes.replace(net, peer(2)), Ok(Change::Updated));
    assert_eq!(routes.replace(prefix("::/0"), peer(2)), Ok(Change::Created));
    assert_eq!(routes.count(), 2);
    assert_eq!(routes.delete(net).unwrap().via, peer(2));
    assert_eq!(routes.delete(net), Err(Error::NotFound));
    assert_eq!(routes.lookup([10, 0, 0, 1].into()), Ok(None));
}

#[test]
fn a_next_hop_is_somebody() {
    let tables = routes_for(8);
    for address in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"] {
        let address = address.parse().unwrap();
        for via in [NextHop::Peer { address, port: 1 }, NextHop::Gateway { vni: Vni::MAX, address }] {
            assert_eq!(tables.routes().add(prefix("::/0"), via), Err(Error::NotUnicast));
        }
    }
    let address = "::ffff:192.0.2.1".parse().unwrap();
    for via in [NextHop::Peer { address, port: 1 }, NextHop::Gateway { vni: Vni::MAX, address }] {
        assert_eq!(tables.routes().add(prefix("::/0"), via), Err(Error::Ipv4Mapped));
    }
    let nowhere = NextHop::Peer { address: [192, 0, 2, 1].into(), port: 0 };
    assert_eq!(tables.routes().add(prefix("::/0"), nowhere), Err(Error::PortZero));
}

#[test]
fn exactly_as_many_fit_as_promised() {
    for count in [0, 1, 2, 5, 64, 1_000] {
        let tables = routes_for(count);
        let routes = tables.routes();
        let net = |number: u32| Prefix::new((number << 8).to_be_bytes().into(), 24).unwrap();
        for number in 0..count {
            routes.add(net(number), peer(1)).unwrap();
        }
        let full = Error::Full { what: Resource::Routes, limit: count };
        assert_eq!(routes.add(net(count), peer(1)), Err(full));
        assert_eq!(routes.add(prefix("::/0"), peer(1)), Err(full));
        assert_eq!(routes.lookup(Ipv6Addr::LOCALHOST.into()), Ok(None));
        for number in 0..count {
            assert_eq!(routes.replace(net(number), peer(2)), Ok(Change::Updated));
        }
        assert_eq!((routes.count(), routes.dump().count()), (count as usize, count as usize));
    }
}

/// Every length of both families by itself, then all of them at once: each address finds the longest.
#[test]
fn every_length_works() {
    let families: [(IpAddr, u8); 2] = [
        (Ipv4Addr::from_bits(0xaaaa_aaaa).into(), 32),
        (Ipv6Addr::from_bits(0xaaaa_aaaa_aaaa_aaaa_5555_5555_5555_5555).into(), 128),
    ];
    /// The address with one bit turned.
    fn turned(address: IpAddr, bit: u8) -> IpAddr {
        match address {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() ^ 1 << (31 - bit)).into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() ^ 1 << (127 - bit)).into(),
        }
    }
    let all = routes_for(200);
    for (address, max) in families {
        for len in 0..=max {
            let tables = routes_for(2);
            let net = Prefix::of(address, len).unwrap();
            for tables in [&tables, &all] {
                tables.routes().add(net, peer(len)).unwrap();
            }
            for bit in 0..max {
                let found = tables.routes().lookup(turned(address, bit)).unwrap();
                assert_eq!(found.is_some(), bit >= len, "{net}, bit {bit}");
            }
            let _ = tables.routes().delete(net).unwrap();
            assert_eq!(tables.routes().lookup(address), Ok(None));
        }
        for bit in 0..max {
            let found = all.routes().lookup(turned(address, bit)).unwrap().unwrap();
            assert_eq!((found.prefix.prefix_len(), found.via), (bit, peer(bit)));
        }
        assert_eq!(all.routes().lookup(address).unwrap().unwrap().prefix, Prefix::host(address));
    }
}

/// Few bits, so that prefixes meet.
fn some_prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (any::<u8>(), prop::sample::select(&[0, 1, 6, 7, 8, 31, 32][..]))
        .prop_map(|(bits, len)| (IpAddr::from([bits & 0xc3, 0, 0, bits & 3]), len));
    let v6 = (any::<u8>(), prop::sample::select(&[0, 7, 8, 64, 127, 128][..])).prop_map(|(bits, len)| {
        (IpAddr::from([u16::from(bits & 0xc3) << 8, 0, 0, 0, 0, 0, 0, u16::from(bits & 3)]), len)
    });
    prop_oneof![v4, v6].prop_map(|(address, len)| Prefix::of(address, len).unwrap())
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Add(Prefix, u8),
    Replace(Prefix, u8),
    Delete(Prefix),
}

proptest! {
    /// The model looks at all routes and takes the longest.
    #[test]
    fn the_table_does_what_the_model_does(
        operations in prop::collection::vec((some_prefix(), 1..4u8, 0..3), 1..100),
        addresses in prop::collection::vec(some_prefix().prop_map(|prefix| prefix.address()), 20),
    ) {
        const CAPACITY: usize = 10;
        let tables = routes_for(CAPACITY as u32);
        let routes = tables.routes();
        let mut model: Vec<Route> = Vec::new();
        let full = Error::Full { what: Resource::Routes, limit: CAPACITY as u32 };
        for (prefix, last, kind) in operations {
            let operation = match kind {
                0 => Operation::Add(prefix, last),
                1 => Operation::Replace(prefix, last),
                _ => Operation::Delete(prefix),
            };
            let there = model.iter().position(|route| route.prefix == prefix);
            let is_full = model.len() == CAPACITY;
            match operation {
                Operation::Add(prefix, last) => {
                    let expected = match there {
                        Some(_) => Err(Error::Exists),
                        None if is_full => Err(full),
                        None => {
                            model.push(Route { prefix, via: peer(last) });
                            Ok(())
                        }
                    };
                    prop_assert_eq!(routes.add(prefix, peer(last)), expected);
                }
                Operation::Replace(prefix, last) => {
                    let expected = match there {
                        Some(at) if model[at].via == peer(last) => Ok(Change::Unchanged),
                        Some(at) => {
                            model[at].via = peer(last);
                            Ok(Change::Updated)
                        }
                        None if is_full => Err(full),
                        None => {
                            model.push(Route { prefix, via: peer(last) });
                            Ok(Change::Created)
                        }
                    };
                    prop_assert_eq!(routes.replace(prefix, peer(last)), expected);
                }
                Operation::Delete(prefix) => {
                    let expected = there.map(|at| model.swap_remove(at)).ok_or(Error::NotFound);
                    prop_assert_eq!(routes.delete(prefix), expected);
                }
            }
            for &address in &addresses {
                let longest = model
                    .iter()
                    .filter(|route| route.prefix.contains(address))
                    .max_by_key(|route| route.prefix.prefix_len());
                prop_assert_eq!(routes.lookup(address).unwrap(), longest.copied());
            }
            let mut dumped: Vec<Route> = routes.dump().collect();
            dumped.sort_by_key(|route| route.prefix);
            model.sort_by_key(|route| route.prefix);
            prop_assert_eq!(&dumped, &model);
            let rest = routes.dump_from(RouteCursor::default());
            prop_assert!(!rest.cursor().may_have_skipped());
            prop_assert_eq!(routes.count(), model.len());
        }
    }
}

/// Prefixes are text, and what is no prefix is refused with the reason.
#[cfg(feature = "serde")]
#[test]
fn routes_survive_json() {
    let gateway = NextHop::Gateway { vni: Vni::truncate(1), address: [10, 1, 2, 0].into() };
    for route in [
        Route { prefix: prefix("10.1.2.0/24"), via: gateway },
        Route { prefix: prefix("::/0"), via: peer(1) },
    ] {
        let json = serde_json::to_string(&route).unwrap();
        assert!(json.contains(&format!("\"{}\"", route.prefix)), "{json}");
        assert_eq!(serde_json::from_str::<Route>(&json).unwrap(), route);
    }
    let error = serde_json::from_str::<Prefix>("\"10.1.2.1/24\"").unwrap_err().to_string();
    assert!(error.contains("bits are set in 10.1.2.1 behind the first 24"), "{error}");
}
