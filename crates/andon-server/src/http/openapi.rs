//! `GET /v1/openapi.json`: what the API is, made of the code that answers.

use utoipa::OpenApi;

/// What stands above all paths.
#[derive(OpenApi)]
#[openapi(info(
    title = "Andon",
    description = "The controller of a line",
    license(name = "Apache-2.0 OR MIT")
))]
pub(super) struct Document;
