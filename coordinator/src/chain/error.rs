//! Why a chain did not tell us something, and what a broadcast's answer hints at.
//!
//! Every error names the provider (by place and host, never by URL: keys live in URLs), the call and the field. Text that came
//! from outside is cut and stripped of control characters before it is carried.
//! Callers act on [`ChainError::is_lie`] (the provider contradicts itself or the configuration) and treat all else as "ask again".

use airlock_shared::Network;

/// Why an answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No usable HTTP answer: connection, time limit, status.
    #[error("{provider}: {call}: {what}")]
    Transport {
        /// The provider.
        provider: String,
        /// The call.
        call: &'static str,
        /// What happened.
        what: String,
    },
    /// The answer was cut off at its limit.
    #[error("{provider}: {call}: the answer is longer than {limit} bytes")]
    TooLong {
        /// The provider.
        provider: String,
        /// The call.
        call: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The answer has not the shape it must have.
    #[error("{provider}: {call}: {field}: {found}")]
    Malformed {
        /// The provider.
        provider: String,
        /// The call.
        call: &'static str,
        /// The field, or `answer`.
        field: String,
        /// What was there.
        found: String,
    },
    /// The provider reported an error of its own.
    #[error("{provider}: {call}: error {code}: {message}")]
    Reported {
        /// The provider.
        provider: String,
        /// The call.
        call: &'static str,
        /// Its code; 0 where it has none.
        code: i64,
        /// Its text.
        message: String,
    },
    /// A block or receipt that contradicts itself or lacks something.
    #[error("{provider}: {call}: incomplete: {what}")]
    Incomplete {
        /// The provider.
        provider: String,
        /// The call.
        call: &'static str,
        /// What is missing or contradicted.
        what: String,
    },
    /// The provider has not that block yet.
    #[error("{provider}: block {height} is not there yet, it has {has}")]
    NotYet {
        /// The provider.
        provider: String,
        /// The block asked for.
        height: u64,
        /// The newest it has in that view.
        has: u64,
    },
    /// The provider serves another network than configured.
    #[error("{provider}: serves {found}, not {expected}")]
    WrongNetwork {
        /// The provider.
        provider: String,
        /// The configured network.
        expected: Network,
        /// What it says it is.
        found: String,
    },
    /// A configured token is not what the configuration says.
    #[error("{provider}: token {contract}: {what}")]
    WrongToken {
        /// The provider.
        provider: String,
        /// The contract.
        contract: String,
        /// What differs.
        what: String,
    },
    /// Nobody could answer.
    #[error("{network}: no provider could answer; the last said: {last}")]
    NoProvider {
        /// The network.
        network: Network,
        /// The last error, or that there is no provider.
        last: String,
    },
    /// The settings cannot be used.
    #[error("chain settings: {0}")]
    Settings(String),
}

impl ChainError {
    /// Does it show a provider that must not be used at all: wrong network or wrong token?
    pub const fn is_lie(&self) -> bool {
        matches!(self, Self::WrongNetwork { .. } | Self::WrongToken { .. })
    }
}

/// What a node answered to a broadcast. A hint, never a fact: "accepted" may be dropped, "refused" may be mined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BroadcastAnswer {
    /// In the node's pool, it says.
    Accepted,
    /// It knows this transaction, from its pool or a block, or has only seen it before.
    AlreadyKnown,
    /// The same bytes may be taken later, or by another node.
    Retry {
        /// What kind of trouble.
        class: AnswerClass,
        /// The node's words, cut.
        text: String,
    },
    /// This node will not take these bytes. Whether another did, the chain tells.
    Rejected {
        /// What kind of refusal.
        class: AnswerClass,
        /// The node's words, cut.
        text: String,
    },
    /// No answer, or one that says nothing: assume that it was sent.
    Unknown {
        /// What happened.
        text: String,
    },
}

/// What an answer to a broadcast is about. Sources: `Return.response_code` of java-tron's api.proto; texts of geth, erigon,
/// besu, nethermind and anvil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerClass {
    /// Overloaded, badly connected, rate limited, pool full.
    Busy,
    /// The account nonce is used: look up every id we have at that nonce.
    NonceTooLow,
    /// An earlier account nonce is missing.
    NonceGap,
    /// Another transaction of this nonce is in the pool and pays as much.
    ReplacementUnderpriced,
    /// The fee is below what the pool or the base fee asks.
    Underpriced,
    /// Not enough native coin, bandwidth or energy.
    InsufficientFunds,
    /// The gas limit cannot be right.
    Gas,
    /// The fee is above the provider's own cap.
    FeeCap,
    /// Expired, or too far ahead.
    Expired,
    /// The reference block is unknown there.
    ReferenceBlock,
    /// Signature, permission or chain id: our mistake or a provider of another network.
    Signature,
    /// The contract's or the message's own validation.
    Validation,
    /// Too large, or not decodable.
    Encoding,
    /// Anything else.
    Other,
}

impl AnswerClass {
    /// One word for logs and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NonceTooLow => "nonce_too_low",
            Self::NonceGap => "nonce_gap",
            Self::ReplacementUnderpriced => "replacement_underpriced",
            Self::Underpriced => "underpriced",
            Self::InsufficientFunds => "insufficient_funds",
            Self::Gas => "gas",
            Self::FeeCap => "fee_cap",
            Self::Expired => "expired",
            Self::ReferenceBlock => "reference_block",
            Self::Signature => "signature",
            Self::Validation => "validation",
            Self::Encoding => "encoding",
            Self::Other => "other",
        }
    }
}

/// Foreign text made fit for logs and rows: printable, one line, at most 200 characters.
pub(crate) fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
