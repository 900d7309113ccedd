//! A device: a connection whose frames go into one channel with those of all others, and which can stop reading.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::support::{Node, within};

type Socket = WebSocketStream<TcpStream>;

/// Small enough for the server to notice soon that nobody reads.
const NARROW: u32 = 8 * 1024;

/// What comes from a connection.
#[derive(Debug)]
pub enum Event {
    /// A text frame.
    Frame(String),
    /// Its end, with the code of a close frame if there was one.
    Ended(Option<u16>),
}

/// Events of all connections, by their numbers.
pub type Events = mpsc::UnboundedSender<(usize, Event)>;

/// See the module. Writing waits in a task of its own: a server that reads no further stops nobody else.
pub struct Device {
    outgoing: mpsc::UnboundedSender<Message>,
    reading: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
}

impl Device {
    /// Opens the WebSocket of the connection with this number, and sends nothing.
    pub async fn open(node: &Node, number: usize, narrow: bool, events: Events) -> Device {
        let address = ([127, 0, 0, 1], node.port()).into();
        let opening = async {
            let socket = TcpSocket::new_v4()?;
            if narrow {
                socket.set_recv_buffer_size(NARROW)?;
            }
            let stream = socket.connect(address).await?;
            stream.set_nodelay(true)?;
            client_async(node.ws_url(), stream).await
        };
        let opened = within("the WebSocket upgrade", opening).await;
        let (socket, _) = opened.unwrap_or_else(|error| panic!("the upgrade failed: {error}"));
        let (sink, stream) = socket.split();
        let (outgoing, messages) = mpsc::unbounded_channel();
        let (reading, may_read) = watch::channel(true);
        let tasks = [
            tokio::spawn(write(messages, sink)),
            tokio::spawn(read(number, stream, may_read, events)),
        ];
        Device {
            outgoing,
            reading,
            tasks,
        }
    }

    /// Sends a frame, if the connection is still there.
    pub fn send(&self, frame: &Value) {
        let _ = self.outgoing.send(Message::text(frame.to_string()));
    }

    /// Reads, or reads no more until told otherwise.
    pub fn set_reading(&self, reading: bool) {
        self.reading.send_replace(reading);
    }

    /// Begins the closing handshake.
    pub fn close(&self) {
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let _ = self.outgoing.send(Message::Close(Some(close)));
    }

    /// Drops the connection. After that no event of it is on its way but those in the channel.
    pub async fn cut(self) {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

async fn write(
    mut messages: mpsc::UnboundedReceiver<Message>,
    mut sink: SplitSink<Socket, Message>,
) {
    while let Some(message) = messages.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

async fn read(
    number: usize,
    mut stream: SplitStream<Socket>,
    mut may_read: watch::Receiver<bool>,
    events: Events,
) {
    let mut code = None;
    loop {
        if may_read.wait_for(|may| *may).await.is_err() {
            return;
        }
        let message = tokio::select! {
            message = stream.next() => message,
            _ = may_read.changed() => continue,
        };
        match message {
            Some(Ok(Message::Text(text))) => {
                let _ = events.send((number, Event::Frame(text.as_str().to_owned())));
            }
            Some(Ok(Message::Close(close))) => code = close.map(|close| close.code.into()),
            Some(Ok(Message::Binary(_))) => panic!("a binary frame came to {number}"),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => {
                let _ = events.send((number, Event::Ended(code)));
                return;
            }
        }
    }
}
