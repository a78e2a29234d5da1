//! A coordinator that has one query with one page, and answers that page for ever.
//!
//! The simulator makes each page anew, as Trino does, which costs more than proxying it; so a measurement of pages
//! would show the simulator. Here an answer is written from bytes that are made once, with Trino's headers and
//! framing. The statement is the size of the page in bytes. Whole queries go to the simulator.

use std::{cell::RefCell, collections::HashMap, io::Write as _, net::SocketAddr, rc::Rc};

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

/// Trino's answers are chunked; Jetty's output buffer makes pieces of at most 32 KiB.
const PIECE: usize = 32 * 1024;
/// Every request of this benchmark fits.
const LONGEST_REQUEST: usize = 16 * 1024;
/// Ids of this day are never taken for those of another process.
const ID: &str = "20200101_000000_00000_bench";
const INFO: &str = r#"{"nodeVersion":{"version":"483"},"environment":"bench","coordinator":true,"coordinatorId":"bench","starting":false,"uptime":"1.00d"}"#;
const HEAD: &str = "Date: Sat, 21 Nov 2026 09:00:00 GMT\r\nVary: Accept-Encoding\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n";
const ROW: &str = r#"[123456789,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#;

/// Whole answers by the host that their URIs name, the size of the page and its coding.
type Pages = Rc<RefCell<HashMap<(String, usize, Option<Coding>), Rc<Vec<u8>>>>>;

/// Serves on a free port, on the current thread.
pub(crate) async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    spawn_local(async move {
        let pages = Pages::default();
        while let Ok((socket, _)) = listener.accept().await {
            spawn_local(serve(socket, Rc::clone(&pages)));
        }
    });
    address
}

async fn serve(mut socket: TcpStream, pages: Pages) {
    let _ = socket.set_nodelay(true);
    let mut buffer = vec![0; LONGEST_REQUEST];
    let mut filled = 0;
    loop {
        match socket.read(&mut buffer[filled..]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => filled += read,
        }
        let Some(request) = Request::read(&buffer[..filled]) else { continue };
        filled = 0;
        if socket.write_all(&answer(&request, &pages)).await.is_err() {
            return;
        }
    }
}

struct Request<'a> {
    method: &'a str,
    path: &'a str,
    host: &'a str,
    forwarded: bool,
    coding: Option<Coding>,
    body: &'a str,
}

impl<'a> Request<'a> {
    /// A request that is complete.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let header = |wanted: &str| {
            let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
        };
        let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut words = head.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        (body.len() >= length).then(|| Self {
            method,
            path,
            host: header("host").unwrap_or_default(),
            forwarded: header("x-forwarded-host").is_some(),
            coding: header("accept-encoding").and_then(Coding::named),
            body,
        })
    }
}

/// `/v1/statement/executing/<id>/<size>/<token>`
fn size(path: &str) -> Option<usize> {
    path.strip_prefix("/v1/statement/executing/")?.split('/').nth(1)?.parse().ok()
}

fn answer(request: &Request<'_>, pages: &Pages) -> Rc<Vec<u8>> {
    if let Some(size) = size(request.path) {
        let made = || Rc::new(answer_of(request.host, size, request.coding));
        let key = (request.host.to_owned(), size, request.coding);
        return Rc::clone(pages.borrow_mut().entry(key).or_insert_with(made));
    }
    Rc::new(match (request.method, request.path) {
        ("POST", _) => chunked(&head(request.host, request.body, "QUEUED", "")),
        (_, "/v1/info") => chunked(INFO.as_bytes()),
        _ if request.forwarded => {
            b"HTTP/1.1 406 Not Acceptable\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
    })
}

fn head(host: &str, size: &str, state: &str, data: &str) -> Vec<u8> {
    format!(
        r#"{{"id":"{ID}","infoUri":"http://{host}/ui/query.html?{ID}","nextUri":"http://{host}/v1/statement/executing/{ID}/{size}/1","columns":[{{"name":"a","type":"bigint"}},{{"name":"b","type":"varchar(49)"}}]{data},"stats":{{"state":"{state}","queued":false,"scheduled":true,"nodes":1,"totalSplits":1,"queuedSplits":0,"runningSplits":1,"completedSplits":0,"cpuTimeMillis":1,"wallTimeMillis":1,"elapsedTimeMillis":1,"processedRows":1,"processedBytes":1,"peakMemoryBytes":1}},"warnings":[]}}"#
    )
    .into_bytes()
}

/// A page of about so many bytes on the wire.
fn answer_of(host: &str, size: usize, coding: Option<Coding>) -> Vec<u8> {
    let Some(coding) = coding else { return chunked(&page(host, size, &mut |_| ROW.to_owned())) };
    // Rows that compress about as results do.
    let text = page(host, size, &mut unlike);
    in_coding(&coding.compressed(&text), &format!("Content-Encoding: {}\r\n", coding.name()))
}

/// A row that is like no other.
fn unlike(number: usize) -> String {
    // Knuth's multiplier: digits without a pattern that a compressor would find.
    let digits = (number as u64 + 1).wrapping_mul(6_364_136_223_846_793_005);
    format!(r#"[{number},"{digits:016x}{:016x}"]"#, digits.rotate_left(29) ^ digits)
}

fn page(host: &str, size: usize, row: &mut impl FnMut(usize) -> String) -> Vec<u8> {
    let mut left = size.saturating_sub(head(host, &size.to_string(), "RUNNING", "").len());
    let mut rows = vec![row(0)];
    while left > rows[rows.len() - 1].len() {
        left -= rows[rows.len() - 1].len() + 1;
        rows.push(row(rows.len()));
    }
    let data = format!(r#","data":[{}]"#, rows.join(","));
    head(host, &size.to_string(), "RUNNING", &data)
}

/// How a page is compressed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Coding {
    Gzip,
    Zstd,
}

impl Coding {
    /// The one that a client has asked for alone.
    fn named(name: &str) -> Option<Self> {
        [Self::Gzip, Self::Zstd].into_iter().find(|coding| coding.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn compressed(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Gzip => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
                gzip.write_all(text).and_then(|()| gzip.finish()).expect("a page in gzip")
            }
            Self::Zstd => zstd::encode_all(text, 3).expect("a page in zstd"),
        }
    }
}

fn chunked(body: &[u8]) -> Vec<u8> {
    in_coding(body, "")
}

fn in_coding(body: &[u8], coding: &str) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 200 OK\r\n{HEAD}{coding}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for piece in body.chunks(PIECE) {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}
