//! Every item of a batch as a row: amounts below each other at the point, the address whole, and what is
//! remarkable about it.
//!
//! Called by `plain` for all items and by `screen` for those that were searched for. What must stay true: an
//! item's row comes from its own fields, and memo and label are escaped.

use super::exceptions::{Weight, why_again};
use super::pages::tone;
use super::row::{Row, Tone};
use super::sheet::Sheet;
use super::text::{amount, escaped, escaped_bytes, grouped, wallet};
use airlock_shared::batch::Item;

/// The left column: `#4999` and space.
const NUMBER_COLUMNS: usize = 7;

/// The rows of the items that are wanted.
pub fn rows(sheet: &Sheet<'_>, wanted: impl Fn(usize) -> bool) -> Vec<Row> {
    let items = &sheet.content.items;
    let amounts: Vec<_> =
        items.iter().map(|item| amount(item.amount, sheet.content.asset.decimals)).collect();
    let whole = amounts.iter().map(|text| halves(text).0.len()).max().unwrap_or(0);
    let part = amounts.iter().map(|text| halves(text).1.len()).max().unwrap_or(0);
    let row = |(number, (item, text)): (usize, (&Item, &String))| {
        let (before, after) = halves(text);
        row(sheet, number, item, &format!("{before:>whole$}{after:<part$}"))
    };
    let all = items.iter().zip(&amounts).enumerate();
    all.filter(|(number, _)| wanted(*number)).map(row).collect()
}

/// Before the point, and from it on.
fn halves(text: &str) -> (&str, &str) {
    text.split_at(text.find('.').unwrap_or(text.len()))
}

fn row(sheet: &Sheet<'_>, number: usize, item: &Item, amount: &str) -> Row {
    let mut row = Row::led(format!("{:>5}", format!("#{number}")), Tone::Faint, NUMBER_COLUMNS)
        .toned(amount, Tone::Strong)
        .piece(grouped(&item.destination))
        .toned(format!("id {}", item.id), Tone::Faint);
    if let Some(nonce) = item.account_nonce {
        row = row.toned(format!("nonce {nonce}"), Tone::Faint);
    }
    if let Some((role, index)) = item.own {
        row = row.piece(format!("own {} wallet {index}", role.name()));
    }
    if let Some(source) = &item.source {
        row = row.piece("from").piece(wallet(source));
    }
    if !item.memo.is_empty() {
        row = row.piece("memo (public)").words(escaped_bytes(&item.memo));
    }
    if !item.label.is_empty() {
        row = row.piece("label").words(escaped(&item.label));
    }
    if let Some(again) = &item.reissue {
        row = row.toned("SIGNED AGAIN", Tone::Look).words(why_again(again.reason));
        for dead in &again.dead {
            row = row.words(format!("dead: {}", hex::encode(dead)));
        }
    }
    for exception in sheet.about(number).filter(|exception| !exception.tag().is_empty()) {
        let weight = exception.weight();
        let said = match weight {
            Weight::Note => exception.tag().to_owned(),
            Weight::Stop | Weight::Look => format!("{}: {}", weight.word(), exception.tag()),
        };
        row = row.toned(said, tone(weight));
    }
    row
}
