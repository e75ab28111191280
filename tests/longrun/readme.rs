//! The program of README.md: made outside of the workspace, and run on every kind of host and database unchanged.

use anyhost_tests::fleet::launch;
use anyhost_tests::process::{PATIENCE, readme_program};
use anyhost_tests::servers::Postgres;

use crate::one_program::{answer_as_function, answer_of, answer_under_systemd, stops};

/// The time as SQLite writes it: `2026-11-30 12:00:00`. PostgreSQL adds the time zone.
const OF_SQLITE: usize = 19;

fn program() -> String {
    readme_program().display().to_string()
}

#[test]
fn with_nothing_set_it_answers_from_a_file_of_its_own() {
    let (process, folder) = launch(&program(), &[], &[("PORT", "0")]);
    let time = answer_of(&process);
    assert_eq!(time.len(), OF_SQLITE, "{time}");
    assert!(folder.path().join("hello.db").exists());
    stops(&process);
}

#[test]
fn with_the_url_of_postgresql_it_answers_from_there() {
    let url = Postgres::shared().database();
    let (process, folder) = launch(&program(), &[], &[("PORT", "0"), ("DATABASE_URL", &url)]);
    let time = answer_of(&process);
    assert!(time.len() > OF_SQLITE, "{time}");
    assert!(!folder.path().join("hello.db").exists());
    stops(&process);
}

#[test]
fn a_kind_of_database_whose_driver_is_not_built_in_is_one_line_that_names_the_feature() {
    let environment = [("PORT", "0"), ("DATABASE_URL", "mysql://app@127.0.0.1/app")];
    let (process, _folder) = launch(&program(), &[], &environment);
    process.wait_for_line(&[
        "error: DATABASE_URL: names a MySQL database, and the program was built without its driver",
        "switch on the feature `mysql` of the crate anyhost",
    ]);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(78));
}

#[test]
fn under_systemd_it_says_that_it_is_ready_and_answers() {
    let url = Postgres::shared().database();
    let time = answer_under_systemd(&program(), &[("DATABASE_URL", &url)]);
    assert!(time.len() > OF_SQLITE, "{time}");
}

#[tokio::test]
async fn behind_the_runtime_api_it_is_a_function() {
    let url = Postgres::shared().database();
    let time = answer_as_function(&program(), &[("DATABASE_URL", &url)]).await;
    assert!(time.len() > OF_SQLITE, "{time}");
}
