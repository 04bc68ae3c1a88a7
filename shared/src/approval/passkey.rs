//! Passkeys: does a WebAuthn assertion prove that the holder of one credential was asked about one content?
//!
//! Called by the rule that counts approvals, by the approver's role and, through both, by signer, coordinator and
//! auditor alike. The steps are those of W3C Web Authentication Level 3, section 7.2, that a verifier without the
//! browser's session can take; ES256 (ECDSA on P-256 over SHA-256) is the only algorithm. What must stay true:
//! the challenge is exactly the content digest; every length is bounded before anything is parsed; a signature has
//! one DER spelling. High S is no fault: authenticators do not normalise it, and an approval counts a person, so
//! its second form gains nobody anything.

use crate::digest::Digest;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde::de::{Deserialize, Deserializer, IgnoredAny};
use sha2::{Digest as _, Sha256};

/// The longest credential id, bytes (Level 3, section 4).
pub const MAX_CREDENTIAL_BYTES: usize = 1_023;
/// The longest client data and authenticator data, bytes: ours are about 200 and 37.
pub const MAX_DATA_BYTES: usize = 2_048;
/// The longest DER signature on P-256: two integers of 33 bytes and three heads.
pub const MAX_SIGNATURE_BYTES: usize = 72;
/// RP id hash, flags, counter.
const HEAD_BYTES: usize = 37;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const CREDENTIAL_ATTACHED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// What an assertion must be about.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The challenge: the digest of the content.
    pub content: &'a Digest,
    /// The relying party, such as `airlock.example`.
    pub rp_id: &'a str,
    /// The pages on which it may have been made, such as `https://airlock.example`.
    pub origins: &'a [String],
    /// Must the authenticator have verified the person (PIN, finger, face), or is a touch enough?
    pub user_verification: bool,
}

/// An assertion as the browser returned it.
#[derive(Clone, Copy, Debug)]
pub struct Assertion<'a> {
    /// Authenticator data.
    pub authenticator_data: &'a [u8],
    /// Client data, JSON.
    pub client_data: &'a [u8],
    /// Signature, DER.
    pub signature: &'a [u8],
}

/// What a good assertion says besides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asserted {
    /// The authenticator's counter; 0 for ever on those that keep none.
    pub counter: u32,
    /// Did it verify the person?
    pub user_verified: bool,
}

/// Why an assertion proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// A part is longer than it can honestly be.
    #[error("{part} is {found} bytes long, at most {limit}")]
    TooLong {
        /// Which.
        part: &'static str,
        /// Its length.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The client data is not one JSON object with the members of the specification, each once.
    #[error("client data: {why}")]
    ClientData {
        /// What the reader met.
        why: String,
    },
    /// Not an assertion: a registration, for instance.
    #[error("client data is of type {found:?}, not \"webauthn.get\"")]
    Type {
        /// What it says.
        found: String,
    },
    /// Made over something else.
    #[error("the challenge is {found:?}, not the digest of this batch")]
    Challenge {
        /// What it says.
        found: String,
    },
    /// Made on a page that the policy does not list.
    #[error("made on {found:?}, which is no origin of the policy")]
    Origin {
        /// What it says.
        found: String,
    },
    /// Made in a frame of another site's page.
    #[error("made inside another site's page")]
    CrossOrigin,
    /// The authenticator data is not of its form.
    #[error("authenticator data: {why}")]
    AuthenticatorData {
        /// What is wrong.
        why: &'static str,
    },
    /// For another relying party.
    #[error("made for another relying party than {expected}")]
    RelyingParty {
        /// The policy's.
        expected: String,
    },
    /// Nobody touched the authenticator.
    #[error("the authenticator saw nobody")]
    UserPresence,
    /// The authenticator did not verify the person, and the policy asks for it.
    #[error("the authenticator did not verify the person")]
    UserVerification,
    /// The public key is not 65 bytes that are a point of the curve.
    #[error("the credential's public key is not a point of P-256 in its uncompressed form")]
    PublicKey,
    /// The signature is not in its one DER spelling.
    #[error("the signature is not strict DER of two numbers below the order of P-256")]
    SignatureForm,
    /// The signature is by another key, or over other bytes.
    #[error("the signature is not by this credential's key over these bytes")]
    Signature,
}

