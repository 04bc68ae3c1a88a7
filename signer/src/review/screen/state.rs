//! What a key does on the review's screen.
//!
//! ```text
//! Reading --/--> Searching --Enter, Esc--> Reading
//! Reading --?--> Keys --any--> Reading
//! Reading --q, Ctrl-C--> Leaving --y--> declined    Leaving --any other--> Reading
//! Reading on the last page, all seen: letters are the words; Enter compares them
//! ```
//! Pure: keys and sizes in, a [`Step`] out; `draw` makes the lines. What must stay true: a page counts as
//! seen when every line of it has been on the screen, at whatever size; three wrong attempts end the sitting.

use super::layout::{Folded, fold_all};
use crate::review::exceptions::{Exception, Weight};
use crate::review::row::Row;
use crate::review::sheet::Sheet;
use crate::review::summary::summary;
use crate::review::{items, pages};
use crate::terminal::{Key, Size};
use airlock_shared::{Digest, words};

/// How often a person may type the eight words.
const WORD_TRIES: usize = 3;
/// Longer than any eight words.
const TYPED_MAX: usize = 120;
/// A smaller window shows no page, so nothing is marked as seen in it.
pub(super) const SIZE_MIN: Size = Size { columns: 40, rows: 10 };

/// Empty columns left and right of a page.
pub(super) const MARGIN: usize = 1;

/// What follows from a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The sitting goes on.
    Stay,
    /// These words were typed.
    Words(String),
    /// The person leaves without signing.
    Declined,
}

/// What is typed now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Reading,
    Searching(String),
    Leaving,
    Keys,
}

/// A page, by what it shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Page {
    Bundle,
    Summary(usize),
    Exceptions(usize),
    Items(usize),
    Words,
}

/// Which items are on the items' pages, besides what is searched for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kept {
    All,
    /// Those that ask for a look.
    Marked,
    /// Those that pay somebody for the first time.
    New,
}

pub(super) struct Leaf {
    pub page: Page,
    pub rows: Vec<Row>,
    seen: Vec<bool>,
}

/// A sitting at the screen.
pub struct Screen<'a> {
    pub(super) sheets: Vec<Sheet<'a>>,
    digest: Digest,
    pub(super) leaves: Vec<Leaf>,
    pub(super) at: usize,
    pub(super) top: usize,
    pub(super) size: Size,
    pub(super) mode: Mode,
    pub(super) search: String,
    pub(super) kept: Kept,
    pub(super) typed: String,
    pub(super) wrong: usize,
    pub(super) folded: Vec<Folded>,
}

impl<'a> Screen<'a> {
    /// At the first page.
    pub fn new(sheets: Vec<Sheet<'a>>) -> Self {
        let mut leaves = Vec::new();
        let mut add = |page, rows: Vec<Row>| {
            let seen = vec![false; rows.len()];
            leaves.push(Leaf { page, rows, seen });
        };
        if sheets.len() > 1 {
            add(Page::Bundle, pages::bundle(&sheets));
        }
        for (number, sheet) in sheets.iter().enumerate() {
            add(Page::Summary(number), summary(sheet));
            add(Page::Exceptions(number), pages::exceptions(sheet));
            add(Page::Items(number), items::rows(sheet, |_| true));
        }
        add(Page::Words, pages::closing(&sheets));
        let digest = pages::digest_of(&sheets);
        let mut screen = Self {
            sheets,
            digest,
            leaves,
            at: 0,
            top: 0,
            size: Size { columns: 80, rows: 24 },
            mode: Mode::Reading,
            search: String::new(),
            kept: Kept::All,
            typed: String::new(),
            wrong: 0,
            folded: Vec::new(),
        };
        screen.fold();
        screen
    }

    /// Follows the window. The row at the top stays there.
    pub fn resize(&mut self, size: Size) {
        if self.size == size {
            return;
        }
        let row = self.folded.get(self.top).map_or(0, |line| line.row);
        self.size = size;
        self.fold();
        self.top = self.folded.iter().position(|line| line.row == row).unwrap_or(0);
        self.settle();
    }

    /// Does what the key says.
    pub fn press(&mut self, key: Key) -> Step {
        if key == Key::Gone {
            return Step::Declined;
        }
        match std::mem::replace(&mut self.mode, Mode::Reading) {
            Mode::Searching(text) => self.search_key(text, key),
            Mode::Keys => {}
            Mode::Leaving if matches!(key, Key::Char('y' | 'Y')) => return Step::Declined,
            Mode::Leaving => {}
            Mode::Reading if key == Key::Interrupt => self.mode = Mode::Leaving,
            Mode::Reading if self.takes_words() => return self.word_key(key),
            Mode::Reading if self.page() == Page::Words => self.early_key(key),
            Mode::Reading => self.reading_key(key),
        }
        Step::Stay
    }

