//! One transaction out to a hardware wallet and back: what the request says, and every reply that is refused.
//!
//! The device is played by a key of the sample world; its replies come in each spelling that real devices use.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod sample;

use airlock_shared::batch::{CancelTerms, Content, Context};
use airlock_shared::chain::{Signature, evm, signature, tron};
use airlock_shared::frames::ur::{
    CborError, DataType, DeviceSignature, HardwareRequest, Message, ReplyError, RequestError, RequestId,
    SignRequest, Ur,
};
use airlock_shared::{Family, Network};
use sample::NOW;

const BOTH: [Network; 2] = [Network::TRON_DEV, Network::EVM_DEV];
const FINGERPRINT: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

fn request(network: Network, item: usize) -> HardwareRequest {
    HardwareRequest::new(&sample::content(network, 3), item, 0, Some(FINGERPRINT)).unwrap()
}

/// What the device with this key answers.
fn signed(request: &HardwareRequest, seed: u8) -> Signature {
    signature::sign(&sample::chain_key(seed), &request.unsigned().signing_hash()).unwrap()
}

fn reply(family: Family, id: Option<RequestId>, signature: Vec<u8>) -> Ur {
    let message = DeviceSignature { family, request_id: id, signature, origin: None };
    Message::Signature(message).to_ur().unwrap()
}

fn honest(request: &HardwareRequest) -> Ur {
    let family = request.source().network().family();
    reply(family, Some(request.request_id()), signed(request, 7).to_bytes().to_vec())
}

#[test]
fn the_request_carries_the_bytes_that_both_sides_build() {
    for network in BOTH {
        let request = request(network, 1);
        let ur = Ur::parse(&request.ur().unwrap().text()).unwrap();
        let Ok(Message::SignRequest(read)) = Message::read(&ur) else {
            panic!("a sign request was expected")
        };
        assert_eq!(read, request.message());
        assert_eq!(read.sign_data, request.unsigned().bytes());
        assert_eq!(
            (read.request_id, read.path.source_fingerprint),
            (Some(request.request_id()), Some(FINGERPRINT))
        );
        assert_eq!(read.origin.as_deref(), Some("airlock"));
    }
}

#[test]
fn an_evm_request_is_a_typed_transaction_with_chain_and_address() {
    let request = request(Network::EVM_DEV, 2);
    let SignRequest { data_type, chain_id, address, path, sign_data, .. } = request.message();
    assert_eq!((data_type, chain_id), (DataType::TypedTransaction, Some(31_337)));
    assert_eq!(address, Some(*request.source().payload()));
    assert_eq!(path.to_string(), "m/44'/60'/17'/0/0");
    let read = evm::decode_unsigned(&sign_data).unwrap();
    assert_eq!(read.fields().account_nonce, 72);
    assert_eq!(request.ur().unwrap().ur_type(), "eth-sign-request");
}

#[test]
fn a_tron_request_is_the_raw_data() {
    let request = request(Network::TRON_DEV, 0);
    let SignRequest { data_type, chain_id, address, path, sign_data, .. } = request.message();
    assert_eq!((data_type, chain_id, address), (DataType::Transaction, None, None));
    assert_eq!(path.to_string(), "m/44'/195'/25'/0/0");
    assert_eq!(tron::decode_unsigned(&sign_data).unwrap().encode(), sign_data);
    assert_eq!(request.ur().unwrap().ur_type(), "tron-sign-request");
}

#[test]
fn every_spelling_of_a_signature_gives_the_one_transaction() {
    for network in BOTH {
        let request = request(network, 0);
        let honest = signed(&request, 7);
        let expected = request.unsigned().clone().attach(honest).unwrap();
        let parity = honest.y_parity();
        let mut last_bytes = vec![vec![parity], vec![27 + parity], vec![1 - parity]];
        if network.family() == Family::Evm {
            // EIP-155 of a small chain id, of ours in two bytes and of the largest that there is.
            last_bytes.extend([vec![37 + parity], vec![0xf4, 0xf5 + parity], vec![0xff; 8]]);
        }
        for v in last_bytes {
            let bytes = [&honest.r()[..], &honest.s()[..], &v].concat();
            let reply = reply(network.family(), Some(request.request_id()), bytes);
            assert_eq!(request.accept(&reply, NOW).unwrap(), expected, "{v:?}");
        }
        let high = k256::ecdsa::Signature::from_scalars(*honest.r(), *honest.s()).unwrap();
        let high_s = (-*high.s()).to_bytes();
        let bytes = [&honest.r()[..], &high_s, &[27]].concat();
        let reply = reply(network.family(), Some(request.request_id()), bytes);
        assert_eq!(request.accept(&reply, NOW).unwrap(), expected, "high s is brought low");
    }
}

#[test]
fn a_reply_without_or_with_another_id_is_refused() {
    for network in BOTH {
        let (request, family) = (request(network, 0), network.family());
        let (expected, bytes) = (request.request_id(), signed(&request, 7).to_bytes().to_vec());
        let answer = |id| request.accept(&reply(family, id, bytes.clone()), NOW);
        assert_eq!(answer(None).unwrap_err(), ReplyError::NoRequestId { expected });
        let found = RequestId::from_bytes([7; 16]);
        assert_eq!(answer(Some(found)).unwrap_err(), ReplyError::OtherRequest { expected, found });
    }
}

