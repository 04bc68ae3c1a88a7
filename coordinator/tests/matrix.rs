//! Every route x every sort of caller x own, foreign and missing objects (P3, case 87), on both databases.
//!
//! What is expected comes from `access/table.rs`, which people wrote: a route without a row there fails, and so does a permission
//! that the program grants otherwise. What is refused changes nothing.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod stage;

use access::askers::Answer;
use access::{Ask, Asker, Askers, Kind, Objects, Owner, ROUTES, Route, Whose};
use airlock_coordinator::api;
use airlock_coordinator::api::openapi::permission_named;
use airlock_coordinator::people::{Permission, Role};
use futures::stream::{self, StreamExt as _};
use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use stage::{Served, Stage, on_each_database};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_programs_permissions_are_those_of_the_table() {
    assert_eq!(access::table::PERMISSIONS.len(), Permission::ALL.len());
    for (name, who, step_up) in access::table::PERMISSIONS {
        let permission = permission_named(name).unwrap_or_else(|| panic!("{name}: no such permission"));
        let user = permission.of_user().then(|| "user".to_owned());
        let key = permission.of_key().map(|scope| format!("key:{}", scope.name()));
        let roles =
            Role::ALL.into_iter().filter(|role| permission.of_role(*role)).map(|role| role.name().into());
        let granted: Vec<String> = user.into_iter().chain(key).chain(roles).collect();
        assert_eq!(granted.join(" "), *who, "{name}");
        assert_eq!(permission.needs_step_up(), *step_up, "{name}");
    }
}

#[test]
fn every_described_route_has_a_row_with_its_permission_and_every_row_a_route() {
    let document = api::described().1;
    let described: BTreeMap<String, Value> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().unwrap();
            item.iter().map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
        })
        .collect();
    let rows: BTreeMap<String, &Route> =
        ROUTES.iter().map(|route| (format!("{} {}", route.method, route.path), route)).collect();
    assert_eq!(rows.len(), ROUTES.len(), "a route has two rows");
    for (name, operation) in &described {
        let row = rows.get(name).unwrap_or_else(|| panic!("{name}: no row in access/table.rs"));
        assert_eq!(operation["x-airlock-permission"], row.permission, "{name}");
        assert!(!row.asks.is_empty(), "{name}: nothing is asked");
    }
    let left: Vec<_> = rows.keys().filter(|name| !described.contains_key(*name)).collect();
    assert!(left.is_empty(), "not described: {left:?}");
}

/// What must come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    /// 401 `unauthorized` or another word for a credential that does not count.
    Unauthorized,
    /// 403 `forbidden`.
    Forbidden,
    /// 403 `step_up_needed`.
    StepUp,
    /// 404 `not_found`.
    Missing,
    /// 403 or 404: neither tells of foreign things.
    ForbiddenOrMissing,
    /// 404, or a list without a row: a filter names nothing.
    MissingOrEmpty,
    /// 404, or what is wrong with the request comes first, to the house.
    MissingOrBad,
    /// None of these; one's own account may ask for a fresh factor.
    Allowed,
    AllowedOrStepUp,
}

impl Expected {
    fn met(self, answer: &Answer) -> bool {
        let Answer { status, code, .. } = answer;
        let credential = ["unauthorized", "key_ended", "signature_malformed"].contains(&code.as_str());
        let denied = ["forbidden", "step_up_needed", "not_found", "no_such_route"].contains(&code.as_str());
        // A batch is there, its policy has no passkey of that person.
        let denied = denied && !(code == "not_found" && answer.text.contains("passkey of this person"));
        match self {
            Self::Unauthorized => *status == 401 && credential,
            Self::Forbidden => *status == 403 && code == "forbidden",
            Self::StepUp => *status == 403 && code == "step_up_needed",
            Self::Missing => *status == 404 && code == "not_found",
            Self::ForbiddenOrMissing => code == "forbidden" || code == "not_found",
            Self::MissingOrEmpty => {
                code == "not_found" || (*status == 200 && !answer.text.contains("\"id\""))
            }
            Self::MissingOrBad => code == "not_found" || Self::Allowed.met(answer),
            Self::AllowedOrStepUp => code == "step_up_needed" || Self::Allowed.met(answer),
            Self::Allowed => !credential && !denied && (*status < 500 || *status == 503),
        }
    }
}

