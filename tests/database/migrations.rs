//! Migrations that run at the same time, migrations that were interrupted, and their messages.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anyhost_core::db::{Db, Error};
use anyhost_core::{Host, Paradigm};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres};
use futures_util::future::join_all;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{Connection, Executor, MySqlConnection, PgConnection, SqlStr};

use crate::kit::{Lines, direct, host};

/// A migrator of these statements; those that begin with `--` run outside of a transaction.
pub(crate) fn migrator(statements: &[&'static str]) -> Migrator {
    let migrations = statements.iter().zip(1..).map(|(statement, version)| {
        let sql = SqlStr::from_static(statement);
        let alone = statement.starts_with("--");
        Migration::new(version, "a step".into(), MigrationType::Simple, sql, alone)
    });
    Migrator { migrations: Cow::Owned(migrations.collect()), ..Migrator::DEFAULT }
}

fn on(url: &str, more: &[(&str, &str)]) -> Host {
    let mut settings = vec![("DATABASE_URL", url)];
    settings.extend(more);
    host(Paradigm::LongRunning, &settings)
}

/// Statements that wait for every snapshot that is older than they are.
const WITHOUT_TRANSACTION: [&str; 5] = [
    "CREATE TABLE t (a int); SELECT pg_sleep(0.5)",
    "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a)",
    "-- no-transaction\nREINDEX INDEX CONCURRENTLY i",
    "-- no-transaction\nDROP INDEX CONCURRENTLY i",
    "CREATE TABLE u (a int)",
];

#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_meet_do_not_deadlock_outside_of_transactions() {
    let server = Postgres::start(&["deadlock_timeout=100ms"]);
    let url = server.database();
    let host = on(&url, &[]);
    let steps = migrator(&WITHOUT_TRANSACTION);
    let all = (0..4).map(|_| Db::<sqlx::Postgres>::migrate(&host, &steps));
    for outcome in join_all(all).await {
        outcome.unwrap();
    }
    let mut own = direct(&url).await;
    let applied = own.list_applied_migrations("_sqlx_migrations").await.unwrap();
    assert_eq!(applied.len(), WITHOUT_TRANSACTION.len());
    // sqlx's migrator waits inside a statement.
    let url = server.database();
    let all = (0..3).map(async |_| {
        let mut own = direct(&url).await;
        migrator(&WITHOUT_TRANSACTION).run_direct(None, &mut own, false).await
    });
    let failed = join_all(all).await.into_iter().filter_map(Result::err);
    let texts: Vec<String> = failed.map(|error| error.to_string()).collect();
    assert!(texts.iter().any(|text| text.contains("deadlock detected")), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_waits_for_as_long_as_another_is_at_work() {
    // A time that ends several times before the migrations do.
    let hurried = [("DATABASE_LOCK_TIMEOUT", "2s")];
    let url = Postgres::shared().database();
    let patient = on(&url, &hurried);
    let steps = migrator(&["SELECT pg_sleep(4)", "-- no-transaction\nSELECT pg_sleep(4)"]);
    let ours = (0..3).map(|_| Db::<sqlx::Postgres>::migrate(&patient, &steps));
    // One of them is sqlx's own.
    let theirs = async {
        let mut own = direct(&url).await;
        steps.run_direct(None, &mut own, false).await
    };
    let (ours, theirs) = tokio::join!(join_all(ours), theirs);
    theirs.unwrap();
    for outcome in ours {
        outcome.unwrap();
    }
    let url = MariaDb::shared().database();
    let patient = on(&url, &hurried);
    let steps = migrator(&["DO SLEEP(6)", "CREATE TABLE a (a int)"]);
    let all = (0..3).map(|_| Db::<sqlx::MySql>::migrate(&patient, &steps));
    for outcome in join_all(all).await {
        outcome.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_of_sqlx_are_waited_for_too() {
    let steps = migrator(&["CREATE TABLE a (a int)"]);
    let hurried = [("DATABASE_LOCK_TIMEOUT", "300ms")];
    let url = Postgres::shared().database();
    let mut tool = direct(&format!("{url}?application_name=sqlx-cli")).await;
    Migrate::lock(&mut tool).await.unwrap();
    let error = Db::<sqlx::Postgres>::migrate(&on(&url, &hurried), &steps).await.unwrap_err();
    assert!(error.to_string().contains("(sqlx-cli) from 127.0.0.1"), "{error}");
    Migrate::unlock(&mut tool).await.unwrap();
    Db::<sqlx::Postgres>::migrate(&on(&url, &hurried), &steps).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_tool_of_sqlx_is_not_taken_for_an_idle_migration() {
    let steps = migrator(&["CREATE TABLE a (a int)"]);
    let hurried = [("DATABASE_LOCK_TIMEOUT", "2s")];
    // The tool is at work for several times as long as an idle holder would be waited for.
    let url = Postgres::shared().database();
    let mut tool = direct(&url).await;
    Migrate::lock(&mut tool).await.unwrap();
    let host = on(&url, &hurried);
    let ours = (0..3).map(|_| Db::<sqlx::Postgres>::migrate(&host, &steps));
    let work = async {
        sqlx::query("SELECT pg_sleep(6)").execute(&mut tool).await.unwrap();
        Migrate::unlock(&mut tool).await.unwrap();
    };
    let (ours, ()) = tokio::join!(join_all(ours), work);
    for outcome in ours {
        outcome.unwrap();
    }
    let url = MariaDb::shared().database();
    let mut tool = sqlx::MySqlConnection::connect(&url).await.unwrap();
    Migrate::lock(&mut tool).await.unwrap();
    let host = on(&url, &hurried);
    let ours = (0..3).map(|_| Db::<sqlx::MySql>::migrate(&host, &steps));
    let work = async {
        sqlx::query("DO SLEEP(6)").execute(&mut tool).await.unwrap();
        Migrate::unlock(&mut tool).await.unwrap();
    };
    let (ours, ()) = tokio::join!(join_all(ours), work);
    for outcome in ours {
        outcome.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_touches_only_the_kind_of_database_that_the_app_opens() {
    let server = Postgres::shared();
    let url = server.database();
    let (_, name) = url.rsplit_once('/').unwrap();
    let steps = migrator(&["CREATE TABLE wrongly (a int)"]);
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}?mode=rwc", folder.path().join("a.db").display());
    let as_mysql = url.replace("postgres://", "mysql://");
    let mut errors = Vec::new();
    for other in [file.as_str(), as_mysql.as_str(), "sqlite:wrongly2"] {
        errors.push(Db::<sqlx::Postgres>::migrate(&on(other, &[]), &steps).await);
        // The App opens another kind, or the direct URL is of another kind.
        let direct = [("DIRECT_DATABASE_URL", url.as_str())];
        errors.push(Db::<sqlx::Postgres>::migrate(&on(other, &direct), &steps).await);
        let direct = [("DIRECT_DATABASE_URL", other)];
        errors.push(Db::<sqlx::Postgres>::migrate(&on(&url, &direct), &steps).await);
    }
    let none = host(Paradigm::LongRunning, &[]);
    errors.push(Db::<sqlx::Sqlite>::builder(&none).url_or(&*url).migrate(&steps).await);
    errors.push(Db::<sqlx::MySql>::builder(&none).url_or(&*url).migrate(&steps).await);
    for error in errors {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Setting(_)), "{error}");
        assert!(error.to_string().contains("DATABASE_URL: expected a "), "{error}");
    }
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(server.sql_in(name, tables), "0");
    assert!(folder.path().read_dir().unwrap().next().is_none());
}

#[tokio::test]
async fn what_migrate_did_is_logged() {
    let lines = Lines::default();
    let _guard = lines.capture();
    let url = Postgres::shared().database();
    let (_, place) = url.split_once('@').unwrap();
    let steps = migrator(&["CREATE TABLE a (a int)", "CREATE TABLE b (a int)"]);
    Db::<sqlx::Postgres>::migrate(&on(&url, &[]), &steps).await.unwrap();
    let text = lines.text();
    let did = format!("2 migrations applied to {place} (DATABASE_URL): 1 (a step), 2 (a step)");
    assert!(text.contains(&did), "{text}");
    Db::<sqlx::Postgres>::migrate(&on(&url, &[]), &steps).await.unwrap();
    let text = lines.text();
    let nothing = format!("{place} (DATABASE_URL) is up to date: 2 migrations");
    assert!(text.contains(&nothing) && !text.contains("already exists"), "{text}");
}

/// A table in which an index of one column cannot be unique.
async fn with_doubles(url: &str) -> PgConnection {
    let mut own = direct(url).await;
    own.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)").await.unwrap();
    own
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_building_was_interrupted_is_named_with_the_way_out() {
    let url = Postgres::shared().database();
    let mut own = with_doubles(&url).await;
    let steps = migrator(&[
        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a)",
    ]);
    let migrate = || async {
        Db::<sqlx::Postgres>::migrate(&on(&url, &[("DATABASE_LOCK_TIMEOUT", "300ms")]), &steps)
            .await
    };
    let way_out = "the index public.t_a is invalid, as an interrupted CREATE INDEX CONCURRENTLY leaves it: \
                   run DROP INDEX CONCURRENTLY public.t_a, then migrate again";
    let error = migrate().await.unwrap_err();
    assert!(error.to_string().contains(way_out), "{error}");
    assert!(error.to_string().starts_with("migration 1 (a step) failed: "), "{error}");
    let code = error.driver().unwrap().as_database_error().unwrap().code();
    assert_eq!(code.as_deref(), Some("23505"));
    // The second time IF NOT EXISTS would skip it.
    own.execute("DELETE FROM t").await.unwrap();
    let error = migrate().await.unwrap_err();
    assert!(error.to_string().contains(way_out), "{error}");
    own.execute("DROP INDEX t_a").await.unwrap();
    migrate().await.unwrap();

    // The time for locks is over before an old transaction is.
    let url = Postgres::shared().database();
    let mut old = with_doubles(&url).await;
    old.execute("BEGIN; DELETE FROM t").await.unwrap();
    let migrate = async |timeout| {
        let host = on(&url, &[("DATABASE_LOCK_TIMEOUT", timeout)]);
        Db::<sqlx::Postgres>::migrate(&host, &steps).await
    };
    let error = migrate("300ms").await.unwrap_err();
    assert!(error.to_string().contains("lock timeout"), "{error}");
    assert!(error.to_string().contains(way_out), "{error}");
    // The process ends in the middle of it.
    old.execute("ROLLBACK").await.unwrap();
    let mut own = direct(&url).await;
    own.execute("DROP INDEX t_a").await.unwrap();
    old.execute("BEGIN; DELETE FROM t").await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(500), migrate("60s")).await;
    given_up.unwrap_err();
    let until = Instant::now() + PATIENCE;
    let error = loop {
        match migrate("200ms").await {
            // The session of the process that has gone is still there.
            Err(Error::Schema(text)) if text.contains("the lock for migrations") => {}
            outcome => break outcome.unwrap_err(),
        }
        assert!(Instant::now() < until, "the lock is still held");
    };
    assert!(error.to_string().contains(way_out), "{error}");
    old.execute("COMMIT").await.unwrap();
    own.execute("DROP INDEX t_a").await.unwrap();
    migrate("60s").await.unwrap();
    // An index of another program, and one that a migration removes, do not prevent a migration.
    let more = migrator(&[
        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a)",
        "-- no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS t_b",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY t_c ON t (a)",
    ]);
    own.execute("DROP INDEX t_a; INSERT INTO t VALUES (1), (1)").await.unwrap();
    own.execute("CREATE UNIQUE INDEX CONCURRENTLY t_b ON t (a)").await.unwrap_err();
    Db::<sqlx::Postgres>::migrate(&on(&url, &[]), &more).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_stopped_half_way_is_named_with_the_way_out() {
    let server = MariaDb::shared();
    let url = server.database();
    let host = on(&url, &[]);
    let steps = migrator(&["CREATE TABLE a (a int); CREATE TABLE b (nonsense)"]);
    let way_out = "either undo that by hand and run DELETE FROM _sqlx_migrations WHERE version = 1";
    let error = Db::<sqlx::MySql>::migrate(&host, &steps).await.unwrap_err();
    assert!(error.to_string().starts_with("migration 1 (a step) failed: "), "{error}");
    assert!(error.to_string().contains(way_out), "{error}");
    assert!(error.driver().unwrap().as_database_error().is_some(), "{error}");
    let error = Db::<sqlx::MySql>::migrate(&host, &steps).await.unwrap_err();
    assert!(error.to_string().contains("migration 1 (a step) began and did not finish"), "{error}");
    assert!(error.to_string().contains(way_out), "{error}");
    // The way out leads out.
    let mut own = MySqlConnection::connect(&url).await.unwrap();
    own.execute("DROP TABLE a").await.unwrap();
    own.execute("DELETE FROM _sqlx_migrations WHERE version = 1").await.unwrap();
    let steps = migrator(&["CREATE TABLE a (a int); CREATE TABLE b (b int)"]);
    Db::<sqlx::MySql>::migrate(&host, &steps).await.unwrap();
    // On PostgreSQL a transaction undoes it, and the message names what ran outside of one.
    let url = Postgres::shared().database();
    let steps = migrator(&["CREATE TABLE a (a int)", "-- no-transaction\nCREATE TABLE a (a int)"]);
    let error = Db::<sqlx::Postgres>::migrate(&on(&url, &[]), &steps).await.unwrap_err();
    assert!(error.to_string().contains("migration 2 (a step) failed"), "{error}");
    assert!(error.to_string().contains("so what it did before stays"), "{error}");
    // Another text than the one that was applied, and a migration that is not known.
    for (changed, expected) in [
        (&["CREATE TABLE a (b int)"][..], "with another text than this program has"),
        (&[][..], "this program does not have it"),
    ] {
        let error = Db::<sqlx::Postgres>::migrate(&on(&url, &[]), &migrator(changed)).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
