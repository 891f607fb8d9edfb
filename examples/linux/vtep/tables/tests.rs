//! What the command line and the files say together.

use super::*;
use crate::{config, segments};

const NOW: Instant = Instant::from_secs(1);

/// The engine that the program makes, with what the command line and the files say.
fn filled(options: &str, files: &Files) -> (Engine, Vec<Segment>, Common) {
    let words = ["vtep", "--local", "10.99.0.2"].into_iter().chain(options.split_whitespace());
    let (segments, args) = segments::parse(words).unwrap();
    let capacity = config::capacity(&segments, files, &args);
    let vtep = Engine::with_capacity(config::config(&segments, &args), capacity, [1, 2]).unwrap();
    fill(&vtep, &segments, &args, files, 1, NOW).unwrap();
    (vtep, segments, args)
}

fn records(text: &str, form: Form) -> Vec<Record> {
    loader::records(text, form).unwrap()
}

#[test]
fn what_the_command_line_says_stays() {
    let entries =
        "02:00:00:00:00:01 dst 10.99.0.3 self permanent\n02:00:00:00:00:02 dst 10.99.0.3 self permanent";
    let neighbors =
        "10.1.0.1 lladdr 02:00:00:00:00:09 PERMANENT\n10.1.0.2 lladdr 02:00:00:00:00:09 PERMANENT";
    let files = Files { entries: records(entries, Form::Fdb), neighbors: records(neighbors, Form::Neigh) };
    let options = "--tap a --vni 1 --fdb 02:00:00:00:00:01=10.99.0.1 --neigh 10.1.0.1=02:00:00:00:00:01";
    let (vtep, segments, args) = filled(options, &files);
    for generation in 2..4 {
        let vni = segments[0].vni;
        let to = |last| {
            let entry = vtep.fdb().get(NOW, vni, MacAddr([2, 0, 0, 0, 0, last])).unwrap();
            vtep.fdb().remotes_of(entry.destination).next().and_then(|id| vtep.remotes().get(id)).unwrap()
        };
        assert_eq!(
            [1, 2].map(|last| to(last).address),
            ["10.99.0.1", "10.99.0.3"].map(|to| to.parse::<IpAddr>().unwrap())
        );
        let mut neighbors: Vec<_> = vtep.neighbors().dump(NOW).map(|it| (it.address, it.mac.0[5])).collect();
        neighbors.sort_unstable();
        assert_eq!(neighbors, [([10, 1, 0, 1].into(), 1), ([10, 1, 0, 2].into(), 9)]);
        fill(&vtep, &segments, &args, &files, generation, NOW).unwrap();
    }
}
