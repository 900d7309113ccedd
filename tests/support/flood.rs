//! Floods, as somebody makes them who means harm. The bench `flood` measures with the same.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::frames;
use super::raw::{TEXT, frame};

/// Where those come from who have nothing to do with a flood: limits of an address are not shared.
pub const POLITE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Where the user comes from who floods.
pub const FLOODING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Whose frames flood.
pub const FLOODER: &str = "flooder";

/// Sockets of the user who floods, and of the address that opens connections.
const AT_ONCE: usize = 32;

/// Bytes on the way to the server, of each socket of that user.
const SEND_BUFFER: usize = 64 * 1024;

/// Frames in one write.
const FRAMES: usize = 50;

/// Connections of an address that is to stay within its limits.
const WITHIN_LIMITS: usize = 200;

/// How a handshake begins, without an end.
const BEGINNING: &str = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nX-Slow: ";

/// Uploads at the same time, and of how many bytes each: of as many users as it takes to stay within the limits.
const UPLOADS: usize = 200;
const UPLOAD_BYTES: usize = 10 * 1024 * 1024;
const UPLOADS_EACH: usize = 8;

/// A kind of flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// One user sends as fast as they can by many sockets, until each is closed with 4429, and again.
    User,
    /// One address opens connections as fast as it can, and upgrades them.
    Address,
    /// Connections whose request has no end; those that are cut are made again.
    HalfOpen,
    /// WebSockets that never connect, from many addresses; those that are closed are made again.
    Silent,
    /// Files go up, two hundred at a time, each followed by the next.
    Uploads,
}

impl Flood {
    /// All kinds, with their names.
    pub const ALL: [(&'static str, Flood); 5] = [
        ("user", Flood::User),
        ("address", Flood::Address),
        ("half-open", Flood::HalfOpen),
        ("silent", Flood::Silent),
        ("uploads", Flood::Uploads),
    ];

    /// Floods the server on this port until it is dropped, with so many connections where they stand still, and
    /// tokens of whomever it likes. Counts frames, connections or files.
    pub async fn run(
        self,
        port: u16,
        token: impl Fn(&str) -> String,
        connections: usize,
        done: &AtomicU64,
    ) {
        match self {
            Flood::User => {
                let token = token(FLOODER);
                join_all((0..AT_ONCE).map(|_| one_user(port, &token, done))).await;
            }
            Flood::Address => {
                join_all((0..AT_ONCE).map(|_| one_address(port, done))).await;
            }
            Flood::HalfOpen => {
                let address = Ipv4Addr::new(127, 0, 0, 5);
                let all = (0..connections).map(|_| stands_still(port, address, false, done));
                join_all(all).await;
            }
            Flood::Uploads => {
                let user = |number| format!("{FLOODER}-{}", number / UPLOADS_EACH);
                let all = (0..UPLOADS).map(|number| uploads(port, token(&user(number)), done));
                join_all(all).await;
            }
            Flood::Silent => {
                let address = |number| Ipv4Addr::new(127, 0, 1, (number / WITHIN_LIMITS) as u8 + 1);
                let all =
                    (0..connections).map(|number| stands_still(port, address(number), true, done));
                join_all(all).await;
            }
        }
    }
}

/// A connection from this address to a server on loopback. It ends with a reset, so that the port is free
/// again at once.
pub async fn connect_from(address: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((address, 0).into())?;
    let stream = socket.connect(([127, 0, 0, 1], port).into()).await?;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn upgrade(token: Option<&str>) -> String {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    format!(
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{}\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        bearer.unwrap_or_default()
    )
}

/// Upgrades; `None` where the server refuses.
async fn upgraded(stream: &mut TcpStream, token: Option<&str>) -> Option<()> {
    stream.write_all(upgrade(token).as_bytes()).await.ok()?;
    let mut head = [0; 1024];
    let count = stream.read(&mut head).await.ok()?;
    head[..count].starts_with(b"HTTP/1.1 101").then_some(())
}

async fn one_user(port: u16, token: &str, done: &AtomicU64) {
    let text = frames::get_ids(FLOODER).to_string();
    let batch = frame(TEXT, true, true, text.as_bytes()).repeat(FRAMES);
    let connect = frames::connect(FLOODER).to_string();
    let connect = frame(TEXT, true, true, connect.as_bytes());
    loop {
        let Ok(mut stream) = connect_from(FLOODING, port).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if upgraded(&mut stream, Some(token)).await.is_none() {
            continue;
        }
        // What the server does not take is not worth copying: it costs the machine both run on.
        let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        let (mut from, mut to) = stream.split();
        let sending = async {
            to.write_all(&connect).await?;
            loop {
                to.write_all(&batch).await?;
                done.fetch_add(FRAMES as u64, Ordering::Relaxed);
            }
        };
        let reading = async {
            let mut answers = vec![0; 64 * 1024];
            while from.read(&mut answers).await? > 0 {}
            Ok(())
        };
        let _: std::io::Result<()> = tokio::select! {
            ended = sending => ended,
            ended = reading => ended,
        };
    }
}

async fn one_address(port: u16, done: &AtomicU64) {
    loop {
        if let Ok(mut stream) = connect_from(Ipv4Addr::new(127, 0, 0, 4), port).await {
            let _ = upgraded(&mut stream, None).await;
            done.fetch_add(1, Ordering::Relaxed);
        } else {
            tokio::task::yield_now().await;
        }
    }
}

/// One connection after another that says nothing more, each until the server ends it.
async fn stands_still(port: u16, address: Ipv4Addr, upgrades: bool, done: &AtomicU64) {
    loop {
        let Ok(mut stream) = connect_from(address, port).await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let stands = if upgrades {
            upgraded(&mut stream, None).await.is_some()
        } else {
            stream.write_all(BEGINNING.as_bytes()).await.is_ok()
        };
        if stands {
            done.fetch_add(1, Ordering::Relaxed);
            let mut rest = [0; 256];
            while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// One file after another.
async fn uploads(port: u16, token: String, done: &AtomicU64) {
    let address = Ipv4Addr::new(127, 0, 0, 6);
    let piece: Vec<u8> = (0..64 * 1024u32).map(|n| ((n * n) >> 5) as u8).collect();
    let head = format!(
        "POST /files?name=upload.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {UPLOAD_BYTES}\r\n\r\n"
    );
    loop {
        let Ok(mut stream) = connect_from(address, port).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let uploading = async {
            stream.write_all(head.as_bytes()).await?;
            for _ in 0..UPLOAD_BYTES / piece.len() {
                stream.write_all(&piece).await?;
            }
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        match uploading.await {
            Ok(answer) if &answer == b"HTTP/1.1 201" => {
                done.fetch_add(1, Ordering::Relaxed);
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
