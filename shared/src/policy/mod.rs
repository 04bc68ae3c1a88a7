//! Policy: what a signer may sign, in a file that k of n custodians have signed.
//!
//! The signer is the reference monitor: a compromised coordinator gets nothing past these rules. A policy has
//! a name, a rising version and no permissive default: what is not listed is refused. Its digest covers every
//! field, profile included, so a development policy is never valid for real money. The rules themselves are in
//! `rules`, one function each; [`judge`] runs them all over every item.

mod bounds;
mod people;
pub mod rules;
mod spelling;

use crate::address::Address;
use crate::amount::BaseUnits;
use crate::batch::{Asset, Content, Kind, Wallet};
use crate::digest::Digest;
use crate::document::Document;
use crate::form::{self, Form, FormError, Reader, Writer, closed_list};
use crate::id::PersonId;
use crate::identity::{CustodianSignature, MAX_CUSTODIANS, Roster};
use crate::network::{Network, Profile};
pub use bounds::{Allowance, Bounds, Machine, Window, weekday_and_minute};
pub use people::{Approver, Passkey, PasskeyTerms, Quorum, UserVerification};
pub use rules::{DAY_SECONDS, Facts, Refusal, Rule, judge};

/// What a signer may sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Its name; versions of one name succeed each other.
    pub name: PersonId,
    /// Rises by at least one with each change.
    pub version: u64,
    /// What kind of money it is for.
    pub profile: Profile,
    /// Who may approve, and with which devices and passkeys.
    pub approvers: Vec<Approver>,
    /// How many approvals a batch needs.
    pub approvals: Quorum,
    /// What makes a passkey count; without it none does.
    pub passkeys: Option<PasskeyTerms>,
    /// Bounds that hold for every batch.
    pub bounds: Bounds,
    /// What may be signed on a machine that is not as it should be.
    pub machine: Machine,
    /// When signing is allowed. An empty list permits nothing.
    pub windows: Vec<Window>,
    /// The networks, each with its own rules. A network that is not here is refused.
    pub networks: Vec<NetworkPolicy>,
}

/// The rules of one network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkPolicy {
    /// Which.
    pub network: Network,
    /// What batches may do here.
    pub kinds: Vec<Kind>,
    /// Which wallets may pay. Deposit wallets need no entry for sweeps: the signer derives them.
    pub wallets: Vec<PayingWallet>,
    /// What may move, with its limits.
    pub assets: Vec<AssetPolicy>,
    /// What it may cost.
    pub fees: FeeCaps,
    /// Whether withdrawals may go to any address that is not denied, or to listed ones only.
    pub withdrawals_to: WithdrawalsTo,
    /// How long a destination counts as first seen after it was first paid, or first asked for, seconds of
    /// journal time. While it does, `first_seen_max` of the asset bounds what it gets.
    pub first_seen_delay_seconds: u64,
    /// Where each kind may go. Every kind but `withdrawal` goes to listed addresses, or to own wallets that
    /// the signer derives itself.
    pub destinations: Vec<KindDestinations>,
    /// Nobody pays these, in any kind.
    pub denied: Vec<Address>,
}

closed_list! {
    /// Where withdrawals may go.
    WithdrawalsTo {
        /// Any address that is not denied.
        Any = 0 "any",
        /// Only addresses listed for `withdrawal`.
        Listed = 1 "listed",
    }
}

/// A wallet that may pay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PayingWallet {
    /// Which.
    pub wallet: Wallet,
    /// TRON: the permission that signs for it, 0 (owner) or 2 to 9 (active). 0 on EVM networks.
    pub permission_id: u8,
    /// Where its key is, for the role `hardware` and no other.
    pub hardware: Option<HardwareKey>,
}

/// A key inside a hardware wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HardwareKey {
    /// BIP-32 fingerprint of the device's master key.
    pub fingerprint: [u8; 4],
    /// The key's path, such as `m/44'/60'/0'/0/0`.
    pub path: String,
}

/// One asset and how much of it may move.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssetPolicy {
    /// Contract, decimals and symbol; a batch's claims must equal them.
    pub asset: Asset,
    /// Most per item, base units.
    pub per_item_max: BaseUnits,
    /// Most per batch, base units.
    pub per_batch_max: BaseUnits,
    /// Most in any 24 hours of journal time, this batch included, base units.
    pub per_day_max: BaseUnits,
    /// Total of a batch, and of the 24 hours of journal time that it completes, up to which passkeys alone
    /// suffice, base units. Zero: never.
    pub passkeys_alone_max: BaseUnits,
    /// Most that a first-seen destination of a withdrawal may get in all, base units.
    pub first_seen_max: BaseUnits,
    /// Most per item that is signed again on a claim, base units.
    pub reissue_per_item_max: BaseUnits,
    /// Most of such items in any 24 hours of journal time, base units.
    pub reissue_per_day_max: BaseUnits,
}

