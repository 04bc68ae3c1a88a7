//! `audit PATH…`: signed-batch files, or folders of them, verified offline against the pinned keys of this home.
//!
//! What must stay true: nothing in a file is believed but the pins (roster and coordinator, from the vault);
//! every file is judged even after one has failed; what two files show together (an item, an account nonce or
//! a transaction signed twice, a forked journal) is found; one bad file fails the command.

use super::Place;
use crate::args::Files as Args;
use crate::failure::{Exit, Failure, plain};
use crate::qr::{Document, Inputs};
use crate::review::counted;
use crate::vault::Device;
use airlock_shared::document;
use airlock_shared::envelope::SignedBatch;
use airlock_shared::roles::auditor::{Pins, Report, Sequence, audit};
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    files: Vec<Audited>,
    passed: usize,
    failed: usize,
}

#[derive(Serialize)]
struct Audited {
    file: String,
    passed: bool,
    finding: Option<String>,
    content: Option<String>,
    network: Option<String>,
    items: usize,
    total: Option<String>,
    signatures: usize,
    approvers: Vec<String>,
    signers: Vec<String>,
    transactions: Vec<String>,
}

/// Reads and judges every file.
pub fn run(place: &Place, args: &Args) -> Result<(), Failure> {
    let home = place.home()?;
    let inputs = Inputs::open_files(&args.input)?;
    let vault = place.vault(&home)?;
    place.enter_sandbox(&home, None)?;
    let mut sequence = Sequence::default();
    let files: Vec<_> =
        inputs.documents()?.iter().map(|file| judge(file, vault.device(), &mut sequence)).collect();
    let failed = files.iter().filter(|file| !file.passed).count();
    let passed = files.len() - failed;
    let lines: Vec<_> = files.iter().map(line).collect();
    let text = format!("{}\n{passed} passed, {failed} failed", lines.join("\n"));
    place.console.answer(&Answer { format: "airlock audit", version: 1, files, passed, failed }, text)?;
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, "audit", format!("{failed} of {} files failed", passed + failed)))
}

fn judge(file: &Document, device: &Device, sequence: &mut Sequence) -> Audited {
    let mut audited = Audited {
        file: plain(&file.origin),
        passed: false,
        finding: None,
        content: None,
        network: None,
        items: 0,
        total: None,
        signatures: 0,
        approvers: Vec::new(),
        signers: Vec::new(),
        transactions: Vec::new(),
    };
    match report(file, device, sequence) {
        Ok((signed, report)) => {
            let content = &signed.envelope.content;
            let total = report.totals.amount.to_decimal(content.asset.decimals);
            audited.passed = true;
            audited.network = Some(content.network.to_string());
            audited.total = Some(format!("{total} {}", content.asset.symbol));
            audited.content = Some(report.content.to_string());
            audited.items = signed.envelope.content.items.len();
            audited.signatures = report.signatures;
            audited.approvers = report.approvers;
            audited.signers = report.signers.iter().map(ToString::to_string).collect();
            audited.transactions = report.tx_ids.iter().map(hex::encode).collect();
        }
        Err(finding) => audited.finding = Some(plain(&finding)),
    }
    audited
}

fn report(
    file: &Document,
    device: &Device,
    sequence: &mut Sequence,
) -> Result<(SignedBatch, Report), String> {
    let signed: SignedBatch = document::read(&file.bytes).map_err(|error| error.to_string())?;
    let roster = device.roster.as_ref().ok_or("UNANCHORED: this device has pinned no roster")?;
    let named = device.coordinator(&signed.envelope.coordinator).or(device.coordinators.first());
    let coordinator = named.ok_or("UNANCHORED: this device has paired no coordinator")?;
    let pins = Pins { roster: roster.digest(), coordinator: coordinator.identity };
    let report = audit(&signed, &pins).map_err(|finding| finding.to_string())?;
    sequence.add(&signed, &report).map_err(|contradiction| contradiction.to_string())?;
    Ok((signed, report))
}

fn line(file: &Audited) -> String {
    match &file.finding {
        Some(finding) => format!("FAILED  {}: {finding}", file.file),
        None => passed(file),
    }
}

/// What the file pays, who stands behind it, and what to look for on the chain.
fn passed(file: &Audited) -> String {
    let mut page = format!(
        "ok      {}: {}, {} on {}, {}, approved by {}",
        file.file,
        counted(file.items, "item"),
        file.total.as_deref().unwrap_or("?"),
        file.network.as_deref().unwrap_or("?"),
        counted(file.signatures, "signature"),
        file.approvers.join(", ")
    );
    for signer in &file.signers {
        page += &format!("\n        signer       {signer}");
    }
    for transaction in &file.transactions {
        page += &format!("\n        transaction  {transaction}");
    }
    page
}
