//! Proof of liabilities: every creditor finds its own money in the signed total, and every lie is found by somebody.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use airlock_shared::document::{Document as _, read};
use airlock_shared::liabilities::tree::{self, Summed, Sums};
use airlock_shared::liabilities::{
    CountedAsset, Creditor, FinalBalance, InclusionProof, LiabilityError, Reserve, SignedStatement, Statement,
};
use airlock_shared::{BaseUnits, Digest, Network, Profile};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn creditor(number: u64, usdt: u64, trx: u64) -> Creditor {
    Creditor {
        owner: format!("user:{number}"),
        salt: Digest::of("salt", &number.to_be_bytes()),
        sums: Sums::new(vec![usdt, trx]).unwrap(),
    }
}

fn taken(creditors: &[Creditor]) -> (SignedStatement, Vec<Vec<Summed>>) {
    let levels = tree::levels(creditors.iter().map(Creditor::leaf).collect()).unwrap();
    let asset = |code: &str| CountedAsset { code: code.to_owned(), decimals: 6 };
    let statement = Statement {
        profile: Profile::Dev,
        taken_at: 1_767_225_600,
        last_transfer: 12,
        assets: vec![asset("USDT"), asset("TRX")],
        creditors: creditors.len() as u64,
        root: levels.last().unwrap()[0].clone(),
        unassigned: Sums::new(vec![3, 0]).unwrap(),
        reserves: vec![Reserve {
            network: Network::EVM_DEV,
            wallet: "0x0101010101010101010101010101010101010101".to_owned(),
            asset: "USDT".to_owned(),
            decimals: 18,
            booked: BaseUnits::from(5_u64),
            found: Some(FinalBalance { amount: BaseUnits::from(5_u64), block: 9 }),
        }],
    };
    (statement.sign(&key()), levels)
}

fn proof(signed: &SignedStatement, levels: &[Vec<Summed>], all: &[Creditor], index: usize) -> InclusionProof {
    let (statement, path) = (signed.statement.digest(), tree::path(levels, index));
    InclusionProof { statement, creditor: all[index].clone(), index: index as u64, path }
}

proptest! {
    #[test]
    fn every_creditor_is_in_the_root_and_the_root_is_the_sum_of_all(
        owed in prop::collection::vec((0_u64..1 << 40, 0_u64..1 << 40), 1..70)
    ) {
        let all: Vec<_> = (0..).zip(&owed).map(|(i, (usdt, trx))| creditor(i, *usdt, *trx)).collect();
        let (signed, levels) = taken(&all);
        let total = |pick: fn(&(u64, u64)) -> u64| owed.iter().map(pick).sum::<u64>();
        prop_assert_eq!(signed.statement.root.sums.minor(), &[total(|o| o.0), total(|o| o.1)]);
        for index in 0..all.len() {
            prop_assert_eq!(proof(&signed, &levels, &all, index).check(&signed.statement), Ok(()));
        }
    }
}

#[test]
fn a_changed_balance_owner_salt_place_or_sibling_leads_elsewhere() {
    let all: Vec<_> = (0..7).map(|i| creditor(i, 10 * i, 1)).collect();
    let (signed, levels) = taken(&all);
    let good = proof(&signed, &levels, &all, 3);
    let changes: [fn(&mut InclusionProof); 7] = [
        |proof| proof.creditor.sums = Sums::new(vec![29, 1]).unwrap(),
        |proof| proof.creditor.owner = "user:4".to_owned(),
        |proof| proof.creditor.salt = Digest::ZERO,
        |proof| proof.index = 2,
        |proof| proof.path[0].sums = Sums::new(vec![21, 1]).unwrap(),
        |proof| proof.path[1].hash = Digest::ZERO,
        |proof| drop(proof.path.pop()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut proof = good.clone();
        change(&mut proof);
        let found = proof.check(&signed.statement);
        assert!(matches!(found, Err(LiabilityError::Root { .. })), "change {number}: {found:?}");
    }
}

#[test]
fn chunks_of_a_power_of_two_make_the_same_tree() {
    for count in [1, 3, 4, 5, 8, 9, 21] {
        let leaves: Vec<_> = (0..count).map(|i| creditor(i, i, 1).leaf()).collect();
        let whole = tree::levels(leaves.clone()).unwrap();
        let chunks: Vec<_> = leaves.chunks(4).map(|chunk| tree::levels(chunk.to_vec()).unwrap()).collect();
        let above =
            tree::levels(chunks.iter().map(|levels| levels.last().unwrap()[0].clone()).collect()).unwrap();
        assert_eq!(above.last(), whole.last());
        for index in 0..leaves.len() {
            let joined = [tree::path(&chunks[index / 4], index % 4), tree::path(&above, index / 4)].concat();
            assert_eq!(joined, tree::path(&whole, index));
        }
    }
}

#[test]
fn a_sum_that_leaves_63_bits_is_no_tree() {
    let most = i64::MAX.unsigned_abs();
    assert_eq!(Sums::new(vec![most + 1]), None);
    let leaves = [creditor(0, most, 0), creditor(1, 1, 0)].iter().map(Creditor::leaf).collect();
    assert_eq!(tree::levels(leaves), None);
    assert_eq!(tree::levels(Vec::new()), None);
}

#[test]
fn a_statement_counts_only_under_its_signers_key_and_unchanged() {
    let all = [creditor(0, 10, 0)];
    let (signed, _) = taken(&all);
    assert_eq!(signed.check(&signed.signer), Ok(()));
    let other = SigningKey::from_bytes(&[8; 32]);
    let stranger = signed.statement.clone().sign(&other);
    assert!(matches!(stranger.check(&signed.signer), Err(LiabilityError::OtherSigner { .. })));
    let changes: [fn(&mut Statement); 7] = [
        |statement| statement.taken_at += 1,
        |statement| statement.creditors += 1,
        |statement| statement.assets[0].decimals = 7,
        |statement| statement.root.sums = Sums::new(vec![9, 0]).unwrap(),
        |statement| statement.unassigned = Sums::zero(2),
        |statement| statement.reserves[0].booked = BaseUnits::from(6_u64),
        |statement| statement.reserves[0].found = None,
    ];
    for change in changes {
        let mut changed = signed.clone();
        change(&mut changed.statement);
        assert_eq!(changed.check(&signed.signer), Err(LiabilityError::Signature));
    }
}

#[test]
fn a_proof_of_another_statement_is_refused_by_name() {
    let all = [creditor(0, 10, 0)];
    let (signed, levels) = taken(&all);
    let proof = proof(&signed, &levels, &all, 0);
    let mut later = signed.statement;
    later.taken_at += 1;
    assert!(matches!(proof.check(&later), Err(LiabilityError::OtherStatement { .. })));
}

#[test]
fn both_documents_survive_both_spellings() {
    let all: Vec<_> = (0..5).map(|i| creditor(i, i, i)).collect();
    let (signed, levels) = taken(&all);
    let proof = proof(&signed, &levels, &all, 4);
    assert_eq!(read::<SignedStatement>(signed.to_json().as_bytes()).unwrap(), signed);
    assert_eq!(read::<SignedStatement>(&signed.to_binary()).unwrap(), signed);
    assert_eq!(read::<InclusionProof>(proof.to_json().as_bytes()).unwrap(), proof);
    assert_eq!(read::<InclusionProof>(&proof.to_binary()).unwrap(), proof);
}
