//! Users who connect and then say nothing: how fast they come, and what each of them takes.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::child::{Cores, Server, Setup};
use crate::socket::Socket;
use crate::{Outcome, block_on};

/// So many clients connect at once.
pub const AT_ONCE: usize = 64;
/// Buffers of connecting have this long to be given back.
const SETTLE: Duration = Duration::from_secs(2);

/// What one run of one server gave.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Connects a second, from TCP to the answer to action 1.
    pub rate: f64,
    /// KiB in RAM for each user.
    pub memory: f64,
    pub cores: Cores,
}

/// Connects so many new users to a fresh server.
pub fn measure(setup: Setup<'_>, users: usize) -> Outcome<Sample> {
    let server = Server::start(setup)?;
    block_on(async {
        // What the first connections make the process load is no user's.
        drop(connect(&server, "FIRST", AT_ONCE).await?);
        tokio::time::sleep(SETTLE / 2).await;
        let before = server.resident()?;
        let (watch, start) = (server.watch()?, Instant::now());
        let sockets = connect(&server, "IDLE", users).await?;
        let elapsed = start.elapsed();
        let cores = watch.end()?;
        tokio::time::sleep(SETTLE).await;
        let grown = server.resident()? - before;
        Ok(Sample {
            rate: sockets.len() as f64 / elapsed.as_secs_f64(),
            memory: grown / 1024.0 / sockets.len() as f64,
            cores,
        })
    })
}

async fn connect(server: &Server<'_>, prefix: &str, users: usize) -> Outcome<Vec<Socket>> {
    let next = Cell::new(0..users);
    let take = || {
        let mut rest = next.take();
        let number = rest.next();
        next.set(rest);
        number
    };
    let clients = (0..AT_ONCE).map(|_| async {
        let mut sockets = Vec::new();
        while let Some(number) = take() {
            let user = format!("{prefix}{number:06}");
            sockets.push(Socket::connect(server.address(0), &user).await?);
        }
        Outcome::Ok(sockets)
    });
    let sockets = try_join_all(clients).await?;
    Ok(sockets.into_iter().flatten().collect())
}
