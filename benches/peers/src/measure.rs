//! Rounds of everybody in turn, and what they say.

use std::time::Instant;

use crate::cases::Random;

/// Something to be timed.
pub struct Contestant<'a> {
    name: String,
    /// What has to be done before a slice of work, not timed.
    prepare: Option<Box<dyn FnMut() + 'a>>,
    /// Does the work of a slice, whose number it is told, and answers how many operations that were.
    work: Box<dyn FnMut(usize) -> usize + 'a>,
}

impl<'a> Contestant<'a> {
    pub fn new(name: impl Into<String>, work: impl FnMut(usize) -> usize + 'a) -> Self {
        Self { name: name.into(), prepare: None, work: Box::new(work) }
    }

    /// One that needs preparation, which shares its state with the work.
    pub fn prepared<T: 'a>(
        name: impl Into<String>,
        state: T,
        mut prepare: impl FnMut(&mut T) + 'a,
        mut work: impl FnMut(&mut T, usize) -> usize + 'a,
    ) -> Self {
        let state = std::rc::Rc::new(std::cell::RefCell::new(state));
        let shared = state.clone();
        Self {
            name: name.into(),
            prepare: Some(Box::new(move || prepare(&mut shared.borrow_mut()))),
            work: Box::new(move |slice| work(&mut state.borrow_mut(), slice)),
        }
    }

    /// Nanoseconds of one operation in this slice.
    fn time(&mut self, slice: usize) -> f64 {
        if let Some(prepare) = &mut self.prepare {
            prepare();
        }
        let start = Instant::now();
        let operations = (self.work)(slice);
        start.elapsed().as_nanos() as f64 / operations as f64
    }
}

/// Nanoseconds per operation, two samples per round: one forth, one back.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub samples: Vec<f64>,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub rounds: usize,
    /// Slices of a turn, half of them untimed.
    pub turn: usize,
}

impl Effort {
    /// Half as many rounds.
    pub fn half(self) -> Self {
        Self { rounds: self.rounds.div_ceil(2), ..self }
    }
}

/// Everybody in turn, forth and back, so that nobody has the warm cache or the busy neighbour alone. A turn is many
/// slices, the first half of them untimed, to have the caches as its own; its sample is the median of the others:
/// slices are so short that most are not interrupted on a busy machine, whoever is slow.
pub fn interleave(effort: Effort, contestants: &mut [Contestant<'_>]) -> Vec<Series> {
    let mut series: Vec<_> =
        contestants.iter().map(|c| Series { name: c.name.clone(), samples: Vec::new() }).collect();
    for round in 0..effort.rounds {
        let order: Vec<_> = (0..contestants.len()).collect();
        let back = order.iter().rev().copied().collect();
        for (half, order) in [order, back].into_iter().enumerate() {
            for at in order {
                let first = (2 * round + half) * effort.turn;
                let times = (first..first + effort.turn).map(|slice| contestants[at].time(slice));
                let timed: Vec<_> = times.skip(effort.turn / 2).collect();
                series[at].samples.push(quantile(&timed, 0.5));
            }
        }
    }
    series
}

impl Series {
    pub fn median(&self) -> f64 {
        quantile(&self.samples, 0.5)
    }

    pub fn quantile(&self, at: f64) -> f64 {
        quantile(&self.samples, at)
    }

    /// This one, and the same measured once more.
    pub fn and(mut self, other: Self) -> Self {
        self.samples.extend(other.samples);
        self
    }

    /// The same with other units.
    pub fn scaled(mut self, factor: f64) -> Self {
        self.samples.iter_mut().for_each(|sample| *sample *= factor);
        self
    }

    /// What both take together.
    pub fn plus(&self, other: &Self, name: &str) -> Self {
        let samples = self.samples.iter().zip(&other.samples).map(|(a, b)| a + b).collect();
        Self { name: name.into(), samples }
    }

    /// This one's median divided by the other's, and between what it lies with 95 % confidence (bootstrap over
    /// rounds, which both share).
    pub fn ratio(&self, other: &Self) -> Ratio {
        const DRAWS: usize = 1_000;
        let mut random = Random(1);
        let (ours, others) = (&self.samples, &other.samples);
        let count = ours.len().min(others.len());
        let ratios: Vec<_> = (0..DRAWS)
            .map(|_| {
                let picks: Vec<_> = (0..count).map(|_| random.below(count)).collect();
                let pick = |from: &[f64]| picks.iter().map(|&at| from[at]).collect::<Vec<_>>();
                quantile(&pick(ours), 0.5) / quantile(&pick(others), 0.5)
            })
            .collect();
        Ratio {
            value: self.median() / other.median(),
            low: quantile(&ratios, 0.025),
            high: quantile(&ratios, 0.975),
        }
    }
}

/// A ratio and its interval.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// The one with the smallest median.
pub fn fastest<'a>(series: impl IntoIterator<Item = &'a Series>) -> &'a Series {
    series.into_iter().min_by(|a, b| a.median().total_cmp(&b.median())).unwrap()
}

/// The value that a share of all values is below.
pub fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * at).round() as usize]
}
