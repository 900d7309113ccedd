//! `yanshu chat`: a conversation in the terminal.

use std::collections::HashMap;
use std::io::Write as _;

use rustyline::{DefaultEditor, ExternalPrinter};
use serde_json::Value;
use tokio::sync::mpsc;

use super::device::Device;
use super::harmless;
use super::said::{Event, Order, Orders};
use super::seen::Seen;
use super::terminal::Terminal;
use crate::protocol::{MAX_MESSAGE_BYTES, MessageKind, carried_file, file_name};
use crate::settings::ChatSettings;

/// Converses until the end of the input, or Ctrl-C.
pub fn run(settings: ChatSettings) -> Result<(), String> {
    super::block_on(chat(settings))
}

async fn chat(settings: ChatSettings) -> Result<(), String> {
    // The thread that reads may hold it when this ends.
    let _terminal = Terminal::keep();
    let mut editor = DefaultEditor::new().map_err(|error| error.to_string())?;
    // Where there is no terminal, lines are printed as they come.
    let printer = editor.create_external_printer().ok();
    let (give, mut lines) = mpsc::channel(1);
    let prompt = format!(
        "{} → {}> ",
        settings.talk.user.as_str(),
        settings.to.as_str()
    );
    std::thread::spawn(move || read(editor, &prompt, &give));
    let (orders, mut events) = Device::start(settings.talk.clone());
    let mut orders = Some(orders);
    let mut screen = Screen {
        me: settings.talk.user.as_str().to_owned(),
        peer: settings.to.as_str().to_owned(),
        printer: printer.map(|printer| Box::new(printer) as Box<dyn ExternalPrinter + Send>),
        seen: Seen::default(),
        written: HashMap::new(),
        waiting: None,
    };
    loop {
        tokio::select! {
            line = lines.recv(), if orders.is_some() => match line {
                Some(line) => screen.write(line, orders.as_ref()).await,
                // What was written is still sent; then the device has no more to tell.
                None => orders = None,
            },
            event = events.recv() => match event {
                Some(Event::Ended(why)) => return Err(why),
                Some(Event::Connected) if settings.history > 0 => {
                    screen.waiting = Some(Vec::new());
                    let with = screen.peer.clone();
                    let history = Order::History { with, size: settings.history };
                    send(orders.as_ref(), history).await;
                }
                Some(event) => screen.show(event, orders.as_ref()).await,
                None => return Ok(()),
            },
        }
    }
}

/// Hands on what is typed, line by line, to the end.
fn read(mut editor: DefaultEditor, prompt: &str, give: &mpsc::Sender<String>) {
    while let Ok(line) = editor.readline(prompt) {
        let _ = editor.add_history_entry(&line);
        if give.blocking_send(line).is_err() {
            return;
        }
    }
}

async fn send(orders: Option<&Orders>, order: Order) {
    if let Some(orders) = orders {
        let _ = orders.send(order).await;
    }
}

/// What is on the terminal.
struct Screen {
    me: String,
    peer: String,
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    seen: Seen,
    /// What was written here and is not read, by ID.
    written: HashMap<String, String>,
    /// What was delivered before the page of history: it is shown after that.
    waiting: Option<Vec<Value>>,
}

impl Screen {
    async fn write(&mut self, line: String, orders: Option<&Orders>) {
        if line.trim().is_empty() {
            return;
        }
        if line.len() > MAX_MESSAGE_BYTES {
            return self.print(&format!("not sent: longer than {MAX_MESSAGE_BYTES} bytes"));
        }
        let to = self.peer.clone();
        send(orders, Order::Write { to, text: line }).await;
    }

    async fn show(&mut self, event: Event, orders: Option<&Orders>) {
        match event {
            Event::History(messages) => {
                let waiting = self.waiting.take().unwrap_or_default();
                for message in messages.iter().chain(&waiting) {
                    self.message(message, orders).await;
                }
            }
            Event::Message(message) => match &mut self.waiting {
                Some(waiting) => waiting.push(message),
                None => self.message(&message, orders).await,
            },
            Event::Written { id, text } => {
                self.seen.is_new(&id);
                self.written.insert(id, text);
            }
            Event::Status { id, to, status } if to == self.peer => self.tick(&id, status),
            Event::Refused { id, why } => {
                let text = self.written.remove(&id).unwrap_or(id);
                self.print(&format!("✗ {text}: {why}"));
            }
            Event::Disconnected(why) => self.print(&format!("({why}; trying again)")),
            _ => {}
        }
    }

    /// Shows a message once, and reports it as read.
    async fn message(&mut self, message: &Value, orders: Option<&Orders>) {
        let message = super::flat(message);
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let (id, from, to) = (text("id"), text("fromId"), text("toId"));
        let is_mine = from == self.me;
        let peer = if is_mine { &to } else { &from };
        if *peer != self.peer {
            if self.seen.is_new(&id) {
                self.print(&format!("(a message from {peer})"));
            }
            return;
        }
        if self.seen.is_new(&id) {
            // A further line begins further right: none looks like a message of its own.
            let (time, shown) = (text("time"), shown(&message).replace('\n', "\n    "));
            self.print(&format!("{time} {from}: {shown}"));
        }
        if !is_mine || to == self.me {
            send(orders, Order::Read { id, from }).await;
        }
    }

    fn tick(&mut self, id: &str, status: u64) {
        let text = if status == 2 {
            self.written.remove(id)
        } else {
            self.written.get(id).cloned()
        };
        if let Some(text) = text {
            let tick = if status == 2 { "✓✓" } else { "✓" };
            self.print(&format!("{tick} {text}"));
        }
    }

    /// Prints above what is being typed.
    fn print(&mut self, line: &str) {
        let line = harmless(line) + "\n";
        match &mut self.printer {
            Some(printer) => {
                let _ = printer.print(line);
            }
            None => {
                let _ = std::io::stdout().write_all(line.as_bytes());
            }
        }
    }
}

/// What a message says, or which file it carries and where that is to be had.
fn shown(message: &Value) -> String {
    let text = message["message"].as_str().unwrap_or_default();
    let is_file = message["type"] == MessageKind::File.number();
    let Some(id) = carried_file(text).filter(|_| is_file) else {
        return text.to_owned();
    };
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    let name = file_name(said["name"].as_str().unwrap_or_default());
    let size = said["size"].as_u64().map(|size| format!(" ({size} bytes)"));
    format!("📎 {name}{} {}", size.unwrap_or_default(), id.url())
}
