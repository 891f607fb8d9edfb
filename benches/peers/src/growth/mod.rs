//! How costs grow with what there is: no chart may have a knee that nobody can explain.

mod packets;
mod tables;

use std::{io, path::Path};

use crate::{
    machine,
    measure::{Contestant, Effort, Series, interleave},
    svg::{Line, LineChart},
};

use self::{
    packets::{depth, frame_size, remotes},
    tables::{cores, entries, vnis},
};

/// A chart whose points are still being found.
struct Growing {
    chart: LineChart,
    effort: Effort,
}

impl Growing {
    fn new(file: &'static str, title: &str, x: &'static str, y: &'static str, effort: Effort) -> Self {
        println!("\n{title}\n{x:>28}  {y}");
        Self { chart: LineChart { file, title: title.into(), x, y, lines: Vec::new() }, effort }
    }

    /// Measures everybody at this place of the axis.
    fn measure(&mut self, x: usize, contestants: &mut [Contestant<'_>]) {
        let series = interleave(self.effort, contestants);
        self.add_series(x, &series);
    }

    /// Measures those at all these places, as many at each, and not one place after the other: a machine that is slow
    /// for a second is so for all. Turns are `longer` so many times, for each to have its memory near before it is
    /// timed.
    fn measure_all(&mut self, longer: usize, places: &[usize], contestants: &mut [Contestant<'_>]) {
        let effort = Effort { turn: longer * self.effort.turn, ..self.effort };
        let each = contestants.len() / places.len();
        let series = interleave(effort, contestants);
        for (&x, series) in places.iter().zip(series.chunks(each)) {
            self.add_series(x, series);
        }
    }

    fn add_series(&mut self, x: usize, series: &[Series]) {
        let values: Vec<_> = series.iter().map(|series| (series.name.clone(), series.median())).collect();
        self.add(x, &values);
    }

    fn add(&mut self, x: usize, values: &[(String, f64)]) {
        let text: Vec<_> = values.iter().map(|(name, value)| format!("{name} {value:.1}")).collect();
        println!("{x:>28}  {}", text.join(", "));
        for (name, value) in values {
            let line = match self.chart.lines.iter_mut().find(|line| line.name == *name) {
                Some(line) => line,
                None => {
                    self.chart.lines.push(Line { name: name.clone(), points: Vec::new() });
                    self.chart.lines.last_mut().unwrap()
                }
            };
            line.points.push((x as f64, *value));
        }
    }
}

/// Measures all of them.
pub fn run(quick: bool) -> Vec<LineChart> {
    let effort = Effort { rounds: if quick { 8 } else { 20 }, turn: 8 };
    [entries, remotes, vnis, frame_size, depth, cores].map(|measure| measure(effort, quick).chart).into()
}

/// Writes all points, and the charts.
pub fn write(charts: &[LineChart], csv: Option<&Path>, svg: Option<&Path>) -> io::Result<()> {
    if let Some(csv) = csv {
        let mut lines = vec!["chart,target,x,series,value".to_owned()];
        for chart in charts {
            for line in &chart.lines {
                let point = |&(x, y): &(f64, f64)| {
                    format!("{},{},{x},{},{y:.3}", chart.file, machine::target(), line.name)
                };
                lines.extend(line.points.iter().map(point));
            }
        }
        std::fs::write(csv, lines.join("\n") + "\n")?;
    }
    if let Some(dir) = svg {
        std::fs::create_dir_all(dir)?;
        charts.iter().try_for_each(|chart| chart.write(dir))?;
    }
    Ok(())
}
