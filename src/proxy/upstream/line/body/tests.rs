//! Pages through a pipe: what comes out is what was sent, however it was cut, and what breaks off is told.

use std::{future::poll_fn, sync::Weak};

use http::Method;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::proxy::{
    pipe::Piped,
    upstream::{
        line::{LARGE_READ, MODEST_READ},
        wire::Wire,
    },
};

/// Sizes of chunks, small and large, with as many digits as there may be.
const SIZES: [usize; 14] = [
    40_000, 32_768, 32_768, 1, 300, 4_095, 4_096, 16_383, 16_384, 65_535, 65_536, 1_100_000,
    20_000, 7,
];

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let (one, other) = tokio::join!(TcpStream::connect(to), listener.accept());
    (one.unwrap(), other.unwrap().0)
}

fn data() -> Vec<u8> {
    (0..SIZES.iter().sum::<usize>()).map(|at| (at % 251) as u8).collect()
}

fn in_chunks(mut data: &[u8]) -> Vec<u8> {
    let mut text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for size in SIZES {
        let (chunk, rest) = data.split_at(size);
        text.extend([format!("{size:x}\r\n").as_bytes(), chunk, b"\r\n"].concat());
        data = rest;
    }
    text.extend(b"0\r\n\r\n");
    text
}

/// The body of an answer that is written in pieces of so many bytes, on a line that knows large pages.
async fn sent(text: Vec<u8>, at_once: usize) -> LineBody {
    let (socket, mut coordinator) = pair().await;
    tokio::spawn(async move {
        // Closed over a request that nobody read, it would end with a reset.
        coordinator.read_exact(&mut [0; REQUEST.len()]).await.unwrap();
        for piece in text.chunks(at_once) {
            coordinator.write_all(piece).await.unwrap();
        }
    });
    let mut line = Line::new(Wire::Plain(socket));
    line.was_large = true;
    let asked = line.ask(Bytes::from_static(REQUEST), Bytes::new(), &Method::GET);
    let answered = asked.await.unwrap();
    let home = Home { idle: Weak::new(), authority: "a".parse().unwrap() };
    let (_, mut body) = LineBody::of(answered, line, home);
    body.want_pipe();
    body
}

/// What came of it, how much of that through a pipe, and whether it broke off.
async fn taken(mut body: LineBody) -> (Vec<u8>, usize, bool) {
    let (mut near, mut far) = pair().await;
    let (mut came, mut passed) = (Vec::new(), 0);
    while !body.is_end_stream() {
        if !body.may_pass() {
            match body.frame().await {
                Some(Ok(frame)) => came.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(_)) => return (came, passed, true),
                None => break,
            }
            continue;
        }
        let mut pipe = Pipe::take().unwrap();
        let outcome = poll_fn(|cx| body.poll_pass(cx, &mut pipe)).await;
        let holds = pipe.holds();
        assert!(holds <= pipe::ENOUGH && (holds > 0 || outcome.is_err()), "{holds}");
        let start = came.len();
        came.resize(start + holds, 0);
        let emptied = async {
            while pipe.holds() > 0 {
                poll_fn(|cx| Pin::new(&mut near).poll_pass(cx, &mut pipe, false)).await.unwrap();
            }
        };
        tokio::join!(emptied, async { far.read_exact(&mut came[start..]).await.unwrap() });
        passed += holds;
        if outcome.is_err() {
            return (came, passed, true);
        }
    }
    (came, passed, false)
}

#[tokio::test]
async fn what_comes_out_of_a_pipe_is_what_was_sent_however_it_was_cut() {
    let data = data();
    for at_once in [usize::MAX, 100_000, 5_001, 97] {
        let (came, passed, is_broken) = taken(sent(in_chunks(&data), at_once).await).await;
        assert!(came == data, "{} of {} bytes, by {at_once}", came.len(), data.len());
        assert!(!is_broken && passed > data.len() / 2, "{passed} by {at_once}");
    }
}

#[tokio::test]
async fn a_stated_length_and_the_end_of_the_connection_are_kept_too() {
    let data = data();
    let stated = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", data.len());
    for head in [stated.as_str(), "HTTP/1.1 200 OK\r\n\r\n"] {
        let text = [head.as_bytes(), &data].concat();
        let (came, passed, is_broken) = taken(sent(text, usize::MAX).await).await;
        assert!(came == data && !is_broken, "{head}");
        assert!(passed > data.len() / 2, "{passed}");
    }
}

