//! The scanner against real pages, broken ones and hostile ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    non_snake_case,
    reason = "a test may fail loudly, and bears the ids of the facts"
)]

use proptest::prelude::*;

use super::*;
use crate::trino::samples::{ERROR, FIRST, FIRST_NEXT, ID, LAST, MIDDLE, SPOOLED};

fn scan(pieces: &[&[u8]]) -> Scanner {
    let mut scanner = Scanner::new();
    pieces.iter().for_each(|piece| scanner.feed(piece));
    scanner.finish();
    scanner
}

fn head_of(page: &str) -> Head {
    scan(&[page.as_bytes()]).head().clone()
}

fn a_page(more: &str) -> String {
    format!(r#"{{"id":"{ID}"{more}}}"#)
}

fn error(name: &str, kind: ErrorType, code: i64) -> PageError {
    PageError { name: name.to_owned(), kind, code }
}

#[test]
fn reads_the_answer_to_a_post() {
    let head = head_of(FIRST);
    assert_eq!(head.id.unwrap().as_str(), ID);
    assert_eq!(head.next_uri.as_deref(), Some(FIRST_NEXT));
    assert_eq!(
        (head.verdict, head.state, head.has_data),
        (Verdict::Continues, Some(State::Queued), false)
    );
    assert_eq!(head.error, None);
}

#[test]
fn a_page_with_data_and_next_uri_counts_as_running_and_is_read_no_further() {
    let mut scanner = Scanner::new();
    let data = MIDDLE.find(r#""data":["#).unwrap() + r#""data":["#.len();
    scanner.feed(&MIDDLE.as_bytes()[..data - 1]);
    assert!(!scanner.done());
    scanner.feed(&MIDDLE.as_bytes()[data - 1..data]);
    assert!(scanner.done());
    assert_eq!((scanner.head().state, scanner.head().has_data), (Some(State::Running), true));
    scanner.feed(b"no more of this is looked at");
    assert_eq!(scanner.head().verdict, Verdict::Continues);
}

#[test]
fn a_page_without_data_is_read_up_to_its_state() {
    let mut scanner = Scanner::new();
    let state = FIRST.find("QUEUED").unwrap() + "QUEUED\"".len();
    scanner.feed(&FIRST.as_bytes()[..state - 1]);
    assert!(!scanner.done());
    scanner.feed(b"\"");
    assert!(scanner.done());
}

#[test]
fn a_page_that_closes_without_next_uri_is_the_last() {
    let head = head_of(LAST);
    assert_eq!(
        (head.verdict, head.state, head.error),
        (Verdict::Final, Some(State::Finished), None)
    );
    let head = head_of(ERROR);
    assert_eq!((head.verdict, head.state), (Verdict::Final, Some(State::Failed)));
    assert_eq!(head.error, Some(error("COLUMN_NOT_FOUND", ErrorType::UserError, 47)));
}

#[test]
fn it_is_known_early_that_no_next_uri_will_come() {
    let mut scanner = Scanner::new();
    let stats = LAST.find(r#""columns":["#).unwrap() + r#""columns":["#.len();
    scanner.feed(&LAST.as_bytes()[..stats - 1]);
    assert!(!scanner.past_next_uri());
    scanner.feed(b"[");
    assert!(scanner.past_next_uri() && !scanner.done());
    assert!(!scan(&[MIDDLE.as_bytes()]).past_next_uri());
}

#[test]
fn peers_X2_a_last_page_of_5_MB_ends_the_query() {
    let row = r#"["} ] \" \\",{"nextUri":"http://x/","id":"y","data":[[]]},1.5],"#;
    let rows = row.repeat(5 * 1024 * 1024 / row.len());
    let page = a_page(&format!(r#","data":[{rows}[]],"stats":{{"state":"FINISHED"}}"#));
    let mut scanner = Scanner::new();
    page.as_bytes().chunks(16 * 1024).for_each(|piece| scanner.feed(piece));
    let head = scanner.head();
    assert_eq!(
        (head.verdict, head.state, head.has_data),
        (Verdict::Final, Some(State::Finished), true)
    );
    assert_eq!(head.next_uri, None);
}

#[test]
fn null_is_absent() {
    let head = head_of(&a_page(
        r#","nextUri":null,"data":null,"error":null,"stats":{"state":"FINISHED"}"#,
    ));
    assert_eq!((head.verdict, head.has_data, head.error), (Verdict::Final, false, None));
    let head = head_of(&a_page(r#","nextUri":"","stats":{"state":"FINISHED"}"#));
    assert_eq!((head.verdict, head.next_uri), (Verdict::Final, None));
}

#[test]
fn keys_may_come_in_any_order() {
    let page = format!(
        r#"{{"stats":{{"rootStage":{{"state":"X"}},"state":"PLANNING"}},"warnings":[],"nextUri":"http://x/1","id":"{ID}"}}"#
    );
    let head = head_of(&page);
    assert_eq!(head.id.unwrap().as_str(), ID);
    assert_eq!((head.verdict, head.state), (Verdict::Continues, Some(State::Planning)));
    let page = format!(
        r#"{{"data":[[1]],"nextUri":"http://x/1","stats":{{"state":"FINISHING"}},"id":"{ID}"}}"#
    );
    let head = head_of(&page);
    assert_eq!((head.id.is_some(), head.state, head.has_data), (true, Some(State::Running), true));
}

#[test]
fn the_first_of_two_keys_counts() {
    let head = head_of(&a_page(r#","nextUri":"a","nextUri":"b","id":"x""#));
    assert_eq!((head.next_uri.as_deref(), head.id.is_some()), (Some("a"), true));
    let head = head_of(&a_page(
        r#","nextUri":null,"nextUri":"b","stats":{"state":"RUNNING","state":"FAILED"}"#,
    ));
    assert_eq!((head.next_uri.as_deref(), head.state), (Some("b"), Some(State::Running)));
}

#[test]
fn keys_of_the_same_name_deeper_down_are_nobodys() {
    let inside = r#"{"id":"x","nextUri":"x","error":{"errorName":"X"},"data":[1],"state":"X","errorName":"X"}"#;
    let page = a_page(&format!(
        r#","columns":[{inside}],"data":[[{inside}],{inside}],"stats":{{"rootStage":{inside},"nextUri":"x","state":"FAILED"}},"error":{{"failureInfo":{inside},"errorType":"EXTERNAL","cause":[{inside}],"errorName":"ICEBERG_BAD_DATA","errorCode":84148225}},"other":{inside}"#
    ));
    let head = head_of(&page);
    assert_eq!(
        (head.verdict, head.next_uri, head.state),
        (Verdict::Final, None, Some(State::Failed))
    );
    assert_eq!(head.error, Some(error("ICEBERG_BAD_DATA", ErrorType::External, 84_148_225)));
}

#[test]
fn an_error_is_found_behind_a_huge_stack() {
    let frame = r#""io.trino.operator.Driver.lambda$processInternal$9(Driver.java:\"{[402]}\")","#;
    let stack = frame.repeat(20_000);
    let page = a_page(&format!(
        r#","stats":{{"state":"FAILED"}},"error":{{"failureInfo":{{"stack":[{stack}""]}},"errorCode":65548,"message":"m","errorType":"INTERNAL_ERROR","errorName":"SERVER_STARTING_UP"}}"#
    ));
    assert_eq!(
        head_of(&page).error,
        Some(error("SERVER_STARTING_UP", ErrorType::InternalError, 65548))
    );
}

#[test]
fn an_error_without_its_fields_is_still_one() {
    for (inside, expected) in [
        ("{}", error("UNKNOWN", ErrorType::Unknown, 0)),
        (
            r#"{"errorName":null,"errorType":"NEW","errorCode":"7"}"#,
            error("UNKNOWN", ErrorType::Unknown, 0),
        ),
        (r#"{"errorName":"A","errorCode":-5}"#, error("A", ErrorType::Unknown, -5)),
        (
            r#"{"errorCode":123456789012345678901234567890123456789012345}"#,
            error("UNKNOWN", ErrorType::Unknown, 0),
        ),
        (r#""words""#, error("UNKNOWN", ErrorType::Unknown, 0)),
    ] {
        assert_eq!(
            head_of(&a_page(&format!(r#","error":{inside}"#))).error,
            Some(expected),
            "{inside}"
        );
    }
}

#[test]
fn escapes_are_read() {
    let head = head_of(&a_page(r#","nextUri":"http:\/\/x\u002fa?\"\\\u00e9\ud83d\ude00""#));
    assert_eq!(head.next_uri.as_deref(), Some("http://x/a?\"\\é😀"));
    let head = head_of(&a_page(r#","\u006eext\u0055ri":"a""#));
    assert_eq!(head.next_uri.as_deref(), Some("a"));
    let head = head_of(&a_page(r#","a\"nextUri":"b","\\":"\\","x":"\\\"","nextUri":"c""#));
    assert_eq!(head.next_uri.as_deref(), Some("c"));
}

#[test]
fn a_next_uri_that_cannot_be_read_still_says_that_the_query_goes_on() {
    let long = "x".repeat(9_000);
    for uri in [long.as_str(), r"\ud800", r"\q"] {
        let head =
            head_of(&a_page(&format!(r#","nextUri":"{uri}","stats":{{"state":"RUNNING"}}"#)));
        assert_eq!(
            (head.verdict, head.next_uri, head.state),
            (Verdict::Continues, None, Some(State::Running))
        );
    }
    let page = [br#"{"nextUri":""#.as_slice(), &[0xFF, 0xFE], br#""}"#].concat();
    assert_eq!(scan(&[&page]).head().verdict, Verdict::Continues);
}

#[test]
fn an_id_of_another_shape_is_none() {
    let head = head_of(r#"{"id":"abc","nextUri":"x","stats":{"state":"ODD"}}"#);
    assert_eq!(
        (head.id, head.verdict, head.state),
        (None, Verdict::Continues, Some(State::Unknown))
    );
}

#[test]
fn white_space_and_a_byte_order_mark_are_passed_over() {
    let page = format!(
        "\u{feff} \r\n\t{{ \"id\" : \"{ID}\" ,\n \"stats\"\t: {{ \"state\" : \"FAILED\" , \"nodes\" : 0 }} }} \n"
    );
    let head = head_of(&page);
    assert_eq!(
        (head.id.is_some(), head.verdict, head.state),
        (true, Verdict::Final, Some(State::Failed))
    );
}

#[test]
fn what_is_no_page_is_called_so() {
    for body in [
        "",
        "   ",
        "[]",
        "[{\"id\":1}]",
        "\"id\"",
        "null",
        "7",
        "<html>",
        "Error 404 Not Found: Query not found",
        "{}",
        r#"{"a":1}"#,
        "{id:1}",
        "{\"id\"",
        "{\"id\":}",
        "{\"id\" 1}",
        "{\"a\":1]",
        "{\"a\":?}",
        "{\"a\":1 2}",
        "{1}",
        "\u{feff}",
        "\u{feff}x",
    ] {
        assert_eq!(head_of(body).verdict, Verdict::NotAPage, "{body}");
    }
    assert_eq!(scan(&[&[0xEF, b'{', b'}']]).head().verdict, Verdict::NotAPage);
    assert_eq!(scan(&[&[0x1F, 0x8B, 8, 0]]).head().verdict, Verdict::NotAPage);
}

#[test]
fn a_page_cut_off_anywhere_never_ends_a_query() {
    for page in [LAST, ERROR] {
        for at in 0..page.len() {
            assert_eq!(
                scan(&[&page.as_bytes()[..at]]).head().verdict,
                Verdict::NotAPage,
                "cut at {at}"
            );
        }
    }
    for at in 0..FIRST.len() {
        assert_ne!(scan(&[&FIRST.as_bytes()[..at]]).head().verdict, Verdict::Final, "cut at {at}");
    }
}

#[test]
fn a_head_that_never_ends_is_held_in_bounded_memory() {
    for (begin, again) in [
        ("{\"a", "aaaaaaaaaaaaaaaa"),
        ("{\"a\":\"", "aaaaaaaaaaaaaaaa"),
        ("{\"id\":\"", "aaaaaaaaaaaaaaaa"),
        ("{\"nextUri\":\"", "\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\""),
        ("{\"error\":{\"errorCode\":", "1111111111111111"),
        ("{\"a\":", "1111111111111111"),
        ("{\"data\":", "[[[[{[[[[{[[[[[["),
        ("{\"stats\":{\"x\":", "{\"x\":[{\"x\":{\"x\":"),
        ("", "                "),
        ("{\"a\":1", "                "),
        ("{\"data\":[", "[1,\"]\"],[2,\"[\"],"),
    ] {
        let mut scanner = Scanner::new();
        scanner.feed(begin.as_bytes());
        let piece = again.repeat(4096);
        for _ in 0..8 {
            scanner.feed(piece.as_bytes());
        }
        assert_ne!(scanner.head().verdict, Verdict::Final, "{begin}");
        assert!(scanner.walk.held() <= 3 * 8 * 1024, "{begin} holds {}", scanner.walk.held());
    }
}

#[test]
fn any_split_gives_the_same_head() {
    for page in [
        FIRST,
        MIDDLE,
        LAST,
        ERROR,
        SPOOLED,
        "\u{feff} {\"id\":\"\\\\\\\"\",\"nextUri\":\"\\u00e9\\\\\"}",
    ] {
        let whole = head_of(page);
        let bytes = page.as_bytes();
        for at in 0..=bytes.len() {
            assert_eq!(scan(&[&bytes[..at], &bytes[at..]]).head(), &whole, "split at {at}");
        }
        let singly: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(scan(&singly).head(), &whole);
        let thirds: Vec<&[u8]> = bytes.chunks(3).collect();
        assert_eq!(scan(&thirds).head(), &whole);
    }
}

/// Bytes that look like JSON more often than chance would have it.
fn jsonish() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ",",
        ":",
        " ",
        "1",
        "null",
        "\"id\":",
        "\"nextUri\":\"",
        "\"data\":[",
        "\"data\":{",
        "\"stats\":{",
        "\"state\":\"RUNNING\"",
        "\"error\":{",
        "\"errorCode\":7",
        "\"segments\":[",
        "\"uri\":\"x\"",
        "\u{feff}",
        "é",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_panics_and_no_split_matters(
        open in any::<bool>(),
        tail in jsonish(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let page = [if open { b"{".as_slice() } else { b"" }, &tail].concat();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(page.len() + 1)).collect();
        at.sort_unstable();
        at.push(page.len());
        let mut from = 0;
        let mut pieces = Vec::new();
        for to in at {
            pieces.push(&page[from..to]);
            from = to;
        }
        let (split, whole) = (scan(&pieces), scan(&[&page]));
        prop_assert_eq!(split.head(), whole.head());
    }

    #[test]
    fn what_serde_reads_the_scanner_reads(
        uri in ".*",
        name in "[A-Z_]{1,40}",
        code in any::<i64>(),
        junk in ".*",
        with_uri in any::<bool>(),
    ) {
        let mut page = serde_json::json!({
            "id": ID, "infoUri": junk.clone(), "warnings": [junk], "stats": {"nodes": 1, "state": "FAILED"},
            "error": {"message": "\"{[", "errorCode": code, "errorName": name.clone(), "errorType": "EXTERNAL"},
        });
        if with_uri {
            page["nextUri"] = uri.clone().into();
        }
        let head = head_of(&page.to_string());
        prop_assert_eq!(head.id, QueryId::parse(ID));
        if with_uri && !uri.is_empty() {
            prop_assert_eq!((head.verdict, head.next_uri), (Verdict::Continues, Some(uri)));
        } else {
            prop_assert_eq!(head.verdict, Verdict::Final);
            prop_assert_eq!(head.error, Some(error(&name, ErrorType::External, code)));
        }
    }
}
