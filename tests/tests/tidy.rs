//! Structure is a test, not a reviewer's memory: which crate and which capability may know which, what the pure crate
//! may not touch, who names a table, and that documents point at what exists.
//!
//! A rule that must change is changed here and in `docs/architecture.md` together, with its reason.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that open sockets, or exist for crates that do.
const NETWORKING: &[&str] = &[
    "async-io",
    "async-net",
    "async-std",
    "attohttpc",
    "curl",
    "curl-sys",
    "h2",
    "hickory-proto",
    "hyper",
    "isahc",
    "libp2p",
    "mio",
    "native-tls",
    "net2",
    "openssl",
    "openssl-sys",
    "polling",
    "quinn",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "sqlx",
    "sqlx-core",
    "tokio",
    "tokio-rustls",
    "tungstenite",
    "ureq",
    "zeromq",
];

/// What the pure crate never does itself: I/O, clocks, randomness, threads, async.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime::now",
    "Instant::now",
    "getrandom",
    "OsRng",
    "thread_rng",
    "async fn",
    "tokio",
];

/// Capabilities of the coordinator and the others that each may name. `api`, `app`, `main`, `lib` and the face of each
/// capability (`http.rs`) are the rim and may know all; the floor of `FLOOR` may be known by all but the first two.
const MAY_KNOW: &[(&str, &[&str])] = &[
    // An order's audit row is written with the order.
    ("ledger", &["audit"]),
    ("chain", &[]),
    // Links are signed by the coordinator's identity.
    ("audit", &["ledger", "pairing"]),
    ("alerts", &["ledger"]),
    ("people", &["ledger"]),
    ("pairing", &["ledger"]),
    ("keys", &["ledger"]),
    // A closed partner's keys end with it; what its wallets hold is asked of the chain.
    ("partners", &["ledger", "chain", "keys"]),
    ("outbox", &["ledger"]),
    ("energy", &["ledger", "chain"]),
    // Money to a deposit address or wallet of our own would come back: requests ask whose an address is.
    ("withdrawals", &["ledger", "chain", "outbox", "deposits", "pairing", "fees", "freeze"]),
    // An attestation of deposit addresses is taken from a paired signer only.
    ("deposits", &["ledger", "chain", "pairing"]),
    // Reserves are read where deposits lie.
    ("treasury", &["ledger", "chain", "deposits", "pairing"]),
    ("transfers", &["ledger"]),
    ("fees", &["ledger"]),
    ("adjustments", &["ledger"]),
    ("freeze", &["ledger"]),
    // What is owed beside what lies on the chains, signed by the coordinator's identity.
    ("liabilities", &["ledger", "chain", "pairing", "treasury"]),
    // One list of everybody's rows; writes none.
    ("transactions", &["ledger", "deposits", "withdrawals"]),
    // Reads everybody's rows and writes none.
    ("export", &["ledger", "chain", "batches", "pairing", "withdrawals"]),
    ("batches", &["ledger", "chain", "energy", "outbox", "pairing", "treasury", "withdrawals", "freeze"]),
];
const FLOOR: &[&str] = &["alerts", "api", "app", "audit", "clock", "config", "db", "people"];
/// `ledger` and `chain` stand on even less.
const BASEMENT: &[&str] = &["clock", "db"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every file of ours below `folder` whose name ends so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    const NOT_OURS: &[&str] =
        &["target", "node_modules", ".git", ".tools", ".venv", "demo-out", "__pycache__"];
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !NOT_OURS.contains(&name.as_str()) {
                folders.push(path);
            } else if path.is_file() && name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Source without comments, so that documentation may name what code may not.
fn code(path: &Path) -> String {
    let text = read(path);
    let lines = text.lines().map(|line| line.trim_start().strip_prefix("//").map_or(line, |_| ""));
    lines.collect::<Vec<_>>().join("\n")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `name version` of every crate in a tree, as `signer/dependencies.txt` lists them.
fn tree(package: &str) -> BTreeSet<String> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let flags = ["tree", "--locked", "-p", package, "-e", "normal", "--target", TARGET, "--prefix", "none"];
    let line = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    cargo(&flags).lines().filter(|text| !text.trim().is_empty()).map(line).collect()
}

#[test]
fn the_signers_tree_is_the_committed_one() {
    let committed: BTreeSet<String> =
        read(&root().join("signer/dependencies.txt")).lines().map(str::to_owned).collect();
    let found = tree("airlock-signer");
    let new: Vec<_> = found.difference(&committed).collect();
    let gone: Vec<_> = committed.difference(&found).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "signer/dependencies.txt: not listed {new:?}, listed but gone {gone:?}; review, then scripts/fixtures.sh --write"
    );
}

