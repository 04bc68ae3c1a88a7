//! Column encodings: how a thousand items become some twenty-five bytes each.
//!
//! ```text
//! varint       LEB128, least significant seven bits first, up to 256 bits
//! ids          per item varint(zigzag(id - previous id)), the first against 0, modulo 2^64
//! addresses    20 bytes per item; if all are equal and there are two or more, 20 bytes once
//! amounts      one byte e, then per item varint(amount / 10^e); e is the largest that divides all
//! nonces       varint start and varint length per maximal run of consecutive account nonces
//! indexes      per item varint
//! ```
//! Each has one canonical form; a reader decodes, the document is re-encoded, and the bytes must be equal.

use crate::amount::BaseUnits;

/// Appends `value` as LEB128.
fn push_varint(to: &mut Vec<u8>, value: BaseUnits) {
    // Almost every value fits 128 bits; the rest goes through 256-bit division.
    match value.to_u128() {
        Some(small) => push_varint_128(to, small),
        None => {
            let Some((rest, low)) = value.checked_div_rem(BaseUnits::from(128u64)) else { return };
            to.push(low.to_u64().unwrap_or(0) as u8 | 0x80);
            push_varint(to, rest);
        }
    }
}

fn push_varint_128(to: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Takes one varint of up to 256 bits off the front of `from`.
fn take_varint(from: &mut &[u8]) -> Option<BaseUnits> {
    let mut value = BaseUnits::ZERO;
    let mut place = Some(BaseUnits::from(1u64));
    loop {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        let digit = BaseUnits::from(u64::from(byte & 0x7f));
        if !digit.is_zero() {
            value = value.checked_add(place?.checked_mul(digit)?)?;
        }
        if byte & 0x80 == 0 {
            return Some(value);
        }
        place = Some(place?.checked_mul(BaseUnits::from(128u64)).unwrap_or(BaseUnits::ZERO))
            .filter(|place| !place.is_zero());
    }
}

fn take_u64(from: &mut &[u8]) -> Option<u64> {
    take_varint(from)?.to_u64()
}

/// Runs `take` exactly `count` times over all of `bytes`.
fn take_all<T>(
    mut bytes: &[u8],
    count: usize,
    mut take: impl FnMut(&mut &[u8]) -> Option<T>,
) -> Option<Vec<T>> {
    // Every value takes at least one byte, so a false count cannot make this allocate.
    if count > bytes.len() {
        return None;
    }
    let values = (0..count).map(|_| take(&mut bytes)).collect::<Option<Vec<_>>>()?;
    bytes.is_empty().then_some(values)
}

/// Item ids.
pub fn ids_to_bytes(ids: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut previous = 0u64;
    for id in ids {
        let step = id.wrapping_sub(previous) as i64;
        push_varint_128(&mut bytes, u128::from(((step << 1) ^ (step >> 63)) as u64));
        previous = id;
    }
    bytes
}

/// `count` item ids.
pub fn ids_from_bytes(bytes: &[u8], count: usize) -> Option<Vec<u64>> {
    let mut previous = 0u64;
    take_all(bytes, count, |from| {
        let folded = take_u64(from)?;
        let step = (folded >> 1) ^ 0u64.wrapping_sub(folded & 1);
        previous = previous.wrapping_add(step);
        Some(previous)
    })
}

/// Addresses.
pub fn addresses_to_bytes(addresses: &[[u8; 20]]) -> Vec<u8> {
    match addresses {
        [first, rest @ ..] if rest.iter().all(|address| address == first) => first.to_vec(),
        all => all.concat(),
    }
}

/// `count` addresses.
pub fn addresses_from_bytes(bytes: &[u8], count: usize) -> Option<Vec<[u8; 20]>> {
    if let Ok(one) = <[u8; 20]>::try_from(bytes) {
        return Some(vec![one; count]);
    }
    let (addresses, rest) = bytes.as_chunks::<20>();
    (rest.is_empty() && addresses.len() == count).then(|| addresses.to_vec())
}

/// Amounts.
pub fn amounts_to_bytes(amounts: &[BaseUnits]) -> Vec<u8> {
    let exponent = amounts.iter().map(|amount| zeros_at_the_end(*amount)).min().unwrap_or(0);
    let exponent = if amounts.iter().all(|amount| amount.is_zero()) { 0 } else { exponent };
    let unit = BaseUnits::power_of_ten(exponent).unwrap_or(BaseUnits::MAX);
    let mut bytes = vec![exponent];
    for amount in amounts {
        let whole = amount.checked_div_rem(unit).map_or(BaseUnits::ZERO, |(whole, _)| whole);
        push_varint(&mut bytes, whole);
    }
    bytes
}

/// Decimal zeros at the end of an amount; 77 for zero itself, which every power divides.
fn zeros_at_the_end(amount: BaseUnits) -> u8 {
    if amount.is_zero() {
        return 77;
    }
    let ten = BaseUnits::from(10u64);
    let mut rest = amount;
    let mut zeros = 0;
    while let Some((next, last)) = rest.checked_div_rem(ten)
        && last.is_zero()
    {
        rest = next;
        zeros += 1;
    }
    zeros
}

/// `count` amounts.
pub fn amounts_from_bytes(bytes: &[u8], count: usize) -> Option<Vec<BaseUnits>> {
    let (exponent, rest) = bytes.split_first()?;
    let unit = BaseUnits::power_of_ten(*exponent)?;
    take_all(rest, count, |from| take_varint(from)?.checked_mul(unit))
}

/// Account nonces.
pub fn nonces_to_bytes(nonces: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for run in nonces.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
        push_varint_128(&mut bytes, u128::from(run[0]));
        push_varint_128(&mut bytes, run.len() as u128);
    }
    bytes
}

