//! What deserves a second look in a batch, as values: found by `find`, worded by [`Exception::say`].
//!
//! Read by the pages, by `items` for the words beside an item, and by `inspect --json`. What must stay true:
//! nothing here permits or refuses anything, which is the policy's; every exception names its items, and
//! shows whole addresses.

use super::disguise::Trick;
use super::text::{amount, counted, duration, grouped, runs, thousands};
use crate::familiar::Origin;
use airlock_shared::approval::SeenHead;
use airlock_shared::batch::{Content, ReissueReason};
use airlock_shared::policy::Refusal;
use airlock_shared::{Address, BaseUnits};

/// So many times the median is out of the ordinary.
pub(super) const OUTLIER_TIMES: u64 = 10;

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
    /// Recipients that were paid before, but not for as long as the policy calls them first seen.
    Young {
        /// Which.
        items: Vec<usize>,
        /// The policy's delay, seconds.
        delay_seconds: u64,
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
            | Self::Young { .. }
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
            Self::Young { .. } => "new lately",
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
            | Self::Young { items, .. }
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
    pub(super) fn pair(&self) -> Option<(Address, Address)> {
        match self {
            Self::LookAlike { address: one, other, .. } | Self::Twins { addresses: [one, other], .. } => {
                Some(if one < other { (*one, *other) } else { (*other, *one) })
            }
            _ => None,
        }
    }

    /// The sentence for people, without the addresses.
    pub fn say(&self, content: &Content) -> String {
        let money =
            |base: BaseUnits| format!("{} {}", amount(base, content.asset.decimals), content.asset.symbol);
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
                format!(
                    "#{item} pays an address that only looks like one the policy lists; compare every group"
                )
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
                let pay = pays(items);
                format!("{many} of {all} {pay} an address for the first time{sum}: #{}", runs(items))
            }
            Self::Young { items, delay_seconds } => {
                let (many, all) = (thousands(&items.len().to_string()), counted(content.items.len(), "item"));
                let delay = duration(*delay_seconds);
                let pay = pays(items);
                format!("{many} of {all} {pay} an address first seen less than {delay} ago: #{}", runs(items))
            }
            Self::Memos { items } => {
                format!(
                    "{} with a memo that everybody can read: #{}",
                    counted(items.len(), "item"),
                    runs(items)
                )
            }
            Self::SignedBefore => "SIGNED BEFORE: the same signatures will be given again".to_owned(),
            Self::Interrupted => "begun before and interrupted: the same signatures will be made".to_owned(),
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

/// One pays, several pay.
const fn pays(items: &[usize]) -> &'static str {
    if items.len() == 1 { "pays" } else { "pay" }
}
