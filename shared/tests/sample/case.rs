//! One batch before the policy: what a test may alter, and what the rules say then.

use super::{NOW, approvals, content, policy};
use airlock_shared::Network;
use airlock_shared::approval::Approval;
use airlock_shared::batch::Content;
use airlock_shared::journal::Record;
use airlock_shared::memory::{Memory, Past, Repeat, check_repeats};
use airlock_shared::policy::{Facts, Policy, Refusal, Rule, judge};
use airlock_shared::roles::creator;

/// What a case may change. Approvals are made after the content is altered, unless the case makes them.
pub struct Case {
    pub content: Content,
    pub policy: Policy,
    pub approvals: Option<Vec<Approval>>,
    pub bundle_len: usize,
    pub now: u64,
    pub memory: Memory,
}

impl Case {
    pub fn new(network: Network) -> Self {
        let mut memory = Memory::default();
        memory.entered(NOW);
        Self {
            content: content(network, 3),
            policy: policy(),
            approvals: None,
            bundle_len: 1,
            now: NOW + 60,
            memory,
        }
    }

    /// Changes the policy and refers the content to it, as a coordinator would.
    pub fn with_policy(&mut self, change: impl FnOnce(&mut Policy)) {
        change(&mut self.policy);
        self.content.policy.digest = self.policy.digest();
    }

    /// A batch like this one was signed at `time`, but for what `alter` changes.
    pub fn signed_before(&mut self, time: u64, alter: impl FnOnce(&mut Content)) {
        let mut before = self.content.clone();
        alter(&mut before);
        self.memory.take_in(&record(&before, time));
    }

    pub fn judge(&self) -> Result<(), Refusal> {
        let approvals = self.approvals.clone().unwrap_or_else(|| approvals(&self.content));
        judge(&Facts {
            content: &self.content,
            digest: self.content.digest(),
            approvals: &approvals,
            bundle_len: self.bundle_len,
            policy: &self.policy,
            now: self.now,
            past: Past::of(&self.memory),
        })
    }

    pub fn repeats(&self) -> Result<(), Repeat> {
        let ids = tx_ids(&self.content);
        check_repeats(Past::of(&self.memory), &self.content, |item| ids[item].clone())
    }
}

/// The transaction ids of each item that are known before signing.
pub fn tx_ids(content: &Content) -> Vec<Vec<[u8; 32]>> {
    let transactions = creator::transactions(content).unwrap();
    transactions.iter().map(|levels| levels.iter().filter_map(|one| one.tx_id()).collect()).collect()
}

/// What the journal keeps of a content that was signed at `time`.
pub fn record(content: &Content, time: u64) -> Record {
    let ids = tx_ids(content);
    Record::of(content, time, |item| ids[item].clone()).unwrap()
}

/// What the policy says of a good batch with something altered.
pub fn judged(network: Network, alter: impl FnOnce(&mut Case)) -> Result<(), Refusal> {
    let mut case = Case::new(network);
    alter(&mut case);
    case.judge()
}

/// The rule that refuses it, and the item.
pub fn refused(network: Network, alter: impl FnOnce(&mut Case)) -> (Rule, Option<usize>) {
    let refusal = judged(network, alter).unwrap_err();
    assert!(!refusal.found.is_empty() && !refusal.allowed.is_empty());
    (refusal.rule, refusal.item)
}
