//! Approvals of a batch: the request that approvers' devices decode, and the proofs that come back.
//!
//! `http.rs` calls both. What counts is the signer's own rule over the same proof; accepting here fails early. What must stay
//! true: an approval is over exactly this content, by a device or passkey that the policy names for this person, never by the
//! batch's creator; who approved by a passkey may still approve on their device, which then counts.

use super::store::{self, Batch};
use super::{BatchError, State};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db::Db;
use crate::pairing;
use airlock_shared::approval::Approval;
use airlock_shared::document;
use airlock_shared::envelope::{ApprovalReply, ApprovalRequest};
use airlock_shared::policy::SignedPolicy;
use airlock_shared::roles::approver;
use serde_json::{Value, json};

/// What crosses to an approver's device: the content and the newest journal entry of the batch's signer.
pub async fn request(db: &mut Db, batch: &Batch) -> Result<ApprovalRequest, BatchError> {
    let content = store::content(db, &batch.id).await?;
    let heads = pairing::store::newest_entry(db, &batch.signer).await?.into_iter().collect();
    Ok(ApprovalRequest { content, heads })
}

/// The policy that a batch refers to.
pub async fn policy(db: &mut Db, batch: &Batch) -> Result<SignedPolicy, BatchError> {
    let policy = pairing::store::policy(db, &batch.policy).await?;
    policy.ok_or_else(|| BatchError::NoPolicy { signer: batch.signer.to_string() })
}

/// Accepts what approvers' devices answered; the approvals that the batch has now.
pub async fn accept(
    app: &App,
    batch: &str,
    documents: Vec<Vec<u8>>,
    by: &By,
) -> Result<Vec<Approval>, BatchError> {
    let replies = documents
        .iter()
        .map(|bytes| document::read::<ApprovalReply>(bytes))
        .collect::<Result<Vec<_>, _>>()?;
    accept_replies(app, batch, replies, by).await
}

/// The same for replies that are no documents: what a browser asserted. The same person's second approval by the same
/// method changes nothing.
pub async fn accept_replies(
    app: &App,
    batch: &str,
    replies: Vec<ApprovalReply>,
    by: &By,
) -> Result<Vec<Approval>, BatchError> {
    let (id, by) = (batch.to_owned(), by.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let db = unit.db();
                let batch = store::get(db, &id).await?;
                if batch.state != State::AwaitingApproval {
                    return Err(BatchError::Raced { batch: id, expected: State::AwaitingApproval });
                }
                let (content, policy) = (store::content(db, &id).await?, policy(db, &batch).await?);
                let mut approvals = store::approvals(db, &id).await?;
                let mut added = Vec::new();
                for reply in replies {
                    if reply.content != batch.content_digest {
                        let (expected, found) = (batch.content_digest.to_string(), reply.content.to_string());
                        return Err(BatchError::OtherContent { expected, found });
                    }
                    let mut judged = approvals.clone();
                    let digest = &batch.content_digest;
                    approver::accept(&mut judged, reply.approval.clone(), &content, digest, &policy.policy)?;
                    let given = approvals.iter().find(|one| one.person == reply.approval.person);
                    let adds = given.is_none_or(|given| given.proof.method() > reply.approval.proof.method());
                    if adds && store::insert_approval(db, &id, &reply.approval, &by.who, now).await? {
                        approvals = judged;
                        added.push(reply.approval.person.to_string());
                    }
                }
                if !added.is_empty() {
                    let after = json!({ "approvals_of": added });
                    audit::record(unit, &by, Action::BatchApprove, &id, Value::Null, after).await?;
                }
                Ok(approvals)
            })
        })
        .await
}
