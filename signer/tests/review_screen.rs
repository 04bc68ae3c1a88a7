//! The review's pages as a custodian sees them, captured at 80 by 24 and compared with what is committed in
//! `golden/`, and what its keys do. `AIRLOCK_WRITE_FIXTURES=1` writes the captures again; read the
//! difference before you commit it. No terminal and no time: keys and sizes in, lines out.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod world;

use airlock_shared::batch::{CancelTerms, Content, Context, FeeLevel, Item, Reissue, ReissueReason};
use airlock_shared::policy::rules::RULES;
use airlock_shared::words::words;
use airlock_shared::{Address, BatchId, Digest, ItemId, Network};
use airlock_signer::familiar::Familiar;
use airlock_signer::review::screen::{Screen, Step};
use airlock_signer::review::{Evidence, Sheet, sitting};
use airlock_signer::session::Verdicts;
use airlock_signer::terminal::{Key, Size};
use std::path::Path;
use world::{NOW, World, approvals, units};

const WINDOW: Size = Size { columns: 80, rows: 24 };

/// A batch that is the same on every machine.
fn batch(world: &World, network: Network, count: usize) -> Content {
    let mut content = world.content(network, count);
    content.vault = [1, 2, 3, 4];
    content.policy.digest = Digest::ZERO;
    content
}

/// An EVM batch with something of everything that stands out.
fn remarkable(world: &World) -> (Content, Familiar) {
    let mut content = batch(world, Network::EVM_DEV, 40);
    if let Context::Evm(evm) = &mut content.context {
        let fee = |gwei: u64| FeeLevel {
            max_fee_per_gas_wei: gwei * 1_000_000_000,
            max_priority_fee_per_gas_wei: gwei * 10_000_000,
        };
        evm.levels = vec![fee(40), fee(60)];
        evm.cancel = Some(CancelTerms { gas_limit: 21_000, fee: fee(80) });
    }
    let mut familiar = Familiar::default();
    content.items.iter().take(30).for_each(|item| familiar.paid(item.destination, item.amount));
    let mut copy = *content.items[5].destination.payload();
    copy[9] ^= 0x55;
    content.items[33].destination = Address::new(Network::EVM_DEV, copy);
    content.items[8].destination = content.items[7].destination;
    content.items[8].amount = content.items[7].amount;
    content.items[1].label = "invoice p\u{430}ypal \u{202e}4711".to_owned();
    content.items[2].label = "rent for march".to_owned();
    content.items[12].amount = units(9_000_000);
    content.items[20].reissue = Some(Reissue { reason: ReissueReason::Stuck, dead: Vec::new() });
    (content, familiar)
}

fn pass() -> Option<Verdicts> {
    Some(RULES.iter().map(|(rule, _)| (*rule, Ok(()))).collect())
}

fn sheet<'a>(world: &World, content: &'a Content, familiar: Option<&Familiar>) -> Sheet<'a> {
    let approvals = approvals(content);
    Sheet::of(&Evidence {
        policy: Some(&world.policy),
        verdicts: pass(),
        familiar,
        ..Evidence::of(content, &approvals, NOW)
    })
}

