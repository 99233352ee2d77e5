//! `GET /v1/openapi.json`: what the API is, made of the code that answers. The same document is `docs/reference/openapi.json`,
//! and the page about errors and conventions is made from it as well.

use std::collections::BTreeSet;

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, Response};
use utoipa::{Modify, OpenApi};

use super::reply::{ErrorCode, Problem, Wrong};

/// What stands above all paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Andon",
        description = "The controller of a line of continuous deployment. Whoever is let in may read; what changes something \
            needs a role. Errors have codes of a closed set; docs/reference/api.md tells what each means.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    servers((url = "/")),
    tags(
        (name = "deployments", description = "What was deployed, and what shall be"),
        (name = "line", description = "Whether changes flow, and what the line has"),
        (name = "insight", description = "What is known of all deployments and hosts as a whole"),
        (name = "releases", description = "What is deployed, brought here first"),
        (name = "messages", description = "What people are told"),
        (name = "access", description = "Who may do what"),
        (name = "events", description = "What happens, as it happens"),
        (name = "ledger", description = "What is recorded, as it is kept"),
        (name = "evaluations", description = "The judge, for deployers of others"),
        (name = "numbers", description = "Numbers that programs push"),
        (name = "server", description = "The server itself"),
    ),
    components(schemas(Problem, Wrong, ErrorCode)),
    security(("token" = [])),
    modifiers(&Common)
)]
pub(super) struct Document;

/// The token that a client shows.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// What is posted and changes nothing.
pub(super) const LOOKS: [&str; 3] = ["/v1/plans", "/v1/inspections", "/v1/ledger/verification"];

/// Whether what is posted there takes a key. Of passwords, and of tokens that are told once, nothing is kept, not even a
/// digest: the answers lie in the ledger, which everybody may read who is let in; such a change that is sent again is
/// refused by what the first one did. What only looks, and what needs no role, takes none: who may only read must not push
/// the answers of others out.
fn is_keyed(path: &str) -> bool {
    let own = ["/v1/users", "/v1/tokens", "/v1/subscriptions"];
    !LOOKS.contains(&path) && !own.iter().any(|beginning| path.starts_with(beginning))
}

/// Adds to every operation what all have in common: the form of an error, and for changes the key that makes them happen
/// once. Gives the methods and paths of those.
pub(super) fn complete(document: &mut utoipa::openapi::OpenApi) -> BTreeSet<(String, String)> {
    let mut changes = BTreeSet::new();
    for (path, item) in &mut document.paths.paths {
        let keyed = [("POST", &mut item.post), ("DELETE", &mut item.delete)];
        for (method, operation) in keyed {
            if let Some(operation) = operation.as_mut().filter(|_| is_keyed(path)) {
                takes_key(operation);
                changes.insert((method.to_owned(), path.clone()));
            }
        }
        let all = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for operation in all.into_iter().flatten() {
            named(operation);
            refusing(operation);
        }
    }
    changes
}

/// Handlers of different things have the same name: the thing comes first.
fn named(operation: &mut Operation) {
    let tag = operation.tags.get_or_insert_default().first().cloned().unwrap_or_default();
    let id = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(if tag.is_empty() { id } else { format!("{tag}_{id}") });
}

fn refusing(operation: &mut Operation) {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    let mut response = Response::new("It is not done; the code says why");
    response.content.insert("application/json".to_owned(), RefOr::T(content));
    operation.responses.responses.insert("default".to_owned(), RefOr::T(response));
    // Every response says what it is; what is done needs no more words than that.
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = "Done".to_owned();
        }
    }
}

fn takes_key(operation: &mut Operation) {
    use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(64))
        .pattern(Some("^[!-~]{1,64}$"));
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The same request under the same key is done once, and answered the same for 24 hours",
        ))
        .schema(Some(schema))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

#[cfg(test)]
mod tests {
    use super::is_keyed;

    #[test]
    fn what_readers_may_post_takes_no_key() {
        for path in super::LOOKS.iter().chain(&[
            "/v1/users/{name}",
            "/v1/tokens",
            "/v1/subscriptions/{subscription}/end",
        ]) {
            assert!(!is_keyed(path), "{path}");
        }
        for path in ["/v1/deployments", "/v1/line/stop", "/v1/approvals", "/v1/messages/test"] {
            assert!(is_keyed(path), "{path}");
        }
    }
}
