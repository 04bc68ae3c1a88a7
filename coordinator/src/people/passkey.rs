//! Passkeys of one's own: which a browser made for us, kept by their public halves.
//!
//! `http/passkeys.rs` calls these; the console logs in and approves with what is kept here. The steps are those of W3C Web
//! Authentication Level 3, section 7.1, for ES256 and attestation `none`; assertions are verified by `airlock_shared`'s
//! `approval::passkey`. What must stay true: a challenge is ours, of this session, and good once; one credential is one
//! person's; every length is bounded before anything is parsed.

pub mod store;

use super::AccessError;
use super::login::{self, Knock, record};
use super::session::Signed;
use crate::app::App;
use crate::audit::Action;
use airlock_shared::approval::passkey::{
    MAX_CREDENTIAL_BYTES, MAX_DATA_BYTES, base64url, credential_digest, from_base64url, is_public_key,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// How long a browser may take, milliseconds.
const TIMEOUT_MS: i64 = 300_000;
/// Passkeys of one person.
const MOST: usize = 20;
/// RP id hash, flags, counter.
const HEAD_BYTES: usize = 37;
/// AAGUID and the length of the credential id.
const ATTESTED_HEAD_BYTES: usize = 18;
const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const CREDENTIAL_ATTACHED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// What a browser made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registered {
    /// The credential's id.
    pub credential: Vec<u8>,
    /// SEC1, uncompressed.
    pub public_key: [u8; 65],
    /// The authenticator's counter; 0 for ever on those that keep none.
    pub counter: u32,
}

fn refused(why: impl Into<String>) -> AccessError {
    AccessError::Passkey { why: why.into() }
}

/// A limited session, or one whose second factor is not fresh, changes no passkeys.
fn may_change(signed: &Signed, has_factor: bool) -> Result<(), AccessError> {
    match (signed.limited, has_factor && !signed.stepped_up) {
        (true, _) => Err(AccessError::NoFactor),
        (false, true) => Err(AccessError::StepUp),
        (false, false) => Ok(()),
    }
}

async fn has_factor(app: &App, signed: &Signed) -> Result<bool, AccessError> {
    let login = login::store::of(&mut *app.db.reader().await?, &signed.subject).await?;
    Ok(login.is_some_and(|login| login.totp_sealed.is_some()))
}

/// `PublicKeyCredentialCreationOptionsJSON` with a challenge of this session.
pub async fn options(app: &App, signed: &Signed) -> Result<Value, AccessError> {
    let auth = &app.config.auth;
    if auth.passkey_rp_id.is_empty() {
        return Err(refused("passkeys are not set up here"));
    }
    may_change(signed, has_factor(app, signed).await?)?;
    let known = store::of(&mut *app.db.reader().await?, &signed.subject).await?;
    if known.len() >= MOST {
        return Err(refused(format!("at most {MOST} passkeys; remove one first")));
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let (challenge, session) = (base64url(&bytes), signed.session.clone());
    let row = challenge.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                store::insert_challenge(unit.db(), &row, &session, now, now + TIMEOUT_MS).await?;
                Ok::<_, AccessError>(())
            })
        })
        .await?;
    // Not the id itself: authenticators may show and sync it.
    let handle =
        Sha256::new().chain_update("airlock:passkey-user:1").chain_update(signed.subject.to_string());
    let known: Vec<_> =
        known.iter().map(|known| json!({ "type": "public-key", "id": known.credential })).collect();
    Ok(json!({
        "challenge": challenge,
        "rp": { "id": auth.passkey_rp_id, "name": auth.issuer },
        "user": { "id": base64url(&handle.finalize()), "name": signed.subject.id(), "displayName": signed.subject.id() },
        "pubKeyCredParams": [{ "type": "public-key", "alg": -7 }],
        "excludeCredentials": known,
        "authenticatorSelection": { "userVerification": "required", "residentKey": "preferred" },
        "attestation": "none",
        "timeout": TIMEOUT_MS,
    }))
}

