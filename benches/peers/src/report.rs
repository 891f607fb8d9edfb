//! The table of goals.

use std::{fmt, io, path::Path};

use crate::{
    machine,
    measure::{Effort, Ratio, Series},
};

/// What is held against a baseline.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// Baseline time by ours, at least: gate and stretch.
    Faster(f64, f64),
    /// Ours by baseline time, at most: gate and stretch.
    Time(f64, f64),
    /// For information: baseline time by ours.
    Info,
}

/// What became of a goal; of a row for information nothing does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Stretch,
    Gate,
    Miss,
    Skipped,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Stretch, Self::Gate, Self::Miss, Self::Skipped];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Stretch => "stretch",
            Self::Gate => "gate",
            Self::Miss => "miss",
            Self::Skipped => "skipped",
        }
    }
}

/// A row, as it stands in the CSV.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: String,
    pub target: String,
    pub work: String,
    pub ours: String,
    pub baseline: String,
    pub ratio: Option<Ratio>,
    pub gate: String,
    pub stretch: String,
    pub verdict: Verdict,
}

/// The first line of the CSV.
const HEAD: &str = "id,target,work,ours,baseline,ratio,low,high,gate,stretch,verdict";

impl Row {
    fn to_csv(&self) -> String {
        let ratio = self.ratio.map_or([String::new(), String::new(), String::new()], |ratio| {
            [ratio.value, ratio.low, ratio.high].map(|value| format!("{value:.3}"))
        });
        let [ratio, low, high] = &ratio;
        let Self { id, target, work, ours, baseline, gate, stretch, .. } = self;
        // No field has a comma of its own, so that no reader has to know about quotes.
        let [work, ours, baseline] = [work, ours, baseline].map(|text| text.replace([',', '\n'], ";"));
        let verdict = self.verdict.name();
        format!("{id},{target},{work},{ours},{baseline},{ratio},{low},{high},{gate},{stretch},{verdict}")
    }

    fn from_csv(line: &str) -> Option<Self> {
        let fields: Vec<_> = line.split(',').map(str::to_owned).collect();
        let [id, target, work, ours, baseline, ratio, low, high, gate, stretch, verdict] =
            <[String; 11]>::try_from(fields).ok()?;
        let ratio = match (ratio.parse(), low.parse(), high.parse()) {
            (Ok(value), Ok(low), Ok(high)) => Some(Ratio { value, low, high }),
            _ => None,
        };
        let verdict = Verdict::ALL.into_iter().find(|known| known.name() == verdict)?;
        Some(Self { id, target, work, ours, baseline, ratio, gate, stretch, verdict })
    }

    /// Whether there was nothing to reach.
    pub fn is_info(&self) -> bool {
        self.gate.is_empty()
    }
}

/// Rows of the ids that were asked for.
pub struct Report {
    only: Vec<String>,
    pub effort: Effort,
    /// Whether to leave out what takes long.
    pub quick: bool,
    /// Whether tables lie in huge pages.
    pub huge: bool,
    pub rows: Vec<Row>,
}

impl Report {
    pub fn new(only: Vec<String>, quick: bool, huge: bool) -> Self {
        let effort = if quick { Effort { rounds: 30, turn: 8 } } else { Effort { rounds: 40, turn: 16 } };
        Self { only, effort, quick, huge, rows: Vec::new() }
    }

    /// Whether any of these ids is asked for.
    pub fn wants(&self, ids: &[&str]) -> bool {
        self.only.is_empty()
            || ids.iter().any(|id| self.only.iter().any(|only| only.eq_ignore_ascii_case(id)))
    }

    /// A row of two series in nanoseconds.
    pub fn row(&mut self, id: &str, work: &str, ours: &Series, baseline: &Series, goal: Goal) {
        // Faster: how many times the baseline takes; otherwise how many times we take.
        let ratio = match goal {
            Goal::Time(..) => ours.ratio(baseline),
            Goal::Faster(..) | Goal::Info => baseline.ratio(ours),
        };
        let times = |series: &Series| {
            let [p10, p90] = [0.1, 0.9].map(|at| series.quantile(at));
            format!("{:.2} ns ({p10:.2} {p90:.2})", series.median())
        };
        let (ours, base) = (times(ours), format!("{} {:.2} ns", baseline.name, baseline.median()));
        self.push(id, work, ours, base, Some(ratio), goal);
    }

    /// A row of what is known otherwise.
    pub fn push(
        &mut self,
        id: &str,
        work: &str,
        ours: String,
        baseline: String,
        ratio: Option<Ratio>,
        goal: Goal,
    ) {
        if !self.wants(&[id]) {
            return;
        }
        let (gate, stretch, verdict) = match (goal, ratio) {
            (Goal::Info, _) | (_, None) => (String::new(), String::new(), Verdict::Skipped),
            (Goal::Faster(gate, stretch), Some(Ratio { low, .. })) => {
                (format!(">={gate}"), format!(">={stretch}"), verdict(low >= gate, low >= stretch))
            }
            (Goal::Time(gate, stretch), Some(Ratio { high, .. })) => {
                // Some goals are only to be gone for.
                let gate_text = if gate.is_finite() { format!("<={gate}") } else { String::new() };
                (gate_text, format!("<={stretch}"), verdict(high <= gate, high <= stretch))
            }
        };
        let target = machine::target();
        let (id, work) = (id.to_owned(), work.to_owned());
        let row = Row { id, target, work, ours, baseline, ratio, gate, stretch, verdict };
        println!("{row}");
        self.rows.push(row);
    }

    /// A row that cannot be measured here.
    pub fn skip(&mut self, id: &str, work: &str, why: &str) {
        self.push(id, work, String::new(), why.to_owned(), None, Goal::Info);
    }
}

fn verdict(gate: bool, stretch: bool) -> Verdict {
    match (gate, stretch) {
        (_, true) => Verdict::Stretch,
        (true, false) => Verdict::Gate,
        _ => Verdict::Miss,
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, target, work, ours, baseline, gate, stretch, .. } = self;
        let ratio = self
            .ratio
            .map_or(String::new(), |Ratio { value, low, high }| format!("{value:.2}x [{low:.2} {high:.2}]"));
        let verdict = match (self.is_info(), self.ratio) {
            (true, Some(_)) => "(info)",
            _ => self.verdict.name(),
        };
        write!(
            f,
            "{id:<4} {target:<7} {work:<46} {ours:>26}  {baseline:<34} {ratio:>20} {gate:>7} {stretch:>7}  {verdict}"
        )
    }
}

/// The names of the columns, as [`Row`] prints them.
pub fn head() -> String {
    format!(
        "{:<4} {:<7} {:<46} {:>26}  {:<34} {:>20} {:>7} {:>7}  verdict",
        "id", "target", "work", "ours (p10 p90)", "baseline", "ratio [95 %]", "gate", "stretch"
    )
}

/// Writes rows as CSV.
pub fn write_csv(path: &Path, rows: &[Row]) -> io::Result<()> {
    let lines: Vec<_> = rows.iter().map(Row::to_csv).collect();
    std::fs::write(path, format!("{HEAD}\n{}\n", lines.join("\n")))
}

/// Reads them again.
pub fn read_csv(path: &Path) -> io::Result<Vec<Row>> {
    Ok(std::fs::read_to_string(path)?.lines().skip(1).filter_map(Row::from_csv).collect())
}
