//! The head of an answer: status, headers, and how long its body is (RFC 9112 sections 4 to 6).
//!
//! `httparse` reads the words, as it does for hyper. Headers share the bytes that came: none is copied.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
    response::Parts,
};
use httparse::{Header, ParserConfig, Response, Status};
use smallvec::SmallVec;

use super::Broken;
use crate::{
    proxy::{chunks::Chunks, headers::spent},
    trino::headers::{header_name, items},
};

/// More than any Trino sends: Jetty's default is 8 KiB for all response headers, and settings raise it.
pub(in super::super) const MOST_HEADERS: usize = 1024;

/// As many as nearly all heads have: what is said of so many lies near by on the stack, of a thousand on eight of its pages.
pub(super) const USUAL_HEADERS: usize = 48;

/// Headers that an answer still gets from us, so that its table need not grow for them.
const OURS: usize = 2;

/// The head of an answer.
#[derive(Debug)]
pub(in super::super) struct Answered {
    pub(in super::super) parts: Parts,
    pub(super) length: Length,
    /// Whether the line may be used again after the body.
    pub(super) stays: bool,
}

/// How much of the body is still to come.
#[derive(Debug)]
pub(super) enum Length {
    Bytes(u64),
    Chunks(Chunks),
    /// Until the coordinator closes the line.
    Rest,
}

/// Takes a whole head from what has come; `None` while there is none. Interim answers (1xx) are passed over.
pub(super) fn read(came: &mut BytesMut, asked: &Method) -> Result<Option<Answered>, Broken> {
    while let Some(answered) = one(came, asked)? {
        match answered.parts.status {
            StatusCode::SWITCHING_PROTOCOLS => {
                return Err(Broken::NoHttp("nobody asked to switch"));
            }
            status if status.is_informational() => {}
            _ => return Ok(Some(answered)),
        }
    }
    Ok(None)
}

/// Where a header lies in the head.
#[derive(Clone, Copy)]
struct Lies {
    name: (usize, usize),
    value: (usize, usize),
}

/// A head's own words, and how long it is.
struct Parsed {
    length: usize,
    status: Option<u16>,
    is_old: bool,
}

/// Where each header lies, in a table that is lent, not moved.
type Lie = SmallVec<[Lies; USUAL_HEADERS]>;

fn one(came: &mut BytesMut, asked: &Method) -> Result<Option<Answered>, Broken> {
    if came.is_empty() {
        return Ok(None);
    }
    let mut lie = Lie::new();
    let parsed = match parsed::<USUAL_HEADERS>(came, &mut lie) {
        Err(httparse::Error::TooManyHeaders) => of_many(came, &mut lie),
        parsed => parsed,
    };
    let Some(parsed) = parsed.map_err(|error| Broken::NoHttp(words(error)))? else {
        return Ok(None);
    };
    let status = parsed.status.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Broken::NoHttp("it has no status"))?;
    let head = came.split_to(parsed.length).freeze();
    let headers = named(&head, &lie)?;
    answered(status, parsed.is_old, headers, asked).map(Some)
}

/// Reads the words of a head with at most so many headers.
fn parsed<const MOST: usize>(
    came: &[u8],
    lie: &mut Lie,
) -> Result<Option<Parsed>, httparse::Error> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST];
    let mut parsed = Response::new(&mut []);
    let config = ParserConfig::default();
    let read = config.parse_response_with_uninit_headers(&mut parsed, came, &mut headers)?;
    let Status::Complete(length) = read else { return Ok(None) };
    let begin = came.as_ptr() as usize;
    let at = |text: &[u8]| {
        let from = (text.as_ptr() as usize).wrapping_sub(begin);
        (from, from.saturating_add(text.len()))
    };
    for header in parsed.headers.iter() {
        lie.push(Lies { name: at(header.name.as_bytes()), value: at(header.value) });
    }
    Ok(Some(Parsed { length, status: parsed.code, is_old: parsed.version == Some(0) }))
}