/// Takes what the browser made. Withdrawals cool off after it, as after any new second factor.
pub async fn register(
    app: &App,
    knock: Knock,
    signed: &Signed,
    label: String,
    client_data: &str,
    authenticator_data: &str,
) -> Result<String, AccessError> {
    let label = super::create::plain("label", &label)?;
    may_change(signed, has_factor(app, signed).await?)?;
    let part = |name: &str, text: &str| {
        from_base64url(text, MAX_DATA_BYTES)
            .ok_or_else(|| refused(format!("{name} is not base64url of its length")))
    };
    let client_data = part("clientDataJSON", client_data)?;
    let authenticator_data = part("authenticatorData", authenticator_data)?;
    let auth = &app.config.auth;
    let challenge = challenge_of(&client_data, &auth.passkey_origins)?;
    let made = registered(&authenticator_data, &auth.passkey_rp_id)?;
    let (signed, credential) = (signed.clone(), base64url(&made.credential));
    let answer = credential.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if !store::spend_challenge(unit.db(), &challenge, &signed.session, now).await? {
                    return Err(refused("the challenge is not of this session, or its time has passed"));
                }
                let digest = credential_digest(&made.credential).to_string();
                let row = store::Passkey {
                    credential,
                    public_key: hex::encode(made.public_key),
                    counter: i64::from(made.counter),
                    label,
                    made_at: now,
                    used_at: None,
                };
                if !store::insert(unit.db(), &signed.subject, &digest, &row).await? {
                    return Err(refused("this passkey is registered already"));
                }
                login::store::touch(unit.db(), &signed.subject, now).await?;
                let after = json!({ "label": row.label, "credential": row.credential });
                record(
                    unit,
                    &knock.by(&signed.subject),
                    Action::PasskeyAdd,
                    &signed.subject.to_string(),
                    after,
                )
                .await
            })
        })
        .await?;
    Ok(answer)
}

/// Takes one of one's own passkeys away.
pub async fn remove(app: &App, knock: Knock, signed: &Signed, credential: String) -> Result<(), AccessError> {
    // What is not one's own does not exist, whatever else is missing.
    let own = store::of(&mut *app.db.reader().await?, &signed.subject).await?;
    if !own.iter().any(|passkey| passkey.credential == credential) {
        return Err(AccessError::NotFound { what: "passkey" });
    }
    may_change(signed, has_factor(app, signed).await?)?;
    let signed = signed.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                if !store::remove(unit.db(), &signed.subject, &credential).await? {
                    return Err(AccessError::NotFound { what: "passkey" });
                }
                let after = json!({ "credential": credential });
                record(
                    unit,
                    &knock.by(&signed.subject),
                    Action::PasskeyRemove,
                    &signed.subject.to_string(),
                    after,
                )
                .await
            })
        })
        .await
}

/// The members that are checked; others are tolerated, as section 5.8.1 asks.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
}

/// The challenge that a registration answers, made on one of our pages.
fn challenge_of(client_data: &[u8], origins: &[String]) -> Result<String, AccessError> {
    if client_data.first() != Some(&b'{') {
        return Err(refused("client data is not an object"));
    }
    let data: ClientData =
        serde_json::from_slice(client_data).map_err(|_| refused("client data cannot be read"))?;
    if data.kind != "webauthn.create" {
        return Err(refused("not a registration"));
    }
    if data.cross_origin || !origins.contains(&data.origin) {
        return Err(refused("made on a page that is not ours"));
    }
    Ok(data.challenge)
}

/// Credential and key out of authenticator data.
fn registered(data: &[u8], rp_id: &str) -> Result<Registered, AccessError> {
    let short = || refused("authenticator data is too short");
    let (head, rest) = data.split_at_checked(HEAD_BYTES).ok_or_else(short)?;
    if rp_id.is_empty() || head[..32] != *Sha256::digest(rp_id.as_bytes()).as_slice() {
        return Err(refused("made for another relying party"));
    }
    let flags = head[32];
    if flags & USER_PRESENT == 0 || flags & USER_VERIFIED == 0 {
        return Err(refused("the authenticator did not verify the person"));
    }
    if flags & CREDENTIAL_ATTACHED == 0 {
        return Err(refused("no credential is attached"));
    }
    let (attested, rest) = rest.split_at_checked(ATTESTED_HEAD_BYTES).ok_or_else(short)?;
    let length = usize::from(u16::from_be_bytes([attested[16], attested[17]]));
    if !(1..=MAX_CREDENTIAL_BYTES).contains(&length) {
        return Err(refused("a credential id of that length does not exist"));
    }
    let (credential, rest) = rest.split_at_checked(length).ok_or_else(short)?;
    let mut decoder = minicbor::Decoder::new(rest);
    let public_key = cose_key(&mut decoder).ok_or_else(|| refused("not an ES256 key on P-256"))?;
    if flags & EXTENSIONS != 0 && decoder.skip().is_err() {
        return Err(refused("extensions cannot be read"));
    }
    if decoder.position() != rest.len() || !is_public_key(&public_key) {
        return Err(refused("not an ES256 key on P-256"));
    }
    let counter = head[33..].iter().fold(0, |counter, byte| (counter << 8) | u32::from(*byte));
    Ok(Registered { credential: credential.to_vec(), public_key, counter })
}

