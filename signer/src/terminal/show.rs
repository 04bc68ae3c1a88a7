//! QR frames in the terminal: which code is on the screen, how large, how fast.
//!
//! Called by `commands::display`. Pure but for the drawing of codes: keys, sizes and turns in, lines out. What
//! must stay true: the code never exceeds the window and keeps its four modules of white on every side, dark
//! on light whatever the theme; every round shows new frames of the transfer, so that one which a camera
//! never catches is not missed twice; a window that is too small says how large it must be.

use super::{Key, Size};
use airlock_shared::frames::{Encoder, FrameSize, Level, QrImage};
use std::time::Duration;

/// The smallest version worth showing; its code takes 45 columns and 24 rows with the line below.
const VERSION_MIN: u8 = 5;
const VERSION_MAX: u8 = 40;
/// How long a frame stands, slowest first. Ten a second is what most cameras follow.
const PACES_MS: &[u64] = &[2_000, 1_000, 500, 333, 250, 167, 125, 100, 67, 50];
/// Ten a second.
const USUAL_PACE: usize = 7;
/// Grounds from white to grey: a bright screen blinds some cameras.
const GROUNDS: &[&str] = &["231", "252", "248", "244"];

/// More frames than this are shown only if asked: minutes on the screen, and long in the making.
const FRAMES_MANY: usize = 1_000;

/// What is shown and how.
pub struct Show<'a> {
    name: &'a str,
    binary: &'a [u8],
    kind: u8,
    /// The most that was asked for; keys change it.
    wanted: u8,
    window: Size,
    encoder: Result<Encoder, String>,
    /// The frames of this size are still to be made, which takes its time.
    pending: bool,
    /// The person wants them, many as they are.
    insists: bool,
    number: u32,
    pace: usize,
    ground: usize,
    paused: bool,
}

impl<'a> Show<'a> {
    /// From the first frame, no larger than `wanted`.
    pub fn new(name: &'a str, binary: &'a [u8], kind: u8, wanted: u8, window: Size) -> Self {
        let wanted = wanted.clamp(VERSION_MIN, VERSION_MAX);
        let mut show = Self {
            name,
            binary,
            kind,
            wanted,
            window,
            encoder: Err(String::new()),
            pending: true,
            insists: false,
            number: 0,
            pace: USUAL_PACE,
            ground: 0,
            paused: false,
        };
        show.plan();
        show
    }

    /// The largest version for a window: two modules a line, one a column, one line for words.
    fn fitting(window: Size) -> Option<u8> {
        let modules = (2 * window.rows.saturating_sub(1)).min(window.columns);
        let fits = |version: &u8| 17 + 4 * usize::from(*version) + 8 <= modules;
        (VERSION_MIN..=VERSION_MAX).rev().find(fits)
    }

    /// Another size is another row of frames, from its first. What cannot be shown is told at once.
    fn plan(&mut self) {
        self.number = 0;
        let told = match self.size() {
            Err(why) => Some(why),
            Ok(size) => {
                let frames = self.binary.len().div_ceil(size.symbol_bytes());
                let minutes = frames.div_ceil(60 * 10);
                (frames > FRAMES_MANY && !self.insists).then(|| {
                    format!(
                        "{frames} codes of this size, {minutes} minutes and more. c shows them all the same."
                    )
                })
            }
        };
        self.pending = told.is_none();
        self.encoder = Err(told.unwrap_or_else(|| "The codes are being made ...".to_owned()));
    }

    /// Are frames planned and not yet made?
    pub const fn is_pending(&self) -> bool {
        self.pending
    }

