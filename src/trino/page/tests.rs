//! Compressed pages: whole, split, broken, and bombs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    non_snake_case,
    reason = "a test may fail loudly, and bears the ids of the facts"
)]

use std::io::Write;

use flate2::Compression;
use flate2::GzBuilder;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::trino::head::{State, Verdict};
use crate::trino::samples::{ERROR, FIRST, FIRST_NEXT, LAST, MIDDLE};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

fn read(encoding: &str, body: &[u8], pieces_of: usize) -> Head {
    let mut reader = Reader::new(Some(encoding));
    body.chunks(pieces_of).for_each(|piece| reader.feed(piece));
    reader.finish();
    reader.head().clone()
}

fn plain_head(page: &str) -> Head {
    read("identity", page.as_bytes(), usize::MAX)
}

#[test]
fn peers_X1_gzip_and_zstd_say_the_same_as_identity() {
    for page in [FIRST, MIDDLE, LAST, ERROR] {
        let expected = plain_head(page);
        for pieces_of in [1, 7, 600, usize::MAX] {
            assert_eq!(read("gzip", &gzip(page.as_bytes()), pieces_of), expected);
            assert_eq!(read("zstd", &zstd(page.as_bytes()), pieces_of), expected);
        }
    }
    assert_eq!(plain_head(FIRST).next_uri.as_deref(), Some(FIRST_NEXT));
}

#[test]
fn peers_X2_a_compressed_last_page_of_5_MB_ends_the_query() {
    let rows: String = (0..400_000).map(|row| format!("[{row},\"a\"],")).collect();
    let page = format!(r#"{{"id":"x","data":[{rows}[]],"stats":{{"state":"FINISHED"}}}}"#);
    assert!(page.len() > 5_000_000);
    for (encoding, body) in [("gzip", gzip(page.as_bytes())), ("zstd", zstd(page.as_bytes()))] {
        let head = read(encoding, &body, 16 * 1024);
        assert_eq!((head.verdict, head.state), (Verdict::Final, Some(State::Finished)));
    }
}

#[test]
fn several_members_and_frames_are_one_page() {
    for at in [0, 1, 100, LAST.len() - 1] {
        let (one, two) = LAST.as_bytes().split_at(at);
        for pieces_of in [1, 512, usize::MAX] {
            assert_eq!(read("gzip", &[gzip(one), gzip(two)].concat(), pieces_of), plain_head(LAST));
            assert_eq!(read("zstd", &[zstd(one), zstd(two)].concat(), pieces_of), plain_head(LAST));
        }
    }
}

#[test]
fn every_part_of_a_gzip_header_is_passed_over() {
    let mut encoder = GzBuilder::new()
        .extra(vec![0; 300])
        .filename("page.json")
        .comment("a comment")
        .mtime(1)
        .write(Vec::new(), Compression::fast());
    encoder.write_all(FIRST.as_bytes()).unwrap();
    let body = encoder.finish().unwrap();
    // The same with a checksum of the header, which flate2 does not write: it stands before the deflate stream.
    let header = 10 + 2 + 300 + "page.json\0a comment\0".len();
    let mut checked = body.clone();
    checked[3] |= 2;
    checked.splice(header..header, [0, 0]);
    for body in [body, checked] {
        assert_eq!(read("gzip", &body, 1), plain_head(FIRST));
        assert_eq!(read("gzip", &body, usize::MAX), plain_head(FIRST));
    }
}

#[test]
fn reading_stops_with_the_heads_end() {
    let mut page = MIDDLE.as_bytes().to_vec();
    page.resize(1024 * 1024, b' ');
    for (encoding, body) in [("gzip", gzip(&page)), ("zstd", zstd(&page))] {
        let mut reader = Reader::new(Some(encoding));
        reader.feed(&body);
        assert!(reader.done());
        assert!(matches!(reader.body, Body::Passing), "the inflater's memory is given back");
        let inflated = MOST_INFLATED - reader.left;
        assert!(inflated <= 2 * ROOM, "{inflated} bytes inflated");
    }
}

#[test]
fn a_bomb_in_the_head_is_given_up() {
    let allowed = 256 * 1024;
    let bomb = vec![b' '; 2 * allowed];
    for (encoding, body) in [("gzip", gzip(&bomb)), ("zstd", zstd(&bomb))] {
        let mut reader = Reader::new(Some(encoding));
        reader.left = allowed;
        reader.feed(&body);
        assert!(reader.done());
        assert_eq!(reader.head().verdict, Verdict::NotAPage);
        assert!(reader.left < ROOM, "it went on as long as it might");
    }
}

#[test]
fn a_frame_that_wants_too_much_memory_is_not_read() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(FIRST.as_bytes()).unwrap();
    encoder.flush().unwrap();
    let body = encoder.finish().unwrap();
    assert_eq!(read("zstd", &body, 100).verdict, Verdict::NotAPage);
}

