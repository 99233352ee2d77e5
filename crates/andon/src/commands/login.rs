//! `andon login`: a token for a server, kept for this person. What the token may do, the server knows.

use std::io::{IsTerminal, Read};

use serde_json::{Value, json};

use super::{Done, say, say_json};
use crate::args::Common;
use crate::confirm::say_to_person;
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::remote::choice::{self, Chosen};
use crate::remote::tokens::{self, Token};
use crate::remote::wire::{Patience, Wire};
use crate::still::Unseen;

/// The most that is read, in bytes.
const MOST: u64 = 8 << 10;

pub(crate) async fn login(common: &Common, url: &str) -> Done {
    let chosen = Chosen { url: choice::parse(url)?, named_by: "andon login".to_owned() };
    let path = tokens::path().ok_or_else(|| {
        Failure::usage("there is no place for the token").why("neither HOME nor XDG_CONFIG_HOME is set")
    })?;
    let token = tokio::task::spawn_blocking(move || read(url_of(&chosen)).map(|token| (chosen, token))).await;
    let (chosen, token) =
        token.map_err(|error| Failure::broken(format!("nothing could be read: {error}")))??;
    let url = chosen.url.clone();
    let wire = Wire::with_token(chosen, token.clone());
    let about: Value = wire.get("/v1/about", Patience::Short).await.map_err(|wrong| wire.unfit(wrong))?;
    tokens::keep(&path, &url, &token)?;
    let name = about["you"]["name"].as_str().unwrap_or("somebody").to_owned();
    if common.json {
        say_json(&json!({ "server": url, "you": name, "kept": path }));
    } else {
        let name = crate::screen::legible(&name);
        say(&format!(
            "{} at {url} you are {name}; the token is in {}",
            Paint::stdout().tick(),
            path.display()
        ));
    }
    Ok(exit::OK)
}

fn url_of(chosen: &Chosen) -> &str {
    chosen.url.as_str()
}

/// The token on standard input: one line at a terminal, where it is not shown, else all of it.
fn read(url: &str) -> Result<Token, Failure> {
    let cannot = |error: std::io::Error| Failure::broken(format!("standard input cannot be read: {error}"));
    let mut text = String::new();
    if std::io::stdin().is_terminal() {
        say_to_person(&format!("Paste a token for {url}; it is not shown:"));
        let _unseen = Unseen::begin();
        std::io::stdin().read_line(&mut text).map_err(cannot)?;
    } else {
        std::io::stdin().lock().take(MOST).read_to_string(&mut text).map_err(cannot)?;
    }
    Token::new(&text, "standard input").map_err(|failure| failure.next(format!("andon login {url} < FILE")))
}
