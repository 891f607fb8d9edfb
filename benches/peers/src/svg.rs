//! Charts as SVG text, for light and for dark pages.

use std::{fmt::Write as _, io, path::Path};

/// Colours of a page.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    name: &'static str,
    page: &'static str,
    ink: &'static str,
    faint: &'static str,
    /// Of series, and of verdicts: the first of all is ours.
    pub series: [&'static str; 6],
    pub good: &'static str,
    pub fair: &'static str,
    pub bad: &'static str,
}

pub const THEMES: [Theme; 2] = [
    Theme {
        name: "light",
        page: "#ffffff",
        ink: "#1f2328",
        faint: "#d1d9e0",
        series: ["#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#6e7781"],
        good: "#1a7f37",
        fair: "#0969da",
        bad: "#cf222e",
    },
    Theme {
        name: "dark",
        page: "#0d1117",
        ink: "#e6edf3",
        faint: "#30363d",
        series: ["#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#f778ba", "#8b949e"],
        good: "#3fb950",
        fair: "#58a6ff",
        bad: "#f85149",
    },
];

/// Where text stands in relation to its point.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing that grows.
#[derive(Debug)]
pub struct Drawing {
    pub theme: Theme,
    body: String,
    width: f64,
    height: f64,
}

impl Drawing {
    pub fn new(theme: Theme, width: f64, height: f64) -> Self {
        let mut drawing = Self { theme, body: String::new(), width, height };
        drawing.rect(0.0, 0.0, width, height, theme.page);
        drawing
    }

    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}" fill="{fill}"/>"#,
            width.max(0.0)
        );
    }

    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str, dashed: bool) {
        let dash = if dashed { r#" stroke-dasharray="4 3""# } else { "" };
        let _ = writeln!(
            self.body,
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{stroke}" stroke-width="1.2"{dash}/>"#
        );
    }

    pub fn path(&mut self, points: &[(f64, f64)], stroke: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            self.body,
            r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="2"/>"#,
            points.join(" ")
        );
        for point in &points {
            let (x, y) = point.split_once(',').unwrap_or_default();
            let _ = writeln!(self.body, r#"<circle cx="{x}" cy="{y}" r="3" fill="{stroke}"/>"#);
        }
    }

    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: f64, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" fill="{}">{text}</text>"#,
            self.theme.ink
        );
    }

    /// A faint line of a grid.
    pub fn grid(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.line(from, to, self.theme.faint, false);
    }

    /// Writes `NAME-light.svg` or `NAME-dark.svg`.
    pub fn write(&self, dir: &Path, name: &str) -> io::Result<()> {
        let Self { body, width, height, theme } = self;
        let svg = format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}" "#,
                r#"font-family="system-ui, 'DejaVu Sans', sans-serif">"#,
                "\n{}</svg>\n"
            ),
            width, height, width, height, body
        );
        std::fs::write(dir.join(format!("{name}-{}.svg", theme.name)), svg)
    }
}

/// A line of a chart.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// A chart of lines over a logarithmic axis.
#[derive(Clone, Debug)]
pub struct LineChart {
    pub file: &'static str,
    pub title: String,
    pub x: &'static str,
    pub y: &'static str,
    pub lines: Vec<Line>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 84.0;

impl LineChart {
    /// Draws the chart for both kinds of pages.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        THEMES.iter().try_for_each(|&theme| self.draw(theme).write(dir, self.file))
    }

    fn draw(&self, theme: Theme) -> Drawing {
        let mut drawing = Drawing::new(theme, WIDTH, HEIGHT);
        let mut xs: Vec<f64> =
            self.lines.iter().flat_map(|line| line.points.iter().map(|point| point.0)).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let top = self.lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(0.0, f64::max);
        let step = nice_step(top);
        let most = (top / step).ceil().max(1.0) * step;
        let (first, last) = (xs.first().copied().unwrap_or(1.0), xs.last().copied().unwrap_or(1.0));
        let span = (last / first).ln().max(f64::MIN_POSITIVE);
        let x_of = |x: f64| LEFT + (WIDTH - LEFT - RIGHT) * (x / first).ln() / span;
        let y_of = |y: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / most;

        drawing.text((12.0, 20.0), Anchor::Start, 15.0, &self.title);
        let mut y = 0.0;
        while y <= most + step / 2.0 {
            drawing.grid((LEFT, y_of(y)), (WIDTH - RIGHT, y_of(y)));
            drawing.text((LEFT - 6.0, y_of(y) + 4.0), Anchor::End, 11.0, &short(y));
            y += step;
        }
        for &x in &xs {
            drawing.grid((x_of(x), TOP), (x_of(x), HEIGHT - BOTTOM));
            drawing.text((x_of(x), HEIGHT - BOTTOM + 16.0), Anchor::Middle, 11.0, &count(x));
        }
        drawing.text(((LEFT + WIDTH) / 2.0, HEIGHT - BOTTOM + 36.0), Anchor::Middle, 12.0, self.x);
        drawing.text((12.0, TOP - 8.0), Anchor::Start, 11.0, self.y);
        let mut legend = LEFT;
        for (number, line) in self.lines.iter().enumerate() {
            let stroke = theme.series[number % theme.series.len()];
            let points: Vec<_> = line.points.iter().map(|&(x, y)| (x_of(x), y_of(y))).collect();
            drawing.path(&points, stroke);
            drawing.rect(legend, HEIGHT - 28.0, 12.0, 12.0, stroke);
            drawing.text((legend + 17.0, HEIGHT - 18.0), Anchor::Start, 12.0, &line.name);
            legend += 34.0 + 6.6 * line.name.len() as f64;
        }
        drawing
    }
}

/// A step of an axis that people can read.
fn nice_step(top: f64) -> f64 {
    let raw = (top / 6.0).max(f64::MIN_POSITIVE);
    let magnitude = 10_f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * magnitude)
        .into_iter()
        .find(|&step| step >= raw)
        .unwrap_or(raw)
}

fn short(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// A number as people write it: 64K, 8M.
fn count(value: f64) -> String {
    let whole = value as u64;
    match whole {
        0..1024 => whole.to_string(),
        _ if whole.is_multiple_of(1 << 20) => format!("{}M", whole >> 20),
        _ if whole.is_multiple_of(1 << 10) => format!("{}K", whole >> 10),
        _ => whole.to_string(),
    }
}
