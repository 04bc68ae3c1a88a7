//! What a hardware wallet answered: texts or pictures in, verified signatures stored, the batch signed once it is whole.
//!
//! What must stay true: a signature counts only for the request whose id it names, while the batch lives, and if the paying
//! address is recovered from it; the same one again changes nothing; another one for the same request is refused, because
//! the first may be out already; nothing is sent before every item has all its signatures.

use super::super::intake::{IntakeError, PARTS_MAX};
use super::super::store::{self as batches, Batch};
use super::super::{BatchError, State, accept as replies};
use super::requests::{Request, requests};
use super::store::{self, Signed};
use crate::alerts;
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::ledger::Unit;
use crate::pairing::CoordinatorKey;
use airlock_shared::batch::Content;
use airlock_shared::chain::Signature;
use airlock_shared::envelope::HardwareReply;
use airlock_shared::frames::ur::{Decoder, Message, Progress, ReplyError, Ur};
use airlock_shared::frames::{frames_of_picture, is_picture};
use airlock_shared::roles::creator::{self, CreateError};
use airlock_shared::roles::{extractor, finalizer};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What became of one answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = HardwareAnswer)]
pub struct Given {
    /// The request it names, if it names one.
    pub request_id: Option<String>,
    /// `stored`, `repeated` or `rejected`.
    pub verdict: &'static str,
    /// A sentence.
    pub why: String,
}

/// A request without its signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = HardwareMissing)]
pub struct Missing {
    /// The item, counted from 0.
    pub item: usize,
    /// The transaction within it.
    pub transaction: usize,
    /// What its answer must repeat.
    pub request_id: String,
}

/// What came of an upload.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = HardwareAnswers)]
pub struct Came {
    /// The batch.
    pub batch: String,
    /// Where it stands now.
    pub state: &'static str,
    /// Was nothing rejected?
    pub accepted: bool,
    /// Each answer, in order.
    pub answers: Vec<Given>,
    /// What still has no signature.
    pub missing: Vec<Missing>,
}

/// Takes what people bring back from a device: Uniform Resources as text, one or more a part, or pictures of them.
pub async fn accept(app: &App, id: &str, parts: Vec<Vec<u8>>, by: &By) -> Result<Came, BatchError> {
    let (batch, content, asked) = {
        let mut db = app.db.reader().await?;
        let batch = batches::get(&mut db, id).await?;
        let (content, asked) = requests(&mut db, &batch).await?;
        (batch, content, asked)
    };
    let reply_type = asked.first().map_or("", |request| request.asked.reply_type());
    let read = tokio::task::spawn_blocking(move || resources(&texts(parts)?, reply_type)).await??;
    let now = u64::try_from(app.clock.now()).unwrap_or(0) / 1_000;
    let mut answers = Vec::new();
    let mut good = Vec::new();
    for ur in &read {
        let (request_id, judged) = judge(&asked, ur, now);
        match judged {
            Ok(signed) => good.push((request_id.unwrap_or_default(), signed)),
            Err(refused) => {
                if refused.was_right {
                    late(app, &batch, &refused.why).await?;
                }
                answers.push(Given { request_id, verdict: "rejected", why: refused.why });
            }
        }
    }
    let work =
        Work { batch: id.to_owned(), content, by: by.clone(), key: CoordinatorKey::open(&app.config.home)? };
    let (taken, state, known) =
        app.writer.commit(move |unit| Box::pin(async move { work.write(unit, good).await })).await?;
    answers.extend(taken);
    let is_known = |one: &Request| {
        known.iter().any(|(item, transaction, _)| (*item, *transaction) == (one.item, one.transaction))
    };
    let missing = asked.iter().filter(|one| !is_known(one)).map(|one| Missing {
        item: one.item,
        transaction: one.transaction,
        request_id: one.asked.request_id().to_string(),
    });
    Ok(Came {
        batch: id.to_owned(),
        state: state.name(),
        accepted: answers.iter().all(|one| one.verdict != "rejected"),
        answers,
        missing: missing.collect(),
    })
}

