//! The API's own description: OpenAPI 3.1, made from the handlers' annotations and finished here.
//!
//! `mod.rs` collects every capability's `OpenApiRouter` and serves what [`document`] answers as `GET /openapi.json`. A handler says
//! what only it knows: path, parameters, bodies, its own answers, and its permission as `x-airlock-permission`. Everything that
//! follows from that is added here, once for all: who may call it and with which credential, the refusals in the one
//! shape, an operation id from method and path. What must stay true: every route has a permission or says `none`.

use super::codes::Code;
use super::error::{ErrorBody, ErrorShape};
use super::page::{Cursor, Limit};
use crate::app::App;
use crate::people::permission::{Permission, Role};
use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use serde_json::{Value, json};
use utoipa::PartialSchema as _;
use utoipa::openapi::OpenApi;

/// What a route without a credential states as its permission.
pub const PUBLIC: &str = "none";

/// The methods of a path item.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

/// What every reader should know before the first call.
const ABOUT: &str = "\
Amounts are exact decimal strings, moments RFC 3339 in UTC, networks CAIP-2 names. Unknown fields are refused. Every refusal \
has one shape, with a code from a closed list; its message follows `Accept-Language` (en, zh, ko). What is not yours does \
not exist (404). Calls that move money need an `Idempotency-Key`: the same key with the same request gives the stored answer.";

/// The groups, in the order in which a reader needs them.
const TAGS: [(&str, &str); 16] = [
    ("sessions", "Signing up, logging in, second factors, one's own account."),
    ("balances", "What a user has."),
    ("transfers", "Transfers, payments and rewards inside the ledger, and the history of all money."),
    ("deposits", "Deposit addresses and what arrived at them."),
    ("withdrawals", "Asking for withdrawals, quotes, approving, cancelling."),
    ("users", "A partner's end users."),
    ("partners", "Partners, their wallets and switches, their fees."),
    ("keys", "Partners' API keys for signed requests."),
    ("people", "Staff: invitations, roles, deactivation."),
    ("adjustments", "Manual adjustments by two people."),
    ("liabilities", "Proof of liabilities: the total, and one's own inclusion."),
    ("batches", "What crosses the air gap: batches, bundles, approvals, replies."),
    ("signers", "Pairing, policies, wallets, attested addresses."),
    ("ledger", "The books: trial balance, reserves, company money."),
    ("operations", "Chains, alerts, the treasury, the audit log."),
    ("health", "Is it alive, and can it do its work?"),
];

/// The refusals that a call may meet, by what kind of call it is.
const REFUSALS: [(&str, &str, Met); 12] = [
    ("400", "The request cannot be read.", Met::Always),
    ("401", "No credential, or not a valid one.", Met::WithInput),
    ("403", "Not in this role, or not without a fresh second factor.", Met::WithInput),
    ("404", "No such object, or not the caller's.", Met::WithInput),
    ("409", "It stands against the present state.", Met::WithInput),
    ("413", "The body is too large.", Met::WithBody),
    ("415", "The body is not of the expected content type.", Met::WithBody),
    ("422", "Understood and refused.", Met::WithInput),
    ("429", "Too many requests: wait as long as `Retry-After` says.", Met::Always),
    ("500", "Our fault; it has been logged.", Met::Always),
    ("503", "A dependency is away, and nothing was changed.", Met::Always),
    ("504", "It took too long; repeat it with the same idempotency key.", Met::Always),
];

/// Which calls may meet a refusal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    Always,
    /// All but public reading.
    WithInput,
    WithBody,
}

/// `GET /openapi.json`, written once.
pub fn router(document: &Value) -> Router<App> {
    let text = Bytes::from(document.to_string());
    let answer = async move || ([(header::CONTENT_TYPE, "application/json")], text.clone());
    Router::new().route("/openapi.json", get(answer))
}

