//! Spread in time, so that replicas and backends are not asked in step.

use std::{ops::RangeInclusive, time::Duration};

/// That length ± 20 %.
pub(crate) fn around(length: Duration) -> Duration {
    length.mul_f64(0.8 + fastrand::f64() * 0.4)
}

/// Some number of milliseconds out of these.
pub(crate) fn within(millis: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(fastrand::u64(millis))
}
