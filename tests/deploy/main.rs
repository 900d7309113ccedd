//! What `docker-compose up` starts, read as text: that nothing is published beyond this machine, that
//! each service waits for the next, and that the files agree with each other and with the binary.
//! `deploy/check` holds them against the tools that are installed, `deploy/by-hand` runs them.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod compose;
mod image;
mod proxy;

use std::path::Path;

use support::command::run;

/// A file of the repository.
fn read(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(full).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What `yanshu COMMAND --help` says.
fn help(command: &str) -> String {
    run(&[command, "--help"]).stdout
}

/// Whether the binary would take this environment variable. `RUST_LOG` is env_logger's.
fn knows_variable(help: &str, name: &str) -> bool {
    let shown = ["=", "]"].map(|end| format!("[env: {name}{end}"));
    name == "RUST_LOG" || shown.iter().any(|shown| help.contains(shown))
}
