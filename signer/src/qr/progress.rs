//! How far the reading is, in one line of a terminal.
//!
//! `live` keeps the [`Status`], a [`Screen`] shows it: needed, got, how fast, how long still, and what else is in
//! sight. What must stay true: nothing of a picture reaches the terminal except numbers and transfer names in
//! hex; the line fits 79 columns; on anything but a terminal there is a line every few seconds, and none with `--json`.

use airlock_shared::document::Document as _;
use airlock_shared::envelope::{ApprovalReply, ApprovalRequest, Bundle, Introduction, Replies, SignedBatch};
use airlock_shared::frames::{TransferId, UnderWay};
use airlock_shared::genesis::SignedGenesis;
use airlock_shared::policy::SignedPolicy;
use std::collections::VecDeque;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// The width of the narrowest terminal that is served, less the last column, which some wrap at.
const COLUMNS: usize = 79;
/// The rate is that of so many seconds.
const RATE_SECONDS: u64 = 4;
/// More new frames than come in that time; each is an instant.
const RATE_FRAMES_MAX: usize = 256;
/// How often the line changes, on a terminal and elsewhere.
const REFRESH: Duration = Duration::from_millis(200);
const LOG_INTERVAL: Duration = Duration::from_secs(5);
/// A person needs nothing told about what is done at once.
const QUIET: Duration = Duration::from_millis(400);
/// After so many pictures without any code there is advice.
const ADVICE_PICTURES: u64 = 30;

/// What has been seen so far.
#[derive(Clone, Debug)]
pub struct Status {
    started: Instant,
    /// Pictures that came.
    pub pictures: u64,
    /// Pictures that could not be decoded.
    pub damaged: u64,
    /// Readers that were given up because a picture took too long.
    pub late: usize,
    /// Codes of other programs.
    pub foreign: u64,
    /// Codes of hardware wallets among them.
    pub hardware: u64,
    /// Frames that came again.
    pub repeated: u64,
    /// Frames that were read wrongly, or belong to no sound transfer.
    pub broken: u64,
    /// Transfers of which frames are missing.
    pub under_way: Vec<UnderWay>,
    /// Complete transfers and their kinds.
    pub complete: Vec<(TransferId, u8)>,
    recent: VecDeque<Instant>,
}

impl Status {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            pictures: 0,
            damaged: 0,
            late: 0,
            foreign: 0,
            hardware: 0,
            repeated: 0,
            broken: 0,
            under_way: Vec::new(),
            complete: Vec::new(),
            recent: VecDeque::new(),
        }
    }

    /// A frame was new.
    pub fn grew(&mut self) {
        if self.recent.len() == RATE_FRAMES_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(Instant::now());
    }

    /// A code was not ours.
    pub fn foreign(&mut self, text: &str) {
        self.foreign += 1;
        self.hardware += u64::from(text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("ur:")));
    }

    /// New frames in ten seconds, at the rate of the last few.
    fn frames_in_ten_seconds(&self, now: Instant) -> u64 {
        let since = now.checked_sub(Duration::from_secs(RATE_SECONDS)).unwrap_or(now).max(self.started);
        let frames = self.recent.iter().filter(|at| **at >= since).count() as u64;
        let elapsed_ms = now.duration_since(since).as_millis() as u64;
        (frames * 10_000).checked_div(elapsed_ms).unwrap_or(0)
    }

    /// The line. `is_wanted` tells by its kind which transfer is the one that is waited for.
    pub fn line(&self, is_wanted: impl Fn(TransferId, u8) -> bool, now: Instant) -> String {
        let mut others: Vec<&UnderWay> = self.under_way.iter().collect();
        others.sort_by_key(|one| (!is_wanted(one.id, one.kind), std::cmp::Reverse(one.have)));
        let main = others.first().copied().filter(|one| is_wanted(one.id, one.kind));
        let mut parts = Vec::new();
        match (main, self.complete.iter().find(|(id, kind)| is_wanted(*id, *kind))) {
            (Some(one), _) => {
                others.remove(0);
                parts.push(self.growing(one, now));
            }
            (None, Some((id, kind))) => parts.push(format!("{} {} complete", kind_name(*kind), short(*id))),
            (None, None) => parts.push(self.waiting()),
        }
        let others = others.iter().map(|one| {
            format!("also {} {}: {} of {}", kind_name(one.kind), short(one.id), one.have, one.need)
        });
        parts.extend(others);
        let codes = self.foreign - self.hardware;
        let notes = [
            (codes, "foreign codes"),
            (self.hardware, "codes of hardware wallets"),
            (self.broken, "damaged frames"),
            (self.damaged, "unreadable pictures"),
            (self.late as u64, "pictures given up"),
        ];
        parts.extend(
            notes.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")),
        );
        parts.join(" | ").chars().take(COLUMNS).collect()
    }

    fn growing(&self, one: &UnderWay, now: Instant) -> String {
        let rate = self.frames_in_ten_seconds(now);
        let missing = one.need.saturating_sub(one.have) as u64;
        let left = match (missing, rate) {
            (0, _) => ", a last frame".to_owned(), // now and then it takes one or two more
            (_, 0) => ", waiting".to_owned(),
            _ => format!(", {}.{}/s, {} s left", rate / 10, rate % 10, (missing * 10).div_ceil(rate)),
        };
        format!("{} {}: {} of {} frames{left}", kind_name(one.kind), short(one.id), one.have, one.need)
    }

    fn waiting(&self) -> String {
        match self.pictures {
            0 => "waiting for the first picture".to_owned(),
            pictures if pictures > ADVICE_PICTURES && self.foreign == 0 => {
                format!("{pictures} pictures, no code: nearer, sharper, or less light on the screen")
            }
            pictures => format!("{pictures} pictures, no code of Airlock yet"),
        }
    }
}

