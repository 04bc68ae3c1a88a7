//! The roles in order, and what each refuses.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::digest::Digest;
use airlock_shared::document::{self, Document};
use airlock_shared::envelope::SignedBatch;
use airlock_shared::identity::Identity;
use airlock_shared::roles::approver::{self, ApprovalError};
use airlock_shared::roles::auditor::{Contradiction, Finding, Pins, Sequence, audit};
use airlock_shared::roles::combiner::combine;
use airlock_shared::roles::extractor::{Level, extract};
use airlock_shared::roles::finalizer::{FinalizeError, finalize};
use airlock_shared::{BaseUnits, Network};
use sample::{content, envelope, identity_key, person, policy, reply, roster, signed_batch};

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

fn pins() -> Pins {
    Pins { roster: roster().digest(), coordinator: Identity::of(&identity_key(9)) }
}

#[test]
fn a_good_file_is_audited_against_two_fingerprints() {
    for network in BOTH {
        let report = audit(&signed_batch(network, 3), &pins()).unwrap();
        assert_eq!((report.signatures, report.tx_ids.len(), report.totals.count), (3, 3, 3));
        assert_eq!(report.approvers, ["carol", "dave"]);
    }
}

/// Alters a good file; the finding must mention the text.
type Tampering = (&'static str, fn(&mut SignedBatch));

#[test]
fn every_tampering_is_found_and_named() {
    let tamperings: &[Tampering] = &[
        ("roster", |f| f.roster.threshold = 1),
        ("coordinator", |f| f.envelope.coordinator = Identity::of(&identity_key(1))),
        ("envelope.signature", |f| f.envelope.content.items[0].amount = BaseUnits::from(5u64)),
        ("envelope.signature", |f| f.envelope.approvals.truncate(1)),
        ("policy", |f| f.policy.policy.approvals.required = 0),
        ("policy", |f| f.policy.signatures.truncate(1)),
        ("replies: there is none", |f| f.replies.clear()),
        ("not in the roster", |f| f.replies = vec![reply(&f.envelope, 6)]),
        ("does not hold vault", |f| f.replies = vec![reply(&f.envelope, 2)]),
        ("replies[0].receipt.unacknowledged", |f| {
            let receipt = &mut f.replies[0].receipt;
            receipt.unacknowledged.remove(1);
            *receipt = receipt.clone().sign(&identity_key(1));
        }),
        ("replies[0].receipt.unacknowledged", |f| {
            let receipt = &mut f.replies[0].receipt;
            receipt.unacknowledged[0].time -= 1;
            *receipt = receipt.clone().sign(&identity_key(1));
        }),
        ("replies[0]", |f| f.replies[0].receipt.time += 1),
        ("replies[0]", |f| _ = f.replies[0].signatures.pop()),
        ("transactions[1]", |f| f.transactions[1][4] ^= 1),
        ("transactions[3]", |f| f.transactions.push(vec![1])),
    ];
    for (expected, tamper) in tamperings {
        let mut file = signed_batch(Network::TRON_DEV, 3);
        tamper(&mut file);
        let finding = audit(&file, &pins()).unwrap_err().to_string();
        assert!(finding.contains(expected), "expected {expected:?} in {finding:?}");
    }
}

/// A good file with one item, which is altered before it is sealed and signed.
fn file_of(alter: impl FnOnce(&mut airlock_shared::batch::Content)) -> SignedBatch {
    let mut content = content(Network::EVM_DEV, 1);
    alter(&mut content);
    let envelope = envelope(content);
    let replies = vec![reply(&envelope, 1)];
    SignedBatch { envelope, replies, transactions: Vec::new(), ..signed_batch(Network::EVM_DEV, 1) }
}

#[test]
fn two_files_that_contradict_each_other_are_found() {
    let mut sequence = Sequence::default();
    let mut add = |file: &SignedBatch| sequence.add(file, &audit(file, &pins()).unwrap());
    let first = file_of(|_| ());
    assert_eq!(add(&first), Ok(()));
    assert_eq!(add(&first), Ok(()), "the same file again is no contradiction");
    let other = first.envelope.content.digest();
    let item = first.envelope.content.items[0].id;
    let twice = file_of(|content| content.items[0].account_nonce = Some(71));
    assert_eq!(add(&twice), Err(Contradiction::Item { item, other }));
    let nonce = file_of(|content| content.items[0].id = airlock_shared::ItemId::new(5));
    assert!(matches!(add(&nonce), Err(Contradiction::AccountNonce { nonce: 70, .. })));
    // Each of these files says that its intent is entry 2 of the same signer's journal.
    let forked = file_of(|content| {
        content.items[0].id = airlock_shared::ItemId::new(6);
        content.items[0].account_nonce = Some(72);
    });
    let signer = Identity::of(&identity_key(1));
    assert_eq!(add(&forked), Err(Contradiction::Fork { signer, sequence: 2 }));
}

#[test]
fn a_receipt_whose_journal_ends_all_numbers_is_a_finding_and_no_overflow() {
    use airlock_shared::journal::{Chain, Entry, Event};
    let mut file = signed_batch(Network::TRON_DEV, 1);
    let key = identity_key(6);
    let event = Event::Paired { coordinator: Identity::of(&key) };
    let mut last = Entry::next(Chain::Journal, None, sample::NOW, event, &key);
    last.sequence = u64::MAX;
    last.signature = airlock_shared::identity::IdentitySignature::by(&key, &last.head(Chain::Journal));
    let receipt = &mut file.replies[0].receipt;
    receipt.unacknowledged = vec![last];
    *receipt = receipt.clone().sign(&identity_key(1));
    let finding = audit(&file, &pins());
    assert!(matches!(finding, Err(Finding::Journal { reply: 0, .. })), "{finding:?}");
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

#[test]
fn an_approval_short_of_the_quorum_is_a_finding_even_when_everybody_signed_it() {
    let content = content(Network::TRON_DEV, 1);
    let approvals = sample::approvals(&content).into_iter().take(1).collect();
    let mut file = signed_batch(Network::TRON_DEV, 1);
    file.envelope =
        airlock_shared::envelope::Envelope::seal(content, approvals, Vec::new(), &identity_key(9));
    file.replies = vec![reply(&file.envelope, 1)];
    let finding = audit(&file, &pins());
    assert!(matches!(finding, Err(Finding::Rule(_))), "{finding:?}");
}

#[test]
fn any_flipped_byte_of_a_signed_file_is_found() {
    let file = signed_batch(Network::EVM_DEV, 1);
    for bytes in [file.to_binary(), file.to_json().into_bytes()] {
        // Every seventh byte keeps the test quick; over the runs of both spellings all fields are hit.
        for at in (0..bytes.len()).step_by(7) {
            let mut altered = bytes.clone();
            altered[at] ^= 0x01;
            let passes =
                document::read::<SignedBatch>(&altered).is_ok_and(|file| audit(&file, &pins()).is_ok());
            assert!(!passes, "byte {at} of {} was flipped and nobody noticed", bytes.len());
        }
    }
}

#[test]
fn a_wrong_pin_is_named() {
    let pins = Pins { roster: Digest::ZERO, ..pins() };
    let finding = audit(&signed_batch(Network::TRON_DEV, 1), &pins);
    assert!(matches!(finding, Err(Finding::Roster { .. })));
}
