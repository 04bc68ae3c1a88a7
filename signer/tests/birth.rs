//! `init` from outside: dice and coins, the transcript, and what is refused before a key is made (K1).

#![allow(clippy::unwrap_used, reason = "a test may")]

mod desk;

use desk::{Desk, FLOOR, answer, error, shows_nothing_of};
use sha2::{Digest as _, Sha256};
use std::os::unix::fs::PermissionsExt;

const DICE: &str = "16325 41362 55142 63341 26451\n34256 11642 53465 21334 66152\n";

fn init(more: &str) -> String {
    format!("init --name alice --profile dev {FLOOR} {more}")
}

#[test]
fn two_births_with_the_same_dice_differ() {
    let desk = Desk::empty();
    desk.private("dice", DICE);
    let of = |home: &str| {
        let line = init(&format!("--dice-fd 4 --mnemonic-fd 3 3>{home}.words 4<dice"));
        let told = answer(&desk.run_in(home, &line));
        (told["fingerprint"].as_str().unwrap().to_owned(), desk.text(&format!("{home}.words")))
    };
    let (one, two) = (of("one"), of("two"));
    assert!(one.0 != two.0 && one.1 != two.1);
    assert_eq!(one.1.split_whitespace().count(), 24);
}

#[test]
fn few_invented_or_foreign_throws_are_refused_before_anything_is_made() {
    let desk = Desk::empty();
    for (text, expected) in [
        ("16325 41362", "10 throws"),
        (&"123456 ".repeat(10), "repeat every 6"),
        (&"1".repeat(60), "60 times in a row"),
        (&DICE.replace('6', "7"), "1 to 6"),
    ] {
        desk.private("dice", text);
        let refused = desk.run(&init("--dice-fd 4 --mnemonic-fd 3 3>words 4<dice"));
        let (exit, code, message) = error(&refused);
        assert_eq!((exit, code.as_str()), (3, "throws"), "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(!desk.path("home/vault.airlock").exists() && desk.text("words").is_empty());
    }
    // Nobody is there to type them or to read the words.
    assert_eq!(error(&desk.run(&init("--dice --mnemonic-fd 3 3>words"))).0, 2);
    assert_eq!(error(&desk.run(&init(""))).0, 2);
    assert!(!desk.path("home/vault.airlock").exists());
}

#[test]
fn the_transcript_says_everything_but_the_secrets_and_its_digest_can_be_recomputed() {
    let desk = Desk::empty();
    desk.private("coins", &"hthhtththt htthhthtth tthhhththt ".repeat(5).replacen("hth", "tth", 3));
    let line = init("--coins-fd 4 --mnemonic-fd 3 --transcript page.txt 3>words 4<coins");
    let told = answer(&desk.run(&line));
    let page = desk.text("page.txt");
    let mode = std::fs::metadata(desk.path("page.txt")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for part in [
        "AIRLOCK CEREMONY TRANSCRIPT: INIT",
        told["identity"].as_str().unwrap(),
        told["fingerprint"].as_str().unwrap(),
        told["roster_digest"].as_str().unwrap(),
        "47104 KiB in 1 pass",
        "throws of coins",
        "operating system (getrandom)",
        "network interfaces up:",
        "SHA-256",
        "1 of 1",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    for address in desk.addresses("home", "tron:0xa1710c4b", "hot", 1) {
        assert!(page.contains(&address));
    }
    assert_eq!(page.matches("signature ____").count(), 2);
    let program = std::fs::read(env!("CARGO_BIN_EXE_airlock-signer")).unwrap();
    assert!(page.contains(&hex::encode(Sha256::digest(&program))));
    let (above, below) = page.split_once("\nSHA-256 of every line above").unwrap();
    let digest = below.lines().nth(1).unwrap().trim();
    assert_eq!(digest, hex::encode(Sha256::digest(above.as_bytes())));
    let words = desk.text("words");
    let words: Vec<&str> = words.split_whitespace().collect();
    assert!(words.windows(2).all(|pair| !page.contains(&pair.join(" "))));
    assert!(page.lines().all(|line| line.len() <= 80), "{page}");
    assert!(page.lines().all(|line| line.chars().all(|c| c.is_ascii_graphic() || c == ' ')));
}

#[test]
fn files_are_private_and_a_hundred_addresses_of_each_role_take_no_time() {
    let desk = Desk::with_vault("dev");
    for name in ["vault.airlock", "journal.airlock", "refusals.airlock", "lock"] {
        let mode = std::fs::metadata(desk.path("home").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    let timed = |line: &str| {
        let begun = std::time::Instant::now();
        (desk.run(line), begun.elapsed())
    };
    let (_, one) = timed("addresses --count 1");
    let (made, hundred) = timed("addresses --count 100");
    let told = answer(&made);
    // 800 keys; both runs derive the same passphrase.
    assert!(hundred < one + std::time::Duration::from_secs(5), "{one:?} {hundred:?}");
    assert_eq!(told["wallets"].as_array().unwrap().len(), 2 * 4 * 100);
    shows_nothing_of(&made, &desk.text("words"));
    std::fs::set_permissions(desk.path("home/vault.airlock"), PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(error(&desk.run("addresses")).1, "file_mode");
}

#[test]
fn a_network_is_accepted_by_the_sentence_and_put_on_record() {
    let desk = Desk::with_vault("dev");
    let up = std::fs::read_dir("/sys/class/net").unwrap().flatten().any(|one| {
        one.file_name() != "lo"
            && std::fs::read_to_string(one.path().join("operstate")).is_ok_and(|s| s.trim() == "up")
    });
    if up {
        assert!(desk.all_ceremonies().iter().any(|(kind, _)| kind == "network_override"));
    }
}

#[test]
fn a_machine_that_gives_too_little_memory_is_told_what_opening_takes() {
    let desk = Desk::empty();
    let dear = "init --name a --profile dev --kdf-memory-kib 400000 --kdf-passes 1 --mnemonic-fd 3 3>words";
    answer(&desk.run(dear));
    let (exit, code, message) = error(&desk.run_limited(300_000, "identity"));
    assert_eq!((exit, code.as_str()), (4, "too_little_memory"));
    assert!(message.contains("400000 KiB"), "{message}");
    let refused =
        desk.run_in("more", "init --name a --profile dev --kdf-memory-kib 1048577 --mnemonic-fd 3 3>words");
    assert_eq!(error(&refused).1, "excessive_kdf");
}