/// Checks one assertion under the credential's public key (SEC1, uncompressed).
pub fn verify(
    assertion: &Assertion<'_>,
    public_key: &[u8; 65],
    expected: &Expected<'_>,
) -> Result<Asserted, PasskeyError> {
    check_client_data(assertion.client_data, expected)?;
    let asserted = check_authenticator_data(assertion.authenticator_data, expected)?;
    let key = public_key_of(public_key)?;
    let signature = signature_of(assertion.signature)?;
    let mut signed = Sha256::new();
    signed.update(assertion.authenticator_data);
    signed.update(Sha256::digest(assertion.client_data));
    key.verify_prehash(&signed.finalize(), &signature).map_err(|_| PasskeyError::Signature)?;
    Ok(asserted)
}

/// Is it a point of the curve in the one form that policies hold?
pub fn is_public_key(bytes: &[u8; 65]) -> bool {
    public_key_of(bytes).is_ok()
}

fn public_key_of(bytes: &[u8; 65]) -> Result<VerifyingKey, PasskeyError> {
    // 0x04 opens the uncompressed form; the "compact" and "hybrid" forms have the same length.
    if bytes[0] != 4 {
        return Err(PasskeyError::PublicKey);
    }
    VerifyingKey::from_sec1_bytes(bytes).map_err(|_| PasskeyError::PublicKey)
}

fn signature_of(der: &[u8]) -> Result<Signature, PasskeyError> {
    bounded("signature", der, MAX_SIGNATURE_BYTES)?;
    let signature = Signature::from_der(der).map_err(|_| PasskeyError::SignatureForm)?;
    // The reader is strict already; comparing costs nothing and does not depend on its staying so.
    if signature.to_der().as_bytes() == der { Ok(signature) } else { Err(PasskeyError::SignatureForm) }
}

fn bounded(part: &'static str, bytes: &[u8], limit: usize) -> Result<(), PasskeyError> {
    if bytes.len() <= limit {
        return Ok(());
    }
    Err(PasskeyError::TooLong { part, found: bytes.len(), limit })
}

/// The members that are checked. Others are tolerated, as section 5.8.1 asks; one of these twice is an error.
#[derive(serde::Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
    #[serde(default, rename = "topOrigin", deserialize_with = "is_there")]
    top_origin: bool,
}

fn is_there<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(from).map(|_| true)
}

fn check_client_data(json: &[u8], expected: &Expected<'_>) -> Result<(), PasskeyError> {
    bounded("client data", json, MAX_DATA_BYTES)?;
    // A JSON list would do for a Rust struct, but is not what browsers write.
    if json.first() != Some(&b'{') {
        return Err(PasskeyError::ClientData { why: "not an object".to_owned() });
    }
    let data: ClientData = serde_json::from_slice(json)
        .map_err(|error| PasskeyError::ClientData { why: shortened(&error.to_string()) })?;
    if data.kind != "webauthn.get" {
        return Err(PasskeyError::Type { found: shortened(&data.kind) });
    }
    if data.challenge != challenge(expected.content) {
        return Err(PasskeyError::Challenge { found: shortened(&data.challenge) });
    }
    if !expected.origins.contains(&data.origin) {
        return Err(PasskeyError::Origin { found: shortened(&data.origin) });
    }
    if data.cross_origin || data.top_origin {
        return Err(PasskeyError::CrossOrigin);
    }
    Ok(())
}

/// Foreign text ends on a screen.
fn shortened(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}

