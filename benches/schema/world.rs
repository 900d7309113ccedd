//! Who writes to whom: the messages, the same for every schema.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

const CROWD: usize = 100_000;
const PAIRS: usize = 100;
/// One user who talks to the first hundred of the crowd, and one who talks to the first 5,000.
pub const STARS: [(usize, usize); 2] = [(CROWD + 2 * PAIRS, 100), (CROWD + 2 * PAIRS + 1, 5_000)];
pub const USERS: usize = CROWD + 2 * PAIRS + STARS.len();

#[derive(Clone)]
pub struct Message {
    pub id: i64,
    pub sender: usize,
    pub recipient: usize,
    pub sender_seq: i64,
    pub recipient_seq: i64,
    pub status: i64,
}

#[derive(Clone, Copy)]
pub enum Load {
    Uniform,
    Zipf,
    Pairs,
}

pub const LOADS: [(Load, &str); 3] = [
    (Load::Uniform, "uniform"),
    (Load::Zipf, "Zipf"),
    (Load::Pairs, "pairs"),
];

pub struct World {
    conversations: Vec<(usize, usize)>,
    /// Cumulated Zipf weights of the conversations.
    weights: Vec<f64>,
    rng: StdRng,
}

/// Names in another order than row numbers, as in life.
pub fn name(user: usize) -> String {
    format!("HK{:07}", user * 7_368_787 % 10_000_000)
}

fn two_of_crowd(rng: &mut StdRng) -> (usize, usize) {
    let sender = rng.random_range(0..CROWD);
    (sender, (sender + rng.random_range(1..CROWD)) % CROWD)
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(42);
        let conversations = (0..CROWD).map(|_| two_of_crowd(&mut rng)).collect();
        let weights = (1..=CROWD)
            .scan(0.0, |sum, rank| {
                *sum += 1.0 / rank as f64;
                Some(*sum)
            })
            .collect();
        Self {
            conversations,
            weights,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    fn draw(&mut self, load: Load) -> (usize, usize) {
        let (a, b) = match load {
            Load::Uniform => return two_of_crowd(&mut self.rng),
            Load::Zipf => {
                let at = self.rng.random_range(0.0..self.weights[CROWD - 1]);
                self.conversations[self.weights.partition_point(|&sum| sum <= at)]
            }
            Load::Pairs => {
                let pair = CROWD + 2 * self.rng.random_range(0..PAIRS);
                (pair, pair + 1)
            }
        };
        if self.rng.random() { (a, b) } else { (b, a) }
    }

    /// The stored messages are a mixture of the loads, and of what the two stars say and hear.
    fn draw_mixed(&mut self) -> (usize, usize) {
        let star = match self.rng.random_range(0..1000) {
            0..20 => STARS[1],
            20..22 => STARS[0],
            22..50 => return self.draw(Load::Pairs),
            50..500 => return self.draw(Load::Zipf),
            _ => return self.draw(Load::Uniform),
        };
        let peer = self.rng.random_range(0..star.1);
        if self.rng.random() {
            (star.0, peer)
        } else {
            (peer, star.0)
        }
    }

    /// IDs as they arrive: granted in blocks to many users, so nearly ascending.
    fn ids(&mut self, first: i64, count: usize) -> Vec<i64> {
        let mut ids: Vec<i64> = (first..first + count as i64).collect();
        ids.chunks_mut(64)
            .for_each(|ids| ids.shuffle(&mut self.rng));
        ids
    }

    /// Messages of one load, not yet in any timeline.
    pub fn burst(&mut self, load: Load, first: i64, rows: usize) -> Vec<Message> {
        let ids = self.ids(first, rows);
        let mut message = |id| {
            let (sender, recipient) = self.draw(load);
            Message {
                id,
                sender,
                recipient,
                sender_seq: 0,
                recipient_seq: 0,
                status: 1,
            }
        };
        ids.into_iter().map(&mut message).collect()
    }

    /// What is stored at the start, and each user's counter. The last twentieth is unread.
    pub fn history(&mut self, rows: usize) -> (Vec<Message>, Vec<i64>) {
        let mut counters = vec![0_i64; USERS];
        let messages = self
            .ids(1, rows)
            .into_iter()
            .enumerate()
            .map(|(at, id)| {
                let (sender, recipient) = self.draw_mixed();
                counters[sender] += 1;
                counters[recipient] += 1;
                let status = if at >= rows / 20 * 19 { 1 } else { 2 };
                Message {
                    id,
                    sender,
                    recipient,
                    sender_seq: counters[sender],
                    recipient_seq: counters[recipient],
                    status,
                }
            })
            .collect();
        (messages, counters)
    }
}
