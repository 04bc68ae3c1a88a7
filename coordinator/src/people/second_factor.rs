//! The second factor: codes by time (TOTP, RFC 6238: SHA-1, six digits, 30 seconds, one step either way) and recovery codes.
//!
//! `http.rs` calls these after the password, for a step-up, and to begin a factor. What must stay true: a step is accepted
//! once, later ones only after it; a recovery code is accepted once and kept as a digest; the secret leaves this program
//! once, when it is begun, and is kept sealed.

use super::lock_out::{self, Tried};
use super::login::store::Login;
use super::login::{self, Knock, record, store};
use super::session::{self, Opened, Signed};
use super::{AccessError, Subject};
use crate::api::{ApiError, Code};
use crate::app::App;
use crate::audit::Action;
use crate::clock::UnixMillis;
use crate::ledger::Unit;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

/// Wrong codes after which a log-in begins again with the password.
const FAILURES_MAX: i64 = 5;
/// How long after a log-in a first second factor may be begun.
const FRESH_MS: i64 = 600_000;
/// Recovery codes made at once.
const RECOVERY_CODES: usize = 10;
/// 80 random bits each: no dictionary holds them, so a plain digest will do.
const RECOVERY_BYTES: usize = 10;

/// What somebody gives as a second factor.
pub enum Given {
    /// Six digits of now.
    Code(String),
    /// A recovery code.
    Recovery(String),
}

/// A second factor that was begun: shown once.
pub struct Begun {
    /// Base32, for typing.
    pub secret: String,
    /// `otpauth://…`, for a QR code.
    pub uri: String,
}

fn place(subject: &Subject) -> String {
    format!("totp {subject}")
}

fn totp(issuer: &str, account: &str, secret: &[u8]) -> Result<Totp, AccessError> {
    // A colon would end the label early; the account is only shown.
    let (issuer, account) = (issuer.replace(':', " "), account.replace(':', " "));
    Builder::new()
        .with_secret(secret.to_vec().into_boxed_slice())
        .with_issuer(Some(issuer))
        .with_account_name(account)
        .build()
        .map_err(|error| AccessError::Fault { what: format!("second factor: {error}") })
}

fn open_totp(app: &App, login: &Login, sealed: &str) -> Result<Totp, AccessError> {
    let secret = app.access.seal()?.open_sealed(&place(&login.subject), sealed)?;
    totp(&app.config.auth.issuer, &login.email, &secret)
}

/// The step a code belongs to, if it is a code of now or of one step either way.
fn step_of(totp: &Totp, code: &str, now: UnixMillis) -> Option<i64> {
    let seconds = u64::try_from(now.div_euclid(1_000)).ok()?;
    totp.check(code, seconds).and_then(|step| i64::try_from(step).ok())
}

/// Begins a second factor: it comes into force once a code of it was given.
pub async fn begin(app: &App, knock: Knock, signed: &Signed) -> Result<Begun, AccessError> {
    let mut secret = Zeroizing::new([0; 20]);
    getrandom::fill(secret.as_mut())?;
    let sealed = app.access.seal()?.seal(&place(&signed.subject), secret.as_slice())?;
    let (login, session) = {
        let mut db = app.db.reader().await?;
        let login = store::of(&mut db, &signed.subject).await?.ok_or(AccessError::NoneBegun)?;
        (login, session::store::find(&mut db, &signed.session).await?.ok_or(AccessError::Session)?)
    };
    if login.totp_sealed.is_some() && !signed.stepped_up {
        return Err(AccessError::StepUp);
    }
    // Else whoever stole an access token of somebody without a factor could make the account their own for good.
    let logged_in_ms = app.clock.now().saturating_sub(session.made_at);
    if login.totp_sealed.is_none() && logged_in_ms >= FRESH_MS {
        let detail = "log in again: a first second factor is begun within minutes of a log-in";
        return Err(ApiError::new(Code::StepUpNeeded, detail).into());
    }
    let made = totp(&app.config.auth.issuer, &login.email, secret.as_slice())?;
    let uri =
        made.to_url().map_err(|error| AccessError::Fault { what: format!("second factor: {error}") })?;
    let subject = signed.subject.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                store::offer_totp(unit.db(), &subject, &sealed).await?;
                record(unit, &knock.by(&subject), Action::FactorBegin, &subject.to_string(), json!({})).await
            })
        })
        .await?;
    Ok(Begun { secret: made.secret().to_base32(), uri })
}

