//! Statements that were prepared for an older schema are prepared again, without an error if that is possible.

use anyhost_core::Paradigm;
use anyhost_core::db::Db;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres};
use futures_util::TryStreamExt;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Row, encode::IsNull};
use tokio::time::timeout;

use crate::kit::{direct, long_running, open};

/// Runs a statement on every connection of a pool at once, so that each has it prepared.
async fn prepared_everywhere(db: &Db<sqlx::Postgres>, size: usize, statement: &'static str) {
    let mut held = Vec::new();
    for _ in 0..size {
        held.push(db.conn().await.unwrap());
    }
    for conn in &mut held {
        sqlx::query(statement).fetch_all(&mut **conn).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_altered_under_traffic_costs_no_error_outside_of_transactions() {
    const SIZE: usize = 5;
    let url = Postgres::shared().database();
    let (db, mut own) = (long_running(&url, SIZE).await, direct(&url).await);
    sqlx::raw_sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").execute(&db).await.unwrap();
    for (columns, alter) in [
        (2, "ALTER TABLE t ADD b int"),
        (2, "ALTER TABLE t ALTER a TYPE bigint"),
        (1, "ALTER TABLE t DROP b"),
        (1, "ALTER TABLE t RENAME a TO c; ALTER TABLE t RENAME c TO a"),
    ] {
        prepared_everywhere(&db, SIZE, "SELECT * FROM t").await;
        sqlx::raw_sql(alter).execute(&mut own).await.unwrap();
        let all = (0..20).map(|turn| {
            let db = db.clone();
            tokio::spawn(async move {
                if turn % 2 == 0 {
                    return sqlx::query("SELECT * FROM t").fetch_one(&db).await.unwrap().len();
                }
                let mut conn = db.conn().await.unwrap();
                let mut rows = sqlx::query("SELECT * FROM t").fetch(&mut *conn);
                rows.try_next().await.unwrap().unwrap().len()
            })
        });
        for met in futures_util::future::join_all(all).await {
            assert_eq!(met.unwrap(), columns, "{alter}");
        }
    }
    assert_eq!(db.stats().closed.lost + db.stats().closed.outdated, 0, "{:?}", db.stats());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_transactions_an_altered_table_costs_one_error_at_most() {
    const SIZE: usize = 4;
    let url = Postgres::shared().database();
    let (db, mut own) = (long_running(&url, SIZE).await, direct(&url).await);
    sqlx::raw_sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").execute(&db).await.unwrap();
    prepared_everywhere(&db, SIZE, "SELECT * FROM t").await;
    sqlx::raw_sql("ALTER TABLE t ADD b int").execute(&mut own).await.unwrap();
    let mut errors = 0;
    let mut held = Vec::new();
    for _ in 0..SIZE {
        let mut tx = db.begin().await.unwrap();
        errors += usize::from(sqlx::query("SELECT * FROM t").fetch_all(&mut *tx).await.is_err());
        held.push(tx);
    }
    assert!(errors <= 1, "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_does_not_support_costs_no_connection() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    for unsupported in [
        "SELECT count(*) FROM t FOR UPDATE",
        "SELECT a, count(*) FROM t GROUP BY a FOR SHARE",
        "CREATE TABLE u (a int) PARTITION BY LIST (a, a)",
        "DO $$ BEGIN RAISE 'made up' USING ERRCODE = '0A000'; END $$",
    ] {
        let closed = db.stats().closed;
        for _ in 0..10 {
            sqlx::query(unsupported).execute(&db).await.unwrap_err();
        }
        assert_eq!(db.stats().closed.lost, closed.lost, "{unsupported}");
        if !unsupported.starts_with("DO") {
            assert_eq!(db.stats().closed, closed, "{unsupported}");
        }
    }
}

/// A value of a type that is made anew.
struct Mood(&'static str);

impl sqlx::Type<sqlx::Postgres> for Mood {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("mood")
    }
}

impl sqlx::Encode<'_, sqlx::Postgres> for Mood {
    fn encode_by_ref(
        &self,
        buffer: &mut PgArgumentBuffer,
    ) -> Result<IsNull, sqlx::error::BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_is_made_anew_is_looked_up_again() {
    const MADE: &str = "DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('good', 'bad')";
    let url = Postgres::shared().database();
    let (db, mut own) = (long_running(&url, 2).await, direct(&url).await);
    sqlx::raw_sql(MADE).execute(&mut own).await.unwrap();
    let feel = |sql: &'static str| {
        let db = db.clone();
        async move { sqlx::query_scalar::<_, String>(sql).bind(Mood("bad")).fetch_one(&db).await }
    };
    assert_eq!(feel("SELECT $1::text").await.unwrap(), "bad");
    sqlx::raw_sql(MADE).execute(&mut own).await.unwrap();
    // By the statement that is prepared, and by one that is not.
    assert_eq!(feel("SELECT $1::text").await.unwrap(), "bad");
    sqlx::raw_sql(MADE).execute(&mut own).await.unwrap();
    assert_eq!(feel("SELECT $1::text AS other").await.unwrap(), "bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_statement_that_must_be_prepared_again_is() {
    let url = MariaDb::shared().database();
    let settings = [("DATABASE_POOL_SIZE", "1")];
    let (_host, db) = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    // It fails so the first time; what counts is not undone with the statement.
    let made = "CREATE TABLE runs (a int) ENGINE = MyISAM; \
         CREATE FUNCTION run() RETURNS int BEGIN \
           INSERT INTO runs VALUES (1); \
           IF (SELECT COUNT(*) FROM runs) = 1 THEN \
             SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1615, MESSAGE_TEXT = 'again'; \
           END IF; \
           RETURN 7; END";
    sqlx::raw_sql(made).execute(&db).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i32>("SELECT run()").fetch_one(&db).await.unwrap(), 7);
    sqlx::raw_sql("TRUNCATE runs").execute(&db).await.unwrap();
    let all = sqlx::query_scalar::<_, i32>("SELECT run()").fetch_all(&db).await.unwrap();
    assert_eq!(all, [7]);
    // Once, and not repeatedly.
    sqlx::raw_sql(
        "CREATE OR REPLACE FUNCTION run() RETURNS int BEGIN \
             SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1615; RETURN 7; END",
    )
    .execute(&db)
    .await
    .unwrap();
    sqlx::query("SELECT run()").fetch_one(&db).await.unwrap_err();
    // A table that is altered gives its new columns.
    sqlx::raw_sql("ALTER TABLE runs ADD b int").execute(&db).await.unwrap();
    assert_eq!(sqlx::query("SELECT * FROM runs").fetch_one(&db).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_table_that_is_altered_gives_its_new_columns() {
    let (_folder, db) = crate::transactions::sqlite().await;
    sqlx::raw_sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").execute(&db).await.unwrap();
    // On several connections.
    for _ in 0..3 {
        let (mut one, mut other) = (db.conn().await.unwrap(), db.conn().await.unwrap());
        for conn in [&mut one, &mut other] {
            sqlx::query("SELECT * FROM t").fetch_one(&mut **conn).await.unwrap();
        }
        sqlx::raw_sql("ALTER TABLE t ADD b int").execute(&db).await.unwrap();
        for conn in [&mut one, &mut other] {
            let row = sqlx::query("SELECT * FROM t").fetch_one(&mut **conn).await.unwrap();
            assert_eq!(row.len(), 2);
            row.try_get::<Option<i64>, _>("b").unwrap();
        }
        let mut tx = db.begin().await.unwrap();
        sqlx::query("ALTER TABLE t DROP b").execute(&mut *tx).await.unwrap();
        let row = sqlx::query("SELECT * FROM t").fetch_one(&mut *tx).await.unwrap();
        assert_eq!(row.len(), 1);
        tx.commit().await.unwrap();
        for conn in [&mut one, &mut other] {
            let rows = sqlx::query("SELECT * FROM t").fetch_all(&mut **conn).await.unwrap();
            assert_eq!(rows[0].len(), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_of_sqlite_that_dies_keeps_no_caller_waiting() {
    let (folder, db) = crate::transactions::sqlite().await;
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let (_host, other) = open::<sqlx::Sqlite>(Paradigm::LongRunning, &url, &[]).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").execute(&db).await.unwrap();
    for round in 0..20 {
        sqlx::query("SELECT * FROM t").fetch_one(&db).await.unwrap();
        let alter = sqlx::AssertSqlSafe(format!("ALTER TABLE t ADD column_{round} int"));
        sqlx::raw_sql(alter).execute(&other).await.unwrap();
        // The driver's thread panics: a command that is sent to it meanwhile is never answered.
        let met = timeout(PATIENCE, sqlx::query("SELECT * FROM t").fetch_optional(&db)).await;
        let met = met.unwrap_or_else(|_| panic!("round {round}: it hangs"));
        assert!(met.map_or(true, |row| row.is_some()), "round {round}: the table seemed empty");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_table_that_another_process_altered_is_an_error_and_not_an_empty_one() {
    let (folder, db) = crate::transactions::sqlite().await;
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let (_host, other) = open::<sqlx::Sqlite>(Paradigm::LongRunning, &url, &[]).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").execute(&db).await.unwrap();
    for column in ["b", "c", "d"] {
        sqlx::query("SELECT * FROM t").fetch_one(&db).await.unwrap();
        let alter = sqlx::AssertSqlSafe(format!("ALTER TABLE t ADD {column} int"));
        sqlx::raw_sql(alter).execute(&other).await.unwrap();
        let met = match column {
            "b" => {
                sqlx::query("SELECT * FROM t").fetch_optional(&db).await.map(|row| row.is_some())
            }
            "c" => sqlx::query("SELECT * FROM t").fetch_all(&db).await.map(|rows| !rows.is_empty()),
            _ => sqlx::query("SELECT * FROM t").fetch_one(&db).await.map(|_| true),
        };
        assert!(met.unwrap_or(true), "the table seemed empty");
        // A new connection knows the new table.
        sqlx::query("SELECT * FROM t").fetch_one(&db).await.unwrap();
    }
}
