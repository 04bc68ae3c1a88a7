//! Words that are keys, on their way to paper: shown once and asked back, or written to a descriptor.
//!
//! Called by `init` and `backup`. What must stay true: the screen is cleared of them before anything else is
//! shown; descriptors are opened before this program opens any file of its own, which would stand under a number
//! that nobody redirected, and before the sandbox closes them; no word goes to standard output.

use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::secret::fill_random;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use zeroize::Zeroizing;

/// Clears the screen and what was scrolled off it.
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

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

/// Shows the words under `heading`, clears the screen, and asks for three of them.
pub fn show_and_ask(console: &Console, heading: &str, words: &[&str]) -> Result<(), Failure> {
    if !console.is_interactive() {
        return Err(Failure::usage("there is no terminal to show the words on: name a descriptor for them"));
    }
    console.note(format_args!("\n{heading}\n"));
    for (row, chunk) in words.chunks(4).enumerate() {
        let numbered = (1..).zip(chunk).map(|(n, word)| format!("{:2} {word:<10}", row * 4 + n));
        let numbered: Zeroizing<Vec<String>> = Zeroizing::new(numbered.collect());
        console.note(Zeroizing::new(numbered.join("  ")).as_str());
    }
    let written = console.line("\nPress Enter when they are written down. ");
    console.note(CLEAR);
    written?;
    let asked = ask_back(console, words);
    // The three were typed in sight, rightly or wrongly.
    console.note(CLEAR);
    asked
}

fn ask_back(console: &Console, words: &[&str]) -> Result<(), Failure> {
    for position in three_positions(words.len())? {
        let typed = Zeroizing::new(console.line(&format!("Word {}: ", position + 1))?);
        if typed.trim() != words[position] {
            return Err(Failure::new(Exit::Vault, "mnemonic", "that is not the word; begin again"));
        }
    }
    Ok(())
}

fn three_positions(count: usize) -> Result<Vec<usize>, Failure> {
    let mut positions = Vec::new();
    while positions.len() < 3 {
        let mut bytes = [0; 16];
        fill_random(&mut bytes)?;
        let position = usize::from(bytes[0]) % count;
        if !positions.contains(&position) {
            positions.push(position);
        }
    }
    Ok(positions)
}
