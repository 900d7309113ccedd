//! Yanshu (雁书), an instant-messaging server.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
pub mod protocol;
pub mod store;
