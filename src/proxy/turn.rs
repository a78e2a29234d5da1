//! One turn for everybody else: what has work to do now does it before this task goes on.
//!
//! A data thread learns of several sockets at once. If each of their tasks wrote as soon as it had read, the thread would
//! read, think, write, read, think, write; and who sits at the other end, on this machine, would be woken for each word by
//! itself and sleep again before the next. So a task that has something to write lets those go first that have yet to
//! read and think: then all writes follow one another, and a reader that was woken by the first finds the others
//! ([decision 8](../../../docs/decisions/0008-what-a-poll-costs.md)).
//! It waits for nothing that has yet to come: the runtime does not look at the sockets in between.

use std::{
    future::poll_fn,
    mem,
    task::{Context, Poll},
};

/// A turn that is given to others, once.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    was_given: bool,
}

impl Turn {
    /// Pending the first time, and woken at once.
    pub(crate) fn poll_give(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if mem::replace(&mut self.was_given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Goes on when all tasks that were ready have had their turn.
pub(crate) async fn given() {
    let mut turn = Turn::default();
    poll_fn(|cx| turn.poll_give(cx)).await;
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test]
    async fn all_have_read_before_the_first_one_writes() {
        let said = Rc::new(RefCell::new(Vec::new()));
        let tasks = LocalSet::new();
        for number in 0..3 {
            let said = Rc::clone(&said);
            tasks.spawn_local(async move {
                said.borrow_mut().push(format!("{number} reads"));
                given().await;
                said.borrow_mut().push(format!("{number} writes"));
            });
        }
        tasks.await;
        let order = ["0 reads", "1 reads", "2 reads", "0 writes", "1 writes", "2 writes"];
        assert_eq!(*said.borrow(), order);
    }
}
