//! Text that pretends to be other text: marks that turn it around or cannot be seen, and foreign letters
//! that look like ours.
//!
//! Called for every label and memo; the text itself is shown escaped, so this only says what was tried.
//! A list of our own instead of Unicode's 6,000 confusables: it holds what is drawn exactly like a Latin
//! letter or digit in common fonts, and an auditor can read it. What must stay true: a word in one foreign
//! alphabet that imitates nothing is no warning, or every honest label in Greek would be one.

use std::fmt;

/// What a text does to its reader.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Trick {
    /// Moves the cursor or breaks the line.
    Control,
    /// Turns the direction of what follows around.
    Direction,
    /// Is there and cannot be seen.
    Invisible,
    /// One word mixes alphabets.
    Mixed,
    /// Holds a letter that is drawn like this one of ours.
    Imitates(char),
}

impl fmt::Display for Trick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("control characters"),
            Self::Direction => f.write_str("marks that turn the reading direction around"),
            Self::Invisible => f.write_str("characters that cannot be seen"),
            Self::Mixed => f.write_str("a word of several alphabets"),
            Self::Imitates(ours) => write!(f, "a foreign letter that looks like {ours}"),
        }
    }
}

/// The alphabets that lend themselves to imitation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Cherokee,
}

/// What `text` does, each trick once.
pub fn tricks(text: &str) -> Vec<Trick> {
    let mut found: Vec<_> = text.chars().filter_map(mark).collect();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        let mut alphabets = word.chars().filter_map(alphabet);
        let first = alphabets.next();
        if alphabets.any(|other| Some(other) != first) {
            found.push(Trick::Mixed);
        }
        // Whole words of one alphabet imitate only if every letter does: "сору" reads as copy.
        let imitated: Vec<_> = word.chars().map(imitates).collect();
        let whole = imitated.iter().zip(word.chars()).all(|(ours, c)| ours.is_some() || c.is_ascii());
        let styled = word.chars().any(|c| styled(c).is_some());
        if whole || styled || found.contains(&Trick::Mixed) {
            found.extend(imitated.into_iter().flatten().next().map(Trick::Imitates));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn mark(c: char) -> Option<Trick> {
    match c {
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some(Trick::Direction)
        }
        '\u{ad}'
        | '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}' => Some(Trick::Invisible),
        '\u{2028}' | '\u{2029}' => Some(Trick::Control),
        c if c.is_control() => Some(Trick::Control),
        c if c != ' ' && c.is_whitespace() => Some(Trick::Invisible),
        _ => None,
    }
}

const fn alphabet(c: char) -> Option<Alphabet> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Some(Alphabet::Latin),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(Alphabet::Greek),
        '\u{400}'..='\u{52f}' => Some(Alphabet::Cyrillic),
        '\u{531}'..='\u{587}' => Some(Alphabet::Armenian),
        '\u{13a0}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => Some(Alphabet::Cherokee),
        _ => None,
    }
}

/// The letter or digit of ours that `c` is drawn like.
fn imitates(c: char) -> Option<char> {
    let (theirs, ours): (&str, &str) = match alphabet(c) {
        Some(Alphabet::Cyrillic) => ("аеорсухіјѕԁһӏԛԝАВЕКМНОРСТУХІЈЅЗ", "aeopcyxijsdhlqwABEKMHOPCTYXIJS3"),
        Some(Alphabet::Greek) => ("οαινυρκΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "oaivupkABEZHIKMNOPTYX"),
        Some(Alphabet::Armenian) => ("օսոհցՕՏՍ", "ounhgOSU"),
        Some(Alphabet::Cherokee) => ("ᎪᎬᎳᎻᏀᏃᏎᏟᏢᏦ", "AEWMGZ4CPK"),
        Some(Alphabet::Latin) => ("ıɑɡǀ", "iagl"),
        None => ("ɑɡ‚ℓ∕⁄․", "ag,l//."),
    };
    styled(c).or_else(|| theirs.chars().zip(ours.chars()).find(|(one, _)| *one == c).map(|(_, ours)| ours))
}

/// Our letters in other dress: full width, and mathematics.
fn styled(c: char) -> Option<char> {
    let letter = |first: u8, place: u32| char::from_u32(u32::from(first) + place);
    match u32::from(c) {
        code @ 0xff01..=0xff5e => letter(b'!', code - 0xff01),
        code @ 0x1d400..=0x1d6a3 => match (code - 0x1d400) % 52 {
            place @ ..26 => letter(b'A', place),
            place => letter(b'a', place - 26),
        },
        code @ 0x1d7ce..=0x1d7ff => letter(b'0', (code - 0x1d7ce) % 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_text_in_any_one_alphabet_is_no_warning() {
        for text in ["invoice 4711", "Überweisung", "Выплата", "Πληρωμή", "支払い 42", "fin de mois - É"]
        {
            assert_eq!(tricks(text), [], "{text}");
        }
    }

    #[test]
    fn marks_that_steer_the_screen_are_named() {
        assert_eq!(tricks("a\u{202e}b"), [Trick::Direction]);
        assert_eq!(tricks("a\u{200b}b"), [Trick::Invisible]);
        assert_eq!(tricks("a\u{1b}[2Jb"), [Trick::Control]);
        assert_eq!(tricks("a\u{a0}b"), [Trick::Invisible]);
    }

    #[test]
    fn letters_that_imitate_ours_are_named_with_the_letter() {
        assert_eq!(tricks("p\u{430}ypal"), [Trick::Mixed, Trick::Imitates('a')]);
        assert_eq!(
            tricks("\u{441}\u{43e}\u{440}\u{443}"),
            [Trick::Imitates('c')],
            "all Cyrillic, reads as copy"
        );
        assert_eq!(tricks("\u{ff21}cme"), [Trick::Imitates('A')], "full width");
        assert_eq!(tricks("\u{1d5d4}cme"), [Trick::Imitates('A')], "mathematical");
    }
}
