//! The charts of the goals.

use std::{io, path::Path};

use crate::{
    report::{Row, Verdict},
    svg::{Anchor, Drawing, THEMES, Theme},
};

/// Draws them all.
pub fn write(dir: &Path, rows: &[Row]) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let goals: Vec<_> = rows.iter().filter(|row| !row.is_info() && row.ratio.is_some()).collect();
    for theme in THEMES {
        for target in ["x86-64", "native"] {
            let of_target: Vec<_> = goals.iter().copied().filter(|row| row.target == target).collect();
            if !of_target.is_empty() {
                draw_goals(theme, target, &of_target).write(dir, &format!("goals-{target}"))?;
            }
            let panels = panels(rows, target);
            if !panels.is_empty() {
                draw_rivals(theme, target, &panels).write(dir, &format!("rivals-{target}"))?;
            }
        }
    }
    Ok(())
}

const LABELS: f64 = 380.0;
const BARS: f64 = 420.0;
const FIGURES: f64 = 190.0;
const LINE: f64 = 22.0;
const HEAD: f64 = 70.0;

/// From an eighth of the gate to eight times of it.
const DOUBLINGS: f64 = 3.0;

/// How good, with the gate at 1 and more being better, whichever way the ratio goes.
fn score(goal: &str, ratio: f64) -> Option<f64> {
    let (at_least, gate) = match goal.split_at_checked(2)? {
        (">=", gate) => (true, gate),
        (_, gate) => (false, gate),
    };
    let gate: f64 = gate.parse().ok().filter(|gate: &f64| gate.is_finite())?;
    Some(match (at_least, gate, ratio) {
        // Nothing lost is as good as it gets.
        (false, 0.0, 0.0) => 1.0,
        (true, ..) => ratio / gate,
        _ => gate / ratio.max(1e-3),
    })
}

/// A bar for each goal: how far from the gate, and where stretch is.
fn draw_goals(theme: Theme, target: &str, rows: &[&Row]) -> Drawing {
    let height = HEAD + LINE * rows.len() as f64 + 50.0;
    let mut drawing = Drawing::new(theme, LABELS + BARS + FIGURES, height);
    drawing.text((16.0, 26.0), Anchor::Start, 16.0, &format!("Goals and what is reached, {target}"));
    let x_of =
        |score: f64| LABELS + BARS * (score.log2().clamp(-DOUBLINGS, DOUBLINGS) / DOUBLINGS + 1.0) / 2.0;
    for doubling in -(DOUBLINGS as i32)..=DOUBLINGS as i32 {
        let x = x_of(2_f64.powi(doubling));
        drawing.grid((x, HEAD - 8.0), (x, height - 46.0));
        let label = if doubling < 0 { format!("1/{}", 1 << -doubling) } else { (1 << doubling).to_string() };
        drawing.text((x, HEAD - 14.0), Anchor::Middle, 11.0, &label);
    }
    drawing.text(
        (LABELS + BARS / 2.0, HEAD - 30.0),
        Anchor::Middle,
        11.0,
        "times as good as the gate asks for",
    );
    for (number, row) in rows.iter().enumerate() {
        let y = HEAD + LINE * number as f64;
        drawing.text((16.0, y + 14.0), Anchor::Start, 12.0, &row.id);
        drawing.text((54.0, y + 14.0), Anchor::Start, 12.0, &cut(&row.work, 48));
        let Some(ratio) = row.ratio else { continue };
        // What has no gate is held against stretch alone.
        let goal = if score(&row.gate, 1.0).is_some() { &row.gate } else { &row.stretch };
        let (Some(value), Some(stretch)) = (score(goal, ratio.value), number_of(&row.stretch)) else {
            continue;
        };
        let fill = match row.verdict {
            Verdict::Stretch => theme.good,
            Verdict::Gate => theme.fair,
            _ => theme.bad,
        };
        let (from, to) = (x_of(1.0).min(x_of(value)), x_of(1.0).max(x_of(value)));
        drawing.rect(from, y + 4.0, (to - from).max(3.0), LINE - 9.0, fill);
        // The interval.
        let ends = [ratio.low, ratio.high].map(|end| score(goal, end).map_or(to, x_of));
        drawing.line(
            (ends[0], y + LINE / 2.0 - 0.5),
            (ends[1], y + LINE / 2.0 - 0.5),
            theme.series[5],
            false,
        );
        if let Some(stretch) = score(goal, stretch).map(x_of) {
            drawing.line((stretch, y + 1.0), (stretch, y + LINE - 2.0), theme.series[3], true);
        }
        let gate = &row.gate;
        let figures = format!("{:.2}x of {gate} / {}", ratio.value, row.stretch);
        drawing.text((LABELS + BARS + 12.0, y + 14.0), Anchor::Start, 12.0, &figures);
    }
    drawing.line((x_of(1.0), HEAD - 8.0), (x_of(1.0), height - 46.0), theme.series[1], false);
    let mut x = 16.0;
    let legend = [
        (theme.good, "stretch reached"),
        (theme.fair, "gate reached"),
        (theme.bad, "missed"),
        (theme.series[1], "gate"),
        (theme.series[3], "stretch"),
        (theme.series[5], "95 % interval"),
    ];
    for (fill, name) in legend {
        drawing.rect(x, height - 28.0, 12.0, 12.0, fill);
        drawing.text((x + 17.0, height - 18.0), Anchor::Start, 12.0, name);
        x += 36.0 + 7.0 * name.len() as f64;
    }
    drawing
}

