//! Trino's errors: names, codes and types of `StandardErrorCode`, and the error object of a FAILED page.

use std::fmt::Write;

use super::options::Version;

/// Why a query failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    name: &'static str,
    code: u32,
    message: String,
    location: Option<(u32, u32)>,
}

/// Codes that the simulator can play; a code's range says its type.
const ERRORS: [(&str, u32); 39] = [
    ("GENERIC_USER_ERROR", 0),
    ("SYNTAX_ERROR", 1),
    ("ABANDONED_QUERY", 2),
    ("USER_CANCELED", 3),
    ("PERMISSION_DENIED", 4),
    ("NOT_FOUND", 5),
    ("FUNCTION_NOT_FOUND", 6),
    ("DIVISION_BY_ZERO", 8),
    ("ALREADY_EXISTS", 12),
    ("NOT_SUPPORTED", 13),
    ("INVALID_SESSION_PROPERTY", 14),
    ("UNKNOWN_TRANSACTION", 20),
    ("NOT_IN_TRANSACTION", 21),
    ("TRANSACTION_ALREADY_ABORTED", 22),
    ("INCOMPATIBLE_CLIENT", 27),
    ("INVALID_PROCEDURE_ARGUMENT", 30),
    ("QUERY_REJECTED", 31),
    ("QUERY_TEXT_TOO_LARGE", 35),
    ("ADMINISTRATIVELY_KILLED", 38),
    ("CATALOG_NOT_FOUND", 44),
    ("SCHEMA_NOT_FOUND", 45),
    ("TABLE_NOT_FOUND", 46),
    ("COLUMN_NOT_FOUND", 47),
    ("INVALID_ARGUMENTS", 76),
    ("GENERIC_INTERNAL_ERROR", 65536),
    ("TOO_MANY_REQUESTS_FAILED", 65537),
    ("PAGE_TRANSPORT_TIMEOUT", 65540),
    ("NO_NODES_AVAILABLE", 65541),
    ("REMOTE_TASK_ERROR", 65542),
    ("SERVER_SHUTTING_DOWN", 65545),
    ("SERVER_STARTING_UP", 65548),
    ("GENERIC_INSUFFICIENT_RESOURCES", 131_072),
    ("EXCEEDED_GLOBAL_MEMORY_LIMIT", 131_073),
    ("QUERY_QUEUE_FULL", 131_074),
    ("EXCEEDED_TIME_LIMIT", 131_075),
    ("CLUSTER_OUT_OF_MEMORY", 131_076),
    ("EXCEEDED_CPU_LIMIT", 131_077),
    ("ADMINISTRATIVELY_PREEMPTED", 131_080),
    ("HIVE_METASTORE_ERROR", 16_777_216),
];

/// Whether the simulator can fail a query with that error.
pub(super) fn is_known(name: &str) -> bool {
    ERRORS.iter().any(|(known, _)| *known == name)
}

impl Failure {
    /// A failure with one of [`ERRORS`]; any other name becomes a generic user error.
    pub(super) fn new(name: &str, message: impl Into<String>) -> Self {
        let (name, code) = ERRORS
            .iter()
            .copied()
            .find(|(known, _)| *known == name)
            .unwrap_or(("GENERIC_USER_ERROR", 0));
        Self { name, code, message: message.into(), location: None }
    }

    /// The failure of a query that somebody killed.
    pub(super) fn killed(message: Option<&str>) -> Self {
        Self::new("ADMINISTRATIVELY_KILLED", format!("Query killed. {}", said(message)))
    }

    /// The failure of a query that had to give way.
    pub(super) fn preempted(message: Option<&str>) -> Self {
        Self::new("ADMINISTRATIVELY_PREEMPTED", format!("Query preempted. {}", said(message)))
    }

    /// The same failure with the line and column where the statement is wrong.
    pub(super) fn at(self, line: u32, column: u32) -> Self {
        Self { location: Some((line, column)), ..self }
    }

    fn error_type(&self) -> &'static str {
        match self.code {
            0..65_536 => "USER_ERROR",
            65_536..131_072 => "INTERNAL_ERROR",
            131_072..16_777_216 => "INSUFFICIENT_RESOURCES",
            _ => "EXTERNAL",
        }
    }

    /// Writes the `error` object as Trino does, with a stack of its own length. 435 has no `errorInfo`.
    pub(super) fn write_to(&self, json: &mut String, version: Version) {
        let message = quoted(&self.message);
        let (name, code, kind) = (self.name, self.code, self.error_type());
        let _ = write!(
            json,
            r#"{{"message":{message},"errorCode":{code},"errorName":"{name}","errorType":"{kind}""#
        );
        let location = self.location.map(|(line, column)| {
            format!(r#","errorLocation":{{"lineNumber":{line},"columnNumber":{column}}}"#)
        });
        let location = location.unwrap_or_default();
        let _ = write!(
            json,
            r#"{location},"failureInfo":{{"type":"io.trino.spi.TrinoException","message":{message},"suppressed":[],"stack":["#
        );
        for line in 1..=FRAMES {
            let comma = if line == 1 { "" } else { "," };
            let _ = write!(
                json,
                r#"{comma}"io.trino.execution.SimulatedExecution.run(SimulatedExecution.java:{line})""#
            );
        }
        json.push(']');
        if version == Version::V483 {
            let _ =
                write!(json, r#","errorInfo":{{"code":{code},"name":"{name}","type":"{kind}"}}"#);
        }
        let _ = write!(json, "{location}}}}}");
    }
}

fn said(message: Option<&str>) -> String {
    match message.filter(|message| !message.is_empty()) {
        Some(message) => format!("Message: {message}"),
        None => "No message provided.".to_owned(),
    }
}

/// Frames of the stack: an error page of Trino's is about 4.5 KB, mostly this.
const FRAMES: u32 = 40;

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
