//! `deploy/nginx.conf`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::compose::{by_default, servers, services, texts};
use crate::{help, read};

const FILE: &str = "deploy/nginx.conf";

/// The directives of the file, without comments, each on a line of its own.
fn directives() -> Vec<String> {
    let file = read(FILE);
    let lines = file.lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The values of each directive of this name.
fn values(name: &str) -> Vec<String> {
    let prefix = format!("{name} ");
    let found = directives().into_iter();
    found
        .filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
        .filter(|value| !value.ends_with('{'))
        .map(|value| value.trim_end_matches(';').trim().to_owned())
        .collect()
}

#[test]
fn the_upgrade_and_the_host_are_passed_on() {
    for line in [
        "proxy_http_version 1.1;",
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $connection_upgrade;",
        "proxy_set_header Host $http_host;",
        "map $http_upgrade $connection_upgrade {",
        "default upgrade;",
    ] {
        assert!(directives().contains(&line.to_owned()), "no {line}");
    }
}

#[test]
fn a_silent_connection_is_left_to_the_server() {
    let idle = help("serve");
    let idle = idle
        .split("--idle-timeout")
        .nth(1)
        .expect("it has the flag");
    let idle = idle.split("[default: ").nth(1).expect("it has a default");
    let idle = humantime::parse_duration(idle.split(']').next().unwrap()).expect("a duration");
    for name in ["proxy_read_timeout", "proxy_send_timeout"] {
        let longest = values(name)
            .iter()
            .map(|value| humantime::parse_duration(value).expect("a duration"))
            .max();
        assert!(longest > Some(idle), "{name} {longest:?}");
    }
}

#[test]
fn a_node_that_refuses_or_says_503_is_passed_over() {
    let next = values("proxy_next_upstream");
    assert!(!next.is_empty());
    for value in next {
        assert_eq!(value, "error timeout http_503");
    }
    let connect = values("proxy_connect_timeout");
    for value in connect {
        let patience = humantime::parse_duration(&value).expect("a duration");
        assert!(patience <= Duration::from_secs(5), "{value}");
    }
}

#[test]
fn it_knows_the_nodes_of_the_profile() {
    let known: BTreeSet<String> = values("server")
        .iter()
        .filter_map(|value| value.split_whitespace().next().map(str::to_owned))
        .collect();
    let clustered = servers()
        .into_iter()
        .filter(|(_, server)| !server["profiles"].is_null());
    let nodes: BTreeSet<String> = clustered
        .map(|(name, server)| {
            let listen = server["environment"]["YANSHU_LISTEN"].as_str().unwrap();
            let listen = by_default(listen);
            let (_, port) = listen.split_once(':').expect("an address and a port");
            format!("{name}:{port}")
        })
        .collect();
    assert_eq!(known, nodes);
}

#[test]
fn it_listens_where_the_port_is_published_and_the_health_is_asked() {
    let nginx = &services()["nginx"];
    let listen = values("listen").pop().expect("it listens");
    let published = texts(&nginx["ports"]).pop().expect("a port");
    assert!(published.ends_with(&format!(":{listen}")), "{published}");
    let asked = texts(&nginx["healthcheck"]["test"]).pop().unwrap();
    assert_eq!(asked, format!("http://127.0.0.1:{listen}/health"));
    let mounts = texts(&nginx["volumes"]);
    assert_eq!(mounts, [format!("./{FILE}:/etc/nginx/nginx.conf:ro")]);
}

#[test]
fn what_is_for_whoever_runs_it_is_not_passed_on() {
    let directives = directives();
    for location in ["location = /metrics {", "location /api/ {"] {
        let place = directives.iter().position(|line| line == location);
        let next = place.and_then(|place| directives.get(place + 1));
        assert_eq!(next.map(String::as_str), Some("return 404;"), "{location}");
    }
}
