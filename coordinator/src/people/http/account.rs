//! One's own account: who one is, the password, the second factor, recovery codes, sessions.

use super::{DONE, Done};
use crate::api::{Body, moment};
use crate::app::App;
use crate::audit::Action;
use crate::people::login::{self, Knock, record};
use crate::people::session::{self, Signed, Tokens};
use crate::people::{AccessError, Caller, Role, second_factor};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/me/…`.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(change_password))
        .routes(routes!(begin_factor))
        .routes(routes!(confirm_factor))
        .routes(routes!(renew_codes))
        .routes(routes!(sessions))
        .routes(routes!(end_session))
}

/// Who one is.
#[derive(Serialize, ToSchema)]
struct Me {
    /// `user` or `person`.
    kind: &'static str,
    id: String,
    /// The partner's id; `house` for the house.
    partner: String,
    email: Option<String>,
    /// A person's roles; empty while the session is limited.
    roles: Vec<Role>,
    /// This session's id.
    session: String,
    /// Only the own account, until a second factor is in force.
    limited: bool,
    /// Was a second factor given within the last minutes?
    stepped_up: bool,
    /// Is a second factor in force?
    second_factor: bool,
    /// How many recovery codes are left.
    recovery_codes_left: i64,
    /// When password or second factor last changed.
    changed_at: Option<String>,
}

/// Who the session belongs to.
#[utoipa::path(
    get, path = "/v1/me", tag = "sessions",
    responses((status = 200, description = "Oneself.", body = Me)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn me(State(app): State<App>, signed: Signed) -> Result<Json<Me>, AccessError> {
    let mut db = app.db.reader().await?;
    let login = login::store::of(&mut db, &signed.subject).await?;
    let recovery_codes_left = login::store::recovery_codes_left(&mut db, &signed.subject).await?;
    let roles = match &signed.caller {
        Caller::Person { roles, .. } => roles.iter().copied().collect(),
        _ => Vec::new(),
    };
    Ok(Json(Me {
        kind: signed.subject.kind(),
        id: signed.subject.id().to_owned(),
        partner: signed.tenant.partner().to_owned(),
        email: login.as_ref().map(|login| login.email.clone()),
        roles,
        session: signed.session,
        limited: signed.limited,
        stepped_up: signed.stepped_up,
        second_factor: login.as_ref().is_some_and(|login| login.totp_sealed.is_some()),
        recovery_codes_left,
        changed_at: login.map(|login| moment(login.changed_at)),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The present one.
    #[schema(format = Password)]
    present: String,
    /// 15 to 128 characters, 8 where a second factor is in force or required.
    #[schema(format = Password)]
    new: String,
}

/// Changes the password; every other session ends.
#[utoipa::path(
    post, path = "/v1/me/password", tag = "sessions",
    request_body = PasswordChange,
    responses((status = 200, description = "Changed.", body = Done)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn change_password(
    State(app): State<App>,
    knock: Knock,
    signed: Signed,
    Body(body): Body<PasswordChange>,
) -> Result<Json<Done>, AccessError> {
    login::change_password(&app, knock, signed, body.present, body.new).await?;
    Ok(DONE)
}

/// A second factor that was begun. It is shown once.
#[derive(Serialize, ToSchema)]
struct FactorBegun {
    /// Base32, for typing into an authenticator.
    secret: String,
    /// `otpauth://…`, for a QR code.
    uri: String,
}

