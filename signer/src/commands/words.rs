//! Words that are keys, on their way to paper: shown once and asked back, or written to a descriptor.
//!
//! Called by `init` and `backup`. What must stay true: the screen is cleared of them before anything else is
//! shown; descriptors are opened before the sandbox closes them; no word goes to standard output.

use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::secret::fill_random;
use std::fs::File;
use std::io::Write as _;
use zeroize::Zeroizing;

/// Clears the screen and what was scrolled off it.
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

/// Opens a descriptor for words to be written to.
pub fn descriptor(number: u32) -> Result<File, Failure> {
    let opened = std::fs::OpenOptions::new().append(true).open(format!("/proc/self/fd/{number}"));
    opened.map_err(|error| Failure::new(Exit::Transfer, "mnemonic", format!("descriptor {number}: {error}")))
}

/// Writes the words on one line.
pub fn write_to(mut file: File, words: &[&str]) -> Result<(), Failure> {
    let text = Zeroizing::new(words.join(" ") + "\n");
    file.write_all(text.as_bytes()).map_err(|error| Failure::new(Exit::Transfer, "mnemonic", error))
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
    console.line("\nPress Enter when they are written down. ")?;
    console.note(CLEAR);
    for position in three_positions(words.len())? {
        let typed = Zeroizing::new(console.line(&format!("Word {}: ", position + 1))?);
        if typed.trim() != words[position] {
            return Err(Failure::new(Exit::Vault, "mnemonic", "that is not the word; begin again"));
        }
    }
    // The three were typed in sight.
    console.note(CLEAR);
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
