//! Simulated coordinators, started for one test.

use sluice::simulator::{Forwarded, Options, Simulator, Version};

/// A Trino 483 with default settings.
pub(crate) async fn trino() -> Simulator {
    trino_with(Options::default()).await
}

/// A Trino 483 that believes X-Forwarded-*.
pub(crate) async fn forwarded() -> Simulator {
    trino_with(Options { forwarded: Forwarded::Accept, ..Options::default() }).await
}

/// A Trino 435 with default settings.
pub(crate) async fn old() -> Simulator {
    trino_with(Options { version: Version::V435, ..Options::default() }).await
}

/// A coordinator of the test's own making.
pub(crate) async fn trino_with(options: Options) -> Simulator {
    Simulator::start(options).await.expect("a simulator starts on a free port")
}
