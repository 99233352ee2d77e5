//! `archive(...)` and `directory(...)`: where releases come from.

use std::path::{Path, PathBuf};

use andon_core::line::ReleaseSource;
use andon_core::signature::PublicKey;

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
    parameters: &[
        PATH,
        Parameter {
            name: "signed_by",
            kind: Kind::List(&Kind::Word),
            default: Default::Absent,
            doc: "Public keys of minisign. A release is refused unless one of them signed it: the signature lies beside the file, as `FILE.minisig`.",
        },
    ],
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
        if call.is_broken("signed_by") {
            return None;
        }
        let source = if call.says("signed_by") {
            ReleaseSource::Signed { archive: path, by: keys(call)? }
        } else {
            ReleaseSource::Archive(path)
        };
        Some(Thing::Release(source))
    },
};

pub(crate) const DIRECTORY: Constructor = Constructor {
    name: "directory",
    summary: "Releases come from a directory, which is packed reproducibly.",
    details: "The directory need not exist when the line is checked, only when it is deployed. A directory cannot be \
              signed: pack it, sign the file, and say `archive(..., signed_by = [...])`.",
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

/// The keys, or `None` after what is wrong with one was recorded. No key at all would let nothing pass, or, misread,
/// everything.
fn keys(call: &Call<'_>) -> Option<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for given in call.list("signed_by") {
        match PublicKey::new(given.text()?) {
            Ok(key) => keys.push(key),
            Err(error) => {
                call.error(given.place, error.to_string());
                return None;
            }
        }
    }
    if keys.is_empty() {
        call.error(call.place_of("signed_by"), "nobody could sign this: name at least one key");
        return None;
    }
    Some(keys)
}

fn path(call: &Call<'_>) -> Option<PathBuf> {
    let path = call.text("path")?;
    if path.is_empty() {
        call.error(call.place_of("path"), "this path is empty");
        return None;
    }
    Some(Path::new(path).to_owned())
}
