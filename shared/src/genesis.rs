//! The custodians' terms on which a journal begins again: after a restore, or at a head that it did not hold.
//!
//! A vault restored from its seed, or one whose journal was rolled back, does not know what it signed. `genesis
//! propose` gathers that from backups and signed-batch files, k of n custodians sign it, `genesis install`
//! writes it beside the journal entry that binds its digest. What must stay true: it is for one profile, one
//! signer and one roster; everything at or below its watermarks counts as signed (K2, S8).

use crate::address::Address;
use crate::amount::BaseUnits;
use crate::approval::SeenHead;
use crate::batch::{put_address, read_address, read_network};
use crate::digest::Digest;
use crate::document::Document;
use crate::form::{self, Form, FormError, Reader, Writer, closed_list};
use crate::identity::{CustodianSignature, Identity, MAX_CUSTODIANS, Roster};
use crate::network::{Network, Profile};

/// Most accounts whose nonces are stated, and most sums.
const MAX_ENTRIES: usize = 10_000;

/// What a journal goes on from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Genesis {
    /// What the vault's keys are for.
    pub profile: Profile,
    /// Whose journal it is.
    pub signer: Identity,
    /// Digest of the roster that decides.
    pub roster: Digest,
    /// Why it is needed.
    pub reason: Reason,
    /// The newest head that anybody holds. A re-anchored journal continues it; a restored vault has a new
    /// identity and a chain of its own, and names its predecessor's, if anybody held one.
    pub continues: Option<SeenHead>,
    /// Item ids up to this one count as signed.
    pub highest_item: u64,
    /// Account nonces up to these count as signed; sorted by account, each once.
    pub nonces: Vec<AccountNonce>,
    /// What counts in the rolling day; sorted by network, contract and time.
    pub spent: Vec<Spent>,
    /// When it was proposed, UTC seconds.
    pub made_at: u64,
    /// The newest policy that is known to have been in force: an older one does not come back. `None` where
    /// nobody knows of any.
    pub policy: Option<PolicyVersion>,
}

closed_list! {
    /// Why a journal begins again.
    Reason {
        /// The vault was restored from its seed; the journal is empty.
        Restored = 0 "restored",
        /// Others have seen a head that this journal does not hold.
        Reanchored = 1 "reanchored",
    }
}

/// The highest account nonce that counts as signed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AccountNonce {
    /// Whose, and on which network.
    pub account: Address,
    /// Up to this one.
    pub highest: u64,
}

/// A policy by version and digest; the one with the higher version is the newer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PolicyVersion {
    /// Its version; only ever rises.
    pub version: u64,
    /// Its digest.
    pub digest: Digest,
}

/// An amount that was signed for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Spent {
    /// Where.
    pub network: Network,
    /// The token; `None` for the native coin.
    pub contract: Option<Address>,
    /// When, UTC seconds of journal time.
    pub time: u64,
    /// How much, base units.
    pub amount: BaseUnits,
}

impl Genesis {
    /// What custodians sign and the journal entry binds.
    pub fn digest(&self) -> Digest {
        Digest::of("airlock:genesis:1", &form::to_cbor(self))
    }
}

/// A genesis under its custodians' signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedGenesis {
    /// The terms.
    pub genesis: Genesis,
    /// Signatures over [`Genesis::digest`], sorted by custodian.
    pub signatures: Vec<CustodianSignature>,
}

/// Why a genesis is not one for this signer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// It is for another kind of money.
    #[error("genesis is for profile {found}, this vault is for {expected}")]
    OtherProfile {
        /// The vault's.
        expected: &'static str,
        /// The document's.
        found: &'static str,
    },
    /// It is for another signer.
    #[error("genesis is for signer {found}, this is {expected}")]
    OtherSigner {
        /// This one.
        expected: Identity,
        /// The document's.
        found: Identity,
    },
    /// Other custodians decide.
    #[error("genesis is by the roster {found}, the pinned one is {expected}")]
    OtherRoster {
        /// The pinned one.
        expected: Digest,
        /// The document's.
        found: Digest,
    },
    /// Too few custodians signed it.
    #[error("{found} of the roster's custodians signed these terms, {needed} are needed")]
    TooFewCustodians {
        /// How many good signatures there are.
        found: u64,
        /// How many there must be.
        needed: u64,
    },
}

impl SignedGenesis {
    /// Adds a custodian's signature, or replaces that custodian's earlier one.
    pub fn add(&mut self, signature: CustodianSignature) {
        self.signatures.retain(|given| given.custodian != signature.custodian);
        self.signatures.push(signature);
        self.signatures.sort_by_key(|given| given.custodian);
    }

