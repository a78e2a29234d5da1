//! How much memory statements may take that are kept only so that they can be sent again.
//!
//! A statement that finds no room is not kept: it loses its second chance when its coordinator says that it is still
//! starting, and nothing else. Without a bound anybody could fill the memory with statements that nobody follows.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Four statements of the largest size that is taken by default, or tens of thousands of usual ones.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The bytes of all kept statements.
#[derive(Debug, Default)]
pub struct Keeping {
    bytes: AtomicU64,
}

/// The room of one statement; dropping it gives the room back.
#[derive(Debug)]
pub struct Kept {
    keeping: Arc<Keeping>,
    bytes: u64,
}

impl Keeping {
    /// Room for a statement, if there is any.
    pub fn room_for(self: &Arc<Self>, bytes: usize) -> Option<Kept> {
        let bytes = u64::try_from(bytes).ok()?;
        let taken = |now: u64| now.checked_add(bytes).filter(|then| *then <= MOST_BYTES);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).ok()?;
        Some(Kept { keeping: Arc::clone(self), bytes })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeping.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back() {
        let keeping = Arc::<Keeping>::default();
        let most = usize::try_from(MOST_BYTES).unwrap();
        let all = keeping.room_for(most).unwrap();
        assert!(keeping.room_for(1).is_none());
        drop(all);
        assert!(keeping.room_for(1).is_some());
        assert!(keeping.room_for(usize::MAX).is_none());
    }
}
