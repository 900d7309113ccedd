//! Scrolling back.

use serde_json::json;

use super::away::{give_network, sign_in_with_a_network, take_network};
use super::page::{Page, send_all, send_all_of_type};
use super::support::{Client, Server, frames};
use super::things::{landscape, upload};

/// Goes to the beginning as a person does, and says by how many pixels what they looked at jumped at most.
const SCROLL_BACK: &str = "
    const scroll = document.querySelector('#scroll');
    const rows = () => document.querySelectorAll('#messages .message');
    const began = () => !document.querySelector('#beginning').hidden;
    let jump = 0;
    let pages = 0;
    const step = async () => {
        while (!began() || scroll.scrollTop > 0) {
            scroll.scrollTop = Math.max(scroll.scrollTop - 300, 0);
            const looked = [...rows()].find((row) => row.getBoundingClientRect().bottom > scroll.getBoundingClientRect().top);
            const count = rows().length;
            const before = looked.getBoundingClientRect().top;
            await new Promise((next) => setTimeout(next, 30));
            if (rows().length > count) pages += 1;
            jump = Math.max(jump, Math.abs(looked.getBoundingClientRect().top - before));
        }
        done({ jump, pages });
    };
    step();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_scrolls_back_through_five_hundred_messages_without_a_jump() {
    let server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    let texts: Vec<_> = (0..500).map(|number| format!("message {number}")).collect();
    send_all(&mut bob, "ann", &texts).await;
    let ann = Page::signed_in(&server.node(1).url(), "ann").await;
    ann.talk_to("bob").await;
    ann.shown("message 499").await;
    let held = ann.bubbles().await.len();
    assert!((50..500).contains(&held), "{held} at first");
    let scrolled = ann.run(SCROLL_BACK).await;
    assert!(scrolled["pages"].as_u64() >= Some(5), "{scrolled}");
    assert!(scrolled["jump"].as_f64() < Some(2.0), "{scrolled}");
    assert_eq!(ann.texts().await, texts);

    // One goes back to the end, and what comes there is seen.
    ann.click("#newest").await;
    send_all(&mut bob, "ann", &["new".to_owned()]).await;
    ann.shown("new").await;
    let is_seen = "document.querySelector('#messages').lastElementChild.getBoundingClientRect().bottom \
                   <= document.querySelector('#scroll').getBoundingClientRect().bottom";
    ann.until("to see it", is_seen).await;

    // What one writes oneself is seen wherever one is.
    ann.ask("document.querySelector('#scroll').scrollTop = 0")
        .await;
    ann.until("to be away", "!document.querySelector('#newest').hidden")
        .await;
    ann.write("mine").await;
    ann.ticked("mine", "stored").await;
    ann.until("to see it", is_seen).await;
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_messages_of_a_long_absence_stand_in_their_order_and_are_reported() {
    let server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    let mut ann_elsewhere = Client::connect(&server, "ann").await;
    let texts: Vec<_> = (0..120).map(|number| format!("unread {number}")).collect();
    send_all(&mut bob, "ann", &texts[..60]).await;
    // What ann herself wrote elsewhere does not come with a connect: it is in the history alone.
    send_all(&mut ann_elsewhere, "bob", &["mine".to_owned()]).await;
    ann_elsewhere.close().await;
    send_all(&mut bob, "ann", &texts[60..]).await;

    let ann = Page::signed_in(&server.node(1).url(), "ann").await;
    ann.until("the title to call", "document.title === '(120) Yanshu'")
        .await;
    ann.talk_to("bob").await;
    ann.until("all to be reported", "document.title === 'Yanshu'")
        .await;
    ann.run(SCROLL_BACK).await;
    let mut expected = texts[..60].to_vec();
    expected.push("mine".to_owned());
    expected.extend_from_slice(&texts[60..]);
    assert_eq!(ann.texts().await, expected);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_while_one_was_away_is_ticked_though_much_has_come_since() {
    let server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    let mut phone = Client::connect(&server, "ann").await;
    let ann = Page::open(&server.url()).await;
    sign_in_with_a_network(&ann, "ann").await;
    ann.talk_to("bob").await;
    let mine: Vec<_> = (0..20).map(|number| format!("mine {number}")).collect();
    send_all(&mut phone, "bob", &mine).await;
    ann.ticked("mine 19", "stored").await;
    take_network(&ann).await;

    let mut unread = Vec::new();
    while unread.len() < mine.len() {
        let frame = bob.next().await;
        if frame["action"] == "3" {
            unread.push(frame["chatMsg"]["id"].as_str().expect("an ID").to_owned());
        }
    }
    for id in &unread {
        bob.read(id, "ann").await;
    }
    let told = frames::status_text("bob", "ann", unread.last().expect("the last"), 2);
    while phone.next_text().await != told {}
    // The phone was told, and has answered a ping: nobody is told again.
    server
        .database()
        .execute("UPDATE users SET told = timeline");
    let theirs: Vec<_> = (0..40).map(|number| format!("theirs {number}")).collect();
    send_all(&mut bob, "ann", &theirs).await;
    give_network(&ann).await;
    ann.bubbles_when("all to be read", |bubbles| {
        let of_mine: Vec<_> = bubbles.iter().filter(|bubble| bubble.mine).collect();
        of_mine.len() == 20 && of_mine.iter().all(|bubble| bubble.tick == "read")
    })
    .await;
    assert_eq!(ann.texts().await, [mine, theirs].concat());
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_out_of_the_past_never_stands_behind_the_newest_however_long_that_takes() {
    let server = Server::start();
    let page = Page::open(&server.url()).await;
    // While each page of history is read, ten more unread messages come; while the last one is, a new one.
    let script = "
        const { Conversations } = await import('/web/conversations.js');
        const message = (number) => ({ id: `MSG${number}`, fromId: 'bob', toId: 'ann', type: 0, message: '', status: 1 });
        const conversations = new Conversations('ann');
        const conversation = conversations.with('bob');
        const stored = [...Array(200).keys()].map(message);
        let told = 0;
        const newest = async (isKnown) => {
            const messages = stored.slice(-50).map((message) => ({ ...message }));
            if (told === 100) conversations.deliver(message(200), true);
            for (const until = told + 10; told < until && told < 100; told += 1) conversations.deliver(message(told), false);
            return { messages, met: messages.some(({ id }) => isKnown(id)), begins: false };
        };
        await conversation.fill({ newest });
        return conversation.messages.map(({ id }) => id);";
    let script = format!("(async () => {{ {script} }})().then(done, (e) => done(String(e)));");
    let expected: Vec<_> = (150..201).map(|number| format!("MSG{number}")).collect();
    assert_eq!(page.run(&script).await, json!(expected));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_scrolls_back_through_forty_pictures_without_a_jump() {
    let server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    let mut names = Vec::new();
    for number in 0..40_u32 {
        let texts: Vec<_> = (0..3).map(|part| format!("{number}.{part}")).collect();
        send_all(&mut bob, "ann", &texts).await;
        let name = format!("{number}.png");
        // Wide ones, high ones, small ones.
        let picture = landscape(40 + number % 7 * 70, 40 + number % 5 * 90);
        let file = upload(&server, "bob", (&name, "image/png"), &picture).await;
        send_all_of_type(&mut bob, "ann", 1, &[file]).await;
        names.push(name);
    }
    let ann = Page::signed_in(&server.node(1).url(), "ann").await;
    ann.talk_to("bob").await;
    ann.shown("39.png").await;
    let scrolled = ann.run(SCROLL_BACK).await;
    assert!(scrolled["pages"].as_u64() >= Some(2), "{scrolled}");
    assert!(scrolled["jump"].as_f64() < Some(2.0), "{scrolled}");
    let texts = ann.texts().await;
    let pictures: Vec<_> = texts.iter().filter(|text| text.ends_with(".png")).collect();
    assert_eq!(pictures, names.iter().collect::<Vec<_>>());
    // What one stays at is shown, at the beginning and at the end.
    let are_seen = "((view) => [...document.querySelectorAll('.picture')].filter((picture) => {
        const { top, bottom } = picture.getBoundingClientRect();
        return bottom > view.top && top < view.bottom;
    }).every((picture) => picture.querySelector('img').naturalWidth > 0))
        (document.querySelector('#scroll').getBoundingClientRect())";
    ann.until("the first pictures", are_seen).await;
    ann.click("#newest").await;
    ann.until("the last pictures", are_seen).await;
    ann.close().await;
}
