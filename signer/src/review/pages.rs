//! The pages around a batch's summary: the bundle, the exceptions, and the words at the end.
//!
//! Called by `plain` and by `screen`, so both say the same. What must stay true: every exception is on its
//! page, none is cut; the words stand below what they are for.

use super::exceptions::Weight;
use super::row::{Row, Tone};
use super::sheet::Sheet;
use super::summary::{tally, tally_tone};
use super::text::{amount, counted, grouped, network};
use airlock_shared::batch::{Asset, Content, Kind};
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
        rows.push(
            Row::fact("TOTAL").toned(money(asset, sum), Tone::Strong).piece(format!("on {}", network(of))),
        );
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
pub(super) fn heading(content: &Content) -> &'static str {
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

pub(super) fn money(asset: &Asset, base: Option<BaseUnits>) -> String {
    base.map_or_else(|| "?".to_owned(), |base| format!("{} {}", amount(base, asset.decimals), asset.symbol))
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
            rows.push(
                Row::led("", Tone::Plain, WEIGHT_COLUMNS).words(differing(&grouped(one), &grouped(other))),
            );
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
    rows.push(Row::led("", Tone::Plain, 4).toned(words, Tone::Strong));
    rows
}

/// What the eight words of a sitting stand for.
pub fn digest_of(sheets: &[Sheet<'_>]) -> Digest {
    let digests: Vec<_> = sheets.iter().map(|sheet| sheet.digest).collect();
    words_digest_of(&digests)
}
