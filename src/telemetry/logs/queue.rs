//! The log's way to standard output: a buffer that lines are put into, and a thread of its own that writes them.
//!
//! Data threads log while they serve, and whoever reads standard output may stop reading: a full pipe must stall
//! nobody. So a line that finds the buffer full is dropped and counted, and the count is told once there is room again,
//! at most every ten seconds.
//!
//! A line that comes after a pause is written at once. Those behind it are gathered for a moment and written together:
//! waking this thread for each line, a system call for each, and memory that one thread takes and another gives back
//! cost a statement more than making its lines. The buffer's lock is held for a copy of a line, or for a swap.

use std::{
    io::{self, Write},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, SyncSender},
    },
    time::Duration,
};

use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait: more lines than a burst of a busy second.
const MOST_WAITING: usize = 8 * 1024 * 1024;

/// A buffer that a burst has made larger is given back.
const USUAL: usize = 256 * 1024;

/// How long lines are gathered behind one that was written. Whoever follows a log does not see it, and a process that
/// is killed loses so much of it at most.
const GATHERED: Duration = Duration::from_millis(10);

/// Between two words on lost lines.
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(10);

/// How long the end of the process waits for the last lines; who does not read by then does not read.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Where lines are put; clones share the buffer.
#[derive(Clone, Debug)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// That something waits, if nobody was awake to see it.
    come: Condvar,
    /// Bytes that may wait.
    most: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Lines that found no room, and have not been told of.
    lost: u64,
    is_asleep: bool,
    /// Who wants to hear that all has been written; nothing comes after that.
    last: Option<SyncSender<()>>,
}

/// Waits at its end until what was logged has been written.
#[derive(Debug)]
pub(super) struct Tail(Queue);

impl Queue {
    /// Starts the thread that writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Self, Tail)> {
        Self::holding(MOST_WAITING, out)
    }

    fn holding(most: usize, out: impl Write + Send + 'static) -> io::Result<(Self, Tail)> {
        let waiting = Mutex::default();
        let queue = Self(Arc::new(Shared { waiting, come: Condvar::new(), most }));
        let tail = Tail(queue.clone());
        let shared = Arc::clone(&queue.0);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || shared.write(out))?;
        Ok((queue, tail))
    }

    fn put(&self, line: &[u8]) {
        let mut waiting = self.0.lock();
        if waiting.lines.len() + line.len() > self.0.most {
            waiting.lost += 1;
        } else {
            waiting.lines.extend_from_slice(line);
        }
        self.0.wake(waiting);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that is done under the lock leaves it half done.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let is_asleep = mem::take(&mut waiting.is_asleep);
        drop(waiting);
        if is_asleep {
            self.come.notify_one();
        }
    }

    /// Writes until the last line. A log that cannot be written has nowhere to say so.
    fn write(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        let mut complained: Option<Instant> = None;
        loop {
            let last = self.take(&mut lines);
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
            lines.shrink_to(USUAL);
            if let Some(written) = last {
                let _ = written.try_send(());
                return;
            }
            if complained.is_none_or(|last| last.elapsed() >= BETWEEN_COMPLAINTS) && self.complain()
            {
                complained = Some(Instant::now());
            }
            // Nobody unparks it.
            std::thread::park_timeout(GATHERED);
        }
    }

    /// Waits for lines and takes them all into an empty buffer, or for whoever wants to hear of the last.
    fn take(&self, lines: &mut Vec<u8>) -> Option<SyncSender<()>> {
        let mut waiting = self.lock();
        waiting.is_asleep = waiting.lines.is_empty() && waiting.last.is_none();
        if waiting.is_asleep {
            let woken = self.come.wait_timeout(waiting, BETWEEN_COMPLAINTS);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
            waiting.is_asleep = false;
        }
        mem::swap(&mut waiting.lines, lines);
        waiting.last.take()
    }

    /// Tells how many lines were lost, if any; that line takes the same way as all others.
    fn complain(&self) -> bool {
        let count = mem::take(&mut self.lock().lost);
        if count > 0 {
            tracing::error!(
                event = "log_dropped",
                count,
                "log lines were dropped: nobody reads them fast enough"
            );
        }
        count > 0
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let (done, written) = mpsc::sync_channel(1);
        let mut waiting = self.0.0.lock();
        waiting.last = Some(done);
        self.0.0.wake(waiting);
        let _ = written.recv_timeout(LAST_LINES);
    }
}

/// One line on its way.
#[derive(Debug)]
pub(super) struct Line<'a>(&'a Queue);

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use super::*;

    /// A pipe that takes nothing before it is opened.
    #[derive(Clone)]
    struct Pipe {
        opened: Arc<Mutex<Receiver<()>>>,
        is_open: bool,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.is_open {
                let _ = self.opened.lock().unwrap().recv();
                self.is_open = true;
            }
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_pipe_stalls_nobody_and_what_was_lost_is_counted() {
        let (open, opened) = mpsc::channel();
        let pipe =
            Pipe { opened: Arc::new(Mutex::new(opened)), is_open: false, written: Arc::default() };
        let written = Arc::clone(&pipe.written);
        let (queue, tail) = Queue::holding(72, pipe).unwrap();
        for number in 100..1000 {
            queue.make_writer().write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        let lost = usize::try_from(queue.0.lock().lost).unwrap();
        // Eight lines of nine bytes wait, and so many at most are being written.
        assert!((900 - 16..=900 - 8).contains(&lost), "{lost}");
        open.send(()).unwrap();
        drop(tail);
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 900 - lost);
        assert_eq!(lines[..2], ["line 100", "line 101"]);
    }

    #[test]
    fn the_last_lines_are_written_before_the_end() {
        let (_, opened) = mpsc::channel();
        let pipe =
            Pipe { opened: Arc::new(Mutex::new(opened)), is_open: true, written: Arc::default() };
        let written = Arc::clone(&pipe.written);
        let (queue, tail) = Queue::start(pipe).unwrap();
        queue.make_writer().write_all(b"the last words\n").unwrap();
        drop(tail);
        assert_eq!(*written.lock().unwrap(), b"the last words\n");
    }
}
