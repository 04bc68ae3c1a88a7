//! Uniform Resources from the outside: texts that others published, loss, mixture and damage on the way, and
//! bytes that nobody sane would send.
//!
//! The messages of hardware wallets are compared with other people's bytes by the runner in `tests/vectors`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use airlock_shared::frames::ur::{
    Decoder, MAX_MESSAGE_BYTES, MAX_TEXT_CHARACTERS, Message, Parts, Progress, Ur, UrError,
};
use airlock_shared::frames::{FrameSize, Level, QrImage, frames_of_picture};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

/// The published parts of BCR-2024-001's reference: 256 bytes drawn from "Wolf", fragments of at most 30.
const PUBLISHED: [&str; 20] = [
    "ur:bytes/1-9/lpadascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtdkgslpgh",
    "ur:bytes/2-9/lpaoascfadaxcywenbpljkhdcagwdpfnsboxgwlbaawzuefywkdplrsrjynbvygabwjldapfcsgmghhkhstlrdcxaefz",
    "ur:bytes/3-9/lpaxascfadaxcywenbpljkhdcahelbknlkuejnbadmssfhfrdpsbiegecpasvssovlgeykssjykklronvsjksopdzmol",
    "ur:bytes/4-9/lpaaascfadaxcywenbpljkhdcasotkhemthydawydtaxneurlkosgwcekonertkbrlwmplssjtammdplolsbrdzcrtas",
    "ur:bytes/5-9/lpahascfadaxcywenbpljkhdcatbbdfmssrkzmcwnezelennjpfzbgmuktrhtejscktelgfpdlrkfyfwdajldejokbwf",
    "ur:bytes/6-9/lpamascfadaxcywenbpljkhdcackjlhkhybssklbwefectpfnbbectrljectpavyrolkzczcpkmwidmwoxkilghdsowp",
    "ur:bytes/7-9/lpatascfadaxcywenbpljkhdcavszmwnjkwtclrtvaynhpahrtoxmwvwatmedibkaegdosftvandiodagdhthtrlnnhy",
    "ur:bytes/8-9/lpayascfadaxcywenbpljkhdcadmsponkkbbhgsoltjntegepmttmoonftnbuoiyrehfrtsabzsttorodklubbuyaetk",
    "ur:bytes/9-9/lpasascfadaxcywenbpljkhdcajskecpmdckihdyhphfotjojtfmlnwmadspaxrkytbztpbauotbgtgtaeaevtgavtny",
    "ur:bytes/10-9/lpbkascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtwdkiplzs",
    "ur:bytes/11-9/lpbdascfadaxcywenbpljkhdcahelbknlkuejnbadmssfhfrdpsbiegecpasvssovlgeykssjykklronvsjkvetiiapk",
    "ur:bytes/12-9/lpbnascfadaxcywenbpljkhdcarllaluzmdmgstospeyiefmwejlwtpedamktksrvlcygmzemovovllarodtmtbnptrs",
    "ur:bytes/13-9/lpbtascfadaxcywenbpljkhdcamtkgtpknghchchyketwsvwgwfdhpgmgtylctotzopdrpayoschcmhplffziachrfgd",
    "ur:bytes/14-9/lpbaascfadaxcywenbpljkhdcapazewnvonnvdnsbyleynwtnsjkjndeoldydkbkdslgjkbbkortbelomueekgvstegt",
    "ur:bytes/15-9/lpbsascfadaxcywenbpljkhdcaynmhpddpzmversbdqdfyrehnqzlugmjzmnmtwmrouohtstgsbsahpawkditkckynwt",
    "ur:bytes/16-9/lpbeascfadaxcywenbpljkhdcawygekobamwtlihsnpalnsghenskkiynthdzotsimtojetprsttmukirlrsbtamjtpd",
    "ur:bytes/17-9/lpbyascfadaxcywenbpljkhdcamklgftaxykpewyrtqzhydntpnytyisincxmhtbceaykolduortotiaiaiafhiaoyce",
    "ur:bytes/18-9/lpbgascfadaxcywenbpljkhdcahkadaemejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtntwkbkwy",
    "ur:bytes/19-9/lpbwascfadaxcywenbpljkhdcadekicpaajootjzpsdrbalpeywllbdsnbinaerkurspbncxgslgftvtsrjtksplcpeo",
    "ur:bytes/20-9/lpbbascfadaxcywenbpljkhdcayapmrleeleaxpasfrtrdkncffwjyjzgyetdmlewtkpktgllepfrltataztksmhkbot",
];

