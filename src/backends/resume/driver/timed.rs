//! A driver with a deadline: what has not answered by then is dropped, with all that it began.

use std::time::Duration;

use super::{Call, CallError, Calling, Driver};
use crate::metrics::Provider;

/// Another driver, and how long each of its calls may take.
#[derive(Debug)]
pub(super) struct Timed {
    driver: Box<dyn Driver>,
    limit: Duration,
}

impl Timed {
    pub(super) fn new(driver: Box<dyn Driver>, limit: Duration) -> Self {
        Self { driver, limit }
    }
}

impl Driver for Timed {
    fn provider(&self) -> Provider {
        self.driver.provider()
    }

    fn call(&self, call: Call) -> Calling<'_> {
        Box::pin(async {
            let answer = tokio::time::timeout(self.limit, self.driver.call(call)).await;
            answer.unwrap_or(Err(CallError::Timeout))
        })
    }
}
