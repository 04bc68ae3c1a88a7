//! Batches as operators see them: the list, one with its items and history, its signed file.
//!
//! What must stay true: amounts are texts, moments RFC 3339; nothing is changed here.

use super::approve::methods;
use super::pictures::json_document;
use crate::api::page::{self, Cursor, Limit};
use crate::api::texts::{AddressText, Amount, AmountBase, AssetName, Moment, NetworkName, Whole, one_of};
use crate::api::{ApiError, Code, Query, moment};
use crate::app::App;
use crate::batches::store::{self, Batch, Transition};
use crate::batches::{self, approve, file};
use crate::db::Db;
use crate::ledger::AssetCode;
use crate::people::{Caller, Permission, Reach};
use crate::withdrawals::attempts;
use airlock_shared::words;
use airlock_shared::{BaseUnits, Network};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Looking at batches.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(show)).routes(routes!(signed_batch))
}

/// The partner to whom a list is narrowed; empty for the house.
pub(super) fn own_partner(reach: Reach) -> String {
    match reach {
        Reach::All => String::new(),
        Reach::Partner(own) | Reach::User { partner: own, .. } => own,
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Listed {
    /// Only those in this state.
    #[param(schema_with = state_names)]
    state: Option<String>,
    /// Rows of the page.
    #[serde(default)]
    limit: Limit,
    /// A page's `next`.
    before: Option<Cursor>,
}

fn state_names() -> utoipa::openapi::schema::Object {
    one_of(batches::State::ALL.into_iter().map(batches::State::name))
}

/// A page of batches, the newest first.
#[derive(Serialize, ToSchema)]
struct BatchPage {
    batches: Vec<BatchSummary>,
    /// Give it as `before` for the page behind this one; null at the end.
    next: Option<Cursor>,
}

/// Batches, the newest first
#[utoipa::path(get, path = "/v1/batches", tag = "batches",
    params(Listed),
    responses((status = 200, description = "A page of them", body = BatchPage)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<Listed>,
) -> Result<Json<BatchPage>, ApiError> {
    let partner = own_partner(caller.may(Permission::SeeOperations)?);
    let state = query.state.unwrap_or_default();
    if !state.is_empty() && batches::State::from_name(&state).is_none() {
        return Err(ApiError::new(Code::BadQuery, "state: no such state"));
    }
    let mut db = app.db.reader().await?;
    let before = query.before.as_ref().map(Cursor::key);
    let mut rows = store::list(&mut db, &partner, &state, before, query.limit.and_one()).await?;
    let next = page::cut(&mut rows, query.limit, |row| (row.made_at, &row.id));
    let batches = rows.iter().map(|row| summary(&app, row)).collect::<Result<_, _>>()?;
    Ok(Json(BatchPage { batches, next }))
}

/// One batch with its items, approvals and history
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "batches",
    responses((status = 200, description = "The batch", body = BatchShown)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<BatchShown>, ApiError> {
    let reach = caller.may(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let batch = store::within(&mut db, &reach, &id).await?;
    Ok(Json(shown(&app, &mut db, &batch).await?))
}

/// A batch.
#[derive(Serialize, ToSchema)]
pub(super) struct BatchSummary {
    id: String,
    /// Whose withdrawals it pays.
    partner: String,
    /// What it does, such as `withdrawal`.
    kind: &'static str,
    #[schema(value_type = NetworkName)]
    network: Network,
    #[schema(value_type = AssetName)]
    asset: AssetCode,
    /// The wallet that pays.
    #[schema(value_type = AddressText)]
    source: String,
    /// The identity of the signer whose key that is.
    signer: String,
    state: &'static str,
    /// Why it stands where it stands.
    why: String,
    content_digest: String,
    /// The eight words that both screens show.
    words: String,
    item_count: i64,
    #[schema(value_type = Amount)]
    amount: String,
    #[schema(value_type = AmountBase)]
    amount_base: BaseUnits,
    /// After this nothing is signed.
    #[schema(value_type = Moment)]
    expires_at: String,
    /// The bundle it left in.
    bundle: Option<String>,
    made_by: String,
    #[schema(value_type = Moment)]
    made_at: String,
    #[schema(value_type = Moment)]
    changed_at: String,
}

/// A batch with all that belongs to it.
#[derive(Serialize, ToSchema)]
pub(super) struct BatchShown {
    #[serde(flatten)]
    summary: BatchSummary,
    policy: PolicyNamed,
    /// Who has approved.
    approvals: Vec<String>,
    /// How: person to `device` or `passkey`.
    methods: BTreeMap<String, &'static str>,
    approvals_required: u64,
    items: Vec<BatchItem>,
    history: Vec<BatchStep>,
}

/// The policy that a batch refers to.
#[derive(Serialize, ToSchema)]
struct PolicyNamed {
    name: String,
    version: u64,
    digest: String,
}

/// One payment of a batch, and how far it got.
#[derive(Serialize, ToSchema)]
struct BatchItem {
    #[schema(value_type = Whole)]
    item_id: String,
    withdrawal: String,
    #[schema(value_type = AddressText)]
    destination: String,
    #[schema(value_type = AmountBase)]
    amount_base: BaseUnits,
    #[schema(value_type = Option<Whole>)]
    account_nonce: Option<String>,
    attempt: String,
    state: &'static str,
    tx_id: Option<String>,
    height: Option<u64>,
    #[schema(value_type = Option<AmountBase>)]
    fee_base: Option<BaseUnits>,
    /// How often it was sent.
    sends: i64,
    /// What the last provider answered.
    last_answer: Option<String>,
}

/// One change of a batch's state.
#[derive(Serialize, ToSchema)]
struct BatchStep {
    number: i64,
    from: String,
    to: String,
    event: String,
    who: String,
    why: String,
    #[schema(value_type = Moment)]
    at: String,
}

pub(super) fn summary(app: &App, batch: &Batch) -> Result<BatchSummary, ApiError> {
    let scale = app.config.assets.scale(&batch.asset, batch.network).map_err(ApiError::internal)?;
    Ok(BatchSummary {
        id: batch.id.clone(),
        partner: batch.partner.clone(),
        kind: batch.kind.word(),
        network: batch.network,
        asset: batch.asset.clone(),
        source: batch.source.to_string(),
        signer: batch.signer.to_string(),
        state: batch.state.name(),
        why: batch.why.clone(),
        content_digest: batch.content_digest.to_string(),
        words: words::words(&batch.content_digest),
        item_count: batch.item_count,
        amount: batch.amount_base.to_decimal(scale.base_decimals()),
        amount_base: batch.amount_base,
        expires_at: moment(batch.expires_at_ms),
        bundle: batch.bundle.as_ref().map(|(id, _)| id.clone()),
        made_by: batch.made_by.clone(),
        made_at: moment(batch.made_at),
        changed_at: moment(batch.changed_at),
    })
}

/// A batch with its items, approvals and history.
pub(super) async fn shown(app: &App, db: &mut Db, batch: &Batch) -> Result<BatchShown, ApiError> {
    let approvals = store::approvals(db, &batch.id).await?;
    let policy = approve::policy(db, batch).await?.policy;
    let named = PolicyNamed {
        name: policy.name.to_string(),
        version: policy.version,
        digest: batch.policy.to_string(),
    };
    Ok(BatchShown {
        summary: summary(app, batch)?,
        policy: named,
        approvals: approvals.iter().map(|approval| approval.person.to_string()).collect(),
        methods: methods(&approvals),
        approvals_required: policy.approvals.required,
        items: items(db, batch).await?,
        history: store::history(db, &batch.id).await?.into_iter().map(step).collect(),
    })
}

fn step(transition: Transition) -> BatchStep {
    let Transition { number, from, to, event, who, why, at_ms } = transition;
    BatchStep { number, from, to, event, who, why, at: moment(at_ms) }
}

async fn items(db: &mut Db, batch: &Batch) -> Result<Vec<BatchItem>, ApiError> {
    let content = store::content(db, &batch.id).await?;
    let mut sends: BTreeMap<_, _> = store::sends(db, &batch.id)
        .await?
        .into_iter()
        .map(|(attempt, sends, _, answer)| (attempt, (sends, answer)))
        .collect();
    let mut items = Vec::with_capacity(content.items.len());
    for attempt in attempts::of_batch(db, &batch.id).await? {
        let index = usize::try_from(attempt.item_index).unwrap_or(usize::MAX);
        let Some(item) = content.items.get(index) else { continue };
        let send = sends.remove(&attempt.id);
        items.push(BatchItem {
            item_id: item.id.number().to_string(),
            destination: item.destination.to_string(),
            amount_base: item.amount,
            account_nonce: item.account_nonce.map(|nonce| nonce.to_string()),
            state: attempt.state.name(),
            tx_id: attempt.shown_tx_id(),
            height: attempt.included_height,
            fee_base: attempt.fee_base,
            sends: send.as_ref().map_or(0, |(sends, _)| *sends),
            last_answer: send.map(|(_, answer)| answer),
            withdrawal: attempt.withdrawal_id,
            attempt: attempt.id,
        });
    }
    Ok(items)
}

/// The signed-batch file
///
/// The envelope with its replies, for auditors: whoever has the signer's key checks it without this coordinator.
#[utoipa::path(get, path = "/v1/batches/{id}/signed-batch.json", tag = "batches",
    responses((status = 200, description = "The document", body = serde_json::Value, content_type = "application/json")),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn signed_batch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let batch = store::within(&mut db, &reach, &id).await?;
    Ok(json_document(&file::signed_batch(&mut db, &batch).await?))
}