/// Begins a second factor: TOTP with SHA-1, six digits, 30 seconds. Replacing one needs a step-up.
#[utoipa::path(
    post, path = "/v1/me/second-factor", tag = "sessions",
    responses((status = 200, description = "Confirm it with a code.", body = FactorBegun)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn begin_factor(
    State(app): State<App>,
    knock: Knock,
    signed: Signed,
) -> Result<Json<FactorBegun>, AccessError> {
    let begun = second_factor::begin(&app, knock, &signed).await?;
    Ok(Json(FactorBegun { secret: begun.secret, uri: begun.uri }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FactorConfirmed {
    /// Six digits of the factor that was begun.
    code: String,
}

/// A second factor is in force.
#[derive(Serialize, ToSchema)]
struct FactorInForce {
    /// Each once instead of a code. They are shown this once.
    recovery_codes: Vec<String>,
    /// A new pair, if the session was limited until now.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
}

/// Puts the second factor in force; every other session ends.
#[utoipa::path(
    post, path = "/v1/me/second-factor/confirm", tag = "sessions",
    request_body = FactorConfirmed,
    responses((status = 200, description = "In force.", body = FactorInForce)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn confirm_factor(
    State(app): State<App>,
    knock: Knock,
    signed: Signed,
    Body(body): Body<FactorConfirmed>,
) -> Result<Json<FactorInForce>, AccessError> {
    let (opened, recovery_codes) = second_factor::confirm(&app, knock, &signed, body.code).await?;
    let tokens = opened.map(|opened| session::tokens(&app, &signed.subject, opened, "open")).transpose()?;
    Ok(Json(FactorInForce { recovery_codes, tokens }))
}

/// Recovery codes.
#[derive(Serialize, ToSchema)]
struct RecoveryCodes {
    /// Each once instead of a code. They are shown this once.
    recovery_codes: Vec<String>,
}

/// New recovery codes in place of all earlier ones; needs a step-up.
#[utoipa::path(
    post, path = "/v1/me/recovery-codes", tag = "sessions",
    responses((status = 200, description = "The new codes.", body = RecoveryCodes)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn renew_codes(
    State(app): State<App>,
    knock: Knock,
    signed: Signed,
) -> Result<Json<RecoveryCodes>, AccessError> {
    let recovery_codes = second_factor::renew_recovery_codes(&app, knock, &signed).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// One session.
#[derive(Serialize, ToSchema)]
struct SessionShown {
    id: String,
    /// Is it the one that asks?
    current: bool,
    state: String,
    made_at: String,
    /// When it was last renewed.
    used_at: String,
    expires_at: String,
    /// Where it was opened from.
    address: String,
    /// With what.
    agent: String,
}

/// Sessions, the newest first.
#[derive(Serialize, ToSchema)]
struct Sessions {
    sessions: Vec<SessionShown>,
}

/// One's living sessions.
#[utoipa::path(
    get, path = "/v1/me/sessions", tag = "sessions",
    responses((status = 200, description = "The newest first.", body = Sessions)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn sessions(State(app): State<App>, signed: Signed) -> Result<Json<Sessions>, AccessError> {
    let mut db = app.db.reader().await?;
    let rows = session::store::of_subject(&mut db, &signed.subject, app.clock.now()).await?;
    let shown = |row: session::store::Row| SessionShown {
        current: row.id == signed.session,
        id: row.id,
        state: row.state,
        made_at: moment(row.made_at),
        used_at: moment(row.used_at),
        expires_at: moment(row.expires_at),
        address: row.address,
        agent: row.agent,
    };
    Ok(Json(Sessions { sessions: rows.into_iter().map(shown).collect() }))
}

/// Ends one of one's sessions.
#[utoipa::path(
    delete, path = "/v1/me/sessions/{id}", tag = "sessions",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "Ended.", body = Done)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn end_session(
    State(app): State<App>,
    knock: Knock,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Json<Done>, AccessError> {
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let row = session::store::find(unit.db(), &id).await?;
                if row.is_none_or(|row| row.subject != signed.subject || row.state == "ended") {
                    return Err(AccessError::NotFound { what: "session" });
                }
                session::end_in(unit, &id, "ended by its owner").await?;
                record(unit, &knock.by(&signed.subject), Action::SessionEnd, &id, json!({})).await
            })
        })
        .await?;
    Ok(DONE)
}
