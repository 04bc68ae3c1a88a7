//! What is uploaded: documents in files, pictures or texts, one or many.
//!
//! The handlers of replies, approvals, policies and attested addresses take [`Parts`]. What must stay true: the number of files is
//! bounded before they are read, and scanning runs off the async threads.

use crate::api::{ApiError, Code};
use crate::app::App;
use crate::batches::BatchError;
use crate::batches::intake;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header;
use serde::Deserialize;
use utoipa::ToSchema;

/// A document, a picture of frames, or a text of them, as it is.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Upload(());

/// Several of them in one form.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadForm {
    /// The files in order.
    #[schema(value_type = Vec<Upload>, required)]
    pub file: (),
}

/// The raw parts of an upload: the body, or the files of a multipart form.
pub struct Parts(pub Vec<Vec<u8>>);

impl FromRequest<App> for Parts {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
            let bytes = axum::body::Bytes::from_request(request, app).await.map_err(ApiError::from_bytes)?;
            return Ok(Self(vec![bytes.to_vec()]));
        }
        let bad = |error: String| ApiError::new(Code::BadMultipart, error);
        let mut form = Multipart::from_request(request, app).await.map_err(|error| bad(error.body_text()))?;
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await.map_err(|error| bad(error.body_text()))? {
            parts.push(field.bytes().await.map_err(|error| bad(error.body_text()))?.to_vec());
            if parts.len() > intake::PARTS_MAX {
                return Err(bad(format!("more than {} files", intake::PARTS_MAX)));
            }
        }
        Ok(Self(parts))
    }
}

impl Parts {
    /// The documents of `kind` in them; scanning runs off the async threads.
    pub async fn documents(self, kind: u8) -> Result<Vec<Vec<u8>>, ApiError> {
        let found = tokio::task::spawn_blocking(move || intake::documents(self.0, kind)).await;
        Ok(found.map_err(ApiError::internal)?.map_err(BatchError::from)?)
    }
}
