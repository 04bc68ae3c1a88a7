//! Passkey assertions: those that a real browser made are accepted, and each way of being wrong is refused by its name.
//!
//! `fixtures/webauthn.json` is recorded by `scripts/record-passkeys.mjs` over the contents of `fixtures/batch/valid`. What a browser
//! cannot be made to say is signed here with a key of the test's own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use airlock_shared::Digest;
use airlock_shared::approval::passkey::{
    Asserted, Assertion, Counter, Expected, MAX_DATA_BYTES, PasskeyError, base64url, challenge, compare,
    from_base64url, verify,
};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const ORIGIN: &str = "https://airlock.example";
const USER_PRESENT_AND_VERIFIED: u8 = 0b101;

/// Somebody's assertion, kept in parts that a test may alter before it is signed.
#[derive(Clone)]
struct Made {
    content: Digest,
    client_data: String,
    authenticator_data: Vec<u8>,
    key: SigningKey,
}

impl Made {
    fn good() -> Self {
        let content = Digest::of("airlock:content:1", b"a batch");
        let client = json!({"type": "webauthn.get", "challenge": challenge(&content), "origin": ORIGIN,
            "crossOrigin": false, "other_keys_can_be_added_here": "do not compare clientDataJSON against a template"});
        let mut authenticator_data = Sha256::digest(b"airlock.example").to_vec();
        authenticator_data.push(USER_PRESENT_AND_VERIFIED);
        authenticator_data.extend(7u32.to_be_bytes());
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        Self { content, client_data: client.to_string(), authenticator_data, key }
    }

    fn saying(member: &str, value: Value) -> Self {
        let good = Self::good();
        let mut client: Value = serde_json::from_str(&good.client_data).unwrap();
        client[member] = value;
        Self { client_data: client.to_string(), ..good }
    }

    fn with_text(client_data: impl Into<String>) -> Self {
        Self { client_data: client_data.into(), ..Self::good() }
    }

    fn with_flags(flags: u8) -> Self {
        let mut made = Self::good();
        made.authenticator_data[32] = flags;
        made
    }

    fn followed_by(flags: u8, rest: &[u8]) -> Self {
        let mut made = Self::with_flags(flags);
        made.authenticator_data.extend(rest);
        made
    }

    fn signature(&self) -> Signature {
        let mut signed = self.authenticator_data.clone();
        signed.extend(Sha256::digest(self.client_data.as_bytes()));
        self.key.sign_prehash(&Sha256::digest(signed)).unwrap()
    }

    fn public_key(&self) -> [u8; 65] {
        self.key.verifying_key().to_sec1_point(false).as_bytes().try_into().unwrap()
    }

    fn verified_with(&self, signature: &[u8]) -> Result<Asserted, PasskeyError> {
        let (content, rp_id, origins) = (&self.content, "airlock.example", &[ORIGIN.to_owned()]);
        let expected = Expected { content, rp_id, origins, user_verification: true };
        let assertion = Assertion {
            authenticator_data: &self.authenticator_data,
            client_data: self.client_data.as_bytes(),
            signature,
        };
        verify(&assertion, &self.public_key(), &expected)
    }

    fn verified(&self) -> Result<Asserted, PasskeyError> {
        self.verified_with(self.signature().to_der().as_bytes())
    }
}

#[test]
fn a_good_assertion_tells_its_counter() {
    assert_eq!(Made::good().verified(), Ok(Asserted { counter: 7, user_verified: true }));
}

#[test]
fn an_assertion_over_another_content_is_refused() {
    let other = Made { content: Digest::ZERO, ..Made::good() };
    assert!(matches!(other.verified(), Err(PasskeyError::Challenge { .. })));
    // Padding would be a second spelling of the same bytes.
    let padded = Made::saying("challenge", json!(challenge(&Made::good().content) + "="));
    assert!(matches!(padded.verified(), Err(PasskeyError::Challenge { .. })));
}

#[test]
fn a_registration_is_no_assertion() {
    let found = Made::saying("type", json!("webauthn.create")).verified();
    assert_eq!(found, Err(PasskeyError::Type { found: "webauthn.create".to_owned() }));
}

