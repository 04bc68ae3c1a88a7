//! Who pays a batch, under which policy, and whose withdrawals that is for.
//!
//! What must stay true: a partner's wallets pay its own withdrawals alone; a hardware wallet pays only if a signer's newest policy
//! marks it and the books know it.

use crate::batches::{BatchError, LeftOut};
use crate::config::NetworkConfig;
use crate::db::Db;
use crate::pairing;
use crate::pairing::store::{Signer, WalletRow};
use crate::people::HOUSE;
use crate::withdrawals::Withdrawal;
use airlock_shared::Address;
use airlock_shared::batch::Wallet;
use airlock_shared::policy::SignedPolicy;
use airlock_shared::wallet::Role;
use std::collections::BTreeSet;

/// Who pays, and under which policy.
#[derive(Clone, Debug)]
pub(super) struct Payer {
    pub(super) wallet: WalletRow,
    pub(super) signer: Signer,
    pub(super) policy: SignedPolicy,
}

/// The wallet that pays on a network, with the signer under whose policy it stands and the policy believed to be in force.
pub(super) async fn payer(
    db: &mut Db,
    network: &NetworkConfig,
    partner: &str,
    hardware: Option<Address>,
) -> Result<Payer, BatchError> {
    match hardware {
        Some(address) => hardware_payer(db, network, partner, address).await,
        None => hot_payer(db, network, partner).await,
    }
}

/// Whose withdrawals a partner's wallets pay: its own alone. The house's wallets pay everybody's who has no signer of its own.
pub(super) struct Payees {
    partner: String,
    with_signers: BTreeSet<String>,
}

impl Payees {
    pub(super) async fn of(db: &mut Db, partner: &str) -> Result<Self, BatchError> {
        // A suspended signer still makes its partner one that is paid from its own wallets only.
        let signers = pairing::store::signers(db).await?;
        let with_signers = signers.into_iter().map(|signer| signer.partner).filter(|one| one != HOUSE);
        Ok(Self { partner: partner.to_owned(), with_signers: with_signers.collect() })
    }

    pub(super) fn include(&self, partner: &str) -> bool {
        if self.partner == HOUSE { !self.with_signers.contains(partner) } else { self.partner == partner }
    }
}

/// Why a withdrawal of another payee waits.
pub(super) fn other_payee(withdrawal: Withdrawal) -> LeftOut {
    let why = format!("partner {} is paid from its own wallets only", withdrawal.partner);
    LeftOut { withdrawal: withdrawal.id, why }
}

/// A hardware wallet pays if a signer's newest policy marks it, and if the books know it: it is one of the configured
/// wallets.
async fn hardware_payer(
    db: &mut Db,
    network: &NetworkConfig,
    partner: &str,
    address: Address,
) -> Result<Payer, BatchError> {
    let unknown = || BatchError::NoHardware { wallet: address };
    if !network.wallets.iter().any(|ours| ours.address == address && ours.role == Role::Hardware) {
        return Err(unknown());
    }
    for signer in pairing::store::signers(db).await?.into_iter().filter(|signer| signer.active) {
        let Some(policy) = pairing::store::newest_policy(db, &signer.identity).await? else { continue };
        let listed = policy.policy.network(network.network).into_iter().flat_map(|rules| &rules.wallets);
        let listed = listed.map(|entry| entry.wallet);
        if let Some(Wallet { role, index, address }) =
            listed.into_iter().find(|wallet| wallet.role == Role::Hardware && wallet.address == address)
        {
            if signer.partner != partner {
                let (owner, partner) = (signer.partner, partner.to_owned());
                return Err(BatchError::ForeignWallet { wallet: address, owner, partner });
            }
            let wallet = WalletRow { address, role, index, signer: signer.identity };
            return Ok(Payer { wallet, signer, policy });
        }
    }
    Err(unknown())
}

async fn hot_payer(db: &mut Db, network: &NetworkConfig, partner: &str) -> Result<Payer, BatchError> {
    let mut signers = pairing::store::signers(db).await?;
    signers.retain(|signer| signer.partner == partner);
    let imported = pairing::store::wallets(db, network.network, Role::Hot).await?;
    let configured = network.wallets.iter().filter(|wallet| wallet.role == Role::Hot);
    let configured = configured.filter_map(|wallet| {
        let signer = signers.iter().find(|signer| hex::encode(signer.fingerprint) == wallet.fingerprint)?;
        let index = wallet.path.rsplit('/').next()?.parse().ok()?;
        Some(WalletRow { address: wallet.address, role: Role::Hot, index, signer: signer.identity })
    });
    let wallet = imported
        .into_iter()
        .filter(|wallet| signers.iter().any(|signer| signer.identity == wallet.signer))
        .chain(configured)
        .next()
        .ok_or(BatchError::NoWallet { network: network.network })?;
    let signer = signers
        .into_iter()
        .find(|signer| signer.identity == wallet.signer)
        .ok_or(BatchError::NoWallet { network: network.network })?;
    if !signer.active {
        return Err(BatchError::Suspended { signer: signer.identity.to_string() });
    }
    let policy = pairing::store::newest_policy(db, &signer.identity)
        .await?
        .ok_or_else(|| BatchError::NoPolicy { signer: signer.identity.to_string() })?;
    Ok(Payer { wallet, signer, policy })
}
