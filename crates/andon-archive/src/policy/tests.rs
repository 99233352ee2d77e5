//! The policy by itself: which sequences of entries it admits.

use super::*;

fn file(path: &str) -> Member {
    Member { path: path.into(), mode: 0o644, kind: MemberKind::File { size: 1 } }
}

fn dir(path: &str) -> Member {
    Member { path: path.into(), mode: 0o755, kind: MemberKind::Directory }
}

fn link(path: &str, target: &str) -> Member {
    Member { path: path.into(), mode: 0o777, kind: MemberKind::Symlink { target: target.into() } }
}

fn hard(path: &str, original: &str) -> Member {
    Member { path: path.into(), mode: 0o644, kind: MemberKind::HardLink { original: original.into() } }
}

/// The first refusal of a sequence of entries, by its variant's name.
fn refusal(members: &[Member]) -> Option<String> {
    refusal_within(Limits::default(), members)
}

fn refusal_within(limits: Limits, members: &[Member]) -> Option<String> {
    let mut policy = Policy::new(limits);
    let judged = members.iter().try_for_each(|member| policy.admit(member).map(|_| ()));
    let judged = judged.and_then(|()| policy.finish().map(|_| ()).map_err(|(_, refusal)| refusal));
    let name = |refusal: Refusal| format!("{refusal:?}").split('(').next().unwrap_or_default().to_owned();
    judged.err().map(name)
}

macro_rules! refused {
    ($variant:ident: $($member:expr),+) => {
        assert_eq!(refusal(&[$($member),+]).as_deref(), Some(stringify!($variant)))
    };
}

macro_rules! admitted {
    ($($member:expr),+) => {
        assert_eq!(refusal(&[$($member),+]), None)
    };
}

#[test]
fn ordinary_trees_are_admitted() {
    admitted!(dir("."), dir("./bin/"), file("./bin/www"), file("lib//deep/er/x.so"), dir("lib"));
    admitted!(file("a"), hard("b", "./a"), hard("c/d", "b"));
    admitted!(link("current", "v2"), dir("v2"), file("v2/x"), link("v2/up", "../v2/x"));
    admitted!(link("dangling", "not/here"), link("dir/to-root", ".."), link("self", "."));
    admitted!(file("..."), file("..a"), file("a.."));
}

#[test]
fn paths_that_leave_the_release_are_refused() {
    refused!(Absolute: file("/etc/passwd"));
    refused!(Upwards: file("../x"));
    refused!(Upwards: file("a/../x"));
    refused!(Upwards: dir("a/.."));
    refused!(Unnamed: file("."));
    refused!(Unnamed: file(""));
    refused!(Unnamed: link("./", "a"));
    refused!(NulInName: file("a\0b"));
}

#[test]
fn nothing_is_written_through_a_link_or_a_file() {
    refused!(ThroughLink: dir("d"), link("l", "d"), file("l/x"));
    refused!(ThroughLink: link("l", "not-yet"), dir("l/x"));
    refused!(ThroughLink: dir("a"), link("a/l", "."), file("a/l/x"));
    refused!(ThroughFile: file("f"), file("f/x"));
    refused!(ThroughFile: file("f"), hard("g", "f"), dir("g/x/y"));
}

#[test]
fn only_a_directory_may_occur_twice() {
    admitted!(dir("d"), file("d/x"), dir("d"), file("d/y"));
    refused!(LinkLeaves: link("d", "/"));
    refused!(Twice: dir("d"), link("d", "elsewhere"));
    refused!(Twice: link("d", "elsewhere"), dir("d"));
    refused!(Twice: file("x"), file("./x"));
    refused!(Twice: file("x"), link("x", "y"));
    refused!(Twice: link("x", "y"), file("x"));
    refused!(Twice: file("a"), hard("a", "a"));
    refused!(Twice: file("deep/x"), file("deep"));
}

#[test]
fn symbolic_links_may_not_leave_the_release() {
    refused!(LinkLeaves: link("l", "/etc"));
    refused!(LinkLeaves: link("l", ".."));
    refused!(LinkLeaves: link("a/b/l", "../../../x"));
    refused!(LinkLeaves: link("l", "missing/../../x"));
    refused!(LinkLeaves: file("f"), link("l", "f/../../x"));
    refused!(LinkWithoutTarget: link("l", ""));
    refused!(NulInName: link("l", "a\0/../.."));
    admitted!(link("a/b/l", "../../x"));
}

