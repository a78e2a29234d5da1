//! The head of a request as a client wrote it (RFC 9112 sections 3, 4 and 6), and how long its body is.
//!
//! `httparse` reads the words. Headers share the bytes that came: none is copied. What could be read in two ways is
//! refused: another hop might read it in the other one.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING},
};
use httparse::{Error, Header, Status};
use smallvec::SmallVec;

use crate::{
    proxy::{
        chunks::Chunks,
        connection::{LONGEST_HEAD, MOST_HEADERS},
        headers::spent,
    },
    trino::headers::{header_name, items},
};

/// Longer than any path that a gateway gives out; what `http` takes at most is a little less than 64 KiB.
const LONGEST_URI: usize = u16::MAX as usize - 1;

/// As many headers as nearly all requests have: what is said of so many lies near by on the stack, of a thousand on nine of
/// its pages.
const USUAL_HEADERS: usize = 48;

/// A request without its body.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) request: Request<()>,
    pub(super) length: Length,
    /// Whether another request may follow on the connection.
    pub(super) stays: bool,
    /// Whether the client sends the body only when it is told to go on.
    pub(super) waits: bool,
}

impl Heard {
    /// Whether the client speaks HTTP/1.0, which knows no chunks.
    pub(super) fn is_old(&self) -> bool {
        self.request.version() == Version::HTTP_10
    }
}

/// How much of the body is still to come.
#[derive(Debug)]
pub(super) enum Length {
    Bytes(u64),
    Chunks(Chunks),
}

/// Takes a whole head from what has come; `None` while there is none.
///
/// # Errors
///
/// The status with which it is refused.
pub(super) fn read(came: &mut BytesMut) -> Result<Option<Heard>, StatusCode> {
    let mut lie = Lie::new();
    let read = match words::<USUAL_HEADERS>(came, &mut lie) {
        Err(Error::TooManyHeaders) => of_many(came, &mut lie),
        read => read,
    };
    let (length, words) = match read {
        Ok(Status::Complete((length, _))) if length > LONGEST_HEAD as usize => {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        Ok(Status::Complete((length, words))) => (length, words.ok_or(StatusCode::BAD_REQUEST)?),
        Ok(Status::Partial) => return Ok(None),
        Err(Error::TooManyHeaders) => return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(_) => return Err(StatusCode::BAD_REQUEST),
    };
    let head = came.split_to(length).freeze();
    words.heard(&head, &lie).map(Some)
}

type Span = std::ops::Range<usize>;

/// Where each header's name and value lie in the head, in a table that is lent, not moved: what borrows from what has come
/// cannot outlive its cut.
type Lie = SmallVec<[(Span, Span); USUAL_HEADERS]>;

/// The words of a head with at most so many headers, and how long it is.
fn words<const MOST: usize>(
    came: &[u8],
    lie: &mut Lie,
) -> httparse::Result<(usize, Option<Words>)> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST];
    let mut parsed = httparse::Request::new(&mut []);
    Ok(match parsed.parse_with_uninit_headers(came, &mut headers)? {
        Status::Complete(length) => Status::Complete((length, Words::of(came, &parsed, lie))),
        Status::Partial => Status::Partial,
    })
}

/// The same of a head with as many as are taken at all.
#[cold]
#[inline(never)]
fn of_many(came: &[u8], lie: &mut Lie) -> httparse::Result<(usize, Option<Words>)> {
    words::<MOST_HEADERS>(came, lie)
}

/// The first line of a head.
struct Words {
    method: Method,
    is_old: bool,
    uri: Span,
}

impl Words {
    fn of(came: &[u8], parsed: &httparse::Request<'_, '_>, lie: &mut Lie) -> Option<Self> {
        let begin = came.as_ptr() as usize;
        let span = |text: &[u8]| {
            let from = (text.as_ptr() as usize).wrapping_sub(begin);
            from..from.saturating_add(text.len())
        };
        for header in parsed.headers.iter() {
            lie.push((span(header.name.as_bytes()), span(header.value)));
        }
        Some(Self {
            method: Method::from_bytes(parsed.method?.as_bytes()).ok()?,
            is_old: parsed.version? == 0,
            uri: span(parsed.path?.as_bytes()),
        })
    }

