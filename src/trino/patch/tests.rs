//! Patched pages: only the URIs change, however the page is split.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    non_snake_case,
    reason = "a test may fail loudly, and bears the ids of the facts"
)]

use proptest::prelude::*;

use super::*;
use crate::trino::head::{State, Verdict};
use crate::trino::samples::{BASE, ERROR, FIRST, ID, LAST, MIDDLE, SPOOLED};

const TO: &str = "https://gw.example.com:8443/trino/_b/a";

fn patcher(scope: Scope) -> Patcher {
    Patcher::new(Patch { from: vec![BASE.to_owned()], to: TO.to_owned(), scope })
}

fn run(patcher: &mut Patcher, pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        out.extend(patcher.feed(Bytes::copy_from_slice(piece)).concat());
    }
    out.extend(patcher.finish().concat());
    out
}

fn patch(scope: Scope, page: &str) -> String {
    String::from_utf8(run(&mut patcher(scope), &[page.as_bytes()])).unwrap()
}

/// `page` with the base replaced where one of `keys` has it as the beginning of its value.
fn expected(page: &str, keys: &[&str]) -> String {
    keys.iter().fold(page.to_owned(), |page, key| {
        page.replace(&format!("\"{key}\":\"{BASE}/"), &format!("\"{key}\":\"{TO}/"))
    })
}

const HEAD: [&str; 3] = ["nextUri", "infoUri", "partialCancelUri"];

#[test]
fn peers_L17_all_uris_of_a_head_are_patched_and_nothing_else() {
    for page in [FIRST, MIDDLE, LAST, ERROR, SPOOLED] {
        assert_eq!(patch(Scope::Head, page), expected(page, &HEAD));
    }
    assert_eq!(patch(Scope::Head, FIRST).matches(TO).count(), 2);
    assert_eq!(patch(Scope::Head, MIDDLE).matches(TO).count(), 3);
}

