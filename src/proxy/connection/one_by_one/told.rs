//! The head of an answer as it is written to a client (RFC 9112 sections 4 and 6), and how its body is framed.

use std::{
    fmt::{Arguments, Write as _},
    time::SystemTime,
};

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
    response::Parts,
};

/// What must be known of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) is_head: bool,
    /// HTTP/1.0.
    pub(super) is_old: bool,
    /// Whether another request may follow.
    pub(super) stays: bool,
}

/// How a client knows where the body ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// There is none.
    Nothing,
    /// So many bytes are still to come.
    Bytes(u64),
    Chunks,
    /// By the end of the connection.
    Rest,
}

/// Writes the head; whether another request may follow, and how the body must be written.
///
/// `exact`: the length of the body, if that is known.
pub(super) fn write(
    answer: &Parts,
    exact: Option<u64>,
    asker: Asker,
    text: &mut BytesMut,
) -> (bool, Framing) {
    let framing = framing(answer, exact, asker);
    let stays = asker.stays && framing != Framing::Rest && !says_close(&answer.headers);
    let version = if asker.is_old { "HTTP/1.0" } else { "HTTP/1.1" };
    let reason = answer.status.canonical_reason().unwrap_or_default();
    for word in [version, " ", answer.status.as_str(), " ", reason, "\r\n"] {
        text.extend_from_slice(word.as_bytes());
    }
    for (name, value) in &answer.headers {
        if *name != CONNECTION && *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING {
            line(text, name, value);
        }
    }
    match framing {
        Framing::Bytes(length) => put(text, format_args!("content-length: {length}\r\n")),
        Framing::Chunks => text.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // What a GET would have: the body is not sent, its length may be said.
        Framing::Nothing if answer.status != StatusCode::NO_CONTENT => {
            answer
                .headers
                .get(CONTENT_LENGTH)
                .into_iter()
                .for_each(|it| line(text, &CONTENT_LENGTH, it));
        }
        Framing::Nothing | Framing::Rest => {}
    }
    match (stays, asker.is_old) {
        (false, false) => text.extend_from_slice(b"connection: close\r\n"),
        (true, true) => text.extend_from_slice(b"connection: keep-alive\r\n"),
        _ => {}
    }
    if !answer.headers.contains_key(DATE) {
        put(text, format_args!("date: {}\r\n", httpdate::fmt_http_date(SystemTime::now())));
    }
    text.extend_from_slice(b"\r\n");
    (stays, framing)
}

fn framing(answer: &Parts, exact: Option<u64>, asker: Asker) -> Framing {
    let has_none = asker.is_head
        || answer.status.is_informational()
        || matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none {
        return Framing::Nothing;
    }
    match stated(&answer.headers).or(exact) {
        Some(length) => Framing::Bytes(length),
        None if asker.is_old => Framing::Rest,
        None => Framing::Chunks,
    }
}

/// What a coordinator said of the length; of several lines only ones that agree come this far.
fn stated(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn says_close(headers: &HeaderMap) -> bool {
    headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

fn line(text: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    text.extend_from_slice(name.as_str().as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value.as_bytes());
    text.extend_from_slice(b"\r\n");
}

fn put(text: &mut BytesMut, words: Arguments<'_>) {
    // It grows as it is written to, and so takes everything.
    let _ = text.write_fmt(words);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    const GET: Asker = Asker { is_head: false, is_old: false, stays: true };

    fn told(
        status: u16,
        lines: &[(&str, &str)],
        exact: Option<u64>,
        asker: Asker,
    ) -> (String, bool, Framing) {
        let mut answer = http::Response::builder().status(status).header(DATE, "now");
        for (name, value) in lines {
            answer = answer.header(*name, *value);
        }
        let (parts, ()) = answer.body(()).unwrap().into_parts();
        let mut text = BytesMut::new();
        let (stays, framing) = write(&parts, exact, asker, &mut text);
        (String::from_utf8(text.to_vec()).unwrap(), stays, framing)
    }

    #[test]
    fn a_body_is_framed_by_what_is_known_of_it() {
        let head = Asker { is_head: true, ..GET };
        let old = Asker { is_old: true, ..GET };
        let length = [("content-length", "8")];
        for (status, lines, exact, asker, stays, framing, said) in [
            (200, &[][..], None, GET, true, Framing::Chunks, "transfer-encoding: chunked\r\n"),
            (200, &[][..], Some(3), GET, true, Framing::Bytes(3), "content-length: 3\r\n"),
            (200, &length[..], None, GET, true, Framing::Bytes(8), "content-length: 8\r\n"),
            (200, &length[..], Some(0), head, true, Framing::Nothing, "content-length: 8\r\n"),
            (200, &[][..], Some(0), head, true, Framing::Nothing, ""),
            (204, &length[..], None, GET, true, Framing::Nothing, ""),
            (304, &length[..], None, GET, true, Framing::Nothing, "content-length: 8\r\n"),
            (200, &[][..], None, old, false, Framing::Rest, ""),
            (
                200,
                &[][..],
                Some(3),
                old,
                true,
                Framing::Bytes(3),
                "content-length: 3\r\nconnection: keep-alive\r\n",
            ),
        ] {
            let (text, stayed, framed) = told(status, lines, exact, asker);
            assert_eq!((stayed, framed), (stays, framing), "{text}");
            assert!(text.ends_with(&format!("date: now\r\n{said}\r\n")), "{text}");
        }
    }

    #[test]
    fn who_must_leave_is_told() {
        let close = [("connection", "close"), ("x-a", "1"), ("x-a", "2")];
        let (text, stays, _) = told(200, &close, Some(0), GET);
        assert!(!stays);
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\ndate: now\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let (text, stays, _) = told(503, &[], Some(0), Asker { stays: false, ..GET });
        assert!(!stays && text.contains("connection: close\r\n"), "{text}");
        let old = Asker { is_old: true, stays: false, ..GET };
        assert!(!told(200, &[], Some(0), old).0.contains("connection"));
    }

    #[test]
    fn an_answer_of_ours_has_a_date() {
        let (parts, ()) = http::Response::new(()).into_parts();
        let mut text = BytesMut::new();
        write(&parts, Some(0), GET, &mut text);
        let text = String::from_utf8(text.to_vec()).unwrap();
        let date = text.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
        assert!(httpdate::parse_http_date(date).is_ok(), "{date}");
    }
}
