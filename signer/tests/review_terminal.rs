//! The real program at a real terminal: a pseudo-terminal, in which a test turns the pages and types the
//! words, and after which the terminal must be as it was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::{Network, words::words};
use airlock_signer::terminal::Terminal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use world::{PASSPHRASE, World};

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Seat {
    ours: File,
    theirs: File,
    child: Child,
    output: String,
}

impl Seat {
    fn new(mut command: Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let ours = File::from(ours);
        size(&ours, 80, 24);
        let end = || theirs.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm").spawn().unwrap();
        Self { ours, theirs, child, output: String::new() }
    }

    fn read(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now()).min(Duration::from_millis(200));
        let wait = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        let ready = poll(&mut [PollFd::new(&self.ours, PollFlags::IN)], Some(&wait)).unwrap() > 0;
        if ready {
            let mut bytes = [0; 65_536];
            let read = self.ours.read(&mut bytes).unwrap_or(0);
            self.output.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        ready
    }

    /// Waits until this stands somewhere in what was drawn since the last call.
    fn expect(&mut self, wanted: &str) -> &mut Self {
        let until = Instant::now() + PATIENCE;
        while !strip(&self.output).contains(wanted) {
            assert!(Instant::now() < until, "{wanted:?} did not come: {}", strip(&self.output));
            self.read(until);
        }
        self
    }

    fn press(&mut self, keys: &str) -> &mut Self {
        self.output.clear();
        self.ours.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Waits for the end and checks that the terminal is what it was.
    fn end(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            self.read(until);
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it does not end: {}", strip(&self.output));
        };
        while self.read(Instant::now() + Duration::from_millis(10)) {}
        let modes = tcgetattr(&self.theirs).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        assert!(
            self.output.contains("\x1b[?25h\x1b[?1049l"),
            "cursor and screen come back: {:?}",
            self.output
        );
        status
    }
}

fn size(terminal: &File, ws_col: u16, ws_row: u16) {
    tcsetwinsize(terminal, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

/// Without escape sequences.
fn strip(output: &str) -> String {
    let mut text = String::new();
    let mut characters = output.chars();
    while let Some(c) = characters.next() {
        if c == '\x1b' {
            let _ends = characters.find(|c| c.is_ascii_alphabetic());
        } else {
            text.push(c);
        }
    }
    text
}

struct Desk {
    world: World,
    words: String,
}

impl Desk {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let world = World::at(now - 5);
        let mut content = world.content(Network::EVM_DEV, 3);
        content.items[1].label = "p\u{430}ypal \u{202e}2J".to_owned();
        let words = words(&content.digest());
        std::fs::write(world.folder.path().join("bundle.bin"), world.bundle(content)).unwrap();
        let pass = world.folder.path().join("pass");
        std::fs::write(&pass, PASSPHRASE).unwrap();
        std::fs::set_permissions(&pass, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Self { world, words }
    }

    fn sign(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock-signer"));
        command.arg("--home").arg(self.world.home.root()).args([
            "--passphrase-file",
            "pass",
            "sign",
            "bundle.bin",
        ]);
        command
            .args(["--out", "reply"])
            .args(more)
            .current_dir(self.world.folder.path())
            .env_remove("NO_COLOR");
        command
    }

    fn signed(&self) -> bool {
        self.world.folder.path().join("reply/reply.json").exists()
    }
}

#[test]
fn a_person_turns_the_pages_types_the_words_and_shows_the_answer() {
    let desk = Desk::new();
    let mut seat = Seat::new(desk.sign(&["--terminal"]));
    seat.expect("AIRLOCK  summary").expect("rules pass");
    assert!(seat.output.contains("\x1b[1;32m"), "what passes is green, where colours are wanted");
    seat.press(" ").expect("AIRLOCK  exceptions").expect("\\u{202e}2J");
    seat.press(">").expect("AIRLOCK  items").expect("id 1002");
    size(&seat.ours, 120, 40);
    seat.expect("nonce 72");
    seat.press(">").expect("AIRLOCK  the words").expect(&desk.words.clone());
    seat.press("zoo\r").expect("1 of 3 attempts");
    assert!(!desk.signed());
    let words = desk.words.clone();
    seat.press("\x15").press(&words).expect("8 of 8 words");
    seat.press("\r").expect("round 1").expect("size 13");
    seat.press("-").expect("size 12");
    seat.press("p").expect("paused");
    seat.press("q");
    assert_eq!(seat.end().code(), Some(0));
    assert!(desk.signed());
}

#[test]
fn leaving_signs_nothing_and_restores_the_terminal() {
    let desk = Desk::new();
    let head = desk.world.head();
    let mut command = desk.sign(&[]);
    command.env("NO_COLOR", "1");
    let mut seat = Seat::new(command);
    seat.expect("AIRLOCK  summary").expect("rules pass");
    assert!(!seat.output.contains("\x1b[1;32m") && !seat.output.contains("\x1b[1;30;43m"));
    seat.press("\x03").expect("Leave without signing?").press("y");
    assert_eq!(seat.end().code(), Some(3));
    assert!(!desk.signed());
    assert_eq!(desk.world.head(), head);
}

#[test]
fn a_request_to_end_signs_nothing_and_restores_the_terminal() {
    for signal in [Signal::TERM, Signal::HUP] {
        let desk = Desk::new();
        let mut seat = Seat::new(desk.sign(&[]));
        seat.expect("AIRLOCK  summary").expect("rules pass");
        kill_process(Pid::from_child(&seat.child), signal).unwrap();
        assert_eq!(seat.end().code(), Some(3));
        assert!(!desk.signed());
    }
}

#[test]
fn plain_text_is_for_whoever_asks_for_it() {
    let desk = Desk::new();
    let mut command = desk.sign(&["--plain"]);
    command.arg("--confirm").arg(&desk.words);
    let output = command.output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.chars().all(|c| c == '\n' || c.is_ascii_graphic() || c == ' '), "{said}");
    for part in ["TOTAL  ", "EXCEPTIONS", "ITEMS", "WORDS", desk.words.as_str()] {
        assert!(said.contains(part), "{part} is missing: {said}");
    }
}

#[test]
fn a_screen_that_panics_gives_the_terminal_back_first() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_screen_that_panics", "--ignored", "--nocapture"]);
    let mut seat = Seat::new(command);
    seat.expect("on purpose");
    assert!(!seat.end().success());
    let (before, _) = seat.output.split_once("on purpose").unwrap();
    assert!(before.contains("\x1b[?1049l"), "the message is on the screen that stays");
}

#[test]
#[ignore = "the other half of the test above, which runs it at a terminal of its own"]
fn the_screen_that_panics() {
    let _terminal = Terminal::open().unwrap();
    panic!("on purpose");
}
