//! Users who connect and then say nothing: how fast they come, and what each of them takes.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::child::{Server, Setup};
use crate::cores::Cores;
use crate::door::Door;
use crate::socket::Socket;
use crate::{Outcome, block_on};

/// So many clients connect at once.
pub const AT_ONCE: usize = 64;
/// Descriptors for all else.
const SPARE: f64 = 500.0;
/// Buffers of connecting have this long to be given back.
const SETTLE: Duration = Duration::from_secs(2);

/// What one run of one server gave.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Connects a second, from TCP to the answer to action 1.
    pub rate: f64,
    /// Those there was room for.
    pub users: usize,
    /// KiB in RAM for each user; not a number where the process is not ours.
    pub memory: f64,
    pub cores: Cores,
}

/// Connects so many new users to a fresh server.
pub fn measure(setup: Setup<'_>, users: usize) -> Outcome<Sample> {
    let server = Server::start(setup)?;
    block_on(async {
        // What the first connections make the process load is no user's.
        let door = server.door();
        let users = room(&server, &door, users).await?;
        tokio::time::sleep(SETTLE / 2).await;
        let before = server.resident()?;
        let (watch, start) = (server.watch()?, Instant::now());
        let sockets = connect(&door, "IDLE", users).await?;
        let elapsed = start.elapsed();
        let cores = watch.end()?;
        tokio::time::sleep(SETTLE).await;
        let grown = server.resident()? - before;
        Ok(Sample {
            users,
            rate: sockets.len() as f64 / elapsed.as_secs_f64(),
            memory: grown / 1024.0 / sockets.len() as f64,
            cores,
        })
    })
}

/// As many of so many users as server and client have descriptors for; with a word, if not all.
pub async fn room(server: &Server<'_>, door: &Door, wanted: usize) -> Outcome<usize> {
    let before = server.descriptors()?;
    let first = connect(door, "FIRST", AT_ONCE).await?;
    let each = ((server.descriptors()? - before) / first.len() as f64).round();
    let limit = rlimit::Resource::NOFILE.get_soft()?;
    // A server whose descriptors nobody can count is taken to need as many as we do.
    let room = (limit as f64 - SPARE) / each.max(1.0);
    if wanted as f64 <= room {
        return Ok(wanted);
    }
    eprintln!(
        "a connection takes {each:.0} descriptors of the server, and `ulimit -n` is {limit}: \
         {room:.0} users in place of {wanted}."
    );
    Ok(room as usize)
}

/// Connects users of these names and the numbers from 0 on, [`AT_ONCE`] at once.
pub async fn connect(door: &Door, prefix: &str, users: usize) -> Outcome<Vec<Socket>> {
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
            let user = door.user(&name(prefix, number));
            sockets.push(door.connect(0, &user).await?);
        }
        Outcome::Ok(sockets)
    });
    let sockets = try_join_all(clients).await?;
    Ok(sockets.into_iter().flatten().collect())
}

/// The name of one of them.
pub fn name(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:06}")
}
