//! The program of README.md: made outside of the workspace, and run on every kind of host and database unchanged.

use std::path::Path;

use anyhost_tests::connection::Wire;
use anyhost_tests::fleet::{launch, port_of};
use anyhost_tests::process::{PATIENCE, Process, Signal, readme_program};
use anyhost_tests::runtime_api::RuntimeApi;
use anyhost_tests::servers::Postgres;
use serde_json::json;

use crate::manager::Ear;

/// The time as SQLite writes it: `2026-11-30 12:00:00`. PostgreSQL adds the time zone.
const OF_SQLITE: usize = 19;

fn program() -> String {
    readme_program().display().to_string()
}

#[track_caller]
fn says_the_time(process: &Process) -> String {
    let answer = Wire::to(port_of(process)).get("/");
    assert_eq!(answer.status, 200, "{}\n{}", answer.body, process.log().text());
    answer.body.to_string()
}

#[track_caller]
fn stops(process: &Process) {
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
}

#[test]
fn with_nothing_set_it_answers_from_a_file_of_its_own() {
    let (process, folder) = launch(&program(), &[], &[("PORT", "0")]);
    let time = says_the_time(&process);
    assert_eq!(time.len(), OF_SQLITE, "{time}");
    assert!(folder.path().join("hello.db").exists());
    stops(&process);
}

#[test]
fn with_the_url_of_postgresql_it_answers_from_there() {
    let url = Postgres::shared().database();
    let (process, folder) = launch(&program(), &[], &[("PORT", "0"), ("DATABASE_URL", &url)]);
    let time = says_the_time(&process);
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
    let ear = Ear::new();
    let url = Postgres::shared().database();
    let environment = [
        ("NOTIFY_SOCKET", ear.name.as_str()),
        ("INVOCATION_ID", "0123456789abcdef0123456789abcdef"),
        ("LISTEN", "127.0.0.1:0"),
        ("DATABASE_URL", &url),
    ];
    let (process, _folder) = launch(&program(), &[], &environment);
    ear.hears("READY=1");
    let time = says_the_time(&process);
    assert!(time.len() > OF_SQLITE, "{time}");
    process.signal(Signal::TERM);
    ear.hears("STOPPING=1");
    assert_eq!(process.wait_for_exit(PATIENCE).code(), Some(0), "{}", process.log().text());
}

#[tokio::test]
async fn behind_the_runtime_api_it_is_a_function() {
    let api = RuntimeApi::start();
    let mut environment = api.environment("first");
    environment.push(("DATABASE_URL".into(), Postgres::shared().database()));
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let process = Process::start(&readme_program(), &[], Path::new("/"), &environment);
    let event = json!({
        "version": "2.0",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {"host": "abc.lambda-url.eu-central-1.on.aws"},
        "requestContext": {
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "http": {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
        },
    });
    let answer = api.invoke(event.to_string()).await.response().json();
    assert_eq!(answer["statusCode"], 200, "{answer}\n{}", process.log().text());
    let time = answer["body"].as_str().unwrap_or_default();
    assert!(time.len() > OF_SQLITE, "{answer}");
    stops(&process);
}