const TYPES: [&str; 4] = ["eth-sign-request", "tron-sign-request", "eth-signature", "tron-signature"];

fn message(length: usize, seed: u8) -> Ur {
    let bytes = (0..length).map(|at| (at as u8).wrapping_mul(31) ^ (at >> 8) as u8 ^ seed).collect();
    Ur::new("eth-signature", bytes).unwrap()
}

/// The message, once every text is in.
fn received(decoder: &mut Decoder, texts: impl IntoIterator<Item = String>) -> Option<Ur> {
    texts.into_iter().find_map(|text| match decoder.receive(&text) {
        Ok(Progress::Complete(ur)) => Some(ur),
        _ => None,
    })
}

#[test]
fn the_published_parts_are_read_and_written_letter_by_letter() {
    let mut decoder = Decoder::new("bytes");
    let simple = received(&mut decoder, PUBLISHED[..9].iter().map(|text| (*text).to_owned())).unwrap();
    let parts = Parts::of_fragments(simple.clone(), 30).unwrap();
    assert_eq!((parts.total(), simple.cbor().len()), (9, 259));
    for (number, published) in (1..).zip(PUBLISHED) {
        assert_eq!(parts.text(number), published.to_uppercase());
    }
    // The mixed parts alone are enough, in any order.
    let mixed = (10..60).rev().map(|number| parts.text(number));
    assert_eq!(received(&mut Decoder::new("bytes"), mixed), Some(simple));
}

#[test]
fn a_whole_text_is_read_in_either_case() {
    let ur = message(90, 1);
    assert_eq!(Ur::parse(&ur.text()), Ok(ur.clone()));
    assert_eq!(Ur::parse(&ur.text().to_lowercase()), Ok(ur.clone()));
    assert_eq!(Decoder::new("eth-signature").receive(&ur.text()), Ok(Progress::Complete(ur.clone())));
    let largest = message(MAX_MESSAGE_BYTES, 2);
    assert!(largest.text().len() <= MAX_TEXT_CHARACTERS);
    assert_eq!(Ur::parse(&largest.text()), Ok(largest));
    assert_eq!(Ur::parse(&Parts::of_fragments(ur, 30).unwrap().text(1)), Err(UrError::OnePartOnly));
}

#[test]
fn parts_cross_as_qr_codes_of_the_size_asked_for() {
    for (version, length) in [(6, 300), (10, 300), (20, 300), (20, 5_000), (40, 16_384)] {
        let size = FrameSize::new(version, Level::L).unwrap();
        let ur = message(length, 3);
        let parts = Parts::fitting(ur.clone(), size).unwrap();
        for number in [1, parts.total() as u32, 4_000_000_000] {
            QrImage::encode(&parts.text(number), size).unwrap();
        }
        let texts = (1..=parts.total() as u32).map(|number| parts.text(number));
        assert_eq!(received(&mut Decoder::new("eth-signature"), texts), Some(ur));
    }
    let picture = QrImage::encode(&message(200, 4).text(), FrameSize::default()).unwrap();
    assert_eq!(frames_of_picture(&picture.png(4).unwrap()), Ok(vec![message(200, 4).text()]));
    let tiny = FrameSize::new(5, Level::L).unwrap();
    assert_eq!(Parts::fitting(message(16_384, 5), tiny).unwrap_err(), UrError::QrTooSmall { room: 154 });
}

