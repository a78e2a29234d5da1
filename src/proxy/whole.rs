//! A body that is kept as a whole, piece by piece.
//!
//! One that came in one piece stays as it came. The pieces of any other are copied together as they come: each is a part of a
//! larger buffer, and a body that dribbles in would else keep one such buffer for each of its bytes.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;

/// What has come of a body.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    only: Bytes,
    joined: BytesMut,
}

impl Whole {
    /// All of a body; the first error ends it.
    pub(crate) async fn of<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Bytes, B::Error> {
        let mut whole = Self::default();
        while let Some(frame) = body.frame().await {
            frame?.into_data().into_iter().for_each(|piece| whole.push(piece));
        }
        Ok(whole.into())
    }

    /// Keeps another piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.only.is_empty() && self.joined.is_empty() {
            self.only = piece;
            return;
        }
        let only = std::mem::take(&mut self.only);
        self.joined.extend_from_slice(&only);
        self.joined.extend_from_slice(&piece);
    }

    /// Keeps nothing of what has come.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl From<Whole> for Bytes {
    fn from(whole: Whole) -> Self {
        if whole.joined.is_empty() { whole.only } else { whole.joined.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[Bytes]) -> Bytes {
        let mut whole = Whole::default();
        pieces.iter().for_each(|piece| whole.push(piece.clone()));
        whole.into()
    }

    #[test]
    fn one_piece_stays_where_it_is_and_many_are_copied_together() {
        let buffer = Bytes::from_static(b"SELECT 1");
        assert_eq!(of(std::slice::from_ref(&buffer)).as_ptr(), buffer.as_ptr());
        let pieces: Vec<Bytes> = (0..buffer.len()).map(|at| buffer.slice(at..=at)).collect();
        let joined = of(&pieces);
        assert_eq!(joined, buffer);
        assert_ne!(joined.as_ptr(), buffer.as_ptr());
        assert_eq!(of(&[]), "");
        let mut cleared = Whole::default();
        pieces.into_iter().for_each(|piece| cleared.push(piece));
        cleared.clear();
        assert_eq!(Bytes::from(cleared), "");
    }
}
