//! How many bytes of files one user may have.

use super::asker::{Asker, chunk, kept};
use super::chat::send_file;
use super::ground::{noise, rows, stored, until};
use super::support::{Client, Server};

/// Each file counts for so many bytes more than it has.
pub const MORE: usize = 4_096;

/// The flag for a quota of so many files with so many bytes in all.
pub fn quota(files: usize, bytes: usize) -> String {
    format!("--file-quota={}", files * MORE + bytes)
}

#[tokio::test]
async fn the_last_that_fits_is_taken_and_the_next_is_refused() {
    let server = Server::with(&[&quota(2, 1_000)]);
    let ann = Asker::at(server.node(0), "ann");
    ann.keep("a", &noise(600, 1)).await;
    let there = Asker::at(server.node(1), "ann");
    let refused = there.upload("b", &noise(401, 2)).await;
    let refused = refused.assert_is(413, "quota_exceeded");
    assert_eq!(refused.json()["retryable"], false);
    // Without a length it shows when it has come.
    let mut upload = ann.begin("b", None).await;
    upload.send(&chunk(&noise(401, 2))).await;
    upload.send(&chunk(&[])).await;
    let refused = upload.answer().await.unwrap();
    refused.assert_is(413, "quota_exceeded");
    assert_eq!(rows(&server), 1);
    assert_eq!(stored(&server).len(), 1);
    there.keep("b", &noise(400, 2)).await;
    for bytes in [&b""[..], b"x"] {
        let refused = ann.upload("c", bytes).await;
        refused.assert_is(413, "quota_exceeded");
    }
    // Each has their own, and what one is sent is not counted.
    let mut client = Client::connect(&server, "bob").await;
    let bytes = noise(MORE + 1_000, 3);
    let file = Asker::at(server.node(0), "bob").keep("a", &bytes).await;
    send_file(&mut client, "cid", &file).await;
    let cid = Asker::at(server.node(1), "cid");
    cid.keep("a", &noise(MORE + 1_000, 4)).await;
    cid.reads(file.url(), &bytes).await;
}

#[tokio::test]
async fn of_two_at_the_same_moment_only_one_is_the_last_that_fits() {
    let server = Server::with(&[&quota(1, 1_000)]);
    for round in 0..15 {
        let user = format!("user-{round}");
        let mut uploads = Vec::new();
        for number in 0..4 {
            let asker = Asker::at(server.node(number), &user);
            let mut upload = asker.begin("a", Some(600)).await;
            upload.send(&[0; 599]).await;
            uploads.push(upload);
        }
        // All of them were let in, and have all but their last byte.
        until("them to come in", || super::ground::spools(&server) == 4).await;
        for upload in &mut uploads {
            upload.send(&[0]).await;
        }
        let mut taken = 0;
        for mut upload in uploads {
            let reply = upload.answer().await.unwrap();
            if reply.status == 201 {
                taken += 1;
            } else {
                reply.assert_is(413, "quota_exceeded");
            }
        }
        assert_eq!(taken, 1, "round {round}");
    }
    let most =
        "SELECT MAX(total) FROM (SELECT SUM(size) AS total FROM files GROUP BY owner) AS sums";
    assert_eq!(server.database().query_i64(most), 600);
    assert_eq!(stored(&server).len(), 15);
}

#[tokio::test]
async fn what_was_swept_is_not_counted_any_more() {
    let quota = quota(2, 1_000);
    let mut server = Server::with(&[&quota]);
    let mut client = Client::connect(&server, "ann").await;
    let ann = Asker::at(server.node(0), "ann");
    let sent = ann.keep("a", &noise(300, 1)).await;
    send_file(&mut client, "bob", &sent).await;
    ann.keep("b", &noise(700, 2)).await;
    let refused = ann.upload("c", b"x").await;
    refused.assert_is(413, "quota_exceeded");
    server.restart_with(&[&quota, "--file-grace=1s"]);
    until("what was not sent to go", || rows(&server) == 1).await;
    let ann = Asker::at(server.node(0), "ann");
    let refused = ann.upload("c", &noise(701, 3)).await;
    refused.assert_is(413, "quota_exceeded");
    kept(ann.upload("c", &noise(700, 3)).await);
}