/// The same of a head with as many as are taken at all.
#[cold]
#[inline(never)]
fn of_many(came: &[u8], lie: &mut Lie) -> Result<Option<Parsed>, httparse::Error> {
    parsed::<MOST_HEADERS>(came, lie)
}

fn words(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::TooManyHeaders => "it has too many headers",
        httparse::Error::Status | httparse::Error::Version => "its first line is none",
        _ => "a header is none",
    }
}

fn named(head: &Bytes, lie: &[Lies]) -> Result<HeaderMap, Broken> {
    let mut headers = spent::take(lie.len() + OURS);
    for Lies { name, value } in lie {
        let name = head.get(name.0..name.1).and_then(header_name);
        let value = (value.1 <= head.len()).then(|| head.slice(value.0..value.1));
        let value = value.and_then(|value| HeaderValue::from_maybe_shared(value).ok());
        let (Some(name), Some(value)) = (name, value) else {
            return Err(Broken::NoHttp("a header is none"));
        };
        headers.append(name, value);
    }
    Ok(headers)
}

fn answered(
    status: StatusCode,
    is_old: bool,
    mut headers: HeaderMap,
    asked: &Method,
) -> Result<Answered, Broken> {
    let framing = Framing::of(&headers);
    let mut stays = if is_old { framing.keeps_alive } else { !framing.closes };
    let length = if *asked == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
    {
        Length::Bytes(0)
    } else if let Some(chunked) = framing.chunked {
        // It overrides a length, which is then somebody's mistake or worse (RFC 9112 section 6.3).
        stays &= headers.remove(CONTENT_LENGTH).is_none();
        if chunked && !is_old { Length::Chunks(Chunks::default()) } else { Length::Rest }
    } else {
        framing.stated()?.map_or(Length::Rest, Length::Bytes)
    };
    stays &= !matches!(length, Length::Rest);
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    parts.version = if is_old { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = headers;
    Ok(Answered { parts, length, stays })
}

/// What the headers say of the body and of the line.
#[derive(Debug, Default)]
struct Framing {
    closes: bool,
    keeps_alive: bool,
    /// Whether the last coding is `chunked`: what is coded after it cannot be read. `None` where none is named.
    chunked: Option<bool>,
    /// The one length that all lines state; an answer that needs none may state nonsense.
    length: Option<Result<u64, Broken>>,
}

impl Framing {
    fn of(headers: &HeaderMap) -> Self {
        let mut framing = Self::default();
        for (name, value) in headers {
            if *name == CONNECTION {
                framing.closes |= is_said(value, "close");
                framing.keeps_alive |= is_said(value, "keep-alive");
            } else if *name == TRANSFER_ENCODING {
                let last = items(value).next_back();
                framing.chunked = Some(last.is_some_and(|it| it.eq_ignore_ascii_case("chunked")));
            } else if *name == CONTENT_LENGTH {
                framing.states(value);
            }
        }
        framing
    }

    fn states(&mut self, value: &HeaderValue) {
        let digits =
            value.to_str().ok().filter(|line| line.bytes().all(|byte| byte.is_ascii_digit()));
        let bytes = digits.and_then(|digits| digits.parse().ok());
        let bytes = bytes.ok_or(Broken::NoHttp("its length is none"));
        self.length = Some(match (self.length.take(), bytes) {
            (Some(Ok(earlier)), Ok(bytes)) if earlier != bytes => {
                Err(Broken::NoHttp("it states two lengths"))
            }
            (Some(Err(earlier)), _) => Err(earlier),
            (_, bytes) => bytes,
        });
    }

    fn stated(self) -> Result<Option<u64>, Broken> {
        self.length.transpose()
    }
}

fn is_said(value: &HeaderValue, word: &str) -> bool {
    items(value).any(|said| said.eq_ignore_ascii_case(word))
}
