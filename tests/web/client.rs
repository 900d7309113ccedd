//! The protocol part by itself, in a page of the server.

use serde_json::{Value, json};

use super::page::Page;
use super::support::{Client, Server};

/// A client `ann`, with what it told of so far, and ways to wait for more.
const BEGIN: &str = "
    const { Client, MemoryStorage } = await import('/web/yanshu.js');
    const url = new URL('/ws', location.href);
    url.protocol = 'ws:';
    const begin = (options) => {
        const client = new Client({ url, userId: 'ann', ...options });
        const told = [];
        for (const name of ['message', 'written', 'status', 'refused', 'reissued', 'gone']) {
            client.addEventListener(name, ({ detail }) => told.push({ name, ...detail }));
        }
        const until = async (fits) => {
            while (!told.some(fits)) await new Promise((next) => setTimeout(next, 5));
            return told.find(fits);
        };
        const became = async (state) => {
            while (client.state.state !== state) await new Promise((next) => setTimeout(next, 5));
        };
        return { client, told, until, became };
    };";

/// Runs a script after that, and returns what it returns.
async fn run(page: &Page, script: &str) -> Value {
    let script =
        format!("(async () => {{ {BEGIN} {script} }})().then(done, (e) => done(String(e)));");
    page.run(&script).await
}

