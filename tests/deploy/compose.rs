//! `docker-compose.yml`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::{help, knows_variable, read};

/// How long a server may take to stop: 5 s of goodbyes, 3 s for the store, 1 s for what is left.
const STOP: Duration = Duration::from_secs(9);

/// The services, with merge keys resolved.
pub fn services() -> Map<String, Value> {
    let file: Value = serde_saphyr::from_str(&read("docker-compose.yml")).expect("it is YAML");
    let services = file["services"].as_object().expect("there are services");
    services.clone()
}

/// The services that run `yanshu`.
pub fn servers() -> Vec<(String, Value)> {
    let is_server = |service: &Value| service["image"] == "yanshu:local";
    let all = services().into_iter();
    all.filter(|(_, service)| is_server(service)).collect()
}

/// A text of the file with each `${NAME:-default}` replaced by its default.
pub fn by_default(text: &str) -> String {
    let mut left = text;
    let mut done = String::new();
    while let Some((before, rest)) = left.split_once("${") {
        let (variable, after) = rest.split_once('}').expect("a variable ends");
        let (_, default) = variable
            .split_once(":-")
            .unwrap_or_else(|| panic!("${{{variable}}} has no default"));
        done.push_str(before);
        done.push_str(default);
        left = after;
    }
    done + left
}

/// The texts of a list.
pub fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .map(|item| by_default(item.as_str().expect("a text")))
        .collect()
}

fn names(map: &Value) -> BTreeSet<String> {
    let map = map.as_object();
    map.map(|map| map.keys().cloned().collect())
        .unwrap_or_default()
}

fn duration(service: &Value, name: &str) -> Duration {
    let text = service[name].as_str().unwrap_or("10s");
    humantime::parse_duration(text).expect("a duration")
}

#[test]
fn what_is_published_is_published_on_loopback_only() {
    let mut ports = BTreeSet::new();
    for (name, service) in services() {
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} publishes {port}");
            assert!(ports.insert(port.clone()), "{port} is published twice");
        }
        assert_ne!(service["network_mode"], "host", "{name}");
    }
    let expected = ["127.0.0.1:8080:8080", "127.0.0.1:8090:8090"];
    assert_eq!(ports, expected.map(str::to_owned).into());
}

#[test]
fn the_profile_adds_two_nodes_and_nginx_and_takes_nothing_away() {
    let (clustered, always): (Vec<_>, Vec<_>) = services()
        .into_iter()
        .partition(|(_, service)| !service["profiles"].is_null());
    let named = |list: Vec<(String, Value)>| list.into_iter().map(|(name, _)| name).collect();
    let always: BTreeSet<String> = named(always);
    assert_eq!(
        always,
        ["nats", "postgres", "yanshu"].map(str::to_owned).into()
    );
    for (name, service) in &clustered {
        assert_eq!(texts(&service["profiles"]), ["cluster"], "{name}");
    }
    let clustered: BTreeSet<String> = named(clustered);
    assert_eq!(
        clustered,
        ["nginx", "node-a", "node-b"].map(str::to_owned).into()
    );
}

#[test]
fn every_service_has_a_health_check_and_starts_again_by_itself() {
    for (name, service) in services() {
        let check = texts(&service["healthcheck"]["test"]);
        assert_eq!(check.first().map(String::as_str), Some("CMD"), "{name}");
        for time in ["interval", "timeout", "start_period"] {
            assert!(service["healthcheck"][time].is_string(), "{name}: {time}");
        }
        assert_eq!(service["restart"], "unless-stopped", "{name}");
    }
    for (name, server) in servers() {
        let check = texts(&server["healthcheck"]["test"]);
        assert_eq!(check, ["CMD", "yanshu", "health"], "{name}");
    }
}