#[test]
fn foreign_and_damaged_texts_change_nothing() {
    let ur = message(400, 6);
    let parts = Parts::of_fragments(ur.clone(), 40).unwrap();
    let mut decoder = Decoder::new("eth-signature");
    for number in 1..parts.total() as u32 {
        let text = parts.text(number);
        assert!(matches!(decoder.receive(&text), Ok(Progress::Received { .. })));
        assert_eq!(decoder.receive(&text), Ok(Progress::Repeated));
        for foreign in
            ["", "AL12", "https://example.org/", "UR:", "UR:BYTES/AEADAOLAZMJENDEOTI", PUBLISHED[0]]
        {
            assert_eq!(decoder.receive(foreign), Ok(Progress::Foreign));
        }
        let damaged = text.replacen(&text[text.len() - 9..], "AEAEAEAEA", 1);
        assert!(decoder.receive(&damaged).is_err());
        assert!(decoder.receive(&text[..text.len() - 2]).is_err());
    }
    let last = parts.text(parts.total() as u32);
    assert_eq!(decoder.receive(&last), Ok(Progress::Complete(ur)));
}

#[test]
fn other_messages_of_the_same_type_do_not_stop_one_that_is_under_way() {
    let ur = message(400, 7);
    let parts = Parts::of_fragments(ur.clone(), 40).unwrap();
    let mut decoder = Decoder::new("eth-signature");
    decoder.receive(&parts.text(1)).unwrap();
    decoder.receive(&parts.text(2)).unwrap();
    for seed in 100..140 {
        decoder.receive(&Parts::of_fragments(message(400, seed), 40).unwrap().text(3)).unwrap();
    }
    assert_eq!(decoder.receive(&parts.text(3)), Ok(Progress::Received { received: 3, needed: 10 }));
    let rest = (4..=10).map(|number| parts.text(number));
    assert_eq!(received(&mut decoder, rest), Some(ur));
}

#[test]
fn a_forged_part_is_found_and_the_message_starts_again() {
    let ur = message(200, 8);
    let honest = Parts::of_fragments(ur.clone(), 20).unwrap();
    let mut decoder = Decoder::new("eth-signature");
    decoder.receive(&forged_part(3, 10, 200, crc(&ur), &[0x55; 20])).unwrap();
    for number in [1, 2, 4, 5, 6, 7, 8, 9] {
        decoder.receive(&honest.text(number)).unwrap();
    }
    assert_eq!(decoder.receive(&honest.text(3)), Err(UrError::Contradiction { number: 3 }));
    assert_eq!(decoder.receive(&honest.text(10)), Err(UrError::Damaged));
    assert_eq!(received(&mut decoder, (1..=10).map(|number| honest.text(number))), Some(ur));
}

#[test]
fn claims_are_refused_before_memory_is_taken() {
    let part = |number, total, length, fragment: &[u8]| {
        Decoder::new("eth-signature").receive(&forged_part(number, total, length, 7, fragment))
    };
    assert_eq!(part(1, 10_000_000, 16_384, &[1; 8]), Err(UrError::PartNumbers));
    assert_eq!(part(1, 4_294_967_295, 16_384, &[1; 8]), Err(UrError::PartNumbers));
    assert_eq!(part(0, 3, 24, &[1; 8]), Err(UrError::PartNumbers));
    assert_eq!(part(1, 0, 24, &[1; 8]), Err(UrError::PartNumbers));
    let too_long = UrError::MessageLength { found: 4_294_967_295, limit: MAX_MESSAGE_BYTES };
    assert_eq!(part(1, 256, 4_294_967_295, &[1; 8]), Err(too_long));
    assert_eq!(part(1, 3, 99, &[1; 8]), Err(UrError::PartMalformed));
    assert_eq!(part(1, 3, 24, &[]), Err(UrError::PartMalformed));
    assert_eq!(part(1, 3, 24, &[1; 8]), Ok(Progress::Received { received: 1, needed: 3 }));
    let mut decoder = Decoder::new("eth-signature");
    let long = format!("UR:ETH-SIGNATURE/1-2/{}", "AE".repeat(3_000));
    assert!(matches!(decoder.receive(&long), Err(UrError::TextTooLong { .. })));
    let longer = format!("UR:ETH-SIGNATURE/{}", "AE".repeat(30_000));
    assert!(matches!(decoder.receive(&longer), Err(UrError::TextTooLong { .. })));
    for numbers in ["1-", "-1", "01-3", "1-3-5", "+1-3", "1/3", "4294967296-3", "1-18446744073709551616"] {
        let text = format!("UR:ETH-SIGNATURE/{numbers}/AEADAOLAZMJENDEOTI");
        assert!(decoder.receive(&text).is_err(), "{numbers}");
    }
}

