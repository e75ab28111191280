//! What operators are told, on a socket of their own: probes with details, and numbers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhost_core::adapter::{Failure, Handler, HostHandles as _, Metric, ProcessMetrics, Reading};
use anyhost_core::{Error, Host, Paradigm, Phase, Request, Response, Setting};
use http::header::{ALLOW, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::accept::accept;
use crate::connection::Stage;
use crate::connections::Connections;
use crate::health::{Probes, uncached};
use crate::metrics::{metrics, page};
use crate::shared::Shared;
use crate::{Config, Listener, bind_tcp, bind_unix};

/// Where operators ask: `127.0.0.1:9090`, `[::]:9090` or `unix:/run/app-admin.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// An address of this machine.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl AdminAddress {
    /// Binds it.
    ///
    /// # Errors
    /// [`Failure`] names the address and the reason.
    pub fn bind(&self) -> Result<Listener, Failure> {
        match self {
            Self::Tcp(address) => bind_tcp(*address),
            Self::Unix(path) => bind_unix(path),
        }
    }
}

impl Setting for AdminAddress {
    fn expected() -> String {
        "an address such as 127.0.0.1:9090, [::]:9090 or unix:/run/app-admin.sock".into()
    }

    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:") {
            Some(path) => path.starts_with('/').then(|| Self::Unix(path.into())),
            None => text.parse().ok().map(Self::Tcp),
        }
    }
}

/// Answers operators on a listener of their own for as long as the value is kept.
///
/// It is a server of its own on a thread of its own: however busy the runtime of the App is, it answers.
pub(crate) struct Admin(Arc<Connections>);

impl Drop for Admin {
    fn drop(&mut self) {
        self.0.advance(Stage::Closing);
    }
}

impl Admin {
    /// # Errors
    /// If the operating system gives no thread.
    pub(crate) fn start<A: Handler>(
        listener: Listener,
        shared: &Arc<Shared<A>>,
    ) -> std::io::Result<Self> {
        let host = Host::builder(Paradigm::LongRunning, shared.host.platform())
            .build()
            .map_err(std::io::Error::other)?;
        host.advance(Phase::Ready);
        let config = Config { max_connections: 256, probes: Probes::none(), ..Config::default() };
        let own = Arc::new(Shared::new(host, config, None));
        own.started(AdminApp { shared: Arc::clone(shared), begun: SystemTime::now() });
        let connections = Arc::clone(&own.connections);
        tracing::info!("operators are answered on {listener}");
        let runtime = Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("anyhost-admin".into()).spawn(move || {
            let connections = Arc::clone(&own.connections);
            let outcome = runtime.block_on(async {
                tokio::select! {
                    outcome = accept(listener, own) => outcome,
                    () = connections.keep_room() => Ok(()),
                }
            });
            if let Err(error) = outcome {
                tracing::error!("operators are not answered: {error}");
            }
        })?;
        Ok(Self(connections))
    }
}

/// What answers operators, about an App.
struct AdminApp<A> {
    shared: Arc<Shared<A>>,
    begun: SystemTime,
}

impl<A: Handler> Handler for AdminApp<A> {
    async fn stop(&self) {}

    async fn handle(&self, request: Request) -> Result<Response, Error> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD")
                .with_header(ALLOW, HeaderValue::from_static("GET, HEAD")));
        }
        match request.uri().path() {
            "/metrics" => {
                let mut metrics = metrics(&self.shared);
                metrics.extend(ProcessMetrics::Prometheus.read());
                let begun = self.begun.duration_since(UNIX_EPOCH).unwrap_or_default();
                metrics.push(Metric::new(
                    "process.start_time_seconds",
                    "s",
                    "When this process started, in seconds since 1970",
                    Reading::Level(begun.as_secs()),
                ));
                Ok(uncached(true, "text/plain; version=0.0.4; charset=utf-8", page(&metrics)))
            }
            "/livez" => {
                let seconds = self.begun.elapsed().unwrap_or_default().as_secs();
                Ok(told(true, &json!({"status": "ok", "seconds": seconds})))
            }
            "/startupz" => {
                let phase = self.shared.host.lifecycle().phase();
                Ok(told(phase != Phase::Starting, &json!({"status": name(phase)})))
            }
            "/readyz" => {
                let why = self.shared.readiness.unready(&self.shared.host).await;
                Ok(told(why.is_none(), &self.details(why.map(|(_, why)| why))))
            }
            _ => Err(Error::new(
                StatusCode::NOT_FOUND,
                "there are /metrics, /livez, /readyz and /startupz",
            )),
        }
    }
}

impl<A: Handler> AdminApp<A> {
    fn details(&self, why: Option<String>) -> Value {
        let host = &self.shared.host;
        let databases: Vec<Value> = host
            .databases()
            .stats()
            .into_iter()
            .map(|stats| {
                json!({
                    "pool": stats.pool,
                    "system": stats.system,
                    "open": stats.open,
                    "idle": stats.idle,
                    "in_use": stats.in_use,
                    "waiting": stats.waiting,
                    "waiting_to_write": stats.waiting_to_write,
                    "max": stats.max,
                })
            })
            .collect();
        json!({
            "status": if why.is_none() { "ready" } else { "unavailable" },
            "reason": why,
            "phase": name(host.lifecycle().phase()),
            "platform": host.platform(),
            "instance": host.instance(),
            "in_flight": host.lifecycle().in_flight(),
            "connections": self.shared.connections.count(),
            "databases": databases,
        })
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Ready => "ready",
        Phase::Draining => "draining",
        Phase::Stopped => "stopped",
    }
}

fn told(well: bool, value: &Value) -> Response {
    uncached(well, "application/json", format!("{value}\n"))
}
