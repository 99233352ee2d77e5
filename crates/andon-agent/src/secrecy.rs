//! Secrets between the processes of a step: handed over in memory, never on disk, in arguments or the environment, and
//! kept out of core dumps.
//!
//! The next process gets a file in memory in the place of one of its standard streams, reads it, and closes it: no
//! other process inherits it, and no number has to be told.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Stdio;

use andon_api::frame::MAX_BODY;
use andon_api::secret::Secrets;
use rustix::fs::{FileType, MemfdFlags, SealFlags};
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// A stream for the next process that holds `secrets`; `otherwise` when there are none.
pub(crate) fn handed_over(secrets: &Secrets, otherwise: Stdio) -> io::Result<Stdio> {
    if secrets.is_empty() {
        return Ok(otherwise);
    }
    let mut file =
        File::from(rustix::fs::memfd_create("andon", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(&serde_json::to_vec(secrets)?)?;
    let sealed = SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK;
    rustix::fs::fcntl_add_seals(&file, sealed)?;
    Ok(file.into())
}

/// What was handed over as `stream`; none where it is an ordinary one. A process that got secrets shows nobody its
/// memory from then on. The caller replaces the stream.
pub(crate) fn received(stream: BorrowedFd<'_>) -> io::Result<Secrets> {
    let file = File::from(stream.try_clone_to_owned()?);
    let found = file.metadata()?;
    // A file in memory has no name anywhere; one that somebody redirected to is none of ours.
    let in_memory = FileType::from_raw_mode(found.mode()) == FileType::RegularFile && found.nlink() == 0;
    if !in_memory {
        return Ok(Secrets::default());
    }
    keep_out_of_dumps()?;
    let mut bytes = vec![0; usize::try_from(found.size()).unwrap_or(MAX_BODY).min(MAX_BODY)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// No core dump shows this process, and no other process of the same user reads its memory.
pub(crate) fn keep_out_of_dumps() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Neither this process nor what it starts leaves core dumps. A limit of one byte also keeps the kernel from handing a
/// dump to a program, which a limit of nought does not (core(5)).
pub(crate) fn leave_no_dumps() -> io::Result<()> {
    let limit = Rlimit { current: Some(1), maximum: Some(1) };
    Ok(rustix::process::setrlimit(Resource::Core, limit)?)
}

/// Puts an empty stream in the place of standard output.
pub(crate) fn silence_stdout() -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?.as_fd())?)
}

#[cfg(test)]
mod tests {
    use andon_api::secret::SecretValue;
    use andon_core::name::SecretName;

    use super::*;

    #[test]
    fn only_a_file_in_memory_is_taken_for_secrets() {
        let secrets = received(File::open("/dev/null").unwrap().as_fd()).unwrap();
        assert!(secrets.is_empty());
        let mut named = tempfile::NamedTempFile::new().unwrap();
        named.write_all(b"{\"shop-token\":\"planted\"}").unwrap();
        assert!(received(named.as_file().as_fd()).unwrap().is_empty());
    }

    #[test]
    fn a_child_gets_what_was_handed_over() {
        let (name, mut secrets) = (SecretName::new("shop-token").unwrap(), Secrets::default());
        secrets.insert(name, SecretValue::new("s3cr3t-word!"));
        let stream = handed_over(&secrets, Stdio::null()).unwrap();
        let child = std::process::Command::new("cat").arg("/proc/self/fd/0").stdin(stream).output().unwrap();
        assert_eq!(child.stdout, b"{\"shop-token\":\"s3cr3t-word!\"}");
    }
}