#[test]
fn another_origin_is_refused_also_when_it_begins_like_ours() {
    for origin in
        ["https://airlock.example.evil.example", "http://airlock.example", "https://airlock.example/", ""]
    {
        let found = Made::saying("origin", json!(origin)).verified();
        assert_eq!(found, Err(PasskeyError::Origin { found: origin.to_owned() }));
    }
}

#[test]
fn a_page_within_another_sites_page_is_refused() {
    assert_eq!(Made::saying("crossOrigin", json!(true)).verified(), Err(PasskeyError::CrossOrigin));
    let top = Made::saying("topOrigin", json!("https://evil.example"));
    assert_eq!(top.verified(), Err(PasskeyError::CrossOrigin));
    let mut client: Value = serde_json::from_str(&Made::good().client_data).unwrap();
    client.as_object_mut().unwrap().remove("crossOrigin");
    assert!(Made::with_text(client.to_string()).verified().is_ok(), "older browsers leave it out");
}

#[test]
fn client_data_of_another_form_is_refused() {
    let good = Made::good().client_data;
    let twice = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    let altered = [
        twice(r#""type":"webauthn.get""#),
        twice(r#""challenge":"""#),
        twice(r#""\u006frigin":"https://airlock.example""#),
        twice(r#""crossOrigin":false"#),
        twice(r#""topOrigin":1,"topOrigin":1"#),
        format!(r#"["webauthn.get","{}","{ORIGIN}",false]"#, challenge(&Made::good().content)),
        format!("{good} x"),
        format!("\u{feff}{good}"),
        good.replace("false", "null"),
        good.replace(r#""type""#, r#""Type""#),
        "{".to_owned(),
        String::new(),
        "[".repeat(MAX_DATA_BYTES),
        format!(r#"{{"x":{}"#, "[".repeat(MAX_DATA_BYTES - 10)),
    ];
    for text in altered {
        let found = Made::with_text(text.clone()).verified();
        assert!(matches!(found, Err(PasskeyError::ClientData { .. })), "{text}: {found:?}");
    }
}

#[test]
fn parts_that_are_too_long_are_not_even_parsed() {
    let client = Made::with_text(" ".repeat(MAX_DATA_BYTES + 1)).verified();
    assert!(matches!(client, Err(PasskeyError::TooLong { part: "client data", .. })));
    let data = Made::followed_by(0b1000_0101, &[0; MAX_DATA_BYTES]).verified();
    assert!(matches!(data, Err(PasskeyError::TooLong { part: "authenticator data", .. })));
    let signature = Made::good().verified_with(&[0x30; 73]);
    assert!(matches!(signature, Err(PasskeyError::TooLong { part: "signature", .. })));
}

#[test]
fn another_relying_party_is_refused() {
    let mut made = Made::good();
    made.authenticator_data[..32].copy_from_slice(&Sha256::digest(b"evil.example"));
    let expected = "airlock.example".to_owned();
    assert_eq!(made.verified(), Err(PasskeyError::RelyingParty { expected }));
}

#[test]
fn nobody_present_or_nobody_verified_is_refused() {
    assert_eq!(Made::with_flags(0b100).verified(), Err(PasskeyError::UserPresence));
    assert_eq!(Made::with_flags(0b001).verified(), Err(PasskeyError::UserVerification));
}

#[test]
fn what_follows_the_counter_must_be_what_the_flags_say() {
    let extensions = b"\xa1\x63prf\xa1\x61e\xf5";
    assert!(Made::followed_by(0b1000_0101, extensions).verified().is_ok());
    let mut short = Made::good();
    short.authenticator_data.pop();
    let wrong = [
        Made::followed_by(0b0000_0101, extensions),
        Made::followed_by(0b1000_0101, b""),
        Made::followed_by(0b1000_0101, b"\xa1\x63prf"),
        Made::followed_by(0b1000_0101, b"\xa0\xa0"),
        Made::followed_by(0b1000_0101, b"\x80"),
        // A map of 2^32 pairs that are not there.
        Made::followed_by(0b1000_0101, b"\xba\xff\xff\xff\xff"),
        Made::followed_by(0b0100_0101, &[0; 55]),
        Made::with_flags(0b0001_0101),
        short,
    ];
    for made in wrong {
        let found = made.verified();
        assert!(matches!(found, Err(PasskeyError::AuthenticatorData { .. })), "{found:?}");
    }
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let good = Made::good();
    let der = good.signature().to_der().as_bytes().to_vec();
    for place in 0..good.authenticator_data.len() {
        let mut altered = good.clone();
        altered.authenticator_data[place] ^= 0x40;
        assert!(altered.verified_with(&der).is_err(), "authenticator data {place}");
    }
    for place in 0..good.client_data.len() {
        let mut bytes = good.client_data.clone().into_bytes();
        bytes[place] ^= 1;
        let altered = Made { client_data: String::from_utf8(bytes).unwrap(), ..good.clone() };
        assert!(altered.verified_with(&der).is_err(), "client data {place}");
    }
    for place in 0..der.len() {
        let mut altered = der.clone();
        altered[place] ^= 1;
        assert!(good.verified_with(&altered).is_err(), "signature {place}");
    }
}

#[test]
fn a_signature_has_one_der_spelling() {
    let good = Made::good();
    let der = good.signature().to_der().as_bytes().to_vec();
    let (r, s) = (4..4 + usize::from(der[3]), 6 + usize::from(der[3])..der.len());
    let spelled = |r: &[u8], s: &[u8]| {
        let integer = |n: &[u8]| [&[2, u8::try_from(n.len()).unwrap()], n].concat();
        let both = [integer(r), integer(s)].concat();
        [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat()
    };
    let (r, s) = (&der[r], &der[s]);
    assert_eq!(spelled(r, s), der);
    let order = hex::decode("00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let padded = [&[0], r].concat();
    let negative = [&[0x80], &r[r.len() - 31..]].concat();
    let wrong = [
        spelled(&padded, s),
        spelled(&negative, s),
        spelled(&[0], s),
        spelled(r, &[0]),
        spelled(&order, s),
        spelled(r, &order),
        spelled(r, &[]),
        [&der[..], &[0]].concat(),
        [&[0x30, 0x81, der[1]], &der[2..]].concat(),
        [&[0x31], &der[1..]].concat(),
        good.signature().to_bytes().to_vec(),
        Vec::new(),
    ];
    for signature in wrong {
        let found = good.verified_with(&signature);
        let refused = matches!(found, Err(PasskeyError::SignatureForm | PasskeyError::TooLong { .. }));
        assert!(refused, "{}: {found:?}", hex::encode(&signature));
    }
}

#[test]
fn a_high_s_is_no_fault_because_authenticators_do_not_normalise_it() {
    let good = Made::good();
    let signature = good.signature();
    let mirrored = Signature::from_scalars(signature.r(), -signature.s()).unwrap();
    assert_eq!(
        good.verified_with(signature.to_der().as_bytes()),
        good.verified_with(mirrored.to_der().as_bytes())
    );
    assert!(good.verified_with(mirrored.to_der().as_bytes()).is_ok());
}

#[test]
fn another_credentials_key_is_refused() {
    let good = Made::good();
    let der = good.signature().to_der().as_bytes().to_vec();
    let other = Made { key: SigningKey::from_slice(&[8; 32]).unwrap(), ..good };
    assert_eq!(other.verified_with(&der), Err(PasskeyError::Signature));
}

#[test]
fn a_public_key_is_a_point_in_its_uncompressed_form() {
    let good = Made::good();
    let der = good.signature().to_der().as_bytes().to_vec();
    let origins = [ORIGIN.to_owned()];
    let expected = Expected {
        content: &good.content,
        rp_id: "airlock.example",
        origins: &origins,
        user_verification: true,
    };
    let assertion = Assertion {
        authenticator_data: &good.authenticator_data,
        client_data: good.client_data.as_bytes(),
        signature: &der,
    };
    let (mut off_curve, mut hybrid) = (good.public_key(), good.public_key());
    off_curve[64] ^= 1;
    hybrid[0] = 6 | (hybrid[64] & 1);
    for key in [off_curve, hybrid, [0; 65]] {
        assert_eq!(verify(&assertion, &key, &expected), Err(PasskeyError::PublicKey));
    }
}

#[test]
fn bytes_have_one_spelling_in_base64url() {
    let bytes: Vec<u8> = (0..=255).collect();
    for end in 0..bytes.len() {
        let text = base64url(&bytes[..end]);
        assert_eq!(from_base64url(&text, end).as_deref(), Some(&bytes[..end]));
    }
    assert_eq!(base64url(&[0xfb, 0xff, 0xfe]), "-__-");
    // Padding, the other alphabet, bits that are not there, a letter too many, white space, too long.
    for text in ["AA==", "+//+", "AB", "A", "AAAAA", "AA A", "AAAA"] {
        assert_eq!(from_base64url(text, 2), None, "{text}");
    }
}

#[test]
fn only_a_counter_that_does_not_rise_is_a_warning() {
    assert_eq!(compare(0, None), Counter::Good);
    assert_eq!(compare(0, Some(0)), Counter::Good);
    assert_eq!(compare(8, Some(7)), Counter::Good);
    assert_eq!(compare(7, Some(7)), Counter::DidNotRise { remembered: 7 });
    assert_eq!(compare(6, Some(7)), Counter::DidNotRise { remembered: 7 });
    assert_eq!(compare(0, Some(7)), Counter::DidNotRise { remembered: 7 });
}

/// What the browser recorded.
struct Recorded(Value);

impl Recorded {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/webauthn.json");
        Self(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    fn verified(
        &self,
        person: &Value,
        assertion: &Value,
        user_verification: bool,
    ) -> Result<Asserted, PasskeyError> {
        let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
        let (data, client) = (bytes(&assertion["authenticator_data"]), bytes(&assertion["client_data"]));
        let (signature, key) = (bytes(&assertion["signature"]), bytes(&person["public_key"]));
        let content = Digest::from_hex(assertion["digest"].as_str().unwrap()).unwrap();
        let (rp_id, origins) =
            (self.0["rp_id"].as_str().unwrap(), [self.0["origin"].as_str().unwrap().to_owned()]);
        let expected = Expected { content: &content, rp_id, origins: &origins, user_verification };
        let assertion = Assertion { authenticator_data: &data, client_data: &client, signature: &signature };
        verify(&assertion, &key.try_into().unwrap(), &expected)
    }

    fn counters(&self, person: usize) -> Vec<u32> {
        let person = &self.0["people"][person];
        let assertions = person["assertions"].as_array().unwrap();
        assertions.iter().map(|one| self.verified(person, one, true).unwrap().counter).collect()
    }
}

#[test]
fn what_chromium_asserted_is_accepted_with_counters_that_rise_or_stay_zero() {
    let recorded = Recorded::read();
    let rising = recorded.counters(0);
    assert!(
        rising.len() >= 2 && rising.windows(2).all(|pair| compare(pair[1], Some(pair[0])) == Counter::Good)
    );
    let none = recorded.counters(1);
    assert!(none.len() >= 2 && none.iter().all(|counter| *counter == 0));
    let carol = &recorded.0["people"][0];
    let fallen = recorded.verified(carol, &recorded.0["counter_fallen"], true).unwrap().counter;
    let remembered = *rising.last().unwrap();
    assert_eq!(compare(fallen, Some(remembered)), Counter::DidNotRise { remembered });
}

#[test]
fn what_chromium_asserted_elsewhere_or_without_verification_is_refused() {
    let recorded = Recorded::read();
    let (frank, grace) = (&recorded.0["unverified"], &recorded.0["other_origin"]);
    let touched = &frank["assertions"][0];
    assert_eq!(recorded.verified(frank, touched, true), Err(PasskeyError::UserVerification));
    assert!(
        !recorded.verified(frank, touched, false).unwrap().user_verified,
        "a touch is enough where policy says so"
    );
    let elsewhere = recorded.verified(grace, &grace["assertions"][0], true);
    assert!(matches!(elsewhere, Err(PasskeyError::Origin { .. })), "{elsewhere:?}");
    let carol = &recorded.0["people"][0];
    let by_another = recorded.verified(&recorded.0["people"][1], &carol["assertions"][0], true);
    assert_eq!(by_another, Err(PasskeyError::Signature));
}
