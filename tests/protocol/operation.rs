//! What an operator sees: the health check, the settings, the help.

use crate::support::server::{Ended, run, run_with_env};
use crate::support::{Client, Server, http, within};

#[tokio::test]
async fn a_server_that_can_serve_is_healthy() {
    let server = Server::start();
    let response = within("the bus to be up, where there is one", async {
        loop {
            let response = http::get(&server, "/health").await;
            // It serves before it has reached the bus, and says so.
            if response.body != r#"{"degraded":["bus"],"status":"ok"}"# {
                break response;
            }
            assert_eq!(response.status, 200);
        }
    })
    .await;
    assert_eq!(
        (response.status, response.body.as_str()),
        (200, r#"{"status":"ok"}"#)
    );
    let head = response.head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/json"), "{head}");
}

#[tokio::test]
async fn the_health_command_says_by_its_exit_code_whether_a_server_is_healthy() {
    let mut server = Server::start();
    let url = server.url();
    let healthy = run(&["health", "--url", &url]);
    assert_eq!(healthy.status.code(), Some(0), "{healthy:?}");
    server.kill9();
    let gone = run(&["health", "--url", &url]);
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    assert!(!gone.stderr.contains("panicked"), "{gone:?}");
}

/// Checks that a command ended as a wrong setting must: no ready line, a failure, and one clear
/// sentence that holds each of `says`.
fn assert_refused(ended: &Ended, says: &[&str]) {
    assert!(!ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout, "", "nothing is ready: {ended:?}");
    for part in says {
        assert!(
            ended.stderr.contains(part),
            "the reason must name {part:?}: {ended:?}"
        );
    }
    assert!(
        !ended.stderr.contains("panicked"),
        "a wrong setting is no bug: {ended:?}"
    );
    // clap adds a usage line and a pointer to --help.
    let lines = ended
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count();
    assert!(
        (1..=4).contains(&lines),
        "one sentence, not {lines} lines: {}",
        ended.stderr
    );
}

#[test]
fn an_address_that_is_none_stops_the_start() {
    assert_refused(&run(&["serve", "--listen", "nonsense"]), &["nonsense"]);
    assert_refused(&run(&["serve", "--listen", "127.0.0.1:99999"]), &["99999"]);
}

#[test]
fn a_database_that_is_neither_sqlite_nor_postgres_stops_the_start() {
    for url in [
        "mysql://localhost/chat",
        "yanshu.db",
        "http://localhost",
        "",
    ] {
        let ended = run(&["serve", "--listen", "127.0.0.1:0", "--database-url", url]);
        assert_refused(&ended, &["sqlite://"]);
    }
}

#[test]
fn a_database_file_that_cannot_be_made_stops_the_start() {
    let url = "sqlite:///nonexistent/directory/yanshu.db";
    let ended = run(&["serve", "--listen", "127.0.0.1:0", "--database-url", url]);
    assert!(!ended.status.success(), "{ended:?}");
    assert!(
        ended.stderr.contains("/nonexistent/directory/yanshu.db"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn an_open_server_refuses_to_listen_beyond_loopback_unless_told_to() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        assert_refused(&run(&["serve", "--listen", address]), &["--allow-open"]);
    }
}

#[tokio::test]
async fn an_open_server_listens_beyond_loopback_when_told_to() {
    let server = Server::with(&["--listen", "0.0.0.0:0", "--allow-open"]);
    Client::connect(&server, "HK0001")
        .await
        .assert_silent()
        .await;
}

#[test]
fn an_address_that_is_taken_stops_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    let ended = run(&["serve", "--listen", &address]);
    assert!(!ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    assert!(ended.stderr.contains(&address), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn a_duration_or_number_that_is_none_stops_the_start_and_names_its_flag() {
    let durations = [
        "--connect-timeout",
        "--ping-interval",
        "--idle-timeout",
        "--stall-timeout",
    ];
    let numbers = ["--max-frame-size", "--max-devices", "--workers"];
    for (flag, value) in durations
        .iter()
        .flat_map(|flag| ["soon", "-1s", "10"].map(|value| (flag, value)))
        .chain(
            numbers
                .iter()
                .flat_map(|flag| ["many", "-1", "1.5"].map(|value| (flag, value))),
        )
    {
        let setting = format!("{flag}={value}");
        assert_refused(
            &run(&["serve", "--listen", "127.0.0.1:0", &setting]),
            &[flag, value],
        );
    }
}

#[test]
fn a_setting_from_the_environment_is_checked_like_a_flag() {
    assert_refused(
        &run_with_env(&["serve"], &[("YANSHU_LISTEN", "nonsense")]),
        &["nonsense"],
    );
    let mysql = [
        ("DATABASE_URL", "mysql://localhost/chat"),
        ("YANSHU_LISTEN", "127.0.0.1:0"),
    ];
    assert_refused(&run_with_env(&["serve"], &mysql), &["sqlite://"]);
}

#[test]
fn an_unknown_flag_or_command_is_named() {
    assert_refused(&run(&["serve", "--lisen", "127.0.0.1:0"]), &["--lisen"]);
    assert_refused(&run(&["sreve"]), &["sreve"]);
}

#[test]
fn the_help_lists_every_command_every_flag_and_its_variable() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    for command in [
        "serve",
        "health",
        "token",
        "users",
        "contacts",
        "migrate-data",
    ] {
        assert!(
            help.stdout.contains(command),
            "--help must name {command}:\n{}",
            help.stdout
        );
    }
    let help = run(&["serve", "--help"]);
    assert!(help.status.success());
    let manual = include_str!("../../docs/OPERATIONS.md");
    let mut flags = 0;
    for entry in help.stdout.split("\n      --").skip(1) {
        let flag = entry.split([' ', '\n']).next().unwrap_or_default();
        let variable = entry.split("[env: ").nth(1);
        let variable = variable.unwrap_or_else(|| panic!("--{flag} has no variable:\n{entry}"));
        let variable = variable.split(['=', ']']).next().unwrap_or_default();
        for name in [format!("`--{flag}"), format!("`{variable}`")] {
            assert!(manual.contains(&name), "docs/OPERATIONS.md lacks {name}");
        }
        flags += 1;
    }
    assert!(
        flags > 30,
        "only {flags} flags were found:\n{}",
        help.stdout
    );
    assert_eq!(
        run(&["--version"]).stdout,
        concat!("yanshu ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[tokio::test]
async fn the_log_holds_no_text_of_a_message() {
    let mut server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    client.deliver("HK0002", "a-very-private-text").await;
    client
        .send_raw(r#"{"action":"3","chatMsg":{"message":"a-very-private-text"}}"#)
        .await;
    client.expect_error("bad_frame").await;
    client.close().await;
    let ended = server.terminate().await;
    assert!(
        !ended.stderr.contains("a-very-private-text"),
        "{}",
        ended.stderr
    );
}
