//! What the suite sees from its own messages coming back: texts arrive as they were sent.

use serde_json::Value;

use super::peer::{Heard, Peer, Way, fragments};
use super::support::{Server, frames};
use super::unicode;

const USER: &str = "echo";

/// Sends a frame in these fragments.
async fn send(peer: &mut Peer, frame: &Value, octets: usize, way: Way) {
    let text = frame.to_string();
    let parts = fragments(text.as_bytes().chunks(octets));
    peer.send(&parts, way).await;
}

async fn hear(peer: &mut Peer) -> Value {
    match peer.hear().await {
        Heard::Text(text) => serde_json::from_str(&text).expect("JSON"),
        other => panic!("expected an answer, got {other:?}"),
    }
}

/// Unspent message IDs.
async fn ids(peer: &mut Peer) -> Vec<String> {
    send(peer, &frames::get_ids(USER), usize::MAX, Way::Together).await;
    let answer = hear(peer).await;
    let ids = answer["chatMsg"]["message"].as_str().expect("IDs");
    ids.split(',').map(str::to_owned).collect()
}

#[tokio::test]
async fn every_valid_text_comes_back_unchanged_whole_and_in_octets() {
    let server = Server::start();
    let mut peer = Peer::open(&server, Some(USER)).await;
    let mut unspent = Vec::new();
    // NUL is text, but no message may hold it.
    let texts = unicode::valid_texts();
    for text in texts.iter().filter(|text| *text != "\0") {
        for (octets, way) in [
            (usize::MAX, Way::Together),
            (1, Way::Together),
            (7, Way::ByFrame),
            (usize::MAX, Way::Chopped(1)),
        ] {
            if unspent.is_empty() {
                unspent = ids(&mut peer).await;
            }
            let id = unspent.pop().expect("an ID");
            let message = frames::message(USER, USER, &id, text);
            send(&mut peer, &message, octets, way).await;
            assert_eq!(hear(&mut peer).await, message, "{octets} octets, {way:?}");
            assert_eq!(hear(&mut peer).await["chatMsg"]["status"], 1);
        }
    }
}
