//! A strict Trino client: it follows every nextUri exactly as given and gives up at the first rule that is broken.
//!
//! It stands on hyper's bare connections, so that a test sees what was on the wire. It never retries.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) use super::answer::{Answer, Broken};
pub(crate) use super::page::{Next, Page};
use super::secure::Secure;

/// Longer than any answer that a test waits for.
const DEADLINE: Duration = Duration::from_secs(40);

/// A client; clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The URL at which statements are posted, without a slash at its end.
    base: String,
    /// Where all connections go; the base's own address unless set.
    via: SocketAddr,
    /// Under which URLs the answers' URIs must be.
    bases: Vec<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    may_change_id: bool,
    secure: Option<Secure>,
    /// Written before everything else on each connection.
    introduction: &'static str,
    idle: Arc<Mutex<Vec<Link>>>,
}

/// A connection that can be asked.
#[derive(Debug)]
enum Link {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Link {
    async fn is_ready(&mut self) -> bool {
        match self {
            Self::One(sender) => sender.ready().await.is_ok(),
            Self::Two(sender) => sender.ready().await.is_ok(),
        }
    }

    async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        match self {
            Self::One(sender) => sender.try_send_request(request).await,
            Self::Two(sender) => sender.try_send_request(request).await,
        }
    }
}

impl Client {
    /// A client of the user `test`, for a base such as `http://127.0.0.1:8080`.
    pub(crate) fn new(base: impl Into<String>) -> Self {
        let base = base.into().trim_end_matches('/').to_owned();
        let authority = base.split("://").nth(1).and_then(|rest| rest.split('/').next());
        let via = authority.and_then(|authority| authority.parse().ok());
        let via = via.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let bases = vec![base.clone()];
        let client = Self {
            base,
            via,
            bases,
            headers: Vec::new(),
            may_change_id: false,
            secure: None,
            introduction: "",
            idle: Arc::default(),
        };
        client.with("x-trino-user", "test")
    }

    /// Secures its connections; what was agreed by ALPN is spoken.
    pub(crate) fn secured(self, secure: Secure) -> Self {
        Self { secure: Some(secure), idle: Arc::default(), ..self }
    }

    /// Connects there, whatever the URIs say: for names that do not resolve.
    pub(crate) fn via(self, addr: SocketAddr) -> Self {
        Self { via: addr, idle: Arc::default(), ..self }
    }

    /// Expects all URIs under this URL instead of its own.
    pub(crate) fn expecting(self, base: impl Into<String>) -> Self {
        Self { bases: vec![base.into()], ..self }
    }

    /// Begins each connection with these words, as a balancer would.
    pub(crate) fn introduced(self, words: &'static str) -> Self {
        Self { introduction: words, idle: Arc::default(), ..self }
    }

    /// Accepts another id after the first pages: a gateway's waiting room gives way to the real query.
    pub(crate) fn may_change_id(self) -> Self {
        Self { may_change_id: true, ..self }
    }

