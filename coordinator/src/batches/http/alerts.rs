//! What wants a person's attention, and saying that it has been seen to.
//!
//! Alerts are made by whoever notices (`crate::alerts`); here operators list and close them.

use super::make::Why;
use super::show::own_partner;
use crate::alerts;
use crate::api::page::{self, Cursor, Limit};
use crate::api::texts::Moment;
use crate::api::{ApiError, Body, Query, moment};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::people::{Caller, Permission};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Open alerts.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_alerts)).routes(routes!(close_alert))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertsListed {
    /// Rows of the page.
    #[serde(default)]
    limit: Limit,
    /// A page's `next`.
    before: Option<Cursor>,
}

/// A page of open alerts, the newest first.
#[derive(Serialize, ToSchema)]
struct AlertPage {
    alerts: Vec<AlertShown>,
    /// Give it as `before` for the page behind this one; null at the end.
    next: Option<Cursor>,
}

/// Something that wants a person's attention.
#[derive(Serialize, ToSchema)]
struct AlertShown {
    id: String,
    /// Whose people see it beside the house's.
    partner: String,
    /// What kind, such as `signer.suspended`.
    kind: String,
    /// The id of what it is about.
    subject: String,
    /// A sentence.
    what: String,
    /// `open` or `closed`.
    state: String,
    #[schema(value_type = Moment)]
    made_at: String,
}

/// A closed alert.
#[derive(Serialize, ToSchema)]
struct AlertClosed {
    id: String,
    /// `closed`.
    state: &'static str,
}

/// Open alerts, the newest first
#[utoipa::path(get, path = "/v1/alerts", tag = "operations",
    params(AlertsListed),
    responses((status = 200, description = "A page of them", body = AlertPage)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn list_alerts(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AlertsListed>,
) -> Result<Json<AlertPage>, ApiError> {
    let partner = own_partner(caller.may(Permission::SeeOperations)?);
    let before = query.before.as_ref().map(Cursor::key);
    let mut rows =
        alerts::open_of(&mut *app.db.reader().await?, &partner, before, query.limit.and_one()).await?;
    let next = page::cut(&mut rows, query.limit, |row| (row.made_at_ms, &row.id));
    let shown = |alerts::Alert { id, partner, kind, subject, what, state, made_at_ms }| AlertShown {
        id,
        partner,
        kind,
        subject,
        what,
        state,
        made_at: moment(made_at_ms),
    };
    Ok(Json(AlertPage { alerts: rows.into_iter().map(shown).collect(), next }))
}

/// Says that an alert has been seen to
#[utoipa::path(post, path = "/v1/alerts/{id}/close", tag = "operations",
    request_body = Why,
    responses((status = 200, description = "Closed", body = AlertClosed)),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn close_alert(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<AlertClosed>, ApiError> {
    let partner = own_partner(caller.may(Permission::RunBatches)?);
    body.check()?;
    let alert = id.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if !alerts::close_of(unit.db(), &partner, &alert, now).await? {
                    return Err(ApiError::not_found("open alert"));
                }
                let (before, after) =
                    (json!({ "state": "open" }), json!({ "state": "closed", "why": body.why }));
                Ok(audit::record(unit, &by, Action::AlertClose, &alert, before, after).await?)
            })
        })
        .await?;
    Ok(Json(AlertClosed { id, state: "closed" }))
}