#[test]
fn chains_of_links_are_followed_in_the_finished_tree() {
    // By its text `up/../x` stays inside; by way of `up` it does not.
    refused!(LinkLeaves: dir("a/b"), link("a/b/up", "../.."), link("l", "a/b/up/../x"));
    refused!(LinkLeaves: link("l", "a/b/up/../x"), dir("a/b"), link("a/b/up", "../.."));
    refused!(LinkLeaves: link("1", "2/.."), link("2", "3"), link("3", "."));
    admitted!(dir("a/b"), link("to-b", "a/b"), link("l", "to-b/../.."));
    refused!(LinkCircle: link("a", "b"), link("b", "a"));
    refused!(LinkCircle: link("a", "a"));
    refused!(LinkCircle: link("a", "./a/x"));
}

#[test]
fn following_links_takes_bounded_time() {
    let mut tree = Tree::new();
    let dir = tree.insert(Tree::ROOT, b"d", Content::directory()).unwrap();
    let link = tree.insert(dir, b"l", Content::Symlink(b"../d/../d/x"[..].into())).unwrap();
    let mut steps = 5;
    assert_eq!(tree.follow(dir, link, &mut steps), Ok(()));
    assert_eq!(steps, 0);
    assert_eq!(tree.follow(dir, link, &mut 4), Err(Refusal::LinksEntangled));
}

#[test]
fn hard_links_need_an_earlier_file_inside() {
    refused!(HardLinkToNothing: hard("l", "/etc/passwd"));
    refused!(HardLinkToNothing: hard("l", "../x"));
    refused!(HardLinkToNothing: hard("l", "later"), file("later"));
    refused!(HardLinkToNothing: dir("d"), hard("l", "d"));
    refused!(HardLinkToNothing: link("s", "x"), hard("l", "s"));
    refused!(HardLinkToNothing: dir("d"), file("d/x"), link("s", "d"), hard("l", "s/x"));
    refused!(HardLinkToNothing: hard("l", ""));
}

#[test]
fn modes_are_those_of_a_read_only_release() {
    let mut policy = Policy::new(Limits::default());
    let mut mode = |path: &str, mode, kind| match policy.admit(&Member { path: path.into(), mode, kind }) {
        Ok(Placement::File { mode, .. } | Placement::Directory { mode, .. }) => Ok(mode),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => Err(refusal),
    };
    assert_eq!(mode("a", 0o644, MemberKind::File { size: 0 }), Ok(0o444));
    assert_eq!(mode("b", 0o777, MemberKind::File { size: 0 }), Ok(0o555));
    assert_eq!(mode("c", 0o600, MemberKind::File { size: 0 }), Ok(0o400));
    assert_eq!(mode("d", 0o000, MemberKind::File { size: 0 }), Ok(0o400));
    assert_eq!(mode("e", 0o1644, MemberKind::File { size: 0 }), Ok(0o444));
    assert_eq!(mode("f", 0o4755, MemberKind::File { size: 0 }), Err(Refusal::SetId));
    assert_eq!(mode("g", 0o2755, MemberKind::File { size: 0 }), Err(Refusal::SetId));
    assert_eq!(mode("h", 0o2775, MemberKind::Directory), Ok(0o755));
    assert_eq!(mode("i", 0o000, MemberKind::Directory), Ok(0o700));
}

#[test]
fn limits_hold() {
    let limits =
        Limits { unpacked: ByteSize(5 * 4096), entries: 4, path_len: 100, depth: 3, names: ByteSize(60) };
    let within = |members: &[Member]| refusal_within(limits, members);
    let sized = |path: &str, size| Member { kind: MemberKind::File { size }, ..file(path) };
    assert_eq!(within(&[sized("a", 4 * 4096), file("b")]), None);
    assert_eq!(within(&[sized("a", 4 * 4096 + 1), file("b")]).as_deref(), Some("TooLarge"));
    assert_eq!(within(&[sized("a", u64::MAX)]).as_deref(), Some("TooLarge"));
    assert_eq!(within(&[file("1/2/3/x")]), None);
    assert_eq!(within(&[file("1/2/3/4/x")]).as_deref(), Some("TooDeep"));
    assert_eq!(within(&[file("a/b/c"), file("a/b/d"), file("e")]).as_deref(), Some("TooManyEntries"));
    assert_eq!(
        within(&[dir("a"), dir("a"), dir("a"), dir("a"), dir("a")]).as_deref(),
        Some("TooManyEntries")
    );
    assert_eq!(within(&[file(&"x".repeat(61))]).as_deref(), Some("TooManyNames"));
    assert_eq!(within(&[link("l", &"x".repeat(59))]).as_deref(), Some("TooManyNames"));
    assert_eq!(within(&[file(&"x/".repeat(51))]).as_deref(), Some("PathTooLong"));
    assert_eq!(within(&[link("l", &"x".repeat(101))]).as_deref(), Some("PathTooLong"));
    assert_eq!(refusal(&[file(&"x".repeat(256))]).as_deref(), Some("NameTooLong"));
}
