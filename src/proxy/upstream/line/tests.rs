//! Answers cut at every byte, answers that are none, and lines that serve again or must not.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::{
    Broken,
    head::{self, Length},
};
use crate::{
    config::model::Upstream as Settings,
    metrics::Metrics,
    proxy::chunks::{Chunks, Next, NoChunk},
    proxy::upstream::{self, AnswerBody, Asking, Failure, Headers, Outgoing, Upstream},
};

const IN_CHUNKS: &[u8] = b"4;name=value\r\nabcd\r\n0A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nrest";

/// Reads chunks that come in pieces of so many bytes: the data, and what follows the body.
fn by_pieces(text: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>), NoChunk> {
    let (mut chunks, mut came, mut data) = (Chunks::default(), BytesMut::new(), Vec::new());
    for piece in text.chunks(size) {
        came.extend_from_slice(piece);
        while let Next::Piece(piece) = chunks.next(&mut came)? {
            data.extend_from_slice(&piece);
        }
    }
    assert!(chunks.is_over(&mut came), "the end has come");
    Ok((data, came.to_vec()))
}

#[test]
fn chunks_are_read_however_they_are_cut() {
    for size in 1..=IN_CHUNKS.len() {
        let (data, rest) = by_pieces(IN_CHUNKS, size).unwrap();
        assert_eq!((data.as_slice(), rest.as_slice()), (&b"abcd0123456789"[..], &b"rest"[..]));
    }
}

#[test]
fn what_is_no_chunk_breaks_the_body_for_good() {
    let long = [vec![b'1'; 2000], b"\r\n".to_vec()].concat();
    let trailers = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(5000)].concat();
    for text in [
        &b"x\r\n"[..],
        b"\r\n",
        b"+1\r\na\r\n",
        b"-1\r\n",
        b"1\na\r\n",
        b"1\r\r\na\r\n",
        b"\r1\r\na\r\n",
        b" 1\r\na\r\n",
        b"1;a\rb\r\na\r\n",
        b"1\r\naa\r\n",
        b"1\r\na\n\r\n",
        b"10000000000000000\r\n",
        &long,
        &trailers,
    ] {
        let (mut chunks, mut came) = (Chunks::default(), BytesMut::from(text));
        let mut read = chunks.next(&mut came);
        while let Ok(Next::Piece(_)) = read {
            read = chunks.next(&mut came);
        }
        assert!(read.is_err(), "{}: {read:?}", text.escape_ascii());
        let mut more = BytesMut::from(&b"0\r\n\r\n"[..]);
        assert!(chunks.next(&mut more).is_err() && !chunks.is_over(&mut more), "it is lost");
    }
}

const HEAD: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\na:  2 \r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn a_head_is_read_however_it_is_cut() {
    for cut in 0..HEAD.len() - 5 {
        let mut came = BytesMut::from(&HEAD[..cut]);
        assert!(head::read(&mut came, &Method::GET).unwrap().is_none(), "{cut}");
        came.extend_from_slice(&HEAD[cut..]);
        let answered = head::read(&mut came, &Method::GET).unwrap().unwrap();
        assert_eq!(answered.parts.status, StatusCode::OK);
        let lines: Vec<_> = answered.parts.headers.get_all("a").iter().collect();
        assert_eq!(lines, ["1", "2"], "in their order");
        assert!(answered.stays && matches!(answered.length, Length::Bytes(5)));
        assert_eq!(came, &b"hello"[..]);
    }
}

#[test]
fn more_headers_than_usual_are_read_as_few_are() {
    let usual = head::USUAL_HEADERS;
    for count in [usual - 1, usual, usual + 1, head::MOST_HEADERS] {
        let lines: String = (0..count).map(|number| format!("a: {number}\r\n")).collect();
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        let mut came = BytesMut::from(&text.as_bytes()[..text.len() - 2]);
        assert!(head::read(&mut came, &Method::GET).unwrap().is_none(), "{count}: it is not whole");
        came.extend_from_slice(b"\r\n");
        let answered = head::read(&mut came, &Method::GET).unwrap().unwrap();
        let values = answered.parts.headers.get_all("a").iter();
        assert!(
            values.map(|value| value.to_str().unwrap()).eq((0..count).map(|it| it.to_string()))
        );
    }
    let lines = "a: b\r\n".repeat(head::MOST_HEADERS + 1);
    let mut came = BytesMut::from(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes());
    assert!(head::read(&mut came, &Method::GET).is_err());
}

