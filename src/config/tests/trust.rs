//! TLS towards the coordinators: what is said of its keys and files, and where.

use super::{mistakes::backends, *};

#[test]
fn certificates_are_read_where_tls_is_spoken() {
    backends(
        "  - {name: a, url: 'http://a', tls: {}}",
        "4:37",
        "[0].tls",
        "nothing would be read of `tls`",
    );
    let https = |tls: &str| format!("  - {{name: a, url: 'https://a', tls: {{ {tls} }}}}");
    let file = "cannot be read";
    backends(&https("ca: /missing"), "4:44", "[0].tls.ca", file);
    backends(&https("certificate: /missing, key: /missing"), "4:53", "[0].tls.certificate", file);
    backends(&https("key: /missing"), "4:45", "[0].tls.key", "its `certificate` is missing");
    backends(&https("verify: false"), "4:40", "[0].tls.verify", "unknown key `verify`");
    assert!(wrong(&GROUPS.replace("http:", "https:")).is_empty(), "by the system's roots");
}
