//! Artifacts that arrive in pieces, twice, broken, too long, or where there is no room.

use std::fs;

use andon_api::agent::{ArtifactState, CHUNK, Refusal, ToHost};
use andon_core::digest::Digest;

use super::driver::Session;
use super::service::{Site, authority};

/// Bytes that no two places share.
fn artifact(pieces: usize) -> Vec<u8> {
    let words = (0..pieces * CHUNK / 8).map(|n| (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    let mut bytes: Vec<u8> = words.flatten().collect();
    bytes.truncate(pieces * CHUNK - 5);
    bytes
}

#[test]
fn an_upload_that_is_cut_after_every_piece_is_resumed_where_it_was_cut() {
    let site = Site::new();
    let bytes = artifact(6);
    for (sent, piece) in bytes.chunks(CHUNK).enumerate() {
        let mut session = Session::open();
        let digest = Digest::of(&bytes);
        let (id, state) = session.offer(&site.placement, &authority(1), digest, bytes.len() as u64);
        let offset = (sent * CHUNK) as u64;
        assert_eq!(state, Ok(ArtifactState::WantedFrom(offset)));
        session.send(&ToHost::Piece { id, offset, bytes: piece.to_vec() });
        if sent * CHUNK + piece.len() == bytes.len() {
            assert_eq!(session.artifact(), Ok(ArtifactState::Present));
        } else {
            // Half a frame more, then the line is cut.
            session.send_raw(&[0, 4, 0, 0, 1, 2, 3]);
            session.hang_up();
        }
    }
    assert_eq!(Session::open().upload(&site.placement, &authority(1), &bytes), Ok(ArtifactState::Present));
    let arrived = fs::read(site.path(".andon/incoming").join(Digest::of(&bytes).to_string())).unwrap();
    assert!(arrived == bytes);
}

#[test]
fn bytes_with_another_digest_are_refused_and_forgotten() {
    let site = Site::new();
    let mut session = Session::open();
    let wanted = Digest::of(b"the real one");
    for _ in 0..2 {
        let (id, state) = session.offer(&site.placement, &authority(1), wanted, 12);
        assert_eq!(state, Ok(ArtifactState::WantedFrom(0)));
        session.send(&ToHost::Piece { id, offset: 0, bytes: b"another one!".to_vec() });
        assert_eq!(session.artifact(), Err(Refusal::WrongDigest));
    }
    assert_eq!(fs::read_dir(site.path(".andon/incoming")).unwrap().count(), 0);
}

#[test]
fn no_byte_is_taken_beyond_the_announced_size_or_in_the_wrong_place() {
    let site = Site::new();
    let mut session = Session::open();
    let bytes = artifact(1);
    let digest = Digest::of(&bytes);
    for (offset, length) in [(0, 101), (1, 10), (u64::MAX, 10), (u64::MAX - 5, 10)] {
        let (id, state) = session.offer(&site.placement, &authority(1), digest, 100);
        assert_eq!(state, Ok(ArtifactState::WantedFrom(0)));
        session.send(&ToHost::Piece { id, offset, bytes: bytes[..length].to_vec() });
        assert!(matches!(session.artifact(), Err(Refusal::Malformed(_))), "{offset}");
    }
    assert_eq!(fs::metadata(site.path(".andon/incoming").join(digest.to_string())).unwrap().len(), 0);
    session.send(&ToHost::Piece { id: 4711, offset: 0, bytes: vec![1] });
    assert!(matches!(session.artifact(), Err(Refusal::Malformed(_))));
}

#[test]
fn two_connections_that_send_the_same_artifact_do_not_spoil_it() {
    let site = Site::new();
    let bytes = artifact(4);
    let mut sessions = [Session::open(), Session::open()];
    let ids: Vec<u64> = sessions
        .iter_mut()
        .map(|session| {
            session.offer(&site.placement, &authority(1), Digest::of(&bytes), bytes.len() as u64).0
        })
        .collect();
    for (number, piece) in bytes.chunks(CHUNK).enumerate() {
        for (session, id) in sessions.iter_mut().zip(&ids) {
            let offset = (number * CHUNK) as u64;
            session.send(&ToHost::Piece { id: *id, offset, bytes: piece.to_vec() });
        }
    }
    for session in &mut sessions {
        assert_eq!(session.artifact(), Ok(ArtifactState::Present));
    }
}

#[test]
fn an_artifact_larger_than_the_disk_is_refused_with_both_numbers() {
    let site = Site::new();
    let mut session = Session::open();
    let (_, state) = session.offer(&site.placement, &authority(1), Digest::of(b"huge"), 1 << 60);
    let Err(Refusal::Storage(told)) = state else { panic!("{state:?}") };
    assert!(told.contains("free in") && told.contains("1048576 TiB are needed"), "{told}");
}

#[test]
fn a_release_that_is_complete_is_not_sent_again() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    let (_, state) = session.offer(&site.placement, &authority(1), release.digest, release.packed.0);
    assert_eq!(state, Ok(ArtifactState::Present));
    assert_eq!(fs::read_dir(site.path(".andon/incoming")).unwrap().count(), 0);
}

#[test]
fn an_offer_with_a_lower_fence_is_refused() {
    let site = Site::new();
    let mut session = Session::open();
    let digest = Digest::of(b"x");
    assert!(session.offer(&site.placement, &authority(5), digest, 1).1.is_ok());
    match session.offer(&site.placement, &authority(4), digest, 1).1 {
        Err(Refusal::Fenced(holder)) => assert_eq!(holder.fence.0, 5),
        other => panic!("{other:?}"),
    }
}
