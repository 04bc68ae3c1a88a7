//! `sign`: one bundle in, replies out. The face of `session`: inputs, screen, passphrase, output.
//!
//! What must stay true: every input is read before the sandbox is entered and decoded inside it; the
//! passphrase of the spending keys is asked for after the words; a refusal writes its receipts too.

use super::approve::frame_size;
use super::{Place, clock, display, now, unlock};
use crate::args::Exchange;
use crate::failure::{Exit, Failure};
use crate::familiar::Familiar;
use crate::qr::{Inputs, Output, Wanted, Written};
use crate::review::{self, Evidence, Sheet, counted};
use crate::session::{Accountable, Batch, Ended, Examined, Signer};
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{Bundle, Outcome, Replies};
use airlock_shared::frames::FrameSize;
use serde::Serialize;

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
    display::check(place, args.terminal)?;
    let (home, lock) = place.locked_home()?;
    let inputs = Inputs::open_all(&args.inputs)?;
    let output = Output::open(&args.out)?.with_svg(args.svg);
    let size = frame_size(args.qr_version)?;
    let (vault, spending) = place.signing_vault(&home)?;
    place.enter_sandbox(&home, Some(&args.out))?;
    let mut signer = Signer::open(home, Some(lock), vault)?;
    let documents = inputs.wanted(&place.console, Wanted::one(Bundle::KIND))?;
    let [document] = &documents[..] else {
        return Err(Failure::usage(format!("{} documents; one bundle is signed at a time", documents.len())));
    };
    let accountable = match signer.examine(&document.bytes, now()?) {
        Ok(accountable) => accountable,
        Err(examined) => return refuse(&mut signer, *examined, &output, size),
    };
    let given = match &args.confirm[..] {
        [] => None,
        [one] => Some(one.as_str()),
        many => return Err(Failure::usage(format!("{} times --confirm for one bundle", many.len()))),
    };
    let sheets = sheets(&signer, &accountable, now()?)?;
    let typed = review::ask(&place.console, sheets, given, args.plain, clock)?;
    let known = signer.known_of(accountable.batches());
    let reviewed = accountable.confirm(&typed)?;
    let keyring = unlock(signer.vault(), spending)?;
    place.console.note("Signing ...");
    let replies = match signer.sign(reviewed, &keyring, now()?) {
        Ok(replies) => replies,
        Err(Ended::Refused(refusal)) => {
            return refuse(&mut signer, Examined::later(refusal, known), &output, size);
        }
        Err(ended) => return Err(ended.into()),
    };
    drop(keyring);
    let files = write(&output, &replies, size)?;
    if args.terminal {
        display::run("reply", &replies.to_binary(), Replies::KIND, size)?;
    }
    answer(place, &replies, files)
}

/// What is to be known about each batch of an accepted bundle.
fn sheets<'a>(signer: &Signer, accountable: &'a Accountable, now: u64) -> Result<Vec<Sheet<'a>>, Failure> {
    let batches = accountable.batches().iter().enumerate();
    batches.map(|(number, batch)| sheet(signer, accountable, number, batch, now)).collect()
}

/// What is to be known about one of them.
pub fn sheet<'a>(
    signer: &Signer,
    accountable: &Accountable,
    number: usize,
    batch: &'a Batch,
    now: u64,
) -> Result<Sheet<'a>, Failure> {
    let content = &batch.envelope().content;
    let familiar = Familiar::of(signer.journal(), signer.policy(), content, now);
    Ok(Sheet::of(&Evidence {
        policy: Some(signer.policy()),
        verdicts: Some(signer.explain(accountable, number, now)?),
        standing: Some(batch.standing()),
        familiar: Some(&familiar),
        fallen: signer.fallen_counters(batch.envelope()),
        ..Evidence::of(content, &batch.envelope().approvals, now)
    }))
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
        "{outcome}: {}, {}, {}\n{}\n{}",
        counted(batches.len(), "batch"),
        counted(signatures, "signature"),
        counted(files.frames, "frame"),
        files.json.display(),
        files.animation.display()
    );
    place.console.answer(&Answer { format: "airlock signing", version: 1, outcome, batches, files }, text)
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
            error @ crate::session::StateError::LockUndone { .. } => {
                Self::new(Exit::State, "vault_rolled_back", error)
            }
        }
    }
}
