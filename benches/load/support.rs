//! PostgreSQL and nats-server, started from the installed binaries as the tests start them; and pictures.

// The tests use more of it, and may panic.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/support/command.rs"]
pub mod command;
#[path = "../../tests/support/database.rs"]
pub mod database;
#[path = "../../tests/support/leash.rs"]
pub mod leash;
#[path = "../../tests/support/nats.rs"]
pub mod nats;
#[path = "../../tests/support/plot.rs"]
pub mod plot;
#[path = "../../tests/support/ports.rs"]
pub mod ports;
#[path = "../../tests/support/postgres.rs"]
pub mod postgres;
