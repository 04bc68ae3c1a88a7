//! Money that moves inside the ledger: transfers between users, payments to their partner, rewards from it (L3).
//!
//! `http.rs` reads a request into [`Terms`] (what it says, no database), looks both parties up and hands one order to the
//! writer. What must stay true: both parties belong to one partner and are active; the amount is exact and above zero; the
//! posting, its idempotency record and its audit row commit together.

pub mod http;

use crate::ledger::{Account, AssetCode, Assets, Posting};
use airlock_shared::{AmountError, MinorUnits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest note, in characters.
pub const NOTE_MAX_CHARS: usize = 140;

/// Which way it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TransferKind)]
pub enum Kind {
    /// From a user to another user of the same partner.
    Transfer,
    /// From a user to their partner.
    Payment,
    /// From a partner to one of its users.
    Reward,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Transfer, Self::Payment, Self::Reward];

    /// As the API and the ledger's `kind` spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Payment => "payment",
            Self::Reward => "reward",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Why a transfer is not made, before the ledger is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not an asset of ours.
    #[error("unknown asset {found:?}")]
    Asset {
        /// What was there, cut to 64 characters.
        found: String,
    },
    /// Not an exact amount.
    #[error("amount: {0}")]
    Amount(#[from] AmountError),
    /// Zero.
    #[error("amount must be above zero")]
    Nothing,
    /// A note that is empty, too long, or not plain text.
    #[error("note: expected 1 to {NOTE_MAX_CHARS} characters, no control characters")]
    Note,
    /// Somebody is named whom this kind does not take, or nobody where it needs one.
    #[error("a {kind} {expected}")]
    Parties {
        /// Which kind.
        kind: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// From a user to the same user.
    #[error("a transfer to oneself")]
    ToOneself,
    /// One of the two is deactivated.
    #[error("the user {whom} is not active")]
    Inactive {
        /// `from` or `to`.
        whom: &'static str,
    },
}

/// What a request says, checked as far as it can be without asking anybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Which way it goes.
    pub kind: Kind,
    /// In what.
    pub asset: AssetCode,
    /// The asset's decimals.
    pub decimals: u8,
    /// How much.
    pub amount: MinorUnits,
    /// Words about it.
    pub note: Option<String>,
}

impl Terms {
    /// Reads the texts of a request.
    pub fn read(
        assets: &Assets,
        kind: Kind,
        asset: &str,
        amount: &str,
        note: Option<String>,
    ) -> Result<Self, Refusal> {
        let unknown = || Refusal::Asset { found: asset.chars().take(64).collect() };
        let code: AssetCode = asset.parse().map_err(|_| unknown())?;
        let decimals = assets.decimals(&code).map_err(|_| unknown())?;
        let amount = MinorUnits::from_decimal(amount, decimals)?;
        if !amount.is_positive() {
            return Err(Refusal::Nothing);
        }
        if note.as_deref().is_some_and(|note| !is_plain(note)) {
            return Err(Refusal::Note);
        }
        Ok(Self { kind, asset: code, decimals, amount, note })
    }

    /// The posting from one party to the other, both by id.
    pub fn posting(&self, id: &str, from: &str, to: &str, who: &str) -> Posting {
        let user = |id: &str| Account::available(id, &self.asset);
        let partner = |id: &str| Account::Partner { partner: id.to_owned(), asset: self.asset.clone() };
        let (debit, credit) = match self.kind {
            Kind::Transfer => (user(from), user(to)),
            Kind::Payment => (user(from), partner(to)),
            Kind::Reward => (partner(from), user(to)),
        };
        let posting = Posting::new(self.kind.name(), id).minor(debit, credit, self.amount).made_by(who);
        match &self.note {
            Some(note) => posting.note(note.as_str()),
            None => posting,
        }
    }
}

/// Control characters and those that turn the direction of writing could make a note show what it does not say.
fn is_plain(note: &str) -> bool {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let unbroken = |c: char| !(c.is_control() || turns(c) || matches!(c, '\u{2028}' | '\u{2029}'));
    !note.is_empty() && note.chars().count() <= NOTE_MAX_CHARS && note.chars().all(unbroken)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn notes_are_short_plain_text() {
        for good in ["a", "invoice 5", "=1+1", "счёт №5", "付款", &"x".repeat(140), &"é".repeat(140)]
        {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", "a\nb", "a\tb", "\u{0}", "\u{7f}", "abc\u{202e}cba", "a\u{2028}b", &"x".repeat(141)] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }

    fn read(amount: &str) -> Result<Terms, Refusal> {
        let mut assets = Assets::default();
        assets.add("USDT".parse().unwrap(), 6).unwrap();
        Terms::read(&assets, Kind::Transfer, "USDT", amount, None)
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_text(minor in 1..i64::MAX) {
            let text = MinorUnits::new(minor).to_decimal(6);
            prop_assert_eq!(read(&text).unwrap().amount.get(), minor);
        }

        #[test]
        fn a_text_is_its_amount_to_the_last_digit_or_is_refused(text in "[0-9]{0,14}\\.?[0-9]{0,8}|[0-9eE+,. -]{0,12}|\\PC{0,12}") {
            if let Ok(terms) = read(&text) {
                prop_assert!(terms.amount.is_positive());
                let shown = terms.amount.to_decimal(6);
                let rest = text.strip_prefix(&shown).unwrap();
                prop_assert!(rest.trim_start_matches('.').bytes().all(|c| c == b'0'), "{} read as {}", text, shown);
            }
        }
    }
}
