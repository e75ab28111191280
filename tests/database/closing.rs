//! Closing a pool: it ends in time, and every waiter gets an error.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::adapter::HostHandles as _;
use anyhost_core::db::Error;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::Postgres;
use tokio::time::timeout;

use crate::kit::{CLIENTS, backend, counted, direct, eventually, long_running, open};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_when_the_pool_closes_is_told_at_once() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    let held = db.conn().await.unwrap();
    let waiters: Vec<_> = (0..10)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.conn().await.map(drop) })
        })
        .collect();
    while db.state().waiting < 10 {
        tokio::task::yield_now().await;
    }
    let closing = tokio::spawn({
        let db = db.clone();
        async move { db.close(10 * PATIENCE).await }
    });
    for waiter in waiters {
        assert!(matches!(waiter.await.unwrap(), Err(Error::Closed)));
    }
    assert!(matches!(db.conn().await, Err(Error::Closed)));
    assert!(!closing.is_finished(), "one is still held");
    drop(held);
    timeout(PATIENCE, closing).await.expect("the last has come back").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_tells_what_was_closed_in_time_and_who_holds_the_rest() {
    let url = Postgres::shared().database();
    let db = long_running(&url, 4).await;
    let mut all = futures_util::future::join_all((0..3).map(|_| db.conn())).await;
    assert!(all.iter().all(Result::is_ok));
    drop(all.pop());
    let back = all.pop();
    let closing = tokio::spawn({
        let db = db.clone();
        async move { db.close(Duration::from_secs(3)).await }
    });
    // One comes back when the end has begun.
    eventually("it is closed", async || matches!(db.conn().await, Err(Error::Closed))).await;
    drop(back);
    // It ends although one is held all the time.
    let drained = timeout(PATIENCE, closing).await.expect("it ends in time").unwrap();
    assert_eq!((drained.closed, drained.aborted), (2, 1), "{drained}");
    let [(place, held)] = &drained.holders[..] else { panic!("{drained}") };
    assert!(place.contains("closing.rs:"), "{place}");
    assert!(!held.is_zero());
    assert!(drained.to_string().contains("1 still in use; held at "), "{drained}");
    // A pool of sqlx waits for the same holder without an end.
    let control = sqlx::PgPool::connect(&url).await.unwrap();
    let held = control.acquire().await.unwrap();
    assert!(timeout(600 * MS, control.close()).await.is_err());
    drop((held, all));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serverless_stop_leaves_nothing_on_the_server_and_does_not_use_up_its_time() {
    let server = Postgres::start(&["log_disconnections=on", "log_min_messages=debug1"]);
    let mut own = direct(&server.url()).await;
    let settings = [("DATABASE_POOL_SIZE", "2")];
    let (host, db) =
        open::<sqlx::Postgres>(Paradigm::Serverless, &server.url(), &settings).await.unwrap();
    backend(&db).await;
    // One is idle, one ends what it does while the rest of the time runs.
    let in_flight = tokio::spawn({
        let db = db.clone();
        async move { sqlx::query("SELECT pg_sleep(1)").execute(&db).await }
    });
    counted(
        &mut own,
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
        1,
        PATIENCE,
    )
    .await;
    let drained = timeout(PATIENCE, host.databases().close(10 * PATIENCE)).await.unwrap();
    assert_eq!(drained[0].aborted, 0, "{drained:?}");
    in_flight.await.unwrap().unwrap();
    counted(&mut own, CLIENTS, 0, PATIENCE).await;
}