/// How long the body of such an answer is, in a word, and whether the line stays.
fn length(head: &str, method: &Method) -> Result<(String, bool), Broken> {
    let mut came = BytesMut::from(head.as_bytes());
    let answered = head::read(&mut came, method)?.expect("a whole head");
    let length = match answered.length {
        Length::Bytes(bytes) => bytes.to_string(),
        Length::Chunks(_) => "chunks".to_owned(),
        Length::Rest => "rest".to_owned(),
    };
    let both = answered.parts.headers.contains_key(CONTENT_LENGTH) && length == "chunks";
    assert!(!both, "one of the two would be believed behind us");
    Ok((length, answered.stays))
}

#[test]
fn the_length_of_a_body_is_judged_as_the_standard_says() {
    let get = &Method::GET;
    for (head, method, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", get, ("7", true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 7\r\n\r\n", get, ("7", true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: Close\r\n\r\n", get, ("7", false)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", &Method::HEAD, ("0", true)),
        ("HTTP/1.1 204 No Content\r\n\r\n", get, ("0", true)),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", get, ("0", true)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", get, ("chunks", true)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", get, ("chunks", true)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", get, ("rest", false)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            get,
            ("chunks", false),
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", get, ("rest", false)),
        ("HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", get, ("7", false)),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n",
            get,
            ("7", true),
        ),
    ] {
        let (bytes, stays) = length(head, method).unwrap();
        assert_eq!((bytes.as_str(), stays), expected, "{head}");
    }
    for wrong in [
        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +7\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 7, 7\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 99 No\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nna me: x\r\n\r\n",
    ] {
        assert!(matches!(length(wrong, get), Err(Broken::NoHttp(_))), "{wrong}");
    }
}

/// A coordinator that answers each request on each connection by a script.
struct Scripted {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// `say` has what is said to the request of that number, from 0; nothing closes the connection.
async fn scripted(say: fn(usize) -> &'static [u8]) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scripted = Scripted {
        address: listener.local_addr().unwrap(),
        accepted: Arc::default(),
        asked: Arc::default(),
    };
    let (accepted, asked) = (Arc::clone(&scripted.accepted), Arc::clone(&scripted.asked));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            accepted.fetch_add(1, SeqCst);
            tokio::spawn(answer(socket, Arc::clone(&asked), say));
        }
    });
    scripted
}

async fn answer(mut socket: TcpStream, asked: Arc<AtomicUsize>, say: fn(usize) -> &'static [u8]) {
    while request(&mut socket).await {
        let words = say(asked.fetch_add(1, SeqCst));
        if words.is_empty() || socket.write_all(words).await.is_err() {
            return;
        }
    }
}

/// Whether one more came; these have no body.
async fn request(socket: &mut TcpStream) -> bool {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let Ok(byte) = socket.read_u8().await else { return false };
        text.push(byte);
    }
    true
}

fn upstream() -> Upstream {
    Upstream::new(&Settings::default(), &Metrics::new().unwrap())
}

async fn send(
    upstream: &Upstream,
    request: Request<Bytes>,
) -> Result<Response<AnswerBody>, Failure> {
    let (parts, body) = request.into_parts();
    let headers = Headers::of(&parts.headers);
    let (method, uri, body) = (parts.method, parts.uri, Outgoing::Whole(body));
    upstream.send(None, &Asking { method, uri, headers }, body, Duration::from_secs(10)).await
}

async fn get(upstream: &Upstream, to: SocketAddr) -> Result<String, Failure> {
    let request =
        Request::get(format!("http://{to}/v1/statement/x")).header("host", to.to_string());
    let request = request.body(Bytes::new()).unwrap();
    let answer = send(upstream, request).await?;
    assert_eq!(upstream::peer(&answer), Some(to));
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_line_serves_again_and_again() {
    let trino = scripted(|number| match number {
        1 => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        2 => b"HTTP/1.1 204 No Content\r\n\r\n",
        _ => WHOLE,
    })
    .await;
    let upstream = upstream();
    for expected in ["ok", "ok", "", "ok"] {
        assert_eq!(get(&upstream, trino.address).await.unwrap(), expected);
    }
    assert_eq!((trino.accepted.load(SeqCst), trino.asked.load(SeqCst)), (1, 4));
}

#[tokio::test]
async fn a_line_that_was_closed_meanwhile_is_no_failure() {
    // Every second request meets a connection that closes without a word.
    let trino = scripted(|number| if number % 2 == 1 { b"" } else { WHOLE }).await;
    let upstream = upstream();
    for _ in 0..3 {
        assert_eq!(get(&upstream, trino.address).await.unwrap(), "ok");
    }
    assert_eq!((trino.accepted.load(SeqCst), trino.asked.load(SeqCst)), (3, 5));
}

#[tokio::test]
async fn a_post_is_never_repeated() {
    let trino = scripted(|number| if number == 1 { b"" } else { WHOLE }).await;
    let upstream = upstream();
    let post = async || {
        let request = Request::post(format!("http://{}/v1/statement", trino.address));
        let request = request.header("content-length", "77").body(Bytes::new());
        send(&upstream, request.unwrap()).await
    };
    let answer = post().await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    let lost = post().await.unwrap_err();
    assert!(matches!(lost, Failure::Lost(_)) && !lost.nothing_sent(), "{lost:?}");
    assert_eq!((trino.accepted.load(SeqCst), trino.asked.load(SeqCst)), (1, 2));
}

#[tokio::test]
async fn a_statement_that_is_refused_in_its_middle_is_told_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            assert!(request(&mut socket).await);
            socket
                .write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
                .await
                .unwrap();
            // It reads no more, and stays: whoever must write all of it first waits for ever.
            std::mem::forget(socket);
        }
    });
    let upstream = upstream();
    for _ in 0..2 {
        let body = Bytes::from(vec![b' '; 64 << 20]);
        let request = Request::post(format!("http://{to}/v1/statement")).body(body).unwrap();
        let answer = send(&upstream, request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "no");
    }
}

