//! Events that others have collected, into the released echo: what is HTTP is answered with what the event
//! holds, and everything else fails its invocation.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhost_tests::process::Process;
use anyhost_tests::runtime_api::{Answer, RuntimeApi};
use anyhost_tests::wire::SeenRequest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::artefact::bootstrap;
use crate::events;
use crate::install::{part, path, run, script, workspace};

/// The echo on the Runtime API of the tests, which records how each event was answered.
struct Echo {
    api: RuntimeApi,
    process: Process,
    runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl Echo {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let api = RuntimeApi::start();
        let folder = TempDir::new().unwrap();
        let given = api.environment("echo");
        let environment: Vec<_> = given.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let process = Process::start(&bootstrap("echo-lambda"), &[], folder.path(), &environment);
        Self { api, process, runtime, _folder: folder }
    }

    /// Returns an error if the answer to an event is wrong.
    fn check(&self, event: &Value, http: bool) -> Result<(), String> {
        let answer = self.runtime.block_on(self.api.invoke(event.to_string()));
        match (answer, http) {
            (Answer::Response(response), true) => carried(event, &events::Answer(response.json())),
            (Answer::Error(failed), false) if failed.error_type.is_empty() => {
                Err(format!("it failed without a type: {failed:?}"))
            }
            (Answer::Error(_), false) => Ok(()),
            (Answer::Error(failed), true) => Err(format!("it failed: {failed:?}")),
            (Answer::Response(response), false) => {
                Err(format!("it was answered: {}", String::from_utf8_lossy(&response.body)))
            }
        }
    }

    /// Checks events by name and fails with all that were wrong.
    #[track_caller]
    fn check_all(&self, events: &[(String, Value, bool)]) {
        let wrong = events.iter().filter_map(|(name, event, http)| {
            self.check(event, *http).err().map(|error| format!("{name}: {error}"))
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), events.len(), wrong.join("\n"));
        let ended = self.process.exit_within(std::time::Duration::ZERO);
        assert!(ended.is_none(), "the process ended: {ended:?}");
    }
}

/// Whether the App saw the method, the body and every header that an event holds.
fn carried(event: &Value, answer: &events::Answer) -> Result<(), String> {
    if answer.status() != 200 {
        return Err(answer.0.to_string());
    }
    let seen = SeenRequest::parse(answer.text().as_bytes());
    let methods =
        [&event["httpMethod"], &event["requestContext"]["http"]["method"], &event["method"]];
    let method = methods.into_iter().find_map(Value::as_str).unwrap_or_default();
    if seen.method != method {
        return Err(format!("{method} became {}", seen.method));
    }
    let text = event["body"].as_str().unwrap_or_default();
    let body = match event["isBase64Encoded"].as_bool().unwrap_or_default() {
        true => BASE64_STANDARD.decode(text).map_err(|error| format!("{text}: {error}"))?,
        false => text.as_bytes().to_vec(),
    };
    if seen.body != body {
        return Err(format!("{body:?} became {:?}", seen.body));
    }
    for (name, value) in headers(event) {
        let name = name.to_ascii_lowercase();
        // Those of one hop end at the host; the length is what the body's is.
        let of_a_hop = ["connection", "content-length", "te", "transfer-encoding", "upgrade"];
        let seen = seen.all(&name);
        if !of_a_hop.contains(&name.as_str()) && !seen.contains(&value.as_str()) {
            return Err(format!("{name}: {value:?} became {seen:?}"));
        }
    }
    Ok(())
}

