//! Pages as real coordinators send them, for the tests of this room.

/// `<K>` of a page that has done nothing yet.
macro_rules! zeroes {
    () => {
        concat!(
            r#""planningTimeMillis":0,"analysisTimeMillis":0,"cpuTimeMillis":0,"wallTimeMillis":0,"queuedTimeMillis":0,"#,
            r#""elapsedTimeMillis":0,"finishingTimeMillis":0,"physicalInputTimeMillis":0,"processedRows":0,"#,
            r#""processedBytes":0,"physicalInputBytes":0,"physicalWrittenBytes":0,"internalNetworkInputBytes":0,"#,
            r#""peakMemoryBytes":0,"spilledBytes":0"#
        )
    };
}

/// The id in all of them.
pub(crate) const ID: &str = "20261121_064039_00139_beynb";
/// The base of all their URIs.
pub(crate) const BASE: &str = "http://localhost:29101";

/// The answer to a POST (Trino 483).
pub(crate) const FIRST: &str = concat!(
    r#"{"id":"20261121_064039_00139_beynb","infoUri":"http://localhost:29101/ui#/queries/20261121_064039_00139_beynb","#,
    r#""nextUri":"http://localhost:29101/v1/statement/queued/20261121_064039_00139_beynb/y691b87d2b50447eb52f341d7cfe4b537fac04165/1","#,
    r#""stats":{"state":"QUEUED","queued":true,"scheduled":false,"nodes":0,"totalSplits":0,"queuedSplits":0,"runningSplits":0,"completedSplits":0,"#,
    zeroes!(),
    r#"},"warnings":[]}"#
);
/// Its `nextUri`.
pub(crate) const FIRST_NEXT: &str = "http://localhost:29101/v1/statement/queued/20261121_064039_00139_beynb/y691b87d2b50447eb52f341d7cfe4b537fac04165/1";

/// A page with rows and all four URIs but none of a segment.
pub(crate) const MIDDLE: &str = concat!(
    r#"{"id":"20261121_064039_00139_beynb","infoUri":"http://localhost:29101/ui#/queries/20261121_064039_00139_beynb","#,
    r#""partialCancelUri":"http://localhost:29101/v1/statement/executing/partialCancel/20261121_064039_00139_beynb/1/y69c0aa/2","#,
    r#""nextUri":"http://localhost:29101/v1/statement/executing/20261121_064039_00139_beynb/y69c0aa/2","#,
    r#""columns":[{"name":"nationkey","type":"bigint","typeSignature":{"rawType":"bigint","arguments":[]}},"#,
    r#"{"name":"nextUri","type":"varchar(25)","typeSignature":{"rawType":"varchar","arguments":[{"kind":"LONG","value":25}]}}],"#,
    r#""data":[[0,"ALGERIA"],[1,"\"nextUri\":\"http://localhost:29101/\\"],[5.203437274582956E-10,{"b":1,"a":2}]],"#,
    r#""stats":{"state":"RUNNING","progressPercentage":16.666666666666668,"rootStage":{"stageId":"0","state":"RUNNING","subStages":[{"stageId":"1"}]}},"#,
    r#""warnings":[]}"#
);

/// A last page that ended well.
pub(crate) const LAST: &str = concat!(
    r#"{"id":"20261121_064039_00139_beynb","infoUri":"http://localhost:29101/ui#/queries/20261121_064039_00139_beynb","#,
    r#""columns":[{"name":"nationkey","type":"bigint","typeSignature":{"rawType":"bigint","arguments":[]}}],"#,
    r#""stats":{"state":"FINISHED","queued":false,"rootStage":{"stageId":"0","state":"FINISHED","subStages":[]}},"warnings":[]}"#
);

/// A last page that carries an error, its stack shortened.
pub(crate) const ERROR: &str = concat!(
    r#"{"id":"20261121_064039_00139_beynb","infoUri":"http://localhost:29101/ui#/queries/20261121_064039_00139_beynb","#,
    r#""stats":{"state":"FAILED","queued":false,"nodes":0},"#,
    r#""error":{"message":"line 1:8: Column 'nope' cannot be resolved","errorCode":47,"errorName":"COLUMN_NOT_FOUND","errorType":"USER_ERROR","#,
    r#""errorLocation":{"lineNumber":1,"columnNumber":8},"failureInfo":{"type":"io.trino.spi.TrinoException","message":"line 1:8: {[\"","#,
    r#""cause":{"type":"x","suppressed":[],"stack":["a(b.java:1)"]},"suppressed":[],"stack":["io.trino.sql.analyzer.SemanticExceptions.semanticException(SemanticExceptions.java:57)"],"#,
    r#""errorInfo":{"code":47,"name":"COLUMN_NOT_FOUND","type":"USER_ERROR"},"errorName":"NOT_THIS","errorCode":1}},"warnings":[]}"#
);

/// A page of the spooling protocol: one segment at the coordinator, one presigned, one inline.
pub(crate) const SPOOLED: &str = concat!(
    r#"{"id":"20261121_064039_00139_beynb","infoUri":"http://localhost:29101/ui#/queries/20261121_064039_00139_beynb","#,
    r#""nextUri":"http://localhost:29101/v1/statement/executing/20261121_064039_00139_beynb/y69c0aa/2","#,
    r#""columns":[{"name":"uri","type":"bigint","typeSignature":{"rawType":"bigint","arguments":[]}}],"#,
    r#""data":{"encoding":"json+zstd","metadata":{"uri":"http://localhost:29101/m"},"segments":["#,
    r#"{"type":"spooled","uri":"http://localhost:29101/v1/spooled/download/71pO4nUo","ackUri":"http://localhost:29101/v1/spooled/ack/71pO4nUo","#,
    r#""metadata":{"segmentSize":2435279,"uri":"http://localhost:29101/m","expiresAt":"2026-11-21T07:01:23.822370998","rowOffset":0},"headers":{"x":["v"]}},"#,
    r#"{"type":"inline","data":"KLUv/QRo\"uri\":\"http://localhost:29101/no","metadata":{"rowOffset":60000}},"#,
    r#"{"type":"spooled","uri":"https://bucket.s3.amazonaws.com/x?X-Amz-Signature=1","ackUri":"http://localhost:29101/v1/spooled/ack/zz"}]},"#,
    r#""stats":{"state":"RUNNING"},"warnings":[]}"#
);
