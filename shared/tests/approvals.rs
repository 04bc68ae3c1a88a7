//! Counting approvals: distinct people, by device or passkey; independence above the limit for passkeys alone; nobody twice,
//! the creator never, by name or by key.
//!
//! Passkeys are of a software authenticator here, so that a whole batch may be judged under the policy that lists them; those of
//! a real browser (`fixtures/webauthn.json`) are counted over the envelopes of `fixtures/batch/valid`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::approval::passkey::{challenge, credential_digest};
use airlock_shared::approval::proven::{FallenCounter, ProofError, Proven, counted, fallen_counters, proven};
use airlock_shared::approval::{Approval, Proof, SeenHead};
use airlock_shared::batch::Content;
use airlock_shared::document;
use airlock_shared::envelope::Bundle;
use airlock_shared::identity::Identity;
use airlock_shared::memory::{Memory, Past};
use airlock_shared::policy::rules::explain;
use airlock_shared::policy::{
    Approver, Facts, Passkey, PasskeyTerms, Policy, Quorum, Refusal, Rule, UserVerification, judge,
};
use airlock_shared::roles::approver::{self, ApprovalError};
use airlock_shared::{BaseUnits, Digest, Network};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use sample::{NOW, identity_key, person};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const TRON: Network = Network::TRON_DEV;
const ORIGIN: &str = "https://airlock.example";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn passkey(seed: u8) -> Passkey {
    let public_key = key(seed).verifying_key().to_sec1_point(false).as_bytes().try_into().unwrap();
    Passkey { credential: vec![seed; 16], public_key }
}

/// What a software authenticator asserts for `name` with the passkey of this seed.
fn asserted(content: &Content, name: &str, seed: u8, counter: u32) -> Approval {
    let challenge = challenge(&content.digest());
    let client_data = format!(
        r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{ORIGIN}","crossOrigin":false}}"#
    );
    let mut authenticator_data = Sha256::digest(b"airlock.example").to_vec();
    authenticator_data.push(5);
    authenticator_data.extend(counter.to_be_bytes());
    let mut signed = authenticator_data.clone();
    signed.extend(Sha256::digest(&client_data));
    let signature: Signature = key(seed).sign_prehash(&Sha256::digest(signed)).unwrap();
    let proof = Proof::Passkey {
        credential: vec![seed; 16],
        authenticator_data,
        client_data: client_data.into_bytes(),
        signature: signature.to_der().as_bytes().to_vec(),
    };
    Approval { person: person(name), seen: None, proof }
}

fn by_device(content: &Content, name: &str, seed: u8) -> Approval {
    approver::approve(content, person(name), None, &identity_key(seed))
}

/// Carol, dave and erin with a device and a passkey each (seeds 3, 4, 5); two must approve, both on devices above 500 USDT.
fn policy() -> Policy {
    let approver = |name, seed| Approver {
        person: person(name),
        device: Some(Identity::of(&identity_key(seed))),
        passkeys: vec![passkey(seed)],
    };
    let mut policy = Policy {
        approvers: vec![approver("carol", 3), approver("dave", 4), approver("erin", 5)],
        approvals: Quorum { required: 2, independent: 2, reissue_independent: 2 },
        passkeys: Some(PasskeyTerms {
            rp_id: "airlock.example".to_owned(),
            origins: vec![ORIGIN.to_owned()],
            user_verification: UserVerification::Required,
        }),
        ..sample::policy()
    };
    for network in &mut policy.networks {
        network.assets[0].passkeys_alone_max = usdt(500);
    }
    policy
}

fn usdt(whole: u64) -> BaseUnits {
    BaseUnits::from(whole * 1_000_000)
}

/// One withdrawal of so much under this policy.
fn content(policy: &Policy, amount: BaseUnits) -> Content {
    let mut content = sample::content(TRON, 1);
    content.items[0].amount = amount;
    content.policy.digest = policy.digest();
    content
}

fn judged(policy: &Policy, content: &Content, approvals: &[Approval]) -> Result<(), Refusal> {
    judge(&facts(policy, content, approvals, Past::unknown()))
}

fn facts<'a>(
    policy: &'a Policy,
    content: &'a Content,
    approvals: &'a [Approval],
    past: Past<'a>,
) -> Facts<'a> {
    Facts { content, digest: content.digest(), approvals, bundle_len: 1, policy, now: NOW + 60, past }
}

