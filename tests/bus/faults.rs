//! What happens to NATS, and what a node makes of it.

use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use yanshu::bus::Event;

use super::nats_server::{NatsServer, free_port};
use super::node::{Node, at_once, join, options, within};

/// In less than this a subscription is answered, whatever NATS does.
const SOON: Duration = Duration::from_secs(3);

async fn pair(url: &str) -> (Node, Node) {
    let (here, there) = (join(options(url)).await, join(options(url)).await);
    for node in [&here, &there] {
        node.until("the bus to be up", |bus| bus.is_up()).await;
    }
    (here, there)
}

async fn subscribe_soon(node: &mut Node, name: &str) {
    let start = Instant::now();
    node.subscribe(name).await;
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

/// A letter from one to the other, however many were lost before.
async fn passes(from: &Node, to: &mut Node, name: &str, seq: i64) {
    from.publish(name, seq);
    while to.next_letter().await != (name.to_owned(), seq) {}
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back() {
    let mut server = NatsServer::start();
    let (mut here, there) = pair(&server.url()).await;
    for n in 0..500 {
        here.subscribe(&format!("before{n}")).await;
    }
    server.kill();
    here.until("the bus to be down", |bus| !bus.is_up()).await;
    there.until("the bus to be down", |bus| !bus.is_up()).await;
    here.next_doubt().await;
    at_once(|| (1..20_000).for_each(|seq| here.publish("before0", seq)));
    subscribe_soon(&mut here, "meanwhile").await;
    here.unsubscribe("before1");

    server.restart();
    here.next_doubt().await;
    there.until("the bus to be up", |bus| bus.is_up()).await;
    here.until("the bus to be up", |bus| bus.is_up()).await;
    // The doubt came when all were in force again.
    for n in (0..500).filter(|&n| n != 1) {
        passes(&there, &mut here, &format!("before{n}"), n).await;
    }
    here.subscribe("meanwhile").await;
    there.publish("before1", 7);
    passes(&there, &mut here, "meanwhile", 8).await;
    subscribe_soon(&mut here, "after").await;
    passes(&there, &mut here, "after", 9).await;
}

#[tokio::test]
async fn a_start_without_a_server() {
    let port = free_port();
    let mut node = join(options(&format!("nats://127.0.0.1:{port}"))).await;
    assert!(!node.bus.is_up());
    at_once(|| node.publish("ann", 1));
    subscribe_soon(&mut node, "ann").await;

    let server = NatsServer::start_with(port, &[]);
    node.until("the bus to be up", |bus| bus.is_up()).await;
    node.next_doubt().await;
    let there = join(options(&server.url())).await;
    there.until("the bus to be up", |bus| bus.is_up()).await;
    node.subscribe("ann").await;
    passes(&there, &mut node, "ann", 2).await;
}

#[tokio::test]
async fn a_server_that_hangs() {
    let server = NatsServer::start();
    let (mut here, there) = pair(&server.url()).await;
    here.subscribe("ann").await;
    server.signal("STOP");
    subscribe_soon(&mut here, "bob").await;
    // More than any buffer on the way holds.
    at_once(|| (1..=20_000).for_each(|seq| here.publish("ann", seq)));
    here.until("the bus to be down", |bus| !bus.is_up()).await;
    subscribe_soon(&mut here, "eve").await;
    server.signal("CONT");
    for node in [&here, &there] {
        node.until("the bus to be up", |bus| bus.is_up()).await;
    }
    here.next_doubt().await;
    for name in ["ann", "bob", "eve"] {
        here.subscribe(name).await;
        passes(&there, &mut here, name, 1).await;
    }
}

#[tokio::test]
async fn letters_nobody_can_read_are_a_doubt() {
    let server = NatsServer::start();
    let (mut here, there) = pair(&server.url()).await;
    here.subscribe("ann").await;
    let mut stranger = server.raw();
    for garbage in [
        &b""[..],
        b"\xff\xff\xff",
        b"{\"version\":1}",
        &[0x91; 60_000],
    ] {
        stranger.publish("yanshu.test.ann", garbage);
        assert_eq!(here.next().await, Event::Doubt);
    }
    stranger.publish("yanshu.test.bus.doubt", b"anything");
    assert_eq!(here.next().await, Event::Doubt);
    passes(&there, &mut here, "ann", 1).await;
}

#[tokio::test]
async fn somebody_who_listens_to_everything() {
    let server = NatsServer::start();
    let mut spy = server.raw();
    spy.say(b"SUB > 1\r\n");
    let (mut here, there) = pair(&server.url()).await;
    for seq in 1..=50 {
        let name = format!("user{seq}");
        subscribe_soon(&mut here, &name).await;
        there.publish(&name, seq);
        assert_eq!(here.next_letter().await, (name, seq));
    }
}

/// Carries connections to a server, until it is cut.
struct Cable {
    port: u16,
    to: u16,
    carrying: Option<JoinHandle<()>>,
}

impl Cable {
    async fn plug(to: u16) -> Self {
        let mut cable = Self {
            port: free_port(),
            to,
            carrying: None,
        };
        cable.mend().await;
        cable
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let to = self.to;
        self.carrying = Some(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }));
    }

    fn cut(&mut self) {
        self.carrying.take().unwrap().abort();
    }
}

#[tokio::test]
async fn what_a_node_could_not_publish_is_a_doubt_of_the_others() {
    let server = NatsServer::start();
    let mut cable = Cable::plug(server.port()).await;
    let cut_off = join(options(&format!("nats://127.0.0.1:{}", cable.port))).await;
    cut_off.until("the bus to be up", |bus| bus.is_up()).await;
    let mut other = join(options(&server.url())).await;
    other.subscribe("ann").await;
    cable.cut();
    cut_off
        .until("the bus to be down", |bus| !bus.is_up())
        .await;
    cut_off.publish("ann", 1);
    cable.mend().await;
    assert_eq!(other.next().await, Event::Doubt);
    assert!(other.bus.is_up(), "nothing ever happened to this one");
    passes(&cut_off, &mut other, "ann", 2).await;
}

#[tokio::test]
async fn letters_that_found_no_room_are_a_doubt_of_the_others() {
    let server = NatsServer::start();
    let (here, mut there) = pair(&server.url()).await;
    there.subscribe("ann").await;
    // More than the queue holds, before its task has a turn.
    at_once(|| (1..=20_000).for_each(|seq| here.publish("bob", seq)));
    assert_eq!(there.next().await, Event::Doubt);
    passes(&here, &mut there, "ann", 1).await;
}

#[tokio::test]
async fn a_bus_that_is_dropped_ends() {
    let server = NatsServer::start();
    let (mut here, there) = pair(&server.url()).await;
    here.subscribe("ann").await;
    there.publish("ann", 1);
    here.next_letter().await;
    let Node { bus, mut events } = here;
    drop(bus);
    within("the end of the events", async {
        while events.recv().await.is_some() {}
    })
    .await;
}
