//! Secrets of the simulator: the slugs of a query, ids of transactions and segments.

use std::collections::hash_map::RandomState;
use std::fmt::Write;
use std::hash::BuildHasher;

use sha2::{Digest, Sha256};

/// The key from which a query's slugs are made: one for each context and token, as in Trino.
#[derive(Clone, Debug)]
pub(super) struct Slugs([u8; 32]);

/// Which half of the statement protocol a slug opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    Queued,
    Executing,
}

impl Slugs {
    pub(super) fn new() -> Self {
        Self(random())
    }

    /// `y` and 40 hex digits, which nobody can guess who does not know the key.
    pub(super) fn slug(&self, context: Context, token: u64) -> String {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update([context as u8]);
        hash.update(token.to_be_bytes());
        let mut slug = hex(hash.finalize().as_slice());
        slug.truncate(40);
        slug.insert(0, 'y');
        slug
    }
}

/// 32 bytes that nobody can guess: the keys of the standard library's hash maps come from the operating system.
pub(super) fn random() -> [u8; 32] {
    let mut hash = Sha256::new();
    for round in 0..4_u64 {
        hash.update(RandomState::new().hash_one(round).to_be_bytes());
    }
    hash.finalize().into()
}

/// A random UUID.
pub(super) fn uuid() -> String {
    let mut text = hex(&random());
    text.truncate(32);
    for at in [8, 13, 18, 23] {
        text.insert(at, '-');
    }
    text.replace_range(14..15, "4");
    text.replace_range(19..20, "a");
    text
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_of_one_token_in_one_context_of_one_query() {
        let (one, other) = (Slugs::new(), Slugs::new());
        let slug = one.slug(Context::Queued, 1);
        assert_eq!(slug.len(), 41);
        assert_eq!(slug, one.slug(Context::Queued, 1));
        assert_ne!(slug, one.slug(Context::Queued, 2));
        assert_ne!(slug, one.slug(Context::Executing, 1));
        assert_ne!(slug, other.slug(Context::Queued, 1));
        assert_eq!(uuid().len(), 36);
    }
}