/// Whom a row of the table grants it.
fn granted(permission: &str, kind: &Kind) -> bool {
    let (_, who, _) = access::table::PERMISSIONS.iter().find(|row| row.0 == permission).unwrap();
    let has = |word: &str| who.split(' ').any(|one| one == word);
    match kind {
        Kind::Nobody | Kind::Ended => false,
        Kind::User => has("user"),
        Kind::Key(scope) => has(&format!("key:{}", scope.name())),
        Kind::Staff { roles, .. } => roles.iter().any(|role| has(role.name())),
    }
}

fn expected(route: &Route, ask: &Ask, kind: &Kind, owner: Option<Owner>) -> Expected {
    match (kind, route.whose) {
        (_, Whose::Public) => return Expected::Allowed,
        (Kind::Nobody | Kind::Ended, _) | (Kind::Key(_), Whose::Account) => return Expected::Unauthorized,
        (_, Whose::Account) => {
            let own = matches!(owner, None | Some(Owner::Caller));
            // What belongs to `ann` is the user's own.
            let own = own || (*kind == Kind::User && owner == Some(Owner::Ann));
            return match kind {
                Kind::Staff { stepped_up: false, .. } if own => Expected::AllowedOrStepUp,
                _ if own => Expected::Allowed,
                _ => Expected::Missing,
            };
        }
        _ => {}
    }
    let (_, _, step_up) = access::table::PERMISSIONS.iter().find(|row| row.0 == route.permission).unwrap();
    if !granted(route.permission, kind) {
        return Expected::Forbidden;
    }
    if *step_up && matches!(kind, Kind::Staff { stepped_up: false, .. }) {
        return Expected::StepUp;
    }
    let house = matches!(kind, Kind::Staff { house: true, .. });
    if route.whose == Whose::House && !house {
        return if owner.is_none() { Expected::Forbidden } else { Expected::ForbiddenOrMissing };
    }
    if house && owner == Some(Owner::Nobody) && ask.url.contains("partner=$") {
        return Expected::MissingOrEmpty;
    }
    if house && owner == Some(Owner::Nobody) && !ask.succeeds && ask.body.contains("$partner") {
        return Expected::MissingOrBad;
    }
    let user_level = !["$partner", "$key", "$person", "$adjustment", "$batch", "$bundle", "$alert"]
        .iter()
        .any(|of_partner| ask.url.contains(of_partner) || ask.body.contains(of_partner));
    let reached = match (owner, kind) {
        (None, _) => true,
        (Some(Owner::Nobody), _) => false,
        (Some(_), _) if house => true,
        (Some(Owner::Ann), Kind::User) => user_level,
        (Some(_), Kind::User) => false,
        (Some(owner), _) => matches!(owner, Owner::Ann | Owner::Bob),
    };
    if reached { Expected::Allowed } else { Expected::Missing }
}

/// One request of one caller.
struct Case<'a> {
    route: &'a Route,
    ask: &'a Ask,
    asker: &'a Asker,
    owner: Option<Owner>,
    expected: Expected,
}

fn cases(askers: &Askers) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    for route in ROUTES {
        for ask in route.asks {
            let text = format!("{}{}", ask.url, ask.body).replace("$fresh", "");
            let owners: &[Option<Owner>] = match (text.contains('$'), route.whose) {
                (false, _) => &[None],
                (true, Whose::Account) => &[Some(Owner::Gina), Some(Owner::Nobody), Some(Owner::Caller)],
                (true, _) if text.contains("$missing") => &[Some(Owner::Nobody)],
                (true, _) => &[
                    Some(Owner::Ann),
                    Some(Owner::Bob),
                    Some(Owner::Gina),
                    Some(Owner::Hugo),
                    Some(Owner::Nobody),
                ],
            };
            for asker in &askers.all {
                if route.whose == Whose::Public && asker.kind != Kind::Nobody {
                    continue;
                }
                for owner in owners.iter().copied() {
                    let expected = expected(route, ask, &asker.kind, owner);
                    cases.push(Case { route, ask, asker, owner, expected });
                }
            }
        }
    }
    cases
}