/// The texts of an upload: those of pictures, and whatever stands between white space.
fn texts(parts: Vec<Vec<u8>>) -> Result<Vec<String>, IntakeError> {
    let too_many = |found| IntakeError::TooMany { what: "texts", found, limit: PARTS_MAX };
    if parts.len() > PARTS_MAX {
        return Err(too_many(parts.len()));
    }
    let mut texts = Vec::new();
    let alone = parts.len() == 1;
    for part in parts {
        if is_picture(&part) {
            match frames_of_picture(&part) {
                Ok(found) => texts.extend(found),
                Err(error) if alone => return Err(error.into()),
                Err(_) => {} // one lost frame among many
            }
        } else {
            let text = String::from_utf8_lossy(&part);
            texts.extend(text.split_whitespace().take(PARTS_MAX + 1).map(str::to_owned));
        }
        if texts.len() > PARTS_MAX {
            return Err(too_many(texts.len()));
        }
    }
    Ok(texts)
}

/// The whole messages among the texts, each once. Stray parts are no error beside one that is whole.
fn resources(texts: &[String], reply_type: &str) -> Result<Vec<Ur>, BatchError> {
    let mut decoder = Decoder::new(reply_type);
    let mut found: Vec<Ur> = Vec::new();
    let mut seen = None;
    let mut wrong = None;
    for text in texts {
        match decoder.receive(text) {
            Ok(Progress::Complete(ur)) if !found.contains(&ur) => found.push(ur),
            Ok(Progress::Received { received, needed }) => seen = Some((received, needed)),
            Ok(Progress::Complete(_) | Progress::Repeated) => {}
            Ok(Progress::Foreign) => wrong = Some(format!("no {reply_type} is in it")),
            Err(error) => wrong = Some(error.to_string()),
        }
    }
    match (found.is_empty(), seen) {
        (false, _) => Ok(found),
        (true, Some((have, need))) => Err(IntakeError::Incomplete { have, need }.into()),
        (true, None) => {
            Err(BatchError::Hardware { why: wrong.unwrap_or_else(|| format!("no {reply_type} is in it")) })
        }
    }
}

/// Why an answer is not taken.
struct Refused {
    why: String,
    /// The signature is good, but came when the batch had expired: whoever has it can still send it.
    was_right: bool,
}

/// The request that an answer names, and its place and signature if it counts.
fn judge(asked: &[Request], ur: &Ur, now: u64) -> (Option<String>, Result<Signed, Refused>) {
    let refused = |why: String| Err(Refused { why, was_right: false });
    let signature = match Message::read(ur) {
        Ok(Message::Signature(signature)) => signature,
        Ok(Message::SignRequest(_)) => return (None, refused("it is a request, not an answer".to_owned())),
        Err(error) => return (None, refused(error.to_string())),
    };
    let Some(found) = signature.request_id else {
        return (None, refused("the reply names no request".to_owned()));
    };
    let Some(request) = asked.iter().find(|one| one.asked.request_id() == found) else {
        return (Some(found.to_string()), refused("it answers no request of this batch".to_owned()));
    };
    let judged = match request.asked.signature(ur, now) {
        Ok(signature) => Ok((request.item, request.transaction, signature)),
        Err(error) => {
            let was_right =
                matches!(error, ReplyError::Expired { .. }) && request.asked.signature(ur, 0).is_ok();
            Err(Refused { why: error.to_string(), was_right })
        }
    };
    (Some(found.to_string()), judged)
}

async fn late(app: &App, batch: &Batch, why: &str) -> Result<(), BatchError> {
    let partner = batch.partner.clone();
    let (subject, why) = (batch.id.clone(), format!("{why}; the signature is good and may be on chain"));
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                Ok(alerts::raise_for(unit.db(), &partner, "batch.late_signatures", &subject, &why, now)
                    .await?)
            })
        })
        .await
}