fn refused_by(verdict: Result<(), Refusal>) -> Option<Rule> {
    verdict.err().map(|refusal| refusal.rule)
}

#[test]
fn required_counts_people_by_device_or_passkey() {
    let policy = policy();
    let content = content(&policy, usdt(500));
    let carol = || asserted(&content, "carol", 3, 1);
    assert_eq!(judged(&policy, &content, &[carol(), by_device(&content, "dave", 4)]), Ok(()));
    assert_eq!(judged(&policy, &content, &[carol(), asserted(&content, "dave", 4, 0)]), Ok(()));
    assert_eq!(refused_by(judged(&policy, &content, &[carol()])), Some(Rule::Approvals));
    // The same person by both methods is still one person.
    let both = [carol(), by_device(&content, "carol", 3)];
    assert_eq!(refused_by(judged(&policy, &content, &both)), Some(Rule::Approvals));
}

#[test]
fn one_unit_above_the_limit_asks_for_independent_devices() {
    let policy = policy();
    let above = content(&policy, usdt(500).checked_add(BaseUnits::from(1u64)).unwrap());
    let (carol, dave) = (asserted(&above, "carol", 3, 1), asserted(&above, "dave", 4, 1));
    let alone = judged(&policy, &above, &[carol.clone(), dave]);
    assert_eq!(refused_by(alone), Some(Rule::IndependentApprovals));
    let one = judged(&policy, &above, &[carol, by_device(&above, "dave", 4)]);
    assert_eq!(refused_by(one), Some(Rule::IndependentApprovals));
    let both = [by_device(&above, "carol", 3), by_device(&above, "dave", 4)];
    assert_eq!(judged(&policy, &above, &both), Ok(()));
}

#[test]
fn small_batches_do_not_add_up_to_a_large_one_by_passkeys_alone() {
    let policy = policy();
    let content = content(&policy, usdt(300));
    let approvals = [asserted(&content, "carol", 3, 1), asserted(&content, "dave", 4, 1)];
    let verdict = |spent: BaseUnits| {
        let mut earlier = content.clone();
        earlier.items[0].amount = spent;
        let record = airlock_shared::journal::Record::of(&earlier, NOW, |_| Vec::new()).unwrap();
        let mut memory = Memory::default();
        memory.take_in(&record);
        let facts = facts(&policy, &content, &approvals, Past::of(&memory));
        explain(&facts).into_iter().find(|(rule, _)| *rule == Rule::IndependentApprovals).unwrap().1
    };
    assert_eq!(verdict(usdt(200)), Ok(()));
    assert!(verdict(usdt(201)).is_err());
}

#[test]
fn a_limit_of_zero_never_lets_passkeys_suffice_alone() {
    let mut policy = policy();
    policy.networks.iter_mut().for_each(|network| network.assets[0].passkeys_alone_max = BaseUnits::ZERO);
    let content = content(&policy, BaseUnits::from(1u64));
    let approvals = [asserted(&content, "carol", 3, 1), asserted(&content, "dave", 4, 1)];
    assert_eq!(refused_by(judged(&policy, &content, &approvals)), Some(Rule::IndependentApprovals));
}

#[test]
fn without_terms_no_passkey_counts() {
    let policy = Policy { passkeys: None, ..policy() };
    let content = content(&policy, usdt(1));
    let approvals = [asserted(&content, "carol", 3, 1), by_device(&content, "dave", 4)];
    assert_eq!(refused_by(judged(&policy, &content, &approvals)), Some(Rule::Approvals));
    let why = proven(&approvals[0], &content.digest(), &policy.approvers[0], None);
    assert_eq!(why, Err(ProofError::NoPasskeys));
}

#[test]
fn another_persons_credential_or_name_proves_nothing() {
    let policy = policy();
    let content = content(&policy, usdt(1));
    let (digest, terms) = (content.digest(), policy.passkeys.as_ref());
    let [carol, dave, _] = &policy.approvers[..] else { panic!("three approvers") };
    let stolen = asserted(&content, "dave", 3, 1);
    assert_eq!(proven(&stolen, &digest, dave, terms), Err(ProofError::OtherCredential));
    let found = person("dave");
    assert_eq!(proven(&stolen, &digest, carol, terms), Err(ProofError::OtherPerson { found }));
    assert_eq!(refused_by(judged(&policy, &content, &[stolen])), Some(Rule::Approvals));
    let device = by_device(&content, "dave", 3);
    let found = Identity::of(&identity_key(3));
    assert_eq!(proven(&device, &digest, dave, terms), Err(ProofError::OtherDevice { found }));
}

