//! Takes pictures from a source until what is wanted is complete.
//!
//! ```text
//! source thread --picture, one when asked--> this loop --> a reader (`readers`)
//!                                            this loop <-- texts --> Transfers
//! ```
//! The source waits for a camera or a pipe on a thread of its own, so that progress is shown and late readers
//! are noticed meanwhile; it takes the next picture only when a reader is free. Called by `inputs`. What must stay
//! true: a few pictures exist at a time, whatever comes in; a stream ends by itself once a wanted transfer
//! is complete and no other wanted one is in sight; files are read to their end.

use super::progress::Status;
use super::readers::{Answer, DEADLINE, Readers};
use super::{MAX_DOCUMENTS, QrError, Wanted};
use crate::camera::{CameraError, Look, Source};
use airlock_shared::frames::{
    FrameError, Payload, QrScanner, ScanError, Scanner, Taken, TransferId, Transfers, WhenFull,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Transfers that a camera follows at a time. Each takes a megabyte at most.
const FOLLOWED_MAX: usize = 8;
/// How often progress is shown while nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// Another wanted transfer counts as in sight for so many pictures after its last new frame.
const IN_SIGHT_PICTURES: u64 = 60;

/// What the pictures held.
pub struct Found {
    /// The complete transfers that were wanted.
    pub complete: Vec<(TransferId, Payload)>,
    /// What was seen on the way.
    pub status: Status,
    /// The first picture that could not be decoded.
    pub damaged: Option<(PathBuf, ScanError)>,
}

enum Event {
    Looked(Result<Option<Look>, CameraError>),
    Read(Answer),
}

impl From<Answer> for Event {
    fn from(answer: Answer) -> Self {
        Self::Read(answer)
    }
}

/// Reads a source with our scanner.
pub fn read(source: Source, wanted: &Wanted, watch: &mut dyn FnMut(&Status)) -> Result<Found, QrError> {
    read_with(Arc::new(QrScanner), DEADLINE, source, wanted, watch)
}

/// The same with a scanner and a deadline of the caller's choice.
pub fn read_with(
    scanner: Arc<dyn Scanner + Send + Sync>,
    deadline: Duration,
    source: Source,
    wanted: &Wanted,
    watch: &mut dyn FnMut(&Status),
) -> Result<Found, QrError> {
    let live = source.is_live();
    let (sender, events) = channel();
    let readers = Readers::start(scanner, sender.clone(), deadline)?;
    let ask = start(source, sender)?;
    let transfers = if live {
        Transfers::new(FOLLOWED_MAX, WhenFull::Forget)
    } else {
        Transfers::new(MAX_DOCUMENTS, WhenFull::Refuse)
    };
    let mut reading =
        Reading { wanted, live, transfers, status: Status::new(), damaged: None, sightings: Vec::new() };
    let ended = reading.run(&events, readers, ask, watch);
    watch(&reading.status);
    // What was complete before a camera was unplugged is not lost.
    match ended {
        Err(error) if reading.wanted_complete().next().is_none() => Err(error),
        _ => Ok(reading.found()),
    }
}

/// Starts the source's thread; it takes one picture for each asking, and ends when nobody can ask any more.
fn start(source: Source, events: Sender<Event>) -> Result<Sender<()>, QrError> {
    let (ask, asked) = channel::<()>();
    let take = move || {
        let mut pictures = match source.pictures() {
            Ok(pictures) => pictures,
            Err(error) => return drop(events.send(Event::Looked(Err(error)))),
        };
        for () in asked {
            let look = pictures.next();
            let ended = !matches!(look, Ok(Some(_)));
            if events.send(Event::Looked(look)).is_err() || ended {
                return;
            }
        }
    };
    std::thread::Builder::new().name("pictures".to_owned()).spawn(take).map_err(QrError::Threads)?;
    Ok(ask)
}

struct Reading<'a> {
    wanted: &'a Wanted,
    live: bool,
    transfers: Transfers,
    status: Status,
    damaged: Option<(PathBuf, ScanError)>,
    /// At which picture a transfer last had a new frame.
    sightings: Vec<(TransferId, u64)>,
}

