//! schemathesis reads /openapi.json and tries to catch the coordinator telling something else than its description: as
//! an administrator with every role, and as a partner's system with a signed request.
//!
//! It needs `AIRLOCK_PYTHON` with the packages of `tests/foreign/requirements.txt`, which `scripts/test.sh` installs; without
//! them the tests say so and pass, unless `AIRLOCK_REQUIRE_FOREIGN` is set. Cases are made deterministically, so a failure comes again.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::audit::By;
use airlock_coordinator::keys::{self, Wanted};
use airlock_coordinator::people::{Reach, Scope};
use stage::{MOMENT, Served, Stage};
use std::path::Path;
use std::process::Command;

/// Cases per operation, beside those that schemathesis makes for every limit of the description.
const EXAMPLES: &str = "12";
/// Calls that end the session with which all others are made; schemathesis learns its own id and would name it.
const ENDS_THE_SESSION: &str = "^/v1/(auth/logout.*|me/sessions/.*|people/.*/deactivate)$";

fn python() -> Option<String> {
    let python = std::env::var("AIRLOCK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import schemathesis"]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("AIRLOCK_REQUIRE_FOREIGN").is_none(), "schemathesis is missing");
    println!("skipped: schemathesis is missing; scripts/test.sh installs it");
    None
}

/// Serves a stage to schemathesis; panics with its findings.
fn examined(arguments: impl AsyncFnOnce(&Served) -> Vec<(&'static str, String)>) {
    let Some(python) = python() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (served, told) = runtime.block_on(async {
        let served = Served::open(Stage::open(None).await).await;
        let told = arguments(&served).await;
        (served, told)
    });
    let foreign = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/foreign");
    let scratch = tempfile::tempdir().unwrap();
    let mut run = Command::new(python);
    run.args(["-m", "schemathesis.cli", "--config-file"]).arg(foreign.join("schemathesis.toml"));
    run.arg("run").arg(format!("{}/openapi.json", served.url));
    run.args(["--generation-deterministic", "--max-examples", EXAMPLES, "--no-color", "--warnings", "off"]);
    run.args(["--phases", "examples,coverage,fuzzing"]);
    run.args(["--exclude-path-regex", ENDS_THE_SESSION]);
    run.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONPATH", &foreign).current_dir(&scratch);
    for (name, value) in told {
        if name == "authorization" {
            run.args(["--header", &format!("Authorization: {value}")]);
        } else {
            run.env(name, value);
        }
    }
    let output =
        runtime.block_on(async { tokio::task::spawn_blocking(move || run.output().unwrap()).await.unwrap() });
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    runtime.block_on(served.stage.prove());
}

#[test]
fn the_description_holds_for_an_administrator() {
    examined(async |served| {
        vec![("authorization", format!("Bearer {}", served.token(&served.operator).await))]
    });
}

#[test]
fn the_description_holds_for_a_partners_key() {
    examined(async |served| {
        let mut wanted = Wanted::new(&served.partner.id, "schemathesis", Scope::ALL);
        wanted.networks = vec!["127.0.0.0/8".parse().unwrap()];
        let made = keys::create(&served.stage.app, wanted, &Reach::All, &By::command_line()).await.unwrap();
        vec![
            ("AIRLOCK_KEY", made.key.id.clone()),
            ("AIRLOCK_SECRET", made.secret.to_string()),
            ("AIRLOCK_TIMESTAMP", (MOMENT / 1000).to_string()),
        ]
    });
}
