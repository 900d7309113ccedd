//! A setting that is wrong is named, and what may be a password in it is not.

use super::refused::{SECRET, refusal};
use super::support::server::run_with_env;

/// How a URL of the database is mistyped, in ways that this version takes for none.
fn mistyped() -> Vec<String> {
    [
        "postgre://goose:{}@pond/yanshu",
        "Postgres://goose:{}@pond/yanshu",
        "postgres:/goose:{}@pond/yanshu",
        "goose:{}@pond/yanshu",
        "host=pond user=goose password={}",
        "mysql://pond/yanshu?user=goose&password={}",
        // A password holds what must be written with a percent sign.
        "postgres://goose:a/{}@pond/yanshu",
        "postgres://goose:{}/a@pond/yanshu",
        "postgres://goose:1/{}@pond/yanshu",
        "postgres://goose:a?{}@pond/yanshu",
        "postgres://goose:{}?a@pond/yanshu",
        "postgres://goose:a@{}@pond/yanshu",
        "postgres://goose:{}@a@pond/yanshu",
        "postgres://goose:%{}@pond/yanshu",
        "postgres://goose:{}%00@pond/yanshu",
        "postgres://pond/yanshu?user=goose&password=a&{}",
        "postgres://pond/yanshu?user=goose&password=%z{}",
        "postgres://goose@pond:{}/yanshu",
        "postgres://goose@pond/%{}",
    ]
    .map(|url| url.replace("{}", SECRET))
    .to_vec()
}

#[test]
fn a_database_url_that_is_mistyped_is_named_and_not_shown() {
    for url in mistyped() {
        let sentence = refusal(&["--database-url", &url]);
        assert!(sentence.contains("--database-url"), "{url}: {sentence:?}");
        assert!(sentence.contains("postgres://"), "{url}: {sentence:?}");
    }
}

#[test]
fn a_database_url_from_the_environment_is_not_shown_either() {
    for url in mistyped() {
        let variables = [("DATABASE_URL", url.as_str())];
        let ended = run_with_env(&["serve", "--listen=127.0.0.1:0"], &variables);
        assert_eq!(ended.status.code(), Some(2), "{url}: {ended:?}");
        assert!(!ended.stderr.contains(SECRET), "{ended:?}");
    }
}

#[test]
fn a_url_in_the_wrong_place_is_not_shown() {
    let url = format!("postgres://goose:{SECRET}@pond/yanshu");
    let with_flag = format!("--databse-url={url}");
    for arguments in [
        vec![url.as_str()],
        vec!["serve", &url],
        vec!["serve", "--listen", &url],
        vec!["serve", "--workers", &url],
        vec!["serve", "--databse-url", &url],
        vec!["serve", &with_flag],
        vec!["serve", "--allow-open", &url],
        vec!["users", &url],
        vec!["users", "import", "geese.csv", &url],
    ] {
        let ended = run_with_env(&arguments, &[]);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.contains(SECRET), "{arguments:?}: {ended:?}");
        let lines = ended.stderr.lines().count();
        assert_eq!(lines, 1, "one sentence: {ended:?}");
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    let sentence = refusal(&["--workers", "many"]);
    for part in ["--workers", "many"] {
        assert!(sentence.contains(part), "{sentence:?}");
    }
}
