//! A request to a coordinator: what its client said, and what we say in its place.
//!
//! The client's headers are neither copied nor changed, since a poll has a dozen of them and we change three: whoever
//! writes them down passes over what was set or taken away here. Only hyper's way needs a table of its own.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

/// Host, four of `X-Forwarded-*` with the prefix, the request's id, the trace: more are rarely set.
const USUAL: usize = 8;

/// A request, ready to be sent, but for its body.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) method: Method,
    /// With the coordinator's scheme and authority.
    pub(crate) uri: Uri,
    pub(crate) headers: Headers<'a>,
}

/// The body of a request to a coordinator.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// All of it.
    Whole(Bytes),
    /// As it comes from the client.
    Streaming(Body),
}

/// The headers of a request to a coordinator.
#[derive(Debug)]
pub(crate) struct Headers<'a> {
    client: &'a HeaderMap,
    /// What stands in the place of the client's lines of that name, if anything does.
    ours: Vec<(HeaderName, Option<HeaderValue>)>,
}

impl<'a> Headers<'a> {
    /// The client's, of which nothing must be taken away any more that ends at this hop.
    pub(crate) fn of(client: &'a HeaderMap) -> Self {
        Self { client, ours: Vec::with_capacity(USUAL) }
    }

    /// What the client sent.
    pub(crate) fn client(&self) -> &'a HeaderMap {
        self.client
    }

    /// Says this in the place of all lines of that name.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.replace(name, Some(value));
    }

    /// Says nothing under that name.
    pub(crate) fn take_away(&mut self, name: HeaderName) {
        self.replace(name, None);
    }

    fn replace(&mut self, name: HeaderName, value: Option<HeaderValue>) {
        match self.ours.iter_mut().find(|(set, _)| *set == name) {
            Some((_, earlier)) => *earlier = value,
            None => self.ours.push((name, value)),
        }
    }

    /// All lines as the coordinator will see them.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let theirs =
            self.client.iter().filter(|(name, _)| !self.ours.iter().any(|(set, _)| set == *name));
        theirs.chain(self.ours.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))))
    }

    /// The same as a table.
    pub(super) fn whole(&self) -> HeaderMap {
        let mut whole = HeaderMap::with_capacity(self.client.len() + self.ours.len());
        for (name, value) in self.lines() {
            whole.append(name.clone(), value.clone());
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, HOST, SET_COOKIE, TE};

    use super::*;

    #[test]
    fn what_is_set_stands_for_all_lines_of_its_name_and_what_is_taken_away_for_none() {
        let value = HeaderValue::from_static;
        let mut client = HeaderMap::new();
        client.append(ACCEPT, value("a"));
        client.append(ACCEPT, value("b"));
        client.append(TE, value("trailers"));
        client.append(SET_COOKIE, value("1"));
        client.append(SET_COOKIE, value("2"));
        let mut headers = Headers::of(&client);
        headers.set(ACCEPT, value("c"));
        headers.set(HOST, value("first"));
        headers.set(HOST, value("second"));
        headers.take_away(TE);
        let whole = headers.whole();
        let all = |name| whole.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all(ACCEPT), ["c"]);
        assert_eq!(all(HOST), ["second"]);
        assert_eq!(all(SET_COOKIE), ["1", "2"]);
        assert!(!whole.contains_key(TE));
        assert_eq!(headers.lines().count(), whole.len());
        headers.set(TE, value("x"));
        assert_eq!(headers.whole().get(TE), Some(&value("x")));
    }
}
