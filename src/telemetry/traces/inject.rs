//! What a request that we send says of its trace.
//!
//! Own code, since the propagator of `opentelemetry` keeps only the first `tracestate` line, changes flags and writes
//! an empty `tracestate`. `baggage` is not looked at: it passes as it came.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::telemetry::context::{TRACEPARENT, TraceContext};

/// What others have put down about a trace.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Puts `span` in the place of the `traceparent` that the headers have, if any.
///
/// `tracestate` stays if it belongs to the same trace: all its lines, in their order, as one; an empty one goes.
pub fn into(headers: &mut HeaderMap, span: &TraceContext) {
    if headers.contains_key(TRACESTATE) {
        let same =
            TraceContext::read(headers).is_some_and(|came| came.trace_id() == span.trace_id());
        let state = if same { joined(headers) } else { None };
        headers.remove(TRACESTATE);
        if let Some(state) = state {
            headers.insert(TRACESTATE, state);
        }
    }
    if let Some(value) = span.header() {
        headers.insert(TRACEPARENT, value);
    }
}

fn joined(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(TRACESTATE).iter().filter(|line| !is_blank(line));
    let (first, second) = (lines.next()?, lines.next());
    let Some(second) = second else { return Some(first.clone()) };
    let all: Vec<&[u8]> =
        [first, second].into_iter().chain(lines).map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&all.join(&b',')).ok()
}

fn is_blank(line: &HeaderValue) -> bool {
    line.as_bytes().iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injected(lines: &[(&HeaderName, &str)], span: &TraceContext) -> (Vec<String>, String) {
        let mut headers: HeaderMap = lines
            .iter()
            .map(|(name, value)| ((*name).clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        into(&mut headers, span);
        let state = headers.get_all(TRACESTATE).iter().map(|line| line.to_str().unwrap().into());
        (state.collect(), headers[TRACEPARENT].to_str().unwrap().to_owned())
    }

    static STATE: HeaderName = TRACESTATE;
    static PARENT: HeaderName = TRACEPARENT;

    #[test]
    fn obs_t2_all_lines_of_tracestate_stay_in_order_and_an_empty_one_goes() {
        let came = TraceContext::root(|_| true);
        let span = came.child();
        let parent = (&PARENT, came.traceparent());
        for (lines, left) in [
            (vec![("a=1,b=2"), ("c=3")], vec!["a=1,b=2,c=3"]),
            (vec![(""), ("c=3"), (" ")], vec!["c=3"]),
            (vec![("")], vec![]),
            (vec![], vec![]),
        ] {
            let state = lines.iter().map(|line| (&STATE, *line));
            let all: Vec<_> = [parent].into_iter().chain(state).collect();
            assert_eq!(
                injected(&all, &span),
                (left.iter().map(|s| (*s).to_owned()).collect(), span.traceparent().into())
            );
        }
    }

    #[test]
    fn obs_t2_the_tracestate_of_another_trace_goes() {
        let span = TraceContext::generate();
        for parent in ["", "rubbish", TraceContext::generate().traceparent()] {
            let lines = [(&PARENT, parent), (&PARENT, parent), (&STATE, "a=1")];
            assert_eq!(
                injected(&lines, &span),
                (vec![], span.traceparent().to_owned()),
                "{parent}"
            );
        }
        assert_eq!(injected(&[(&STATE, "a=1")], &span).0, Vec::<String>::new(), "an orphan");
    }
}
