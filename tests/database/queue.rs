//! Waiting callers are served in order and in time, or get an error with the reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::adapter::within;
use anyhost_core::db::{Db, Error};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{Mode, Postgres, Proxy};
use tokio::time::timeout;

use crate::kit::{backend, eventually, long_running, open, undisturbed};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_connection_serves_a_waiter_whose_own_is_still_being_made() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 2).await;
    let mut first = db.conn().await.unwrap();
    let spoken = proxy.round_trips();
    // The handshake of a new connection is delayed beyond this test; bytes on open connections pass at once.
    proxy.set(Mode::Delay(10 * PATIENCE));
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { db.conn().await }
    });
    eventually("a connection is being made", async || {
        proxy.round_trips() > spoken && db.state().waiting == 1
    })
    .await;
    proxy.set(Mode::Pass);
    let pid = "SELECT pg_backend_pid()";
    let first_pid: i32 = sqlx::query_scalar(pid).fetch_one(&mut *first).await.unwrap();
    drop(first);
    let mut conn = waiting.await.unwrap().unwrap();
    let conn_pid: i32 = sqlx::query_scalar(pid).fetch_one(&mut *conn).await.unwrap();
    assert_eq!(conn_pid, first_pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_asked_whether_it_lives_only_after_half_a_second() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 1).await;
    let twenty = undisturbed(db.plan().validation_interval(), async || {
        sqlx::query("SELECT 1").execute(&db).await.unwrap();
        let before = proxy.round_trips();
        for _ in 0..20 {
            sqlx::query("SELECT 1").execute(&db).await.unwrap();
        }
        proxy.round_trips() - before
    });
    assert_eq!(twenty.await, 20, "one round trip for each statement");
    tokio::time::sleep(db.plan().validation_interval() + 100 * MS).await;
    let before = proxy.round_trips();
    sqlx::query("SELECT 1").execute(&db).await.unwrap();
    assert_eq!(proxy.round_trips() - before, 2, "one ping, one statement");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_held_for_long_counts_as_just_used() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 1).await;
    let conn = db.conn().await.unwrap();
    tokio::time::sleep(db.plan().validation_interval() + 100 * MS).await;
    let mut held = Some(conn);
    let one = undisturbed(db.plan().validation_interval(), async || {
        let mut conn = match held.take() {
            Some(conn) => conn,
            None => db.conn().await.unwrap(),
        };
        sqlx::query("SELECT 1").execute(&mut *conn).await.unwrap();
        drop(conn);
        let before = proxy.round_trips();
        sqlx::query("SELECT 1").execute(&db).await.unwrap();
        proxy.round_trips() - before
    });
    assert_eq!(one.await, 1);
}