/// The factor that was begun comes into force by a code of it. Every other session ends; this one goes on with a refresh
/// token of its own, if it was limited. Answers the recovery codes, once.
pub async fn confirm(
    app: &App,
    knock: Knock,
    signed: &Signed,
    code: String,
) -> Result<(Option<Opened>, Vec<String>), AccessError> {
    let (shared, signed) = (app.clone(), signed.clone());
    let (codes, digests) = recovery_codes()?;
    let opened = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let (now, subject) = (unit.now(), &signed.subject);
                let tried = Tried::Factor(subject.to_string());
                lock_out::attempt(unit.db(), &shared.config.auth.lock_out, &tried, now).await?;
                let login = store::of(unit.db(), subject).await?.ok_or(AccessError::NoneBegun)?;
                let offered = login.totp_offered.clone().ok_or(AccessError::NoneBegun)?;
                if login.totp_sealed.is_some() && !signed.stepped_up {
                    return Err(AccessError::StepUp);
                }
                let Some(step) = step_of(&open_totp(&shared, &login, &offered)?, &code, now) else {
                    // Kept, so that the attempt counts.
                    return Ok(None);
                };
                if !store::confirm_totp(unit.db(), subject, &offered, step, now).await? {
                    return Err(AccessError::NoneBegun);
                }
                lock_out::forget(unit.db(), &tried).await?;
                store::replace_recovery_codes(unit.db(), subject, &digests, now).await?;
                session::end_all(unit, subject, Some(&signed.session), "the second factor changed").await?;
                let opened = if signed.limited {
                    Some(session::complete(unit, &shared.config.auth, &signed.session).await?)
                } else {
                    session::store::set_stepped_up(unit.db(), &signed.session, now).await?;
                    None
                };
                let before = json!({ "in_force": login.totp_sealed.is_some() });
                record(unit, &knock.by(subject), Action::FactorConfirm, &subject.to_string(), before).await?;
                Ok::<_, AccessError>(Some(opened))
            })
        })
        .await?;
    opened.map(|opened| (opened, codes)).ok_or(AccessError::Code)
}

/// New recovery codes in place of all earlier ones.
pub async fn renew_recovery_codes(
    app: &App,
    knock: Knock,
    signed: &Signed,
) -> Result<Vec<String>, AccessError> {
    if !signed.stepped_up {
        return Err(AccessError::StepUp);
    }
    let ((codes, digests), subject) = (recovery_codes()?, signed.subject.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                store::replace_recovery_codes(unit.db(), &subject, &digests, now).await?;
                record(unit, &knock.by(&subject), Action::RecoveryCodes, &subject.to_string(), json!({}))
                    .await
            })
        })
        .await?;
    Ok(codes)
}

/// The second step of a log-in: the challenge and what somebody gives for it. Wrong ones are counted.
pub async fn second_step(
    app: &App,
    knock: Knock,
    challenge: &str,
    given: Given,
) -> Result<(Opened, Subject), AccessError> {
    login::count(app, &knock, None).await?;
    let (shared, digest) = (app.clone(), session::digest(challenge));
    let stepped = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let row = session::store::by_secret(unit.db(), &digest).await?;
                let row = row.filter(|row| row.state == "pending" && now < row.expires_at);
                let row = row.ok_or(AccessError::Session)?;
                if !super::store::is_active(unit.db(), &row.subject).await? {
                    return Err(AccessError::Session);
                }
                let by = knock.by(&row.subject);
                if !accept(unit, &shared, &row.subject, &given, &knock).await? {
                    session::store::count_failure(unit.db(), &row.id).await?;
                    if row.failures + 1 >= FAILURES_MAX {
                        session::end_in(unit, &row.id, "too many wrong codes").await?;
                    }
                    record(unit, &by, Action::SecondFactorRefused, &row.id, json!({})).await?;
                    return Ok(None);
                }
                let opened = session::complete(unit, &shared.config.auth, &row.id).await?;
                if let Some(address) = Tried::address(knock.address) {
                    lock_out::give_back(unit.db(), &address).await?;
                }
                record(unit, &by, Action::SecondFactor, &row.id, json!({})).await?;
                Ok::<_, AccessError>(Some((opened, row.subject)))
            })
        })
        .await?;
    stepped.ok_or(AccessError::Code)
}

