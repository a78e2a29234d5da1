//! `/metrics`: which format is asked for, and the page, put together away from every data thread.
//!
//! One page is made at a time, on a thread of the control plane for work that takes long, and whoever asked before it
//! was begun gets the same one: any number of scrapers cost what two do, and nobody gets numbers that are older than
//! its question. Pages that slow readers still hold are few (`PAGES`), so that they cannot fill the memory.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::metrics::{Format, Living, Metrics};

/// Pages in memory at the same time: some for scrapers, the rest for those who read slowly and are cut off in time.
pub(super) const PAGES: usize = 16;

/// Who asks for a page of metrics asks here.
#[derive(Clone)]
pub struct Scrape {
    inner: Arc<Inner>,
}

struct Inner {
    metrics: Arc<Metrics>,
    living: Arc<dyn Living>,
    runtime: Handle,
    pages: Arc<Semaphore>,
    flights: [Flight; 6],
}

/// The page of one form: the last one, as long as somebody waits who asked before it was begun.
#[derive(Default)]
struct Flight {
    waiting: AtomicUsize,
    last: Mutex<Option<(Instant, Bytes)>>,
}

/// What one scraper wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Form {
    format: Format,
    gzip: bool,
}

/// A page that counts among [`PAGES`] while anybody reads it.
struct Held {
    page: Vec<u8>,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.page
    }
}

impl Scrape {
    /// Pages of these metrics, made on that runtime.
    pub fn new(metrics: Arc<Metrics>, living: Arc<dyn Living>, runtime: Handle) -> Self {
        let pages = Arc::new(Semaphore::new(PAGES));
        let flights = <[Flight; 6]>::default();
        Self { inner: Arc::new(Inner { metrics, living, runtime, pages, flights }) }
    }

    /// The same pages with places of their own: who reads slowly there holds up nobody here.
    #[must_use]
    pub fn apart(&self) -> Self {
        let Inner { metrics, living, runtime, .. } = &*self.inner;
        Self::new(Arc::clone(metrics), Arc::clone(living), runtime.clone())
    }

    /// Answers a scrape; `exemplars` is the configuration's word.
    pub async fn answer(&self, headers: &HeaderMap, exemplars: bool) -> Response<Bytes> {
        let form = Form::wanted(headers, exemplars);
        let Some(page) = self.page(form).await else {
            let mut answer = Response::new(Bytes::new());
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return answer;
        };
        let mut answer = Response::new(page);
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.format.content_type()));
        if form.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer
    }

    /// `None` only when the process ends.
    async fn page(&self, form: Form) -> Option<Bytes> {
        let flight = self.inner.flights.get(form.index())?;
        let asked = Instant::now();
        let waiting = Waiting::begin(&flight.waiting);
        let mut last = flight.last.lock().await;
        let page = match &*last {
            Some((begun, page)) if *begun > asked => page.clone(),
            _ => {
                let place = Arc::clone(&self.inner.pages).acquire_owned().await.ok();
                let begun = Instant::now();
                let page = self.made(form, place).await?;
                *last = Some((begun, page.clone()));
                page
            }
        };
        if waiting.is_last() {
            *last = None;
        }
        Some(page)
    }

    async fn made(&self, form: Form, place: Option<OwnedSemaphorePermit>) -> Option<Bytes> {
        let inner = Arc::clone(&self.inner);
        let work = move || {
            let page = inner.metrics.page(inner.living.as_ref(), form.format);
            let page = if form.gzip { compressed(&page) } else { page.into_bytes() };
            Bytes::from_owner(Held { page, _place: place })
        };
        self.inner.runtime.spawn_blocking(work).await.ok()
    }
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape")
    }
}

/// Somebody who waits for a page, until it leaves.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }

    fn is_last(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 1
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The fastest level: series differ in little, so that it makes a tenth of them already.
fn compressed(page: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(page.len() / 8), Compression::fast());
    // A vector takes whatever is written into it.
    let _ = gzip.write_all(page.as_bytes());
    gzip.finish().unwrap_or_default()
}

impl Form {
    fn wanted(headers: &HeaderMap, exemplars: bool) -> Self {
        let (open, text) = (
            quality(headers, ACCEPT.as_str(), is_openmetrics),
            quality(headers, ACCEPT.as_str(), is_text),
        );
        let format = match open {
            Some(open) if open > 0.0 && text.is_none_or(|text| open >= text) => {
                Format::OpenMetrics { exemplars }
            }
            _ => Format::Text,
        };
        let is_gzip = |coding: &str| name_of(coding) == "gzip";
        let gzip = quality(headers, ACCEPT_ENCODING.as_str(), is_gzip);
        Self { format, gzip: gzip.is_some_and(|quality| quality > 0.0) }
    }

    fn index(self) -> usize {
        let format = match self.format {
            Format::Text => 0,
            Format::OpenMetrics { exemplars: false } => 1,
            Format::OpenMetrics { exemplars: true } => 2,
        };
        format * 2 + usize::from(self.gzip)
    }
}

/// Version 1.0.0 is the one written here; who asks for another one of OpenMetrics asks for none of ours.
fn is_openmetrics(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let is_type = parts.next() == Some("application/openmetrics-text");
    is_type
        && parts.all(|part| {
            part.strip_prefix("version=").is_none_or(|v| v.trim_matches('"') == "1.0.0")
        })
}

fn is_text(range: &str) -> bool {
    matches!(name_of(range), "text/plain" | "text/*" | "*/*")
}

/// What stands before the parameters.
fn name_of(range: &str) -> &str {
    range.split(';').next().unwrap_or_default().trim()
}

/// The best quality that a header gives to what is looked for; `None` where it does not name it.
fn quality(headers: &HeaderMap, name: &str, is_wanted: impl Fn(&str) -> bool) -> Option<f32> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let ranges =
        lines.flat_map(|line| line.split(',')).map(|range| range.trim().to_ascii_lowercase());
    ranges.filter(|range| is_wanted(range)).map(|range| weight(&range)).reduce(f32::max)
}

fn weight(range: &str) -> f32 {
    let given = range.split(';').find_map(|part| part.trim().strip_prefix("q=")?.parse().ok());
    given.unwrap_or(1.0)
}
