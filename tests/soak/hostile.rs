//! Clients that do what none should, beside those who do not notice it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::line::BOUND;
use super::settings::Dice;
use super::shared::{Phase, Shared};
use super::support::frames;
use super::support::raw::{BINARY, TEXT, frame, header};
use super::support::socket::{End, Socket};

/// Their user, who has no part in the traffic.
const NAME: &str = "hostile";

/// The longest pause between two of them.
const PAUSE: Duration = Duration::from_secs(4);

/// How long they hold what they hold.
const HELD: Duration = Duration::from_secs(20);

/// What one of them does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// Frames that are JSON and no request: each gets its error.
    Garbage,
    /// Binary frames: each gets its error.
    Binary,
    /// A frame that announces a gigabyte: closed with 1009.
    Announced,
    /// A whole frame beyond the limit: closed with 1009.
    TooLong,
    /// A frame without a mask: closed with 1002.
    Unmasked,
    /// Text that is not UTF-8: closed with 1007.
    NotUtf8,
    /// Half a frame, and a reset.
    CutOff,
    /// A WebSocket on which nothing is said for some time.
    Silent,
    /// A TCP connection with half a handshake.
    HalfOpen,
}

const DEEDS: [Deed; 9] = [
    Deed::Garbage,
    Deed::Binary,
    Deed::Announced,
    Deed::TooLong,
    Deed::Unmasked,
    Deed::NotUtf8,
    Deed::CutOff,
    Deed::Silent,
    Deed::HalfOpen,
];

/// Comes and goes until everybody leaves.
pub async fn run(shared: Arc<Shared>) {
    let mut random = StdRng::seed_from_u64(shared.settings.seed_of(Dice::Hostile));
    let mut phase = shared.phase.subscribe();
    let mut under_way = JoinSet::new();
    while shared.phase() != Phase::Leave {
        let deed = DEEDS[random.random_range(0..DEEDS.len())];
        let port = shared.ports[random.random_range(0..shared.ports.len())];
        let pause = shared
            .settings
            .shortened(PAUSE)
            .mul_f64(random.random_range(0.1..1.0));
        let held = shared.settings.shortened(HELD);
        under_way.spawn(commit(Arc::clone(&shared), deed, port, held));
        // Fails only when the soak is over.
        let _ = timeout(pause, phase.wait_for(|phase| *phase == Phase::Leave)).await;
        while under_way.try_join_next().is_some() {}
    }
    under_way.join_all().await;
}

async fn commit(shared: Arc<Shared>, deed: Deed, port: u16, held: Duration) {
    shared.gauges.hostile.fetch_add(1, Ordering::Relaxed);
    if matches!(deed, Deed::HalfOpen) {
        return half_open(port, held).await;
    }
    let Ok(mut socket) = Socket::open(port, BOUND).await else {
        return shared.complain_if_calm(format!("{deed:?} was refused"));
    };
    if matches!(deed, Deed::Silent) {
        return sleep(held).await;
    }
    match timeout(BOUND, act(&mut socket, deed)).await {
        Ok(None) => {}
        Ok(Some(wrong)) => shared.complain_if_calm(format!("{deed:?}: {wrong}")),
        Err(_) => shared.complain_if_calm(format!("{deed:?} was not answered")),
    }
    match deed {
        Deed::CutOff => socket.reset(),
        _ => socket.close(BOUND).await,
    }
}

/// Does it, and says what is wrong with the answer.
async fn act(socket: &mut Socket, deed: Deed) -> Option<String> {
    socket.send(&frames::connect(NAME)).await;
    let answer = socket.next().await;
    if !answer.as_ref().is_ok_and(|answer| answer["action"] == "1") {
        return Some(format!("connecting was answered {answer:?}"));
    }
    match deed {
        Deed::Garbage => {
            for request in garbage() {
                socket.send(&request).await;
            }
            all_refused(socket, garbage().len()).await
        }
        Deed::Binary => {
            let bytes = frame(BINARY, true, true, b"\0\xFF");
            socket.send_bytes(&bytes.repeat(3)).await;
            all_refused(socket, 3).await
        }
        Deed::Announced => {
            let bytes = header(TEXT, true, true, 1 << 30);
            socket.send_bytes(&bytes).await;
            closed(socket, 1009).await
        }
        Deed::TooLong => {
            let bytes = frame(TEXT, true, true, &[b' '; 70_000]);
            socket.send_bytes(&bytes).await;
            closed(socket, 1009).await
        }
        Deed::Unmasked => {
            socket.send_bytes(&frame(TEXT, true, false, b"{}")).await;
            closed(socket, 1002).await
        }
        Deed::NotUtf8 => {
            socket
                .send_bytes(&frame(TEXT, true, true, b"\xC3\x28"))
                .await;
            closed(socket, 1007).await
        }
        Deed::CutOff => {
            let bytes = frame(TEXT, true, true, &[b' '; 60_000]);
            socket.send_bytes(&bytes[..30_000]).await;
            None
        }
        Deed::Silent | Deed::HalfOpen => None,
    }
}

/// What is no request.
fn garbage() -> [Value; 4] {
    [
        json!({"fromId": NAME}),
        json!({"action": "99", "fromId": NAME}),
        json!({"action": "3", "fromId": NAME, "toId": NAME}),
        json!(["action", 3]),
    ]
}

async fn all_refused(socket: &mut Socket, count: usize) -> Option<String> {
    for _ in 0..count {
        let answer = socket.next().await;
        if !answer.as_ref().is_ok_and(|answer| answer["action"] == "0") {
            return Some(format!("it was answered {answer:?}"));
        }
    }
    None
}

/// A reset may overtake the close frame, where more had been sent than was read.
async fn closed(socket: &mut Socket, code: u16) -> Option<String> {
    match socket.next().await {
        Err(End::Broken) => None,
        Err(End::Closed(found)) if found == code => None,
        other => Some(format!("it was answered {other:?}, not closed with {code}")),
    }
}

async fn half_open(port: u16, held: Duration) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    // Whether it is taken is the server's affair.
    let _ = stream.write_all(b"GET /ws HTTP/1.1\r\nHost: ").await;
    sleep(held).await;
}