    /// Is it for this vault, and have enough custodians of its roster signed it?
    pub fn check(&self, roster: &Roster, profile: Profile, signer: Identity) -> Result<(), GenesisError> {
        let genesis = &self.genesis;
        if genesis.profile != profile {
            let (expected, found) = (profile.name(), genesis.profile.name());
            return Err(GenesisError::OtherProfile { expected, found });
        }
        if genesis.signer != signer {
            return Err(GenesisError::OtherSigner { expected: signer, found: genesis.signer });
        }
        if genesis.roster != roster.digest() {
            return Err(GenesisError::OtherRoster { expected: roster.digest(), found: genesis.roster });
        }
        let found = roster.signers_of(&genesis.digest(), &self.signatures);
        if found < roster.threshold {
            return Err(GenesisError::TooFewCustodians { found, needed: roster.threshold });
        }
        Ok(())
    }
}

impl Form for Genesis {
    fn write(&self, to: &mut Writer) {
        to.choice(0, "profile", self.profile);
        to.bytes(1, "signer", self.signer.as_bytes());
        to.digest(2, "roster", &self.roster);
        to.choice(3, "reason", self.reason);
        if let Some(continues) = &self.continues {
            to.part(4, "continues", continues);
        }
        to.wide(5, "highest_item", self.highest_item);
        to.parts(6, "nonces", &self.nonces);
        to.parts(7, "spent", &self.spent);
        to.uint(8, "made_at", self.made_at);
        if let Some(policy) = &self.policy {
            to.part(9, "policy", policy);
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let genesis = Self {
            profile: from.choice(0, "profile")?,
            signer: Identity::from_bytes(from.exact(1, "signer")?),
            roster: from.digest(2, "roster")?,
            reason: from.choice(3, "reason")?,
            continues: if from.has(4, "continues") { Some(from.part(4, "continues")?) } else { None },
            highest_item: from.wide(5, "highest_item")?,
            nonces: from.parts(6, "nonces", MAX_ENTRIES)?,
            spent: from.parts(7, "spent", MAX_ENTRIES)?,
            made_at: from.uint(8, "made_at")?,
            policy: if from.has(9, "policy") { Some(from.part(9, "policy")?) } else { None },
        };
        let own = genesis.continues.is_some_and(|head| head.signer == genesis.signer);
        if own != (genesis.reason == Reason::Reanchored) {
            return Err(from.refused("continues", "a re-anchored journal continues its own signer's head"));
        }
        if !genesis.nonces.is_sorted_by(|a, b| a.account < b.account) {
            return Err(from.refused("nonces", "must be sorted by account, each once"));
        }
        let place = |spent: &Spent| (spent.network, spent.contract, spent.time);
        if !genesis.spent.is_sorted_by(|a, b| place(a) < place(b)) {
            return Err(from.refused("spent", "must be sorted by network, contract and time, each once"));
        }
        if genesis.spent.iter().any(|spent| spent.time > genesis.made_at) {
            return Err(from.refused("spent", "an amount of the future"));
        }
        if genesis.nonces.iter().any(|entry| entry.account.network().profile() != genesis.profile)
            || genesis.spent.iter().any(|spent| spent.network.profile() != genesis.profile)
        {
            return Err(from.refused("profile", "an account or a sum of another profile"));
        }
        Ok(genesis)
    }
}

impl Form for AccountNonce {
    fn write(&self, to: &mut Writer) {
        to.text(0, "network", self.account.network());
        put_address(to, 1, "account", &self.account);
        to.wide(2, "highest", self.highest);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let network = read_network(from, 0, "network")?;
        Ok(Self { account: read_address(from, 1, "account", network)?, highest: from.wide(2, "highest")? })
    }
}

impl Form for PolicyVersion {
    fn write(&self, to: &mut Writer) {
        to.uint(0, "version", self.version);
        to.digest(1, "digest", &self.digest);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self { version: from.uint(0, "version")?, digest: from.digest(1, "digest")? })
    }
}

impl Form for Spent {
    fn write(&self, to: &mut Writer) {
        to.text(0, "network", self.network);
        if let Some(contract) = &self.contract {
            put_address(to, 1, "contract", contract);
        }
        to.uint(2, "time", self.time);
        to.amount(3, "amount", self.amount);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let network = read_network(from, 0, "network")?;
        let contract =
            if from.has(1, "contract") { Some(read_address(from, 1, "contract", network)?) } else { None };
        Ok(Self { network, contract, time: from.uint(2, "time")?, amount: from.amount(3, "amount")? })
    }
}

impl Form for SignedGenesis {
    fn write(&self, to: &mut Writer) {
        to.part(0, "genesis", &self.genesis);
        to.parts(1, "signatures", &self.signatures);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let genesis = from.part(0, "genesis")?;
        let signatures: Vec<CustodianSignature> = from.parts(1, "signatures", MAX_CUSTODIANS)?;
        if !signatures.is_sorted_by(|a, b| a.custodian < b.custodian) {
            return Err(from.refused("signatures", "must be sorted by custodian, each once"));
        }
        Ok(Self { genesis, signatures })
    }
}

impl Document for SignedGenesis {
    const KIND: u8 = 8;
    const NAME: &'static str = "airlock genesis";
}