#[test]
fn what_is_not_of_its_encoding_is_no_page() {
    let mut broken = gzip(FIRST.as_bytes());
    broken[30] ^= 0xFF;
    broken[31] ^= 0xFF;
    for (encoding, body) in [
        ("gzip", FIRST.as_bytes().to_vec()),
        ("zstd", FIRST.as_bytes().to_vec()),
        ("gzip", zstd(FIRST.as_bytes())),
        ("zstd", gzip(FIRST.as_bytes())),
        ("identity", gzip(FIRST.as_bytes())),
        ("gzip", vec![]),
        ("gzip", vec![0x1F]),
        ("gzip", vec![0x1F, 0x8B, 7, 0, 0, 0]),
        ("zstd", vec![0; 100]),
    ] {
        for pieces_of in [1, usize::MAX] {
            assert_eq!(read(encoding, &body, pieces_of).verdict, Verdict::NotAPage, "{encoding}");
        }
    }
    // Broken in the middle: whatever was read before stands, and nothing panics.
    assert_ne!(read("gzip", &broken, 5).verdict, Verdict::Final);
}

#[test]
fn a_body_cut_off_never_ends_a_query() {
    for (encoding, body) in [("gzip", gzip(LAST.as_bytes())), ("zstd", zstd(LAST.as_bytes()))] {
        for at in 0..body.len() - 12 {
            assert_eq!(
                read(encoding, &body[..at], 64).verdict,
                Verdict::NotAPage,
                "{encoding} cut at {at}"
            );
        }
    }
}

#[test]
fn only_encodings_that_we_ask_for_are_read() {
    for encoding in ["br", "deflate", "gzip, zstd", "compress", "?"] {
        let reader = Reader::new(Some(encoding));
        assert!(reader.done());
        assert_eq!(reader.head().verdict, Verdict::NotAPage);
    }
    for encoding in ["", "identity", "Identity", " , identity"] {
        assert_eq!(read(encoding, FIRST.as_bytes(), 10), plain_head(FIRST));
    }
    for encoding in ["GZIP", "x-gzip", "identity, gzip"] {
        assert_eq!(read(encoding, &gzip(FIRST.as_bytes()), 10), plain_head(FIRST));
    }
    let mut reader = Reader::new(None);
    reader.feed(FIRST.as_bytes());
    assert_eq!(reader.head(), &plain_head(FIRST));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_in_a_body_never_panics(
        place in any::<prop::sample::Index>(),
        garbage in prop::collection::vec(any::<u8>(), 1..20),
        use_gzip in any::<bool>(),
        pieces_of in 1_usize..200,
    ) {
        let (encoding, mut body) = if use_gzip {
            ("gzip", gzip(LAST.as_bytes()))
        } else {
            ("zstd", zstd(LAST.as_bytes()))
        };
        let at = place.index(body.len());
        body.splice(at..(at + garbage.len()).min(body.len()), garbage);
        let _ = read(encoding, &body, pieces_of);
        // Its inflater is the next page's.
        let good = if use_gzip { gzip(FIRST.as_bytes()) } else { zstd(FIRST.as_bytes()) };
        prop_assert_eq!(read(encoding, &good, pieces_of), plain_head(FIRST));
    }
}
