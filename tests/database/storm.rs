//! A burst of cold environments against a server that takes few connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhost_core::adapter::{HostHandles as _, remaining, within};
use anyhost_core::db::Error;
use anyhost_core::{Host, Paradigm};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::Postgres;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::kit::{direct, open, ordinary};

const ENVIRONMENTS: usize = 200;
const BUDGET: i64 = 50 - 3;

/// The statement that every environment runs.
const STATEMENT: &str = "SELECT pg_sleep(0.005)";

/// An environment that has served its request and is frozen, with whatever it keeps.
type FrozenHost = (Host, anyhost_core::db::Db<sqlx::Postgres>);

/// One cold environment: it starts, serves one request, and is frozen. A start that failed because the server did not
/// answer in time is made again, as the platform does it.
async fn environment(url: String) -> Result<FrozenHost, Error> {
    let (host, db) = loop {
        match open::<sqlx::Postgres>(Paradigm::Serverless, &url, &[]).await {
            Err(Error::Unreachable { .. }) if remaining().is_some_and(|left| !left.is_zero()) => {}
            opened => break opened?,
        }
    };
    for _ in 0..2 {
        host.epoch().advance();
        let served = sqlx::query(STATEMENT).execute(&db).await;
        host.databases().rest();
        if let Err(error) = served {
            assert!(
                Error::find(&error).is_some_and(is_refusal),
                "not an error of our own: {error:?}"
            );
            // Stands for it: an error of sqlx cannot be taken apart.
            return Err(Error::Closed);
        }
    }
    Ok((host, db))
}

/// Whether it says that there was no connection to be had in time.
fn is_refusal(error: &Error) -> bool {
    use Error::{Closed, Deadline, Refused, Unreachable};
    matches!(error, Refused { .. } | Unreachable { .. } | Deadline { .. } | Closed)
}

/// Runs all environments at once, each with this timeout; returns their results and the server's peak of connections.
async fn storm(url: &str, patience: Duration) -> (usize, Vec<Error>, i64) {
    let admin = url.replace("//app@", "//postgres@");
    let over = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn({
        let over = Arc::clone(&over);
        async move {
            let mut own = direct(&admin).await;
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                let seen: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'",
                )
                .fetch_one(&mut own)
                .await
                .unwrap();
                most = most.max(seen);
                // Time passes: polling must not become the load.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            most
        }
    });
    let until = Instant::now() + patience;
    let mut environments = JoinSet::new();
    for _ in 0..ENVIRONMENTS {
        environments.spawn(within(until, environment(url.to_owned())));
    }
    let (mut frozen, mut refused) = (Vec::new(), Vec::new());
    // No caller hangs: each ends at its deadline at the latest.
    while let Some(ended) = timeout(patience + PATIENCE, environments.join_next()).await.unwrap() {
        match ended.unwrap() {
            Ok(environment) => frozen.push(environment),
            Err(error) => refused.push(error),
        }
    }
    over.store(true, Ordering::Relaxed);
    (frozen.len(), refused, watch.await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_cold_environments_are_all_served_by_a_server_that_takes_fifty() {
    let server = Postgres::start(&["max_connections=50"]);
    let url = ordinary(&server);
    let (served, refused, most) = storm(&url, Duration::from_secs(120)).await;
    println!("{served} served, at most {most} connections");
    assert_eq!(served, ENVIRONMENTS, "{refused:?}");
    assert!(most <= BUDGET, "{most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_with_little_time_are_served_or_refused_with_an_error_of_our_own() {
    let server = Postgres::start(&["max_connections=50"]);
    let url = ordinary(&server);
    // How little is little depends on the machine: enough for one of them, not for all.
    let mut patience = Duration::from_millis(300);
    loop {
        let (served, refused, most) = storm(&url, patience).await;
        println!("{patience:?}: {served} served, {} refused", refused.len());
        assert!(most <= BUDGET, "{most}");
        for error in &refused {
            assert!(is_refusal(error), "{error:?}");
        }
        if served > 0 {
            assert!(!refused.is_empty(), "all had the time");
            break;
        }
        assert!(patience < PATIENCE, "nobody was served: {refused:?}");
        patience = patience.mul_f64(1.5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_pool_of_sqlx_in_every_environment_leaves_most_of_them_unserved() {
    let server = Postgres::start(&["max_connections=50"]);
    let url = ordinary(&server);
    let mut environments = JoinSet::new();
    for _ in 0..ENVIRONMENTS {
        let url = url.clone();
        environments.spawn(async move {
            let options = PgPoolOptions::new().max_connections(1);
            let pool: PgPool =
                options.acquire_timeout(Duration::from_secs(5)).connect(&url).await?;
            sqlx::query(STATEMENT).execute(&pool).await?;
            Ok::<_, sqlx::Error>(pool)
        });
    }
    let all = environments.join_all().await;
    let served = all.iter().filter(|ended| ended.is_ok()).count();
    println!("{served} served");
    assert!(served <= 50, "{served}");
}
