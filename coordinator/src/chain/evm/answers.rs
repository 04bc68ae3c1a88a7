//! What an EVM node's refusal of a broadcast hints at.
//!
//! Pure; called by the EVM client. Nodes agree on no codes, only loosely on words, so the words are matched, in any case and
//! anywhere in the text, most telling first. Sources: geth, erigon, besu, nethermind, OpenEthereum, Arbitrum and anvil.

use crate::chain::error::{AnswerClass, BroadcastAnswer, cut};

enum Kind {
    Known,
    Retry,
    Never,
}

/// In order: the first phrase found decides.
const PHRASES: &[(&str, Kind, AnswerClass)] = &[
    ("already known", Kind::Known, AnswerClass::Other),
    ("alreadyknown", Kind::Known, AnswerClass::Other),
    ("already imported", Kind::Known, AnswerClass::Other),
    ("known transaction", Kind::Known, AnswerClass::Other),
    ("existing txn with same hash", Kind::Known, AnswerClass::Other),
    ("nonce too low", Kind::Never, AnswerClass::NonceTooLow),
    ("oldnonce", Kind::Never, AnswerClass::NonceTooLow),
    ("replacement transaction underpriced", Kind::Never, AnswerClass::ReplacementUnderpriced),
    ("replacementnotallowed", Kind::Never, AnswerClass::ReplacementUnderpriced),
    ("could not replace existing", Kind::Never, AnswerClass::ReplacementUnderpriced),
    ("insufficient gas price to replace", Kind::Never, AnswerClass::ReplacementUnderpriced),
    ("nonce too high", Kind::Retry, AnswerClass::NonceGap),
    ("noncegap", Kind::Retry, AnswerClass::NonceGap),
    ("too distant", Kind::Retry, AnswerClass::NonceGap),
    ("future transaction tries to replace", Kind::Retry, AnswerClass::NonceGap),
    ("less than block base fee", Kind::Retry, AnswerClass::Underpriced),
    ("below current base fee", Kind::Retry, AnswerClass::Underpriced),
    ("exceeds the configured cap", Kind::Never, AnswerClass::FeeCap),
    ("fee cap exceeded", Kind::Never, AnswerClass::FeeCap),
    ("underpriced", Kind::Retry, AnswerClass::Underpriced),
    ("fee too low", Kind::Retry, AnswerClass::Underpriced),
    ("feetoolow", Kind::Retry, AnswerClass::Underpriced),
    ("below configured minimum gas price", Kind::Retry, AnswerClass::Underpriced),
    ("insufficient funds", Kind::Retry, AnswerClass::InsufficientFunds),
    ("insufficientfunds", Kind::Retry, AnswerClass::InsufficientFunds),
    ("upfront cost exceeds", Kind::Retry, AnswerClass::InsufficientFunds),
    ("pool is full", Kind::Retry, AnswerClass::Busy),
    ("account limit exceeded", Kind::Retry, AnswerClass::Busy),
    ("rate limit", Kind::Retry, AnswerClass::Busy),
    ("too many requests", Kind::Retry, AnswerClass::Busy),
    ("limit exceeded", Kind::Retry, AnswerClass::Busy),
    ("intrinsic gas", Kind::Never, AnswerClass::Gas),
    ("intrinsicgas", Kind::Never, AnswerClass::Gas),
    ("gas limit", Kind::Never, AnswerClass::Gas),
    ("gaslimitexceeded", Kind::Never, AnswerClass::Gas),
    ("invalid sender", Kind::Never, AnswerClass::Signature),
    ("chain id", Kind::Never, AnswerClass::Signature),
    ("chainid", Kind::Never, AnswerClass::Signature),
    ("signature", Kind::Never, AnswerClass::Signature),
    ("rlp", Kind::Never, AnswerClass::Encoding),
    ("too short", Kind::Never, AnswerClass::Encoding),
    ("not supported", Kind::Never, AnswerClass::Encoding),
    ("failed to decode", Kind::Never, AnswerClass::Encoding),
    ("invalid transaction params", Kind::Never, AnswerClass::Encoding),
];

/// Sorts a node's error text. Words nobody has heard before say nothing: the bytes may be out.
pub(super) fn sort(message: &str) -> BroadcastAnswer {
    let lower = message.to_lowercase();
    let text = cut(message);
    match PHRASES.iter().find(|(phrase, ..)| lower.contains(phrase)) {
        Some((_, Kind::Known, _)) => BroadcastAnswer::AlreadyKnown,
        Some((_, Kind::Retry, class)) => BroadcastAnswer::Retry { class: *class, text },
        Some((_, Kind::Never, class)) => BroadcastAnswer::Rejected { class: *class, text },
        None => BroadcastAnswer::Unknown { text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_own_words_are_sorted_by_what_they_mean() {
        use AnswerClass as C;
        for (message, class) in [
            ("nonce too low: next nonce 5, tx nonce 4", C::NonceTooLow),
            ("replacement transaction underpriced", C::ReplacementUnderpriced),
            ("transaction underpriced: tip needed 1, tip permitted 0", C::Underpriced),
            ("max fee per gas less than block base fee: address 0x, maxFeePerGas: 1", C::Underpriced),
            ("insufficient funds for gas * price + value: balance 0", C::InsufficientFunds),
            ("intrinsic gas too low: gas 20000, minimum needed 21000", C::Gas),
            ("transaction gas limit too high (cap: 16777216, tx: 30000000)", C::Gas),
            ("invalid chain id for signer: have 1 want 31337", C::Signature),
            ("tx fee (2.00 ether) exceeds the configured cap (1.00 ether)", C::FeeCap),
            ("Nonce too high", C::NonceGap),
            ("txpool is full", C::Busy),
        ] {
            match sort(message) {
                BroadcastAnswer::Retry { class: found, .. }
                | BroadcastAnswer::Rejected { class: found, .. } => {
                    assert_eq!(found, class, "{message}");
                }
                other => panic!("{message}: {other:?}"),
            }
        }
        for message in ["already known", "Known transaction", "transaction already imported", "AlreadyKnown"]
        {
            assert_eq!(sort(message), BroadcastAnswer::AlreadyKnown, "{message}");
        }
    }

    #[test]
    fn unheard_words_prove_nothing() {
        assert!(matches!(sort("the moon is full"), BroadcastAnswer::Unknown { .. }));
    }
}
