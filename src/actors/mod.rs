//! The actors, and every edge between them.
//!
//! Each handler is decode → rule → effects; the rules are in [`crate::chat`] and
//! [`crate::store`]. Message types live with the actor that receives them.
//!
//! | from → to | what | bounded by | when it is full or fails |
//! |---|---|---|---|
//! | socket → [`session`] | frames, one at a time through [`ws`]'s guard | the frame limit; 256 requests or 1 MiB unanswered | the guard stops reading and TCP slows the client; too large a frame: close 1009 |
//! | session → [`chat_server`] | `Connect`, `Ask` | the same 256, and the [`Budget`](crate::chat::Budget) of all connections | `busy`, nothing done |
//! | session → chat_server | `Resume`, `Told`, `Disconnect` | one `Resume` for each wait, one `Told` for each pong, one `Disconnect` | mailbox gone: the process is stopping |
//! | chat_server → session | `Push` of answers | what the session asked and is owed: 256 | the session is gone: dropped with it, a resend settles it |
//! | chat_server → session | `Push` of deliveries | [`flow::Flow`]: 64 KiB untaken by one device, 64 MiB by all | the device goes to its cursor and catches up from the store |
//! | chat_server → session | `ConnectAnswer`, `Kick` | one each | as above |
//! | chat_server → [`db_executor`], writing lanes | `WriteBatch` | one in flight in each, 2,000 writes or 4 MiB, and 32 connects | the transaction failed: every write of it is `storage_unavailable`, `/health` turns red, a probe a second until one is written. Red after 3 s without return, too; after twice the store's timeout whoever waits in that lane is told `storage_unavailable`, until it returns |
//! | chat_server → db_executor, reading lanes | `FetchPart` | one for each device, 16 in all; the rest wait in line | the read failed: asked again a second later |
//! | chat_server → db_executor, reading lanes | `FetchHeads` | one in flight, 5,000 users | asked again a second later |
//! | session → db_executor, reading lanes | `ReadPage` | one for each session, a shared number of KiB for all (a semaphore, waited for 5 s) | `busy`, or `storage_unavailable` (also after 10 s without an answer) |
//! | chat_server → [`bus`](crate::bus) | `publish`, `note`, `subscribe`, `unsubscribe` | the bus's own queue: 4,096 letters, 32 MiB; one entry for each user here | dropped: nodes find out from the next number, or by `FetchHeads` |
//! | bus → chat_server | a stream of `Event`s | `--bus-buffer` letters for each user, 16,384 letters and 32 MiB in all | dropped, and a `Doubt` is raised: `FetchHeads` |
//! | http → db_executor, reading lanes | `Ping` | the connections to `/health` | red |
//! | http → db_executor, reading lanes and one of its own | `Run` | 64 requests in hand | 503: `busy`, or `storage_unavailable` where the answer does not come in time; what it did is unknown then |
//! | http → chat_server | `SendKeyed`, `WhoIsThere`, `CloseDevices` | the same 64 | as above |
//! | [`sweeper`] → db_executor, a lane of its own | `Run` | one step in flight | the sweep ends, and begins anew after an hour |
//! | app → every session | a watch channel: the stage of going away | one value | – |
//! | watchdog → socket | reset | – | the session is dropped with its connection |
//!
//! The future of every request stays in the actor that needs the answer: dropping one would
//! cancel a queued write.

pub mod chat_server;
pub mod db_executor;
pub mod flow;
pub mod link;
pub mod session;
pub mod sweeper;
pub mod ws;

/// How far the server is with going away. It only goes on, never back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not at all.
    Serving,
    /// It is known to load balancers; everybody is served as ever.
    Draining,
    /// Sessions say goodbye, and nobody comes in.
    Leaving,
}
