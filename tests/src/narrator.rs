//! Who tells what happens: the demo aloud, the tests in silence.
//!
//! The acts speak through this, so that the demo shows exactly what the tests assert.

use std::fmt::Display;
use std::time::Instant;

/// Where the words of the acts go.
#[derive(Clone, Copy, Debug)]
pub struct Narrator(Option<Instant>);

impl Narrator {
    /// Says nothing.
    #[must_use]
    pub const fn silent() -> Self {
        Self(None)
    }

    /// Prints, with the time since now at every act.
    #[must_use]
    pub fn aloud() -> Self {
        Self(Some(Instant::now()))
    }

    /// A new act begins.
    pub fn act(&self, number: u8, title: &str) {
        if let Some(start) = self.0 {
            let since = start.elapsed();
            println!("\n─── Act {number}: {title} ─── {}.{} s", since.as_secs(), since.subsec_millis() / 100);
        }
    }

    /// One sentence.
    pub fn tell(&self, sentence: impl Display) {
        if self.0.is_some() {
            println!("  {sentence}");
        }
    }

    /// One line of a list.
    pub fn figure(&self, name: &str, value: impl Display) {
        if self.0.is_some() {
            println!("    {name:<34} {value}");
        }
    }

    /// The last words, with the time it all took.
    pub fn end(&self, words: &str) {
        if let Some(start) = self.0 {
            let took = start.elapsed();
            println!("\n{words} It took {}.{} s.", took.as_secs(), took.subsec_millis() / 100);
        }
    }

    /// A screen as its program printed it.
    pub fn screen(&self, of: &str, text: &str) {
        if self.0.is_some() {
            println!("    ┌─ {of}");
            for line in text.trim_end().lines() {
                println!("    │ {line}");
            }
            println!("    └─");
        }
    }
}
