//! The seven messages as they stand on the wire: names are not there, numbers and types are.

use std::collections::HashMap;

use prost::Message;

use crate::scaling::wire::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec,
    MetricValue, ScaledObjectRef,
};

/// 4.0 as a double, little-endian.
const FOUR: [u8; 8] = [0, 0, 0, 0, 0, 0, 0x10, 0x40];

fn same<M: Message + Default + PartialEq>(message: &M, bytes: &[u8]) {
    assert_eq!(message.encode_to_vec(), bytes, "{message:?}");
    assert_eq!(&M::decode(bytes).unwrap(), message);
}

/// A field of bytes: number and type, length, content.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    [&[(number << 3) | 2, length], content].concat()
}

#[test]
fn coldstart_T10_the_messages_are_these_bytes_and_defaults_are_left_out() {
    let pair = [field(1, b"routingGroup"), field(2, b"etl")].concat();
    let object = [field(1, b"workers"), field(2, b"trino"), field(3, &pair)].concat();
    let metadata = HashMap::from([("routingGroup".to_owned(), "etl".to_owned())]);
    let reference = ScaledObjectRef {
        name: "workers".to_owned(),
        namespace: "trino".to_owned(),
        scaler_metadata: metadata,
    };
    same(&reference, &object);
    same(&IsActiveResponse { result: true }, &[0x08, 0x01]);
    same(&IsActiveResponse { result: false }, &[]);
    let spec =
        MetricSpec { metric_name: "demand".to_owned(), target_size: 4, target_size_float: 4.0 };
    let spec_bytes = [field(1, b"demand"), vec![0x10, 0x04, 0x19], FOUR.to_vec()].concat();
    same(&spec, &spec_bytes);
    same(&GetMetricSpecResponse { metric_specs: vec![spec] }, &field(1, &spec_bytes));
    same(
        &GetMetricsRequest { scaled_object_ref: Some(reference), metric_name: "demand".to_owned() },
        &[field(1, &object), field(2, b"demand")].concat(),
    );
    let value =
        MetricValue { metric_name: "demand".to_owned(), metric_value: 4, metric_value_float: 4.0 };
    same(&value, &spec_bytes);
    same(&GetMetricsResponse { metric_values: vec![value] }, &field(1, &spec_bytes));
    let nothing = MetricValue { metric_name: "demand".to_owned(), ..MetricValue::default() };
    same(&nothing, &field(1, b"demand"));
}

#[test]
fn coldstart_T10_what_a_later_keda_adds_is_let_pass() {
    let later = [field(1, b"workers"), field(9, b"new")].concat();
    assert_eq!(ScaledObjectRef::decode(&later[..]).unwrap().name, "workers");
}
