//! No call at all: something else (KEDA, a schedule, a person) wakes the backend, Sluice shows demand and waits.

use super::{Action, CallError, Calling, Driver, How};
use crate::metrics::Provider;

/// The driver that does nothing.
#[derive(Debug)]
pub(super) struct External;

impl Driver for External {
    fn provider(&self) -> Provider {
        Provider::External
    }

    fn call(&self, call: super::Call) -> Calling<'_> {
        let answer = match call.action {
            Action::Resume => Ok(How::Triggered.into()),
            Action::Suspend => {
                let why =
                    "`external` suspends nothing: whoever wakes this backend puts it to sleep";
                Err(CallError::Permanent(why.to_owned()))
            }
        };
        Box::pin(std::future::ready(answer))
    }
}
