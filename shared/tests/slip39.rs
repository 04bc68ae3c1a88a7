//! Splitting and combining: any t shares give the secret back, nothing else gives anything.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use airlock_shared::slip39::{MAX_WORDS, Share, ShareError, combine, randomness_for, split};
use proptest::prelude::{ProptestConfig, any, proptest};

const SECRET: [u8; 32] = [0x42; 32];

fn random(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|place| (place as u8).wrapping_mul(167).wrapping_add(seed) ^ (place >> 3) as u8).collect()
}

fn shares(plan: (u8, u8), seed: u8) -> Vec<Share> {
    let random = random(randomness_for(plan.0, SECRET.len()), seed);
    split(&SECRET, b"", plan, 7_000 + u16::from(seed), &random).unwrap()
}

fn pick(all: &[Share], places: &[usize]) -> Vec<Share> {
    places.iter().map(|place| Share::parse(&all[*place].words()).unwrap()).collect()
}

fn error(shares: &[Share]) -> ShareError {
    combine(shares, b"").err().unwrap()
}

#[test]
fn any_threshold_of_shares_gives_the_secret_back() {
    let all = shares((3, 5), 1);
    assert_eq!(all.len(), 5);
    for places in [[0, 1, 2], [4, 2, 0], [1, 3, 4], [2, 4, 3]] {
        assert_eq!(combine(&pick(&all, &places), b"").unwrap()[..], SECRET);
    }
    for plan in [(2, 2), (2, 16), (16, 16)] {
        let all = shares(plan, 3);
        let last: Vec<_> = (0..usize::from(plan.1)).rev().take(usize::from(plan.0)).collect();
        assert_eq!(combine(&pick(&all, &last), b"").unwrap()[..], SECRET);
    }
}

#[test]
fn too_few_too_many_repeated_and_foreign_shares_are_told_apart() {
    let (all, other) = (shares((3, 5), 1), shares((3, 5), 2));
    assert_eq!(error(&[]), ShareError::Nothing);
    assert_eq!(error(&pick(&all, &[0, 1])), ShareError::Members { needed: 3, given: 2 });
    assert_eq!(error(&pick(&all, &[0, 1, 2, 3])), ShareError::Members { needed: 3, given: 4 });
    assert_eq!(error(&pick(&all, &[0, 1, 1])), ShareError::Repeated { number: 3 });
    let mut mixed = pick(&all, &[0, 1]);
    mixed.extend(pick(&other, &[2]));
    assert_eq!(error(&mixed), ShareError::OtherSet { number: 3, what: "identifier" });
    // Of another splitting under the same identifier: only the digest can tell.
    let random = random(randomness_for(3, SECRET.len()), 9);
    let twin = split(&[1; 32], b"", (3, 5), 7_001, &random).unwrap();
    let mut mixed = pick(&all, &[0, 1]);
    mixed.extend(pick(&twin, &[2]));
    assert_eq!(error(&mixed), ShareError::Digest);
}

#[test]
fn another_passphrase_gives_another_secret() {
    let random = random(randomness_for(2, 32), 1);
    let all = split(&SECRET, b"one", (2, 3), 1, &random).unwrap();
    assert_eq!(combine(&all[..2], b"one").unwrap()[..], SECRET);
    assert_ne!(combine(&all[1..], b"two").unwrap()[..], SECRET);
}

#[test]
fn impossible_plans_secrets_and_randomness_are_refused() {
    let refused = |secret: &[u8], plan, random: &[u8]| split(secret, b"", plan, 1, random).err().unwrap();
    for plan in [(0, 3), (1, 3), (4, 3), (2, 17)] {
        assert!(matches!(refused(&SECRET, plan, &[]), ShareError::Plan { .. }), "{plan:?}");
    }
    for bytes in [0, 14, 17, 66] {
        assert_eq!(refused(&vec![0; bytes], (2, 3), &[]), ShareError::Secret { bytes });
    }
    assert_eq!((randomness_for(0, 32), randomness_for(1, 32), randomness_for(3, 32)), (0, 0, 60));
    assert_eq!(refused(&SECRET, (2, 3), &[0; 27]), ShareError::Randomness { needed: 28, given: 27 });
}

#[test]
fn every_changed_word_and_every_exchange_of_neighbours_is_found() {
    let text = shares((2, 3), 4)[1].words();
    let words: Vec<&str> = text.split(' ').collect();
    assert_eq!(words.len(), 33);
    for place in 0..words.len() {
        let mut altered = words.clone();
        altered[place] = if words[place] == "academic" { "acid" } else { "academic" };
        assert!(Share::parse(&altered.join(" ")).is_err(), "word {place}");
        let mut exchanged = words.clone();
        exchanged.swap(place, (place + 1) % words.len());
        if exchanged != words {
            assert!(Share::parse(&exchanged.join(" ")).is_err(), "words {place} and the next");
        }
        let mut unknown = words.clone();
        unknown[place] = "bitcoin";
        let refused = Share::parse(&unknown.join(" ")).err();
        assert_eq!(refused, Some(ShareError::UnknownWord { position: place + 1 }));
    }
    assert!(Share::parse(&text.to_uppercase().replace(' ', "\n  ")).is_ok());
    let endless = "academic ".repeat(100_000);
    assert_eq!(Share::parse(&endless).err(), Some(ShareError::Length { words: MAX_WORDS + 1 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_split_is_spelled_and_combined_again(
        secret in proptest::collection::vec(any::<u8>(), 8..=32),
        seed in any::<u8>(),
        identifier in 0u16..0x8000,
    ) {
        let secret = [&secret[..], &secret].concat();
        let random = random(randomness_for(2, secret.len()), seed);
        let all = split(&secret, b"", (2, 3), identifier, &random).unwrap();
        for share in &all {
            assert_eq!(*Share::parse(&share.words()).unwrap().words(), *share.words());
        }
        assert_eq!(combine(&pick(&all, &[2, 0]), b"").unwrap()[..], secret);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,400}") {
        let _ = Share::parse(&text);
    }
}
