//! What is known of a request before it is routed.
//!
//! Facts borrow from the request; whoever reads it (the gateway's `proxy`) decides what counts as the user or the
//! host. Nothing here is trusted: every value came from a client.

/// Request headers, as far as rules may ask for them.
pub trait Headers {
    /// Whether some line of the header `name` satisfies `test`; `name` is lower case, lines that are no text count as absent.
    fn any(&self, name: &str, test: &mut dyn FnMut(&str) -> bool) -> bool;
}

/// The facts that rules, the group header and the choice of a backend use.
#[derive(Clone)]
pub struct Facts<'a> {
    /// `X-Trino-User`, else the Basic user, else `X-Trino-Original-User`.
    pub user: Option<&'a str>,
    /// `X-Trino-Source`.
    pub source: Option<&'a str>,
    /// The host that the client asked, without port; its case does not matter.
    pub host: Option<&'a str>,
    /// The parts of `X-Trino-Client-Tags`.
    pub client_tags: Vec<&'a str>,
    /// `X-Trino-Catalog`.
    pub catalog: Option<&'a str>,
    /// `X-Trino-Schema`.
    pub schema: Option<&'a str>,
    /// The group that the request itself names (`X-Trino-Routing-Group`); empty counts as absent.
    pub asked_group: Option<&'a str>,
    /// All headers, for rules that name one.
    pub headers: &'a dyn Headers,
}

impl<'a> Facts<'a> {
    /// Facts of a request of which nothing is known but its headers.
    pub fn new(headers: &'a dyn Headers) -> Self {
        Self {
            user: None,
            source: None,
            host: None,
            client_tags: Vec::new(),
            catalog: None,
            schema: None,
            asked_group: None,
            headers,
        }
    }
}

/// Headers written out, for examples and tests.
impl<const N: usize> Headers for [(&str, &str); N] {
    fn any(&self, name: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
        self.iter().any(|(header, value)| header.eq_ignore_ascii_case(name) && test(value))
    }
}
