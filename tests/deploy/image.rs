//! `Dockerfile` and `.dockerignore`.

use std::collections::BTreeMap;

use crate::{help, knows_variable, read};

/// The instructions, a line each, without comments.
fn instructions() -> Vec<String> {
    let file = read("Dockerfile");
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What follows each `word` at the beginning of an instruction.
fn all(word: &str) -> Vec<String> {
    let prefix = format!("{word} ");
    let found = instructions().into_iter();
    found
        .filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
        .collect()
}

/// The last of [`all`]: the one that counts for the image.
fn last(word: &str) -> String {
    let found = all(word).pop();
    found.unwrap_or_else(|| panic!("the Dockerfile has no {word}"))
}

/// The assignments of each `word`, such as `ENV` and `ARG`.
fn assignments(word: &str) -> BTreeMap<String, String> {
    let pairs = all(word).join(" ");
    let pairs = pairs
        .split_whitespace()
        .filter_map(|one| one.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn version(text: &str) -> Vec<u32> {
    let parts = text.split('.');
    parts.map(|part| part.parse().expect("a number")).collect()
}

#[test]
fn the_image_does_not_run_as_root() {
    let user = last("USER");
    let (uid, gid) = user.split_once(':').expect("a user and a group");
    for id in [uid, gid] {
        assert!(id.parse::<u32>().is_ok_and(|id| id >= 1000), "{user}");
    }
}

#[test]
fn the_image_asks_for_its_own_health_and_stops_by_sigterm() {
    assert!(last("HEALTHCHECK").ends_with(r#"CMD ["yanshu", "health"]"#));
    assert_eq!(last("STOPSIGNAL"), "SIGTERM");
    assert_eq!(last("ENTRYPOINT"), r#"["yanshu"]"#);
    assert_eq!(last("CMD"), r#"["serve"]"#);
}

#[test]
fn the_image_is_set_to_what_it_says() {
    let variables = assignments("ENV");
    let help = help("serve");
    for name in variables.keys() {
        assert!(knows_variable(&help, name), "{name}");
    }
    let port = format!("0.0.0.0:{}", last("EXPOSE"));
    assert_eq!(variables["YANSHU_LISTEN"], port);
    let file = variables["DATABASE_URL"].strip_prefix("sqlite://");
    let directory = format!("{}/", last("VOLUME"));
    assert!(file.is_some_and(|file| file.starts_with(&directory)));
    assert_eq!(last("WORKDIR"), last("VOLUME"));
}

#[test]
fn every_stage_begins_with_a_pinned_image_or_another_stage() {
    let arguments = assignments("ARG");
    let mut stages = Vec::new();
    for from in all("FROM") {
        let mut words = from.split_whitespace();
        let mut image = words.next().expect("an image").to_owned();
        for (name, value) in &arguments {
            image = image.replace(&format!("${{{name}}}"), value);
        }
        let tag = image.split_once(':').map(|(_, tag)| tag.to_owned());
        let pinned = tag.is_some_and(|tag| tag != "latest" && !tag.contains('$'));
        assert!(pinned || stages.contains(&image), "{image}");
        stages.extend(words.nth(1).map(str::to_owned));
    }
}

#[test]
fn the_compiler_is_new_enough_and_the_feature_exists() {
    let compiler = assignments("ARG").remove("RUST").expect("an ARG RUST");
    assert!(version(&compiler) >= version(env!("CARGO_PKG_RUST_VERSION")));
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("\npostgres-tls = ["));
    let builds = all("RUN");
    let builds = builds.iter().filter(|run| run.contains("--release"));
    let features: Vec<_> = builds
        .map(|run| run.contains("--features postgres-tls"))
        .collect();
    assert_eq!(features, [true, true], "the dependencies, and the server");
}

#[test]
fn what_the_build_reads_is_in_its_context() {
    let ignored = read(".dockerignore");
    let ignored: Vec<_> = ignored.lines().map(str::trim).collect();
    for needed in ["Cargo.toml", "Cargo.lock", "src", "migrations", "benches"] {
        assert!(!ignored.contains(&needed), "{needed}");
    }
    for secret in [".env", ".git", "target", "*.db*"] {
        assert!(ignored.contains(&secret), "{secret}");
    }
    // Tests are left out, and cargo refuses a manifest that names what is not there.
    assert!(ignored.contains(&"tests"));
    assert!(!read("Cargo.toml").contains("[[test]]"));
}
