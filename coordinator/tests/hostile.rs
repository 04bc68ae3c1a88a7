//! Hostile bodies, queries, paths and headers on every described route (P7), on both databases: never a failure of ours, always
//! the one shape, and books that balance.
//!
//! Bodies are the valid ones of `access/table.rs`, mutated, and plain noise. The seed is fixed; `AIRLOCK_HOSTILE_SEED` and
//! `AIRLOCK_HOSTILE_ROUNDS` try others.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod stage;

use access::askers::{Answer, told};
use access::{Ask, Asker, Askers, Kind, Objects, Owner, ROUTES, Route};
use airlock_coordinator::api;
use serde_json::{Value, json};
use stage::{Served, Stage, on_each_database};
use std::path::Path;

/// Numbers that look random and come again (SplitMix64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// JSON that means trouble, in the words of JSON itself: numbers beyond every type, broken surrogates, keys twice.
fn trouble(noise: &mut Noise) -> String {
    let long = "9".repeat(400);
    let words: Vec<String> = [
        "null",
        "true",
        "-1",
        "0",
        "-0",
        "0.1",
        "1e400",
        "-1e-400",
        "9223372036854775808",
        "18446744073709551616",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\u202e\\u0007\"",
        "\"' or 1=1; drop table users --\"",
        "\"<script>alert(1)</script>\"",
        "\"=cmd|' /C calc'!A0\"",
        "\"../../../../etc/passwd\"",
        "\"${jndi:ldap://127.0.0.1:1}\"",
        "\"http://127.0.0.1:1/\"",
        "\"1e3\"",
        "\"1,000\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"-1\"",
        "\"0\"",
        "\" 1\"",
        "\"1 \"",
        "\"0x10\"",
        "\"１\"",
        "\"1.0000000000000000000000001\"",
        "[]",
        "{}",
        "[[]]",
        "{\"$gt\":\"\"}",
        "{\"a\":1,\"a\":2}",
        "NaN",
        "undefined",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([
        long.clone(),
        format!("\"{long}\""),
        format!("\"{}\"", "\u{1f4a3}".repeat(3_000)),
        format!("\"{}\"", "a".repeat(70_000)),
        "[".repeat(200) + &"]".repeat(200),
        "{\"a\":".repeat(150) + "1" + &"}".repeat(150),
    ])
    .collect();
    words[noise.below(words.len())].clone()
}

/// Documents that cross the gap, as files and as texts: what uploads are made of.
fn documents() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/batch/valid");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read(path).unwrap();
        let hex = path.extension().is_some_and(|kind| kind == "hex");
        if hex { hex::decode(text.trim_ascii()).unwrap() } else { text }
    };
    paths.iter().map(read).collect()
}

/// An upload near a valid one: a few bytes are others, or it ends early.
fn damaged(noise: &mut Noise, documents: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = documents[noise.below(documents.len())].clone();
    for _ in 0..noise.below(4) {
        let place = noise.below(bytes.len());
        bytes[place] = noise.bytes(1)[0];
    }
    if noise.below(4) == 0 {
        bytes.truncate(noise.below(bytes.len()));
    }
    bytes
}

/// A body near a valid one: one field is another, gone, twice or new; or the text is cut, doubled or noise.
fn mutated(noise: &mut Noise, valid: &str) -> Vec<u8> {
    let fields: Vec<(String, String)> = serde_json::from_str::<Value>(valid)
        .ok()
        .and_then(|value| value.as_object().cloned())
        .map(|fields| fields.into_iter().map(|(name, value)| (name, value.to_string())).collect())
        .unwrap_or_default();
    let written = |fields: &[(String, String)]| {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        format!("{{{}}}", fields.join(","))
    };
    let mut others = fields.clone();
    let place = noise.below(fields.len().max(1));
    match noise.below(12) {
        0..=5 if !fields.is_empty() => others[place].1 = trouble(noise),
        6 if !fields.is_empty() => drop(others.remove(place)),
        7 if !fields.is_empty() => others.push(fields[place].clone()),
        8 => others.push((["id", "__proto__", "role", "\u{0}"][noise.below(4)].to_owned(), trouble(noise))),
        9 => return trouble(noise).into_bytes(),
        10 => {
            let length = noise.below(300);
            return noise.bytes(length);
        }
        _ => {
            let mut bytes = valid.as_bytes().to_vec();
            bytes.truncate(noise.below(bytes.len().max(1)));
            return bytes;
        }
    }
    written(&others).into_bytes()
}

