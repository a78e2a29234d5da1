//! A statement packed for a long wait: headers in one piece of memory instead of a map, everything copied.
//!
//! What was parsed are slices of whole read buffers, and each would keep all of its buffer for as long as the statement
//! waits; a map of headers has room for twice as many. It is unpacked when it is sent.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::queries::{Kept, query::Statement};

/// A header's lengths and whether its value is sensitive.
const PREFIX: usize = 2 + 4 + 1;

#[derive(Debug)]
pub(super) struct Packed {
    body: Bytes,
    headers: Bytes,
    kept: Option<Arc<Kept>>,
    in_transaction: bool,
    user: Option<Box<str>>,
}

impl Packed {
    pub(super) fn new(statement: &Statement) -> Self {
        let (body, headers) = (Bytes::copy_from_slice(&statement.body), pack(&statement.headers));
        let (in_transaction, user) = (statement.in_transaction, statement.user.as_deref());
        let user = user.map(Box::from);
        let kept = statement.kept.clone();
        Self { body, headers, kept, in_transaction, user }
    }

    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The statement as it came.
    pub(super) fn unpacked(&self) -> Statement {
        Statement {
            body: self.body.clone(),
            headers: unpack(self.headers.clone()),
            kept: self.kept.clone(),
            in_transaction: self.in_transaction,
            user: self.user.as_deref().map(str::to_owned),
        }
    }
}

/// Headers in one piece.
pub(crate) fn pack(headers: &HeaderMap) -> Bytes {
    let size =
        |(name, value): (&HeaderName, &HeaderValue)| PREFIX + name.as_str().len() + value.len();
    let mut packed = BytesMut::with_capacity(headers.iter().map(size).sum());
    for (name, value) in headers {
        let (Ok(name_length), Ok(value_length)) =
            (u16::try_from(name.as_str().len()), u32::try_from(value.len()))
        else {
            continue; // longer than any head that is taken
        };
        packed.put_u16(name_length);
        packed.put_u32(value_length);
        packed.put_u8(u8::from(value.is_sensitive()));
        packed.put_slice(name.as_str().as_bytes());
        packed.put_slice(value.as_bytes());
    }
    packed.freeze()
}

/// Headers as they were packed.
pub(crate) fn unpack(mut packed: Bytes) -> HeaderMap {
    let mut headers = HeaderMap::new();
    while let Some((name, value)) = next_of(&mut packed) {
        headers.append(name, value);
    }
    headers
}

fn next_of(packed: &mut Bytes) -> Option<(HeaderName, HeaderValue)> {
    use bytes::Buf as _;
    let (name_length, value_length) = (packed.try_get_u16().ok()?, packed.try_get_u32().ok()?);
    let is_sensitive = packed.try_get_u8().ok()? != 0;
    let name = split(packed, usize::from(name_length))?;
    let value = split(packed, usize::try_from(value_length).ok()?)?;
    let mut value = HeaderValue::from_maybe_shared(value).ok()?;
    value.set_sensitive(is_sensitive);
    Some((HeaderName::from_bytes(&name).ok()?, value))
}

fn split(packed: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= packed.len()).then(|| packed.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::Keeping;

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let mut headers = HeaderMap::new();
        headers.append("x-trino-user", HeaderValue::from_static("alice"));
        headers.append("x-trino-session", HeaderValue::from_static("a=1"));
        headers.append("x-trino-session", HeaderValue::from_static("b=2"));
        let mut secret = HeaderValue::from_bytes(b"Basic \xe4=").unwrap();
        secret.set_sensitive(true);
        headers.append("authorization", secret);
        headers.append("x-empty", HeaderValue::from_static(""));
        let keeping = Arc::<Keeping>::default();
        let statement = Statement {
            body: Bytes::from_static(b"SELECT 1"),
            headers: headers.clone(),
            kept: keeping.room_for(8).map(Arc::new),
            in_transaction: true,
            user: Some("alice".to_owned()),
        };
        let packed = Packed::new(&statement);
        drop(statement);
        let sent = packed.unpacked();
        assert_eq!(
            (&sent.headers, &*sent.body, packed.user()),
            (&headers, &b"SELECT 1"[..], Some("alice"))
        );
        assert!(sent.headers["authorization"].is_sensitive());
        assert!(!sent.headers["x-trino-user"].is_sensitive());
        assert!(sent.in_transaction && sent.kept.is_some());
        assert!(HeaderMap::new() == unpack(pack(&HeaderMap::new())));
    }
}