/// `count` account nonces.
pub fn nonces_from_bytes(mut bytes: &[u8], count: usize) -> Option<Vec<u64>> {
    let mut nonces = Vec::new();
    while !bytes.is_empty() {
        let start = take_u64(&mut bytes)?;
        let length = take_u64(&mut bytes)?;
        let left = count.checked_sub(nonces.len())?;
        if length == 0 || length > left as u64 {
            return None;
        }
        let end = start.checked_add(length)?;
        nonces.extend(start..end);
    }
    (nonces.len() == count).then_some(nonces)
}

/// Indexes of own wallets.
pub fn indexes_to_bytes(indexes: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    indexes.into_iter().for_each(|index| push_varint_128(&mut bytes, u128::from(index)));
    bytes
}

/// `count` indexes of own wallets.
pub fn indexes_from_bytes(bytes: &[u8], count: usize) -> Option<Vec<u32>> {
    take_all(bytes, count, |from| u32::try_from(take_u64(from)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_column_comes_back_as_it_went(
            ids in prop::collection::vec(any::<u64>(), 1..40),
            wide in prop::collection::vec(any::<[u8; 32]>(), 1..40),
            zeros in 0u32..20,
            nonces in prop::collection::vec(0u64..6, 1..40),
        ) {
            prop_assert_eq!(&ids_from_bytes(&ids_to_bytes(ids.clone()), ids.len()).unwrap(), &ids);
            let amounts: Vec<_> = wide.iter().map(|b| BaseUnits::from_be_bytes(*b)).collect();
            prop_assert_eq!(&amounts_from_bytes(&amounts_to_bytes(&amounts), amounts.len()).unwrap(), &amounts);
            let round: Vec<_> = ids.iter().map(|id| BaseUnits::from(u128::from(*id) * 10u128.pow(zeros % 18))).collect();
            prop_assert_eq!(&amounts_from_bytes(&amounts_to_bytes(&round), round.len()).unwrap(), &round);
            prop_assert_eq!(&nonces_from_bytes(&nonces_to_bytes(&nonces), nonces.len()).unwrap(), &nonces);
        }

        #[test]
        fn hostile_columns_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), count in 0usize..6000) {
            let _ = (ids_from_bytes(&bytes, count), amounts_from_bytes(&bytes, count));
            let _ = (nonces_from_bytes(&bytes, count), indexes_from_bytes(&bytes, count));
            let _ = addresses_from_bytes(&bytes, count);
        }
    }

    #[test]
    fn contiguous_nonces_and_equal_addresses_cost_next_to_nothing() {
        let nonces: Vec<u64> = (70_000..71_000).collect();
        assert_eq!(nonces_to_bytes(&nonces).len(), 5);
        assert_eq!(addresses_to_bytes(&[[7; 20]; 1_000]).len(), 20);
    }

    #[test]
    fn round_amounts_shed_their_zeros() {
        let amounts = [BaseUnits::from(12_340_000u64), BaseUnits::from(500_000_000u64)];
        assert_eq!(amounts_to_bytes(&amounts), [4, 0xd2, 0x09, 0xd0, 0x86, 0x03]);
    }
}
