//! A node of the next schema version beside one of this: as long as the next version allows it, nodes of this
//! one go on, and can be started; then they are refused, and change nothing.
//!
//! The next version is a migration that this one does not know, applied by SQL.

use super::common::{assert_all_serve, contents, empty_database, spawn_node};
use super::support::client::message_ids;
use super::support::server::run;
use super::support::{Client, Nats, Node};

/// What the next version's migration does: of everything that nodes of this version can live with, some.
pub const NEXT: &str = "
    ALTER TABLE users ADD COLUMN picture TEXT;
    ALTER TABLE messages ADD COLUMN edited_at BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN answers_to BIGINT;
    ALTER TABLE grants ADD COLUMN device BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE receipts ADD COLUMN read_at BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE contacts ADD COLUMN blocked BOOLEAN NOT NULL DEFAULT FALSE;
    ALTER TABLE deployment ADD COLUMN region TEXT NOT NULL DEFAULT '';
    CREATE TABLE reactions (message_id BIGINT NOT NULL, user_id BIGINT NOT NULL, sign TEXT NOT NULL,
        PRIMARY KEY (message_id, user_id));
    CREATE INDEX messages_by_answer ON messages (answers_to);
    INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959');";

/// What it does where nodes of this version cannot live with it.
pub const NEEDED_BY_NEXT: &str = "UPDATE deployment SET needs_migration = '20991231235959'";

/// Two who talk, each on a node of their own.
struct Pair {
    ann: Client,
    bob: Client,
    names: [String; 2],
}

impl Pair {
    async fn connect(nodes: [&Node; 2], names: [String; 2]) -> Pair {
        Pair {
            ann: Client::connect(nodes[0], &names[0]).await,
            bob: Client::connect(nodes[1], &names[1]).await,
            names,
        }
    }

    /// Does one of each thing that can be done.
    async fn do_everything(&mut self, text: &str) {
        let [ann, bob] = &self.names;
        let id = self.ann.deliver(bob, text).await;
        self.bob.expect_message(ann, bob, &id, text).await;
        self.bob.read(&id, ann).await;
        self.ann.expect_status(bob, ann, &id, 2).await;
        for (client, partner) in [(&mut self.ann, bob), (&mut self.bob, ann)] {
            let page = client.history(Some(partner), None, Some(1)).await;
            assert_eq!(message_ids(&page), [id.as_str()]);
            assert_eq!(page[0]["chatMsg"]["status"], 2);
            let all = client.history(None, None, Some(1)).await;
            assert_eq!(message_ids(&all), [id.as_str()]);
            let contacts = client.contacts().await;
            assert!(contacts.iter().any(|(id, _)| id == partner), "{contacts:?}");
        }
        // To somebody who never was here, and comes then.
        let new = format!("new-friend-{id}");
        let waits = self.ann.deliver(&new, text).await;
        self.ann.message(&waits, &new, text).await;
        self.ann.expect_status(&new, &ann.clone(), &waits, 1).await;
    }
}

fn pair_of(when: &str) -> [String; 2] {
    ["ann", "bob"].map(|name| format!("{name}-{when}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_this_version_go_on_and_start_beside_one_of_the_next_that_allows_it() {
    let database = empty_database();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let bus = format!("--nats-url={}", Nats::shared().url());
    let start = || spawn_node(directory.path(), &database, &[&bus]);
    let (one, other) = (start(), start());
    for node in [&one, &other] {
        node.wait_until_ready();
        assert!(!node.log().contains("newer yanshu"), "{}", node.log());
    }
    // They have prepared their statements when the tables change.
    let mut before = Pair::connect([&one, &other], pair_of("before")).await;
    before.do_everything("before").await;
    database.execute(NEXT);
    for _ in 0..3 {
        before.do_everything("after").await;
    }
    let mut new = Pair::connect([&other, &one], pair_of("new")).await;
    new.do_everything("new").await;

    let late = start();
    late.wait_until_ready();
    assert!(late.log().contains("20991231235959"), "{}", late.log());
    assert!(late.log().contains("newer yanshu"), "{}", late.log());
    Pair::connect([&late, &one], pair_of("late"))
        .await
        .do_everything("late")
        .await;
    assert_all_serve(&[&one, &late, &other], "all").await;

    // As in a rolling restart that is rolled back.
    other.restart();
    let mut back = Pair::connect([&other, &late], pair_of("back")).await;
    back.do_everything("back").await;
    before.ann.close().await;
    let mut again = Client::connect(&other, &before.names[0]).await;
    let page = again.history(Some(&before.names[1]), None, Some(10)).await;
    assert_eq!(page.len(), 4, "{page:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_this_version_is_refused_once_the_next_cannot_live_with_it_and_changes_nothing() {
    let database = empty_database();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let node = spawn_node(directory.path(), &database, &[]);
    node.wait_until_ready();
    assert_all_serve(&[&node], "before").await;
    database.execute(NEXT);
    database.execute(NEEDED_BY_NEXT);
    // It cannot know, and those on it are not thrown out.
    assert_all_serve(&[&node], "after").await;
    node.terminate().await;

    let before = contents(&database);
    let url = database.url();
    let ended = run(&["serve", "--listen=127.0.0.1:0", "--database-url", &url]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    let sentence = "it holds migration 20991231235959, which this version of yanshu does not know";
    assert!(ended.stderr.contains(sentence), "{ended:?}");
    assert_eq!(contents(&database), before, "it changed something");
}
