//! What a request that we send says of its trace, beside the `traceparent` of its own span.
//!
//! Own code, since the propagator of `opentelemetry` keeps only the first `tracestate` line, changes flags and writes
//! an empty `tracestate`. `baggage` is not looked at: it passes as it came.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::telemetry::context::TraceContext;

/// What others have put down about a trace.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What becomes of the `tracestate` that a request came with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// Sent on as it came, or there is none.
    Stays,
    /// Of another trace, of none, or empty.
    Goes,
    /// Several lines become one.
    Becomes(HeaderValue),
}

/// `tracestate` stays if it belongs to the trace of `span`: all its lines, in their order, as one; an empty one goes.
pub fn state(came: &HeaderMap, span: &TraceContext) -> State {
    let mut lines = came.get_all(TRACESTATE).iter();
    let Some(first) = lines.next() else { return State::Stays };
    if TraceContext::read(came).is_none_or(|trace| trace.trace_id() != span.trace_id()) {
        return State::Goes;
    }
    if lines.next().is_none() && !is_blank(first) {
        return State::Stays;
    }
    joined(came).map_or(State::Goes, State::Becomes)
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
    use crate::telemetry::context::TRACEPARENT;

    fn state_of(lines: &[(HeaderName, &str)], span: &TraceContext) -> State {
        let lines = lines.iter();
        let came = lines.map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        state(&came.collect(), span)
    }

    #[test]
    fn obs_t2_all_lines_of_tracestate_stay_in_order_and_an_empty_one_goes() {
        let came = TraceContext::root(|_| true);
        let becomes = |text: &'static str| State::Becomes(HeaderValue::from_static(text));
        for (lines, left) in [
            (vec!["a=1,b=2", "c=3"], becomes("a=1,b=2,c=3")),
            (vec!["", "c=3", " "], becomes("c=3")),
            (vec!["c=3"], State::Stays),
            (vec![""], State::Goes),
            (vec![], State::Stays),
        ] {
            let states = lines.iter().map(|line| (TRACESTATE, *line));
            let all: Vec<_> =
                [(TRACEPARENT, came.traceparent())].into_iter().chain(states).collect();
            assert_eq!(state_of(&all, &came.child()), left, "{lines:?}");
        }
    }

    #[test]
    fn obs_t2_the_tracestate_of_another_trace_goes() {
        let span = TraceContext::generate();
        for parent in ["", "rubbish", TraceContext::generate().traceparent()] {
            let lines = [(TRACEPARENT, parent), (TRACEPARENT, parent), (TRACESTATE, "a=1")];
            assert_eq!(state_of(&lines, &span), State::Goes, "{parent}");
            assert_eq!(state_of(&lines[1..], &span), State::Goes, "{parent}");
        }
        assert_eq!(state_of(&[(TRACESTATE, "a=1")], &span), State::Goes, "an orphan");
    }
}
