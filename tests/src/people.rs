//! How people get in: invitations with a second factor, signing up, a partner's API key. Over HTTP, as they do it.
//!
//! Used by act 3 and by tests that need somebody more. What must stay true: codes are computed here from the secret that
//! the API showed, as an authenticator does it; nothing is read from the database.

use crate::coordinator::Coordinator;
use crate::world::{list, text};
use anyhow::{Context as _, ensure};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};
use totp_rs::{Builder, Secret};

/// Long enough to stand alone, and on no list.
const PASSWORD: &str = "a gap of air and eight words";

/// Invites somebody of the house on the command line; answers the invitation.
///
/// # Errors
/// The program refuses.
pub async fn invite(coordinator: &Coordinator, name: &str, roles: &str) -> anyhow::Result<String> {
    let email = format!("{name}@airlock.example");
    let line = ["person", "invite", "--name", name, "--email", &email, "--role", roles];
    Ok(text(&coordinator.run(&line).await?.json()?, "invitation")?.to_owned())
}

/// Accepts an invitation and puts a second factor in force; answers the access token.
///
/// # Errors
/// A step is refused.
pub async fn accept(coordinator: &Coordinator, invitation: &str) -> anyhow::Result<String> {
    let body = json!({ "invitation": invitation, "password": PASSWORD });
    let limited = coordinator.post("/v1/invitations/accept", "", &body).await?;
    let token = text(&limited, "access_token")?;
    let me = coordinator.get("/v1/me", token).await?;
    ensure!(me["limited"] == true, "without a second factor only the own account is open: {me}");
    let begun = coordinator.post("/v1/me/second-factor", token, &json!({})).await?;
    let body = json!({ "code": code(text(&begun, "secret")?)? });
    let in_force = coordinator.post("/v1/me/second-factor/confirm", token, &body).await?;
    ensure!(list(&in_force, "recovery_codes")?.len() == 10, "ten recovery codes");
    Ok(text(&in_force["tokens"], "access_token")?.to_owned())
}

/// Signs somebody up as a user of the house, has them let in, and logs them in; answers access token and user id.
///
/// # Errors
/// A step is refused.
pub async fn sign_up(coordinator: &Coordinator, staff: &str, name: &str) -> anyhow::Result<(String, String)> {
    let email = format!("{name}@example.com");
    let credentials = json!({ "email": email, "password": PASSWORD });
    coordinator.post("/v1/auth/sign-up", "", &credentials).await?;
    let early = coordinator.try_post("/v1/auth/login", "", &credentials).await?;
    ensure!(early.status.as_u16() == 401, "nobody is in before they are let in: {early:?}");
    let waiting = coordinator.get("/v1/sign-ups", staff).await?;
    let theirs = list(&waiting, "sign_ups")?.iter().find(|waiting| waiting["email"] == email.as_str());
    let user = text(theirs.context("the sign-up waits")?, "user")?.to_owned();
    coordinator.post(&format!("/v1/sign-ups/{user}/accept"), staff, &json!({})).await?;
    let entered = coordinator.post("/v1/auth/login", "", &credentials).await?;
    Ok((text(&entered["tokens"], "access_token")?.to_owned(), user))
}

/// Makes a partner's API key with every scope on the command line; answers `ID:SECRET`, as the partner keeps it.
///
/// # Errors
/// The program refuses.
pub async fn key(coordinator: &Coordinator, partner: &str) -> anyhow::Result<String> {
    let scopes = "read,transfer,withdraw,deposit,manage_users";
    let line = ["key", "create", "--partner", partner, "--scopes", scopes, "--allow", "127.0.0.0/8"];
    let made = coordinator.run(&line).await?.json()?;
    Ok(format!("{}:{}", text(&made, "id")?, text(&made, "secret")?))
}

/// What an authenticator shows now.
fn code(secret: &str) -> anyhow::Result<String> {
    let secret = Secret::try_from_base32(secret).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let totp = Builder::new().with_secret(secret).build().map_err(|error| anyhow::anyhow!("{error:?}"))?;
    Ok(totp.generate(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs()).to_string())
}
