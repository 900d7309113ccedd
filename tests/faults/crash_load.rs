//! Several pairs under load, whose server is struck again and again.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures_util::future::join_all;

use super::crash_pair::{Connected, CrashPair};
use super::store_failure::health_becomes;
use super::support::Server;

const PAIRS: usize = 3;

/// Receipts count as told once a ping was answered: with rare pings, every connect would bring all of them again.
pub const FLAGS: &[&str] = &["--ping-interval=100ms"];

/// The pairs.
pub struct CrashLoad {
    pairs: Vec<CrashPair>,
    acks: Arc<AtomicUsize>,
}

impl CrashLoad {
    /// Pairs that have not met yet, and their texts have so many bytes or more.
    pub fn of_texts(bytes: usize) -> CrashLoad {
        let acks = Arc::default();
        CrashLoad {
            pairs: (0..PAIRS)
                .map(|number| CrashPair::new(number, bytes, &acks))
                .collect(),
            acks,
        }
    }

    /// How many acknowledgements came under load. It grows while that runs.
    pub fn acks(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.acks)
    }

    /// The pairs settle at once, on the freshly restarted server or store.
    pub async fn settle(&mut self, server: &Server) -> Vec<Connected> {
        for node in server.nodes() {
            health_becomes(node, 200).await;
        }
        join_all(self.pairs.iter_mut().map(|pair| pair.settle(server))).await
    }

    /// Lets all pairs send and receive, until they notice that what they stand on was struck.
    pub async fn until(&mut self, connections: Vec<Connected>, strike: impl Future<Output = ()>) {
        let pairs = self.pairs.iter_mut().zip(connections);
        let load = join_all(pairs.map(|(pair, connected)| pair.load(connected)));
        tokio::join!(load, strike);
        self.assert_ids_were_issued_once();
    }

    fn assert_ids_were_issued_once(&self) {
        let mut issued = HashSet::new();
        for id in self.pairs.iter().flat_map(|pair| &pair.granted) {
            assert!(issued.insert(id), "{id} was issued twice");
        }
    }

    /// Checks that what was acknowledged is there, before anything is sent again.
    pub async fn lost_nothing(&self, server: &Server) {
        join_all(self.pairs.iter().map(|pair| pair.lost_nothing(server))).await;
    }

    /// How many messages history must hold by now.
    pub fn settled(&self) -> usize {
        self.pairs.iter().map(CrashPair::settled).sum()
    }

    /// Settles, checks the whole history of all pairs, and stops the server in order.
    pub async fn verify(mut self, mut server: Server) {
        let mut connections = self.settle(&server).await;
        for (pair, connected) in self.pairs.iter().zip(&mut connections) {
            pair.verify_whole_history(connected).await;
        }
        assert!(self.settled() > 0, "there was no load to strike");
        drop(connections);
        let ended = server.terminate().await;
        assert!(
            ended.status.success(),
            "after all of it the server still stops in order: {ended:?}"
        );
    }
}
