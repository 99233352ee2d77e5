//! `andon init`: the first line of a user.

use std::io::Write;

use andon_core::name::ServiceName;

use super::{Done, say, say_json};
use crate::args::Common;
use crate::context::LINE;
use crate::exit;
use crate::failure::Failure;

pub(crate) fn init(common: &Common, service: &ServiceName) -> Done {
    let path = common.line.clone().unwrap_or_else(|| LINE.into());
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::refused(format!("{} exists already", path.display()))
            .why("it is not overwritten")
            .next("read it with: andon check"),
        _ => Failure::broken(format!("{} cannot be written: {error}", path.display())),
    })?;
    file.write_all(andon_line::template(service.as_str()).as_bytes())
        .map_err(|error| Failure::broken(format!("{} cannot be written: {error}", path.display())))?;
    if common.json {
        say_json(&serde_json::json!({ "written": path }));
    } else {
        say(&format!("wrote {}\n  next  name your hosts in it, then: andon check", path.display()));
    }
    Ok(exit::OK)
}
