//! What happens to a file, to its row or to its owner in the middle of something.

use std::fs;

use super::asker::Asker;
use super::bucket::{Bucket, PREFIX};
use super::chat::{Admin, with_admin};
use super::ground::{assert_nothing, noise, place_of, rows, spools, until};
use super::quota::quota;
use super::support::mode::Mode;
use super::support::{Client, Server, only_on};

#[tokio::test]
async fn who_is_deleted_during_an_upload_has_no_file_and_nobody_has() {
    let server = Server::with(&[&with_admin()]);
    let ann = Client::connect(&server, "ann").await;
    let asker = Asker::at(server.node(0), "ann");
    let bytes = noise(200_000, 1);
    let mut upload = asker.begin("a", Some(bytes.len() as u64)).await;
    upload.send(&bytes[..100_000]).await;
    until("the upload to come in", || spools(&server) == 1).await;
    Admin::at(server.node(1)).delete("ann").await;
    drop(ann);
    upload.send(&bytes[100_000..]).await;
    let refused = upload.answer().await.unwrap().assert_is(403, "forbidden");
    assert_eq!(refused.json()["retryable"], false);
    until("the upload to go", || spools(&server) == 0).await;
    assert_nothing(&server);
    // Whoever has the ID next begins anew.
    asker.keep("a", &bytes).await;
}

#[tokio::test]
async fn an_upload_that_began_before_its_user_was_there_does_not_outlive_them() {
    let server = Server::with(&[&with_admin()]);
    let asker = Asker::at(server.node(0), "ann");
    let mut upload = asker.begin("a", Some(100)).await;
    upload.send(&[7; 50]).await;
    until("the upload to come in", || spools(&server) == 1).await;
    let admin = Admin::at(server.node(1));
    admin.create("ann").await;
    admin.delete("ann").await;
    upload.send(&[7; 50]).await;
    let refused = upload.answer().await.unwrap();
    refused.assert_is(403, "forbidden");
    assert_nothing(&server);
    // Who is not there now may come again, by an upload too.
    asker.keep("a", b"again").await;
}

#[tokio::test]
async fn a_file_that_cannot_be_removed_keeps_no_other_and_goes_once_it_can_be() {
    let mut server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let first = ann.keep("first", b"first").await;
    let second = ann.keep("second", b"second").await;
    let place = |id: &str| server.directory().join("files").join(place_of(id));
    let (stuck, other) = (place(first.id()), place(second.id()));
    // A folder with something in it is not removed as a file is.
    fs::remove_file(&stuck).unwrap();
    fs::create_dir_all(stuck.join("something")).unwrap();
    server.restart_with(&["--file-grace=1s"]);
    until("the other one to go", || {
        rows(&server) == 1 && !other.exists()
    })
    .await;
    until("it to be said", || {
        let line = format!("file {} that nobody can read cannot be removed", first.id());
        server.log().contains(&line)
    })
    .await;
    fs::remove_dir_all(&stuck).unwrap();
    until("the first one to go", || rows(&server) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_row_was_cleared_away_meanwhile_is_not_said_to_be_there() {
    if !only_on(&[Mode::Sqlite], "it is about the bucket alone") {
        return;
    }
    let bucket = Bucket::start().await;
    let server = Server::with_environment(&bucket.environment(), &[&bucket.flag()]);
    let ann = Asker::at(server.node(0), "ann");
    bucket.hold();
    let uploading = tokio::spawn({
        let ann = ann.clone();
        async move { ann.upload("a", b"late").await }
    });
    until("its row", || rows(&server) == 1).await;
    server.database().execute("DELETE FROM files");
    bucket.open();
    let refused = uploading.await.unwrap();
    refused.assert_is(503, "storage_unavailable");
    assert_eq!(bucket.keys(), [""; 0], "its bytes are gone, too");
    assert_eq!(rows(&server), 0);
    ann.keep("a", b"again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bucket_does_too_late_is_swept_away() {
    if !only_on(&[Mode::Sqlite], "it is about the bucket alone") {
        return;
    }
    let bucket = Bucket::start().await;
    let flags = [&bucket.flag(), "--file-grace=1s", &quota(1, 100)];
    let server = Server::with_environment(&bucket.environment(), &flags);
    let ann = Asker::at(server.node(0), "ann");
    // Nothing can be put there, and whatever is not there can be removed.
    bucket.put("of", b"in the way");
    let refused = ann.upload("a", &noise(100, 1)).await;
    refused.assert_is(503, "storage_unavailable");
    let going = "SELECT count(*) FROM files WHERE state = 2";
    assert_eq!(server.database().query_i64(going), 1, "it is remembered");
    bucket.remove("of");
    // It counts for nothing, and other sweeps go on.
    ann.keep("b", &noise(100, 2)).await;
    until("what was not sent to go", || rows(&server) == 1).await;
    assert_eq!(bucket.keys(), [""; 0]);
    assert_eq!(server.database().query_i64(going), 1, "it is too early");
    let id = &server.database().query("SELECT token FROM files")[0];
    bucket.put(&format!("{PREFIX}/{}", place_of(id)), b"late");
    server.database().execute("UPDATE files SET created_at = 0");
    until("it to go", || rows(&server) == 0).await;
    assert_eq!(bucket.keys(), [""; 0]);
}