/// A part written by hand, its checksum included: letters come from a whole text around the same bytes.
fn forged_part(number: u32, total: u32, length: u32, checksum: u32, fragment: &[u8]) -> String {
    let mut to = minicbor::Encoder::new(Vec::new());
    to.array(5).unwrap().u32(number).unwrap().u32(total).unwrap().u32(length).unwrap();
    to.u32(checksum).unwrap().bytes(fragment).unwrap();
    let text = Ur::new("x", to.into_writer()).unwrap().text();
    format!("UR:ETH-SIGNATURE/{number}-{total}/{}", text.strip_prefix("UR:X/").unwrap())
}

/// The checksum of a message, computed a second time.
fn crc(ur: &Ur) -> u32 {
    !ur.cbor().iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// Texts that look more or less like parts.
fn hostile_text() -> impl Strategy<Value = String> {
    let letters = "[A-Za-z0-9/-]{0,80}";
    prop_oneof![
        any::<String>(),
        letters.prop_map(|rest| format!("ur:eth-signature/{rest}")),
        (
            any::<u32>(),
            any::<u32>(),
            any::<u32>(),
            any::<u32>(),
            proptest::collection::vec(any::<u8>(), 0..60)
        )
            .prop_map(|(n, t, l, c, bytes)| forged_part(n, t, l, c, &bytes)),
        (1u32.., 1u32..9, 1u32..200, Just(5), proptest::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(n, t, l, c, bytes)| forged_part(n, t, l, c, &bytes)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sent_arrives_whatever_is_lost_and_in_whatever_order(
        length in 1usize..3_000,
        longest in 12usize..200,
        seed in any::<u8>(),
        order in Just((1u32..=900).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let ur = message(length, seed);
        let parts = Parts::of_fragments(ur.clone(), longest);
        if length.div_ceil(longest) <= 256 {
            let parts = parts.unwrap();
            // A camera that comes late and sees every third picture.
            let seen = order.into_iter().map(|number| parts.text(number * 3));
            prop_assert_eq!(received(&mut Decoder::new("eth-signature"), seen), Some(ur));
        }
    }

    #[test]
    fn hostile_texts_never_panic_and_never_stop_an_honest_message(
        texts in proptest::collection::vec(hostile_text(), 0..40),
    ) {
        let mut decoder = Decoder::new("eth-signature");
        for text in &texts {
            let _ = Ur::parse(text);
            let _ = decoder.receive(text);
        }
        let ur = message(120, 9);
        let parts = Parts::of_fragments(ur.clone(), 30).unwrap();
        prop_assert_eq!(received(&mut decoder, (1..=4).map(|number| parts.text(number))), Some(ur));
    }

    #[test]
    fn hostile_messages_never_panic_and_have_one_spelling(
        bytes in proptest::collection::vec(any::<u8>(), 1..120),
        flip in any::<(usize, u8)>(),
    ) {
        for ur_type in TYPES {
            one_spelling(&Ur::new(ur_type, bytes.clone()).unwrap());
        }
        for ur in fixtures() {
            let mut bytes = ur.cbor().to_vec();
            let at = flip.0 % bytes.len();
            bytes[at] ^= flip.1;
            one_spelling(&Ur::new(ur.ur_type(), bytes).unwrap());
        }
    }
}

/// Refused, or written again as it was read.
fn one_spelling(ur: &Ur) {
    if let Ok(message) = Message::read(ur) {
        assert_eq!(message.to_ur().as_ref(), Ok(ur));
    }
}

fn fixtures() -> Vec<Ur> {
    let text = include_str!("../../fixtures/vectors/ur-hardware.json");
    let document: serde_json::Value = serde_json::from_str(text).unwrap();
    let read = |case: &serde_json::Value| match case["ur"].as_str() {
        Some(text) => Ur::parse(text).unwrap(),
        None => Ur::new(case["type"].as_str().unwrap(), hex::decode(case["cbor"].as_str().unwrap()).unwrap())
            .unwrap(),
    };
    document["cases"].as_array().unwrap().iter().map(read).collect()
}
