//! A sender and a recipient whose books outlive the server's process.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::sync::oneshot;

use super::crash_receiver::{is_of_a_killed_store, receive_until_gone};
use super::flow::{Flow, id_of, text_of};
use super::support::client::split_ids;
use super::support::{Server, frames};

/// How many messages the sender has unacknowledged under load.
const WINDOW: usize = 64;

/// How many granted IDs the sender keeps in stock under load.
const STOCK: usize = 200;

/// How the failure begins that names what was lost.
pub const LOST: &str = "acknowledged and lost:";

/// One conversation, in one direction.
pub struct CrashPair {
    sender: String,
    recipient: String,
    /// How many bytes a text has at least.
    text_bytes: usize,
    /// Every ID that an answer granted to the sender, in order.
    pub granted: Vec<String>,
    /// Granted IDs that no message was sent under.
    unspent: VecDeque<String>,
    /// The text of every message that was ever sent, by ID.
    texts: HashMap<String, String>,
    /// Messages without an acknowledgement, in the order in which they were sent.
    pending: Vec<String>,
    /// Messages whose status 1 was seen.
    acknowledged: HashSet<String>,
    /// Counts them for all pairs, while they are under load.
    acks: Arc<AtomicUsize>,
    /// What the recipient got before the last crash, in order.
    live: Vec<String>,
    /// The history that was verified after earlier crashes, in order.
    verified: Vec<String>,
}

/// The two connections of a pair, whose books are settled.
pub struct Connected {
    sender: Flow,
    recipient: Flow,
}

/// Why a sender sends no more.
enum End {
    /// The server is gone.
    Gone,
    /// The server is there, and its store is not.
    Refused,
}

impl CrashPair {
    /// A pair that has not met yet.
    pub fn new(number: usize, text_bytes: usize, acks: &Arc<AtomicUsize>) -> CrashPair {
        CrashPair {
            sender: format!("sender-{number}"),
            recipient: format!("recipient-{number}"),
            text_bytes,
            granted: Vec::new(),
            unspent: VecDeque::new(),
            texts: HashMap::new(),
            pending: Vec::new(),
            acknowledged: HashSet::new(),
            acks: Arc::clone(acks),
            live: Vec::new(),
            verified: Vec::new(),
        }
    }

    /// How many messages history must hold by now.
    pub fn settled(&self) -> usize {
        self.verified.len()
    }

    /// Sends and receives as fast as it goes, until the server is gone, or its store.
    pub async fn load(&mut self, connected: Connected) {
        let Connected {
            mut sender,
            recipient,
        } = connected;
        let (stop, stopped) = oneshot::channel();
        let receiving = receive_until_gone(recipient, self.sender.clone(), stopped);
        let receiving = tokio::spawn(receiving);
        let mut stop = Some(stop);
        if let End::Refused = self.send_until_gone(&mut sender).await {
            // Whom the server is gone for, too, is not there to be told.
            let _ = stop.take().map(|stop| stop.send(()));
        }
        self.live = receiving.await.expect("the recipient saw nothing wrong");
    }

    async fn send_until_gone(&mut self, flow: &mut Flow) -> End {
        let mut grants_asked = 0;
        loop {
            while self.unspent.len() + grants_asked * 10 < STOCK {
                flow.feed(frames::get_ids(&self.sender).to_string()).await;
                grants_asked += 1;
            }
            while self.pending.len() < WINDOW {
                let Some(id) = self.unspent.pop_front() else {
                    break;
                };
                let text = format!("message {} of {} ", self.texts.len(), self.sender);
                let text = format!("{text:x<0$}", self.text_bytes);
                flow.feed(frames::message(&self.sender, &self.recipient, &id, &text).to_string())
                    .await;
                self.texts.insert(id.clone(), text);
                self.pending.push(id);
            }
            // What cannot be sent any more stays pending; what was answered before the end still has to be read.
            flow.flush().await;
            let Some(frame) = flow.next().await else {
                return End::Gone;
            };
            match frame["action"].as_str() {
                Some("2") => {
                    grants_asked -= 1;
                    let ids = split_ids(&frame);
                    self.granted.extend(ids.iter().cloned());
                    self.unspent.extend(ids);
                }
                Some("4") => self.note_status(&frame),
                Some("0") if is_of_a_killed_store(&frame) => return End::Refused,
                _ => panic!("{}: unexpected under load: {frame}", self.sender),
            }
        }
    }

