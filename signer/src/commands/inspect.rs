//! `inspect`: what a document is, what it would do, and what every check says. Changes nothing.
//!
//! What must stay true: no key is opened, no entry is written, and the words shown are the ones that `sign`
//! and `approve` would ask for.

use super::{Place, now};
use crate::args::Inputs as Args;
use crate::failure::{Exit, Failure, plain};
use crate::familiar::Familiar;
use crate::qr::{Document, Inputs, Wanted};
use crate::review::{self, Evidence, Sheet};
use crate::session::{Accountable, Examined, Refusal, Signer, Verdicts};
use airlock_shared::approval::Approval;
use airlock_shared::document::{self, Document as _, kind_of};
use airlock_shared::envelope::{ApprovalRequest, Bundle, Envelope, Replies, SignedBatch, words_digest_of};
use airlock_shared::policy::{self, SignedPolicy};
use airlock_shared::{Digest, words};
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    documents: Vec<Inspected>,
}

#[derive(Serialize)]
struct Inspected {
    document: &'static str,
    words: Option<String>,
    batches: Vec<Shown>,
    verdict: Option<Verdict>,
}

#[derive(Serialize)]
struct Shown {
    batch_id: String,
    content: String,
    words: String,
    kind: String,
    network: String,
    items: usize,
    total: Option<String>,
    asset: String,
    expires_at: u64,
    approvals: Vec<String>,
    warnings: Vec<String>,
    rules: Vec<RuleVerdict>,
}

#[derive(Serialize)]
struct RuleVerdict {
    rule: &'static str,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

#[derive(Serialize)]
struct Verdict {
    accepted: bool,
    code: Option<String>,
    batch: Option<usize>,
    item: Option<usize>,
    why: Option<String>,
}

/// Reads, decodes, examines, prints.
pub fn run(place: &Place, args: &Args) -> Result<(), Failure> {
    let home = place.home()?;
    let inputs = Inputs::open_all(args)?;
    let vault = place.vault(&home)?;
    place.enter_sandbox(&home, None)?;
    let signer = if vault.can_spend() {
        Signer::open(home, None, vault).map_err(|error| error.to_string())
    } else {
        Err("this device has no spending keys".to_owned())
    };
    let now = now()?;
    let mut documents = Vec::new();
    let mut pages = Vec::new();
    for document in inputs.wanted(&place.console, Wanted::any())? {
        let (inspected, page) = inspect(&document, signer.as_ref().map_err(String::as_str), now)?;
        documents.push(inspected);
        pages.push(page);
    }
    let answer = Answer { format: "airlock inspection", version: 1, documents };
    place.console.answer(&answer, pages.join("\n"))
}

fn inspect(
    document: &Document,
    signer: Result<&Signer, &str>,
    now: u64,
) -> Result<(Inspected, String), Failure> {
    let bytes = &document.bytes;
    let failed = |error| Failure::new(Exit::Transfer, "document", error);
    match name_of(bytes) {
        Some(Bundle::NAME) => bundle(bytes, signer, now),
        Some(ApprovalRequest::NAME) => {
            let request: ApprovalRequest = document::read(bytes).map_err(failed)?;
            let digest = request.content.digest();
            let sheet = Sheet::of(&Evidence::of(&request.content, &[], now));
            let page = review::batch(&sheet) + &review::eight_words(&digest);
            let batches = vec![shown(&sheet, &[])];
            Ok((inspected(ApprovalRequest::NAME, Some(&digest), batches), page))
        }
        Some(SignedBatch::NAME) => {
            let file: SignedBatch = document::read(bytes).map_err(failed)?;
            let (content, approvals) = (&file.envelope.content, &file.envelope.approvals);
            let digest = content.digest();
            let sheet = Sheet::of(&Evidence::of(content, approvals, now));
            let batches = vec![shown(&sheet, approvals)];
            Ok((inspected(SignedBatch::NAME, Some(&digest), batches), review::batch(&sheet)))
        }
        Some(Replies::NAME) => {
            let replies: Replies = document::read(bytes).map_err(failed)?;
            let line = |reply: &airlock_shared::envelope::Reply| {
                format!("reply for content {}: {} signatures", reply.receipt.content, reply.signatures.len())
            };
            let lines: Vec<_> = replies.replies.iter().map(line).collect();
            Ok((inspected(Replies::NAME, None, Vec::new()), lines.join("\n")))
        }
        Some(SignedPolicy::NAME) => {
            let signed: SignedPolicy = document::read(bytes).map_err(failed)?;
            let digest = signed.policy.digest();
            Ok((inspected(SignedPolicy::NAME, Some(&digest), Vec::new()), review::policy(&signed.policy)))
        }
        _ => Err(Failure::new(
            Exit::Transfer,
            "document",
            format!("{}: not a document that can be inspected", document.origin),
        )),
    }
}

/// Which of the known documents it says it is.
fn name_of(bytes: &[u8]) -> Option<&'static str> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: String,
    }
    let known = [
        (Bundle::KIND, Bundle::NAME),
        (ApprovalRequest::KIND, ApprovalRequest::NAME),
        (SignedBatch::KIND, SignedBatch::NAME),
        (Replies::KIND, Replies::NAME),
        (SignedPolicy::KIND, SignedPolicy::NAME),
    ];
    let found = match kind_of(bytes) {
        Some(kind) => known.iter().find(|(number, _)| *number == kind),
        None => {
            let head: Head = serde_json::from_slice(bytes).ok()?;
            known.iter().find(|(_, name)| *name == head.format)
        }
    };
    found.map(|(_, name)| *name)
}

