//! A ChromeDriver of the tests' own, and the browsers that it drives.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use super::support::leash::{Leash, end};
use super::support::within_time;

/// How long ChromeDriver or a browser may take to start: generous, for a busy build machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the line begins in which ChromeDriver says where it listens.
const READY: &str = "was started successfully on port ";

/// What a browser must not do: speak with anybody but the test's server, or ask a GPU that is not there. Its
/// own sandbox is not to be had for root, and shows pages of our own only.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A running ChromeDriver. It is killed, with all its browsers, when the test's process ends.
struct Driver {
    /// Kills the browsers, too: they work in its directory.
    leash: Leash,
    port: u16,
    process: Mutex<Option<Child>>,
    /// How many browsers there were.
    browsers: AtomicU32,
}

impl Driver {
    /// One for all tests of this process.
    fn shared() -> &'static Driver {
        static SHARED: OnceLock<Driver> = OnceLock::new();
        SHARED.get_or_init(Driver::start)
    }

    fn start() -> Driver {
        let leash = Leash::new(None);
        let deadline = Instant::now() + PATIENCE;
        let (process, port) = loop {
            if let Some(running) = Driver::launch(&leash, deadline) {
                break running;
            }
        };
        Driver {
            leash,
            port,
            process: Mutex::new(Some(process)),
            browsers: AtomicU32::new(0),
        }
    }

    /// Starts ChromeDriver, and says where it listens. Nothing where it has ended: the port that it is given for IPv6 it
    /// wants for IPv4, too, and there somebody may have it.
    fn launch(leash: &Leash, deadline: Instant) -> Option<(Child, u16)> {
        let log = leash.directory().join("said");
        let said = fs::File::create(&log).expect("a file can be made");
        let home = leash.data();
        let started = leash
            .command("chromedriver")
            .args(["--port=0", "--log-level=WARNING"])
            // Whatever a browser keeps goes with the leash.
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .stdin(Stdio::null())
            .stdout(said)
            .stderr(leash.new_log())
            .spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => panic!(
                "these tests need chromedriver: install it (on Debian, the packages chromium and chromium-driver)"
            ),
            Err(error) => panic!("chromedriver cannot be run: {error}"),
        };
        loop {
            let said = fs::read_to_string(&log).expect("its words can be read");
            let port = said.split_once(READY).and_then(|(_, port)| {
                let (port, _) = port.split_once('.')?;
                port.parse().ok()
            });
            if let Some(port) = port {
                return Some((process, port));
            }
            assert!(
                Instant::now() < deadline,
                "no start:\n{said}{}",
                leash.log()
            );
            if process.try_wait().expect("it can be asked").is_some() {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A folder for what one browser saves.
    fn new_folder(&self) -> PathBuf {
        let number = self.browsers.fetch_add(1, Ordering::Relaxed);
        let folder = self.leash.data().join(format!("saved-{number}"));
        fs::create_dir(&folder).expect("a folder can be made");
        folder
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Ok(mut process) = self.process.lock() {
            end(&mut process);
        }
    }
}

/// What a page is shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Pixels of CSS.
    pub width: u32,
    pub height: u32,
    /// Whether it is touched, and narrower than any window.
    pub is_phone: bool,
}

/// A new browser, which remembers nothing, on this screen and speaking this language; and the folder that it saves
/// files in.
pub async fn open_browser(screen: Screen, language: &str) -> (Client, PathBuf) {
    let driver = Driver::shared();
    let folder = driver.new_folder();
    let mut flags: Vec<_> = FLAGS.map(str::to_owned).into();
    let Screen { width, height, .. } = screen;
    flags.push(format!("--window-size={width},{height}"));
    flags.push(format!("--lang={language}"));
    flags.push(format!("--accept-lang={language}"));
    let mut options = json!({
        "args": flags,
        "prefs": { "download.default_directory": folder, "download.prompt_for_download": false },
    });
    if screen.is_phone {
        let metrics = json!({ "width": width, "height": height, "pixelRatio": 2, "touch": true });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    let capabilities = json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    let mut builder = ClientBuilder::new(HttpConnector::new());
    let capabilities = capabilities.as_object().expect("it is one").clone();
    let url = format!("http://127.0.0.1:{}", driver.port);
    let connecting = builder.capabilities(capabilities).connect(&url);
    let client = within_time(PATIENCE, "a browser", connecting).await;
    let client = client.unwrap_or_else(|error| panic!("no browser: {error}"));
    (client, folder)
}
