//! There is no room for a file, and all else goes on.

use super::asker::Asker;
use super::chat::{expect_text, send_file};
use super::ground::{noise, place_of, rows, spools, stored, until};
use super::images::png;
use super::support::{Client, DiskError, Mode, Server, Shim, only_on};

/// 4 MiB: no file of the server can be larger.
const BLOCKS: u32 = 8_192;
const TOO_MUCH: usize = 5_000_000;

#[tokio::test]
async fn a_file_for_which_there_is_no_room_is_refused_and_leaves_nothing() {
    if !only_on(&[Mode::Sqlite], "it is about the server's own files") {
        return;
    }
    let server = Server::with_file_limit(BLOCKS, &[]);
    let mut client = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let ann = Asker::at(server.node(0), "ann");
    for round in 0..3 {
        let refused = ann.upload("large", &noise(TOO_MUCH, round)).await;
        let refused = refused.assert_is(507, "storage_full");
        assert_eq!(refused.json()["retryable"], true);
        until("the refused upload to go", || spools(&server) == 0).await;
        assert_eq!(rows(&server), i64::try_from(round).unwrap());
        assert_eq!(stored(&server).len(), usize::try_from(round).unwrap());
        // What has room is taken, and sent.
        let bytes = noise(100_000, round);
        let file = ann.keep("small", &bytes).await;
        let id = send_file(&mut client, "bob", &file).await;
        expect_text(&mut bob, "ann", &id, &file.text).await;
        let reader = Asker::at(server.node(0), "bob");
        reader.reads(file.url(), &bytes).await;
    }
}

#[tokio::test]
async fn a_disk_on_which_nothing_can_be_written_refuses_files_and_heals() {
    if !only_on(&[Mode::Sqlite], "it is about the server's own disk") {
        return;
    }
    let shim = Shim::new();
    let server = Server::behind(&shim, &[]);
    let ann = Asker::at(server.node(0), "ann");
    let before = ann.keep("before", b"before").await;
    for (error, statuses) in [
        (DiskError::Full, [507, 503]),
        (DiskError::Broken, [503, 503]),
    ] {
        shim.order_disk_error(Some(error));
        for bytes in [noise(1_000, 1), noise(1_000_000, 2), png(600, 600)] {
            let refused = ann.upload("a", &bytes).await;
            assert!(statuses.contains(&refused.status), "{}", refused.head);
            let json = refused.json();
            assert_eq!(json["retryable"], true, "{json}");
            // What was there before is read as ever.
            ann.reads(before.url(), b"before").await;
        }
        shim.order_disk_error(None);
        until("the refused uploads to go", || spools(&server) == 0).await;
        // The database heals by itself, and may take a moment.
        let again = async {
            while ann.upload("again", b"again").await.status != 201 {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        super::support::within("an upload to be taken again", again).await;
        let readable = "SELECT token FROM files WHERE state = 1";
        let files = server.database().query(readable);
        let there = stored(&server);
        for id in files {
            assert!(there.contains(&place_of(&id)), "{id} is not there");
        }
        server
            .database()
            .execute("DELETE FROM files WHERE name = 'again'");
    }
}
