//! Transactions live in the memory of one coordinator: all their statements go there.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use crate::harness::pair::Pair;

#[tokio::test]
async fn peers_X10_every_statement_of_a_transaction_goes_to_its_coordinator() {
    for pair in Pair::each_mode(false).await {
        let client = pair.gateway.client();
        for _ in 0..4 {
            let begun = client.query("START TRANSACTION").await.unwrap();
            let id = begun.header("x-trino-started-transaction-id").unwrap().to_owned();
            let own = pair.owner(begun.id());
            let within = client.clone().with("x-trino-transaction-id", &id);
            for sql in ["SELECT 1", "INSERT INTO t VALUES (1)", "SELECT 2", "COMMIT"] {
                let done = within.query(sql).await.unwrap();
                assert_eq!(done.error_name(), None, "{}: {sql}", pair.mode);
                assert!(own.state_of(done.id()).is_some(), "{}: {sql}", pair.mode);
            }
        }
        assert_eq!((pair.a.counts().transactions, pair.b.counts().transactions), (0, 0));
        pair.stop().await;
    }
}

#[tokio::test]
async fn peers_X10_a_transaction_outlives_the_deactivation_of_its_coordinator() {
    let pair = Pair::usual().await;
    let client = pair.gateway.client();
    let begun = client.query("START TRANSACTION").await.unwrap();
    let id = begun.header("x-trino-started-transaction-id").unwrap().to_owned();
    let name = if pair.a.state_of(begun.id()).is_some() { "a" } else { "b" };
    let (status, _) = pair.gateway.command(&format!("/admin/backends/{name}/drain")).await;
    assert_eq!(status, 200);
    let within = client.clone().with("x-trino-transaction-id", &id);
    for sql in ["SELECT 1", "ROLLBACK"] {
        assert_eq!(within.query(sql).await.unwrap().error_name(), None, "{sql}");
    }
    // NONE is no transaction: it goes where all go.
    let outside = client.with("x-trino-transaction-id", "NONE");
    let done = outside.query("SELECT 1").await.unwrap();
    assert!(pair.other(begun.id()).state_of(done.id()).is_some());
    pair.stop().await;
}
