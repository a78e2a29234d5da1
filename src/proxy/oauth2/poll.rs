//! The answer to a poll for a token, its `nextUri` pointed at the gateway while it streams by.
//!
//! The token in it is neither held nor looked at, and an answer that breaks off stays broken.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;

use crate::trino::patch::{Patch, Patcher};

/// The body of such an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    inner: Body,
    patcher: Patcher,
    ready: VecDeque<Bytes>,
    over: bool,
}

impl Answer {
    /// Wraps an uncompressed body.
    pub(crate) fn new(inner: Body, here: Patch) -> Self {
        Self { inner, patcher: Patcher::new(here), ready: VecDeque::new(), over: false }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(chunk) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            if this.over {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        this.ready.extend(this.patcher.feed(chunk));
                    }
                }
                Some(Err(error)) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.over = true;
                    this.ready.extend(this.patcher.finish());
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.ready.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::trino::patch::Scope;

    async fn answered(body: &'static str) -> String {
        let here = Patch {
            from: vec!["https://gw/oauth2".to_owned()],
            to: "https://gw/trino/_b/a/oauth2".to_owned(),
            scope: Scope::Head,
        };
        let whole = Answer::new(Body::from(body), here).collect().await.unwrap();
        String::from_utf8(whole.to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn only_the_uri_of_the_next_poll_changes() {
        assert_eq!(
            answered(r#"{"nextUri":"https://gw/oauth2/token/u"}"#).await,
            r#"{"nextUri":"https://gw/trino/_b/a/oauth2/token/u"}"#
        );
        for untouched in [
            r#"{"token":"https://gw/oauth2/token/u"}"#,
            r#"{"error":"Authentication response could not be verified: state=x"}"#,
            r#"{"nextUri":"https://gw/trino/_b/a/oauth2/token/u"}"#,
            "",
            "not json",
        ] {
            assert_eq!(answered(untouched).await, untouched);
        }
    }
}
