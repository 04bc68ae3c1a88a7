//! Frames from the outside: what is sent arrives, whatever is lost, repeated, shuffled or damaged on
//! the way, and nothing hostile costs more than a refusal.
//!
//! Hostile frames are built here byte by byte, after the drawing in `frames/mod.rs`, so that this file
//! also is a second writer of the format.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use airlock_shared::Digest;
use airlock_shared::frames::{
    Decoder, Encoder, FrameError, FrameSize, Level, MAX_PAYLOAD_BYTES, MAX_SYMBOL_NUMBER, Payload, Progress,
    Taken, Transfers, WhenFull,
};
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.roll() as u8).collect()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// A frame's fields, for writing ones that no encoder would write.
struct Forged {
    magic: [u8; 2],
    version: u8,
    kind: u8,
    transfer: [u8; 8],
    length: u32,
    number: u32,
    symbol: Vec<u8>,
}

impl Forged {
    /// The only frame of a short message.
    fn of(payload: &[u8]) -> Self {
        let digest = Digest::of("airlock:transfer:1", &[&[7], payload].concat());
        Self {
            magic: *b"AL",
            version: 1,
            kind: 7,
            transfer: digest.as_bytes()[..8].try_into().unwrap(),
            length: payload.len() as u32,
            number: 0,
            symbol: [payload, digest.as_bytes()].concat(),
        }
    }

    fn text(&self) -> String {
        let mut bytes = [&self.magic[..], &[self.version, self.kind], &self.transfer].concat();
        bytes.extend(self.length.to_be_bytes());
        bytes.extend(&self.number.to_be_bytes()[1..]);
        bytes.extend(&self.symbol);
        let sum = Digest::of("airlock:frame:1", &bytes);
        bytes.extend(&sum.as_bytes()[..4]);
        base45::encode(bytes)
    }
}

