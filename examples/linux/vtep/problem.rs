//! What routers say, in words.

use encap::wire::{icmp_quote::Problem, icmpv4, icmpv6};

/// Why a packet did not arrive, with the numbers that the router's ICMP has for it.
pub(crate) fn words(problem: Problem) -> String {
    let (name, protocol, kind, code) = match problem {
        Problem::V4(problem) => {
            let icmpv4::Header { kind, code, .. } = problem.header();
            (of_ipv4(problem), "ICMP", kind.0, code)
        }
        Problem::V6(problem) => {
            let icmpv6::Header { kind, code, .. } = problem.header();
            (of_ipv6(problem), "ICMPv6", kind.0, code)
        }
        // There is no other ICMP yet.
        other => return format!("{other:?}"),
    };
    format!("{name} ({protocol} type {kind}, code {code})")
}

const fn of_ipv4(problem: icmpv4::Problem) -> &'static str {
    match problem {
        icmpv4::Problem::Unreachable(icmpv4::Unreachable::NET) => ROUTE,
        icmpv4::Problem::Unreachable(icmpv4::Unreachable::HOST) => HOST,
        icmpv4::Problem::Unreachable(icmpv4::Unreachable::PORT) => PORT,
        icmpv4::Problem::Unreachable(icmpv4::Unreachable::ADMINISTRATIVELY_PROHIBITED) => FILTERED,
        icmpv4::Problem::TimeExceeded(icmpv4::TimeExceeded::IN_TRANSIT) => TTL,
        _ => UNDELIVERED,
    }
}

const fn of_ipv6(problem: icmpv6::Problem) -> &'static str {
    match problem {
        icmpv6::Problem::Unreachable(icmpv6::Unreachable::NO_ROUTE) => ROUTE,
        icmpv6::Problem::Unreachable(icmpv6::Unreachable::ADDRESS) => HOST,
        icmpv6::Problem::Unreachable(icmpv6::Unreachable::PORT) => PORT,
        icmpv6::Problem::Unreachable(icmpv6::Unreachable::ADMINISTRATIVELY_PROHIBITED) => FILTERED,
        icmpv6::Problem::TimeExceeded(icmpv6::TimeExceeded::IN_TRANSIT) => TTL,
        _ => UNDELIVERED,
    }
}

const ROUTE: &str = "there is no route";
const HOST: &str = "the host does not answer";
const PORT: &str = "nobody listens at the port";
const FILTERED: &str = "it is filtered";
const TTL: &str = "it lived too long";
const UNDELIVERED: &str = "it could not be delivered";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_words_and_numbers() {
        let port = icmpv4::Problem::Unreachable(icmpv4::Unreachable::PORT);
        assert_eq!(words(Problem::V4(port)), "nobody listens at the port (ICMP type 3, code 3)");
        let port = icmpv6::Problem::Unreachable(icmpv6::Unreachable::PORT);
        assert_eq!(words(Problem::V6(port)), "nobody listens at the port (ICMPv6 type 1, code 4)");
        let unknown = icmpv4::Problem::Unreachable(icmpv4::Unreachable(200));
        assert_eq!(words(Problem::V4(unknown)), "it could not be delivered (ICMP type 3, code 200)");
    }
}
