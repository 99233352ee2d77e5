//! Verifies signatures in the format of minisign: beside `FILE` lies `FILE.minisig`. Reads both and writes nothing.
//!
//! What is verified is the copy that is kept and sent, never the file that it was made from: nobody can put another
//! file in its place in between.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use andon_core::legible::neutral;
use andon_core::quantity::ByteSize;
use andon_core::signature::{PublicKey, Signed};
use minisign_verify::{Error, Signature};

/// The largest file that is taken for a signature, in bytes. minisign writes some 350, and comments of at most 8 KiB.
const LARGEST_SIGNATURE: u64 = 16 << 10;
/// The largest archive with a signature of the old form, which needs all of it in memory.
const LARGEST_LEGACY: u64 = 512 << 20;
/// The longest trusted comment that is kept, in characters.
const LONGEST_COMMENT: usize = 200;

/// Why an archive does not count as signed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("it is not signed: {path} cannot be read: {error}")]
    Missing {
        /// Where it would be.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// What lies there is none.
    #[error("{path} is no signature of minisign: {why}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is from a key that the line does not name.
    #[error("it is signed with a key that the line does not name; the line names {named}")]
    Stranger {
        /// The ids of the keys that are named.
        named: String,
    },
    /// The archive, the signature or its comment was changed after it was signed.
    #[error("the signature is not of this file: one of the two was changed, or damaged on its way")]
    Wrong,
    /// It can only be verified in memory, and is too large for that.
    #[error(
        "its signature is of the old form, for which {0} are too large; sign it again with a newer minisign"
    )]
    LargeLegacy(ByteSize),
    /// The copy cannot be read.
    #[error("the copy of it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
}

/// Verifies `copy` by the signature that lies beside `archive`, which it was copied from. One of `keys` must have made it.
pub(super) fn verify(copy: &Path, archive: &Path, keys: &[PublicKey]) -> Result<Signed, SignatureError> {
    let path = beside(archive);
    let signature = read(&path)?;
    let mut known = false;
    for key in keys {
        // A key of the line is well formed already.
        let Ok(theirs) = minisign_verify::PublicKey::from_base64(key.as_str()) else { continue };
        match verify_with(&theirs, &signature, copy) {
            Ok(()) => {
                let comment = neutral(signature.trusted_comment().as_bytes());
                let comment = comment.replace(['\n', '\t'], " ").chars().take(LONGEST_COMMENT).collect();
                return Ok(Signed { key: key.id(), comment });
            }
            Err(Verdict::OtherKey) => {}
            Err(Verdict::Wrong) => known = true,
            Err(Verdict::Failed(error)) => return Err(error),
        }
    }
    if known {
        return Err(SignatureError::Wrong);
    }
    let named: Vec<String> = keys.iter().map(|key| key.id().to_string()).collect();
    Err(SignatureError::Stranger { named: named.join(" and ") })
}

enum Verdict {
    OtherKey,
    Wrong,
    Failed(SignatureError),
}

impl From<Error> for Verdict {
    fn from(error: Error) -> Self {
        if matches!(error, Error::UnexpectedKeyId) { Self::OtherKey } else { Self::Wrong }
    }
}

