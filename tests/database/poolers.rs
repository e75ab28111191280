//! Behind PgBouncer in transaction mode, where the next statement may meet another server connection.

use anyhost_core::Paradigm;
use anyhost_core::adapter::HostHandles as _;
use anyhost_core::db::{Db, Error};
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{PgBouncer, Postgres};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};

use crate::kit::{direct, eventually, host, open};

/// How many statements each of three clients runs; together with the transactions 100,000.
const ROUNDS: usize = 8_334;

async fn through(pooler: &PgBouncer, direct: &str, mode: &str) -> Db<sqlx::Postgres> {
    let settings = [("DATABASE_POOLER", mode), ("DATABASE_POOL_SIZE", "1")];
    open(Paradigm::LongRunning, &pooler.url(direct), &settings).await.unwrap().1
}

/// A server with a table and a type of its own, and a pooler with this many connections to it.
async fn pooled(size: usize) -> (&'static Postgres, PgBouncer, String) {
    let server = Postgres::shared();
    let url = server.database();
    let mut own = direct(&url).await;
    own.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); \
         CREATE TABLE t (id int PRIMARY KEY, word text, mood mood); \
         INSERT INTO t SELECT g, 'word ' || g, 'happy' FROM generate_series(1, 100) g",
    )
    .await
    .unwrap();
    (server, PgBouncer::start(server, size), url)
}

#[derive(Debug, PartialEq, sqlx::Type)]
#[sqlx(type_name = "mood", rename_all = "lowercase")]
enum Mood {
    Sad,
    Happy,
}

