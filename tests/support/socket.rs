//! A WebSocket to one node, whose failures are events.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// An open connection.
pub struct Socket(WebSocketStream<TcpStream>);

/// Why there is no connection.
#[derive(Debug)]
pub enum NotOpened {
    /// The node is not there, or sends clients away.
    Refused,
    /// It took the connection and said nothing.
    Silent,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a close frame of this code.
    Closed(u16),
    /// Without a word from the node.
    Broken,
    /// By the device, without a word.
    Left,
}

impl Socket {
    /// Opens one to the node at this port of 127.0.0.1, which must answer within `bound`.
    pub async fn open(port: u16, bound: Duration) -> Result<Socket, NotOpened> {
        Socket::open_with_receive_buffer(port, bound, None).await
    }

    /// [`Socket::open`] with a receive buffer of so many bytes in the kernel: with a small one the node soon notices
    /// that nobody reads.
    pub async fn open_with_receive_buffer(
        port: u16,
        bound: Duration,
        bytes: Option<u32>,
    ) -> Result<Socket, NotOpened> {
        let opening = async {
            let socket = TcpSocket::new_v4()?;
            if let Some(bytes) = bytes {
                socket.set_recv_buffer_size(bytes)?;
            }
            let stream = socket.connect(([127, 0, 0, 1], port).into()).await?;
            stream.set_nodelay(true)?;
            client_async(format!("ws://127.0.0.1:{port}/ws"), stream).await
        };
        match timeout(bound, opening).await {
            Ok(Ok((socket, _))) => Ok(Socket(socket)),
            Ok(Err(_)) => Err(NotOpened::Refused),
            Err(_) => Err(NotOpened::Silent),
        }
    }

    /// Sends a frame. False where the connection has ended.
    pub async fn send(&mut self, frame: &Value) -> bool {
        self.0.send(Message::text(frame.to_string())).await.is_ok()
    }

    /// Sends bytes as they are, in the place of a WebSocket frame. False where the connection has ended.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.0.get_mut().write_all(bytes).await.is_ok()
    }

    /// The next frame, or how the connection ended. Dropped before it is ready, it has taken nothing.
    pub async fn next(&mut self) -> Result<Value, End> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame = serde_json::from_str(text.as_str());
                    return Ok(frame.unwrap_or_else(|error| panic!("not JSON ({error}): {text}")));
                }
                Some(Ok(Message::Close(close))) => {
                    let code = close.map_or(1005, |close| close.code.into());
                    return Err(End::Closed(code));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(End::Broken),
            }
        }
    }

    /// Closes in order, and reads on until the node has answered or `bound` has passed.
    pub async fn close(mut self, bound: Duration) {
        let farewell = async {
            // An error means that the node has closed first, which is as good.
            let _ = self.0.close(None).await;
            while let Some(Ok(_)) = self.0.next().await {}
        };
        let _ = timeout(bound, farewell).await;
    }

    /// Ends the connection by a reset: what is on its way in either direction is lost.
    pub fn reset(self) {
        // Where that fails it is dropped without a word all the same.
        let _ = SockRef::from(self.0.get_ref()).set_linger(Some(Duration::ZERO));
    }
}
