//! HTTP/2 by hand: frames that no client library would send, and those that come back.
//!
//! Header blocks are written without compression and hardly read: only a status that stands in HPACK's own table.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::secure::Secure;

/// Longer than anything that a test waits for on a bare connection.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;
pub(crate) const WINDOW_UPDATE: u8 = 0x8;

pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;

/// The setting of the window that a stream begins with.
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 0x4;

/// A frame as it came.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The status of a head; 0 where it is none of HPACK's own table.
    pub(crate) fn status(&self) -> u16 {
        match self.payload.first() {
            Some(0x88) => 200,
            Some(0x89) => 204,
            Some(0x8c) => 400,
            Some(0x8d) => 404,
            _ => 0,
        }
    }

    pub(crate) fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    /// Why a stream was reset, or the last stream and why of a GOAWAY.
    pub(crate) fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A bare connection.
pub(crate) struct Frames {
    stream: TlsStream<TcpStream>,
    authority: String,
    /// Whether its PINGs are answered.
    pub(crate) answers_pings: bool,
}

impl Frames {
    /// Connects, and says hello with these settings.
    pub(crate) async fn to(secure: &Secure, addr: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(addr).await.expect("it listens");
        let stream = secure.connect(stream, "localhost").await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut frames = Self { stream, authority: addr.to_string(), answers_pings: true };
        frames.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        frames.send(SETTINGS, 0, 0, &payload).await;
        frames
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let _ = timeout(DEADLINE, writing).await.expect("in time");
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.write(&frame).await;
    }

    /// The head of a request.
    pub(crate) fn head(&self, method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
        let usual = [
            (":method", method),
            (":scheme", "https"),
            (":authority", self.authority.as_str()),
            (":path", path),
            ("x-trino-user", "test"),
        ];
        let mut block = Vec::new();
        for (name, value) in usual.iter().chain(more) {
            block.push(0);
            literal(&mut block, name);
            literal(&mut block, value);
        }
        block
    }

    /// A request without a body.
    pub(crate) async fn ask(&mut self, stream: u32, method: &str, path: &str) {
        let head = self.head(method, path, &[]);
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &head).await;
    }

    /// A statement.
    pub(crate) async fn post(&mut self, stream: u32, sql: &str) {
        let head = self.head("POST", "/v1/statement", &[]);
        self.send(HEADERS, END_HEADERS, stream, &head).await;
        self.send(DATA, END_STREAM, stream, sql.as_bytes()).await;
    }

    /// The next frame; nothing at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let frame = timeout(DEADLINE, self.read()).await.expect("a frame or the end in time")?;
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            self.send(SETTINGS, ACK, 0, &[]).await;
        }
        if frame.kind == PING && frame.flags & ACK == 0 && self.answers_pings {
            self.send(PING, ACK, 0, &frame.payload).await;
        }
        Some(frame)
    }

    /// The next frame of that kind.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("the connection goes on");
            if frame.kind == kind && frame.flags & ACK == 0 {
                return frame;
            }
        }
    }

    /// Reads until a stream has ended; its body, and its last frame.
    pub(crate) async fn until_end(&mut self, stream: u32) -> (Vec<u8>, Frame) {
        let mut body = Vec::new();
        loop {
            let frame = self.next().await.expect("the connection goes on");
            if frame.stream != stream {
                continue;
            }
            if frame.kind == DATA {
                body.extend(&frame.payload);
            }
            if frame.ends_stream() || frame.kind == RST_STREAM {
                return (body, frame);
            }
        }
    }

    /// Reads whatever comes until the connection ends.
    pub(crate) async fn until_closed(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }
}

/// A string of HPACK (RFC 7541 section 5.2) without Huffman's code.
fn literal(block: &mut Vec<u8>, text: &str) {
    let length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(127);
        let mut rest = length - 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).unwrap() | 0x80);
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
    }
    block.extend(text.as_bytes());
}
