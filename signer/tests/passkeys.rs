//! A signing session whose approvals are passkeys: what suffices for what amount, and what becomes of counters.
//!
//! The passkeys are of a software authenticator, because a session's content names the signer, whose identity is new
//! in each test; assertions that a real browser made are remembered in `src/passkeys.rs` and counted in `shared`.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod world;

use airlock_shared::approval::passkey::{challenge, credential_digest};
use airlock_shared::approval::proven::FallenCounter;
use airlock_shared::approval::{Approval, Proof};
use airlock_shared::batch::Content;
use airlock_shared::envelope::Envelope;
use airlock_shared::policy::{Passkey, PasskeyTerms, UserVerification};
use airlock_shared::{BatchId, ItemId, Network};
use airlock_signer::review::{Counted, Evidence, Sheet};
use airlock_signer::session::Standing;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};
use world::{World, bundle, key, person, units};

const ORIGIN: &str = "https://approve.example";

fn authenticator(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn credential(seed: u8) -> Vec<u8> {
    vec![seed; 16]
}

/// Passkeys of carol, dave and erin (seeds 3, 4, 5) beside their devices; alone they suffice up to 500 USDT a day.
fn world() -> World {
    let mut world = World::new();
    world.with_policy(|policy| {
        policy.passkeys = Some(PasskeyTerms {
            rp_id: "approve.example".to_owned(),
            origins: vec![ORIGIN.to_owned()],
            user_verification: UserVerification::Required,
        });
        for (approver, seed) in policy.approvers.iter_mut().zip(3..) {
            let point = authenticator(seed).verifying_key().to_sec1_point(false);
            let public_key = point.as_bytes().try_into().unwrap();
            approver.passkeys = vec![Passkey { credential: credential(seed), public_key }];
        }
        for network in &mut policy.networks {
            network.assets[0].passkeys_alone_max = units(500);
        }
    });
    world
}

/// The withdrawal with this number, of so many USDT.
fn content(world: &World, number: u8, usdt: u64) -> Content {
    let mut content = world.content(Network::TRON_DEV, 1);
    content.batch_id = BatchId::from_bytes([number; 16]);
    content.items[0].id = ItemId::new(1_000 + u64::from(number));
    content.items[0].amount = units(usdt);
    if let airlock_shared::batch::Context::Tron(tron) = &mut content.context {
        tron.timestamp_ms += u64::from(number);
    }
    content
}

/// What the authenticator of this seed asserts for `name`.
fn asserted(content: &Content, name: &str, seed: u8, counter: u32) -> Approval {
    let challenge = challenge(&content.digest());
    let client_data = format!(
        r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{ORIGIN}","crossOrigin":false}}"#
    );
    let mut authenticator_data = Sha256::digest(b"approve.example").to_vec();
    authenticator_data.push(5);
    authenticator_data.extend(counter.to_be_bytes());
    let signed = [&authenticator_data[..], &Sha256::digest(&client_data)].concat();
    let signature: Signature = authenticator(seed).sign_prehash(&Sha256::digest(signed)).unwrap();
    let proof = Proof::Passkey {
        credential: credential(seed),
        authenticator_data,
        client_data: client_data.into_bytes(),
        signature: signature.to_der().as_bytes().to_vec(),
    };
    Approval { person: person(name), seen: None, proof }
}

/// Sealed with these approvals.
fn envelope(world: &World, content: &Content, approvals: Vec<Approval>) -> Envelope {
    Envelope::seal(content.clone(), approvals, vec![world.head()], &key(9))
}

/// By carol's and dave's passkeys.
fn by_passkeys(world: &World, content: &Content, counters: [u32; 2]) -> Envelope {
    let [carol, dave] = counters;
    envelope(world, content, vec![asserted(content, "carol", 3, carol), asserted(content, "dave", 4, dave)])
}

fn remembered(world: &World) -> Vec<(u8, u32)> {
    let known = world.vault().device().passkey_counters.clone();
    let seed = |digest| (3..=5).find(|seed| credential_digest(&credential(*seed)) == digest).unwrap();
    known.into_iter().map(|one| (seed(one.credential), one.counter)).collect()
}

fn fallen(world: &World, envelope: &Envelope) -> Vec<FallenCounter> {
    world.signer().fallen_counters(envelope)
}

#[test]
fn two_passkeys_sign_below_the_limit_and_their_counters_reach_the_vault() {
    let world = world();
    let content = content(&world, 1, 300);
    let replies = world.sign(&bundle(vec![by_passkeys(&world, &content, [7, 0])])).unwrap();
    assert_eq!(replies.replies[0].signatures.len(), 1);
    assert_eq!(remembered(&world), [(3, 7)], "an authenticator that counts nothing takes no room");
}

#[test]
fn above_the_limit_and_for_the_rest_of_the_day_passkeys_alone_are_refused() {
    let world = world();
    let sign = |number, usdt| {
        let content = content(&world, number, usdt);
        world.sign(&bundle(vec![by_passkeys(&world, &content, [u32::from(number), 0])])).map(|_| ())
    };
    let refused = Err("policy.independent_approvals".to_owned());
    assert_eq!(sign(1, 501), refused);
    assert_eq!(sign(2, 300), Ok(()));
    assert_eq!(sign(3, 201), refused, "with the 300 of today it is 501");
    assert_eq!(sign(4, 200), Ok(()));
    assert_eq!(sign(5, 1), refused);
}

#[test]
fn two_batches_of_one_bundle_do_not_share_the_limit() {
    let world = world();
    let contents = [content(&world, 1, 300), content(&world, 2, 300)];
    let envelopes = contents.iter().map(|content| by_passkeys(&world, content, [1, 0])).collect();
    let refusal = world.refusal(&bundle(envelopes));
    assert_eq!((refusal.code.as_str(), refusal.batch), ("policy.independent_approvals", Some(1)));
}

#[test]
fn one_person_with_a_passkey_and_one_with_a_device_are_two_people_and_one_device() {
    let world = world();
    let device = |content: &Content, name, seed| {
        airlock_shared::roles::approver::approve(content, person(name), None, &key(seed))
    };
    let small = content(&world, 1, 400);
    let mixed = vec![asserted(&small, "carol", 3, 1), device(&small, "dave", 4)];
    world.sign(&bundle(vec![envelope(&world, &small, mixed)])).unwrap();
    let large = content(&world, 2, 600);
    let mixed = vec![asserted(&large, "carol", 3, 2), device(&large, "dave", 4)];
    let refusal = world.refusal(&bundle(vec![envelope(&world, &large, mixed)]));
    assert_eq!(refusal.code, "policy.independent_approvals");
    let devices = vec![asserted(&large, "carol", 3, 3), device(&large, "dave", 4), device(&large, "erin", 5)];
    world.sign(&bundle(vec![envelope(&world, &large, devices)])).unwrap();
    assert_eq!(remembered(&world), [(3, 3)], "a counter is remembered whatever the devices say");
}

#[test]
fn a_passkey_under_another_persons_name_over_another_batch_or_for_another_site_counts_for_nobody() {
    let world = world();
    let content = content(&world, 1, 300);
    let other = Content { created_at: content.created_at - 1, ..content.clone() };
    let elsewhere = Approval {
        proof: match asserted(&content, "dave", 4, 1).proof {
            Proof::Passkey { credential, authenticator_data, client_data, signature } => {
                let text = String::from_utf8(client_data).unwrap();
                let client_data = text.replace(ORIGIN, "https://approve.example.evil").into_bytes();
                Proof::Passkey { credential, authenticator_data, client_data, signature }
            }
            device => device,
        },
        ..asserted(&content, "dave", 4, 1)
    };
    for bad in [asserted(&content, "dave", 3, 2), asserted(&other, "dave", 4, 1), elsewhere] {
        let approvals = vec![asserted(&content, "carol", 3, 1), bad];
        let refusal = world.refusal(&bundle(vec![envelope(&world, &content, approvals)]));
        assert_eq!(refusal.code, "policy.approvals");
        assert!(refusal.found.starts_with("1 valid approvals (carol)"), "{refusal}");
    }
}

#[test]
fn a_counter_that_falls_is_told_on_the_review_and_refuses_nothing() {
    let world = world();
    let first = content(&world, 1, 100);
    world.sign(&bundle(vec![by_passkeys(&world, &first, [9, 4])])).unwrap();
    let second = content(&world, 2, 100);
    let envelope = by_passkeys(&world, &second, [8, 5]);
    let told = fallen(&world, &envelope);
    assert_eq!(told, [FallenCounter { person: person("carol"), counter: 8, remembered: 9 }]);
    let sheet = Sheet::of(&Evidence {
        policy: Some(&world.policy),
        fallen: told,
        ..Evidence::of(&second, &envelope.approvals, world.now)
    });
    let warnings: Vec<_> =
        sheet.approvals.iter().map(|one| one.warning.clone().unwrap_or_default()).collect();
    assert!(warnings[0].starts_with("its passkey counts 8, after 9 before"), "{warnings:?}");
    assert_eq!(warnings[1], "");
    assert!(sheet.approvals.iter().all(|one| one.counted == Counted::Yes));
    world.sign(&bundle(vec![envelope])).unwrap();
    assert_eq!(remembered(&world), [(3, 9), (4, 5)], "what is remembered never falls");
}

#[test]
fn a_batch_that_comes_again_is_not_taken_for_a_copied_authenticator() {
    let world = world();
    let content = content(&world, 1, 100);
    let envelope = by_passkeys(&world, &content, [9, 4]);
    let bytes = bundle(vec![envelope.clone()]);
    let replies = world.sign(&bytes).unwrap();
    let signer = world.signer();
    let again = signer.examine(&bytes, world.now).ok().unwrap();
    assert!(matches!(again.batches()[0].standing(), Standing::Signed(_)));
    assert_eq!(signer.fallen_counters(&envelope), []);
    drop(signer);
    assert_eq!(world.sign(&bytes).unwrap(), replies);
}

#[test]
fn a_batch_that_was_interrupted_leaves_its_counters_when_it_is_completed() {
    let world = world();
    let content = content(&world, 1, 100);
    let bytes = bundle(vec![by_passkeys(&world, &content, [9, 4])]);
    let [before, vault] = [world.home.journal(), world.home.vault()].map(|path| std::fs::read(path).unwrap());
    world.sign(&bytes).unwrap();
    // A crash between the intent and the vault.
    let after = std::fs::read(world.home.journal()).unwrap();
    let intent = u32::from_be_bytes(after[before.len()..before.len() + 4].try_into().unwrap()) as usize;
    std::fs::write(world.home.journal(), &after[..before.len() + 12 + intent]).unwrap();
    std::fs::write(world.home.vault(), &vault).unwrap();
    assert_eq!(remembered(&world), []);
    world.sign(&bytes).unwrap();
    assert_eq!(remembered(&world), [(3, 9), (4, 4)]);
}
