//! How a value stands in the store: a version byte, then the value as it is, or sealed where its kind is secret.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::store::{Change, Fault, Key, Seal};

/// The value follows as it is. Another layout gets another byte.
const PLAIN: u8 = 1;
/// The value follows sealed.
const SEALED: u8 = 2;

/// Lays values out and reads them.
#[derive(Debug)]
pub(super) struct Layout {
    seal: Option<Arc<Seal>>,
}

impl Layout {
    pub(super) fn new(seal: Option<Arc<Seal>>) -> Self {
        Self { seal }
    }

    /// The value as it stands under that key.
    pub(super) fn close(&self, key: &Key, value: &[u8]) -> Result<Bytes, Fault> {
        match self.seal(key) {
            None => Ok(behind(PLAIN, value)),
            Some(seal) => {
                let sealed = seal.close(key, value);
                let refused = || Fault::Refused("no randomness to seal with".to_owned());
                Ok(behind(SEALED, &sealed.ok_or_else(refused)?))
            }
        }
    }

    /// The value that was laid out so; `None` if it is none of ours, and never the plain value of a secret kind.
    pub(super) fn open(&self, key: &Key, raw: &Bytes) -> Option<Bytes> {
        match (raw.first()?, self.seal(key)) {
            (&PLAIN, None) => Some(raw.slice(1..)),
            (&SEALED, Some(seal)) => seal.open(key, raw.get(1..)?),
            _ => None,
        }
    }

    /// The change with its values as they stand.
    pub(super) fn change(&self, change: Change) -> Result<Change, Fault> {
        Ok(match change {
            Change::Put { key, value, life } => {
                let value = self.close(&key, &value)?;
                Change::Put { key, value, life }
            }
            Change::Push { key, items, life } => {
                let items = items.iter().map(|item| self.close(&key, item));
                let items = items.collect::<Result<_, _>>()?;
                Change::Push { key, items, life }
            }
            Change::Remove { key } => Change::Remove { key },
        })
    }

    fn seal(&self, key: &Key) -> Option<&Seal> {
        self.seal.as_deref().filter(|_| key.kind.is_secret())
    }
}

fn behind(version: u8, value: &[u8]) -> Bytes {
    let mut raw = BytesMut::with_capacity(1 + value.len());
    raw.put_u8(version);
    raw.put_slice(value);
    raw.freeze()
}
