//! F7: who was there, and how fast they are found, after floods from one remote and from sources that do not exist.

use std::time::Instant;

use encap::{
    table::{LearnFrom, Learned, Line, Remote, RemoteId, Settings, Tables},
    wire::MacAddr,
};

use super::{batch, pages, single};
use crate::{
    cases::{
        Random,
        fdb::{Contestant as _, Key, NOW, Ours, Work, key, vni},
    },
    goals::encap::named,
    measure::{Ratio, Series, interleave},
    report::{Goal, Report},
};

const SIZE: usize = 1 << 16;
const FORGED: u32 = 1_000_000;
const LEN: usize = 1 << 16;

pub fn run(report: &mut Report) {
    if !report.wants(&["F7"]) {
        return;
    }
    // Quiet remotes have half of the room.
    let mut work = Work::new(SIZE, LEN);
    work.entries.truncate(SIZE / 2);
    let mut random = Random(7);
    let hits: Vec<Key> = (0..LEN).map(|_| work.entries[random.below(SIZE / 2)].0).collect();
    let (calm, flooded) = (full(&work), full(&work));
    let start = Instant::now();
    flood(&flooded);
    let each = start.elapsed().as_nanos() as f64 / f64::from(2 * FORGED);
    println!("F7: {each:.0} ns per forged packet");

    let lost = work.entries.iter().filter(|(key, remote)| flooded.answer(*key) != Some(*remote)).count();
    let lost_ratio = lost as f64;
    report.push(
        "F7",
        "quiet entries after a flood; and 10^6 forged sources",
        format!("{lost} lost"),
        format!("{} entries", work.entries.len()),
        Some(Ratio { value: lost_ratio, low: lost_ratio, high: lost_ratio }),
        Goal::Time(0.0, 0.0),
    );
    let mut everybody =
        [batch(&flooded, &hits), batch(&calm, &hits), single(&flooded, &hits), single(&calm, &hits)];
    let series = interleave(report.effort, &mut everybody);
    let [flooded, calm, flooded_one, calm_one]: &[Series] = series.as_slice() else {
        unreachable!("one series each")
    };
    // No gate but the one above: only how much slower may be too much.
    let goal = Goal::Time(f64::INFINITY, 1.03);
    let pages = pages(report);
    let before = |series: &Series| named(series, "before the flood");
    report.row("F7", &format!("quiet remotes; batch of 32{pages}"), flooded, &before(calm), goal);
    report.row("F7", &format!("quiet remotes; single{pages}"), flooded_one, &before(calm_one), goal);
}

/// A full table: half quiet remotes', half somebody's who is not quiet.
fn full(work: &Work) -> Ours {
    let mut settings = Settings::default();
    settings.learn_from = LearnFrom::Any;
    let ours = Ours::empty(SIZE, settings);
    for &((vni, mac), remote) in &work.entries {
        let Learned::New { .. } = ours.fdb().learn(NOW, vni, mac, ours.remote(remote)) else {
            panic!("{mac}")
        };
    }
    for number in 0..SIZE / 2 {
        let (vni, mac) = key((SIZE + number) as u64);
        let _ = ours.fdb().learn(NOW, vni, mac, loud(&ours.tables));
    }
    ours
}

fn flood(ours: &Ours) {
    for number in 0..FORGED {
        let [_, a, b, c] = number.to_be_bytes();
        let mac = MacAddr([6, 1, a, b, c, 0]);
        let remote = Remote::new([172, 16 | a & 15, b, c].into(), 4789);
        if let Ok(id) = ours.tables.remotes().find_or_learn(&remote) {
            let _ = ours.fdb().learn(NOW, vni(number % 64), mac, id);
        }
        let mac = MacAddr([6, 2, a, b, c, 0]);
        let _ = ours.fdb().learn(NOW, vni(number % 64), mac, loud(&ours.tables));
    }
}

/// The remote that floods.
fn loud(tables: &Tables<Box<[Line]>>) -> RemoteId {
    tables.remotes().find_or_add(&Remote::new([192, 0, 2, 66].into(), 4789)).unwrap()
}
