//! Rounds of everybody in turn, and what they say.

use std::time::Instant;

use super::Random;

/// Something to be timed: does its work once, on the given slice of the data, and answers how many operations
/// that were.
pub type Timed<'a> = (String, Box<dyn FnMut(usize) -> usize + 'a>);

/// Slices of a turn.
const TURN: usize = 32;

/// Nanoseconds per operation, a sample per round.
pub struct Series {
    pub name: String,
    pub samples: Vec<f64>,
}

/// Everybody in turn, forth and back, so that nobody has the warm cache or the busy neighbour alone. A turn is many
/// slices, the first half of them untimed, to have the caches as its own; its sample is the median of the others:
/// slices are so short that most are not interrupted on a busy machine, whoever is slow.
pub fn interleave(rounds: usize, contestants: &mut [Timed<'_>]) -> Vec<Series> {
    let mut series: Vec<_> =
        contestants.iter().map(|(name, _)| Series { name: name.clone(), samples: Vec::new() }).collect();
    for round in 0..rounds {
        let order: Vec<_> = (0..contestants.len()).collect();
        let back = order.iter().rev().copied().collect();
        for (half, order) in [order, back].into_iter().enumerate() {
            for at in order {
                let work = &mut contestants[at].1;
                let first = (2 * round + half) * TURN;
                (first..first + TURN / 2).for_each(|slice| {
                    let _ = work(slice);
                });
                let timed = (first + TURN / 2..first + TURN).map(|slice| {
                    let start = Instant::now();
                    let operations = work(slice);
                    start.elapsed().as_nanos() as f64 / operations as f64
                });
                series[at].samples.push(quantile(&timed.collect::<Vec<_>>(), 0.5));
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

    /// This one's median divided by the other's, and between what it lies with 95 % confidence (bootstrap over
    /// rounds, which both share).
    pub fn ratio(&self, other: &Self) -> (f64, f64, f64) {
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
        (self.median() / other.median(), quantile(&ratios, 0.025), quantile(&ratios, 0.975))
    }
}

/// The value that a share of all values is below.
pub fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * at).round() as usize]
}
