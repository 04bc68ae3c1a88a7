//! The routes of partners themselves. A partner's staff see their own; the house sees and changes all.
//!
//! What must stay true: a foreign partner is a missing one; only the house makes, renames and closes partners.

use super::{Change, PartnerError, change, make};
use crate::api::page::{self, Cursor, Limit};
use crate::api::texts::Moment;
use crate::api::{ApiError, Body, Code, Query, moment};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::people::tenants::{PartnerRow, store};
use crate::people::{Caller, Permission, Reach};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/partners` and below, `/v1/users`, `/v1/admin/users`, `/v1/admin/balances`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(make_partner, list))
        .routes(routes!(show, change_partner))
        .merge(super::users::http::router())
        .merge(super::wallets::http::router())
}

/// A partner.
#[derive(Debug, Serialize, ToSchema)]
struct Partner {
    /// Its id; `house` is the house itself.
    id: String,
    name: String,
    /// Do its keys, people and users get in?
    active: bool,
    #[schema(value_type = Moment)]
    made_at: String,
}

impl From<PartnerRow> for Partner {
    fn from(PartnerRow { id, name, active, made_at }: PartnerRow) -> Self {
        Self { id, name, active, made_at: moment(made_at) }
    }
}

/// A partner that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PartnerWanted {
    /// A name of its own: 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
}

/// Make a partner
#[utoipa::path(post, path = "/v1/partners", tag = "partners", request_body = PartnerWanted,
    responses((status = 201, description = "Made", body = Partner)),
    extensions(("x-airlock-permission" = json!("manage_partners"))))]
async fn make_partner(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<PartnerWanted>,
) -> Result<Response, ApiError> {
    caller.house(Permission::ManagePartners)?;
    let partner = Partner::from(make(&app, &body.name, &by).await?);
    Ok((StatusCode::CREATED, Json(partner)).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PartnersQuery {
    /// The `next` of the page before.
    before: Option<Cursor>,
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
}

/// A page of partners, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Partners {
    partners: Vec<Partner>,
    /// What leads to the next page; null at the end.
    next: Option<Cursor>,
}

/// Partners
///
/// The house's people see all, a partner's people their own.
#[utoipa::path(get, path = "/v1/partners", tag = "partners", params(PartnersQuery),
    responses((status = 200, description = "Newest first", body = Partners)),
    extensions(("x-airlock-permission" = json!("see_partners"))))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<PartnersQuery>,
) -> Result<Json<Partners>, ApiError> {
    let only = match caller.may(Permission::SeePartners)? {
        Reach::All => String::new(),
        Reach::Partner(own) | Reach::User { partner: own, .. } => own,
    };
    audit::read(&app, &by, Action::PartnersRead, &only, json!(null)).await?;
    let mut db = app.db.reader().await?;
    let before = query.before.as_ref().map_or((i64::MAX, ""), Cursor::key);
    let mut rows = store::partners(&mut db, &only, before, query.limit.and_one()).await?;
    let next = page::cut(&mut rows, query.limit, |row| (row.made_at, row.id.as_str()));
    Ok(Json(Partners { partners: rows.into_iter().map(Partner::from).collect(), next }))
}

/// One partner
#[utoipa::path(get, path = "/v1/partners/{id}", tag = "partners",
    params(("id" = String, Path, description = "The partner's id")),
    responses((status = 200, description = "The partner", body = Partner)),
    extensions(("x-airlock-permission" = json!("see_partners"))))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Partner>, ApiError> {
    let reach = caller.may(Permission::SeePartners)?;
    let found = store::partner(&mut *app.db.reader().await?, &id).await?;
    let found = found.filter(|row| reach.covers_partner(&row.id));
    Ok(Json(found.ok_or_else(|| ApiError::not_found("partner"))?.into()))
}

/// What changes of a partner; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PartnerChange {
    /// Another name of its own.
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    /// `false` ends its keys and the sessions of its people and users at once.
    active: Option<bool>,
}

/// Rename, close or open a partner
#[utoipa::path(patch, path = "/v1/partners/{id}", tag = "partners",
    params(("id" = String, Path, description = "The partner's id")),
    request_body = PartnerChange,
    responses((status = 200, description = "As it is now", body = Partner)),
    extensions(("x-airlock-permission" = json!("manage_partners"))))]
async fn change_partner(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<PartnerChange>,
) -> Result<Json<Partner>, ApiError> {
    if let Reach::Partner(own) = caller.may(Permission::ManagePartners)?
        && own != id
    {
        return Err(ApiError::not_found("partner"));
    }
    caller.house(Permission::ManagePartners)?;
    let wanted = Change { name: body.name, active: body.active };
    Ok(Json(change(&app, &id, wanted, &by).await?.into()))
}

impl From<PartnerError> for ApiError {
    fn from(error: PartnerError) -> Self {
        let text = error.to_string();
        match error {
            PartnerError::NotFound { what } => Self::not_found(what),
            PartnerError::Exists { .. } => Self::new(Code::Taken, text),
            PartnerError::Name(_) => Self::new(Code::BadName, text),
            PartnerError::House => Self::new(Code::BadSetting, text),
            PartnerError::Setting { .. } => Self::new(Code::BadSetting, text),
            PartnerError::Closed | PartnerError::TooMany => Self::new(Code::WrongState, text),
            PartnerError::Ledger(error) => error.into(),
        }
    }
}