    /// Sends a header with every request, instead of one of the same name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        self.headers.retain(|(known, _)| *known != name);
        self.and(name.as_str(), value)
    }

    /// Sends one more line of a header.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        let name = name.parse().expect("a header name");
        self.headers.push((name, HeaderValue::from_str(value).expect("a header value")));
        self
    }

    /// Sends no header of that name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known.as_str() != name);
        self
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// One exchange: a path is taken under the base, a whole URI as it is.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Broken> {
        let uri =
            if target.starts_with('/') { format!("{}{target}", self.base) } else { target.into() };
        let request = self.request(&method, &uri, body.into())?;
        let late = || Broken::Late(uri.clone());
        timeout(DEADLINE, self.exchange(request)).await.map_err(|_| late())?
    }

    pub(crate) async fn get(&self, target: &str) -> Result<Answer, Broken> {
        self.send(Method::GET, target, "").await
    }

    fn request(
        &self,
        method: &Method,
        uri: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Broken> {
        let parsed: Uri = uri.parse().map_err(|_| Broken::Rule(format!("no URI: {uri}")))?;
        let host = parsed.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let path = parsed.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(method).uri(path);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", host);
        }
        if *method == Method::POST {
            request = request.header("content-type", "text/plain; charset=utf-8");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(body)).map_err(|error| Broken::Rule(error.to_string()))
    }

    /// Sends on an idle connection; one that was closed before it took the request is no failure.
    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, Broken> {
        loop {
            let mut connection = self.connection().await?;
            let sent = match &connection {
                Link::One(_) => request,
                Link::Two(_) => self.as_stream(request),
            };
            let answer = match connection.ask(sent).await {
                Ok(answer) => answer,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => {
                        request = unsent;
                        continue;
                    }
                    None => return Err(error.into_error().into()),
                },
            };
            let (head, body) = answer.into_parts();
            let raw = body.collect().await?.to_bytes();
            self.idle.lock().unwrap().push(connection);
            return Ok(Answer { status: head.status, headers: head.headers, raw });
        }
    }

    /// In HTTP/2 the URI is whole and says the host.
    fn as_stream(&self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        let base: Uri = self.base.parse().expect("a base");
        let mut parts = request.uri().clone().into_parts();
        let host = request.headers_mut().remove("host");
        let host = host.map(|host| host.to_str().expect("a host").parse().expect("a host"));
        parts.scheme = base.scheme().cloned();
        parts.authority = host.or(parts.authority);
        *request.uri_mut() = Uri::from_parts(parts).expect("a URI");
        *request.version_mut() = Version::HTTP_2;
        request
    }

    /// An idle connection that still lives, or a new one.
    async fn connection(&self) -> Result<Link, Broken> {
        loop {
            let idle = self.idle.lock().unwrap().pop();
            let Some(mut connection) = idle else { break };
            if connection.is_ready().await {
                return Ok(connection);
            }
        }
        let stream = TcpStream::connect(self.via).await;
        let mut stream = stream.map_err(|error| Broken::Connect(self.via, error))?;
        let _ = stream.set_nodelay(true);
        let introduced = stream.write_all(self.introduction.as_bytes()).await;
        introduced.map_err(|error| Broken::Connect(self.via, error))?;
        let Some(secure) = &self.secure else { return one(stream).await };
        let base: Uri = self.base.parse().expect("a base");
        let host = base.host().unwrap_or_default().trim_matches(['[', ']']);
        let stream = secure.connect(stream, host).await;
        let stream = stream.map_err(|error| Broken::Connect(self.via, error))?;
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            let io = TokioIo::new(stream);
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            // It ends with its sender.
            tokio::spawn(connection);
            return Ok(Link::Two(sender));
        }
        one(stream).await
    }

    /// Posts a statement and checks the first page.
    pub(crate) async fn start(&self, sql: impl Into<Bytes>) -> Result<Running, Broken> {
        let answer = self.send(Method::POST, "/v1/statement", sql).await?;
        let page = Page::read(answer, &self.bases)?;
        page.check_first()?;
        Ok(Running { client: self.clone(), pages: vec![page], rows: Vec::new(), columns: None })
    }

    /// Runs a statement to its end; a FAILED query is an `Ok` with an error in it.
    pub(crate) async fn query(&self, sql: impl Into<Bytes>) -> Result<Done, Broken> {
        let mut running = self.start(sql).await?;
        while running.advance().await? {}
        Ok(running.done())
    }

    /// Runs a statement that must succeed, and gives its rows.
    pub(crate) async fn rows(&self, sql: impl Into<Bytes>) -> Vec<Value> {
        let done = self.query(sql).await.expect("the query keeps the protocol");
        assert_eq!(done.error_name(), None, "{:?}", done.last().json);
        done.rows
    }
}

/// A query that is being followed.
#[derive(Debug)]
pub(crate) struct Running {
    client: Client,
    pages: Vec<Page>,
    rows: Vec<Value>,
    columns: Option<Value>,
}

impl Running {
    pub(crate) fn id(&self) -> &str {
        &self.last().id
    }

    pub(crate) fn last(&self) -> &Page {
        self.pages.last().expect("there is a first page")
    }

    pub(crate) fn next(&self) -> Option<&Next> {
        self.last().next.as_ref()
    }

    /// The nextUri of a query that goes on.
    pub(crate) fn next_uri(&self) -> String {
        self.next().expect("the query goes on").uri.clone()
    }

    /// The URI whose answer is the last page.
    pub(crate) fn asked(&self) -> &str {
        let before = self.pages.len().checked_sub(2).and_then(|at| self.pages.get(at));
        before.and_then(|page| page.next.as_ref()).map_or("", |next| &next.uri)
    }

    /// Follows the nextUri once; whether the query goes on.
    pub(crate) async fn advance(&mut self) -> Result<bool, Broken> {
        let Some(next) = self.next().cloned() else { return Ok(false) };
        let answer = self.client.get(&next.uri).await?;
        let page = Page::read(answer, &self.client.bases)?;
        page.check_after(self.last(), self.client.may_change_id)?;
        if let Some(columns) = page.json.get("columns") {
            let known = self.columns.get_or_insert_with(|| columns.clone());
            if known != columns {
                return Err(Broken::Rule(format!("columns changed to {columns}")));
            }
        }
        self.rows.extend(page.rows());
        for segment in page.segments() {
            self.rows.extend(self.client.segment(&page, &segment).await?);
        }
        self.pages.push(page);
        Ok(self.next().is_some())
    }

