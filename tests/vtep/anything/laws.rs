//! What holds for the decisions of a VTEP and for answers.

use encap::{
    vtep::{Counters, Output},
    wire::icmp_quote::{self, NotAReport},
};

/// The books say what was decided, and nothing else.
pub(super) fn assert_counted(outputs: &[Output], before: &Counters, after: &Counters) {
    let drops = |counters: &Counters| counters.drops().map(|(_, count)| count).sum::<u64>();
    let mut expected = (before.sent, before.delivered, before.replies, drops(before));
    for output in outputs {
        match output {
            Output::Send { .. } => expected.0 += 1,
            Output::Deliver { .. } | Output::DeliverIp { .. } => expected.1 += 1,
            Output::Reply => expected.2 += 1,
            Output::Drop(reason) => {
                let same = outputs.iter().filter(|&other| other == output).count() as u64;
                assert_eq!(after.dropped(*reason), before.dropped(*reason) + same);
                expected.3 += 1;
            }
            Output::Replicate(_) | Output::Resolve { .. } | Output::Pass => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((after.sent, after.delivered, after.replies, drops(after)), expected, "{outputs:?}");
}

/// An answer to an IP packet is an ICMP error about it, with right checksums.
pub(super) fn assert_reports(answer: &[u8], about: &[u8]) {
    match icmp_quote::parse(answer) {
        Ok(report) => {
            let source = match report.quote.source {
                std::net::IpAddr::V4(source) => source.octets().to_vec(),
                std::net::IpAddr::V6(source) => source.octets().to_vec(),
            };
            let at = if source.len() == 4 { 12 } else { 8 };
            assert_eq!(about[at..at + source.len()], source);
        }
        // The packet itself had no more.
        Err(NotAReport::ShortQuote { .. }) => {}
        Err(error) => panic!("{error}: {answer:02x?} about {about:02x?}"),
    }
}
