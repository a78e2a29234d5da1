//! The trace context and the id of a request, for logs and for what is sent on.
//!
//! A `traceparent` that a client sent is only read here, leniently, so that log lines can name its trace. One is made
//! where none came. Spans are the business of `traces`.

use std::{fmt, ops::Range};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Carries the trace id.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Names one request across client, gateway and coordinator.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Tells the client which trace to ask for.
pub const X_TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// `00-<trace id>-<span id>-<flags>`.
const LENGTH: usize = 55;
const TRACE: Range<usize> = 3..35;
const SPAN: Range<usize> = 36..52;
const FLAGS: Range<usize> = 53..LENGTH;

/// A W3C trace context in its canonical form: version 00, lower case.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct TraceContext([u8; LENGTH]);

impl TraceContext {
    /// The context of a request: the one it came with, else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::read(headers).unwrap_or_else(Self::generate)
    }

    /// The context that a request came with; `None` if it has none, several, or one that cannot be read.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        Self::of_value(value)
    }

    /// The context that one header value carries.
    pub fn of_value(value: &HeaderValue) -> Option<Self> {
        Self::canonical(value.as_bytes()).or_else(|| Self::parse(value.to_str().ok()?.trim()))
    }

    /// A new trace, not sampled, since nothing of it is exported.
    pub fn generate() -> Self {
        Self::root(|_| false)
    }

    /// A new trace; `is_sampled` says by its id whether it is exported.
    pub fn root(is_sampled: impl FnOnce(u128) -> bool) -> Self {
        let trace = fastrand::u128(1..=u128::MAX);
        let mut bytes = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(bytes.get_mut(TRACE), trace.to_be_bytes());
        write_hex(bytes.get_mut(FLAGS), [u8::from(is_sampled(trace))]);
        Self(bytes).child()
    }

    /// Another span of the same trace, with the same flags.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut bytes = self.0;
        write_hex(bytes.get_mut(SPAN), fastrand::u64(1..=u64::MAX).to_be_bytes());
        Self(bytes)
    }

    /// What is written as we write it ourselves, which is what nearly all write.
    fn canonical(text: &[u8]) -> Option<Self> {
        let bytes: [u8; LENGTH] = text.try_into().ok()?;
        let hex = |part: Range<usize>, can_be_zero: bool| {
            let part = bytes.get(part).unwrap_or_default();
            part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                && (can_be_zero || part.iter().any(|byte| *byte != b'0'))
        };
        let dashes = [2, TRACE.end, SPAN.end].iter().all(|at| bytes.get(*at) == Some(&b'-'));
        (dashes
            && bytes.starts_with(b"00")
            && hex(TRACE, false)
            && hex(SPAN, false)
            && hex(FLAGS, true))
        .then_some(Self(bytes))
    }

    /// Reads a header's value in any case and any version; later versions may carry more behind a dash.
    fn parse(text: &str) -> Option<Self> {
        let (known, more) = text.split_at_checked(LENGTH)?;
        let mut parts = known.split('-');
        let version = parts.next()?;
        let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
        let hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let well_formed = parts.next().is_none()
            && hex(version, 2)
            && hex(trace, 32)
            && hex(span, 16)
            && hex(flags, 2)
            && !version.eq_ignore_ascii_case("ff")
            && if version == "00" {
                more.is_empty()
            } else {
                more.is_empty() || more.starts_with('-')
            };
        let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
        if !well_formed || zero(trace) || zero(span) {
            return None;
        }
        let mut bytes: [u8; LENGTH] = known.as_bytes().try_into().ok()?;
        bytes.make_ascii_lowercase();
        for version in bytes.iter_mut().take(2) {
            *version = b'0';
        }
        Some(Self(bytes))
    }

    /// All of it, as log lines carry it.
    pub fn traceparent(&self) -> &str {
        self.part(0..LENGTH)
    }

    /// 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.part(TRACE)
    }

    /// 16 hexadecimal digits.
    pub fn span_id(&self) -> &str {
        self.part(SPAN)
    }

    /// Two hexadecimal digits.
    pub fn trace_flags(&self) -> &str {
        self.part(FLAGS)
    }

    /// The trace's id as a number.
    pub fn trace_number(&self) -> u128 {
        u128::from_str_radix(self.trace_id(), 16).unwrap_or_default()
    }

    /// The span's id as a number.
    pub fn span_number(&self) -> u64 {
        u64::from_str_radix(self.span_id(), 16).unwrap_or_default()
    }

    /// All flags; bit 0 says that the trace is sampled.
    pub fn flags(&self) -> u8 {
        u8::from_str_radix(self.trace_flags(), 16).unwrap_or_default()
    }

    /// Whether its spans are kept: bit 0 of the flags. Only such a trace is worth naming to who looks at a number.
    pub fn is_sampled(&self) -> bool {
        u8::from_str_radix(self.trace_flags(), 16).is_ok_and(|flags| flags & 1 == 1)
    }

    /// The `traceparent` to send on when the client sent none.
    pub fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.0).ok()
    }

    /// The same in fewer bytes.
    pub fn kept(&self) -> KeptTrace {
        KeptTrace {
            trace: self.trace_number().to_be_bytes(),
            span: self.span_number().to_be_bytes(),
            flags: self.flags(),
        }
    }

    fn part(&self, range: Range<usize>) -> &str {
        self.0.get(range).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
    }
}

