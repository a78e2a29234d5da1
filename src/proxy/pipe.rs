//! A pipe of the kernel, through which a large page goes from a coordinator's socket to its client's without being copied.
//!
//! What is read from one socket and written to another unread is copied twice, and for a page of 1 MB those copies are a third
//! of all that the gateway does. `splice` moves the kernel's own pages instead. Only what nobody has to look at may go this
//! way (`page`), between two sockets without TLS ([decision 9](../../../docs/decisions/0009-large-pages-are-spliced.md)).
//! Where there is no `splice`, there is no pipe, and everything is copied.

use std::{
    cell::RefCell,
    io,
    os::fd::OwnedFd,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, ready},
};

use tokio::{io::Interest, net::TcpStream};
use tokio_rustls::server::TlsStream;

/// So much is put into a pipe before it is emptied, as much as a large read would bring.
pub(crate) const ENOUGH: usize = 128 * 1024;

/// What a pipe is asked to have room for. A network card brings pieces of one or two KiB, and each takes the place of a
/// whole 4 KiB.
const ROOM: usize = 256 * 1024;

/// As many empty pipes as a data thread keeps: two descriptors each, and some 3 KiB of the kernel's memory.
const MOST_SPARE: usize = 16;

/// As many as there may be: half of what the kernel lets one user have at that size (`pipe-user-pages-soft`), and 256 of the
/// process's descriptors, which are connections' first. Clients that take their pages slowly hold them; what comes then is
/// copied.
const MOST: usize = 128;

static OPEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SPARE: RefCell<Vec<Ends>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
struct Ends {
    out: OwnedFd,
    into: OwnedFd,
    #[expect(dead_code, reason = "a guard: it counts as long as the pipe is open")]
    counted: Counted,
}

/// One of the pipes that there may be.
#[derive(Debug)]
struct Counted(&'static AtomicUsize);

impl Counted {
    /// One more of those, unless there are enough.
    fn among(open: &'static AtomicUsize, most: usize) -> Option<Self> {
        let is_one_more = open.fetch_add(1, Ordering::Relaxed) < most;
        let counted = Self(open);
        is_one_more.then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A pipe, and how many bytes are in it. Dropped empty, it is kept for the next page.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// None only while it is dropped.
    ends: Option<Ends>,
    holds: usize,
}

impl Pipe {
    /// An empty one; none where there are enough, or the kernel has none to give.
    pub(crate) fn take() -> Option<Self> {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        Some(Self { ends: Some(spare.or_else(kernel::pipe)?), holds: 0 })
    }

    /// Bytes that are in it.
    pub(crate) fn holds(&self) -> usize {
        self.holds
    }

    /// Moves at most so many bytes from a socket into it; 0 is the socket's end. Pending with something in it may mean that
    /// it is full, and nobody is woken when it no longer is.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        from: &TcpStream,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let Some(ends) = &self.ends else { return Poll::Ready(Ok(0)) };
        loop {
            ready!(from.poll_read_ready(cx))?;
            let moved = match self.holds {
                0 => from.try_io(Interest::READABLE, || kernel::splice(from, &ends.into, most)),
                // "Would block" says a full pipe, too: tokio must not take that for a silent socket.
                _ => kernel::splice(from, &ends.into, most),
            };
            match moved {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.holds > 0 {
                        return Poll::Pending;
                    }
                }
                moved => {
                    self.holds += *moved.as_ref().unwrap_or(&0);
                    return Poll::Ready(moved);
                }
            }
        }
    }

    /// Moves what is in it into a socket, as far as that takes it; `more`: something follows at once.
    fn poll_empty(
        &mut self,
        cx: &mut Context<'_>,
        to: &TcpStream,
        more: bool,
    ) -> Poll<io::Result<usize>> {
        let Some(ends) = &self.ends else { return Poll::Ready(Ok(0)) };
        let moved =
            ready!(poll_written(cx, to, || kernel::empty(&ends.out, to, self.holds, more)))?;
        self.holds -= moved;
        Poll::Ready(Ok(moved))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let Some(ends) = self.ends.take().filter(|_| self.holds == 0) else { return };
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < MOST_SPARE {
                spare.push(ends);
            }
        });
    }
}

/// A socket that words can be put into, and what is in a pipe after them.
pub(crate) trait Piped {
    /// Words that something follows at once; the kernel keeps them until it does.
    fn poll_begin(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        words: &[u8],
    ) -> Poll<io::Result<usize>>;

    /// What is in a pipe; `more`: something follows at once.
    fn poll_pass(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        more: bool,
    ) -> Poll<io::Result<usize>>;
}

impl Piped for TcpStream {
    fn poll_begin(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        words: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        poll_written(cx, this, || kernel::begin(this, words))
    }

    fn poll_pass(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        more: bool,
    ) -> Poll<io::Result<usize>> {
        pipe.poll_empty(cx, self.get_mut(), more)
    }
}

