//! The pages of a release: files of one directory, by plain names only.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest page, in bytes.
const MAX_PAGE: u64 = 1 << 20;

/// The page at a path of the site; `/` and `/checkout` have names of their own.
pub(super) fn page(pages: &Path, path: &str) -> Option<Vec<u8>> {
    let name = match path {
        "/" => "index.html",
        "/checkout" => "checkout.html",
        other => other.strip_prefix('/')?,
    };
    read(pages, name)
}

/// Names with anything but letters, digits and single dots lead nowhere.
fn read(pages: &Path, name: &str) -> Option<Vec<u8>> {
    let plain =
        name.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !plain {
        return None;
    }
    let mut body = Vec::new();
    File::open(pages.join(name)).ok()?.take(MAX_PAGE).read_to_end(&mut body).ok()?;
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_release_are_served() {
        let pages = tempfile::tempdir().unwrap();
        std::fs::write(pages.path().join("index.html"), "Welcome").unwrap();
        std::fs::write(pages.path().join(".secret"), "no").unwrap();
        for path in ["/", "/index.html"] {
            assert_eq!(page(pages.path(), path).unwrap(), b"Welcome");
        }
        for hostile in ["/../x", "/..", "//etc/passwd", "/.secret", "/.", "/a/b", "/missing.html", "x", ""] {
            assert_eq!(page(pages.path(), hostile), None, "{hostile}");
        }
    }
}
