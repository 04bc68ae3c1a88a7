//! Passkeys of one's own: registering one that a browser made, listing, removing.

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// `/v1/me/passkeys`.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