#[test]
fn a_passkey_vouches_for_no_journal_head() {
    let policy = policy();
    let content = content(&policy, usdt(1));
    let signer = Identity::of(&identity_key(1));
    let seen = Some(SeenHead { signer, sequence: 1, head: Digest::ZERO });
    let approval = Approval { seen, ..asserted(&content, "carol", 3, 1) };
    let why = proven(&approval, &content.digest(), &policy.approvers[0], policy.passkeys.as_ref());
    assert_eq!(why, Err(ProofError::Head));
}

#[test]
fn the_creator_does_not_count_by_name_nor_by_key() {
    let policy = policy();
    let mut content = content(&policy, usdt(1));
    content.creator = person("carol");
    let own = [asserted(&content, "carol", 3, 1), by_device(&content, "dave", 4)];
    assert_eq!(refused_by(judged(&policy, &content, &own)), Some(Rule::Approvals));

    // Carol's passkey, or her device, under erin's name as well.
    let mut shared = policy.clone();
    shared.approvers[2].passkeys = vec![Passkey { credential: vec![9; 16], ..passkey(3) }];
    shared.approvers[2].device = Some(Identity::of(&identity_key(3)));
    content.policy.digest = shared.digest();
    let mut borrowed = asserted(&content, "erin", 3, 1);
    if let Proof::Passkey { credential, .. } = &mut borrowed.proof {
        *credential = vec![9; 16];
    }
    let dave = by_device(&content, "dave", 4);
    let terms = shared.passkeys.as_ref();
    assert!(
        proven(&borrowed, &content.digest(), &shared.approvers[2], terms).is_ok(),
        "the proof itself is good"
    );
    assert_eq!(refused_by(judged(&shared, &content, &[dave.clone(), borrowed])), Some(Rule::Approvals));
    let device = by_device(&content, "erin", 3);
    assert_eq!(refused_by(judged(&shared, &content, &[dave, device])), Some(Rule::Approvals));
}

#[test]
fn one_key_stands_for_one_person() {
    let mut policy = policy();
    policy.approvers[1].passkeys = vec![passkey(3)];
    let content = content(&policy, usdt(1));
    let approvals = [asserted(&content, "carol", 3, 1), asserted(&content, "dave", 3, 1)];
    assert_eq!(refused_by(judged(&policy, &content, &approvals)), Some(Rule::Approvals));
    let mut accepted = Vec::new();
    let digest = content.digest();
    approver::accept(&mut accepted, approvals[0].clone(), &content, &digest, &policy).unwrap();
    let second = approver::accept(&mut accepted, approvals[1].clone(), &content, &digest, &policy);
    assert_eq!(second, Err(ApprovalError::SharedKey { person: person("dave") }));
    assert_eq!(accepted.len(), 1);
}

#[test]
fn who_holds_a_device_and_a_key_that_another_lists_too_is_one_person() {
    // Carol's passkey stands under a second name, before hers or after it; she approves by her device as well.
    for (second, place) in [("bert", 0), ("dave", 1)] {
        let mut policy = policy();
        policy.approvers.remove(1);
        let both = Approver { person: person(second), device: None, passkeys: vec![passkey(3)] };
        policy.approvers.insert(place, both);
        let content = content(&policy, usdt(1));
        let approvals = [asserted(&content, second, 3, 1), by_device(&content, "carol", 3)];
        assert_eq!(refused_by(judged(&policy, &content, &approvals)), Some(Rule::Approvals), "{second}");
        let with_erin = [approvals[0].clone(), approvals[1].clone(), by_device(&content, "erin", 5)];
        assert_eq!(judged(&policy, &content, &with_erin), Ok(()));
    }
}

