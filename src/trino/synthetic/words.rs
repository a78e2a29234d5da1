//! The messages of Trino's own for a query that somebody ended, to the letter: tools look for them.

/// What a query says that its client took back.
pub const CANCELED: &str = "Query was canceled";

/// What a query says that was killed, with the killer's own words if there are any.
pub fn killed(message: Option<&str>) -> String {
    match message.filter(|message| !message.is_empty()) {
        Some(message) => format!("Query killed. Message: {message}"),
        None => "Query killed. No message provided.".to_owned(),
    }
}

/// What a `kill_query` says of a query that nobody knows.
pub fn kill_of_unknown(id: &str) -> String {
    format!("Target query not found: {id}")
}

/// What a `kill_query` says of a query that has ended.
pub fn kill_of_ended(id: &str) -> String {
    format!("Target query is not running: {id}")
}
