//! What a person reads before typing the eight words: each batch, decoded from the fields that are signed.
//!
//! `sheet` and `exceptions` say what is to be known (values, no words), `pages` and `items` word it in rows,
//! `plain` prints the rows, `screen` lets a person turn pages. Called by `sign`, `approve` and `inspect`. What
//! must stay true: everything shown comes from the decoded content, never from a label or a claim alone;
//! addresses are whole, in groups of four; foreign text is escaped and one line; both faces say the same, and
//! colour is never the only signal.

mod disguise;
mod exceptions;
mod find;
mod items;
mod pages;
mod plain;
mod policy;
mod row;
pub mod screen;
mod sheet;
mod summary;
mod text;

pub use disguise::{Trick, tricks};
pub use exceptions::{Exception, Foreign, Weight};
pub use pages::recap;
pub use plain::{batch, sitting};
pub use policy::{eight_words, policy};
pub use row::Tone;
pub use sheet::{Counted, Evidence, How, Sheet, Vouched};
pub use text::{amount, counted, ends, escaped, grouped, utc};

use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::terminal::Terminal;
use screen::{Decision, Screen};

/// Shows a sitting and returns the words that were typed, or that a script gave. Without a person at a
/// terminal that can be drawn on, or if asked, everything is printed as plain text in one go.
pub fn ask(
    console: &Console,
    sheets: Vec<Sheet<'_>>,
    given: Option<&str>,
    plain: bool,
    now: impl Fn() -> u64,
) -> Result<String, Failure> {
    let digest = pages::digest_of(&sheets);
    if plain || given.is_some() || !console.is_interactive() || !Terminal::is_able() {
        console.note(sitting(&sheets));
        return console.typed_words(given, &digest);
    }
    let recaps: Vec<_> = sheets.iter().map(|sheet| recap(sheet.content)).collect();
    let decision = screen::read(&mut Screen::new(sheets), now)
        .map_err(|error| Failure::new(Exit::Transfer, "terminal", error))?;
    // The screen is gone; what was decided about stays on the terminal.
    recaps.iter().for_each(|recap| console.note(recap));
    match decision {
        Decision::Words(typed) => Ok(typed),
        Decision::Declined => {
            Err(Failure::new(Exit::Refused, "confirmation", "left without signing; nothing was signed"))
        }
    }
}
