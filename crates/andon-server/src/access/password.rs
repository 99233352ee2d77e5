//! Passwords: argon2id digests with the cost that OWASP advises, and how long one has to be.

use argon2::{Algorithm, Argon2, Params, Version};

/// Memory for one digest, in KiB; OWASP Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane.
const MEMORY: u32 = 19 * 1024;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// The shortest password, in characters.
const SHORTEST: usize = 12;
/// The longest password, in bytes.
const LONGEST: usize = 1024;

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too few characters, or too many.
    #[error("a password has {SHORTEST} characters or more, and at most {LONGEST} bytes")]
    Length,
    /// One character again and again.
    #[error("a password that is one character again and again is guessed at once")]
    Dull,
    /// The digest could not be made.
    #[error("the password's digest could not be made")]
    Broken,
}

/// The digest of a password, with all that is needed to check another one against it.
///
/// # Errors
/// [`PasswordError`].
pub(super) fn hash(password: &str, salt: &[u8]) -> Result<String, PasswordError> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(PasswordError::Length);
    }
    let mut characters = password.chars();
    let first = characters.next();
    if characters.all(|c| Some(c) == first) {
        return Err(PasswordError::Dull);
    }
    let digest = digest(password, salt, MEMORY, PASSES, LANES).ok_or(PasswordError::Broken)?;
    let (salt, digest) = (super::hex(salt), super::hex(&digest));
    Ok(format!("argon2id m={MEMORY} t={PASSES} p={LANES} {salt} {digest}"))
}

/// Whether a password has the digest that is `kept`. Without one the answer is no, after the same work.
pub(super) fn is_right(password: &str, kept: Option<&str>) -> bool {
    let parsed = kept.and_then(parse);
    let password = if password.len() > LONGEST { "" } else { password };
    match parsed {
        Some((memory, passes, lanes, salt, kept)) => {
            let made = digest(password, &salt, memory, passes, lanes);
            // Compared as digests of digests, in a time that says nothing of where they differ.
            made.is_some_and(|made| blake3::hash(&made) == blake3::hash(&kept))
        }
        None => {
            let _ = digest(password, &[0; 16], MEMORY, PASSES, LANES);
            false
        }
    }
}

type Parsed = (u32, u32, u32, Vec<u8>, Vec<u8>);

fn parse(kept: &str) -> Option<Parsed> {
    let mut words = kept.split(' ');
    if words.next() != Some("argon2id") {
        return None;
    }
    let number = |word: Option<&str>, name: &str| word?.strip_prefix(name)?.parse::<u32>().ok();
    let (memory, passes, lanes) =
        (number(words.next(), "m=")?, number(words.next(), "t=")?, number(words.next(), "p=")?);
    let (salt, digest) = (unhex(words.next()?)?, unhex(words.next()?)?);
    // What somebody wrote there by hand does not take all memory.
    (memory <= MEMORY * 8 && passes <= 16 && lanes <= 4).then_some((memory, passes, lanes, salt, digest))
}

fn digest(password: &str, salt: &[u8], memory: u32, passes: u32, lanes: u32) -> Option<[u8; 32]> {
    let params = Params::new(memory, passes, lanes, Some(32)).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut digest = [0; 32];
    argon2.hash_password_into(password.as_bytes(), salt, &mut digest).ok()?;
    Some(digest)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.len().is_multiple_of(2).then_some(text.as_bytes().chunks(2))?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_right_or_wrong_and_its_digest_does_not_hold_it() {
        let kept = hash("correct horse battery", &[7; 16]).unwrap();
        assert!(kept.starts_with("argon2id m=19456 t=2 p=1 0707") && !kept.contains("horse"), "{kept}");
        assert!(is_right("correct horse battery", Some(&kept)));
        for wrong in ["correct horse batterz", "", "Correct horse battery"] {
            assert!(!is_right(wrong, Some(&kept)), "{wrong}");
        }
        assert!(!is_right("correct horse battery", None));
        for broken in
            ["", "argon2id", "argon2id m=999999999 t=2 p=1 00 00", "argon2id m=19456 t=2 p=1 zz 00", "md5 x"]
        {
            assert!(!is_right("correct horse battery", Some(broken)), "{broken}");
        }
    }

    #[test]
    fn short_long_and_dull_passwords_are_refused() {
        assert_eq!(hash("elevenchars", &[7; 16]), Err(PasswordError::Length));
        assert_eq!(hash(&"long".repeat(300), &[7; 16]), Err(PasswordError::Length));
        assert_eq!(hash("aaaaaaaaaaaaaaaa", &[7; 16]), Err(PasswordError::Dull));
    }

    /// Computed by the reference implementation, by way of Python's argon2-cffi 25.1.
    #[test]
    fn the_digest_is_the_one_of_the_reference() {
        let made = digest("correct horse battery", b"0123456789abcdef", 19_456, 2, 1).unwrap();
        assert_eq!(super::super::hex(&made), REFERENCE);
    }

    const REFERENCE: &str = "ebd23ba828c34ec430850a85be94098aa108d25190bf10bce1f5c4d0ab7171ae";
}