impl From<std::io::Error> for Verdict {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

fn verify_with(key: &minisign_verify::PublicKey, signature: &Signature, copy: &Path) -> Result<(), Verdict> {
    let mut file = File::open(copy)?;
    let mut stream = match key.verify_stream(signature) {
        Ok(stream) => stream,
        Err(Error::UnsupportedLegacyMode) => {
            let size = file.metadata()?.len();
            if size > LARGEST_LEGACY {
                return Err(Verdict::Failed(SignatureError::LargeLegacy(ByteSize(size))));
            }
            let mut bytes = Vec::new();
            file.take(LARGEST_LEGACY).read_to_end(&mut bytes)?;
            return Ok(key.verify(&bytes, signature, true)?);
        }
        Err(error) => return Err(error.into()),
    };
    let mut piece = vec![0; 256 << 10];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(stream.finalize()?),
            Ok(length) => stream.update(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn beside(archive: &Path) -> PathBuf {
    let mut path = OsString::from(archive);
    path.push(".minisig");
    path.into()
}

fn read(path: &Path) -> Result<Signature, SignatureError> {
    let missing = |error| SignatureError::Missing { path: path.to_owned(), error };
    let malformed = |why: &str| SignatureError::Malformed { path: path.to_owned(), why: why.to_owned() };
    // A pipe must not keep us waiting.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(missing)?;
    if !file.metadata().map_err(missing)?.is_file() {
        return Err(malformed("it is not a plain file"));
    }
    let mut text = Vec::new();
    file.take(LARGEST_SIGNATURE + 1).read_to_end(&mut text).map_err(missing)?;
    if text.len() as u64 > LARGEST_SIGNATURE {
        return Err(malformed("it is too large"));
    }
    let text = String::from_utf8(text).map_err(|_| malformed("it is not text"))?;
    Signature::decode(&text).map_err(|_| malformed("it does not have the four lines of one"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Command, Stdio};

    use andon_testbed::require;

    use super::*;

    /// A directory with the archive `www.tar` and the keys `ana` and `eve`, made by the real minisign.
    struct Bench(tempfile::TempDir);

    impl Bench {
        fn new() -> Self {
            require(&["minisign"]).unwrap();
            let bench = Self(tempfile::tempdir().unwrap());
            for name in ["ana", "eve"] {
                bench.minisign(&["-G", "-W", "-p", &format!("{name}.pub"), "-s", &format!("{name}.key")]);
            }
            fs::write(bench.archive(), vec![b'x'; 10_000]).unwrap();
            bench
        }

        fn minisign(&self, words: &[&str]) {
            let mut command = Command::new("minisign");
            let ran = command.args(words).current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap();
            assert!(ran.status.success(), "{words:?}: {ran:?}");
        }

        fn sign(&self, name: &str, more: &[&str]) {
            let mut words = vec!["-S", "-s"];
            let key = format!("{name}.key");
            words.extend([key.as_str(), "-m", "www.tar"]);
            words.extend(more);
            self.minisign(&words);
        }

        fn archive(&self) -> PathBuf {
            self.0.path().join("www.tar")
        }

        fn signature(&self) -> PathBuf {
            self.0.path().join("www.tar.minisig")
        }

        /// The key, and the id that minisign writes into the comment above it.
        fn key(&self, name: &str) -> (PublicKey, String) {
            let text = fs::read_to_string(self.0.path().join(format!("{name}.pub"))).unwrap();
            let mut lines = text.lines();
            // minisign leaves the zeros out that an id begins with.
            let id = format!("{:0>16}", lines.next().unwrap().rsplit(' ').next().unwrap());
            (PublicKey::new(lines.next().unwrap()).unwrap(), id)
        }

        fn verify(&self, names: &[&str]) -> Result<Signed, SignatureError> {
            let keys: Vec<PublicKey> = names.iter().map(|name| self.key(name).0).collect();
            verify(&self.archive(), &self.archive(), &keys)
        }
    }

    #[test]
    fn both_forms_of_signatures_by_the_real_minisign_are_verified() {
        let bench = Bench::new();
        for form in ["-H", "-l"] {
            bench.sign("ana", &[form, "-t", "build 812 of checkout"]);
            let signed = bench.verify(&["eve", "ana"]).unwrap();
            assert_eq!(signed.key.to_string(), bench.key("ana").1);
            assert_eq!(signed.comment, "build 812 of checkout", "{form}");
        }
    }

    #[test]
    fn a_signature_by_another_key_and_none_at_all_are_refused() {
        let bench = Bench::new();
        assert!(matches!(bench.verify(&["ana"]), Err(SignatureError::Missing { .. })));
        bench.sign("eve", &[]);
        let error = bench.verify(&["ana"]).unwrap_err();
        assert!(
            matches!(&error, SignatureError::Stranger { named } if *named == bench.key("ana").1),
            "{error}"
        );
        // The id is no secret: eve gives her key the id of ana's.
        let theirs = fs::read_to_string(bench.signature()).unwrap();
        let forged = with_key_id(&theirs, bench.key("ana").0.as_str());
        fs::write(bench.signature(), forged).unwrap();
        assert!(matches!(bench.verify(&["ana"]), Err(SignatureError::Wrong)));
    }

    /// The signature with the key id of `key` in it.
    fn with_key_id(signature: &str, key: &str) -> String {
        let mut lines: Vec<String> = signature.lines().map(str::to_owned).collect();
        lines[1] = decode_mix(&lines[1], key);
        lines.join("\n") + "\n"
    }

    fn decode_mix(signature: &str, key: &str) -> String {
        use base64::{decode, encode};
        let (mut bytes, key) = (decode(signature), decode(key));
        bytes[2..10].copy_from_slice(&key[2..10]);
        encode(&bytes)
    }

    mod base64 {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        pub(super) fn decode(text: &str) -> Vec<u8> {
            let digits = text.trim_end_matches('=').bytes();
            let digits = digits.map(|byte| ALPHABET.iter().position(|it| *it == byte).unwrap());
            let digits = digits.map(|digit| u32::try_from(digit).unwrap());
            let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
            for digit in digits {
                (bits, count) = (bits << 6 | digit, count + 6);
                if count >= 8 {
                    count -= 8;
                    bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
                }
            }
            bytes
        }

        pub(super) fn encode(bytes: &[u8]) -> String {
            let mut text = String::new();
            for three in bytes.chunks(3) {
                let mut padded = [0; 3];
                padded[..three.len()].copy_from_slice(three);
                let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
                for place in 0..4 {
                    let digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize] as char;
                    text.push(if place <= three.len() { digit } else { '=' });
                }
            }
            text
        }
    }

    #[test]
    fn a_changed_archive_a_changed_comment_and_a_cut_one_are_refused() {
        let bench = Bench::new();
        for form in ["-H", "-l"] {
            bench.sign("ana", &[form, "-t", "build 812"]);
            let (archive, signature) =
                (fs::read(bench.archive()).unwrap(), fs::read_to_string(bench.signature()).unwrap());
            let mut changed = archive.clone();
            changed[9_999] ^= 1;
            for other in [&changed[..], &archive[..9_999], &[]] {
                fs::write(bench.archive(), other).unwrap();
                assert!(matches!(bench.verify(&["ana"]), Err(SignatureError::Wrong)), "{form}");
            }
            fs::write(bench.archive(), &archive).unwrap();
            fs::write(bench.signature(), signature.replace("build 812", "build 813")).unwrap();
            assert!(matches!(bench.verify(&["ana"]), Err(SignatureError::Wrong)), "{form}");
            fs::write(bench.signature(), &signature).unwrap();
            bench.verify(&["ana"]).unwrap();
        }
    }

    #[test]
    fn no_cut_and_no_changed_byte_of_a_signature_passes_and_none_panics() {
        let bench = Bench::new();
        bench.sign("ana", &["-t", "build 812"]);
        let good = fs::read(bench.signature()).unwrap();
        let end = good.iter().rposition(|byte| *byte != b'\n').unwrap();
        for cut in 0..end {
            fs::write(bench.signature(), &good[..cut]).unwrap();
            assert!(bench.verify(&["ana"]).is_err(), "cut at {cut}");
        }
        let begin = good.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for at in begin..end {
            let mut changed = good.clone();
            changed[at] ^= 1;
            fs::write(bench.signature(), changed).unwrap();
            assert!(bench.verify(&["ana"]).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn what_is_no_signature_is_refused_whatever_its_size() {
        let bench = Bench::new();
        let huge = "untrusted comment: x\n".repeat(10_000);
        for wrong in [&b""[..], b"\n\n\n\n", b"\xff\xfe\n", "é\né\né\né\n".as_bytes(), huge.as_bytes()] {
            fs::write(bench.signature(), wrong).unwrap();
            assert!(matches!(bench.verify(&["ana"]), Err(SignatureError::Malformed { .. })));
        }
        fs::remove_file(bench.signature()).unwrap();
        // Nor does a pipe, a device or a directory in its place keep anybody waiting.
        let made = Command::new("mkfifo").arg(bench.signature()).status().unwrap();
        assert!(made.success());
        assert!(matches!(bench.verify(&["ana"]), Err(SignatureError::Malformed { .. })));
        fs::remove_file(bench.signature()).unwrap();
        std::os::unix::fs::symlink("/dev/zero", bench.signature()).unwrap();
        assert!(matches!(bench.verify(&["ana"]), Err(SignatureError::Malformed { .. })));
    }
}
