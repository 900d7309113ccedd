//! Yanshu (雁书), an instant-messaging server: the map.
//!
//! Layers, each sees only those to its left; siblings do not know each other:
//!
//! [`protocol`], [`watched`], [`hash`] → [`chat`], [`store`], [`bus`], [`files`], [`auth`], [`tls`], [`metrics`] → [`actors`] → [`http`] → [`app`] → [`cmd`]
//!
//! | room | holds | knows nothing of |
//! |---|---|---|
//! | [`protocol`] | frames in and out, IDs, error and close codes: pure | actix, diesel |
//! | [`watched`] | files that may be replaced while the server runs | what is in them |
//! | [`hash`] | tables by keys that clients choose | what is in them |
//! | [`chat`] | the rules as plain data: ID allocator, routes, a device's cursor, budgets | actix, diesel, sockets |
//! | [`store`] | diesel: connections, schema, migrations, messages, receipts, contacts, IDs | actix, frames |
//! | [`bus`] | how committed frames reach users on other nodes: in-process, or NATS | diesel, actix |
//! | [`files`] | the bytes of files, in a folder or by S3 | who may read them |
//! | [`auth`] | who may speak to this server | actors |
//! | [`tls`] | the server's certificate, and how one is judged | sockets |
//! | [`metrics`] | what is counted | where it is counted |
//! | [`actors`] | session, ChatServer, DbExecutor: decode → rule → effects, and the table of edges | HTTP |
//! | [`http`] | connections, the upgrade, the health check, the metrics | diesel |
//! | [`app`] | where things are put together, and the order of shutdown | – |
//! | [`settings`], [`cmd`] | flags and variables; the commands, a file for each | – |
//!
//! The way of one message, the invariants and the absences are in `docs/ARCHITECTURE.md`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod actors;
pub mod app;
pub mod auth;
pub mod bus;
pub mod chat;
pub mod cmd;
pub mod files;
pub mod hash;
pub mod http;
pub mod metrics;
pub mod protocol;
pub mod settings;
pub mod store;
pub mod tls;
pub mod watched;
