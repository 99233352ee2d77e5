//! `archive(...)` and `directory(...)`: where releases come from.

use std::path::{Path, PathBuf};

use andon_core::line::ReleaseSource;

use crate::call::Call;
use crate::kind::Kind;
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

/// The endings of archives that can be unpacked.
const ENDINGS: [&str; 3] = [".tar", ".tar.gz", ".tar.zst"];

pub(crate) const ARCHIVE: Constructor = Constructor {
    name: "archive",
    summary: "Releases come from a `.tar`, `.tar.gz` or `.tar.zst` file.",
    details: "The file need not exist when the line is checked, only when it is deployed.",
    example: "archive(\"dist/www.tar.gz\")",
    positional: 1,
    parameters: &[PATH],
    build: |call| {
        let path = path(call)?;
        if !ENDINGS.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
            let message = format!("an archive ends with {}", ENDINGS.join(" or "));
            call.notebook.record(
                call.error_at(call.place_of("path"), message)
                    .help("use `directory(...)` for files that are not packed"),
            );
            return None;
        }
        Some(Thing::Release(ReleaseSource::Archive(path)))
    },
};

pub(crate) const DIRECTORY: Constructor = Constructor {
    name: "directory",
    summary: "Releases come from a directory, which is packed reproducibly.",
    details: "The directory need not exist when the line is checked, only when it is deployed.",
    example: "directory(\"build/\")",
    positional: 1,
    parameters: &[PATH],
    build: |call| Some(Thing::Release(ReleaseSource::Directory(path(call)?))),
};

const PATH: Parameter = Parameter {
    name: "path",
    kind: Kind::Text,
    default: Default::Required,
    doc: "Relative to the directory of `line.star`, or absolute.",
};

fn path(call: &Call<'_>) -> Option<PathBuf> {
    let path = call.text("path")?;
    if path.is_empty() {
        call.error(call.place_of("path"), "this path is empty");
        return None;
    }
    Some(Path::new(path).to_owned())
}