/// Nobody offers a pipe to such a client: what it reads must be encrypted first.
impl<S> Piped for TlsStream<S> {
    fn poll_begin(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_pass(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut Pipe,
        _: bool,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

/// Tries to write as often as the socket says that it may be written to.
fn poll_written(
    cx: &mut Context<'_>,
    to: &TcpStream,
    mut write: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(to.poll_write_ready(cx))?;
        match to.try_io(Interest::WRITABLE, &mut write) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return Poll::Ready(written),
        }
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::{
        io,
        os::fd::{AsFd, OwnedFd},
    };

    use rustix::{
        net::{SendFlags, send},
        pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with},
    };
    use tokio::net::TcpStream;

    use super::{Counted, Ends, MOST, OPEN, ROOM};

    pub(super) fn pipe() -> Option<Ends> {
        let counted = Counted::among(&OPEN, MOST)?;
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // A user's pipes have a limit together; the usual size will do.
        let _ = fcntl_setpipe_size(&into, ROOM);
        Some(Ends { out, into, counted })
    }

    pub(super) fn splice(from: &TcpStream, into: &OwnedFd, most: usize) -> io::Result<usize> {
        moved(from, into, most, SpliceFlags::empty())
    }

    pub(super) fn empty(
        out: &OwnedFd,
        to: &TcpStream,
        holds: usize,
        more: bool,
    ) -> io::Result<usize> {
        moved(out, to, holds, if more { SpliceFlags::MORE } else { SpliceFlags::empty() })
    }

    fn moved(
        from: &impl AsFd,
        to: &impl AsFd,
        most: usize,
        flags: SpliceFlags,
    ) -> io::Result<usize> {
        let flags = flags | SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        Ok(rustix::pipe::splice(from, None, to, None, most, flags)?)
    }

    pub(super) fn begin(to: &TcpStream, words: &[u8]) -> io::Result<usize> {
        Ok(send(to, words, SendFlags::MORE | SendFlags::NOSIGNAL)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::{io, os::fd::OwnedFd};

    use tokio::net::TcpStream;

    use super::Ends;

    pub(super) fn pipe() -> Option<Ends> {
        None
    }

    pub(super) fn splice(_: &TcpStream, _: &OwnedFd, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn empty(_: &OwnedFd, _: &TcpStream, _: usize, _: bool) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn begin(_: &TcpStream, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::{future::poll_fn, os::fd::AsRawFd as _};

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let (one, other) = tokio::join!(TcpStream::connect(to), listener.accept());
        (one.unwrap(), other.unwrap().0)
    }

    fn name(pipe: &Pipe) -> i32 {
        pipe.ends.as_ref().unwrap().out.as_raw_fd()
    }

    #[tokio::test]
    async fn an_empty_pipe_is_kept_and_one_that_holds_somebodys_page_is_not() {
        let (mut near, far) = pair().await;
        let mut pipe = Pipe::take().unwrap();
        let first = name(&pipe);
        near.write_all(b"secret").await.unwrap();
        let count = poll_fn(|cx| pipe.poll_fill(cx, &far, 100)).await.unwrap();
        assert_eq!((count, pipe.holds()), (6, 6));
        drop(pipe);
        assert_eq!(SPARE.with_borrow(Vec::len), 0, "it would give the page to the next client");
        let empty = Pipe::take().unwrap();
        assert_eq!(empty.holds(), 0);
        drop(empty);
        assert_eq!(SPARE.with_borrow(Vec::len), 1);
        let again = Pipe::take().unwrap();
        assert_eq!(SPARE.with_borrow(Vec::len), 0);
        assert!(name(&again) >= first);
    }

    #[test]
    fn there_are_no_more_than_may_be_and_one_that_is_closed_makes_room() {
        static SOME: AtomicUsize = AtomicUsize::new(0);
        let mut all: Vec<Counted> =
            std::iter::from_fn(|| Counted::among(&SOME, 3)).take(10).collect();
        assert_eq!(all.len(), 3);
        assert!(Counted::among(&SOME, 3).is_none());
        all.pop();
        let again = Counted::among(&SOME, 3);
        assert!(again.is_some() && Counted::among(&SOME, 3).is_none());
        drop((all, again));
        assert_eq!(SOME.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_full_pipe_is_not_taken_for_a_silent_socket() {
        let ((mut near, far), (mut out, mut end)) = (pair().await, pair().await);
        let sent = vec![b'x'; 3 << 20];
        let writing = tokio::spawn(async move { near.write_all(&sent).await.map(|()| near) });
        let (mut pipe, mut came) = (Pipe::take().unwrap(), 0);
        let mut room = vec![0; 1 << 20];
        while came < 3 << 20 {
            // Until it is full, or nothing has come.
            poll_fn(|cx| match pipe.poll_fill(cx, &far, 1 << 20) {
                Poll::Pending if pipe.holds() > 0 => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
                Poll::Ready(count) => {
                    assert!(count.unwrap() > 0);
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            })
            .await;
            let holds = pipe.holds();
            let emptied = async {
                while pipe.holds() > 0 {
                    poll_fn(|cx| Pin::new(&mut out).poll_pass(cx, &mut pipe, false)).await.unwrap();
                }
            };
            let read = async {
                let mut left = holds;
                while left > 0 {
                    left -= end.read(&mut room).await.unwrap();
                }
            };
            tokio::join!(emptied, read);
            came += holds;
        }
        drop(writing.await.unwrap().unwrap());
        assert_eq!(poll_fn(|cx| pipe.poll_fill(cx, &far, 100)).await.unwrap(), 0, "its end");
    }
}
