//! What a coordinator in an attacker's hands can show an approver's device, and what the approval says all the same.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod world;

use airlock_shared::approval::SeenHead;
use airlock_shared::batch::Content;
use airlock_shared::document::Document as _;
use airlock_shared::envelope::ApprovalRequest;
use airlock_shared::identity::{Custodian, Identity, Roster};
use airlock_shared::journal::{Chain, Entry, Event};
use airlock_shared::words::words;
use airlock_shared::{Digest, Network, Profile};
use airlock_signer::approve::Readable;
use airlock_signer::vault::Device;
use ed25519_dalek::SigningKey;
use world::{NOW, World, person};

/// Two keys whose fingerprints are both a345a1fc, found among the first 34,273 such seeds.
fn twins() -> [SigningKey; 2] {
    [1_591u32, 34_272].map(|number| {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        SigningKey::from_bytes(&seed)
    })
}

/// The entries of a journal that this key has signed, `count` of them.
fn journal(key: &SigningKey, count: u64) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for version in 0..count {
        let event = Event::PolicyInstalled { version, digest: Digest::ZERO };
        entries.push(Entry::next(Chain::Journal, entries.last(), NOW, event, key));
    }
    entries
}

/// An approver's device that has pinned these custodians, or none.
fn carols(custodians: &[&SigningKey]) -> Device {
    let mut device = Device::generate(person("carol"), Profile::Dev, NOW).unwrap();
    let custodian = |(number, key): (usize, &&SigningKey)| Custodian {
        name: person(&format!("custodian-{number}")),
        identity: Identity::of(key),
    };
    device.roster = Roster::new(custodians.iter().enumerate().map(custodian).collect(), 1);
    device
}

fn batch_for(signer: &SigningKey) -> Content {
    let mut content = World::new().content(Network::TRON_DEV, 1);
    content.vault = Identity::of(signer).fingerprint();
    content
}

/// Shows a batch with a journal entry beside it; the head that the approval holds, or the refusal's code.
fn shown(device: &mut Device, content: &Content, heads: Vec<Entry>) -> Result<Option<SeenHead>, String> {
    let request = ApprovalRequest { content: content.clone(), heads };
    let readable = Readable::read(&request.to_binary(), 0, device, NOW).map_err(|refused| refused.code)?;
    let reply = readable.approve(&words(&content.digest()), 0, device).map_err(|refused| refused.code)?;
    Ok(reply.approval.seen)
}

#[test]
fn the_newest_head_ever_seen_stands_in_the_approval_whatever_is_shown_now() {
    let [signer, _] = twins();
    let (mut device, content, entries) = (carols(&[&signer]), batch_for(&signer), journal(&signer, 3));
    let newest = Some(SeenHead::of(&entries[2]));
    assert_eq!(shown(&mut device, &content, vec![entries[2].clone()]), Ok(newest));
    assert_eq!(shown(&mut device, &content, vec![entries[0].clone()]), Ok(newest));
    assert_eq!(shown(&mut device, &content, Vec::new()), Ok(newest));
}

#[test]
fn a_head_that_was_shown_and_not_confirmed_is_not_remembered() {
    let [signer, _] = twins();
    let (mut device, content, entries) = (carols(&[&signer]), batch_for(&signer), journal(&signer, 1));
    let request = ApprovalRequest { content, heads: entries };
    let readable = Readable::read(&request.to_binary(), 0, &device, NOW).ok().unwrap();
    assert_eq!(readable.approve("other words", 0, &mut device).err().unwrap().code, "confirmation");
    assert!(device.seen.is_empty());
}

#[test]
fn another_history_under_a_number_that_was_seen_is_refused() {
    let [signer, _] = twins();
    let (mut device, content, entries) = (carols(&[&signer]), batch_for(&signer), journal(&signer, 2));
    assert!(shown(&mut device, &content, vec![entries[1].clone()]).is_ok());
    let event = Event::PolicyInstalled { version: 9, digest: Digest::ZERO };
    let forked = Entry::next(Chain::Journal, entries.first(), NOW, event, &signer);
    assert_eq!(shown(&mut device, &content, vec![forked]), Err("approve.head_forked".to_owned()));
}

#[test]
fn a_key_with_the_signers_short_name_cannot_take_its_place() {
    let [signer, twin] = twins();
    assert_eq!(Identity::of(&signer).fingerprint(), Identity::of(&twin).fingerprint());
    let (content, own, planted) = (batch_for(&signer), journal(&signer, 1), journal(&twin, 2));
    let newest = Some(SeenHead::of(&own[0]));

    // With the custodians pinned the true one is known, whichever came first.
    let mut device = carols(&[&signer]);
    assert_eq!(shown(&mut device, &content, vec![planted[1].clone()]), Ok(None));
    assert_eq!(shown(&mut device, &content, vec![own[0].clone()]), Ok(newest));
    assert_eq!(shown(&mut device, &content, vec![planted[1].clone()]), Ok(newest));

    // Without them, two of one name stop the device before it remembers the second.
    let mut device = carols(&[]);
    assert_eq!(shown(&mut device, &content, vec![own[0].clone()]), Ok(newest));
    let refused = Err("approve.vault_ambiguous".to_owned());
    assert_eq!(shown(&mut device, &content, vec![planted[1].clone()]), refused);
    assert_eq!(shown(&mut device, &content, Vec::new()), Ok(newest), "nothing of it was kept");
}
