//! Connecting: the errors of a server that cannot be reached or refuses the login, and what the driver must not
//! take from the environment.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhost_core::adapter::within;
use anyhost_core::db::{Db, Error, Password, PasswordProvider};
use anyhost_core::{Paradigm, async_trait};
use anyhost_tests::process::{PATIENCE, Process};
use anyhost_tests::servers::{MariaDb, PgBouncer, Postgres, port};
use tokio::time::timeout;

use crate::kit::{Lines, backend, host, long_running, open};

fn code(error: &Error) -> Option<String> {
    let error = error.driver()?.as_database_error()?;
    error.code().map(|code| code.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_named_with_its_variable() {
    let free = port();
    let soon = || Instant::now() + Duration::from_millis(300);
    let url = format!("postgres://u@127.0.0.1:{free}/shop");
    let error = within(soon(), open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &[])).await;
    let text = error.unwrap_err().to_string();
    let expected = format!(
        "the database cannot be reached: 127.0.0.1:{free}/shop (DATABASE_URL): Connection refused"
    );
    assert!(text.starts_with(&expected), "{text}");
    let url = format!("mysql://u@127.0.0.1:{free}/shop");
    let error = within(soon(), open::<sqlx::MySql>(Paradigm::Serverless, &url, &[])).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains(&format!("127.0.0.1:{free}/shop (DATABASE_URL)")), "{text}");
    let url = "postgres://u@nowhere.invalid/shop";
    let error = within(soon(), open::<sqlx::Postgres>(Paradigm::LongRunning, url, &[])).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("nowhere.invalid:5432/shop (DATABASE_URL)"), "{text}");
    // A migration names the variable that it has used.
    let settings = [
        ("DATABASE_URL", url),
        ("DIRECT_DATABASE_URL", &*format!("postgres://u@127.0.0.1:{free}/shop")),
    ];
    let host = host(Paradigm::LongRunning, &settings);
    let none = sqlx::migrate::Migrator::DEFAULT;
    let text = within(soon(), Db::<sqlx::Postgres>::migrate(&host, &none)).await;
    let text = text.unwrap_err().to_string();
    assert!(text.contains(&format!("127.0.0.1:{free}/shop (DIRECT_DATABASE_URL)")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_no_matter_of_credentials() {
    let at_once = PATIENCE;
    let server = Postgres::shared();
    let url = server.url();
    let (before, _) = url.rsplit_once('/').unwrap();
    let url = format!("{before}/nope");
    let pooler = PgBouncer::start(server, 1);
    let pooled = pooler.url("/nope");
    for (url, settings) in
        [(url.as_str(), &[][..]), (pooled.as_str(), &[("DATABASE_POOLER", "pgbouncer")][..])]
    {
        let opens = open::<sqlx::Postgres>(Paradigm::LongRunning, url, settings);
        let error = timeout(at_once, opens).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::NoDatabase { .. }), "{error}");
        assert!(error.to_string().starts_with("there is no such database: "), "{error}");
    }
    let url = MariaDb::shared().database();
    let (server, _) = url.rsplit_once('/').unwrap();
    let url = format!("{server}/nope");
    let opens = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &[]);
    let error = timeout(at_once, opens).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::NoDatabase { .. }), "{error}");
    assert_eq!(code(&error).as_deref(), Some("42000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_databases_own_error_can_always_be_reached() {
    let url = Postgres::shared().database();
    let db = long_running(&url, 1).await;
    let before = backend(&db).await;
    // Faults of a statement, whatever a pooler could have to do with them.
    for (statement, expected) in [
        ("SELECT $1::int + $2::int", "08P01"),
        ("SELECT $1::int + $2::int + $3::int", "08P01"),
        ("SELECT 1/0", "22012"),
    ] {
        let mut query = sqlx::query(statement);
        if statement.contains('$') {
            query = query.bind(1);
        }
        let error = query.execute(&db).await.unwrap_err();
        assert!(Error::find(&error).is_none(), "{error}");
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some(expected));
    }
    assert_eq!(backend(&db).await, before, "the connection is as good as before");
    // A name of the program's own says nothing of a pooler.
    for statement in
        ["EXECUTE nothing", "DEALLOCATE nothing", "PREPARE p AS SELECT 1; PREPARE p AS SELECT 1"]
    {
        let error = sqlx::raw_sql(statement).execute(&db).await.unwrap_err();
        assert!(error.as_database_error().is_some(), "{error}");
    }
    // Faults of settings.
    let server = Postgres::shared();
    let refused = |url: String, more: &'static [(&'static str, &'static str)]| async move {
        open::<sqlx::Postgres>(Paradigm::LongRunning, &url, more).await.unwrap_err()
    };
    let error = refused(format!("{url}?sslmode=require"), &[]).await;
    assert!(matches!(error.driver(), Some(sqlx::Error::Tls(_))), "{error}");
    let pooler = PgBouncer::start(server, 1);
    let error = refused(pooler.url(&url), &[]).await;
    assert!(error.to_string().starts_with("DATABASE_POOLER: is not set, and a pooler"), "{error}");
    assert_eq!(code(&error).as_deref(), Some("08P01"));
    // If the pooler is set, the error does not ask for it again.
    let url = format!("{}?options=-c%20geqo%3Doff", pooler.url(&url));
    let error = refused(url, &[("DATABASE_POOLER", "pgbouncer")]).await;
    let text = error.to_string();
    assert!(text.starts_with("DATABASE_URL: the pooler refuses"), "{text}");
    assert!(text.contains("remove options"), "{text}");
    assert_eq!(code(&error).as_deref(), Some("08P01"));
    let error = refused(server.url().replace("postgres@", "locked:wrong@"), &[]).await;
    assert!(!error.to_string().contains("at line"), "{error}");
    assert_eq!(code(&error).as_deref(), Some("28P01"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_from_the_environment_behind_our_back() {
    let server = Postgres::shared();
    let url = server.database();
    let folder = tempfile::tempdir().unwrap();
    let passwords = folder.path().join("pgpass");
    std::fs::write(&passwords, "*:*:*:*:one\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&passwords, mode).unwrap();
    let home = folder.path().to_str().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_environment"));
    let start = |url: &str, environment: &[(&str, &str)]| {
        Process::start(program, &["ours-long-running", url], folder.path(), environment)
    };
    for environment in [
        &[("PGHOST", "nowhere.invalid"), ("PGHOSTADDR", "192.0.2.1"), ("PGPORT", "1")][..],
        &[("PGUSER", "nobody"), ("PGPASSWORD", "wrong"), ("PGDATABASE", "nowhere")],
        &[("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", "/no/such/file")],
        &[("PGAPPNAME", "somebody else"), ("HOME", home)],
    ] {
        let process = start(&url, environment);
        process.wait_for_line(&["listening on"]);
    }
    // Parts that a URL omits are not filled in either.
    server.sql("DO $$ BEGIN CREATE ROLE locked LOGIN PASSWORD 'one'; EXCEPTION WHEN duplicate_object THEN END $$");
    let locked = url.replace("postgres@", "locked@");
    for environment in [
        &[("PGPASSWORD", "one")][..],
        &[("PGPASSFILE", passwords.to_str().unwrap())],
        &[("HOME", home)],
    ] {
        std::fs::copy(&passwords, folder.path().join(".pgpass")).unwrap();
        let process = start(&locked, environment);
        process.wait_for_exit(PATIENCE);
        let log = process.log().text();
        assert!(log.contains("Credentials"), "{environment:?}: {log}");
    }
    let nameless = url.replace("postgres@", "");
    let process = start(&nameless, &[("PGUSER", "postgres")]);
    process.wait_for_exit(PATIENCE);
    assert!(process.log().text().contains("names no user"), "{}", process.log().text());
    // Variables that the driver cannot be told to ignore are refused.
    for variable in ["PGOPTIONS", "PGSSLCERT", "PGSSLKEY"] {
        let process = start(&url, &[(variable, "-c geqo=off")]);
        process.wait_for_exit(PATIENCE);
        let log = process.log().text();
        assert!(log.contains(variable) && log.contains("is set, and the driver"), "{log}");
    }
}

/// Gives "one", then "two", and counts how often it was asked.
struct Tokens(Arc<AtomicUsize>);

#[async_trait]
impl PasswordProvider for Tokens {
    async fn password(&self) -> Result<Password, Box<dyn std::error::Error + Send + Sync>> {
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(Password::new(if first { "one" } else { "two" }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_behind_a_pooler_is_final_and_the_provider_is_asked_again() {
    let server = Postgres::start(&[]);
    server.sql("CREATE ROLE locked LOGIN PASSWORD 'two'");
    for login in ["plain", "md5", "scram-sha-256"] {
        let pooler = PgBouncer::start_with_logins(&server, login, "\"locked\" \"two\"\n");
        let pooled = |password: &str| {
            pooler.url("/postgres").replace("//postgres@", &format!("//locked{password}@"))
        };
        let settings = [("DATABASE_POOLER", "pgbouncer")];
        for wrong in [":one", ":", ""] {
            let url = pooled(wrong);
            let opens = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings);
            let error = timeout(PATIENCE, opens).await.unwrap().unwrap_err();
            assert!(matches!(error, Error::Credentials { .. }), "{login}: {error}");
        }
        let url = pooled("").replace("locked", "stranger");
        let error =
            open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.unwrap_err();
        assert!(matches!(error, Error::Credentials { .. }), "{login}: {error}");
        // The first token is refused by the pooler, the second is right.
        let asked = Arc::new(AtomicUsize::new(0));
        let url = pooled("");
        let host = host(Paradigm::LongRunning, &[("DATABASE_URL", url.as_str()), settings[0]]);
        let db = Db::<sqlx::Postgres>::builder(&host)
            .passwords(Tokens(Arc::clone(&asked)))
            .open()
            .await
            .unwrap();
        sqlx::query("SELECT 1").execute(&db).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{login}");
    }
    // `migrate` takes a provider too.
    let url = server.url().replace("//postgres@", "//locked@");
    let host = host(Paradigm::LongRunning, &[("DATABASE_URL", url.as_str())]);
    server.sql("GRANT CREATE ON SCHEMA public TO locked");
    let steps = sqlx::migrate::Migrator::with_migrations(vec![sqlx::migrate::Migration::new(
        1,
        "a step".into(),
        sqlx::migrate::MigrationType::Simple,
        sqlx::SqlStr::from_static("CREATE TABLE a (a int)"),
        false,
    )]);
    let asked = Arc::new(AtomicUsize::new(0));
    Db::<sqlx::Postgres>::builder(&host)
        .passwords(Tokens(Arc::clone(&asked)))
        .migrate(&steps)
        .await
        .unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(server.sql("SELECT count(*) FROM a"), "0");
}

#[tokio::test]
async fn what_a_transaction_pooler_does_not_bear_is_warned_of_once() {
    let lines = Lines::default();
    let _guard = lines.capture();
    let server = Postgres::shared();
    let url = server.database();
    let pooler = PgBouncer::start(server, 1);
    let statements = [
        ("SET search_path = public", "SET"),
        ("SELECT pg_try_advisory_lock_shared(7)", "a function that changes the session"),
        ("CREATE TEMP TABLE mine (a int)", "a temporary table"),
        ("LISTEN news", "LISTEN"),
    ];
    let open = async |url: &str, pooler: &str| {
        let settings = [("DATABASE_POOLER", pooler), ("DATABASE_POOL_SIZE", "1")];
        open::<sqlx::Postgres>(Paradigm::LongRunning, url, &settings).await.unwrap().1
    };
    let warned = || lines.text().matches("went through a transaction pooler").count();
    let direct = open(&url, "none").await;
    for (statement, _) in statements {
        sqlx::raw_sql(statement).execute(&direct).await.unwrap();
    }
    assert_eq!(warned(), 0, "{}", lines.text());
    let db = open(&pooler.url(&url), "pgbouncer").await;
    sqlx::raw_sql("BEGIN; SET LOCAL search_path = public; COMMIT").execute(&db).await.unwrap();
    assert_eq!(warned(), 0, "{}", lines.text());
    for (number, (statement, expected)) in (1..).zip(statements) {
        sqlx::raw_sql(statement).execute(&db).await.unwrap();
        let _ = sqlx::raw_sql(statement).execute(&db).await;
        assert_eq!(warned(), number, "{statement}: {}", lines.text());
        assert!(lines.text().contains(expected), "{}", lines.text());
    }
}