    /// Follows until a page satisfies `wanted`.
    pub(crate) async fn advance_until(
        &mut self,
        wanted: impl Fn(&Page) -> bool,
    ) -> Result<(), Broken> {
        while !wanted(self.last()) {
            if !self.advance().await? {
                return Err(Broken::Rule("the query ended before that page".to_owned()));
            }
        }
        Ok(())
    }

    /// Deletes the nextUri.
    pub(crate) async fn cancel(&self) -> Result<Answer, Broken> {
        self.client.send(Method::DELETE, &self.next_uri(), "").await
    }

    /// A heartbeat: HEAD of the nextUri.
    pub(crate) async fn heartbeat(&self) -> Result<Answer, Broken> {
        self.client.send(Method::HEAD, &self.next_uri(), "").await
    }

    pub(crate) fn done(self) -> Done {
        Done { pages: self.pages, rows: self.rows, columns: self.columns }
    }
}

async fn one<S>(stream: S) -> Result<Link, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::Builder::new().max_headers(4096).handshake(TokioIo::new(stream)).await?;
    // It ends with its sender.
    tokio::spawn(connection);
    Ok(Link::One(sender))
}

impl Client {
    /// The rows of a segment: downloaded without credentials, acknowledged, unpacked.
    async fn segment(&self, page: &Page, segment: &Value) -> Result<Vec<Value>, Broken> {
        let wrong = |words: &str| Broken::Rule(format!("{words}: {segment}"));
        let field = |name: &str| segment.get(name).and_then(Value::as_str);
        let content = match field("type") {
            Some("inline") => {
                let data = field("data").ok_or_else(|| wrong("no data"))?;
                let data = base64::engine::general_purpose::STANDARD.decode(data);
                Bytes::from(data.map_err(|_| wrong("no base64"))?)
            }
            Some("spooled") => {
                let uri = field("uri").ok_or_else(|| wrong("no uri"))?;
                let ack = field("ackUri").ok_or_else(|| wrong("no ackUri"))?;
                self.download(uri, ack).await?
            }
            _ => return Err(wrong("unknown type")),
        };
        let metadata = segment.get("metadata").ok_or_else(|| wrong("no metadata"))?;
        let size = |name: &str| metadata.get(name).and_then(Value::as_u64);
        let plain_size = size("uncompressedSize");
        if size("segmentSize") != Some(content.len() as u64) {
            return Err(wrong("segmentSize"));
        }
        let encoding = page.json.pointer("/data/encoding").and_then(Value::as_str);
        let plain = match encoding {
            Some("json+zstd") if plain_size.is_some() => {
                // The Python client, too, knows no other way than the frame's own word for its size.
                let promised = zstd::zstd_safe::get_frame_content_size(&content);
                if promised.ok().flatten() != plain_size {
                    return Err(wrong("uncompressedSize"));
                }
                zstd::decode_all(content.as_ref()).map_err(|_| wrong("no zstd"))?
            }
            Some("json" | "json+zstd") => content.to_vec(),
            _ => return Err(wrong("unknown encoding")),
        };
        let rows: Vec<Value> = serde_json::from_slice(&plain).map_err(|_| wrong("no rows"))?;
        if size("rowsCount") != Some(rows.len() as u64) {
            return Err(wrong("rowsCount"));
        }
        Ok(rows)
    }

    async fn download(&self, uri: &str, ack: &str) -> Result<Bytes, Broken> {
        let headers = vec![(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))];
        let bare = Self { headers, ..self.clone() };
        for uri in [uri, ack] {
            if !self.bases.iter().any(|base| uri.starts_with(&format!("{base}/"))) {
                return Err(Broken::Rule(format!("{uri} is not under {:?}", self.bases)));
            }
        }
        let content = bare.get(uri).await?;
        let acknowledged = bare.get(ack).await?;
        if content.status != 200 {
            return Err(Broken::Status(content.into()));
        }
        if acknowledged.status != 200 {
            return Err(Broken::Status(acknowledged.into()));
        }
        content.body()
    }
}

/// A query that came to its end.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) pages: Vec<Page>,
    pub(crate) rows: Vec<Value>,
    pub(crate) columns: Option<Value>,
}

impl Done {
    pub(crate) fn id(&self) -> &str {
        &self.last().id
    }

    pub(crate) fn last(&self) -> &Page {
        self.pages.last().expect("there is a first page")
    }

    /// The error that the query failed with.
    pub(crate) fn error_name(&self) -> Option<&str> {
        self.last().error_name()
    }

    /// The first value of a header on any page.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.pages.iter().map(|page| page.answer.header(name)).find(|value| !value.is_empty())
    }
}