#[tokio::test]
async fn what_breaks_off_or_is_no_chunk_is_told_behind_what_had_come() {
    let data = data();
    let whole = in_chunks(&data);
    // In a chunk, between two, and in what stands between them.
    for kept in [30_000, 60_000, 40_000 + 47 + 6, 40_000 + 47 + 6 + 1] {
        let (came, _, is_broken) = taken(sent(whole[..kept].to_vec(), usize::MAX).await).await;
        assert!(is_broken && data.starts_with(&came), "{kept}");
        assert!(came.len() + 80 > kept, "{} of {kept}", came.len());
    }
    let mut wrong = whole.clone();
    let after_the_first = 47 + 6 + 40_000;
    wrong[after_the_first..after_the_first + 2].copy_from_slice(b"xx");
    let (came, passed, is_broken) = taken(sent(wrong, usize::MAX).await).await;
    assert!(is_broken && came == data[..40_000], "{}", came.len());
    assert!(passed > 0);
}

#[tokio::test]
async fn a_line_is_ready_for_the_next_page_when_the_last_chunk_has_passed() {
    let mut body = sent(in_chunks(&data()), usize::MAX).await;
    assert!(body.home.is_some());
    while !body.is_end_stream() {
        if body.may_pass() {
            let mut pipe = Pipe::take().unwrap();
            poll_fn(|cx| body.poll_pass(cx, &mut pipe)).await.unwrap();
        } else {
            body.frame().await.unwrap().unwrap();
        }
    }
    assert!(body.line.is_none() && body.home.is_none(), "it went home");
}

/// A line that has seen answers which were worth reads of the largest size.
async fn reads_much(text: Vec<u8>) -> LineBody {
    let mut body = sent(text, usize::MAX).await;
    let line = body.line.as_mut().unwrap();
    (line.was_large, line.wants_pipe, line.read) = (false, false, LARGE_READ);
    body
}

async fn next_piece(body: &mut LineBody) -> usize {
    body.frame().await.unwrap().unwrap().into_data().unwrap().len()
}

fn in_one_piece() -> Vec<u8> {
    let data = data();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", data.len());
    [head.as_bytes(), &data].concat()
}

#[tokio::test]
async fn a_page_that_is_taken_slowly_is_read_in_small_pieces() {
    let mut body = reads_much(in_one_piece()).await;
    while next_piece(&mut body).await <= MODEST_READ {}
    body.held_up();
    // What there was room for already is read as before.
    let mut came = 0;
    while came < 2 * LARGE_READ {
        came += next_piece(&mut body).await;
    }
    while !body.is_end_stream() {
        let piece = next_piece(&mut body).await;
        assert!(piece <= MODEST_READ, "{piece}");
        assert!(!body.may_pass(), "nobody has said that there is a pipe");
    }
}

#[tokio::test]
async fn a_page_that_is_taken_slowly_goes_through_a_pipe_however_small_it_may_be() {
    let mut body = sent(in_one_piece(), usize::MAX).await;
    body.line.as_mut().unwrap().was_large = false;
    next_piece(&mut body).await;
    assert!(!body.may_pass(), "it may be a small one");
    body.held_up();
    assert!(body.may_pass());
}

#[tokio::test]
async fn an_answer_by_itself_reads_modestly_and_the_next_on_its_line_more() {
    let mut body = sent(in_one_piece(), usize::MAX).await;
    let line = body.line.as_mut().unwrap();
    (line.was_large, line.wants_pipe) = (false, false);
    while !body.is_end_stream() {
        let read = body.line.as_ref().unwrap().read;
        assert!(read <= MODEST_READ, "{read}");
        next_piece(&mut body).await;
    }
    let mut line = Line::new(Wire::Plain(pair().await.0));
    let answers = [
        (70_000, 32_768, 32, 64),
        (70_000, 65_536, 64, 128),
        (70_000, 70_000, 128, 128),
        (9_000, 9_000, 128, 64),
    ];
    for (total, most, read, then) in answers {
        (line.total, line.most, line.read) = (total, most, read << 10);
        line.rest();
        assert_eq!(line.read, then << 10, "after {total} bytes in reads of at most {most}");
    }
}
