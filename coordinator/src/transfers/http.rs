//! `POST /v1/transfers` and `GET /v1/transfers/{id}`: the product's hottest route.
//!
//! On the way of a transfer no statement runs but those that the writer makes for a whole group: people come from the directory,
//! the answer is built once, around the moment that the writer gives. What must stay true: a repeat with the same key gets the
//! stored answer even if it would be refused today; a foreign user is a missing one.

use super::{Kind, Refusal, Terms};
use crate::api::idempotency::{self, IdempotencyKey, Ticket};
use crate::api::texts::{Amount, AssetName, Moment};
use crate::api::{ApiError, Code, Once, moment};
use crate::app::App;
use crate::audit::http::money_read;
use crate::audit::{self, Action, By};
use crate::clock::UnixMillis;
use crate::db::{Db, ordered_id};
use crate::ledger::statement::{Event, store};
use crate::ledger::{Order, OrderError};
use crate::people::{Caller, Permission, Reach};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/transfers` and below.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(create)).routes(routes!(show))
}

/// What is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferWanted {
    /// `transfer` (user to user), `payment` (user to their partner) or `reward` (partner to user; keys only).
    kind: Kind,
    /// The paying user, for keys. A user pays from its own money; a reward comes from the partner.
    from: Option<String>,
    /// The receiving user, except for payments.
    to: Option<String>,
    /// The receiving user by the partner's own name for it, instead of `to`.
    to_external_id: Option<String>,
    /// In what.
    #[schema(value_type = AssetName)]
    asset: String,
    /// How much, above zero.
    #[schema(value_type = Amount)]
    amount: String,
    /// Words that both sides see: 1 to 140 characters, no control characters.
    #[schema(min_length = 1, max_length = 140)]
    note: Option<String>,
}

/// A transfer as both sides see it.
#[derive(Debug, Serialize, ToSchema)]
struct Transfer {
    /// Its id.
    id: String,
    /// Which way it went.
    kind: Kind,
    /// Who paid: a user, or for a reward the partner.
    from: String,
    /// Who received: a user, or for a payment the partner.
    to: String,
    /// In what.
    #[schema(value_type = AssetName)]
    asset: String,
    /// How much.
    #[schema(value_type = Amount)]
    amount: String,
    /// Words about it.
    note: Option<String>,
    /// When.
    #[schema(value_type = Moment)]
    made_at: String,
}

/// Move money inside the ledger
///
/// Instant, without a fee and without a chain. Both sides belong to the same partner.
#[utoipa::path(post, path = "/v1/transfers", tag = "transfers", params(IdempotencyKey),
    request_body = TransferWanted,
    responses((status = 201, description = "It is made", body = Transfer)),
    extensions(("x-airlock-permission" = json!("transfer"))))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    by: By,
    asked: Once<TransferWanted>,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::Transfer)?;
    let Once { body, ticket } = asked;
    match prepare(&app, &reach, body).await {
        Ok(prepared) => submit(&app, &caller, &by, ticket, prepared).await,
        // Refused today, but perhaps made before: then that is the answer, for ever.
        Err(refused) => idempotency::before(&app, &caller, &ticket).await?.ok_or(refused),
    }
}

/// A transfer that only the ledger can still refuse.
struct Prepared {
    terms: Terms,
    from: String,
    to: String,
}

async fn prepare(app: &App, reach: &Reach, asked: TransferWanted) -> Result<Prepared, ApiError> {
    let TransferWanted { kind, from, to, to_external_id, asset, amount, note } = asked;
    let terms = Terms::read(&app.config.assets, kind, &asset, &amount, note)?;
    let partner = match reach {
        Reach::Partner(partner) | Reach::User { partner, .. } => partner.as_str(),
        Reach::All => return Err(ApiError::forbidden("only a user or a partner's key moves money")),
    };
    let from = match kind {
        Kind::Transfer | Kind::Payment => payer(app, reach, partner, from).await?,
        Kind::Reward => rewarder(reach, from)?,
    };
    let to = match kind {
        Kind::Transfer | Kind::Reward => recipient(app, partner, kind, to, to_external_id).await?,
        Kind::Payment if to_external_id.is_none() && to.as_deref().is_none_or(|to| to == partner) => {
            partner.to_owned()
        }
        Kind::Payment => {
            let expected = "goes to the user's own partner: leave `to` out";
            return Err(Refusal::Parties { kind: kind.name(), expected }.into());
        }
    };
    if from == to {
        return Err(Refusal::ToOneself.into());
    }
    Ok(Prepared { terms, from, to })
}

/// The user who pays. That a logged-in user is active was seen with its session.
async fn payer(app: &App, reach: &Reach, partner: &str, named: Option<String>) -> Result<String, ApiError> {
    match (reach, named) {
        (Reach::User { id, .. }, None) => Ok(id.clone()),
        (Reach::User { id, .. }, Some(named)) if *id == named => Ok(named),
        (Reach::Partner(_), Some(named)) => active(app, partner, "from", named).await,
        (Reach::Partner(_), None) => Err(ApiError::new(Code::UserNeeded, "name the paying user in `from`")),
        _ => Err(ApiError::not_found("user")),
    }
}

/// The partner who rewards.
fn rewarder(reach: &Reach, named: Option<String>) -> Result<String, ApiError> {
    match reach {
        Reach::Partner(partner) if named.as_deref().is_none_or(|named| named == partner) => {
            Ok(partner.clone())
        }
        Reach::Partner(_) => {
            let expected = "comes from the partner: leave `from` out";
            Err(Refusal::Parties { kind: Kind::Reward.name(), expected }.into())
        }
        _ => Err(ApiError::forbidden("only a partner's key makes rewards")),
    }
}

async fn recipient(
    app: &App,
    partner: &str,
    kind: Kind,
    to: Option<String>,
    external_id: Option<String>,
) -> Result<String, ApiError> {
    let to = match (to, external_id) {
        (Some(to), None) => to,
        (None, Some(external_id)) => {
            let found = app.directory.by_external_id(partner, &external_id).await?;
            found.ok_or_else(|| ApiError::not_found("user"))?
        }
        _ => {
            let expected = "needs one of `to` and `to_external_id`";
            return Err(Refusal::Parties { kind: kind.name(), expected }.into());
        }
    };
    active(app, partner, "to", to).await
}

/// The id again, if it is an active user of the partner.
async fn active(app: &App, partner: &str, whom: &'static str, user: String) -> Result<String, ApiError> {
    let member = app.directory.member(&user).await?;
    match member.filter(|member| *member.partner == *partner) {
        None => Err(ApiError::not_found("user")),
        Some(member) if !member.active => Err(Refusal::Inactive { whom }.into()),
        Some(_) => Ok(user),
    }
}

async fn submit(
    app: &App,
    caller: &Caller,
    by: &By,
    ticket: Ticket,
    prepared: Prepared,
) -> Result<Response, ApiError> {
    let Prepared { terms, from, to } = prepared;
    let id = ordered_id(app.clock.now()).map_err(ApiError::internal)?;
    let posting = terms.posting(&id, &from, &to, &by.who);
    let said = said(&terms, &from, &to).map_err(ApiError::internal)?;
    let row = audit::Row::made(by, Action::TransferMake, &id, said.clone());
    let once = ticket.record(caller, StatusCode::CREATED, Box::new(move |now| whole(&id, &said, now)));
    let receipt = app.writer.submit(Order::once(posting, once).audited(row)).await;
    let answer = receipt.map_err(ApiError::from)?.into_answer();
    metrics::counter!("airlock_transfers_total", "kind" => terms.kind.name()).increment(1);
    idempotency::answered(answer.ok_or_else(|| ApiError::internal("an order without its answer"))?)
}

/// The answer without its id and moment: what is also said in the audit row, and far below the longest one.
fn said(terms: &Terms, from: &str, to: &str) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Said<'a> {
        kind: Kind,
        from: &'a str,
        to: &'a str,
        asset: &'a str,
        amount: &'a str,
        note: Option<&'a str>,
    }
    let amount = terms.amount.to_decimal(terms.decimals);
    let (kind, asset, note) = (terms.kind, terms.asset.as_str(), terms.note.as_deref());
    serde_json::to_string(&Said { kind, from, to, asset, amount: &amount, note })
}

/// The whole answer, in the form of [`Transfer`]; made on the writer's task.
fn whole(id: &str, said: &str, now: UnixMillis) -> String {
    let inner = said.strip_prefix('{').and_then(|said| said.strip_suffix('}')).unwrap_or_default();
    format!("{{\"id\":\"{id}\",{inner},\"made_at\":\"{}\"}}", moment(now))
}

/// One transfer
#[utoipa::path(get, path = "/v1/transfers/{id}", tag = "transfers",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The transfer", body = Transfer)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<Transfer>, ApiError> {
    let reach = caller.may(Permission::SeeMoney)?;
    let mut db = app.db.reader().await?;
    for kind in Kind::ALL {
        let Some(event) = store::event(&mut db, kind.name(), &id).await? else { continue };
        let transfer = shown(&app, kind, event)?;
        if sees(&app, &mut db, &reach, &transfer).await? {
            drop(db);
            money_read(&app, &caller, &by, &transfer.from, json!({ "read": "transfer", "id": id })).await?;
            return Ok(Json(transfer));
        }
    }
    Err(ApiError::not_found("transfer"))
}

/// Both parties belong to one partner, so that one user of the two tells whose it is.
async fn sees(app: &App, db: &mut Db, reach: &Reach, transfer: &Transfer) -> Result<bool, ApiError> {
    let user = if transfer.kind == Kind::Reward { &transfer.to } else { &transfer.from };
    Ok(match reach {
        Reach::All => true,
        Reach::User { id, .. } => [&transfer.from, &transfer.to].contains(&id),
        Reach::Partner(own) => {
            app.directory.partner_of(db, user).await?.is_some_and(|partner| *partner == **own)
        }
    })
}

fn shown(app: &App, kind: Kind, event: Event) -> Result<Transfer, ApiError> {
    let side = |credited: bool| event.lines.iter().find(|line| line.credited == credited);
    let (Some(paid), Some(received)) = (side(false), side(true)) else {
        return Err(ApiError::internal(format!("transfer {} has not two sides", event.id)));
    };
    let decimals = app.config.assets.decimals(&paid.asset).map_err(ApiError::internal)?;
    Ok(Transfer {
        kind,
        from: paid.owner.clone(),
        to: received.owner.clone(),
        asset: paid.asset.to_string(),
        amount: paid.amount.to_decimal(decimals),
        made_at: moment(event.made_at),
        note: event.note,
        id: event.reference,
    })
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Asset { .. } => Code::UnknownAsset,
            Refusal::Amount(_) | Refusal::Nothing => Code::BadAmount,
            Refusal::Note => Code::BadNote,
            Refusal::Parties { .. } => Code::BadParties,
            Refusal::ToOneself => Code::ToOneself,
            Refusal::Inactive { .. } => Code::UserInactive,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Ledger(error) => error.into(),
            OrderError::OtherRequest => idempotency::other_request(),
        }
    }
}