/// Somebody who may call the route, so that what is tried reaches the handler.
fn somebody<'a>(askers: &'a Askers, route: &Route) -> &'a Asker {
    let (_, who, _) =
        access::table::PERMISSIONS.iter().find(|row| row.0 == route.permission).unwrap_or(&("", "", false));
    let may = |asker: &&Asker| match &asker.kind {
        Kind::Staff { house: true, roles, stepped_up: true } => {
            roles.iter().any(|role| who.split(' ').any(|one| one == role.name()))
        }
        Kind::User => who == &"user key:transfer",
        Kind::Nobody => who.is_empty(),
        _ => false,
    };
    askers.all.iter().find(may).unwrap_or_else(|| panic!("{}: nobody may", route.path))
}

struct Field {
    served: Served,
    objects: Objects,
    askers: Askers,
}

impl Field {
    async fn open(stage: Stage) -> Self {
        let served = Served::open(stage).await;
        let objects = Objects::make(&served).await;
        let askers = Askers::open(&served.stage, &served.url, &served.partner.id, &served.ann.id).await;
        Self { served, objects, askers }
    }

    fn filled(&self, ask: &Ask) -> (String, String) {
        let fresh = self.askers.fresh();
        let fill = |text| self.objects.fill(text, Owner::Ann).unwrap().replace("$fresh", &fresh);
        (fill(ask.url), fill(ask.body))
    }

    /// How many postings there are.
    async fn postings(&self) -> i64 {
        let mut db = self.served.stage.app.db.reader().await.unwrap();
        sqlx::query_scalar("select count(*) from transfers").fetch_one(&mut *db).await.unwrap()
    }

    /// No failure of ours; what is away (a chain's providers) may be so.
    fn judge(&self, what: &str, answer: &Answer) {
        let Answer { status, code, text } = answer;
        let fine = *status < 500 || code == "unavailable";
        assert!(
            fine,
            "{}: {what}: {status} {}",
            self.served.stage.name,
            text.chars().take(400).collect::<String>()
        );
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(300).collect()
}

#[test]
fn whatever_a_body_says_the_answer_has_the_one_shape_and_the_books_balance() {
    on_each_database(|stage| async move {
        let field = Field::open(stage).await;
        let mut noise = Noise(setting("AIRLOCK_HOSTILE_SEED", 1));
        let rounds = setting("AIRLOCK_HOSTILE_ROUNDS", 40);
        let documents = documents();
        let (before, mut taken) = (field.postings().await, 0);
        for route in ROUTES.iter().filter(|route| ["post", "put", "patch"].contains(&route.method)) {
            let asker = somebody(&field.askers, route);
            for round in 0..rounds {
                let ask = &route.asks[noise.below(route.asks.len())];
                let (url, body) = field.filled(ask);
                let upload = body == "{}" && noise.below(4) > 0;
                let body = if upload { damaged(&mut noise, &documents) } else { mutated(&mut noise, &body) };
                let kind = match noise.below(12) {
                    0 => "text/plain",
                    1 => "multipart/form-data; boundary=x",
                    2 => "application/json; charset=utf-7",
                    _ => "application/json",
                };
                let answer = field.askers.send_bytes(asker, route.method, &url, body.clone(), kind).await;
                field
                    .judge(&format!("{} {url} round {round} {kind} {}", route.method, shown(&body)), &answer);
                taken += i64::from(answer.status < 300);
                if route.permission == "own_account" {
                    field.askers.forget(asker);
                }
            }
        }
        let grown = field.postings().await - before;
        assert!(grown <= taken, "{grown} postings by {taken} requests that were taken");
        field.served.stage.prove().await;
    });
}

#[test]
fn whatever_a_path_or_a_query_says_the_answer_has_the_one_shape() {
    on_each_database(|stage| async move {
        let field = Field::open(stage).await;
        let document = api::described().1;
        let texts = [
            "%00",
            "a%00b",
            "%ff%fe",
            "%25",
            "%F0%9F%92%A3",
            "-1",
            "0",
            "1e9",
            "99999999999999999999",
            "'%20or%201=1--",
            "..%2f..%2fetc",
            "%0d%0aX-Injected:%201",
            "null",
            "true",
            "[]",
            "%7B%7D",
            "+",
            "",
        ];
        let long = "x".repeat(4_000);
        for route in ROUTES {
            let asker = somebody(&field.askers, route);
            let (url, body) = field.filled(&route.asks[0]);
            let place = url.split('?').next().unwrap().to_owned();
            let mut urls = Vec::new();
            let operation = &document["paths"][route.path][route.method];
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                for text in texts.iter().copied().chain([long.as_str()]) {
                    match parameter["in"].as_str() {
                        Some("query") => urls.push(format!("{place}?{name}={text}")),
                        Some("path") if !text.is_empty() => {
                            urls.push(place_with(route.path, &place, name, text));
                        }
                        _ => {}
                    }
                }
            }
            urls.extend([
                format!("{place}?"),
                format!("{place}?%00=1"),
                format!("{place}?a=1&a=2&%ff"),
                format!("{place}/"),
            ]);
            for url in urls {
                let answer = field
                    .askers
                    .send_bytes(asker, route.method, &url, body.clone().into(), "application/json")
                    .await;
                field.judge(&format!("{} {}", route.method, shown(url.as_bytes())), &answer);
                assert!(
                    answer.status != 200 || !url.split('?').next().unwrap().contains("%00"),
                    "{url} was taken"
                );
                if route.permission == "own_account" {
                    field.askers.forget(asker);
                }
            }
        }
        field.served.stage.prove().await;
    });
}

