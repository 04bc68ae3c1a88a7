//! `GET /v1/transactions`, `/v1/transactions/{id}` and `/v1/transactions/export`.
//!
//! A user sees its own; a partner's keys and people what belongs to the partner and its users; the house everything. What must
//! stay true: a foreign transaction is a missing one; what staff look at leaves an audit row before the answer leaves.

use super::export::{self, Format};
use super::filter::{self, Filter};
use super::lanes::{self, Asked};
use super::{Direction, Position, Scope, Transaction, Type, merge, of_deposit, of_event, of_withdrawal};
use crate::api::page::Limit;
use crate::api::texts::{Amount, AssetName, Moment, NetworkName, one_of};
use crate::api::{ApiError, Code, Query, moment};
use crate::app::App;
use crate::audit::http::money_read;
use crate::audit::{self, Action, By};
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::deposits::store as deposits;
use crate::ledger::Assets;
use crate::ledger::statement::store as events;
use crate::people::{Caller, Permission, Reach};
use crate::withdrawals::{attempts, store as withdrawals};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/transactions` and below.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(export)).routes(routes!(show))
}

/// A query's own fields, and which transactions it asks for. (Flattened fields can be neither counted nor refused when unknown.)
macro_rules! query_with {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        struct $name {
            /// For partners and staff: of this user, seen from its side. A user sees its own.
            user: Option<String>,
            /// For the house: of this partner and its users.
            partner: Option<String>,
            /// Of this type.
            #[serde(rename = "type")]
            kind: Option<Type>,
            /// In this state: a deposit's or withdrawal's; everything else is `completed`.
            #[param(schema_with = status_names)]
            status: Option<String>,
            /// In this asset.
            #[param(value_type = Option<AssetName>)]
            asset: Option<String>,
            /// Made at or after.
            #[param(value_type = Option<Moment>)]
            from: Option<String>,
            /// Made before.
            #[param(value_type = Option<Moment>)]
            to: Option<String>,
            /// At least so much, in whole units of whichever asset.
            #[param(value_type = Option<Amount>)]
            amount_min: Option<String>,
            /// At most so much.
            #[param(value_type = Option<Amount>)]
            amount_max: Option<String>,
            /// With this user, partner or address.
            counterparty: Option<String>,
            $($own)*
        }

        impl $name {
            fn which(&self) -> Which {
                Which {
                    user: self.user.clone(),
                    partner: self.partner.clone(),
                    kind: self.kind,
                    status: self.status.clone(),
                    asset: self.asset.clone(),
                    from: self.from.clone(),
                    to: self.to.clone(),
                    amount_min: self.amount_min.clone(),
                    amount_max: self.amount_max.clone(),
                    counterparty: self.counterparty.clone(),
                }
            }
        }
    };
}

fn status_names() -> utoipa::openapi::schema::Object {
    one_of(filter::statuses())
}

query_with! {
    /// A page.
    TransactionsQuery {
        /// Rows of a page.
        #[serde(default)]
        limit: Limit,
        /// A page's `next`, for the page behind it.
        #[param(pattern = r"^(0|[1-9][0-9]{0,17})\.([01]\.[0-9a-f]{32}|2\.(0|[1-9][0-9]{0,17}))$")]
        before: Option<String>,
    }
}

query_with! {
    /// Everything.
    TransactionsExportQuery {
        /// `csv` or `json`.
        #[param(inline)]
        format: Format,
    }
}

/// Which transactions, as the query spells it; what of it was said goes into the audit row.
#[derive(Debug, Serialize)]
struct Which {
    user: Option<String>,
    partner: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Type>,
    status: Option<String>,
    asset: Option<String>,
    from: Option<String>,
    to: Option<String>,
    amount_min: Option<String>,
    amount_max: Option<String>,
    counterparty: Option<String>,
}

impl Which {
    /// What was said, for the audit row.
    fn said(&self) -> Value {
        let mut said = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = said.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        said
    }
}

/// One transaction, seen from one account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transaction)]
pub(super) struct TransactionShown {
    /// Its id.
    pub(super) id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub(super) kind: Type,
    /// Where it stands: the state of a deposit or withdrawal, else `completed`.
    pub(super) status: &'static str,
    /// Did the account receive or pay?
    pub(super) direction: Direction,
    /// The user from whose side it is told.
    pub(super) user: Option<String>,
    /// The partner from whose side it is told, where no user is concerned.
    pub(super) partner: Option<String>,
    /// In what.
    #[schema(value_type = AssetName)]
    pub(super) asset: String,
    /// How much; null while a deposit does not fit the ledger.
    #[schema(value_type = Option<Amount>)]
    pub(super) amount: Option<String>,
    /// A withdrawal's fee, on top of the amount.
    #[schema(value_type = Option<Amount>)]
    pub(super) fee: Option<String>,
    /// The other side: a user, a partner, an address, or `house`.
    pub(super) counterparty: String,
    /// The chain, where there is one.
    #[schema(value_type = Option<NetworkName>)]
    pub(super) network: Option<String>,
    /// The transaction on chain, once there is one.
    pub(super) tx_id: Option<String>,
    /// Words about it: a transfer's note, an adjustment's reason, a withdrawal's memo.
    pub(super) note: Option<String>,
    /// When it was made, requested or first seen.
    #[schema(value_type = Moment)]
    pub(super) made_at: String,
}

impl TransactionShown {
    /// The row in texts.
    pub(super) fn of(assets: &Assets, row: Transaction) -> Result<Self, ApiError> {
        let decimals = assets.decimals(&row.asset).map_err(ApiError::internal)?;
        Ok(Self {
            id: row.id,
            kind: row.kind,
            status: row.status,
            direction: row.direction,
            user: row.user,
            partner: row.partner,
            asset: row.asset.to_string(),
            amount: row.amount.map(|amount| amount.to_decimal(decimals)),
            fee: row.fee.map(|fee| fee.to_decimal(decimals)),
            counterparty: row.counterparty,
            network: row.network.map(|network| network.to_string()),
            tx_id: row.tx_id,
            note: row.note,
            made_at: moment(row.made_at),
        })
    }
}

/// A page, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Transactions {
    /// At most as many as asked for. A page may be shorter, and even empty, while `next` is there: few rows matched.
    transactions: Vec<TransactionShown>,
    /// Give it as `before` for the page behind this one; null at the end.
    next: Option<String>,
}

/// The history of money
///
/// Transfers, payments, rewards, adjustments, deposits and withdrawals, newest first. A cursor stays good for ever: rows that come
/// later are before it.
#[utoipa::path(get, path = "/v1/transactions", tag = "transfers", params(TransactionsQuery),
    responses((status = 200, description = "A page", body = Transactions)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<TransactionsQuery>,
) -> Result<Json<Transactions>, ApiError> {
    let reach = caller.may(Permission::SeeMoney)?;
    let before = query.before.as_deref();
    let position =
        before.map(|text| Position::parse(text).ok_or_else(|| bad("before: expected a page's next")));
    let which = query.which();
    let (position, filter) = (position.transpose()?, read_filter(&which)?);
    let scope = scope(&app, reach, &which).await?;
    let subject = which.user.as_deref().unwrap_or(&by.tenant);
    money_read(&app, &caller, &by, subject, which.said()).await?;
    let mut db = app.db.begin_read().await?;
    let asked = Asked { app: &app, scope: &scope, filter: &filter };
    let page = merge::page(&mut db, asked, position, query.limit).await?;
    let shown = page.rows.into_iter().map(|row| TransactionShown::of(&app.config.assets, row));
    let transactions = shown.collect::<Result<_, _>>()?;
    Ok(Json(Transactions { transactions, next: page.next.map(|next| next.to_string()) }))
}

/// Everything as one file
///
/// The rows that the pages would show, streamed from one still picture while postings go on. In the CSV (RFC 4180) a text that a
/// spreadsheet would take for a formula, or that begins with an apostrophe, has an apostrophe before it.
#[utoipa::path(get, path = "/v1/transactions/export", tag = "transfers", params(TransactionsExportQuery),
    responses((status = 200, description = "The file", content(
        (Vec<TransactionShown> = "application/json"), (String = "text/csv")))),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn export(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<TransactionsExportQuery>,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::SeeMoney)?;
    let which = query.which();
    let filter = read_filter(&which)?;
    let scope = scope(&app, reach, &which).await?;
    let Ok(permit) = Arc::clone(&app.exports).try_acquire_owned() else {
        return Err(ApiError::unavailable("as many exports as may run at once are running; ask again"));
    };
    audit::read(&app, &by, Action::TransactionsExport, &by.tenant, which.said()).await?;
    let body = export::stream(app, scope, filter, query.format, permit);
    let headers = [
        (header::CONTENT_TYPE, query.format.media_type()),
        (header::CONTENT_DISPOSITION, query.format.file_name()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}

/// One transaction
#[utoipa::path(get, path = "/v1/transactions/{id}", tag = "transfers",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The transaction", body = TransactionShown)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<TransactionShown>, ApiError> {
    let reach = caller.may(Permission::SeeMoney)?;
    let scope = match reach {
        Reach::All => Scope::All,
        Reach::Partner(partner) => Scope::Partner(partner),
        Reach::User { id, .. } => Scope::User(id),
    };
    let mut db = app.db.reader().await?;
    let found = find(&app, &mut db, &scope, &id).await?.ok_or_else(|| ApiError::not_found("transaction"))?;
    drop(db);
    let subject = found.user.as_deref().unwrap_or(&by.tenant);
    money_read(&app, &caller, &by, subject, json!({ "read": "transaction", "id": id })).await?;
    Ok(Json(TransactionShown::of(&app.config.assets, found)?))
}

async fn find(app: &App, db: &mut Db, scope: &Scope, id: &str) -> Result<Option<Transaction>, ApiError> {
    let found = match id.split_once(':') {
        Some((kind, reference)) => {
            events::event(db, kind, reference).await?.and_then(|event| of_event(&event, scope))
        }
        None => find_named(app, db, scope, id).await?,
    };
    let Some(row) = found.filter(|row| row.id == id) else { return Ok(None) };
    let visible = match scope {
        Scope::All => true,
        Scope::User(user) => row.user.as_ref() == Some(user),
        Scope::Partner(partner) => lanes::is_partners(db, app, partner, &row).await?,
    };
    Ok(Some(row).filter(|_| visible))
}

async fn find_named(
    app: &App,
    db: &mut Db,
    scope: &Scope,
    id: &str,
) -> Result<Option<Transaction>, ApiError> {
    if let Some(row) = withdrawals::find(db, id).await? {
        let tx_id = attempts::live_tx_ids(db, app.db.dialect(), std::iter::once(id)).await?.remove(id);
        return Ok(Some(of_withdrawal(row, tx_id)));
    }
    if let Some(row) = deposits::find(db, id).await? {
        return Ok(Some(of_deposit(row)));
    }
    for kind in [Type::Transfer, Type::Payment, Type::Reward, Type::Adjustment] {
        if let Some(event) = events::event(db, kind.name(), id).await? {
            return Ok(of_event(&event, scope));
        }
    }
    Ok(None)
}

/// Whose transactions a query is about; a foreign user or partner is a missing one.
async fn scope(app: &App, reach: Reach, query: &Which) -> Result<Scope, ApiError> {
    let widest = match (reach.clone(), query.partner.as_deref()) {
        (Reach::User { id, .. }, None) => Scope::User(id),
        (Reach::Partner(own), None) => Scope::Partner(own),
        (Reach::All, None) => Scope::All,
        (reach, Some(partner)) if reach.covers_partner(partner) => Scope::Partner(partner.to_owned()),
        (_, Some(_)) => return Err(ApiError::not_found("partner")),
    };
    let Some(user) = &query.user else { return Ok(widest) };
    match app.directory.within(&reach, user).await? {
        Some(member) if query.partner.as_deref().is_none_or(|partner| partner == &*member.partner) => {
            Ok(Scope::User(user.clone()))
        }
        _ => Err(ApiError::not_found("user")),
    }
}

fn bad(what: &str) -> ApiError {
    ApiError::new(Code::BadQuery, what.to_owned())
}

fn read_filter(query: &Which) -> Result<Filter, ApiError> {
    let time = |name: &str, text: &Option<String>| {
        let parsed =
            text.as_deref().map(|text| at(text).ok_or_else(|| bad(&format!("{name}: expected RFC 3339"))));
        parsed.transpose()
    };
    let amount = |name: &str, text: &Option<String>| {
        let parsed = text
            .as_deref()
            .map(|text| filter::bound(text).ok_or_else(|| bad(&format!("{name}: expected an amount"))));
        parsed.transpose()
    };
    if query.status.as_deref().is_some_and(|status| !filter::is_status(status)) {
        return Err(bad("status: no such state"));
    }
    let asset = query.asset.as_deref().map(|text| text.parse().map_err(|_| bad("asset: expected a code")));
    Ok(Filter {
        kind: query.kind,
        status: query.status.clone(),
        asset: asset.transpose()?,
        from: time("from", &query.from)?,
        to: time("to", &query.to)?,
        amount_min: amount("amount_min", &query.amount_min)?,
        amount_max: amount("amount_max", &query.amount_max)?,
        counterparty: query.counterparty.clone(),
    })
}

/// Moments between milliseconds are taken for the next one, so that `from` never takes a row before it.
fn at(text: &str) -> Option<UnixMillis> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    let millis = moment.as_millisecond();
    let whole = jiff::Timestamp::from_millisecond(millis).ok()?;
    if whole < moment { millis.checked_add(1) } else { Some(millis) }
}
