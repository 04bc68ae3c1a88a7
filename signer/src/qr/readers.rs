//! Threads that read pictures, each with a deadline.
//!
//! A picture may be drawn so that reading it takes for ever, and a thread cannot be ended from outside. So a
//! reader that is late is left alone, its answer is ignored, and a new one takes its place; when that has
//! happened a few times somebody is playing games, and it is an error. Called by `live`. What must stay true: no
//! picture holds the signer up for longer than its deadline, and never more than a few readers are alive.

use super::QrError;
use airlock_shared::frames::{Luma, Scanner};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// How many pictures are read at a time. More would take memory, and one core keeps up with a camera.
const READERS: usize = 2;
/// A hundred times what a picture takes; measured: honest ones 20 ms, the worst that we could draw under a second.
pub const DEADLINE: Duration = Duration::from_secs(3);
/// How many readers may be left behind.
const LATE_MAX: usize = 3;

/// What a reader found in a picture.
pub struct Answer {
    reader: u64,
    /// The texts of its codes.
    pub texts: Vec<String>,
}

/// The readers, and what they are doing.
pub struct Readers<E> {
    scanner: Arc<dyn Scanner + Send + Sync>,
    answers: Sender<E>,
    deadline: Duration,
    idle: Vec<Reader>,
    busy: Vec<(Reader, Instant)>,
    started: u64,
    late: usize,
}

struct Reader {
    number: u64,
    pictures: Sender<Luma>,
}

impl<E: From<Answer> + Send + 'static> Readers<E> {
    /// Starts them. Their answers come through `answers`.
    pub fn start(
        scanner: Arc<dyn Scanner + Send + Sync>,
        answers: Sender<E>,
        deadline: Duration,
    ) -> Result<Self, QrError> {
        let mut readers =
            Self { scanner, answers, deadline, idle: Vec::new(), busy: Vec::new(), started: 0, late: 0 };
        for _ in 0..READERS {
            readers.add()?;
        }
        Ok(readers)
    }

    fn add(&mut self) -> Result<(), QrError> {
        let (pictures, given) = channel::<Luma>();
        let (scanner, answers, reader) = (self.scanner.clone(), self.answers.clone(), self.started);
        std::thread::Builder::new()
            .name(format!("reader {reader}"))
            .spawn(move || {
                for picture in given {
                    let texts = scanner.scan(&picture);
                    if answers.send(Answer { reader, texts }.into()).is_err() {
                        return;
                    }
                }
            })
            .map_err(QrError::Threads)?;
        self.started += 1;
        self.idle.push(Reader { number: reader, pictures });
        Ok(())
    }

    /// Is one free?
    pub fn is_free(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Is one at work?
    pub fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Gives a picture to a free reader; without one it is lost.
    pub fn give(&mut self, picture: Luma) {
        if let Some(reader) = self.idle.pop()
            && reader.pictures.send(picture).is_ok()
        {
            self.busy.push((reader, Instant::now()));
        }
    }

    /// Takes an answer, unless its reader was given up.
    pub fn take(&mut self, answer: Answer) -> Option<Vec<String>> {
        let place = self.busy.iter().position(|(reader, _)| reader.number == answer.reader)?;
        let (reader, _) = self.busy.swap_remove(place);
        self.idle.push(reader);
        Some(answer.texts)
    }

    /// Gives up readers that are late. Returns how many have been in all.
    pub fn give_up_late(&mut self, now: Instant) -> Result<usize, QrError> {
        let before = self.busy.len();
        self.busy.retain(|(_, since)| now.duration_since(*since) < self.deadline);
        for _ in self.busy.len()..before {
            self.late += 1;
            if self.late > LATE_MAX {
                return Err(QrError::TooSlow { pictures: self.late, seconds: self.deadline.as_secs() });
            }
            self.add()?;
        }
        Ok(self.late)
    }
}
