//! Tables of headers that have served, for the next request or answer.
//!
//! A table of twenty lines takes 2.5 KB, which is more than an allocator keeps at hand: it looks for room, merges what is
//! free, and does so for each request and for each answer. So each data thread keeps a few tables, empty. Nothing waits for
//! one: where none is left, another is made.

use std::cell::RefCell;

use http::HeaderMap;

/// As many as a data thread keeps: of the requests that are answered between two looks at its sockets.
const MOST: usize = 32;

/// The largest that is kept. JDBC's polls have some twenty lines; one of a thousand must not stay for good.
const LARGEST: usize = 96;

thread_local! {
    static SPENT: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
}

/// An empty table with room for so many lines.
pub(crate) fn take(lines: usize) -> HeaderMap {
    match SPENT.with_borrow_mut(Vec::pop) {
        Some(mut table) => {
            table.reserve(lines);
            table
        }
        None => HeaderMap::with_capacity(lines),
    }
}

/// Keeps a table for whoever needs one next; its lines are gone.
pub(crate) fn give(mut table: HeaderMap) {
    if table.capacity() == 0 || table.capacity() > LARGEST {
        return;
    }
    SPENT.with_borrow_mut(|spent| {
        if spent.len() < MOST {
            table.clear();
            spent.push(table);
        }
    });
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::ACCEPT};

    use super::*;

    fn kept() -> usize {
        SPENT.with_borrow(Vec::len)
    }

    #[test]
    fn a_table_serves_again_without_its_lines() {
        let mut table = take(20);
        table.append(ACCEPT, HeaderValue::from_static("a"));
        table.append(ACCEPT, HeaderValue::from_static("b"));
        let room = table.capacity();
        give(table);
        assert_eq!(kept(), 1);
        let again = take(20);
        assert_eq!((again.len(), again.capacity(), kept()), (0, room, 0));
        assert!(again.get(ACCEPT).is_none());
    }

    #[test]
    fn few_are_kept_and_none_that_is_large_or_holds_nothing() {
        give(HeaderMap::new());
        give(HeaderMap::with_capacity(1_000));
        assert_eq!(kept(), 0);
        (0..3 * MOST).for_each(|_| give(HeaderMap::with_capacity(8)));
        assert_eq!(kept(), MOST);
        assert!(take(50).capacity() >= 50, "one that is too small grows");
    }
}
