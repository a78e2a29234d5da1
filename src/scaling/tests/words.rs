//! What a trigger's metadata may say, and what is said of a slip.

use std::collections::HashMap;

use super::house::House;
use crate::scaling::asked::Asked;

fn read(pairs: &[(&str, &str)]) -> Result<(f64, u64), String> {
    let owned = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let metadata: HashMap<String, String> = owned.collect();
    let house = House::new();
    Asked::read(&metadata, &house.ground.current.load())
        .map(|asked| (asked.target, asked.activation))
        .map_err(|status| status.message().to_owned())
}

#[tokio::test]
async fn kedas_own_keys_and_those_of_tomorrow_are_let_pass() {
    let said = [
        ("routingGroup", "etl"),
        ("scalerAddress", "sluice-scaler:9092"),
        ("enableTLS", "true"),
        ("unsafeSsl", "false"),
        ("tlsClientCert", "…"),
        ("somethingOfTomorrow", "1"),
        ("activationInFlight", "2"),
    ];
    assert_eq!(read(&said), Ok((4.0, 2)));
}

#[tokio::test]
async fn a_key_that_is_nearly_ours_is_a_slip_and_not_a_default() {
    for (slip, meant) in [
        ("targetInflightPerWorker", "targetInFlightPerWorker"),
        ("targetInFlightPerWorkers", "targetInFlightPerWorker"),
        ("activationInflight", "activationInFlight"),
        ("routing-group", "routingGroup"),
    ] {
        let words = read(&[("routingGroup", "etl"), (slip, "1")]).unwrap_err();
        assert_eq!(words, format!("unknown key `{slip}`; did you mean `{meant}`?"));
    }
}

#[tokio::test]
async fn numbers_are_numbers() {
    let target = |said| read(&[("routingGroup", "etl"), ("targetInFlightPerWorker", said)]);
    assert_eq!(target(" 0.5 "), Ok((0.5, 0)));
    // KEDA would write 0.000 for the last one.
    for wrong in ["", "0", "-1", "many", "inf", "NaN", "1e10", "0.0004"] {
        assert!(target(wrong).unwrap_err().contains("is no number from 0.001 on"), "{wrong}");
    }
    for wrong in ["", "-1", "0.5", "many"] {
        let words = read(&[("routingGroup", "etl"), ("activationInFlight", wrong)]).unwrap_err();
        assert!(words.contains("is no whole number"), "{wrong}");
    }
}