#[tokio::test]
async fn a_body_has_its_own_length() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut text = vec![0; 1000];
        let count = socket.read(&mut text).await.unwrap();
        socket.write_all(WHOLE).await.unwrap();
        String::from_utf8(text[..count].to_vec()).unwrap()
    });
    let request = Request::post(format!("http://{to}/v1/statement?a=b"))
        .header("content-length", "77")
        .header("Transfer-Encoding", "chunked")
        .header("X-Trino-User", "me")
        .body(Bytes::from("SELECT 1"));
    send(&upstream(), request.unwrap()).await.unwrap();
    let expected =
        "POST /v1/statement?a=b HTTP/1.1\r\nx-trino-user: me\r\ncontent-length: 8\r\n\r\nSELECT 1";
    assert_eq!(asked.await.unwrap(), expected);
}

#[tokio::test]
async fn a_new_line_that_closes_without_a_word_is_a_lost_one() {
    let trino = scripted(|_| b"").await;
    let lost = get(&upstream(), trino.address).await.unwrap_err();
    assert!(matches!(lost, Failure::Lost(_)) && !lost.nothing_sent(), "{lost:?}");
    assert_eq!(trino.asked.load(SeqCst), 1, "repeating it is not our business");
}

#[tokio::test]
async fn a_repeated_request_that_finds_nobody_may_have_been_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let trino = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        assert!(request(&mut socket).await);
        socket.write_all(WHOLE).await.unwrap();
        // Nobody listens any more when the second one is not answered.
        drop(listener);
        assert!(request(&mut socket).await);
    });
    let upstream = upstream();
    assert_eq!(get(&upstream, to).await.unwrap(), "ok");
    let lost = get(&upstream, to).await.unwrap_err();
    assert!(matches!(lost, Failure::Lost(_)) && !lost.nothing_sent(), "{lost:?}");
    trino.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_ends_too_early_is_broken() {
    for cut in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            request(&mut socket).await;
            socket.write_all(cut).await.unwrap();
        });
        let request = Request::get(format!("http://{to}/")).body(Bytes::new()).unwrap();
        let answer = send(&upstream(), request).await.unwrap();
        let broken = answer.into_body().collect().await.unwrap_err();
        assert!(matches!(broken, upstream::Broken::Line(Broken::Ended)), "{broken:?}");
    }
}

#[tokio::test]
async fn what_comes_until_the_end_ends_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        request(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nall of it").await.unwrap();
    });
    assert_eq!(get(&upstream(), to).await.unwrap(), "all of it");
}

#[tokio::test]
async fn a_client_that_leaves_closes_the_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let (closed, is_closed) = oneshot::channel();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        request(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome").await.unwrap();
        let _ = closed.send(socket.read_u8().await.is_err());
    });
    let upstream = upstream();
    let request = Request::get(format!("http://{to}/")).body(Bytes::new()).unwrap();
    let mut body = send(&upstream, request).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first == "some" && !body.is_end_stream());
    drop(body);
    assert!(is_closed.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_line_that_nobody_needs_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let (closed, is_closed) = oneshot::channel();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        request(&mut socket).await;
        socket.write_all(WHOLE).await.unwrap();
        let _ = closed.send(socket.read_u8().await.is_err());
    });
    let upstream = upstream();
    assert_eq!(get(&upstream, to).await.unwrap(), "ok");
    assert!(is_closed.await.unwrap(), "within {:?}", Settings::default().pool_idle_timeout);
    drop(upstream);
}