#[tokio::test]
async fn a_thousand_waiters_are_served_in_order() {
    let settings = [("DATABASE_POOL_SIZE", "4"), ("DATABASE_ACQUIRE_TIMEOUT", "60s")];
    let url = Postgres::shared().database();
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    // A connection that must be pinged first is given later than its turn: then once more.
    eventually("a thousand are served without a ping", async || {
        let held = futures_util::future::join_all((0..4).map(|_| db.conn())).await;
        let mut held: Vec<_> = held.into_iter().map(Result::unwrap).collect();
        let turn = Arc::new(AtomicUsize::new(0));
        let mut waiters = Vec::new();
        for place in 0..1000 {
            let (entered, turn) = (db.clone(), Arc::clone(&turn));
            waiters.push(tokio::spawn(async move {
                let conn = entered.conn().await.unwrap();
                let turn = turn.fetch_add(1, Ordering::SeqCst);
                drop(conn);
                (place, turn)
            }));
            while db.state().waiting <= place {
                tokio::task::yield_now().await;
            }
        }
        for conn in &mut held {
            sqlx::query("SELECT 1").execute(&mut **conn).await.unwrap();
        }
        let pings = db.stats().pings;
        drop(held);
        let turns = futures_util::future::join_all(waiters).await;
        if db.stats().pings > pings {
            return false;
        }
        for served in turns {
            let (place, turn) = served.unwrap();
            // The four that are woken together may note their turns in another order.
            assert!(place.abs_diff(turn) < 8, "place {place} had turn {turn}");
        }
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiters_that_give_up_take_no_turn_with_them() {
    let db = long_running(&Postgres::shared().database(), 2).await;
    let workers: Vec<_> = (0..64)
        .map(|seed| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..800 {
                    let patience = Duration::from_micros(random.u64(0..400));
                    if let Ok(conn) = timeout(patience, db.conn()).await {
                        drop(conn.unwrap());
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    // No turn was lost: all can be had together.
    let all = futures_util::future::join_all((0..2).map(|_| db.conn())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(db.state().waiting, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_hold_one_and_wait_for_another_are_told_instead_of_waiting_for_ever() {
    let db = long_running(&Postgres::shared().database(), 8).await;
    let all = timeout(PATIENCE, nest(&db, 8)).await.unwrap();
    // The first of them to time out gets an error; the connection that it held then serves the next.
    let mut told = all.into_iter().filter_map(Result::err);
    let told = told.find(|error| matches!(error, Error::TimedOut { .. })).unwrap().to_string();
    assert!(told.contains("held longest at tests/database/queue.rs"), "{told}");
    // One more than the callers hold is enough for all of them.
    let db = long_running(&Postgres::shared().database(), 9).await;
    let all = nest(&db, 8).await;
    assert!(all.iter().all(Result::is_ok));
}

/// So many tasks that each borrow a connection and then, when all have one, a second.
async fn nest(db: &Db<sqlx::Postgres>, tasks: usize) -> Vec<Result<(), Error>> {
    let all_hold_one = Arc::new(tokio::sync::Barrier::new(tasks));
    let tasks = (0..tasks).map(|_| {
        let (db, barrier) = (db.clone(), Arc::clone(&all_hold_one));
        tokio::spawn(async move {
            let _first = db.conn().await?;
            barrier.wait().await;
            let _second = db.conn().await?;
            Ok(())
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let all = futures_util::future::join_all(tasks).await;
    all.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_who_holds_the_connections() {
    let settings = [("DATABASE_POOL_SIZE", "1"), ("DATABASE_ACQUIRE_TIMEOUT", "300ms")];
    let url = Postgres::shared().database();
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let held = db.conn().await.unwrap();
    let line = line!() - 1;
    let error = timeout(PATIENCE, db.conn()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("open=1/1 in_use=1 idle=0 waiting=1"), "{text}");
    assert!(text.contains(&format!("queue.rs:{line}")), "{text}");
    // A connection that is never returned is still counted once.
    std::mem::forget(held);
    assert_eq!(db.state().open, 1);
    assert_eq!(db.state().in_use, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_bounds_the_wait_whatever_the_plan_allows() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let settings = [("DATABASE_POOL_SIZE", "1"), ("DATABASE_ACQUIRE_TIMEOUT", "1h")];
    let (_host, db) =
        open::<sqlx::Postgres>(Paradigm::LongRunning, &proxy.url(&url), &settings).await.unwrap();
    proxy.set(Mode::Blackhole);
    tokio::time::sleep(db.plan().validation_interval() + 50 * MS).await;
    for patience in [200 * MS, 400 * MS] {
        let wait = within(Instant::now() + patience, db.conn());
        let error = timeout(PATIENCE, wait).await.expect("it ends at its deadline").unwrap_err();
        assert!(matches!(error, Error::Deadline { .. } | Error::Unreachable { .. }), "{error}");
    }
    let error = within(Instant::now(), db.conn()).await.unwrap_err();
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
    proxy.set(Mode::Pass);
    backend(&db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_one_request_does_not_cost_others_their_connections() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 2).await;
    drop(futures_util::future::join_all([db.conn(), db.conn()]).await);
    tokio::time::sleep(db.plan().validation_interval() + 50 * MS).await;
    proxy.set(Mode::Delay(30 * MS));
    let before = proxy.accepted();
    let mut late = 0;
    for _ in 0..5 {
        let soon = Instant::now() + 20 * MS;
        match within(soon, db.conn()).await {
            Ok(conn) => drop(conn),
            Err(Error::Deadline { .. }) => late += 1,
            Err(error) => panic!("{error}"),
        }
    }
    // Sooner or later one that was asked has answered.
    assert!(late > 0);
    proxy.set(Mode::Pass);
    let both = futures_util::future::join_all([db.conn(), db.conn()]).await;
    assert!(both.iter().all(Result::is_ok));
    assert_eq!(proxy.accepted(), before, "the connections were alive all the time");
}

#[test]
fn a_connection_outlives_the_runtime_of_the_worker_that_used_it() {
    let home = tokio::runtime::Runtime::new().unwrap();
    let db = home.block_on(long_running(&Postgres::shared().database(), 2));
    let before = home.block_on(backend(&db));
    for _ in 0..5 {
        // As an actix worker: a thread with a runtime of its own, which ends.
        let seen = std::thread::spawn({
            let db = db.clone();
            move || {
                let worker =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                worker.block_on(async {
                    let mut tx = db.begin().await.unwrap();
                    // The second connection is opened while a worker waits for it.
                    let second = backend(&db).await;
                    sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
                    tx.commit().await.unwrap();
                    second
                })
            }
        });
        assert!(seen.join().unwrap() > 0);
    }
    let after = home.block_on(async {
        let both = futures_util::future::join_all([db.conn(), db.conn()]).await;
        let mut pids = Vec::new();
        for conn in both {
            let mut conn = conn.unwrap();
            let pid: i32 =
                sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *conn).await.unwrap();
            pids.push(pid);
        }
        pids
    });
    assert!(after.contains(&before), "the first connection has served all the time");
}