    fn heard(self, head: &Bytes, lie: &Lie) -> Result<Heard, StatusCode> {
        if self.uri.len() > LONGEST_URI {
            return Err(StatusCode::URI_TOO_LONG);
        }
        let mut framing = Framing { stays: !self.is_old, ..Framing::default() };
        let mut headers = spent::take(lie.len());
        for (name, value) in lie {
            let name = head.get(name.clone()).and_then(header_name);
            let value = HeaderValue::from_maybe_shared(slice(head, value.clone())?);
            let (Some(name), Ok(value)) = (name, value) else {
                return Err(StatusCode::BAD_REQUEST);
            };
            framing.note(&name, &value)?;
            headers.append(name, value);
        }
        let uri = Uri::from_maybe_shared(slice(head, self.uri)?);
        let mut request = Request::new(());
        *request.method_mut() = self.method;
        *request.uri_mut() = uri.map_err(|_| StatusCode::BAD_REQUEST)?;
        *request.version_mut() = if self.is_old { Version::HTTP_10 } else { Version::HTTP_11 };
        *request.headers_mut() = headers;
        framing.heard(request)
    }
}

fn slice(head: &Bytes, span: Span) -> Result<Bytes, StatusCode> {
    // Where it lies is reckoned from addresses; what lies elsewhere would be a mistake of ours.
    if span.start > span.end || span.end > head.len() {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(head.slice(span))
}

/// What the headers say of the body and of the connection.
#[derive(Debug, Default)]
struct Framing {
    length: Option<u64>,
    /// Whether the last coding is `chunked`.
    chunked: Option<bool>,
    stays: bool,
    /// Of several lines, the one that closes wins (RFC 9112 section 9.3).
    closes: bool,
    waits: bool,
}

impl Framing {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), StatusCode> {
        if *name == CONTENT_LENGTH {
            let length = length_of(value).ok_or(StatusCode::BAD_REQUEST)?;
            if self.length.replace(length).is_some_and(|earlier| earlier != length) {
                return Err(StatusCode::BAD_REQUEST);
            }
        } else if *name == TRANSFER_ENCODING {
            let last = items(value).next_back();
            self.chunked = Some(last.is_some_and(|last| last.eq_ignore_ascii_case("chunked")));
        } else if *name == CONNECTION {
            let says = |word: &str| items(value).any(|said| said.eq_ignore_ascii_case(word));
            self.closes |= says("close");
            self.stays |= says("keep-alive");
        } else if *name == EXPECT {
            self.waits = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        }
        Ok(())
    }

    fn heard(self, mut request: Request<()>) -> Result<Heard, StatusCode> {
        let is_old = request.version() == Version::HTTP_10;
        let mut stays = self.stays && !self.closes;
        let length = match self.chunked {
            None => Length::Bytes(self.length.unwrap_or(0)),
            // A coding that cannot be taken off, or one that HTTP/1.0 does not have: nobody knows where it ends.
            Some(false) => return Err(StatusCode::BAD_REQUEST),
            Some(true) if is_old => return Err(StatusCode::BAD_REQUEST),
            Some(true) => {
                // It overrides a length, which is then somebody's mistake or worse (RFC 9112 section 6.3).
                stays &= request.headers_mut().remove(CONTENT_LENGTH).is_none();
                Length::Chunks(Chunks::default())
            }
        };
        Ok(Heard { request, length, stays, waits: self.waits && !is_old })
    }
}

