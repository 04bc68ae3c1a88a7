//! What deserves a second look in a batch, as values: found here, worded in [`Exception::say`].
//!
//! Called once for each batch when its sheet is made. What must stay true: nothing here permits or refuses
//! anything, which is the policy's; every exception names its items; nothing is cut off, because a batch
//! full of harmless oddities must not hide the one that matters.

use super::disguise::{Trick, tricks};
use super::sheet::{Counted, Evidence, Vouched};
use super::text::{amount, counted, ends, escaped, grouped, runs, thousands};
use crate::familiar::{Familiar, Origin};
use crate::session::Standing;
use airlock_shared::approval::SeenHead;
use airlock_shared::batch::{Content, Item, ReissueReason};
use airlock_shared::policy::Refusal;
use airlock_shared::{Address, BaseUnits};
use std::collections::{BTreeMap, BTreeSet};

/// So many times the median is out of the ordinary.
const OUTLIER_TIMES: u64 = 10;
/// Of fewer amounts there is no ordinary.
const OUTLIER_SAMPLES_MIN: usize = 8;

/// How much attention an exception asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Weight {
    /// Do not go on before it is explained.
    Stop,
    /// Compare it with what you know.
    Look,
    /// Know it.
    Note,
}

impl Weight {
    /// Its word on every page.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stop => "STOP",
            Self::Look => "LOOK",
            Self::Note => "note",
        }
    }
}

/// A text of an item that somebody else wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreign {
    /// For people, never on the chain.
    Label,
    /// On the chain for everybody to read.
    Memo,
}

/// One thing that deserves a second look. Items count from 0, as everywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exception {
    /// A rule of the policy refuses the batch.
    Rule(Refusal),
    /// The signer's entry that the coordinator shows is older than one this device has seen.
    StaleHead(SeenHead),
    /// A recipient that only looks like a known address.
    LookAlike {
        /// Which item.
        item: usize,
        /// What it pays.
        address: Address,
        /// What that looks like.
        other: Address,
        /// Where the other is known from.
        origin: Origin,
    },
    /// Two recipients of this batch that look alike.
    Twins {
        /// The first item that pays each.
        items: [usize; 2],
        /// The addresses.
        addresses: [Address; 2],
    },
    /// Foreign text that pretends.
    Disguise {
        /// Which item.
        item: usize,
        /// Which of its texts.
        text: Foreign,
        /// The text, escaped.
        shown: String,
        /// What it does.
        tricks: Vec<Trick>,
    },
    /// Items that are signed a second time.
    Reissue {
        /// Why.
        reason: ReissueReason,
        /// Which.
        items: Vec<usize>,
        /// How many transactions are named dead.
        dead: usize,
    },
    /// The same sum to the same address more than once.
    Repeated {
        /// Which.
        items: Vec<usize>,
        /// To whom.
        destination: Address,
        /// How much each.
        amount: BaseUnits,
    },
    /// Far above what is usual.
    Outlier {
        /// Which item.
        item: usize,
        /// What it pays.
        amount: BaseUnits,
        /// The median of what was paid lately, this batch included.
        usual: BaseUnits,
    },
    /// An approval that the policy does not count.
    DoesNotCount {
        /// Whose.
        person: String,
        /// Why.
        why: String,
    },
    /// Something about an approval that its reader should know.
    Warned {
        /// Whose.
        person: String,
        /// What.
        warning: String,
    },
    /// Recipients that were never paid before and are not listed.
    FirstSeen {
        /// Which.
        items: Vec<usize>,
        /// Their sum.
        sum: Option<BaseUnits>,
    },
    /// Memos are public.
    Memos {
        /// Which.
        items: Vec<usize>,
    },
    /// Signed before: the same bytes would be given again.
    SignedBefore,
    /// Begun before and interrupted.
    Interrupted,
    /// This device keeps no payments.
    NoMemory,
}

impl Exception {
    /// How much attention it asks for.
    pub const fn weight(&self) -> Weight {
        match self {
            Self::Rule(_) | Self::StaleHead(_) | Self::LookAlike { .. } | Self::Twins { .. } => Weight::Stop,
            Self::Disguise { .. }
            | Self::Reissue { .. }
            | Self::Repeated { .. }
            | Self::Outlier { .. }
            | Self::DoesNotCount { .. }
            | Self::Warned { .. } => Weight::Look,
            Self::FirstSeen { .. }
            | Self::Memos { .. }
            | Self::SignedBefore
            | Self::Interrupted
            | Self::NoMemory => Weight::Note,
        }
    }

