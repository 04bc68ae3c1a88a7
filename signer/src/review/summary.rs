//! The first page of a batch: what leaves, from where, at what cost, and who agreed.
//!
//! Called by `plain` and by `screen`. What must stay true: it fits on 22 lines of 78 columns for a usual
//! batch; what is not proven is worded as a claim; the worst case of the fees is what is shown first.

use super::exceptions::{Exception, Weight};
use super::pages::{heading, money};
use super::row::{LABEL_COLUMNS, Row, Tone};
use super::sheet::{Counted, How, Sheet, Vouched};
use super::text::{amount, coin, counted, duration, grouped, network, thousands, utc, wallet};
use airlock_shared::BaseUnits;
use airlock_shared::batch::{Content, Context, EvmContext, FeeLevel, Item, ReissueReason};
/// Everything about one batch that is not an item or an exception.
pub fn summary(sheet: &Sheet<'_>) -> Vec<Row> {
    let content = sheet.content;
    let mut rows = vec![
        Row::fact("TOTAL").toned(money(&content.asset, sheet.total), Tone::Strong),
        Row::fact("").toned(heading(content), Tone::Strong).words(format!(
            "on {}: {} to {}",
            network(content.network),
            counted(content.items.len(), "item"),
            recipients(sheet)
        )),
    ];
    rows.push(match &content.source {
        Some(source) => Row::fact("pays").piece(wallet(source)),
        None => Row::fact("pays").words("each item from its own deposit address, which this device derives"),
    });
    rows.push(match &content.asset.contract {
        Some(contract) => Row::fact("asset").piece(&content.asset.symbol).piece(grouped(contract)),
        None => Row::fact("asset").piece(&content.asset.symbol).piece("(native coin)"),
    });
    if let Some((number, item)) = sheet.largest.and_then(|n| content.items.get(n).map(|item| (n, item))) {
        let sum = money(&content.asset, Some(item.amount));
        rows.push(Row::fact("largest").piece(format!("#{number}  {sum}")).piece(grouped(&item.destination)));
    }
    rows.extend(fees(content));
    rows.push(Row::blank());
    rows.extend(approvals(sheet));
    rows.push(policy(sheet));
    let exceptions = Row::fact("exceptions").toned(tally(sheet), tally_tone(sheet));
    rows.push(if sheet.exceptions.is_empty() { exceptions } else { exceptions.piece("shown next") });
    rows.push(Row::blank());
    let left = content.expires_at.saturating_sub(sheet.now);
    rows.push(
        Row::fact("expires")
            .piece(utc(content.expires_at))
            .piece(format!("({} after this review began)", duration(left))),
    );
    rows.push(Row::fact("made").piece(utc(content.created_at)).piece(format!("by {}", content.creator)));
    rows.push(
        Row::fact("batch").piece(content.batch_id.to_string()).piece(format!("({})", content.profile.name())),
    );
    rows.push(Row::fact("digest").piece(sheet.digest.to_string()));
    rows
}

fn recipients(sheet: &Sheet<'_>) -> String {
    let people = counted(sheet.recipients, "recipient");
    match sheet.first_seen {
        None => people,
        Some(0) => format!("{people}, all of them known"),
        Some(new) if new == sheet.recipients => format!("{people}, none of them paid before"),
        Some(new) => format!("{people}, {} of them never paid before", thousands(&new.to_string())),
    }
}

fn fees(content: &Content) -> Vec<Row> {
    let (coin, decimals) = coin(content.network);
    let each = amount(BaseUnits::from(content.fee_cap_per_item()), decimals);
    let all = content.totals().map_or_else(|_| "?".to_owned(), |totals| amount(totals.fee_cap, decimals));
    let worst = format!("at most {each} {coin} a transaction, {all} in all");
    match &content.context {
        Context::Tron(tron) => vec![
            Row::fact("fees")
                .toned(worst, Tone::Plain)
                .words("for energy; bandwidth, memos and new accounts on top"),
            Row::fact("chain").words(format!(
                "dead after {}; signs with permission {}",
                utc(tron.expiration_ms / 1_000),
                tron.permission_id
            )),
        ],
        Context::Evm(evm) => {
            vec![Row::fact("fees").toned(worst, Tone::Plain), Row::fact("").words(levels(evm))]
        }
    }
}