/// The place with another text where the path has this name.
fn place_with(path: &str, place: &str, name: &str, text: &str) -> String {
    let wanted = format!("{{{name}}}");
    let parts = path.split('/').zip(place.split('/'));
    parts
        .map(|(of_path, of_place)| if of_path == wanted { text } else { of_place })
        .collect::<Vec<_>>()
        .join("/")
}

#[test]
fn whatever_the_headers_say_the_answer_has_the_one_shape() {
    on_each_database(|stage| async move {
        let field = Field::open(stage).await;
        let long = "x".repeat(6_000);
        let values: [&[u8]; 8] = [
            b"",
            b"\xff\xfe",
            b"x, y; z=\"",
            b"null",
            b"*;q=9e999",
            b"' or 1=1 --",
            b"ak_00",
            long.as_bytes(),
        ];
        let names = [
            "accept",
            "accept-language",
            "authorization",
            "content-encoding",
            "content-type",
            "cookie",
            "expect",
            "forwarded",
            "host",
            "idempotency-key",
            "if-match",
            "origin",
            "range",
            "te",
            "transfer-encoding",
            "upgrade",
            "x-forwarded-for",
            "x-http-method-override",
            "x-original-url",
            "x-request-id",
        ];
        let url = &field.served.url;
        let token = field.served.token(&field.served.ann).await;
        for name in names {
            for value in values {
                let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
                for path in ["/v1/balances", "/v1/transfers", "/v1/auth/login", "/health"] {
                    let request = if path == "/v1/balances" || path == "/health" {
                        field.served.http.get(format!("{url}{path}"))
                    } else {
                        field.served.http.post(format!("{url}{path}")).body("{}")
                    };
                    let request = request.header("content-type", "application/json").bearer_auth(&token);
                    let mut request = request.build().unwrap();
                    request
                        .headers_mut()
                        .insert(reqwest::header::HeaderName::from_static(name), value.clone());
                    // What the HTTP library itself refuses has no shape of ours: 400 without a word.
                    let Ok(response) = field.served.http.execute(request).await else { continue };
                    let status = response.status().as_u16();
                    let ours = response.headers().contains_key("x-request-id");
                    let text = response.text().await.unwrap_or_default();
                    assert!(status < 500, "{name}: {value:?} on {path}: {status} {text}");
                    assert!(
                        status < 400 || !ours || text.contains("\"error\":{\"code\""),
                        "{name}: {status} {text}"
                    );
                    assert!(
                        ours || status == 400 || status == 417,
                        "{name}: {value:?} on {path}: {status} {text}"
                    );
                }
            }
        }
        // The same, with whatever the library for signed requests sends.
        let bare = told(
            field
                .served
                .http
                .get(format!("{url}/v1/balances"))
                .header("authorization", "Airlock-HMAC-SHA256 "),
        )
        .await;
        assert_eq!((bare.status, bare.code.as_str()), (401, "signature_malformed"));
        field.served.stage.prove().await;
    });
}
