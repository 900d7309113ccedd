//! Histories: what a few users do, one step after another. They can be generated, shrunk and read.

use proptest::prelude::*;

/// A history.
#[derive(Clone)]
pub struct History {
    /// How many users there are.
    pub users: usize,
    /// What happens.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is done. A step for which there is nobody or nothing is left out.
    pub act: Act,
    /// Whether the next step waits until everything that this and those before owe has come.
    pub settle: bool,
}

/// One of those that are there at that moment, counted round and round; of messages, from the newest on.
pub type Pick = usize;

/// What can be done. A `device` is one that is connected; it may be one that reads nothing.
#[derive(Debug, Clone)]
pub enum Act {
    /// A user connects one more device. A narrow one has a small receive buffer.
    Connect { user: Pick, narrow: bool },
    /// A device sends its connect frame again.
    ConnectAgain { device: Pick },
    /// Action 2.
    GetIds { device: Pick },
    /// Action 3, so often, with new messages.
    Send {
        device: Pick,
        to: Pick,
        large: bool,
        count: usize,
    },
    /// The same frame again, on any device of its sender.
    Resend { device: Pick, message: Pick },
    /// The same ID with another text.
    Conflict { device: Pick, message: Pick },
    /// An ID that is another user's, spent or not, or nobody's.
    StealId { device: Pick, id: Pick },
    /// A frame of one of the actions that says to be of another user.
    Impersonate {
        device: Pick,
        user: Pick,
        action: Pick,
    },
    /// A frame of one of the actions in which something is wrong.
    Malformed { device: Pick, action: Pick },
    /// A receipt for each of some messages to this user, once or twice.
    Read {
        device: Pick,
        message: Pick,
        count: usize,
        twice: bool,
    },
    /// A receipt for a message that is not to this user.
    ReadOthers { device: Pick, message: Pick },
    /// A receipt that names somebody else as the sender.
    ReadMisnamed {
        device: Pick,
        message: Pick,
        sender: Pick,
    },
    /// Action 5.
    Heartbeat { device: Pick },
    /// Action 11.
    Contacts { device: Pick },
    /// Action 12.
    Page {
        device: Pick,
        partner: Option<Pick>,
        base: Option<Pick>,
        size: Option<i64>,
    },
    /// A device closes in order.
    Close { device: Pick },
    /// A device is gone without a word.
    Cut { device: Pick },
    /// A device reads nothing from now on, and another one sends its user more than fits between it and the server.
    FallBehind { device: Pick, other: Pick },
    /// A device reads nothing from now on.
    Pause { device: Pick },
    /// A device that reads nothing reads on.
    Resume { device: Pick },
    /// kill -9 of a node, and a new start.
    Kill { node: Pick },
    /// SIGTERM to a node, and a new start.
    Stop { node: Pick },
}

impl History {
    /// How often a process ends in it.
    pub fn restarts(&self) -> usize {
        let ends = |step: &&Step| matches!(step.act, Act::Kill { .. } | Act::Stop { .. });
        self.steps.iter().filter(ends).count()
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} users", self.users)?;
        for Step { act, settle } in &self.steps {
            let then = if *settle { ", then all comes" } else { "" };
            write!(f, "\n  {act:?}{then}")?;
        }
        Ok(())
    }
}

/// How often something is done in a history, beside messages and requests.
#[derive(Clone, Copy)]
struct Weights {
    receipts: u32,
    restarts: u32,
    floods: u32,
}

/// Any history. In one of ten processes end, and in one of twenty devices fall behind.
pub fn histories() -> impl Strategy<Value = History> {
    let with = |users: std::ops::RangeInclusive<usize>, receipts, restarts, floods| {
        let weights = Weights {
            receipts,
            restarts,
            floods,
        };
        let connects = prop::collection::vec(step(connect()), 1..6);
        let others = prop::collection::vec(step(act(weights)), 0..40);
        (users, connects, others).prop_map(|(users, mut steps, others)| {
            steps.extend(others);
            History { users, steps }
        })
    };
    prop_oneof![
        17 => with(2..=4, 15, 0, 0),
        2 => with(2..=4, 15, 6, 0),
        1 => with(2..=2, 60, 0, 10),
    ]
}

fn step(act: impl Strategy<Value = Act>) -> impl Strategy<Value = Step> {
    (act, prop::bool::weighted(0.3)).prop_map(|(act, settle)| Step { act, settle })
}

fn pick() -> std::ops::Range<Pick> {
    0..60
}

fn connect() -> impl Strategy<Value = Act> {
    (0..4_usize, prop::bool::weighted(0.7)).prop_map(|(user, narrow)| Act::Connect { user, narrow })
}

fn act(weights: Weights) -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => connect(),
        36 => messages(),
        weights.receipts => receipts(),
        14 => requests(),
        14 => comings_and_goings(),
        weights.restarts => ends(),
        weights.floods => (pick(), pick()).prop_map(|(device, other)| Act::FallBehind { device, other }),
    ]
}

fn messages() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => (pick(), 0..4_usize, 1..4_usize).prop_map(|(device, to, count)| Act::Send {
            device, to, large: false, count
        }),
        1 => (pick(), 0..4_usize, 1..30_usize).prop_map(|(device, to, count)| Act::Send {
            device, to, large: true, count
        }),
        8 => (pick(), pick()).prop_map(|(device, message)| Act::Resend { device, message }),
        3 => (pick(), pick()).prop_map(|(device, message)| Act::Conflict { device, message }),
        3 => (pick(), pick()).prop_map(|(device, id)| Act::StealId { device, id }),
        2 => (pick(), 0..4_usize, pick())
            .prop_map(|(device, user, action)| Act::Impersonate { device, user, action }),
        2 => (pick(), pick()).prop_map(|(device, action)| Act::Malformed { device, action }),
    ]
}

fn receipts() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => (pick(), pick(), 1..6_usize, prop::bool::weighted(0.3)).prop_map(
            |(device, message, count, twice)| Act::Read { device, message, count, twice }
        ),
        2 => (pick(), pick()).prop_map(|(device, message)| Act::ReadOthers { device, message }),
        1 => (pick(), pick(), 0..4_usize)
            .prop_map(|(device, message, sender)| Act::ReadMisnamed { device, message, sender }),
    ]
}

fn requests() -> impl Strategy<Value = Act> {
    let size = prop::option::of(prop_oneof![1..4_i64, -1..120_i64]);
    let page = (
        pick(),
        prop::option::of(0..4_usize),
        prop::option::of(pick()),
        size,
    );
    prop_oneof![
        8 => page.prop_map(|(device, partner, base, size)| Act::Page {
            device, partner, base, size
        }),
        2 => pick().prop_map(|device| Act::Contacts { device }),
        2 => pick().prop_map(|device| Act::GetIds { device }),
        1 => pick().prop_map(|device| Act::Heartbeat { device }),
        1 => pick().prop_map(|device| Act::ConnectAgain { device }),
    ]
}

fn comings_and_goings() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => pick().prop_map(|device| Act::Close { device }),
        3 => pick().prop_map(|device| Act::Cut { device }),
        3 => pick().prop_map(|device| Act::Pause { device }),
        4 => pick().prop_map(|device| Act::Resume { device }),
    ]
}

fn ends() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0..2_usize).prop_map(|node| Act::Kill { node }),
        1 => (0..2_usize).prop_map(|node| Act::Stop { node }),
    ]
}