fn text(screen: &mut Screen<'_>, size: Size) -> String {
    screen.resize(size);
    let lines = screen.show(NOW + 75);
    assert!(lines.len() <= size.rows);
    let line = |spans: &airlock_signer::terminal::Line| {
        let text: String = spans.iter().map(|span| span.text.as_str()).collect();
        assert!(text.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{text:?}");
        assert!(text.len() <= size.columns, "{text:?} is wider than {}", size.columns);
        text.trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

fn press(screen: &mut Screen<'_>, keys: &str) {
    for key in keys.chars() {
        let key = match key {
            '\n' => Key::Enter,
            c => Key::Char(c),
        };
        text(screen, WINDOW);
        assert_eq!(screen.press(key), Step::Stay);
    }
}

fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("AIRLOCK_WRITE_FIXTURES").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == found, "{name} differs; it is now:\n{found}");
}

#[test]
fn pages_look_as_they_were_approved() {
    let world = World::new();
    let (content, familiar) = remarkable(&world);
    let mut screen = Screen::new(vec![sheet(&world, &content, Some(&familiar))]);
    golden("summary.txt", &text(&mut screen, WINDOW));
    press(&mut screen, " ");
    golden("exceptions.txt", &text(&mut screen, WINDOW));
    press(&mut screen, "i");
    golden("items.txt", &text(&mut screen, WINDOW));
    golden("items-120x40.txt", &text(&mut screen, Size { columns: 120, rows: 40 }));
    press(&mut screen, "/ 33aa2 \n");
    golden("nothing-found.txt", &text(&mut screen, WINDOW));
    press(&mut screen, "?");
    golden("keys.txt", &text(&mut screen, WINDOW));
}

#[test]
fn a_bundle_is_one_sitting_and_its_words_come_last() {
    let world = World::new();
    let (one, familiar) = remarkable(&world);
    let mut two = batch(&world, Network::TRON_DEV, 2);
    two.batch_id = BatchId::from_bytes([0x22; 16]);
    two.items[0].memo = b"ref 77".to_vec();
    let sheets = vec![sheet(&world, &one, Some(&familiar)), sheet(&world, &two, Some(&Familiar::default()))];
    golden("plain.txt", &sitting(&sheets));
    let mut screen = Screen::new(sheets);
    golden("bundle.txt", &text(&mut screen, WINDOW));
    press(&mut screen, "w");
    golden("not-yet.txt", &text(&mut screen, WINDOW));
    // To the end, page by page; the second batch's summary is the TRON one.
    press(&mut screen, "\n");
    for _ in 0..30 {
        let page = text(&mut screen, WINDOW);
        if page.contains("batch 2 of 2: summary") {
            golden("summary-tron.txt", &page);
        }
        if !page.contains("Type the words") {
            press(&mut screen, " ");
        }
    }
    press(&mut screen, "Abandon ability ");
    golden("words.txt", &text(&mut screen, WINDOW));
}

#[test]
fn an_approvers_device_says_what_it_cannot_know() {
    let world = World::new();
    let (content, _) = remarkable(&world);
    let mut screen = Screen::new(vec![Sheet::of(&Evidence::of(&content, &[], NOW))]);
    golden("approve.txt", &text(&mut screen, WINDOW));
    press(&mut screen, "eG");
    assert!(text(&mut screen, WINDOW).contains("this device keeps no payments"));
}

#[test]
fn no_words_are_taken_before_every_summary_and_exception_was_on_the_screen() {
    let world = World::new();
    let (mut content, familiar) = remarkable(&world);
    for (one, other) in [(13, 14), (15, 16), (17, 18)] {
        content.items[other] = Item { id: content.items[other].id, ..content.items[one].clone() };
    }
    let mut screen = Screen::new(vec![sheet(&world, &content, Some(&familiar))]);
    press(&mut screen, "w");
    assert!(text(&mut screen, WINDOW).contains("NOT YET"));
    press(&mut screen, &words(&content.digest()));
    assert!(text(&mut screen, WINDOW).contains("NOT YET"));
    press(&mut screen, "<e");
    let page = text(&mut screen, WINDOW);
    assert!(page.contains(" below"), "the exceptions are longer than a page: {page}");
    press(&mut screen, "w");
    assert!(text(&mut screen, WINDOW).contains("NOT YET"), "their end has not been seen");
    press(&mut screen, "<eG");
    text(&mut screen, WINDOW);
    press(&mut screen, "w");
    assert!(text(&mut screen, WINDOW).contains("0 of 8 words"));
}

#[test]
fn a_window_too_small_shows_no_page_and_counts_as_nothing_seen() {
    let world = World::new();
    let content = batch(&world, Network::TRON_DEV, 1);
    let mut screen = Screen::new(vec![sheet(&world, &content, None)]);
    for size in [Size { columns: 20, rows: 9 }, Size { columns: 1, rows: 1 }, Size { columns: 200, rows: 9 }]
    {
        for key in [Key::End, Key::PageDown, Key::Tab, Key::End, Key::Tab, Key::Tab] {
            let page = text(&mut screen, size);
            assert!(page.starts_with("M"), "{page}");
            screen.press(key);
        }
    }
    assert!(text(&mut screen, WINDOW).contains("NOT YET"));
}

#[test]
fn the_typed_words_end_the_sitting_and_three_wrong_attempts_too() {
    let world = World::new();
    let content = batch(&world, Network::TRON_DEV, 1);
    let mut screen = Screen::new(vec![sheet(&world, &content, Some(&Familiar::default()))]);
    let said = words(&content.digest());
    press(&mut screen, &format!("  >{said} "));
    assert_eq!(screen.press(Key::Enter), Step::Words(format!("{said} ")));
    let mut screen = Screen::new(vec![sheet(&world, &content, Some(&Familiar::default()))]);
    press(&mut screen, "  >zoo\nzoo\n");
    assert!(text(&mut screen, WINDOW).contains("2 of 3 attempts"));
    assert!(matches!(screen.press(Key::Enter), Step::Words(typed) if typed != said));
}

#[test]
fn leaving_asks_first_and_a_lost_terminal_leaves_at_once() {
    let world = World::new();
    let content = batch(&world, Network::TRON_DEV, 1);
    let mut screen = Screen::new(vec![sheet(&world, &content, None)]);
    for (key, then) in [(Key::Char('q'), Step::Stay), (Key::Char('n'), Step::Stay)] {
        assert_eq!(screen.press(key), then);
    }
    assert_eq!(screen.press(Key::Interrupt), Step::Stay);
    assert!(text(&mut screen, WINDOW).contains("Leave without signing?"));
    assert_eq!(screen.press(Key::Char('y')), Step::Declined);
    assert_eq!(screen.press(Key::Gone), Step::Declined);
}

#[test]
fn items_are_found_by_address_amount_id_nonce_and_label() {
    let world = World::new();
    let (content, familiar) = remarkable(&world);
    let sheet = sheet(&world, &content, Some(&familiar));
    let found = |wanted: &str| -> Vec<usize> {
        (0..content.items.len()).filter(|item| sheet.matches(*item, wanted)).collect()
    };
    assert_eq!(found("b54c da58"), [5, 33], "an address and its look-alike, by a group and a half");
    assert_eq!(found("9 000 000"), [12]);
    assert_eq!(found("9000000"), [12]);
    assert_eq!(found("1017"), [17], "an id");
    assert_eq!(found("RENT for"), [2]);
    assert_eq!(found("no such thing"), [0; 0]);
}

#[test]
fn the_time_that_is_left_goes_on_and_ends() {
    let world = World::new();
    let content = batch(&world, Network::TRON_DEV, 1);
    let mut screen = Screen::new(vec![sheet(&world, &content, None)]);
    let above = |screen: &mut Screen<'_>, now| screen.show(now)[0][0].text.clone();
    assert!(above(&mut screen, NOW + 10).contains("59 min 50 s left"));
    assert!(above(&mut screen, NOW + 3_595).contains("5 s left"));
    assert!(above(&mut screen, NOW + 3_600).contains("EXPIRED"));
}

#[test]
fn every_page_survives_every_size() {
    let world = World::new();
    let (content, familiar) = remarkable(&world);
    let mut screen = Screen::new(vec![sheet(&world, &content, Some(&familiar))]);
    for leaf in 0..4 {
        for columns in (1..130).step_by(7) {
            for rows in [1, 2, 9, 10, 11, 24, 60] {
                text(&mut screen, Size { columns, rows });
            }
        }
        assert_eq!(screen.press(Key::Tab), Step::Stay, "leaf {leaf}");
    }
}

#[test]
fn an_item_id_of_sixty_four_bits_and_the_largest_amount_fit_a_line_of_their_own() {
    let world = World::new();
    let mut content = batch(&world, Network::TRON_DEV, 1);
    content.items[0].id = ItemId::new(u64::MAX);
    content.items[0].amount = airlock_shared::BaseUnits::MAX;
    let mut screen = Screen::new(vec![sheet(&world, &content, None)]);
    press(&mut screen, "i");
    let page = text(&mut screen, WINDOW).replace(['\n', ' '], "");
    assert!(
        page.contains(&airlock_shared::BaseUnits::MAX.to_decimal(6)) && page.contains(&u64::MAX.to_string())
    );
}
