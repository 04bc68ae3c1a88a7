//! Signing up and logging in with e-mail and password; the second step is in `second_factor.rs`.
//!
//! `http.rs` calls these. An attempt is counted first, then the password is compared off the async threads, then one
//! commit decides. What must stay true: an unknown e-mail, a wrong password, an account not yet let in, a closed one
//! and one of a closed partner take the same steps and get the same answer.

pub mod store;

use super::lock_out::{self, Tried};
use super::password::{CHARACTERS_MIN_ALONE, Password, Verdict};
use super::session::{self, Opened, Origin, Standing};
use super::{AccessError, HOUSE, Subject};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::config::auth::SignUp;
use crate::db;
use crate::ledger::Unit;
use serde_json::{Value, json};
use std::net::IpAddr;
use store::Login;
use unicode_normalization::UnicodeNormalization as _;

/// The longest e-mail address, bytes (RFC 5321 section 4.5.3.1.3 less the brackets).
const EMAIL_BYTES_MAX: usize = 254;

/// An e-mail address as it was written and as it is compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Email {
    /// As written.
    pub shown: String,
    /// Normalised and in lower case: two spellings of one address are one account.
    pub folded: String,
}

impl Email {
    /// Reads an address; only what cannot be one is refused.
    pub fn parse(text: &str) -> Result<Self, AccessError> {
        let fits = text.len() <= EMAIL_BYTES_MAX
            && !text.chars().any(|c| c.is_control() || c.is_whitespace())
            && text.split_once('@').is_some_and(|(local, domain)| {
                !local.is_empty() && !domain.is_empty() && !domain.contains('@')
            });
        if !fits {
            return Err(AccessError::Email);
        }
        Ok(Self { shown: text.to_owned(), folded: text.nfkc().collect::<String>().to_lowercase() })
    }
}

/// Who knocks: for counting, for the session, for the audit row.
#[derive(Clone, Debug)]
pub struct Knock {
    /// The address, if known.
    pub address: Option<IpAddr>,
    /// What the session shows.
    pub origin: Origin,
    /// For the audit row.
    pub by: By,
}

impl Knock {
    /// The row's author, once it is known who it is.
    pub fn by(&self, subject: &Subject) -> By {
        By { who: subject.to_string(), ..self.by.clone() }
    }
}

/// What a right password leads to.
pub struct Entered {
    /// Session and secret.
    pub opened: Opened,
    /// Whose.
    pub subject: Subject,
    /// How far.
    pub standing: Standing,
}

/// Puts somebody on the list of users of the house. Nobody is told whether the e-mail was taken.
pub async fn sign_up(app: &App, knock: Knock, email: &str, password: String) -> Result<(), AccessError> {
    let sign_up = app.config.auth.sign_up;
    if sign_up == SignUp::Off {
        return Err(AccessError::SignUpOff);
    }
    let email = Email::parse(email)?;
    let password = Password::typed(password)?;
    password.may_be_chosen(CHARACTERS_MIN_ALONE, &email.folded)?;
    // Only the address is counted: signing up guesses nothing of the account.
    count(app, &knock, None).await?;
    let hash = app.access.passwords.hash(password).await?;
    let id = db::random_id()?;
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let taken = store::by_email(unit.db(), &email.folded).await?.is_some();
                if !taken {
                    super::store::insert_user(unit.db(), &id, HOUSE, None, now).await?;
                    let login =
                        Login::new(Subject::User(id.clone()), &email, hash, sign_up == SignUp::Open, now);
                    store::insert(unit.db(), &login).await?;
                }
                let subject = if taken { String::new() } else { id };
                record(unit, &knock.by, Action::UserSignUp, &subject, json!({ "taken": taken })).await
            })
        })
        .await
}

/// Compares a password and opens what it leads to.
pub async fn log_in(app: &App, knock: Knock, email: &str, password: String) -> Result<Entered, AccessError> {
    // What no address can be is answered like an unknown one, after the same work.
    let email = Email::parse(email).unwrap_or_else(|_| Email { shown: String::new(), folded: String::new() });
    count(app, &knock, Some(Tried::Account(email.folded.clone()))).await?;
    let login = store::by_email(&mut *app.db.reader().await?, &email.folded).await?;
    let hash = login.as_ref().and_then(|login| login.password_hash.clone());
    let verdict = match Password::typed(password.clone()) {
        Ok(password) => app.access.passwords.compare(password, hash.clone()).await?,
        Err(_) => Verdict::Wrong,
    };
    let renewed = match verdict {
        // It was taken once, so it can be read; the new hash replaces the old one below.
        Verdict::RightButWeak => Some(app.access.passwords.hash(Password::typed(password)?).await?),
        _ => None,
    };
    let right = (verdict != Verdict::Wrong).then_some(login).flatten();
    let shared = app.clone();
    let entered = app
        .writer
        .commit(move |unit| {
            Box::pin(async move { enter(unit, &shared, &knock, &email, right, hash, renewed).await })
        })
        .await?;
    entered.ok_or(AccessError::Credentials)
}

