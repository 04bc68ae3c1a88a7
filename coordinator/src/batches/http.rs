//! The routes of batches, bundles, replies and alerts, for operators.
//!
//! Thin: each reads its request, calls one step of the folder above and shows the result. Pictures are drawn and scanned off the
//! async threads. What must stay true: amounts are texts, moments RFC 3339; nothing here changes a state by itself.

mod alerts;
mod approve;
mod exchange;
mod hardware;
mod make;
mod pictures;
mod show;
mod upload;

pub use upload::{Parts, Upload, UploadForm};

use super::BatchError;
use super::intake::IntakeError;
use crate::api::{ApiError, Code};
use crate::app::App;
use crate::withdrawals;
use utoipa_axum::router::OpenApiRouter;

/// Every route of this capability.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .merge(make::router())
        .merge(show::router())
        .merge(approve::router())
        .merge(hardware::router())
        .merge(exchange::router())
        .merge(alerts::router())
}

impl From<BatchError> for ApiError {
    fn from(error: BatchError) -> Self {
        let text = error.to_string();
        match error {
            BatchError::NotFound { .. } => Self::not_found("batch"),
            BatchError::NoBundle { .. } => Self::not_found("bundle"),
            BatchError::Network(_) => Self::new(Code::UnknownNetwork, text),
            BatchError::Asset { .. } => Self::new(Code::UnknownAsset, text),
            BatchError::Person { .. } => Self::new(Code::BadPerson, text),
            BatchError::Passkey { .. } => Self::new(Code::BadAssertion, text),
            BatchError::NoWallet { .. } => Self::new(Code::NoWallet, text),
            BatchError::NoHardware { .. } => Self::new(Code::NoHardwareWallet, text),
            BatchError::ForeignWallet { .. } => Self::new(Code::ForeignWallet, text),
            BatchError::Hardware { .. } => Self::new(Code::Hardware, text),
            BatchError::Suspended { .. } => Self::new(Code::SignerSuspended, text),
            BatchError::NoPolicy { .. } => Self::new(Code::NoPolicy, text),
            BatchError::NothingDue { left_out } => {
                let why: Vec<_> =
                    left_out.iter().map(|one| format!("{}: {}", one.withdrawal, one.why)).collect();
                Self::new(Code::NothingDue, [vec![text], why].concat().join("; "))
            }
            BatchError::FeeCap { .. } => Self::new(Code::FeeCap, text),
            BatchError::Clock { .. } => Self::new(Code::Clock, text),
            BatchError::Policy(_) => Self::new(Code::Policy, text),
            BatchError::Create(_) => Self::new(Code::Batch, text),
            BatchError::Illegal(_) | BatchError::Raced { .. } => Self::new(Code::WrongState, text),
            BatchError::Approval(_) | BatchError::OtherContent { .. } => Self::new(Code::Approval, text),
            BatchError::Bundle { .. } => Self::new(Code::Bundle, text),
            BatchError::MayBeSigned { .. } => Self::new(Code::MayBeSigned, text),
            BatchError::TooLate { .. } => Self::new(Code::TooLate, text),
            BatchError::NotSigned { .. } => Self::new(Code::NotSigned, text),
            BatchError::Document(_) => Self::new(Code::BadDocument, text),
            BatchError::Intake(IntakeError::Incomplete { .. }) => Self::new(Code::Incomplete, text),
            BatchError::Intake(_) => Self::new(Code::BadUpload, text),
            BatchError::Frames(_) | BatchError::Picture(_) => Self::new(Code::BadFrameSize, text),
            BatchError::Overflow => Self::new(Code::AmountOutOfRange, text),
            BatchError::System(_) => Self::internal(text),
            BatchError::Withdrawal(error) => withdrawals::WithdrawalError::into(error),
            BatchError::Pairing(error) => error.into(),
            BatchError::Chain(_) => Self::unavailable(text),
            BatchError::Ledger(error) => error.into(),
            BatchError::Freeze(error) => error.into(),
        }
    }
}