#[test]
fn every_service_waits_until_what_it_needs_is_healthy() {
    let services = services();
    for (name, service) in &services {
        for needed in names(&service["depends_on"]) {
            let condition = &service["depends_on"][&needed]["condition"];
            assert_eq!(condition, "service_healthy", "{name} on {needed}");
            let profiles = &services[&needed]["profiles"];
            assert!(
                profiles.is_null() || profiles == &service["profiles"],
                "{name} is there without {needed}"
            );
        }
    }
    for (name, server) in servers() {
        let needed = names(&server["depends_on"]);
        assert_eq!(
            needed,
            ["nats", "postgres"].map(str::to_owned).into(),
            "{name}"
        );
    }
    let needed = names(&services["nginx"]["depends_on"]);
    assert_eq!(needed, ["node-a", "node-b"].map(str::to_owned).into());
}

#[test]
fn every_image_is_pinned_or_built_here() {
    for (name, service) in services() {
        let image = service["image"]
            .as_str()
            .expect("every service has an image");
        let (_, tag) = image.split_once(':').expect("every image has a tag");
        let pinned = tag.starts_with(|first: char| first.is_ascii_digit());
        assert!(pinned || service["build"] == ".", "{name}: {image}");
    }
}

#[test]
fn the_servers_are_told_only_what_they_understand() {
    let help = help("serve");
    let servers = servers();
    assert_eq!(servers.len(), 3);
    for (name, server) in servers {
        for variable in names(&server["environment"]) {
            assert!(knows_variable(&help, &variable), "{name}: {variable}");
        }
        let command = texts(&server["command"]);
        assert_eq!(command.first().map(String::as_str), Some("serve"), "{name}");
        for flag in &command[1..] {
            assert!(help.contains(flag.as_str()), "{name}: {flag}");
        }
        assert!(command.contains(&"--allow-open".to_owned()), "{name}");
    }
}

#[test]
fn a_server_is_given_the_time_that_a_stop_takes() {
    for (name, server) in servers() {
        assert!(duration(&server, "stop_grace_period") > STOP, "{name}");
        assert_eq!(server["stop_signal"], "SIGTERM", "{name}");
    }
}

#[test]
fn a_server_can_do_nothing_that_it_need_not() {
    for (name, server) in servers() {
        assert_eq!(server["read_only"], true, "{name}");
        assert_eq!(texts(&server["cap_drop"]), ["ALL"], "{name}");
        let options = texts(&server["security_opt"]);
        assert_eq!(options, ["no-new-privileges:true"], "{name}");
    }
}

#[test]
fn the_servers_know_the_names_and_passwords_of_postgresql_and_nats() {
    let services = services();
    let postgres = &services["postgres"]["environment"];
    let setting = |name: &str| by_default(postgres[name].as_str().expect("a text"));
    let database = format!(
        "postgres://{}:{}@postgres:5432/{}",
        setting("POSTGRES_USER"),
        setting("POSTGRES_PASSWORD"),
        setting("POSTGRES_DB")
    );
    let flags = texts(&services["nats"]["command"]);
    let flag = |name: &str| {
        let value = flags.iter().find_map(|flag| flag.strip_prefix(name));
        value.unwrap_or_else(|| panic!("nats has no {name}"))
    };
    let bus = format!(
        "nats://{}:{}@nats:{}",
        flag("--user="),
        flag("--pass="),
        flag("--port=")
    );
    for (name, server) in servers() {
        let told = |variable: &str| by_default(server["environment"][variable].as_str().unwrap());
        assert_eq!(told("DATABASE_URL"), database, "{name}");
        assert_eq!(told("NATS_URL"), bus, "{name}");
    }
}

#[test]
fn the_data_is_in_a_named_volume() {
    let file: Value = serde_saphyr::from_str(&read("docker-compose.yml")).expect("it is YAML");
    let mounts = texts(&services()["postgres"]["volumes"]);
    let (volume, target) = mounts[0].split_once(':').expect("a source and a target");
    assert_eq!(target, "/var/lib/postgresql/data");
    assert!(file["volumes"][volume]["name"].is_string(), "{volume}");
}
