//! The names of backends and groups: short shared strings that are checked once.
//!
//! They are cloned into snapshots, leases and log fields, so a clone costs a counter and no copy.

use std::{borrow::Borrow, fmt, sync::Arc};

/// A DNS label's length: the name becomes a label of metrics, a path segment and often a service.
const BACKEND_NAME_MAX: usize = 63;

/// Room for `namespace--name` of two Kubernetes names.
const GROUP_NAME_MAX: usize = 128;

/// The name of one coordinator, unique in the configuration.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BackendName(Arc<str>);

/// The name of a routing group, unique in the configuration.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GroupName(Arc<str>);

impl BackendName {
    /// Takes 1 to 63 of `a`–`z`, `0`–`9` and `-`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=BACKEND_NAME_MAX).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        fits.then(|| Self(text.into()))
    }
}

impl GroupName {
    /// Takes 1 to 128 of `A`–`Z`, `a`–`z`, `0`–`9`, `.`, `_` and `-`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=GROUP_NAME_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        fits.then(|| Self(text.into()))
    }
}

macro_rules! reads_as_text {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

reads_as_text!(BackendName);
reads_as_text!(GroupName);

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn names_that_pass_and_names_that_do_not() {
        for text in ["a", "trino-a", "0", &"x".repeat(63)] {
            assert!(BackendName::parse(text).is_some(), "{text}");
        }
        for text in ["", "Trino", "a_b", "a.b", "a b", "ä", "a/b", &"x".repeat(64)] {
            assert!(BackendName::parse(text).is_none(), "{text}");
        }
        for text in ["etl", "team-a--analytics", "Team.A_1", &"x".repeat(128)] {
            assert!(GroupName::parse(text).is_some(), "{text}");
        }
        for text in ["", "a b", "a/b", "ä", "a\n", &"x".repeat(129)] {
            assert!(GroupName::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_map_by_name_is_asked_with_text() {
        let name = BackendName::parse("trino-a").unwrap();
        let map = HashMap::from([(name.clone(), 1)]);
        assert_eq!(map.get("trino-a"), Some(&1));
        assert_eq!(format!("{name} {name:?}"), "trino-a BackendName(trino-a)");
    }
}
