//! `/livez` and `/readyz`: what a platform asks a process, answered before the App is asked anything.

use std::time::{Duration, Instant};

use anyhost_core::{Body, Host, Phase, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use tokio::sync::Mutex;

use crate::shared::Shared;

/// How long one answer of the databases stands for all probes.
const FRESH: Duration = Duration::from_secs(1);

/// How long the databases may take to answer a probe. Kubernetes gives a probe one second by default.
const PATIENCE: Duration = Duration::from_millis(800);

/// What a platform asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// Whether the process is alive: it is, or nobody would answer.
    Live,
    /// Whether requests shall be sent here.
    Ready,
}

impl Probe {
    /// The probe that a path is, or none.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            "/livez" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            _ => None,
        }
    }

    /// Plain text, no redirect, any method, any `Host`: probes come without a scheme, with an address
    /// for a name, and follow nothing.
    pub(crate) async fn answer<A>(self, shared: &Shared<A>) -> Response {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        match self {
            Self::Live => plain(StatusCode::OK, "ok\n"),
            Self::Ready => match shared.host.life().phase() {
                Phase::Starting => plain(unavailable, "starting\n"),
                Phase::Ready if shared.readiness.check(&shared.host).await => {
                    plain(StatusCode::OK, "ready\n")
                }
                Phase::Ready => plain(unavailable, "a database does not answer\n"),
                Phase::Draining | Phase::Stopped => plain(unavailable, "draining\n"),
            },
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The last answer of the databases.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, bool)>>);

impl Readiness {
    /// Whether every database answers. Probes that come together share one question.
    async fn check(&self, host: &Host) -> bool {
        let mut last = self.0.lock().await;
        if let Some((when, ready)) = *last
            && when.elapsed() < FRESH
        {
            return ready;
        }
        let answer = host.databases().ready(PATIENCE).await;
        if let Err(error) = &answer {
            tracing::warn!("not ready: {error}");
        }
        *last = Some((Instant::now(), answer.is_ok()));
        answer.is_ok()
    }
}
