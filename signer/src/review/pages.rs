//! The pages that have to be read: the bundle, each batch's summary and exceptions, and the words.
//!
//! Called by `plain` and by `screen`, so both say the same. What must stay true: the summary fits on 24
//! lines of 80 columns for a usual batch; what is not proven is worded as a claim; every exception is on its
//! page, none is cut.

use super::exceptions::{Exception, Weight};
use super::row::{LABEL_COLUMNS, Row, Tone};
use super::sheet::{Counted, How, Sheet, Vouched};
use super::text::{amount, coin, counted, duration, grouped, network, thousands, utc, wallet};
use airlock_shared::batch::{Asset, Content, Context, EvmContext, Kind};
use airlock_shared::envelope::words_digest_of;
use airlock_shared::{BaseUnits, Digest, Network, words};
use std::collections::BTreeMap;

/// Several batches that cross together: what leaves in all, and what each is about.
pub fn bundle(sheets: &[Sheet<'_>]) -> Vec<Row> {
    let mut rows = vec![
        Row::sentence(format!(
            "{} that belong together. Each is shown by itself; the words at the end are for all.",
            counted(sheets.len(), "batch")
        )),
        Row::blank(),
    ];
    let mut sums: BTreeMap<(Network, String), (Option<BaseUnits>, &Asset)> = BTreeMap::new();
    for sheet in sheets {
        let content = sheet.content;
        let contract = content.asset.contract.as_ref().map_or_else(String::new, ToString::to_string);
        let sum = sums
            .entry((content.network, contract))
            .or_insert_with(|| (Some(BaseUnits::from(0_u64)), &content.asset));
        sum.0 = sum.0.zip(sheet.total).and_then(|(one, other)| one.checked_add(other));
    }
    for ((of, _), (sum, asset)) in sums {
        rows.push(Row::fact("TOTAL").toned(money(asset, sum), Tone::Strong).piece(format!("on {}", network(of))));
    }
    for (number, sheet) in (1..).zip(sheets) {
        rows.push(Row::blank());
        let title = format!("batch {number}");
        rows.push(Row::fact(&title).toned(heading(sheet.content), Tone::Strong));
        rows.push(Row::fact("").words(in_short(sheet.content)));
        rows.push(Row::fact("").piece("exceptions:").toned(tally(sheet), tally_tone(sheet)));
    }
    rows
}

/// What a batch does, in a few words.
fn heading(content: &Content) -> &'static str {
    match content.kind {
        Kind::Withdrawal => "Withdrawals",
        Kind::ColdToHot => "Cold wallet feeds hot wallet",
        Kind::HotToCold => "Hot wallet returns to cold wallet",
        Kind::Sweep => "Sweep of deposits",
        Kind::GasTopUp => "Top-up of gas",
        Kind::EnergyPayment => "Payment for energy",
        Kind::Delegate => "Delegation of energy",
        Kind::Undelegate => "Return of delegated energy",
        Kind::TreasurySend => "Treasury payment",
        Kind::Cancel => "Cancels of account nonces",
    }
}

/// What a batch is about on one line, for the place where the words are typed.
pub fn recap(content: &Content) -> String {
    format!("{}: {}", heading(content), in_short(content))
}

fn in_short(content: &Content) -> String {
    let total = content.totals().ok().map(|totals| totals.amount);
    let items = counted(content.items.len(), "item");
    format!("{items}, TOTAL {} on {}", money(&content.asset, total), network(content.network))
}

