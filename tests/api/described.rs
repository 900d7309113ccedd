//! The OpenAPI document says what is served, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::admin::{raw, server};

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

async fn document(port: u16) -> Value {
    raw(port, ("GET", "/openapi.json"), &[], &Value::Null)
        .await
        .assert_status(200)
        .body
}

#[tokio::test]
async fn every_operation_that_is_described_is_served_and_no_other() {
    let server = server();
    let port = server.port();
    let document = document(port).await;
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 11, "{:?}", paths.keys());
    for (path, item) in paths {
        let described: BTreeSet<String> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        let filled = path.replace("{session}", "7");
        let filled = filled
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part });
        let filled = filled.collect::<Vec<_>>().join("/");
        for method in METHODS {
            let bearer = format!("Bearer {}", super::admin::TOKEN);
            let headers = [("Authorization", bearer.as_str())];
            let answer = raw(port, (method, &filled), &headers, &Value::Null).await;
            let served = answer.status != 405;
            assert_eq!(
                served,
                described.contains(method),
                "{method} {path}: {answer:?}"
            );
            let told =
                item[method.to_lowercase()]["responses"][answer.status.to_string()].is_object();
            assert!(
                !served || told,
                "{method} {path} answers {} unannounced",
                answer.status
            );
            let allow = answer
                .head
                .lines()
                .find_map(|line| line.strip_prefix("allow: "));
            if let Some(allow) = allow {
                let allow: BTreeSet<String> = allow.split(", ").map(str::to_owned).collect();
                assert_eq!(allow, described, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn every_reference_in_it_leads_somewhere_and_all_operations_need_the_token() {
    let server = server();
    let document = document(server.port()).await;
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    assert_eq!(document["security"], json!([{"adminToken": []}]));
    let scheme = &document["components"]["securitySchemes"]["adminToken"];
    assert_eq!(scheme["scheme"], "bearer");
    let mut ids = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "two operations are called {id}");
        }
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