#[test]
fn no_networking_crate_is_below_shared_or_signer() {
    for package in ["airlock-shared", "airlock-signer"] {
        let tree = tree(package);
        let bad: Vec<_> =
            tree.iter().filter(|line| NETWORKING.contains(&line.split(' ').next().unwrap_or(""))).collect();
        assert!(bad.is_empty(), "{package}: {bad:?}");
    }
}

#[test]
fn crates_of_ours_know_each_other_in_one_direction_only() {
    let may: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("airlock-shared", &[][..]),
        ("airlock-signer", &["airlock-shared"][..]),
        ("airlock-coordinator", &["airlock-shared"][..]),
        ("airlock-devnet", &[][..]),
        ("airlock-vectors", &["airlock-shared", "airlock-signer"][..]),
        ("airlock-tests", &["airlock-shared", "airlock-signer", "airlock-coordinator", "airlock-devnet"][..]),
    ]);
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--locked", "--no-deps", "--format-version", "1"]))
            .unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let allowed = may.get(name).unwrap_or_else(|| panic!("{name} has no rule"));
        // Every section counts: not even a test of one side may know the other.
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            assert!(!other.starts_with("airlock-") || allowed.contains(&other), "{name} depends on {other}");
        }
        let features = package["features"].as_object().unwrap();
        assert!(name != "airlock-signer" || features.is_empty(), "the signer has features: {features:?}");
    }
}

#[test]
fn every_dependency_comes_from_the_registry() {
    let lock = read(&root().join("Cargo.lock"));
    let elsewhere: Vec<_> = lock
        .lines()
        .filter(|line| line.starts_with("source = "))
        .filter(|line| *line != "source = \"registry+https://github.com/rust-lang/crates.io-index\"")
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[test]
fn shared_is_pure() {
    for path in files("shared/src", ".rs") {
        let code = code(&path);
        for word in IMPURE {
            assert!(!code.contains(word), "{} names {word}", shown(&path));
        }
    }
}

#[test]
fn the_signer_never_names_the_coordinators_code() {
    for path in files("signer", ".rs") {
        assert!(!code(&path).contains("airlock_coordinator"), "{}", shown(&path));
    }
    for path in files("coordinator", ".rs") {
        assert!(!code(&path).contains("airlock_signer"), "{}", shown(&path));
    }
}

/// The part of the coordinator that a file belongs to: its folder or its own name under `src`.
fn capability(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("coordinator/src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Every `crate::NAME` in a source, also in lists such as `crate::{app, db}`.
fn named_modules(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let end = if part.starts_with('{') { part.find('}').unwrap_or(part.len()) } else { part.len() };
        let listed = if part.starts_with('{') { &part[1..end] } else { part };
        let word = |text: &str| {
            let text = text.trim_start();
            text[..text.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(text.len())].to_owned()
        };
        match part.starts_with('{') {
            true => names.extend(listed.split(',').map(word)),
            false => drop(names.insert(word(listed))),
        }
    }
    names
}

#[test]
fn capabilities_of_the_coordinator_know_only_whom_they_may() {
    let rules: BTreeMap<_, _> = MAY_KNOW.iter().copied().collect();
    for path in files("coordinator/src", ".rs") {
        let own = capability(&path);
        let is_face = path.ends_with("http.rs") && own != "chain";
        let Some(allowed) = rules.get(own.as_str()).filter(|_| !is_face) else { continue };
        let floor = if ["ledger", "chain"].contains(&own.as_str()) { BASEMENT } else { FLOOR };
        for other in named_modules(&code(&path)) {
            let known = other == own || allowed.contains(&other.as_str()) || floor.contains(&other.as_str());
            let is_module = rules.contains_key(other.as_str()) || FLOOR.contains(&other.as_str());
            assert!(known || !is_module, "{}: {own} names {other}", shown(&path));
        }
    }
}

#[test]
fn only_the_files_beside_a_table_name_it() {
    // What a capability without a store of its own keeps is named in its one file; the ledger's proof and the list of
    // attempts read their own capability's tables.
    const ALSO: &[&str] = &["ledger/verify.rs", "withdrawals/attempts.rs", "alerts/mod.rs", "outbox.rs"];
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let tables: Vec<String> =
        files("coordinator/migrations", ".sql").iter().flat_map(|path| tables_of(path)).collect();
    assert!(tables.len() > 20, "the migrations could not be read");
    for path in files("coordinator/src", ".rs") {
        let (code, file) = (code(&path), shown(&path).replace("coordinator/src/", ""));
        for table in tables.iter().filter(|table| names_table(&code, table)) {
            let may = file.ends_with("/store.rs") || ALSO.contains(&file.as_str());
            assert!(may, "{file} names the table {table}");
            owners.entry(table.clone()).or_default().insert(capability(&path));
        }
    }
    // An attempt belongs to a withdrawal and is made by its batch: the one table that two capabilities write.
    let shared: Vec<_> =
        owners.iter().filter(|(table, by)| by.len() > 1 && table.as_str() != "attempts").collect();
    assert!(shared.is_empty(), "tables of two capabilities: {shared:?}");
}

fn tables_of(migration: &Path) -> Vec<String> {
    let name =
        |line: &str| line.strip_prefix("create table ").map(|rest| rest.trim_end_matches(" (").to_owned());
    read(migration).lines().filter_map(name).collect()
}

fn names_table(code: &str, table: &str) -> bool {
    ["from ", "into ", "update ", "join "].iter().any(|verb| {
        code.match_indices(&format!("{verb}{table}")).any(|(at, found)| {
            let next = code[at + found.len()..].chars().next();
            next.is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '_'))
        })
    })
}

