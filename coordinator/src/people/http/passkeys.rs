//! Passkeys of one's own: registering one that a browser made, listing, removing.

use super::{DONE, Done};
use crate::api::{Body, moment};
use crate::app::App;
use crate::people::login::Knock;
use crate::people::session::Signed;
use crate::people::{AccessError, passkey};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/me/passkeys`.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(options)).routes(routes!(register, list)).routes(routes!(remove))
}

/// Options for registering a passkey: a challenge good for five minutes, once, in this session.
#[utoipa::path(
    post, path = "/v1/me/passkeys/options", tag = "sessions",
    responses((status = 200, description = "`PublicKeyCredentialCreationOptionsJSON`.", body = Object)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn options(State(app): State<App>, signed: Signed) -> Result<Json<Value>, AccessError> {
    Ok(Json(passkey::options(&app, &signed).await?))
}

/// What a browser made: a label, and the credential's `toJSON()`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasskeyMade {
    /// 1 to 64 characters.
    label: String,
    credential: CredentialMade,
}

/// `RegistrationResponseJSON`; browsers add members, which are ignored.
#[derive(Deserialize, ToSchema)]
struct CredentialMade {
    response: AttestationMade,
}

#[derive(Deserialize, ToSchema)]
struct AttestationMade {
    /// base64url.
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    /// base64url.
    #[serde(rename = "authenticatorData")]
    authenticator_data: String,
}

/// A passkey that was registered.
#[derive(Serialize, ToSchema)]
struct PasskeyRegistered {
    /// The credential's id, base64url.
    credential: String,
}

/// Registers a passkey; needs a fresh second factor where one is in force.
#[utoipa::path(
    post, path = "/v1/me/passkeys", tag = "sessions",
    request_body = PasskeyMade,
    responses((status = 201, description = "Registered.", body = PasskeyRegistered)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn register(
    State(app): State<App>,
    knock: Knock,
    signed: Signed,
    Body(body): Body<PasskeyMade>,
) -> Result<(StatusCode, Json<PasskeyRegistered>), AccessError> {
    let AttestationMade { client_data, authenticator_data } = body.credential.response;
    let credential =
        passkey::register(&app, knock, &signed, body.label, &client_data, &authenticator_data).await?;
    Ok((StatusCode::CREATED, Json(PasskeyRegistered { credential })))
}

/// One passkey.
#[derive(Serialize, ToSchema)]
struct PasskeyShown {
    /// The credential's id, base64url.
    credential: String,
    label: String,
    made_at: String,
    used_at: Option<String>,
}

/// Passkeys, the oldest first.
#[derive(Serialize, ToSchema)]
struct Passkeys {
    passkeys: Vec<PasskeyShown>,
}

/// One's passkeys.
#[utoipa::path(
    get, path = "/v1/me/passkeys", tag = "sessions",
    responses((status = 200, description = "The oldest first.", body = Passkeys)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn list(State(app): State<App>, signed: Signed) -> Result<Json<Passkeys>, AccessError> {
    let rows = passkey::store::of(&mut *app.db.reader().await?, &signed.subject).await?;
    let shown = |row: passkey::store::Passkey| PasskeyShown {
        credential: row.credential,
        label: row.label,
        made_at: moment(row.made_at),
        used_at: row.used_at.map(moment),
    };
    Ok(Json(Passkeys { passkeys: rows.into_iter().map(shown).collect() }))
}

/// Removes a passkey; needs a fresh second factor where one is in force.
#[utoipa::path(
    delete, path = "/v1/me/passkeys/{credential}", tag = "sessions",
    params(("credential" = String, Path, description = "The credential's id, base64url.")),
    responses((status = 200, description = "Removed.", body = Done)),
    extensions(("x-airlock-permission" = json!("own_account"))),
)]
async fn remove(
    State(app): State<App>,
    knock: Knock,
    signed: Signed,
    Path(credential): Path<String>,
) -> Result<Json<Done>, AccessError> {
    passkey::remove(&app, knock, &signed, credential).await?;
    Ok(DONE)
}
