//! What is to be known about one batch before anybody says yes to it, as values without a screen.
//!
//! Made by `sign`, `approve` and `inspect` from an [`Evidence`], read by [`super::rows`], which words it.
//! What must stay true: everything comes from the decoded content, the policy in force, the journal, and
//! checks of this device; what the coordinator merely claims is either proven before or marked as a claim.

use super::exceptions::{Exception, Weight};
use super::find::find;
use crate::familiar::Familiar;
use crate::session::{Standing, Verdicts};
use airlock_shared::approval::proven::{FallenCounter, counted, proven};
use airlock_shared::approval::{Approval, Proof, SeenHead};
use airlock_shared::batch::Content;
use airlock_shared::policy::{Policy, Quorum, Rule};
use airlock_shared::{Address, BaseUnits, Digest, PersonId};
use std::collections::{BTreeMap, BTreeSet};

/// What a sheet is made from. What a device does not have is `None`, and the sheet says so.
pub struct Evidence<'a, 'e> {
    /// The batch.
    pub content: &'a Content,
    /// Its digest.
    pub digest: Digest,
    /// The approvals beside it.
    pub approvals: &'e [Approval],
    /// The policy in force; an approver's device has none.
    pub policy: Option<&'e Policy>,
    /// What each rule says.
    pub verdicts: Option<Verdicts>,
    /// Where the batch stands in the journal.
    pub standing: Option<&'e Standing>,
    /// What was paid before and is listed.
    pub familiar: Option<&'e Familiar>,
    /// Journal heads that are older than what this device has seen.
    pub stale: Vec<SeenHead>,
    /// Approvals by passkeys whose counter did not rise since it was last seen.
    pub fallen: Vec<FallenCounter>,
    /// When the review began, UTC seconds.
    pub now: u64,
}

impl<'a, 'e> Evidence<'a, 'e> {
    /// A batch alone, with nothing that a device may know beside it.
    pub fn of(content: &'a Content, approvals: &'e [Approval], now: u64) -> Self {
        let digest = content.digest();
        let (policy, verdicts, standing, familiar) = (None, None, None, None);
        Self {
            content,
            digest,
            approvals,
            policy,
            verdicts,
            standing,
            familiar,
            stale: Vec::new(),
            fallen: Vec::new(),
            now,
        }
    }
}

/// How somebody proved an approval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// On a device of their own that decoded the batch.
    Device,
    /// With a passkey on a page of the coordinator: presence, not understanding.
    Passkey,
}

/// Does the policy count an approval?
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Yes.
    Yes,
    /// No, and why.
    No(String),
    /// There is no policy here to ask.
    Unknown,
}

/// One approval, as far as this device can judge it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vouched {
    /// Who.
    pub person: PersonId,
    /// How.
    pub how: How,
    /// Does it count?
    pub counted: Counted,
    /// What its reader should know besides.
    pub warning: Option<String>,
}

/// What is to be known about one batch.
pub struct Sheet<'a> {
    /// The batch itself.
    pub content: &'a Content,
    /// What its eight words stand for.
    pub digest: Digest,
    /// The sum of all items; `None` only above 256 bits, which no checked content is.
    pub total: Option<BaseUnits>,
    /// How many different addresses are paid.
    pub recipients: usize,
    /// How many of them were never paid before; `None` where nobody remembers.
    pub first_seen: Option<usize>,
    /// The largest item.
    pub largest: Option<usize>,
    /// Who approved.
    pub approvals: Vec<Vouched>,
    /// What the policy asks for.
    pub quorum: Option<Quorum>,
    /// How many rules were asked; `None` where there is no policy.
    pub rules: Option<usize>,
    /// Passes the policy's question for independent devices, few as they are: passkeys suffice for such sums.
    pub passkeys_suffice: bool,
    /// When the review began, UTC seconds.
    pub now: u64,
    /// What deserves a second look, the weightiest first.
    pub exceptions: Vec<Exception>,
    tags: BTreeMap<usize, Vec<usize>>,
}