/// The whole document, from what the routers collected.
pub fn document(collected: OpenApi) -> Value {
    // Strings and maps with string keys always have a JSON form.
    let mut document = serde_json::to_value(collected).unwrap_or_default();
    document["info"] =
        json!({ "title": "Airlock", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT });
    document["servers"] = json!([{ "url": "/", "description": "This coordinator" }]);
    document["tags"] =
        TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about })).collect();
    finish_components(&mut document["components"]);
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            for method in METHODS {
                if let Some(operation) = item.get_mut(method) {
                    finish(method, path, operation);
                }
            }
        }
    }
    document
}

/// Schemas that no handler names, and the credentials.
fn finish_components(components: &mut Value) {
    components["schemas"]["Error"] = serde_json::to_value(ErrorShape::schema()).unwrap_or_default();
    components["schemas"]["ErrorBody"] = serde_json::to_value(ErrorBody::schema()).unwrap_or_default();
    // Parameters refer to these, and only bodies' schemas are collected.
    components["schemas"]["Limit"] = serde_json::to_value(Limit::schema()).unwrap_or_default();
    components["schemas"]["Cursor"] = serde_json::to_value(Cursor::schema()).unwrap_or_default();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    components["schemas"]["ErrorBody"]["properties"]["code"]["enum"] = json!(codes);
    components["securitySchemes"] = json!({
        "bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "The short-lived access token of `POST /v1/auth/login`.",
        },
        "hmac": {
            "type": "apiKey", "in": "header", "name": "Authorization",
            "description": "A partner's signed request: `Airlock-HMAC-SHA256 key=…, timestamp=…, nonce=…, signature=…`; \
                            see the integrator's guide.",
        },
    });
    for (status, about, _) in REFUSALS {
        components["responses"][status] = json!({
            "description": about,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
        });
    }
}

/// Adds to one operation what follows from its permission, its path and its body.
fn finish(method: &str, path: &str, operation: &mut Value) {
    operation["operationId"] = json!(operation_id(method, path));
    let permission = operation["x-airlock-permission"].as_str().and_then(permission_named);
    operation["security"] = match permission {
        None => json!([]),
        Some(permission) if permission.of_key().is_some() => json!([{ "bearer": [] }, { "hmac": [] }]),
        Some(_) => json!([{ "bearer": [] }]),
    };
    if let Some(permission) = permission {
        operation["x-airlock-allowed"] = json!(allowed(permission));
        operation["x-airlock-step-up"] = json!(permission.needs_step_up());
    }
    let has_body = operation.get("requestBody").is_some();
    for (status, _, met) in REFUSALS {
        let may = match met {
            Met::Always => true,
            Met::WithInput => permission.is_some() || has_body,
            Met::WithBody => has_body,
        };
        // A handler may have said it in words of its own.
        if may && operation["responses"].get(status).is_none() {
            operation["responses"][status] = json!({ "$ref": format!("#/components/responses/{status}") });
        }
    }
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        never_null(&mut parameter["schema"]);
    }
}

/// A parameter is there or not; `null` is nothing that a query can say.
fn never_null(schema: &mut Value) {
    let types = schema.get("type").and_then(Value::as_array);
    let left = types.and_then(|types| types.iter().find(|one| *one != "null")).cloned();
    if let Some(left) = left {
        schema["type"] = left;
    }
    let choices = schema.get("oneOf").and_then(Value::as_array);
    let left = choices.and_then(|choices| choices.iter().find(|one| one["type"] != "null")).cloned();
    if let Some(left) = left {
        *schema = left;
    }
}

/// `get /v1/batches/{id}` is `get_batches_id`.
fn operation_id(method: &str, path: &str) -> String {
    let words =
        path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty() && *word != "v1");
    [method].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

/// The permission that a handler's annotation names, as `see_money`.
pub fn permission_named(name: &str) -> Option<Permission> {
    Permission::ALL.into_iter().find(|permission| snake(&format!("{permission:?}")) == name)
}

/// `SeeMoney` is `see_money`.
fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// Who may, as roles, `user` and the scope of a key.
fn allowed(permission: Permission) -> Vec<String> {
    let roles =
        Role::ALL.into_iter().filter(|role| permission.of_role(*role)).map(|role| role.name().to_owned());
    let user = permission.of_user().then(|| "user".to_owned());
    roles.chain(user).chain(permission.of_key().map(|scope| format!("key:{}", scope.name()))).collect()
}
