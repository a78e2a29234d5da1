//! What is made of a block here is what the library makes of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::io::Read as _;

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::trino::{
    head::Head,
    page::{Body, Reader},
};

/// The text that is made of the first block of `body`, which comes in pieces; `None` where it is the library's.
fn text_of(body: &[u8], pieces_of: usize) -> Option<Vec<u8>> {
    let mut beginning = Beginning::new();
    for mut piece in body.chunks(pieces_of) {
        match beginning.take(&mut piece) {
            Found::More => {}
            Found::Other => return None,
            Found::Whole => {
                let mut text = Vec::new();
                let told = beginning.text(|more| {
                    text.extend_from_slice(more);
                    true
                });
                assert_eq!(told, text.len());
                return Some(text);
            }
        }
    }
    None
}

/// Rows as results have them, of so many different words.
fn page(rows: usize, seed: u64, words: u64) -> Vec<u8> {
    let mut text =
        String::from(r#"{"id":"20260101_000000_00000_aaaaa","nextUri":"http://trino/x","data":["#);
    let mut state = seed | 1;
    for row in 0..rows {
        // Knuth's multiplier.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(row as u64);
        text += &format!(r#"[{row},"{:x}",{}],"#, (state >> 20) % words, state >> 52);
    }
    text.into_bytes()
}

fn packed(plain: &[u8], level: i32) -> Vec<u8> {
    zstd::encode_all(plain, level).unwrap()
}

#[test]
fn pages_of_all_sizes_and_levels_are_read() {
    let mut read = 0;
    for level in [-5, 1, 3, 6, 9, 15, 19, 22] {
        for (rows, words) in
            [(400, 9), (400, 1 << 40), (3000, 40), (3000, 1 << 20), (9000, 1 << 40)]
        {
            let plain = page(rows, 7, words);
            let Some(text) = text_of(&packed(&plain, level), 32 * 1024) else { continue };
            assert!(plain.starts_with(&text), "level {level}, {rows} rows of {words} words");
            // Above level 12 a block may hold less text than is made at most.
            let least = if level > 12 { SMALL_BLOCK } else { MOST_TEXT.min(plain.len()) };
            assert!(text.len() >= least, "level {level}: {} bytes", text.len());
            read += 1;
        }
    }
    assert!(read > 25, "only {read} of 40 were read here");
}

#[test]
fn what_is_not_ours_is_the_librarys() {
    let plain = page(3000, 1, 1 << 40);
    let small = packed(&page(20, 1, 1 << 40), 3);
    let noise: Vec<u8> =
        (0_u32..9000).flat_map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let mut dictionary = zstd::bulk::Compressor::with_dictionary(3, &plain).unwrap();
    for body in
        [small, packed(&noise, 3), packed(&[7; 40_000], 3), dictionary.compress(&plain).unwrap()]
    {
        assert_eq!(text_of(&body, 1000), None);
    }
    let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9][..], &packed(&plain, 3)].concat();
    assert_eq!(text_of(&skipped, 1000), None);
}

#[test]
fn a_head_behind_the_first_text_is_read_by_the_library() {
    for columns in [1, 300, 2000, 20_000] {
        let column = |at| format!(r#"{{"name":"{:x}","type":"bigint"}}"#, at * 7_919_i64);
        let columns: Vec<_> = (0..columns).map(column).collect();
        let rows = String::from_utf8(page(3000, 3, 1 << 40)).unwrap();
        let page = format!(
            r#"{{"id":"x","columns":[{}],"nextUri":"http://trino/x","rows":{},"stats":{{"state":"RUNNING"}}}}"#,
            columns.join(","),
            rows.split_once("\"data\":").unwrap().1.trim_end_matches(',').to_owned() + "]",
        );
        let body = packed(page.as_bytes(), 3);
        for pieces_of in [1, 700, 40_000, usize::MAX] {
            assert_eq!(
                head("zstd", &body, pieces_of),
                head("identity", page.as_bytes(), usize::MAX)
            );
        }
    }
}

fn head(encoding: &str, body: &[u8], pieces_of: usize) -> Head {
    let mut reader = Reader::new(Some(encoding));
    body.chunks(pieces_of).for_each(|piece| reader.feed(piece));
    reader.finish();
    assert!(matches!(reader.body, Body::Passing));
    reader.head().clone()
}

proptest! {
    #[test]
    fn any_text_is_what_the_library_makes_of_it(
        words in vec("[ -~]{1,30}|[a-c]{1,90}|\\PC{1,9}", 1..40),
        order in vec(any::<u16>(), 2000..6000),
        level in select(vec![-1, 1, 3, 5, 12, 19]),
        pieces_of in 1_usize..70_000,
    ) {
        let plain: String = order.iter().map(|at| words[usize::from(*at) % words.len()].as_str()).collect();
        let body = packed(plain.as_bytes(), level);
        if let Some(text) = text_of(&body, pieces_of) {
            prop_assert!(plain.as_bytes().starts_with(&text));
            prop_assert!(text.len() >= SMALL_BLOCK);
        }
    }

    #[test]
    fn a_broken_block_never_panics_and_tells_nothing_that_the_library_would_not(
        seed in any::<u64>(),
        breaks in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_early in any::<bool>(),
    ) {
        let mut body = packed(&page(1500, seed, 1 << 30), 3);
        let reach = if is_early { 300.min(body.len()) } else { body.len() };
        for (at, byte) in breaks {
            body[at.index(reach)] = byte;
        }
        let Some(text) = text_of(&body, usize::MAX) else { return Ok(()) };
        let mut made = Vec::new();
        // Without the checksum at the end, which is the client's to look at.
        if zstd::Decoder::new(&body[..]).unwrap().take(1 << 20).read_to_end(&mut made).is_ok() {
            prop_assert!(made.starts_with(&text) || text.starts_with(&made));
        }
    }
}
