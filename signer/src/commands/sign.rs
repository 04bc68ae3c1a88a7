//! `sign`: one bundle in, replies out. The face of `session`: inputs, screen, passphrase, output.
//!
//! What must stay true: every input is read before the sandbox is entered and decoded inside it; the
//! passphrase of the spending keys is asked for after the words; a refusal writes its receipts too.

use super::approve::frame_size;
use super::{Place, now, unlock};
use crate::args::Exchange;
use crate::failure::{Exit, Failure};
use crate::qr::{Inputs, Output, Written, images};
use crate::review;
use crate::session::{Accountable, Ended, Examined, Signer, Standing};
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{Outcome, Replies};
use airlock_shared::frames::FrameSize;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    outcome: &'static str,
    batches: Vec<Answered>,
    files: Written,
}

#[derive(Serialize)]
struct Answered {
    content: String,
    signatures: usize,
    journal_sequence: u64,
    journal_head: String,
}

/// Examines, shows, asks, signs, writes.
pub fn run(place: &Place, args: &Exchange) -> Result<(), Failure> {
    let (home, lock) = place.locked_home()?;
    let inputs = Inputs::open(&args.input)?;
    let output = Output::open(&args.out)?;
    let size = frame_size(args.qr_version)?;
    let (vault, spending) = place.spending_vault(&home)?;
    if !vault.can_spend() {
        return Err(crate::vault::VaultError::NoSpending.into());
    }
    place.warn_of_interfaces();
    place.enter_sandbox(&home, Some(&args.out))?;
    let mut signer = Signer::open(home, Some(lock), vault)?;
    let documents = inputs.documents()?;
    let [document] = &documents[..] else {
        return Err(Failure::usage(format!("{} documents; one bundle is signed at a time", documents.len())));
    };
    let accountable = match signer.examine(&document.bytes, now()?) {
        Ok(accountable) => accountable,
        Err(examined) => return refuse(&mut signer, *examined, &output, size),
    };
    show(place, &accountable, now()?);
    let given = match &args.confirm[..] {
        [] => None,
        [one] => Some(one.as_str()),
        many => return Err(Failure::usage(format!("{} times --confirm for one bundle", many.len()))),
    };
    let typed = place.console.typed_words(given)?;
    let known = signer.known_of(accountable.batches());
    let reviewed = accountable.confirm(&typed)?;
    let master = unlock(signer.vault(), spending)?;
    let replies = match signer.sign(reviewed, &master, now()?) {
        Ok(replies) => replies,
        Err(Ended::Refused(refusal)) => {
            return refuse(&mut signer, Examined { refusal, authentic: true, batches: known }, &output, size);
        }
        Err(ended) => return Err(ended.into()),
    };
    drop(master);
    let files = write(&output, &replies, size)?;
    if args.terminal {
        display(place, &replies, size)?;
    }
    answer(place, &replies, files)
}

/// Every batch, then the words for all.
fn show(place: &Place, accountable: &Accountable, now: u64) {
    let count = accountable.batches().len();
    for (number, batch) in accountable.batches().iter().enumerate() {
        let envelope = batch.envelope();
        place.console.note(format_args!("--- batch {} of {count} ---", number + 1));
        place.console.note(review::batch(&envelope.content, batch.digest(), &envelope.approvals, now));
        match batch.standing() {
            Standing::New => place.console.note("verdict      every rule of the policy passes"),
            Standing::Interrupted => {
                place
                    .console
                    .note("verdict      begun before and interrupted: the same signatures will be made");
            }
            Standing::Signed(_) => {
                place.console.note("verdict      SIGNED BEFORE: the same signatures will be given again");
            }
        }
    }
    place.console.note("\nThe coordinator's and the approvers' screens must show the same words:");
    place.console.note(review::eight_words(&accountable.words_digest()));
}

fn write(output: &Output, replies: &Replies, size: FrameSize) -> Result<Written, Failure> {
    Ok(output.write("reply", &replies.to_json(), &replies.to_binary(), Replies::KIND, size)?)
}

/// A refusal is journalled in its own chain; a paired coordinator gets receipts.
fn refuse(signer: &mut Signer, examined: Examined, output: &Output, size: FrameSize) -> Result<(), Failure> {
    let refused = signer.refuse(examined, now()?)?;
    if let Some(replies) = &refused.replies {
        write(output, replies, size)?;
    }
    Err(refused.refusal.into())
}

fn answer(place: &Place, replies: &Replies, files: Written) -> Result<(), Failure> {
    let batches: Vec<_> = replies
        .replies
        .iter()
        .map(|reply| Answered {
            content: reply.receipt.content.to_string(),
            signatures: reply.signatures.len(),
            journal_sequence: reply.receipt.entry.sequence,
            journal_head: reply.receipt.head().head.to_string(),
        })
        .collect();
    let signed = replies.replies.iter().all(|reply| matches!(reply.receipt.outcome, Outcome::Signed { .. }));
    let outcome = if signed { "signed" } else { "refused" };
    let signatures: usize = batches.iter().map(|batch| batch.signatures).sum();
    let text = format!(
        "{outcome}: {} batches, {signatures} signatures, {} frames\n{}\n{}",
        batches.len(),
        files.frames,
        files.json.display(),
        files.animation.display()
    );
    place.console.answer(&Answer { format: "airlock signing", version: 1, outcome, batches, files }, text)
}

/// Shows the frames in this terminal, over and over, until Enter is pressed.
fn display(place: &Place, replies: &Replies, size: FrameSize) -> Result<(), Failure> {
    if !place.console.is_interactive() {
        return Err(Failure::usage("--terminal needs a terminal"));
    }
    let images = images(&replies.to_binary(), Replies::KIND, size)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut line = String::new();
            let _ = std::io::stdin().read_line(&mut line);
            stop.store(true, Ordering::Relaxed);
        });
        for image in images.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            // Home, the frame, and a line for people; the frame has its own quiet zone.
            place.console.note(format_args!("\x1b[H{}\nEnter ends.", image.terminal()));
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    Ok(())
}

impl From<Ended> for Failure {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Refused(refusal) => refusal.into(),
            Ended::Journal(error) => error.into(),
            Ended::Vault(error) => error.into(),
            Ended::Home(error) => error.into(),
            Ended::Key(error) => error.into(),
            Ended::Sign(error) => Self::new(Exit::Vault, "signing", error),
            Ended::NotTheSame { .. } => Self::new(Exit::State, "journal_broken", ended),
        }
    }
}

impl From<crate::session::StateError> for Failure {
    fn from(error: crate::session::StateError) -> Self {
        match error {
            crate::session::StateError::Journal(error) => error.into(),
            crate::session::StateError::Policy(error) => error.into(),
        }
    }
}
