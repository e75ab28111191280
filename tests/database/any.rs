//! One program on every kind of database: the handle whose kind the URL chooses.

use anyhost_core::Paradigm;
use anyhost_core::db::{AnyDb, Error};
use anyhost_tests::servers::{MariaDb, Postgres};
use futures_util::TryStreamExt;
use sqlx::{Executor, Row, SqlSafeStr, Statement};

use crate::kit::host;

async fn open(url: &str) -> Result<AnyDb, Error> {
    AnyDb::open(&host(Paradigm::LongRunning, &[("DATABASE_URL", url), ("APP_OVERLAP", "1")])).await
}

/// What a program does on each kind: only the parameters are written otherwise.
async fn serves_a_program(db: &AnyDb, insert: &'static str) {
    let both = "CREATE TABLE t (id BIGINT PRIMARY KEY, title VARCHAR(20), size DOUBLE PRECISION); \
                INSERT INTO t VALUES (1, 'first', 0.5)";
    sqlx::raw_sql(both).execute(db).await.unwrap();
    let inserted = sqlx::query(insert).bind(2_i64).bind(None::<String>).bind(1.5);
    assert_eq!(inserted.execute(db).await.unwrap().rows_affected(), 1);

    let all = "SELECT id, title, size FROM t ORDER BY id";
    let rows: Vec<(i64, Option<String>, f64)> =
        sqlx::query_as(all).fetch(db).try_collect().await.unwrap();
    assert_eq!(rows, [(1, Some("first".into()), 0.5), (2, None, 1.5)]);
    let row = sqlx::query("SELECT title FROM t WHERE id = 1").fetch_one(db).await.unwrap();
    assert_eq!(row.get::<String, _>("title"), "first");
    let none = sqlx::query("SELECT id FROM t WHERE id = 3").fetch_optional(db).await.unwrap();
    assert!(none.is_none());

    let statement = db.prepare(all.into_sql_str()).await.unwrap();
    let (id, _, _): (i64, Option<String>, f64) = statement.query_as().fetch_one(db).await.unwrap();
    assert_eq!(id, 1);
    let description = db.describe(all.into_sql_str()).await.unwrap();
    assert_eq!(description.columns().len(), 3);

    // The driver's own error comes through, and is no reason to close a connection.
    let error = sqlx::query(insert).bind(2_i64).bind("second").bind(0.0).execute(db).await;
    let error = error.unwrap_err();
    assert!(error.as_database_error().is_some_and(|error| error.is_unique_violation()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_does_the_same_on_every_kind_of_database() {
    let folder = tempfile::tempdir().unwrap();
    let dollars = "INSERT INTO t VALUES ($1, $2, $3)";
    let marks = "INSERT INTO t VALUES (?, ?, ?)";

    let db = open(&format!("sqlite:{}?mode=rwc", folder.path().join("t.db").display())).await;
    let db = db.unwrap();
    serves_a_program(&db, dollars).await;
    let AnyDb::Sqlite(db) = db else { panic!("{db:?}") };
    assert_eq!(db.stats().created, 1);

    let db = open(&Postgres::shared().database()).await.unwrap();
    serves_a_program(&db, dollars).await;
    let AnyDb::Postgres(db) = db else { panic!("{db:?}") };
    assert_eq!(db.stats().created, 1);

    let db = open(&MariaDb::shared().database()).await.unwrap();
    serves_a_program(&db, marks).await;
    let AnyDb::MySql(db) = db else { panic!("{db:?}") };
    assert_eq!(db.stats().created, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_not_every_kind_has_is_an_error_that_names_it() {
    let db = open(&Postgres::shared().database()).await.unwrap();
    let error = sqlx::query("SELECT CURRENT_TIMESTAMP").fetch_one(&db).await.err().unwrap();
    assert!(error.to_string().contains("Timestamptz"), "{error}");
    let text: String =
        sqlx::query_scalar("SELECT CAST(CURRENT_TIMESTAMP AS TEXT)").fetch_one(&db).await.unwrap();
    assert!(text.contains(':'), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_url_is_used_only_if_none_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| format!("sqlite:{}?mode=rwc", folder.path().join(name).display());
    let unset = host(Paradigm::LongRunning, &[]);
    assert!(AnyDb::open(&unset).await.unwrap_err().to_string().contains("DATABASE_URL"));
    AnyDb::open_or(&unset, &file("default.db")).await.unwrap();
    assert!(folder.path().join("default.db").exists());

    let url = Postgres::shared().database();
    let set = host(Paradigm::LongRunning, &[("DATABASE_URL", &url)]);
    let db = AnyDb::open_or(&set, &file("unused.db")).await.unwrap();
    assert!(matches!(db, AnyDb::Postgres(_)), "{db:?}");
    assert!(!folder.path().join("unused.db").exists());
}