    /// The word beside an item it concerns.
    pub const fn tag(&self) -> &'static str {
        match self {
            Self::Rule(_) => "against the policy",
            Self::LookAlike { .. } | Self::Twins { .. } => "look-alike",
            Self::Disguise { .. } => "disguised text",
            Self::Reissue { .. } => "signed again",
            Self::Repeated { .. } => "repeated",
            Self::Outlier { .. } => "unusual amount",
            Self::FirstSeen { .. } => "first time",
            Self::Memos { .. } => "public memo",
            Self::StaleHead(_)
            | Self::DoesNotCount { .. }
            | Self::Warned { .. }
            | Self::SignedBefore
            | Self::Interrupted
            | Self::NoMemory => "",
        }
    }

    /// The items it concerns.
    pub fn items(&self) -> &[usize] {
        match self {
            Self::LookAlike { item, .. } | Self::Outlier { item, .. } | Self::Disguise { item, .. } => {
                std::slice::from_ref(item)
            }
            Self::Twins { items, .. } => items,
            Self::Reissue { items, .. }
            | Self::Repeated { items, .. }
            | Self::FirstSeen { items, .. }
            | Self::Memos { items } => items,
            Self::Rule(refusal) => refusal.item.as_slice(),
            _ => &[],
        }
    }

    /// The addresses that are to be compared, whole.
    pub fn addresses(&self) -> Vec<(&'static str, Address)> {
        match self {
            Self::LookAlike { address, other, origin: Origin::Paid, .. } => {
                vec![("pays", *address), ("paid before", *other)]
            }
            Self::LookAlike { address, other, origin: Origin::Listed, .. } => {
                vec![("pays", *address), ("listed", *other)]
            }
            Self::Twins { addresses: [one, other], .. } => vec![("one", *one), ("other", *other)],
            Self::Repeated { destination, .. } => vec![("pays", *destination)],
            _ => Vec::new(),
        }
    }

    /// The two addresses that look alike, in order.
    fn pair(&self) -> Option<(Address, Address)> {
        match self {
            Self::LookAlike { address: one, other, .. } | Self::Twins { addresses: [one, other], .. } => {
                Some(if one < other { (*one, *other) } else { (*other, *one) })
            }
            _ => None,
        }
    }

    /// The sentence for people, without the addresses.
    pub fn say(&self, content: &Content) -> String {
        let money = |base: BaseUnits| format!("{} {}", amount(base, content.asset.decimals), content.asset.symbol);
        match self {
            Self::Rule(refusal) => refused(refusal),
            Self::StaleHead(head) => format!(
                "the coordinator shows journal entry {} of signer {}; this device has seen a later one",
                head.sequence, head.signer
            ),
            Self::LookAlike { item, origin: Origin::Paid, .. } => {
                format!("#{item} pays an address that only looks like one paid before; compare every group")
            }
            Self::LookAlike { item, origin: Origin::Listed, .. } => {
                format!("#{item} pays an address that only looks like one the policy lists; compare every group")
            }
            Self::Twins { items: [one, other], .. } => {
                format!("#{one} and #{other} pay different addresses that look alike; compare every group")
            }
            Self::Disguise { item, text, shown, tricks } => {
                let what = match text {
                    Foreign::Label => "label",
                    Foreign::Memo => "memo",
                };
                let tricks: Vec<_> = tricks.iter().map(ToString::to_string).collect();
                format!("the {what} of #{item} holds {}: {shown}", tricks.join(", "))
            }
            Self::Reissue { reason, items, dead } => {
                let many = counted(items.len(), "item");
                let why = why_again(*reason);
                let dead = match dead {
                    0 => String::new(),
                    dead => format!(", {} named dead", counted(*dead, "transaction")),
                };
                format!("{many} signed a second time ({why}{dead}): #{}", runs(items))
            }
            Self::Repeated { items, amount, .. } => {
                let times = items.len();
                format!("{times} payments of {} to one address: #{}", money(*amount), runs(items))
            }
            Self::Outlier { item, amount, usual } => {
                let (paid, usual) = (money(*amount), money(*usual));
                format!("#{item} pays {paid}, more than {OUTLIER_TIMES} times the usual {usual}")
            }
            Self::DoesNotCount { person, why } => format!("the approval of {person} does not count: {why}"),
            Self::Warned { person, warning } => format!("approval of {person}: {warning}"),
            Self::FirstSeen { items, sum } => {
                let (many, all) = (thousands(&items.len().to_string()), counted(content.items.len(), "item"));
                let sum = sum.map_or_else(String::new, |sum| format!(", {} together", money(sum)));
                format!("{many} of {all} pay an address for the first time{sum}: #{}", runs(items))
            }
            Self::Memos { items } => {
                format!("{} with a memo that everybody can read: #{}", counted(items.len(), "item"), runs(items))
            }
            Self::SignedBefore => "SIGNED BEFORE: the same signatures will be given again".to_owned(),
            Self::Interrupted => {
                "begun before and interrupted: the same signatures will be made".to_owned()
            }
            Self::NoMemory => "this device keeps no payments: recipients that are new, and amounts that are \
                               unusual, show on the signer"
                .to_owned(),
        }
    }

    /// All of it on one line, for JSON and logs.
    pub fn line(&self, content: &Content) -> String {
        let addresses = self.addresses();
        let mut line = self.say(content);
        for (what, address) in addresses {
            line += &format!("; {what} {}", grouped(&address));
        }
        line
    }
}

fn refused(refusal: &Refusal) -> String {
    let item = refusal.item.map_or_else(String::new, |item| format!("#{item}: "));
    let (found, allowed) = (crate::failure::plain(&refusal.found), crate::failure::plain(&refusal.allowed));
    format!("{item}rule {} refuses: {found} is against {allowed}", refusal.rule.word())
}

/// A reissue's reason in a person's words.
pub const fn why_again(reason: ReissueReason) -> &'static str {
    match reason {
        ReissueReason::Stuck => "stuck: same nonce, higher fees, only one can be mined",
        ReissueReason::Expired => "expired unmined, as the coordinator says",
        ReissueReason::FailedOnChain => "failed on the chain, as the coordinator says",
        ReissueReason::Cancelled => "its nonce was cancelled, as the coordinator says",
    }
}

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
    found.extend(twins(content).into_iter().filter(|twins| twins.pair().is_none_or(|pair| !told.contains(&pair))));
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
        found.extend(
            one.warning.clone().map(|warning| Exception::Warned { person: person.clone(), warning }),
        );
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
