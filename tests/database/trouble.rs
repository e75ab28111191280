//! Servers go away, come back, refuse, change their role: what callers see of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::db::{Db, Error};
use anyhost_tests::servers::{Mode, Postgres, Proxy};

use crate::kit::{backend, long_running, open};

const MS: Duration = Duration::from_millis(1);
const SIZE: usize = 5;

/// What one statement of the load met, and when.
struct Met {
    begun: Instant,
    ended: Instant,
    error: Option<sqlx::Error>,
}

/// Runs statements from 16 tasks until it is told that it is over.
struct Load {
    over: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Vec<Met>>>,
}

impl Load {
    fn start(db: &Db<sqlx::Postgres>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let tasks = (0..16).map(|_| {
            let (db, over) = (db.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let mut all = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let outcome = sqlx::query("SELECT pg_sleep(0.002)").execute(&db).await;
                    let error = outcome.err();
                    if error.is_some() {
                        // As clients do, who come again a little later.
                        tokio::time::sleep(10 * MS).await;
                    }
                    all.push(Met { begun, ended: Instant::now(), error });
                }
                all
            })
        });
        let tasks = tasks.collect();
        Self { over, tasks }
    }

    async fn stop(self) -> Vec<Met> {
        self.over.store(true, Ordering::Relaxed);
        let all = futures_util::future::join_all(self.tasks).await;
        all.into_iter().flat_map(Result::unwrap).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_under_load_costs_one_error_per_connection_and_is_back_in_two_seconds()
 {
    let server = Arc::new(Postgres::start(&[]));
    let db = long_running(&server.url(), SIZE).await;
    let load = Load::start(&db);
    tokio::time::sleep(500 * MS).await;
    // Restarted within the patience of those who wait: only what was under way is lost.
    let (crashed, back) = on_thread(&server, |server| {
        let crashed = Instant::now();
        server.crash();
        server.restart();
        (crashed, Instant::now())
    })
    .await;
    tokio::time::sleep(2500 * MS).await;
    let met = load.stop().await;
    let errors: Vec<_> = met.iter().filter(|met| met.error.is_some()).collect();
    assert!(
        errors.len() <= SIZE,
        "{} errors, the last: {:?}",
        errors.len(),
        errors.last().unwrap().error
    );
    assert!(
        errors.iter().all(|met| met.begun < crashed + 50 * MS),
        "an error of a statement that began later"
    );
    let recovered = met.iter().find(|met| met.error.is_none() && met.ended > back).unwrap();
    assert!(recovered.ended - back < Duration::from_secs(2), "{:?}", recovered.ended - back);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_server_is_down_requests_are_refused_in_time_and_one_attempt_is_made_at_once() {
    let server = Arc::new(Postgres::start(&[]));
    let proxy = Proxy::start(server.port());
    let db = long_running(&proxy.url(&server.url()), SIZE).await;
    let load = Load::start(&db);
    tokio::time::sleep(300 * MS).await;
    on_thread(&server, Postgres::crash).await;
    let down = Instant::now();
    // When the first to wait have been refused, the outage is known.
    tokio::time::sleep(3000 * MS).await;
    let attempts = proxy.accepted();
    tokio::time::sleep(2000 * MS).await;
    let attempts = proxy.accepted() - attempts;
    let back = on_thread(&server, |server| {
        server.restart();
        Instant::now()
    })
    .await;
    tokio::time::sleep(2500 * MS).await;
    let met = load.stop().await;
    let slowest =
        met.iter().filter(|met| met.error.is_some()).map(|met| met.ended - met.begun).max();
    assert!(slowest.unwrap() < 2500 * MS, "{slowest:?}");
    // Known to be down, it is refused at once.
    let known = met.iter().filter(|met| met.begun > down + 3000 * MS && met.ended < back);
    let quick = known.clone().filter(|met| met.ended - met.begun < 100 * MS).count();
    assert!(quick * 10 >= known.count() * 9 && quick > 100, "{quick}");
    assert!(attempts <= 20, "{attempts} attempts in two seconds");
    let late: Vec<_> = met
        .iter()
        .filter(|met| met.begun > back + Duration::from_secs(2))
        .filter_map(|met| met.error.as_ref())
        .collect();
    assert!(late.is_empty(), "{late:?}");
    assert!(met.iter().any(|met| met.error.is_none() && met.begun > back));
}

async fn on_thread<T: Send + 'static>(
    server: &Arc<Postgres>,
    work: impl FnOnce(&Postgres) -> T + Send + 'static,
) -> T {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || work(&server)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_was_terminated_while_idle_costs_no_error_and_one_connect() {
    let server = Postgres::start(&[]);
    let proxy = Proxy::start(server.port());
    let db = long_running(&proxy.url(&server.url()), 1).await;
    let before = backend(&db).await;
    tokio::time::sleep(db.plan().proof() + 50 * MS).await;
    server.sql(&format!("SELECT pg_terminate_backend({before}, 2000)"));
    let accepted = proxy.accepted();
    assert_ne!(backend(&db).await, before);
    assert_eq!(proxy.accepted() - accepted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_fate_is_unknown_is_not_tried_again() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 2).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    let write = tokio::spawn({
        let db = db.clone();
        async move {
            let insert = "WITH slow AS (SELECT pg_sleep(0.3)) INSERT INTO t SELECT 1 FROM slow";
            sqlx::query(insert).execute(&db).await
        }
    });
    tokio::time::sleep(100 * MS).await;
    proxy.set(Mode::Reset);
    write.await.unwrap().unwrap_err();
    proxy.set(Mode::Pass);
    tokio::time::sleep(500 * MS).await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&db).await.unwrap();
    assert!(rows <= 1, "{rows} rows of one statement");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_an_error_at_once_and_print_no_secret() {
    let server = Postgres::start(&[]);
    server.sql("CREATE ROLE locked LOGIN PASSWORD 'right'");
    let url = server.url().replace("//postgres@", "//locked:hunter2secret@");
    let begun = Instant::now();
    let error = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &[]).await.unwrap_err();
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(!format!("{error} {error:?}").contains("hunter2secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_stops_working_is_told_to_those_who_wait_at_once() {
    let server = Postgres::start(&[]);
    server.sql("CREATE ROLE locked LOGIN PASSWORD 'right'");
    let url = server.url().replace("//postgres@", "//locked:right@");
    let db = long_running(&url, 2).await;
    server.sql("ALTER ROLE locked PASSWORD 'other'");
    let _held = db.conn().await.unwrap();
    let begun = Instant::now();
    let error = db.conn().await.unwrap_err();
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_server_that_forbids_the_plan_refuses_the_start() {
    let server = Postgres::start(&["max_connections=20"]);
    let settings = [("APP_INSTANCES", "30")];
    let error = open::<sqlx::Postgres>(Paradigm::LongRunning, &server.url(), &settings).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("20 of the server") && text.contains("30 instances"), "{text}");
    let settings = [("DATABASE_POOL_SIZE", "15")];
    let error = open::<sqlx::Postgres>(Paradigm::LongRunning, &server.url(), &settings).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("only 14 fit") && text.contains("DATABASE_POOL_SIZE"), "{text}");
}
