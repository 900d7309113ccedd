//! The page, as a person sees it and acts on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::key::Key;
use fantoccini::wd::WindowHandle;
use fantoccini::{Client, Locator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::browser::{Screen, open_browser};
use super::support::{Client as Device, DEADLINE, frames};

/// What a page is shown on: two columns in a window, or one on a phone.
pub const DESKTOP: Screen = Screen {
    width: 1100,
    height: 760,
    is_phone: false,
};
pub const PHONE: Screen = Screen {
    width: 390,
    height: 760,
    is_phone: true,
};

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Bubble {
    pub id: String,
    /// Of a file, its name.
    pub text: String,
    pub mine: bool,
    /// `sending`, `stored`, `read`; empty for what others wrote and for what was refused.
    pub tick: String,
}

/// What all functions of the page are told about.
const BUBBLES: &str = "
    [...document.querySelectorAll('#messages .message')].map((row) => ({
        id: row.dataset.id,
        text: (row.querySelector('.content, .file-name')?.textContent) ?? row.querySelector('img').alt,
        mine: row.classList.contains('mine'),
        tick: row.querySelector('.tick')?.classList[1] ?? '',
    }))";

/// One tab.
pub struct Page {
    pub client: Client,
    screen: Screen,
    /// Where its browser saves files.
    folder: PathBuf,
}

impl Page {
    /// A browser of its own in English, with this page in it.
    pub async fn open(url: &str) -> Page {
        Page::open_in(url, DESKTOP, "en").await
    }

    /// [`Page::open`], on this screen, in this language.
    pub async fn open_in(url: &str, screen: Screen, language: &str) -> Page {
        let (client, folder) = open_browser(screen, language).await;
        let page = Page {
            client,
            screen,
            folder,
        };
        page.go(url).await;
        page
    }

    /// A page in a browser of its own, signed in and connected.
    pub async fn signed_in(url: &str, user: &str) -> Page {
        let page = Page::open(url).await;
        page.sign_in(user).await;
        page
    }

    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.expect("the page can be opened");
    }

    /// Signs in to an open server, and waits for the connection.
    pub async fn sign_in(&self, user: &str) {
        self.until(
            "to be asked who one is",
            "!document.querySelector('#sign-in').hidden",
        )
        .await;
        self.fill("#user-id", user).await;
        self.click("#sign-in-form button").await;
        self.connected().await;
    }

    /// Waits until there is a connection.
    pub async fn connected(&self) {
        let is_connected = "!document.querySelector('#messenger').hidden \
                            && document.querySelector('#connection').hidden";
        self.until("a connection", is_connected).await;
    }

    /// Waits until it is seen that there is none.
    pub async fn disconnected(&self) {
        let is_seen = "!document.querySelector('#connection').hidden";
        self.until("the loss of the connection to be shown", is_seen)
            .await;
    }

    /// Opens the conversation with a user, by their ID.
    pub async fn talk_to(&self, peer: &str) {
        self.fill("#find-text", peer).await;
        self.press("#find-text", Key::Enter).await;
        let is_open = format!("document.querySelector('#conversation').dataset.peer === '{peer}'");
        self.until("the conversation", &is_open).await;
    }

    /// Writes a message and sends it: by Enter, but on a phone by the button.
    pub async fn write(&self, text: &str) {
        self.fill("#text", text).await;
        if self.screen.is_phone {
            self.click("#compose button").await;
        } else {
            self.press("#text", Key::Enter).await;
        }
    }

    /// Opens another tab, and goes on in it.
    pub async fn open_tab(&self) -> WindowHandle {
        let opened = self.client.new_window(true).await;
        let tab = opened.expect("a tab opens").handle;
        self.turn_to(&tab).await;
        tab
    }

    /// Goes on in this tab.
    pub async fn turn_to(&self, tab: &WindowHandle) {
        let turned = self.client.switch_to_window(tab.clone()).await;
        turned.expect("it is there");
    }

    /// Chooses files for the open conversation.
    pub async fn attach(&self, paths: &[&Path]) {
        let field = self.client.find(Locator::Css("#attach-files")).await;
        let field = field.expect("there is a field for files");
        let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
        let chosen = field.send_keys(&paths.join("\n")).await;
        chosen.expect("files can be chosen");
    }

    /// Waits until the browser has saved these bytes under this name.
    pub async fn saved(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.join(name);
        let deadline = Instant::now() + DEADLINE;
        // It appears when it is whole.
        while fs::metadata(&path).map_or(0, |saved| saved.len()) != bytes.len() as u64 {
            let there: Vec<_> = fs::read_dir(&self.folder).unwrap().collect();
            let is_late = Instant::now() >= deadline;
            assert!(!is_late, "waited for {name} to be saved: {there:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let is_the_same = fs::read(&path).expect("it can be read") == bytes;
        assert!(is_the_same, "{name} has other bytes");
    }

    /// The messages of the open conversation.
    pub async fn bubbles(&self) -> Vec<Bubble> {
        let bubbles = self.ask(BUBBLES).await;
        serde_json::from_value(bubbles).expect("they are bubbles")
    }

    /// The texts of the messages of the open conversation.
    pub async fn texts(&self) -> Vec<String> {
        let bubbles = self.bubbles().await.into_iter();
        bubbles.map(|bubble| bubble.text).collect()
    }

    /// Waits until the messages of the open conversation fit, and returns them.
    pub async fn bubbles_when(&self, what: &str, fit: impl Fn(&[Bubble]) -> bool) -> Vec<Bubble> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let bubbles = self.bubbles().await;
            if fit(&bubbles) {
                return bubbles;
            }
            assert!(Instant::now() < deadline, "waited for {what}: {bubbles:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until this text is shown with this tick.
    pub async fn ticked(&self, text: &str, tick: &str) {
        let is_there = |bubbles: &[Bubble]| {
            let mut bubbles = bubbles.iter();
            bubbles.any(|bubble| bubble.text == text && bubble.tick == tick)
        };
        self.bubbles_when(&format!("{text:?} to be {tick}"), is_there)
            .await;
    }

    /// Waits until this text is shown, whatever its tick.
    pub async fn shown(&self, text: &str) {
        let is_there = |bubbles: &[Bubble]| bubbles.iter().any(|bubble| bubble.text == text);
        self.bubbles_when(&format!("{text:?} to be shown"), is_there)
            .await;
    }

    /// Empties a field, and types into it.
    pub async fn fill(&self, field: &str, text: &str) {
        let element = self.client.wait().at_most(DEADLINE);
        let element = element.for_element(Locator::Css(field)).await;
        let element = element.unwrap_or_else(|error| panic!("no {field}: {error}"));
        element.clear().await.expect("it can be emptied");
        element.send_keys(text).await.expect("it can be typed into");
    }

    pub async fn press(&self, field: &str, key: Key) {
        let element = self.client.find(Locator::Css(field)).await;
        let element = element.unwrap_or_else(|error| panic!("no {field}: {error}"));
        let key = char::from(key).to_string();
        element.send_keys(&key).await.expect("the key is taken");
    }

    pub async fn click(&self, what: &str) {
        let element = self.client.find(Locator::Css(what)).await;
        let element = element.unwrap_or_else(|error| panic!("no {what}: {error}"));
        let clicked = element.click().await;
        clicked.unwrap_or_else(|error| panic!("{what} cannot be clicked: {error}"));
    }

    /// Clicks twice, as one does on a desk.
    pub async fn double_click(&self, what: &str) {
        let element = self.client.find(Locator::Css(what)).await;
        let element = element.unwrap_or_else(|error| panic!("no {what}: {error}"));
        let to = PointerAction::MoveToElement {
            element,
            duration: None,
            x: 0.0,
            y: 0.0,
        };
        let mut mouse = MouseActions::new("mouse".to_owned()).then(to);
        let button = MOUSE_BUTTON_LEFT;
        for _ in 0..2 {
            mouse = mouse.then(PointerAction::Down { button });
            mouse = mouse.then(PointerAction::Up { button });
        }
        let clicked = self.client.perform_actions(mouse).await;
        clicked.unwrap_or_else(|error| panic!("{what} cannot be clicked: {error}"));
    }

    /// The value of an expression in the page.
    pub async fn ask(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        let value = self.client.execute(&script, vec![]).await;
        value.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// The value that a script in the page hands to `done`.
    pub async fn run(&self, script: &str) -> Value {
        let script = format!("const done = arguments[0]; {script}");
        let value = self.client.execute_async(&script, vec![]).await;
        value.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until an expression in the page is true.
    pub async fn until(&self, what: &str, expression: &str) {
        let deadline = Instant::now() + DEADLINE;
        while self.ask(&format!("Boolean({expression})")).await != json!(true) {
            if Instant::now() >= deadline {
                let body = self.ask("document.body.innerText").await;
                panic!("waited {DEADLINE:?} in vain for {what}; the page says: {body}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Closes the browser.
    pub async fn close(self) {
        self.client.close().await.expect("the browser closes");
    }
}

/// Sends messages by another device, each once the one before is stored. Whatever else comes is passed over.
pub async fn send_all(device: &mut Device, to: &str, texts: &[String]) {
    send_all_of_type(device, to, 0, texts).await;
}

/// [`send_all`], for messages of this type.
pub async fn send_all_of_type(device: &mut Device, to: &str, kind: u8, texts: &[String]) {
    let user = device.user().to_owned();
    for tens in texts.chunks(10) {
        let ids = device.ids().await;
        for (id, text) in ids.iter().zip(tens) {
            let mut frame = frames::message(&user, to, id, text);
            frame["chatMsg"]["type"] = kind.into();
            device.send(frame).await;
            let stored = frames::status_text(to, &user, id, 1);
            while device.next_text().await != stored {}
        }
    }
}
