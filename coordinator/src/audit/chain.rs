//! The chain over audit rows: the digest of a row, and the signed link that covers a run of rows. Pure.
//!
//! ```text
//! row   = SHA-256("airlock:audit-row:1\n" made_at(8) and per text its length(8) and bytes: who, tenant, address,
//!         request_id, action, subject, before, after)
//! link  = SHA-256("airlock:audit-link:1\n" previous link(32) first(8) last(8) made_at(8) row digests(32 each))
//! ```
//! Numbers are big-endian; the first link's previous is 32 zero bytes; the coordinator's identity key signs each link.
//! What must stay true: a row's digest leaves its number out (the link has it), so that a row that was moved
//! is known again; a link keeps the digests of its rows, so that the one row that was changed can be named.

use crate::clock::UnixMillis;
use airlock_shared::Digest;
use airlock_shared::identity::{Identity, IdentitySignature};
use ed25519_dalek::SigningKey;

/// The most rows that one link covers.
pub const LINK_ROWS_MAX: usize = 1000;

/// A row as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// 1, 2, 3 …
    pub number: i64,
    /// When, Unix milliseconds.
    pub made_at: UnixMillis,
    /// Who.
    pub who: String,
    /// The partner whose they are.
    pub tenant: String,
    /// From where; empty if over no network.
    pub address: String,
    /// In which request; empty if in none.
    pub request_id: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What it was, JSON; empty if there is nothing to say.
    pub before: String,
    /// What it is now, JSON; empty if there is nothing to say.
    pub after: String,
}

impl Entry {
    /// The digest of everything but the number.
    pub fn digest(&self) -> Digest {
        let texts = [
            &self.who,
            &self.tenant,
            &self.address,
            &self.request_id,
            &self.action,
            &self.subject,
            &self.before,
            &self.after,
        ];
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&self.made_at.to_be_bytes());
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        Digest::of("airlock:audit-row:1", &bytes)
    }
}

/// One link of the chain: the rows `first` to `last`, and a signature over them and everything before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Its first row.
    pub first: i64,
    /// Its last row.
    pub last: i64,
    /// When it was made, Unix milliseconds.
    pub made_at: UnixMillis,
    /// The digests of its rows, in order.
    pub digests: Vec<Digest>,
    /// Its own digest: the head of the chain while it is the last.
    pub digest: Digest,
    /// Whose signature it is.
    pub signer: Identity,
    /// The signature over `digest`.
    pub signature: IdentitySignature,
}

impl Link {
    /// Chains rows, which follow each other and are at least one, to `previous`.
    pub fn over(previous: &Digest, rows: &[Entry], made_at: UnixMillis, key: &SigningKey) -> Option<Self> {
        let (first, last) = (rows.first()?.number, rows.last()?.number);
        let digests: Vec<Digest> = rows.iter().map(Entry::digest).collect();
        let digest = link_digest(previous, first, last, made_at, &digests);
        let signature = IdentitySignature::by(key, &digest);
        Some(Self { first, last, made_at, digests, digest, signer: Identity::of(key), signature })
    }

    /// Is its digest what `previous` and its own fields make?
    pub fn follows(&self, previous: &Digest) -> bool {
        let length = self.last.checked_sub(self.first).and_then(|more| usize::try_from(more).ok());
        let whole = length.and_then(|more| more.checked_add(1)) == Some(self.digests.len());
        whole && self.digest == link_digest(previous, self.first, self.last, self.made_at, &self.digests)
    }

    /// Is it signed by one of these?
    pub fn is_signed_by(&self, keys: &[Identity]) -> bool {
        keys.contains(&self.signer) && self.signer.verifies(&self.digest, &self.signature)
    }
}

fn link_digest(previous: &Digest, first: i64, last: i64, made_at: UnixMillis, rows: &[Digest]) -> Digest {
    let mut bytes = Vec::with_capacity(56 + rows.len() * 32);
    bytes.extend_from_slice(previous.as_bytes());
    for number in [first, last, made_at] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    for row in rows {
        bytes.extend_from_slice(row.as_bytes());
    }
    Digest::of("airlock:audit-link:1", &bytes)
}

/// What is wrong with the log, at its first wrong row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// The row says something else than when it was chained.
    Changed,
    /// A row that was chained is gone.
    Missing,
    /// Another chained row stands in its place.
    Reordered,
    /// A row that was never chained stands in its place, and the others have moved on.
    Inserted,
    /// The link over it is not what it was when it was made.
    LinkAltered,
    /// The link over it is gone.
    LinkMissing,
    /// The link over it is not signed by the coordinator.
    NotSigned,
    /// The chain does not contain the head that the auditor noted: its end was cut off, or it was written anew.
    HeadUnknown,
}

/// The first fault.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Fault {
    /// The number of the first wrong row.
    pub number: i64,
    /// What is wrong with it.
    pub wrong: Wrong,
    /// A sentence.
    pub why: String,
}

impl Fault {
    pub(super) fn new(number: i64, wrong: Wrong, why: impl Into<String>) -> Self {
        Self { number, wrong, why: why.into() }
    }

    /// What it means that another row than the chained one stands at `number`: `from` is where the chain has what stands
    /// there, `to` where what should stand there is found.
    pub(super) fn of_row(number: i64, from: Option<i64>, to: Option<i64>) -> Self {
        match (from, to) {
            (Some(from), Some(to)) => {
                let why = format!("row {from} of the chain stands here, and row {number} stands at {to}");
                Self::new(number, Wrong::Reordered, why)
            }
            (None, Some(to)) => {
                let why =
                    format!("a row that the chain does not know stands here; row {number} stands at {to}");
                Self::new(number, Wrong::Inserted, why)
            }
            (Some(from), None) => {
                let why = format!("the row is gone; row {from} of the chain has taken its number");
                Self::new(number, Wrong::Missing, why)
            }
            (None, None) => Self::new(number, Wrong::Changed, "the row's content is not what was chained"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: i64, after: &str) -> Entry {
        let text = || String::new();
        Entry {
            number,
            made_at: 1,
            who: "person:alice".to_owned(),
            tenant: "house".to_owned(),
            address: text(),
            request_id: text(),
            action: "withdrawal.approve".to_owned(),
            subject: "w".to_owned(),
            before: text(),
            after: after.to_owned(),
        }
    }

    #[test]
    fn text_that_moves_between_fields_changes_the_digest() {
        let mut moved = entry(1, "b");
        moved.before = "b".to_owned();
        moved.after = String::new();
        assert_ne!(moved.digest(), entry(1, "b").digest());
        assert_eq!(entry(2, "b").digest(), entry(1, "b").digest(), "the number belongs to the link");
    }

    #[test]
    fn a_link_binds_its_rows_their_numbers_and_everything_before() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let rows = [entry(1, "a"), entry(2, "b")];
        let link = Link::over(&Digest::ZERO, &rows, 5, &key).unwrap();
        assert!(link.follows(&Digest::ZERO) && link.is_signed_by(&[Identity::of(&key)]));
        assert!(!link.follows(&Digest::of("airlock:audit-link:1", b"other")));
        assert!(!link.is_signed_by(&[]));
        for altered in [
            Link { first: 2, last: 3, ..link.clone() },
            Link { last: 3, ..link.clone() },
            Link { made_at: 6, ..link.clone() },
            Link { digests: link.digests.iter().rev().copied().collect(), ..link.clone() },
        ] {
            assert!(!altered.follows(&Digest::ZERO), "{altered:?}");
        }
    }
}
