//! Why a broadcast is refused: response codes and texts of java-tron.
//!
//! Made by the checks in `broadcast.rs`, `permission.rs` and `execute.rs`; printed by the two broadcast routes.

/// `Return.response_code` of `api.proto`, as far as this node uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// 1
    SigError,
    /// 2
    ContractValidateError,
    /// 3
    ContractExeError,
    /// 4; the real enum is spelled so
    BandwithError,
    /// 5
    DupTransactionError,
    /// 6
    TaposError,
    /// 7
    TooBigTransactionError,
    /// 8
    TransactionExpirationError,
    /// 9
    ServerBusy,
}

impl Code {
    /// The enum name as JSON prints it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SigError => "SIGERROR",
            Self::ContractValidateError => "CONTRACT_VALIDATE_ERROR",
            Self::ContractExeError => "CONTRACT_EXE_ERROR",
            Self::BandwithError => "BANDWITH_ERROR",
            Self::DupTransactionError => "DUP_TRANSACTION_ERROR",
            Self::TaposError => "TAPOS_ERROR",
            Self::TooBigTransactionError => "TOO_BIG_TRANSACTION_ERROR",
            Self::TransactionExpirationError => "TRANSACTION_EXPIRATION_ERROR",
            Self::ServerBusy => "SERVER_BUSY",
        }
    }
}

/// A refused transaction: code and the node's literal text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Response code.
    pub(crate) code: Code,
    /// Text, as `broadcasthex` shows it.
    pub(crate) message: String,
}

impl Refusal {
    /// A contract validation failure with the actuator's text.
    pub(crate) fn validate(text: impl AsRef<str>) -> Self {
        Self {
            code: Code::ContractValidateError,
            message: format!("Contract validate error : {}", text.as_ref()),
        }
    }

    /// A signature or permission failure.
    pub(crate) fn signature(text: impl AsRef<str>) -> Self {
        Self { code: Code::SigError, message: format!("Validate signature error: {}", text.as_ref()) }
    }

    /// Bandwidth, activation, multisig or memo fee cannot be paid.
    pub(crate) fn resource() -> Self {
        Self { code: Code::BandwithError, message: "Account resource insufficient error.".to_owned() }
    }

    /// The bill exceeds the balance after execution.
    pub(crate) fn execution(text: impl AsRef<str>) -> Self {
        Self { code: Code::ContractExeError, message: format!("Contract execute error : {}", text.as_ref()) }
    }

    /// Any other code with its literal text.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
