//! A file of whole lines: what could not be written whole is taken back.

use std::{
    fs,
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// The audit's file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    fsync: bool,
    file: fs::File,
    /// Whether a broken line may stand at the end, which could not be taken back.
    torn: bool,
}

impl File {
    /// Opens it for appending; it is made if it is not there, and its folder is not.
    pub(super) fn open(path: &Path, fsync: bool) -> io::Result<Self> {
        let mut options = fs::OpenOptions::new();
        // It names users and shows statements: not for everybody on the machine.
        options.create(true).append(true).mode(0o640);
        let file = options.open(path)?;
        let torn = !ends_whole(path);
        Ok(Self { path: path.to_owned(), fsync, file, torn })
    }

    /// Begins a new file under the old name; the present one stays if that fails.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        *self = Self::open(&self.path, self.fsync)?;
        Ok(())
    }

    /// Writes whole lines, all of them or none.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        let written = self.put(lines);
        if written.is_err() {
            self.torn = self.file.set_len(before).is_err();
        }
        written
    }

    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        if std::mem::take(&mut self.torn) {
            self.file.write_all(b"\n")?;
        }
        self.file.write_all(lines)?;
        if self.fsync { self.file.sync_data() } else { Ok(()) }
    }
}

/// Whether the last line has its end: a process that was killed while it wrote may have left half a line.
fn ends_whole(path: &Path) -> bool {
    let last = || {
        let mut file = fs::File::open(path).ok()?;
        file.seek(io::SeekFrom::End(-1)).ok()?;
        let mut byte = [0];
        file.read_exact(&mut byte).ok()?;
        Some(byte == *b"\n")
    };
    // An empty file, a device or one that cannot be read has no line to end.
    last().unwrap_or(true)
}
