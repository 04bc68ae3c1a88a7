//! What a TRON node's answer to a broadcast hints at.
//!
//! Pure; called by the TRON client. The codes are `Return.response_code` of java-tron's api.proto in the order in which
//! `Wallet.broadcastTransaction` checks them. DUP means only that this node has seen the id before, even if it refused it then.

use super::rpc::{TronBroadcast, text_of_hex};
use crate::chain::error::{AnswerClass, BroadcastAnswer, cut};

/// Sorts an answer by its code. What is unknown says nothing: the bytes may be out.
pub(super) fn sort(answer: &TronBroadcast) -> BroadcastAnswer {
    if answer.result && matches!(answer.code.as_str(), "" | "SUCCESS") {
        return BroadcastAnswer::Accepted;
    }
    let text = cut(&format!("{}: {}", answer.code, text_of_hex(&answer.message)));
    let retry = |class| BroadcastAnswer::Retry { class, text: text.clone() };
    let never = |class| BroadcastAnswer::Rejected { class, text: text.clone() };
    match answer.code.as_str() {
        "DUP_TRANSACTION_ERROR" => BroadcastAnswer::AlreadyKnown,
        "SERVER_BUSY" | "NO_CONNECTION" | "NOT_ENOUGH_EFFECTIVE_CONNECTION" | "BLOCK_UNSOLIDIFIED" => {
            retry(AnswerClass::Busy)
        }
        "BANDWITH_ERROR" => retry(AnswerClass::InsufficientFunds),
        "CONTRACT_EXE_ERROR" => retry(AnswerClass::Validation),
        "TAPOS_ERROR" => never(AnswerClass::ReferenceBlock),
        "TRANSACTION_EXPIRATION_ERROR" => never(AnswerClass::Expired),
        "CONTRACT_VALIDATE_ERROR" => never(AnswerClass::Validation),
        "SIGERROR" => never(AnswerClass::Signature),
        "TOO_BIG_TRANSACTION_ERROR" => never(AnswerClass::Encoding),
        _ => BroadcastAnswer::Unknown { text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(result: bool, code: &str) -> BroadcastAnswer {
        sort(&TronBroadcast { result, code: code.to_owned(), message: "4475702e".to_owned() })
    }

    #[test]
    fn codes_are_sorted_and_a_duplicate_is_neither_success_nor_failure() {
        assert_eq!(answer(true, "SUCCESS"), BroadcastAnswer::Accepted);
        assert_eq!(answer(false, "DUP_TRANSACTION_ERROR"), BroadcastAnswer::AlreadyKnown);
        assert!(matches!(
            answer(false, "SERVER_BUSY"),
            BroadcastAnswer::Retry { class: AnswerClass::Busy, .. }
        ));
        assert!(matches!(answer(false, "SIGERROR"), BroadcastAnswer::Rejected { .. }));
        assert!(matches!(answer(false, "OTHER_ERROR"), BroadcastAnswer::Unknown { .. }));
        assert!(matches!(answer(false, ""), BroadcastAnswer::Unknown { .. }));
    }

    #[test]
    fn messages_in_hex_are_carried_as_text() {
        let BroadcastAnswer::Rejected { text, .. } = answer(false, "TAPOS_ERROR") else { panic!() };
        assert_eq!(text, "TAPOS_ERROR: Dup.");
    }
}
