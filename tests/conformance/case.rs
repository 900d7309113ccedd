//! A case of the suite: what is sent, and what must come.

use super::peer::{Heard, Peer, Way, reason, whole};
use super::support::raw::CLOSE;
use super::support::{Server, within_time};

/// How long a case may take: less than what any single wait may, so that a failure has its number.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(9);

enum Step {
    Send(Vec<Vec<u8>>, Way),
    Hear(Heard),
    HearEnd,
}

/// See the module.
pub struct Case {
    pub number: String,
    title: String,
    steps: Vec<Step>,
}

impl Case {
    pub fn new(number: impl Into<String>, title: impl Into<String>) -> Case {
        Case {
            number: number.into(),
            title: title.into(),
            steps: Vec::new(),
        }
    }

    fn step(mut self, step: Step) -> Case {
        self.steps.push(step);
        self
    }

    /// Sends frames, cut like this.
    pub fn send_cut(self, way: Way, frames: Vec<Vec<u8>>) -> Case {
        self.step(Step::Send(frames, way))
    }

    /// Sends frames in one write.
    pub fn send(self, frames: Vec<Vec<u8>>) -> Case {
        self.send_cut(Way::Together, frames)
    }

    /// Next, the server refuses a message with this code.
    pub fn refused(self, code: &str) -> Case {
        self.step(Step::Hear(Heard::Refused(code.into())))
    }

    /// Next, the server answers a ping.
    pub fn pong(self, payload: &[u8]) -> Case {
        self.step(Step::Hear(Heard::Pong(payload.to_vec())))
    }

    /// Next, the server closes with this code, and the connection ends in order with nothing more.
    pub fn closed(self, code: impl Into<Option<u16>>) -> Case {
        self.step(Step::Hear(Heard::Close(code.into())))
            .step(Step::HearEnd)
    }

    /// The client closes, which shows that nothing else had come.
    pub fn bye(self) -> Case {
        self.send(vec![whole(CLOSE, &reason(1000, b""))])
            .closed(1000)
    }

    async fn run(&self, server: &Server, user: Option<&str>) -> Result<(), String> {
        let mut peer = Peer::open(server, user).await;
        for step in &self.steps {
            match step {
                Step::Send(frames, way) => peer.send(frames, *way).await,
                Step::Hear(expected) => expect(expected, &peer.hear().await)?,
                Step::HearEnd => expect(&Heard::End, &peer.hear_end().await)?,
            }
        }
        Ok(())
    }
}

fn expect(expected: &Heard, heard: &Heard) -> Result<(), String> {
    if expected == heard {
        return Ok(());
    }
    Err(format!("expected {expected:?}, got {heard:?}"))
}

/// Runs each case on a socket of its own, before and after a connect, and fails with all that went wrong.
pub async fn hold(server: &Server, cases: Vec<Case>) {
    let mut failures = Vec::new();
    for case in &cases {
        for user in [None, Some("peer")] {
            let name = format!("case {} ({}), user {user:?}", case.number, case.title);
            if let Err(failure) = within_time(PATIENCE, &name, case.run(server, user)).await {
                failures.push(format!("{name}: {failure}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
