//! The inputs that fuzzing has found worth keeping, below `fuzz/corpus/TARGET/`: every test run tries them again.

use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// Gives every input that is kept for `target` to `run`, which panics at one that does harm. The last name that was
/// printed is that of the input.
///
/// # Panics
/// Where there is no input, so that a renamed target is not left untried.
#[allow(
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and shows what was printed"
)]
pub fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = folder().join(target);
    let mut inputs: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) => panic!("cannot read {}: {error}", folder.display()),
    };
    inputs.sort();
    assert!(!inputs.is_empty(), "there is nothing in {}", folder.display());
    for input in inputs {
        match fs::read(&input) {
            Ok(bytes) => {
                eprintln!("{}", input.display());
                run(&bytes);
            }
            Err(error) => panic!("cannot read {}: {error}", input.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of one target.
    const MOST_FILES: usize = 200;

    /// Of all targets together.
    const MOST_BYTES: u64 = 1 << 20;

    #[test]
    fn what_is_kept_stays_small() {
        let mut bytes = 0;
        for target in fs::read_dir(folder()).unwrap() {
            let target = target.unwrap().path();
            let sizes: Vec<u64> =
                fs::read_dir(&target).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).collect();
            assert!(sizes.len() <= MOST_FILES, "{}: {} files", target.display(), sizes.len());
            bytes += sizes.iter().sum::<u64>();
        }
        assert!(bytes <= MOST_BYTES, "{bytes} bytes");
    }
}
