//! Altered bundles, approvals, replies and frames: each is refused by name, with the right exit code, and nothing is
//! lost: the unaltered thing still goes through afterwards, and the books agree.
#![allow(missing_docs, clippy::unwrap_used)]

use airlock_shared::BaseUnits;
use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::{ApprovalReply, ApprovalRequest, Envelope, Replies};
use airlock_shared::frames::{Encoder, FrameSize, QrImage, frames_of_picture};
use airlock_tests::acts::proposal::{Exported, out_folder};
use airlock_tests::acts::{audit, books, deposits, gap, proposal, settlement};
use airlock_tests::attack::{approved_by, resealed, stolen_key};
use airlock_tests::process::Finished;
use airlock_tests::{World, camera};
use ed25519_dalek::SigningKey;
use std::path::Path;

async fn exported() -> (World, Exported) {
    let world = World::for_test().await.unwrap();
    deposits::arrive(&world).await.unwrap();
    let exported = proposal::propose(&world).await.unwrap();
    (world, exported)
}

/// The signer is given `file` with the words that an attacker would show.
async fn attempt(world: &World, exported: &Exported, file: &Path, words: &str) -> Finished {
    world.devices.alice.sign(file, words, &out_folder(world, exported).join("attempt")).await.unwrap()
}

/// Refused with exit code 3 by that check or rule, and nothing left the signer but perhaps a receipt of refusal.
fn refused_by(finished: &Finished, code: &str) {
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert_eq!(finished.error().unwrap()["code"], code, "{finished:?}");
}

/// The rest of the story as if nothing had happened.
async fn finish(world: &World, exported: &Exported) {
    let signed = gap::sign(world, exported).await.unwrap();
    settlement::settle(world, exported, &signed).await.unwrap();
    books::balance(world).await.unwrap();
}

