//! HTTP/1.1: one request after another on a connection.

use std::{convert::Infallible, pin::pin, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep,
};

use super::{LAST_WORDS, LONGEST_HEAD, MOST_HEADERS, Service, answer::answer};
use crate::proxy::{
    core::Stops,
    deadlines::{Guarded, Limits, Reset, Stage},
};

/// Serves a connection until it ends.
pub(super) async fn serve<S>(
    socket: S,
    service: Service,
    limits: Limits,
    stops: Stops,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Reset + Unpin + Send + 'static,
{
    let stage = Arc::new(Stage::default());
    let io = TokioIo::new(Guarded::new(socket, limits, Arc::clone(&stage)));
    let service = service_fn(move |request| {
        let (service, stage) = (service.clone(), Arc::clone(&stage));
        async move { Ok::<_, Infallible>(answer(service, stage, request).await) }
    });
    let connection = http1::Builder::new()
        .max_headers(MOST_HEADERS)
        .max_header_size(LONGEST_HEAD as usize)
        .max_buf_size(LONGEST_HEAD as usize)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let finish = async {
        stops.finish.cancelled().await;
        sleep(LAST_WORDS).await;
    };
    tokio::select! {
        biased;
        () = stops.cut.cancelled() => return Ok(()),
        outcome = connection.as_mut() => return outcome,
        () = finish => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        () = stops.cut.cancelled() => Ok(()),
        outcome = connection.as_mut() => outcome,
    }
}
