//! The protocol part as others get it: the module and its types say the same.

use std::collections::BTreeSet;

use serde_json::Value;

use super::page::Page;
use super::support::Server;

const TYPES: &str = include_str!("../../web/yanshu.d.ts");

const EXPORTED: &str = "
    import('/web/yanshu.js').then((module) => done([
        ...Object.keys(module),
        ...Object.getOwnPropertyNames(module.Client.prototype).map((name) => `Client.${name}`),
        ...Object.getOwnPropertyNames(module.MemoryStorage.prototype).map((name) => `Storage.${name}`),
    ]));";

/// The names that the types declare, in the manner of the script above. Types alone are left out.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut within = None;
    for line in TYPES.lines() {
        let name = |text: &str| {
            let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
            text[..end.unwrap_or(text.len())].to_owned()
        };
        if let Some(rest) = line.strip_prefix("export class ") {
            names.insert(name(rest));
            within = Some(name(rest));
        } else if let Some(rest) = line.strip_prefix("export const ") {
            names.insert(name(rest));
        } else if line == "}" {
            within = None;
        } else if let (Some(class), Some(member)) = (&within, line.strip_prefix("  ")) {
            let member = name(member.trim_start_matches("readonly "));
            match class.as_str() {
                "Client" => names.insert(format!("Client.{member}")),
                "MemoryStorage" => names.insert(format!("Storage.{member}")),
                _ => false,
            };
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_module_exports_is_what_its_types_declare() {
    let server = Server::start();
    let page = Page::open(&server.url()).await;
    let Value::Array(exported) = page.run(EXPORTED).await else {
        panic!("no list")
    };
    let exported = exported
        .iter()
        .map(|name| name.as_str().expect("a name").to_owned());
    let exported: BTreeSet<_> = exported
        .filter(|name| name != "Storage.constructor")
        .collect();
    // What every EventTarget has is not the module's own.
    let own = |name: &String| !name.ends_with("EventListener") && !name.ends_with('.');
    let declared: BTreeSet<_> = declared().into_iter().filter(own).collect();
    assert_eq!(exported, declared);
    page.close().await;
}
