//! One connection in two halves, neither of which waits for the other: what is sent leaves while nothing is read,
//! and what comes is read while nothing can leave. Its end is an event and not a failure.

use std::net::SocketAddr;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::support::{Node, frames, within};

type Socket = WebSocketStream<TcpStream>;

/// A connected user's connection.
pub struct Wire {
    /// What is to be sent. A task of its own sends it.
    outgoing: mpsc::UnboundedSender<String>,
    incoming: SplitStream<Socket>,
}

/// A frame of the server, as far as these tests look at it. Texts in it need no escapes.
#[derive(Debug, Deserialize)]
pub struct Incoming<'a> {
    /// Empty in a page of history.
    #[serde(default)]
    pub action: &'a str,
    #[serde(default, rename = "fromId")]
    pub from: &'a str,
    #[serde(default, rename = "toId")]
    pub to: &'a str,
    #[serde(borrow, default, rename = "chatMsg")]
    pub chat: Option<Chat<'a>>,
    #[serde(borrow, default, rename = "historyMsgs")]
    pub page: Vec<Incoming<'a>>,
}

/// A message, or what is said of one.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
pub struct Chat<'a> {
    #[serde(default)]
    pub id: &'a str,
    #[serde(default)]
    pub message: &'a str,
    #[serde(default)]
    pub status: u8,
}

impl<'a> Incoming<'a> {
    /// Reads a frame.
    pub fn parse(text: &'a str) -> Incoming<'a> {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The message that it must have.
    pub fn chat(&self) -> Chat<'a> {
        self.chat.unwrap_or_else(|| panic!("no chatMsg: {self:?}"))
    }
}

impl Wire {
    /// Connects as `user`, whose answer must be the first frame. With a small receive buffer, a client that does
    /// not read is noticed by the server soon.
    pub async fn connect(node: &Node, user: &str, receive_buffer: Option<u32>) -> Wire {
        let address: SocketAddr = ([127, 0, 0, 1], node.port()).into();
        let opening = async {
            let socket = TcpSocket::new_v4()?;
            if let Some(bytes) = receive_buffer {
                socket.set_recv_buffer_size(bytes)?;
            }
            let stream = socket.connect(address).await?;
            stream.set_nodelay(true)?;
            client_async(node.ws_url(), stream).await
        };
        let (socket, _) = within("the WebSocket upgrade", opening)
            .await
            .unwrap_or_else(|error| panic!("the upgrade failed: {error}"));
        let (sink, incoming) = socket.split();
        let (outgoing, texts) = mpsc::unbounded_channel();
        tokio::spawn(send_all(texts, sink));
        let mut wire = Wire { outgoing, incoming };
        wire.send(frames::connect(user).to_string());
        let answer = within("the answer to connect", wire.next()).await;
        assert_eq!(answer.as_deref(), Some(&*frames::connected_text(user)));
        wire
    }

    /// Sends a frame, if the connection is still there.
    pub fn send(&self, frame: String) {
        let _ = self.outgoing.send(frame);
    }

    /// The text of the next frame, or `None` once the connection has ended, in whatever way.
    pub async fn next(&mut self) -> Option<Utf8Bytes> {
        loop {
            match self.incoming.next().await {
                Some(Ok(Message::Text(text))) => return Some(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(other)) => panic!("the server sends only text, not {other:?}"),
            }
        }
    }
}

/// Sends what there is, as much as there is at once.
async fn send_all(
    mut texts: mpsc::UnboundedReceiver<String>,
    mut sink: SplitSink<Socket, Message>,
) {
    while let Some(text) = texts.recv().await {
        if sink.feed(Message::text(text)).await.is_err() {
            return;
        }
        while let Ok(text) = texts.try_recv() {
            if sink.feed(Message::text(text)).await.is_err() {
                return;
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

/// The number of a message ID.
pub fn number_of(id: &str) -> u32 {
    let number = id
        .strip_prefix("MSG")
        .and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{id:?} is no message ID"))
}

/// The message ID of a number.
pub fn id_of(number: u32) -> String {
    format!("MSG{number:06}")
}
