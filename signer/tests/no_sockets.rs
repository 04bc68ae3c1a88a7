//! The real program, watched call by call: from its birth to signed frames it never asks for a socket.
//!
//! Each command runs under `strace`, which is told to write down everything about networks, io_uring and
//! started programs. What must stay true: the record shows that it was kept (the program's own start is in
//! it), and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::document::Document as _;
use airlock_shared::envelope::{Bundle, Introduction, pairing_digest};
use airlock_shared::frames::{FrameSize, Level};
use airlock_shared::identity::Identity;
use airlock_shared::policy::SignedPolicy;
use airlock_shared::{ItemId, Network, Profile, words};
use airlock_signer::commands::unsealing::SENTENCE;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use world::{PASSPHRASE, World, key, person};

/// A folder in which every command is watched.
struct Watched {
    folder: TempDir,
    commands: usize,
}

/// What strace writes of a thread that ended with its process before it made any call.
const ENDED_UNSEEN: &str = "???( <detached ...>";

impl Watched {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pass = folder.path().join("pass");
        std::fs::write(&pass, PASSPHRASE).unwrap();
        std::fs::set_permissions(&pass, PermissionsExt::from_mode(0o600)).unwrap();
        Self { folder, commands: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs one command to its good end, and looks at what it asked the kernel for.
    fn run(&mut self, home: &Path, arguments: &[&str]) -> Value {
        self.commands += 1;
        let record = self.path("record");
        let ended = Command::new("strace")
            .args(["-f", "-qq", "-e", "trace=%network,io_uring_setup,io_uring_enter,execve,execveat", "-o"])
            .arg(&record)
            .args(["--", env!("CARGO_BIN_EXE_airlock-signer"), "--json", "--home"])
            .arg(home)
            .args(["--passphrase-file", "pass", "--accept-network", SENTENCE])
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| {
                panic!("strace does not run ({error}); install it: apt-get install strace")
            });
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{arguments:?}: {said}");
        let record = std::fs::read_to_string(&record).unwrap();
        let record: Vec<_> = record.lines().filter(|line| !line.ends_with(ENDED_UNSEEN)).collect();
        let calls: Vec<_> = record.iter().filter(|line| !line.contains("execve(")).collect();
        assert_eq!(record.len() - calls.len(), 1, "{arguments:?} starts itself only: {record:#?}");
        assert!(calls.is_empty(), "{arguments:?} asks for {calls:#?}");
        serde_json::from_slice(&ended.stdout).unwrap_or(Value::Null)
    }
}

#[test]
fn a_first_day_asks_for_no_socket() {
    let mut watched = Watched::new();
    let home = watched.path("home");
    let kdf = ["--kdf-memory-kib", "47104", "--kdf-passes", "1", "--no-mnemonic-display"];
    let made = watched.run(&home, &[&["init", "--name", "alice", "--profile", "dev"], &kdf[..]].concat());
    let own = Identity::from_hex(made["identity"].as_str().unwrap()).unwrap();
    let identity = Identity::of(&key(9));
    let other = Introduction { name: person("acme"), profile: Profile::Dev, identity, roster: None };
    std::fs::write(watched.path("coordinator.json"), other.to_json()).unwrap();
    let said = words::words(&pairing_digest(&identity, &own));
    watched.run(&home, &["pair", "coordinator.json", "--confirm", &said, "--out", "paired"]);
    watched.run(&home, &["addresses", "--role", "hot"]);
    watched.run(&home, &["xpub", "--network", &Network::TRON_DEV.to_string(), "--out", "xpub"]);
    let policy = World::new().policy;
    let said = words::words(&policy.digest());
    let signed = SignedPolicy { policy, signatures: Vec::new() };
    std::fs::write(watched.path("policy.json"), signed.to_json()).unwrap();
    watched.run(&home, &["policy", "sign", "policy.json", "--confirm", &said]);
    watched.run(&home, &["policy", "install", "policy.json"]);
    watched.run(&home, &["journal", "verify"]);
    assert_eq!(watched.commands, 7);
}

#[test]
fn a_signing_session_with_frames_in_and_out_asks_for_no_socket() {
    let mut watched = Watched::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 5;
    let world = World::at(now);
    let home = world.home.root();
    let networks = [(Network::TRON_DEV, 1), (Network::EVM_DEV, 51)];
    let envelopes = networks.map(|(network, first)| {
        let mut content = world.content(network, 3);
        content.items.iter_mut().zip(first..).for_each(|(item, id)| item.id = ItemId::new(id));
        world.envelope(content)
    });
    let bundle = Bundle { envelopes: envelopes.to_vec() };
    let out = airlock_signer::qr::Output::open(&watched.path("request")).unwrap();
    let size = FrameSize::new(15, Level::L).unwrap();
    out.write("bundle", &bundle.to_json(), &bundle.to_binary(), 1, size).unwrap();
    let said = words::words(&bundle.words_digest());
    watched.run(home, &["inspect", "request/bundle.json"]);
    let signed = watched.run(home, &["sign", "request/frames", "--out", "reply", "--confirm", &said]);
    assert_eq!(signed["outcome"], "signed");
    assert!(watched.path("reply/frames").read_dir().unwrap().count() >= 1);
    watched.run(home, &["inspect", "reply/reply.json"]);
}
