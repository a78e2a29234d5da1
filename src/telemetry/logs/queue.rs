//! The log's way to standard output: a bounded queue and a thread of its own.
//!
//! Data threads log while they serve, and whoever reads standard output may stop reading: a full pipe must stall
//! nobody. So a line that finds the queue full is dropped and counted, and the count is told once there is room again,
//! at most every ten seconds.
//!
//! A line that comes after a pause is written at once. Those behind it are gathered for a moment and written together:
//! waking this thread for each line, and a system call for each, cost a statement more than making its lines.

use std::{
    io::{self, BufWriter, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError},
    },
    time::Duration,
};

use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait: some MiB at most, and more than a burst of a busy second.
const WAITING: usize = 16 * 1024;

/// Between two words on lost lines.
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(10);

/// How long lines are gathered behind one that was written. Whoever follows a log does not see it, and a process that
/// is killed loses so much of it at most.
const GATHERED: Duration = Duration::from_millis(10);

/// So many bytes are written at once: what a pipe holds.
const AT_ONCE: usize = 64 * 1024;

/// How long the end of the process waits for the last lines; who does not read by then does not read.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Between two tries to put the last word into a queue that is full.
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

enum Entry {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Where lines are put; clones share the queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

/// Waits at its end until what was logged has been written.
#[derive(Debug)]
pub(super) struct Tail(Queue);

impl Queue {
    /// Starts the thread that writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Self, Tail)> {
        Self::holding(WAITING, out)
    }

    fn holding(most: usize, out: impl Write + Send + 'static) -> io::Result<(Self, Tail)> {
        let (entries, taken) = mpsc::sync_channel(most);
        let lost = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&lost);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            write(out, &taken, &count);
        })?;
        let queue = Self { entries, lost };
        Ok((queue.clone(), Tail(queue)))
    }

    fn put(&self, line: &[u8]) {
        if self.entries.try_send(Entry::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes until nobody can log any more. A log that cannot be written has nowhere to say so.
fn write(out: impl Write, entries: &Receiver<Entry>, lost: &AtomicU64) {
    let mut out = BufWriter::with_capacity(AT_ONCE, out);
    let mut complained: Option<Instant> = None;
    loop {
        match next(&mut out, entries) {
            Ok(Entry::Line(line)) => drop(out.write_all(&line)),
            Ok(Entry::Flush(done)) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if complained.is_none_or(|last| last.elapsed() >= BETWEEN_COMPLAINTS) {
            let count = lost.swap(0, Ordering::Relaxed);
            if count > 0 {
                complained = Some(Instant::now());
                // This line takes the same way as all others.
                tracing::error!(
                    event = "log_dropped",
                    count,
                    "log lines were dropped: nobody reads them fast enough"
                );
            }
        }
    }
}

/// The next entry. Whoever sends one while this thread sleeps does not have to wake it.
fn next(out: &mut impl Write, entries: &Receiver<Entry>) -> Result<Entry, RecvTimeoutError> {
    match entries.try_recv() {
        Err(TryRecvError::Empty) => {}
        entry => return entry.map_err(|_| RecvTimeoutError::Disconnected),
    }
    let _ = out.flush();
    std::thread::sleep(GATHERED);
    entries.try_recv().or_else(|_| entries.recv_timeout(BETWEEN_COMPLAINTS))
}

impl Drop for Tail {
    fn drop(&mut self) {
        let (done, written) = mpsc::sync_channel(1);
        let deadline = Instant::now() + LAST_LINES;
        let mut entry = Entry::Flush(done);
        while let Err(TrySendError::Full(unsent)) = self.0.entries.try_send(entry) {
            if Instant::now() >= deadline {
                return;
            }
            entry = unsent;
            std::thread::park_timeout(BETWEEN_TRIES);
        }
        let _ = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
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
    use std::sync::Mutex;

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
        let (queue, tail) = Queue::holding(8, pipe).unwrap();
        let padding = ".".repeat(AT_ONCE / 16);
        for number in 0..1000 {
            queue.make_writer().write_all(format!("{number} {padding}\n").as_bytes()).unwrap();
        }
        let lost = usize::try_from(queue.lost.load(Ordering::Relaxed)).unwrap();
        // Eight wait, up to sixteen are gathered and one may be between the two.
        assert!((1000 - 8 - 16 - 1..=1000 - 8).contains(&lost), "{lost}");
        open.send(()).unwrap();
        drop(tail);
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let numbers: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(numbers.len(), 1000 - lost);
        assert_eq!(numbers[..8], ["0", "1", "2", "3", "4", "5", "6", "7"]);
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
