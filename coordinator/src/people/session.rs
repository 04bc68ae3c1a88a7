//! Sessions: a row per log-in, the refresh token that renews it, and the access tokens that name it.
//!
//! ```text
//! pending --code--> open          password given, a code is awaited
//! limited --enrolled--> open      no second factor yet although one is needed: only the own account
//! any --log-out, password, role, deactivation, a refresh token twice, time--> ended
//! ```
//! `login.rs` and `invitation.rs` open them, `api/auth.rs` asks [`signed`] at every request. What must stay true: only
//! digests of secrets are stored; a secret is good once; a spent refresh token ends its session, whoever presents it.

pub mod store;

use super::{AccessError, Caller, Subject, Tenant};
use crate::app::App;
use crate::clock::UnixMillis;
use crate::config::auth::AuthConfig;
use crate::db::{self, Db};
use crate::ledger::Unit;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use store::Row;
use utoipa::ToSchema;

/// How long a person may take between password and code.
const PENDING_MS: i64 = 300_000;
/// The longest address and agent that are kept.
const SHOWN_CHARACTERS_MAX: usize = 120;

/// How far a session goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// A code is awaited.
    Pending,
    /// Only the own account.
    Limited,
    /// All that its roles may.
    Open {
        /// Was a second factor given just now?
        stepped_up: bool,
    },
}

impl Standing {
    const fn state(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Limited => "limited",
            Self::Open { .. } => "open",
        }
    }
}

/// Where somebody logs in from, as they are shown their sessions.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Network address.
    pub address: String,
    /// What their program calls itself.
    pub agent: String,
}

/// A session and the secret that goes on with it: a challenge or a refresh token. Given out once.
pub struct Opened {
    /// Its id.
    pub session: String,
    /// The secret.
    pub secret: String,
}

/// What a logged-in client holds.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// The access token: `Authorization: Bearer …`.
    access_token: String,
    /// Good once, for the next pair.
    refresh_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds for which the access token is good.
    expires_in_s: i64,
    /// The session's id.
    session: String,
    /// `open`, or `limited` to the own account until a second factor is in force.
    state: String,
}

/// Who a request's access token says it is, and may do now.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The session's id.
    pub session: String,
    /// Whose it is.
    pub subject: Subject,
    /// Their tenant.
    pub tenant: Tenant,
    /// Without a second factor that is needed: only the own account.
    pub limited: bool,
    /// Was a second factor given within the last minutes?
    pub stepped_up: bool,
    /// For every other route.
    pub caller: Caller,
}

/// What became of a refresh token.
pub enum Refreshed {
    /// A new pair.
    Renewed {
        /// The session and its new secret.
        opened: Opened,
        /// Whose.
        subject: Subject,
        /// `open` or `limited`.
        state: String,
    },
    /// It was spent before: the session named here is ended.
    Reused {
        /// The session.
        session: String,
        /// Whose.
        subject: Subject,
    },
    /// Never heard of it, or its session has ended.
    Unknown,
}

fn secret(prefix: &str) -> Result<String, AccessError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{prefix}{}", hex::encode(bytes)))
}

/// The digest under which a random secret is kept.
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

fn ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARACTERS_MAX).collect()
}

/// Opens a session in the writer's commit.
pub async fn open_in(
    unit: &mut Unit,
    auth: &AuthConfig,
    subject: &Subject,
    standing: Standing,
    origin: &Origin,
) -> Result<Opened, AccessError> {
    let now = unit.now();
    let pending = standing == Standing::Pending;
    let opened = Opened { session: db::random_id()?, secret: secret(if pending { "alc_" } else { "alr_" })? };
    let row = Row {
        id: opened.session.clone(),
        subject: subject.clone(),
        state: standing.state().to_owned(),
        made_at: now,
        used_at: now,
        expires_at: now + if pending { PENDING_MS } else { ms(auth.refresh) },
        stepped_up_at: (standing == Standing::Open { stepped_up: true }).then_some(now),
        failures: 0,
        address: shown(&origin.address),
        agent: shown(&origin.agent),
    };
    store::insert(unit.db(), &row, &digest(&opened.secret)).await?;
    Ok(opened)
}

/// Opens a session: for tests and whoever has checked everything already.
pub async fn open(
    app: &App,
    subject: &Subject,
    standing: Standing,
    origin: &Origin,
) -> Result<Opened, AccessError> {
    let (shared, subject, origin) = (app.clone(), subject.clone(), origin.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move { open_in(unit, &shared.config.auth, &subject, standing, &origin).await })
        })
        .await
}

