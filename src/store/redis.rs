//! The store in Redis or Valkey: one server, one that Sentinels name, or a cluster.
//!
//! `way` opens connections, `line` keeps the one in use, `words` says what is asked, `fault` what refusals mean. Each
//! change and each question is one command or one script of one slot, so that it is atomic and a cluster takes it. Nothing
//! is repeated here: a call that got no answer is told, since it may have been done.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use redis::{Cmd, FromRedisValue};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{line::Line, way::Way, words::Words};
use crate::{
    config::model,
    metrics::Metrics,
    store::{Change, Claim, Fault, Key, Kind, Pending, Store},
};

mod fault;
mod line;
mod way;
mod words;

/// Redis or Valkey.
#[derive(Debug)]
pub struct Redis {
    line: Line,
    words: Words,
}

impl Redis {
    /// Begins to connect; nobody waits for it. Its task lives until `stop`.
    pub fn start(
        settings: &model::Redis,
        metrics: Arc<Metrics>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, String> {
        let way = Way::new(settings)?;
        Ok(Self {
            line: Line::start(way, metrics, tasks, stop),
            words: Words::new(&settings.prefix),
        })
    }

    async fn ask<T: FromRedisValue>(&self, words: &Cmd) -> Result<T, Fault> {
        self.line.ask(words).await
    }
}

impl Store for Redis {
    fn apply(&self, changes: Vec<Change>) -> Pending<'_, ()> {
        Box::pin(async move {
            // Written one behind the other on one connection, and answered in that order: a pipeline, which a cluster
            // splits by itself.
            let asked: Vec<Cmd> = changes.iter().map(|change| self.words.change(change)).collect();
            let answers = join_all(asked.iter().map(|words| self.ask::<()>(words))).await;
            answers.into_iter().collect()
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> Pending<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let asked: Vec<Cmd> = keys.iter().map(|key| self.words.get(key)).collect();
            let answers = join_all(asked.iter().map(|words| self.ask(words))).await;
            let absent = |answer| match answer {
                Err(Fault::Foreign) => Ok(None),
                other => other,
            };
            answers.into_iter().map(absent).collect()
        })
    }

    fn claim<'a>(&'a self, key: &'a Key, holder: Bytes, life: Duration) -> Pending<'a, Claim> {
        Box::pin(async move {
            let held: Option<Bytes> = self.ask(&self.words.claim(key, &holder, life)).await?;
            Ok(held.map_or(Claim::Won, Claim::Held))
        })
    }

    fn release<'a>(&'a self, key: &'a Key, holder: Bytes) -> Pending<'a, bool> {
        Box::pin(async move { self.ask(&self.words.release(key, &holder)).await })
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Bytes>,
        value: Bytes,
        life: Duration,
    ) -> Pending<'a, bool> {
        Box::pin(async move {
            self.ask(&self.words.replace(key, expected.as_deref(), &value, life)).await
        })
    }

    fn drain<'a>(&'a self, key: &'a Key, had: Vec<Bytes>, most: usize) -> Pending<'a, Vec<Bytes>> {
        Box::pin(async move { self.ask(&self.words.drain(key, &had, most)).await })
    }

    fn list(&self, kind: Kind) -> Pending<'_, Vec<(Key, Bytes)>> {
        Box::pin(async move {
            if !kind.is_listed() {
                return Ok(Vec::new());
            }
            let ids: Vec<String> = self.ask(&self.words.index(kind)).await?;
            let keys: Vec<Key> = ids.into_iter().map(|id| Key::new(kind, id)).collect();
            let values = self.get_many(&keys).await?;
            let members = keys.into_iter().zip(values);
            Ok(members.filter_map(|(key, value)| Some((key, value?))).collect())
        })
    }

    fn ping(&self) -> Pending<'_, ()> {
        Box::pin(async move { self.ask(&redis::cmd("PING")).await })
    }
}