    /// Status 1 acknowledges. Status 2 says no less, but is not counted: a receipt may overtake nothing.
    fn note_status(&mut self, frame: &Value) {
        if frame["chatMsg"]["status"] == 1 {
            let id = id_of(frame);
            self.pending.retain(|pending| pending != id);
            self.acknowledged.insert(id.to_owned());
            self.acks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// After a restart: sends again what was not acknowledged, and checks every promise about the time before.
    pub async fn settle(&mut self, server: &Server) -> Connected {
        let mut sender = Flow::connect(server, &self.sender).await;
        self.resend_pending(&mut sender).await;

        let news = sender
            .history_since(&self.recipient, self.verified.last().map(String::as_str))
            .await;
        self.verify_history(&news);

        let mut recipient = Flow::connect(server, &self.recipient).await;
        let unread: Vec<_> = news
            .iter()
            .filter(|message| message["chatMsg"]["status"] == 1)
            .collect();
        for expected in &unread {
            let delivery = recipient.expect_next().await;
            assert_eq!(delivery["action"], "3", "{}: {delivery}", self.recipient);
            assert_eq!(
                id_of(&delivery),
                id_of(expected),
                "redelivery follows the order of history"
            );
            assert_eq!(text_of(&delivery), text_of(expected));
        }
        self.read_all(&mut sender, &mut recipient, &unread).await;
        recipient.send(&frames::contacts(&self.recipient)).await;
        let answer = recipient.expect_next().await;
        assert_eq!(
            answer["action"], "11",
            "{}: nothing comes twice, but {answer}",
            self.recipient
        );
        Connected { sender, recipient }
    }

    /// Checks that history has every message that was acknowledged, before anything is sent again.
    pub async fn lost_nothing(&self, server: &Server) {
        let mut sender = Flow::connect(server, &self.sender).await;
        let last = self.verified.last().map(String::as_str);
        let news = sender.history_since(&self.recipient, last).await;
        let mut known: HashSet<_> = news.iter().map(id_of).collect();
        known.extend(self.verified.iter().map(String::as_str));
        let acknowledged = self.acknowledged.iter().map(String::as_str);
        let lost: Vec<_> = acknowledged.filter(|id| !known.contains(id)).collect();
        assert!(lost.is_empty(), "{LOST} {lost:?}");
    }

    async fn resend_pending(&mut self, flow: &mut Flow) {
        let unanswered: Vec<String> = std::mem::take(&mut self.pending);
        for id in &unanswered {
            let frame = frames::message(&self.sender, &self.recipient, id, &self.texts[id]);
            flow.feed(frame.to_string()).await;
        }
        flow.flush().await;
        let mut open: HashSet<_> = unanswered.into_iter().collect();
        while !open.is_empty() {
            // Either status answers: the recipient may have read what the sender never saw acknowledged.
            let frame = flow.answer("4").await;
            if open.remove(id_of(&frame)) {
                self.acknowledged.insert(id_of(&frame).to_owned());
            }
        }
    }

    /// Checks what history shows since the last crash but one.
    fn verify_history(&mut self, news: &[Value]) {
        let ids: Vec<_> = news
            .iter()
            .map(|message| id_of(message).to_owned())
            .collect();
        for message in news {
            let text = self.texts.get(id_of(message));
            assert_eq!(
                Some(text_of(message)),
                text.map(String::as_str),
                "history invents nothing"
            );
        }
        assert!(
            ids.starts_with(&self.live),
            "{} got other messages than history holds, or in another order",
            self.recipient
        );
        self.live.clear();
        self.verified.extend(ids);
        let distinct: HashSet<_> = self.verified.iter().collect();
        assert_eq!(
            distinct.len(),
            self.verified.len(),
            "no message is in history twice"
        );
        let lost: Vec<_> = self
            .acknowledged
            .iter()
            .filter(|id| !distinct.contains(id))
            .collect();
        assert!(lost.is_empty(), "{LOST} {lost:?}");
        assert_eq!(
            distinct.len(),
            self.acknowledged.len(),
            "after a resend every message is acknowledged"
        );
    }

    /// The recipient reads everything, and the sender is told of it.
    async fn read_all(&self, sender: &mut Flow, recipient: &mut Flow, unread: &[&Value]) {
        for message in unread {
            let receipt = frames::read(&self.recipient, &self.sender, id_of(message));
            recipient.feed(receipt.to_string()).await;
        }
        recipient.flush().await;
        let mut untold: HashSet<_> = unread.iter().map(|message| id_of(message)).collect();
        while !untold.is_empty() {
            let frame = sender.answer("4").await;
            assert_eq!(frame["chatMsg"]["status"], 2, "{}: {frame}", self.sender);
            untold.remove(id_of(&frame));
        }
    }

    /// Checks the whole history, from its beginning, against what was verified piece by piece.
    pub async fn verify_whole_history(&self, connected: &mut Connected) {
        let history = connected.sender.history_since(&self.recipient, None).await;
        let ids: Vec<_> = history.iter().map(id_of).collect();
        assert_eq!(ids, self.verified, "history does not change");
        let all_read = history
            .iter()
            .all(|message| message["chatMsg"]["status"] == 2);
        assert!(all_read, "what was read stays read");
    }
}
