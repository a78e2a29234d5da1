//! A coordinator that has one query with one page, and answers that page for ever.
//!
//! The simulator makes each page anew, as Trino does, which costs more than proxying it; so a measurement of pages
//! would show the simulator. Here an answer is written from bytes that are made once, with Trino's headers and
//! framing. The statement is the size of the page in bytes. Whole queries go to the simulator.

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, rc::Rc};

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

/// Whole answers by the host that their URIs name and the size of the page.
type Pages = Rc<RefCell<HashMap<(String, usize), Rc<Vec<u8>>>>>;

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
        let made = || Rc::new(page(request.host, size));
        let key = (request.host.to_owned(), size);
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

/// A page of about so many bytes.
fn page(host: &str, size: usize) -> Vec<u8> {
    let bare = head(host, &size.to_string(), "RUNNING", r#","data":[]"#).len();
    let rows = (size.saturating_sub(bare) / (ROW.len() + 1)).max(1);
    let data = format!(r#","data":[{}]"#, vec![ROW; rows].join(","));
    chunked(&head(host, &size.to_string(), "RUNNING", &data))
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 200 OK\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for piece in body.chunks(PIECE) {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}
