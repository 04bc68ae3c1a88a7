//! A genesis counts for one profile, one signer, one roster, and with enough of its custodians.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::genesis::{Genesis, GenesisError, Reason, SignedGenesis};
use airlock_shared::identity::{CustodianSignature, Identity, IdentitySignature};
use airlock_shared::{Digest, Profile};
use sample::{NOW, by_custodians, identity_key, roster};

fn signer() -> Identity {
    Identity::of(&identity_key(1))
}

fn genesis() -> Genesis {
    Genesis {
        profile: Profile::Dev,
        signer: signer(),
        roster: roster().digest(),
        reason: Reason::Restored,
        continues: None,
        highest_item: 7,
        nonces: Vec::new(),
        spent: Vec::new(),
        made_at: NOW,
        policy: None,
    }
}

/// What is said of a genesis with one thing altered before its custodians signed it.
fn checked(alter: impl FnOnce(&mut Genesis)) -> Result<(), GenesisError> {
    let mut genesis = genesis();
    alter(&mut genesis);
    let signatures = by_custodians(&genesis.digest());
    SignedGenesis { genesis, signatures }.check(&roster(), Profile::Dev, signer())
}

#[test]
fn a_genesis_for_another_profile_signer_or_roster_is_refused() {
    assert_eq!(checked(|_| ()), Ok(()));
    let other = checked(|genesis| genesis.profile = Profile::Main);
    assert_eq!(other, Err(GenesisError::OtherProfile { expected: "dev", found: "main" }));
    let found = Identity::of(&identity_key(2));
    let other = checked(|genesis| genesis.signer = found);
    assert_eq!(other, Err(GenesisError::OtherSigner { expected: signer(), found }));
    let found = Digest::ZERO;
    let other = checked(|genesis| genesis.roster = found);
    assert_eq!(other, Err(GenesisError::OtherRoster { expected: roster().digest(), found }));
}

#[test]
fn a_genesis_needs_enough_custodians_of_the_roster_over_exactly_its_terms() {
    let (genesis, needed) = (genesis(), 2);
    let digest = genesis.digest();
    let mut signed = SignedGenesis { genesis, signatures: Vec::new() };
    let check = |signed: &SignedGenesis| signed.check(&roster(), Profile::Dev, signer());
    let by = |seed| {
        let key = identity_key(seed);
        CustodianSignature { custodian: Identity::of(&key), signature: IdentitySignature::by(&key, &digest) }
    };
    assert_eq!(check(&signed), Err(GenesisError::TooFewCustodians { found: 0, needed }));
    signed.add(by(1));
    signed.add(by(1));
    signed.add(by(9));
    assert_eq!(check(&signed), Err(GenesisError::TooFewCustodians { found: 1, needed }));
    signed.add(by(2));
    assert_eq!(check(&signed), Ok(()));
    signed.genesis.highest_item += 1;
    assert_eq!(check(&signed), Err(GenesisError::TooFewCustodians { found: 0, needed }));
}
