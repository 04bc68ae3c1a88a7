//! Signing up, logging in in one or two steps, refreshing, logging out, stepping up.

use super::{DONE, Done, FactorGiven};
use crate::api::Body;
use crate::app::App;
use crate::audit::Action;
use crate::people::login::{self, Knock, record};
use crate::people::session::{self, Refreshed, Signed, Standing, Tokens};
use crate::people::{AccessError, second_factor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/auth/…`.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(log_in))
        .routes(routes!(second_step))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
        .routes(routes!(log_out_everywhere))
        .routes(routes!(step_up))
}

/// E-mail and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// At most 254 bytes; capitals do not matter.
    email: String,
    /// At most 128 characters, compared after Unicode normalisation (NFC).
    #[schema(format = Password)]
    password: String,
}

/// Takes a new user of the house; the answer is the same whether the e-mail was taken or not.
#[utoipa::path(
    post, path = "/v1/auth/sign-up", tag = "sessions",
    request_body = Credentials,
    responses(
        (status = 202, description = "Taken in. Whether one may log in at once is a setting.", body = Done),
        (status = 403, description = "Signing up is switched off here."),
        (status = 422, description = "Not an e-mail address, or a password that cannot be chosen."),
    ),
    extensions(("x-airlock-permission" = json!("none"))),
)]
async fn sign_up(
    State(app): State<App>,
    knock: Knock,
    Body(body): Body<Credentials>,
) -> Result<(StatusCode, Json<Done>), AccessError> {
    login::sign_up(&app, knock, &body.email, body.password).await?;
    Ok((StatusCode::ACCEPTED, DONE))
}

/// What a right password leads to.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// `open`: logged in. `limited`: only the own account, until a second factor is in force. `second_factor`: give the code.
    next: &'static str,
    /// For the second step, within five minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
    /// Unless a code is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
}

/// Logs in; the second step follows where a second factor is in force.
#[utoipa::path(
    post, path = "/v1/auth/login", tag = "sessions",
    request_body = Credentials,
    responses(
        (status = 200, description = "The password is right.", body = LoggedIn),
        (status = 401, description = "E-mail or password is wrong, or the account may not log in."),
    ),
    extensions(("x-airlock-permission" = json!("none"))),
)]
async fn log_in(
    State(app): State<App>,
    knock: Knock,
    Body(body): Body<Credentials>,
) -> Result<Json<LoggedIn>, AccessError> {
    let entered = login::log_in(&app, knock, &body.email, body.password).await;
    counted("password", &entered);
    let entered = entered?;
    let next = match entered.standing {
        Standing::Pending => {
            let challenge = Some(entered.opened.secret);
            return Ok(Json(LoggedIn { next: "second_factor", challenge, tokens: None }));
        }
        Standing::Limited => "limited",
        Standing::Open { .. } => "open",
    };
    let tokens = session::tokens(&app, &entered.subject, entered.opened, next)?;
    Ok(Json(LoggedIn { next, challenge: None, tokens: Some(tokens) }))
}

/// One step of a log-in in the figures: whether it went well, never whose it was.
fn counted<T>(step: &'static str, outcome: &Result<T, AccessError>) {
    let outcome = match outcome {
        Ok(_) => "accepted",
        Err(AccessError::TooMany { .. }) => "delayed",
        Err(_) => "refused",
    };
    metrics::counter!("airlock_login_steps_total", "step" => step, "outcome" => outcome).increment(1);
}

/// The challenge of the first step, and exactly one second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecondStep {
    /// From the first step.
    challenge: String,
    /// Six digits of the authenticator, of now or of one step either way.
    code: Option<String>,
    /// One of the recovery codes.
    recovery_code: Option<String>,
}

/// The second step of a log-in.
#[utoipa::path(
    post, path = "/v1/auth/second-factor", tag = "sessions",
    request_body = SecondStep,
    responses(
        (status = 200, description = "Logged in.", body = Tokens),
        (status = 401, description = "The code is wrong or used, or the challenge is over."),
    ),
    extensions(("x-airlock-permission" = json!("none"))),
)]
async fn second_step(
    State(app): State<App>,
    knock: Knock,
    Body(body): Body<SecondStep>,
) -> Result<Json<Tokens>, AccessError> {
    let given = FactorGiven { code: body.code, recovery_code: body.recovery_code }.read()?;
    let stepped = second_factor::second_step(&app, knock, &body.challenge, given).await;
    counted("second_factor", &stepped);
    let (opened, subject) = stepped?;
    Ok(Json(session::tokens(&app, &subject, opened, "open")?))
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshToken {
    /// The last one that was given out; it is good once.
    refresh_token: String,
}

/// Exchanges a refresh token for a new pair. One presented twice ends the whole session.
#[utoipa::path(
    post, path = "/v1/auth/refresh", tag = "sessions",
    request_body = RefreshToken,
    responses(
        (status = 200, description = "The next pair.", body = Tokens),
        (status = 401, description = "Unknown or used, or the session has ended."),
    ),
    extensions(("x-airlock-permission" = json!("none"))),
)]
async fn refresh(
    State(app): State<App>,
    knock: Knock,
    Body(body): Body<RefreshToken>,
) -> Result<Json<Tokens>, AccessError> {
    let shared = app.clone();
    let refreshed = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let refreshed = session::refresh(unit, &shared.config.auth, &body.refresh_token).await?;
                match &refreshed {
                    Refreshed::Renewed { opened, subject, .. } => {
                        let by = knock.by(subject);
                        record(unit, &by, Action::SessionRefresh, &opened.session, json!({})).await?;
                    }
                    Refreshed::Reused { session, subject } => {
                        let after = json!({ "subject": subject.to_string() });
                        record(unit, &knock.by, Action::RefreshReused, session, after).await?;
                    }
                    Refreshed::Unknown => {}
                }
                Ok::<_, AccessError>(refreshed)
            })
        })
        .await?;
    match refreshed {
        Refreshed::Renewed { opened, subject, state } => {
            Ok(Json(session::tokens(&app, &subject, opened, &state)?))
        }
        Refreshed::Reused { .. } | Refreshed::Unknown => Err(AccessError::Session),
    }
}

/// Ends this session.
#[utoipa::path(
    post, path = "/v1/auth/logout", tag = "sessions",
    responses((status = 200, description = "Ended.", body = Done)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn log_out(State(app): State<App>, knock: Knock, signed: Signed) -> Result<Json<Done>, AccessError> {
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                session::end_in(unit, &signed.session, "logged out").await?;
                record(unit, &knock.by(&signed.subject), Action::Logout, &signed.session, json!({})).await
            })
        })
        .await?;
    Ok(DONE)
}

/// Ends every session of one's own, this one included.
#[utoipa::path(
    post, path = "/v1/auth/logout-everywhere", tag = "sessions",
    responses((status = 200, description = "Ended.", body = Done)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn log_out_everywhere(
    State(app): State<App>,
    knock: Knock,
    signed: Signed,
) -> Result<Json<Done>, AccessError> {
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let ended = session::end_all(unit, &signed.subject, None, "logged out everywhere").await?;
                let (by, subject) = (knock.by(&signed.subject), signed.subject.to_string());
                let after = json!({ "sessions_ended": ended });
                record(unit, &by, Action::LogoutEverywhere, &subject, after).await
            })
        })
        .await?;
    Ok(DONE)
}

/// Gives the second factor again, which sensitive calls ask for.
#[utoipa::path(
    post, path = "/v1/auth/step-up", tag = "sessions",
    request_body = FactorGiven,
    responses((status = 200, description = "Fresh for the next minutes.", body = Done)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn step_up(
    State(app): State<App>,
    knock: Knock,
    signed: Signed,
    Body(body): Body<FactorGiven>,
) -> Result<Json<Done>, AccessError> {
    second_factor::step_up(&app, knock, &signed, body.read()?).await?;
    Ok(DONE)
}
