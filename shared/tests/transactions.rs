//! Properties of the transaction codecs that hold for any transfer, on both chain families.
//!
//! Bytes from outside are only ever read by the strict decoders: whatever they accept must be exactly what the
//! encoders write, so every altered byte is refused or is another transaction in its one spelling.

use airlock_shared::chain::evm::{self, Payment};
use airlock_shared::chain::signature::{Signature, public_key, sign};
use airlock_shared::chain::tron::{self, Contract, RecoveryForm, Resource};
use airlock_shared::{Address, BaseUnits, Network};
use k256::ecdsa::SigningKey;
use proptest::prelude::*;

fn amounts() -> impl Strategy<Value = BaseUnits> {
    let edges = prop::sample::select(vec![BaseUnits::ZERO, BaseUnits::from(127u64), BaseUnits::MAX]);
    prop_oneof![
        any::<u64>().prop_map(BaseUnits::from),
        any::<[u8; 32]>().prop_map(BaseUnits::from_be_bytes),
        edges
    ]
}

fn evm_fields() -> impl Strategy<Value = evm::Fields> {
    let payment =
        prop_oneof![
            (any::<[u8; 20]>(), amounts()).prop_map(|(to, amount)| Payment::Native { to, amount }),
            (any::<[u8; 20]>(), any::<[u8; 20]>(), amounts())
                .prop_map(|(contract, to, amount)| Payment::Token { contract, to, amount }),
        ];
    let fees = (any::<u128>(), any::<u128>(), any::<u64>());
    (1..=i64::MAX as u64, 0..u64::MAX, fees, payment).prop_map(
        |(chain_id, account_nonce, (fee_a, fee_b, gas_limit), payment)| evm::Fields {
            chain_id,
            account_nonce,
            max_priority_fee_per_gas: fee_a.min(fee_b),
            max_fee_per_gas: fee_a.max(fee_b),
            gas_limit,
            payment,
        },
    )
}

fn sun() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..1_000u64, 0..=i64::MAX as u64, Just(i64::MAX as u64)]
}

fn contracts() -> impl Strategy<Value = Contract> {
    let address = any::<[u8; 20]>;
    let resource = || prop::sample::select(vec![Resource::Bandwidth, Resource::Energy]);
    prop_oneof![
        (address(), sun()).prop_map(|(to, amount_sun)| Contract::Trx { to, amount_sun }),
        (address(), address(), amounts()).prop_map(|(contract, to, amount)| Contract::Token {
            contract,
            to,
            amount
        }),
        (address(), resource(), sun(), prop::option::of(sun())).prop_map(
            |(receiver, resource, balance_sun, lock_blocks)| Contract::Delegate {
                receiver,
                resource,
                balance_sun,
                lock_blocks
            }
        ),
        (address(), resource(), sun()).prop_map(|(receiver, resource, balance_sun)| Contract::Undelegate {
            receiver,
            resource,
            balance_sun
        }),
    ]
}

fn tron_fields() -> impl Strategy<Value = tron::Fields> {
    let block = (any::<[u8; 2]>(), any::<[u8; 8]>());
    let memo = prop::collection::vec(any::<u8>(), 0..300);
    let permission = prop_oneof![Just(0u32), 2..10u32, Just(i32::MAX as u32)];
    (block, (sun(), sun(), sun()), memo, permission, any::<[u8; 20]>(), contracts()).prop_map(
        |(block, numbers, memo, permission_id, owner, contract)| {
            let is_call = matches!(contract, Contract::Token { .. });
            tron::Fields {
                ref_block_bytes: block.0,
                ref_block_hash: block.1,
                expiration_ms: numbers.0,
                timestamp_ms: numbers.1,
                fee_limit_sun: if is_call { numbers.2 } else { 0 },
                memo,
                permission_id,
                owner,
                contract,
            }
        },
    )
}

