//! What is seen on the review's screen: a bar above, the page, a bar below.
//!
//! Called by the loop at every turn, with the time. What must stay true: every line fits its width; the bar
//! above says which batch, which page, what kind of money and how much time is left; the bar below says
//! what the keys do; what was drawn is marked as seen.

use super::state::{MARGIN, Mode, Page, SIZE_MIN, Screen};
use crate::review::row::Tone;
use crate::review::text::{counted, duration, thousands};
use crate::terminal::{Line, Span};
use airlock_shared::{Profile, words};

/// The keys, for the page that `?` opens.
const KEYS: &[(&str, &str)] = &[
    ("Space, PgDn", "on; at the end of a page to the next"),
    ("b, PgUp", "back"),
    ("j k, arrows", "one line down, up"),
    ("> <, Tab", "next page, page before"),
    ("s e i w", "summary, exceptions, items, words"),
    ("/", "search items: part of an address, amount, id, nonce, label"),
    ("!", "only items with STOP or LOOK; again for all"),
    ("f", "only items that pay somebody new; again for all"),
    ("Esc", "all items again"),
    ("Ctrl-L", "draw everything again"),
    ("q, Ctrl-C", "leave; nothing is signed"),
];

fn line(text: impl Into<String>, tone: Tone) -> Line {
    vec![Span { text: text.into(), tone }]
}

