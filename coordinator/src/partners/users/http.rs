//! The routes of end users: for partners' systems (scope `manage_users`), their staff, and the house.
//!
//! What must stay true: a foreign user is a missing one; lists that staff look at leave an audit row first.

use super::{Made, make, set_active};
use crate::api::page::{self, Cursor, Limit};
use crate::api::texts::{Amount, AssetName, Moment};
use crate::api::{ApiError, Body, Code, Query, moment};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::ledger;
use crate::people::tenants::{UserRow, UsersAsked, store};
use crate::people::{Caller, Permission, Reach};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/users`, `/v1/admin/users`, `/v1/admin/balances`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(make_user, list))
        .routes(routes!(show))
        .routes(routes!(deactivate))
        .routes(routes!(activate))
        .routes(routes!(admin_users))
        .routes(routes!(admin_balances))
}

/// An end user.
#[derive(Debug, Serialize, ToSchema)]
struct User {
    /// Its id.
    id: String,
    /// Its partner's id; `house` for those who signed up.
    partner: String,
    /// How the partner calls it.
    external_id: Option<String>,
    /// May it get in, and may money be moved for it?
    active: bool,
    #[schema(value_type = Moment)]
    made_at: String,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let UserRow { id, partner, external_id, active, made_at } = row;
        Self { id, partner, external_id, active, made_at: moment(made_at) }
    }
}

/// A user that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserWanted {
    /// Whose, for the house's people. A partner's own is meant otherwise.
    partner: Option<String>,
    /// How the partner calls it: 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    external_id: String,
}

/// Make an end user
///
/// Asking for the same external id again answers the same user.
#[utoipa::path(post, path = "/v1/users", tag = "users", request_body = UserWanted,
    responses((status = 201, description = "Made", body = User), (status = 200, description = "It was there", body = User)),
    extensions(("x-airlock-permission" = json!("manage_users"))))]
async fn make_user(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<UserWanted>,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::ManageUsers)?;
    let partner = match (&reach, body.partner) {
        (Reach::Partner(own), None) => own.clone(),
        (reach, Some(named)) if reach.covers_partner(&named) => named,
        (Reach::All, None) => return Err(ApiError::new(Code::PartnerNeeded, "name the partner")),
        _ => return Err(ApiError::not_found("partner")),
    };
    let (made, user) = make(&app, &partner, &body.external_id, &by).await?;
    let status = if made == Made::Now { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(User::from(user))).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsersQuery {
    /// Only this partner's.
    partner: Option<String>,
    /// Only the one of this name.
    external_id: Option<String>,
    /// Only those that are active, or that are not.
    active: Option<bool>,
    /// The `next` of the page before.
    before: Option<Cursor>,
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
}

/// A page of users, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Users {
    users: Vec<User>,
    /// What leads to the next page; null at the end.
    next: Option<Cursor>,
}

/// The query as far as the caller may reach.
fn narrowed(reach: &Reach, query: &UsersQuery) -> Result<UsersAsked, ApiError> {
    let partner = match (reach, &query.partner) {
        (Reach::All, named) => named.clone(),
        (Reach::Partner(own), None) => Some(own.clone()),
        (reach, Some(named)) if reach.covers_partner(named) => Some(named.clone()),
        _ => return Err(ApiError::not_found("partner")),
    };
    Ok(UsersAsked { partner, external_id: query.external_id.clone(), active: query.active })
}

/// A page of rows; what staff look at is written down first.
async fn page_of(
    app: &App,
    caller: &Caller,
    by: &By,
    query: &UsersQuery,
    action: Action,
    reach: &Reach,
) -> Result<(Vec<UserRow>, Option<Cursor>), ApiError> {
    let asked = narrowed(reach, query)?;
    if matches!(caller, Caller::Person { .. }) {
        let subject = asked.partner.clone().unwrap_or_default();
        let shown = serde_json::json!({ "external_id": asked.external_id, "active": asked.active });
        audit::read(app, by, action, &subject, shown).await?;
    }
    let mut db = app.db.reader().await?;
    let before = query.before.as_ref().map_or((i64::MAX, ""), Cursor::key);
    let mut rows = store::users(&mut db, &asked, before, query.limit.and_one()).await?;
    let next = page::cut(&mut rows, query.limit, |row| (row.made_at, row.id.as_str()));
    Ok((rows, next))
}

/// End users
#[utoipa::path(get, path = "/v1/users", tag = "users", params(UsersQuery),
    responses((status = 200, description = "Newest first", body = Users)),
    extensions(("x-airlock-permission" = json!("see_users"))))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<UsersQuery>,
) -> Result<Json<Users>, ApiError> {
    let reach = caller.may(Permission::SeeUsers)?;
    let (rows, next) = page_of(&app, &caller, &by, &query, Action::UsersRead, &reach).await?;
    Ok(Json(Users { users: rows.into_iter().map(User::from).collect(), next }))
}

/// One end user
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "The user", body = User)),
    extensions(("x-airlock-permission" = json!("see_users"))))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<User>, ApiError> {
    let reach = caller.may(Permission::SeeUsers)?;
    let found = store::user(&mut *app.db.reader().await?, &id).await?;
    let user = found.filter(|row| reach.covers_partner(&row.partner));
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    if matches!(caller, Caller::Person { .. }) {
        audit::read(&app, &by, Action::UsersRead, &id, serde_json::Value::Null).await?;
    }
    Ok(Json(user.into()))
}

/// Close an end user
///
/// From now on it does not get in, and no money is moved for it. What it has stays its own.
#[utoipa::path(post, path = "/v1/users/{id}/deactivate", tag = "users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "It is closed", body = User)),
    extensions(("x-airlock-permission" = json!("manage_users"))))]
async fn deactivate(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<User>, ApiError> {
    let reach = caller.may(Permission::ManageUsers)?;
    Ok(Json(set_active(&app, &id, false, &reach, &by).await?.into()))
}

/// Open an end user again
#[utoipa::path(post, path = "/v1/users/{id}/activate", tag = "users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "It is open", body = User)),
    extensions(("x-airlock-permission" = json!("manage_users"))))]
async fn activate(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<User>, ApiError> {
    let reach = caller.may(Permission::ManageUsers)?;
    Ok(Json(set_active(&app, &id, true, &reach, &by).await?.into()))
}

/// Everybody's end users
#[utoipa::path(get, path = "/v1/admin/users", tag = "users", params(UsersQuery),
    responses((status = 200, description = "Newest first", body = Users)),
    extensions(("x-airlock-permission" = json!("see_users"))))]
async fn admin_users(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<UsersQuery>,
) -> Result<Json<Users>, ApiError> {
    caller.house(Permission::SeeUsers)?;
    let (rows, next) = page_of(&app, &caller, &by, &query, Action::UsersRead, &Reach::All).await?;
    Ok(Json(Users { users: rows.into_iter().map(User::from).collect(), next }))
}

/// What one user has.
#[derive(Debug, Serialize, ToSchema)]
struct UserBalances {
    /// Whose.
    user: String,
    partner: String,
    external_id: Option<String>,
    active: bool,
    /// One per asset that ever moved.
    balances: Vec<AssetBalance>,
}

/// What a user has of one asset.
#[derive(Debug, Serialize, ToSchema)]
struct AssetBalance {
    #[schema(value_type = AssetName)]
    asset: String,
    /// Free to be spent.
    #[schema(value_type = Amount)]
    available: String,
    /// Waiting in withdrawals, fees included.
    #[schema(value_type = Amount)]
    held: String,
}

/// A page of users with what they have.
#[derive(Debug, Serialize, ToSchema)]
struct BalancesPage {
    users: Vec<UserBalances>,
    /// What leads to the next page; null at the end.
    next: Option<Cursor>,
}

/// Everybody's balances
#[utoipa::path(get, path = "/v1/admin/balances", tag = "balances", params(UsersQuery),
    responses((status = 200, description = "By user, newest first", body = BalancesPage)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn admin_balances(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<UsersQuery>,
) -> Result<Json<BalancesPage>, ApiError> {
    caller.house(Permission::SeeMoney)?;
    let (rows, next) = page_of(&app, &caller, &by, &query, Action::MoneyRead, &Reach::All).await?;
    // One picture of all of them.
    let mut db = app.db.begin_read().await?;
    let mut users = Vec::with_capacity(rows.len());
    for UserRow { id, partner, external_id, active, .. } in rows {
        let mut balances = Vec::new();
        for balance in ledger::store::balances_of(&mut db, &id).await? {
            let decimals = app.config.assets.decimals(&balance.asset).map_err(ApiError::internal)?;
            balances.push(AssetBalance {
                asset: balance.asset.to_string(),
                available: balance.available.to_decimal(decimals),
                held: balance.held.to_decimal(decimals),
            });
        }
        users.push(UserBalances { user: id, partner, external_id, active, balances });
    }
    Ok(Json(BalancesPage { users, next }))
}