impl<'a> Sheet<'a> {
    /// Weighs the evidence.
    pub fn of(evidence: &Evidence<'a, '_>) -> Self {
        let content = evidence.content;
        let approvals = vouched(evidence);
        let exceptions = find(evidence, &approvals);
        let mut tags: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, exception) in exceptions.iter().enumerate() {
            exception.items().iter().for_each(|item| tags.entry(*item).or_default().push(number));
        }
        let people: BTreeSet<Address> = content.items.iter().map(|item| item.destination).collect();
        let new = |familiar: &Familiar| people.iter().filter(|address| !familiar.knows(address)).count();
        let largest = content.items.iter().enumerate().rev().max_by_key(|(_, item)| item.amount);
        Self {
            content,
            digest: evidence.digest,
            total: content.totals().ok().map(|totals| totals.amount),
            recipients: people.len(),
            first_seen: evidence.familiar.map(new),
            largest: largest.map(|(number, _)| number),
            quorum: evidence.policy.map(|policy| policy.approvals),
            rules: evidence.verdicts.as_ref().map(Vec::len),
            passkeys_suffice: passkeys_suffice(evidence, &approvals),
            approvals,
            now: evidence.now,
            exceptions,
            tags,
        }
    }

    /// The exceptions that concern an item.
    pub fn about(&self, item: usize) -> impl Iterator<Item = &Exception> {
        let numbers = self.tags.get(&item).map_or(&[][..], Vec::as_slice);
        numbers.iter().filter_map(|number| self.exceptions.get(*number))
    }

    /// How many exceptions of a weight there are.
    pub fn count(&self, weight: Weight) -> usize {
        self.exceptions.iter().filter(|exception| exception.weight() == weight).count()
    }

    /// Rules that refuse the batch.
    pub fn refusals(&self) -> usize {
        self.exceptions.iter().filter(|exception| matches!(exception, Exception::Rule(_))).count()
    }

    /// How many approvals of a kind count.
    pub fn counted(&self, how: Option<How>) -> usize {
        let counts = |one: &&Vouched| one.counted == Counted::Yes && how.is_none_or(|how| one.how == how);
        self.approvals.iter().filter(counts).count()
    }

    /// Does an item hold what was searched for: a part of its address, its amount from the first digit,
    /// its id, its nonce, or a part of its label?
    pub fn matches(&self, item: usize, wanted: &str) -> bool {
        let Some(item) = self.content.items.get(item) else { return false };
        let wanted = wanted.trim().to_lowercase();
        let dense: String = wanted.chars().filter(|c| !c.is_whitespace()).collect();
        let number = |of: u64| of.to_string() == dense;
        item.destination.to_string().to_lowercase().contains(&dense)
            || item.amount.to_decimal(self.content.asset.decimals).starts_with(&dense)
            || number(item.id.number())
            || item.account_nonce.is_some_and(number)
            || (!item.label.is_empty() && item.label.to_lowercase().contains(&wanted))
    }
}

fn passkeys_suffice(evidence: &Evidence<'_, '_>, approvals: &[Vouched]) -> bool {
    let devices =
        approvals.iter().filter(|one| one.how == How::Device && one.counted == Counted::Yes).count();
    let few = evidence.policy.is_some_and(|policy| (devices as u64) < policy.approvals.independent);
    let mut verdicts = evidence.verdicts.iter().flatten();
    few && verdicts.any(|(rule, verdict)| *rule == Rule::IndependentApprovals && verdict.is_ok())
}

fn vouched(evidence: &Evidence<'_, '_>) -> Vec<Vouched> {
    let one = |approval: &Approval| {
        let how = match approval.proof {
            Proof::Device { .. } => How::Device,
            Proof::Passkey { .. } => How::Passkey,
        };
        let counted = evidence.policy.map_or(Counted::Unknown, |policy| counts(evidence, policy, approval));
        let fallen = evidence.fallen.iter().find(|fallen| fallen.person == approval.person);
        Vouched {
            person: approval.person.clone(),
            how,
            counted,
            warning: fallen.map(FallenCounter::to_string),
        }
    };
    evidence.approvals.iter().map(one).collect()
}

/// The same questions that the policy's rule asks, one by one, so that the screen can say which failed.
fn counts(evidence: &Evidence<'_, '_>, policy: &Policy, approval: &Approval) -> Counted {
    if approval.person == evidence.content.creator {
        return Counted::No("they made this batch themselves".to_owned());
    }
    let Some(approver) = policy.approvers.iter().find(|one| one.person == approval.person) else {
        return Counted::No("the policy does not name them".to_owned());
    };
    if let Err(why) = proven(approval, &evidence.digest, approver, policy.passkeys.as_ref()) {
        return Counted::No(why.to_string());
    }
    let counted = counted(policy, evidence.content, &evidence.digest, evidence.approvals);
    if counted.iter().any(|one| *one.person == approval.person) {
        return Counted::Yes;
    }
    Counted::No("a key of theirs is the creator's, or of somebody else who approved".to_owned())
}
