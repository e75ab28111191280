//! Limits nearer than the server's: a plan knows them, and a pool that cannot grow serves on.

use std::time::{Duration, Instant};

use anyhost_core::Paradigm;
use anyhost_core::db::{Db, Driver};
use anyhost_tests::servers::{MariaDb, Postgres};
use sqlx::{Executor, IntoArguments};

use crate::kit::{direct, open, ordinary};

/// Longer than callers wait, so that a failure to connect counts as one of long standing.
const LOAD: Duration = Duration::from_secs(5);

/// Runs statements of 50 ms from 12 tasks on a pool that has three connections and may not have more; how many
/// there were, and the errors.
async fn load<DB: Driver>(db: &Db<DB>, statement: &'static str) -> (usize, Vec<String>)
where
    for<'q> DB::Arguments: IntoArguments<DB>,
    for<'c> &'c Db<DB>: Executor<'c, Database = DB>,
{
    let until = Instant::now() + LOAD;
    let tasks = (0..12).map(|_| {
        let db = db.clone();
        async move {
            let (mut count, mut errors) = (0, Vec::new());
            while Instant::now() < until {
                count += 1;
                let outcome = (&db).fetch_optional(statement).await;
                errors.extend(outcome.err().map(|error| error.to_string()));
            }
            (count, errors)
        }
    });
    let all = futures_util::future::join_all(tasks).await;
    all.into_iter().fold((0, Vec::new()), |mut sum, (count, errors)| {
        sum.1.extend(errors);
        (sum.0 + count, sum.1)
    })
}

const EIGHT: [(&str, &str); 2] = [("DATABASE_POOL_SIZE", "8"), ("DATABASE_MAX_CONNECTIONS", "100")];

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_cannot_grow_serves_everybody_whatever_limits_it() {
    // Eleven of 14 places are others'.
    let full = Postgres::start(&["max_connections=17"]);
    let url = ordinary(&full);
    let others = futures_util::future::join_all((0..11).map(|_| direct(&url))).await;
    let (_host, crowded) = open(Paradigm::LongRunning, &url, &EIGHT).await.unwrap();
    // A role, then a database, whose limit was set when the plan was made.
    let limited = Postgres::start(&[]);
    let role = ordinary(&limited);
    let (_host, by_role) = open(Paradigm::LongRunning, &role, &EIGHT).await.unwrap();
    limited.sql("ALTER ROLE app CONNECTION LIMIT 3");
    let small = Postgres::start(&[]);
    let url = ordinary(&small);
    let (_host, by_database) = open(Paradigm::LongRunning, &url, &EIGHT).await.unwrap();
    small.sql("ALTER DATABASE postgres CONNECTION LIMIT 3");
    for db in [crowded, by_role, by_database] {
        let (count, errors) = load::<sqlx::Postgres>(&db, "SELECT pg_sleep(0.05)").await;
        assert!(errors.is_empty(), "{} errors of {count}, {}", errors.len(), errors[0]);
        assert!(db.state().last_connect_error.is_some(), "it could grow");
        assert!(db.state().open <= 3 + 1, "three that serve, and an attempt: {}", db.state());
    }
    drop(others);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_pool_that_cannot_grow_serves_everybody() {
    let server = MariaDb::start(&[]);
    let url = server.database();
    let (_host, db) = open(Paradigm::LongRunning, &url, &EIGHT).await.unwrap();
    server.sql("ALTER USER app@localhost WITH MAX_USER_CONNECTIONS 3");
    let (count, errors) = load::<sqlx::MySql>(&db, "SELECT SLEEP(0.05)").await;
    assert!(errors.is_empty(), "{} errors of {count}, {}", errors.len(), errors[0]);
    assert!(db.state().last_connect_error.is_some(), "it could grow");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_knows_the_limits_of_role_database_and_user() {
    let server = Postgres::start(&[]);
    let url = ordinary(&server);
    let size = async |url: &str| {
        let cpus = anyhost_core::Resources { cpus: 8.0, ..anyhost_core::Resources::detect() };
        let pairs = [("DATABASE_URL", url), ("APP_OVERLAP", "1")];
        let settings = anyhost_core::Settings::from_pairs(pairs);
        let host = anyhost_core::Host::builder(Paradigm::LongRunning, "test").settings(settings);
        let host = host.resources(cpus).build().unwrap();
        match url.starts_with("mysql") {
            true => Db::<sqlx::MySql>::open(&host).await.map(|db| db.plan().clone()),
            false => Db::<sqlx::Postgres>::open(&host).await.map(|db| db.plan().clone()),
        }
    };
    assert_eq!(size(&url).await.unwrap().size(), 17);
    server.sql("ALTER ROLE app CONNECTION LIMIT 5");
    let plan = size(&url).await.unwrap();
    assert_eq!(plan.size(), 5);
    assert!(plan.to_string().contains("the role's CONNECTION LIMIT"), "{plan}");
    server.sql("ALTER DATABASE postgres CONNECTION LIMIT 4");
    let plan = size(&url).await.unwrap();
    assert_eq!(plan.size(), 4);
    assert!(plan.to_string().contains("the database's CONNECTION LIMIT"), "{plan}");
    // A superuser has neither limit of its own, but the database's limit is reported all the same.
    server.sql("ALTER ROLE app SUPERUSER");
    assert_eq!(size(&url).await.unwrap().size(), 4);
    let mariadb = MariaDb::start(&[]);
    let url = mariadb.database();
    mariadb.sql("ALTER USER app@localhost WITH MAX_USER_CONNECTIONS 6");
    let plan = size(&url).await.unwrap();
    assert_eq!(plan.size(), 6);
    assert!(plan.to_string().contains("MAX_USER_CONNECTIONS"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_of_itself_is_opened() {
    let server = Postgres::start(&[]);
    let url = ordinary(&server);
    for hidden in ["pg_postmaster_start_time()", "current_setting(text, boolean)"] {
        server.sql(&format!("REVOKE EXECUTE ON FUNCTION {hidden} FROM PUBLIC"));
        let settings = [("DATABASE_MAX_CONNECTIONS", "50")];
        let (_host, db) =
            open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &settings).await.expect(hidden);
        let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&db).await.unwrap();
        assert_eq!(one, 1);
    }
}
