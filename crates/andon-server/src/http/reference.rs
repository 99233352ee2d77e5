//! The reference of the API, made of the code that answers: the OpenAPI document, and a page for people. Only text.

use std::fmt::Write;

use utoipa::openapi::path::{Operation, PathItem};

use super::error_code::ErrorCode;
use super::router;

/// The OpenAPI document, as `GET /v1/openapi.json` answers it, on many lines.
pub fn openapi_document() -> String {
    let text =
        serde_json::to_value(router::document()).and_then(|value| serde_json::to_string_pretty(&value));
    text.map(|text| format!("{text}\n")).unwrap_or_default()
}

/// The page of the reference.
pub fn page() -> String {
    let mut page = CONVENTIONS.to_owned();
    // Writing into a string does not fail.
    let _ = write!(page, "## Codes\n\n| code | status | meaning |\n|---|---|---|\n");
    for code in ErrorCode::ALL {
        let name = serde_json::to_value(code).unwrap_or_default();
        let (name, status) = (name.as_str().unwrap_or_default().to_owned(), code.status().as_u16());
        let _ = writeln!(page, "| `{name}` | {status} | {} |", code.meaning());
    }
    let _ = write!(page, "\n## Paths\n\n| | | |\n|---|---|---|\n");
    for (path, item) in &router::document().paths.paths {
        for (method, operation) in operations(item) {
            let what = operation.description.as_ref().or(operation.summary.as_ref());
            let what = what.map(|what| what.replace('\n', " ")).unwrap_or_default().replace('|', "\\|");
            let _ = writeln!(page, "| {method} | `{path}` | {what} |");
        }
    }
    page
}

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let all = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

const CONVENTIONS: &str = "\
# The API

`andon server` answers below `/v1/`. Everything that the commands and the pages do can be done here. The document for
programs is [openapi.json](openapi.json); a running server answers it at `GET /v1/openapi.json`. Both, and the tables below,
are made from the code that answers: `UPDATE_DOCS=1 cargo test -p andon-server --test reference`.

- **Who asks.** `Authorization: Bearer TOKEN`, with a token of a user (`andon token`) or the one of `--token-file`. Whoever is
  let in may read; what changes something needs a role.
- **Bodies** are JSON objects; what is unknown in them is refused. Moments are RFC 3339 in UTC, spans are seconds. The objects
  are those that the commands print with `--json`.
- **Once.** POST and DELETE take `Idempotency-Key`: 1 to 64 visible ASCII characters, for example a UUID. Without effect
  it is where nothing is changed (`/v1/plans`, `/v1/inspections`, `/v1/ledger/verification`), and below `/v1/users`,
  `/v1/tokens` and `/v1/subscriptions`, where a second request is refused by what the first one did. The same request under the same key, by the same visitor, is done once and answered the same for 24 hours, also after a
  restart; the answer then has `Idempotency-Replayed: true`. Another request under that key is `idempotency_mismatch`. Answers that
  may change in a moment (5xx, 401, 403, 408, 429) are not kept, nor is anything of users, passwords and tokens: what is secret
  is kept nowhere. The newest 10,000 answers are. One of more than 64 KiB is not told again, only that it was done.
- **Pages.** `GET /v1/deployments` gives the newest first; the header `Link` names the next page, and is missing at the end.
- **Events.** `GET /v1/events` is a stream of Server-Sent Events: `hello`, `deployment`, `line`, `scope`, `message`, `record`,
  `progress`, `reset`. The id of an event is its position in the ledger; a client that was cut goes on with
  `Last-Event-ID`. Events of the same moment come together, five times a second. `progress` says how a deployment stands that
  this server drives, at most once a second, and has no id. After `reset` more was missed than is told again: read what you
  show anew. 1,000 streams are carried at once.

```
$ curl -N 'localhost:8420/v1/events?service=www'
event: deployment
id: 4711
data: {\"deployment\":128,\"fact\":\"host\",\"host\":\"web2\",\"host_state\":\"succeeded\",\"what\":\"web2 succeeded\", …}
```

- **Metrics.** `GET /metrics` answers in OpenMetrics how deployments ended, whether the line runs, which hosts were left out of
  traffic, and what was asked of the server. `GET /health` is for everybody.

## Errors

```json
{ \"error\": { \"code\": \"line_stopped\", \"message\": \"the line is stopped by ana at …: orders fell\",
  \"why\": \"while it is stopped only a rollback or a declared fix begins; nothing has been changed\",
  \"next\": \"a repair passes: andon deploy www production --fixes DEPLOYMENT · or, when it is over: andon line start \\\"why\\\"\" } }
```

`code` is for programs, and one of the set below; `message` says what happened, `why` the reason and in which state the world
is, `next` what to do. With `Retry-After` the same request may be sent again after so many seconds.

";