async fn page(server: &Server) -> Page {
    Page::open(&server.node(0).url()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_just_began_can_send_at_once_and_more_than_it_has_in_reserve() {
    let server = Server::start();
    let page = page(&server).await;
    let script = "
        const { client, told, until } = begin();
        client.start();
        const texts = [...Array(75).keys()].map((number) => `message ${number}`);
        await Promise.all(texts.map((text) => client.send('bob', text)));
        while (told.filter(({ status }) => status === 1).length < 75) await new Promise((next) => setTimeout(next, 5));
        const history = await client.history({ peer: 'bob', size: 100 });
        return history.map(({ message }) => message).join() === texts.join();";
    assert_eq!(run(&page, script).await, json!(true));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_server_takes_is_refused_before_it_is_in_the_outbox() {
    let server = Server::start();
    let page = page(&server).await;
    let script = "
        const storage = new MemoryStorage();
        const { client, until } = begin({ storage });
        client.start();
        const refused = [];
        // The last one is short enough, until JSON has doubled it.
        for (const text of ['', 'a\\0b', 'x'.repeat(32769), '\"'.repeat(32768)]) {
            await client.send('bob', text).catch(({ name }) => refused.push(name));
        }
        // Half of a character is no Unicode: it is sent as what stands for that.
        const { id } = await client.send('bob', 'half \\ud83d');
        await until(({ name, id: of }) => name === 'status' && of === id);
        const [last] = await client.history({ peer: 'bob', size: 1 });
        return [refused.join(), last.message, (await storage.outbox()).length];";
    let expected = json!([
        "Unsendable,Unsendable,Unsendable,Unsendable",
        "half \u{fffd}",
        0
    ]);
    assert_eq!(run(&page, script).await, expected);
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_id_is_not_granted_goes_out_once_under_another() {
    let server = Server::start();
    let page = page(&server).await;
    // Two clients share what must not be forgotten, as two tabs do, and both send the message of the outbox.
    let script = "
        let readers = 0;
        let bothHaveRead;
        const both = new Promise((resolve) => (bothHaveRead = resolve));
        class Shared extends MemoryStorage {
            async outbox() {
                const outbox = await super.outbox();
                readers += 1;
                if (readers === 2) bothHaveRead();
                await both;
                return outbox;
            }
        }
        const storage = new Shared();
        await storage.putOut({ id: 'MSG999999', toId: 'bob', type: 0, message: 'lapsed', time: '2026-01-15 12:00:00' });
        const clients = [begin({ storage }), begin({ storage })];
        for (const { client } of clients) client.start();
        const isSeenTo = ({ name }) => name === 'reissued' || name === 'gone';
        await Promise.all(clients.map(({ until }) => until(isSeenTo)));
        // What they sent under a new ID is on its way before this.
        for (const { client, until } of clients) {
            const { id } = await client.send('bob', 'last');
            await until(({ name, id: of }) => name === 'status' && of === id);
        }
        const history = await clients[0].client.history({ peer: 'bob' });
        // Between what goes over two connections there is no order.
        const texts = history.map(({ message }) => message).sort();
        return [texts.join(), (await storage.outbox()).length];";
    assert_eq!(run(&page, script).await, json!(["lapsed,last,last", 0]));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_refused_stays_until_it_is_sent_again_or_discarded() {
    let server = Server::with(&[
        "--jwt-secret=0123456789abcdef0123456789abcdef",
        "--limits=off",
    ]);
    let page = page(&server).await;
    let token = super::support::command::run(&[
        "token",
        "ann",
        "--jwt-secret=0123456789abcdef0123456789abcdef",
    ]);
    let token = token.stdout.trim().to_owned();
    let script = format!(
        "const storage = new MemoryStorage();
        const first = begin({{ storage, token: '{token}' }});
        first.client.start();
        const {{ id }} = await first.client.send('nobody', 'hello');
        const {{ error }} = await first.until(({{ name }}) => name === 'refused');
        first.client.stop();
        // Another page finds it as it was left.
        const second = begin({{ storage, token: '{token}' }});
        second.client.start();
        const written = await second.until(({{ name }}) => name === 'written');
        await second.client.retry(id);
        const {{ newId }} = await second.until(({{ name }}) => name === 'reissued');
        await second.until(({{ name, id: of }}) => name === 'refused' && of === newId);
        await second.client.discard(newId);
        return [error.code, written.error.code, (await storage.outbox()).length];"
    );
    let expected = json!(["unknown_user", "unknown_user", 0]);
    assert_eq!(run(&page, &script).await, expected);
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_of_a_refused_message_in_one_tab_the_other_one_hears() {
    let secret = "--jwt-secret=0123456789abcdef0123456789abcdef";
    let server = Server::with(&[secret]);
    let page = page(&server).await;
    let token = super::support::command::run(&["token", "ann", secret]);
    let token = token.stdout.trim().to_owned();
    let script = format!(
        "const options = {{ storage: new MemoryStorage(), name: 'ann', token: '{token}' }};
        const [first, second] = [begin(options), begin(options)];
        for (const {{ client, became }} of [first, second]) {{
            client.start();
            await became('connected');
        }}
        const isRefused = (id) => (one) => one.name === 'written' && one.id === id && one.error;
        const isGone = (id) => (one) => one.name === 'gone' && one.id === id && one.toId === 'nobody';
        const {{ id }} = await first.client.send('nobody', 'hello');
        await second.until(isRefused(id));
        await first.client.retry(id);
        const {{ newId }} = await first.until(({{ name }}) => name === 'reissued');
        await second.until(isGone(id));
        await second.until(isRefused(newId));
        await second.client.discard(newId);
        await first.until(isGone(newId));

        // One of a file becomes an upload again.
        const {{ Uploads }} = await import('/web/uploads.js');
        const uploads = new Uploads(first.client, {{ upload: () => new Promise(() => {{}}) }}, options.storage);
        await options.storage.putUpload({{ key: 'file', toId: 'nobody', blob: new Blob(['x']) }});
        const file = await first.client.send('nobody', '{{}}', 1, {{ upload: 'file' }});
        await second.until(isRefused(file.id));
        await uploads.again(file.id);
        await second.until(isGone(file.id));
        uploads.stop();
        return (await options.storage.outbox()).length;"
    );
    assert_eq!(run(&page, &script).await, json!(0));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_two_tabs_sent_only_the_message_that_was_too_large_is_set_aside() {
    let server = Server::start();
    let page = page(&server).await;
    // A server that takes small frames only, and says so to one tab after the other.
    let script = "
        const sockets = [];
        class Narrow extends EventTarget {
            readyState = 1;
            sent = 0;
            constructor() {
                super();
                sockets.push(this);
                setTimeout(() => this.dispatchEvent(new Event('open')));
            }
            send(text) {
                const { action } = JSON.parse(text);
                if (action === '3') this.sent += 1;
                const data = JSON.stringify({ action: '1', toId: 'ann' });
                if (action === '1') setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data })));
            }
            close() {}
        }
        const storage = new MemoryStorage();
        for (const [id, message] of [['MSG000001', 'x'.repeat(3000)], ['MSG000002', 'small']]) {
            await storage.putOut({ id, toId: 'bob', type: 0, message, time: '2026-01-15 12:00:00' });
        }
        const tabs = [begin({ storage, WebSocket: Narrow }), begin({ storage, WebSocket: Narrow })];
        for (const { client } of tabs) client.start();
        while (sockets.length < 2 || sockets.some(({ sent }) => sent < 2)) await new Promise((next) => setTimeout(next, 5));
        for (const [index, { until }] of tabs.entries()) {
            sockets[index].dispatchEvent(new CloseEvent('close', { code: 1009 }));
            await until(({ name }) => name === 'refused');
        }
        return (await storage.outbox()).map(({ error }) => error?.code ?? '').join();";
    assert_eq!(run(&page, script).await, json!("too_large,"));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_asked_stays_without_an_answer() {
    let server = Server::start();
    let page = page(&server).await;
    let script = "
        const { client, became } = begin();
        const outcomes = [];
        const ask = () => client.history({ peer: 'bob' }).then(() => outcomes.push('page'), ({ name }) => outcomes.push(name));
        await ask();
        client.start();
        await became('connected');
        await ask();
        const asked = ask();
        client.stop();
        await asked;
        return outcomes.join();";
    assert_eq!(run(&page, script).await, json!("Stopped,page,Stopped"));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_first_leaves_first_although_the_server_was_busy() {
    let server = Server::start();
    let page = page(&server).await;
    // Between the client and the server stands one that answers `busy` to the first three messages.
    let script = "
        let refused = 0;
        class Busy extends WebSocket {
            send(text) {
                const frame = JSON.parse(text);
                if (frame.action !== '3' || refused === 3) return super.send(text);
                refused += 1;
                const error = { code: 'busy', message: 'busy', retryable: true, action: '3' };
                const data = JSON.stringify({ action: '0', toId: 'ann', error, chatMsg: { id: frame.chatMsg.id } });
                setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data })));
            }
        }
        const { client, told, became } = begin({ WebSocket: Busy });
        client.start();
        await became('connected');
        for (const text of ['one', 'two', 'three']) await client.send('bob', text);
        while (refused < 3) await new Promise((next) => setTimeout(next));
        await new Promise((next) => setTimeout(next));
        await client.send('bob', 'four');
        while (told.filter(({ status }) => status === 1).length < 4) await new Promise((next) => setTimeout(next, 5));
        return (await client.history({ peer: 'bob' })).map(({ message }) => message).join();";
    assert_eq!(run(&page, script).await, json!("one,two,three,four"));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_was_lost_is_made_again() {
    let server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    let id = bob.deliver("ann", "hello").await;
    let page = page(&server).await;
    // The first connection takes reports and drops them.
    let script = "
        let connections = 0;
        let dropped = 0;
        class Forgetful extends WebSocket {
            number = ++connections;
            send(text) {
                if (this.number > 1 || JSON.parse(text).action !== '4') super.send(text);
                else dropped += 1;
            }
        }
        const { client, until, told, became } = begin({ WebSocket: Forgetful });
        client.start();
        client.markRead(await until(({ name }) => name === 'message'));
        while (dropped === 0) await new Promise((next) => setTimeout(next, 5));
        client.stop();
        client.start();
        await became('connected');
        return connections;";
    assert_eq!(run(&page, script).await, json!(2));
    bob.expect_status("ann", "bob", &id, 2).await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_of_life_is_asked_for_and_given_where_there_are_tokens_too() {
    let secret = "--jwt-secret=0123456789abcdef0123456789abcdef";
    let server = Server::with(&[secret]);
    let page = page(&server).await;
    let token = super::support::command::run(&["token", "ann", secret]);
    let token = token.stdout.trim().to_owned();
    let script = format!(
        "let answers = 0;
        class Counting extends WebSocket {{
            constructor(url) {{
                super(url);
                this.addEventListener('message', ({{ data }}) => (answers += JSON.parse(data).action === '1'));
            }}
        }}
        const {{ client, became }} = begin({{ WebSocket: Counting, token: '{token}' }});
        client.start();
        await became('connected');
        client.check();
        while (answers < 2) await new Promise((next) => setTimeout(next, 5));
        return client.state.state;"
    );
    assert_eq!(run(&page, &script).await, json!("connected"));
    page.close().await;
}
