//! The program from outside: every command, its exit codes, its JSON, and where secrets may not appear.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod program;
mod world;

use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::{
    ApprovalReply, ApprovalRequest, Introduction, Replies, SignedBatch, pairing_digest,
};
use airlock_shared::identity::Identity;
use airlock_shared::policy::SignedPolicy;
use airlock_shared::roles::finalizer::finalize;
use airlock_shared::{Network, Profile, words};
use program::{Desk, answer, error, now};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use world::{PASSPHRASE, World, key, person};

#[test]
fn init_makes_a_home_once_and_shows_no_secret() {
    let desk = Desk::new();
    let made = desk.init();
    assert_eq!((made["name"].as_str(), made["threshold"].as_u64()), (Some("alice"), Some(1)));
    for name in ["vault.airlock", "journal.airlock", "refusals.airlock"] {
        let mode = std::fs::metadata(desk.path("home").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let again = desk.run(&["init", "--name", "alice", "--profile", "dev", "--no-mnemonic-display"]);
    assert_eq!(error(&again), (5, "home".to_owned()));
    let shown = answer(&desk.run(&["identity"]));
    assert_eq!(shown["key"], made["identity"]);
    let entries = answer(&desk.run(&["journal", "show"]));
    assert_eq!(entries["journal"][0]["event"], "genesis");
}

#[test]
fn a_scripted_init_must_say_where_the_mnemonic_goes() {
    let desk = Desk::new();
    let silent = desk.run(&["init", "--name", "a", "--profile", "dev", "--kdf-memory-kib", "47104"]);
    assert_eq!(error(&silent), (2, "usage".to_owned()));
    assert!(!desk.path("home/vault.airlock").exists());
    let script = "exec \"$0\" --home h --passphrase-file pass --accept-network 'I ACCEPT A NETWORKED MACHINE' \
                  init --name a --profile dev \
                  --kdf-memory-kib 47104 --kdf-passes 1 --mnemonic-fd 3 3>words";
    let made = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_airlock-signer")])
        .current_dir(desk.path(""))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let words = std::fs::read_to_string(desk.path("words")).unwrap();
    assert_eq!(words.split_whitespace().count(), 24);
    let first = words.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    let said = [made.stdout, made.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains(&first));
}

#[test]
fn usage_vault_and_state_errors_have_their_exit_codes() {
    let desk = Desk::new();
    assert_eq!(error(&desk.run(&["no-such-command"])), (2, "usage".to_owned()));
    assert_eq!(error(&desk.run(&["identity"])), (5, "no_home".to_owned()));
    desk.init();
    desk.private("pass", "another passphrase");
    assert_eq!(error(&desk.run(&["identity"])), (4, "wrong_passphrase".to_owned()));
    desk.private("pass", PASSPHRASE);
    std::fs::set_permissions(desk.path("pass"), PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(error(&desk.run(&["identity"])), (4, "passphrase".to_owned()));
    desk.private("pass", PASSPHRASE);
    assert_eq!(error(&desk.run(&["policy", "show"])), (5, "policy_missing".to_owned()));
    assert_eq!(error(&desk.run(&["inspect", "nowhere.json"])), (6, "transfer".to_owned()));
    std::fs::set_permissions(desk.path("home/vault.airlock"), PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(error(&desk.run(&["identity"])), (4, "file_mode".to_owned()));
}

#[test]
fn addresses_and_xpubs_leave_for_their_own_profile_only() {
    let desk = Desk::new();
    desk.init();
    let list = answer(&desk.run(&["addresses", "--role", "hot", "--count", "2"]));
    let wallets = list["wallets"].as_array().unwrap();
    assert_eq!(wallets.len(), 4);
    assert_eq!(wallets[0]["path"], "m/44'/195'/25'/0/0");
    let network = Network::TRON_DEV.to_string();
    let xpub = answer(&desk.run(&["xpub", "--network", &network, "--out", "xpub"]));
    assert_eq!(xpub["path"], "m/44'/195'/24'");
    let key: airlock_shared::hd::AccountKey = xpub["xpub"].as_str().unwrap().parse().unwrap();
    let first = key.address(Network::TRON_DEV, 0, 0).unwrap().to_string();
    assert_eq!(xpub["first_address"], first);
    assert!(desk.path("xpub/xpub.gif").exists());
    assert_eq!(error(&desk.run(&["xpub", "--network", "eip155:1"])).0, 2);
}

#[test]
fn pairing_takes_the_words_of_both_keys_and_a_second_file_of_the_policy_takes_a_higher_version() {
    let desk = Desk::new();
    let made = desk.init();
    let own = Identity::from_hex(made["identity"].as_str().unwrap()).unwrap();
    let identity = Identity::of(&key(9));
    let other = Introduction { name: person("acme"), profile: Profile::Dev, identity, roster: None };
    std::fs::write(desk.path("coordinator.json"), other.to_json()).unwrap();
    let wrong = desk.run(&["pair", "coordinator.json", "--confirm", "zoo"]);
    assert_eq!(error(&wrong), (3, "confirmation".to_owned()));
    let said = words::words(&pairing_digest(&identity, &own));
    let paired = desk.run(&["pair", "coordinator.json", "--confirm", &said, "--out", "paired"]);
    assert!(paired.status.success(), "{}", String::from_utf8_lossy(&paired.stderr));
    let introduced: Introduction =
        document::read(&std::fs::read(desk.path("paired/introduction.bin")).unwrap()).unwrap();
    assert_eq!(introduced.identity, own);

    let mut policy = World::new().policy;
    let write = |policy: &airlock_shared::policy::Policy| {
        let signed = SignedPolicy { policy: policy.clone(), signatures: Vec::new() };
        std::fs::write(desk.path("policy.json"), signed.to_json()).unwrap();
        words::words(&policy.digest())
    };
    let said = write(&policy);
    assert_eq!(error(&desk.run(&["policy", "install", "policy.json"])), (3, "policy.custodians".to_owned()));
    answer(&desk.run(&["policy", "sign", "policy.json", "--confirm", &said]));
    assert!(!desk.path("policy.json.new").exists());
    answer(&desk.run(&["policy", "install", "policy.json"]));
    answer(&desk.run(&["policy", "install", "policy.json"]));
    policy.bounds.items_max = 5;
    let said = write(&policy);
    answer(&desk.run(&["policy", "sign", "policy.json", "--confirm", &said]));
    assert_eq!(
        error(&desk.run(&["policy", "install", "policy.json"])),
        (3, "policy.same_version".to_owned())
    );
    let shown: SignedPolicy = document::read(&desk.run(&["policy", "show"]).stdout).unwrap();
    assert_eq!(shown.policy.bounds.items_max, 1_000);
}

/// The whole crossing: frames in, review, frames out, audit, and one flipped byte.
#[test]
fn a_bundle_crosses_as_frames_is_signed_and_audited() {
    let world = World::at(now() - 5);
    let desk = Desk::new();
    let home = world.home.root();
    let envelopes: Vec<_> = [(Network::TRON_DEV, 1), (Network::EVM_DEV, 51)]
        .into_iter()
        .map(|(network, first)| {
            let mut content = world.content(network, 3);
            content.items.iter_mut().zip(first..).for_each(|(item, id)| {
                item.id = airlock_shared::ItemId::new(id);
            });
            world.first_envelope(content)
        })
        .collect();
    let bundle = airlock_shared::envelope::Bundle { envelopes };
    let out = airlock_signer::qr::Output::open(&desk.path("request")).unwrap();
    let size = airlock_shared::frames::FrameSize::new(15, airlock_shared::frames::Level::L).unwrap();
    out.write("bundle", &bundle.to_json(), &bundle.to_binary(), 1, size).unwrap();
    std::fs::remove_file(desk.path("request/frames/bundle-0001.png")).unwrap();

    let seen = answer(&desk.run_at(home, &["inspect", "request/bundle.json"]));
    assert_eq!(seen["documents"][0]["verdict"]["accepted"], true, "{seen}");
    let said = seen["documents"][0]["words"].as_str().unwrap();
    assert_eq!(said, words::words(&bundle.words_digest()));
    let sign = |confirm: &str, out: &str| {
        desk.run_at(home, &["sign", "request/frames", "--out", out, "--confirm", confirm])
    };
    assert_eq!(error(&sign("zoo", "reply")), (3, "confirmation".to_owned()));
    assert_eq!(answer(&sign(said, "reply"))["outcome"], "signed");
    let read = |path: &str| {
        let documents = airlock_signer::qr::Inputs::open(&[desk.path(path)]).unwrap().documents().unwrap();
        document::read::<Replies>(&documents[0].bytes).unwrap()
    };
    let replies = read("reply/frames");
    assert_eq!(replies, read("reply/reply.json"));
    answer(&sign(said, "again"));
    assert_eq!(read("again/reply.gif"), replies);
    let whole = answer(&desk.run_at(home, &["journal", "verify"]));
    assert_eq!(whole["unsigned_intents"], 0);

    let device = world.vault();
    for (number, (envelope, reply)) in bundle.envelopes.iter().zip(&replies.replies).enumerate() {
        finalize(&envelope.content, reply).unwrap();
        let file = SignedBatch {
            envelope: envelope.clone(),
            roster: device.device().roster.clone().unwrap(),
            policy: airlock_signer::policy::load(&world.home, device.device()).unwrap(),
            replies: vec![reply.clone()],
            transactions: Vec::new(),
            hardware: None,
        };
        std::fs::write(desk.path(&format!("batch-{number}.json")), file.to_json()).unwrap();
        std::fs::create_dir_all(desk.path("kept")).unwrap();
        std::fs::write(desk.path(&format!("kept/batch-{number}.json")), file.to_json()).unwrap();
    }
    for what in [&["audit", "batch-0.json", "batch-1.json"][..], &["audit", "kept"]] {
        let audited = answer(&desk.run_at(home, what));
        assert_eq!((audited["passed"].as_u64(), audited["failed"].as_u64()), (Some(2), Some(0)));
    }
    let mut flipped = std::fs::read(desk.path("batch-0.json")).unwrap();
    let place = flipped.len() / 2;
    flipped[place] ^= 1;
    std::fs::write(desk.path("batch-0.json"), flipped).unwrap();
    let failed = desk.run_at(home, &["audit", "batch-0.json", "batch-1.json"]);
    assert_eq!(error(&failed), (3, "audit".to_owned()));
}

#[test]
fn frames_for_a_terminal_that_is_not_there_are_refused_before_anything_is_signed() {
    let world = World::at(now() - 5);
    let desk = Desk::new();
    let content = world.content(Network::TRON_DEV, 1);
    let said = words::words(&content.digest());
    let head = world.head();
    std::fs::write(desk.path("bundle.bin"), world.bundle(content)).unwrap();
    for command in ["sign", "approve"] {
        let arguments = [command, "bundle.bin", "--out", "x", "--confirm", &said, "--terminal"];
        assert_eq!(error(&desk.run_at(world.home.root(), &arguments)), (2, "usage".to_owned()));
    }
    assert_eq!(world.head(), head);
}

#[test]
fn a_refused_bundle_names_the_rule_and_writes_its_receipt() {
    let world = World::at(now() - 5);
    let desk = Desk::new();
    let mut content = world.content(Network::TRON_DEV, 3);
    content.items[1].amount = world::units(50_001);
    std::fs::write(desk.path("bundle.bin"), world.bundle(content)).unwrap();
    let refused =
        desk.run_at(world.home.root(), &["sign", "bundle.bin", "--out", "reply", "--confirm", "zoo"]);
    assert_eq!(error(&refused), (3, "policy.per_item_limit".to_owned()));
    let said: Value =
        serde_json::from_str(String::from_utf8_lossy(&refused.stderr).lines().last().unwrap()).unwrap();
    assert_eq!(said["error"]["rule"], "policy.per_item_limit");
    assert_eq!(
        (said["error"]["item"].as_u64(), said["error"]["value"].as_str()),
        (Some(1), Some("50001 USDT"))
    );
    let replies: Replies = document::read(&std::fs::read(desk.path("reply/reply.json")).unwrap()).unwrap();
    assert!(replies.replies[0].receipt.is_authentic());
    assert!(replies.replies[0].signatures.is_empty());
}

#[test]
fn an_approvers_device_decodes_shows_and_approves_and_never_its_own_batch() {
    let world = World::at(now() - 5);
    let desk = Desk::new();
    let made = answer(&desk.run(&[
        "init",
        "--identity-only",
        "--name",
        "carol",
        "--profile",
        "dev",
        "--kdf-memory-kib",
        "47104",
        "--kdf-passes",
        "1",
    ]));
    let device = Identity::from_hex(made["identity"].as_str().unwrap()).unwrap();
    let content = world.content(Network::EVM_DEV, 2);
    let digest = content.digest();
    let request = ApprovalRequest { content: content.clone(), heads: vec![world.newest_entry()] };
    std::fs::write(desk.path("request.json"), request.to_json()).unwrap();
    let said = words::words(&digest);
    answer(&desk.run(&["approve", "request.json", "--out", "out", "--confirm", &said]));
    let reply: ApprovalReply =
        document::read(&std::fs::read(desk.path("out/approval.json")).unwrap()).unwrap();
    assert!(reply.approval.is_by_device(&digest, &device));
    assert_eq!(reply.approval.seen, Some(world.head()));
    assert_eq!(error(&desk.run(&["sign", "request.json", "--out", "x"])), (4, "no_spending_keys".to_owned()));
    let own = ApprovalRequest {
        content: airlock_shared::batch::Content { creator: person("carol"), ..content },
        heads: Vec::new(),
    };
    std::fs::write(desk.path("own.bin"), own.to_binary()).unwrap();
    let refused = desk.run(&["approve", "own.bin", "--out", "out", "--confirm", "zoo"]);
    assert_eq!(error(&refused), (3, "approve.creator".to_owned()));
}

#[test]
fn a_second_process_on_one_home_is_told_so() {
    let world = World::at(now() - 5);
    let desk = Desk::new();
    std::fs::write(desk.path("bundle.bin"), world.bundle(world.content(Network::TRON_DEV, 1))).unwrap();
    let _held = world.home.lock().unwrap();
    let busy = desk.run_at(world.home.root(), &["sign", "bundle.bin", "--out", "x", "--confirm", "zoo"]);
    assert_eq!(error(&busy), (5, "busy".to_owned()));
}

#[test]
fn a_passphrase_is_changed_and_its_stretching_only_ever_grows() {
    let desk = Desk::new();
    let made = desk.init();
    desk.private("new", "another passphrase for tests");
    let same = desk.run(&["passphrase", "change", "--new-passphrase-file", "pass"]);
    assert_eq!(error(&same), (4, "passphrase".to_owned()));
    let stronger = ["--kdf-memory-kib", "49152", "--kdf-passes", "2"];
    let changed = answer(
        &desk.run(&[&["passphrase", "change", "--new-passphrase-file", "new"], &stronger[..]].concat()),
    );
    assert_eq!(
        (changed["identity"]["memory_kib"].as_u64(), changed["spending"]["passes"].as_u64()),
        (Some(49_152), Some(2))
    );
    assert_eq!(error(&desk.run(&["identity"])), (4, "wrong_passphrase".to_owned()));
    desk.private("pass", "another passphrase for tests");
    assert_eq!(answer(&desk.run(&["identity"]))["key"], made["identity"]);
    assert_eq!(answer(&desk.run(&["addresses", "--role", "hot"]))["wallets"].as_array().unwrap().len(), 2);
    // A second line end belongs to the passphrase, in both compartments alike.
    desk.private("new", "a passphrase with a line end\n\n");
    answer(&desk.run(&["passphrase", "change", "--new-passphrase-file", "new"]));
    desk.private("pass", "a passphrase with a line end\n\n");
    answer(&desk.run(&["addresses", "--role", "hot"]));
    let weaker = desk.run(&["passphrase", "change", "--keep", "--kdf-passes", "1"]);
    assert_eq!(error(&weaker), (4, "weaker_kdf".to_owned()));
    let measured = answer(&desk.run(&["passphrase", "change", "--keep", "--kdf-target-ms", "1"]));
    assert_eq!(measured["identity"]["memory_kib"].as_u64(), Some(49_152));
}

#[test]
fn a_spending_passphrase_of_its_own_is_never_merged_unasked_and_changes_alone() {
    let desk = Desk::new();
    desk.private("own", "the spending passphrase");
    desk.private("new", "another passphrase for tests");
    let own = ["--spending-passphrase-file", "own"];
    let init = ["init", "--name", "a", "--profile", "dev", "--kdf-memory-kib", "47104", "--kdf-passes", "1"];
    answer(&desk.run(&[&init[..], &["--no-mnemonic-display"], &own].concat()));
    let change = ["passphrase", "change", "--new-passphrase-file", "new"];
    assert_eq!(error(&desk.run(&[&change[..], &own].concat())), (2, "usage".to_owned()));
    assert_eq!(error(&desk.run(&change)), (4, "wrong_passphrase".to_owned()));
    answer(&desk.run(&[&change[..], &["--compartment", "identity"]].concat()));
    desk.private("pass", "another passphrase for tests");
    let alone =
        ["passphrase", "change", "--compartment", "spending", "--new-spending-passphrase-file", "last"];
    desk.private("last", "the last spending passphrase");
    answer(&desk.run(&[&alone[..], &own].concat()));
    assert_eq!(error(&desk.run(&[&["addresses"][..], &own].concat())), (4, "wrong_passphrase".to_owned()));
    answer(&desk.run(&["addresses", "--spending-passphrase-file", "last"]));
}

#[test]
fn the_doctor_needs_no_passphrase_and_its_exit_code_follows_its_findings() {
    let desk = Desk::new();
    desk.init();
    std::fs::remove_file(desk.path("pass")).unwrap();
    let judge = || {
        let output = desk.run(&["doctor"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mend = found["mend"].as_u64().unwrap();
        assert_eq!(output.status.code(), Some(if mend == 0 { 0 } else { 5 }));
        if mend > 0 {
            assert_eq!(error(&output), (5, "doctor".to_owned()));
        }
        found
    };
    let verdict = |found: &Value, check: &str| {
        let findings = found["findings"].as_array().unwrap();
        findings.iter().find(|one| one["check"] == check).unwrap()["verdict"].clone()
    };
    let found = judge();
    for check in ["core_dumps", "random_source", "files", "clock"] {
        assert_eq!(verdict(&found, check), "fine", "{check}");
    }
    std::fs::set_permissions(desk.path("home/vault.airlock"), PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(verdict(&judge(), "files"), "mend");
}

#[test]
fn a_policy_is_drafted_compared_and_asked() {
    let desk = Desk::new();
    let new = ["policy", "new", "--name", "payments", "--profile", "dev", "--network", "eip155:31337"];
    let draft = desk.run(&[&new[..], &["--out", "draft.json"]].concat());
    assert!(draft.status.success(), "{}", String::from_utf8_lossy(&draft.stderr));
    assert!(String::from_utf8_lossy(&draft.stderr).contains("approvals.required"));
    assert_eq!(error(&desk.run(&[&new[..], &["--out", "draft.json"]].concat())), (6, "output".to_owned()));
    assert_eq!(error(&desk.run(&[&new[..], &["--network", "eip155:1"]].concat())), (2, "usage".to_owned()));
    let mut draft: SignedPolicy = document::read(&std::fs::read(desk.path("draft.json")).unwrap()).unwrap();
    draft.policy.bounds.items_max = 10;
    std::fs::write(desk.path("next.json"), draft.to_json()).unwrap();
    let differs = answer(&desk.run(&["policy", "diff", "draft.json", "next.json"]));
    assert_eq!(differs["differences"][0]["effect"], "looser");

    let world = World::at(now() - 5);
    std::fs::write(desk.path("bundle.bin"), world.bundle(world.content(Network::EVM_DEV, 2))).unwrap();
    let told = answer(&desk.run_at(world.home.root(), &["policy", "explain", "bundle.bin"]));
    assert_eq!(told["bundles"][0]["batches"][0]["passes"], true);
    let under = ["policy", "explain", "--policy", "next.json", "bundle.bin"];
    let told = answer(&desk.run_at(world.home.root(), &under));
    assert_eq!(told["bundles"][0]["batches"][0]["passes"], false);
    assert!(told["bundles"][0]["refused"].is_null());
}
