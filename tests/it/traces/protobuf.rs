//! Reads OTLP's protobuf as far as the tests look: the wire format, and in it the spans.

use std::collections::BTreeMap;

/// A span as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    /// 1 internal, 2 server, 3 client.
    pub(crate) kind: u64,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) events: Vec<String>,
    /// Trace and span.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) is_error: bool,
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

impl Span {
    /// An attribute; empty where it is absent.
    pub(crate) fn of(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Field<'_> {
    fn number(&self) -> u64 {
        if let Self::Number(number) = self { *number } else { 0 }
    }

    fn bytes(&self) -> &[u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).expect("text is UTF-8")
    }

    fn hex(&self) -> String {
        self.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// All spans of an `ExportTraceServiceRequest`.
pub(super) fn spans(message: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for (_, of_resource) in fields(message) {
        let mut resource = BTreeMap::new();
        for (number, field) in fields(of_resource.bytes()) {
            match number {
                1 => {
                    let pairs =
                        fields(field.bytes()).into_iter().filter(|(number, _)| *number == 1);
                    resource = pairs.map(|(_, pair)| pair_of(pair.bytes())).collect();
                }
                2 => {
                    let scoped =
                        fields(field.bytes()).into_iter().filter(|(number, _)| *number == 2);
                    spans.extend(scoped.map(|(_, span)| span_of(span.bytes(), &resource)));
                }
                _ => {}
            }
        }
    }
    spans
}

fn span_of(message: &[u8], resource: &BTreeMap<String, String>) -> Span {
    let mut span = Span { resource: resource.clone(), ..Span::default() };
    for (number, field) in fields(message) {
        match number {
            1 => span.trace = field.hex(),
            2 => span.id = field.hex(),
            4 => span.parent = field.hex(),
            5 => span.name = field.text(),
            6 => span.kind = field.number(),
            7 => span.began = field.number(),
            8 => span.ended = field.number(),
            9 => span.attributes.extend([pair_of(field.bytes())]),
            11 => span.events.extend(within(field.bytes(), 2).map(|name| name.text())),
            13 => {
                let part = |number| within(field.bytes(), number).map(|id| id.hex()).collect();
                span.links.push((part(1), part(2)));
            }
            15 => span.is_error = within(field.bytes(), 3).any(|code| code.number() == 2),
            _ => {}
        }
    }
    span
}

fn pair_of(message: &[u8]) -> (String, String) {
    let key = within(message, 1).map(|key| key.text()).collect();
    let value = within(message, 2).flat_map(|value| {
        let told = fields(value.bytes()).into_iter().map(|(_, field)| match field {
            Field::Bytes(text) => String::from_utf8_lossy(text).into_owned(),
            Field::Number(number) => number.to_string(),
        });
        told.collect::<Vec<_>>()
    });
    (key, value.collect())
}

fn within(message: &[u8], wanted: u64) -> impl Iterator<Item = Field<'_>> {
    fields(message).into_iter().filter(move |(number, _)| *number == wanted).map(|(_, field)| field)
}

fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)),
            1 => Field::Number(u64::from_le_bytes(taken(&mut message, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut message);
                Field::Bytes(taken(&mut message, usize::try_from(length).unwrap()))
            }
            5 => {
                let number = u32::from_le_bytes(taken(&mut message, 4).try_into().unwrap());
                Field::Number(number.into())
            }
            other => panic!("no wire type of protobuf: {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn taken<'a>(message: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let (taken, rest) = message.split_at(bytes);
    *message = rest;
    taken
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = taken(message, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}
