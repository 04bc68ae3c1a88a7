//! Well-formed addresses that nobody should ever pay: money sent there is lost.
//!
//! The coordinator refuses them when a withdrawal is requested, the signer refuses them by rule. The list is
//! what is known of every network; a batch's own token contract and source are compared by the rule itself.

use crate::address::Address;

/// USDT's contract on every network that has an official one. A token contract keeps what is sent to it.
const USDT_CONTRACTS: [[u8; 20]; 6] = [
    // Ethereum 0xdAC17F958D2ee523a2206206994597C13D831ec7
    hex_payload(b"dac17f958d2ee523a2206206994597c13d831ec7"),
    // Polygon 0xc2132D05D31c914a87C6611C10748AEb04B58e8F
    hex_payload(b"c2132d05d31c914a87c6611c10748aeb04b58e8f"),
    // BSC 0x55d398326f99059fF775485246999027B3197955
    hex_payload(b"55d398326f99059ff775485246999027b3197955"),
    // Arbitrum 0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9
    hex_payload(b"fd086bc7cd5c481dcc9c85ebe478a1c0b69fcbb9"),
    // TRON TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t
    hex_payload(b"a614f803b6fd780986a42c78ec9c7f77e6ded13c"),
    // Nile TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf
    hex_payload(b"eca9bc828a3005b9a3b909f2cc5c2a54794de05f"),
];

/// Where coins are sent to be destroyed, beside the addresses below 2^16.
const BURN: [u8; 20] = hex_payload(b"dead000000000000000042069420694206942069");

/// Why this address must not be paid, if it must not.
pub fn reason(address: &Address) -> Option<&'static str> {
    let payload = address.payload();
    let (high, low) = (&payload[..18], &payload[18..]);
    let all = |byte: u8| payload.iter().all(|found| *found == byte);
    if all(0) {
        Some("the zero address")
    } else if high.iter().all(|byte| *byte == 0) {
        // Precompiled contracts (EIP-7951 put one at 0x100), and the burn address 0xdEaD.
        Some(if low == [0xde, 0xad] { "a burn address" } else { "a precompiled contract" })
    } else if *payload == BURN {
        Some("a burn address")
    } else if payload[..19].iter().all(|byte| *byte == 0xff) && payload[19] >= 0xf0 {
        // EIP-4788 and EIP-7708 call from 0xff..fe.
        Some("a system address")
    } else if all(0xee) {
        Some("the placeholder for the native coin")
    } else if USDT_CONTRACTS.contains(payload) {
        Some("a token contract")
    } else {
        None
    }
}

/// Forty hex digits as bytes, at compile time.
const fn hex_payload(digits: &[u8; 40]) -> [u8; 20] {
    const fn nibble(digit: u8) -> u8 {
        if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 }
    }
    let mut payload = [0; 20];
    let mut i = 0;
    while i < 20 {
        payload[i] = nibble(digits[2 * i]) << 4 | nibble(digits[2 * i + 1]);
        i += 1;
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    #[test]
    fn lost_destinations_are_known_and_others_are_not() {
        for text in [
            "0x0000000000000000000000000000000000000000",
            "0x0000000000000000000000000000000000000100",
            "0x000000000000000000000000000000000000dEaD",
            "0xfffffffffffffffffffffffffffffffffffffffe",
            "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE",
            "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        ] {
            assert!(reason(&Address::parse(Network::ETHEREUM, text).unwrap()).is_some(), "{text}");
        }
        let usdt = Address::parse(Network::TRON, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t").unwrap();
        assert_eq!(reason(&usdt), Some("a token contract"));
        let person = Address::parse(Network::TRON, "TXfybQ9QcXCDZbn3MMcp8DxdGUUuPxpeRq").unwrap();
        assert_eq!(reason(&person), None);
    }
}
