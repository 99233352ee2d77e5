//! What a push wants to change, as Git tells it to its hooks: `OLD NEW REF`, one line each.

use std::io::Read;

use crate::failure::Failure;

/// The most bytes that are read.
const LONGEST: u64 = 1 << 20;

/// One reference that a push changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Update {
    /// The commit from before; `None` for a new reference.
    pub(super) old: Option<String>,
    /// The commit from now on; `None` for a reference that is deleted.
    pub(super) new: Option<String>,
    /// The reference, for example `refs/heads/main`.
    pub(super) reference: String,
}

impl Update {
    /// The branch that it changes, when it is one.
    pub(super) fn branch(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/heads/")
    }
}

/// Everything that a push wants to change.
pub(super) fn read(input: impl Read) -> Result<Vec<Update>, Failure> {
    let mut text = Vec::new();
    let read = input.take(LONGEST + 1).read_to_end(&mut text);
    read.map_err(|error| Failure::broken(format!("the references of the push cannot be read: {error}")))?;
    if text.len() as u64 > LONGEST {
        return Err(Failure::refused("this push changes more references than can be checked at once")
            .next("push fewer of them at a time"));
    }
    parse(&text).ok_or_else(|| {
        Failure::refused("the references of the push cannot be understood")
            .why("the commit check reads what git gives to a receive hook, and lets nothing else pass")
    })
}

fn parse(text: &[u8]) -> Option<Vec<Update>> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(update).collect()
}

fn update(line: &[u8]) -> Option<Update> {
    let mut fields = line.splitn(3, |byte| *byte == b' ');
    let mut commit = || {
        let id = std::str::from_utf8(fields.next()?).ok()?;
        let is_id = matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| id.bytes().any(|byte| byte != b'0').then(|| id.to_owned()))
    };
    let (old, new) = (commit()?, commit()?);
    Some(Update { old, new, reference: String::from_utf8_lossy(fields.next()?).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_changed_and_deleted_references_are_told_apart_and_nothing_else_is_understood() {
        let (a, zero) = ("a".repeat(40), "0".repeat(40));
        let text = format!("{zero} {a} refs/heads/new\n{a} {zero} refs/tags/gone\n");
        let read = read(text.as_bytes()).unwrap();
        assert_eq!(
            (read[0].old.as_ref(), read[0].new.as_ref(), read[0].branch()),
            (None, Some(&a), Some("new"))
        );
        assert_eq!((read[1].old.as_ref(), read[1].new.as_ref(), read[1].branch()), (Some(&a), None, None));
        for bad in ["x y z\n", &format!("{a} --all refs/heads/x\n"), &format!("{a} {a}\n"), "\u{1b}\n"] {
            assert!(super::read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(super::read(&vec![b'a'; 2 << 20][..]).is_err());
        assert_eq!(super::read(&b""[..]).unwrap(), []);
    }
}
