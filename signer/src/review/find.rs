//! Looks a batch over for everything that deserves a second look.
//!
//! Called once for each batch, when its sheet is made. What must stay true: nothing is cut off, because a
//! batch full of harmless oddities must not hide the one that matters; each takes the batch's length and no
//! more, because batches have thousands of items.

use super::disguise::tricks;
use super::exceptions::{Exception, Foreign, OUTLIER_TIMES};
use super::sheet::{Counted, Evidence, Vouched};
use super::text::{ends, escaped};
use crate::familiar::Familiar;
use crate::session::Standing;
use airlock_shared::batch::{Content, Item, ReissueReason};
use airlock_shared::{Address, BaseUnits};
use std::collections::{BTreeMap, BTreeSet};

/// Of fewer amounts there is no ordinary.
const OUTLIER_SAMPLES_MIN: usize = 8;

/// Everything of a batch that deserves a second look, the weightiest first.
pub(super) fn find(evidence: &Evidence<'_, '_>, vouched: &[Vouched]) -> Vec<Exception> {
    let content = evidence.content;
    let mut found = Vec::new();
    let verdicts = evidence.verdicts.iter().flatten();
    found.extend(verdicts.filter_map(|(_, verdict)| verdict.clone().err()).map(Exception::Rule));
    found.extend(evidence.stale.iter().copied().map(Exception::StaleHead));
    found.extend(of_approvals(vouched));
    found.extend(match evidence.standing {
        Some(Standing::Signed(_)) => Some(Exception::SignedBefore),
        Some(Standing::Interrupted) => Some(Exception::Interrupted),
        Some(Standing::New) | None => None,
    });
    found.extend(repeated(content));
    found.extend(reissues(content));
    found.extend(content.items.iter().enumerate().flat_map(|(number, item)| disguises(number, item)));
    match evidence.familiar {
        Some(familiar) => found.extend(remembered(content, familiar)),
        None => found.push(Exception::NoMemory),
    }
    // A copy of a known address beside the address itself is one finding, not two.
    let told: BTreeSet<_> = found.iter().filter_map(Exception::pair).collect();
    found.extend(
        twins(content).into_iter().filter(|twins| twins.pair().is_none_or(|pair| !told.contains(&pair))),
    );
    found.extend(outliers(content, evidence.familiar.map_or(&[], Familiar::recent)));
    let memos = numbers(content, |item| !item.memo.is_empty());
    found.extend((!memos.is_empty()).then_some(Exception::Memos { items: memos }));
    found.sort_by_key(Exception::weight);
    found
}

fn numbers(content: &Content, wanted: impl Fn(&Item) -> bool) -> Vec<usize> {
    (0..).zip(&content.items).filter(|(_, item)| wanted(item)).map(|(number, _)| number).collect()
}

fn of_approvals(vouched: &[Vouched]) -> Vec<Exception> {
    let mut found = Vec::new();
    for one in vouched {
        let person = one.person.to_string();
        if let Counted::No(why) = &one.counted {
            found.push(Exception::DoesNotCount { person: person.clone(), why: why.clone() });
        }
        found
            .extend(one.warning.clone().map(|warning| Exception::Warned { person: person.clone(), warning }));
    }
    found
}

fn remembered(content: &Content, familiar: &Familiar) -> Vec<Exception> {
    let alike = |(item, one): (usize, &Item)| {
        let address = one.destination;
        let (other, origin) = familiar.alike(&address)?;
        Some(Exception::LookAlike { item, address, other, origin })
    };
    let mut found: Vec<_> = content.items.iter().enumerate().filter_map(alike).collect();
    let items = numbers(content, |item| item.own.is_none() && !familiar.knows(&item.destination));
    if !items.is_empty() {
        let amounts = items.iter().filter_map(|number| content.items.get(*number)).map(|item| item.amount);
        let sum = BaseUnits::checked_sum(amounts);
        found.push(Exception::FirstSeen { items, sum });
    }
    let known = |item: &Item| familiar.knows(&item.destination) && familiar.is_young(&item.destination);
    let items = numbers(content, |item| item.own.is_none() && known(item));
    let delay_seconds = familiar.delay_seconds();
    found.extend((!items.is_empty()).then_some(Exception::Young { items, delay_seconds }));
    found
}

fn twins(content: &Content) -> Vec<Exception> {
    let mut seen = BTreeSet::new();
    let mut by_ends: BTreeMap<_, (usize, Address)> = BTreeMap::new();
    let mut found = Vec::new();
    for (number, address) in content.items.iter().map(|item| item.destination).enumerate() {
        if !seen.insert(address) {
            continue;
        }
        match by_ends.get(&ends(&address)) {
            Some((first, other)) => {
                found.push(Exception::Twins { items: [*first, number], addresses: [*other, address] });
            }
            None => drop(by_ends.insert(ends(&address), (number, address))),
        }
    }
    found
}

fn repeated(content: &Content) -> Vec<Exception> {
    let mut payments: BTreeMap<(Address, BaseUnits), Vec<usize>> = BTreeMap::new();
    for (number, item) in content.items.iter().enumerate() {
        payments.entry((item.destination, item.amount)).or_default().push(number);
    }
    let often = payments.into_iter().filter(|(_, items)| items.len() > 1);
    often.map(|((destination, amount), items)| Exception::Repeated { items, destination, amount }).collect()
}

fn reissues(content: &Content) -> Vec<Exception> {
    let of = |reason: &ReissueReason| {
        let again = |item: &Item| item.reissue.as_ref().is_some_and(|again| again.reason == *reason);
        let items = numbers(content, again);
        let named = content.items.iter().filter(|item| again(item)).filter_map(|item| item.reissue.as_ref());
        let dead = named.map(|again| again.dead.len()).sum();
        (!items.is_empty()).then_some(Exception::Reissue { reason: *reason, items, dead })
    };
    ReissueReason::ALL.iter().filter_map(of).collect()
}

fn disguises(item: usize, of: &Item) -> Vec<Exception> {
    let memo = String::from_utf8_lossy(&of.memo);
    let texts = [(Foreign::Label, of.label.as_str()), (Foreign::Memo, &memo)];
    let disguise = |(text, written): (Foreign, &str)| {
        let tricks = tricks(written);
        (!tricks.is_empty()).then(|| Exception::Disguise { item, text, shown: escaped(written), tricks })
    };
    texts.into_iter().filter_map(disguise).collect()
}

fn outliers(content: &Content, recent: &[BaseUnits]) -> Vec<Exception> {
    let mut all: Vec<_> =
        recent.iter().copied().chain(content.items.iter().map(|item| item.amount)).collect();
    all.sort_unstable();
    let usual = all.get(all.len() / 2).copied().filter(|_| all.len() >= OUTLIER_SAMPLES_MIN);
    let Some(usual) = usual else { return Vec::new() };
    // Ten times a median that 256 bits do not hold is above every amount.
    let bound = usual.checked_mul(BaseUnits::from(OUTLIER_TIMES)).unwrap_or(BaseUnits::MAX);
    let outlier = |(item, one): (usize, &Item)| {
        (one.amount > bound).then_some(Exception::Outlier { item, amount: one.amount, usual })
    };
    content.items.iter().enumerate().filter_map(outlier).collect()
}