/// What a transaction may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FeeCaps {
    /// TRON.
    Tron {
        /// Most energy burned by one transaction, sun.
        fee_limit_sun_max: u64,
    },
    /// EVM networks.
    Evm {
        /// Highest gas limit.
        gas_limit_max: u64,
        /// Highest `max_fee_per_gas`, wei.
        max_fee_per_gas_wei_max: u64,
        /// Highest `max_priority_fee_per_gas`, wei.
        max_priority_fee_per_gas_wei_max: u64,
    },
}

/// The addresses that one kind of batch may pay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KindDestinations {
    /// Which kind.
    pub kind: Kind,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

impl Policy {
    /// What custodians sign and batches refer to.
    pub fn digest(&self) -> Digest {
        Digest::of("airlock:policy:1", &form::to_cbor(self))
    }

    /// The rules of a network.
    pub fn network(&self, network: Network) -> Option<&NetworkPolicy> {
        self.networks.iter().find(|policy| policy.network == network)
    }
}

impl NetworkPolicy {
    /// The limits of the asset that a content moves, found by contract alone.
    pub fn asset_of(&self, content: &Content) -> Option<&AssetPolicy> {
        self.assets.iter().find(|policy| policy.asset.contract == content.asset.contract)
    }

    /// The entry of a wallet, if it may pay.
    pub fn paying(&self, wallet: &Wallet) -> Option<&PayingWallet> {
        self.wallets.iter().find(|entry| entry.wallet == *wallet)
    }

    /// The addresses listed for a kind.
    pub fn listed(&self, kind: Kind) -> &[Address] {
        let entry = self.destinations.iter().find(|entry| entry.kind == kind);
        entry.map_or(&[], |entry| &entry.addresses)
    }
}

/// A policy under its custodians' signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedPolicy {
    /// The policy.
    pub policy: Policy,
    /// Signatures over [`Policy::digest`], sorted by custodian.
    pub signatures: Vec<CustodianSignature>,
}

/// Why a signed policy is not in force under a roster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too few custodians signed it.
    #[error("{found} of the roster's custodians signed this policy, {needed} are needed")]
    TooFewCustodians {
        /// How many good signatures there are.
        found: u64,
        /// How many there must be.
        needed: u64,
    },
    /// Its version does not rise.
    #[error("policy version {found} does not follow version {installed}")]
    VersionDoesNotRise {
        /// The version in force.
        installed: u64,
        /// The version offered.
        found: u64,
    },
    /// It is for another kind of money.
    #[error("policy is for profile {found}, this vault is for {expected}")]
    OtherProfile {
        /// The vault's.
        expected: &'static str,
        /// The policy's.
        found: &'static str,
    },
}

impl SignedPolicy {
    /// Adds a custodian's signature, or replaces that custodian's earlier one.
    pub fn add(&mut self, signature: CustodianSignature) {
        self.signatures.retain(|given| given.custodian != signature.custodian);
        self.signatures.push(signature);
        self.signatures.sort_by_key(|given| given.custodian);
    }

    /// Have enough custodians of `roster` signed it?
    pub fn check(&self, roster: &Roster, profile: Profile) -> Result<(), PolicyError> {
        if self.policy.profile != profile {
            let (expected, found) = (profile.name(), self.policy.profile.name());
            return Err(PolicyError::OtherProfile { expected, found });
        }
        let found = roster.signers_of(&self.policy.digest(), &self.signatures);
        if found < roster.threshold {
            return Err(PolicyError::TooFewCustodians { found, needed: roster.threshold });
        }
        Ok(())
    }
}

impl Form for SignedPolicy {
    fn write(&self, to: &mut Writer) {
        to.part(0, "policy", &self.policy);
        to.parts(1, "signatures", &self.signatures);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let policy = from.part(0, "policy")?;
        let signatures: Vec<CustodianSignature> = from.parts(1, "signatures", MAX_CUSTODIANS)?;
        if !signatures.is_sorted_by(|a, b| a.custodian < b.custodian) {
            return Err(from.refused("signatures", "must be sorted by custodian, each once"));
        }
        Ok(Self { policy, signatures })
    }
}

impl Document for SignedPolicy {
    const KIND: u8 = 7;
    const NAME: &'static str = "airlock policy";
}