impl Screen<'_> {
    /// The whole screen at this time, and marks what is on it as seen.
    pub fn show(&mut self, now: u64) -> Vec<Line> {
        if !self.has_room() {
            return self.no_room();
        }
        let mut lines = vec![self.bar_above(now)];
        match &self.mode {
            Mode::Keys => lines.extend(self.keys()),
            Mode::Leaving => lines.extend(leaving()),
            Mode::Reading | Mode::Searching(_) => {
                self.mark();
                lines.extend(self.body());
            }
        }
        lines.resize(self.size.rows - 1, Line::new());
        lines.push(self.bar_below());
        lines
    }

    fn no_room(&self) -> Vec<Line> {
        let (columns, rows) = (SIZE_MIN.columns, SIZE_MIN.rows);
        let text = format!("Make this window larger: {columns}x{rows} at least.");
        let words = text.split(' ').fold(vec![String::new()], |mut lines: Vec<String>, word| {
            match lines.last_mut() {
                Some(last) if last.is_empty() => word.clone_into(last),
                Some(last) if last.len() + 1 + word.len() <= self.size.columns => {
                    *last += &format!(" {word}")
                }
                _ => lines.push(word.to_owned()),
            }
            lines
        });
        let fit = |text: String| line(clipped(&text, self.size.columns), Tone::Plain);
        words.into_iter().take(self.size.rows).map(fit).collect()
    }

    fn bar_above(&self, now: u64) -> Line {
        let of = |batch: usize, page: &str| match self.sheets.len() {
            1 => page.to_owned(),
            all => format!("batch {} of {all}: {page}", batch + 1),
        };
        let title = match self.page() {
            Page::Bundle => "the bundle".to_owned(),
            Page::Summary(batch) => of(batch, "summary"),
            Page::Exceptions(batch) => of(batch, "exceptions"),
            Page::Items(batch) => of(batch, "items"),
            Page::Words => "the words".to_owned(),
        };
        let sheets = || self.sheets.iter();
        let expires = match self.page().batch().and_then(|batch| self.sheets.get(batch)) {
            Some(sheet) => Some(sheet.content.expires_at),
            None => sheets().map(|sheet| sheet.content.expires_at).min(),
        };
        let left = match expires.unwrap_or(0).checked_sub(now) {
            Some(left) if left > 0 => format!("{} left", duration(left)),
            _ => "EXPIRED".to_owned(),
        };
        let money = match sheets().next().map(|sheet| sheet.content.profile) {
            Some(Profile::Main) => "REAL MONEY",
            Some(Profile::Test) => "test network",
            Some(Profile::Dev) | None => "development",
        };
        bar(&format!(" AIRLOCK  {title}"), &format!("{money}  {left} "), self.size.columns)
    }

    fn bar_below(&self) -> Line {
        let reading = match self.page() {
            _ if self.takes_words() => " Type the words, then Enter   Esc back   Ctrl-C leave",
            Page::Words => " Enter first unread page   < back   Ctrl-C leave",
            Page::Items(_) => " Space on   b back   > page   / search   ! marked   f first   ? keys",
            _ => " Space on   b back   > page   / search items   ? keys   q leave",
        };
        let left = match &self.mode {
            Mode::Searching(text) => {
                return bar(&format!(" search: {text}_"), "Enter  Esc ", self.size.columns);
            }
            Mode::Keys => " Any key goes back to the page",
            Mode::Leaving => " y leaves  any other key stays",
            Mode::Reading => reading,
        };
        bar(left, &self.place(), self.size.columns)
    }

    /// How far down the page one is.
    fn place(&self) -> String {
        let (all, shown) = (self.folded.len(), self.top + self.body_rows());
        if self.mode != Mode::Reading || all <= self.body_rows() {
            return String::new();
        }
        match all.saturating_sub(shown) {
            0 => " end ".to_owned(),
            below => format!(" {} below ", thousands(&below.to_string())),
        }
    }

    fn body(&self) -> Vec<Line> {
        let shown = self.folded.iter().skip(self.top).take(self.body_rows());
        let mut lines: Vec<Line> = shown.map(|folded| indented(&folded.line)).collect();
        match self.page() {
            Page::Items(batch) if self.is_filtered() => {
                let all = self.sheets.get(batch).map_or(0, |sheet| sheet.content.items.len());
                let found = self.leaves.get(self.at).map_or(0, |leaf| leaf.rows.len());
                if found == 0 {
                    lines.push(line(" No item here. Esc shows all of them.", Tone::Plain));
                }
                let shown = thousands(&found.to_string());
                let note = format!(" {shown} of {} shown; Esc shows all.", counted(all, "item"));
                lines.push(line(note, Tone::Strong));
            }
            Page::Words => lines.extend(self.words()),
            _ => {}
        }
        lines
    }

    /// What is typed on the last page, or what is still to be read before.
    fn words(&self) -> Vec<Line> {
        let mut lines = vec![Line::new()];
        if let Some(unread) = self.unread() {
            let many = self.leaves.iter().skip(unread).filter(|leaf| !leaf.is_read()).count();
            lines.push(indented(&line("NOT YET", Tone::Look)));
            lines.push(line(
                format!(
                    " {} not been on the screen to the end; Enter goes there.",
                    match many {
                        1 => "1 page has".to_owned(),
                        many => format!("{many} pages have"),
                    }
                ),
                Tone::Plain,
            ));
            return lines;
        }
        let mut typed = format!(" > {}_", self.typed);
        let over = typed.len().saturating_sub(self.size.columns);
        typed.drain(..over);
        lines.push(line(typed, Tone::Strong));
        lines.push(line(format!("   {}", self.progress()), Tone::Plain));
        if self.wrong > 0 {
            let tries = format!("Those were not the words above ({} of 3 attempts).", self.wrong);
            lines.push(indented(&line(tries, Tone::Look)));
        }
        lines
    }

    /// How the words typed so far compare with those above.
    fn progress(&self) -> String {
        let all = words::words(&crate::review::pages::digest_of(&self.sheets));
        let typed: Vec<_> = self.typed.split_whitespace().map(str::to_lowercase).collect();
        let finished = typed.len().saturating_sub(usize::from(!self.typed.ends_with(' ')));
        let wrong = (1..).zip(typed.iter().zip(all.split(' '))).find(|(number, (one, word))| {
            if *number <= finished { one != word } else { !word.starts_with(one.as_str()) }
        });
        match wrong {
            Some((number, _)) => format!("Word {number} differs from the words above."),
            None if typed.len() > 8 => "These are more than eight words.".to_owned(),
            None => format!("{} of 8 words", typed.len()),
        }
    }

    fn keys(&self) -> Vec<Line> {
        let mut lines = vec![Line::new()];
        for (key, does) in KEYS {
            lines.push(vec![
                Span { text: format!("  {key:<14}"), tone: Tone::Strong },
                Span { text: clipped(does, self.size.columns.saturating_sub(16)), tone: Tone::Plain },
            ]);
        }
        lines.truncate(self.size.rows.saturating_sub(2));
        lines
    }
}

/// In line with the bars.
fn indented(line: &Line) -> Line {
    let margin = Span { text: " ".repeat(MARGIN), tone: Tone::Plain };
    std::iter::once(margin).chain(line.iter().cloned()).collect()
}

fn leaving() -> Vec<Line> {
    vec![
        Line::new(),
        line("  Leave without signing?", Tone::Strong),
        line("  Nothing is signed and nothing is written.", Tone::Plain),
        line("  y leaves, any other key stays.", Tone::Plain),
    ]
}

/// A bar with something at both ends; the left end gives way.
fn bar(left: &str, right: &str, columns: usize) -> Line {
    let right = clipped(right, columns);
    let room = columns - right.len();
    let left = clipped(left, room);
    line(format!("{left:<room$}{right}"), Tone::Bar)
}

fn clipped(text: &str, columns: usize) -> String {
    text.chars().take(columns).collect()
}
