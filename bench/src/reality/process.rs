//! `notes-paas` as a process, and its time for a request without other load.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::{Distribution, Workload};
use anyhost_tests::process::{PATIENCE, Process, binary};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;

use super::App;
use super::share::ProcessorShare;
use super::traffic::{TrafficResult, Unanswered, send};
use crate::database::Database;
use crate::process::cpu;

/// `notes-paas` on a database; killed when dropped.
pub(super) struct LongRunning {
    process: Process,
    /// Removed after the process has ended.
    share: Option<ProcessorShare>,
    address: String,
    note: Bytes,
    client: Client<HttpConnector, Full<Bytes>>,
    _folder: TempDir,
}

/// Brings the schema up to date.
pub(super) fn migrate(database: &Database) -> Result<(), String> {
    let url = database.url();
    let environment = [("DATABASE_URL", url.as_str())];
    let migration =
        Process::start(&binary("notes-paas"), &["migrate"], Path::new("/"), &environment);
    let exit = migration.wait_for_exit(PATIENCE);
    if exit.success() { Ok(()) } else { Err(migration.log().text()) }
}

impl LongRunning {
    /// Starts it with these lines besides, in a share of the processors or with all of them.
    pub(super) fn start(
        database: &Database,
        note: Bytes,
        share: Option<ProcessorShare>,
        lines: &[(String, String)],
    ) -> Result<Self, String> {
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let url = database.url();
        let mut environment =
            vec![("DATABASE_URL", url.as_str()), ("PORT", "0"), ("LOG_FORMAT", "text")];
        environment.extend(lines.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let program = binary("notes-paas");
        let process = match &share {
            None => Process::start(&program, &[], folder.path(), &environment),
            Some(share) => share.start(&program, folder.path(), &environment),
        };
        let line = process.wait_for_line(&["listening on"]);
        process.wait_for_line(&["ready"]);
        let port = line.rsplit(':').next().unwrap_or_default().trim();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let address = format!("127.0.0.1:{port}");
        Ok(Self { process, share, address, note, client, _folder: folder })
    }

    /// Measures requests one after the other, with all processors: a share is what the planner has to account for.
    pub(super) async fn calibrate(&self, samples: usize) -> Result<App, String> {
        self.share.as_ref().map_or(Ok(()), ProcessorShare::lift)?;
        let app = self.calibrate_whole(samples).await.map_err(|error| error.to_string())?;
        self.share.as_ref().map_or(Ok(()), ProcessorShare::apply)?;
        Ok(app)
    }

    async fn calibrate_whole(&self, samples: usize) -> Result<App, Unanswered> {
        for _ in 0..samples / 10 + 1 {
            self.note().await?;
        }
        let mut without = Duration::ZERO;
        for _ in 0..samples {
            let begun = Instant::now();
            ask(&self.client, self.request("GET", "/livez", Bytes::new())).await?;
            without += begun.elapsed();
        }
        let before = cpu(self.process.id()).unwrap_or_default();
        let mut times = Vec::with_capacity(samples);
        for _ in 0..samples {
            let begun = Instant::now();
            self.note().await?;
            times.push(begun.elapsed().as_secs_f64());
        }
        let processor = cpu(self.process.id()).unwrap_or_default() - before;
        let whole: f64 = times.iter().sum();
        let service =
            Distribution::measured(times).ok_or_else(|| "nothing was measured".to_owned())?;
        let processor_share = (processor / whole).clamp(0.0, 1.0);
        let without = without.as_secs_f64() / whole;
        let database_share = (1.0 - without.max(processor_share)).max(0.0);
        let processor_before = Workload::default().processor_before;
        Ok(App { service, database_share, processor_share, processor_before, starts: Vec::new() })
    }

    /// Sends the requests of a traffic and measures the answers.
    pub(super) async fn measure(&self, traffic: &Traffic, database: &Database) -> TrafficResult {
        send(traffic, database, || self.note()).await
    }

    fn note(&self) -> impl Future<Output = Result<(), Unanswered>> + Send + use<> {
        let request = self.request("POST", "/notes", self.note.clone());
        let client = self.client.clone();
        async move { ask(&client, request).await }
    }

    fn request(&self, method: &str, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let uri = format!("http://{}{path}", self.address);
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("content-type", "application/json");
        request.body(Full::new(body)).expect("it is well formed")
    }
}

async fn ask(
    client: &Client<HttpConnector, Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(), Unanswered> {
    let answer = client.request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    answer.into_body().collect().await.map_err(|error| error.to_string())?;
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Err(Unanswered::Refused),
        status if status.is_success() => Ok(()),
        status => Err(Unanswered::Failed(status.to_string())),
    }
}
