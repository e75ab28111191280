//! Environments of `notes-lambda`, started as requests come in, each with a Runtime API of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::{Distribution, Workload};
use anyhost_tests::process::{Process, binary};
use anyhost_tests::runtime_api::RuntimeApi;
use serde_json::json;
use tempfile::TempDir;

use super::App;
use super::prediction::ENVIRONMENT_PERIOD;
use super::share::ProcessorShare;
use super::traffic::{TrafficResult, Unanswered, send};
use crate::database::Database;
use crate::process::cpu;

/// The environments of a function: as Lambda does, a request takes the one used last, and a new one is started
/// if none is idle.
#[derive(Clone)]
pub(super) struct Environments {
    /// The program, built in advance, so that no start waits for a compiler.
    program: PathBuf,
    url: String,
    event: Arc<str>,
    /// The processors of each; `None`: all.
    cores: Option<f64>,
    idle: Arc<Mutex<Vec<Environment>>>,
}

struct Environment {
    process: Process,
    /// Removed after the process has ended.
    share: Option<ProcessorShare>,
    api: RuntimeApi,
    _folder: TempDir,
}

impl Environments {
    pub(super) fn new(database: &Database, note: &str, cores: Option<f64>) -> Self {
        Self {
            program: binary("notes-lambda"),
            url: database.url(),
            event: event(note).into(),
            cores,
            idle: Arc::default(),
        }
    }

    /// Measures invocations of one environment one after the other, with all processors: what a share does to them is what
    /// the planner has to account for.
    pub(super) async fn calibrate(&self, samples: usize) -> Result<App, String> {
        let environment = self.start()?;
        environment.share.as_ref().map_or(Ok(()), ProcessorShare::lift)?;
        self.invoke(&environment).await?;
        let before = cpu(environment.process.id()).unwrap_or_default();
        let mut times = Vec::with_capacity(samples);
        for _ in 0..samples {
            let begun = Instant::now();
            self.invoke(&environment).await?;
            times.push(begun.elapsed().as_secs_f64());
        }
        let processor = cpu(environment.process.id()).unwrap_or_default() - before;
        let processor_share = (processor / times.iter().sum::<f64>()).clamp(0.0, 1.0);
        let service = Distribution::measured(times).ok_or("nothing was measured")?;
        Ok(App {
            service,
            database_share: 1.0 - processor_share,
            processor_share,
            processor_before: Workload::default().processor_before,
            starts: Vec::new(),
        })
    }

    /// Measures how long this many environments take to start, with the share that each of them has.
    pub(super) async fn starts(&self, samples: usize) -> Result<Vec<f64>, String> {
        let mut starts = Vec::new();
        for _ in 0..samples {
            let begun = Instant::now();
            let environment = self.start()?;
            environment.api.polled().await;
            starts.push(begun.elapsed().as_secs_f64());
        }
        Ok(starts)
    }

    /// Sends the requests of a traffic and measures the answers.
    pub(super) async fn measure(&self, traffic: &Traffic, database: &Database) -> TrafficResult {
        let measured = send(traffic, database, || {
            let all = self.clone();
            async move { all.serve().await }
        })
        .await;
        self.lock().clear();
        measured
    }

    async fn serve(&self) -> Result<(), Unanswered> {
        let idle = self.lock().pop();
        let environment = match idle {
            Some(environment) => environment,
            None => self.start()?,
        };
        self.invoke(&environment).await?;
        self.lock().push(environment);
        Ok(())
    }

    async fn invoke(&self, environment: &Environment) -> Result<(), String> {
        let answer = environment.api.invoke(self.event.to_string()).await.response().json();
        match answer["statusCode"].as_u64() {
            Some(200..300) => Ok(()),
            _ => Err(answer.to_string()),
        }
    }

    fn start(&self) -> Result<Environment, String> {
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let api = RuntimeApi::start();
        let mut environment = api.environment("notes");
        environment.push(("DATABASE_URL".into(), self.url.clone()));
        let all: Vec<_> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let share = self.cores.map(|cores| ProcessorShare::new(cores, ENVIRONMENT_PERIOD));
        let share = share.transpose()?;
        let process = match &share {
            None => Process::start(&self.program, &[], folder.path(), &all),
            Some(share) => share.start(&self.program, folder.path(), &all),
        };
        Ok(Environment { process, share, api, _folder: folder })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Environment>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A note through a Function URL.
fn event(note: &str) -> String {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/notes",
        "rawQueryString": "",
        "headers": {"host": "abc.lambda-url.eu-central-1.on.aws", "content-type": "application/json"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "http": {
                "method": "POST",
                "path": "/notes",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "bench",
            },
            "requestId": "1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:10:00:00 +0000",
            "timeEpoch": 1_767_261_600_000_u64,
        },
        "body": note,
        "isBase64Encoded": false,
    })
    .to_string()
}
