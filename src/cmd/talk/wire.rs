//! One connection: frames as JSON, over a WebSocket, plain or with TLS.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::harmless;
use crate::cmd::ask::Whom;
use crate::protocol::CloseCode;
use crate::settings::{Secret, TalkSettings};
use crate::tls::Trust;

/// How long the server may take to answer a connect frame, with all that comes before.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause after the server has closed because of a flood.
const FLOODED: Duration = Duration::from_secs(60);
/// The server pings every 25 s: after so much silence the connection is dead.
const SILENCE: Duration = Duration::from_secs(60);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Why there is no connection.
#[derive(Debug)]
pub struct Lost {
    /// Whether another attempt can help (PROTOCOL.md, "Close codes and reconnecting").
    pub may_return: bool,
    /// How long to wait before it, where that is said.
    pub pause: Option<Duration>,
    /// A sentence.
    pub why: String,
}

impl Lost {
    fn broken(why: impl ToString) -> Self {
        Self {
            may_return: true,
            pause: None,
            why: why.to_string(),
        }
    }

    fn for_good(why: impl ToString) -> Self {
        Self {
            may_return: false,
            ..Self::broken(why)
        }
    }

    fn closed(code: u16, reason: &str) -> Self {
        // A code that no server of ours sends is a proxy's: it may be another time.
        let row = CloseCode::TABLE.into_iter().find(|row| row.number == code);
        let is_flood = row
            .as_ref()
            .is_some_and(|row| row.code == CloseCode::Flooding);
        Self {
            may_return: row.as_ref().is_none_or(|row| row.reconnect),
            pause: is_flood.then_some(FLOODED),
            why: match row {
                Some(row) => format!("closed with {code}: {}", row.meaning),
                None => harmless(format!("closed with {code} {reason}").trim_end()),
            },
        }
    }

    fn refused(frame: &Value) -> Self {
        let error = &frame["error"];
        let text = |name: &str| harmless(error[name].as_str().unwrap_or_default());
        Self {
            may_return: error["retryable"] == true,
            ..Self::broken(format!("{} ({})", text("message"), text("code")))
        }
    }
}

/// A connection that is connected as a user.
pub struct Wire {
    user: String,
    heard: Instant,
    socket: WebSocketStream<Box<dyn Stream>>,
}

impl Wire {
    /// Connects, and has the connect frame answered.
    pub async fn connect(settings: &TalkSettings) -> Result<Self, Lost> {
        match timeout(PATIENCE, Self::open(settings)).await {
            Ok(opened) => opened,
            Err(_) => Err(Lost::broken("the server does not answer")),
        }
    }

    async fn open(settings: &TalkSettings) -> Result<Self, Lost> {
        let certificate = settings.server.tls_cert.as_deref();
        let whom = match &settings.url {
            Some(url) => Whom::at(url, Trust::Authorities(certificate)),
            None => Whom::own(settings.server.listen, certificate.map(|_| Trust::Any)),
        };
        let whom = whom.map_err(Lost::for_good)?;
        let stream = TcpStream::connect(&whom.authority).await;
        let stream = stream.map_err(|e| Lost::broken(format!("{}: {e}", whom.authority)))?;
        stream.set_nodelay(true).map_err(Lost::broken)?;
        let (stream, scheme): (Box<dyn Stream>, _) = match whom.tls() {
            None => (Box::new(stream), "ws"),
            Some((config, name)) => {
                let name = name.map_err(Lost::for_good)?;
                let connecting = TlsConnector::from(config).connect(name, stream);
                (Box::new(connecting.await.map_err(Lost::broken)?), "wss")
            }
        };
        let url = format!("{scheme}://{}/ws", whom.authority);
        let (socket, _) = client_async(url, stream)
            .await
            .map_err(|error| match error {
                // A proxy answers 502 or 504 while the server behind it starts anew.
                Error::Http(answer) => Lost {
                    may_return: answer.status().is_server_error() || answer.status() == 429,
                    ..Lost::broken(format!("the server refuses (HTTP {})", answer.status()))
                },
                other => Lost::broken(other),
            })?;
        let user = settings.user.as_str().to_owned();
        let heard = Instant::now();
        let mut wire = Self {
            user,
            heard,
            socket,
        };
        let token = settings.token.as_ref().map(|Secret(token)| token);
        wire.send(json!({"action": "1", "token": token})).await?;
        let answer = wire.next().await?;
        match answer["action"].as_str() {
            Some("1") => Ok(wire),
            _ => Err(Lost::refused(&answer)),
        }
    }

    /// Sends a frame of this user's.
    pub async fn send(&mut self, mut frame: Value) -> Result<(), Lost> {
        frame["fromId"] = json!(self.user);
        let frame = Message::text(frame.to_string());
        self.socket.send(frame).await.map_err(Lost::broken)
    }

    /// The next frame. Pings are answered on the way. Nothing is lost where this is dropped before it is done.
    pub async fn next(&mut self) -> Result<Value, Lost> {
        loop {
            let message = timeout_at(self.heard + SILENCE, self.socket.next()).await;
            let message = message.map_err(|_| Lost::broken("nothing came for a minute"))?;
            self.heard = Instant::now();
            match message {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_err(Lost::broken);
                }
                Some(Ok(Message::Close(Some(close)))) => {
                    return Err(Lost::closed(close.code.into(), &close.reason));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Lost::broken(error)),
                None => return Err(Lost::broken("the connection ended")),
            }
        }
    }

    /// Says goodbye, and waits a moment for the server's.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), async {
            let _ = self.socket.close(None).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        })
        .await;
    }
}