    /// Makes the frames that are planned. Called when the screen says so already.
    pub fn prepare(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.encoder = self.size().and_then(|size| {
                Encoder::new(self.binary, self.kind, size).map_err(|error| error.to_string())
            });
        }
    }

    /// The largest code that was asked for and fits.
    fn size(&self) -> Result<FrameSize, String> {
        let version = Self::fitting(self.window).map(|most| most.min(self.wanted)).ok_or_else(|| {
            format!(
                "This window has {} columns and {} rows; a code needs 45 columns and 24 rows at least.",
                self.window.columns, self.window.rows
            )
        })?;
        FrameSize::new(version, Level::L).map_err(|error| error.to_string())
    }

    /// Follows the window.
    pub fn resize(&mut self, window: Size) {
        if window != self.window {
            let before = self.size().ok();
            self.window = window;
            if before.is_none() || before != self.size().ok() {
                self.plan();
            }
        }
    }

    /// How long the frame in view stands.
    pub fn pace(&self) -> Duration {
        Duration::from_millis(PACES_MS.get(self.pace).copied().unwrap_or(100))
    }

    /// The next frame, unless it is paused.
    pub fn turn(&mut self) {
        if !self.paused {
            self.number = self.number.wrapping_add(1);
        }
    }

    /// Does what the key says; `false` ends.
    pub fn press(&mut self, key: Key) -> bool {
        match key {
            Key::Char('q') | Key::Enter | Key::Escape | Key::Interrupt | Key::Gone => return false,
            Key::Char('+' | '=') | Key::Up => self.scale(1),
            Key::Char('-') | Key::Down => self.scale(-1),
            Key::Char('f') | Key::Right => self.pace = (self.pace + 1).min(PACES_MS.len() - 1),
            Key::Char('s') | Key::Left => self.pace = self.pace.saturating_sub(1),
            Key::Char('p' | ' ') => self.paused = !self.paused,
            Key::Char('c') if !self.insists => {
                self.insists = true;
                self.plan();
            }
            Key::Char('n') => self.number = self.number.wrapping_add(1),
            Key::Char('d') => self.ground = (self.ground + 1) % GROUNDS.len(),
            _ => {}
        }
        true
    }

    fn scale(&mut self, by: i8) {
        let most = Self::fitting(self.window).unwrap_or(VERSION_MIN);
        let wanted = self.wanted.min(most).saturating_add_signed(by).clamp(VERSION_MIN, most);
        if wanted != self.wanted {
            self.wanted = wanted;
            self.plan();
        }
    }

    /// The whole screen, as lines with their escape sequences.
    pub fn lines(&self) -> Vec<String> {
        let drawn = self.encoder.as_ref().map_err(Clone::clone).and_then(|encoder| {
            let image = QrImage::encode(&encoder.frame(self.number), encoder.size());
            image.map(|image| (encoder, image)).map_err(|error| error.to_string())
        });
        match drawn {
            Ok((encoder, image)) => self.code(encoder, &image),
            Err(why) if self.pending => vec![self.clip(&why)],
            Err(why) => vec![
                self.clip(&why),
                String::new(),
                self.clip("Make the window larger or its letters smaller."),
                self.clip("The files that were written hold the same frames."),
                self.clip("q ends."),
            ],
        }
    }

    fn code(&self, encoder: &Encoder, image: &QrImage) -> Vec<String> {
        let ground = GROUNDS.get(self.ground).copied().unwrap_or("231");
        let margin = " ".repeat(self.window.columns.saturating_sub(image.side_modules()) / 2);
        let text = image.terminal().replace("48;5;231", &format!("48;5;{ground}"));
        let mut lines: Vec<String> = text.lines().map(|line| format!("{margin}{line}")).collect();
        lines.resize(self.window.rows.saturating_sub(1).max(lines.len()), String::new());
        lines.push(self.clip(&self.status(encoder)));
        lines
    }

    fn status(&self, encoder: &Encoder) -> String {
        let round = encoder.suggested_frames().max(1);
        let frame = match round {
            1 => "1 frame".to_owned(),
            _ => format!("{}/{round}, round {}", self.number % round + 1, self.number / round + 1),
        };
        let pace = if self.paused {
            "paused".to_owned()
        } else {
            let tenths = 10_000 / self.pace().as_millis().max(1);
            format!("{}.{}/s", tenths / 10, tenths % 10)
        };
        // A code of few modules is a long row of frames.
        let advice = if round > 60 && Self::fitting(self.window).is_some_and(|most| most < 15) {
            "  larger window: fewer frames"
        } else {
            ""
        };
        format!(
            "{} {frame}  {pace}  size {}  +- size  sf speed  p pause  d dim  q ends{advice}",
            self.name,
            encoder.size().version()
        )
    }

    fn clip(&self, text: &str) -> String {
        text.chars().take(self.window.columns).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::frames::{Decoder, Luma, Progress, QrScanner, Scanner as _};

    const WINDOW: Size = Size { columns: 80, rows: 24 };

    fn show(payload: &[u8], window: Size) -> Show<'_> {
        let mut show = Show::new("reply", payload, 3, 20, window);
        show.prepare();
        show
    }

    fn version(show: &Show<'_>) -> u8 {
        show.encoder.as_ref().ok().unwrap().size().version()
    }

    #[test]
    fn the_code_follows_the_window_and_always_fits_it() {
        let payload = [7; 3_000];
        let mut versions = Vec::new();
        for (columns, rows) in [(80, 24), (120, 40), (200, 60), (300, 100), (50, 60)] {
            let window = Size { columns, rows };
            let shown = show(&payload, window);
            let lines = shown.lines();
            assert_eq!(lines.len(), rows);
            assert!(lines.iter().all(|line| width(line) <= columns));
            versions.push(version(&shown));
        }
        assert_eq!(versions, [5, 13, 20, 20, 6]);
    }

    #[test]
    fn a_reader_reads_what_stands_on_the_screen() {
        let payload = [7; 900];
        let mut shown = show(&payload, Size { columns: 120, rows: 40 });
        let mut decoder = Decoder::new();
        let mut read = None;
        for _ in 0..20 {
            let picture = photograph(&shown.lines()[..39], 120);
            let texts = QrScanner.scan(&picture);
            assert_eq!(texts.len(), 1);
            if let Ok(Progress::Complete(whole)) = decoder.receive(&texts[0]) {
                read = Some(whole.bytes);
                break;
            }
            shown.turn();
        }
        assert_eq!(read.as_deref(), Some(&payload[..]));
    }

    /// The screen with four pixels a module; what is not drawn is dark, as the theme may be.
    fn photograph(lines: &[String], columns: usize) -> Luma {
        let halves = |line: &String| -> Vec<(bool, bool)> {
            let drawn = line.find('\x1b').unwrap_or(line.len());
            let half = |(place, c): (usize, char)| match c {
                '█' => (true, true),
                '▀' => (true, false),
                '▄' => (false, true),
                _ => (place < drawn, place < drawn),
            };
            strip(line).chars().enumerate().map(half).collect()
        };
        let rows: Vec<_> = lines.iter().map(halves).collect();
        let (width, height) = (4 * columns, 8 * lines.len());
        let dark = |x: usize, y: usize| {
            let half = rows[y / 8].get(x / 4).copied().unwrap_or((true, true));
            if y % 8 < 4 { half.0 } else { half.1 }
        };
        let pixels =
            (0..width * height).map(|place| if dark(place % width, place / width) { 0 } else { 255 });
        Luma::new(width as u32, height as u32, pixels.collect()).unwrap()
    }

    #[test]
    fn four_modules_of_white_are_on_every_side() {
        let shown = show(&[7; 3_000], WINDOW);
        let lines = shown.lines();
        let visible = |line: &str| strip(line).trim_end().to_owned();
        assert_eq!((visible(&lines[0]), visible(&lines[1])), (String::new(), String::new()));
        let indent = |line: &str| line.chars().take_while(|c| *c == ' ').count();
        let margin = indent(&lines[0]);
        assert!(lines[2..20].iter().all(|line| indent(&strip(line)) >= margin + 4));
    }

    #[test]
    fn a_window_that_is_too_small_says_how_large_it_must_be() {
        let shown = show(&[7; 3_000], Size { columns: 44, rows: 24 });
        assert!(shown.lines()[0].starts_with("This window has 44 columns and 24 rows"));
    }

    #[test]
    fn minutes_of_codes_are_shown_only_to_whoever_insists() {
        let payload = vec![7; 150_000];
        let mut shown = Show::new("reply", &payload, 3, 20, WINDOW);
        shown.prepare();
        assert!(shown.lines()[0].contains("minutes and more. c shows them all the same"));
        shown.resize(Size { columns: 200, rows: 60 });
        assert!(shown.lines()[0].contains("being made"), "a larger window needs fewer");
    }

    #[test]
    fn keys_change_size_and_speed_and_hold_a_frame() {
        let payload = [7; 3_000];
        let mut shown = show(&payload, Size { columns: 200, rows: 60 });
        assert!(shown.press(Key::Char('+')));
        shown.prepare();
        assert_eq!(version(&shown), 21);
        assert!(shown.press(Key::Char('-')) && shown.press(Key::Char('-')));
        shown.prepare();
        assert_eq!(version(&shown), 19);
        assert!(shown.press(Key::Char('s')) && shown.pace() == Duration::from_millis(125));
        assert!(shown.press(Key::Char('p')));
        let held = shown.lines();
        shown.turn();
        assert_eq!(shown.lines(), held);
        assert!(!shown.press(Key::Interrupt));
    }

    #[test]
    fn the_second_round_shows_other_frames_than_the_first() {
        let payload = [7; 3_000];
        let mut shown = show(&payload, WINDOW);
        let round = shown.encoder.as_ref().ok().unwrap().suggested_frames();
        let first = shown.lines();
        (0..round).for_each(|_| shown.turn());
        assert_ne!(shown.lines()[..20], first[..20]);
        assert!(shown.lines().last().unwrap().contains("round 2"));
    }

    fn strip(line: &str) -> String {
        let mut text = String::new();
        let mut inside = false;
        for c in line.chars() {
            match c {
                '\x1b' => inside = true,
                'm' if inside => inside = false,
                _ if inside => {}
                c => text.push(c),
            }
        }
        text
    }

    fn width(line: &str) -> usize {
        strip(line).chars().count()
    }
}