fn money(asset: &Asset, base: Option<BaseUnits>) -> String {
    base.map_or_else(|| "?".to_owned(), |base| format!("{} {}", amount(base, asset.decimals), asset.symbol))
}

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
        Row::fact("expires").piece(utc(content.expires_at)).piece(format!("({} after this review began)", duration(left))),
    );
    rows.push(Row::fact("made").piece(utc(content.created_at)).piece(format!("by {}", content.creator)));
    rows.push(Row::fact("batch").piece(content.batch_id.to_string()).piece(format!("({})", content.profile.name())));
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
    let all =
        content.totals().map_or_else(|_| "?".to_owned(), |totals| amount(totals.fee_cap, decimals));
    let worst = format!("at most {each} {coin} a transaction, {all} in all");
    match &content.context {
        Context::Tron(tron) => vec![
            Row::fact("fees").toned(worst, Tone::Plain).words("for energy; bandwidth, memos and new accounts on top"),
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
    let each = |level: &airlock_shared::batch::FeeLevel| {
        format!("{} (tip {})", gwei(level.max_fee_per_gas_wei), gwei(level.max_priority_fee_per_gas_wei))
    };
    let levels: Vec<_> = evm.levels.iter().map(each).collect();
    let gas = thousands(&evm.gas_limit.to_string());
    let mut said = format!("gas limit {gas} at {} gwei", levels.join(" or "));
    if let Some(cancel) = &evm.cancel {
        said += &format!(", and a cancel of {} at {} gwei", thousands(&cancel.gas_limit.to_string()), each(&cancel.fee));
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
        rows.push(Row::fact(label).piece(format!("{:<14}", one.person.to_string())).piece(how(one)).toned(mark, tone));
    }
    if let Some(quorum) = sheet.quorum {
        let label = if rows.is_empty() { "approved by" } else { "" };
        let (people, devices) = (sheet.counted(None), sheet.counted(Some(How::Device)));
        rows.push(Row::fact(label).words(format!(
            "{people} of {} people needed, {devices} of {} on independent devices",
            quorum.required, quorum.independent
        )));
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

fn tally(sheet: &Sheet<'_>) -> String {
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

fn tally_tone(sheet: &Sheet<'_>) -> Tone {
    match sheet.exceptions.first().map(Exception::weight) {
        Some(Weight::Stop) => Tone::Stop,
        Some(Weight::Look) => Tone::Look,
        Some(Weight::Note) => Tone::Plain,
        None => Tone::Good,
    }
}

/// The tone of a weight.
pub const fn tone(weight: Weight) -> Tone {
    match weight {
        Weight::Stop => Tone::Stop,
        Weight::Look => Tone::Look,
        Weight::Note => Tone::Faint,
    }
}

/// Every exception of one batch, the weightiest first, addresses below each other for comparison.
pub fn exceptions(sheet: &Sheet<'_>) -> Vec<Row> {
    const WEIGHT_COLUMNS: usize = 6;
    if sheet.exceptions.is_empty() {
        return vec![Row::sentence(
            "Nothing stands out: no repeated payment, no look-alike, no new recipient, no unusual amount, nothing \
             signed before.",
        )];
    }
    let mut rows = Vec::new();
    for exception in &sheet.exceptions {
        let weight = exception.weight();
        rows.push(Row::led(weight.word(), tone(weight), WEIGHT_COLUMNS).words(exception.say(sheet.content)));
        let addresses = exception.addresses();
        for (what, address) in &addresses {
            let label = Row::led("", Tone::Plain, WEIGHT_COLUMNS).toned(format!("{what:<12}"), Tone::Faint);
            rows.push(label.piece(grouped(address)));
        }
        if let [(_, one), (_, other)] = &addresses[..] {
            rows.push(Row::led("", Tone::Plain, WEIGHT_COLUMNS).words(differing(&grouped(one), &grouped(other))));
        }
        rows.push(Row::blank());
    }
    rows
}

/// Which groups of two addresses differ, for people who cannot see them side by side.
fn differing(one: &str, other: &str) -> String {
    let groups = |text: &str| -> Vec<String> {
        text.split(' ').filter(|group| *group != "0x").map(str::to_owned).collect()
    };
    let hex = one.starts_with("0x");
    let (one, other) = (groups(one), groups(other));
    // Ours are spelled one way, so a difference of case in hex follows from another digit.
    let differ: Vec<usize> = (1..)
        .zip(one.iter().zip(&other))
        .filter(|(_, (a, b))| if hex { !a.eq_ignore_ascii_case(b) } else { a != b })
        .map(|(number, _)| number)
        .collect();
    let noun = if differ.len() == 1 { "group" } else { "groups" };
    format!("They differ in {noun} {} of {}.", super::text::runs(&differ), one.len())
}

/// What it is all about once more, and the words to compare.
pub fn closing(sheets: &[Sheet<'_>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, sheet) in (1..).zip(sheets) {
        let label = if sheets.len() > 1 { format!("batch {number}") } else { "batch".to_owned() };
        rows.push(Row::fact(&label).words(recap(sheet.content)));
        if sheets.len() > 1 {
            let words = words::words(&sheet.digest);
            rows.push(Row::fact("").words(format!("its approvers typed: {words}")));
        }
    }
    rows.push(Row::blank());
    rows.push(Row::sentence(match sheets.len() {
        1 => "The coordinator's and the approvers' screens must show the same words:",
        _ => "The coordinator's screen must show the same words for the whole bundle:",
    }));
    rows.push(Row::blank());
    let words = words::words(&digest_of(sheets));
    rows.push(Row { indent: 4, ..Row::led("", Tone::Plain, 4).toned(words, Tone::Strong) });
    rows
}

/// What the eight words of a sitting stand for.
pub fn digest_of(sheets: &[Sheet<'_>]) -> Digest {
    let digests: Vec<_> = sheets.iter().map(|sheet| sheet.digest).collect();
    words_digest_of(&digests)
}

const _: () = assert!(LABEL_COLUMNS > "approved by".len());