/// Everything the commit needs.
struct Work {
    batch: String,
    content: Content,
    by: By,
    key: CoordinatorKey,
}

impl Work {
    /// Inside the writer's commit: keeps what is new, and signs the batch once every request has its signature.
    async fn write(
        self,
        unit: &mut Unit,
        good: Vec<(String, Signed)>,
    ) -> Result<(Vec<Given>, State, Vec<Signed>), BatchError> {
        let batch = batches::get(unit.db(), &self.batch).await?;
        let mut answers = Vec::with_capacity(good.len());
        for (request_id, signed) in good {
            let (verdict, why) = self.keep(unit, &batch, &request_id, &signed).await?;
            answers.push(Given { request_id: Some(request_id), verdict, why });
        }
        let shown: Vec<Value> =
            answers.iter().map(|one| json!({ "request": one.request_id, "verdict": one.verdict })).collect();
        let after = json!({ "answers": shown });
        audit::record(unit, &self.by, Action::HardwareReply, &batch.id, Value::Null, after).await?;
        let known = store::signatures(unit.db(), &batch.id).await?;
        let expected = self.content.items.len().saturating_mul(self.content.signatures_per_item());
        if batch.state != State::Exported || known.len() != expected {
            return Ok((answers, batch.state, known));
        }
        self.sign(unit, &batch, known.iter().map(|(.., signature)| *signature).collect()).await?;
        Ok((answers, State::Signed, known))
    }

    async fn keep(
        &self,
        unit: &mut Unit,
        batch: &Batch,
        request_id: &str,
        signed: &Signed,
    ) -> Result<(&'static str, String), BatchError> {
        let (item, transaction, signature) = signed;
        let known = store::signatures(unit.db(), &batch.id).await?;
        let known = known.iter().find(|(i, t, _)| (i, t) == (item, transaction));
        let now = unit.now();
        let (kind, why) = match known {
            Some((.., known)) if known == signature => {
                return Ok(("repeated", "it was stored before".to_owned()));
            }
            Some(_) => {
                let why = format!("item {item}, transaction {transaction} has another signature already");
                ("batch.conflicting_reply", why)
            }
            None if batch.state != State::Exported => {
                let why =
                    format!("the batch is {}; this signature came too late and may be on chain", batch.state);
                ("batch.late_signatures", why)
            }
            None => {
                store::insert_signature(unit.db(), &batch.id, signed, request_id, &self.by.who, now).await?;
                return Ok(("stored", format!("item {item}, transaction {transaction} is signed")));
            }
        };
        alerts::raise_for(unit.db(), &batch.partner, kind, &batch.id, &why, now).await?;
        Ok(("rejected", why))
    }

    /// The batch is whole: its transactions and ids are stored as attempts, as a signer's are, and its file is sealed.
    async fn sign(
        &self,
        unit: &mut Unit,
        batch: &Batch,
        signatures: Vec<Signature>,
    ) -> Result<(), BatchError> {
        let transactions = creator::transactions(&self.content).map_err(CreateError::from)?;
        let signed = finalizer::attach_all(&self.content, &transactions, &signatures)
            .map_err(|error| BatchError::Hardware { why: error.to_string() })?;
        let extracted = extractor::extract(&self.content, &signed);
        let left = store::exported_at(unit.db(), &batch.id).await?.unwrap_or(0);
        let missing = || BatchError::NotSigned { batch: batch.id.clone(), state: batch.state };
        let (bundle, _) = batch.bundle.clone().ok_or_else(missing)?;
        let sealed = batches::bundle(unit.db(), &bundle).await?.ok_or_else(missing)?;
        let envelope = sealed.bundle.envelopes.first().ok_or_else(missing)?;
        let left = u64::try_from(left).unwrap_or(0) / 1_000;
        let reply = HardwareReply::seal(envelope, left, signatures, self.key.signing_key());
        let now = unit.now();
        store::insert_reply(unit.db(), &batch.id, &reply, now).await?;
        replies::sign(unit, batch, &self.content, &extracted, &self.by.who).await
    }
}
