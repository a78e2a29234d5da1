//! HTTP by hand: requests that no client library would send, and answers as they stand on the wire.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than anything that a test waits for on a bare connection.
const DEADLINE: Duration = Duration::from_secs(20);

/// A bare connection.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// An answer as far as it came.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The status line and the headers.
    pub(crate) head: String,
    /// Without chunk sizes.
    pub(crate) body: Vec<u8>,
    /// Whether the framing says that nothing is missing.
    pub(crate) is_whole: bool,
    /// Whether the connection ended with a reset.
    pub(crate) is_reset: bool,
}

impl Told {
    /// 0 where no status line came.
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The first value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map_or("", |(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A statement's POST with these header lines, each ended by CRLF, and this body.
pub(crate) fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/statement HTTP/1.1\r\nhost: gw\r\nx-trino-user: test\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

impl Raw {
    pub(crate) async fn to(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, read: Vec::new() }
    }

    /// Sends what the other side may have stopped to take.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = timeout(DEADLINE, self.stream.write_all(bytes.as_ref())).await.expect("in time");
    }

    /// One exchange on a new connection.
    pub(crate) async fn ask(addr: SocketAddr, bytes: impl AsRef<[u8]>) -> Told {
        let mut raw = Self::to(addr).await;
        raw.send(bytes).await;
        raw.answer().await
    }

    /// Reads so many bytes or until the end.
    pub(crate) async fn read_some(&mut self, bytes: usize) -> usize {
        let mut total = 0;
        let mut buffer = vec![0; 64 * 1024];
        while total < bytes {
            let most = buffer.len().min(bytes - total);
            match timeout(DEADLINE, self.stream.read(&mut buffer[..most])).await.expect("in time") {
                Ok(read) if read > 0 => total += read,
                _ => break,
            }
        }
        total
    }

    /// Waits until so many bytes have come; they stay to be read.
    pub(crate) async fn begins(&mut self, bytes: usize) -> bool {
        while self.read.len() < bytes {
            if !self.more().await.0 {
                return false;
            }
        }
        true
    }

    /// Whether the other side ends the connection, by a reset or not, with nothing more to read.
    pub(crate) async fn is_ended(&mut self) -> bool {
        self.read.is_empty() && !self.more().await.0
    }

    /// Reads whatever comes; whether its end is a reset.
    pub(crate) async fn is_reset(&mut self) -> bool {
        loop {
            self.read.clear();
            match self.more().await {
                (true, _) => {}
                (false, is_reset) => return is_reset,
            }
        }
    }

    /// The next answer; `HEAD`'s and others without a body must say a length of 0 or none.
    pub(crate) async fn answer(&mut self) -> Told {
        let mut is_reset = false;
        let head = loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                let head = self.read.drain(..at + 4).collect::<Vec<_>>();
                break String::from_utf8_lossy(&head).into_owned();
            }
            let (more, reset) = self.more().await;
            is_reset |= reset;
            if !more {
                let head = String::from_utf8_lossy(&self.read).into_owned();
                return Told { head, body: Vec::new(), is_whole: false, is_reset };
            }
        };
        if head.starts_with("HTTP/1.1 100") {
            return Box::pin(self.answer()).await;
        }
        let mut told = Told { head, body: Vec::new(), is_whole: false, is_reset };
        if told.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
            self.chunks(&mut told).await;
        } else if let Ok(length) = told.header("content-length").parse() {
            told.is_whole = self.take(length, &mut told).await;
        } else {
            // It ends with the connection.
            loop {
                told.body.append(&mut self.read);
                let (more, reset) = self.more().await;
                told.is_reset |= reset;
                if !more {
                    break;
                }
            }
            told.is_whole = !told.is_reset;
        }
        told
    }

    async fn chunks(&mut self, told: &mut Told) {
        loop {
            let Some(line) = self.line().await else { return };
            let Ok(size) = usize::from_str_radix(line.trim(), 16) else { return };
            if !self.take(size, told).await {
                return;
            }
            if self.line().await.is_none() {
                return;
            }
            if size == 0 {
                told.is_whole = true;
                return;
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.read, b"\r\n") {
                let line = self.read.drain(..at + 2).collect::<Vec<_>>();
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            if !self.more().await.0 {
                return None;
            }
        }
    }

    async fn take(&mut self, bytes: usize, told: &mut Told) -> bool {
        while self.read.len() < bytes {
            let (more, reset) = self.more().await;
            told.is_reset |= reset;
            if !more {
                told.body.append(&mut self.read);
                return false;
            }
        }
        told.body.extend(self.read.drain(..bytes));
        true
    }

    /// Whether anything came, and whether there was a reset.
    async fn more(&mut self) -> (bool, bool) {
        let reading = self.stream.read_buf(&mut self.read);
        match timeout(DEADLINE, reading).await.expect("an answer or the end in time") {
            Ok(0) => (false, false),
            Ok(_) => (true, false),
            Err(_) => (false, true),
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
