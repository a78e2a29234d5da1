//! HTTP clients for a machine that has no certificates of authorities: a bare container image has none.
//!
//! Without them a client cannot be made at all, though most of what it calls is `http` or brings its own CA.

use reqwest::{Client, ClientBuilder};

/// Makes a client; on a machine without authorities one that trusts none, so that an `https` call to a public
/// authority's server fails with its reason, and nothing else does.
///
/// # Errors
///
/// As `ClientBuilder::build`.
pub fn client(builder: impl Fn() -> ClientBuilder) -> reqwest::Result<Client> {
    builder().build().or_else(|_| builder().tls_certs_only([]).build())
}