fn check_authenticator_data(data: &[u8], expected: &Expected<'_>) -> Result<Asserted, PasskeyError> {
    bounded("authenticator data", data, MAX_DATA_BYTES)?;
    let wrong = |why| Err(PasskeyError::AuthenticatorData { why });
    let Some((head, rest)) = data.split_at_checked(HEAD_BYTES) else {
        return wrong("shorter than 37 bytes");
    };
    let (rp_id_hash, flags) = (&head[..32], head[32]);
    if rp_id_hash != Sha256::digest(expected.rp_id.as_bytes()).as_slice() {
        return Err(PasskeyError::RelyingParty { expected: expected.rp_id.to_owned() });
    }
    if flags & USER_PRESENT == 0 {
        return Err(PasskeyError::UserPresence);
    }
    let user_verified = flags & USER_VERIFIED != 0;
    if expected.user_verification && !user_verified {
        return Err(PasskeyError::UserVerification);
    }
    if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
        return wrong("backed up, though it says that it cannot be");
    }
    if flags & CREDENTIAL_ATTACHED != 0 {
        return wrong("a credential is attached, which an assertion has not");
    }
    if (flags & EXTENSIONS != 0) != is_one_map(rest) || (flags & EXTENSIONS == 0 && !rest.is_empty()) {
        return wrong("what follows the counter is not what its flags say");
    }
    let counter = head[33..].iter().fold(0, |counter, byte| (counter << 8) | u32::from(*byte));
    Ok(Asserted { counter, user_verified })
}

/// Extension outputs are one CBOR map and nothing after it; what they say is not asked.
fn is_one_map(bytes: &[u8]) -> bool {
    let mut decoder = minicbor::Decoder::new(bytes);
    matches!(decoder.datatype(), Ok(minicbor::data::Type::Map))
        && decoder.skip().is_ok()
        && decoder.position() == bytes.len()
}

/// The challenge as client data spells it.
pub fn challenge(content: &Digest) -> String {
    base64url(content.as_bytes())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Bytes as browsers spell them: base64url without padding (RFC 4648 section 5).
pub fn base64url(bytes: &[u8]) -> String {
    let letter = |bits: u32| char::from(ALPHABET[(bits & 63) as usize]);
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| (bits << 8) | u32::from(chunk.get(i).copied().unwrap_or(0)));
        (0..=chunk.len()).for_each(|i| text.push(letter(bits >> (18 - 6 * i))));
    }
    text
}

/// Reads that one spelling back; `None` for any other text, and above `limit` bytes.
pub fn from_base64url(text: &str, limit: usize) -> Option<Vec<u8>> {
    if text.len() > limit.saturating_mul(4).div_ceil(3) {
        return None;
    }
    let mut bytes = Vec::with_capacity(limit);
    for chunk in text.as_bytes().chunks(4) {
        let value = |letter: &u8| ALPHABET.iter().position(|known| known == letter);
        let values = chunk.iter().map(value).collect::<Option<Vec<usize>>>()?;
        let bits = (0..4).fold(0, |bits, i| (bits << 6) | values.get(i).copied().unwrap_or(0));
        bytes.extend((1..chunk.len()).map(|i| (bits >> (24 - 8 * i)) as u8));
    }
    (base64url(&bytes) == text).then_some(bytes)
}

/// What a credential is called where only its counter is remembered.
pub fn credential_digest(credential: &[u8]) -> Digest {
    Digest::of("airlock:credential:1", credential)
}

/// What a counter says beside the one remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counter {
    /// It rose, or both are 0: such an authenticator keeps none.
    Good,
    /// It did not rise: an old approval, or a copy of the authenticator. A warning, not a refusal: one person may
    /// approve two batches on a clock of their own, and their answers may cross the gap in either order.
    DidNotRise {
        /// The counter remembered.
        remembered: u32,
    },
}

/// Compares a counter with what is remembered (section 7.2, step 22).
pub const fn compare(counter: u32, remembered: Option<u32>) -> Counter {
    match remembered {
        Some(remembered) if (counter != 0 || remembered != 0) && counter <= remembered => {
            Counter::DidNotRise { remembered }
        }
        _ => Counter::Good,
    }
}
