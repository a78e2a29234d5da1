//! AES-256-GCM around what carries credentials: only replicas with the key can read it, and only under its own key of
//! the store.
//!
//! A sealed value is the id of the sealing key (4 bytes), a random nonce (12 bytes), then the ciphertext with its tag.
//! Several keys make rotation possible: the first seals, all open.

use std::{fmt, path::Path};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use bytes::{BufMut as _, Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::{config::sealing_keys, store::Key};

const ID_BYTES: usize = 4;

/// What seals and opens.
pub struct Seal(Vec<(KeyId, RandomizedNonceKey)>);

/// Tells keys apart and nothing about them: the beginning of their digest.
type KeyId = [u8; ID_BYTES];

impl Seal {
    /// The keys of a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let keys = sealing_keys::read(path)?;
        let keyed = keys.iter().map(|key| {
            let id = Sha256::digest(key).first_chunk().copied().unwrap_or_default();
            let sealing = RandomizedNonceKey::new(&AES_256_GCM, key);
            sealing.map(|sealing| (id, sealing)).map_err(|_| "no key of AES-256".to_owned())
        });
        Ok(Self(keyed.collect::<Result<_, _>>()?))
    }

    /// The value as nobody else can read it; `None` if the system gives no randomness.
    pub(super) fn close(&self, key: &Key, value: &[u8]) -> Option<Bytes> {
        let (id, sealing) = self.0.first()?;
        let mut text = value.to_vec();
        let nonce = sealing.seal_in_place_append_tag(whole(key), &mut text).ok()?;
        let mut sealed = BytesMut::with_capacity(ID_BYTES + NONCE_LEN + text.len());
        sealed.put_slice(id);
        sealed.put_slice(nonce.as_ref());
        sealed.put_slice(&text);
        Some(sealed.freeze())
    }

    /// What was sealed under this key of the store; `None` if nobody who has our keys did so.
    pub(super) fn open(&self, key: &Key, sealed: &[u8]) -> Option<Bytes> {
        let (id, rest) = sealed.split_at_checked(ID_BYTES)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
        let (_, opening) = self.0.iter().find(|(known, _)| known == id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let length = opening.open_in_place(nonce, whole(key), &mut text).ok()?.len();
        text.truncate(length);
        Some(text.into())
    }
}

/// Nobody can move a value to another name.
fn whole(key: &Key) -> Aad<String> {
    Aad::from(key.to_string())
}

/// Not the keys.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::Kind;

    fn seal(lines: &[&str]) -> Seal {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines: Vec<String> = lines.iter().map(|line| line.repeat(32)).collect();
        fs::write(file.path(), lines.join("\n")).unwrap();
        Seal::read(file.path()).unwrap()
    }

    #[test]
    fn only_who_has_the_key_reads_it_and_only_where_it_stood() {
        let (waiting, other) = (Key::new(Kind::Waiting, "a"), Key::new(Kind::Waiting, "b"));
        let old = seal(&["0a"]);
        let sealed = old.close(&waiting, b"SELECT 'secret'").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(old.open(&waiting, &sealed).unwrap(), "SELECT 'secret'");
        assert_eq!(old.open(&other, &sealed), None, "moved");
        assert_eq!(seal(&["0b"]).open(&waiting, &sealed), None, "another key");
        let rotated = seal(&["0b", "0a"]);
        assert_eq!(rotated.open(&waiting, &sealed).unwrap(), "SELECT 'secret'");
        let new = rotated.close(&waiting, b"x").unwrap();
        assert_eq!(old.open(&waiting, &new), None, "the first key seals");
        let mut bent = sealed.to_vec();
        *bent.last_mut().unwrap() ^= 1;
        assert_eq!(old.open(&waiting, &bent), None);
        assert_eq!(old.open(&waiting, &sealed[..20]), None);
    }
}
