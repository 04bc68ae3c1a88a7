//! The commands around a locked signer (S8) and copies of a state (K2), run as a person would: a locked journal
//! takes no entry but its custodians', a copy is whole or named, and terms are drawn up from it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::approval::SeenHead;
use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::{Envelope, Introduction};
use airlock_shared::genesis::SignedGenesis;
use airlock_shared::identity::Identity;
use airlock_shared::policy::SignedPolicy;
use airlock_shared::{Network, Profile, words};
use airlock_signer::commands::unsealing::SENTENCE;
use airlock_signer::state::Manifest;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use world::{PASSPHRASE, World, approvals, bundle, key, person};

/// A signer, and a folder in which its program is run.
struct Desk {
    folder: tempfile::TempDir,
    world: World,
}

impl Desk {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 60;
        let desk = Self { folder: tempfile::tempdir().unwrap(), world: World::at(now) };
        desk.private("pass", PASSPHRASE);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn private(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn run(&self, line: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock-signer"));
        command.arg("--home").arg(self.world.home.root()).arg("--json");
        command.arg("--passphrase-file").arg(self.path("pass")).args(["--accept-network", SENTENCE]);
        command.args(line).current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap()
    }

    /// A coordinator claims a head that this journal does not hold.
    fn lock(&self) {
        let next = self.world.content(Network::EVM_DEV, 1);
        let ahead = SeenHead { sequence: self.world.head().sequence + 3, ..self.world.head() };
        let bytes = bundle(vec![Envelope::seal(next.clone(), approvals(&next), vec![ahead], &key(9))]);
        assert_eq!(self.world.refuse_at(&bytes, self.world.now).0.code, "head.unknown");
    }

    fn journal(&self) -> Vec<u8> {
        std::fs::read(self.world.home.journal()).unwrap()
    }
}

fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn code(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().unwrap_or_default();
    let value: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("not JSON: {said}"));
    value["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_locked_journal_takes_no_entry_but_its_custodians() {
    let desk = Desk::new();
    let identity = Identity::of(&key(8));
    let other = Introduction { name: person("other"), profile: Profile::Dev, identity, roster: None };
    std::fs::write(desk.path("other.json"), other.to_json()).unwrap();
    let said = words::words(&airlock_shared::envelope::pairing_digest(&identity, &desk.world.identity));
    let policy = airlock_signer::policy::load(&desk.world.home, desk.world.vault().device()).unwrap();
    let mut next = SignedPolicy { signatures: Vec::new(), ..policy };
    next.policy.version += 1;
    airlock_signer::policy::sign(desk.world.vault().device(), &mut next).unwrap();
    std::fs::write(desk.path("next.json"), next.to_json()).unwrap();
    desk.private("new", "another passphrase for tests");
    desk.lock();
    let before = desk.journal();
    for line in [
        &["policy", "install", "next.json"][..],
        &["pair", "other.json", "--confirm", &said],
        &["passphrase", "change", "--new-passphrase-file", "new"],
        &["attest", "--network", "eip155:31337", "--first", "0", "--count", "2", "--out", "attested"],
    ] {
        assert_eq!(code(&desk.run(line)), "signer.locked", "{line:?}");
    }
    assert_eq!(desk.journal(), before);

    answer(&desk.run(&["genesis", "propose", "--out", "terms.json"]));
    let terms = document::read::<SignedGenesis>(&std::fs::read(desk.path("terms.json")).unwrap()).unwrap();
    let said = words::words(&terms.genesis.digest());
    answer(&desk.run(&["genesis", "sign", "terms.json", "--confirm", &said]));
    answer(&desk.run(&["genesis", "install", "terms.json"]));
    answer(&desk.run(&["policy", "install", "next.json"]));
}

#[test]
fn no_ceremony_moves_journal_time_past_the_jump_that_the_policy_allows() {
    let mut desk = Desk::new();
    desk.world.with_policy(|policy| policy.bounds.clock_jump_max_seconds = 5);
    desk.private("new", "another passphrase for tests");
    let before = desk.journal();
    let line = ["passphrase", "change", "--new-passphrase-file", "new"];
    assert_eq!(code(&desk.run(&line)), "clock");
    assert_eq!(desk.journal(), before);
    let signed = airlock_signer::policy::load(&desk.world.home, desk.world.vault().device()).unwrap();
    std::fs::write(desk.path("policy.json"), signed.to_json()).unwrap();
    answer(&desk.run(&["policy", "install", "policy.json"]));
    assert!(desk.journal().len() > before.len(), "people have vouched for the clock, on record");
}

#[test]
fn a_copy_of_the_state_is_whole_or_named_and_terms_are_drawn_up_from_it() {
    let desk = Desk::new();
    let content = desk.world.content(Network::EVM_DEV, 2);
    let disk = desk.world.disk();
    desk.world.sign(&desk.world.bundle(content.clone())).unwrap();
    let head = desk.world.head();
    let made = answer(&desk.run(&["backup", "state", "--out", "copy"]));
    assert_eq!(
        (made["sequence"].as_u64(), made["head"].as_str()),
        (Some(head.sequence), Some(head.head.to_string().as_str()))
    );
    assert_eq!(made["files"].as_array().unwrap().len(), 3);
    let manifest = std::fs::read(desk.path("copy/manifest.json")).unwrap();
    assert_eq!(document::read::<Manifest>(&manifest).unwrap().signer, desk.world.identity);
    assert_eq!(code(&desk.run(&["backup", "state", "--out", "copy"])), "output", "no copy is overwritten");

    // The disk comes back from an old image; the copy knows more.
    desk.world.roll_back(&disk);
    answer(&desk.run(&["genesis", "propose", "--state", "copy", "--out", "terms.json"]));
    let terms = document::read::<SignedGenesis>(&std::fs::read(desk.path("terms.json")).unwrap()).unwrap();
    assert_eq!(terms.genesis.continues, Some(head));
    let highest = content.items.iter().map(|item| item.id.number()).max();
    assert_eq!(Some(terms.genesis.highest_item), highest);
    assert_eq!(terms.genesis.policy.map(|policy| policy.version), Some(desk.world.policy.version));

    // One byte of any file, and the file is named.
    for name in ["journal.airlock", "refusals.airlock", "policy.json", "manifest.json"] {
        let path = desk.path("copy").join(name);
        let whole = std::fs::read(&path).unwrap();
        let mut altered = whole.clone();
        let place = altered.len() / 2;
        altered[place] ^= 1;
        std::fs::write(&path, &altered).unwrap();
        let out = format!("from-{name}");
        let output = desk.run(&["genesis", "propose", "--state", "copy", "--out", &out]);
        assert_eq!(code(&output), "state_backup", "{name}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(name) || name == "manifest.json", "{told}");
        std::fs::write(&path, whole).unwrap();
    }
}
