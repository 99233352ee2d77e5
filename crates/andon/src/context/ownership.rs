//! Whose the data directory is. `sudo andon`, given by mistake, would leave files there that its owner cannot change any
//! more; and whoever meets such files is told whose they are.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::failure::Failure;

/// Refuses to work as root, by way of `sudo`, in a directory of somebody else.
pub(super) fn refuse_sudo(data: &Path) -> Result<(), Failure> {
    let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    // Before it is made, it is its parent's owner who will be surprised.
    let owner = owner(data).or_else(|| owner(data.parent()?));
    let slip = owner.filter(|owner| data_would_be_lost(effective(), sudo, *owner));
    let Some(owner) = slip else { return Ok(()) };
    Err(Failure::refused(format!(
        "this is root, by way of sudo, and {} is {}'s",
        data.display(),
        name_of(owner)
    ))
    .why("what root writes there now, nobody else could change any more; nothing has been changed")
    .next("leave out sudo (hosts have one of their own: sudo = True); or keep root's ledger elsewhere: --data DIR"))
}

/// What to say of a ledger that could not be opened, where it is a stranger's.
pub(super) fn explain(failure: Failure, data: &Path) -> Failure {
    let files = [data.to_owned(), data.join(super::LEDGER)];
    let me = effective();
    match files.iter().find_map(|file| Some((file, owner(file).filter(|owner| *owner != me)?))) {
        Some((file, owner)) if me != 0 => {
            let (file, owner) = (file.display(), name_of(owner));
            failure
                .why(format!(
                    "{file} belongs to {owner}, and this is {}; nothing has been changed",
                    name_of(me)
                ))
                .next(format!(
                    "if it was made by mistake, with sudo: sudo chown -R {} {}",
                    name_of(me),
                    data.display()
                ))
        }
        _ => failure,
    }
}

fn data_would_be_lost(me: u32, sudo: Option<u32>, owner: u32) -> bool {
    me == 0 && sudo.is_some_and(|uid| uid != 0) && owner != 0
}

fn owner(path: &Path) -> Option<u32> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::fs::metadata(path).ok().map(|found| found.uid())
}

fn effective() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn name_of(uid: u32) -> String {
    super::user_name(uid).unwrap_or_else(|| format!("user {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_by_way_of_sudo_in_somebody_elses_directory_is_a_slip() {
        assert!(data_would_be_lost(0, Some(1000), 1000));
        assert!(!data_would_be_lost(0, Some(1000), 0), "it has been root's all the time");
        assert!(!data_would_be_lost(0, None, 1000), "a service of root's knows what it does");
        assert!(!data_would_be_lost(0, Some(0), 1000));
        assert!(!data_would_be_lost(1000, Some(1000), 1000));
    }
}
