//! A client connection that costs next to nothing: HTTP/1.1 with keep-alive, bodies counted and thrown away.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use crate::secret::Trusting;

/// Two pieces of the largest pages' 64 KiB and more; a larger one would only add cache misses.
const BUFFER: usize = 256 * 1024;

/// A kept-alive connection.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What an answer says of its body.
enum Length {
    Of(usize),
    Chunked,
}

impl Wire {
    /// Connects, with TLS on it where that is wanted.
    pub(crate) async fn connect(to: SocketAddr, tls: Option<&Trusting>) -> io::Result<Self> {
        let socket = TcpStream::connect(to).await?;
        socket.set_nodelay(true)?;
        let socket = match tls {
            None => Either::Left(socket),
            Some(Trusting(tls, name)) => {
                Either::Right(Box::new(tls.connect(name.clone(), socket).await?))
            }
        };
        Ok(Self { socket, buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0 })
    }

    /// Sends a request, shows the answer's body piece by piece, and returns its status.
    pub(crate) async fn ask(
        &mut self,
        request: &[u8],
        mut body: impl FnMut(&[u8]),
    ) -> io::Result<u16> {
        self.send(request).await?;
        let status = self.line().await?;
        let status = status.get(9..12).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
        let mut length = Length::Of(0);
        loop {
            let line = self.line().await?.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = Length::Of(value.trim().parse().map_err(|_| broken())?);
            } else if line.starts_with("transfer-encoding:") {
                length = Length::Chunked;
            } else if line.is_empty() {
                break;
            }
        }
        match length {
            Length::Of(bytes) => self.take(bytes, &mut body).await?,
            Length::Chunked => loop {
                let line = self.line().await?;
                let bytes = usize::from_str_radix(line.trim(), 16).map_err(|_| broken())?;
                self.take(bytes, &mut body).await?;
                self.line().await?;
                if bytes == 0 {
                    break;
                }
            },
        }
        Ok(status)
    }

    /// Sends a request and reads nothing of the answer yet.
    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.socket.write_all(request).await?;
        self.socket.flush().await
    }

    /// Reads at most `most` bytes of whatever comes; 0 at the end.
    pub(crate) async fn sip(&mut self, most: usize) -> io::Result<usize> {
        let most = most.min(self.buffer.len());
        self.socket.read(&mut self.buffer[..most]).await
    }

    async fn take(&mut self, mut bytes: usize, body: &mut impl FnMut(&[u8])) -> io::Result<()> {
        while bytes > 0 {
            if self.start == self.end {
                self.fill().await?;
            }
            let piece = bytes.min(self.end - self.start);
            body(&self.buffer[self.start..self.start + piece]);
            self.start += piece;
            bytes -= piece;
        }
        Ok(())
    }

    /// The next line, without its end.
    async fn line(&mut self) -> io::Result<String> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(at) = unread.iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&unread[..at]).trim_end().to_owned();
                self.start += at + 1;
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let read = self.socket.read(&mut self.buffer[self.end..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.end += read;
        Ok(())
    }
}

fn broken() -> io::Error {
    io::Error::other("an answer that is no HTTP/1.1")
}