#[test]
fn the_coordinator_accepts_a_passkey_by_the_same_rule() {
    let policy = policy();
    let content = content(&policy, usdt(1));
    let digest = content.digest();
    let mut approvals = Vec::new();
    let good = asserted(&content, "carol", 3, 1);
    approver::accept(&mut approvals, good.clone(), &content, &digest, &policy).unwrap();
    approver::accept(&mut approvals, good, &content, &digest, &policy).unwrap();
    assert_eq!(approvals.len(), 1, "a repeat changes nothing");
    let other = Content { created_at: content.created_at + 1, ..content.clone() };
    let elsewhere =
        approver::accept(&mut approvals, asserted(&other, "dave", 4, 1), &content, &digest, &policy);
    assert!(
        matches!(elsewhere, Err(ApprovalError::Proof { why: ProofError::Passkey(_), .. })),
        "{elsewhere:?}"
    );
}

#[test]
fn a_counter_that_does_not_rise_is_told_and_refuses_nothing() {
    let policy = policy();
    let content = content(&policy, usdt(1));
    let digest = content.digest();
    let approvals = [asserted(&content, "carol", 3, 6), asserted(&content, "dave", 4, 0)];
    let now = counted(&policy, &content, &digest, &approvals);
    let carols = credential_digest(&[3; 16]);
    let fallen_from =
        |remembered: u32| fallen_counters(&now, |known| (*known == carols).then_some(remembered));
    assert!(fallen_from(5).is_empty());
    let expected = FallenCounter { person: person("carol"), counter: 6, remembered: 7 };
    assert_eq!(fallen_from(7), vec![expected]);
    assert_eq!(judged(&policy, &content, &approvals), Ok(()));
}

#[test]
fn passkeys_that_chromium_made_count_over_whole_envelopes() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures");
    let recorded: Value =
        serde_json::from_slice(&std::fs::read(format!("{fixtures}/webauthn.json")).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let bytes = |value: &Value| hex::decode(text(value)).unwrap();
    let people = recorded["people"].as_array().unwrap();
    let approver = |one: &Value| Approver {
        person: person(&text(&one["person"])),
        device: None,
        passkeys: vec![Passkey {
            credential: bytes(&one["credential"]),
            public_key: bytes(&one["public_key"]).try_into().unwrap(),
        }],
    };
    let mut policy = policy();
    policy.approvers = people.iter().map(approver).collect();
    policy.passkeys = Some(PasskeyTerms {
        rp_id: text(&recorded["rp_id"]),
        origins: vec![text(&recorded["origin"])],
        user_verification: UserVerification::Required,
    });
    let approval = |one: &Value, assertion: &Value| Approval {
        person: person(&text(&one["person"])),
        seen: None,
        proof: Proof::Passkey {
            credential: bytes(&one["credential"]),
            authenticator_data: bytes(&assertion["authenticator_data"]),
            client_data: bytes(&assertion["client_data"]),
            signature: bytes(&assertion["signature"]),
        },
    };
    let mut judged = 0;
    for (place, (name, digest)) in recorded["contents"].as_object().unwrap().iter().enumerate() {
        let (file, number) = name.split_once('/').unwrap();
        let bundle = std::fs::read(format!("{fixtures}/batch/valid/{file}.json")).unwrap();
        let bundle: Bundle = document::read(&bundle).unwrap();
        let content = &bundle.envelopes[number.parse::<usize>().unwrap()].content;
        let stale = "the contents of fixtures/batch changed: run scripts/record-passkeys.mjs";
        assert_eq!(content.digest().to_string(), text(digest), "{stale}");
        let assertion = |one: &Value| {
            let mut all = one["assertions"].as_array().unwrap().iter();
            approval(one, all.find(|assertion| assertion["content"] == **name).unwrap())
        };
        let approvals: Vec<_> = people.iter().map(assertion).collect();
        let facts = facts(&policy, content, &approvals, Past::unknown());
        let verdicts = explain(&facts);
        let verdict = |rule| verdicts.iter().find(|(asked, _)| *asked == rule).unwrap().1.clone();
        assert_eq!(verdict(Rule::Approvals), Ok(()), "{name}, place {place}");
        let counted = counted(&policy, content, &content.digest(), &approvals);
        assert!(counted.iter().all(|one| matches!(one.proven, Proven::ByPasskey { .. })));
        judged += 1;
    }
    assert!(judged >= 4);
}
