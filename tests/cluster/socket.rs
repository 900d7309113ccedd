//! A WebSocket to one node, whose failures are events.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::record::End;

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

impl Socket {
    /// Opens one to the node at this port of 127.0.0.1, which must answer within `bound`.
    pub async fn open(port: u16, bound: Duration) -> Result<Socket, NotOpened> {
        let opening = async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
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
                Some(Err(Error::ConnectionClosed)) | Some(Err(_)) | None => {
                    return Err(End::Broken);
                }
            }
        }
    }
}
