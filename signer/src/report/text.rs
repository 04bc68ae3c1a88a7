//! A report on a terminal: the verdict first, then sums, files, journals, and what was not checked.

use super::shown::approvers;
use super::{Audited, JournalShown, Report, Verdict};
use crate::review::{counted, utc};
use std::fmt::Write as _;

/// More transactions of one file than this are counted, not listed; JSON and HTML list them all.
const MAX_LISTED: usize = 50;

const UNANCHORED: &str = "\
##############################################################################
##                                                                          ##
##                         U N A N C H O R E D                              ##
##                                                                          ##
##   No custodians and no coordinator are pinned. Whoever made these files  ##
##   could have made all of them. Nothing below proves anything.            ##
##   Pin them: --roster FILE --coordinator HEX, or a home that is paired.   ##
##                                                                          ##
##############################################################################
";

/// The report as text. Writing to a `String` cannot fail.
pub fn text(report: &Report) -> String {
    let mut page = String::new();
    page += &verdict(report);
    section(&mut page, "FINDINGS", report.all_findings().iter().map(|finding| format!("  {finding}")));
    section(&mut page, "TOTALS by day of signing (UTC)", report.totals.iter().map(total));
    let people = approvers(&report.files);
    section(
        &mut page,
        "APPROVERS",
        people.iter().map(|(name, count)| {
            format!("  {name:<24} {}", counted(*count, "batch").replace("batchs", "batches"))
        }),
    );
    section(&mut page, "FILES in the order of signing", report.files.iter().map(file));
    section(&mut page, "JOURNALS", report.journals.iter().map(journal));
    section(&mut page, "LEDGER", report.ledger.iter().map(|ledger| {
        let counts = &ledger.counts;
        format!(
            "  {}: snapshot of {}, {} accounts, {} transfers, {} batches, {} items, {} attempts, {} journal entries",
            ledger.file,
            utc(ledger.made_at),
            counts.accounts,
            counts.transfers,
            counts.batches,
            counts.items,
            counts.attempts,
            counts.journal
        )
    }));
    section(&mut page, "NOT CHECKED", report.not_checked.iter().map(|what| format!("  {what}")));
    let _infallible = write!(page, "\n{}", summary(report));
    page
}

fn section(page: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<_> = lines.collect();
    if !lines.is_empty() {
        let _infallible = writeln!(page, "\n{title}\n{}", lines.join("\n"));
    }
}

fn verdict(report: &Report) -> String {
    let mut page = match report.verdict {
        Verdict::Passed => "PASSED: everything that was looked at is right\n".to_owned(),
        Verdict::Failed => "FAILED: see the findings\n".to_owned(),
        Verdict::Unanchored => UNANCHORED.to_owned(),
    };
    if let Some(roster) = &report.pins.roster {
        let threshold = report.pins.threshold.unwrap_or(0);
        let names = report.pins.custodians.join(", ");
        let _infallible = writeln!(page, "pinned  roster       {roster} ({names}; {threshold} decide)");
    }
    for coordinator in &report.pins.coordinators {
        let _infallible = writeln!(page, "pinned  coordinator  {coordinator}");
    }
    page
}

/// The last line.
pub(super) fn summary(report: &Report) -> String {
    let findings = match report.findings.len() {
        0 => String::new(),
        count => format!(", {} about all of them together", counted(count, "finding")),
    };
    let unanchored = if report.verdict == Verdict::Unanchored { "UNANCHORED: " } else { "" };
    format!("{unanchored}{} passed, {} failed{findings}", report.passed, report.failed)
}

fn total(total: &super::Total) -> String {
    let again = if total.signed_again == "0" {
        String::new()
    } else {
        format!(", of which {} signed again", total.signed_again)
    };
    let contract = total.contract.as_deref().unwrap_or("native coin");
    format!(
        "  {}  {:<18} {:>24} {:<6} in {}, {} ({contract}){again}",
        total.day,
        total.network,
        total.amount,
        total.asset,
        counted(usize::try_from(total.items).unwrap_or(usize::MAX), "item"),
        counted(usize::try_from(total.batches).unwrap_or(usize::MAX), "batch").replace("batchs", "batches"),
    )
}

fn file(file: &Audited) -> String {
    let mark = if file.passed { "ok    " } else { "FAILED" };
    let mut page = format!("  {mark}  {}: {}", file.file, what(file));
    for finding in &file.findings {
        let _infallible = write!(page, "\n          {finding}");
    }
    for signer in &file.signers {
        let _infallible = write!(page, "\n          signer       {signer}");
    }
    if file.transactions.len() > MAX_LISTED {
        let _infallible =
            write!(page, "\n          transactions {}; --json and --html list them", file.transactions.len());
        return page;
    }
    for transaction in &file.transactions {
        let _infallible = write!(page, "\n          transaction  {transaction}");
    }
    page
}

/// What a file pays and who stands behind it.
fn what(file: &Audited) -> String {
    let Some(document) = file.document else { return "does not pass".to_owned() };
    let (Some(total), Some(network)) = (&file.total, &file.network) else { return document.to_owned() };
    format!(
        "{document}, {}, {total} on {network}, {}, policy {}, {}, approved by {}",
        counted(file.items, "item"),
        counted(file.signatures, "signature"),
        file.policy.as_deref().unwrap_or("?"),
        utc(file.signed_at),
        people(file)
    )
}

/// Who approved, and how.
pub(super) fn people(file: &Audited) -> String {
    let names = if file.approvers.is_empty() { "nobody".to_owned() } else { file.approvers.join(", ") };
    match (file.by_device, file.by_passkey) {
        (_, 0) => names,
        (devices, passkeys) => format!("{names} ({devices} by device, {passkeys} by passkey)"),
    }
}

fn journal(journal: &JournalShown) -> String {
    let first = journal.entries.first().map_or(0, |entry| entry.sequence);
    let chain = match journal.gaps.len() {
        0 if first == 1 => "unbroken from the first".to_owned(),
        gaps => counted(gaps, "gap"),
    };
    let mut page = format!(
        "  signer {}\n          entries {first} to {}, {chain}; newest of {}\n          head {}",
        journal.signer,
        journal.newest,
        utc(journal.newest_time),
        journal.head
    );
    for gap in &journal.gaps {
        let _infallible = write!(page, "\n          missing {} to {}", gap.from, gap.to);
    }
    for entry in journal.entries.iter().filter(|entry| !["intent", "signed"].contains(&entry.event)) {
        let _infallible = write!(
            page,
            "\n          {:>6}  {}  {}: {}",
            entry.sequence,
            utc(entry.time),
            entry.event,
            entry.what
        );
    }
    page
}
