//! A well-behaved client: it answers pings (while it is read) and closes in order.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::node::Node;
use super::{Place, frames, within, within_time};

use super::frames::text;
pub use super::frames::{message_ids, split_ids};

/// How long a client waits for a frame. Nodes find out every ten seconds what the bus has lost: a test does
/// not wait so long unless it is about that, or it would not notice a loss.
const PATIENCE: Duration = Duration::from_secs(8);

/// What a WebSocket goes over: TCP, or TLS.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// One connection, as one device of a user.
pub struct Client {
    user: String,
    socket: WebSocketStream<Box<dyn Wire>>,
    patience: Duration,
    /// Frames that came while an answer was waited for; they are next in line.
    set_aside: VecDeque<String>,
}

impl Client {
    /// Opens the WebSocket and sends nothing.
    pub async fn open(place: &impl Place) -> Client {
        Client::open_at(place.node_for(None)).await
    }

    async fn open_at(node: &Node) -> Client {
        let opened = Client::open_with(node, &[]).await;
        let (client, _) = opened.unwrap_or_else(|error| panic!("the upgrade failed: {error}"));
        client
    }

    /// Opens the WebSocket with more headers, and sends nothing. Returns the subprotocol that the server chose,
    /// too; or the error, where it did not upgrade.
    pub async fn open_with(
        node: &Node,
        headers: &[(&'static str, &str)],
    ) -> Result<(Client, Option<String>), Error> {
        let stream = TcpStream::connect(("127.0.0.1", node.port()));
        let stream = within("a TCP connection", stream).await?;
        stream.set_nodelay(true)?;
        Client::open_over(node, stream, headers).await
    }

    /// [`Client::open_with`], over a connection to the node that is there already.
    pub async fn open_over(
        node: &Node,
        stream: impl Wire + 'static,
        headers: &[(&'static str, &str)],
    ) -> Result<(Client, Option<String>), Error> {
        let mut request = node.ws_url().into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse()?);
        }
        let stream: Box<dyn Wire> = Box::new(stream);
        let opening = client_async(request, stream);
        let (socket, response) = within("the WebSocket upgrade", opening).await?;
        let chosen = response.headers().get("Sec-WebSocket-Protocol");
        let chosen = chosen.map(|name| name.to_str().expect("it is ASCII").to_owned());
        let client = Client {
            user: String::new(),
            socket,
            patience: PATIENCE,
            set_aside: VecDeque::new(),
        };
        Ok((client, chosen))
    }

    /// Opens the WebSocket and connects as `user`, whose answer must be the very first frame.
    ///
    /// A server has the two sides of a conversation, and the devices of one user, on different nodes.
    pub async fn connect(place: &impl Place, user: &str) -> Client {
        let mut client = Client::open_at(place.node_for(Some(user))).await;
        client.connect_as(user).await;
        client
    }

    /// What it sends from now on is this user's.
    pub fn speak_as(&mut self, user: &str) {
        user.clone_into(&mut self.user);
    }

    /// Sends the connect frame and takes its answer.
    pub async fn connect_as(&mut self, user: &str) {
        self.speak_as(user);
        self.send(frames::connect(user)).await;
        assert_eq!(self.next_text().await, frames::connected_text(user));
    }

    /// Waits so long for a frame from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The user this client connected as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) {
        self.send_raw(frame.to_string()).await;
    }

    /// Sends a text frame of any text.
    pub async fn send_raw(&mut self, text: impl Into<String>) {
        self.send_message(Message::text(text.into())).await;
    }

    /// Sends a WebSocket message of any kind.
    pub async fn send_message(&mut self, message: Message) {
        within("the server to take a frame", self.socket.send(message))
            .await
            .unwrap_or_else(|error| panic!("{}: cannot send: {error}", self.user));
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        parse(&self.next_text().await)
    }

    /// The exact text of the next frame. Anything else but a ping or a pong is a failure.
    pub async fn next_text(&mut self) -> String {
        if let Some(text) = self.set_aside.pop_front() {
            return text;
        }
        self.read_text().await
    }

    /// Takes the next frame, and fails unless it is exactly `expected`.
    pub async fn expect(&mut self, expected: &str) {
        let text = self.next_text().await;
        assert_eq!(text, expected, "an unexpected frame came to {}", self.user);
    }

    /// Takes the next frame, and fails unless it is an error with this code. Returns the frame.
    pub async fn expect_error(&mut self, code: &str) -> Value {
        let frame = self.next().await;
        assert_eq!(
            frame["action"], "0",
            "expected the error {code}, got {frame}"
        );
        assert_eq!(
            frame["error"]["code"], code,
            "expected the error {code}, got {frame}"
        );
        frame
    }

    /// Waits for the close frame, and fails on any text before it. Returns the code; 1005 stands for a
    /// close frame without one.
    pub async fn expect_close(&mut self) -> u16 {
        let (texts, code) = self.read_until_close().await;
        assert!(
            texts.is_empty(),
            "expected a close ({code}) and nothing before it, got {texts:?}"
        );
        code
    }

    /// Reads on to the close frame: the texts of all frames before it, and its code.
    pub async fn read_until_close(&mut self) -> (Vec<String>, u16) {
        let mut texts: Vec<_> = self.set_aside.drain(..).collect();
        loop {
            match self.read_message("a frame or the close").await {
                Message::Text(text) => texts.push(text.as_str().to_owned()),
                Message::Close(close) => {
                    let code = close.map_or(1005, |close| close.code.into());
                    return (texts, code);
                }
                _ => {}
            }
        }
    }

    /// Sends a frame to a server that may have closed already.
    pub async fn try_send(&mut self, frame: Value) {
        let message = Message::text(frame.to_string());
        let _ = within("the server to take a frame", self.socket.send(message)).await;
    }

    /// The text of the next frame, or the code of the close.
    pub async fn next_or_close(&mut self) -> Result<String, u16> {
        loop {
            match self.read_message("a frame or the close").await {
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Close(close) => return Err(close.map_or(1005, |close| close.code.into())),
                _ => {}
            }
        }
    }

    /// Reads on to an error frame with this code.
    pub async fn expect_eventually(&mut self, code: &str) {
        while self.next().await["error"]["code"] != code {}
    }

    /// Asks for IDs until some are given, however often the limits refuse it.
    pub async fn ids_at_last(&mut self) -> Vec<String> {
        loop {
            self.send(frames::get_ids(&self.user)).await;
            let answer = self.next().await;
            if answer["action"] == "2" {
                return split_ids(&answer);
            }
            assert_eq!(answer["error"]["code"], "rate_limited", "{answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Closes with 1000 and waits until the server has answered.
    pub async fn close(mut self) {
        within("the closing handshake", async {
            // An error means that the server has closed first, which is as good.
            let _ = self.socket.close(None).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        })
        .await;
    }

    /// Proves that nothing has come: asks for something, and the answer must be the next frame.
    ///
    /// This covers whatever the server had decided before it took the request. For deliveries, which
    /// take the way through the store, wait first for the sender's acknowledgement, or use
    /// [`Client::assert_timeline_silent`].
    pub async fn assert_silent(&mut self) {
        let nobody = "nobody-ever-wrote-as-this";
        self.send(frames::history(&self.user, Some(nobody), None, Some(1)))
            .await;
        let user = &self.user;
        let answer =
            format!(r#"{{"action":"12","fromId":"{user}","toId":"{nobody}","historyMsgs":[]}}"#);
        self.expect(&answer).await;
    }

    /// Proves that nothing is on its way to this user: a message to oneself takes the same way as any
    /// delivery, behind all that was stored before it, and must be the next thing to come.
    ///
    /// It leaves an unread message and its user as their own contact, and their other devices see it.
    pub async fn assert_timeline_silent(&mut self) {
        self.send(frames::get_ids(&self.user)).await;
        let answer = self.next().await;
        assert_eq!(
            answer["action"], "2",
            "expected nothing but IDs, got {answer}"
        );
        let id = split_ids(&answer).swap_remove(0);
        let user = self.user.clone();
        self.send(frames::message(&user, &user, &id, "silence"))
            .await;
        self.expect(&frames::message_text(&user, &user, &id, "silence"))
            .await;
        self.expect(&frames::status_text(&user, &user, &id, 1))
            .await;
    }

    /// Asks for ten message IDs. Frames that come before the answer are kept for [`Client::next`].
    pub async fn ids(&mut self) -> Vec<String> {
        self.send(frames::get_ids(&self.user)).await;
        split_ids(&self.answer("2").await)
    }

    /// The first of ten new message IDs.
    pub async fn id(&mut self) -> String {
        self.ids().await.swap_remove(0)
    }

    /// Sends a text message, and waits for nothing.
    pub async fn message(&mut self, id: &str, to: &str, text: &str) {
        self.send(frames::message(&self.user, to, id, text)).await;
    }

    /// Sends a text message under a new ID, takes its acknowledgement as the next frame, and returns
    /// the ID. Not for messages to oneself.
    pub async fn deliver(&mut self, to: &str, text: &str) -> String {
        let id = self.id().await;
        self.message(&id, to, text).await;
        self.expect_status(to, &self.user.clone(), &id, 1).await;
        id
    }

    /// Says that this user has read the message `id` of `sender`.
    pub async fn read(&mut self, id: &str, sender: &str) {
        self.send(frames::read(&self.user, sender, id)).await;
    }

    /// Takes the next frame, which must deliver the message.
    pub async fn expect_message(&mut self, from: &str, to: &str, id: &str, text: &str) {
        self.expect(&frames::message_text(from, to, id, text)).await;
    }

    /// Takes the next frame, which must be this status.
    pub async fn expect_status(&mut self, from: &str, to: &str, id: &str, status: u8) {
        self.expect(&frames::status_text(from, to, id, status))
            .await;
    }

    /// A page of history: its messages. Frames that come before it are kept for [`Client::next`].
    pub async fn history(
        &mut self,
        partner: Option<&str>,
        base: Option<&str>,
        page_size: Option<i64>,
    ) -> Vec<Value> {
        self.send(frames::history(&self.user, partner, base, page_size))
            .await;
        let mut answer = self.answer("12").await;
        match answer["historyMsgs"].take() {
            Value::Array(messages) => messages,
            other => panic!("historyMsgs must be an array, got {other}"),
        }
    }

    /// All contacts, as pairs of ID and name. Frames that come before them are kept for
    /// [`Client::next`].
    pub async fn contacts(&mut self) -> Vec<(String, String)> {
        self.send(frames::contacts(&self.user)).await;
        let answer = self.answer("11").await;
        let contacts = answer["contacts"]
            .as_array()
            .unwrap_or_else(|| panic!("no list: {answer}"));
        contacts
            .iter()
            .map(|contact| (text(&contact["toId"]), text(&contact["toName"])))
            .collect()
    }

    /// The next frame of this action. Other frames are set aside, in order; an error that answers the
    /// action is a failure.
    pub async fn answer(&mut self, action: &str) -> Value {
        loop {
            let text = self.read_text().await;
            let frame = parse(&text);
            if frame["action"] == action {
                return frame;
            }
            let refused = frame["action"] == "0" && frame["error"]["action"] == action;
            assert!(
                !refused,
                "{}: action {action} was refused: {text}",
                self.user
            );
            self.set_aside.push_back(text);
        }
    }

    async fn read_text(&mut self) -> String {
        loop {
            match self.read_message("a frame").await {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Close(close) => {
                    panic!("{}: expected a frame, got a close: {close:?}", self.user)
                }
                Message::Binary(_) => panic!("{}: a binary frame came", self.user),
                _ => {}
            }
        }
    }

    /// The next WebSocket message of any kind. A ping is answered by the library as it is read.
    async fn read_message(&mut self, what: &str) -> Message {
        let what = format!("{what} for {:?}", self.user);
        match within_time(self.patience, &what, self.socket.next()).await {
            Some(Ok(message)) => message,
            Some(Err(error)) => panic!("waiting for {what}, the connection broke: {error}"),
            None => panic!("waiting for {what}, the connection ended"),
        }
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}