/// Asks; nothing if the owner has no such object.
async fn asked(askers: &Askers, objects: &Objects, case: &Case<'_>) -> Option<Answer> {
    let (mut url, mut body) = (case.ask.url.to_owned(), case.ask.body.to_owned());
    match case.owner {
        Some(Owner::Caller) => {
            let none = || "none".to_owned();
            if url.contains("$passkey") {
                url = url.replace("$passkey", &askers.another_passkey(case.asker).await.unwrap_or_else(none));
            } else {
                url = url.replace("$session", &askers.another_session(case.asker).await.unwrap_or_else(none));
            }
        }
        Some(owner) => (url, body) = (objects.fill(&url, owner)?, objects.fill(&body, owner)?),
        None => {}
    }
    let fresh = askers.fresh();
    let (url, body) = (url.replace("$fresh", &fresh), body.replace("$fresh", &fresh));
    let answer = askers.ask(case.asker, case.route.method, &url, &body).await;
    if case.route.whose == Whose::Account {
        askers.forget(case.asker);
    }
    Some(answer)
}

fn fault(case: &Case<'_>, answer: &Answer) -> Option<String> {
    let Case { route, asker, owner, expected, .. } = case;
    let text: String = answer.text.chars().take(160).collect();
    (!expected.met(answer)).then(|| {
        let (method, url) = (route.method, case.ask.url);
        format!(
            "{method} {url} by {}, {owner:?}: expected {expected:?}, found {} {text}",
            asker.name, answer.status
        )
    })
}

/// How many rows every table has that a route may write, but for what any request leaves behind.
async fn rows(stage: &Stage) -> BTreeMap<String, i64> {
    let mut db = AnyConnection::connect(&stage.url).await.unwrap();
    let mut rows = BTreeMap::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("create table ")) {
            let table = line.split_whitespace().next().unwrap().to_owned();
            if table.starts_with("audit")
                || ["sessions", "login_failures", "passkeys"].contains(&table.as_str())
            {
                continue;
            }
            let sql = AssertSqlSafe(format!("select count(*) from {table}"));
            let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
            rows.insert(table, count);
        }
    }
    rows
}

#[test]
fn every_route_answers_every_caller_as_the_table_says_and_what_is_refused_changes_nothing() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let objects = Objects::make(&served).await;
        let askers = Askers::open(&served.stage, &served.url, &served.partner.id, &served.ann.id).await;
        let (allowed, denied): (Vec<_>, Vec<_>) = cases(&askers)
            .into_iter()
            .partition(|case| matches!(case.expected, Expected::Allowed | Expected::AllowedOrStepUp));
        let (allowed_count, denied_count) = (allowed.len(), denied.len());
        let before = rows(&served.stage).await;
        let mut faults: Vec<String> = stream::iter(&denied)
            .map(async |case| asked(&askers, &objects, case).await.and_then(|answer| fault(case, &answer)))
            .buffer_unordered(8)
            .filter_map(async |fault| fault)
            .collect()
            .await;
        assert_eq!(rows(&served.stage).await, before, "a refusal wrote something");
        let (mut succeeded, mut last) = (BTreeSet::new(), BTreeMap::new());
        for case in &allowed {
            if case.ask.url.contains("$alert") {
                objects.open_alerts(&served.stage).await;
            }
            let Some(answer) = asked(&askers, &objects, case).await else { continue };
            faults.extend(fault(case, &answer));
            let place = (case.route.method, case.ask.url, case.ask.body);
            if (200..300).contains(&answer.status) {
                succeeded.insert(place);
            }
            last.insert(place, answer);
        }
        for ask in ROUTES.iter().flat_map(|route| route.asks.iter().map(move |ask| (route.method, ask))) {
            let place = (ask.0, ask.1.url, ask.1.body);
            if ask.1.succeeds && !succeeded.contains(&place) {
                faults.push(format!("{} {}: nobody succeeds: {:?}", ask.0, ask.1.url, last.get(&place)));
            }
        }
        println!("{}: {denied_count} refusals, {allowed_count} allowed", served.stage.name);
        faults.sort();
        assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
        served.stage.prove().await;
    });
}