/// Digits and nothing else: `+1` is a number to Rust.
fn length_of(value: &HeaderValue) -> Option<u64> {
    let digits = value.to_str().ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

    use super::*;

    const HOST: &str = "Host: gw\r\n";

    fn heard(text: &str) -> Result<Option<Heard>, StatusCode> {
        read(&mut BytesMut::from(text))
    }

    fn whole(text: &str) -> Heard {
        heard(text).unwrap().unwrap_or_else(|| panic!("{text:?} is whole"))
    }

    #[test]
    fn a_head_is_heard_when_it_is_whole_and_leaves_what_follows() {
        let text = "GET /v1/info?a=b HTTP/1.1\r\nHost: gw\r\nX-Trino-User: a\r\nx-trino-user:b \r\n\r\nrest";
        let end = text.len() - "rest".len();
        for cut in 1..end {
            let mut came = BytesMut::from(text.get(..cut).unwrap());
            assert!(read(&mut came).unwrap().is_none(), "{cut}");
            assert_eq!(came.len(), cut, "nothing is lost");
        }
        let mut came = BytesMut::from(text);
        let heard = read(&mut came).unwrap().unwrap();
        assert_eq!(came, "rest");
        assert_eq!((heard.request.method(), heard.stays), (&Method::GET, true));
        assert_eq!(heard.request.uri(), "/v1/info?a=b");
        let users: Vec<_> = heard.request.headers().get_all("x-trino-user").iter().collect();
        assert_eq!(users, ["a", "b"]);
        assert!(matches!(heard.length, Length::Bytes(0)));
    }

    #[test]
    fn more_headers_than_usual_are_heard_as_few_are() {
        for count in [USUAL_HEADERS - 1, USUAL_HEADERS, USUAL_HEADERS + 1, MOST_HEADERS] {
            let lines: String = (0..count).map(|number| format!("a: {number}\r\n")).collect();
            let text = format!("GET / HTTP/1.1\r\n{lines}\r\n");
            let cut = text.len() - 2;
            assert!(heard(text.get(..cut).unwrap()).unwrap().is_none(), "{count}: it is not whole");
            let heard = whole(&text);
            let values = heard.request.headers().get_all("a").iter();
            assert!(
                values.map(|value| value.to_str().unwrap()).eq((0..count).map(|it| it.to_string()))
            );
        }
    }

    #[test]
    fn who_stays_says_so_or_speaks_a_version_that_does() {
        for (version, line, stays) in [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: x, Close\r\n", false),
            ("1.1", "Connection: keep-alive\r\n", true),
            ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
        ] {
            let heard = whole(&format!("GET / HTTP/{version}\r\n{HOST}{line}\r\n"));
            assert_eq!(
                (heard.stays, heard.is_old()),
                (stays, version == "1.0"),
                "{version} {line}"
            );
        }
    }

    #[test]
    fn a_body_is_as_long_as_its_head_says() {
        let post = |lines: &str| whole(&format!("POST / HTTP/1.1\r\n{HOST}{lines}\r\n"));
        assert!(matches!(post("Content-Length: 8\r\n").length, Length::Bytes(8)));
        assert!(matches!(
            post("Content-Length: 8\r\ncontent-length: 8\r\n").length,
            Length::Bytes(8)
        ));
        assert!(matches!(post("Transfer-Encoding: gzip, Chunked\r\n").length, Length::Chunks(_)));
        let both = post("Transfer-Encoding: chunked\r\nContent-Length: 8\r\n");
        assert!(matches!(both.length, Length::Chunks(_)) && !both.stays);
        assert!(!both.request.headers().contains_key(CONTENT_LENGTH));
        assert!(post("Content-Length: 8\r\nExpect: 100-Continue\r\n").waits);
    }

    #[test]
    fn what_is_none_or_can_be_read_in_two_ways_is_refused() {
        let (bad, large) = (StatusCode::BAD_REQUEST, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let many = "a: b\r\n".repeat(MOST_HEADERS + 1);
        let uri = format!("GET /{} HTTP/1.1\r\n\r\n", "u".repeat(LONGEST_URI));
        for (text, status) in [
            ("GET\r\n\r\n", bad),
            ("GET / HTTP/2.0\r\n\r\n", bad),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", bad),
            ("GET / HTTP/1.1\r\na : b\r\n\r\n", bad),
            ("GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", bad),
            ("GET / HTTP/1.1\r\na: \0\r\n\r\n", bad),
            ("POST / HTTP/1.1\r\nContent-Length: 8\r\nContent-Length: 9\r\n\r\n", bad),
            ("POST / HTTP/1.1\r\nContent-Length: 8, 8\r\n\r\n", bad),
            ("POST / HTTP/1.1\r\nContent-Length: +8\r\n\r\n", bad),
            ("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", bad),
            ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", bad),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", bad),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", bad),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", bad),
            (&format!("GET / HTTP/1.1\r\n{many}\r\n"), large),
            (&uri, StatusCode::URI_TOO_LONG),
        ] {
            assert_eq!(heard(text).unwrap_err(), status, "{text:.80}");
        }
    }
}
