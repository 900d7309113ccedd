//! What people send each other: files, and how other devices send them.

use std::fmt::Write;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use image::{ImageFormat, Rgb, RgbImage};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{Server, within};

/// Whether an upload is under way, and some of it has left.
pub const UNDER_WAY: &str = "
    [...document.querySelectorAll('.message .file.waiting progress')].some(
        (bar) => bar.hasAttribute('value') && bar.value > 0 && bar.value < 1)";

/// More than the buffers between a page and a server that does not read: it is under way until that reads.
pub const LONG: usize = 14 * 1024 * 1024;

/// A folder with files to choose from.
pub struct Things(TempDir);

impl Things {
    pub fn new() -> Things {
        Things(tempfile::tempdir().expect("a folder can be made"))
    }

    /// Puts a file there.
    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("a file can be written");
        path
    }
}

/// Bytes that do not repeat.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A picture of mountains in the evening, as a PNG.
pub fn landscape(width: u32, height: u32) -> Vec<u8> {
    let between = |from: [f32; 3], to: [f32; 3], part: f32| {
        let mixed = |number: usize| from[number] + (to[number] - from[number]) * part;
        [mixed(0), mixed(1), mixed(2)]
    };
    let (wide, high) = (width as f32, height as f32);
    // How far down each ridge is in each column, the nearest last.
    let ridges: Vec<[f32; 4]> = (0..width)
        .map(|column| {
            let x = column as f32 / wide;
            [0.0, 1.0, 2.0, 3.0].map(|number: f32| {
                let waves = (x * (5.0 + number * 2.0) + number * 1.7).sin() * 0.06
                    + (x * (13.0 - number) + number * 4.1).sin() * 0.025
                    + (x * 41.0 + number * 9.0).sin() * 0.006;
                0.5 + number * 0.13 + waves
            })
        })
        .collect();
    let picture = RgbImage::from_fn(width, height, |column, row| {
        let (x, y) = (column as f32 / wide, row as f32 / high);
        let nearest = ridges[column as usize].iter().rposition(|ridge| y > *ridge);
        let colour = match nearest {
            None => {
                let sky = between(
                    [52.0, 78.0, 128.0],
                    [250.0, 190.0, 140.0],
                    (y * 1.7).min(1.0),
                );
                let from_sun = ((x - 0.68) * wide / high).hypot(y - 0.36);
                let glow = if from_sun < 0.07 {
                    0.0
                } else {
                    (0.3 + from_sun * 1.6).min(1.0)
                };
                between([255.0, 240.0, 205.0], sky, glow)
            }
            Some(nearest) => between(
                [150.0, 120.0, 150.0],
                [18.0, 44.0, 52.0],
                nearest as f32 / 3.0,
            ),
        };
        Rgb(colour.map(|part| part as u8))
    });
    let mut bytes = Cursor::new(Vec::new());
    let written = picture.write_to(&mut bytes, ImageFormat::Png);
    written.expect("a picture can be written");
    bytes.into_inner()
}

/// Sends a file up as this user of an open server. Returns the text of the message that carries it.
pub async fn upload(
    server: &Server,
    user: &str,
    (name, mime): (&str, &str),
    bytes: &[u8],
) -> String {
    let (port, length) = (server.port(), bytes.len());
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let mut request = format!("POST /files?fromId={user}&name={name} HTTP/1.1\r\n");
    let _ = write!(
        request,
        "Host: 127.0.0.1:{port}\r\nContent-Type: {mime}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let answer = within("a file to be taken", async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.write_all(bytes).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    });
    let answer = answer.await.expect("the server answers");
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let (_, text) = answer.split_once("\r\n\r\n").expect("there is a body");
    text.to_owned()
}

/// How many files the server knows of.
pub fn files_of(server: &Server) -> i64 {
    server.database().query_i64("SELECT count(*) FROM files")
}
