//! Migrations that change the session which applies them.

use anyhost_core::Paradigm;
use anyhost_core::db::Db;
use anyhost_tests::servers::{MariaDb, Postgres};
use futures_util::future::join_all;

use crate::kit::host;
use crate::migrations::migrator;

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_gives_up_every_lock_of_its_session_lets_no_other_process_in() {
    for forgets in ["-- no-transaction\nDISCARD ALL", "SELECT pg_advisory_unlock_all()"] {
        let url = Postgres::shared().database();
        let host = host(Paradigm::LongRunning, &[("DATABASE_URL", &url)]);
        let steps = [
            "CREATE TABLE first (a int)",
            forgets,
            "SELECT pg_sleep(0.5); CREATE TABLE second (a int)",
            "CREATE TABLE third (a int)",
        ];
        let all = (0..3).map(|_| {
            let host = host.clone();
            async move { Db::<sqlx::Postgres>::migrate(&host, &migrator(&steps)).await }
        });
        for outcome in join_all(all).await {
            outcome.unwrap_or_else(|error| panic!("{forgets}: {error}"));
        }
    }
}

/// The first line of every dump of pg_dump leaves the table of migrations without a schema to be found in.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_path_that_hides_the_table_of_migrations_is_named_with_the_way_out() {
    let url = Postgres::shared().database();
    let host = host(Paradigm::LongRunning, &[("DATABASE_URL", &url)]);
    let migrate = async |statement| {
        let steps = migrator(&[statement, "CREATE TABLE u (a int)"]);
        Db::<sqlx::Postgres>::migrate(&host, &steps).await
    };
    let dump =
        "SELECT pg_catalog.set_config('search_path', '', false); CREATE TABLE public.t (a int)";
    let text = migrate(dump).await.unwrap_err().to_string();
    assert!(text.starts_with("migration 1 (a step) failed: "), "{text}");
    assert!(text.contains("put RESET search_path at its end") && !text.contains('\n'), "{text}");
    migrate(
        "SELECT pg_catalog.set_config('search_path', '', false); CREATE TABLE public.t (a int); RESET search_path",
    )
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_another_database_is_not_taken_for_a_search_path() {
    let (url, other) = (MariaDb::shared().database(), MariaDb::shared().database());
    let host = host(Paradigm::LongRunning, &[("DATABASE_URL", &url)]);
    let (_, other) = other.rsplit_once('/').unwrap();
    let steps = migrator(&[format!("USE {other}").leak()]);
    let text = Db::<sqlx::MySql>::migrate(&host, &steps).await.unwrap_err().to_string();
    assert!(text.contains("_sqlx_migrations") && !text.contains("search_path"), "{text}");
}