/// A second factor given again, in an open session.
pub async fn step_up(app: &App, knock: Knock, signed: &Signed, given: Given) -> Result<(), AccessError> {
    if signed.limited {
        return Err(AccessError::NoFactor);
    }
    let (shared, signed) = (app.clone(), signed.clone());
    let accepted = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let (now, by) = (unit.now(), knock.by(&signed.subject));
                if !accept(unit, &shared, &signed.subject, &given, &knock).await? {
                    record(unit, &by, Action::SecondFactorRefused, &signed.session, json!({})).await?;
                    return Ok(false);
                }
                session::store::set_stepped_up(unit.db(), &signed.session, now).await?;
                record(unit, &by, Action::StepUp, &signed.session, json!({})).await?;
                Ok::<_, AccessError>(true)
            })
        })
        .await?;
    if accepted { Ok(()) } else { Err(AccessError::Code) }
}

/// Counts the attempt and spends what was given, if it is right.
async fn accept(
    unit: &mut Unit,
    app: &App,
    subject: &Subject,
    given: &Given,
    knock: &Knock,
) -> Result<bool, AccessError> {
    let (now, tried) = (unit.now(), Tried::Factor(subject.to_string()));
    lock_out::attempt(unit.db(), &app.config.auth.lock_out, &tried, now).await?;
    let login = store::of(unit.db(), subject).await?.ok_or(AccessError::NoFactor)?;
    let sealed = login.totp_sealed.clone().ok_or(AccessError::NoFactor)?;
    let accepted = match given {
        Given::Code(code) => match step_of(&open_totp(app, &login, &sealed)?, code, now) {
            Some(step) => store::spend_step(unit.db(), subject, step).await?,
            None => false,
        },
        Given::Recovery(code) => {
            store::spend_recovery_code(unit.db(), subject, &recovery_digest(code), now).await?
        }
    };
    if accepted {
        lock_out::forget(unit.db(), &tried).await?;
        if matches!(given, Given::Recovery(_)) {
            let left = store::recovery_codes_left(unit.db(), subject).await?;
            let after = json!({ "left": left });
            record(unit, &knock.by(subject), Action::RecoveryCodeUse, &subject.to_string(), after).await?;
        }
    }
    Ok(accepted)
}

/// Codes for a drawer, and the digests that are kept.
fn recovery_codes() -> Result<(Vec<String>, Vec<String>), AccessError> {
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let mut bytes = Zeroizing::new([0; RECOVERY_BYTES]);
        getrandom::fill(bytes.as_mut())?;
        let digits = Zeroizing::new(hex::encode(*bytes));
        codes.push(format!("{}-{}-{}-{}", &digits[..5], &digits[5..10], &digits[10..15], &digits[15..]));
    }
    let digests = codes.iter().map(|code| recovery_digest(code)).collect();
    Ok((codes, digests))
}

/// Spaces, hyphens and capitals are how it was copied, not what it is.
fn recovery_digest(code: &str) -> String {
    let plain: String = code.chars().take(64).filter(char::is_ascii_alphanumeric).collect();
    hex::encode(
        Sha256::new().chain_update("airlock:recovery:1").chain_update(plain.to_lowercase()).finalize(),
    )
}