#[test]
fn every_source_opens_with_what_it_is_for() {
    for path in files("", ".rs") {
        assert!(read(&path).starts_with("//!"), "{} has no opening doc", shown(&path));
    }
}

#[test]
fn no_file_is_named_after_nothing() {
    for path in files("", ".rs") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(!["utils", "util", "helpers", "common", "misc"].contains(&name.as_str()), "{}", shown(&path));
    }
}

#[test]
fn sources_stay_readable() {
    let mut lengths: Vec<_> = files("", ".rs").iter().map(|path| read(path).lines().count()).collect();
    lengths.sort_unstable();
    let (half, ninety) = (lengths[lengths.len() / 2], lengths[lengths.len() * 9 / 10]);
    assert!(
        half <= 250 && ninety <= 500,
        "half of the files have up to {half} lines, nine in ten up to {ninety}"
    );
}

/// What an engineer reads before trusting a signature: whatever stands between hostile bytes and a key. Folders
/// end in a slash. What draws, seals, scans, audits or only decodes other people's transactions is not in it.
const CORE: &[(&str, &[&str])] = &[
    (
        "decoder",
        &[
            "shared/src/form/",
            "shared/src/document.rs",
            "shared/src/batch/",
            "shared/src/envelope",
            "shared/src/approval",
        ],
    ),
    ("policy", &["shared/src/policy/", "signer/src/policy.rs"]),
    (
        "journal",
        &[
            "shared/src/journal",
            "shared/src/memory",
            "shared/src/genesis",
            "signer/src/journal",
            "signer/src/records.rs",
        ],
    ),
    (
        "signing",
        &[
            "signer/src/session",
            "signer/src/sign.rs",
            "shared/src/roles/creator.rs",
            "shared/src/roles/signer.rs",
            "shared/src/chain/mod.rs",
            "shared/src/chain/signature.rs",
            "shared/src/chain/evm/build.rs",
            "shared/src/chain/evm/transaction.rs",
            "shared/src/chain/tron/build.rs",
            "shared/src/chain/tron/transaction.rs",
            "shared/src/chain/tron/wire.rs",
        ],
    ),
];

