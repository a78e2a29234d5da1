//! Large buffers that have served: taken again once whoever held pieces of them has let go.
//!
//! A page is read into buffers of up to 128 KiB, and each allocator gives those back to the kernel at once: every read then
//! begins with a fault for each of its 4 KiB, which cost a page of 64 KB more than its copying did. So each data thread
//! keeps a few. Nothing waits for one: where none is free, another is made.

use std::{cell::RefCell, collections::VecDeque};

use bytes::BytesMut;

/// As many as a data thread keeps, 2 MiB at most; a buffer that is being written to a client counts.
const MOST: usize = 16;

thread_local! {
    static SPENT: RefCell<VecDeque<BytesMut>> = const { RefCell::new(VecDeque::new()) };
}

/// An empty buffer with room for so many bytes.
pub(super) fn take(room: usize) -> BytesMut {
    let free = SPENT.with_borrow_mut(|spent| {
        let at = spent.iter_mut().position(|buffer| buffer.try_reclaim(room))?;
        spent.swap_remove_back(at)
    });
    free.unwrap_or_else(|| BytesMut::with_capacity(room))
}

/// Keeps a buffer for whoever needs one next, though pieces of it may still be held; what it held unread is lost.
pub(super) fn give(mut buffer: BytesMut) {
    buffer.clear();
    SPENT.with_borrow_mut(|spent| {
        if spent.len() == MOST {
            spent.pop_front();
        }
        spent.push_back(buffer);
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    const ROOM: usize = 64 * 1024;

    #[test]
    fn a_buffer_is_taken_again_when_its_pieces_are_gone() {
        let mut buffer = take(ROOM);
        buffer.extend_from_slice(&[b'a'; ROOM]);
        let first = buffer.as_ptr();
        let piece = buffer.split_to(ROOM).freeze();
        give(buffer);
        let other = take(ROOM);
        assert_ne!(other.as_ptr(), first, "a piece of it is still held");
        assert_eq!(piece.first(), Some(&b'a'));
        drop(piece);
        let again = take(ROOM);
        assert_eq!((again.as_ptr(), again.len()), (first, 0));
        assert!(again.capacity() >= ROOM);
    }

    #[test]
    fn no_more_than_a_few_are_kept() {
        (0..3 * MOST).for_each(|_| give(BytesMut::with_capacity(ROOM)));
        assert_eq!(SPENT.with_borrow(VecDeque::len), MOST);
    }

    #[test]
    fn one_that_is_too_small_is_left_for_others() {
        give(BytesMut::with_capacity(ROOM / 4));
        assert!(take(ROOM).capacity() >= ROOM);
        assert_eq!(SPENT.with_borrow(VecDeque::len), 1);
    }
}
