//! `yanshu send`: messages out of a script. A line of JSON for each that is stored.

use std::collections::HashMap;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::time::timeout;

use super::device::{Device, Event, Order, Orders};
use crate::protocol::MAX_MESSAGE_BYTES;
use crate::settings::SendSettings;

/// Sends, and returns when all is stored.
pub fn run(settings: SendSettings) -> Result<(), String> {
    super::block_on(send(settings))
}

async fn send(settings: SendSettings) -> Result<(), String> {
    let to = settings.to.as_str().to_owned();
    let (orders, mut events) = Device::start(settings.talk);
    let feeding = tokio::spawn(feed(orders, to.clone(), settings.text));
    let mut texts = HashMap::new();
    let mut last = "there was no answer".to_owned();
    loop {
        let event = match timeout(settings.patience, events.recv()).await {
            Ok(Some(event)) => event,
            // All is stored.
            Ok(None) => break,
            Err(_) if feeding.is_finished() || !texts.is_empty() => return Err(last),
            // Nobody has written anything.
            Err(_) => continue,
        };
        match event {
            Event::Written { id, text } => {
                texts.insert(id, text);
            }
            Event::Status { id, status, .. } if texts.remove(&id).is_some() => {
                println!("{}", json!({"id": id, "toId": to, "status": status}));
            }
            Event::Refused { why, .. } | Event::Ended(why) => return Err(why),
            Event::Disconnected(why) => last = why,
            _ => {}
        }
    }
    feeding.await.map_err(|error| error.to_string())?
}

/// Gives the orders to write.
async fn feed(orders: Orders, to: String, text: Option<String>) -> Result<(), String> {
    if let Some(text) = text {
        return order(&orders, &to, text).await;
    }
    let mut lines: Lines<BufReader<Stdin>> = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.map_err(|error| error.to_string())? {
        if !line.is_empty() {
            order(&orders, &to, line).await?;
        }
    }
    Ok(())
}

async fn order(orders: &Orders, to: &str, text: String) -> Result<(), String> {
    if text.len() > MAX_MESSAGE_BYTES {
        let length = text.len();
        return Err(format!(
            "a message of {length} bytes is longer than {MAX_MESSAGE_BYTES}"
        ));
    }
    let to = to.to_owned();
    let order = Order::Write { to, text };
    orders
        .send(order)
        .await
        .map_err(|_| "the connection is gone".to_owned())
}
