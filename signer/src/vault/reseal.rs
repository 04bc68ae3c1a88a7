//! Sealing a vault again: under another passphrase, under a dearer key derivation, or both.
//!
//! Called by `passphrase change` and, for one more key, by `wallet import`. What must stay true: guessing never becomes cheaper; the bytes that are
//! written were opened with the new passphrases first; the file is replaced as a whole, so that after power
//! loss at any point the vault opens either with the old passphrases or with the new ones. The preamble
//! stays, so an old copy of the file still opens with its old passphrase: copies have to be destroyed.

use super::{Compartment, KdfCost, Sealed, SealingKey, Spending, Vault, VaultError};
use crate::home::{Home, replace_private};
use crate::secret::Passphrase;

/// A spending compartment that is being changed, and the key that seals it again.
pub struct Opened {
    /// What it holds.
    pub spending: Spending,
    sealing: SealingKey,
}

impl Vault {
    /// What opening the identity compartment costs.
    pub const fn identity_cost(&self) -> KdfCost {
        self.sealing.cost()
    }

    /// What opening the spending compartment costs, where there is one.
    pub fn spending_cost(&self) -> Option<KdfCost> {
        self.spending.as_ref().map(Sealed::cost)
    }

    /// Seals the identity compartment under `new` from now on. Nothing is written yet.
    pub fn reseal_identity(&mut self, new: &Passphrase, cost: KdfCost) -> Result<(), VaultError> {
        refuse_weaker(Compartment::Identity, self.identity_cost(), cost)?;
        self.sealing = SealingKey::new(new, cost)?;
        Ok(())
    }

    /// Opens the spending compartment with `old` and seals it under `new`. Nothing is written yet.
    pub fn reseal_spending(
        &mut self,
        old: &Passphrase,
        new: &Passphrase,
        cost: KdfCost,
    ) -> Result<(), VaultError> {
        let before = self.spending_cost().ok_or(VaultError::NoSpending)?;
        refuse_weaker(Compartment::Spending, before, cost)?;
        let spending = self.open_spending(old)?;
        self.seal_spending(&spending, &SealingKey::new(new, cost)?)
    }

    /// Opens the spending compartment to put it back changed, under the passphrase and at the cost that it has.
    pub fn open_to_change(&self, passphrase: &Passphrase) -> Result<Opened, VaultError> {
        let sealed = self.spending.as_ref().ok_or(VaultError::NoSpending)?;
        let (plain, sealing) = sealed.open(&self.preamble, passphrase)?;
        let spending = Spending::decode(&plain).map_err(VaultError::Spending)?;
        Ok(Opened { spending, sealing })
    }

    /// Seals what was opened again. Nothing is written yet.
    pub fn put_back(&mut self, opened: &Opened) -> Result<(), VaultError> {
        self.seal_spending(&opened.spending, &opened.sealing)
    }

    fn seal_spending(&mut self, spending: &Spending, key: &SealingKey) -> Result<(), VaultError> {
        let record = key.seal(Compartment::Spending, &self.preamble, &spending.encode())?;
        self.spending = Some(Sealed::take(Compartment::Spending, &mut &record[..])?);
        Ok(())
    }

    /// Writes it to `home`, atomically, once these very bytes have been opened with the given passphrases.
    /// `spending` is `None` where that compartment was left alone.
    pub fn store_opened(
        &self,
        home: &Home,
        identity: &Passphrase,
        spending: Option<&Passphrase>,
    ) -> Result<(), VaultError> {
        let bytes = self.seal()?;
        let opened = Self::open(&bytes, identity)?;
        if let Some(spending) = spending {
            opened.open_spending(spending)?;
        }
        Ok(replace_private(&home.vault(), &bytes)?)
    }
}

