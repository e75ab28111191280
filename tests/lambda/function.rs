//! A function as these tests run it: a process, its Runtime API, and the events it gets.

use std::time::Duration;

use anyhost_tests::process::{PATIENCE, Process, binary};
use anyhost_tests::runtime_api::{Answer, RuntimeApi};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A program on a Runtime API of its own.
pub(crate) struct Function {
    pub(crate) api: RuntimeApi,
    pub(crate) process: Process,
    folder: TempDir,
}

impl Function {
    /// Starts echo.
    pub(crate) fn echo(settings: &[(&str, &str)]) -> Self {
        Self::start(&binary("echo-lambda"), RuntimeApi::start(), settings)
    }

    /// Migrates the database of this URL and starts notes on it.
    pub(crate) fn notes(url: &str) -> Self {
        let program = binary("notes-lambda");
        let settings = [("DATABASE_URL", url)];
        let migrated = Process::start(&program, &["migrate"], std::path::Path::new("/"), &settings);
        assert!(migrated.wait_for_exit(PATIENCE).success(), "{}", migrated.log().text());
        Self::start(&program, RuntimeApi::start(), &settings)
    }

    /// Starts notes on a database that need not be there.
    pub(crate) fn notes_without_schema(url: &str) -> Self {
        Self::start(&binary("notes-lambda"), RuntimeApi::start(), &[("DATABASE_URL", url)])
    }

    /// Starts the App that fails on request.
    pub(crate) fn faulty(settings: &[(&str, &str)]) -> Self {
        Self::faulty_on(RuntimeApi::start(), settings)
    }

    /// The same on an API that has been told to fail before.
    pub(crate) fn faulty_on(api: RuntimeApi, settings: &[(&str, &str)]) -> Self {
        Self::start(env!("CARGO_BIN_EXE_faulty-lambda").as_ref(), api, settings)
    }

    /// The same with the API as a URL with a path.
    pub(crate) fn echo_behind_a_path() -> Self {
        let api = RuntimeApi::start();
        let environment = api.environment_with_path("echo");
        Self::run(&binary("echo-lambda"), api, environment, &[])
    }

    fn start(program: &std::path::Path, api: RuntimeApi, settings: &[(&str, &str)]) -> Self {
        let environment = api.environment("function");
        Self::run(program, api, environment, settings)
    }

    fn run(
        program: &std::path::Path,
        api: RuntimeApi,
        environment: Vec<(String, String)>,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let given = environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let gate = folder.path().join("gate").display().to_string();
        let given = given.chain([("GATE", gate.as_str())]);
        let all: Vec<(&str, &str)> = given.chain(settings.iter().copied()).collect();
        let process = Process::start(program, &[], folder.path(), &all);
        Self { api, process, folder }
    }

    /// Lets gated requests of the faulty App go on.
    pub(crate) fn open_gate(&self) {
        std::fs::write(self.folder.path().join("gate"), "").expect("the folder can be written");
    }

    /// Gets a path and returns the status and the body of the answer.
    pub(crate) async fn get(&self, target: &str) -> (u64, String) {
        content(&self.api.invoke(get(target)).await)
    }

    /// Waits for the end and returns the exit code.
    #[track_caller]
    pub(crate) fn exit(&self, patience: Duration) -> Option<i32> {
        self.process.wait_for_exit(patience).code()
    }
}

/// Everything a process that has ended has written.
pub(crate) fn last_words(process: &Process) -> Vec<String> {
    // No line is wanted: this waits for the end of both outputs.
    let none = process.log().wait_for(PATIENCE, |_| false);
    assert!(none.is_none(), "no line is wanted");
    process.log().lines()
}

/// The status and the text of an answer.
pub(crate) fn content(answer: &Answer) -> (u64, String) {
    let answer = answer.clone().response().json();
    let status = answer["statusCode"].as_u64().expect("a status");
    (status, answer["body"].as_str().expect("a body").to_owned())
}

/// The event of a Function URL for a GET.
pub(crate) fn get(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "abc.lambda-url.eu-central-1.on.aws", "x-forwarded-proto": "https"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "test",
            },
            "requestId": "1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "22/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1_795_341_600_000_u64,
        },
        "isBase64Encoded": false,
    })
    .to_string()
}

/// The same from a load balancer.
pub(crate) fn get_alb(path: &str) -> String {
    json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}},
        "httpMethod": "GET",
        "path": path,
        "queryStringParameters": {},
        "headers": {"host": "lb.example.com"},
        "body": "",
        "isBase64Encoded": false,
    })
    .to_string()
}

/// A problem of an answer.
pub(crate) fn problem(body: &str) -> Value {
    serde_json::from_str(body).expect("a problem is JSON")
}