#[test]
fn peers_L1_numbers_and_maps_leave_as_they_came() {
    let page = patch(Scope::Spooled, MIDDLE);
    assert!(page.contains(r#"[5.203437274582956E-10,{"b":1,"a":2}]"#));
    assert!(page.contains(r#""progressPercentage":16.666666666666668"#));
    assert!(page.contains(r#""\"nextUri\":\"http://localhost:29101/\\""#), "rows are no URIs");
}

#[test]
fn segments_of_the_own_origin_are_patched_presigned_and_inline_ones_stay() {
    let page = patch(Scope::Spooled, SPOOLED);
    let uris = SPOOLED
        .replace(&format!("\"uri\":\"{BASE}/v1/"), &format!("\"uri\":\"{TO}/v1/"))
        .replace(&format!("\"ackUri\":\"{BASE}/"), &format!("\"ackUri\":\"{TO}/"));
    assert_eq!(page, expected(&uris, &HEAD));
    assert_eq!(page.matches(TO).count(), 5);
    assert!(page.contains("https://bucket.s3.amazonaws.com/x?X-Amz-Signature=1"));
    assert!(page.contains(r#""metadata":{"uri":"http://localhost:29101/m"}"#));
}

#[test]
fn any_split_gives_the_same_bytes_and_the_same_head() {
    for page in [FIRST, MIDDLE, LAST, SPOOLED] {
        let bytes = page.as_bytes();
        let mut whole = patcher(Scope::Spooled);
        let patched = run(&mut whole, &[bytes]);
        for at in 0..=bytes.len() {
            let mut split = patcher(Scope::Spooled);
            assert_eq!(run(&mut split, &[&bytes[..at], &bytes[at..]]), patched, "split at {at}");
            assert_eq!(split.scanner().head(), whole.scanner().head());
        }
        let singly: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(run(&mut patcher(Scope::Spooled), &singly), patched);
    }
}

#[test]
fn untouched_bytes_are_slices_of_what_came_in() {
    let piece = Bytes::from_static(MIDDLE.as_bytes());
    let mut patcher = patcher(Scope::Head);
    let out = patcher.feed(piece.clone());
    assert_eq!(out.len(), 7, "three URIs and what is around them");
    let inside = |slice: &Bytes| piece.as_ptr_range().contains(&slice.as_ptr());
    assert_eq!(
        out.iter().map(inside).collect::<Vec<_>>(),
        [true, false, true, false, true, false, true]
    );
    let more = Bytes::from_static(b"what follows the head");
    let passed = patcher.feed(more.clone());
    assert_eq!((passed.len(), passed[0].as_ptr()), (1, more.as_ptr()));
}

#[test]
fn a_page_with_nothing_to_patch_is_one_slice() {
    let patch =
        Patch { from: vec!["http://other:1".to_owned()], to: TO.to_owned(), scope: Scope::Spooled };
    let mut patcher = Patcher::new(patch);
    let piece = Bytes::from_static(SPOOLED.as_bytes());
    let out = patcher.feed(piece.clone());
    assert_eq!((out.len(), out[0].as_ptr(), out[0].len()), (1, piece.as_ptr(), piece.len()));
}

#[test]
fn the_head_is_read_on_the_way() {
    let mut patcher = patcher(Scope::Head);
    run(&mut patcher, &[MIDDLE.as_bytes()]);
    let head = patcher.scanner().head();
    assert_eq!(head.id.unwrap().as_str(), ID);
    assert_eq!((head.verdict, head.state), (Verdict::Continues, Some(State::Running)));
    assert!(head.next_uri.as_deref().unwrap().starts_with(BASE), "as the coordinator wrote it");
}

#[test]
fn a_uri_is_ours_only_up_to_a_border() {
    for (uri, patched) in [
        ("http://localhost:29101", TO.to_owned()),
        ("http://localhost:29101?x", format!("{TO}?x")),
        ("http://localhost:29101#x", format!("{TO}#x")),
        ("http://localhost:291011/x", "http://localhost:291011/x".to_owned()),
        ("http://localhost:29101.evil/x", "http://localhost:29101.evil/x".to_owned()),
        ("https://localhost:29101/x", "https://localhost:29101/x".to_owned()),
        ("http:\\/\\/localhost:29101\\/\\u00e9", format!("{TO}/é")),
        ("\\ud800", "\\ud800".to_owned()),
        ("", String::new()),
    ] {
        let page = |uri: &str| {
            format!(r#"{{"id":"{ID}","infoUri":"{uri}","stats":{{"state":"FAILED"}}}}"#)
        };
        assert_eq!(patch(Scope::Head, &page(uri)), page(&patched));
    }
}

#[test]
fn uris_in_a_foreign_order_are_patched_too() {
    let page = format!(
        r#"{{"nextUri":"{BASE}/1","data":[[1]],"stats":{{"state":"RUNNING"}},"id":"{ID}","infoUri":"{BASE}/ui"}}"#
    );
    assert_eq!(patch(Scope::Head, &page), expected(&page, &HEAD));
}

#[test]
fn a_uri_that_is_too_long_passes_untouched() {
    let page = format!(
        r#"{{"id":"{ID}","infoUri":"{BASE}/{}","nextUri":"{BASE}/1"}}"#,
        "x".repeat(20_000)
    );
    let mut patcher = patcher(Scope::Head);
    let pieces: Vec<&[u8]> = page.as_bytes().chunks(1000).collect();
    let out = run(&mut patcher, &pieces);
    assert_eq!(String::from_utf8(out).unwrap(), expected(&page, &["nextUri"]));
}

#[test]
fn what_is_held_is_never_lost_nor_more_than_a_uri() {
    for at in 0..FIRST.len() {
        let mut patcher = patcher(Scope::Head);
        let out: usize = patcher
            .feed(Bytes::copy_from_slice(&FIRST.as_bytes()[..at]))
            .iter()
            .map(Bytes::len)
            .sum();
        let held: usize = patcher.finish().iter().map(Bytes::len).sum();
        let grown = FIRST[..at].matches(&format!("{BASE}/")).count() * (TO.len() - BASE.len());
        assert!(held < 200 && out + held >= at && out + held <= at + grown);
    }
}

#[test]
fn bases_are_replaced_in_headers_and_tokens() {
    let from = [BASE.to_owned(), "http://localhost".to_owned()];
    for (text, replaced) in [
        ("http://localhost:29101/ui/", "https://gw/ui/"),
        ("http://localhost/ui/", "https://gw/ui/"),
        ("http://localhost:29101", "https://gw"),
        ("http://localhost:291012/ui", "http://localhost:291012/ui"),
        ("/ui/", "/ui/"),
        (
            "https://idp/?redirect_uri=http://localhost:29101/oauth2/callback",
            "https://idp/?redirect_uri=http://localhost:29101/oauth2/callback",
        ),
        (
            r#"{"nextUri":"http://localhost:29101/oauth2/token/u"}"#,
            r#"{"nextUri":"https://gw/oauth2/token/u"}"#,
        ),
        (
            r#"Bearer x_redirect_server="http://localhost:29101/oauth2/token/initiate/h", x_token_server="http://localhost:29101/oauth2/token/u""#,
            r#"Bearer x_redirect_server="https://gw/oauth2/token/initiate/h", x_token_server="https://gw/oauth2/token/u""#,
        ),
        ("é \"http://localhost\" é", "é \"https://gw\" é"),
        ("", ""),
    ] {
        assert_eq!(replace_origin(text, &from, "https://gw"), replaced);
    }
    assert!(matches!(replace_origin("/ui/", &from, "https://gw"), Cow::Borrowed(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn foreign_bytes_pass_through_whatever_they_are(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        begin in prop::sample::select(vec!["", "{", "{\"nextUri\":\"", "{\"data\":{\"segments\":[{\"uri\":\""]),
        pieces_of in 1_usize..50,
    ) {
        let body = [begin.as_bytes(), &bytes].concat();
        let pieces: Vec<&[u8]> = body.chunks(pieces_of).collect();
        prop_assert_eq!(run(&mut patcher(Scope::Spooled), &pieces), body);
    }
}