fn refuse_weaker(what: Compartment, before: KdfCost, after: KdfCost) -> Result<(), VaultError> {
    if after.is_weaker_than(before) {
        return Err(VaultError::WeakerKdf { compartment: what.name(), before, after });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::power;
    use crate::secret::{Bip39Passphrase, Entropy};
    use crate::vault::{Device, ImportedKey, Reach, Root};
    use airlock_shared::{PersonId, Profile};
    use std::collections::BTreeSet;
    use zeroize::Zeroizing;

    const OLD: [&str; 2] = ["the old identity passphrase", "the old spending passphrase"];
    const NEW: [&str; 2] = ["the new identity passphrase", "the new spending passphrase"];

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.into()).ok().unwrap()
    }

    fn floor() -> KdfCost {
        KdfCost::new(KdfCost::MIN_MEMORY_KIB, 1).unwrap()
    }

    fn vault() -> Vault {
        let device = Device::generate(PersonId::new("alice").unwrap(), Profile::Dev, 1).unwrap();
        let (identity, spending) = (passphrase(OLD[0]), passphrase(OLD[1]));
        Vault::create(device, &identity, Some((&keys(), &spending)), floor()).ok().unwrap()
    }

    fn keys() -> Spending {
        let seed = Entropy::from_slice(&[7; 32]).unwrap();
        let mut keys =
            Spending::new(Root::mnemonic(seed, Bip39Passphrase::new("the 25th word").ok().unwrap()));
        keys.import(ImportedKey::new(Reach::Evm, Zeroizing::new([8; 32]))).unwrap();
        keys
    }

    fn change(home: &Home) -> Result<(), VaultError> {
        let mut vault = Vault::load(home, &passphrase(OLD[0]))?;
        let (identity, spending) = (passphrase(NEW[0]), passphrase(NEW[1]));
        vault.reseal_identity(&identity, floor())?;
        vault.reseal_spending(&passphrase(OLD[1]), &spending, floor())?;
        vault.store_opened(home, &identity, Some(&spending))
    }

    /// Both compartments open with the passphrases of one time, and hold what they held.
    fn opens(bytes: &[u8], [identity, spending]: [&str; 2]) -> bool {
        let opened = Vault::open(bytes, &passphrase(identity));
        let held = opened.and_then(|vault| vault.open_spending(&passphrase(spending)));
        held.is_ok_and(|held| held.encode() == keys().encode())
    }

    #[test]
    fn power_loss_at_any_write_fsync_or_rename_leaves_the_old_or_the_new_vault() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::create(&folder.path().join("home")).unwrap();
        vault().store(&home).unwrap();
        let before = std::fs::read(home.vault()).unwrap();
        let steps = power::recorded(|| change(&home).unwrap());
        let after = std::fs::read(home.vault()).unwrap();
        assert!(opens(&before, OLD) && !opens(&before, NEW));
        assert!(opens(&after, NEW) && !opens(&after, OLD));
        let mut seen = BTreeSet::new();
        for cut in 0..=steps.len() {
            for content in power::may_remain(&home.vault(), &before, &steps[..cut]) {
                assert!(content == before || content == after, "after {cut} steps: a torn vault");
                seen.insert(content);
            }
        }
        assert_eq!(seen.len(), 2);
        assert_eq!(power::may_remain(&home.vault(), &before, &steps), [after]);
    }

    #[test]
    fn an_error_at_any_step_leaves_a_vault_that_opens_and_the_change_can_be_made_again() {
        let mut cuts = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            let home = Home::create(&folder.path().join("home")).unwrap();
            vault().store(&home).unwrap();
            if power::cut_at(cuts, || change(&home)).is_ok() {
                break;
            }
            let left = std::fs::read(home.vault()).unwrap();
            assert!(opens(&left, OLD) != opens(&left, NEW), "cut at step {cuts}");
            if opens(&left, OLD) {
                change(&home).unwrap();
                assert!(opens(&std::fs::read(home.vault()).unwrap(), NEW));
            }
            cuts += 1;
        }
        assert_eq!(cuts, 6);
    }

    #[test]
    fn each_compartment_can_be_changed_alone() {
        let mut vault = vault();
        vault.reseal_identity(&passphrase(NEW[0]), floor()).unwrap();
        assert!(opens(&vault.seal().unwrap(), [NEW[0], OLD[1]]));
        vault.reseal_spending(&passphrase(OLD[1]), &passphrase(NEW[1]), floor()).unwrap();
        assert!(opens(&vault.seal().unwrap(), NEW));
        let wrong = vault.reseal_spending(&passphrase(OLD[1]), &passphrase(NEW[1]), floor());
        assert!(matches!(wrong, Err(VaultError::DoesNotOpen { compartment: "spending" })));
    }

    #[test]
    fn guessing_never_becomes_cheaper() {
        let mut vault = vault();
        let stronger = KdfCost::new(65_536, 2).unwrap();
        vault.reseal_identity(&passphrase(NEW[0]), stronger).unwrap();
        for (memory, passes) in [(65_536, 1), (47_104, 16), (66_000, 1)] {
            let weaker = KdfCost::new(memory, passes).unwrap();
            let refused = vault.reseal_identity(&passphrase(NEW[0]), weaker);
            assert!(matches!(refused, Err(VaultError::WeakerKdf { compartment: "identity", .. })));
        }
        assert_eq!(vault.identity_cost(), stronger);
        assert!(vault.reseal_identity(&passphrase(NEW[0]), KdfCost::new(131_072, 1).unwrap()).is_ok());
    }

    #[test]
    fn two_compartments_of_unlike_cost_can_be_changed_together() {
        let cost = |memory_kib, passes| KdfCost::new(memory_kib, passes).unwrap();
        let pairs = [
            (cost(524_288, 1), cost(65_536, 16), cost(524_288, 2)),
            (cost(KdfCost::MAX_MEMORY_KIB, 1), cost(1_000_000, 16), cost(KdfCost::MAX_MEMORY_KIB, 16)),
            (floor(), floor(), floor()),
        ];
        for (one, other, joined) in pairs {
            assert_eq!((one.joined(other), other.joined(one)), (joined, joined));
            assert!(!joined.is_weaker_than(one) && !joined.is_weaker_than(other));
        }
    }

    #[test]
    fn what_does_not_open_again_is_never_written() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::create(&folder.path().join("home")).unwrap();
        let vault = vault();
        let other = passphrase("not the one it is sealed with");
        assert!(vault.store_opened(&home, &other, None).is_err());
        assert!(vault.store_opened(&home, &passphrase(OLD[0]), Some(&other)).is_err());
        assert!(!home.vault().exists());
    }

    #[test]
    fn calibration_stays_within_floor_ceiling_and_memory() {
        let least = KdfCost::calibrate(std::time::Duration::ZERO, u32::MAX).unwrap();
        assert_eq!((least.memory_kib(), least.passes()), (KdfCost::MIN_MEMORY_KIB, 1));
        let small = KdfCost::calibrate(std::time::Duration::from_secs(9), 70_000).unwrap();
        assert_eq!(small.memory_kib(), 65_536);
        assert!(small.passes() > 1 && small.passes() <= KdfCost::MAX_PASSES);
    }
}
