//! The API's description of itself: complete, without clashes, and true to the table of permissions.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

use airlock_coordinator::api;
use airlock_coordinator::api::openapi::{PUBLIC, permission_named};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every operation, as `get /v1/batches/{id}`.
fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let items = paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
    });
    items.collect()
}

/// Every `$ref` below a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get("$ref") {
                found.insert(target.clone());
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_operation_names_a_permission_of_the_table_or_none() {
    for (name, operation) in operations(&api::described().1) {
        let permission = operation["x-airlock-permission"].as_str().unwrap_or_default();
        assert!(
            permission == PUBLIC || permission_named(permission).is_some(),
            "{name}: x-airlock-permission is {permission:?}"
        );
    }
}

#[test]
fn every_operation_has_a_group_a_summary_and_an_id_of_its_own() {
    let document = api::described().1;
    let groups: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let tags = operation["tags"].as_array().unwrap_or_else(|| panic!("{name}: no tag"));
        assert!(tags.len() == 1 && groups.contains(tags[0].as_str().unwrap()), "{name}: {tags:?}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}: no summary");
        assert!(ids.insert(operation["operationId"].to_string()), "{name}: {}", operation["operationId"]);
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = api::described().1;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for target in found {
        assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target} leads nowhere");
    }
}

#[test]
fn no_two_capabilities_mean_different_things_by_one_schemas_name() {
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for router in api::capabilities() {
        let document = serde_json::to_value(router.get_openapi()).unwrap();
        for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            let first = seen.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(first, schema, "two types are called {name}: use #[schema(as = …)]");
        }
    }
}

#[test]
fn bodies_that_are_read_refuse_unknown_fields() {
    let document = api::described().1;
    for (name, operation) in operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let Some(target) = schema["$ref"].as_str() else { continue };
        let schema = document.pointer(target.trim_start_matches('#')).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{name}: {target} lets unknown fields through");
    }
}

#[test]
fn the_page_shows_every_operation_and_fetches_nothing_from_elsewhere() {
    let document = api::described().1;
    let page = api::docs::page(&document);
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "{name} is not on the page");
    }
    for refused in ["<script", "<img", "<iframe", " style=", " onclick", "http://", "https://", "@import"] {
        assert!(!page.contains(refused), "{refused} on the page");
    }
    // Whatever is linked within the page is there.
    for target in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(target == "top" || page.contains(&format!("id=\"{target}\"")), "#{target} leads nowhere");
    }
}

#[test]
fn the_table_of_codes_is_the_list_of_codes() {
    let mut table = String::from(
        "# Errors\n\nEvery refusal has the one shape `{\"error\":{\"code\",\"message\",\"retryable\",\"request_id\"}}`. Programs decide by \
         the code, which never changes its meaning; the message is for people, in English, Chinese or Korean as \
         `Accept-Language` asks, and may change. `retryable` says whether the very same request, with the same idempotency \
         key, may succeed later.\n\nThis table is written by `AIRLOCK_WRITE_DOCS=1 cargo test -p airlock-coordinator --test \
         openapi` from `coordinator/src/api/codes.rs`.\n\n| code | status | retryable | means |\n|---|---|---|---|\n",
    );
    for code in api::Code::ALL {
        let retryable = if code.retryable() { "yes" } else { "" };
        let status = code.status().as_u16();
        table.push_str(&format!("| `{}` | {status} | {retryable} | {} |\n", code.name(), code.about()));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
    if std::env::var("AIRLOCK_WRITE_DOCS").is_ok_and(|value| value == "1") {
        std::fs::write(path, &table).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        table,
        "write it with AIRLOCK_WRITE_DOCS=1"
    );
}

/// Every Rust file of the coordinator.
fn sources(dir: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn a_handler_that_reads_a_query_or_a_key_describes_it() {
    let mut files = Vec::new();
    sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut handlers = 0;
    for told in files.iter().flat_map(|file| file.split("#[utoipa::path(").skip(1)) {
        let Some((description, rest)) = told.split_once("async fn ") else { continue };
        let arguments = rest.split("->").next().unwrap();
        handlers += 1;
        for (read, said) in [
            ("Query<", "params("),
            ("Once<", "IdempotencyKey"),
            ("Body<", "request_body"),
            ("Once<", "request_body"),
        ] {
            assert!(!arguments.contains(read) || description.contains(said), "{description}{arguments}");
        }
    }
    assert!(handlers > 50, "found {handlers}");
}

/// The paths of the earlier services, as their papers name them.
const OLD_PATHS: [&str; 29] = [
    "/signup",
    "/login",
    "/me",
    "/balance",
    "/transfer",
    "/withdraw",
    "/deposit/check",
    "/transactions",
    "/admin/balances",
    "/admin/send",
    "/auth/register",
    "/auth/login",
    "/auth/refresh",
    "/admin/transactions",
    "/admin/queues",
    "/admin/transactions/:id/retry",
    "/admin/stats",
    "/queue",
    "/queue/pending",
    "/batch/create",
    "/energy/request",
    "/wallet/balance",
    "/wallet/fund",
    "/stats",
    "/admin/orders…",
    "/webhook/…",
    "/health/blockchain",
    "/api/v1/credentials",
    "/api/v1/exchange/verify",
];

#[test]
fn every_old_path_has_its_counterpart_and_every_counterpart_exists() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integration-guide.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let table = guide.split("<!-- old paths -->").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let rows: Vec<(&str, &str)> =
        rows.map(|row| row.trim_matches(['|', ' ']).split_once(" | ").unwrap()).collect();
    let old: Vec<&str> = rows.iter().map(|(old, _)| old.trim_matches('`')).collect();
    assert_eq!(old, OLD_PATHS);
    let document = api::described().1;
    for (old, now) in rows {
        let named = now.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(" /"));
        let named: Vec<(&str, String)> = named.map(|(method, path)| (method, format!("/{path}"))).collect();
        assert!(!named.is_empty() || now == "a later release", "{old} leads to nothing: {now}");
        for (method, path) in named {
            let there = document["paths"][&path].get(method.to_lowercase()).is_some();
            assert!(there, "{old}: {method} {path} does not exist");
        }
    }
}
