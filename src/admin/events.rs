//! `/api/v1/events`: what happened lately, the newest first. It names backends, so it stands behind the token.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};

use crate::{
    admin::{
        Operated,
        answer::{Answer, Refused, page},
    },
    events::Event,
    metrics::EventType,
};

/// Which events are wanted.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    routing_group: Option<String>,
    r#type: Option<String>,
}

/// One event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    time: String,
    r#type: &'static str,
    event: &'static str,
    routing_group: Option<Box<str>>,
    backend: Option<Box<str>>,
    message: Box<str>,
}

pub(super) async fn all(
    State(of): State<Operated>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Answer<Vec<Row>> {
    let refused = |words: String| Refused::new(StatusCode::BAD_REQUEST, words);
    let Query(wanted) = wanted.map_err(|error| refused(error.body_text()))?;
    let kind = wanted.kind().map_err(refused)?;
    let group = wanted.routing_group.as_deref();
    let told = of.events.newest(|event| {
        group.is_none_or(|group| event.routing_group.as_deref() == Some(group))
            && kind.is_none_or(|kind| event.kind == kind)
    });
    page(told.iter().map(row).collect())
}

impl Wanted {
    fn kind(&self) -> Result<Option<EventType>, String> {
        let Some(word) = self.r#type.as_deref() else { return Ok(None) };
        let known = EventType::ALL.iter().copied().find(|kind| kind.as_str() == word);
        known.map(Some).ok_or_else(|| format!("type is Normal or Warning, not `{word}`"))
    }
}

fn row(event: &Arc<Event>) -> Row {
    Row {
        time: format!("{:.3}", event.at),
        r#type: event.kind.as_str(),
        event: event.name.as_str(),
        routing_group: event.routing_group.clone(),
        backend: event.backend.clone(),
        message: event.message.clone(),
    }
}
