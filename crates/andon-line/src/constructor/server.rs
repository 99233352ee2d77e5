//! `server(...)`: the server that people's commands speak with. Only where it is; what it may do is its own affair.

use andon_core::line::ServerUrl;

use crate::call::Call;
use crate::kind::Kind;
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

pub(crate) const SERVER: Constructor = Constructor {
    name: "server",
    summary: "Names the `andon server` that deploys this line.",
    details: "Commands that are given beside this line speak with it: the same words, output and exit codes, and \
              deployments go on while nobody watches. `--local`, `--server URL` and `ANDON_SERVER` count for more. \
              See `docs/guide/server.md`.",
    example: r#"server("https://andon.example.com")

service(
    "www",
    hosts   = {"production": group("web", ["web1", "web2"])},
    release = archive("dist/www.tar.gz"),
    run     = process(exec = "{release}/bin/www"),
)"#,
    positional: 1,
    parameters: &[Parameter {
        name: "url",
        kind: Kind::Text,
        default: Default::Required,
        doc: "Its address: `https://` and a name; `http://` on this machine alone.",
    }],
    build,
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let text = call.text("url")?;
    let url = match ServerUrl::new(text) {
        Ok(url) => url,
        Err(error) => {
            call.error(call.place_of("url"), error.to_string());
            return None;
        }
    };
    call.claim("server".to_owned())?;
    call.notebook.draft.borrow_mut().server = Some(url);
    Some(Thing::Server)
}
