//! Words that are keys, on their way to paper and back: shown once and asked back, or written to a descriptor;
//! typed again from paper, or read from one.
//!
//! Called by `init`, `restore` and `backup`. What must stay true: words stand only on a screen that is cleared
//! before anything else is shown; descriptors are opened before this program opens any file of its own, which would
//! stand under a number that nobody redirected, and before the sandbox closes them; no word goes to standard output.

use super::Place;
use crate::args::BesideWords;
use crate::failure::{Exit, Failure};
use crate::secret::{Bip39Passphrase, fill_random, without_line_end};
use crate::stage::{Echo, Stage};
use crate::vault::Root;
use crate::vault::shares::{BackupError, Gathered, Words};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use zeroize::Zeroizing;

/// How many words are asked back.
const ASKED_BACK: usize = 4;
/// Wrong answers before the words are shown again.
const TRIES: usize = 3;

/// Opens descriptors for words to be written to, a place of its own for each. Must come before anything else is
/// opened: only then is every number the caller's.
pub fn descriptors(numbers: &[u32]) -> Result<Vec<File>, Failure> {
    let failed = |number: u32, why: &dyn std::fmt::Display| {
        Failure::new(Exit::Transfer, "mnemonic", format!("descriptor {number}: {why}"))
    };
    let path = |number: u32| format!("/proc/self/fd/{number}");
    let mut files = Vec::with_capacity(numbers.len());
    // All are looked at before the first is opened again, which takes a number too.
    for (place, &number) in numbers.iter().enumerate() {
        if number <= 2 {
            return Err(Failure::usage(format!("descriptor {number} is not a place for secret words")));
        }
        if numbers[..place].contains(&number) {
            return Err(Failure::usage(format!("descriptor {number} is named twice")));
        }
        let seen = std::fs::metadata(path(number)).map_err(|error| failed(number, &error))?;
        let file = seen.is_file().then(|| (seen.dev(), seen.ino()));
        if file.is_some() && files.contains(&file) {
            return Err(Failure::usage(format!("descriptor {number} leads to the file of another one")));
        }
        files.push(file);
    }
    let open = |number: &u32| std::fs::OpenOptions::new().append(true).open(path(*number));
    numbers.iter().map(|number| open(number).map_err(|error| failed(*number, &error))).collect()
}

/// Writes the words on one line.
pub fn write_to(mut file: File, words: &[&str]) -> Result<(), Failure> {
    // Room for all of it at once: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(words.iter().map(|word| word.len() + 1).sum()));
    for (place, word) in words.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { " " });
        text.push_str(word);
    }
    text.push('\n');
    // On the disk before the vault is, where it is a disk: keys whose backup a power loss took are lost keys.
    let on_disk = |file: &File| if file.metadata()?.is_file() { file.sync_all() } else { Ok(()) };
    let written = file.write_all(text.as_bytes()).and_then(|()| on_disk(&file));
    written.map_err(|error| Failure::new(Exit::Transfer, "mnemonic", error))
}

/// What stands above and below shown words.
pub struct Heading<'a> {
    /// What the words are.
    pub title: &'a str,
    /// What to do with them, and what not.
    pub advice: &'a [&'a str],
    /// Something to write beside them that is not secret.
    pub beside: &'a str,
}

/// Shows the words on a screen of their own, clears it, and asks for some of them, drawn at random. After three
/// wrong answers the words are shown again and others are asked for. Only right answers end it well.
pub fn show_and_ask(place: &Place, heading: &Heading<'_>, words: &[&str]) -> Result<(), Failure> {
    need_a_terminal(place)?;
    let stage = Stage::enter()?;
    let mut again = "";
    loop {
        stage.write(&page(heading, words, again))?;
        stage.ask(
            "  Press Enter when all words are on paper. Ctrl-C gives up, and nothing is kept. ",
            Echo::Hidden,
        )?;
        stage.clear()?;
        if ask_back(&stage, heading.title, words)? {
            return Ok(());
        }
        stage.clear()?;
        again = "  Three answers were wrong. Compare the paper with these words again.\n\n";
    }
}