fn keys() -> impl Strategy<Value = SigningKey> {
    any::<[u8; 32]>()
        .prop_filter_map("a key below the group order", |bytes| SigningKey::from_slice(&bytes).ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn evm_transactions_read_back_as_they_were_built(fields in evm_fields(), key in keys()) {
        let unsigned = evm::Unsigned::new(fields).unwrap();
        prop_assert_eq!(evm::decode_unsigned(&unsigned.encode()), Ok(unsigned));
        let signed = unsigned.attach(sign(&key, &unsigned.signing_hash()).unwrap());
        prop_assert_eq!(evm::decode_signed(&signed.bytes()), Ok(signed));
        let owner = Address::from_public_key(Network::Evm { chain_id: fields.chain_id }, &public_key(&key));
        prop_assert_eq!(signed.sender(), Ok(owner));
    }

    #[test]
    fn tron_transactions_read_back_as_they_were_built(fields in tron_fields(), key in keys(), other in keys()) {
        let unsigned = tron::Unsigned::new(fields).unwrap();
        prop_assert_eq!(tron::decode_unsigned(&unsigned.encode()), Ok(unsigned.clone()));
        let hash = unsigned.signing_hash();
        let signatures = vec![sign(&key, &hash).unwrap(), sign(&other, &hash).unwrap()];
        for form in [RecoveryForm::Plus27, RecoveryForm::Plain] {
            let signed = unsigned.clone().attach(signatures.clone()).unwrap().with_form(form);
            prop_assert_eq!(tron::decode_signed(&signed.bytes()), Ok(signed.clone()));
            let account = |key| Address::from_public_key(Network::TRON, &public_key(key));
            prop_assert_eq!(signed.signers(Network::TRON), Ok(vec![account(&key), account(&other)]));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_are_the_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(unsigned) = evm::decode_unsigned(&bytes) {
            prop_assert_eq!(unsigned.encode(), bytes.clone());
        }
        if let Ok(unsigned) = tron::decode_unsigned(&bytes) {
            prop_assert_eq!(unsigned.encode(), bytes);
        }
    }
}

fn evm_sample(payment: Payment) -> evm::Unsigned {
    evm::Unsigned::new(evm::Fields {
        chain_id: 1,
        account_nonce: 300,
        max_priority_fee_per_gas: 1_000_000_000,
        max_fee_per_gas: 30_000_000_000,
        gas_limit: 250_000,
        payment,
    })
    .expect("fields in range")
}

fn evm_samples() -> [evm::Unsigned; 2] {
    let amount = BaseUnits::from(1_250_500_000u64);
    [
        evm_sample(Payment::Native { to: [0x11; 20], amount }),
        evm_sample(Payment::Token { contract: [0x22; 20], to: [0x33; 20], amount }),
    ]
}

fn tron_sample(contract: Contract, fee_limit_sun: u64) -> tron::Unsigned {
    tron::Unsigned::new(tron::Fields {
        ref_block_bytes: [0x15, 0xf5],
        ref_block_hash: [0xce; 8],
        expiration_ms: 1_763_258_847_000,
        timestamp_ms: 1_763_244_448_249,
        fee_limit_sun,
        memo: b"invoice 42".to_vec(),
        permission_id: 2,
        owner: [0x44; 20],
        contract,
    })
    .expect("fields in range")
}

fn tron_samples() -> [tron::Unsigned; 4] {
    let (balance_sun, resource, receiver) = (1_000_000, Resource::Energy, [0x33; 20]);
    let token = Contract::Token { contract: [0x22; 20], to: [0x33; 20], amount: BaseUnits::from(1u64 << 40) };
    [
        tron_sample(token, 30_000_000),
        tron_sample(Contract::Trx { to: [0x33; 20], amount_sun: 1_000_000 }, 0),
        tron_sample(Contract::Delegate { receiver, resource, balance_sun, lock_blocks: Some(28_800) }, 0),
        tron_sample(Contract::Undelegate { receiver, resource, balance_sun }, 0),
    ]
}

/// Every text that differs from `bytes` in one byte, or is cut short, or has one byte more.
fn mutants(bytes: &[u8], flips: impl Iterator<Item = u8> + Clone) -> impl Iterator<Item = Vec<u8>> {
    let altered = (0..bytes.len()).flat_map(move |at| {
        flips.clone().map(move |flip| {
            let mut mutant = bytes.to_vec();
            mutant[at] ^= flip;
            mutant
        })
    });
    let cut = (0..bytes.len()).map(|length| bytes[..length].to_vec());
    let longer = (0..=255).map(move |extra| [bytes, &[extra]].concat());
    altered.chain(cut).chain(longer)
}

fn single_bits() -> impl Iterator<Item = u8> + Clone {
    (0..8).map(|bit| 1 << bit)
}

#[test]
fn no_altered_evm_transaction_passes_for_another_spelling() {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    for unsigned in evm_samples() {
        for mutant in mutants(&unsigned.encode(), 1..=255) {
            if let Ok(read) = evm::decode_unsigned(&mutant) {
                assert_eq!(read.encode(), mutant);
                assert_ne!(read, unsigned);
            }
        }
        let signed = unsigned.attach(sign(&key, &unsigned.signing_hash()).unwrap());
        for mutant in mutants(&signed.bytes(), single_bits()) {
            if let Ok(read) = evm::decode_signed(&mutant) {
                assert_eq!(read.bytes(), mutant);
                assert_ne!(read.sender(), signed.sender());
            }
        }
    }
}

#[test]
fn no_altered_tron_transaction_passes_for_another_spelling() {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    for unsigned in tron_samples() {
        for mutant in mutants(&unsigned.encode(), 1..=255) {
            if let Ok(read) = tron::decode_unsigned(&mutant) {
                assert_eq!(read.encode(), mutant);
                assert_ne!(read, unsigned);
            }
        }
        let signature = sign(&key, &unsigned.signing_hash()).unwrap();
        let signed = unsigned.attach(vec![signature]).unwrap();
        for mutant in mutants(&signed.bytes(), single_bits()) {
            if let Ok(read) = tron::decode_signed(&mutant) {
                assert_eq!(read.bytes(), mutant);
                assert_ne!(read.signers(Network::TRON), signed.signers(Network::TRON));
            }
        }
    }
}

#[test]
fn evm_fields_that_no_chain_accepts_are_refused() {
    let fields = *evm_samples()[0].fields();
    let refused = |fields| evm::Unsigned::new(fields).unwrap_err();
    assert_eq!(refused(evm::Fields { chain_id: 0, ..fields }), evm::Refusal::ChainId);
    assert_eq!(refused(evm::Fields { chain_id: 1 << 63, ..fields }), evm::Refusal::ChainId);
    assert_eq!(refused(evm::Fields { account_nonce: u64::MAX, ..fields }), evm::Refusal::AccountNonce);
    let turned = evm::Fields { max_priority_fee_per_gas: 2, max_fee_per_gas: 1, ..fields };
    assert_eq!(refused(turned), evm::Refusal::PriorityAboveMax { priority: 2, max: 1 });
}

#[test]
fn evm_kinds_that_are_not_built_are_refused_by_name() {
    use evm::{Kind, Refusal};
    for (type_byte, kind) in [
        (0, Kind::UnknownType { type_byte: 0 }),
        (1, Kind::Eip2930),
        (3, Kind::Eip4844),
        (4, Kind::Eip7702),
        (0x7f, Kind::UnknownType { type_byte: 0x7f }),
    ] {
        assert_eq!(evm::decode_signed(&[type_byte, 0xc0]), Err(Refusal::Kind(kind.clone())));
        assert_eq!(evm::decode_unsigned(&[type_byte, 0xc0]), Err(Refusal::Kind(kind)));
    }
    assert_eq!(evm::decode_signed(&[]), Err(Refusal::Empty));

    let approve = [&[0x09, 0x5e, 0xa7, 0xb3][..], &[0; 64]].concat();
    let refused = Payment::from_parts([0; 20], BaseUnits::ZERO, &approve);
    assert_eq!(refused, Err(Kind::OtherCall { bytes: 68 }));
    let transfer = evm_samples()[1].fields().payment.data();
    let refused = Payment::from_parts([0; 20], BaseUnits::from(1u64), &transfer);
    assert_eq!(refused, Err(Kind::CallWithValue));
}

#[test]
fn tron_fields_out_of_range_or_unused_are_refused() {
    let [token, trx, ..] = tron_samples().map(|sample| sample.fields().clone());
    let refused = |fields| tron::Unsigned::new(fields).unwrap_err();
    let found = 1 << 63;
    let field = "expiration";
    assert_eq!(
        refused(tron::Fields { expiration_ms: found, ..token.clone() }),
        tron::Refusal::OutOfRange { field, found }
    );
    assert_eq!(refused(tron::Fields { fee_limit_sun: 5, ..trx }), tron::Refusal::FeeLimitUnused { found: 5 });
    let memo = vec![b'x'; 20_000];
    assert!(matches!(refused(tron::Fields { memo, ..token }), tron::Refusal::TooLong { .. }));
}

#[test]
fn a_tron_transaction_needs_one_to_five_signatures() {
    let [unsigned, ..] = tron_samples();
    let signature = Signature::from_parts([1; 32], [1; 32], 0).unwrap();
    for found in [0, 6] {
        let refused = unsigned.clone().attach(vec![signature; found]);
        assert_eq!(refused.unwrap_err(), tron::Refusal::SignatureCount { found });
    }
}

/// What a well-known parser lets through, each a refusal of ours: the raw_data of a token transfer, altered.
#[test]
fn loose_tron_bytes_are_refused_by_name() {
    use tron::Refusal;
    let raw = tron_samples()[1].encode();
    let refused = |bytes: &[u8]| tron::decode_unsigned(bytes).unwrap_err();

    let unknown_field = [&raw[..], &[0xa0, 0x01, 0x05]].concat();
    assert_eq!(refused(&unknown_field), Refusal::UnusedField { message: "raw_data", field: 20 });
    let fee_limit_zero = [&raw[..], &[0x90, 0x01, 0x00]].concat();
    assert_eq!(refused(&fee_limit_zero), Refusal::DefaultWritten { message: "raw_data", field: 18 });
    let fee_limit_unused = [&raw[..], &[0x90, 0x01, 0x05]].concat();
    assert_eq!(refused(&fee_limit_unused), Refusal::FeeLimitUnused { found: 5 });
    let block_again = [&raw[..], &[0x0a, 0x02, 0x15, 0xf5]].concat();
    assert_eq!(refused(&block_again), Refusal::Order { message: "raw_data", field: 1 });
    let long_varint = [&raw[..], &[0x90, 0x01, 0x85, 0x00]].concat();
    assert_eq!(refused(&long_varint), Refusal::Varint { message: "raw_data" });
    let endless = [&raw[..], &[0x9a, 0x01, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    assert_eq!(refused(&endless), Refusal::Truncated { message: "raw_data" });
    assert_eq!(refused(&[]), Refusal::Repeated { message: "raw_data", field: 11, found: 0 });
}
