//! How much: items, bundle, and amounts per item, batch and rolling day.

use super::{DAY_SECONDS, Facts, Refusal, Rule};
use crate::amount::BaseUnits;
use crate::batch::Item;
use crate::policy::AssetPolicy;

pub(super) fn items(facts: &Facts<'_>) -> Result<(), Refusal> {
    let (found, allowed) = (facts.content.items.len() as u64, facts.policy.bounds.items_max);
    if found <= allowed {
        return Ok(());
    }
    Err(Refusal::of(Rule::Items, format!("{found} items"), format!("at most {allowed}")))
}

pub(super) fn bundle_size(facts: &Facts<'_>) -> Result<(), Refusal> {
    let (found, allowed) = (facts.bundle_len as u64, facts.policy.bounds.bundle_max);
    if found <= allowed {
        return Ok(());
    }
    Err(Refusal::of(Rule::BundleSize, format!("{found} batches"), format!("at most {allowed}")))
}

pub(super) fn per_item(facts: &Facts<'_>) -> Result<(), Refusal> {
    let asset = asset_of(facts, Rule::PerItemLimit)?;
    let above = facts.content.items.iter().position(|item| item.amount > asset.per_item_max);
    match above {
        Some(i) => {
            let found = shown(asset, facts.content.items[i].amount);
            Err(Refusal::of(Rule::PerItemLimit, found, at_most(asset, asset.per_item_max)).at(i))
        }
        None => Ok(()),
    }
}

pub(super) fn per_batch(facts: &Facts<'_>) -> Result<(), Refusal> {
    let asset = asset_of(facts, Rule::PerBatchLimit)?;
    let total = total(facts, Rule::PerBatchLimit)?;
    if total <= asset.per_batch_max {
        return Ok(());
    }
    Err(Refusal::of(Rule::PerBatchLimit, shown(asset, total), at_most(asset, asset.per_batch_max)))
}

/// What was signed of the asset in the last 24 hours of journal time, this batch included. A stuck item was
/// counted when it was first signed. `None` above 256 bits.
pub(super) fn spent_in_a_day(facts: &Facts<'_>) -> Option<BaseUnits> {
    let content = facts.content;
    let since = facts.now.saturating_sub(DAY_SECONDS);
    let before = facts.past.spent_since(content.network, content.asset.contract, since);
    let counted = content.items.iter().filter(|item| !item.is_stuck());
    BaseUnits::checked_sum(counted.map(|item: &Item| item.amount).chain([before]))
}

pub(super) fn per_day(facts: &Facts<'_>) -> Result<(), Refusal> {
    let asset = asset_of(facts, Rule::PerDayLimit)?;
    match spent_in_a_day(facts) {
        Some(day) if day <= asset.per_day_max => Ok(()),
        day => {
            let found = format!("{} in 24 hours", shown(asset, day.unwrap_or(BaseUnits::MAX)));
            Err(Refusal::of(Rule::PerDayLimit, found, at_most(asset, asset.per_day_max)))
        }
    }
}

pub(super) fn asset_of<'a>(facts: &Facts<'a>, rule: Rule) -> Result<&'a AssetPolicy, Refusal> {
    facts
        .network()?
        .asset_of(facts.content)
        .ok_or_else(|| Refusal::of(rule, &facts.content.asset.symbol, "the listed assets"))
}

fn total(facts: &Facts<'_>, rule: Rule) -> Result<BaseUnits, Refusal> {
    facts.content.totals().map(|totals| totals.amount).map_err(|error| Refusal::of(rule, error, "256 bits"))
}

pub(super) fn shown(asset: &AssetPolicy, amount: BaseUnits) -> String {
    format!("{} {}", amount.to_decimal(asset.asset.decimals), asset.asset.symbol)
}

pub(super) fn at_most(asset: &AssetPolicy, amount: BaseUnits) -> String {
    format!("at most {}", shown(asset, amount))
}
