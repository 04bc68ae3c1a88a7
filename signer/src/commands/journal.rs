//! `journal show` and `journal verify`: what this signer has decided, and whether the record is whole.

use super::Place;
use crate::args::JournalAction;
use crate::failure::{Failure, plain};
use crate::journal::{Journal, JournalError};
use crate::records::Access;
use crate::review::utc;
use crate::vault::{Device, Lock};
use airlock_shared::journal::{Chain, Entry, Event};
use serde::Serialize;

#[derive(Serialize)]
struct Shown {
    format: &'static str,
    version: u8,
    signer: String,
    locked: Option<Locked>,
    journal: Vec<Line>,
    refusals: Vec<Line>,
}

/// Nothing is signed until the custodians re-anchor the journal.
#[derive(Serialize)]
struct Locked {
    since: u64,
    code: String,
    claimed_sequence: u64,
    claimed_head: String,
}

impl Locked {
    fn of(device: &Device) -> Option<Self> {
        device.lock.as_ref().map(|lock: &Lock| Self {
            since: lock.at,
            code: plain(&lock.code),
            claimed_sequence: lock.claimed.sequence,
            claimed_head: lock.claimed.head.to_string(),
        })
    }

    fn text(&self) -> String {
        format!(
            "LOCKED since {} ({}): a coordinator holds entry {} with head {}, which this journal does not know. \
             Nothing is signed until the custodians re-anchor it: genesis propose, sign, install.\n",
            utc(self.since),
            self.code,
            self.claimed_sequence,
            self.claimed_head
        )
    }
}

#[derive(Serialize)]
struct Line {
    sequence: u64,
    time: u64,
    event: &'static str,
    detail: String,
    head: String,
}

#[derive(Serialize)]
struct Verified {
    format: &'static str,
    version: u8,
    signer: String,
    locked: Option<Locked>,
    sequence: u64,
    head: String,
    refusals: u64,
    refusals_head: String,
    unsigned_intents: usize,
    torn_bytes: u64,
}

/// A vault that was restored has no journal yet, and says how it gets one.
fn not_begun(device: &Device, error: JournalError) -> Failure {
    match error {
        JournalError::File(_) if device.journal.sequence == 0 => JournalError::Empty.into(),
        error => error.into(),
    }
}

/// Opening verifies framing, chain, signatures and anchor; both commands do it.
pub fn run(place: &Place, action: &JournalAction) -> Result<(), Failure> {
    let home = place.home()?;
    let vault = place.vault(&home)?;
    let device = vault.device();
    let journal = Journal::open(&home, device, Access::Read).map_err(|error| not_begun(device, error))?;
    let refusals = Journal::open_refusals(&home, device, Access::Read)?;
    match action {
        JournalAction::Show => {
            let shown = Shown {
                format: "airlock journal",
                version: 1,
                signer: device.identity().to_string(),
                locked: Locked::of(device),
                journal: journal.entries().iter().map(|entry| line(Chain::Journal, entry)).collect(),
                refusals: refusals.entries().iter().map(|entry| line(Chain::Refusals, entry)).collect(),
            };
            let lines: Vec<_> = shown.journal.iter().chain(&shown.refusals).map(text).collect();
            let locked = shown.locked.as_ref().map_or(String::new(), Locked::text);
            let text = locked + &lines.join("\n");
            place.console.answer(&shown, text)
        }
        JournalAction::Verify => {
            let (anchor, refused) = (journal.anchor(), refusals.anchor());
            let verified = Verified {
                format: "airlock journal state",
                version: 1,
                signer: device.identity().to_string(),
                locked: Locked::of(device),
                sequence: anchor.sequence,
                head: anchor.head.to_string(),
                refusals: refused.sequence,
                refusals_head: refused.head.to_string(),
                unsigned_intents: journal.intents().iter().filter(|one| one.receipt.is_none()).count(),
                torn_bytes: journal.torn_bytes + refusals.torn_bytes,
            };
            let text = format!(
                "journal whole: entries {}, head {}\nrefusals whole: entries {}, head {}\nintents without signatures: {}; torn bytes at the end: {}",
                verified.sequence,
                verified.head,
                verified.refusals,
                verified.refusals_head,
                verified.unsigned_intents,
                verified.torn_bytes
            );
            let locked = verified.locked.as_ref().map_or(String::new(), Locked::text);
            place.console.answer(&verified, locked + &text)
        }
    }
}

fn line(chain: Chain, entry: &Entry) -> Line {
    let detail = match &entry.event {
        Event::Genesis { profile, roster, terms: None } => format!("{}, roster {roster}", profile.name()),
        Event::Genesis { profile, roster, terms: Some(terms) } => {
            format!("{}, roster {roster}, by the custodians' terms {terms}", profile.name())
        }
        Event::Reanchored { terms } => format!("by the custodians' terms {terms}"),
        Event::Ceremony { kind, detail } => format!("{kind}: {}", plain(detail)),
        Event::Paired { coordinator } => format!("coordinator {coordinator}"),
        Event::PolicyInstalled { version, digest } => format!("version {version}, {digest}"),
        Event::Intent { content, .. } | Event::Signed { content, .. } => format!("content {content}"),
        Event::Refused { content, code, .. } => format!("{code}, content {content}"),
    };
    let head = entry.head(chain).to_string();
    Line { sequence: entry.sequence, time: entry.time, event: entry.event.word(), detail, head }
}

fn text(line: &Line) -> String {
    format!("{:>6}  {}  {:<16} {}", line.sequence, utc(line.time), line.event, line.detail)
}