impl Default for Status {
    fn default() -> Self {
        Self::new()
    }
}

/// Eight characters name a transfer among the few that are in sight.
fn short(id: TransferId) -> String {
    id.to_string().chars().take(8).collect()
}

/// What a kind of document is called. A frame may claim any.
pub fn kind_name(kind: u8) -> &'static str {
    match kind {
        Bundle::KIND => "bundle",
        Replies::KIND => "reply",
        ApprovalRequest::KIND => "approval request",
        ApprovalReply::KIND => "approval",
        Introduction::KIND => "introduction",
        SignedBatch::KIND => "signed batch",
        SignedPolicy::KIND => "policy",
        SignedGenesis::KIND => "genesis",
        _ => "unknown document",
    }
}

/// Where the line is shown.
pub struct Screen {
    terminal: bool,
    silent: bool,
    drawn: bool,
    next: Instant,
}

impl Screen {
    /// On standard error; with `silent` nowhere. `live` sources are spoken of in logs as well.
    pub fn new(silent: bool, live: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, silent: silent || !(terminal || live), drawn: false, next: Instant::now() + QUIET }
    }

    /// Shows the line if it is time.
    pub fn show(&mut self, line: impl FnOnce(Instant) -> String) {
        let now = Instant::now();
        if self.silent || now < self.next {
            return;
        }
        self.next = now + if self.terminal { REFRESH } else { LOG_INTERVAL };
        self.write(&line(now));
    }

    /// Shows the last line and goes on below it, if there ever was one.
    pub fn end(self, line: impl FnOnce(Instant) -> String) {
        if self.drawn && !self.silent {
            let last = line(Instant::now());
            let mut out = std::io::stderr().lock();
            let _ = if self.terminal { writeln!(out, "\r\x1b[2K{last}") } else { writeln!(out, "{last}") };
        }
    }

    fn write(&mut self, line: &str) {
        self.drawn = true;
        let mut out = std::io::stderr().lock();
        // A terminal that has gone away is no reason to stop reading.
        let _ = if self.terminal { write!(out, "\r\x1b[2K{line}") } else { writeln!(out, "{line}") };
        let _ = out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::frames::{Encoder, FrameSize, Transfers, WhenFull};

    fn seen(kinds: &[(u8, usize)]) -> Status {
        let mut transfers = Transfers::new(8, WhenFull::Forget);
        for (kind, frames) in kinds {
            let encoder = Encoder::new(&vec![*kind; 20_000], *kind, FrameSize::default()).unwrap();
            for frame in encoder.frames().take(*frames) {
                transfers.receive(&frame).unwrap();
            }
        }
        Status { under_way: transfers.under_way().collect(), pictures: 40, ..Status::new() }
    }

    #[test]
    fn the_expected_kind_comes_first_and_the_others_beside_it() {
        let mut status = seen(&[(SignedPolicy::KIND, 9), (Bundle::KIND, 5)]);
        let now = status.started + Duration::from_secs(2);
        status.recent = (0..5).map(|_| status.started + Duration::from_secs(1)).collect();
        status.foreign = 3;
        let line = status.line(|_, kind| kind == Bundle::KIND, now);
        assert!(line.starts_with("bundle "), "{line}");
        assert!(line.contains(": 5 of 25 frames, 2.5/s, 8 s left | also policy "), "{line}");
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }

    #[test]
    fn without_a_code_there_is_advice_and_foreign_codes_are_named() {
        let mut status = seen(&[]);
        let line = |status: &Status| status.line(|_, _| true, Instant::now());
        assert_eq!(line(&status), "40 pictures, no code: nearer, sharper, or less light on the screen");
        status.foreign("UR:BYTES/1-2/AA");
        assert_eq!(line(&status), "40 pictures, no code of Airlock yet | 1 codes of hardware wallets");
        status.pictures = 0;
        assert!(line(&status).starts_with("waiting for the first picture"));
    }
}
