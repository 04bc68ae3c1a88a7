//! What `docs/owasp.md` and `docs/cases.md` promise exists: every test that they name is one of this repository's.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of every Rust file below a folder of the repository.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "node_modules"].contains(&name.as_str()) && !name.starts_with('.') {
            sources(&path, text);
        } else if name.ends_with(".rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// First cell -> (all other cells, the tests they name), of the one table of a document.
fn rows(document: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = std::fs::read_to_string(root().join("docs").join(document)).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("| ")).skip(2);
    let mut rows = BTreeMap::new();
    for line in lines {
        let (first, rest) = line.trim_matches(['|', ' ']).split_once(" | ").unwrap();
        let named = rest.split('`').skip(1).step_by(2);
        let named =
            named.filter(|word| word.matches('_').count() >= 3 && !word.contains('/')).map(str::to_owned);
        let before = rows.insert(first.to_owned(), (rest.to_owned(), named.collect()));
        assert!(before.is_none(), "{document}: {first} stands there twice");
    }
    rows
}

fn all_exist(document: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut text = String::new();
    for folder in ["coordinator", "shared", "signer", "tests"] {
        sources(&root().join(folder), &mut text);
    }
    let rows = rows(document);
    for (first, (_, named)) in &rows {
        for name in named {
            let there = text.contains(&format!("#[test]\nfn {name}("))
                || text.contains(&format!(" fn {name}("))
                || text.contains(&format!("\nfn {name}("));
            assert!(there, "{document}: {first}: there is no test {name}");
        }
    }
    rows
}

#[test]
fn every_risk_of_the_ten_has_three_tests() {
    let rows = all_exist("owasp.md");
    assert_eq!(rows.len(), 10, "{:?}", rows.keys());
    for number in 1..=10 {
        let row = rows.iter().find(|(first, _)| first.starts_with(&format!("API{number} ")));
        let (_, (_, named)) = row.unwrap_or_else(|| panic!("API{number}: no row"));
        assert!(named.len() >= 3, "API{number}: {named:?}");
    }
}

#[test]
fn every_case_has_a_test_or_a_sentence() {
    let rows = all_exist("cases.md");
    for case in [42, 43, 47, 48, 49, 80, 81, 82, 84, 85, 86, 87, 88, 89, 90] {
        let (text, named) = rows.get(&case.to_string()).unwrap_or_else(|| panic!("case {case}: no row"));
        assert!(!named.is_empty() || text.len() > 200, "case {case}: neither a test nor a sentence");
    }
}
