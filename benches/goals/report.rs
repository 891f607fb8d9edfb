//! The table of goals.

use std::fmt;

use super::{cases::measure::Series, machine};

/// What is held against a baseline.
#[derive(Clone, Copy)]
pub enum Goal {
    /// Baseline time by ours: gate and stretch.
    Faster(f64, f64),
    /// Ours by baseline time: gate and stretch.
    Time(f64, f64),
    /// For information.
    None,
}

/// Rows to be printed, of the ids that were asked for.
pub struct Report {
    parts: Vec<String>,
    rows: Vec<String>,
}

impl Report {
    pub fn new(parts: Vec<String>) -> Self {
        Self { parts, rows: Vec::new() }
    }

    /// Whether any of these ids is asked for.
    pub fn wants(&self, ids: &[&str]) -> bool {
        self.parts.is_empty() || ids.iter().any(|id| self.parts.iter().any(|part| id.contains(part.as_str())))
    }

    pub fn row(&mut self, id: &str, work: &str, ours: &Series, baseline: &Series, goal: Goal) {
        if !self.wants(&[id]) {
            return;
        }
        // Faster: how many times the baseline takes; otherwise how many times we take.
        let (ratio, bad, gate, stretch) = match goal {
            Goal::Faster(gate, stretch) => {
                let (ratio, low, _) = baseline.ratio(ours);
                (ratio, low, gate, stretch)
            }
            Goal::Time(gate, stretch) => {
                let (ratio, _, high) = ours.ratio(baseline);
                (ratio, high, gate, stretch)
            }
            Goal::None => {
                let (ratio, low, _) = baseline.ratio(ours);
                (ratio, low, 0.0, 0.0)
            }
        };
        let reached = |goal_: f64| match goal {
            Goal::Faster(..) => bad >= goal_,
            _ => bad <= goal_,
        };
        let (goal_text, verdict) = match goal {
            Goal::None => (String::new(), ""),
            _ if reached(stretch) => (text(goal, gate, stretch), "stretch"),
            _ if reached(gate) => (text(goal, gate, stretch), "gate"),
            _ => (text(goal, gate, stretch), "MISS"),
        };
        let how = if matches!(goal, Goal::Time(..)) { "time" } else { "faster" };
        self.rows.push(format!(
            "{id:<4} {:<7} {work:<34} {:>8.2} [{:>6.2} {:>6.2}] {:>8.2} {:<20} {ratio:>5.2}x ({bad:.2}) {how:<6} {goal_text:<13} {verdict}",
            machine::TARGET,
            ours.median(),
            ours.quantile(0.1),
            ours.quantile(0.9),
            baseline.median(),
            baseline.name,
        ));
    }

    /// A row that counts.
    pub fn count(&mut self, id: &str, work: &str, lost: usize) {
        if self.wants(&[id]) {
            let verdict = if lost == 0 { "stretch" } else { "MISS" };
            self.rows
                .push(format!("{id:<4} {:<7} {work:<34} {lost:>8} lost, goal 0: {verdict}", machine::TARGET));
        }
    }

    /// A row of two figures of our own.
    pub fn own(&mut self, id: &str, work: &str, median: f64, tail: f64, gate: f64, stretch: f64) {
        if !self.wants(&[id]) {
            return;
        }
        let ratio = tail / median;
        let verdict = match ratio {
            _ if ratio <= stretch => "stretch",
            _ if ratio <= gate => "gate",
            _ => "MISS",
        };
        self.rows.push(format!(
            "{id:<4} {:<7} {work:<34} median {median:.0} ns, p99.9 {tail:.0} ns: {ratio:.1}x time, {gate} / {stretch}: {verdict}",
            machine::TARGET
        ));
    }
}

fn text(goal: Goal, gate: f64, stretch: f64) -> String {
    match goal {
        Goal::Faster(..) => format!(">= {gate} / {stretch}"),
        _ => format!("<= {gate} / {stretch}"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<4} {:<7} {:<34} {:>8} [{:>6} {:>6}] {:>8} {:<20} {:>6} (bad end)     gate/stretch  verdict",
            "id", "target", "work", "ours ns", "p10", "p90", "base ns", "baseline", "ratio",
        )?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
