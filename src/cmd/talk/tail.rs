//! `yanshu tail`: what a user gets, as it comes. A line of JSON for each message and each status.

use std::io::Write as _;

use serde_json::{Value, json};

use super::device::Device;
use super::said::{Event, Order};
use super::seen::Seen;
use crate::settings::TailSettings;

/// Follows until it is interrupted.
pub fn run(settings: TailSettings) -> Result<(), String> {
    super::block_on(tail(settings))
}

async fn tail(settings: TailSettings) -> Result<(), String> {
    let me = settings.talk.user.as_str().to_owned();
    let with = settings.with.map(|with| with.as_str().to_owned());
    let is_wanted = |peer: &str| with.as_deref().is_none_or(|with| with == peer);
    let (orders, mut events) = Device::start(settings.talk);
    let mut seen = Seen::default();
    while let Some(event) = events.recv().await {
        let is_read = match event {
            Event::Message(frame) => {
                let message = super::flat(&frame);
                let text = |name: &str| message[name].as_str().unwrap_or_default();
                let (id, from, to) = (text("id"), text("fromId"), text("toId"));
                if !is_wanted(if from == me { to } else { from }) {
                    continue;
                }
                if settings.read && to == me {
                    let (id, from) = (id.to_owned(), from.to_owned());
                    let _ = orders.send(Order::Read { id, from }).await;
                }
                !seen.is_new(id) || print(&message)
            }
            Event::Status { id, to, status } => {
                !is_wanted(&to) || print(&json!({"id": id, "toId": to, "status": status}))
            }
            Event::Disconnected(why) => {
                log::warn!("{why}");
                true
            }
            Event::Ended(why) => return Err(why),
            _ => true,
        };
        if !is_read {
            break;
        }
    }
    Ok(())
}

/// Whether somebody still reads.
fn print(value: &Value) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", super::line(value))
        .and_then(|()| out.flush())
        .is_ok()
}
