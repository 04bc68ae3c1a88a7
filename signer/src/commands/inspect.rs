//! `inspect`: what a document is, what it would do, and what every check says. Changes nothing.
//!
//! What must stay true: no key is opened, no entry is written, and the words shown are the ones that `sign`
//! and `approve` would ask for.

use super::{Place, now};
use crate::args::Inputs as Args;
use crate::failure::{Exit, Failure, plain};
use crate::familiar::Familiar;
use crate::qr::{Document, Inputs};
use crate::review;
use crate::session::{Refusal, Signer};
use airlock_shared::approval::Approval;
use airlock_shared::batch::Content;
use airlock_shared::document::{self, Document as _, kind_of};
use airlock_shared::envelope::{ApprovalRequest, Bundle, Replies, SignedBatch, words_digest_of};
use airlock_shared::policy::SignedPolicy;
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
    let inputs = Inputs::open(&args.input)?;
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
    for document in inputs.documents()? {
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
            let page = review::batch(&request.content, &digest, &[], now) + &review::eight_words(&digest);
            let batches = vec![shown(&request.content, &[])];
            Ok((inspected(ApprovalRequest::NAME, Some(&digest), batches), page))
        }
        Some(SignedBatch::NAME) => {
            let file: SignedBatch = document::read(bytes).map_err(failed)?;
            let (content, approvals) = (&file.envelope.content, &file.envelope.approvals);
            let digest = content.digest();
            let page = review::batch(content, &digest, approvals, now);
            Ok((inspected(SignedBatch::NAME, Some(&digest), vec![shown(content, approvals)]), page))
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
    let digests: Vec<_> = bundle.envelopes.iter().map(|envelope| envelope.content.digest()).collect();
    let mut page = String::new();
    let mut batches = Vec::new();
    for (envelope, digest) in bundle.envelopes.iter().zip(&digests) {
        page += &review::batch(&envelope.content, digest, &envelope.approvals, now);
        let mut batch = shown(&envelope.content, &envelope.approvals);
        if let Ok(signer) = signer {
            let familiar = Familiar::of(signer.journal(), signer.policy(), &envelope.content);
            batch.warnings = familiar.warnings(&envelope.content);
        }
        batch.warnings.iter().for_each(|warning| page += &format!("ATTENTION    {warning}\n"));
        batches.push(batch);
    }
    let all = words_digest_of(&digests);
    page += &review::eight_words(&all);
    let mut inspected = inspected(Bundle::NAME, Some(&all), batches);
    let signer = match signer {
        Ok(signer) => signer,
        Err(why) => {
            page += &format!("NOT JUDGED   {}\n", plain(why));
            return Ok((inspected, page));
        }
    };
    let verdict = match signer.examine(bytes, now) {
        Ok(accountable) => {
            for (number, batch) in inspected.batches.iter_mut().enumerate() {
                batch.rules = rules(signer, &accountable, number, now)?;
            }
            page += "verdict      every check passes\n";
            for (number, batch) in (1..).zip(accountable.batches()) {
                page += &format!("  batch {number}    {}\n", super::sign::verdict(batch.standing()));
            }
            Verdict { accepted: true, code: None, batch: None, item: None, why: None }
        }
        Err(examined) => {
            page += &format!("verdict      REFUSED: {}\n", plain(&examined.refusal.to_string()));
            let Refusal { code, batch, item, why, .. } = examined.refusal;
            Verdict { accepted: false, code: Some(code), batch, item, why: Some(why) }
        }
    };
    inspected.verdict = Some(verdict);
    Ok((inspected, page))
}

fn rules(
    signer: &Signer,
    accountable: &crate::session::Accountable,
    number: usize,
    now: u64,
) -> Result<Vec<RuleVerdict>, Failure> {
    let verdicts = signer.explain(accountable, number, now)?;
    let verdict =
        |(rule, verdict): (airlock_shared::policy::Rule, Result<(), airlock_shared::policy::Refusal>)| {
            let refusal = verdict.err();
            RuleVerdict {
                rule: rule.word(),
                passed: refusal.is_none(),
                item: refusal.as_ref().and_then(|refusal| refusal.item),
                found: refusal.map(|refusal| refusal.found),
            }
        };
    Ok(verdicts.into_iter().map(verdict).collect())
}

fn shown(content: &Content, approvals: &[Approval]) -> Shown {
    let digest = content.digest();
    Shown {
        batch_id: content.batch_id.to_string(),
        content: digest.to_string(),
        words: words::words(&digest),
        kind: content.kind.to_string(),
        network: content.network.to_string(),
        items: content.items.len(),
        total: content.totals().ok().map(|totals| totals.amount.to_decimal(content.asset.decimals)),
        asset: content.asset.symbol.clone(),
        expires_at: content.expires_at,
        approvals: approvals.iter().map(|approval| approval.person.to_string()).collect(),
        warnings: Vec::new(),
        rules: Vec::new(),
    }
}
