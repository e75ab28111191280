//! Connections that are old, idle or never returned.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::db::{Db, Driver};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres};
use sqlx::postgres::PgPoolOptions;

use crate::kit::{CLIENTS, Lines, backend, counted, direct, eventually, open};

const MS: Duration = Duration::from_millis(1);

async fn aged<DB: Driver>(url: &str, settings: &[(&str, &str)]) -> Db<DB> {
    open(Paradigm::LongRunning, url, settings).await.unwrap().1
}

/// Waits until a pool is as it should be.
async fn until<DB: Driver>(db: &Db<DB>, what: &str, wanted: impl Fn(&Db<DB>) -> bool) {
    eventually(what, async || wanted(db)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_connections_shrinks_to_what_is_used() {
    let url = Postgres::shared().database();
    let mut own = direct(&url).await;
    let settings = [("DATABASE_POOL_SIZE", "20"), ("DATABASE_IDLE_TIMEOUT", "2s")];
    let db = aged::<sqlx::Postgres>(&url, &settings).await;
    let burst = futures_util::future::join_all((0..20).map(|_| db.conn())).await;
    assert!(burst.iter().all(Result::is_ok));
    drop(burst);
    // A pool that lends the oldest first keeps all of them in use, so that none is ever idle for long.
    let control = PgPoolOptions::new().max_connections(20).idle_timeout(db.plan().idle_timeout());
    let control = control.connect(&url).await.unwrap();
    let all = futures_util::future::join_all((0..20).map(|_| control.acquire())).await;
    drop(all);
    // Statements one after the other, until ours has shrunk.
    eventually("two connections are enough", async || {
        backend(&db).await;
        sqlx::query("SELECT 1").execute(&control).await.unwrap();
        db.state().open <= 2
    })
    .await;
    assert!(control.size() > 2, "{}", control.size());
    assert!(db.stats().closed.idle >= 18, "{:?}", db.stats());
    control.close().await;
    counted(&mut own, CLIENTS, 1, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_connections_that_nobody_uses_are_given_up() {
    let settings = [("DATABASE_POOL_SIZE", "8"), ("DATABASE_IDLE_TIMEOUT", "300ms")];
    let db = aged::<sqlx::MySql>(&MariaDb::shared().database(), &settings).await;
    let burst = futures_util::future::join_all((0..8).map(|_| db.conn())).await;
    assert!(burst.iter().all(Result::is_ok));
    drop(burst);
    until(&db, "shrunk", |db| db.state().open == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_too_old_are_replaced_and_nobody_notices() {
    let url = Postgres::shared().database();
    let settings = [("DATABASE_POOL_SIZE", "4"), ("DATABASE_MAX_LIFETIME", "400ms")];
    let db = aged::<sqlx::Postgres>(&url, &settings).await;
    let first = backend(&db).await;
    let over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..8)
        .map(|_| {
            let (db, over) = (db.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    sqlx::query("SELECT pg_sleep(0.001)").execute(&db).await.unwrap();
                }
            })
        })
        .collect();
    until(&db, "replaced", |db| db.stats().closed.lifetime >= 8).await;
    over.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    // An idle connection is closed when its time is up, not at the next checkout, and is replaced.
    let stats = db.stats();
    until(&db, "replaced while idle", |db| db.stats().closed.lifetime > stats.closed.lifetime)
        .await;
    until(&db, "warm again", |db| db.state().idle >= 1).await;
    assert_ne!(backend(&db).await, first);
}

#[test]
fn counts_stay_true_under_borrowing_by_many_of_connections_that_live_shortly() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let url = Postgres::shared().database();
        let settings = [
            ("DATABASE_POOL_SIZE", "8"),
            ("DATABASE_MAX_LIFETIME", "50ms"),
            ("DATABASE_ACQUIRE_TIMEOUT", "60s"),
        ];
        let db = aged::<sqlx::Postgres>(&url, &settings).await;
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    for _ in 0..500 {
                        drop(db.conn().await.unwrap());
                        let state = db.state();
                        assert!(state.idle <= 8 && state.open <= 8 && state.in_use <= 8, "{state}");
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        db.close(PATIENCE).await;
        let stats = db.stats();
        assert_eq!(stats.created, stats.closed.total(), "{stats:?}");
        assert_eq!(stats.wait_time.count(), 64 * 500);
        assert_eq!(stats.use_time.count(), 64 * 500);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_idle_connections_early_is_heeded() {
    let server = Postgres::start(&["idle_session_timeout=4s"]);
    let db = aged::<sqlx::Postgres>(&server.url(), &[("DATABASE_POOL_SIZE", "2")]).await;
    assert_eq!(db.plan().idle_timeout(), 3000 * MS);
    assert_eq!(db.plan().keepalive_interval(), Some(2000 * MS));
    let mut bare = direct(&server.url()).await;
    let before = backend(&db).await;
    // The unused connection is ended; ours, last used later, has then been kept beyond the server's timeout.
    let begun = "SELECT count(*) FROM pg_stat_activity WHERE pid = ";
    let pid: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut bare).await.unwrap();
    eventually("the server ends it", async || server.sql(&format!("{begun}{pid}")) == "0").await;
    let kept = db.stats().pings;
    // It is counted before it is answered, and idle again after that.
    let pinged = async || db.stats().pings > kept && db.state().idle == 1;
    eventually("it is kept in use", pinged).await;
    assert_eq!(backend(&db).await, before, "it was kept in use");
    assert_eq!(db.stats().created, 1);
    sqlx::query("SELECT 1").execute(&mut bare).await.unwrap_err();
}

#[tokio::test]
async fn a_connection_that_is_held_for_too_long_is_named_once_and_when_it_comes_back() {
    // Everything of this test runs on this thread, and nothing else does.
    let lines = Lines::default();
    let _guard = lines.capture();
    let settings = [("DATABASE_POOL_SIZE", "2"), ("DATABASE_LEAK_THRESHOLD", "200ms")];
    let db = aged::<sqlx::Postgres>(&Postgres::shared().database(), &settings).await;
    let held = db.conn().await.unwrap();
    let place = format!("age.rs:{}", line!() - 1);
    until(&db, "reported", |db| db.stats().leaks == 1).await;
    // When the other holder is logged, twice as much time has passed, and the first is not logged again.
    let other = db.conn().await.unwrap();
    until(&db, "reported", |db| db.stats().leaks == 2).await;
    drop((held, other));
    let text = lines.text();
    let named = |words: &str| {
        text.lines().filter(|line| line.contains(words) && line.contains(&place)).count()
    };
    assert_eq!(named("it may have leaked"), 1, "{text}");
    assert_eq!(named("thought leaked has come back"), 1, "{text}");
    assert_eq!(db.stats().leaks, 2);
}