/// The headers of an event: the lists if there are any, else the map.
fn headers(event: &Value) -> Vec<(String, String)> {
    let lists = event["multiValueHeaders"].as_object().filter(|lists| !lists.is_empty());
    let Some(headers) = lists.or(event["headers"].as_object()) else { return Vec::new() };
    let values = headers.iter().flat_map(|(name, value)| {
        let values = match value {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        values.into_iter().map(move |value| (name.clone(), value))
    });
    values.filter_map(|(name, value)| Some((name, value.as_str()?.trim().to_owned()))).collect()
}

/// The events of `sam local generate-event`, which AWS maintains with its documentation.
#[test]
fn events_that_sam_generates() {
    let sources: [(&[&str], bool); 8] = [
        (&["apigateway", "aws-proxy"], true),
        (&["apigateway", "http-api-proxy"], true),
        (&["alb", "request"], true),
        (&["apigateway", "authorizer"], false),
        (&["apigateway", "request-authorizer"], false),
        (&["sqs", "receive-message"], false),
        (&["s3", "put"], false),
        (&["sns", "notification"], false),
    ];
    let home = TempDir::new().unwrap();
    let generated = sources.map(|(words, http)| {
        let mut sam = Command::new(part("venv/bin/sam"));
        sam.args(["local", "generate-event"]).args(words).current_dir(home.path());
        sam.envs([("SAM_CLI_TELEMETRY", "0"), ("AWS_DEFAULT_REGION", "us-east-1")]);
        let event = run(sam.env("HOME", home.path()));
        (words.join(" "), serde_json::from_slice(&event).expect("an event is JSON"), http)
    });
    Echo::start().check_all(&generated);
}

/// The fixtures of aws_lambda_events, the types that most Rust functions on Lambda are written with.
#[test]
fn the_fixtures_of_aws_lambda_events() {
    let folder = sources_of("aws_lambda_events").join("src/fixtures");
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut fixtures: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            // One is a template: its Host is none, which every door refuses, until the placeholder is filled in.
            let text = fs::read_to_string(path).unwrap().replace("{dns_suffix}", "amazonaws.com");
            let event = serde_json::from_str(&text).expect("a fixture is JSON");
            let http = HTTP.contains(&name.as_str());
            (name, event, http)
        })
        .collect();
    fixtures.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let http = fixtures.iter().filter(|(.., http)| *http).count();
    assert_eq!(http, HTTP.len(), "a fixture of the list is missing");
    assert!(fixtures.len() > 150, "there were 173, now {}", fixtures.len());
    Echo::start().check_all(&fixtures);
}

/// Those that are HTTP requests. An authorizer's event looks like one, and to answer it would let a caller
/// in; a WebSocket has no requests; structure 1.0 of VPC Lattice names no source.
const HTTP: [&str; 18] = [
    "example-alb-lambda-target-request-headers-only",
    "example-alb-lambda-target-request-multivalue-headers",
    "example-apigw-console-request",
    "example-apigw-console-test-request",
    "example-apigw-request",
    "example-apigw-request-catch-all",
    "example-apigw-request-multi-value-parameters",
    "example-apigw-restapi-openapi-request",
    "example-apigw-sam-http-request",
    "example-apigw-sam-rest-request",
    "example-apigw-v2-request-iam",
    "example-apigw-v2-request-jwt-authorizer",
    "example-apigw-v2-request-lambda-authorizer",
    "example-apigw-v2-request-multi-value-parameters",
    "example-apigw-v2-request-no-authorizer",
    "example-vpc-lattice-v2-request",
    "example-vpc-lattice-v2-request-base64",
    "example-vpc-lattice-v2-request-roles-anywhere",
];

/// The events of the tests of mangum, which runs Python applications on Lambda.
#[test]
fn the_events_of_the_tests_of_mangum() {
    let mut python = Command::new(part("venv/bin/python"));
    let lines = run(python.arg(script("mangum_events.py")).arg(part("mangum")));
    let lines = String::from_utf8(lines).expect("JSON is text");
    let events: Vec<_> = lines
        .lines()
        .enumerate()
        .map(|(number, line)| {
            let mut line: Value = serde_json::from_str(line).expect("JSON lines");
            let handler = line["handler"].as_str().unwrap_or("no handler").to_owned();
            let http = ["ALB", "APIGateway", "HTTPGateway"].contains(&handler.as_str());
            (format!("{handler} {number}"), line["event"].take(), http)
        })
        .collect();
    assert!(events.len() > 30, "there were 36, now {}", events.len());
    Echo::start().check_all(&events);
}

/// Where cargo keeps the sources of a dependency.
fn sources_of(package: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    let metadata = run(cargo.current_dir(workspace()).env("PATH", path()));
    let metadata: Value = serde_json::from_slice(&metadata).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().unwrap();
    let named = packages.iter().filter(|candidate| candidate["name"] == package);
    // A peer of the benchmarks may stand on an older one.
    let named = named.max_by_key(|candidate| {
        let version = candidate["version"].as_str().unwrap().split('.');
        version.map_while(|number| number.parse().ok()).collect::<Vec<u32>>()
    });
    let manifest = named.unwrap_or_else(|| panic!("{package} is no dependency any more"));
    PathBuf::from(manifest["manifest_path"].as_str().unwrap()).parent().unwrap().into()
}