fn number_of(goal: &str) -> Option<f64> {
    goal.trim_start_matches(['<', '>', '=']).parse().ok()
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.into()
    } else {
        text.chars().take(most - 1).collect::<String>() + "…"
    }
}

/// The same work by several, in nanoseconds.
struct Panel {
    title: String,
    bars: Vec<(String, f64)>,
}

/// A panel's title, and whose rows are in it: ids, and what their work or baseline says.
type Wanted = (&'static str, &'static [(&'static str, &'static str)]);

const PANELS: [Wanted; 6] = [
    ("VXLAN encapsulation, flow hashed: ns per packet", &[("E3", "each"), ("E3", "its C twin")]),
    ("VXLAN decapsulation, all checks: ns per packet", &[("D1", "all checks"), ("D2", "each")]),
    ("Checksum of 1500 B: ns", &[("C1", "1500 B")]),
    ("Forwarding database, 64K entries, hit: ns per lookup", &[("F2", "64K; batch"), ("F1", "64K; batch")]),
    ("Forwarding database, 1M entries, hit: ns per lookup", &[("F2", "1M; batch"), ("F1", "1M; batch")]),
    ("The same, 64K entries, while another core learns: ns per lookup", &[("F2c", "learns")]),
];

/// The works that several did, ours first.
fn panels(rows: &[Row], target: &str) -> Vec<Panel> {
    let panel = |(title, wanted): &Wanted| {
        let is_in = |row: &&Row| {
            let says = |part: &str| row.work.contains(part) || row.baseline.contains(part);
            row.target == target && wanted.iter().any(|(id, part)| row.id == *id && says(part))
        };
        let mut bars: Vec<(String, f64)> = Vec::new();
        for row in rows.iter().filter(is_in) {
            let (Some(ours), Some((name, theirs))) = (nanoseconds(&row.ours), named_ns(&row.baseline)) else {
                continue;
            };
            if bars.is_empty() {
                bars.push(("encap".into(), ours));
            }
            if bars.iter().all(|(known, _)| known != name) {
                bars.push((name.into(), theirs));
            }
        }
        (bars.len() > 1).then(|| Panel { title: (*title).into(), bars })
    };
    PANELS.iter().filter_map(panel).collect()
}

/// "NAME 12.3 ns" apart.
fn named_ns(text: &str) -> Option<(&str, f64)> {
    let (name, ns) = text.strip_suffix(" ns")?.rsplit_once(' ')?;
    Some((name, ns.parse().ok()?))
}

fn nanoseconds(text: &str) -> Option<f64> {
    text.split_once(" ns")?.0.parse().ok()
}

fn draw_rivals(theme: Theme, target: &str, panels: &[Panel]) -> Drawing {
    let bars: usize = panels.iter().map(|panel| panel.bars.len()).sum();
    let height = 50.0 + 44.0 * panels.len() as f64 + LINE * bars as f64;
    let mut drawing = Drawing::new(theme, 760.0, height);
    drawing.text(
        (16.0, 26.0),
        Anchor::Start,
        16.0,
        &format!("The same work by others, {target}; shorter is faster"),
    );
    let mut y = 56.0;
    for panel in panels {
        drawing.text((16.0, y), Anchor::Start, 13.0, &panel.title);
        y += 8.0;
        let longest = panel.bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        for (number, (name, ns)) in panel.bars.iter().enumerate() {
            let fill = if number == 0 { theme.series[0] } else { theme.series[5] };
            drawing.text((210.0, y + 15.0), Anchor::End, 12.0, name);
            drawing.rect(218.0, y + 4.0, 440.0 * ns / longest, LINE - 7.0, fill);
            drawing.text((224.0 + 440.0 * ns / longest, y + 15.0), Anchor::Start, 12.0, &format!("{ns:.1}"));
            y += LINE;
        }
        y += 36.0;
    }
    drawing
}
