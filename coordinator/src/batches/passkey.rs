//! Passkeys over HTTP: what a page asks the browser for, and what the browser answers, in WebAuthn's own JSON.
//!
//! `http.rs` calls both. A page served from here proves presence, not understanding: the policy says up to which amount that
//! suffices. What must stay true: the challenge is the content digest, nothing a caller chose; the answer becomes an approval
//! only through [`super::approve`], by the same check that the signer makes.

use super::store::Batch;
use super::{BatchError, approve};
use crate::db::Db;
use airlock_shared::PersonId;
use airlock_shared::approval::passkey::{
    MAX_CREDENTIAL_BYTES, MAX_DATA_BYTES, MAX_SIGNATURE_BYTES, base64url, challenge, from_base64url,
};
use airlock_shared::approval::{Approval, Proof};
use airlock_shared::envelope::ApprovalReply;
use airlock_shared::policy::UserVerification;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// How long a person may take, milliseconds.
const TIMEOUT_MS: u32 = 300_000;

/// `PublicKeyCredentialRequestOptionsJSON` for one person, as `PublicKeyCredential.parseRequestOptionsFromJSON` takes it; `None`
/// where the batch's policy has no passkey of theirs.
pub async fn options(db: &mut Db, batch: &Batch, person: &str) -> Result<Option<Value>, BatchError> {
    let policy = approve::policy(db, batch).await?.policy;
    let approver = policy.approvers.iter().find(|approver| approver.person.as_str() == person);
    let (Some(terms), Some(approver)) = (policy.passkeys, approver) else { return Ok(None) };
    if approver.passkeys.is_empty() {
        return Ok(None);
    }
    let credential = |id: &[u8]| json!({ "type": "public-key", "id": base64url(id) });
    let allowed: Vec<_> = approver.passkeys.iter().map(|passkey| credential(&passkey.credential)).collect();
    let verification = match terms.user_verification {
        UserVerification::Required => "required",
        UserVerification::Optional => "preferred",
    };
    Ok(Some(json!({
        "challenge": challenge(&batch.content_digest), "rpId": terms.rp_id, "allowCredentials": allowed,
        "userVerification": verification, "timeout": TIMEOUT_MS,
    })))
}

/// What a page sends: who, and the credential's `toJSON()`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyApproval {
    person: String,
    credential: Credential,
}

/// `AuthenticationResponseJSON`; browsers add members, which are ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasskeyAssertion)]
struct Credential {
    #[serde(rename = "rawId")]
    raw_id: String,
    response: Response,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = PasskeyAnswer)]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    #[serde(rename = "authenticatorData")]
    authenticator_data: String,
    signature: String,
}

impl PasskeyApproval {
    /// As an approval of `batch`; nothing of it has been believed yet.
    pub fn reply(self, batch: &Batch) -> Result<ApprovalReply, BatchError> {
        let bytes = |field: &'static str, text: &str, limit| {
            from_base64url(text, limit).ok_or(BatchError::Passkey { field, limit })
        };
        let Credential { raw_id, response } = self.credential;
        let person = PersonId::new(&self.person).ok_or(BatchError::Person { found: self.person })?;
        let data = (&response.authenticator_data, &response.client_data);
        let proof = Proof::Passkey {
            credential: bytes("rawId", &raw_id, MAX_CREDENTIAL_BYTES)?,
            authenticator_data: bytes("authenticatorData", data.0, MAX_DATA_BYTES)?,
            client_data: bytes("clientDataJSON", data.1, MAX_DATA_BYTES)?,
            signature: bytes("signature", &response.signature, MAX_SIGNATURE_BYTES)?,
        };
        Ok(ApprovalReply { content: batch.content_digest, approval: Approval { person, seen: None, proof } })
    }
}
