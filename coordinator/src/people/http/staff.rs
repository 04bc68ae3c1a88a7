//! Staff: invitations, the list of people, changes of roles by two, deactivation; and letting in who signed up.

use super::{DONE, Done};
use crate::api::{ApiError, Body, Code, Query, moment};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::people::invitation::{self, Grant, Invited};
use crate::people::login::{self, Knock, record};
use crate::people::role_change::{self, Decision};
use crate::people::session::{self, Tokens};
use crate::people::store::{self, Person, RoleChange};
use crate::people::{AccessError, Caller, HOUSE, Permission, Reach, Role};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/invitations`, `/v1/people`, `/v1/role-changes`, `/v1/sign-ups`.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(invite))
        .routes(routes!(accept))
        .routes(routes!(people))
        .routes(routes!(propose))
        .routes(routes!(deactivate))
        .routes(routes!(waiting_changes))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(sign_ups))
        .routes(routes!(let_in))
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Invite {
    /// The person's id to be: 1 to 64 of a-z 0-9 . _ @ -
    name: String,
    email: String,
    /// Proposed for them at acceptance; another administrator approves.
    roles: Vec<Role>,
    /// The partner's id; without it, the inviter's own tenant.
    partner: Option<String>,
}

/// An invitation. Its token is shown this once.
#[derive(Serialize, ToSchema)]
struct InvitationMade {
    /// The person's id.
    person: String,
    /// Hand it over by a way that only they can read.
    invitation: String,
}

/// Invites one of the tenant's people. They come with no roles: those named are proposed, and another administrator approves.
#[utoipa::path(
    post, path = "/v1/invitations", tag = "people",
    request_body = Invite,
    responses((status = 201, description = "Invited.", body = InvitationMade)),
    extensions(("x-airlock-permission" = json!("manage_people"))),
)]
async fn invite(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<Invite>,
) -> Result<(StatusCode, Json<InvitationMade>), AccessError> {
    let reach = caller.may(Permission::ManagePeople)?;
    let partner = tenant(&reach, body.partner)?;
    let roles = body.roles.into_iter().collect();
    let invited = Invited { name: body.name, email: body.email, partner, roles };
    let made = invitation::invite(&app, by, invited, Grant::Proposed).await?;
    Ok((StatusCode::CREATED, Json(InvitationMade { person: made.id, invitation: made.invitation })))
}

/// The tenant that is meant: the caller's own, or the one that the house names. A foreign one is a missing one.
fn tenant(reach: &Reach, named: Option<String>) -> Result<String, AccessError> {
    const MISSING: AccessError = AccessError::NotFound { what: "partner" };
    match (reach, named) {
        (Reach::All, named) => Ok(named.unwrap_or_else(|| HOUSE.to_owned())),
        (Reach::Partner(own), None) => Ok(own.clone()),
        (Reach::Partner(own), Some(named)) if *own == named => Ok(named),
        _ => Err(MISSING),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    /// The invitation's token.
    invitation: String,
    /// 8 to 128 characters; a second factor is required besides.
    #[schema(format = Password)]
    password: String,
}

/// Accepts an invitation. The session is limited to the own account until a second factor is in force.
#[utoipa::path(
    post, path = "/v1/invitations/accept", tag = "people",
    request_body = Acceptance,
    responses(
        (status = 200, description = "Accepted; begin a second factor now.", body = Tokens),
        (status = 422, description = "The invitation is unknown, used or expired, or the password cannot be chosen."),
    ),
    extensions(("x-airlock-permission" = json!("none"))),
)]
async fn accept(
    State(app): State<App>,
    knock: Knock,
    Body(body): Body<Acceptance>,
) -> Result<Json<Tokens>, AccessError> {
    let (opened, subject) = invitation::accept(&app, knock, &body.invitation, body.password).await?;
    Ok(Json(session::tokens(&app, &subject, opened, "limited")?))
}

/// One of a tenant's people.
#[derive(Serialize, ToSchema)]
struct PersonShown {
    id: String,
    /// The partner's id; `house` for the house.
    partner: String,
    email: Option<String>,
    active: bool,
    roles: Vec<Role>,
    made_at: String,
}

impl From<Person> for PersonShown {
    fn from(person: Person) -> Self {
        Self {
            id: person.id,
            partner: person.partner,
            email: person.email,
            active: person.active,
            roles: person.roles.into_iter().collect(),
            made_at: moment(person.made_at),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only this partner's.
    partner: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// 1 to 500; 100 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

/// A page of people.
#[derive(Serialize, ToSchema)]
struct People {
    people: Vec<PersonShown>,
    /// Where the next page begins; null at the end.
    next: Option<String>,
}

/// Lists people of the tenant; for the house, everybody's.
#[utoipa::path(
    get, path = "/v1/people", tag = "people",
    params(Asked),
    responses((status = 200, description = "By id.", body = People)),
    extensions(("x-airlock-permission" = json!("see_people"))),
)]
async fn people(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(asked): Query<Asked>,
) -> Result<Json<People>, AccessError> {
    let partner = match (caller.may(Permission::SeePeople)?, asked.partner) {
        (Reach::All, partner) => partner,
        (reach, named) => Some(tenant(&reach, named)?),
    };
    let limit = usize::from(asked.limit.unwrap_or(100));
    if !(1..=500).contains(&limit) {
        return Err(ApiError::new(Code::BadQuery, "limit is 1 to 500").into());
    }
    let (named, after) = (partner.as_deref().unwrap_or_default(), asked.after.unwrap_or_default());
    audit::read(&app, &by, Action::PeopleRead, named, json!({ "after": after, "limit": limit })).await?;
    let mut db = app.db.reader().await?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut people = store::people(&mut db, partner.as_deref(), &after, most).await?;
    let next = (people.len() > limit).then(|| people.truncate(limit)).and(people.last());
    let next = next.map(|person| person.id.clone());
    Ok(Json(People { people: people.into_iter().map(PersonShown::from).collect(), next }))
}

/// A change of somebody's roles.
#[derive(Serialize, ToSchema)]
struct ChangeShown {
    id: String,
    person: String,
    before: Vec<Role>,
    after: Vec<Role>,
    /// `proposed`, `approved` or `rejected`.
    state: String,
    proposed_by: String,
    proposed_at: String,
    /// Void if nobody decides until then.
    expires_at: String,
    decided_by: Option<String>,
}

impl From<RoleChange> for ChangeShown {
    fn from(change: RoleChange) -> Self {
        Self {
            id: change.id,
            person: change.person,
            before: change.before.into_iter().collect(),
            after: change.after.into_iter().collect(),
            state: change.state,
            proposed_by: change.proposed_by,
            proposed_at: moment(change.proposed_at),
            expires_at: moment(change.expires_at),
            decided_by: change.decided_by,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRoles {
    /// All that the person is to have; empty for none.
    roles: Vec<Role>,
}

/// Proposes other roles for somebody; another administrator decides.
#[utoipa::path(
    post, path = "/v1/people/{id}/roles", tag = "people",
    params(("id" = String, Path, description = "The person's id.")),
    request_body = NewRoles,
    responses((status = 201, description = "Proposed.", body = ChangeShown)),
    extensions(("x-airlock-permission" = json!("manage_people"))),
)]
async fn propose(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<NewRoles>,
) -> Result<(StatusCode, Json<ChangeShown>), AccessError> {
    let reach = caller.may(Permission::ManagePeople)?;
    let proposal = role_change::propose(&app, by, reach, id, body.roles.into_iter().collect()).await?;
    let change = store::role_change(&mut *app.db.reader().await?, &proposal).await?;
    let change = change.ok_or(AccessError::NotFound { what: "role change" })?;
    Ok((StatusCode::CREATED, Json(change.into())))
}

/// Proposals that wait.
#[derive(Serialize, ToSchema)]
struct Changes {
    role_changes: Vec<ChangeShown>,
}

/// Lists the proposals that wait for a decision, the oldest first.
#[utoipa::path(
    get, path = "/v1/role-changes", tag = "people",
    responses((status = 200, description = "At most 500.", body = Changes)),
    extensions(("x-airlock-permission" = json!("see_people"))),
)]
async fn waiting_changes(State(app): State<App>, caller: Caller) -> Result<Json<Changes>, AccessError> {
    let partner = match caller.may(Permission::SeePeople)? {
        Reach::All => None,
        reach => Some(tenant(&reach, None)?),
    };
    let mut db = app.db.reader().await?;
    let waiting = store::role_changes_waiting(&mut db, partner.as_deref(), app.clock.now()).await?;
    Ok(Json(Changes { role_changes: waiting.into_iter().map(ChangeShown::from).collect() }))
}

/// Approves somebody else's proposal: the roles change and the person's sessions end.
#[utoipa::path(
    post, path = "/v1/role-changes/{id}/approve", tag = "people",
    params(("id" = String, Path, description = "The proposal's id.")),
    responses((status = 200, description = "Changed.", body = ChangeShown)),
    extensions(("x-airlock-permission" = json!("manage_people"))),
)]
async fn approve(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<ChangeShown>, AccessError> {
    let reach = caller.may(Permission::ManagePeople)?;
    Ok(Json(role_change::decide(&app, by, reach, id, Decision::Approve).await?.into()))
}

/// Rejects somebody else's proposal.
#[utoipa::path(
    post, path = "/v1/role-changes/{id}/reject", tag = "people",
    params(("id" = String, Path, description = "The proposal's id.")),
    responses((status = 200, description = "Rejected.", body = ChangeShown)),
    extensions(("x-airlock-permission" = json!("manage_people"))),
)]
async fn reject(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<ChangeShown>, AccessError> {
    let reach = caller.may(Permission::ManagePeople)?;
    Ok(Json(role_change::decide(&app, by, reach, id, Decision::Reject).await?.into()))
}

/// Closes a person's way in: their sessions end with this answer.
#[utoipa::path(
    post, path = "/v1/people/{id}/deactivate", tag = "people",
    params(("id" = String, Path, description = "The person's id.")),
    responses((status = 200, description = "Deactivated.", body = Done)),
    extensions(("x-airlock-permission" = json!("manage_people"))),
)]
async fn deactivate(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<Done>, AccessError> {
    let reach = caller.may(Permission::ManagePeople)?;
    role_change::deactivate(&app, by, reach, id).await?;
    Ok(DONE)
}

/// Somebody who signed up.
#[derive(Serialize, ToSchema)]
struct SignUpShown {
    /// The user's id.
    user: String,
    email: String,
    made_at: String,
}

/// Those who wait to be let in.
#[derive(Serialize, ToSchema)]
struct SignUps {
    sign_ups: Vec<SignUpShown>,
}

/// Lists who signed up and waits to be let in, the oldest first.
#[utoipa::path(
    get, path = "/v1/sign-ups", tag = "people",
    responses((status = 200, description = "At most 500.", body = SignUps)),
    extensions(("x-airlock-permission" = json!("manage_users"))),
)]
async fn sign_ups(State(app): State<App>, caller: Caller, by: By) -> Result<Json<SignUps>, AccessError> {
    caller.house(Permission::ManageUsers)?;
    audit::read(&app, &by, Action::UsersRead, "", json!({ "sign_ups": true })).await?;
    let waiting = login::store::waiting(&mut *app.db.reader().await?).await?;
    let shown = |(user, email, made_at)| SignUpShown { user, email, made_at: moment(made_at) };
    Ok(Json(SignUps { sign_ups: waiting.into_iter().map(shown).collect() }))
}

/// Lets in somebody who signed up.
#[utoipa::path(
    post, path = "/v1/sign-ups/{user}/accept", tag = "people",
    params(("user" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "They may log in.", body = Done)),
    extensions(("x-airlock-permission" = json!("manage_users"))),
)]
async fn let_in(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(user): Path<String>,
) -> Result<Json<Done>, AccessError> {
    caller.house(Permission::ManageUsers)?;
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                if !login::store::accept(unit.db(), &user).await? {
                    return Err(AccessError::NotFound { what: "sign-up" });
                }
                record(unit, &by, Action::UserCreate, &user, json!({ "partner": HOUSE, "signed_up": true }))
                    .await
            })
        })
        .await?;
    Ok(DONE)
}