/// The words in columns, read downwards, at most 76 characters wide and 24 lines high.
fn page(heading: &Heading<'_>, words: &[&str], again: &str) -> Zeroizing<String> {
    // Room for all of it at once.
    let mut page = Zeroizing::new(String::with_capacity(8 * 1_024));
    page.push_str("\x1b[1m  ");
    page.push_str(heading.title);
    page.push_str("\x1b[0m\n\n");
    page.push_str(again);
    for line in heading.advice {
        page.push_str("  ");
        page.push_str(line);
        page.push('\n');
    }
    page.push('\n');
    let rows = words.len().div_ceil(4);
    for row in 0..rows {
        page.push_str("    ");
        for number in (row..words.len()).step_by(rows) {
            // A word has at most eight letters.
            let counted = if number < 9 { " " } else { "" };
            page.push_str(counted);
            page.push_str(NUMBERS.get(number).copied().unwrap_or(""));
            page.push_str("  \x1b[1m");
            page.push_str(words[number]);
            page.push_str("\x1b[0m");
            (words[number].len()..13).for_each(|_| page.push(' '));
        }
        page.push('\n');
    }
    page.push_str("\n  ");
    page.push_str(heading.beside);
    page.push_str("\n\n");
    page
}

/// The numbers of the words of the longest share, so that a page is put together without a text that grows.
const NUMBERS: [&str; 33] = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
    "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33",
];

/// Were the words asked for given, with at most two wrong answers in all?
fn ask_back(stage: &Stage, title: &str, words: &[&str]) -> Result<bool, Failure> {
    stage.write(&format!("\x1b[1m  {title}\x1b[0m\n\n  Now from the paper:\n\n"))?;
    let mut wrong = 0;
    for position in positions(words.len())? {
        loop {
            let typed = stage.ask(&format!("    word {:>2}: ", position + 1), Echo::Seen)?;
            if typed.trim().eq_ignore_ascii_case(words[position]) {
                break;
            }
            wrong += 1;
            if wrong == TRIES {
                return Ok(false);
            }
            stage.write("             That is not the word. Once more.\n")?;
        }
    }
    Ok(true)
}

/// Different places, each as likely as any other.
fn positions(count: usize) -> Result<Vec<usize>, Failure> {
    let mut positions = Vec::with_capacity(ASKED_BACK);
    let fair = 256 - 256 % count;
    while positions.len() < ASKED_BACK.min(count) {
        let mut bytes = [0; 16];
        fill_random(&mut bytes)?;
        let drawn = usize::from(bytes[0]);
        let position = drawn % count;
        if drawn < fair && !positions.contains(&position) {
            positions.push(position);
        }
    }
    Ok(positions)
}

/// Asks for a mnemonic, or for a share and then for as many more as it takes. Each may be mistyped twice.
pub fn typed(place: &Place) -> Result<Gathered, Failure> {
    let mut gathered = Gathered::default();
    let mut wrong = 0;
    loop {
        let number = gathered.shares() + 1;
        let prompt = match number {
            1 => "The words of a mnemonic, or of one share (not shown): ".to_owned(),
            _ => format!("The words of share {number} (not shown): "),
        };
        let text = place.console.hidden_words(&prompt)?;
        match gathered.add(&text) {
            Ok(()) => wrong = 0,
            Err(error) if wrong + 1 == TRIES => return Err(error.into()),
            Err(error) => {
                wrong += 1;
                place.console.note(format_args!("  {error}.\n  Once more."));
                continue;
            }
        }
        if gathered.is_mnemonic() {
            return Ok(gathered);
        }
        match gathered.missing() {
            None => return Ok(gathered),
            Some(missing) => {
                place.console.note(format_args!("  Share {number} reads well. Needed still: {missing}."))
            }
        }
    }
}

/// What was set beside the words of a backup.
pub struct Beside {
    bip39: Option<Bip39Passphrase>,
    slip39: Option<Zeroizing<String>>,
    seed: bool,
}

impl Beside {
    /// From descriptors and hidden prompts. Descriptors must be the caller's still.
    pub fn read(place: &Place, args: &BesideWords) -> Result<Self, Failure> {
        let read = |descriptor: Option<u32>, asked: bool, what: &str| match (descriptor, asked) {
            (Some(number), _) => place.console.words_from_descriptor(number).map(Some),
            (None, true) => asked_twice(place, what).map(Some),
            (None, false) => Ok(None),
        };
        let bip39 = read(args.bip39_passphrase_fd, args.bip39_passphrase, "BIP-39 passphrase")?;
        let slip39 = read(args.slip39_passphrase_fd, args.slip39_passphrase, "SLIP-39 passphrase")?;
        let slip39 = slip39.map(of_slip39).transpose()?;
        let bip39 = bip39.map(|text| Bip39Passphrase::new(&text)).transpose()?;
        Ok(Self { bip39, slip39, seed: args.slip39_seed })
    }

