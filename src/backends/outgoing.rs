//! HTTP clients for a machine that has no certificates of authorities: a bare container image has none.
//!
//! Without them a client cannot be made at all, though most of what it calls is `http` or brings its own CA.

use reqwest::{Client, ClientBuilder, redirect};

/// How others' logs name us.
pub const USER_AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));

/// A client that opens a connection for each call, follows no redirect and uses no proxy of the environment.
pub fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .user_agent(USER_AGENT)
}

/// The same for `http` alone. It trusts nobody: the authorities of a machine are hundreds of files on most, and a start would
/// wait for them.
///
/// # Errors
///
/// As `ClientBuilder::build`.
pub fn plain() -> reqwest::Result<Client> {
    builder().tls_certs_only([]).build()
}

/// Makes a client; on a machine without authorities one that trusts none, so that an `https` call to a public
/// authority's server fails with its reason, and nothing else does.
///
/// # Errors
///
/// As `ClientBuilder::build`.
pub fn client(builder: impl Fn() -> ClientBuilder) -> reqwest::Result<Client> {
    builder().build().or_else(|_| builder().tls_certs_only([]).build())
}