fn receive_all(decoder: &mut Decoder, texts: impl IntoIterator<Item = String>) -> Option<Payload> {
    texts.into_iter().find_map(|text| match decoder.receive(&text).unwrap() {
        Progress::Complete(payload) => Some(payload),
        _ => None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn frames_lost_repeated_and_shuffled_still_carry_the_payload(
        seed in any::<u64>(), length in 1usize..64 * 1024, kind in any::<u8>(), version in 10u8..=40,
    ) {
        let mut dice = Dice(seed);
        let bytes = dice.bytes(length);
        let encoder = Encoder::new(&bytes, kind, FrameSize::new(version, Level::L).unwrap()).unwrap();
        let mut texts: Vec<String> = encoder.frames().filter(|_| dice.below(10) >= 3).collect();
        texts.extend((0..encoder.source_frames() / 2 + 8).map(|n| encoder.frame(100_000 + n)));
        texts.extend(texts.clone());
        dice.shuffle(&mut texts);
        let received = receive_all(&mut Decoder::new(), texts);
        prop_assert_eq!(received, Some(Payload { kind, bytes }));
    }

    #[test]
    fn one_changed_character_never_yields_another_payload(
        seed in any::<u64>(), length in 1usize..4000,
    ) {
        let mut dice = Dice(seed);
        let bytes = dice.bytes(length);
        let encoder = Encoder::new(&bytes, 1, FrameSize::default()).unwrap();
        let mut texts: Vec<String> = encoder.frames().collect();
        let hit = dice.below(texts.len());
        let at = dice.below(texts[hit].len());
        let letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
        let letter = char::from(letters[dice.below(45)]).to_string();
        texts[hit].replace_range(at..=at, &letter);
        let mut decoder = Decoder::new();
        for text in &texts {
            if let Ok(Progress::Complete(payload)) = decoder.receive(text) {
                prop_assert_eq!(&payload.bytes, &bytes);
            }
        }
    }

    #[test]
    fn interleaved_transfers_with_loss_and_repetition_all_complete(seed in any::<u64>(), count in 2usize..=4) {
        let mut dice = Dice(seed);
        let sent: Vec<Vec<u8>> = (0..count).map(|_| { let length = 1 + dice.below(20_000); dice.bytes(length) }).collect();
        let mut texts = Vec::new();
        for (kind, bytes) in sent.iter().enumerate() {
            let encoder = Encoder::new(bytes, kind as u8, FrameSize::default()).unwrap();
            let shown: Vec<String> = encoder.frames().filter(|_| dice.below(10) >= 3).collect();
            texts.extend(shown.clone());
            texts.extend(shown);
            texts.extend((0..encoder.source_frames() / 2 + 8).map(|n| encoder.frame(100_000 + n)));
            texts.push("HTTPS://EXAMPLE.ORG".to_owned());
        }
        dice.shuffle(&mut texts);
        let mut transfers = Transfers::new(8, WhenFull::Forget);
        for text in &texts {
            transfers.receive(text).unwrap();
        }
        prop_assert_eq!(transfers.under_way().count(), 0);
        let mut received: Vec<(u8, Vec<u8>)> =
            transfers.into_complete().into_iter().map(|(_, payload)| (payload.kind, payload.bytes)).collect();
        received.sort();
        let sent: Vec<(u8, Vec<u8>)> = sent.into_iter().enumerate().map(|(kind, bytes)| (kind as u8, bytes)).collect();
        prop_assert_eq!(received, sent);
    }

    #[test]
    fn any_text_is_taken_without_a_panic(text in ".{0,200}", noise in "[0-9A-Z $%*+./:-]{0,200}") {
        let mut decoder = Decoder::new();
        prop_assert_eq!(decoder.receive(&text), Ok(Progress::Foreign));
        let _ = decoder.receive(&noise);
    }
}

#[test]
fn a_short_message_is_one_frame() {
    let encoder = Encoder::new(b"yes", 7, FrameSize::default()).unwrap();
    assert_eq!((encoder.source_frames(), encoder.suggested_frames()), (1, 1));
    assert_eq!(encoder.frame(0), encoder.frame(99));
    assert_eq!(encoder.frame(0), Forged::of(b"yes").text());
    let payload = Payload { kind: 7, bytes: b"yes".to_vec() };
    let mut decoder = Decoder::new();
    assert_eq!(decoder.receive(&encoder.frame(0)), Ok(Progress::Complete(payload)));
    assert_eq!(decoder.receive(&encoder.frame(1)), Ok(Progress::Repeated));
}

#[test]
fn payloads_up_to_the_limit_are_carried_and_longer_ones_refused() {
    let bytes = Dice(1).bytes(MAX_PAYLOAD_BYTES + 1);
    let size = FrameSize::new(25, Level::L).unwrap();
    let encoder = Encoder::new(&bytes[1..], 1, size).unwrap();
    let texts = (0..encoder.suggested_frames()).rev().map(|n| encoder.frame(n));
    assert_eq!(receive_all(&mut Decoder::new(), texts).unwrap().bytes, bytes[1..]);
    let refused = |payload: &[u8], size| Encoder::new(payload, 1, size).err().unwrap();
    assert!(matches!(refused(&bytes, size), FrameError::PayloadTooLong { .. }));
    assert_eq!(refused(&[], size), FrameError::EmptyPayload);
    let small = FrameSize::new(5, Level::L).unwrap();
    assert!(matches!(refused(&bytes[1..], small), FrameError::TooManySymbols { .. }));
}

#[test]
fn texts_that_are_not_ours_change_nothing() {
    let bytes = Dice(2).bytes(5000);
    let encoder = Encoder::new(&bytes, 1, FrameSize::default()).unwrap();
    let mut decoder = Decoder::new();
    for n in 0..encoder.source_frames() - 1 {
        decoder.receive(&encoder.frame(n)).unwrap();
        let foreign = Forged { magic: *b"ZZ", ..Forged::of(b"x") }.text();
        for text in ["", "HELLO", "ur:bytes/1-2/abc", "ÄÖÜ", &foreign, &"A".repeat(5000)] {
            assert_eq!(decoder.receive(text), Ok(Progress::Foreign));
        }
    }
    let last = decoder.receive(&encoder.frame(encoder.source_frames() - 1));
    assert_eq!(last, Ok(Progress::Complete(Payload { kind: 1, bytes })));
}

#[test]
fn another_transfer_is_counted_and_the_current_one_goes_on() {
    let (ours, theirs) = (Dice(3).bytes(3000), Dice(4).bytes(3000));
    let ours = Encoder::new(&ours, 1, FrameSize::default()).unwrap();
    let theirs = Encoder::new(&theirs, 1, FrameSize::default()).unwrap();
    let mut decoder = Decoder::new();
    decoder.receive(&ours.frame(0)).unwrap();
    assert_eq!(decoder.receive(&theirs.frame(0)), Ok(Progress::OtherTransfer { seen: 1 }));
    assert_eq!(decoder.receive(&theirs.frame(1)), Ok(Progress::OtherTransfer { seen: 2 }));
    assert_eq!(decoder.transfer_id(), Some(ours.transfer_id()));
    assert!(receive_all(&mut decoder, ours.frames()).is_some());
    assert!(receive_all(&mut decoder, theirs.frames()).is_some(), "a completed transfer gives way");
    decoder.receive(&ours.frame(0)).unwrap();
    decoder.reset();
    assert!(receive_all(&mut decoder, theirs.frames()).is_some());
}

#[test]
fn each_limit_of_the_header_is_refused() {
    let refusal = |forged: Forged| Decoder::new().receive(&forged.text()).unwrap_err();
    let frame = || Forged::of(b"0123456789");
    assert_eq!(refusal(Forged { version: 2, ..frame() }), FrameError::UnknownVersion { found: 2 });
    assert_eq!(refusal(Forged { length: 0, ..frame() }), FrameError::EmptyPayload);
    assert!(matches!(refusal(Forged { length: u32::MAX, ..frame() }), FrameError::PayloadTooLong { .. }));
    assert!(matches!(refusal(Forged { length: 1 << 20, ..frame() }), FrameError::TooManySymbols { .. }));
    assert!(matches!(refusal(Forged { length: 9, ..frame() }), FrameError::SymbolLength { .. }));
    assert!(matches!(refusal(Forged { symbol: vec![0; 32], ..frame() }), FrameError::SymbolLength { .. }));
    assert!(matches!(refusal(Forged { symbol: vec![], ..frame() }), FrameError::SymbolLength { .. }));
    assert!(matches!(refusal(Forged { number: 1, ..frame() }), FrameError::SymbolNumber { .. }));
    let high = Forged { number: MAX_SYMBOL_NUMBER, length: 1000, ..frame() };
    assert!(matches!(refusal(high), FrameError::SymbolNumber { .. }));
    let mut text = frame().text();
    text.replace_range(60..61, if &text[60..61] == "0" { "1" } else { "0" });
    assert_eq!(Decoder::new().receive(&text), Err(FrameError::Checksum));
}

#[test]
fn a_last_pair_that_overflows_a_byte_is_not_base45() {
    let text = Forged::of(b"12345678").text(); // 63 bytes, so the text ends with a pair
    assert_eq!(text.len() % 3, 2);
    let low = base45::decode(&text).unwrap()[62];
    let pair = u32::from(low) + 256;
    let letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
    let forged = [letters[(pair % 45) as usize], letters[(pair / 45) as usize]].map(char::from);
    let forged = format!("{}{}{}", &text[..text.len() - 2], forged[0], forged[1]);
    assert_eq!(Decoder::new().receive(&forged), Ok(Progress::Foreign));
    assert!(matches!(Decoder::new().receive(&text), Ok(Progress::Complete(_))));
}

#[test]
fn a_poisoned_transfer_fails_by_its_digest_and_starts_again() {
    let bytes = Dice(5).bytes(2000);
    let encoder = Encoder::new(&bytes, 7, FrameSize::default()).unwrap();
    let genuine = base45::decode(encoder.frame(1)).unwrap();
    let poison = Forged {
        transfer: genuine[4..12].try_into().unwrap(),
        length: 2000,
        number: 1,
        symbol: vec![9; genuine.len() - 23],
        ..Forged::of(b"")
    };
    let mut decoder = Decoder::new();
    decoder.receive(&poison.text()).unwrap();
    assert_eq!(decoder.receive(&encoder.frame(1)), Err(FrameError::ConflictingSymbol { number: 1 }));
    decoder.receive(&encoder.frame(0)).unwrap();
    let transfer = encoder.transfer_id();
    assert_eq!(decoder.receive(&encoder.frame(2)), Err(FrameError::DigestMismatch { transfer }));
    assert_eq!(receive_all(&mut decoder, encoder.frames()).unwrap().bytes, bytes);
}

#[test]
fn symbols_of_any_number_and_content_are_survived() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let symbol_bytes = 33 + dice.below(40);
        let length = (dice.below(60) * symbol_bytes + 1) as u32;
        let mut decoder = Decoder::new();
        for _ in 0..400 {
            let forged = Forged {
                length,
                number: dice.below(MAX_SYMBOL_NUMBER as usize) as u32,
                symbol: dice.bytes(symbol_bytes),
                ..Forged::of(b"")
            };
            assert!(!matches!(decoder.receive(&forged.text()), Ok(Progress::Complete(_))));
        }
    }
}