    fn reading_key(&mut self, key: Key) {
        let page = self.body_rows().max(1);
        match key {
            Key::Char(' ') | Key::PageDown | Key::Enter if self.top + page >= self.folded.len() => {
                self.turn(1)
            }
            Key::Char(' ') | Key::PageDown | Key::Enter => {
                self.scroll(page.saturating_sub(1).max(1) as isize)
            }
            Key::Char('b') | Key::PageUp if self.top == 0 => self.turn(-1),
            Key::Char('b') | Key::PageUp => self.scroll(-(page.saturating_sub(1).max(1) as isize)),
            Key::Char('j') | Key::Down => self.scroll(1),
            Key::Char('k') | Key::Up => self.scroll(-1),
            Key::Char('g') | Key::Home => self.scroll(-(self.folded.len() as isize)),
            Key::Char('G') | Key::End => self.scroll(self.folded.len() as isize),
            Key::Char('>' | 'n') | Key::Right | Key::Tab => self.turn(1),
            Key::Char('<' | 'p') | Key::Left | Key::BackTab => self.turn(-1),
            Key::Char('s') => self.go_near(|page| matches!(page, Page::Summary(_))),
            Key::Char('e') => self.go_near(|page| matches!(page, Page::Exceptions(_))),
            Key::Char('i') => self.go_near(|page| matches!(page, Page::Items(_))),
            Key::Char('w') => self.go(self.leaves.len() - 1),
            Key::Char('/') => self.mode = Mode::Searching(String::new()),
            Key::Char('!') => self.keep(Kept::Marked),
            Key::Char('f') => self.keep(Kept::New),
            Key::Escape => self.filter(String::new(), Kept::All),
            Key::Char('?' | 'h') => self.mode = Mode::Keys,
            Key::Char('q') => self.mode = Mode::Leaving,
            _ => {}
        }
    }

    /// On the last page before its time: words typed now go nowhere, and turn no pages either.
    fn early_key(&mut self, key: Key) {
        match (key, self.unread()) {
            (Key::Enter, Some(leaf)) => self.go(leaf),
            (Key::Char('<') | Key::Escape | Key::Left | Key::BackTab | Key::PageUp, _) => self.turn(-1),
            (Key::Up, _) => self.scroll(-1),
            (Key::Down, _) => self.scroll(1),
            _ => {}
        }
    }

    fn search_key(&mut self, mut text: String, key: Key) {
        match key {
            Key::Char(c) if text.len() < TYPED_MAX => text.push(c),
            Key::Backspace => drop(text.pop()),
            Key::Clear => text.clear(),
            Key::Enter => return self.filter(text, self.kept),
            Key::Escape | Key::Interrupt => return,
            _ => {}
        }
        self.mode = Mode::Searching(text);
    }

    fn word_key(&mut self, key: Key) -> Step {
        match key {
            // One page key too many is no letter, and no word begins with a space.
            Key::Char(' ') if self.typed.is_empty() => {}
            Key::Char(c) if (c.is_ascii_alphabetic() || c == ' ') && self.typed.len() < TYPED_MAX => {
                self.typed.push(c);
            }
            Key::Backspace => drop(self.typed.pop()),
            Key::Clear => self.typed.clear(),
            Key::Enter if words::confirms(&self.typed, &self.digest) => {
                return Step::Words(std::mem::take(&mut self.typed));
            }
            Key::Enter if !self.typed.trim().is_empty() => {
                self.wrong += 1;
                if self.wrong >= WORD_TRIES {
                    return Step::Words(std::mem::take(&mut self.typed));
                }
            }
            Key::Escape | Key::Left | Key::BackTab => self.turn(-1),
            Key::PageUp | Key::Up if self.top == 0 => self.turn(-1),
            Key::Up | Key::PageUp => self.scroll(-1),
            Key::Down | Key::PageDown => self.scroll(1),
            _ => {}
        }
        Step::Stay
    }

    /// Are letters the words now?
    pub(super) fn takes_words(&self) -> bool {
        self.page() == Page::Words && self.unread().is_none()
    }

    /// The page in view.
    pub(super) fn page(&self) -> Page {
        self.leaves.get(self.at).map_or(Page::Words, |leaf| leaf.page)
    }

    /// The first page that must be read and has not been.
    pub(super) fn unread(&self) -> Option<usize> {
        self.leaves.iter().position(|leaf| !leaf.is_read())
    }

