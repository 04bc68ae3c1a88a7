//! Documents on their way to a screen: as JSON, as a GIF that loops, as single frames.
//!
//! `approve.rs`, `exchange.rs` and `hardware.rs` answer with these. Drawing runs off the async threads.

use crate::api::{ApiError, Code};
use crate::app::App;
use crate::batches::BatchError;
use crate::batches::exchange::Frames;
use airlock_shared::document::Document;
use airlock_shared::frames::{FrameSize, Level, QrImage};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

/// How many frames a loop shows, beside every frame.
const FRAMES_COUNT: HeaderName = HeaderName::from_static("x-frames-count");

/// The QR size asked for; by default the configured version at level L, four pixels a module.
#[derive(Deserialize, Default, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Size {
    /// Of the QR code, 1 to 40.
    #[param(minimum = 1, maximum = 40)]
    version: Option<u8>,
    /// Of error correction: L, M, Q or H.
    #[param(pattern = "^[LMQH]$")]
    level: Option<String>,
    /// A module.
    #[param(minimum = 4, maximum = 12)]
    pixels: Option<u32>,
}

/// Pixels a module that may be asked for: below four cameras fail, above twelve no screen shows a code whole.
const PIXELS: std::ops::RangeInclusive<u32> = QrImage::PIXELS_PER_MODULE..=12;

impl Size {
    pub(super) fn parse(&self, app: &App) -> Result<FrameSize, ApiError> {
        let level = match self.level.as_deref() {
            None | Some("L") => Level::L,
            Some("M") => Level::M,
            Some("Q") => Level::Q,
            Some("H") => Level::H,
            Some(_) => return Err(ApiError::new(Code::BadFrameSize, "level is L, M, Q or H")),
        };
        FrameSize::new(self.version.unwrap_or(app.config.batch.frame_version), level)
            .map_err(|error| ApiError::new(Code::BadFrameSize, error.to_string()))
    }

    pub(super) fn pixels(&self) -> Result<u32, ApiError> {
        let pixels = self.pixels.unwrap_or(QrImage::PIXELS_PER_MODULE);
        let known = PIXELS.contains(&pixels).then_some(pixels);
        known.ok_or_else(|| ApiError::new(Code::BadFrameSize, "pixels is 4 to 12".to_owned()))
    }
}

pub(super) fn json_document<D: Document>(document: &D) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.to_json()).into_response()
}

pub(super) async fn gif<D: Document + Send + 'static>(
    app: &App,
    document: D,
    size: &Size,
) -> Result<Response, ApiError> {
    let (size, pixels, speed) = (size.parse(app)?, size.pixels()?, app.config.batch.frames_per_second);
    let drawn = tokio::task::spawn_blocking(move || {
        let frames = Frames::of(&document, size)?;
        Ok::<_, BatchError>((frames.count(), frames.gif(speed, pixels)?))
    });
    let (count, bytes) = drawn.await.map_err(ApiError::internal)??;
    let headers = [(header::CONTENT_TYPE, "image/gif".to_owned()), (FRAMES_COUNT, count.to_string())];
    Ok((headers, bytes).into_response())
}

pub(super) async fn frame<D: Document + Send + 'static>(
    app: &App,
    document: D,
    size: &Size,
    file: &str,
) -> Result<Response, ApiError> {
    let number = file.strip_suffix(".png").and_then(|number| number.parse::<u32>().ok());
    let number = number.ok_or_else(|| ApiError::not_found("frame"))?;
    let (size, pixels) = (size.parse(app)?, size.pixels()?);
    let drawn = tokio::task::spawn_blocking(move || {
        let frames = Frames::of(&document, size)?;
        Ok::<_, BatchError>((frames.count(), frames.png(number, pixels)?))
    });
    let (count, bytes) = drawn.await.map_err(ApiError::internal)??;
    let headers = [(header::CONTENT_TYPE, "image/png".to_owned()), (FRAMES_COUNT, count.to_string())];
    Ok((headers, bytes).into_response())
}
