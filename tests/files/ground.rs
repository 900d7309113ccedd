//! What the server has: in its folder, in its database and in its hands.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::support::{Server, within};

/// The files in the file store, by their paths below its folder.
pub fn stored(server: &Server) -> Vec<String> {
    let folder = server.directory().join("files");
    let mut found = Vec::new();
    walk(&folder, &folder, &mut found);
    found.sort();
    found
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            walk(root, &path, found);
        } else {
            let below = path.strip_prefix(root).expect("it is below");
            found.push(below.display().to_string());
        }
    }
}

/// Where a file of this ID is, below the folder.
pub fn place_of(id: &str) -> String {
    format!("{}/{id}", &id[..2])
}

/// How many files the database knows of.
pub fn rows(server: &Server) -> i64 {
    server.database().query_i64("SELECT count(*) FROM files")
}

/// How many messages there are.
pub fn messages(server: &Server) -> i64 {
    server.database().query_i64("SELECT count(*) FROM messages")
}

/// Fails unless there are no files, and no traces of any.
#[track_caller]
pub fn assert_nothing(server: &Server) {
    assert_eq!(stored(server), [""; 0]);
    assert_eq!(rows(server), 0);
    let readers = "SELECT count(*) FROM file_readers";
    assert_eq!(server.database().query_i64(readers), 0);
}

/// What the processes of a server have open.
fn open(server: &Server) -> Vec<String> {
    let mut all = Vec::new();
    for node in server.nodes() {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap();
        // One that is closed meanwhile leads nowhere.
        let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        all.extend(targets.map(|target| target.display().to_string()));
    }
    all
}

/// How many uploads are coming in: each has a file without a name.
pub fn spools(server: &Server) -> usize {
    let folder = server.directory().join("files");
    let folder = fs::canonicalize(folder).expect("the folder is there");
    let begins = format!("{}/", folder.display());
    let all = open(server);
    all.iter().filter(|path| path.starts_with(&begins)).count()
}

/// How many descriptors the processes have.
pub fn descriptors(server: &Server) -> usize {
    open(server).len()
}

/// How many connections the processes have, and sockets that listen.
pub fn sockets(server: &Server) -> usize {
    let all = open(server);
    all.iter()
        .filter(|target| target.starts_with("socket:"))
        .count()
}

/// Waits until this holds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(what, waiting).await;
}

/// Bytes that do not repeat, and are the same for the same seed.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
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

/// In hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