#[test]
fn a_reply_to_another_item_of_the_batch_is_stale() {
    for network in BOTH {
        let (earlier, now) = (request(network, 2), request(network, 0));
        assert_eq!(now.accept(&honest(&earlier), NOW), Err(ReplyError::Stale { item: 2, transaction: 0 }));
    }
}

#[test]
fn a_reply_to_another_batch_is_for_another_request() {
    let now = request(Network::EVM_DEV, 0);
    let other = Content { created_at: NOW - 1, ..sample::content(Network::EVM_DEV, 3) };
    let other = HardwareRequest::new(&other, 0, 0, None).unwrap();
    let expected = ReplyError::OtherRequest { expected: now.request_id(), found: other.request_id() };
    assert_eq!(now.accept(&honest(&other), NOW), Err(expected));
}

#[test]
fn a_reply_after_the_batch_expired_is_refused() {
    for network in BOTH {
        let request = request(network, 0);
        let expires_at = sample::content(network, 3).expires_at;
        let late = request.accept(&honest(&request), expires_at);
        assert_eq!(late, Err(ReplyError::Expired { expires_at, now: expires_at }));
        assert!(request.accept(&honest(&request), expires_at - 1).is_ok());
    }
}

#[test]
fn a_signature_by_another_key_or_over_other_bytes_is_refused() {
    for network in BOTH {
        let (request, family) = (request(network, 0), network.family());
        let other_bytes = signed(&self::request(network, 1), 7);
        for wrong in [signed(&request, 8), other_bytes] {
            let reply = reply(family, Some(request.request_id()), wrong.to_bytes().to_vec());
            let Err(ReplyError::WrongSigner { expected, recovered }) = request.accept(&reply, NOW) else {
                panic!("a wrong signer was expected")
            };
            assert_eq!(expected, request.source());
            assert!(!recovered.contains(&expected));
        }
    }
}

#[test]
fn numbers_that_are_no_signature_are_refused() {
    let request = request(Network::EVM_DEV, 0);
    for bytes in [[0; 65], [0xff; 65]] {
        let reply = reply(Family::Evm, Some(request.request_id()), bytes.to_vec());
        assert!(matches!(request.accept(&reply, NOW), Err(ReplyError::Signature(_))));
    }
}

#[test]
fn a_reply_of_another_type_is_refused() {
    let (tron, evm) = (request(Network::TRON_DEV, 0), request(Network::EVM_DEV, 0));
    let wrong = evm.accept(&honest(&tron), NOW).unwrap_err();
    let expected = ReplyError::OtherType { expected: "eth-signature", found: "tron-signature".to_owned() };
    assert_eq!(wrong, expected);
    assert!(matches!(evm.accept(&evm.ur().unwrap(), NOW), Err(ReplyError::OtherType { .. })));
}

#[test]
fn malformed_replies_name_the_key() {
    let request = request(Network::EVM_DEV, 0);
    let answer = |cbor: &str| {
        let ur = Ur::new("eth-signature", hex::decode(cbor).unwrap()).unwrap();
        match request.accept(&ur, NOW).unwrap_err() {
            ReplyError::Cbor(error) => error,
            other => panic!("{other}"),
        }
    };
    let what = "eth-signature";
    let signature = "11".repeat(65);
    assert_eq!(answer("a0"), CborError::Missing { what, key: 2 });
    assert_eq!(answer("a10901"), CborError::UnknownKey { what, key: 9 });
    assert!(matches!(answer("a1024101"), CborError::Value { key: 2, .. }));
    assert!(matches!(answer("a101d825420102"), CborError::Value { key: 1, .. }));
    assert!(matches!(answer("a101d826420102"), CborError::Malformed { .. }));
    assert_eq!(answer(&format!("bf025841{signature}ff")), CborError::OtherSpelling { what });
    assert_eq!(answer(&format!("a1025841{signature}00")), CborError::OtherSpelling { what });
    assert_eq!(answer(&format!("a102590041{signature}")), CborError::OtherSpelling { what });
    assert_eq!(answer(&format!("a2025841{signature}025841{signature}")), CborError::OtherSpelling { what });
}

#[test]
fn every_fee_level_and_the_cancel_has_its_own_request() {
    let mut content = sample::content(Network::EVM_DEV, 2);
    let Context::Evm(context) = &mut content.context else { panic!("an EVM batch was expected") };
    let fee = context.levels[0];
    context.cancel = Some(CancelTerms { gas_limit: 21_000, fee });
    let pay = HardwareRequest::new(&content, 1, 0, None).unwrap();
    let cancel = HardwareRequest::new(&content, 1, 1, None).unwrap();
    assert_ne!(pay.request_id(), cancel.request_id());
    assert_ne!(pay.unsigned(), cancel.unsigned());
    assert_eq!(pay.accept(&honest(&cancel), NOW), Err(ReplyError::Stale { item: 1, transaction: 1 }));
    let none = HardwareRequest::new(&content, 1, 2, None).unwrap_err();
    assert_eq!(none, RequestError::NoTransaction { transaction: 2, count: 2 });
    let none = HardwareRequest::new(&content, 2, 0, None).unwrap_err();
    assert_eq!(none, RequestError::NoItem { item: 2, count: 2 });
}
