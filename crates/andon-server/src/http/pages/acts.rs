//! What people do on pages: each form is a `POST` that does one thing and leads to the page where it is seen. Who may, is
//! asked here for each; what makes sense, the controller says.

use std::sync::Arc;

use andon_core::access::Deed;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;

use super::form::Form;
use super::setting::go_to;
use crate::http::Desk;
use crate::http::gate::Asker;
use crate::http::reply::Refused;

/// `POST /line/stop`.
pub(super) async fn stop_line(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    form: Form,
) -> Result<Response<Body>, Refused> {
    asker.may(&Deed::Line)?;
    let why = form.needed("why", "what was seen")?;
    let person = asker.person();
    desk.controller.clone().on_behalf_of(person.clone()).stop_line(person, why).await?;
    Ok(go_to("/"))
}

/// `POST /line/start`.
pub(super) async fn start_line(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    form: Form,
) -> Result<Response<Body>, Refused> {
    asker.may(&Deed::Line)?;
    let why = form.needed("why", "why it is over")?;
    let person = asker.person();
    desk.controller.clone().on_behalf_of(person.clone()).start_line(person, why).await?;
    Ok(go_to("/"))
}