fn inspected(document: &'static str, digest: Option<&Digest>, batches: Vec<Shown>) -> Inspected {
    Inspected { document, words: digest.map(words::words), batches, verdict: None }
}

fn bundle(bytes: &[u8], signer: Result<&Signer, &str>, now: u64) -> Result<(Inspected, String), Failure> {
    let bundle: Bundle =
        document::read(bytes).map_err(|error| Failure::new(Exit::Transfer, "document", error))?;
    let examined = signer.ok().map(|signer| signer.examine(bytes, now));
    // Every rule is asked, also where the first one refuses already.
    let explained = signer.ok().and_then(|signer| signer.explain_bundle(bytes, None, now).ok());
    let mut sheets = Vec::new();
    let mut batches = Vec::new();
    for (number, envelope) in bundle.envelopes.iter().enumerate() {
        let accepted = examined.as_ref().and_then(|examined| examined.as_ref().ok());
        let verdicts = explained
            .as_ref()
            .and_then(|explained| explained.batches.get(number))
            .map(|(_, verdicts)| verdicts.clone());
        let sheet = sheet(signer.ok(), envelope, number, accepted, verdicts.clone(), now);
        let mut batch = shown(&sheet, &envelope.approvals);
        batch.rules = verdicts.into_iter().flatten().map(rule_verdict).collect();
        batches.push(batch);
        sheets.push(sheet);
    }
    let digests: Vec<_> = sheets.iter().map(|sheet| sheet.digest).collect();
    let mut inspected = inspected(Bundle::NAME, Some(&words_digest_of(&digests)), batches);
    let (verdict, said) = verdict(signer, examined);
    inspected.verdict = verdict;
    Ok((inspected, review::sitting(&sheets) + &said))
}

/// What this signer knows about one batch, accepted or not.
fn sheet<'a>(
    signer: Option<&Signer>,
    envelope: &'a Envelope,
    number: usize,
    accepted: Option<&Accountable>,
    verdicts: Option<Verdicts>,
    now: u64,
) -> Sheet<'a> {
    let content = &envelope.content;
    let familiar = signer.map(|signer| Familiar::of(signer.journal(), signer.policy(), content, now));
    let batch = accepted.and_then(|accepted| accepted.batches().get(number));
    Sheet::of(&Evidence {
        policy: signer.map(Signer::policy),
        verdicts,
        standing: batch.map(|batch| batch.standing()),
        familiar: familiar.as_ref(),
        fallen: signer.map(|signer| signer.fallen_counters(envelope)).unwrap_or_default(),
        ..Evidence::of(content, &envelope.approvals, now)
    })
}

/// What the order of checks says in the end, for programs and for people.
fn verdict(
    signer: Result<&Signer, &str>,
    examined: Option<Result<Accountable, Box<Examined>>>,
) -> (Option<Verdict>, String) {
    match (signer, examined) {
        (Err(why), _) => (None, format!("\nNOT JUDGED  {}\n", plain(why))),
        (Ok(_), None) => (None, String::new()),
        (Ok(_), Some(Ok(_))) => {
            let accepted = Verdict { accepted: true, code: None, batch: None, item: None, why: None };
            (Some(accepted), "\nverdict     every check passes\n".to_owned())
        }
        (Ok(_), Some(Err(examined))) => {
            let said = format!("\nverdict     REFUSED: {}\n", plain(&examined.refusal.to_string()));
            let Refusal { code, batch, item, why, .. } = examined.refusal;
            (Some(Verdict { accepted: false, code: Some(code), batch, item, why: Some(why) }), said)
        }
    }
}

fn rule_verdict((rule, verdict): (policy::Rule, Result<(), policy::Refusal>)) -> RuleVerdict {
    let refusal = verdict.err();
    RuleVerdict {
        rule: rule.word(),
        passed: refusal.is_none(),
        item: refusal.as_ref().and_then(|refusal| refusal.item),
        found: refusal.map(|refusal| refusal.found),
    }
}

fn shown(sheet: &Sheet<'_>, approvals: &[Approval]) -> Shown {
    let content = sheet.content;
    Shown {
        batch_id: content.batch_id.to_string(),
        content: sheet.digest.to_string(),
        words: words::words(&sheet.digest),
        kind: content.kind.to_string(),
        network: content.network.to_string(),
        items: content.items.len(),
        total: sheet.total.map(|total| total.to_decimal(content.asset.decimals)),
        asset: content.asset.symbol.clone(),
        expires_at: content.expires_at,
        approvals: approvals.iter().map(|approval| approval.person.to_string()).collect(),
        warnings: sheet.exceptions.iter().map(|exception| exception.line(content)).collect(),
        rules: Vec::new(),
    }
}
