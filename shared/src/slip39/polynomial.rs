//! Polynomials over the field of 256 elements (x^8 + x^4 + x^3 + x + 1), one for each byte of a value.
//!
//! Called by `slip39` only. What must stay true: no table is looked up by secret bytes and no branch is taken
//! on them; places on the polynomial are distinct, which the caller has checked.

use zeroize::Zeroizing;

/// A value at a place. All points of one call have values of one length.
pub(super) struct Point<'a> {
    pub(super) at: u8,
    pub(super) value: &'a [u8],
}

/// The value at `at` of the polynomial through `points` (Lagrange).
pub(super) fn interpolate(points: &[Point<'_>], at: u8) -> Zeroizing<Vec<u8>> {
    let length = points.first().map_or(0, |point| point.value.len());
    let mut sum = Zeroizing::new(vec![0; length]);
    for (number, point) in points.iter().enumerate() {
        let others = points.iter().enumerate().filter(|(other, _)| *other != number);
        let (over, under) = others.fold((1, 1), |(over, under), (_, other)| {
            (multiply(over, other.at ^ at), multiply(under, other.at ^ point.at))
        });
        let weight = multiply(over, inverse(under));
        for (byte, value) in sum.iter_mut().zip(point.value) {
            *byte ^= multiply(weight, *value);
        }
    }
    sum
}

/// Long multiplication, the same steps for every pair.
fn multiply(a: u8, b: u8) -> u8 {
    let mut product = 0;
    let mut shifted = a;
    for bit in 0..8 {
        product ^= shifted & 0u8.wrapping_sub(b >> bit & 1);
        shifted = shifted << 1 ^ 0x1b & 0u8.wrapping_sub(shifted >> 7);
    }
    product
}

/// a^254, which is 1/a; 0 for 0.
fn inverse(a: u8) -> u8 {
    // 254 = 0b11111110: square and multiply, seven times.
    let mut square = a;
    let mut power = 1;
    for _ in 0..7 {
        square = multiply(square, square);
        power = multiply(power, square);
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_but_zero_has_an_inverse() {
        assert_eq!(inverse(0), 0);
        assert!((1..=255).all(|a| multiply(a, inverse(a)) == 1));
        // FIPS 197, section 4.2.
        assert_eq!((multiply(0x57, 0x83), multiply(0x57, 0x13)), (0xc1, 0xfe));
    }

    #[test]
    fn a_polynomial_goes_through_its_points() {
        let points = [(0, [1, 2]), (1, [250, 3]), (7, [9, 255])];
        let points: Vec<_> = points.iter().map(|(at, value)| Point { at: *at, value }).collect();
        for point in &points {
            assert_eq!(interpolate(&points, point.at)[..], *point.value);
        }
    }
}
