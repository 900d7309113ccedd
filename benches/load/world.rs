//! Who writes to whom where much is stored: some talk, and are connected; the others are written to.

use rand::Rng;
use rand::rngs::StdRng;

/// Talkers, and the others, where there are enough messages for them.
const TALKERS: usize = 1_000;
const OTHERS: usize = 100_000;
/// The talkers who read history.
pub const READERS: usize = 100;
/// Each of the others knows so many of the others.
const ACQUAINTANCES: usize = 5;

/// How recipients are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// As people do: there are as many conversations as others, of which few are long and most short, by
    /// Zipf's law.
    Zipf,
    /// Any talker to any of the others.
    Random,
}

impl Writing {
    pub fn name(self) -> &'static str {
        match self {
            Self::Zipf => "as people do (Zipf)",
            Self::Random => "all at random",
        }
    }
}

/// Users by numbers from 0 on, talkers first.
pub struct World {
    pub talkers: usize,
    others: usize,
    /// Sums of the weights of the conversations, the longest first.
    weights: Vec<f64>,
}

impl World {
    /// Of a size that suits so many messages.
    pub fn of(messages: usize) -> Self {
        let others = (messages / 100).clamp(100, OTHERS);
        let weight = |sum: &mut f64, rank: usize| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        };
        Self {
            talkers: (messages / 10_000).clamp(10, TALKERS),
            others,
            weights: (1..=others).scan(0.0, weight).collect(),
        }
    }

    pub fn users(&self) -> usize {
        self.talkers + self.others
    }

    pub fn conversations(&self) -> usize {
        self.others
    }

    /// The two of a conversation.
    pub fn conversation(&self, rank: usize) -> (usize, usize) {
        (rank % self.talkers, self.talkers + rank)
    }

    /// The next talker to write, and to whom.
    pub fn draw(&self, writing: Writing, rng: &mut StdRng) -> (usize, usize) {
        match writing {
            Writing::Zipf => {
                let all = self.weights.last().copied().unwrap_or_default();
                let at = rng.random_range(0.0..all);
                self.conversation(self.weights.partition_point(|sum| *sum <= at))
            }
            Writing::Random => (
                rng.random_range(0..self.talkers),
                self.talkers + rng.random_range(0..self.others),
            ),
        }
    }

    /// Two of those who are stored: half of the time a conversation of a talker, else two of the others
    /// who know each other; either of the two writes.
    pub fn draw_stored(&self, rng: &mut StdRng) -> (usize, usize) {
        let (a, b) = match rng.random() {
            true => self.draw(Writing::Zipf, rng),
            false => {
                let other = rng.random_range(0..self.others);
                self.acquaintance(other, rng.random_range(0..ACQUAINTANCES))
            }
        };
        if rng.random() { (a, b) } else { (b, a) }
    }

    fn acquaintance(&self, other: usize, number: usize) -> (usize, usize) {
        let second = (other + 1 + number) % self.others;
        (self.talkers + other, self.talkers + second)
    }

    /// All who know each other.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let talks = (0..self.conversations()).map(|rank| self.conversation(rank));
        let others = 0..self.others;
        talks.chain(others.flat_map(move |other| {
            (0..ACQUAINTANCES).map(move |number| self.acquaintance(other, number))
        }))
    }

    /// The talkers who read history: those at the end, who do not write most.
    pub fn readers(&self) -> std::ops::Range<usize> {
        self.talkers.saturating_sub(READERS)..self.talkers
    }
}

/// Names in another order than the numbers, as in life.
pub fn name(user: usize) -> String {
    format!("HK{:07}", user * 7_368_787 % 10_000_000)
}