#[tokio::test(flavor = "multi_thread")]
async fn three_clients_of_a_pool_of_two_run_a_hundred_thousand_mixed_statements() {
    let (_server, pooler, url) = pooled(2).await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..3 {
        let db = through(&pooler, &url, "pgbouncer").await;
        clients.spawn(async move {
            let mut random = fastrand::Rng::with_seed(client);
            for round in 0..ROUNDS {
                let id = random.i32(1..=100);
                let word = format!("word {id}");
                let found: String = sqlx::query_scalar("SELECT word FROM t WHERE id = $1")
                    .bind(id)
                    .fetch_one(&db)
                    .await
                    .unwrap_or_else(|error| panic!("round {round}: {error}"));
                assert_eq!(found, word);
                let found: (i32, String) =
                    sqlx::query_as("SELECT id, word FROM t WHERE word = $1 AND id <> $2")
                        .bind(&word)
                        .bind(0)
                        .fetch_one(&db)
                        .await
                        .unwrap();
                assert_eq!(found, (id, word));
                if round % 2 == 0 {
                    let mut tx = db.begin().await.unwrap();
                    sqlx::query("UPDATE t SET mood = 'happy' WHERE id = $1")
                        .bind(id)
                        .execute(&mut *tx)
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                } else {
                    sqlx::query("SELECT $1::int, $2::int, $3::text")
                        .bind(1)
                        .bind(2)
                        .bind("three")
                        .execute(&db)
                        .await
                        .unwrap();
                }
                sqlx::raw_sql("SELECT 1; SELECT 2").execute(&db).await.unwrap();
            }
        });
    }
    clients.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_of_ones_own_works_behind_a_pooler() {
    let (_server, pooler, url) = pooled(2).await;
    let (one, other) =
        (through(&pooler, &url, "pgbouncer").await, through(&pooler, &url, "pgbouncer").await);
    for _ in 0..20 {
        for db in [&one, &other] {
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t WHERE mood = $1")
                .bind(Mood::Happy)
                .fetch_one(db)
                .await
                .unwrap();
            assert_eq!(count, 100);
            let mood: Mood =
                sqlx::query_scalar("SELECT mood FROM t LIMIT 1").fetch_one(db).await.unwrap();
            assert_eq!(mood, Mood::Happy);
        }
    }
    // A type that this connection has not met yet.
    let fresh = through(&pooler, &url, "pgbouncer").await;
    let none: i64 = sqlx::query_scalar("SELECT count(*) FROM t WHERE mood = $1")
        .bind(Mood::Sad)
        .fetch_one(&fresh)
        .await
        .unwrap();
    assert_eq!(none, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_stays_behind_on_the_servers_connection() {
    let (_server, pooler, url) = pooled(1).await;
    let db = through(&pooler, &url, "pgbouncer").await;
    for number in 0..1000 {
        let text = format!("SELECT {}, $1::int", number % 50);
        sqlx::query(sqlx::AssertSqlSafe(text)).bind(number).execute(&db).await.unwrap();
    }
    let named: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")
            .fetch_one(&db)
            .await
            .unwrap();
    assert_eq!(named, 0);
    // sqlx without a cache prepares a new one each time and closes none.
    let options: PgConnectOptions = url.parse().unwrap();
    let mut bare = options.statement_cache_capacity(0).connect().await.unwrap();
    for number in 0..100 {
        sqlx::query("SELECT $1::int").bind(number).execute(&mut bare).await.unwrap();
    }
    let named: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_prepared_statements")
        .fetch_one(&mut bare)
        .await
        .unwrap();
    assert!(named >= 100, "{named}");
}

/// A client of sqlx's own that PgBouncer lets in.
async fn bare(pooler: &PgBouncer, url: &str) -> PgConnection {
    let options: PgConnectOptions = pooler.url(url).parse().unwrap();
    options.extra_float_digits(None).connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn control_sqlx_with_its_defaults_fails_behind_a_pooler() {
    let (_server, pooler, url) = pooled(1).await;
    // Its start-up parameters alone are refused.
    let refused = PgConnection::connect(&pooler.url(&url)).await.unwrap_err();
    assert!(refused.to_string().contains("unsupported startup parameter"), "{refused}");
    // Two clients name their statements alike.
    let (mut one, mut other) = (bare(&pooler, &url).await, bare(&pooler, &url).await);
    sqlx::query("SELECT $1::int").bind(1).execute(&mut one).await.unwrap();
    let exists = sqlx::query("SELECT $1::text").bind("a").execute(&mut other).await.unwrap_err();
    assert!(exists.to_string().contains("already exists"), "{exists}");
    // The server connection that knew a statement is gone.
    pooler.command("RECONNECT");
    let mut gone = String::new();
    eventually("its statement is gone", async || {
        let known = sqlx::query("SELECT $1::int").bind(1).execute(&mut one).await;
        gone = known.err().map(|error| error.to_string()).unwrap_or_default();
        !gone.is_empty()
    })
    .await;
    assert!(gone.contains("does not exist"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn control_unnamed_statements_alone_fail_behind_a_pooler() {
    let (_server, pooler, url) = pooled(2).await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..3 {
        let mut bare = bare(&pooler, &url).await;
        clients.spawn(async move {
            for _ in 0..3000 {
                let outcome = if client == 0 {
                    let two = sqlx::query("SELECT $1::int + $2::int").bind(1).bind(2);
                    two.persistent(false).execute(&mut bare).await
                } else {
                    let one = sqlx::query("SELECT $1::text").bind("a");
                    one.persistent(false).execute(&mut bare).await
                };
                if let Err(error) = outcome {
                    return Some(error.to_string());
                }
            }
            None
        });
    }
    let errors: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    assert!(!errors.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_mode_gives_one_error_that_names_the_setting() {
    let (_server, pooler, url) = pooled(1).await;
    let first = through(&pooler, &url, "pgbouncer-prepared").await;
    sqlx::query("SELECT $1::int").bind(1).execute(&first).await.unwrap();
    let second = through(&pooler, &url, "pgbouncer-prepared").await;
    let error = sqlx::query("SELECT $1::text").bind("a").execute(&second).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("DATABASE_POOLER"), "{text}");
    assert!(matches!(Error::find(&error), Some(Error::Setting(_))), "{text}");
    // Without any mode PgBouncer does not even let us in, and we say what to set.
    let error = open::<sqlx::Postgres>(Paradigm::LongRunning, &pooler.url(&url), &[]).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("DATABASE_POOLER"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_mode_of_a_named_database_names_its_own_setting() {
    let (_server, pooler, url) = pooled(1).await;
    let first = through(&pooler, &url, "pgbouncer-prepared").await;
    sqlx::query("SELECT $1::int").bind(1).execute(&first).await.unwrap();
    let through = pooler.url(&url);
    let settings = [
        ("ANALYTICS_DATABASE_URL", through.as_str()),
        ("ANALYTICS_DATABASE_POOLER", "pgbouncer-prepared"),
        ("ANALYTICS_DATABASE_POOL_SIZE", "1"),
    ];
    let host = host(Paradigm::LongRunning, &settings);
    let second = Db::<sqlx::Postgres>::builder(&host).name("analytics").open().await.unwrap();
    let error = sqlx::query("SELECT $1::text").bind("a").execute(&second).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("ANALYTICS_DATABASE_POOLER"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_cache_of_statements_does_not_grow_on_the_server() {
    let url = Postgres::shared().database();
    for (parameter, most, least) in [("?statement-cache-capacity=2", 3, 0), ("", 1000, 60)] {
        let url = format!("{url}{parameter}");
        let settings = [("DATABASE_POOL_SIZE", "1")];
        let (_host, db) =
            open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap();
        for round in 0..180 {
            let statement = format!("SELECT {} + $1", round % 60);
            sqlx::query(sqlx::AssertSqlSafe(statement)).bind(round).execute(&db).await.unwrap();
        }
        let prepared: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_prepared_statements")
            .fetch_one(&db)
            .await
            .unwrap();
        assert!((least..=most).contains(&prepared), "{parameter}: {prepared}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_rds_proxy_nothing_is_sent_that_pins_a_connection() {
    // The statements for which RDS Proxy pins a client to a connection, of those that this crate could send.
    const PINS: [&str; 8] =
        ["SET ", "set_config", "advisory", "nextval", "LISTEN", "DISCARD", "DEALLOCATE", "TEMP"];
    for (pooler, pins) in [("rds-proxy", false), ("none", true)] {
        let server = Postgres::start(&["log_statement=all"]);
        let settings = [("DATABASE_POOLER", pooler), ("DATABASE_POOL_SIZE", "2")];
        for paradigm in [Paradigm::LongRunning, Paradigm::Serverless] {
            let (host, db) =
                open::<sqlx::Postgres>(paradigm, &server.url(), &settings).await.unwrap();
            let soon = std::time::Instant::now() + PATIENCE;
            anyhost_core::adapter::within(soon, async {
                sqlx::query("SELECT $1::int").bind(1).execute(&db).await.unwrap();
                let tx = db.begin().await.unwrap();
                tx.commit().await.unwrap();
                host.databases().ready(PATIENCE).await.unwrap();
            })
            .await;
            host.databases().close(PATIENCE).await;
        }
        let log = server.log();
        let pinned: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("anyhost/") && PINS.iter().any(|pin| line.contains(pin)))
            .collect();
        assert!(log.contains("BEGIN"), "{log}");
        assert_eq!(!pinned.is_empty(), pins, "{pooler}: {pinned:#?}");
    }
}
