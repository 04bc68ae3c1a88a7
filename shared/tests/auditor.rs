//! The auditor: what one file proves, what many files show together, and that no changed byte is missed (X1 to X3).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::approval::{SeenHead, digest_of};
use airlock_shared::digest::Digest;
use airlock_shared::document::{self, Document};
use airlock_shared::envelope::{Envelope, Outcome, SignedBatch, signatures_digest};
use airlock_shared::genesis::{Genesis, Reason, SignedGenesis};
use airlock_shared::identity::{Identity, IdentitySignature};
use airlock_shared::journal::{Chain, Entry, Event, Record};
use airlock_shared::policy::Rule;
use airlock_shared::roles::auditor::{Break, Contradiction, Finding, Folder, Pins, RosterFile, audit};
use airlock_shared::roles::creator;
use airlock_shared::{BaseUnits, Network, Profile};
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
fn two_signers_on_one_account_nonce_are_named_with_the_first_file() {
    // Both signers hold the hot wallet's key, each in a vault of its own.
    let by = |seed: u8, item: u64, nonce: u64| {
        let mut content = content(Network::EVM_DEV, 1);
        content.batch_id = airlock_shared::BatchId::from_bytes([seed; 16]);
        content.vault = Identity::of(&identity_key(seed)).fingerprint();
        content.items[0].id = airlock_shared::ItemId::new(item);
        content.items[0].account_nonce = Some(nonce);
        let envelope = envelope(content);
        let replies = vec![reply(&envelope, seed)];
        SignedBatch { envelope, replies, transactions: Vec::new(), ..signed_batch(Network::EVM_DEV, 1) }
    };
    let mut folder = folder();
    assert_eq!(add(&mut folder, 4, &by(1, 1_000, 70)), []);
    let other = Identity::of(&identity_key(1));
    let account = sample::hot(Network::EVM_DEV).address;
    let doubled = Contradiction::Nonce { place: 0, account, nonce: 70, other, first: 4 };
    assert_eq!(add(&mut folder, 5, &by(2, 1_006, 70)), [doubled]);
    // The item is another finding, and another nonce is none.
    let mut folder = self::folder();
    assert_eq!(add(&mut folder, 4, &by(1, 1_000, 70)), []);
    let item = airlock_shared::ItemId::new(1_000);
    let doubled = Contradiction::Item { place: 0, item, other, first: 4 };
    assert_eq!(add(&mut folder, 5, &by(2, 1_000, 71)), [doubled]);
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

/// A journal of the signer with the vault of the samples, told by whoever holds its key.
struct Told(Vec<Entry>);

impl Told {
    fn new() -> Self {
        let genesis = Event::Genesis { profile: Profile::Dev, roster: roster().digest(), terms: None };
        let policy = sample::policy();
        let installed = Event::PolicyInstalled { version: policy.version, digest: policy.digest() };
        Self(Vec::new()).tell(sample::NOW, genesis).tell(sample::NOW, installed)
    }

    fn tell(mut self, time: u64, event: Event) -> Self {
        let next = Entry::next(Chain::Journal, self.0.last(), time, event, &identity_key(1));
        self.0.push(next);
        self
    }

    fn newest(&self) -> Entry {
        self.0.last().unwrap().clone()
    }

    /// Intent and signatures, and the file, whose receipt shows everything from entry `from` on.
    fn sign(self, file: &mut SignedBatch, time: u64, from: usize) -> Self {
        let told = self.tell(time, intent_of(file, time)).tell(time, signed_of(file));
        told.show(file, time, from);
        told
    }

    fn show(&self, file: &mut SignedBatch, time: u64, from: usize) {
        let receipt = &mut file.replies[0].receipt;
        receipt.entry = self.newest();
        receipt.unacknowledged = self.0[from..self.0.len() - 1].to_vec();
        receipt.time = time;
        *receipt = receipt.clone().sign(&identity_key(1));
    }

    /// A refusal of the batch, in the place of its signatures.
    fn refuse(&self, file: &mut SignedBatch, code: &str, time: u64) {
        let reply = &mut file.replies[0];
        reply.signatures.clear();
        reply.receipt.outcome = Outcome::Refused { code: code.to_owned(), why: "so it is told".to_owned() };
        self.show(file, time, 0);
    }
}

fn intent_of(file: &SignedBatch, time: u64) -> Event {
    let content = &file.envelope.content;
    let transactions = creator::transactions(content).unwrap();
    let tx_ids = |i: usize| transactions[i].iter().filter_map(|t| t.tx_id()).collect();
    let record = Record::of(content, time, tx_ids).unwrap().digest();
    Event::Intent { content: content.digest(), approvals: digest_of(&file.envelope.approvals), record }
}

fn signed_of(file: &SignedBatch) -> Event {
    let signatures = signatures_digest(&file.replies[0].signatures);
    Event::Signed { content: file.envelope.content.digest(), signatures }
}

/// The second batch after [`file_of`] nothing changed.
fn second_file() -> SignedBatch {
    file_of(|content| {
        content.batch_id = airlock_shared::BatchId::from_bytes([0x22; 16]);
        content.items[0].id = airlock_shared::ItemId::new(1_001);
        content.items[0].account_nonce = Some(71);
    })
}

fn breaks(folder: &Folder) -> Vec<Break> {
    folder.breaks().into_iter().map(|(_, found)| found).chain(folder.missing()).collect()
}

const TIME: u64 = sample::NOW + 60;

#[test]
fn an_honest_journal_has_no_break_and_no_note() {
    let (mut folder, mut one, mut two) = (folder(), file_of(|_| ()), second_file());
    Told::new().sign(&mut one, TIME, 0).sign(&mut two, TIME + 1, 4);
    for (place, file) in [one, two].iter().enumerate() {
        let added = folder.add(place, file, &audit(file, &pins()).unwrap());
        assert_eq!((added.findings, added.notes), (vec![], vec![]));
    }
    assert_eq!(breaks(&folder), []);
}

#[test]
fn signatures_without_an_intent_are_a_break() {
    let (mut folder, mut file) = (folder(), file_of(|_| ()));
    let told = Told::new().tell(TIME, signed_of(&file));
    told.show(&mut file, TIME, 0);
    assert_eq!(add(&mut folder, 0, &file), []);
    assert!(matches!(breaks(&folder)[..], [Break::NoIntent { sequence: 3, .. }]), "{:?}", breaks(&folder));
}

#[test]
fn an_intent_that_no_file_shows_is_named() {
    let (mut folder, mut file, hidden) = (folder(), file_of(|_| ()), second_file());
    Told::new().tell(TIME, intent_of(&hidden, TIME)).sign(&mut file, TIME, 0);
    assert_eq!(add(&mut folder, 0, &file), []);
    assert!(matches!(breaks(&folder)[..], [Break::Unfinished { sequence: 3, .. }]), "{:?}", breaks(&folder));
}

#[test]
fn a_second_intent_for_one_batch_is_a_break() {
    let (mut folder, mut file) = (folder(), file_of(|_| ()));
    let told = Told::new().tell(TIME, intent_of(&file, TIME)).tell(TIME, intent_of(&file, TIME));
    told.tell(TIME, signed_of(&file)).show(&mut file, TIME, 0);
    add(&mut folder, 0, &file);
    assert!(
        matches!(breaks(&folder)[..], [Break::SecondIntent { sequence: 4, .. }]),
        "{:?}",
        breaks(&folder)
    );
}

/// An entry under the signer's key that follows nothing it should.
fn loose(sequence: u64, previous: Digest, event: Event) -> Entry {
    let key = identity_key(1);
    let mut entry = Entry::next(Chain::Journal, None, sample::NOW, event, &key);
    (entry.sequence, entry.previous) = (sequence, previous);
    entry.signature = IdentitySignature::by(&key, &entry.head(Chain::Journal));
    entry
}

#[test]
fn a_journal_begins_with_entry_1_which_continues_nothing() {
    let genesis = || Event::Genesis { profile: Profile::Dev, roster: roster().digest(), terms: None };
    let zeroth = loose(0, Digest::ZERO, genesis());
    let first = loose(1, zeroth.head(Chain::Journal), genesis());
    let (mut folder, mut file) = (folder(), file_of(|_| ()));
    Told(vec![zeroth, first]).sign(&mut file, TIME, 0);
    add(&mut folder, 0, &file);
    let found = breaks(&folder);
    let named = |wanted: u64| {
        found.iter().any(|one| matches!(one, Break::Beginning { sequence, .. } if *sequence == wanted))
    };
    assert!(named(0) && named(1), "{found:?}");

    let (mut folder, mut file) = (self::folder(), file_of(|_| ()));
    Told::new().tell(TIME, genesis()).sign(&mut file, TIME, 0);
    add(&mut folder, 0, &file);
    assert!(matches!(breaks(&folder)[..], [Break::Beginning { sequence: 3, .. }]), "{:?}", breaks(&folder));
}

#[test]
fn an_intent_in_another_file_binds_the_record_too() {
    let (mut folder, mut one, mut two) = (folder(), file_of(|_| ()), second_file());
    // The journal says that another record was intended for the second batch.
    let other = match intent_of(&two, TIME) {
        Event::Intent { content, approvals, .. } => {
            Event::Intent { content, approvals, record: Digest::ZERO }
        }
        other => other,
    };
    let told = Told::new().tell(TIME, intent_of(&one, TIME)).tell(TIME, other).tell(TIME, signed_of(&one));
    told.show(&mut one, TIME, 0);
    told.tell(TIME, signed_of(&two)).show(&mut two, TIME, 5);
    assert_eq!(add(&mut folder, 0, &one), []);
    let found = add(&mut folder, 1, &two);
    assert!(found.contains(&Contradiction::Record { sequence: 4 }), "{found:?}");
}

#[test]
fn a_receipt_cannot_choose_the_time_at_which_rules_are_asked() {
    let (mut folder, mut one, mut two) = (folder(), file_of(|_| ()), second_file());
    let late = sample::NOW + 50_000;
    let told = Told::new().tell(TIME, intent_of(&one, TIME)).tell(late, intent_of(&two, late));
    let told = told.tell(late, signed_of(&one));
    told.show(&mut one, late, 0);
    // Signed hours after it had expired; the receipt says a minute after it was made.
    told.tell(late, signed_of(&two)).show(&mut two, TIME, 5);
    assert_eq!(add(&mut folder, 0, &one), []);
    let found = add(&mut folder, 1, &two);
    let expired =
        |one: &Contradiction| matches!(one, Contradiction::Rule(broken) if broken.rule == Rule::Expired);
    assert!(found.iter().any(expired), "{found:?}");
}

/// Much for a stranger: refused at first, a day later signed.
fn large(number: u8, created_at: u64) -> SignedBatch {
    file_of(|content| {
        content.batch_id = airlock_shared::BatchId::from_bytes([number; 16]);
        content.items[0].amount = BaseUnits::from(30_000_000_000u64);
        (content.created_at, content.expires_at) = (created_at, created_at + 43_200);
    })
}

#[test]
fn a_first_seen_delay_begins_only_with_a_refusal_that_everybody_else_had_approved() {
    let day = 86_400;
    let strangers = |folder: &mut Folder, refused: &SignedBatch| {
        assert_eq!(add(folder, 0, refused), []);
        let mut paid = large(2, sample::NOW + day);
        Told::new().sign(&mut paid, TIME + day, 0);
        let found = add(folder, 1, &paid);
        found.iter().any(|one| matches!(one, Contradiction::Rule(broken) if broken.rule == Rule::FirstSeen))
    };
    let mut refused = large(1, sample::NOW);
    Told::new().refuse(&mut refused, "policy.first_seen", TIME);
    assert!(!strangers(&mut folder(), &refused), "the delay is over");

    let mut alone = large(1, sample::NOW);
    alone.envelope = Envelope::seal(alone.envelope.content, Vec::new(), Vec::new(), &identity_key(9));
    alone.replies[0].receipt.approvals = digest_of(&[]);
    Told::new().refuse(&mut alone, "policy.first_seen", TIME);
    assert!(strangers(&mut folder(), &alone), "nobody approved it");

    let mut backdated = large(1, sample::NOW - 300);
    Told::new().refuse(&mut backdated, "policy.first_seen", sample::NOW - 100);
    assert!(strangers(&mut folder(), &backdated), "before the journal's newest entry");
}

#[test]
fn a_batch_that_was_refused_after_it_was_signed_is_a_contradiction_too() {
    let (mut folder, mut file) = (folder(), file_of(|_| ()));
    let told = Told::new().sign(&mut file, TIME, 0);
    assert_eq!(add(&mut folder, 0, &file), []);
    let mut refused = file.clone();
    told.refuse(&mut refused, "policy.expired", TIME);
    let found = folder.add_receipt(1, &refused.replies[0].receipt);
    assert!(matches!(found[..], [Contradiction::Refused { .. }]), "{found:?}");
}

#[test]
fn custodians_terms_hold_for_one_signer_and_one_place() {
    let told = Told::new();
    let continues = SeenHead::of(&told.newest());
    let terms = |seed: u8, continues: SeenHead| {
        let genesis = Genesis {
            profile: Profile::Dev,
            signer: Identity::of(&identity_key(seed)),
            roster: roster().digest(),
            reason: Reason::Reanchored,
            continues: Some(continues),
            highest_item: 10,
            nonces: Vec::new(),
            spent: Vec::new(),
            policy: None,
            made_at: sample::NOW,
        };
        let signatures = sample::by_custodians(&genesis.digest());
        SignedGenesis { genesis, signatures }
    };
    let later = SeenHead { sequence: continues.sequence + 1, ..continues };
    let others = SeenHead { signer: Identity::of(&identity_key(2)), ..continues };
    for (signed, fits) in [(terms(1, continues), true), (terms(1, later), false), (terms(2, others), false)] {
        let (mut folder, mut file) = (folder(), file_of(|_| ()));
        let digest = signed.genesis.digest();
        folder.add_terms(signed, &roster()).unwrap();
        let told = Told(told.0.clone()).tell(TIME, Event::Reanchored { terms: digest });
        told.sign(&mut file, TIME, 0);
        assert_eq!(add(&mut folder, 0, &file), []);
        let found = breaks(&folder);
        assert_eq!(found.is_empty(), fits, "{found:?}");
        assert!(fits || matches!(found[..], [Break::OtherTerms { sequence: 3, .. }]), "{found:?}");
    }
}
