//! One call of a driver over all replicas: who calls holds a lease in the store, and the others behave as if the driver
//! had told them that somebody else has just asked.
//!
//! A store that is lost stops nobody: a second call does no harm, a backend that nobody wakes does. The machines know
//! nothing of this: each goes on to look for itself whether the backend is ready, and asks again if it is not.

use std::{sync::Arc, time::Duration};

use sluice_routing::BackendName;

use crate::{
    backends::resume::driver::{Accepted, CallError, How},
    store::{Claim, Key, Kind, SharedStore},
};

/// How long the one that called goes on as the one to call again: longer than it rests before that (60 s ± 20 %), so
/// that another asks only when that one is gone.
const ACCEPTED: Duration = Duration::from_secs(90);

/// Beyond the call's own deadline: the answer has to come back.
const MARGIN: Duration = Duration::from_secs(2);

/// The leases of this process.
#[derive(Clone, Debug)]
pub(crate) struct Leases {
    store: SharedStore,
    holder: Arc<str>,
}

impl Leases {
    /// Those of a process that starts now: what an earlier one held is not its.
    pub(crate) fn new(store: SharedStore) -> Self {
        Self { store, holder: format!("{:032x}", fastrand::u128(..)).into() }
    }

    /// Makes the call, unless another replica is about to or has just done so.
    pub(crate) async fn once(
        &self,
        backend: &BackendName,
        deadline: Duration,
        call: impl Future<Output = Result<Accepted, CallError>>,
    ) -> Result<Accepted, CallError> {
        let key = key_of(backend);
        let claim = self.store.claim(key.clone(), &self.holder, deadline + MARGIN).await;
        if let Ok(Claim::Held(_)) = claim {
            tracing::debug!(event = "resume_elsewhere", %backend, "another replica wakes it");
            return Ok(How::Gated.into());
        }
        let answer = call.await;
        // Lost or not, the answer is the driver's; the lease ends by itself.
        let _ = match &answer {
            Ok(_) => self.store.claim(key, &self.holder, ACCEPTED).await.map(drop),
            Err(_) => self.store.release(key, &self.holder).await.map(drop),
        };
        answer
    }

    /// It was put to sleep, by whichever replica: who wakes it next must call, whoever called before.
    pub(crate) async fn forget(&self, backend: &BackendName) {
        // Lost or not, it sleeps; the lease ends by itself.
        let _ = self.store.remove(key_of(backend)).await;
    }
}

fn key_of(backend: &BackendName) -> Key {
    Key::new(Kind::Lease, format!("resume:{backend}"))
}