impl Reading<'_> {
    fn run(
        &mut self,
        events: &Receiver<Event>,
        mut readers: Readers<Event>,
        ask: Sender<()>,
        watch: &mut dyn FnMut(&Status),
    ) -> Result<(), QrError> {
        let (mut waiting, mut ended) = (false, false);
        while (!ended || readers.is_busy()) && !self.is_enough() {
            if !ended && !waiting && readers.is_free() {
                waiting = ask.send(()).is_ok();
            }
            match events.recv_timeout(TICK) {
                Ok(Event::Looked(look)) => {
                    waiting = false;
                    match look? {
                        Some(look) => self.look(look, &mut readers),
                        None => ended = true,
                    }
                }
                Ok(Event::Read(answer)) => {
                    for text in readers.take(answer).into_iter().flatten() {
                        self.text(&text)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Both ends are ours, and this loop holds one of them.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.status.late = readers.give_up_late(Instant::now())?;
            watch(&self.status);
        }
        Ok(())
    }

    fn look(&mut self, look: Look, readers: &mut Readers<Event>) {
        self.status.pictures += 1;
        match look {
            Look::Picture(picture) => readers.give(picture),
            Look::Damaged { name, why } => {
                self.status.damaged += 1;
                self.damaged.get_or_insert((name, why));
            }
        }
    }

    /// Takes the text of one code. A damaged frame is a lost frame.
    fn text(&mut self, text: &str) -> Result<(), QrError> {
        match self.transfers.receive(text) {
            Ok(Taken::Foreign) => self.status.foreign(text),
            Ok(Taken::Repeated) => self.status.repeated += 1,
            Ok(Taken::New(id)) => self.sighted(id),
            Ok(Taken::Complete(id)) => {
                self.sightings.retain(|(known, _)| *known != id);
                self.status.grew();
            }
            Err(error @ (FrameError::TooManyTransfers { .. } | FrameError::TooManyBytes { .. })) => {
                return Err(error.into());
            }
            Err(error @ (FrameError::DigestMismatch { .. } | FrameError::Unsolvable { .. }))
                if !self.live =>
            {
                return Err(error.into());
            }
            Err(_) => self.status.broken += 1,
        }
        self.status.under_way = self.transfers.under_way().collect();
        self.status.complete = self.transfers.complete().map(|(id, payload)| (id, payload.kind)).collect();
        Ok(())
    }

    fn sighted(&mut self, id: TransferId) {
        self.status.grew();
        self.sightings.retain(|(known, _)| *known != id);
        self.sightings.push((id, self.status.pictures));
        if self.sightings.len() > FOLLOWED_MAX {
            self.sightings.remove(0);
        }
    }

    fn wanted_complete(&self) -> impl Iterator<Item = TransferId> {
        let wanted = self.wanted;
        self.transfers.complete().filter(|(id, payload)| wanted.is(*id, payload.kind)).map(|(id, _)| id)
    }

    /// Is everything there that a live source is watched for?
    fn is_enough(&self) -> bool {
        let in_sight = |id| {
            let mut sightings = self.sightings.iter();
            sightings.any(|(known, at)| *known == id && self.status.pictures - at <= IN_SIGHT_PICTURES)
        };
        let mut others = self.transfers.under_way();
        self.live
            && self.wanted_complete().next().is_some()
            && !others.any(|other| self.wanted.is(other.id, other.kind) && in_sight(other.id))
    }

    fn found(self) -> Found {
        Found { complete: self.transfers.into_complete(), status: self.status, damaged: self.damaged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Pictures;
    use airlock_shared::frames::{Encoder, FrameSize, Luma, QrImage};
    use std::sync::atomic::{AtomicU32, Ordering};

    const PATIENCE: Duration = Duration::from_millis(150);

    /// Frames of a transfer, then grey pictures for ever.
    struct Endless {
        frames: Vec<Luma>,
    }

    impl Pictures for Endless {
        fn next(&mut self) -> Result<Option<Look>, CameraError> {
            let grey = || Luma::new(60, 60, vec![128; 3600]).unwrap();
            Ok(Some(Look::Picture(self.frames.pop().unwrap_or_else(grey))))
        }
    }

    /// Hangs at its first pictures, as a reader may at a hostile one.
    struct Hanging {
        pictures: AtomicU32,
        hangs: u32,
    }

    impl Scanner for Hanging {
        fn scan(&self, picture: &Luma) -> Vec<String> {
            if self.pictures.fetch_add(1, Ordering::Relaxed) < self.hangs {
                std::thread::sleep(PATIENCE * 20);
                return vec!["too late".to_owned()];
            }
            QrScanner.scan(picture)
        }
    }

    fn endless(bytes: &[u8]) -> Source {
        let encoder = Encoder::new(bytes, 1, FrameSize::default()).unwrap();
        let frames =
            encoder.frames().map(|text| QrImage::encode(&text, encoder.size()).unwrap().luma(3).unwrap());
        Source::Camera(Box::new(Endless { frames: frames.collect() }))
    }

    #[test]
    fn a_picture_that_hangs_the_reader_costs_that_picture_only() {
        let bytes: Vec<u8> = (0..9000u32).map(|at| ((at * at) >> 3) as u8).collect();
        let scanner = Arc::new(Hanging { pictures: AtomicU32::new(0), hangs: 2 });
        let found = read_with(scanner, PATIENCE, endless(&bytes), &Wanted::one(1), &mut |_| {}).unwrap();
        assert_eq!(found.complete.len(), 1);
        assert_eq!(found.complete[0].1.bytes, bytes);
        assert!(found.status.foreign == 0, "late answers are ignored");
    }

    #[test]
    fn a_source_that_hangs_every_reader_is_given_up() {
        let scanner = Arc::new(Hanging { pictures: AtomicU32::new(0), hangs: u32::MAX });
        let started = Instant::now();
        let ended = read_with(scanner, PATIENCE, endless(b"x"), &Wanted::any(), &mut |_| {});
        assert!(matches!(ended, Err(QrError::TooSlow { .. })));
        assert!(started.elapsed() < PATIENCE * 15);
    }
}
