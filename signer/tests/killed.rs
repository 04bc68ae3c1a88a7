//! `kill -9` at every system call, and what the disk may do instead: the real program under `strace`.
//!
//! A signing session is traced once; then it is run again for each of its main thread's calls from the sandbox on
//! and killed just before it (S7). Every call that changes a file is hit, of the others the first, the last
//! and one between of each name and of each file that is opened; with `AIRLOCK_KILL_EVERY=1` every one of them. Whatever
//! state that leaves: the journal verifies, nothing has two intents, nothing is in the output that is not journalled, and
//! the same bundle completes with the same signatures. A call that a run does not come to, because another run makes fewer
//! of it, is named; none that touches a file of the signer may be among them. Then calls fail instead: nothing may be
//! written or released after the first. Needs `strace`; without it these fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::chain::Signature;
use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::{Bundle, Replies, signatures_digest};
use airlock_shared::journal::Event;
use airlock_shared::{ItemId, Network, words};
use airlock_signer::home::Home;
use airlock_signer::journal::Journal;
use airlock_signer::records::Access;
use airlock_signer::session::Signer;
use airlock_signer::vault::Vault;
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use world::{PASSPHRASE, World, passphrase};

const PROGRAM: &str = env!("CARGO_BIN_EXE_airlock-signer");

/// The calls through which a signer changes or names files; every one of them is hit.
const CHANGING: [&str; 18] = [
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "open",
    "openat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "ftruncate",
    "mkdir",
    "mkdirat",
    "fchmod",
    "flock",
    "exit_group",
];

/// A home before a bundle is signed, the bundle, and the signatures that it must end in, whatever happens.
struct Rig {
    world: World,
    bundle: Vec<u8>,
    words: String,
    expected: Vec<Vec<Signature>>,
}

/// A copy of the home in which one run is interrupted.
struct Trial {
    folder: TempDir,
}

/// A system call of the traced run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Point {
    name: String,
    /// The file that is opened. Calls that open are counted by it, because how many files the libraries open varies.
    path: Option<Named>,
    /// Which of that name and file, counted from 1.
    number: usize,
}

/// A file by its path, below the folder of the trial or anywhere else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Named {
    InTrial(String),
    Elsewhere(String),
}