/// A trace context in 25 bytes, for what is remembered by the million.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeptTrace {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

impl KeptTrace {
    /// The context, as it was.
    pub fn context(&self) -> TraceContext {
        let mut bytes = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(bytes.get_mut(TRACE), self.trace);
        write_hex(bytes.get_mut(SPAN), self.span);
        write_hex(bytes.get_mut(FLAGS), [self.flags]);
        TraceContext(bytes)
    }
}

/// Fills a field of twice as many bytes with the digits of a number, the highest first.
fn write_hex(field: Option<&mut [u8]>, number: impl AsRef<[u8]>) {
    let (pairs, _) = field.unwrap_or_default().as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(number.as_ref()) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
}

const fn digit(number: u8) -> u8 {
    // `a` stands behind `9` by what lies between them.
    number + if number < 10 { b'0' } else { b'a' - 10 }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.traceparent())
    }
}

/// The id of a request: the client's own if it is harmless, else a new one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The longest id that is taken over; longer ones would only fill logs.
    const LONGEST: usize = 128;

    /// The id of a request: `X-Request-Id` if it matches `[A-Za-z0-9._:-]{1,128}`, else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            // Copied: the header is a piece of the buffer that its whole request was read into.
            Some(value) if Self::is_harmless(value.as_bytes()) => {
                HeaderValue::from_bytes(value.as_bytes()).map_or_else(|_| Self::generate(), Self)
            }
            _ => Self::generate(),
        }
    }

    /// A new id of 32 hexadecimal digits.
    pub fn generate() -> Self {
        let mut text = [b'0'; 32];
        write_hex(Some(&mut text), fastrand::u128(..).to_be_bytes());
        // One piece of memory: of a copied text the first clone, which every request needs, would make a second one.
        let text = HeaderValue::from_maybe_shared(Bytes::from_owner(text));
        Self(text.unwrap_or_else(|_| HeaderValue::from_static("none")))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// As the header to forward and to echo; cheap.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether it may be taken over into logs: `[A-Za-z0-9._:-]{1,128}`.
    pub fn is_harmless(id: &[u8]) -> bool {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(byte);
        (1..=Self::LONGEST).contains(&id.len()) && id.iter().all(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_context_is_read_in_any_case_version_and_flags() {
        for value in [
            format!("00-{TRACE}-b7ad6b7169203331-01"),
            format!("00-{}-B7AD6B7169203331-01", TRACE.to_uppercase()),
            format!("cc-{TRACE}-b7ad6b7169203331-01-what-the-future-brings"),
        ] {
            let context = TraceContext::read(&headers(&TRACEPARENT, &[&value])).unwrap();
            assert_eq!(context.trace_id(), TRACE);
            assert_eq!(context.span_id(), "b7ad6b7169203331");
            assert_eq!(context.trace_flags(), "01");
            assert_eq!(context.traceparent(), format!("00-{TRACE}-b7ad6b7169203331-01"));
        }
    }

    #[test]
    fn what_is_kept_of_a_context_is_all_of_it() {
        for (span, flags) in [("b7ad6b7169203331", "01"), ("0000000000000001", "ff")] {
            let value = format!("00-{TRACE}-{span}-{flags}");
            let context = TraceContext::read(&headers(&TRACEPARENT, &[&value])).unwrap();
            assert_eq!(context.kept().context(), context);
        }
        assert_eq!(size_of::<Option<KeptTrace>>(), 26);
    }

    #[test]
    fn bit_0_of_the_flags_says_whether_a_trace_is_sampled() {
        for (flags, sampled) in
            [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true)]
        {
            let value = format!("00-{TRACE}-b7ad6b7169203331-{flags}");
            let context = TraceContext::read(&headers(&TRACEPARENT, &[&value])).unwrap();
            assert_eq!(context.is_sampled(), sampled, "{flags}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        let good = format!("00-{TRACE}-b7ad6b7169203331-01");
        for value in [
            "",
            "00",
            &format!("{good}-more"),
            &format!("{good}x"),
            &format!("ff-{TRACE}-b7ad6b7169203331-01"),
            &format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            &format!("00-{TRACE}-{}-01", "0".repeat(16)),
            &format!("00-{TRACE}-b7ad6b716920333g-01"),
            &format!("00-{}-b7ad6b71692033-31-01", "a".repeat(31)),
            &"-".repeat(55),
        ] {
            assert_eq!(TraceContext::read(&headers(&TRACEPARENT, &[value])), None, "{value}");
        }
        assert_eq!(TraceContext::read(&headers(&TRACEPARENT, &[&good, &good])), None, "two lines");
        let strange = HeaderValue::from_bytes(&[0xe4; 55]).unwrap();
        assert_eq!(TraceContext::read(&[(TRACEPARENT, strange)].into_iter().collect()), None);
    }

    #[test]
    fn a_generated_context_is_one_that_can_be_read() {
        let made = TraceContext::generate();
        let value = made.header().unwrap();
        assert_eq!(TraceContext::read(&[(TRACEPARENT, value)].into_iter().collect()), Some(made));
        assert_eq!(made.trace_flags(), "00");
        assert_ne!(made.trace_id(), TraceContext::generate().trace_id());
    }

    #[test]
    fn a_span_of_a_trace_keeps_trace_and_flags() {
        let text = format!("00-{TRACE}-b7ad6b7169203331-03");
        let parent = TraceContext::parse(&text).unwrap();
        let child = parent.child();
        assert_eq!((child.trace_id(), child.trace_flags()), (TRACE, "03"));
        assert_ne!(child.span_id(), parent.span_id());
        assert!(child.is_sampled() && !TraceContext::generate().is_sampled());
        assert_eq!(format!("{:032x}", child.trace_number()), TRACE);
        assert_eq!(format!("{:016x}", parent.span_number()), "b7ad6b7169203331");
        assert!(TraceContext::root(|_| true).is_sampled());
    }

    #[test]
    fn harmless_request_ids_are_kept_and_all_others_replaced() {
        let long = "x".repeat(128);
        for id in ["r-81f2", "a:b.c_d-e", &long] {
            assert_eq!(RequestId::of(&headers(&X_REQUEST_ID, &[id])).as_str(), id);
        }
        let too_long = "x".repeat(129);
        for id in ["", "a b", "a/b", "{}", "a\"b", &too_long] {
            let kept = RequestId::of(&headers(&X_REQUEST_ID, &[id]));
            assert_eq!(kept.as_str().len(), 32, "{id}");
        }
        assert_eq!(RequestId::of(&HeaderMap::new()).header().len(), 32);
    }
}
