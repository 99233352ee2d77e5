//! Headers that describe the next member: GNU long names and PAX records. Only what matters is kept.

use crate::policy::Refusal;

/// The most bytes that one extension header may carry: attributes that are ignored can be long.
pub(super) const MAX_LEN: u64 = 1 << 20;

/// What the extension headers before a member say about it.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) sparse: bool,
}

impl Extensions {
    /// Whether nothing was said that would need a member to follow.
    pub(super) fn is_empty(&self) -> bool {
        self.path.is_none() && self.link_path.is_none() && self.size.is_none() && !self.sparse
    }

    /// Takes in the content of a header of `kind` `L`, `K`, `x` or `g`.
    pub(super) fn add(&mut self, kind: u8, data: Vec<u8>) -> Result<(), Refusal> {
        match kind {
            b'L' => set_once(&mut self.path, long_name(data)?, "path"),
            b'K' => set_once(&mut self.link_path, long_name(data)?, "target"),
            b'g' => {
                let mut global = Extensions::default();
                global.add_records(&data)?;
                // A path or size for all members makes no sense, and tools disagree about it.
                if global.is_empty() { Ok(()) } else { Err(Refusal::Ambiguous("all entries")) }
            }
            _ => self.add_records(&data),
        }
    }

    /// Reads PAX records: `LENGTH KEY=VALUE\n`, the length counting the whole record in bytes.
    fn add_records(&mut self, mut data: &[u8]) -> Result<(), Refusal> {
        while !data.is_empty() {
            let (record, rest) = split_record(data).ok_or(Refusal::Ambiguous("its attributes"))?;
            data = rest;
            let (key, value) = split_at_byte(record, b'=').ok_or(Refusal::Ambiguous("its attributes"))?;
            match key {
                b"path" => set_once(&mut self.path, value.to_vec(), "path")?,
                b"linkpath" => set_once(&mut self.link_path, value.to_vec(), "target")?,
                b"size" => {
                    let size = decimal(value).ok_or(Refusal::Ambiguous("size"))?;
                    set_once(&mut self.size, size, "size")?;
                }
                _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                // Times, owners and extended attributes: none of them is applied.
                _ => {}
            }
        }
        Ok(())
    }
}

fn set_once<T>(field: &mut Option<T>, value: T, what: &'static str) -> Result<(), Refusal> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Refusal::Ambiguous(what)),
    }
}

/// A GNU long name ends with one NUL byte that is not part of it.
fn long_name(mut data: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    data.pop_if(|last| *last == 0);
    if data.contains(&0) { Err(Refusal::NulInName) } else { Ok(data) }
}

fn split_record(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, _) = split_at_byte(data, b' ')?;
    let start = len.len() + 1;
    let end = usize::try_from(decimal(len)?).ok()?;
    let record = data.get(start..end)?.strip_suffix(b"\n")?;
    Some((record, &data[end..]))
}

fn split_at_byte(data: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let index = data.iter().position(|b| *b == at)?;
    Some((&data[..index], &data[index + 1..]))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_may_contain_newlines_and_bytes_that_are_not_text() {
        let mut extensions = Extensions::default();
        extensions.add(b'x', b"16 path=a\nb\xffc=d\n12 size=77\n20 mtime=1234567.8\n".to_vec()).unwrap_err();
        let mut extensions = Extensions::default();
        extensions.add(b'x', b"15 path=a\nb\xffcd\n11 size=77\n".to_vec()).unwrap();
        assert_eq!(extensions.path.as_deref(), Some(b"a\nb\xffcd".as_slice()));
        assert_eq!(extensions.size, Some(77));
    }

    #[test]
    fn records_that_lie_about_their_length_are_refused() {
        for data in [
            &b"5 a=\n"[..],
            b"99999999999999999999 a=b\n",
            b"0 a=b\n",
            b"1 \n",
            b"-6 a=b\n",
            b"7 a=b",
            b"6 a=bX",
            b" a=b\n",
            b"a=b\n",
            b"10 size=-1\n",
            b"18446744073709551615 a=b\n",
        ] {
            let outcome = Extensions::default().add(b'x', data.to_vec());
            let harmless = data == b"5 a=\n";
            assert_eq!(outcome.is_ok(), harmless, "{}", data.escape_ascii());
        }
    }

    #[test]
    fn a_name_given_twice_is_ambiguous() {
        let mut extensions = Extensions::default();
        extensions.add(b'L', b"long\0".to_vec()).unwrap();
        assert_eq!(extensions.add(b'x', b"10 path=b\n".to_vec()), Err(Refusal::Ambiguous("path")));
        let global = Extensions::default().add(b'g', b"10 path=b\n".to_vec());
        assert_eq!(global, Err(Refusal::Ambiguous("all entries")));
        assert_eq!(Extensions::default().add(b'g', b"15 comment=abc\n".to_vec()), Ok(()));
        assert_eq!(Extensions::default().add(b'L', b"a\0b\0".to_vec()), Err(Refusal::NulInName));
    }
}
