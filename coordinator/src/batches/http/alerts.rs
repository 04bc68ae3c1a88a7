//! What wants a person's attention, and saying that it has been seen to.
//!
//! Alerts are made by whoever notices (`crate::alerts`); here operators list and close them.

use super::make::Why;
use super::show::LIST_MAX;
use crate::alerts;
use crate::api::{ApiError, Body};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::people::{Caller, Permission};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Open alerts.
pub(super) fn router() -> Router<App> {
    Router::new().route("/v1/alerts", get(list_alerts)).route("/v1/alerts/{id}/close", post(close_alert))
}

async fn list_alerts(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let alerts = alerts::open(&mut *app.db.reader().await?, LIST_MAX).await?;
    Ok(Json(json!({ "alerts": alerts })))
}

async fn close_alert(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::RunBatches)?;
    body.check()?;
    let alert = id.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if !alerts::close(unit.db(), &alert, now).await? {
                    return Err(ApiError::not_found("open alert"));
                }
                let (before, after) =
                    (json!({ "state": "open" }), json!({ "state": "closed", "why": body.why }));
                Ok(audit::record(unit, &by, Action::AlertClose, &alert, before, after).await?)
            })
        })
        .await?;
    Ok(Json(json!({ "id": id, "state": "closed" })))
}