    /// Was one of BIP-39's given?
    pub const fn has_bip39(&self) -> bool {
        self.bip39.is_some()
    }

    /// Do the shares hold the BIP-32 seed itself?
    pub const fn is_seed(&self) -> bool {
        self.seed
    }

    /// Asks for BIP-39's passphrase now.
    pub fn ask_bip39(&mut self, place: &Place) -> Result<(), Failure> {
        self.bip39 = Some(Bip39Passphrase::new(&asked_twice(place, "BIP-39 passphrase")?)?);
        Ok(())
    }

    /// The root that gathered words give together with all this.
    pub fn open(self, gathered: Gathered) -> Result<(Root, Words), Failure> {
        if gathered.is_mnemonic() && (self.seed || self.slip39.is_some()) {
            return Err(Failure::usage(
                "--slip39-seed and --slip39-passphrase are about shares, not a mnemonic",
            ));
        }
        let (secret, what) = gathered.open(self.slip39.as_ref().map_or(b"", |text| text.as_bytes()))?;
        let root = if self.seed {
            Root::Slip39 { secret }
        } else {
            Root::mnemonic(secret, self.bip39.unwrap_or_else(Bip39Passphrase::none))
        };
        Ok((root, what))
    }
}

/// SLIP-39 allows printable ASCII alone; anything else was mistyped and would give other keys.
fn of_slip39(mut text: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    let kept = without_line_end(&text).len();
    text.truncate(kept);
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(text);
    }
    Err(Failure::new(Exit::Vault, "passphrase", "a passphrase of SLIP-39 is printable ASCII"))
}

fn asked_twice(place: &Place, what: &str) -> Result<Zeroizing<String>, Failure> {
    place.console.hidden_words_twice(&format!("{what} (not shown): "))
}

/// Words are shown to people and typed by people.
pub fn need_a_terminal(place: &Place) -> Result<(), Failure> {
    if place.console.is_interactive() {
        return Ok(());
    }
    Err(Failure::usage("there is no terminal to show words on or to type them at: name a descriptor"))
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let code = if matches!(error, BackupError::Random(_)) { "random_source" } else { "backup" };
        Self::new(Exit::Vault, code, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_differ_and_reach_every_word() {
        let mut reached = std::collections::BTreeSet::new();
        for _ in 0..400 {
            let drawn = positions(24).unwrap();
            let distinct: std::collections::BTreeSet<_> = drawn.iter().copied().collect();
            assert_eq!(distinct.len(), ASKED_BACK);
            reached.extend(distinct);
        }
        assert_eq!(reached, (0..24).collect());
    }

    #[test]
    fn a_line_end_is_no_part_of_a_passphrase_of_slip39_and_what_no_wallet_takes_is_refused() {
        let read = |text: &str| of_slip39(Zeroizing::new(text.to_owned()));
        for text in ["TREZOR", "TREZOR\n", "TREZOR\r\n"] {
            assert_eq!(*read(text).ok().unwrap(), "TREZOR", "{text:?}");
        }
        for text in ["Z\u{fc}rich", "TREZOR\n\n", "a\tb", "\u{feff}TREZOR"] {
            let refused = read(text).err().unwrap();
            assert_eq!(refused.code, "passphrase", "{text:?}");
            assert!(!refused.message.contains(text.trim()));
        }
    }

    #[test]
    fn a_page_of_the_longest_words_fits_an_old_terminal_and_never_grows() {
        let long = "x".repeat(74);
        let advice = [long.as_str(); 4];
        let heading = Heading { title: "Share 16 of 16", advice: &advice, beside: "beside" };
        let page = page(&heading, &["mountain"; 33], "");
        assert_eq!(page.capacity(), 8 * 1_024);
        assert!(page.lines().count() <= 22);
        let plain = page.replace("\x1b[1m", "").replace("\x1b[0m", "");
        assert!(plain.lines().all(|line| line.len() <= 80), "{plain}");
    }
}
