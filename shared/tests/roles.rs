//! The roles in order, and what each refuses.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::document::{self, Document};
use airlock_shared::envelope::SignedBatch;
use airlock_shared::identity::Identity;
use airlock_shared::roles::approver::{self, ApprovalError};
use airlock_shared::roles::combiner::combine;
use airlock_shared::roles::extractor::{Level, extract};
use airlock_shared::roles::finalizer::{FinalizeError, finalize};
use airlock_shared::{BaseUnits, Network};
use sample::{content, envelope, identity_key, person, policy, reply, signed_batch};

const BOTH: [Network; 2] = [Network::TRON_DEV, Network::EVM_DEV];

#[test]
fn a_batch_goes_from_creator_to_extractor() {
    for network in BOTH {
        let envelope = envelope(content(network, 3));
        let reply = reply(&envelope, 1);
        let signed = finalize(&envelope.content, &reply).unwrap();
        let rows = extract(&envelope.content, &signed);
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.level == Level::Payment(0)));
        assert_eq!(rows[2].item, envelope.content.items[2].id);
    }
}

#[test]
fn fee_levels_come_in_order_and_the_cancel_last() {
    let mut content = content(Network::EVM_DEV, 2);
    if let airlock_shared::batch::Context::Evm(evm) = &mut content.context {
        let mut dearer = evm.levels[0];
        dearer.max_fee_per_gas_wei *= 2;
        dearer.max_priority_fee_per_gas_wei *= 2;
        evm.levels.push(dearer);
        evm.cancel = Some(airlock_shared::batch::CancelTerms { gas_limit: 21_000, fee: dearer });
    }
    let envelope = envelope(content);
    let signed = finalize(&envelope.content, &reply(&envelope, 1)).unwrap();
    let levels: Vec<_> = extract(&envelope.content, &signed).iter().map(|row| row.level).collect();
    let each = [Level::Payment(0), Level::Payment(1), Level::Cancel];
    assert_eq!(levels, [each, each].concat());
}

#[test]
fn a_signature_by_another_key_is_refused_by_item() {
    let envelope = envelope(content(Network::TRON_DEV, 2));
    let mut reply = reply(&envelope, 1);
    reply.signatures.swap(0, 1);
    assert_eq!(finalize(&envelope.content, &reply), Err(FinalizeError::SignaturesDigest));
    // Even a receipt over the swapped signatures does not help: they recover to somebody else.
    let mut content = envelope.content.clone();
    content.source = Some(sample::cold(Network::TRON_DEV));
    let envelope = sample::envelope(content);
    let refused = finalize(&envelope.content, &sample_reply_unchecked(&envelope));
    assert!(matches!(refused, Err(FinalizeError::WrongSigner { item: 0, level: 0, .. })), "{refused:?}");
}

/// A reply whose signatures are by the hot key although the content names the cold wallet as its source.
fn sample_reply_unchecked(envelope: &airlock_shared::envelope::Envelope) -> airlock_shared::envelope::Reply {
    let mut hot = envelope.clone();
    hot.content.source = Some(sample::hot(Network::TRON_DEV));
    let mut reply = reply(&hot, 1);
    reply.receipt.content = envelope.content.digest();
    if let airlock_shared::journal::Event::Signed { signatures, .. } = reply.receipt.entry.event {
        let content = envelope.content.digest();
        let event = airlock_shared::journal::Event::Signed { content, signatures };
        let chain = airlock_shared::journal::Chain::Journal;
        let previous = reply.receipt.unacknowledged.last();
        reply.receipt.entry =
            airlock_shared::journal::Entry::next(chain, previous, sample::NOW, event, &identity_key(1));
    }
    reply.receipt = reply.receipt.sign(&identity_key(1));
    reply
}

#[test]
fn a_receipt_for_another_batch_is_refused() {
    let one = envelope(content(Network::TRON_DEV, 2));
    let mut other = content(Network::TRON_DEV, 2);
    other.items[1].amount = BaseUnits::from(1u64);
    let refused = finalize(&other, &reply(&one, 1));
    assert!(matches!(refused, Err(FinalizeError::OtherContent { .. })), "{refused:?}");
}

#[test]
fn combining_replies_does_not_care_about_order_or_repeats() {
    let envelope = envelope(content(Network::EVM_DEV, 2));
    let (a, b) = (vec![reply(&envelope, 1)], vec![reply(&envelope, 2)]);
    let ab = combine(a.clone(), b.clone()).unwrap();
    assert_eq!(combine(b.clone(), a.clone()).unwrap(), ab);
    assert_eq!(combine(ab.clone(), a.clone()).unwrap(), ab);
    assert_eq!(combine(ab.clone(), ab.clone()).unwrap(), ab);
    let mut altered = a.clone();
    altered[0].signatures.pop();
    assert_eq!(combine(a, altered).unwrap_err().signer, Identity::of(&identity_key(1)));
}

#[test]
fn an_approval_counts_for_its_own_content_and_person_only() {
    let content = content(Network::TRON_DEV, 2);
    let (digest, policy) = (content.digest(), policy());
    let mut approvals = Vec::new();
    let mut accept = |name: &str, seed| {
        let approval = approver::approve(&content, person(name), None, &identity_key(seed));
        approver::accept(&mut approvals, approval, &content, &digest, &policy)
    };
    assert_eq!(accept("carol", 3), Ok(()));
    assert_eq!(accept("carol", 3), Ok(()));
    assert!(matches!(accept("dave", 3), Err(ApprovalError::Proof { .. })));
    assert!(matches!(accept("olga", 3), Err(ApprovalError::Creator { .. })));
    assert!(matches!(accept("mallory", 3), Err(ApprovalError::UnknownPerson { .. })));
    let mut other = content.clone();
    other.items[0].amount = BaseUnits::from(1u64);
    let approval = approver::approve(&other, person("dave"), None, &identity_key(4));
    let refused = approver::accept(&mut approvals, approval, &content, &digest, &policy);
    assert!(matches!(refused, Err(ApprovalError::Proof { .. })));
    assert_eq!(approvals.len(), 1);
}

#[test]
fn one_signer_does_not_stand_in_a_file_twice() {
    let mut file = signed_batch(Network::TRON_DEV, 1);
    file.replies.push(file.replies[0].clone());
    let error = document::read::<SignedBatch>(&file.to_binary()).unwrap_err();
    assert_eq!(error.at, "airlock signed batch.replies");
}

#[test]
fn the_name_of_an_unknown_field_is_cut_and_escaped() {
    let json = signed_batch(Network::TRON_DEV, 1).to_json();
    let name = format!("\\u001b[2J{}", "x".repeat(5_000));
    let json = json.replacen("\"roster\"", &format!("\"{name}\": 1,\n  \"roster\""), 1);
    let error = document::read::<SignedBatch>(json.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("unknown field \\u{1b}[2J") && error.len() < 200, "{error}");
}
