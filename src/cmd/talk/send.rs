//! `yanshu send`: messages out of a script. A line of JSON for each that is stored.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::{Instant, interval};

use super::device::Device;
use super::said::{Event, Order, Orders};
use crate::protocol::MAX_MESSAGE_BYTES;
use crate::settings::SendSettings;

/// How often it is looked whether anything has been stored.
const LOOK: Duration = Duration::from_millis(200);
/// So much of a text is shown in an error.
const SHOWN: usize = 40;

/// Sends, and returns when all is stored.
pub fn run(settings: SendSettings) -> Result<(), String> {
    super::block_on(send(settings))
}

async fn send(settings: SendSettings) -> Result<(), String> {
    let to = settings.to.as_str().to_owned();
    let (orders, mut events) = Device::start(settings.talk);
    let given = Arc::new(AtomicUsize::new(0));
    let feed = feed(orders, to.clone(), settings.text, Arc::clone(&given));
    let feeding = tokio::spawn(feed);
    let mut texts = HashMap::new();
    let (mut done, mut progress) = (0, Instant::now());
    let mut outcome = Ok(());
    let mut last = "there was no answer".to_owned();
    let mut look = interval(LOOK);
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = look.tick() => {
                if given.load(Ordering::Relaxed) == done {
                    progress = Instant::now();
                }
                if progress.elapsed() > settings.patience {
                    return Err(last);
                }
                continue;
            }
        };
        match event {
            // All is stored, or refused.
            None => break,
            Some(Event::Written { id, text }) => {
                texts.insert(id, text);
            }
            Some(Event::Status { id, status, .. }) if texts.remove(&id).is_some() => {
                (done, progress) = (done + 1, Instant::now());
                let line = json!({"id": id, "toId": to, "status": status});
                // Where nobody reads any more it is sent all the same.
                let _ = writeln!(std::io::stdout(), "{line}");
            }
            Some(Event::Refused { id, why }) => {
                done += 1;
                // What was given before is still sent, and nothing is read after it.
                feeding.abort();
                let text = texts.remove(&id).unwrap_or_default();
                let shown: String = text.chars().take(SHOWN).collect();
                outcome = outcome.and(Err(format!("{shown:?} is refused: {why}")));
            }
            Some(Event::Ended(why)) => return Err(why),
            Some(Event::Disconnected(why)) => last = why,
            Some(_) => {}
        }
    }
    outcome?;
    feeding.await.map_err(|error| error.to_string())?
}

/// Gives the orders to write, and counts them.
async fn feed(
    orders: Orders,
    to: String,
    text: Option<String>,
    given: Arc<AtomicUsize>,
) -> Result<(), String> {
    if let Some(text) = text {
        return order(&orders, &to, text, &given).await;
    }
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.map_err(|error| error.to_string())? {
        if !line.is_empty() {
            order(&orders, &to, line, &given).await?;
        }
    }
    Ok(())
}

async fn order(orders: &Orders, to: &str, text: String, given: &AtomicUsize) -> Result<(), String> {
    if text.len() > MAX_MESSAGE_BYTES {
        let length = text.len();
        return Err(format!(
            "a message of {length} bytes is longer than {MAX_MESSAGE_BYTES}"
        ));
    }
    given.fetch_add(1, Ordering::Relaxed);
    let to = to.to_owned();
    let order = Order::Write { to, text };
    let gone = |_| "the connection is gone".to_owned();
    orders.send(order).await.map_err(gone)
}
