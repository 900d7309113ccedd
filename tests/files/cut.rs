//! Uploads that end before their end, wherever that is: nothing is left of them.

use super::asker::{Asker, chunk};
use super::ground::{assert_nothing, descriptors, noise, spools, until};
use super::quota::quota;
use super::support::{Client, Server};
use super::wire::Connection;

/// A little more than two pieces of the spool.
const SIZE: usize = 2 * PIECE + 37_000;
const PIECE: usize = 128 * 1024;

/// How an upload ends early.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The connection is closed.
    Closed,
    /// It is reset.
    Reset,
    /// Nothing more is sent, and the answer is waited for.
    Silent,
}

async fn cut(asker: &Asker, request: &[u8], end: End) {
    let mut connection: Connection = asker.connect().await;
    connection.send(request).await;
    match end {
        End::Closed => drop(connection),
        End::Reset => connection.reset(),
        End::Silent => {
            connection.finish().await;
            let status = connection.answer().await.map(|reply| reply.status);
            assert!(!matches!(status, Ok(200..300)), "it was taken: {status:?}");
        }
    }
}

/// Where a request is cut whose body begins there: in the head, in the body, at the borders of pieces, and before
/// its last byte.
fn places(body: usize, whole: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (1..body).step_by(9).collect();
    places.extend([body - 2, body - 1, body, body + 1, body + 2]);
    for border in [4_096, 16_384, 65_536, PIECE, 2 * PIECE] {
        places.extend([-1_i64, 0, 1].map(|near| {
            let at = i64::try_from(body + border).unwrap() + near;
            usize::try_from(at).unwrap()
        }));
    }
    places.extend((body..whole).step_by(9_973));
    places.extend([whole - 3, whole - 2, whole - 1]);
    places
}

/// Cuts uploads everywhere, and sees that nothing is left of them.
async fn leaves_nothing(request: impl Fn(&Asker) -> (Vec<u8>, usize)) {
    let server = Server::with(&[&quota(1, SIZE)]);
    let askers = [0, 1].map(|number| Asker::at(server.node(number), "ann"));
    for asker in &askers {
        asker.cannot_read("/files/x").await;
    }
    let before = descriptors(&server);
    let (_, body) = request(&askers[0]);
    let mut cuts = 0;
    let whole = request(&askers[0]).0.len();
    for (number, place) in places(body, whole).into_iter().enumerate() {
        let asker = &askers[number % 2];
        let end = [End::Closed, End::Reset, End::Silent][number % 3];
        // Heads of other nodes may be longer by a digit of the port.
        let (request, _) = request(asker);
        let place = place.min(request.len() - 1);
        cut(asker, &request[..place], end).await;
        cuts += 1;
    }
    assert!(cuts >= 60, "{cuts} cuts");
    until("all spools to go", || spools(&server) == 0).await;
    until("descriptors to come back", || {
        descriptors(&server) <= before + 8
    })
    .await;
    assert_nothing(&server);
    // All of the quota is there, and so is the whole file when it comes whole.
    let (request, _) = request(&askers[1]);
    let mut connection = askers[1].connect().await;
    connection.send(&request).await;
    let file = super::asker::kept(connection.answer().await.unwrap());
    askers[0].reads(file.url(), &noise(SIZE, 5)).await;
    let mut client = Client::connect(&server, "ann").await;
    client.deliver("bob", "and messages go on").await;
}

#[tokio::test]
async fn an_upload_that_is_cut_anywhere_leaves_nothing() {
    leaves_nothing(|asker| {
        let mut request = asker.upload_head("a", Some(SIZE as u64)).into_bytes();
        let body = request.len();
        request.extend(noise(SIZE, 5));
        (request, body)
    })
    .await;
}

#[tokio::test]
async fn one_in_chunks_leaves_nothing_either() {
    leaves_nothing(|asker| {
        let mut request = asker.upload_head("a", None).into_bytes();
        let body = request.len();
        for part in noise(SIZE, 5).chunks(50_000) {
            request.extend(chunk(part));
        }
        request.extend(chunk(&[]));
        (request, body)
    })
    .await;
}

#[tokio::test]
async fn what_is_no_chunk_is_refused_and_leaves_nothing() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    for wrong in [
        "zz\r\n",
        "-5\r\nabcde\r\n",
        "5\r\nabcdefgh",
        "fffffffffffffffff\r\n",
        "5 abcde",
    ] {
        let mut upload = ann.begin("a", None).await;
        upload.send(&chunk(b"good")).await;
        // The server may hang up at the first wrong byte.
        let _ = upload.try_send(wrong.as_bytes()).await;
        let _ = upload.try_send(&chunk(&[])).await;
        let status = upload.answer().await.map(|reply| reply.status);
        assert!(!matches!(status, Ok(200..300)), "{wrong:?}: {status:?}");
    }
    until("all spools to go", || spools(&server) == 0).await;
    assert_nothing(&server);
}

#[tokio::test]
async fn who_goes_once_all_has_been_sent_has_sent_it() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let mut upload = ann.begin("a", Some(1_000)).await;
    let bytes = noise(1_000, 1);
    upload.send(&bytes[..999]).await;
    until("the upload to come in", || spools(&server) == 1).await;
    upload.send(&bytes[999..]).await;
    // Nobody waits for the answer. What came whole may be kept, and then it is whole.
    drop(upload);
    until("the upload to end", || spools(&server) == 0).await;
    let coming = "SELECT count(*) FROM files WHERE state = 0";
    until("it to be there or not", || {
        server.database().query_i64(coming) == 0
    })
    .await;
    let kept = server.database().query("SELECT token FROM files");
    for id in kept {
        ann.reads(&format!("/files/{id}"), &bytes).await;
    }
}