/// The pair that a client takes home.
pub fn tokens(app: &App, subject: &Subject, opened: Opened, state: &str) -> Result<Tokens, AccessError> {
    let key = app.access.tokens()?;
    Ok(Tokens {
        access_token: key.mint(subject, &opened.session, app.clock.now()),
        refresh_token: opened.secret,
        token_type: "Bearer",
        expires_in_s: key.life_s(),
        session: opened.session,
        state: state.to_owned(),
    })
}

/// Who holds this access token, if its session still counts and they and their tenant are active.
pub async fn signed(app: &App, db: &mut Db, token: &str) -> Result<Option<Signed>, AccessError> {
    let now = app.clock.now();
    let Ok(claims) = app.access.tokens()?.read(token, now) else { return Ok(None) };
    let Some(found) = store::standing_of(db, &claims.sid, now).await? else { return Ok(None) };
    if found.subject.to_string() != claims.sub {
        return Ok(None);
    }
    let limited = found.state == "limited";
    let fresh = |at: UnixMillis| now - at < ms(app.config.auth.step_up);
    let stepped_up = !limited && found.stepped_up_at.is_some_and(fresh);
    let tenant = Tenant::of(&found.partner);
    let caller = match &found.subject {
        Subject::User(id) => Caller::User { id: id.clone(), partner: found.partner, stepped_up },
        Subject::Person(id) => {
            let roles = if limited { super::Roles::new() } else { found.roles };
            Caller::Person { id: id.clone(), tenant: tenant.clone(), roles, stepped_up }
        }
    };
    Ok(Some(Signed { session: claims.sid, subject: found.subject, tenant, limited, stepped_up, caller }))
}

/// Exchanges a refresh token, in the writer's commit. A spent one ends its session.
pub async fn refresh(unit: &mut Unit, auth: &AuthConfig, token: &str) -> Result<Refreshed, AccessError> {
    let (now, spent) = (unit.now(), digest(token));
    if let Some(session) = store::session_of_spent(unit.db(), &spent).await? {
        end_in(unit, &session, "a refresh token was used twice").await?;
        let Some(row) = store::find(unit.db(), &session).await? else { return Ok(Refreshed::Unknown) };
        return Ok(Refreshed::Reused { session, subject: row.subject });
    }
    let Some(row) = store::by_secret(unit.db(), &spent).await? else { return Ok(Refreshed::Unknown) };
    let alive = matches!(row.state.as_str(), "open" | "limited") && now < row.expires_at;
    if !alive || store::standing_of(unit.db(), &row.id, now).await?.is_none() {
        return Ok(Refreshed::Unknown);
    }
    let opened = Opened { session: row.id.clone(), secret: secret("alr_")? };
    // The longest session counts from its beginning.
    let expires_at = (now + ms(auth.refresh)).min(row.made_at + ms(auth.session));
    store::insert_spent(unit.db(), &spent, &row.id, now).await?;
    store::renew(unit.db(), &row.id, &digest(&opened.secret), now, expires_at).await?;
    Ok(Refreshed::Renewed { opened, subject: row.subject, state: row.state })
}

/// A pending or limited session becomes an open one with a refresh token of its own.
pub async fn complete(unit: &mut Unit, auth: &AuthConfig, session: &str) -> Result<Opened, AccessError> {
    let now = unit.now();
    let opened = Opened { session: session.to_owned(), secret: secret("alr_")? };
    if !store::complete(unit.db(), session, &digest(&opened.secret), now, now + ms(auth.refresh)).await? {
        return Err(AccessError::Session);
    }
    Ok(opened)
}

/// Ends one session; nothing happens if it has ended.
pub async fn end_in(unit: &mut Unit, session: &str, why: &str) -> Result<(), AccessError> {
    let now = unit.now();
    Ok(store::end(unit.db(), session, now, why).await?)
}

/// Ends every session of somebody, but for one.
pub async fn end_all(
    unit: &mut Unit,
    subject: &Subject,
    except: Option<&str>,
    why: &str,
) -> Result<u64, AccessError> {
    let now = unit.now();
    Ok(store::end_all(unit.db(), subject, except.unwrap_or_default(), now, why).await?)
}
