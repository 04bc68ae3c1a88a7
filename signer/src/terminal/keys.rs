//! Bytes of a terminal as keys.
//!
//! Called by [`super::Terminal::key`]. What must stay true: whatever bytes come, each call takes some of them
//! or says that there is no key; an escape sequence that we do not know is no key and types nothing.

use std::collections::VecDeque;

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A printable ASCII character.
    Char(char),
    /// Return.
    Enter,
    /// Backspace.
    Backspace,
    /// Escape by itself.
    Escape,
    /// Tab.
    Tab,
    /// Shift and tab.
    BackTab,
    /// Up one line.
    Up,
    /// Down one line.
    Down,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Up one page.
    PageUp,
    /// Down one page.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// Control and C, or D.
    Interrupt,
    /// Control and U: away with what was typed.
    Clear,
    /// Control and L: draw everything again.
    Redraw,
    /// The terminal is gone.
    Gone,
}

/// Takes the next key off `bytes`.
pub fn next(bytes: &mut VecDeque<u8>) -> Option<Key> {
    while let Some(byte) = bytes.pop_front() {
        let key = match byte {
            b'\r' | b'\n' => Some(Key::Enter),
            0x03 | 0x04 => Some(Key::Interrupt),
            0x08 | 0x7f => Some(Key::Backspace),
            0x09 => Some(Key::Tab),
            0x0c => Some(Key::Redraw),
            0x15 => Some(Key::Clear),
            0x1b => sequence(bytes),
            b' '..=b'~' => Some(Key::Char(char::from(byte))),
            _ => None,
        };
        if key.is_some() {
            return key;
        }
    }
    None
}

/// What follows an escape: `[` or `O`, digits and semicolons, and a last byte. A terminal sends a sequence
/// at once, so an escape with nothing behind it is the key.
fn sequence(bytes: &mut VecDeque<u8>) -> Option<Key> {
    match bytes.front() {
        None => return Some(Key::Escape),
        Some(b'[' | b'O') => drop(bytes.pop_front()),
        Some(0x1b) => return Some(Key::Escape),
        // A letter typed with the Alt key.
        Some(_) => {
            bytes.pop_front();
            return None;
        }
    }
    let mut number = String::new();
    while let Some(byte) = bytes.pop_front() {
        match byte {
            b'0'..=b'9' | b';' => number.push(char::from(byte)),
            b'A' => return Some(Key::Up),
            b'B' => return Some(Key::Down),
            b'C' => return Some(Key::Right),
            b'D' => return Some(Key::Left),
            b'H' => return Some(Key::Home),
            b'F' => return Some(Key::End),
            b'Z' => return Some(Key::BackTab),
            b'~' => {
                return match number.as_str() {
                    "1" | "7" => Some(Key::Home),
                    "4" | "8" => Some(Key::End),
                    "5" => Some(Key::PageUp),
                    "6" => Some(Key::PageDown),
                    _ => None,
                };
            }
            0x40..=0x7e => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut bytes = bytes.iter().copied().collect();
        std::iter::from_fn(|| next(&mut bytes)).collect()
    }

    #[test]
    fn letters_arrows_and_pages_are_told_apart() {
        assert_eq!(
            keys(b"a\x1b[A\x1bOB\x1b[5~\x1b[6~\r"),
            [Key::Char('a'), Key::Up, Key::Down, Key::PageUp, Key::PageDown, Key::Enter]
        );
        assert_eq!(keys(b"\x1b"), [Key::Escape]);
        assert_eq!(keys(b"\x1b\x1b"), [Key::Escape, Key::Escape]);
    }

    #[test]
    fn sequences_that_nobody_knows_type_nothing() {
        assert_eq!(
            keys(b"\x1b[200~\x1b[38;5;1mx\x1b[<0;1;2M\x1bq\xc3\xa9y"),
            [Key::Char('x'), Key::Char('y')]
        );
    }

    #[test]
    fn any_bytes_end() {
        for seed in 0..=255_u8 {
            let bytes: Vec<u8> =
                (0..200_u8).map(|place| place.wrapping_mul(seed).wrapping_add(seed)).collect();
            assert!(keys(&bytes).len() <= bytes.len());
        }
    }
}
