//! `init` at a real terminal: words on a screen of their own, asked back, and gone afterwards by whatever way. A key
//! that is typed is known again by its address.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod desk;

use desk::{Desk, FLOOR};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Seat {
    ours: File,
    theirs: File,
    child: Child,
    seen: String,
}

impl Seat {
    fn init(desk: &Desk, more: &str) -> Self {
        Self::take(desk, &[], &format!("init --name alice --profile dev {FLOOR} {more}"))
    }

    /// A command line at a terminal of its own, perhaps through another program.
    fn take(desk: &Desk, through: &[&str], line: &str) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let end = || theirs.try_clone().unwrap();
        let sentence = airlock_signer::commands::unsealing::SENTENCE;
        let whole = [through, &[env!("CARGO_BIN_EXE_airlock-signer")]].concat();
        let child = Command::new(whole[0])
            .args(&whole[1..])
            .args(["--home", "home", "--passphrase-file", "pass", "--accept-network", sentence])
            .args(line.split_whitespace())
            .current_dir(desk.path("."))
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Self { ours: File::from(ours), theirs, child, seen: String::new() }
    }

    fn read(&mut self) {
        let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        if poll(&mut [PollFd::new(&self.ours, PollFlags::IN)], Some(&wait)).unwrap() > 0 {
            let mut bytes = [0; 16_384];
            let read = self.ours.read(&mut bytes).unwrap_or(0);
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    }

    /// What was written since the last key, once `wanted` is in it.
    fn expect(&mut self, wanted: &str) -> String {
        let until = Instant::now() + PATIENCE;
        while !self.seen.contains(wanted) {
            assert!(Instant::now() < until, "{wanted:?} did not come: {}", self.seen);
            self.read();
        }
        self.seen.clone()
    }

    fn press(&mut self, keys: &str) {
        self.seen.clear();
        self.ours.write_all(keys.as_bytes()).unwrap();
    }

    /// The exit code; screen and modes must be what they were.
    fn end(&mut self) -> i32 {
        let code = self.exit();
        let (cleared, left) = self.seen.split_once("\x1b[2J\x1b[3J\x1b[H\x1b[?1049l").unwrap();
        assert!(!cleared.contains("\x1b[?1049h") && !left.contains("\x1b[?1049h"));
        code
    }

    /// The same of a command that has no other screen.
    fn exit(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            self.read();
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it does not end: {}", self.seen);
        };
        self.read();
        let modes = tcgetattr(&self.theirs).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        status.code().unwrap()
    }

    /// The words by number, as the screen shows them.
    fn words(&mut self) -> BTreeMap<usize, String> {
        let page = self.expect("Press Enter when").replace("\x1b[1m", "").replace("\x1b[0m", "");
        let mut words = BTreeMap::new();
        let mut number = None;
        for part in page.split_whitespace() {
            match (part.parse::<usize>(), number.take()) {
                (Ok(next), _) => number = Some(next),
                (Err(_), Some(place)) => drop(words.insert(place, part.to_owned())),
                (Err(_), None) => {}
            }
        }
        words.retain(|place, word| *place <= 24 && word.chars().all(|c| c.is_ascii_lowercase()));
        assert_eq!(words.len(), 24, "{page}");
        words
    }
}

/// The number of the word that is asked for last.
fn asked(page: &str) -> Option<usize> {
    page.rsplit_once("word ")?.1.trim().strip_suffix(':')?.trim().parse().ok()
}

#[test]
fn giving_up_while_the_words_are_shown_restores_the_terminal_and_leaves_no_vault() {
    for key in ["\x03", "\x1c"] {
        let desk = Desk::empty();
        let mut seat = Seat::init(&desk, "");
        seat.words();
        seat.press(key);
        assert_eq!(seat.end(), 3);
        for name in ["vault.airlock", "vault.airlock.new", "journal.airlock", "refusals.airlock"] {
            assert!(!desk.path("home").join(name).exists(), "{name}");
        }
        // Nothing stands in the way of beginning again.
        let mut again = Seat::init(&desk, "");
        again.words();
        again.press("\x03");
        assert_eq!(again.end(), 3);
    }
}

#[test]
fn a_request_to_end_while_the_words_are_shown_restores_the_terminal_and_leaves_no_vault() {
    for signal in [Signal::TERM, Signal::HUP] {
        let desk = Desk::empty();
        let mut seat = Seat::init(&desk, "");
        seat.words();
        seat.seen.clear();
        kill_process(Pid::from_child(&seat.child), signal).unwrap();
        assert_eq!(seat.end(), 3);
        assert!(!desk.path("home").join("vault.airlock").exists());
    }
}