async fn enter(
    unit: &mut Unit,
    app: &App,
    knock: &Knock,
    email: &Email,
    right: Option<Login>,
    compared: Option<String>,
    renewed: Option<String>,
) -> Result<Option<Entered>, AccessError> {
    // Read again: the password, or the account, may have changed while it was compared.
    let login = match &right {
        Some(login) => store::of(unit.db(), &login.subject).await?,
        None => None,
    };
    let standing = match login.filter(|login| login.accepted && login.password_hash == compared) {
        Some(login) if super::store::is_active(unit.db(), &login.subject).await? => Some(login),
        _ => None,
    };
    let Some(login) = standing else {
        record(unit, &knock.by, Action::LoginRefused, "", json!({ "known": right.is_some() })).await?;
        return Ok(None);
    };
    lock_out::forget(unit.db(), &Tried::Account(email.folded.clone())).await?;
    if let Some(address) = Tried::address(knock.address) {
        lock_out::give_back(unit.db(), &address).await?;
    }
    if let Some(hash) = renewed {
        store::set_hash(unit.db(), &login.subject, &hash).await?;
    }
    let standing = match (&login.totp_sealed, &login.subject) {
        (Some(_), _) => Standing::Pending,
        (None, Subject::Person(_)) => Standing::Limited,
        (None, Subject::User(_)) => Standing::Open { stepped_up: false },
    };
    let opened = session::open_in(unit, &app.config.auth, &login.subject, standing, &knock.origin).await?;
    let by = knock.by(&login.subject);
    record(
        unit,
        &by,
        Action::Login,
        &opened.session,
        json!({ "second_factor": standing == Standing::Pending }),
    )
    .await?;
    Ok(Some(Entered { opened, subject: login.subject, standing }))
}

/// Counts one attempt of an address and, if named, of an account, before anything is looked at.
pub(super) async fn count(app: &App, knock: &Knock, account: Option<Tried>) -> Result<(), AccessError> {
    let (limits, tried) = (app.config.auth.lock_out, [Tried::address(knock.address), account]);
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                for tried in tried.iter().flatten() {
                    lock_out::attempt(unit.db(), &limits, tried, now).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Changes one's password; every other session ends. The present password is asked for.
pub async fn change_password(
    app: &App,
    knock: Knock,
    signed: session::Signed,
    present: String,
    new: String,
) -> Result<(), AccessError> {
    let subject = signed.subject.clone();
    let login = store::of(&mut *app.db.reader().await?, &subject).await?.ok_or(AccessError::Credentials)?;
    let new = Password::typed(new)?;
    new.may_be_chosen(login.least_characters(), &login.email_folded)?;
    count(app, &knock, Some(Tried::Account(login.email_folded.clone()))).await?;
    let verdict = match Password::typed(present) {
        Ok(present) => app.access.passwords.compare(present, login.password_hash.clone()).await?,
        Err(_) => Verdict::Wrong,
    };
    if verdict == Verdict::Wrong {
        return Err(AccessError::Credentials);
    }
    let hash = app.access.passwords.hash(new).await?;
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if !store::change_hash(unit.db(), &subject, login.password_hash.as_deref(), &hash, now)
                    .await?
                {
                    return Err(AccessError::Credentials);
                }
                lock_out::forget(unit.db(), &Tried::Account(login.email_folded)).await?;
                if let Some(address) = Tried::address(knock.address) {
                    lock_out::give_back(unit.db(), &address).await?;
                }
                let ended =
                    session::end_all(unit, &subject, Some(&signed.session), "the password changed").await?;
                let after = json!({ "sessions_ended": ended });
                record(unit, &knock.by(&subject), Action::PasswordChange, &subject.to_string(), after).await
            })
        })
        .await
}

pub(super) async fn record(
    unit: &mut Unit,
    by: &By,
    action: Action,
    subject: &str,
    after: Value,
) -> Result<(), AccessError> {
    let by = with_tenant(unit, by).await?;
    Ok(audit::record(unit, &by, action, subject, Value::Null, after).await?)
}

/// Whoever logs in was nobody before: whose they are is looked up, so that their partner's auditors see it.
async fn with_tenant(unit: &mut Unit, by: &By) -> Result<By, AccessError> {
    let partner = match by.who.split_once(':') {
        Some(("user", id)) => super::store::partner_of(unit.db(), id).await?,
        Some(("person", id)) => super::store::person(unit.db(), id).await?.map(|person| person.partner),
        _ => None,
    };
    Ok(By { tenant: partner.unwrap_or_else(|| by.tenant.clone()), ..by.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_address_are_one_and_what_is_none_is_refused() {
        let folded = |text: &str| Email::parse(text).map(|email| email.folded).ok();
        assert_eq!(folded("Ann@Example.COM"), folded("ann@example.com"));
        assert_eq!(folded("ann@exa\u{ff4d}ple.com"), folded("ann@example.com"));
        for none in ["", "ann", "@example.com", "ann@", "a@b@c", "ann @example.com", "ann@exa\nmple.com"] {
            assert_eq!(folded(none), None, "{none:?}");
        }
        assert_eq!(folded(&format!("{}@example.com", "a".repeat(250))), None);
    }
}