/// Lines with code on them, before the tests at the end of a file.
fn lines_of_code(path: &Path) -> usize {
    let text = read(path);
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn the_core_stays_small_enough_to_be_read() {
    const MOST: usize = 8_000;
    let sources = [files("shared/src", ".rs"), files("signer/src", ".rs")].concat();
    let mut counts = Vec::new();
    for (part, places) in CORE {
        let inside = |path: &&PathBuf| places.iter().any(|place| shown(path).starts_with(place));
        let found: Vec<_> = sources.iter().filter(inside).collect();
        for place in *places {
            assert!(found.iter().any(|path| shown(path).starts_with(place)), "{place} is gone");
        }
        counts.push((*part, found.into_iter().map(|path| lines_of_code(path)).sum::<usize>()));
    }
    let all: usize = counts.iter().map(|(_, lines)| lines).sum();
    println!("{all} lines of code: {counts:?}");
    assert!(all < MOST, "{all} lines of code, {MOST} are too many: {counts:?}");
}

#[test]
fn no_number_and_no_name_stands_for_two_kinds_of_document() {
    let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
    let mut found = Vec::new();
    for path in [files("shared/src", ".rs"), files("signer/src", ".rs")].concat() {
        let text = read(&path);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let number = line.strip_prefix("const KIND: u8 = ").and_then(|rest| rest.strip_suffix(';'));
            if let Some(number) = number {
                let number: u8 = number.parse().unwrap_or_else(|_| panic!("{}: {line}", shown(&path)));
                found.push((number, quoted(lines[at + 1]).unwrap()));
            }
        }
    }
    found.sort();
    let listed: Vec<_> =
        airlock_shared::document::KINDS.map(|(number, name)| (number, name.to_owned())).into();
    assert_eq!(found, listed, "the sources, and the list in shared/src/document.rs");
    let names: BTreeSet<_> = listed.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), listed.len());
    assert!(listed.windows(2).all(|pair| pair[0].0 < pair[1].0), "each number once");
}

#[test]
fn unsafe_code_is_in_one_module_and_its_reasons_stand_beside_it() {
    const MODULE: &str = "signer/src/memory/raw.rs";
    // A test asks the kernel for calls that no safe function makes.
    const TESTS: &[&str] = &["signer/tests/sandbox.rs"];
    // In two parts, so that this file does not find itself.
    let keyword = ["un", "safe"].concat();
    let forms = [" {", " fn", " impl", " extern", " trait"].map(|after| format!("{keyword}{after}"));
    for path in files("", ".rs") {
        let (code, name) = (code(&path), shown(&path));
        let uses: usize = forms.iter().map(|form| code.matches(form.as_str()).count()).sum();
        let may = name == MODULE || TESTS.contains(&name.as_str());
        assert!(uses == 0 || may, "{name} has {uses} uses");
        if name == MODULE {
            let reasons = read(&path).matches("// SAFETY:").count();
            // The functions of a trait that is so by definition have their reason at its head.
            assert!(reasons >= uses - 3, "{uses} uses, {reasons} reasons");
        }
    }
}

#[test]
fn the_tests_that_the_threat_model_names_exist() {
    let sources: String = files("", ".rs").iter().map(|path| read(path)).collect();
    let model = read(&root().join("docs/threat-model.md"));
    // A test's name is a sentence: four words and more.
    let is_name = |word: &str| {
        word.matches('_').count() >= 3
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let named: Vec<_> = model.split('`').skip(1).step_by(2).filter(|word| is_name(word)).collect();
    assert!(named.len() > 50, "only {} tests are named", named.len());
    let gone: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(gone.is_empty(), "named in docs/threat-model.md, but nowhere else: {gone:#?}");
}

#[test]
fn nothing_names_a_machine() {
    // Put together here, so that this file does not find itself.
    let words = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["arti", "factory"].concat()];
    for ending in [".rs", ".md", ".toml", ".sh", ".json", ".lock", ".txt", ".py", ".mjs", ".sql", "run"] {
        for path in files("", ending) {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let found = words.iter().find(|word| text.contains(word.as_str()));
            assert!(found.is_none(), "{} names {found:?}", shown(&path));
        }
    }
}

/// The targets of `[text](target)` outside code blocks.
fn links(text: &str) -> Vec<String> {
    let mut inside = false;
    let prose = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    let of_line = |line: &str| -> Vec<String> {
        line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
    };
    prose.flat_map(of_line).collect()
}

/// A heading as its anchor is spelled.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || *c == '-' || *c == ' ')
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn links_in_documents_lead_somewhere() {
    for path in files("", ".md") {
        for target in links(&read(&path)) {
            if target.contains("://") {
                continue;
            }
            let (file, part) = target.split_once('#').unwrap_or((&target, ""));
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(to.exists(), "{} links to {target}", shown(&path));
            let found = part.is_empty()
                || read(&to).lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == part);
            assert!(found, "{} links to {target}, which has no such heading", shown(&path));
        }
    }
}
