//! The task that publishes.

use std::future::poll_fn;
use std::sync::Arc;

use async_nats::Client;
use tokio::sync::oneshot;

use super::letter;
use super::link::Link;
use super::subjects::Subjects;
use crate::bus::note::Letter;
use crate::bus::queue::Exit;
use crate::protocol::UserId;

/// So many bytes are handed to the client; then the socket has to take them first.
const UNFLUSHED_BYTES: usize = 256 * 1024;
/// So many letters likewise.
const UNFLUSHED_LETTERS: usize = 256;

/// What the publisher is told.
pub enum Outgoing {
    /// Publish this for that user.
    Letter(UserId, Letter),
    /// Say when all before has left.
    Flush(oneshot::Sender<()>),
}

/// Publishes what comes out of the queue, until nobody can put anything into it.
pub async fn run(mut queue: Exit<Outgoing>, client: Client, subjects: Subjects, link: Arc<Link>) {
    let (mut bytes, mut letters) = (0, 0);
    while let Some(outgoing) = poll_fn(|cx| queue.poll_next(cx)).await {
        let (user, letter) = match outgoing {
            Outgoing::Letter(user, letter) => (user, letter),
            Outgoing::Flush(flushed) => {
                // Errors, here and below, mean that the client, or who asked, is gone.
                let _ = client.flush().await;
                let _ = flushed.send(());
                continue;
            }
        };
        // What was queued before the connection was lost: nobody waits for it any more.
        let letter = (!link.is_down()).then(|| letter::encode(&letter));
        let Some(letter) = letter.flatten() else {
            link.lose();
            continue;
        };
        bytes += letter.len();
        letters += 1;
        if let Err(error) = client.publish(subjects.user(&user), letter).await {
            log::debug!("a letter was not published: {error}");
            link.lose();
        }
        if bytes >= UNFLUSHED_BYTES || letters >= UNFLUSHED_LETTERS {
            (bytes, letters) = (0, 0);
            let _ = client.flush().await;
        }
    }
}
