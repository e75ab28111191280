//! The metrics of a process, which the SDK's reader sends at its interval.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use prost::Message as _;

use super::points::request;
use super::temporality::{Period, Temporality};
use super::variables::METRICS;
use crate::databases::Metric;
use crate::process_metrics::ProcessMetrics;
use crate::{ConfigError, Exit, Failure, Settings};

/// How often metrics are sent by default, and how long a collector has to take them.
const INTERVAL: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(10);

/// The exporter of metrics; a clone uses the same exporter.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    provider: SdkMeterProvider,
    source: Arc<Source>,
}

impl Metrics {
    /// Metrics of what the resource describes, to the collector that the standard variables name.
    pub(super) fn to(settings: &Settings, resource: Resource) -> Result<Self, Failure> {
        let interval = interval(settings)?;
        let source = Arc::new(Source::default());
        let client = Client {
            client: client(timeout(settings)?)?,
            source: Arc::clone(&source),
            resource: resource.clone(),
            period: Mutex::new(Period::begin(Temporality::from_settings(settings)?)),
        };
        let exporter = MetricExporter::builder().with_http().with_http_client(client).build();
        let exporter = exporter.map_err(|error| METRICS.failed(error))?;
        let reader = PeriodicReader::builder(exporter).with_interval(interval).build();
        let provider =
            SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build();
        // The reader sends nothing at all if the SDK has nothing to send.
        let begun = Instant::now();
        provider
            .meter("anyhost")
            .f64_observable_gauge("process.uptime")
            .with_unit("s")
            .with_description("Time since this process started")
            .with_callback(move |uptime| uptime.observe(begun.elapsed().as_secs_f64(), &[]))
            .build();
        Ok(Self { provider, source })
    }

    pub(super) fn observe(&self, metrics: Box<dyn Fn() -> Vec<Metric> + Send + Sync>) {
        *self.source.lock() = Readings::Now(metrics);
    }

    pub(super) fn observe_last(&self) {
        let mut readings = self.source.lock();
        *readings = Readings::Last(readings.read());
    }

    /// Sends the metrics of this moment. It blocks the thread until the collector has taken them.
    pub(super) fn flush(&self) {
        if let Err(error) = self.provider.force_flush() {
            tracing::warn!("metrics were not sent: {error}");
        }
    }

    /// Sends the last metrics; the SDK waits for seconds for a collector that does not answer.
    pub(super) fn end(self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!("the last metrics were not sent: {error}");
        }
    }
}

/// Where the metrics are read when they are sent.
#[derive(Default)]
struct Source(Mutex<Readings>);

#[derive(Default)]
enum Readings {
    #[default]
    None,
    Now(Box<dyn Fn() -> Vec<Metric> + Send + Sync>),
    Last(Vec<Metric>),
}

impl Readings {
    fn read(&self) -> Vec<Metric> {
        match self {
            Self::None => Vec::new(),
            Self::Now(metrics) => metrics(),
            Self::Last(metrics) => metrics.clone(),
        }
    }
}

impl Source {
    fn lock(&self) -> std::sync::MutexGuard<'_, Readings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// Adds the metrics that are counted already to each export.
///
/// Instruments of the SDK would count everything a second time: it has no observable histogram. Two protobuf messages in a
/// row are decoded as one with the elements of both, so that our message is appended to that of the SDK.
#[derive(Debug)]
struct Client {
    client: reqwest::blocking::Client,
    source: Arc<Source>,
    resource: Resource,
    period: Mutex<Period>,
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, export: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut metrics = self.source.lock().read();
        metrics.extend(ProcessMetrics::OpenTelemetry.read());
        let now = SystemTime::now();
        let own = request(&self.resource, &metrics, &self.period(), now);
        let (parts, body) = export.into_parts();
        let mut body = BytesMut::from(body);
        own.encode(&mut body)?;
        let answer = self.client.send_bytes(Request::from_parts(parts, body.freeze())).await?;
        if answer.status().is_success() {
            self.period().end(now, metrics);
        }
        Ok(answer)
    }
}

impl Client {
    fn period(&self) -> std::sync::MutexGuard<'_, Period> {
        self.period.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client that the exporter would make for itself.
fn client(timeout: Duration) -> Result<reqwest::blocking::Client, Failure> {
    let failed = |why: &dyn fmt::Display| Failure::new(Exit::Start, format!("no metrics: {why}"));
    // In a thread of its own: it must not be made in one that drives a runtime.
    std::thread::spawn(move || reqwest::blocking::Client::builder().timeout(timeout).build())
        .join()
        .map_err(|_| failed(&"the client panicked"))?
        .map_err(|error| failed(&error))
}

/// Checks the variables of metrics alone.
pub(super) fn check(settings: &Settings) -> Result<(), ConfigError> {
    interval(settings)?;
    Temporality::from_settings(settings)?;
    timeout(settings).map(drop)
}

/// How often metrics are sent.
fn interval(settings: &Settings) -> Result<Duration, ConfigError> {
    Ok(milliseconds(settings, "OTEL_METRIC_EXPORT_INTERVAL")?.unwrap_or(INTERVAL))
}

fn timeout(settings: &Settings) -> Result<Duration, ConfigError> {
    Ok(match milliseconds(settings, "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT")? {
        Some(timeout) => timeout,
        None => milliseconds(settings, "OTEL_EXPORTER_OTLP_TIMEOUT")?.unwrap_or(TIMEOUT),
    })
}

fn milliseconds(settings: &Settings, name: &'static str) -> Result<Option<Duration>, ConfigError> {
    let Some(text) = settings.text(name) else { return Ok(None) };
    match text.parse() {
        Ok(number @ 1..) => Ok(Some(Duration::from_millis(number))),
        _ => Err(ConfigError::new(name, format!("expected milliseconds above 0, found {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_milliseconds_and_errors_name_their_variable() {
        let ask = |text| interval(&Settings::from_pairs([("OTEL_METRIC_EXPORT_INTERVAL", text)]));
        assert_eq!(ask("1500"), Ok(Duration::from_millis(1500)));
        assert_eq!(interval(&Settings::from_pairs([("A", "b")])), Ok(INTERVAL));
        for wrong in ["0", "1s", "-1"] {
            let error = ask(wrong).expect_err("no number of milliseconds");
            assert_eq!(error.variable(), "OTEL_METRIC_EXPORT_INTERVAL");
        }
        for name in ["OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"] {
            let error = timeout(&Settings::from_pairs([(name, "soon")])).expect_err("no number");
            assert_eq!(error.variable(), name);
        }
    }
}
