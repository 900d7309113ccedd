//! A real nats-server on a free port, and what the tests say to it without a client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Killed when it is dropped, also by a test that fails.
pub struct NatsServer {
    process: Child,
    port: u16,
    arguments: Vec<String>,
}

/// A port nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl NatsServer {
    /// A server that anybody may use.
    pub fn start() -> Self {
        Self::start_with(free_port(), &[])
    }

    /// A server on this port, with more arguments.
    pub fn start_with(port: u16, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        let mut server = Self {
            process: spawn(port, &arguments),
            port,
            arguments,
        };
        server.wait_until_it_answers();
        server
    }

    /// A server with a configuration file of this text.
    pub fn start_configured(configuration: &str) -> Self {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(configuration.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        Self::start_with(free_port(), &["-c", &path])
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it -9.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        self.process = spawn(self.port, &self.arguments);
        self.wait_until_it_answers();
    }

    /// Sends it `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let kill = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(kill.unwrap().success());
    }

    /// A connection that speaks the protocol by hand.
    pub fn raw(&self) -> Raw {
        Raw::open(self.port).expect("nats-server does not answer")
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Raw::open(self.port).is_none() {
            assert!(Instant::now() < deadline, "nats-server does not start");
            assert!(
                self.process.try_wait().unwrap().is_none(),
                "nats-server ended"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(port: u16, arguments: &[String]) -> Child {
    Command::new("nats-server")
        .args(["-a", "127.0.0.1", "-p", &port.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need nats-server on the PATH")
}

/// See [`NatsServer::raw`].
pub struct Raw(BufReader<TcpStream>);

impl Raw {
    fn open(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let mut raw = Self(BufReader::new(stream));
        let mut info = String::new();
        raw.0.read_line(&mut info).ok()?;
        info.starts_with("INFO").then_some(raw)
    }

    /// Says this, and waits until the server has understood it.
    pub fn say(&mut self, what: &[u8]) {
        let stream = self.0.get_mut();
        stream
            .write_all(b"CONNECT {\"verbose\":false}\r\n")
            .unwrap();
        stream.write_all(what).unwrap();
        stream.write_all(b"PING\r\n").unwrap();
        let mut line = String::new();
        while line != "PONG\r\n" {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "it hung up");
            assert!(!line.starts_with("-ERR"), "{line}");
        }
    }

    pub fn publish(&mut self, subject: &str, payload: &[u8]) {
        let mut what = format!("PUB {subject} {}\r\n", payload.len()).into_bytes();
        what.extend_from_slice(payload);
        what.extend_from_slice(b"\r\n");
        self.say(&what);
    }
}

/// A number that the server reports of itself, on its port for monitoring.
pub fn reported(port: u16, name: &str) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(b"GET /varz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let key = format!("\"{name}\":");
    let rest = answer.split(&key).nth(1).expect("no such number");
    let number = rest.split([',', '\n', '}']).next().unwrap();
    number.trim().parse().unwrap()
}
