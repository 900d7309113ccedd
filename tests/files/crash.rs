//! The server dies in the middle of uploads: what it has answered is there, and nothing is there in part.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::asker::{Asker, Kept, kept};
use super::ground::{noise, place_of, sha256, stored, until};
use super::images::png;
use super::support::Server;

/// What was answered with 201, and its seed.
type Answered = Arc<Mutex<Vec<(Kept, Vec<u8>)>>>;

/// The bytes of an upload: small, some pieces of the spool, several parts, or a picture.
fn bytes_of(number: u64) -> Vec<u8> {
    match number % 8 {
        0 => noise(9_000_000, number),
        1 | 2 => noise(300_000, number),
        3 => png(600, 600),
        _ => noise(2_000, number),
    }
}

/// Sends up one file after another until the server is gone.
async fn send_up(asker: Asker, numbers: Arc<AtomicU64>, answered: Answered) {
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let bytes = bytes_of(number);
        let path = format!("/files?fromId=ann&name={number}.bin");
        match asker.try_ask(("POST", &path), &[], Some(&bytes)).await {
            Ok(reply) => answered.lock().unwrap().push((kept(reply), bytes)),
            Err(_) => return,
        }
    }
}

/// Fails where a file that can be read or sent is not there whole.
fn assert_whole(server: &Server) {
    let there = "SELECT token || ' ' || size || ' ' || sha256 FROM files WHERE state = 1";
    for row in server.database().query(there) {
        let parts: Vec<&str> = row.split(' ').collect();
        let path = server.directory().join("files").join(place_of(parts[0]));
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!(bytes.len().to_string(), parts[1], "{row}");
        assert_eq!(sha256(&bytes), parts[2], "{row}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_whole_after_a_crash_and_nothing_is_there_in_part() {
    let mut server = Server::start();
    let numbers = Arc::new(AtomicU64::new(0));
    let answered = Answered::default();
    for round in 1..=4 {
        let senders = (0..6).map(|number| {
            let asker = Asker::nobody(server.node(number));
            let (numbers, answered) = (Arc::clone(&numbers), Arc::clone(&answered));
            tokio::spawn(send_up(asker, numbers, answered))
        });
        let senders: Vec<_> = senders.collect();
        let wanted = round * 12;
        until("some answers", || answered.lock().unwrap().len() >= wanted).await;
        // Not always at the moment of an answer.
        tokio::time::sleep(Duration::from_millis(7 * round as u64)).await;
        server.kill9();
        for sender in senders {
            sender.await.unwrap();
        }
        server.restart();
        assert_whole(&server);
        let ann = Asker::at(server.node(round), "ann");
        let answered = answered.lock().unwrap().clone();
        for (file, bytes) in &answered {
            ann.reads(file.url(), bytes).await;
            if file.answer["thumbnail"].is_string() {
                let reply = ann.get(&file.thumbnail()).await.assert_status(200);
                image::load_from_memory(&reply.body).expect("a picture");
            }
        }
        ann.keep("after", b"and on").await;
    }
    // Whatever the crashes left is known to the database, so that the sweep finds it.
    let known = server.database().query("SELECT token FROM files");
    for path in stored(&server) {
        let id = &path[3..35];
        assert!(known.iter().any(|token| token == id), "{path} is nobody's");
    }
}

#[tokio::test]
async fn what_a_crash_left_half_way_is_swept() {
    let mut server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let file = ann.keep("a", b"whole").await;
    let half = ann.keep("b", b"half").await;
    server.kill9();
    // As it is when the end came in the middle of putting it where it stays, hours ago.
    let hours = 3 * 3600;
    server.database().execute(&format!(
        "UPDATE files SET state = 0, created_at = created_at - {hours} WHERE token = '{}'",
        half.id()
    ));
    let staged = server.directory().join("files").join(place_of(half.id()));
    fs::rename(&staged, format!("{}#1", staged.display())).unwrap();
    server.restart_with(&["--file-grace=1h"]);
    until("what is left to go", || {
        stored(&server) == [place_of(file.id())]
    })
    .await;
    until("its row to go", || super::ground::rows(&server) == 1).await;
    let ann = Asker::at(server.node(0), "ann");
    ann.cannot_read(half.url()).await;
    ann.reads(file.url(), b"whole").await;
}