fn raise_first_amount(envelope: &mut Envelope) {
    let item = envelope.content.items.first_mut().unwrap();
    item.amount = item.amount.checked_add(BaseUnits::from(1u64)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_bundle_is_refused_and_the_true_one_still_signed() {
    let (world, exported) = exported().await;
    let file = out_folder(&world, &exported).join("altered.json");
    let original = std::fs::read_to_string(out_folder(&world, &exported).join("bundle.json")).unwrap();

    // Anyone who changes a byte on the way, without the coordinator's key.
    let mut bundle = airlock_tests::attack::bundle(&world, &exported).unwrap();
    raise_first_amount(&mut bundle.envelopes[0]);
    std::fs::write(&file, bundle.to_json()).unwrap();
    let words = airlock_shared::words::words(&bundle.words_digest());
    refused_by(&attempt(&world, &exported, &file, &words).await, "authentic.signature");

    // Another spelling of the same document is another document.
    std::fs::write(&file, original.replacen(':', ": ", 1)).unwrap();
    refused_by(&attempt(&world, &exported, &file, &exported.words).await, "decode");

    // A coordinator that was never paired.
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let (file, words) = resealed(&world, &exported, &stranger, |_| {}).unwrap();
    refused_by(&attempt(&world, &exported, &file, &words).await, "authentic.coordinator");
    finish(&world, &exported).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_coordinators_key_an_attacker_still_needs_the_approvers() {
    let (world, exported) = exported().await;
    let key = stolen_key(&world).unwrap();

    let (file, words) = resealed(&world, &exported, &key, raise_first_amount).unwrap();
    refused_by(&attempt(&world, &exported, &file, &words).await, "policy.approvals");

    // Even with deceived approvers, the policy's limit per item holds: 5,000 USDT.
    let mut content = airlock_tests::attack::bundle(&world, &exported).unwrap().envelopes.remove(0).content;
    content.items[0].amount = BaseUnits::from(5_000_000_001u64);
    let mut approvals = Vec::new();
    for device in [&world.devices.carol, &world.devices.dave] {
        approvals.push(approved_by(&world, device, &content).await.unwrap().approval);
    }
    let beyond = |envelope: &mut Envelope| (envelope.content, envelope.approvals) = (content, approvals);
    let (file, words) = resealed(&world, &exported, &key, beyond).unwrap();
    refused_by(&attempt(&world, &exported, &file, &words).await, "policy.per_item_limit");

    // Dropping an approval refuses the true contents, and a refusal is final: the coordinator gets signed receipts,
    // queues the withdrawals again, and a new bundle goes out.
    let drop_one = |envelope: &mut Envelope| drop(envelope.approvals.pop());
    let (file, words) = resealed(&world, &exported, &key, drop_one).unwrap();
    refused_by(&attempt(&world, &exported, &file, &words).await, "policy.approvals");
    let refusal = gap::Signed { directory: out_folder(&world, &exported).join("attempt") };
    let judged = settlement::accept(&world, &refusal).await.unwrap().success().unwrap();
    assert_eq!(judged["replies"][0]["verdict"], "refused_by_signer", "{judged}");
    for asked in &exported.withdrawals {
        assert_eq!(world.state_of(&asked.id).await.unwrap(), "queued");
    }
    let again = proposal::send_out(&world, exported.withdrawals.clone()).await.unwrap();
    finish(&world, &again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_missing_and_foreign_frames_are_refused_and_a_full_scan_still_works() {
    let (world, exported) = exported().await;
    let frames = proposal::bundle_frames(&world, &exported).await.unwrap();
    let folder = out_folder(&world, &exported).join("attempt-frames");

    // Too few.
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.png"), &frames[0]).unwrap();
    let few = attempt(&world, &exported, &folder, &exported.words).await;
    assert_eq!(few.code, Some(6), "{few:?}");

    // No pictures at all, only bytes that say they are.
    std::fs::write(folder.join("a.png"), b"\x89PNG\r\n\x1a\nnothing of that kind").unwrap();
    let broken = attempt(&world, &exported, &folder, &exported.words).await;
    assert_eq!(broken.code, Some(6), "{broken:?}");

    // Enough of them, and beside them a picture with no code in it, as a camera sees when it looks away.
    camera::scan(&frames, &folder, 5).unwrap();
    let blank = image::GrayImage::from_pixel(400, 400, image::Luma([200]));
    blank.save(folder.join("blank.png")).unwrap();
    // And a frame of ours with one character changed, and a good frame of another transfer.
    std::fs::write(folder.join("damaged.png"), redrawn_with_one_character_changed(&frames[0])).unwrap();
    let other = Encoder::new(&[7; 3_000], 1, FrameSize::default()).unwrap().frame(0);
    std::fs::write(folder.join("foreign.png"), drawn(&other)).unwrap();
    let inspected = world.devices.alice.inspect(&folder).await.unwrap().json().unwrap();
    assert_eq!(inspected["documents"][0]["words"], exported.words.as_str());
    finish(&world, &exported).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_reply_is_refused_and_the_true_one_still_accepted() {
    let (world, exported) = exported().await;
    let signed = gap::sign(&world, &exported).await.unwrap();
    let original = std::fs::read(signed.directory.join("reply.json")).unwrap();
    let replies: Replies = document::read(&original).unwrap();
    let send = async |replies: &Replies| {
        let body = ("application/json", replies.to_json().into_bytes());
        let operator = &world.people.operator;
        world
            .coordinator
            .request(reqwest::Method::POST, "/v1/replies", operator, None, Some(body))
            .await
            .unwrap()
    };
    // Signatures in another order, a receipt for another batch, one signature missing.
    let mut swapped = replies.clone();
    swapped.replies[0].signatures.swap(0, 1);
    let mut crossed = replies.clone();
    crossed.replies[0].receipt = replies.replies[1].receipt.clone();
    let mut short = replies.clone();
    short.replies[0].signatures.pop();
    for altered in [swapped, crossed, short] {
        let answer = send(&altered).await;
        assert!(!accepted_all(&answer.json), "{answer:?}");
        assert_eq!(answer.json["replies"][0]["verdict"], "rejected", "{answer:?}");
    }
    settlement::settle(&world, &exported, &signed).await.unwrap();
    books::balance(&world).await.unwrap();
}

/// Did every reply of the answer lead to a signed batch?
fn accepted_all(answer: &serde_json::Value) -> bool {
    let Some(replies) = answer["replies"].as_array() else { return false };
    replies.iter().all(|reply| reply["verdict"] == "signed" || reply["verdict"] == "repeated")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_approval_is_refused_and_the_true_one_still_counts() {
    let world = World::for_test().await.unwrap();
    deposits::arrive(&world).await.unwrap();
    let wish = proposal::wishes(&world).remove(0);
    let asked = proposal::ask(&world, &wish).await.unwrap();
    proposal::approve(&world, &asked).await.unwrap();
    let batch = proposal::batch(&world, wish.network).await.unwrap();

    let mallory = SigningKey::from_bytes(&[13; 32]);
    let route = format!("/v1/batches/{batch}/approval-request.json");
    let request = world.coordinator.get_bytes(&route, &world.people.operator).await.unwrap();
    let request: ApprovalRequest = document::read(&request).unwrap();
    let carol = airlock_shared::PersonId::new("carol").unwrap();
    let forged = ApprovalReply {
        content: request.content.digest(),
        approval: airlock_shared::roles::approver::approve(&request.content, carol, None, &mallory),
    };
    let route = format!("/v1/batches/{batch}/approvals");
    let body = ("application/json", forged.to_json().into_bytes());
    let answer = world
        .coordinator
        .request(reqwest::Method::POST, &route, &world.people.operator, None, Some(body))
        .await
        .unwrap();
    assert_eq!(answer.status.as_u16() / 100, 4, "{answer:?}");

    let body = serde_json::json!({ "batches": [batch] });
    let too_early = world.coordinator.try_post("/v1/bundles", &world.people.operator, &body).await.unwrap();
    assert_eq!(too_early.status.as_u16() / 100, 4, "without approvals nothing is exported: {too_early:?}");

    for device in [&world.devices.carol, &world.devices.dave] {
        proposal::approve_on_device(&world, device, &batch).await.unwrap();
    }
    let exported = proposal::export(&world, vec![asked], vec![batch]).await.unwrap();
    finish(&world, &exported).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_batch_with_any_byte_changed_fails_the_audit() {
    let (world, exported) = exported().await;
    let signed = gap::sign(&world, &exported).await.unwrap();
    settlement::settle(&world, &exported, &signed).await.unwrap();
    let files = audit::audit(&world, &exported).await.unwrap();
    let original = std::fs::read(&files[0]).unwrap();
    let folder = world.stage.directory.join("flipped");
    std::fs::create_dir_all(&folder).unwrap();
    let mut copies = vec!["audit".to_owned()];
    for place in (0..original.len()).step_by(original.len() / 60) {
        let mut bytes = original.clone();
        bytes[place] ^= 1;
        let copy = folder.join(format!("{place}.json"));
        std::fs::write(&copy, bytes).unwrap();
        copies.push(copy.to_str().unwrap().to_owned());
    }
    let refused = world.devices.alice.run(&copies).await.unwrap();
    assert_eq!(refused.code, Some(3), "{refused:?}");
    let report: serde_json::Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(report["passed"], 0, "{report}");
    assert_eq!(report["failed"], copies.len() - 1, "{report}");
}

/// A frame as a camera that misreads one character sees it.
fn redrawn_with_one_character_changed(picture: &[u8]) -> Vec<u8> {
    let text = frames_of_picture(picture).unwrap().remove(0);
    let place = text.len() / 2;
    let other = if text.as_bytes()[place] == b'A' { "B" } else { "A" };
    drawn(&format!("{}{other}{}", &text[..place], &text[place + 1..]))
}

fn drawn(text: &str) -> Vec<u8> {
    QrImage::encode(text, FrameSize::default()).unwrap().png(QrImage::PIXELS_PER_MODULE).unwrap()
}