/// The levels of one decision, and what it takes for the worst of them to be paid.
fn levels(evm: &EvmContext) -> String {
    let gwei = |wei: u64| amount(BaseUnits::from(wei), 9);
    let each = |level: &FeeLevel| {
        format!("{} (tip {})", gwei(level.max_fee_per_gas_wei), gwei(level.max_priority_fee_per_gas_wei))
    };
    let levels: Vec<_> = evm.levels.iter().map(each).collect();
    let gas = thousands(&evm.gas_limit.to_string());
    let mut said = format!("gas limit {gas} at {} gwei", levels.join(" or "));
    if let Some(cancel) = &evm.cancel {
        said += &format!(
            ", and a cancel of {} at {} gwei",
            thousands(&cancel.gas_limit.to_string()),
            each(&cancel.fee)
        );
    }
    if evm.levels.len() > 1 || evm.cancel.is_some() {
        said += ": one decision signs all, at most one for each nonce is mined";
    }
    said
}

fn approvals(sheet: &Sheet<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, one) in sheet.approvals.iter().enumerate() {
        let label = if number == 0 { "approved by" } else { "" };
        let (mark, tone) = match one.counted {
            Counted::Yes => ("counts", Tone::Good),
            Counted::No(_) => ("DOES NOT COUNT", Tone::Look),
            Counted::Unknown => ("as the file says", Tone::Faint),
        };
        rows.push(
            Row::fact(label)
                .piece(format!("{:<14}", one.person.to_string()))
                .piece(how(one))
                .toned(mark, tone),
        );
    }
    if let Some(quorum) = sheet.quorum {
        let label = if rows.is_empty() { "approved by" } else { "" };
        let (people, devices) = (sheet.counted(None), sheet.counted(Some(How::Device)));
        let claims =
            |item: &Item| item.reissue.as_ref().is_some_and(|again| again.reason != ReissueReason::Stuck);
        let needed = match sheet.content.items.iter().any(claims) {
            true => quorum.independent.max(quorum.reissue_independent),
            false => quorum.independent,
        };
        let mut said = format!(
            "{people} of {} people needed, {devices} of {needed} on independent devices",
            quorum.required
        );
        if sheet.passkeys_suffice {
            said += "; for so little in a day the policy takes passkeys alone";
        }
        rows.push(Row::fact(label).words(said));
    }
    rows
}

fn how(one: &Vouched) -> String {
    let how = match one.how {
        How::Device => "on an independent device",
        How::Passkey => "with a passkey",
    };
    format!("{how:<24}")
}

fn policy(sheet: &Sheet<'_>) -> Row {
    let policy = &sheet.content.policy;
    let row = Row::fact("policy").piece(format!("{} version {}:", policy.name, policy.version));
    match (sheet.rules, sheet.refusals()) {
        (None, _) => row.words("this device judges no policy; the signer does"),
        (Some(rules), 0) => row.toned(format!("all {rules} rules pass"), Tone::Good),
        (Some(rules), refused) => row.toned(format!("{refused} of {rules} rules REFUSE"), Tone::Stop),
    }
}

pub(super) fn tally(sheet: &Sheet<'_>) -> String {
    if sheet.exceptions.is_empty() {
        return "none".to_owned();
    }
    let part = |weight: Weight| match sheet.count(weight) {
        0 => None,
        many if weight == Weight::Note && many > 1 => Some(format!("{many} notes")),
        many => Some(format!("{many} {}", weight.word())),
    };
    let parts: Vec<_> = [Weight::Stop, Weight::Look, Weight::Note].into_iter().filter_map(part).collect();
    parts.join(", ")
}

pub(super) fn tally_tone(sheet: &Sheet<'_>) -> Tone {
    match sheet.exceptions.first().map(Exception::weight) {
        Some(Weight::Stop) => Tone::Stop,
        Some(Weight::Look) => Tone::Look,
        Some(Weight::Note) => Tone::Plain,
        None => Tone::Good,
    }
}

const _: () = assert!(LABEL_COLUMNS > "approved by".len());