/// Every call, not only those that change a file.
fn every() -> bool {
    std::env::var("AIRLOCK_KILL_EVERY").is_ok_and(|value| value == "1")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Rig {
    fn new() -> Self {
        let world = World::at(now() - 5);
        let (tron, mut evm) = (world.content(Network::TRON_DEV, 2), world.content(Network::EVM_DEV, 2));
        evm.items.iter_mut().for_each(|item| item.id = ItemId::new(item.id.number() + 50));
        let bundle = Bundle { envelopes: vec![world.envelope(tron), world.envelope(evm)] };
        let words = words::words(&bundle.words_digest());
        let mut rig = Self { world, bundle: bundle.to_binary(), words, expected: Vec::new() };
        let trial = rig.trial();
        rig.expected = rig.complete(&trial).replies.into_iter().map(|reply| reply.signatures).collect();
        assert_eq!(rig.expected.iter().map(Vec::len).sum::<usize>(), 4);
        rig
    }

    fn trial(&self) -> Trial {
        let folder = tempfile::tempdir().unwrap();
        let trial = Trial { folder };
        std::fs::create_dir(trial.home()).unwrap();
        std::fs::set_permissions(trial.home(), PermissionsExt::from_mode(0o700)).unwrap();
        for entry in std::fs::read_dir(self.world.home.root()).unwrap() {
            let from = entry.unwrap().path();
            std::fs::copy(&from, trial.home().join(from.file_name().unwrap())).unwrap();
        }
        std::fs::write(trial.path("bundle.bin"), &self.bundle).unwrap();
        std::fs::write(trial.path("pass"), PASSPHRASE).unwrap();
        std::fs::set_permissions(trial.path("pass"), PermissionsExt::from_mode(0o600)).unwrap();
        trial
    }

    /// `airlock-signer sign` under strace with these options of it.
    fn sign(&self, trial: &Trial, strace: &[&str]) -> Output {
        let mut command = Command::new("strace");
        command.args(strace).arg("-o").arg(trial.path("trace")).arg("--").arg(PROGRAM);
        command.args(["--json", "--home"]).arg(trial.home()).arg("--passphrase-file").arg(trial.path("pass"));
        command.arg("sign").arg(trial.path("bundle.bin")).arg("--out").arg(trial.path("out"));
        command.args(["--qr-version", "30", "--confirm", &self.words]).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| {
            panic!("strace does not run ({error}); install it: apt-get install strace")
        })
    }

    /// Every call of the main thread from the sandbox on that is to be interrupted.
    fn points(&self) -> Vec<Point> {
        let trial = self.trial();
        let run = self.sign(&trial, &["-f"]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let trace = std::fs::read_to_string(trial.path("trace")).unwrap();
        let calls = trace.lines().filter_map(call);
        let main = calls.clone().next().unwrap().0;
        let elsewhere = calls.clone().find(|(thread, name, line)| *thread != main && changes(name, line));
        assert_eq!(elsewhere, None, "another thread changes files");
        let mut met: BTreeMap<(&str, Option<Named>), usize> = BTreeMap::new();
        let mut inside: BTreeMap<(&str, Option<Named>, bool), Vec<usize>> = BTreeMap::new();
        let mut closed = false;
        for (_, name, line) in calls.filter(|(thread, _, _)| *thread == main) {
            let path = name.starts_with("open").then(|| opened(line, trial.folder.path()));
            let number = met.entry((name, path.clone())).or_default();
            *number += 1;
            closed |= name == "seccomp";
            if closed {
                inside.entry((name, path, changes(name, line))).or_default().push(*number);
            }
        }
        let chosen = |((name, path, changes), numbers): ((&str, Option<Named>, bool), Vec<usize>)| {
            let some = [0, numbers.len() / 2, numbers.len() - 1].map(|place| numbers[place]);
            let wanted = move |number: &usize| changes || every() || some.contains(number);
            let point = move |number| Point { name: name.to_owned(), path: path.clone(), number };
            numbers.into_iter().filter(wanted).map(point).collect::<Vec<_>>()
        };
        inside.into_iter().flat_map(chosen).collect()
    }

    /// What must hold in whatever state an interrupted run has left, until the bundle is signed after all.
    fn check(&self, trial: &Trial, at: &str) {
        let vault = trial.vault();
        let journal = Journal::open(&trial.signer_home(), vault.device(), Access::Read)
            .unwrap_or_else(|error| panic!("{at}: the journal does not verify: {error}"));
        assert_nothing_twice(&journal, at);
        let released = trial.released();
        if !released.is_empty() {
            for signatures in &self.expected {
                let digest = signatures_digest(signatures);
                let signed = |event: &Event| matches!(event, Event::Signed { signatures, .. } if *signatures == digest);
                let journalled = journal.entries().iter().any(|entry| signed(&entry.event));
                assert!(journalled, "{at}: {released:?} left before the journal entry");
            }
        }
        drop((journal, vault));
        let whole = std::fs::read(trial.path("out/reply.bin")).ok();
        let whole = whole.and_then(|bytes| document::read::<Replies>(&bytes).ok());
        let replies = self.complete(trial);
        let signatures: Vec<_> = replies.replies.iter().map(|reply| reply.signatures.clone()).collect();
        assert_eq!(signatures, self.expected, "{at}: completed with other signatures");
        assert!(whole.is_none_or(|whole| whole == replies), "{at}: another reply left before");
        let vault = trial.vault();
        let journal = Journal::open(&trial.signer_home(), vault.device(), Access::Read).ok().unwrap();
        assert_nothing_twice(&journal, at);
        assert_eq!(journal.intents().len(), self.expected.len(), "{at}");
    }

    /// Signs the bundle in this process.
    fn complete(&self, trial: &Trial) -> Replies {
        let home = trial.signer_home();
        let lock = home.lock().unwrap();
        let mut signer = Signer::open(home, Some(lock), trial.vault()).ok().unwrap();
        let now = now();
        let accountable = signer.examine(&self.bundle, now).map_err(|it| it.refusal.to_string()).unwrap();
        let reviewed = accountable.confirm(&self.words).unwrap();
        signer.sign(reviewed, &self.world.keyring, now).ok().unwrap()
    }
}

impl Trial {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn home(&self) -> PathBuf {
        self.path("home")
    }

    fn signer_home(&self) -> Home {
        Home::open(&self.home()).unwrap()
    }

    fn vault(&self) -> Vault {
        Vault::load(&self.signer_home(), &passphrase()).ok().unwrap()
    }

    /// Every file of the output that is not empty.
    fn released(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in [self.path("out"), self.path("out/frames")] {
            let entries = std::fs::read_dir(&folder).into_iter().flatten();
            files.extend(entries.map(|entry| entry.unwrap().path()));
        }
        files.retain(|path| path.is_file() && std::fs::metadata(path).unwrap().len() > 0);
        files
    }
}

/// Thread and name of a traced call; `None` for signals, exits and the second halves of calls.
fn call(line: &str) -> Option<(&str, &str, &str)> {
    let (thread, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then_some((thread, name, line))
}

/// What a traced call opens.
fn opened(line: &str, trial: &Path) -> Named {
    let path = line.split('"').nth(1).unwrap_or_else(|| panic!("no path in {line}"));
    let below = Path::new(path).strip_prefix(trial).ok();
    match below.and_then(Path::to_str) {
        Some(below) => Named::InTrial(below.to_owned()),
        None => Named::Elsewhere(path.to_owned()),
    }
}

/// May it change a file? What is said to the terminal and what is opened to be read does not.
fn changes(name: &str, line: &str) -> bool {
    let harmless = ["write(1, ", "write(2, ", "O_RDONLY"].iter().any(|part| line.contains(part));
    CHANGING.contains(&name) && !harmless
}

fn assert_nothing_twice(journal: &Journal, at: &str) {
    let (mut ids, mut nonces, mut tx_ids) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (_, record) in journal.signed() {
        for item in &record.items {
            assert!(ids.insert(item.id), "{at}: two intents for item {:?}", item.id);
            if let Some(nonce) = item.account_nonce {
                assert!(nonces.insert((item.source, nonce)), "{at}: two intents for nonce {nonce}");
            }
            assert!(item.tx_ids.iter().all(|id| tx_ids.insert(*id)), "{at}: a transaction twice");
        }
    }
}

#[test]
fn killed_before_any_system_call_the_journal_stands_and_the_same_bundle_completes_with_the_same_bytes() {
    let rig = Rig::new();
    let points = rig.points();
    for name in ["write", "fsync", "openat", "lseek"] {
        assert!(points.iter().any(|point| point.name == name), "no {name} was traced");
    }
    assert!(points.iter().any(|point| point.name.starts_with("rename")));
    let missed: Vec<_> = points.par_iter().filter(|point| !is_killed(&rig, point)).collect();
    println!("killed before {} calls; not come to: {missed:?}", points.len() - missed.len());
    // How often threads wait for each other and memory grows is not the same in every run; nor how often the libraries
    // look for the number of processors, which they read from files of the system.
    let varies = |point: &Point| match &point.path {
        Some(path) => matches!(path, Named::Elsewhere(_)),
        None => !CHANGING.contains(&point.name.as_str()),
    };
    let skipped: Vec<_> = missed.into_iter().filter(|point| !varies(point)).collect();
    assert!(skipped.is_empty(), "not killed before {skipped:?}");
}

/// Runs until the point and checks what is left. A run that ended before it came to the point is checked too.
fn is_killed(rig: &Rig, point: &Point) -> bool {
    let Point { name, path, number } = point;
    let at = format!("killed before {name} number {number} of {path:?}");
    let trial = rig.trial();
    let path = path.as_ref().map(|path| match path {
        Named::InTrial(below) => trial.path(below).display().to_string(),
        Named::Elsewhere(path) => path.clone(),
    });
    let inject = format!("inject={name}:signal=KILL:when={number}");
    let only = path.as_deref().map_or(Vec::new(), |path| vec!["-P", path]);
    let run = rig.sign(&trial, &[&["-e", &inject][..], &only].concat());
    let killed = run.status.signal() == Some(9);
    assert!(killed || run.status.success(), "{at}: {:?}", run.status);
    rig.check(&trial, &at);
    killed
}

#[test]
fn a_call_that_fails_stops_everything_and_nothing_leaves() {
    let rig = Rig::new();
    let mut points = rig.points();
    let failing = |name: &str| match name {
        "fsync" | "fdatasync" | "rename" | "renameat" | "renameat2" => Some("EIO"),
        _ => None,
    };
    points.retain(|point| failing(&point.name).is_some());
    assert!(points.iter().filter(|point| point.name == "fsync").count() >= 6, "{points:?}");
    points.par_iter().for_each(|Point { name, number, .. }| {
        let error = failing(name).unwrap();
        let at = format!("{name} number {number} answered {error}");
        let trial = rig.trial();
        let run = rig.sign(&trial, &["-y", "-e", &format!("inject={name}:error={error}:when={number}")]);
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(
            run.status.code().is_some_and(|code| code == 4 || code == 5),
            "{at}: {:?} {said}",
            run.status
        );
        assert_eq!(trial.released(), Vec::<PathBuf>::new(), "{at}");
        assert_silent_after_the_failure(&trial.path("trace"), &trial.home(), &at);
        rig.check(&trial, &at);
    });
}

/// After the injected failure nothing in the home is written, synced, renamed or made.
fn assert_silent_after_the_failure(trace: &Path, home: &Path, at: &str) {
    let trace = std::fs::read_to_string(trace).unwrap();
    let after = trace.lines().skip_while(|line| !line.contains("(INJECTED)")).skip(1);
    let home = home.display().to_string();
    for line in after.filter(|line| line.contains(&home)) {
        let name = line.split('(').next().unwrap_or_default();
        assert!(matches!(name, "close" | "fcntl" | "munmap" | "read" | "fstat"), "{at}: then {line}");
    }
}

#[test]
fn a_record_torn_at_any_length_is_no_entry_and_what_was_whole_before_it_stays() {
    let rig = Rig::new();
    let trial = rig.trial();
    let before = trial.vault();
    let start = std::fs::read(trial.home().join("journal.airlock")).unwrap();
    rig.complete(&trial);
    let path = trial.home().join("journal.airlock");
    let whole = std::fs::read(&path).unwrap();
    let mut ends = vec![start.len()];
    while ends[ends.len() - 1] < whole.len() {
        let end = ends[ends.len() - 1];
        let length = u32::from_be_bytes(whole[end..end + 4].try_into().unwrap());
        ends.push(end + 12 + length as usize);
    }
    assert_eq!(ends.len(), 5, "two intents and two signatures");
    for length in start.len()..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let journal = Journal::open(&trial.signer_home(), before.device(), Access::Append)
            .unwrap_or_else(|error| panic!("torn at {length}: {error}"));
        let entries = ends[1..].iter().filter(|end| **end <= length).count();
        assert_eq!(journal.intents().len(), entries.min(2), "torn at {length}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), ends[entries] as u64, "torn at {length}");
    }
}

#[test]
fn two_processes_on_one_home_one_works_and_the_other_says_so_and_a_killed_one_leaves_no_lock() {
    let rig = Rig::new();
    let trial = rig.trial();
    let sign = |passphrase: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["--json", "--home"]).arg(trial.home()).args(passphrase).arg("sign");
        command.arg(trial.path("bundle.bin")).arg("--out").arg(trial.path("out"));
        command.args(["--qr-version", "30", "--confirm", &rig.words]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
        command
    };
    // The first waits for a passphrase that never comes, with the lock in its hand.
    let mut holder = sign(&["--passphrase-fd", "0"]).stdin(Stdio::piped()).spawn().unwrap();
    let pass = trial.path("pass").display().to_string();
    let second = || sign(&["--passphrase-file", &pass]).output().unwrap();
    // It makes the output once it has the lock; asking for the lock here would take it away.
    while !trial.path("out/frames").exists() {
        assert!(holder.try_wait().unwrap().is_none(), "the first ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let told = second();
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!(told.status.code(), Some(5), "{said}");
    assert!(said.contains("another airlock-signer is at work here"), "{said}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    let works = second();
    assert!(works.status.success(), "{}", String::from_utf8_lossy(&works.stderr));
    rig.check(&trial, "after a killed holder");
}
