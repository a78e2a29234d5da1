//! Where spans go and how many: shares that are none, addresses that no exporter could use.

use super::{mistakes::head, right};

#[test]
fn obs_t4_t5_shares_and_collectors_are_checked() {
    let ratio = "telemetry.sampleRatio";
    head(
        "telemetry: { sampleRatio: 2 }",
        "1:27",
        ratio,
        "2 is too large (allowed: a number from 0 to 1)",
    );
    head("telemetry: { sampleRatio: -0.5 }", "1:27", ratio, "-0.5 is too small");
    head("telemetry: { sampleRatio: .nan }", "1:27", ratio, "does not belong here");
    head("telemetry: { sampleRatio: much }", "1:27", ratio, "does not belong here");
    let endpoint = "telemetry.otlpEndpoint";
    head("telemetry: { otlpEndpoint: nonsense }", "1:28", endpoint, "this is no URL");
    head("telemetry: { otlpEndpoint: 'https://c' }", "1:28", endpoint, "http/protobuf");
}

#[test]
fn a_share_may_be_whole_or_come_from_the_environment() {
    for (ratio, read) in [("0", 0.0), ("1", 1.0), ("0.01", 0.01), ("\"${ENV:HALF}\"", 0.5)] {
        let text = format!("telemetry: {{ sampleRatio: {ratio} }}\n{}", super::GROUPS);
        let is = right(&text).telemetry.sample_ratio;
        assert!((is - read).abs() < f64::EPSILON, "{ratio}: {is}");
    }
}
