//! The auditor: what one file proves, what many files show together, and that no changed byte is missed (X1 to X3).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::digest::Digest;
use airlock_shared::document::{self, Document};
use airlock_shared::envelope::SignedBatch;
use airlock_shared::identity::Identity;
use airlock_shared::roles::auditor::{Break, Contradiction, Finding, Folder, Pins, RosterFile, audit};
use airlock_shared::{BaseUnits, Network};
use sample::{content, envelope, identity_key, reply, roster, signed_batch};

const BOTH: [Network; 2] = [Network::TRON_DEV, Network::EVM_DEV];

fn pins() -> Pins {
    Pins { roster: roster().digest(), coordinators: vec![Identity::of(&identity_key(9))] }
}

#[test]
fn a_good_file_is_audited_against_two_fingerprints() {
    for network in BOTH {
        let report = audit(&signed_batch(network, 3), &pins()).unwrap();
        assert_eq!((report.signatures, report.transactions.len(), report.totals.count), (3, 3, 3));
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

fn folder() -> Folder {
    Folder::new(pins(), roster().custodians.iter().map(|custodian| custodian.identity))
}

/// What a file adds to a folder, after it passed by itself.
fn add(folder: &mut Folder, place: usize, file: &SignedBatch) -> Vec<Contradiction> {
    folder.add(place, file, &audit(file, &pins()).unwrap()).findings
}

#[test]
fn the_same_batch_twice_is_named_with_the_first_file() {
    let mut folder = folder();
    let first = file_of(|_| ());
    assert_eq!(add(&mut folder, 0, &first), []);
    assert_eq!(add(&mut folder, 1, &first), [Contradiction::Duplicate { first: 0 }]);
}

#[test]
fn two_files_with_one_journal_number_are_a_fork() {
    let mut folder = folder();
    assert_eq!(add(&mut folder, 0, &file_of(|_| ())), []);
    // Each of these files says that its intent is entry 2 of the same signer's journal.
    let forked = file_of(|content| {
        content.items[0].id = airlock_shared::ItemId::new(1_006);
        content.items[0].account_nonce = Some(72);
    });
    let signer = Identity::of(&identity_key(1));
    let fork = Contradiction::Break(Break::Fork { signer, sequence: 2 });
    assert!(add(&mut folder, 1, &forked).contains(&fork));
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
fn a_wrong_pin_is_named() {
    let pins = Pins { roster: Digest::ZERO, ..pins() };
    let finding = audit(&signed_batch(Network::TRON_DEV, 1), &pins);
    assert!(matches!(finding, Err(Finding::Roster { .. })));
}

/// What an auditor says about these bytes; nothing if they pass.
fn said(bytes: &[u8]) -> Option<String> {
    match document::read::<SignedBatch>(bytes) {
        Err(error) => Some(error.to_string()),
        Ok(file) => audit(&file, &pins()).err().map(|finding| finding.to_string()),
    }
}

/// The parts of a signed-batch file, in both spellings, as their names and where they begin.
fn parts(bytes: &[u8]) -> Vec<(&'static str, usize)> {
    const NAMES: [&str; 5] = ["envelope", "roster", "policy", "replies", "transactions"];
    let mut parts = vec![("airlock signed batch", 0)];
    if bytes.starts_with(b"{") {
        let at = |name: &str| {
            let line = format!("\n  \"{name}\": ");
            bytes.windows(line.len()).position(|window| window == line.as_bytes()).unwrap() + 3
        };
        parts.extend(NAMES.map(|name| (name, at(name))));
        return parts;
    }
    // Behind the head of six bytes and the map's own head come key and value, five times.
    let mut decoder = minicbor::Decoder::new(&bytes[6..]);
    decoder.map().unwrap();
    for name in NAMES {
        parts.push((name, 6 + decoder.position()));
        decoder.skip().unwrap();
        decoder.skip().unwrap();
    }
    parts
}

/// Does a finding lead to the byte at `place`? By the name of the part, or by a line or an offset beside it.
fn names_place(finding: &str, original: &[u8], place: usize) -> bool {
    let number = |before: &str| {
        let rest = &finding[finding.find(before)? + before.len()..];
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()
    };
    let parts = parts(original);
    let own = parts.iter().rposition(|(_, begin)| place >= *begin).unwrap();
    // A length that was changed in CBOR shows where reading stops making sense: there or further on.
    let last = if original.starts_with(b"{") { own } else { parts.len() - 1 };
    let named = parts[own..=last].iter().any(|(part, _)| finding.contains(part));
    let line = 1 + original[..place].iter().filter(|byte| **byte == b'\n').count();
    named
        // A bracket that is gone is missed where the next one closes too much.
        || number("line ").is_some_and(|found| found + 2 >= line)
        || number("byte ").is_some_and(|found| found + 160 >= place)
        // (A byte string that is cut short is named by where it begins.)
        // A part that lost its name is missing, and the name it has now is unknown.
        || finding.contains("unknown field")
        || finding.contains("missing")
}

/// Every alteration of one place: each bit flipped, the byte removed, and bytes put before it.
fn alterations(original: &[u8], place: usize) -> Vec<(String, Vec<u8>)> {
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = original.to_vec();
        change(&mut bytes);
        bytes
    };
    let mut altered: Vec<_> =
        (0..8).map(|bit| (format!("bit {bit} flipped"), with(&|bytes| bytes[place] ^= 1 << bit))).collect();
    altered.push(("removed".to_owned(), with(&|bytes| _ = bytes.remove(place))));
    for added in [original[place], b'0', b' ', 0] {
        altered.push((format!("{added} added before"), with(&|bytes| bytes.insert(place, added))));
    }
    altered
}

/// X3. A debug build looks at every 61st byte; `scripts/every-byte.sh` at all of them in a release build.
#[test]
fn any_changed_added_or_removed_byte_is_found_and_its_place_named() {
    let stride = if std::env::var_os("AIRLOCK_EVERY_BYTE").is_some() { 1 } else { 61 };
    let file = signed_batch(Network::EVM_DEV, 1);
    for original in [file.to_binary(), file.to_json().into_bytes()] {
        assert_eq!(said(&original), None);
        for place in (0..original.len()).step_by(stride) {
            for (what, bytes) in alterations(&original, place) {
                let of = original.len();
                let finding = said(&bytes)
                    .unwrap_or_else(|| panic!("byte {place} of {of}: {what}, and nobody noticed"));
                let named = names_place(&finding, &original, place);
                assert!(named, "byte {place} of {of}: {what}; the finding leads elsewhere: {finding}");
            }
        }
        let longer = [&original[..], b"\n"].concat();
        assert!(said(&longer).is_some(), "a byte behind the end");
    }
}

#[test]
fn a_roster_file_is_believed_only_with_its_own_digest() {
    let file = RosterFile { roster: roster() };
    assert_eq!(document::read::<RosterFile>(file.to_json().as_bytes()), Ok(file.clone()));
    let other = file.to_json().replace("\"threshold\": 2", "\"threshold\": 1");
    let error = document::read::<RosterFile>(other.as_bytes()).unwrap_err();
    assert_eq!(error.at, "airlock roster.digest");
}