#[test]
fn every_qr_size_fills_its_code_and_no_more() {
    let bytes = Dice(6).bytes(20_000);
    for version in [5, 10, 20, 25, 40] {
        for level in [Level::L, Level::M, Level::Q, Level::H] {
            let Ok(size) = FrameSize::new(version, level) else { continue };
            let encoder = Encoder::new(&bytes, 1, size).unwrap();
            let most = encoder.frame(0).len();
            assert!(most <= size.characters(), "{size:?}");
            assert_eq!(encoder.frame(encoder.source_frames()).len(), most, "repair frames are as long");
        }
    }
}

#[test]
fn a_camera_forgets_the_transfer_that_has_not_grown_for_longest() {
    let encoders: Vec<Encoder> =
        (0..4).map(|seed| Encoder::new(&Dice(seed).bytes(4000), 1, FrameSize::default()).unwrap()).collect();
    let mut transfers = Transfers::new(3, WhenFull::Forget);
    for encoder in &encoders[..3] {
        assert_eq!(transfers.receive(&encoder.frame(0)), Ok(Taken::New(encoder.transfer_id())));
    }
    transfers.receive(&encoders[0].frame(1)).unwrap();
    assert_eq!(transfers.receive(&encoders[3].frame(0)), Ok(Taken::New(encoders[3].transfer_id())));
    let mut kept: Vec<String> = transfers.under_way().map(|one| one.id.to_string()).collect();
    kept.sort();
    let mut expected = [0, 2, 3].map(|at: usize| encoders[at].transfer_id().to_string());
    expected.sort();
    assert_eq!(kept, expected);
    let mut heap = Transfers::new(1, WhenFull::Refuse);
    heap.receive(&encoders[0].frame(0)).unwrap();
    let refused = heap.receive(&encoders[1].frame(0));
    assert_eq!(refused, Err(FrameError::TooManyTransfers { found: 2, most: 1 }));
}

#[test]
fn a_complete_transfer_is_kept_once_and_its_frames_change_nothing() {
    let bytes = Dice(9).bytes(5000);
    let encoder = Encoder::new(&bytes, 7, FrameSize::default()).unwrap();
    let mut transfers = Transfers::new(2, WhenFull::Forget);
    let taken: Vec<Taken> = encoder.frames().map(|text| transfers.receive(&text).unwrap()).collect();
    assert_eq!(taken.iter().filter(|taken| **taken == Taken::Complete(encoder.transfer_id())).count(), 1);
    assert_eq!(taken.last(), Some(&Taken::Repeated));
    let id = encoder.transfer_id();
    assert!(id.is_called(&id.to_string()[..4]) && !id.is_called("") && !id.is_called("zz"));
    assert_eq!(transfers.complete().next(), Some((id, &Payload { kind: 7, bytes })));
}
