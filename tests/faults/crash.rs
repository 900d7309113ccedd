//! kill -9 at random moments under load, again and again on one database.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::crash_pair::{Connected, CrashPair};
use super::observe::setting;
use super::support::Server;

const PAIRS: usize = 3;

const DEFAULT_SEED: u64 = 0x0DEA_D5E4_7E45;

/// The pairs settle at once, on the freshly restarted server.
async fn settle_all(pairs: &mut [CrashPair], server: &Server) -> Vec<Connected> {
    join_all(pairs.iter_mut().map(|pair| pair.settle(server))).await
}

/// Lets all pairs send and receive, and kills the server in the midst of it.
async fn load_and_kill(
    pairs: &mut [CrashPair],
    connections: Vec<Connected>,
    server: &mut Server,
    after: Duration,
) {
    let load = join_all(
        pairs
            .iter_mut()
            .zip(connections)
            .map(|(pair, connected)| pair.load(connected)),
    );
    let kill = async {
        // Nothing is waited for: the moment of death is meant to be any.
        tokio::time::sleep(after).await;
        server.kill9();
    };
    tokio::join!(load, kill);
}

fn assert_ids_were_issued_once(pairs: &[CrashPair]) {
    let mut issued = HashSet::new();
    for id in pairs.iter().flat_map(|pair| &pair.granted) {
        assert!(issued.insert(id), "{id} was issued twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_reordered_by_kill_9_at_any_moment() {
    let rounds = setting("YANSHU_CRASH_ROUNDS", 5);
    let seed = setting("YANSHU_SEED", DEFAULT_SEED);
    eprintln!("YANSHU_SEED={seed} repeats these moments of death");
    let mut random = StdRng::seed_from_u64(seed);
    // Receipts count as told once a ping was answered: with rare pings, every connect would bring all of them again.
    let mut server = Server::with(&["--ping-interval", "100ms"]);
    let mut pairs: Vec<_> = (0..PAIRS).map(CrashPair::new).collect();

    for round in 1..=rounds {
        let connections = settle_all(&mut pairs, &server).await;
        let after = Duration::from_millis(random.random_range(50..=500));
        load_and_kill(&mut pairs, connections, &mut server, after).await;
        assert_ids_were_issued_once(&pairs);
        let settled: usize = pairs.iter().map(CrashPair::settled).sum();
        eprintln!("round {round}: killed after {after:?}, {settled} messages settled before");
        server.restart();
    }

    let mut connections = settle_all(&mut pairs, &server).await;
    for (pair, connected) in pairs.iter().zip(&mut connections) {
        pair.verify_whole_history(connected).await;
    }
    let settled: usize = pairs.iter().map(CrashPair::settled).sum();
    assert!(settled > 0, "there was no load to kill the server under");
    drop(connections);
    let ended = server.terminate().await;
    assert!(
        ended.status.success(),
        "after all of it the server still stops in order: {ended:?}"
    );
}