    /// Lines of the page between the bars; some pages keep lines below for what is typed or left out.
    pub(super) fn body_rows(&self) -> usize {
        let below = match self.page() {
            Page::Words => 5,
            Page::Items(_) if self.is_filtered() => 1,
            _ => 0,
        };
        self.size.rows.saturating_sub(2 + below)
    }

    fn scroll(&mut self, lines: isize) {
        self.top = self.top.saturating_add_signed(lines);
        self.settle();
    }

    /// No further than that the last line stands at the bottom.
    fn settle(&mut self) {
        self.top = self.top.min(self.folded.len().saturating_sub(self.body_rows()));
    }

    fn turn(&mut self, by: isize) {
        self.go(self.at.saturating_add_signed(by).min(self.leaves.len() - 1));
    }

    fn go(&mut self, leaf: usize) {
        if leaf != self.at {
            (self.at, self.top) = (leaf, 0);
            self.fold();
        }
    }

    /// To the page of that kind of the batch in view.
    fn go_near(&mut self, wanted: impl Fn(Page) -> bool) {
        let batch = self.page().batch().unwrap_or(0);
        let near = |leaf: &Leaf| wanted(leaf.page) && leaf.page.batch() == Some(batch);
        if let Some(leaf) = self.leaves.iter().position(near) {
            self.go(leaf);
        }
    }

    /// Leaves some items out, or with the same key again none.
    fn keep(&mut self, kept: Kept) {
        self.filter(self.search.clone(), if self.kept == kept { Kept::All } else { kept });
    }

    /// Shows the items that hold `search` and belong to those kept.
    fn filter(&mut self, search: String, kept: Kept) {
        (self.search, self.kept) = (search, kept);
        for leaf in &mut self.leaves {
            let Page::Items(batch) = leaf.page else { continue };
            let Some(sheet) = self.sheets.get(batch) else { continue };
            let is_kept = |item: usize| match kept {
                Kept::All => true,
                Kept::Marked => sheet.about(item).any(|about| about.weight() < Weight::Note),
                Kept::New => sheet
                    .about(item)
                    .any(|about| matches!(about, Exception::FirstSeen { .. } | Exception::Young { .. })),
            };
            let is_found = |item: usize| self.search.is_empty() || sheet.matches(item, &self.search);
            let wanted = |item: usize| is_kept(item) && is_found(item);
            leaf.rows = items::rows(sheet, wanted);
        }
        if self.is_filtered() {
            // To the batch in view, or the first one that has what was searched for.
            let has = |leaf: &Leaf| matches!(leaf.page, Page::Items(_)) && !leaf.rows.is_empty();
            let here = self.page().batch();
            let near = self.leaves.iter().position(|leaf| has(leaf) && leaf.page.batch() == here);
            if let Some(leaf) = near.or_else(|| self.leaves.iter().position(has)) {
                self.at = leaf;
            } else {
                self.go_near(|page| matches!(page, Page::Items(_)));
            }
        }
        self.top = 0;
        self.fold();
    }

    /// Are some items left out?
    pub(super) fn is_filtered(&self) -> bool {
        self.kept != Kept::All || !self.search.is_empty()
    }

    fn fold(&mut self) {
        let rows = self.leaves.get(self.at).map_or(&[][..], |leaf| &leaf.rows);
        self.folded = fold_all(rows, self.size.columns.saturating_sub(2 * MARGIN));
    }

    /// Is the window large enough for a page?
    pub(super) fn has_room(&self) -> bool {
        self.size.columns >= SIZE_MIN.columns && self.size.rows >= SIZE_MIN.rows
    }

    /// What is in view counts as seen.
    pub(super) fn mark(&mut self) {
        let shown = self.folded.iter().skip(self.top).take(self.body_rows());
        let Some(leaf) = self.leaves.get_mut(self.at) else { return };
        for line in shown.filter(|line| line.last) {
            if let Some(seen) = leaf.seen.get_mut(line.row) {
                *seen = true;
            }
        }
    }
}

impl Leaf {
    /// Has every line that must be read been on the screen?
    pub(super) fn is_read(&self) -> bool {
        matches!(self.page, Page::Items(_) | Page::Words) || self.seen.iter().all(|seen| *seen)
    }
}

impl Page {
    /// The batch it belongs to.
    pub(super) const fn batch(self) -> Option<usize> {
        match self {
            Self::Summary(batch) | Self::Exceptions(batch) | Self::Items(batch) => Some(batch),
            Self::Bundle | Self::Words => None,
        }
    }
}