/// COSE_Key of ES256 (RFC 9053 section 7.1.1): `{1: 2, 3: -7, -1: 1, -2: x, -3: y}`.
fn cose_key(decoder: &mut minicbor::Decoder<'_>) -> Option<[u8; 65]> {
    if decoder.map().ok()? != Some(5) {
        return None;
    }
    for (label, value) in [(1, 2), (3, -7), (-1, 1)] {
        if (decoder.i8().ok()?, decoder.i8().ok()?) != (label, value) {
            return None;
        }
    }
    let mut key = [4; 65];
    for (label, at) in [(-2, 1), (-3, 33)] {
        if decoder.i8().ok()? != label {
            return None;
        }
        key[at..at + 32].copy_from_slice(<&[u8; 32]>::try_from(decoder.bytes().ok()?).ok()?);
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base point of P-256 will do for a public key (SEC 2 section 2.4.2).
    const X: &str = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
    const Y: &str = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

    fn data(flags: u8, credential: &[u8], key: &[u8]) -> Vec<u8> {
        let mut data = Sha256::digest(b"airlock.example").to_vec();
        data.extend([flags, 0, 0, 0, 9]);
        data.extend([0; 16]);
        data.extend(u16::try_from(credential.len()).unwrap().to_be_bytes());
        data.extend_from_slice(credential);
        data.extend_from_slice(key);
        data
    }

    fn key(x: &str, y: &str) -> Vec<u8> {
        let mut key = vec![0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32];
        key.extend(hex::decode(x).unwrap());
        key.extend([0x22, 0x58, 32]);
        key.extend(hex::decode(y).unwrap());
        key
    }

    #[test]
    fn what_an_authenticator_made_is_read_and_everything_else_is_refused() {
        let good = data(0x45, b"credential", &key(X, Y));
        let read = registered(&good, "airlock.example").unwrap();
        assert_eq!(
            (read.credential.as_slice(), read.counter, read.public_key[0]),
            (&b"credential"[..], 9, 4)
        );
        assert!(registered(&good, "elsewhere.example").is_err());
        assert!(registered(&good, "").is_err());
        for flags in [0x44, 0x41, 0x05, 0xc5] {
            assert!(
                registered(&data(flags, b"credential", &key(X, Y)), "airlock.example").is_err(),
                "{flags:x}"
            );
        }
        for length in 0..good.len() {
            assert!(registered(&good[..length], "airlock.example").is_err(), "cut at {length}");
        }
        let longer = [good.as_slice(), &[0]].concat();
        assert!(registered(&longer, "airlock.example").is_err());
        assert!(registered(&data(0x45, b"", &key(X, Y)), "airlock.example").is_err());
        assert!(registered(&data(0x45, b"credential", &key(X, X)), "airlock.example").is_err(), "no point");
        let mut other_curve = key(X, Y);
        other_curve[6] = 2;
        assert!(registered(&data(0x45, b"credential", &other_curve), "airlock.example").is_err());
    }

    #[test]
    fn a_registration_made_elsewhere_or_an_assertion_is_refused() {
        let ours = ["https://airlock.example".to_owned()];
        let client = |kind: &str, origin: &str, more: &str| {
            format!(r#"{{"type":"{kind}","challenge":"c","origin":"{origin}"{more}}}"#)
        };
        let read = |text: String| challenge_of(text.as_bytes(), &ours).ok();
        assert_eq!(read(client("webauthn.create", "https://airlock.example", "")).as_deref(), Some("c"));
        assert_eq!(read(client("webauthn.get", "https://airlock.example", "")), None);
        assert_eq!(read(client("webauthn.create", "https://airlock.example.evil", "")), None);
        assert_eq!(
            read(client("webauthn.create", "https://airlock.example", r#","crossOrigin":true"#)),
            None
        );
        assert_eq!(read(client("webauthn.create", "https://airlock.example", r#","challenge":"d""#)), None);
        assert_eq!(read("[]".to_owned()), None);
    }
}
