//! Migrations: one process at a time, on a connection of its own that leaves nothing behind.

use std::borrow::Cow;

use anyhost_core::Paradigm;
use anyhost_core::db::{Db, Error};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, PgBouncer, Postgres, Proxy};
use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use tokio::time::timeout;

use crate::kit::{abandon_at_work, counted, direct, eventually, host, long_running};

fn migrator(statements: &[&'static str]) -> Migrator {
    let migrations = statements.iter().zip(1..).map(|(statement, version)| {
        let sql = SqlStr::from_static(statement);
        Migration::new(version, "a step".into(), MigrationType::Simple, sql, false)
    });
    Migrator { migrations: Cow::Owned(migrations.collect()), ..Migrator::DEFAULT }
}

const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
     AND datname = current_database() AND query LIKE 'SELECT pg_sleep%'";

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_migrate_at_once_take_turns_and_both_succeed() {
    let url = Postgres::shared().database();
    let host = host(Paradigm::LongRunning, &[("DATABASE_URL", &url)]);
    let steps =
        migrator(&["CREATE TABLE a (a int); SELECT pg_sleep(0.3)", "CREATE TABLE b (b int)"]);
    let both = [Db::<sqlx::Postgres>::migrate(&host, &steps), Db::migrate(&host, &steps)];
    for outcome in futures_util::future::join_all(both).await {
        outcome.unwrap();
    }
    let db = long_running(&url, 1).await;
    db.check_schema(&steps).await.unwrap();
    let more = migrator(&[
        "CREATE TABLE a (a int); SELECT pg_sleep(0.3)",
        "CREATE TABLE b (b int)",
        "SELECT 1",
    ]);
    let error = db.check_schema(&more).await.unwrap_err();
    assert!(error.to_string().contains("it lacks migration 3 (a step)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_leaves_no_lock_and_the_next_begins_at_once() {
    let server = Postgres::start(&[]);
    let host = host(Paradigm::LongRunning, &[("DATABASE_URL", &server.url())]);
    let wrong = migrator(&["CREATE TABLE a (nonsense)"]);
    let error = Db::<sqlx::Postgres>::migrate(&host, &wrong).await.unwrap_err();
    assert!(matches!(error, Error::Migration { .. }), "{error}");
    let mut own = direct(&server.url()).await;
    counted(&mut own, LOCKS, 0, PATIENCE).await;
    // One that is cancelled half-way as well.
    let slow = migrator(&["SELECT pg_sleep(600)"]);
    abandon_at_work(&mut own, SLEEPING, Db::<sqlx::Postgres>::migrate(&host, &slow)).await;
    counted(&mut own, LOCKS, 0, PATIENCE).await;
    Db::<sqlx::Postgres>::migrate(&host, &migrator(&["CREATE TABLE a (a int)"])).await.unwrap();
    // sqlx's own way leaves its lock on the connection.
    let _ = wrong_again(&mut own).await;
    // Those of the connection that was closed above may take a moment to go.
    counted(&mut own, LOCKS, 1, PATIENCE).await;
}

async fn wrong_again(own: &mut sqlx::PgConnection) -> Result<(), sqlx::migrate::MigrateError> {
    let mut wrong = migrator(&["SELECT 1", "CREATE TABLE a (nonsense)"]);
    wrong.set_ignore_missing(true);
    wrong.run_direct(None, own, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_migrations_take_the_direct_url_or_refuse() {
    let server = Postgres::shared();
    let direct = server.database();
    let pooler = PgBouncer::start(server, 1);
    let pooled = pooler.url(&direct);
    let steps = migrator(&["CREATE TABLE a (a int)"]);
    let settings = [("DATABASE_URL", pooled.as_str()), ("DATABASE_POOLER", "pgbouncer")];
    let refused =
        Db::<sqlx::Postgres>::migrate(&host(Paradigm::LongRunning, &settings), &steps).await;
    assert!(refused.unwrap_err().to_string().starts_with("DIRECT_DATABASE_URL"));
    let settings = [settings[0], settings[1], ("DIRECT_DATABASE_URL", &direct)];
    Db::<sqlx::Postgres>::migrate(&host(Paradigm::LongRunning, &settings), &steps).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_behind_a_pooler_all_see_the_schema() {
    let server = Postgres::shared();
    let url = server.database();
    let steps = migrator(&["CREATE TABLE a (a int)"]);
    let own = host(Paradigm::LongRunning, &[("DATABASE_URL", &url)]);
    Db::<sqlx::Postgres>::migrate(&own, &steps).await.unwrap();
    let pooler = PgBouncer::start(server, 2);
    let pooled = pooler.url(&url);
    let settings =
        [("DATABASE_URL", &*pooled), ("DATABASE_POOLER", "pgbouncer"), ("DATABASE_POOL_SIZE", "1")];
    let checks = (0..8).map(async |_| {
        let host = host(Paradigm::LongRunning, &settings);
        let db = Db::<sqlx::Postgres>::open(&host).await.unwrap();
        for _ in 0..50 {
            db.check_schema(&steps).await.unwrap();
        }
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_the_lock_for_too_long_is_named() {
    let url = Postgres::shared().database();
    let mut holder = direct(&format!("{url}?application_name=a-forgotten-shell")).await;
    let lock = "SELECT pg_advisory_lock(7308888618279137136)";
    sqlx::query(lock).execute(&mut holder).await.unwrap();
    let pid: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut holder).await.unwrap();
    let settings = [("DATABASE_URL", url.as_str()), ("DATABASE_LOCK_TIMEOUT", "300ms")];
    let host = host(Paradigm::LongRunning, &settings);
    let steps = migrator(&["CREATE TABLE a (a int)"]);
    let migrated = timeout(PATIENCE, Db::<sqlx::Postgres>::migrate(&host, &steps));
    let error = migrated.await.expect("it ends in time").unwrap_err();
    let text = error.to_string();
    let holder_is = format!("held by process {pid} (a-forgotten-shell) from 127.0.0.1, since 20");
    assert!(text.contains(&holder_is) && text.ends_with("for more than 0.3 s"), "{text}");
    drop(holder);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_migrations_take_turns_name_who_is_in_the_way_and_leave_no_lock() {
    let server = MariaDb::shared();
    let url = server.database();
    let (_, name) = url.rsplit_once('/').unwrap();
    let settings = [("DATABASE_URL", url.as_str()), ("DATABASE_LOCK_TIMEOUT", "60s")];
    let patient = host(Paradigm::LongRunning, &settings);
    let steps = migrator(&["CREATE TABLE a (a int)", "DO SLEEP(0.3)"]);
    let both = [Db::<sqlx::MySql>::migrate(&patient, &steps), Db::migrate(&patient, &steps)];
    for outcome in futures_util::future::join_all(both).await {
        outcome.unwrap();
    }
    let wrong = migrator(&["CREATE TABLE a (a int)", "DO SLEEP(0.3)", "CREATE TABLE b (nonsense)"]);
    let error = Db::<sqlx::MySql>::migrate(&patient, &wrong).await.unwrap_err();
    assert!(matches!(error, Error::Migration { .. }), "{error}");
    let locked = format!("SELECT IS_USED_LOCK('anyhost:{name}') IS NULL");
    eventually("the lock of a failed migration goes", async || server.sql(&locked) == "1").await;
    // Another session holds the lock.
    let mut holder = <sqlx::MySqlConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let lock = sqlx::query("SELECT GET_LOCK(CONCAT('anyhost:', DATABASE()), 0)");
    lock.execute(&mut holder).await.unwrap();
    let id: u64 =
        sqlx::query_scalar("SELECT CONNECTION_ID()").fetch_one(&mut holder).await.unwrap();
    let settings = [settings[0], ("DATABASE_LOCK_TIMEOUT", "1s")];
    let hurried = host(Paradigm::LongRunning, &settings);
    let error = Db::<sqlx::MySql>::migrate(&hurried, &steps).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("held by connection {id} (app) from localhost")), "{text}");
    drop(holder);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_processes_that_migrate_at_once_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("test.db").display());
    let host = host(Paradigm::LongRunning, &[("DATABASE_URL", &url)]);
    let steps =
        migrator(&["CREATE TABLE a (a int)", "CREATE TABLE b (b int)", "CREATE TABLE c (c int)"]);
    let steps = std::sync::Arc::new(steps);
    let all = (0..8).map(|_| {
        let (host, steps) = (host.clone(), std::sync::Arc::clone(&steps));
        tokio::spawn(async move { Db::<sqlx::Sqlite>::migrate(&host, &steps).await })
    });
    for outcome in futures_util::future::join_all(all.collect::<Vec<_>>()).await {
        outcome.unwrap().unwrap();
    }
    // One that is wrong by itself fails all the same.
    let wrong = migrator(&[
        "CREATE TABLE a (a int)",
        "CREATE TABLE b (b int)",
        "CREATE TABLE c (c int)",
        "CREATE TABLE d (nonsense",
    ]);
    let error = Db::<sqlx::Sqlite>::migrate(&host, &wrong).await.unwrap_err();
    assert!(matches!(error, Error::Migration { .. }), "{error}");
    Db::<sqlx::Sqlite>::open(&host).await.unwrap().check_schema(&steps).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_wait_for_a_server_that_is_still_starting() {
    let server = Postgres::start(&[]);
    let proxy = Proxy::start(server.port());
    let url = proxy.url(&server.url());
    server.stop();
    let host = host(Paradigm::LongRunning, &[("DATABASE_URL", &url)]);
    let steps = migrator(&["CREATE TABLE a (a int)"]);
    let mut migrates = std::pin::pin!(Db::<sqlx::Postgres>::migrate(&host, &steps));
    // It has tried in vain, and goes on.
    tokio::select! {
        early = &mut migrates => panic!("there is nobody to migrate: {early:?}"),
        () = eventually("it tries twice", async || proxy.accepted() >= 2) => {}
    }
    server.restart();
    migrates.await.unwrap();
    assert_eq!(server.sql("SELECT count(*) FROM a"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_is_told_at_once() {
    let host = host(Paradigm::LongRunning, &[("DATABASE_URL", "sqlite:/nowhere/app.db?mode=rwc")]);
    let steps = migrator(&["CREATE TABLE a (a int)"]);
    let both = async {
        let migrated = Db::<sqlx::Sqlite>::migrate(&host, &steps).await;
        (migrated.unwrap_err(), Db::<sqlx::Sqlite>::open(&host).await.unwrap_err())
    };
    let (migrated, opened) = timeout(PATIENCE, both).await.unwrap();
    for error in [migrated, opened] {
        assert!(matches!(error, Error::Setting(_)), "{error}");
        assert!(error.to_string().starts_with("DATABASE_URL: /nowhere/app.db "), "{error}");
        assert!(error.to_string().contains("unable to open database file"), "{error}");
    }
}
