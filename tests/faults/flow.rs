//! One connection with many frames in flight, whose end is an event and not a failure.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::support::client::split_ids;
use super::support::{Place, frames, within, within_time};

/// How long a single answer may take on a busy machine with a deep pipeline.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connected user.
pub struct Flow {
    user: String,
    socket: WebSocketStream<TcpStream>,
}

impl Flow {
    /// Connects as `user`, whose answer must be the first frame.
    pub async fn connect(place: &impl Place, user: &str) -> Flow {
        let node = place.node_for(Some(user));
        let opening = async {
            let stream = TcpStream::connect(("127.0.0.1", node.port())).await?;
            stream.set_nodelay(true)?;
            client_async(node.ws_url(), stream).await
        };
        let (socket, _) = within("the WebSocket upgrade", opening)
            .await
            .unwrap_or_else(|error| panic!("the upgrade failed: {error}"));
        let mut flow = Flow {
            user: user.to_owned(),
            socket,
        };
        flow.send(&frames::connect(user)).await;
        let answer = flow.expect_next().await;
        assert_eq!(
            answer["action"], "1",
            "the answer to connect comes first, not {answer}"
        );
        flow
    }

    /// The user of this connection.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Queues a frame; [`Flow::flush`] sends it. False if the connection has ended.
    pub async fn feed(&mut self, text: impl Into<String>) -> bool {
        let feeding = self.socket.feed(Message::text(text.into()));
        within_time(PATIENCE, "the server to take a frame", feeding)
            .await
            .is_ok()
    }

    /// Sends all that was queued. False if the connection has ended.
    pub async fn flush(&mut self) -> bool {
        within_time(
            PATIENCE,
            "the server to take the frames",
            self.socket.flush(),
        )
        .await
        .is_ok()
    }

    /// Sends one frame at once. False if the connection has ended.
    pub async fn send(&mut self, frame: &Value) -> bool {
        self.feed(frame.to_string()).await && self.flush().await
    }

    /// The next frame, or `None` once the connection has ended, in whatever way.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let what = format!("a frame for {}", self.user);
            match within_time(PATIENCE, &what, self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return Some(parse(text.as_str())),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(other)) => {
                    panic!("{}: the server sends only text, not {other:?}", self.user)
                }
            }
        }
    }

    /// The next frame, on a connection that has no reason to end.
    pub async fn expect_next(&mut self) -> Value {
        let next = self.next().await;
        next.unwrap_or_else(|| panic!("the connection of {} ended", self.user))
    }

    /// Sends all `requests`, no more than `window` of them unanswered at any time.
    ///
    /// A frame of the action `answer` answers one request. Every frame that comes is given to `take`; an error
    /// frame is a failure.
    pub async fn pipeline(
        &mut self,
        requests: impl IntoIterator<Item = Value>,
        window: usize,
        answer: &str,
        mut take: impl FnMut(Value),
    ) {
        let mut requests = requests.into_iter().peekable();
        let mut unanswered = 0;
        while unanswered > 0 || requests.peek().is_some() {
            // Half a window at a time, so that many frames share one system call.
            if unanswered <= window / 2 {
                for request in requests.by_ref().take(window - unanswered) {
                    assert!(
                        self.feed(request.to_string()).await,
                        "the connection of {} ended",
                        self.user
                    );
                    unanswered += 1;
                }
                assert!(self.flush().await, "the connection of {} ended", self.user);
            }
            let frame = self.expect_next().await;
            assert_ne!(
                frame["action"], "0",
                "{}: an unexpected error {frame}",
                self.user
            );
            if frame["action"] == answer {
                unanswered -= 1;
            }
            take(frame);
        }
    }

    /// Gets at least `count` message IDs.
    pub async fn ids(&mut self, count: usize) -> Vec<String> {
        let requests = vec![frames::get_ids(&self.user); count.div_ceil(10)];
        let mut ids = Vec::with_capacity(requests.len() * 10);
        self.pipeline(requests, 100, "2", |answer| ids.extend(split_ids(&answer)))
            .await;
        ids
    }

    /// The messages of the conversation with `partner` that came after the message `since`, oldest first; all of
    /// them if there is no such message. Other frames that come meanwhile are passed over.
    pub async fn history_since(&mut self, partner: &str, since: Option<&str>) -> Vec<Value> {
        let mut newest_first: Vec<Value> = Vec::new();
        loop {
            let base = newest_first.last().map(|message| id_of(message).to_owned());
            let request = frames::history(&self.user, Some(partner), base.as_deref(), Some(100));
            assert!(
                self.send(&request).await,
                "the connection of {} ended",
                self.user
            );
            let mut page = self.answer("12").await;
            let Value::Array(page) = page["historyMsgs"].take() else {
                panic!("a page of history is a list");
            };
            let is_beginning = page.is_empty();
            for message in page.into_iter().rev() {
                if since.is_some_and(|since| id_of(&message) == since) {
                    newest_first.reverse();
                    return newest_first;
                }
                newest_first.push(message);
            }
            if is_beginning {
                assert!(since.is_none(), "history has lost the message {since:?}");
                newest_first.reverse();
                return newest_first;
            }
        }
    }

    /// The next frame of this action; others are passed over, but errors are failures.
    pub async fn answer(&mut self, action: &str) -> Value {
        loop {
            let frame = self.expect_next().await;
            assert_ne!(
                frame["action"], "0",
                "{}: an unexpected error {frame}",
                self.user
            );
            if frame["action"] == action {
                return frame;
            }
        }
    }
}

/// The `chatMsg.id` of a frame, or of a message in a page of history.
pub fn id_of(frame: &Value) -> &str {
    let id = frame["chatMsg"]["id"].as_str();
    id.unwrap_or_else(|| panic!("no message ID in {frame}"))
}

/// The `chatMsg.message` of a frame, or of a message in a page of history.
pub fn text_of(frame: &Value) -> &str {
    let text = frame["chatMsg"]["message"].as_str();
    text.unwrap_or_else(|| panic!("no text in {frame}"))
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}
