//! IDs, taken on three nodes by many at once, while one node after the other is killed or stopped and started
//! again: none is handed out twice, and each stays whose it is.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::{JoinHandle, block_in_place};

use super::common::{empty_database, eventually, setting};
use super::support::{Node, Server, frames, within};
use super::wire::{Incoming, Wire, id_of, number_of};

const NODES: usize = 3;

const TAKERS: usize = 24;

/// How many grants each taker asks for ahead of the answers.
const WINDOW: usize = 10;

/// After how many grants, of all takers of a round, a node goes down.
const GRANTS: std::ops::Range<usize> = 200..1_000;

const DEFAULT_SEED: u64 = 0x01D5_0FA1;

/// What all takers of a round know.
#[derive(Default)]
struct Round {
    grants: AtomicUsize,
    over: AtomicBool,
}

/// Takes IDs until the round is over or the connection ends. Returns the first of each grant.
async fn take(mut wire: Wire, name: String, round: Arc<Round>) -> Vec<u32> {
    let (mut firsts, mut asked) = (Vec::new(), 0);
    loop {
        while asked < WINDOW && !round.over.load(Ordering::Relaxed) {
            wire.send(frames::get_ids(&name).to_string());
            asked += 1;
        }
        if asked == 0 {
            return firsts;
        }
        let Some(frame) = within("IDs", wire.next()).await else {
            return firsts;
        };
        let incoming = Incoming::parse(&frame);
        assert_eq!(incoming.action, "2", "{name} asked for IDs and got {frame}");
        let ids: Vec<u32> = incoming.chat().message.split(',').map(number_of).collect();
        let expected: Vec<u32> = (ids[0]..).take(10).collect();
        assert_eq!(ids, expected, "a grant is one block");
        firsts.push(ids[0]);
        asked -= 1;
        round.grants.fetch_add(1, Ordering::Relaxed);
    }
}

/// A user, and the grants they got.
struct Taker {
    name: String,
    firsts: Vec<u32>,
}

impl Taker {
    /// Connects, and spends an ID of the round before, which may have been granted by a node that was killed since.
    async fn connect(&self, node: &Node) -> Wire {
        let mut wire = Wire::connect(node, &self.name, None).await;
        if let Some(first) = self.firsts.last() {
            let (id, to) = (id_of(*first), "somebody-who-is-not-here");
            wire.send(frames::message(&self.name, to, &id, "hello").to_string());
            let answer = within("the acknowledgement", wire.next()).await;
            let stored = frames::status_text(to, &self.name, &id, 1);
            assert_eq!(answer.as_deref(), Some(&*stored));
        }
        wire
    }
}

/// Has everybody take IDs, and one node go down and come back meanwhile.
async fn take_while_a_node_goes(
    server: &Server,
    takers: &mut [Taker],
    number: usize,
    random: &mut StdRng,
) {
    let round = Arc::new(Round::default());
    let mut taking: Vec<JoinHandle<Vec<u32>>> = Vec::new();
    for (place, taker) in takers.iter().enumerate() {
        let wire = taker.connect(server.node(place + number)).await;
        taking.push(tokio::spawn(take(
            wire,
            taker.name.clone(),
            Arc::clone(&round),
        )));
    }
    let before = random.random_range(GRANTS);
    let granted = || round.grants.load(Ordering::Relaxed);
    eventually("grants", || granted() >= before).await;
    let node = server.node(random.random_range(0..NODES));
    if number.is_multiple_of(2) {
        block_in_place(|| node.kill9());
    } else {
        let ended = node.terminate().await;
        assert!(ended.status.success(), "{ended:?}");
    }
    block_in_place(|| node.restart());
    // The others have not stopped meanwhile.
    let meanwhile = granted();
    eventually("more grants", || granted() > meanwhile).await;
    round.over.store(true, Ordering::Relaxed);
    let taken = join_all(taking).await;
    for (taker, firsts) in takers.iter_mut().zip(taken) {
        let firsts = firsts.unwrap_or_else(|error| panic!("{}: {error}", taker.name));
        taker.firsts.extend(firsts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_id_is_handed_out_twice_by_three_nodes_that_are_killed_and_started_again() {
    let seed = setting("YANSHU_SEED", DEFAULT_SEED);
    let mut random = StdRng::seed_from_u64(seed);
    let database = empty_database();
    let flags: &[&str] = &[];
    let server = Server::on(&database, &[flags; NODES]);
    let mut takers: Vec<Taker> = (0..TAKERS)
        .map(|number| Taker {
            name: format!("taker-{number}"),
            firsts: Vec::new(),
        })
        .collect();
    for number in 0..setting("YANSHU_TAKING_ROUNDS", 4) as usize {
        take_while_a_node_goes(&server, &mut takers, number, &mut random).await;
    }

    let mut all = HashSet::new();
    for taker in &takers {
        for first in &taker.firsts {
            assert!(all.insert(*first), "{first} was handed out twice");
        }
    }
    // Each is written down as whose it is.
    let grants = database.query(
        "SELECT login || ' ' || (block * 10 + 1) FROM grants JOIN users ON users.id = user_id",
    );
    let granted: HashSet<String> = grants.into_iter().collect();
    for taker in &takers {
        for first in &taker.firsts {
            let grant = format!("{} {first}", taker.name);
            assert!(granted.contains(&grant), "not written down: {grant}");
        }
    }
    eprintln!("{} grants of ten, YANSHU_SEED={seed}", all.len());
}