#[test]
fn three_wrong_words_show_all_of_them_again_and_right_ones_make_the_vault() {
    let desk = Desk::empty();
    let mut seat = Seat::init(&desk, "");
    let words = seat.words();
    seat.press("\n");
    seat.expect(": ");
    for _ in 0..3 {
        let page = seat.expect(": ");
        assert!(asked(&page).is_some(), "{page}");
        assert!(!desk.path("home/vault.airlock").exists());
        seat.press("zebra-is-no-word\n");
        seat.expect(if seat.seen.is_empty() { "word" } else { "" });
    }
    let again = seat.words();
    assert_eq!(words, again);
    seat.press("\n");
    for _ in 0..4 {
        let until = Instant::now() + PATIENCE;
        let number = loop {
            if let Some(number) = asked(&seat.seen) {
                break number;
            }
            assert!(Instant::now() < until, "{}", seat.seen);
            seat.read();
        };
        seat.press(&format!("{}\n", words[&number]));
    }
    assert_eq!(seat.end(), 0);
    assert!(desk.path("home/vault.airlock").exists());
}

#[test]
fn typed_dice_are_judged_on_the_screen_and_may_be_typed_again() {
    let desk = Desk::empty();
    let mut seat = Seat::init(&desk, "--dice");
    seat.expect("0 > ");
    seat.press("123456123456123456123456123456\n123456123456123456123456123456\n\n");
    let page = seat.expect("Begin again");
    assert!(page.contains("repeat every 6"), "{page}");
    seat.press("16325 41362 55142 63341 26451\n");
    seat.expect("25 > ");
    seat.press("34256 11642 53465 21334 66152\n");
    seat.expect("50 > ");
    seat.press("\n");
    seat.words();
    seat.press("\x03");
    assert_eq!(seat.end(), 3);
}

/// Hidden questions want a terminal that is the session's own.
const OWN: [&str; 3] = ["setsid", "--ctty", "--wait"];
const IMPORT: &str = "wallet import --network eip155:31337 --label old";
/// With its line end.
const KEY: &str = "05a4d3eb46c742cb8850440145ce70cbc80b59f891cf5f50fd3e9c280b50c4e4\n";

#[test]
fn a_typed_key_is_kept_only_if_its_address_is_known_again() {
    let desk = Desk::with_vault("dev");
    for (answered, exit) in [("n\n", 3), ("y\n", 0)] {
        let mut seat = Seat::take(&desk, &OWN, IMPORT);
        seat.expect("64 hex digits");
        seat.press(KEY);
        let page = seat.expect("that you expect?").to_lowercase();
        assert!(page.contains("0x460121576cc7df020759730751f92bd62fd78dd6") && !page.contains("05a4d3eb"));
        seat.press(answered);
        assert_eq!(seat.exit(), exit);
        let told = desk::answer(&desk.run("wallet list"));
        assert_eq!(told["imported"].as_array().unwrap().len(), usize::from(exit == 0));
    }
}

#[test]
fn what_is_pasted_at_the_sight_of_a_hidden_question_is_never_shown() {
    let desk = Desk::with_vault("dev");
    // Whatever the program does behind the question, it does late.
    let late =
        [&OWN[..], &["strace", "-f", "-o", "/dev/null", "-e", "inject=write:delay_exit=300000"]].concat();
    let mut seat = Seat::take(&desk, &late, IMPORT);
    seat.expect("64 hex digits");
    seat.press(KEY);
    let page = seat.expect("that you expect?");
    assert!(!page.contains("05a4d3eb"), "{page}");
    seat.press("n\n");
    assert_eq!(seat.exit(), 3);
}

#[test]
fn what_is_pasted_beyond_a_hidden_answer_is_not_shown_and_answers_no_other_question() {
    let desk = Desk::with_vault("dev");
    let mut seat = Seat::take(&desk, &OWN, IMPORT);
    seat.expect("64 hex digits");
    seat.press(&format!("{KEY}yes\nbeyond\n"));
    let mut page = seat.expect("that you expect?");
    (0..5).for_each(|_| seat.read());
    assert!(seat.child.try_wait().unwrap().is_none(), "nobody has answered: {}", seat.seen);
    seat.press("n\n");
    assert_eq!(seat.exit(), 3);
    page.push_str(&seat.seen);
    assert!(!page.contains("05a4d3eb") && !page.contains("yes") && !page.contains("beyond"), "{page}");
}

#[test]
fn a_request_to_end_at_a_hidden_question_gives_the_terminal_back() {
    let desk = Desk::with_vault("dev");
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut seat = Seat::take(&desk, &OWN, IMPORT);
        seat.expect("64 hex digits");
        kill_process(Pid::from_child(&seat.child), signal).unwrap();
        assert_eq!(seat.exit(), 3, "{}", seat.seen);
    }
    for key in ["\x03", "\x1c", "\x04"] {
        let mut seat = Seat::take(&desk, &OWN, IMPORT);
        seat.expect("64 hex digits");
        seat.press(&format!("half of it{key}"));
        // In the middle of a line, the end of a file only hands over what there is.
        if key == "\x04" {
            seat.press(key);
        }
        assert_eq!(seat.exit(), 3, "{}", seat.seen);
        assert!(!seat.seen.contains("half"));
    }
}
