//! Spooled results: each segment is downloaded from, and acknowledged at, the coordinator that has it.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use crate::harness::pair::Pair;

#[tokio::test]
async fn peers_X10_G6_segments_reach_their_own_coordinator_in_every_uri_mode() {
    for pair in Pair::each_mode(true).await {
        for (encoding, accept) in
            [("json", "identity"), ("json+zstd", "gzip"), ("json+zstd,json", "zstd, gzip")]
        {
            let client = pair.gateway.client();
            let client = client
                .with("x-trino-query-data-encoding", encoding)
                .with("accept-encoding", accept);
            for sql in [
                "SELECT * /* sim: pages=3 rows=2000 */ FROM t",
                "SELECT * /* sim: pages=3 rows=2000 inline */ FROM t",
            ] {
                // Twice, so that either coordinator has its turn; the strict client downloads and acknowledges.
                for _ in 0..2 {
                    let rows = client.rows(sql).await;
                    assert_eq!(rows.len(), 6000, "{}: {encoding}", pair.mode);
                }
            }
        }
        assert_eq!((pair.a.counts().segments, pair.b.counts().segments), (0, 0), "{}", pair.mode);
        assert!(pair.a.counts().statements > 0 && pair.b.counts().statements > 0);
        pair.stop().await;
    }
}
