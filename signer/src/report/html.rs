//! A report as one HTML page that needs nothing else: no script, no font, no picture, no network.
//!
//! Called by `audit --html`. What must stay true: every text goes through [`escaped`]; a policy in the head
//! forbids the browser to load or run anything; the page reads on paper, in the dark and on a narrow screen;
//! colour is never the only signal.

use super::shown::approvers;
use super::text::people;
use super::{Audited, JournalShown, Report, Verdict};
use crate::review::utc;
use std::fmt::Write as _;

/// More entries than this are folded away on the screen; paper has them all.
const MAX_OPEN: usize = 40;

/// The whole page. Writing to a `String` cannot fail.
pub fn page(report: &Report, made_at: u64) -> String {
    let mut page = String::from(HEAD);
    let _infallible = writeln!(page, "<style>{STYLE}</style>\n</head>\n<body>\n<main>");
    page += &verdict(report, made_at);
    page += &facts(report);
    list(&mut page, "findings", "Findings", &report.all_findings());
    page += &totals(report);
    page += &files(report);
    page += &people_table(report);
    report.journals.iter().for_each(|one| page += &journal(one));
    page += &ledger(report);
    page += &pins(report);
    list(&mut page, "open", "Not checked", &report.not_checked);
    let _infallible = writeln!(
        page,
        "<footer>Made {} by airlock-signer {}. Nothing on this page was loaded from anywhere.</footer>\n</main>\n</body>\n</html>",
        utc(made_at),
        env!("CARGO_PKG_VERSION")
    );
    page
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"referrer\" content=\"no-referrer\">
<title>Airlock audit</title>
";

const STYLE: &str = "
:root { --ink:#16191d; --soft:#5b6470; --line:#d9dee5; --paper:#ffffff; --wash:#f5f7f9;
  --good:#0b6b3a; --good-wash:#e6f4ec; --bad:#a3161b; --bad-wash:#fdebec; --warn:#8a4b00; --warn-wash:#fdf1df; }
@media (prefers-color-scheme: dark) { :root { --ink:#e8ebef; --soft:#9aa5b1; --line:#343b44; --paper:#14171b;
  --wash:#1c2127; --good:#6fd39b; --good-wash:#14291d; --bad:#ff9a9a; --bad-wash:#33191b; --warn:#f3c27c; --warn-wash:#33260f; } }
* { box-sizing:border-box; }
body { margin:0; background:var(--paper); color:var(--ink); font:15px/1.5 system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif; }
main { max-width:76rem; margin:0 auto; padding:2rem 1.25rem 3rem; }
h1 { font-size:1.6rem; line-height:1.2; margin:0; letter-spacing:-.01em; }
h2 { font-size:1.05rem; margin:2.25rem 0 .6rem; }
p { margin:.3rem 0; }
code { font:.85em/1.45 ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace; overflow-wrap:anywhere; }
.verdict { border:1px solid; border-left-width:.5rem; border-radius:.4rem; padding:1.1rem 1.25rem; }
.verdict p { color:var(--ink); }
.passed { color:var(--good); background:var(--good-wash); }
.failed { color:var(--bad); background:var(--bad-wash); }
.unanchored { color:var(--warn); background:var(--warn-wash); }
.unanchored h1 { font-size:2.6rem; letter-spacing:.12em; }
.facts { display:grid; grid-template-columns:repeat(auto-fit,minmax(8rem,1fr)); gap:.75rem; margin:1.1rem 0 0; }
.facts div { background:var(--wash); border:1px solid var(--line); border-radius:.4rem; padding:.6rem .8rem; }
.facts dt { color:var(--soft); font-size:.82rem; }
.facts dd { margin:0; font-size:1.3rem; font-variant-numeric:tabular-nums; overflow-wrap:anywhere; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; width:100%; }
th,td { text-align:left; vertical-align:top; padding:.42rem .75rem .42rem 0; border-bottom:1px solid var(--line); }
th { color:var(--soft); font-weight:600; font-size:.82rem; white-space:nowrap; }
td { font-variant-numeric:tabular-nums; }
.number { text-align:right; white-space:nowrap; }
.time { white-space:nowrap; }
.mark { font-weight:700; white-space:nowrap; }
.good { color:var(--good); } .bad { color:var(--bad); } .soft { color:var(--soft); font-size:.88rem; }
tr.more td { padding-top:0; } tr.first td { border-bottom:0; padding-bottom:.1rem; }
tbody { break-inside:avoid; }
ul { margin:.3rem 0; padding-left:1.2rem; } li { margin:.25rem 0; overflow-wrap:anywhere; }
.findings li { color:var(--bad); }
details summary { cursor:pointer; color:var(--soft); font-size:.88rem; }
ol.ids { margin:.3rem 0; padding-left:3rem; } ol.ids li { margin:0; color:var(--soft); }
dl.pairs { display:grid; grid-template-columns:max-content 1fr; gap:.2rem 1rem; margin:0; }
dl.pairs dt { color:var(--soft); } dl.pairs dd { margin:0; overflow-wrap:anywhere; }
footer { margin-top:2.5rem; color:var(--soft); font-size:.85rem; border-top:1px solid var(--line); padding-top:.8rem; }
@media (max-width:46rem) { main { padding:1rem .8rem 2rem; } dl.pairs { grid-template-columns:1fr; gap:0; } dl.pairs dd { margin-bottom:.5rem; }
  .unanchored h1 { font-size:1.7rem; } }
@media print { :root { --ink:#000; --soft:#444; --line:#bbb; --paper:#fff; --wash:#fff; --good:#063; --good-wash:#fff; --bad:#900;
  --bad-wash:#fff; --warn:#630; --warn-wash:#fff; } body { font-size:9.5pt; } main { max-width:none; padding:0; }
  details::details-content { content-visibility:visible; display:block; height:auto; } thead { display:table-header-group; }
  h2 { break-after:avoid; } .scroll { overflow:visible; } @page { margin:14mm; } }
";

/// Text that stays text.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

fn verdict(report: &Report, made_at: u64) -> String {
    let (class, title, said) = match report.verdict {
        Verdict::Passed => ("passed", "Passed", "Everything that was looked at is right.".to_owned()),
        Verdict::Failed => ("failed", "Failed", wrong(report)),
        Verdict::Unanchored => {
            let why = "No custodians or no coordinator are pinned. Whoever made these files could have made all of \
                       them. Nothing below proves anything.";
            (
                "unanchored",
                "UNANCHORED",
                format!("{why} {}", if report.sound { String::new() } else { wrong(report) }),
            )
        }
    };
    format!(
        "<section class=\"verdict {class}\">\n<h1>{title}</h1>\n<p>{}</p>\n<p class=\"soft\">Audit of signed-batch files, {}</p>\n</section>\n",
        escaped(&said),
        utc(made_at)
    )
}

fn wrong(report: &Report) -> String {
    let about = match report.findings.len() {
        0 => String::new(),
        1 => " One finding is about the files together.".to_owned(),
        count => format!(" {count} findings are about the files together."),
    };
    format!("{} of {} files do not pass.{about}", report.failed, report.files.len())
}

fn facts(report: &Report) -> String {
    let items: usize = report.files.iter().map(|file| file.items).sum();
    let signatures: usize = report.files.iter().map(|file| file.signatures).sum();
    let entries: usize = report.journals.iter().map(|journal| journal.entries.len()).sum();
    let gaps: usize = report.journals.iter().map(|journal| journal.gaps.len()).sum();
    let facts = [
        ("Files that pass", format!("{} of {}", report.passed, report.files.len())),
        ("Payments", items.to_string()),
        ("Signatures recovered", signatures.to_string()),
        ("Journal entries", entries.to_string()),
        ("Gaps in the journals", gaps.to_string()),
    ];
    let each = facts.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
    format!("<dl class=\"facts\">{}</dl>\n", each.concat())
}

fn list(page: &mut String, class: &str, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let each: String = lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line))).collect();
    let _infallible =
        writeln!(page, "<section class=\"{class}\">\n<h2>{title}</h2>\n<ul>\n{each}</ul>\n</section>");
}

fn totals(report: &Report) -> String {
    if report.totals.is_empty() {
        return String::new();
    }
    let again = report.totals.iter().any(|total| total.signed_again != "0");
    let row = |total: &super::Total| {
        let contract = total.contract.as_deref().unwrap_or("native coin");
        let again = if again {
            format!("<td class=\"number\">{}</td>", escaped(&total.signed_again))
        } else {
            String::new()
        };
        format!(
            "<tr><td class=\"time\">{}</td><td class=\"time\"><code>{}</code></td><td>{}<br><code class=\"soft\">{}</code></td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\"><strong>{}</strong></td>{again}</tr>\n",
            total.day,
            escaped(&total.network),
            escaped(&total.asset),
            escaped(contract),
            total.batches,
            total.items,
            escaped(&total.amount),
        )
    };
    let rows: String = report.totals.iter().map(row).collect();
    let more = if again { "<th class=\"number\">of it signed again</th>" } else { "" };
    format!(
        "<section>\n<h2>Signed, by day (UTC), network and asset</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Day</th><th>Network</th><th>Asset</th><th class=\"number\">Batches</th><th class=\"number\">Payments</th><th class=\"number\">Amount</th>{more}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n"
    )
}

fn files(report: &Report) -> String {
    let rows: String = report.files.iter().map(file).collect();
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<section>\n<h2>Files, in the order of signing</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Result</th><th>Signed (UTC)</th><th>Network</th><th class=\"number\">Payments</th><th class=\"number\">Total</th><th>Approved by</th></tr></thead>\n{rows}</table></div>\n</section>\n"
    )
}

/// Two rows: the figures, and below them the file's name with what else there is to say.
fn file(file: &Audited) -> String {
    let (class, mark) = if file.passed { ("good", "\u{2713} ok") } else { ("bad", "\u{2717} FAILED") };
    let signed = if file.signed_at == 0 { String::new() } else { utc(file.signed_at).replace(" UTC", "") };
    let has_total = file.total.is_some();
    let mut row = format!(
        "<tbody>\n<tr class=\"first\"><td class=\"mark {class}\">{mark}</td><td class=\"time\">{signed}</td><td class=\"time\"><code>{}</code></td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td></tr>\n",
        escaped(file.network.as_deref().unwrap_or("")),
        if has_total { file.items.to_string() } else { String::new() },
        escaped(file.total.as_deref().unwrap_or("")),
        if has_total { escaped(&people(file)) } else { String::new() },
    );
    let findings: String =
        file.findings.iter().map(|finding| format!("<li>{}</li>", escaped(finding))).collect();
    let findings = if findings.is_empty() { findings } else { format!("<ul class=\"bad\">{findings}</ul>") };
    let _infallible = writeln!(
        row,
        "<tr class=\"more\"><td></td><td colspan=\"5\"><code>{}</code>{findings}<br>{}</td></tr>\n</tbody>",
        escaped(&file.file),
        details(file)
    );
    row
}

fn details(file: &Audited) -> String {
    let Some(document) = file.document else { return String::new() };
    let mut shown = format!("<span class=\"soft\">{document}");
    if let (Some(kind), Some(policy), Some(content)) = (file.kind, &file.policy, &file.content) {
        let _infallible =
            write!(shown, ", {kind}, policy {}, content <code>{}</code>", escaped(policy), escaped(content));
    }
    shown += "</span>";
    if file.transactions.is_empty() {
        return shown;
    }
    let ids: String =
        file.transactions.iter().map(|id| format!("<li><code>{}</code></li>", escaped(id))).collect();
    let open = if file.transactions.len() <= 3 { " open" } else { "" };
    let _infallible = write!(
        shown,
        "<details{open}><summary>{} transaction ids</summary><ol class=\"ids\">{ids}</ol></details>",
        file.transactions.len()
    );
    shown
}

fn people_table(report: &Report) -> String {
    let people = approvers(&report.files);
    if people.is_empty() {
        return String::new();
    }
    let row = |(name, count): &(String, usize)| {
        format!("<tr><td>{}</td><td class=\"number\">{count}</td></tr>\n", escaped(name))
    };
    let rows: String = people.iter().map(row).collect();
    format!(
        "<section>\n<h2>Approvers</h2>\n<table>\n<thead><tr><th>Person</th><th class=\"number\">Batches approved</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</section>\n"
    )
}

fn journal(journal: &JournalShown) -> String {
    let mut rows = String::new();
    let mut gaps = journal.gaps.iter().peekable();
    let gap_row = |gap: &super::GapShown| {
        format!(
            "<tr><td class=\"number bad\">{} to {}</td><td colspan=\"4\" class=\"bad\">{}</td></tr>\n",
            gap.from,
            gap.to,
            escaped(&gap.sentence())
        )
    };
    for entry in &journal.entries {
        while let Some(gap) = gaps.next_if(|gap| gap.from < entry.sequence) {
            rows += &gap_row(gap);
        }
        let _infallible = writeln!(
            rows,
            "<tr><td class=\"number\">{}</td><td class=\"time\">{}</td><td>{}</td><td><code>{}</code></td><td><code>{}</code></td></tr>",
            entry.sequence,
            utc(entry.time).replace(" UTC", ""),
            entry.event.replace('_', " "),
            escaped(&entry.what),
            escaped(entry.file.as_deref().unwrap_or("ledger export")),
        );
    }
    gaps.for_each(|gap| rows += &gap_row(gap));
    let open = if journal.entries.len() <= MAX_OPEN { " open" } else { "" };
    let state = if journal.gaps.is_empty() {
        "<strong class=\"good\">\u{2713} unbroken from the first entry</strong>".to_owned()
    } else {
        format!(
            "<strong class=\"bad\">\u{2717} {} with entries missing</strong>",
            crate::review::counted(journal.gaps.len(), "place")
        )
    };
    format!(
        "<section>\n<h2>Journal of signer <code>{}</code></h2>\n<p>{state}; newest is entry {}, {}, head <code>{}</code></p>\n<details{open}><summary>{} entries</summary><div class=\"scroll\"><table>\n<thead><tr><th class=\"number\">Entry</th><th>Time (UTC)</th><th>Event</th><th>What</th><th>Shown by</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div></details>\n</section>\n",
        escaped(&journal.signer),
        journal.newest,
        utc(journal.newest_time),
        escaped(&journal.head),
        journal.entries.len(),
    )
}

fn ledger(report: &Report) -> String {
    let Some(ledger) = &report.ledger else { return String::new() };
    let counts = &ledger.counts;
    format!(
        "<section>\n<h2>Ledger export</h2>\n<dl class=\"pairs\"><dt>File</dt><dd><code>{}</code></dd><dt>Snapshot</dt><dd>{}</dd><dt>Coordinator</dt><dd><code>{}</code></dd><dt>In it</dt><dd>{} accounts, {} transfers with {} entries, {} batches, {} items with {} attempts, {} journal entries</dd></dl>\n</section>\n",
        escaped(&ledger.file),
        utc(ledger.made_at),
        escaped(ledger.coordinator.as_deref().unwrap_or("")),
        counts.accounts,
        counts.transfers,
        counts.entries,
        counts.batches,
        counts.items,
        counts.attempts,
        counts.journal,
    )
}

fn pins(report: &Report) -> String {
    let pins = &report.pins;
    let none = || "<strong class=\"bad\">not pinned</strong>".to_owned();
    let roster = pins.roster.as_ref().map_or_else(none, |digest| {
        let threshold = pins.threshold.unwrap_or(0);
        format!(
            "<code>{}</code><br>{}; {threshold} decide together",
            escaped(digest),
            escaped(&pins.custodians.join(", "))
        )
    });
    let coordinators = if pins.coordinators.is_empty() {
        none()
    } else {
        let each = pins.coordinators.iter().map(|one| format!("<code>{}</code>", escaped(one)));
        each.collect::<Vec<_>>().join("<br>")
    };
    format!(
        "<section>\n<h2>Compared with</h2>\n<dl class=\"pairs\"><dt>Roster of custodians</dt><dd>{roster}</dd><dt>Coordinator</dt><dd>{coordinators}</dd></dl>\n</section>\n"
    )
}
