//! What Trino's protocol is, as checks that run against the simulator and against the real Trino.
//!
//! `cargo test` runs them against simulators. With SLUICE_TEST_TRINO_483 or SLUICE_TEST_TRINO_435 set to the base
//! URLs of real coordinators (comma-separated), they run against these too: where the two differ, the simulator is
//! wrong. The statements mean something to both: a real Trino has the catalog `tpch` and takes the script of the
//! simulator for a comment. What a coordinator is (version, what it makes of X-Forwarded-*, spooling) is found out
//! first; each check says what holds for it.

mod chain;
mod ends;
mod http;
mod kills;
mod node;
mod session;
mod target;

use std::future::Future;
use std::pin::Pin;

use sluice::simulator::{Forwarded, Options, Simulator, Version};

use crate::harness::trino::trino_with;
use target::Target;

type Check = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Names checks and makes them of one kind.
macro_rules! checks {
    ($target:expr; $($module:ident: $($name:ident)*;)*) => {
        vec![$($((
            concat!(stringify!($module), "::", stringify!($name)),
            Box::pin($module::$name($target.clone())) as Check,
        ),)*)*]
    };
}

fn all(target: &Target) -> Vec<(&'static str, Check)> {
    checks! { target;
        chain: first_page chain_of_a_query rows_of_many_pages every_token_has_its_slug
            last_token_again older_tokens final_page_again long_poll long_poll_of_a_finished_query
            statement_without_rows written_rows;
        ends: syntax_error analysis_error cancel cancel_before_the_first_poll killed_by_verb preempted
            deleted_by_id partial_cancel;
        kills: first_page_is_ours canceled_page_is_ours kill_of_the_running kill_of_the_ended kill_of_nobody
            kill_of_the_unpolled kill_with_bad_arguments;
        http: unknown_queries no_user empty_statement wrong_methods unknown_paths compression headers
            heartbeat head_statement host_decides forwarded_headers standard_forwarded;
        node: info info_state status home ui query_resource no_shutdown;
        session: set_and_reset use_schema prepared unprepared immediate transaction unknown_transaction
            no_transaction client_without_transactions spooled spooled_unknown_encoding;
    }
}

/// Runs every check against one coordinator; panics with the names of those that fail.
pub(crate) async fn run(base: &str) {
    let target = Target::explore(base).await;
    let mut failed = Vec::new();
    for (name, check) in all(&target) {
        eprintln!("{base}: {name}");
        if tokio::spawn(check).await.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{target:?} does not conform: {failed:#?}");
}

async fn simulated(options: Options) -> Simulator {
    let trino = trino_with(options).await;
    run(&trino.url()).await;
    assert_eq!((trino.counts().living, trino.counts().transactions), (0, 0), "something was left");
    trino
}

#[tokio::test]
async fn simulated_483() {
    simulated(Options::default()).await;
}

#[tokio::test]
async fn simulated_483_forwarded_and_spooling() {
    let forwarded = Forwarded::Accept;
    simulated(Options { forwarded, spooling: true, ..Options::default() }).await;
}

#[tokio::test]
async fn simulated_483_that_ignores_forwarded_headers() {
    simulated(Options { forwarded: Forwarded::Ignore, ..Options::default() }).await;
}

#[tokio::test]
async fn simulated_435() {
    simulated(Options { version: Version::V435, ..Options::default() }).await;
}

#[tokio::test]
async fn simulated_435_forwarded() {
    let (version, forwarded) = (Version::V435, Forwarded::Accept);
    simulated(Options { version, forwarded, ..Options::default() }).await;
}

async fn real(variable: &str) {
    let Ok(urls) = std::env::var(variable) else {
        eprintln!("skipped: {variable} names no coordinators");
        return;
    };
    for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
        run(url).await;
    }
}

#[tokio::test]
async fn real_483() {
    real("SLUICE_TEST_TRINO_483").await;
}

#[tokio::test]
async fn real_435() {
    real("SLUICE_TEST_TRINO_435").await;
}
