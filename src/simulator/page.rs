//! One page of an answer: Trino's `QueryResults`, in its order, with absent fields absent.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::base::Base;
use super::failure::Failure;
use super::options::Version;
use super::rows::Rows;

/// A finished page; kept for the client that asks for the same token again.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) head: Bytes,
    pub(super) rows: Rows,
    pub(super) tail: Bytes,
}

/// What a page says.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) id: &'a str,
    pub(super) base: &'a Base,
    pub(super) version: Version,
    /// Path of the next page, from `/v1` on.
    pub(super) next: Option<String>,
    /// Path that cancels the stage being read.
    pub(super) partial_cancel: Option<String>,
    pub(super) columns: Option<&'a str>,
    pub(super) rows: Rows,
    pub(super) stats: Stats,
    pub(super) failure: Option<&'a Failure>,
    /// `updateType` and `updateCount`.
    pub(super) update: Option<(&'a str, Option<u64>)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The figures that a simulated query has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stats {
    pub(super) state: &'static str,
    /// In hundredths of a percent; absent until the query runs.
    pub(super) progress: Option<u32>,
    pub(super) queued: Duration,
    pub(super) elapsed: Duration,
    pub(super) rows: u64,
}

impl Draft<'_> {
    /// Writes the page down; the rows stay a recipe.
    pub(super) fn finish(self) -> Page {
        let mut head = String::with_capacity(1024);
        let url = self.base.url();
        let (id, info) = (self.id, info_path(self.version));
        let _ = write!(head, r#"{{"id":"{id}","infoUri":"{url}{info}{id}""#);
        for (name, path) in [("partialCancelUri", self.partial_cancel), ("nextUri", self.next)] {
            if let Some(path) = path {
                let _ = write!(head, r#","{name}":"{url}{path}""#);
            }
        }
        if let Some(columns) = self.columns {
            let _ = write!(head, r#","columns":{columns}"#);
        }
        let mut tail = String::with_capacity(1536);
        if self.rows.is_some() {
            head.push_str(r#","data":"#);
        }
        let _ = write!(tail, r#","stats":"#);
        self.stats.write_to(&mut tail, self.version);
        if let Some(failure) = self.failure {
            tail.push_str(r#","error":"#);
            failure.write_to(&mut tail, self.version);
        }
        tail.push_str(r#","warnings":[]"#);
        if let Some((kind, count)) = self.update {
            let _ = write!(tail, r#","updateType":"{kind}""#);
            if let Some(count) = count {
                let _ = write!(tail, r#","updateCount":{count}"#);
            }
        }
        tail.push('}');
        Page { headers: self.headers, head: head.into(), rows: self.rows, tail: tail.into() }
    }
}

/// The path of a query's page in the web UI, up to its id.
pub(super) fn info_path(version: Version) -> &'static str {
    match version {
        Version::V483 => "/ui#/queries/",
        Version::V435 => "/ui/query.html?",
    }
}

impl Stats {
    fn write_to(&self, json: &mut String, version: Version) {
        let is_queued = self.state == "QUEUED";
        let is_scheduled = self.progress.is_some();
        let _ = write!(
            json,
            r#"{{"state":"{}","queued":{is_queued},"scheduled":{is_scheduled}"#,
            self.state
        );
        if let Some(progress) = self.progress {
            let (whole, part) = (progress / 100, progress % 100);
            let _ = write!(
                json,
                r#","progressPercentage":{whole}.{part},"runningPercentage":0.0,"nodes":1,"totalSplits":10,"queuedSplits":0,"runningSplits":1,"completedSplits":9"#
            );
        } else {
            json.push_str(
                r#","nodes":0,"totalSplits":0,"queuedSplits":0,"runningSplits":0,"completedSplits":0"#,
            );
        }
        self.write_times(json, version);
        if is_scheduled {
            let _ = write!(json, r#","rootStage":{}"#, root_stage(self));
        }
        json.push('}');
    }

    fn write_times(&self, json: &mut String, version: Version) {
        let (queued, elapsed, rows) =
            (self.queued.as_millis(), self.elapsed.as_millis(), self.rows);
        let bytes = rows * 16;
        match version {
            Version::V483 => {
                let _ = write!(
                    json,
                    r#","planningTimeMillis":0,"analysisTimeMillis":0,"cpuTimeMillis":0,"wallTimeMillis":0,"queuedTimeMillis":{queued},"elapsedTimeMillis":{elapsed},"finishingTimeMillis":0,"physicalInputTimeMillis":0,"processedRows":{rows},"processedBytes":{bytes},"physicalInputBytes":0,"physicalWrittenBytes":0,"internalNetworkInputBytes":0,"peakMemoryBytes":0,"spilledBytes":0"#
                );
            }
            Version::V435 => {
                let _ = write!(
                    json,
                    r#","cpuTimeMillis":0,"wallTimeMillis":0,"queuedTimeMillis":{queued},"elapsedTimeMillis":{elapsed},"processedRows":{rows},"processedBytes":{bytes},"physicalInputBytes":0,"physicalWrittenBytes":0,"peakMemoryBytes":0,"spilledBytes":0"#
                );
            }
        }
    }
}

fn root_stage(stats: &Stats) -> String {
    let is_done = stats.state == "FINISHED";
    let state = if is_done { "FINISHED" } else { "RUNNING" };
    let rows = stats.rows;
    let stage = |id: u32, below: &str| {
        format!(
            r#"{{"stageId":"{id}","state":"{state}","done":{is_done},"nodes":1,"totalSplits":5,"queuedSplits":0,"runningSplits":0,"completedSplits":5,"cpuTimeMillis":0,"wallTimeMillis":0,"processedRows":{rows},"processedBytes":0,"physicalInputBytes":0,"failedTasks":0,"coordinatorOnly":false,"subStages":[{below}]}}"#
        )
    };
    stage(0, &stage(1, ""))
}
