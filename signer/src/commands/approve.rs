//! `approve`: an approver's device reads batches and approves them one by one.
//!
//! What must stay true: every batch is shown whole and its own words are typed; the approvals are written
//! only after the device has remembered the heads it was shown.

use super::{Place, clock, display, now};
use crate::approve::Readable;
use crate::args::Exchange;
use crate::failure::{Exit, Failure};
use crate::qr::{Document, Inputs, Output, Wanted, Written};
use crate::review::{self, Evidence, Sheet};
use crate::vault::Device;
use airlock_shared::approval::SeenHead;
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{ApprovalReply, ApprovalRequest};
use airlock_shared::frames::{FrameSize, Level};
use airlock_shared::words;
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    person: String,
    approvals: Vec<Approved>,
}

#[derive(Serialize)]
struct Approved {
    batch_id: String,
    content: String,
    /// The newest journal head of the batch's signer that this device ever saw; it stands in the approval.
    journal_head: Option<Head>,
    files: Written,
}

#[derive(Serialize)]
struct Head {
    signer: String,
    sequence: u64,
    head: String,
}

impl Head {
    fn of(seen: &SeenHead) -> Self {
        Self { signer: seen.signer.to_string(), sequence: seen.sequence, head: seen.head.to_string() }
    }
}

/// Reads, shows, asks, writes.
pub fn run(place: &Place, args: &Exchange) -> Result<(), Failure> {
    display::check(place, args.terminal)?;
    let (home, _lock) = place.locked_home()?;
    let inputs = Inputs::open_all(&args.inputs)?;
    let output = Output::open(&args.out)?.with_svg(args.svg);
    let size = frame_size(args.qr_version)?;
    let mut vault = place.vault(&home)?;
    place.enter_sandbox(&home, Some(&args.out))?;
    let mut replies = Vec::new();
    let documents = inputs.wanted(&place.console, Wanted::all(ApprovalRequest::KIND))?;
    for (number, document) in documents.iter().enumerate() {
        replies.push(approve(place, number, document, args, vault.device_mut())?);
    }
    vault.store(&home)?;
    let mut approvals = Vec::new();
    for (number, (batch_id, reply)) in replies.iter().enumerate() {
        let name =
            if replies.len() == 1 { "approval".to_owned() } else { format!("approval-{}", number + 1) };
        let files = output.write(&name, &reply.to_json(), &reply.to_binary(), ApprovalReply::KIND, size)?;
        if args.terminal {
            display::run(&name, &reply.to_binary(), ApprovalReply::KIND, size)?;
        }
        let journal_head = reply.approval.seen.as_ref().map(Head::of);
        place.console.note(match &journal_head {
            Some(Head { signer, sequence, head }) => {
                format!(
                    "The approval says: journal entry {sequence} of signer {signer} was seen, head {head}"
                )
            }
            None => "The approval says: no journal of the signer was seen yet".to_owned(),
        });
        let (batch_id, content) = (batch_id.clone(), reply.content.to_string());
        approvals.push(Approved { batch_id, content, journal_head, files });
    }
    let person = vault.device().name.to_string();
    let text = format!("{person} approved {}", review::counted(approvals.len(), "batch"));
    place.console.answer(&Answer { format: "airlock approvals", version: 1, person, approvals }, text)
}

fn approve(
    place: &Place,
    number: usize,
    document: &Document,
    args: &Exchange,
    device: &mut Device,
) -> Result<(String, ApprovalReply), Failure> {
    let now = now()?;
    let readable = Readable::read(&document.bytes, number, device, now)?;
    let content = &readable.request().content;
    let digest = content.digest();
    let stale = readable.stale_heads(device).copied().collect();
    let sheet = Sheet::of(&Evidence { stale, ..Evidence::of(content, &[], now) });
    // Frames come in any order, so each batch takes its own words out of those that a script gave.
    let own = args.confirm.iter().find(|words| words::confirms(words, &digest)).or(args.confirm.first());
    let typed = review::ask(&place.console, vec![sheet], own.map(String::as_str), args.plain, clock)?;
    let batch_id = content.batch_id.to_string();
    Ok((batch_id, readable.approve(&typed, number, device)?))
}

/// The QR size of answers.
pub fn frame_size(version: u8) -> Result<FrameSize, Failure> {
    FrameSize::new(version, Level::L).map_err(|error| Failure::new(Exit::Usage, "usage", error))
}
